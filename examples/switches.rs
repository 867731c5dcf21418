//! A program of one's own: counts how often each CPU switches tasks, for a second:
//! `cargo run --example switches`, as root.

use std::thread::sleep;
use std::time::Duration;

use rawbpf::aggregate::{KeyedCounters, counters};
use rawbpf::error::Error;
use rawbpf::host::RawTp;
use rawbpf::insn::{helper::GET_SMP_PROCESSOR_ID, *};
use rawbpf::run::{Plan, Session};
use rawbpf::source_text;
use rawbpf::sys::{MapSpec, MapType};

/// With it the kernel's log has the lines below beside the instructions.
static SOURCE: SourceText = source_text!("switches.rs");

const SWITCHES: MapRef = MapRef(0);
const CPUS: u32 = 1024;

fn program() -> Result<Program, AsmError> {
    let mut a = Asm::with_source(&SOURCE);
    let beyond = a.label();
    a.call(GET_SMP_PROCESSOR_ID);
    a.jump_if(r0, Cond::Ge, CPUS as i32, &beyond);
    counters::count(&mut a, SWITCHES, r0);
    a.place(beyond);
    a.mov(w0, 0);
    a.exit();
    a.finish()
}

fn main() -> Result<(), Error> {
    let maps = [MapSpec::new("switches", MapType::Array, 4, 8 * CPUS, 1)];
    let plan = Plan::new("switches", RawTp::new("sched_switch"), program()?);
    let session = Session::attach(&maps, vec![plan])?;
    sleep(Duration::from_secs(1));
    let mut counters = KeyedCounters::default();
    for reading in counters.read(session.map(SWITCHES)?)?.iter() {
        for (cpu, count) in reading.interval.iter().enumerate().filter(|(_, count)| **count > 0) {
            println!("CPU {cpu} switched tasks {count} times");
        }
    }
    Ok(())
}
