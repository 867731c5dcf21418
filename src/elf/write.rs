//! Writes an object with programs and maps, as clang would: libbpf and bpftool can load it, and
//! llvm-objdump can list it.
//!
//! Functions that a program calls go into `.text` and are called by symbol, since libbpf finds them that
//! way. An array of one element whose value is only addressed becomes a variable in its own section
//! (`.data.NAME`): an object can name the value of a variable, but not that of a map. libbpf (from 0.6 on)
//! makes such an array of the variable.

use std::collections::HashSet;
use std::ops::Range;

use thiserror::Error;

use crate::btf::{BtfFunction, BtfLine, ObjectBtf, ObjectMap, ObjectSection, identifier};
use crate::insn::{Callee, Endian, Imm64, Insn, Program};

/// The content of an object.
#[derive(Clone, Copy, Debug)]
pub struct ObjectSpec<'a> {
    /// The byte order of the target machine.
    pub endian: Endian,
    /// The licence.
    pub license: &'a str,
    /// The maps, which programs refer to by their index.
    pub maps: &'a [ObjectMap<'a>],
    /// The programs.
    pub programs: &'a [ObjectProgram<'a>],
}

/// A program of an object.
#[derive(Clone, Copy, Debug)]
pub struct ObjectProgram<'a> {
    /// The section's name, from which libbpf knows its type and place: `xdp`, `kprobe/vfs_read`.
    pub section: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its instructions, with their lines if it was read from text.
    pub program: &'a Program,
}

/// Why an object cannot hold a program.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[allow(missing_docs)] // The sentence of each names its fields.
pub enum ObjectError {
    #[error("the program {0} has a field whose offset is unknown")]
    Unresolved(String),
    #[error("the program refers to map {0}, but there are fewer maps")]
    NoMap(i32),
    #[error(
        "an object cannot have the address of a value of map {0}: that needs an array of one element \
         that no instruction uses as a map"
    )]
    NoValue(String),
    #[error(
        "slot {slot} of {program} has a number that is valid only on this kernel, so it cannot go into \
         an object: {insn}"
    )]
    OfThisKernel { program: String, slot: usize, insn: String },
    #[error("the jump in slot {slot} of {program} leaves its function")]
    Leaves { program: String, slot: usize },
    #[error("slot {slot} of {program} calls the program itself")]
    CallsItself { program: String, slot: usize },
    #[error("more than {FUNCTIONS} functions")]
    TooMany,
}

/// The largest number of functions in an object. The kernel's limit is 256 for one program.
const FUNCTIONS: usize = 2000;

// Sections, symbols and relocations are described by the ELF specification and by the kernel's
// Documentation/bpf/llvm_reloc.rst.
const EM_BPF: u16 = 247;
const PROGBITS: u32 = 1;
const SYMTAB: u32 = 2;
const STRTAB: u32 = 3;
const REL: u32 = 9;
const WRITE_ALLOC: u64 = 3;
const ALLOC_EXEC: u64 = 6;
const INFO_LINK: u64 = 0x40;
const GLOBAL_OBJECT: u8 = 0x11;
const GLOBAL_FUNC: u8 = 0x12;
/// `R_BPF_64_64`: the number of a two-slot load.
const RELOCATE_LOAD: u64 = 1;
/// `R_BPF_64_32`: the distance of a call.
const RELOCATE_CALL: u64 = 10;

struct OutputSection {
    name: String,
    kind: u32,
    flags: u64,
    data: Vec<u8>,
    link: u32,
    info: u32,
    align: u64,
    entry: u64,
}

impl OutputSection {
    fn new(
        name: impl Into<String>,
        kind: u32,
        flags: u64,
        align: u64,
        data: Vec<u8>,
    ) -> OutputSection {
        let name = name.into();
        OutputSection { name, kind, flags, data, link: 0, info: 0, align, entry: 0 }
    }
}

struct OutputSymbol {
    name: String,
    info: u8,
    /// Index of its section among all.
    section: u16,
    value: u64,
    size: u64,
}

