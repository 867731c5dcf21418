//! Programs of ours and their maps, without loading them: `--dump-insns`.

use std::io::Write;

use super::maps;
use crate::cli::stop::Stop;
use crate::insn::{Endian, Program};
use crate::run::Plan;
use crate::source::{Collection, ProgramKind, ProgramSpec, resolved};
use crate::sys::{MapSpec, prog};
use crate::view::dump::{Attachable, Dump, Format};

/// A program as it is dumped.
pub struct Dumped<'a> {
    /// Its name.
    pub name: &'a str,
    /// How it is attached, or its type.
    pub kind: String,
    /// Where it is attached; may be empty.
    pub place: String,
    /// The flags that a text gives it.
    pub flags: u32,
    /// Its instructions.
    pub program: &'a Program,
}

impl<'a> From<&'a Plan> for Dumped<'a> {
    fn from(plan: &'a Plan) -> Dumped<'a> {
        let (kind, place) = (plan.attach.word().to_owned(), plan.attach.place());
        Dumped { name: &plan.name, kind, place, flags: 0, program: &plan.program }
    }
}

impl<'a> From<&'a ProgramSpec> for Dumped<'a> {
    fn from(spec: &'a ProgramSpec) -> Dumped<'a> {
        let ProgramSpec { name, kind, place, optional, options, program } = spec;
        let place = match (kind, options.attach_type) {
            (ProgramKind::Unknown, _) => "",
            (ProgramKind::Type(_), Some(attach_type)) => attach_type.name(),
            _ => place,
        };
        let mark = if *optional { "?" } else { "" };
        let (kind, place) = (format!("{mark}{kind}"), place.to_owned());
        Dumped { name, kind, place, flags: options.flags, program }
    }
}

impl<'a> Dumped<'a> {
    /// All programs of a source.
    pub fn all(collection: &'a Collection) -> Vec<Dumped<'a>> {
        collection.programs.iter().map(Dumped::from).collect()
    }

    fn license(&self) -> &str {
        let written = self.program.license().and_then(|license| license.to_str().ok());
        written.or(prog::LICENSE.to_str().ok()).unwrap_or_default()
    }
}

/// Prints programs, one after the other.
///
/// # Errors
/// Bytes were asked for but an offset in them is not known; or the output could not be written.
pub fn dump(
    out: &mut dyn Write,
    format: Format,
    endian: Endian,
    programs: &[Dumped],
    maps: &[MapSpec],
) -> Result<(), Stop> {
    programs.iter().try_for_each(|dumped| {
        if matches!(format, Format::Opcodes | Format::Hex | Format::C | Format::Raw) {
            resolved(dumped.program)?;
        }
        Ok(shown(dumped, endian, maps).print(out, format)?)
    })
}

fn shown(dumped: &Dumped, endian: Endian, maps: &[MapSpec]) -> Dump {
    let attachable = Attachable {
        name: dumped.name,
        kind: &dumped.kind,
        place: &dumped.place,
        flags: dumped.flags,
        license: dumped.license(),
        program: dumped.program,
    };
    attachable.dump(maps.iter().map(maps::of_spec).collect(), endian)
}
