//! An object's BTF as the kernel accepts it: clang leaves out what only a linker knows.

use std::collections::{HashMap, HashSet};

use super::record::Order;
use super::write::{GLOBAL, header};
use super::{Btf, BtfError, TypeKind};
use crate::order::PutInOrder;

/// What an object's tables know of its variables and functions, by name.
#[derive(Clone, Debug, Default)]
pub struct Layout<'a> {
    /// The sizes of sections of variables, in bytes.
    pub sections: HashMap<&'a str, u32>,
    /// The offsets of global variables in their sections, in bytes.
    pub variables: HashMap<&'a str, u32>,
    /// Global functions and variables that count as static, since other objects do not see them.
    pub hidden: HashSet<&'a str>,
}

/// Of a record, the words that are changed: the header is name, info, size or type.
const INFO: usize = 1;
const SIZE: usize = 2;
const FIRST: usize = 3;
const STATIC: u32 = 0;

const fn info(kind: TypeKind, elements: u32) -> u32 {
    (kind as u32) << 24 | elements
}

/// The number of a section's variables that are looked at; true objects have fewer.
const VARIABLES: usize = 1 << 16;

/// `BTF_INT_ENC(0, 0, 8)`: a byte.
const BYTE: u32 = 8;
const SIGNED_32_BITS: u32 = 1 << 24 | 32;

/// The types of a blob as words, the first of each, and the strings.
struct Words {
    words: Vec<u32>,
    starts: Vec<(TypeKind, usize)>,
    strings: Vec<u8>,
    order: Order,
}

impl Words {
    fn new(btf: &Btf<'_>) -> Result<Words, BtfError> {
        let (mut starts, mut at) = (vec![], 0);
        while at < btf.types.len() {
            let record = btf.record(at)?;
            starts.push((record.kind(), at / 4));
            at += record.len();
        }
        let order = btf.order;
        let words = btf.types.as_chunks::<4>().0.iter().map(|word| order.u32(word)).collect();
        Ok(Words { words, starts, strings: btf.strings.own.to_vec(), order })
    }

    /// The first word of a type.
    fn start(&self, id: u32) -> Option<(TypeKind, usize)> {
        self.starts.get((id as usize).checked_sub(1)?).copied()
    }

    /// Appends a type, and returns its id.
    fn add(&mut self, name: &str, words: &[u32]) -> u32 {
        let kind = TypeKind::from_number((words[0] >> 24) as u8).unwrap_or(TypeKind::Int);
        self.starts.push((kind, self.words.len()));
        self.words.push(self.strings.len() as u32);
        self.words.extend(words);
        self.strings.extend(name.bytes());
        self.strings.push(0);
        self.starts.len() as u32
    }

    fn blob(&self) -> Vec<u8> {
        let (types, strings) = (4 * self.words.len() as u32, self.strings.len() as u32);
        let mut blob = header(self.order);
        blob.extend(self.order.bytes(&[24, 0, types, types, strings]));
        blob.extend(self.order.bytes(&self.words));
        blob.extend(&self.strings);
        blob
    }
}

