use rawbpf::insn::*;

pub fn program(a: &mut Asm) {
    a.movsx32(w1, w2); //~ E0308 incorrect
}
