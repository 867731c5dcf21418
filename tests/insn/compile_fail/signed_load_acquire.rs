use rawbpf::insn::*;

pub fn program(a: &mut Asm) {
    a.load_acquire(r1, s16_at(r2 + 0)); //~ E0277 : Storable
}
