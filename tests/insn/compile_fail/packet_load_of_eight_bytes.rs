use rawbpf::insn::*;

pub fn program(a: &mut Asm) {
    a.load_packet::<mem::U64>(0); //~ E0277 `U64: Packet`
}
