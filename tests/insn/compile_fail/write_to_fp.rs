use rawbpf::insn::*;

pub fn program(a: &mut Asm) {
    a.mov(fp, 0); //~ E0277 `Fp: Dst`
}
