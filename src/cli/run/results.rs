//! What programs that are run once returned, and what is then in their maps.

use std::io::Write;

use crate::cli::options::TraceOptions;
use crate::cli::stop::Stop;
use crate::cli::streams::Stdout;
use crate::error::Error;
use crate::export::json::{self, Returned};
use crate::sample::Table;
use crate::source::ProgramKind;
use crate::sys::ProgramType;
use crate::tools::{describe, now};
use crate::view::elements::Elements;
use crate::view::returned::returned;

/// The type of a program that is run once; `None` for one that is attached.
pub fn program_type(kind: ProgramKind) -> Option<ProgramType> {
    match kind {
        ProgramKind::Type(program_type) => Some(program_type),
        ProgramKind::Section(section) => Some(section.program_type),
        _ => None,
    }
}

/// What is printed of the runs of a file's programs.
pub struct Results {
    out: Stdout,
    json: bool,
}

/// What a program returned.
pub struct ProgramResult<'a> {
    pub program: &'a str,
    pub program_type: Option<ProgramType>,
    pub value: u32,
    pub runs: u32,
    /// 0 if that is not known.
    pub nanoseconds: u32,
    /// The time in words, after a space; empty if it is not known.
    pub time: String,
}

impl Results {
    /// Prints the first line of JSON, if that is wanted.
    ///
    /// # Errors
    /// The output could not be written.
    pub fn new(
        file: String,
        trace: &TraceOptions,
        repeat: Option<u32>,
        interpret: bool,
    ) -> Result<Results, Stop> {
        let mut results = Results { out: Stdout::plain(), json: trace.json };
        if results.json {
            let mut settings = trace.settings();
            let own = [("file", file.into()), ("repeat", repeat.into())];
            settings.extend(own.into_iter().chain([("interpret", interpret.into())]));
            writeln!(results.out, "{}", json::run(&describe("run", now()?, settings)))?;
        }
        Ok(results)
    }

    /// Prints what a program returned, and with JSON what is then in the maps.
    ///
    /// # Errors
    /// The maps could not be read, or the output could not be written.
    pub fn program(
        &mut self,
        result: &ProgramResult<'_>,
        maps: &dyn Fn() -> Result<Vec<Table>, Error>,
    ) -> Result<(), Stop> {
        let ProgramResult { program, value, runs, nanoseconds, time, .. } = result;
        if self.json {
            let returned = Returned {
                program,
                value: *value,
                runs: *runs,
                nanoseconds: *nanoseconds,
                end: now()?,
            };
            return Ok(writeln!(self.out, "{}", json::returned(&returned, &maps()?))?);
        }
        let program_type = result.program_type.map(ProgramType::name).unwrap_or_default();
        Ok(writeln!(self.out, "{}", returned(program, program_type, *value, time))?)
    }

    /// Prints what is in the maps once all have run.
    ///
    /// # Errors
    /// The output could not be written.
    pub fn end(&mut self, maps: &[Table]) -> Result<(), Stop> {
        if !self.json {
            maps.iter().try_for_each(|map| write!(self.out, "{}", Elements(map)))?;
        }
        Ok(self.out.flush()?)
    }
}
