//! What a text says of types: those of its functions and maps, which the kernel gets with each program, and
//! instructions that depend on the kernel's own.

use std::sync::Arc;

use super::relocate::Relocator;
use crate::btf::{Btf, BtfFunction, BtfLine, Relocation, TextTypes, relocation_number};
use crate::elf::relocate_slot;
use crate::error::Error;
use crate::insn::parse::{CoreLine, Mistakes, NamedProgram, Source};
use crate::insn::{Endian, Insn, ObjectTypes, Program, decode, encode};

/// Reads the types of a text, and gives them to its programs. Returns the blob; `None` if it has none.
///
/// # Errors
/// A line describes no type.
pub fn types(source: &mut Source) -> Result<Option<Arc<[u8]>>, Mistakes> {
    let said = |program: &NamedProgram| program.functions.len() + program.relocations.len() > 0;
    if source.types.is_empty() && !source.programs.iter().any(said) {
        return Ok(None);
    }
    let mut types = TextTypes::default();
    for line in &source.types {
        types.add(&line.text).map_err(|what| {
            let help =
                ".type ID KIND \"NAME\" SIZE, then members: .type 3 struct \"pair\" 8 \"a\" 1 0";
            source.mistake(line, what, Some(help.into()))
        })?;
    }
    let infos: Vec<_> = source.programs.iter().map(|program| info(&mut types, program)).collect();
    let btf: Arc<[u8]> = types.blob().into();
    for (program, (functions, lines)) in source.programs.iter_mut().zip(infos) {
        program.program.set_types(ObjectTypes { btf: btf.clone(), functions, lines });
    }
    Ok(Some(btf))
}

/// What the kernel is told of a program's functions and lines.
fn info(types: &mut TextTypes, named: &NamedProgram) -> (Vec<[u32; 2]>, Vec<[u32; 4]>) {
    let program = &named.program;
    let slots: Vec<_> = program.lines().map(|(slot, ..)| slot as u32).collect();
    let given = |slot: u32| {
        let mut given = named.functions.iter().filter(|(at, _)| slots.get(*at) == Some(&slot));
        given.next().map(|(_, id)| *id)
    };
    let functions: Vec<_> = program.functions().collect();
    let functions = functions.iter().map(|(slot, label)| {
        let name = if *slot == 0 { &named.line.name.text } else { label.unwrap_or("f") };
        let slot = *slot as u32;
        (BtfFunction { name, parameters: &["ctx"], slot }, given(slot))
    });
    let lines = program.known_lines().map(|(slot, _, line)| BtfLine {
        slot: slot as u32,
        file: line.file,
        line: line.line,
        column: line.column,
        text: line.text.unwrap_or_default(),
    });
    types.program(&functions.collect::<Vec<_>>(), &lines.collect::<Vec<_>>())
}

/// Gives a program the numbers of the kernel's types, where it depends on them; `own` has its own.
///
/// # Errors
/// They cannot be told, and why.
pub fn relocate(
    program: &mut Program,
    lines: &[(usize, CoreLine)],
    own: &mut Btf<'_>,
    kernel: &mut Relocator<'_>,
) -> Result<(), Error> {
    let slots: Vec<_> = program.lines().map(|(slot, ..)| slot).collect();
    let mut missing = vec![];
    // From the last, since two calls may stand for one instruction.
    for (at, CoreLine { kind, type_id, access }) in lines.iter().rev() {
        let (slot, type_id) = (slots[*at], *type_id);
        let wrong = |why: String| {
            Error::failed(format!("the instruction at {slot} depends on the kernel's types: {why}"))
        };
        let number = relocation_number(&kind.text);
        let kind = number.ok_or_else(|| wrong(format!("`{}` is no relocation", kind.text)))?;
        let relocation = Relocation { type_id, access: access.text.as_bytes(), kind };
        let resolved = kernel.relocate(Some(own), &relocation);
        let resolved = resolved.map_err(|why| kernel.broken.take().unwrap_or(wrong(why)))?;
        if resolved.value.is_none() {
            missing.insert(0, slot);
        }
        let mut bytes = encode(&program.insns()[*at..=*at], Endian::HOST);
        relocate_slot(bytes.as_chunks_mut().0, 0, Endian::HOST, resolved).map_err(wrong)?;
        let insns: Vec<Insn> = decode(&bytes, Endian::HOST).map_err(|it| wrong(it.to_string()))?;
        program.replace(*at, &insns);
    }
    program.set_missing(missing);
    Ok(())
}