impl Btf<'_> {
    /// The blob of an object with what `layout` knows: where variables are, which of the global functions
    /// and variables count as static, and variables of numbers in place of what only the kernel has.
    ///
    /// # Errors
    /// A record is malformed.
    pub fn loadable(&self, layout: &Layout<'_>) -> Result<Vec<u8>, BtfError> {
        let mut types = Words::new(self)?;
        let mut named = HashSet::new();
        for (kind, at) in types.starts.clone() {
            if !matches!(kind, TypeKind::Func | TypeKind::Datasec) {
                continue;
            }
            let name = self.strings.short(types.words[at]);
            match kind {
                TypeKind::Func if layout.hidden.contains(name) => {
                    types.words[at + INFO] = info(kind, STATIC);
                }
                TypeKind::Datasec if name == ".ksyms" => {
                    self.replace_kernels(&mut types, at, &mut named)
                }
                TypeKind::Datasec => self.place_variables(&mut types, at, name, layout),
                _ => {}
            }
        }
        Ok(types.blob())
    }

    /// Whether a section has a variable that other objects may see.
    ///
    /// # Errors
    /// A record is malformed.
    pub fn has_global_variables(&mut self, section: u32) -> Result<bool, BtfError> {
        for variable in self.by_id(section)?.variables().take(VARIABLES) {
            let variable = self.by_id(variable)?;
            if variable.linkage().is_some_and(|linkage| linkage != STATIC) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Gives a section its size, and its variables their offsets, in the order of which they must be.
    fn place_variables(&self, types: &mut Words, at: usize, section: &str, layout: &Layout<'_>) {
        let count = (types.words[at + INFO] & 0xff_ffff) as usize;
        let end = at + FIRST + 3 * count;
        let unknown = types.words[at + SIZE] == 0;
        if unknown {
            types.words[at + SIZE] = layout.sections.get(section).copied().unwrap_or(0);
        }
        for variable in (at + FIRST..end).step_by(3) {
            let Some((TypeKind::Var, var)) = types.start(types.words[variable]) else { continue };
            let name = self.strings.short(types.words[var]);
            if types.words[var + FIRST] == STATIC {
                continue;
            }
            if section == ".kconfig" {
                types.words[var + FIRST] = GLOBAL;
            }
            if layout.hidden.contains(name) {
                types.words[var + FIRST] = STATIC;
            }
            if let Some(offset) = layout.variables.get(name).filter(|_| unknown) {
                types.words[variable + 1] = *offset;
            }
        }
        let mut variables: Vec<[u32; 3]> = types.words[at + FIRST..end].as_chunks::<3>().0.to_vec();
        variables.order_by_key(|[_, offset, _]| *offset);
        types.words[at + FIRST..end].copy_from_slice(variables.as_flattened());
    }

    /// Kernel functions and variables: to the kernel, the section has numbers of 4 bytes. `named` has the
    /// prototypes whose parameters have names.
    fn replace_kernels(&self, types: &mut Words, at: usize, named: &mut HashSet<usize>) {
        let int = types.add("int", &[info(TypeKind::Int, 0), 4, SIGNED_32_BITS]);
        let dummy = types.add("dummy_ksym", &[info(TypeKind::Var, 0), int, GLOBAL]);
        let (_, dummy_at) = types.starts[dummy as usize - 1];
        let dummy_name = types.words[dummy_at];
        let count = types.words[at + INFO] & 0xff_ffff;
        for index in 0..count {
            let entry = at + FIRST + 3 * index as usize;
            match types.start(types.words[entry]) {
                Some((TypeKind::Func, function)) => {
                    types.words[function + INFO] = info(TypeKind::Func, GLOBAL);
                    types.words[entry] = dummy;
                    let prototype = types.start(types.words[function + SIZE]);
                    let Some((TypeKind::FuncProto, prototype)) = prototype else { continue };
                    if !named.insert(prototype) {
                        continue;
                    }
                    let parameters = types.words[prototype + INFO] & 0xff_ffff;
                    for parameter in 0..parameters as usize {
                        let parameter = prototype + FIRST + 2 * parameter;
                        // The last of a variable number has neither.
                        if types.words[parameter] == 0 && types.words[parameter + 1] != 0 {
                            types.words[parameter] = dummy_name;
                        }
                    }
                }
                Some((TypeKind::Var, var)) => {
                    types.words[var + SIZE] = int;
                    types.words[var + FIRST] = GLOBAL;
                }
                _ => {}
            }
            types.words[entry + 1] = 4 * index;
            types.words[entry + 2] = 4;
        }
        types.words[at + SIZE] = 4 * count;
    }
}

/// The blob with older kinds in place of those that came after Linux 5.10: what is left out says nothing
/// that such a kernel knows.
///
/// # Errors
/// A record is malformed.
pub fn for_older_kernels(blob: &[u8]) -> Result<Vec<u8>, BtfError> {
    let mut types = Words::new(&Btf::parse(blob)?)?;
    let starts = types.starts.clone();
    let number = match starts.iter().any(|(kind, _)| *kind == TypeKind::Enum64) {
        true => types.add("enum64_placeholder", &[info(TypeKind::Int, 0), 1, BYTE]),
        false => 0,
    };
    for (kind, at) in starts {
        let vlen = types.words[at + INFO] & 0xff_ffff;
        match kind {
            TypeKind::Float => {
                types.words[at] = 0;
                types.words[at + INFO] = info(TypeKind::Struct, 0);
            }
            TypeKind::TypeTag => {
                types.words[at] = 0;
                types.words[at + INFO] = info(TypeKind::Const, 0);
            }
            TypeKind::DeclTag => {
                types.words[at + INFO..=at + FIRST].copy_from_slice(&[
                    info(TypeKind::Int, 0),
                    1,
                    BYTE,
                ]);
            }
            TypeKind::Enum => types.words[at + INFO] = info(kind, vlen),
            TypeKind::Enum64 => {
                types.words[at + INFO] = info(TypeKind::Union, vlen);
                for value in 0..vlen as usize {
                    let value = at + FIRST + 3 * value;
                    types.words[value + 1..value + 3].copy_from_slice(&[number, 0]);
                }
            }
            _ => {}
        }
    }
    Ok(types.blob())
}
