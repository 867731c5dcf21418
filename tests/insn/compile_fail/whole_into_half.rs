use rawbpf::insn::*;

pub fn program(a: &mut Asm) {
    a.mov(w1, r2); //~ E0277 `R: Src<W>`
}
