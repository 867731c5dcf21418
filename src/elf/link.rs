//! Programs of an object as the kernel takes them: one after the other with the functions it calls,
//! maps by their place, and numbers in place of the CO-RE relocations.

use std::collections::{HashMap, HashSet};
use std::ffi::CString;
use std::sync::Arc;

use super::{Notes, Object, ObjectFunction, Reference, clean};
use crate::btf::{Relocation, Resolved, identifier};
use crate::insn::instruction::{Callee, Imm64};
use crate::insn::{DecodeError, Endian, Insn, ObjectLine, ObjectTypes, Program, Slot, whole};

/// The section of the kernel's configuration.
pub const CONFIG: &str = ".kconfig";

/// In all programs of an object together: the kernel takes no more of one.
const INSTRUCTIONS: usize = 1_000_000;

/// A call of a helper that no kernel has, as libbpf marks what must not be reached.
const MISSING: i32 = 0x0bad_2310;
/// The verifier's words for it, where it is reached.
pub const MISSING_CALL: &str = "invalid func unknown#195896080";

/// Why a program cannot be made of an object's functions.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Bytes that are no instruction.
    #[error("{0}: {1}")]
    Instruction(String, DecodeError),
    /// Something that only a kernel has, and why it is not known here.
    #[error("{0}: it refers to {1}, which the object does not define: {2}")]
    Extern(String, String, String),
    /// A function or map that the object does not have.
    #[error("{0}: the instruction at {1} refers to nothing in the object")]
    Nothing(String, usize),
    /// A CO-RE relocation that is not resolved, and why.
    #[error("{0}: the instruction at {1} depends on the kernel's types: {2}")]
    Relocation(String, usize, String),
    /// More than any kernel takes.
    #[error("more instructions than any kernel accepts")]
    TooLong,
}

/// What a CO-RE relocation asks for, or why it cannot be told.
pub type Relocated = Result<Resolved, String>;

/// What there is for a name that an object does not define.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Extern {
    /// A variable of the kernel's configuration: the offset in their section, which is the last map.
    Config(u32),
    /// A symbol of the kernel, by its address.
    Address(u64),
    /// A function or variable of the kernel by its BTF id.
    Typed {
        /// The id.
        id: u32,
        /// 0 for the kernel itself, else a module by its place among those of the program, from 1.
        module: u16,
        /// Whether it is a function.
        is_function: bool,
    },
    /// Nothing, which the object allows.
    Missing,
    /// Nothing, and why.
    Unknown(String),
}

impl Extern {
    /// The instruction that refers to it; `None` if it cannot. `config` is the place of the map of the
    /// configuration.
    pub fn linked(&self, insn: Insn, config: Option<usize>) -> Option<Insn> {
        Some(match (insn, self) {
            (Insn::Call(_), Extern::Typed { id, module, is_function: true }) => {
                Insn::Call(Callee::Kfunc { id: *id as i32, fd_index: *module as i16 })
            }
            (Insn::Call(_), Extern::Missing) => Insn::Call(Callee::Helper(MISSING_FUNCTION)),
            (Insn::LoadImm64 { dst, .. }, found) => {
                let value = match *found {
                    Extern::Config(offset) => {
                        Imm64::MapIndexValue { index: config? as i32, offset }
                    }
                    Extern::Address(address) => Imm64::Value(address),
                    Extern::Typed { id, module, .. } => {
                        Imm64::BtfId { id: id as i32, module_fd: module.into() }
                    }
                    Extern::Missing => Imm64::Value(0),
                    Extern::Unknown(_) => return None,
                };
                Insn::LoadImm64 { dst, value }
            }
            _ => return None,
        })
    }
}

/// A call of a helper that no kernel has, where a function is missing that may be missing.
const MISSING_FUNCTION: i32 = 2_002_000_000;

/// Puts programs together.
pub struct Linker<'o, 'a> {
    object: &'o Object<'a>,
    notes: &'o Notes<'a>,
    functions: &'o [ObjectFunction<'a>],
    by_name: HashMap<&'a str, usize>,
    /// The maps in their order, by name: those of variables have their section's.
    maps: HashMap<&'o str, usize>,
    license: Option<CString>,
    /// The object's BTF, as the kernel accepts it.
    btf: Option<Arc<[u8]>>,
    externs: HashMap<&'a str, Extern>,
    modules: Vec<String>,
    left: usize,
}

