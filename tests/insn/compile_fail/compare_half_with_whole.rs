use rawbpf::insn::*;

pub fn program(a: &mut Asm) {
    let out = a.label();
    a.jump_if(w1, Cond::Eq, r2, &out); //~ E0277 `R: Src<W>`
    a.place(out);
}
