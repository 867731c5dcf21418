use rawbpf::insn::*;

pub fn program(a: &mut Asm) {
    a.load(fp, u64_at(r1 + 0)); //~ E0308 mismatched types
}
