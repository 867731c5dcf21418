use rawbpf::insn::*;

pub fn program(a: &mut Asm) {
    a.add(r1, w2); //~ E0277 `W: Addend<R>`
}
