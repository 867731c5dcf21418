use rawbpf::insn::*;

pub fn program(a: &mut Asm) {
    let number = 1_u64 << 32;
    a.load_imm64(r1, number);
    a.mov(r1, number); //~ E0277 `u64: Src<R>`
}
