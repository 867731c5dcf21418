use rawbpf::insn::*;

pub fn program(a: &mut Asm) {
    let top = a.label();
    a.place(top);
    a.goto(&top); //~ E0382 borrow of moved value: `top`
}
