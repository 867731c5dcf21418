//! Writes BTF for our own programs, so that the kernel's log shows their source lines.

use crate::order::PutInOrder;
use std::collections::HashMap;

use super::record::Order;

/// A program's main function or one of its subprograms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BtfFunction<'a> {
    /// Its name. The kernel accepts only C identifiers: any other character becomes `_`, and a name longer than
    /// 127 is cut.
    pub name: &'a str,
    /// The names of its parameters, which are all shown as `void *`; for a main function `ctx`.
    pub parameters: &'a [&'a str],
    /// The slot of its first instruction.
    pub slot: u32,
}

/// The source line of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BtfLine<'a> {
    /// The instruction's slot; a 64-bit load counts by its first.
    pub slot: u32,
    /// The source file, as it will be shown.
    pub file: &'a str,
    /// The line's number from 1. The kernel has 22 bits for it: a greater number becomes 4194303.
    pub line: u32,
    /// The column from 1. The kernel has 10 bits for it: a greater number becomes 1023.
    pub column: u32,
    /// The line's text, as it will be shown.
    pub text: &'a str,
}

/// BTF and its companions for one program, in host byte order, as `BPF_BTF_LOAD` (kernel 4.18) and
/// `BPF_PROG_LOAD` (func_info 4.20, line_info 5.0) accept them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramBtf {
    /// The blob for `BPF_BTF_LOAD`.
    pub btf: Vec<u8>,
    /// `struct bpf_func_info` for each function.
    pub func_info: Vec<u8>,
    /// `struct bpf_line_info` for each stretch of instructions from one source line; empty when no
    /// line is known.
    pub line_info: Vec<u8>,
}

impl ProgramBtf {
    /// Bytes of one record of `func_info`: `func_info_rec_size`.
    pub const FUNC_INFO_SIZE: u32 = 8;
    /// Bytes of one record of `line_info`: `line_info_rec_size`.
    pub const LINE_INFO_SIZE: u32 = 16;

    /// Describes a program by its functions and by the source line of its instructions.
    ///
    /// Functions and lines may come in any order; if several have the same slot, the first counts. The rules of
    /// the kernel's `check_btf_func` and `check_btf_line` are always kept: offsets strictly rise, the first is
    /// 0, and each function begins with a record of both. So the first line is extended to slot 0, and a line
    /// that continues in the next function is repeated there.
    pub fn new(functions: &[BtfFunction], lines: &[BtfLine]) -> Self {
        let mut functions = functions.to_vec();
        functions.order_by_key(|function| function.slot);
        functions.dedup_by_key(|function| function.slot);
        if let Some(main) = functions.first_mut() {
            main.slot = 0;
        }

        let mut types = Types::default();
        let ids = types.functions(&functions, STATIC);
        let func_info: Vec<u32> =
            functions.iter().zip(ids).flat_map(|(function, id)| [function.slot, id]).collect();
        let mut line_info = vec![];
        for line in stretches(&functions, lines) {
            line_info.extend(types.line(&line));
        }
        Self {
            btf: types.blob(Order::HOST),
            func_info: Order::HOST.bytes(&func_info),
            line_info: Order::HOST.bytes(&line_info),
        }
    }
}

/// The types that are written, one after the other, and their names.
#[derive(Default)]
pub(super) struct Types {
    words: Vec<u32>,
    pub count: u32,
    pub strings: StringSection,
}

impl Types {
    /// A type; its words without the name.
    pub fn add(&mut self, name: &str, words: &[u32]) -> u32 {
        let name = self.strings.add(name);
        self.words.push(name);
        self.words.extend(words);
        self.count += 1;
        self.count
    }

    /// `int`
    pub fn int(&mut self) -> u32 {
        self.add("int", &[INT_KIND, 4, SIGNED_32_BITS])
    }

    /// The functions, whose parameters are all `void *`; their ids.
    pub fn functions(&mut self, functions: &[BtfFunction], linkage: u32) -> Vec<u32> {
        let int = self.int();
        let pointer = self.add("", &[PTR_KIND, 0]);
        let ids = functions.iter().map(|function| {
            let mut words = vec![FUNC_PROTO_KIND | function.parameters.len() as u32, int];
            for parameter in function.parameters {
                words.extend([self.strings.add(&identifier(parameter)), pointer]);
            }
            let proto = self.add("", &words);
            self.add(&identifier(function.name), &[FUNC_KIND | linkage, proto])
        });
        ids.collect()
    }

    /// A `struct bpf_line_info`.
    pub fn line(&mut self, line: &BtfLine) -> [u32; 4] {
        let file = self.strings.add(up_to_nul(line.file));
        let text = self.strings.add(up_to_nul(line.text));
        [line.slot, file, text, line.line.min(0x3f_ffff) << 10 | line.column.min(0x3ff)]
    }

