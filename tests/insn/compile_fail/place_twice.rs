use rawbpf::insn::*;

pub fn program(a: &mut Asm) {
    let out = a.label();
    a.place(out);
    a.place(out); //~ E0382 use of moved value: `out`
}
