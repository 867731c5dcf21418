use rawbpf::insn::*;

pub fn program(a: &mut Asm) {
    a.load(r1, u8_at(w2 + 0)); //~ E0369 cannot add
}
