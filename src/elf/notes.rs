//! The notes about an object's instructions in its `.BTF.ext`.

use super::{Object, ObjectFunction, Places};
use crate::btf::{Btf, Ext, ExtLine, ExtRecord, Relocation};

/// The types of functions, lines of source and CO-RE relocations of an object.
#[derive(Default)]
pub struct Notes<'a> {
    functions: Vec<ExtRecord<'a, u32>>,
    function_places: Places,
    lines: Vec<ExtRecord<'a, ExtLine<'a>>>,
    line_places: Places,
    relocations: Vec<ExtRecord<'a, Relocation<'a>>>,
    relocation_places: Places,
}

impl<'a> Notes<'a> {
    /// The notes of an object with these types. Unreadable notes are left out.
    pub fn new(object: &Object<'a>, btf: Option<&Btf<'a>>) -> Notes<'a> {
        let ext = object.section(".BTF.ext").and_then(|bytes| Ext::parse(bytes).ok());
        let (Some(btf), Some(ext)) = (btf, ext) else { return Notes::default() };
        let functions = ext.functions(btf).unwrap_or_default();
        let function_places = places(object, &functions);
        let lines = ext.lines(btf).unwrap_or_default();
        let relocations = ext.relocations(btf).unwrap_or_default();
        let (line_places, relocation_places) =
            (places(object, &lines), places(object, &relocations));
        Notes { functions, function_places, lines, line_places, relocations, relocation_places }
    }

    /// The id of a function's type.
    pub fn function(&self, function: &ObjectFunction<'_>) -> Option<u32> {
        let record = self.function_places.at(function.index, function.start).next()?;
        Some(self.functions[record].what)
    }

    /// The source line that begins at an instruction: `at` is the slot in the function.
    pub fn line(&self, function: &ObjectFunction<'_>, at: usize) -> Option<&ExtLine<'a>> {
        let offset = function.start + 8 * at as u64;
        let line = self.line_places.at(function.index, offset).next()?;
        Some(&self.lines[line].what)
    }

    /// The CO-RE relocation of an instruction.
    pub fn relocation(&self, function: &ObjectFunction<'_>, at: usize) -> Option<&Relocation<'a>> {
        let offset = function.start + 8 * at as u64;
        let relocation = self.relocation_places.at(function.index, offset).next()?;
        Some(&self.relocations[relocation].what)
    }
}

/// The places of records, by the index of their section.
fn places<T>(object: &Object<'_>, records: &[ExtRecord<'_, T>]) -> Places {
    let mut section = (&b""[..], 0);
    Places::new(records.iter().map(|at| {
        if at.section != section.0 {
            section = (at.section, object.section_index(at.section).unwrap_or(0));
        }
        (section.1, at.offset.into())
    }))
}