/// A function of a program, and its place in the object.
struct Placed<'a> {
    program: usize,
    slots: Range<usize>,
    name: String,
    section: &'a str,
    /// Its first slot in the section.
    at: usize,
}

const TEXT: &str = ".text";

/// Writes the object.
///
/// # Errors
/// A program has something that an object cannot have.
pub fn write(object: &ObjectSpec) -> Result<Vec<u8>, ObjectError> {
    let variables = variables(object)?;
    let placed = place(object)?;
    let lines = object.programs.iter().map(|of| of.program.lines().collect::<Vec<_>>());
    let lines: Vec<_> = lines.collect();
    let mut sections = vec![];
    let mut code = vec![];
    // Programs first, then what they call.
    let mut names: Vec<&str> = vec![];
    for name in placed.iter().map(|function| function.section) {
        if name != TEXT && !names.contains(&name) {
            names.push(name);
        }
    }
    if placed.iter().any(|function| function.section == TEXT) {
        names.push(TEXT);
    }
    // Symbols are numbered from 1: functions, then maps, then the licence.
    let map_symbol = |index: usize| (1 + placed.len() + index) as u64;
    let big = object.endian == Endian::Big;
    let word = |value: u64| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    for name in &names {
        let mut insns = vec![];
        let mut relocations = vec![];
        let mut here =
            ObjectSection { name, programs: *name != TEXT, functions: vec![], lines: vec![] };
        for function in placed.iter().filter(|function| function.section == *name) {
            let of = &object.programs[function.program];
            here.functions.push(BtfFunction {
                name: &function.name,
                parameters: &["ctx"],
                slot: function.at as u32,
            });
            let lines = &lines[function.program];
            let at = |slot| lines.partition_point(|(other, ..)| *other < slot);
            for &(slot, insn, line) in &lines[at(function.slots.start)..at(function.slots.end)] {
                let at = function.at + slot - function.slots.start;
                here.lines.push(BtfLine {
                    slot: at as u32,
                    file: line.file,
                    line: line.line,
                    column: line.column,
                    text: line.text.unwrap_or_default(),
                });
                let (insn, relocation) = relocated(of, function, &placed, slot, insn)?;
                let relocation = relocation.map(|(to, kind)| match to {
                    RelocationTarget::Map(index) => (map_symbol(index), kind),
                    RelocationTarget::Function(index) => (1 + index as u64, kind),
                });
                relocations.extend(relocation.into_iter().flat_map(|(symbol, kind)| {
                    [word(8 * at as u64), word(symbol << 32 | kind)].concat()
                }));
                insns.push(insn);
            }
        }
        let bytes = crate::insn::encode(&insns, object.endian);
        let index = sections.len() as u32 + 1;
        sections.push(OutputSection::new(*name, PROGBITS, ALLOC_EXEC, 8, bytes));
        code.push(here);
        if !relocations.is_empty() {
            let relocations =
                OutputSection::new(format!(".rel{name}"), REL, INFO_LINK, 8, relocations);
            sections.push(OutputSection { info: index, entry: 16, ..relocations });
        }
    }
    let section_of = |sections: &[OutputSection], name: &str| {
        sections.iter().position(|section| section.name == name).map_or(0, |index| index as u16 + 1)
    };
    let mut symbols: Vec<OutputSymbol> = placed
        .iter()
        .map(|function| OutputSymbol {
            name: function.name.clone(),
            info: GLOBAL_FUNC,
            section: section_of(&sections, function.section),
            value: 8 * function.at as u64,
            size: 8 * function.slots.len() as u64,
        })
        .collect();
    let names = map_names(object.maps, &placed);
    let (maps, map_symbols) = map_sections(object.maps, &names, &variables, &mut sections);
    symbols.extend(map_symbols);
    let license = [object.license.as_bytes(), b"\0"].concat();
    symbols.push(OutputSymbol {
        name: "_license".into(),
        info: GLOBAL_OBJECT,
        section: sections.len() as u16 + 1,
        value: 0,
        size: license.len() as u64,
    });
    sections.push(OutputSection::new("license", PROGBITS, WRITE_ALLOC, 1, license));
    let btf = ObjectBtf::new(big, &maps, &code);
    sections.push(OutputSection::new(".BTF", PROGBITS, 0, 4, btf.btf));
    sections.push(OutputSection::new(".BTF.ext", PROGBITS, 0, 4, btf.ext));
    Ok(file(sections, &symbols, object.endian))
}