    /// The whole blob for `BPF_BTF_LOAD` or for a section.
    pub fn blob(&self, order: Order) -> Vec<u8> {
        let (types_len, strings) = (4 * self.words.len() as u32, &self.strings.bytes);
        let mut blob = header(order);
        blob.extend(order.bytes(&[24, 0, types_len, types_len, strings.len() as u32]));
        blob.extend(order.bytes(&self.words));
        blob.extend(strings);
        blob
    }
}

/// Types for a map's keys and values of these sizes, with a `struct bpf_spin_lock` at `offset` of a
/// value: the blob for `BPF_BTF_LOAD`, the ids of key and value.
pub fn locked(key_size: u32, value_size: u32, offset: u32) -> (Vec<u8>, u32, u32) {
    special(key_size, value_size, &[("bpf_spin_lock", 4, offset)])
}

/// The same with these structs in a value, which the kernel knows by their names: each with its size and its
/// offset, in the order of the offsets.
pub fn special(key_size: u32, value_size: u32, fields: &[(&str, u32, u32)]) -> (Vec<u8>, u32, u32) {
    let mut types = Types::default();
    let int = types.int();
    let mut members = vec![];
    for (index, (name, size, offset)) in fields.iter().enumerate() {
        let of = types.add(name, &[STRUCT_KIND, *size]);
        let name = types.strings.add(&format!("field{index}"));
        members.extend([name, of, offset.saturating_mul(8)]);
    }
    let kind = STRUCT_KIND | fields.len() as u32;
    let value = types.add("value", &[&[kind, value_size], &members[..]].concat());
    // An array's key must be a number.
    let key = if key_size == 4 { int } else { types.add("key", &[STRUCT_KIND, key_size]) };
    (types.blob(Order::HOST), key, value)
}

/// The beginning of BTF and its companion: magic, version, flags.
pub(super) fn header(order: Order) -> Vec<u8> {
    let magic = 0xeb9f_u16;
    let magic = if order == Order::Little { magic.to_le_bytes() } else { magic.to_be_bytes() };
    [&magic[..], &[1, 0]].concat()
}

/// `info` words: kind << 24 | vlen. A function's vlen is its linkage, 0 for static.
const INT_KIND: u32 = 1 << 24;
pub(super) const PTR_KIND: u32 = 2 << 24;
const STRUCT_KIND: u32 = 4 << 24;
const FUNC_KIND: u32 = 12 << 24;
/// The linkages of a function: known only in its program, or global.
pub(super) const STATIC: u32 = 0;
pub(super) const GLOBAL: u32 = 1;
const FUNC_PROTO_KIND: u32 = 13 << 24;
/// The word after an int: BTF_INT_SIGNED and the number of bits.
const SIGNED_32_BITS: u32 = 1 << 24 | 32;

/// The lines at whose slots a record is due: where the source line changes or a function begins.
pub(super) fn stretches<'a>(functions: &[BtfFunction], lines: &[BtfLine<'a>]) -> Vec<BtfLine<'a>> {
    let mut lines = lines.to_vec();
    lines.order_by_key(|line| line.slot);
    lines.dedup_by_key(|line| line.slot);
    let Some(first) = lines.first_mut() else {
        return lines;
    };
    first.slot = 0;

    for function in functions {
        if let Err(after) = lines.binary_search_by_key(&function.slot, |line| line.slot) {
            let in_force = lines[after - 1]; // There is one: the first is at slot 0.
            lines.insert(after, BtfLine { slot: function.slot, ..in_force });
        }
    }
    let begins_function =
        |slot: u32| functions.binary_search_by_key(&slot, |function| function.slot).is_ok();
    lines.dedup_by(|next, last| {
        (next.file, next.line) == (last.file, last.line) && !begins_function(next.slot)
    });
    lines
}

/// The name as an identifier that C and the kernel's `btf_name_valid_identifier` accept.
pub fn identifier(name: &str) -> String {
    let digit = name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty();
    let replaced = name.chars().map(|c| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => c,
        _ => '_',
    });
    // KSYM_NAME_LEN was 128 with the zero byte until kernel 6.1.
    digit.then_some('_').into_iter().chain(replaced).take(127).collect()
}

/// A string of the section ends at its first zero byte.
fn up_to_nul(text: &str) -> &str {
    text.split('\0').next().unwrap_or_default()
}

/// Strings, each written once and ended by a zero byte; the empty one is at 0.
pub(super) struct StringSection {
    bytes: Vec<u8>,
    offsets: HashMap<String, u32>,
}

impl Default for StringSection {
    fn default() -> Self {
        Self { bytes: vec![0], offsets: HashMap::from([(String::new(), 0)]) }
    }
}

impl StringSection {
    /// The string's offset.
    pub fn add(&mut self, text: &str) -> u32 {
        if let Some(offset) = self.offsets.get(text) {
            return *offset;
        }
        let offset = self.bytes.len() as u32;
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
        self.offsets.insert(text.to_owned(), offset);
        offset
    }
}
