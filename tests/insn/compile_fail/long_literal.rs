use rawbpf::insn::*;

pub fn program(a: &mut Asm) {
    a.mov(r1, 0x1_0000_0000); //~ error literal out of range for `i32`
}