/// Which maps become variables.
fn variables(object: &ObjectSpec) -> Result<Vec<bool>, ObjectError> {
    let (mut by_value, mut by_map) =
        (vec![false; object.maps.len()], vec![false; object.maps.len()]);
    for ObjectProgram { program, name, .. } in object.programs {
        if program.unresolved().is_some() {
            return Err(ObjectError::Unresolved((*name).to_owned()));
        }
        for insn in program.insns() {
            let (used, index) = match *insn {
                Insn::LoadImm64 { value: Imm64::MapIndex(index), .. } => (&mut by_map, index),
                Insn::LoadImm64 { value: Imm64::MapIndexValue { index, .. }, .. } => {
                    (&mut by_value, index)
                }
                _ => continue,
            };
            let place = usize::try_from(index).ok().and_then(|place| used.get_mut(place));
            *place.ok_or(ObjectError::NoMap(index))? = true;
        }
    }
    const ARRAY: u32 = 2;
    let variable = |(index, map): (usize, &ObjectMap)| {
        let is_one = (map.map_type, map.max_entries, map.key_size) == (ARRAY, 1, 4);
        match (by_value[index], is_one && !by_map[index]) {
            (true, false) => Err(ObjectError::NoValue(map.name.to_owned())),
            (by_value, _) => Ok(by_value),
        }
    };
    object.maps.iter().enumerate().map(variable).collect()
}

/// The place of each function of each program.
fn place<'a>(object: &ObjectSpec<'a>) -> Result<Vec<Placed<'a>>, ObjectError> {
    let mut placed: Vec<Placed> = vec![];
    for (index, ObjectProgram { section, name, program }) in object.programs.iter().enumerate() {
        let end = program.insns().iter().map(Insn::slots).sum();
        let starts: Vec<_> = program.functions().collect();
        for (nth, &(start, label)) in starts.iter().enumerate() {
            let end = starts.get(nth + 1).map_or(end, |(next, _)| *next);
            if placed.len() == FUNCTIONS {
                return Err(ObjectError::TooMany);
            }
            let section = if nth == 0 { section } else { TEXT };
            let mut own = match (nth, label) {
                (0, _) => identifier(name),
                (_, Some(label)) => identifier(label),
                (_, None) => identifier(&format!("{name}_{start}")),
            };
            while placed.iter().any(|other| other.name == own) {
                own.push('_');
            }
            let before = placed.iter().filter(|other| other.section == section);
            let at = before.map(|other| other.slots.len()).sum();
            placed.push(Placed { program: index, slots: start..end, name: own, section, at });
        }
    }
    Ok(placed)
}

/// The target of a relocation.
enum RelocationTarget {
    Map(usize),
    Function(usize),
}

