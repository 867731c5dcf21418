use rawbpf::insn::*;

pub fn program(a: &mut Asm) {
    a.mov(w1, fp); //~ E0277 `Fp: Src<W>`
}
