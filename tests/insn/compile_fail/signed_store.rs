use rawbpf::insn::*;

pub fn program(a: &mut Asm) {
    a.store(s8_at(r1 + 0), r2); //~ E0277 : Storable
}
