use rawbpf::insn::*;

pub fn program(a: &mut Asm) {
    a.mov(r1, w2); //~ E0277 `W: Src<R>`
}
