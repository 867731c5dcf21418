//! A program on its way to the verifier: with its maps, its types and its source lines.

use std::os::fd::{AsFd, AsRawFd};

use super::plan::Plan;
use super::types;
use crate::btf::{self, ProgramBtf};
use crate::error::Error;
use crate::host::{AttachKind, refusal};
use crate::insn::{Endian, Program, encode};
use crate::sys::{self, Load, LoadError, Map, MapSpec, Prog, ProgramType};
use crate::verifier::diagnose::{Diagnosis, diagnose};
use crate::verifier::path::Code;
use crate::verifier::verification::Verification;

/// Loads a program of a plan, to be attached.
///
/// # Errors
/// The kernel refuses it, and why.
pub fn load(plan: &Plan, maps: &[Map]) -> Result<Prog, Error> {
    load_program(&plan.name, &plan.program, maps, plan.attach.load()?, &|error, refused| {
        plan.attach.kind().explain_program(error, refused)
    })
}

/// What the verifier says of a program that it accepts, or why it refuses it.
type WalkResult = Result<Walked, Error>;

/// A program and how the verifier went over it.
#[non_exhaustive]
pub struct Walked {
    /// The program with the log.
    pub program: Verification,
    /// Whether the log has only the totals, since the verifier walked over very many instructions.
    pub totals_only: bool,
}

/// Loads a program of a plan with the most detailed log, and discards it.
///
/// # Errors
/// The kernel refuses it, and why.
pub fn verify(plan: &Plan, maps: &[Map]) -> WalkResult {
    resolved(plan)?;
    let load = plan.attach.load()?;
    verify_program(&plan.name, &plan.program, maps, load, &|error, refused| {
        plan.attach.kind().explain_program(error, refused)
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
) -> WalkResult {
    verify_as(name, program, maps, alone(program_type), None)
}

/// The same of a program that is loaded like this, whose place is not known or of no concern; `kind` is how
/// such programs are attached.
///
/// # Errors
/// As [`verify`].
pub fn verify_as(
    name: &str,
    program: &Program,
    maps: &[Map],
    load: Load<'_>,
    kind: Option<AttachKind>,
) -> WalkResult {
    verify_program(name, program, maps, load, &|error, refused| match kind {
        Some(kind) => kind.explain_program(error, refused),
        None => refusal::of_type(load.program_type, error, refused),
    })
}

fn verify_program(
    name: &str,
    program: &Program,
    maps: &[Map],
    load: Load<'_>,
    explain: &dyn Fn(&LoadError, Verification) -> Error,
) -> WalkResult {
    // The statistics too.
    let load = Load { log_level: 2 | 4, ..load };
    let (log, totals_only) =
        load_prepared(name, program, maps, load, explain, &mut sys::prog::verify)?;
    Ok(Walked { program: verification(program, maps.iter().map(Map::spec), log), totals_only })
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
    load_as(name, program, maps, alone(program_type))
}

/// The same of a program that is loaded like this.
///
/// # Errors
/// As [`load_alone`].
pub fn load_as(name: &str, program: &Program, maps: &[Map], load: Load<'_>) -> Result<Prog, Error> {
    load_program(name, program, maps, load, &|error, refused| {
        refusal::of_type(load.program_type, error, refused)
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
    explain: &dyn Fn(&LoadError, Verification) -> Error,
) -> Result<Prog, Error> {
    let load = Load { log_level: 2, ..load };
    load_prepared(name, program, maps, load, explain, &mut sys::prog::load)
}

/// Builds the load request from `load`, the program, its maps and its types, and runs `load_with` on it.
/// `explain` makes an error of a refusal.
fn load_prepared<T>(
    name: &str,
    program: &Program,
    maps: &[Map],
    load: Load<'_>,
    explain: &dyn Fn(&LoadError, Verification) -> Error,
    load_with: &mut dyn FnMut(&Load) -> Result<T, LoadError>,
) -> Result<T, Error> {
    let fds: Vec<_> = maps.iter().map(|map| map.as_fd().as_raw_fd()).collect();
    let modules = types::of_modules(program.modules())?;
    let insns = program.with_map_fds(&fds);
    let insns =
        insns.ok_or_else(|| Error::failed("the program refers to a map it does not have"))?;
    let module_fds: Vec<_> = modules.iter().map(AsFd::as_fd).collect();
    let insns = types::with_module_fds(insns, &module_fds);
    // The first is the kernel's own, which needs none.
    let fd_array: Vec<_> = module_fds.iter().take(1).chain(&module_fds).copied().collect();
    let (types, loaded) = match types::of_object(program, maps) {
        Some((types, loaded)) => (types, Some(loaded)),
        None => (program_btf(name, program), None),
    };
    let result = load_with(&Load {
        name,
        insns: &encode(&insns, Endian::HOST),
        btf: Some(sys::LoadBtf {
            blob: &types.btf,
            func_info: &types.func_info,
            line_info: &types.line_info,
        }),
        types: loaded.as_deref(),
        fd_array: &fd_array,
        license: program.license().unwrap_or(sys::prog::LICENSE),
        ..load
    });
    result.map_err(|error| {
        let maps = maps.iter().map(Map::spec);
        explain(&error, verification(program, maps, error.log.clone()))
    })
}

/// A program, the lines that wrote it, and the log that the verifier gave of it.
pub fn verification<'a>(
    program: &Program,
    maps: impl Iterator<Item = &'a MapSpec>,
    log: String,
) -> Verification {
    Verification::of_program(program, maps.map(|map| map.name.clone()).collect(), log)
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
        .map(|((slot, _), name)| btf::BtfFunction {
            name,
            parameters: &["ctx"],
            slot: *slot as u32,
        })
        .collect();
    let lines = program.known_lines().map(|(slot, _, line)| btf::BtfLine {
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
    match plan.program.unresolved() {
        None => Ok(()),
        Some(field) => Err(plan.attach.kind().unresolved(field)),
    }
}

impl LoadError {
    /// Why the verifier refused this program, which was to be loaded; `None` if the kernel refused it
    /// before the verifier saw it.
    pub fn diagnosis(&self, program: &Program) -> Option<Diagnosis<'_>> {
        diagnose(&Code::of(program.insns()), &self.log)
    }
}
