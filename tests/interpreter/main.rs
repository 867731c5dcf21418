//! Programs without a kernel: the results are those of the RFC and of the running kernel.

mod faults;
mod helpers;
mod kernel;
mod lessons;
mod random;
mod rfc9669;

use rawbpf::insn::{Source, parse};
use rawbpf::interpret::{Input, Machine, MapDef, World};

/// The program of a text.
fn source(text: &str) -> Source {
    parse("test.bpf", text).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// A machine with the first program of a text and its maps.
fn machine(text: &str, input: &Input) -> Machine {
    let source = source(text);
    let maps: Vec<_> = source.maps.iter().map(MapDef::from).collect();
    let world = World::new(&maps).unwrap();
    Machine::new(source.programs[0].program.insns(), world, input).unwrap()
}

/// No input that any of these programs looks at.
fn nothing() -> Input {
    Input::Context(vec![0; 64])
}

/// The result of a program that ends.
fn result(text: &str) -> u64 {
    machine(text, &nothing()).run(1_000_000).unwrap().expect("the program ends")
}
