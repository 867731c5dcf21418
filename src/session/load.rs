//! A program on its way to the verifier: with its maps, its types and its source lines.

use std::os::fd::{AsFd, AsRawFd};

use super::Plan;
use crate::btf::{self, ProgramBtf};
use crate::error::Error;
use crate::host::{Attach, AttachKind, refusal};
use crate::insn::{Endian, Program, encode};
use crate::sys::{self, AttachType, Load, LoadError, Map, MapSpec, Prog, ProgramType};
use crate::verifier::path::Code;
use crate::verifier::verification::{Source, Verification};

/// Loads a program of a plan, to be attached.
///
/// # Errors
/// The kernel refuses it, and why.
pub fn load(plan: &Plan, maps: &[Map]) -> Result<Prog, Error> {
    load_program(plan.name, &plan.program, maps, loading(&plan.attach)?, &|error, refused| {
        refusal::of_program(plan.attach.kind(), error, refused)
    })
}

/// What a program is loaded as, to be attached so.
fn loading(attach: &Attach) -> Result<Load<'static>, Error> {
    let tracing = |attach_type, id: Option<u32>| {
        let attach_btf_id = id.ok_or_else(|| refusal::no_ids(attach.kind()))?;
        let expected_attach_type = Some(attach_type);
        Ok(Load { expected_attach_type, attach_btf_id, ..Load::new(ProgramType::Tracing) })
    };
    match attach {
        Attach::KprobeMulti(_) => Ok(Load {
            expected_attach_type: Some(AttachType::TraceKprobeMulti),
            ..Load::new(ProgramType::Kprobe)
        }),
        Attach::Kprobe(_) | Attach::Kretprobe(_) | Attach::Uprobe(..) => {
            Ok(Load::new(ProgramType::Kprobe))
        }
        Attach::Tracepoint(..) => Ok(Load::new(ProgramType::Tracepoint)),
        Attach::RawTp(_) => Ok(Load::new(ProgramType::RawTracepoint)),
        Attach::Fentry(_, id) => tracing(AttachType::TraceFentry, *id),
        Attach::Fexit(_, id) => tracing(AttachType::TraceFexit, *id),
        Attach::TpBtf(_, id) => tracing(AttachType::TraceRawTp, *id),
    }
}

/// What the verifier says of a program that it accepts, or why it refuses it.
type Verdict = Result<Walked, Error>;

/// A program and how the verifier went over it.
pub struct Walked {
    /// The program with the log; of one that it walked over for long the log is only the totals.
    pub program: Verification,
    /// Whether that is so.
    pub long: bool,
}

/// Loads a program of a plan at a log level that tells all, and lets go of it.
///
/// # Errors
/// The kernel refuses it, and why.
pub fn verify(plan: &Plan, maps: &[Map]) -> Verdict {
    resolved(plan)?;
    let load = loading(&plan.attach)?;
    verify_program(plan.name, &plan.program, maps, load, &|error, refused| {
        refusal::of_program(plan.attach.kind(), error, refused)
    })
}

/// The same of a program that is not attached.
///
/// # Errors
/// As [`verify`].
pub fn verify_alone(
    name: &str,
    program: &Program,
    maps: &[Map],
    program_type: ProgramType,
) -> Verdict {
    verify_program(name, program, maps, alone(program_type), &|error, refused| {
        refusal::of_type(program_type, error, refused)
    })
}

fn verify_program(
    name: &str,
    program: &Program,
    maps: &[Map],
    load: Load<'_>,
    why: &dyn Fn(&LoadError, Verification) -> Error,
) -> Verdict {
    // The statistics too.
    let load = Load { log_level: 2 | 4, ..load };
    let (log, long) = prepared(name, program, maps, load, why, &mut sys::prog::load_and_tell)?;
    Ok(Walked { program: refused(program, maps.iter().map(Map::spec), log), long })
}

/// Loads a program that is not attached, but run by itself.
///
/// # Errors
/// The kernel refuses it, and why.
pub fn load_alone(
    name: &str,
    program: &Program,
    maps: &[Map],
    program_type: ProgramType,
) -> Result<Prog, Error> {
    load_program(name, program, maps, alone(program_type), &|error, refused| {
        refusal::of_type(program_type, error, refused)
    })
}

