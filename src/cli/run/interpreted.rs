//! `rawbpf run --interpret`: programs that run without a kernel.

use super::results::{ProgramResult, Results, program_type};
use crate::cli::stop::Stop;
use crate::cli::streams::say;
use crate::error::Error;
use crate::interpret::{Fault, Input, Machine, MapDef, MapKind, World};
use crate::sample::{Data, Table};
use crate::source::{Collection, ProgramKind, ProgramSpec};
use crate::sys::MapSpec;
use crate::tools::programs::holds_data;

/// The largest number of instructions that a program runs.
const STEPS: u64 = 10_000_000;

/// The input if none is given.
const ZEROS: [u8; 64] = [0; 64];

/// Runs each program once, on the same maps.
///
/// # Errors
/// A program needs an input or a kernel, does what no program may, or does not end.
pub fn run(text: &Collection, ctx: Option<&[u8]>, results: &mut Results) -> Result<(), Stop> {
    for spec in &text.programs {
        let attached = matches!(spec.kind, ProgramKind::Attached(_));
        if attached && ctx.is_none() {
            let what = format!(
                "{}: a {} program runs on an event, of which the interpreter has none",
                spec.name, spec.kind
            );
            let hint = "give the bytes that its r1 leads to: --ctx HEX";
            return Err(Error::usage(what).hint(hint).into());
        }
    }
    say("note: interpreted: neither the kernel's verifier nor its JIT was asked\n");
    let defs: Vec<_> = text.maps.iter().map(definition).collect();
    let mut world = World::new(&defs).map_err(Error::failed)?;
    for spec in &text.programs {
        let program_type = program_type(spec.kind);
        let name = program_type.map(|it| it.to_string()).unwrap_or_default();
        let input = Input::of(&name, ctx.unwrap_or(&ZEROS).to_vec());
        let insns = spec.program.insns();
        let mut machine = Machine::new(insns, world, &input)
            .map_err(|why| Error::usage(format!("--ctx: {why}")))?;
        let ended = machine.run(STEPS);
        say(&machine.world.printed);
        machine.world.printed.clear();
        let value = match ended {
            Ok(Some(value)) => value as u32,
            Ok(None) => {
                let what = format!("{} did not end within {STEPS} instructions", spec.name);
                return Err(Error::failed(what).into());
            }
            Err(fault) => return Err(stopped(spec, &fault).into()),
        };
        let result = ProgramResult {
            program: &spec.name,
            program_type,
            value,
            runs: 1,
            nanoseconds: 0,
            time: format!(" in {} instructions", machine.steps()),
        };
        world = machine.world;
        results.program(&result, &|| Ok(tables(text, &world)))?;
    }
    results.end(&tables(text, &world))
}

fn stopped(spec: &ProgramSpec, fault: &Fault) -> Error {
    let at = spec.program.lines().find(|(slot, ..)| *slot == fault.slot);
    let insn = at.map_or(String::new(), |(_, insn, line)| format!(" ({insn}, {line})"));
    Error::failed(format!("{}: instruction {}{insn}: {}", spec.name, fault.slot, fault.reason))
        .hint("the verifier's verdict, as root: rawbpf verify FILE")
}

fn definition(spec: &MapSpec) -> MapDef {
    MapDef {
        name: spec.name.clone(),
        kind: MapKind::named(spec.map_type.name()),
        key_size: spec.key_size,
        value_size: spec.value_size,
        max_entries: spec.max_entries,
        content: spec.content.clone(),
        flags: spec.flags,
    }
}

fn tables(text: &Collection, world: &World) -> Vec<Table> {
    let maps = text.maps.iter().zip(&world.maps);
    let maps = maps.filter(|(spec, _)| holds_data(spec.map_type));
    maps.map(|(spec, map)| {
        let elements = world.elements(map);
        let elements = elements.map(|(key, value)| (Data::new(&key), Data::new(value)));
        Table::of_map(&spec.name, spec.map_type.name(), elements.collect())
    })
    .collect()
}
