//! Builds a program, loads it, and runs it once: `cargo run --example load`, as root.

use rawbpf::insn::*;
use rawbpf::sys::prog::{self, Load, TestRun};
use rawbpf::sys::{LoadError, ProgramType};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A socket filter that returns the length of a packet behind its Ethernet header, at most 20.
    let mut a = Asm::new();
    let short = a.label();
    a.load(r0, u32_at(r1 + 0)); // struct __sk_buff: len is its first field.
    a.jump_if(r0, Cond::Le, 20, &short);
    a.mov(w0, 20);
    a.place(short);
    a.exit();
    let program = a.finish()?;
    print!("{}", program.listing(&[]));

    let insns = encode(program.insns(), Endian::HOST);
    let load = Load { name: "length", insns: &insns, ..Load::new(ProgramType::SocketFilter) };
    // The kernel's log says why where it refuses a program.
    let loaded =
        prog::load(&load).map_err(|LoadError { errno, log, .. }| format!("{errno}\n{log}"))?;
    for length in [20, 64] {
        let run = TestRun { data_in: &vec![0; length], ..TestRun::default() };
        println!("a packet of {length} bytes: {}", loaded.test_run(run)?.retval);
    }
    Ok(())
}
