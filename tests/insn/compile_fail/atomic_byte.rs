use rawbpf::insn::*;

pub fn program(a: &mut Asm) {
    a.lock_add(u8_at(r1 + 0), r2); //~ E0277 U8: AtomicWidth
}