fn alone(program_type: ProgramType) -> Load<'static> {
    // `BPF_F_SLEEPABLE`, which programs of this type must be.
    let flags = if program_type == ProgramType::Syscall { 16 } else { 0 };
    Load { flags, ..Load::new(program_type) }
}

fn load_program(
    name: &str,
    program: &Program,
    maps: &[Map],
    load: Load<'_>,
    why: &dyn Fn(&LoadError, Verification) -> Error,
) -> Result<Prog, Error> {
    let load = Load { log_level: 2, ..load };
    prepared(name, program, maps, load, why, &mut sys::prog::load)
}

/// Hands on what is to be loaded with this program in it; `why` tells why that was refused.
fn prepared<T>(
    name: &str,
    program: &Program,
    maps: &[Map],
    load: Load<'_>,
    why: &dyn Fn(&LoadError, Verification) -> Error,
    then: &mut dyn FnMut(&Load) -> Result<T, LoadError>,
) -> Result<T, Error> {
    let fds: Vec<_> = maps.iter().map(|map| map.as_fd().as_raw_fd()).collect();
    let insns = program.with_map_fds(&fds);
    let insns =
        insns.ok_or_else(|| Error::failed("the program refers to a map it does not have"))?;
    let types = program_btf(name, program);
    let loaded = then(&Load {
        name,
        insns: &encode(&insns, Endian::HOST),
        btf: Some(sys::ProgramBtf {
            blob: &types.btf,
            func_info: &types.func_info,
            line_info: &types.line_info,
        }),
        license: program.license().unwrap_or(sys::prog::LICENSE),
        ..load
    });
    loaded.map_err(|error| {
        let maps = maps.iter().map(Map::spec);
        why(&error, refused(program, maps, error.log.clone()))
    })
}

/// A program that was refused with this log, and the lines that wrote it.
pub fn refused<'a>(
    program: &Program,
    maps: impl Iterator<Item = &'a MapSpec>,
    log: String,
) -> Verification {
    Verification {
        code: Code::of(program.insns()),
        maps: maps.map(|map| map.name.clone()).collect(),
        lines: source_lines(program).collect(),
        log,
    }
}

/// The lines that wrote the program.
fn source_lines(program: &Program) -> impl Iterator<Item = Source> + '_ {
    let told = program.lines().filter(|(.., line)| line.line > 0);
    told.map(|(slot, _, line)| Source {
        slot: slot as u32,
        file: line.file.to_owned(),
        line: line.line,
        text: line.text.unwrap_or_default().to_owned(),
    })
}

/// Types of the program's own, with which the kernel shows its source lines.
pub fn program_btf(name: &str, program: &Program) -> ProgramBtf {
    let functions: Vec<_> = program.functions().collect();
    let names: Vec<_> = functions
        .iter()
        .map(|(slot, label)| match (slot, label) {
            (0, _) => name.to_owned(),
            (_, Some(label)) => (*label).to_owned(),
            (slot, None) => format!("{name}_{slot}"),
        })
        .collect();
    let functions: Vec<_> = functions
        .iter()
        .zip(&names)
        .map(|((slot, _), name)| btf::Function { name, parameters: &["ctx"], slot: *slot as u32 })
        .collect();
    let told = program.lines().filter(|(.., line)| line.line > 0);
    let lines = told.map(|(slot, _, line)| btf::Line {
        slot: slot as u32,
        file: line.file,
        line: line.line,
        column: line.column,
        text: line.text.unwrap_or_default(),
    });
    ProgramBtf::new(&functions, &lines.collect::<Vec<_>>())
}

/// Every offset in the program is known.
///
/// # Errors
/// One is not, and what would tell it.
pub fn resolved(plan: &Plan) -> Result<(), Error> {
    match (plan.program.unresolved(), plan.attach.kind()) {
        (None, _) => Ok(()),
        (Some(_), AttachKind::Tracepoint) => Err(refusal::no_tracefs()),
        (Some(field), _) => Err(refusal::no_btf(field)),
    }
}