/// An instruction as it is in the object, and the target that libbpf will put into it.
fn relocated(
    of: &ObjectProgram,
    function: &Placed,
    placed: &[Placed],
    slot: usize,
    insn: &Insn,
) -> Result<(Insn, Option<(RelocationTarget, u64)>), ObjectError> {
    let program = || of.name.to_owned();
    let to_function = |offset: i32| {
        let target = slot as i64 + 1 + i64::from(offset);
        let target = usize::try_from(target).ok().filter(|target| *target > 0);
        let found = placed.iter().position(|other| {
            other.program == function.program && Some(other.slots.start) == target
        });
        found.ok_or_else(|| ObjectError::CallsItself { program: program(), slot })
    };
    let number = |dst, value: u32| Insn::LoadImm64 { dst, value: Imm64::Value(value.into()) };
    Ok(match *insn {
        Insn::LoadImm64 { dst, value } => match value {
            Imm64::Value(_) => (*insn, None),
            Imm64::MapIndex(index) => {
                (number(dst, 0), Some((RelocationTarget::Map(index as usize), RELOCATE_LOAD)))
            }
            Imm64::MapIndexValue { index, offset } => {
                (number(dst, offset), Some((RelocationTarget::Map(index as usize), RELOCATE_LOAD)))
            }
            Imm64::Func { offset } => (
                number(dst, 0),
                Some((RelocationTarget::Function(to_function(offset)?), RELOCATE_LOAD)),
            ),
            Imm64::MapFd(_) | Imm64::MapFdValue { .. } | Imm64::BtfId { .. } => {
                let insn = insn.to_string();
                return Err(ObjectError::OfThisKernel { program: program(), slot, insn });
            }
        },
        Insn::Call(Callee::Local { offset }) => {
            let to = RelocationTarget::Function(to_function(offset)?);
            (Insn::Call(Callee::Local { offset: -1 }), Some((to, RELOCATE_CALL)))
        }
        Insn::Call(Callee::Kfunc { .. }) => {
            let insn = insn.to_string();
            return Err(ObjectError::OfThisKernel { program: program(), slot, insn });
        }
        Insn::Goto { offset } | Insn::MayGoto { offset } | Insn::JumpIf { offset, .. } => {
            stays(function, slot, offset.into(), program)?;
            (*insn, None)
        }
        Insn::Gotol { offset } => {
            stays(function, slot, offset, program)?;
            (*insn, None)
        }
        _ => (*insn, None),
    })
}

/// Checks that a jump stays in its function.
fn stays(
    function: &Placed,
    slot: usize,
    offset: i32,
    program: impl Fn() -> String,
) -> Result<(), ObjectError> {
    let target = usize::try_from(slot as i64 + 1 + i64::from(offset));
    match target.is_ok_and(|target| function.slots.contains(&target)) {
        true => Ok(()),
        false => Err(ObjectError::Leaves { program: program(), slot }),
    }
}

/// The name of each map's symbol, and of its type: an identifier that nothing else has.
fn map_names(all: &[ObjectMap], functions: &[Placed]) -> Vec<String> {
    let mut taken: HashSet<String> = functions.iter().map(|it| it.name.clone()).collect();
    let name = |map: &ObjectMap| {
        // A variable that was read from an object has its section's name.
        let mut name = identifier(map.name.strip_prefix(".data.").unwrap_or(map.name));
        while !taken.insert(name.clone()) {
            name.push('_');
        }
        name
    };
    all.iter().map(name).collect()
}

/// The sections of maps and variables, those of `.maps`, and the symbol of each.
fn map_sections<'a>(
    all: &[ObjectMap<'a>],
    names: &'a [String],
    variables: &[bool],
    sections: &mut Vec<OutputSection>,
) -> (Vec<ObjectMap<'a>>, Vec<OutputSymbol>) {
    let of_maps = sections.len() as u16 + 1;
    let (mut maps, mut own) = (vec![], vec![]);
    let mut symbols = vec![];
    let mut offset = 0;
    let has_maps = variables.contains(&false);
    for ((map, name), variable) in all.iter().zip(names).zip(variables) {
        let symbol = name.clone();
        if *variable {
            let zeros = vec![0; map.value_size as usize];
            own.push(OutputSection::new(format!(".data.{name}"), PROGBITS, WRITE_ALLOC, 8, zeros));
            let section = of_maps + u16::from(has_maps) + own.len() as u16 - 1;
            let size = map.value_size.into();
            symbols.push(OutputSymbol {
                name: symbol,
                info: GLOBAL_OBJECT,
                section,
                value: 0,
                size,
            });
        } else {
            maps.push(ObjectMap { name, ..*map });
            let size = map.size().into();
            let info = GLOBAL_OBJECT;
            symbols.push(OutputSymbol {
                name: symbol,
                info,
                section: of_maps,
                value: offset,
                size,
            });
            offset += size;
        }
    }
    if has_maps {
        let zeros = vec![0; offset as usize];
        sections.push(OutputSection::new(".maps", PROGBITS, WRITE_ALLOC, 8, zeros));
    }
    sections.extend(own);
    (maps, symbols)
}

