//! The types of an object that its text must have, so that the verifier says the same of it.

use std::collections::HashMap;

use crate::btf::{BtfError, Needed, relocation_kind};
use crate::elf::{Notes, Object, ObjectFunction};
use crate::source::object::is_called;

/// What a text says of types.
#[derive(Default)]
pub struct Said {
    /// The types, without `.type`.
    pub lines: Vec<String>,
    /// The directives above an instruction, by the section of its function and its offset there in bytes.
    above: HashMap<(usize, u64), Vec<String>>,
}

impl Said {
    /// The directives above an instruction of a function.
    pub fn above(
        &self,
        function: &ObjectFunction<'_>,
        slot: usize,
    ) -> impl Iterator<Item = &String> {
        self.above.get(&at(function, slot)).into_iter().flatten()
    }
}

fn at(function: &ObjectFunction<'_>, slot: usize) -> (usize, u64) {
    (function.index, function.start + 8 * slot as u64)
}

/// All that a text must say, with what functions and CO-RE relocations need.
///
/// # Errors
/// The types are damaged.
pub fn said(
    mut needed: Needed<'_, '_>,
    object: &Object<'_>,
    notes: &Notes<'_>,
) -> Result<Said, BtfError> {
    let functions = object.functions();
    let typed: Vec<_> = functions.iter().map(|it| (it, notes.function(it))).collect();
    let mut are_plain = true;
    for (function, id) in &typed {
        if let Some(id) = id {
            are_plain &= needed.is_plain(*id, !is_called(function))?;
        }
    }
    let mut said = Said::default();
    for (function, id) in typed.iter().filter(|_| !are_plain) {
        if let Some(id) = id {
            needed.name(*id)?;
            said.above.entry(at(function, 0)).or_default().push(format!(".func {id}"));
        }
    }
    let mut relocations = vec![];
    for function in &functions {
        for slot in 0..function.bytes.len() / 8 {
            if let Some(relocation) = notes.relocation(function, slot) {
                needed.relocation(relocation)?;
                relocations.push((at(function, slot), relocation));
            }
        }
    }
    said.lines = needed.lines()?;
    for (at, relocation) in relocations {
        let Some(kind) = relocation_kind(relocation.kind) else { continue };
        let (id, access) = (relocation.type_id, needed.access(relocation)?);
        said.above.entry(at).or_default().push(format!(".core {kind} {id} {access}"));
    }
    Ok(said)
}