impl<'o, 'a> Linker<'o, 'a> {
    /// For these functions of an object and the maps in the order in which programs shall refer to
    /// them: those that it defines and its variables, by the names of their sections.
    pub fn new(
        object: &'o Object<'a>,
        notes: &'o Notes<'a>,
        functions: &'o [ObjectFunction<'a>],
        maps: impl Iterator<Item = &'o str>,
    ) -> Linker<'o, 'a> {
        let named = functions.iter().enumerate().map(|(index, function)| (function.name, index));
        let license = object.license().and_then(|it| CString::new(clean(it.as_bytes())).ok());
        Linker {
            object,
            notes,
            functions,
            by_name: named.collect(),
            maps: maps.enumerate().map(|(index, name)| (name, index)).collect(),
            license,
            btf: None,
            externs: HashMap::new(),
            modules: vec![],
            left: INSTRUCTIONS,
        }
    }

    /// Gives the programs this BTF, which has the ids and strings of the object's.
    pub fn with_btf(self, btf: Option<Arc<[u8]>>) -> Self {
        Linker { btf, ..self }
    }

    /// Links what the object does not define to these, of the kernel and of modules.
    pub fn with_externs(self, externs: HashMap<&'a str, Extern>, modules: Vec<String>) -> Self {
        Linker { externs, modules, ..self }
    }

    /// The functions that a function calls or refers to by address, each once, itself first.
    ///
    /// # Errors
    /// All programs together have too many instructions.
    pub fn reached(&mut self, from: usize) -> Result<Vec<usize>, LinkError> {
        let mut reached = vec![from];
        let mut is_reached = HashSet::from([from]);
        let mut next = 0;
        while let Some(&index) = reached.get(next) {
            next += 1;
            let function = &self.functions[index];
            let left = self.left.checked_sub(function.bytes.len() / 8);
            self.left = left.ok_or(LinkError::TooLong)?;
            for slot in 0..function.bytes.len() / 8 {
                if let Some(Reference::Function(name)) = self.object.reference(function, slot)
                    && let Some(&callee) = self.by_name.get(name)
                    && is_reached.insert(callee)
                {
                    reached.push(callee);
                }
            }
        }
        Ok(reached)
    }

    /// Links the program that begins with a function; `relocate` returns the numbers that depend on the
    /// kernel's types.
    ///
    /// # Errors
    /// One of its instructions is wrong, and why.
    pub fn link(
        &mut self,
        program: usize,
        relocate: &mut dyn FnMut(&Relocation<'a>) -> Relocated,
    ) -> Result<Program, LinkError> {
        let reached = self.reached(program)?;
        let mut starts = HashMap::new();
        let mut slots = 0;
        for &index in &reached {
            starts.insert(self.functions[index].name, slots);
            slots += self.functions[index].bytes.len() / 8;
        }
        let mut linked = Linked::default();
        for &index in &reached {
            let function = &self.functions[index];
            if index != program {
                linked.labels.push((linked.insns.len(), identifier(function.name)));
            }
            self.add(function, &starts, relocate, &mut linked)?;
        }
        let Linked { insns, lines, written, labels, functions, raw_lines, missing } = linked;
        // The program's own function must have a type, or none of them has.
        let types = self.btf.clone().filter(|_| functions.first().is_some_and(|[at, _]| *at == 0));
        let types = types.map(|btf| Box::new(ObjectTypes { btf, functions, lines: raw_lines }));
        let (lines, license) = (Arc::from(lines), self.license.clone());
        let program = Program::linked(insns, lines, written, labels, license, types);
        Ok(program.with_modules(self.modules.clone()).with_missing(missing))
    }

    /// Adds a function's instructions.
    fn add(
        &self,
        function: &ObjectFunction<'a>,
        starts: &HashMap<&'a str, usize>,
        relocate: &mut dyn FnMut(&Relocation<'a>) -> Relocated,
        linked: &mut Linked,
    ) -> Result<(), LinkError> {
        let name = || identifier(function.name);
        let start = starts[function.name];
        let missing = &mut linked.missing;
        let bytes = self.relocated(function, relocate, &mut |at| missing.push(start + at))?;
        linked.lines.push(ObjectLine::default());
        linked.functions.extend(self.notes.function(function).map(|id| [start as u32, id]));
        let wrong = |error| LinkError::Instruction(name(), error);
        // What is no instruction is the kernel's to refuse.
        for (slot, insn) in whole(&bytes, self.object.endian).map_err(wrong)? {
            let reference = match insn {
                Insn::Call(Callee::Helper(MISSING)) => None,
                _ => self.object.reference(function, slot),
            };
            let distance = |callee| {
                let to = starts.get(callee).ok_or(LinkError::Nothing(name(), slot))?;
                Ok(*to as i32 - (start + slot) as i32 - 1)
            };
            let map = |map| {
                let index = self.maps.get(map).ok_or(LinkError::Nothing(name(), slot))?;
                Ok(*index as i32)
            };
            let insn = match (insn, reference) {
                (insn, None) => insn,
                (insn, Some(Reference::Extern(extern_))) => {
                    let found = self.externs.get(extern_);
                    let config = self.maps.get(CONFIG).copied();
                    found.and_then(|found| found.linked(insn, config)).ok_or_else(|| {
                        let why = match found {
                            Some(Extern::Unknown(why)) => why,
                            _ => "it has no types that say what it is",
                        };
                        LinkError::Extern(name(), identifier(extern_), why.to_owned())
                    })?
                }
                (Insn::Call(_), Some(Reference::Function(callee))) => {
                    Insn::Call(Callee::Local { offset: distance(callee)? })
                }
                (Insn::LoadImm64 { dst, .. }, Some(reference)) => {
                    let value = match reference {
                        Reference::Function(callee) => Imm64::Func { offset: distance(callee)? },
                        Reference::Variable(section, offset, _) => {
                            Imm64::MapIndexValue { index: map(section)?, offset: offset as u32 }
                        }
                        Reference::Map(name) | Reference::Extern(name) => {
                            Imm64::MapIndex(map(name)?)
                        }
                    };
                    Insn::LoadImm64 { dst, value }
                }
                _ => return Err(LinkError::Nothing(name(), slot)),
            };
            if let Some(line) = self.notes.line(function, slot) {
                let [file, text, at] = line.raw;
                linked.raw_lines.push([(start + slot) as u32, file, text, at]);
                linked.lines.push(ObjectLine {
                    file: clean(line.file),
                    line: line.line,
                    column: line.column,
                    text: clean(line.text),
                });
            }
            linked.insns.push(insn);
            linked.written.push(linked.lines.len() as u32 - 1);
        }
        Ok(())
    }

    /// A function's bytes with this kernel's numbers in them. `is_missing` gets the slots that have none.
    fn relocated(
        &self,
        function: &ObjectFunction<'a>,
        relocate: &mut dyn FnMut(&Relocation<'a>) -> Relocated,
        is_missing: &mut dyn FnMut(usize),
    ) -> Result<Vec<u8>, LinkError> {
        let endian = self.object.endian;
        let mut bytes = function.bytes.to_vec();
        for at in 0..bytes.len() / 8 {
            let Some(relocation) = self.notes.relocation(function, at) else { continue };
            let wrong = |why: String| LinkError::Relocation(identifier(function.name), at, why);
            let resolved = relocate(relocation).map_err(wrong)?;
            if resolved.value.is_none() {
                is_missing(at);
            }
            let slots = bytes.as_chunks_mut::<8>().0;
            relocate_slot(slots, at, endian, resolved).map_err(wrong)?;
        }
        Ok(bytes)
    }
}

/// Puts the number of a relocation into the instruction at a slot. Where there is no number, a call takes the place
/// of the instruction that no kernel accepts.
///
/// # Errors
/// The number does not fit, and why.
pub fn relocate_slot(
    slots: &mut [[u8; 8]],
    at: usize,
    endian: Endian,
    resolved: Resolved,
) -> Result<(), String> {
    let Resolved { value, sizes: (ours, theirs), resizable } = resolved;
    let mut slot = Slot::from_bytes(slots[at], endian);
    let is_wide = slot.code == 0x18;
    let is_access = matches!(slot.code & 7, 1..=3);
    match (value.filter(|_| resizable || !is_access), slot.code & 7) {
        (Some(value), 0) if is_wide && at + 1 < slots.len() => {
            slot.imm = value as i32;
            let high = (value >> 32) as i32;
            let next = Slot { imm: high, ..Slot::from_bytes(slots[at + 1], endian) };
            slots[at + 1] = next.to_bytes(endian);
        }
        (Some(value), 1..=3) => {
            let offset = i16::try_from(value);
            slot.off =
                offset.map_err(|_| format!("the offset {value} does not fit the instruction"))?;
            if ours != theirs {
                slot.code = resized(slot.code, ours, theirs).ok_or_else(|| {
                    format!("the field has {theirs} bytes in this kernel, not {ours}")
                })?;
            }
        }
        (Some(value), 4 | 7) => slot.imm = value as i32,
        (Some(_), _) => return Err("it has no place for a number".into()),
        (None, _) => {
            slot = Slot { code: 0x85, imm: MISSING, ..Slot::default() };
            if is_wide && at + 1 < slots.len() {
                slots[at + 1] = slot.to_bytes(endian);
            }
        }
    }
    slots[at] = slot.to_bytes(endian);
    Ok(())
}

/// The load or store of a size as one of another size; `None` if it has another, or there is none of that.
fn resized(code: u8, from: u32, to: u32) -> Option<u8> {
    // BPF_W, BPF_H, BPF_B, BPF_DW.
    const SIZES: [u32; 4] = [4, 2, 1, 8];
    let size = SIZES.iter().position(|size| *size == to)? as u8;
    let now = SIZES[usize::from(code >> 3 & 3)];
    (now == from).then_some(code & !0x18 | size << 3)
}

/// A program that is being linked.
#[derive(Default)]
struct Linked {
    insns: Vec<Insn>,
    lines: Vec<ObjectLine>,
    written: Vec<u32>,
    labels: Vec<(usize, String)>,
    functions: Vec<[u32; 2]>,
    raw_lines: Vec<[u32; 4]>,
    missing: Vec<usize>,
}