/// Numbers in the byte order of the file.
struct ByteWriter {
    bytes: Vec<u8>,
    endian: Endian,
}

impl ByteWriter {
    /// The number's low `size` bytes.
    fn put(&mut self, value: u64, size: usize) {
        match self.endian {
            Endian::Little => self.bytes.extend(&value.to_le_bytes()[..size]),
            Endian::Big => self.bytes.extend(&value.to_be_bytes()[8 - size..]),
        }
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
    }
}

/// Where the header says where the section headers are.
const HEADERS: Range<usize> = 40..48;

/// The file: header, sections, section headers.
fn file(mut sections: Vec<OutputSection>, symbols: &[OutputSymbol], endian: Endian) -> Vec<u8> {
    let mut names = vec![0];
    let mut name = |text: &str| {
        let at = names.len() as u64;
        names.extend(text.as_bytes());
        names.push(0);
        at
    };
    let mut table = ByteWriter { bytes: vec![0; 24], endian };
    for symbol in symbols {
        table.put(name(&symbol.name), 4);
        table.put(symbol.info.into(), 1);
        table.put(0, 1);
        table.put(symbol.section.into(), 2);
        table.put(symbol.value, 8);
        table.put(symbol.size, 8);
    }
    let symtab = sections.len() as u32 + 1;
    for section in &mut sections {
        if section.kind == REL {
            section.link = symtab;
        }
    }
    // All symbols but the empty one are global.
    let table = OutputSection::new(".symtab", SYMTAB, 0, 8, table.bytes);
    sections.push(OutputSection { link: symtab + 1, info: 1, entry: 24, ..table });
    let section_names: Vec<u64> = sections.iter().map(|section| name(&section.name)).collect();
    let strtab_name = name(".strtab");
    sections.push(OutputSection::new(".strtab", STRTAB, 0, 1, names));

    let data = if endian == Endian::Little { 1 } else { 2 };
    let mut out = ByteWriter { bytes: b"\x7fELF\x02".to_vec(), endian };
    out.bytes.extend([data, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    out.put(1, 2); // Relocatable.
    out.put(EM_BPF.into(), 2);
    out.put(1, 4);
    // No entry, no segments, and where the section headers are, told below.
    out.bytes.extend([0; 24]);
    out.put(0, 4);
    // Sizes and counts: of this header, of segments, of section headers.
    for value in [64, 0, 0, 64, sections.len() as u64 + 1, sections.len() as u64] {
        out.put(value, 2);
    }
    let mut offsets = vec![];
    for section in &sections {
        out.align();
        offsets.push(out.bytes.len());
        out.bytes.extend(&section.data);
    }
    out.align();
    let headers = out.bytes.len() as u64;
    out.bytes.extend([0; 64]);
    let section_names = section_names.into_iter().chain([strtab_name]);
    for ((section, name), offset) in sections.iter().zip(section_names).zip(offsets) {
        out.put(name, 4);
        out.put(section.kind.into(), 4);
        out.put(section.flags, 8);
        out.put(0, 8);
        out.put(offset as u64, 8);
        out.put(section.data.len() as u64, 8);
        out.put(section.link.into(), 4);
        out.put(section.info.into(), 4);
        out.put(section.align, 8);
        out.put(section.entry, 8);
    }
    let mut at = ByteWriter { bytes: vec![], endian };
    at.put(headers, 8);
    out.bytes[HEADERS].copy_from_slice(&at.bytes);
    out.bytes
}
