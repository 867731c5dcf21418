//! A lesson's program, or a learner's.

use crate::cli::stop::Stop;
use crate::error::Error;
use crate::host::KernelTypes;
use crate::lessons::Lesson;
use crate::run::{create, load_alone, verification};
use crate::source::{self, Collection, ProgramKind, ProgramSpec};
use crate::sys::{Map, MapSpec, Prog, ProgramType, capability};
use crate::verifier::verification::Verification;

/// The one program of a text, and its type.
pub struct LessonProgram {
    /// The program.
    pub spec: ProgramSpec,
    /// Its maps.
    pub maps: Vec<MapSpec>,
    /// Its type.
    pub program_type: ProgramType,
}

impl LessonProgram {
    /// The program in this text of a file.
    ///
    /// # Errors
    /// The text has a mistake, or not exactly one program with a type.
    pub fn of(file: &str, text: &str) -> Result<LessonProgram, Stop> {
        let types = KernelTypes::running();
        Ok(LessonProgram::new(source::text::read(file, text.as_bytes(), &types)?)?)
    }

    /// The program that a text defines.
    ///
    /// # Errors
    /// The text has several programs, or the program is one that is attached.
    pub fn new(text: Collection) -> Result<LessonProgram, Error> {
        let maps = text.maps;
        let [spec] = <[ProgramSpec; 1]>::try_from(text.programs)
            .map_err(|_| Error::failed("a lesson has one program, and this text has several"))?;
        match spec.kind {
            ProgramKind::Type(program_type) => Ok(LessonProgram { spec, maps, program_type }),
            kind => Err(Error::failed(format!(
                "a {kind} program cannot be run on given inputs: keep the lesson's .program line"
            ))),
        }
    }

    /// Makes its maps.
    ///
    /// # Errors
    /// The kernel refuses a map, and why.
    pub fn maps(&self) -> Result<Vec<Map>, Error> {
        create(&self.maps)
    }

    /// Loads the program with the lesson's privileges.
    ///
    /// # Errors
    /// The kernel refuses the program, and why.
    pub fn load(&self, lesson: &Lesson, maps: &[Map]) -> Result<Prog, Error> {
        let load = || load_alone(&self.spec.name, &self.spec.program, maps, self.program_type);
        match lesson.cap_bpf_alone {
            true => capability::with_only(capability::BPF, load).map_err(|error| {
                Error::failed(format!("capabilities cannot be dropped for a while: {error}"))
            })?,
            false => load(),
        }
    }

    /// The program with the log of a verifier that refused it.
    pub fn verification(&self, log: String) -> Verification {
        let kind = self.program_type.to_string();
        Verification { kind, ..verification(&self.spec.program, self.maps.iter(), log) }
    }
}
