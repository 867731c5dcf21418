//! `.BTF.ext`: the source lines of instructions, and the CO-RE relocations.

use super::record::Order;
use super::{Btf, BtfError};

/// The largest number of sections of instructions; no true object has as many.
const GROUPS: u32 = 4096;

/// Where records are: those of one section of instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtRecord<'a, T> {
    /// The section.
    pub section: &'a [u8],
    /// The instruction, in bytes from the beginning of the section.
    pub offset: u32,
    /// The record about the instruction.
    pub what: T,
}

/// A line of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtLine<'a> {
    /// The file.
    pub file: &'a [u8],
    /// The line as it is written.
    pub text: &'a [u8],
    /// Its number from 1.
    pub line: u32,
    /// The column from 1.
    pub column: u32,
    /// File, text and place, as the section has them.
    pub raw: [u32; 3],
}

/// A CO-RE relocation: a number in the instruction that depends on the running kernel's types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relocation<'a> {
    /// The type that the object was made with.
    pub type_id: u32,
    /// The path to the field from there, as in `0:1:2`.
    pub access: &'a [u8],
    /// `enum bpf_core_relo_kind`.
    pub kind: u32,
}

/// The content of a `.BTF.ext` section, whose strings are those of the object's BTF.
#[derive(Debug, Clone, Copy)]
pub struct Ext<'a> {
    order: Order,
    functions: &'a [u8],
    lines: &'a [u8],
    relocations: &'a [u8],
}

impl<'a> Ext<'a> {
    /// Checks the header.
    ///
    /// # Errors
    /// The header is wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Ext<'a>, BtfError> {
        let order = Order::of(bytes)?;
        let cut_off = |wanted| BtfError::HeaderCutOff { wanted, found: bytes.len() };
        let word = |at: usize| bytes.get(at..at + 4).map(|word| order.u32(word));
        let header_len = word(4).ok_or(cut_off(24))?;
        let body = bytes.get(header_len as usize..).filter(|_| header_len >= 24);
        let body = body.ok_or(cut_off(header_len.max(24)))?;
        let part = |at: usize| {
            if header_len as usize <= at {
                return Ok(&[][..]); // Headers before CO-RE end here.
            }
            let (start, len) = (word(at).unwrap_or(0), word(at + 4).unwrap_or(0));
            let end = u64::from(start) + u64::from(len);
            body.get(start as usize..end as usize).ok_or(BtfError::SectionCutOff {
                section: "ext",
                end,
                found: body.len(),
            })
        };
        Ok(Ext { order, functions: part(8)?, lines: part(16)?, relocations: part(24)? })
    }

    /// The source lines, in the order of the section.
    ///
    /// # Errors
    /// A record is cut off, or refers to a string that is not there.
    pub fn lines(&self, btf: &Btf<'a>) -> Result<Vec<ExtRecord<'a, ExtLine<'a>>>, BtfError> {
        self.records(btf, self.lines, |[_, raw @ ..]: [u32; 4]| {
            let [file, text, at] = raw;
            let (file, text) = (btf.string(file)?, btf.string(text)?);
            Ok(ExtLine { file, text, line: at >> 10, column: at & 0x3ff, raw })
        })
    }

    /// The types of functions, in the order of the section: ids of the object's BTF.
    ///
    /// # Errors
    /// A record is cut off.
    pub fn functions(&self, btf: &Btf<'a>) -> Result<Vec<ExtRecord<'a, u32>>, BtfError> {
        self.records(btf, self.functions, |[_, id]| Ok(id))
    }

    /// The CO-RE relocations, in the order of the section.
    ///
    /// # Errors
    /// A record is cut off, or refers to a string that is not there.
    pub fn relocations(
        &self,
        btf: &Btf<'a>,
    ) -> Result<Vec<ExtRecord<'a, Relocation<'a>>>, BtfError> {
        self.records(btf, self.relocations, |[_, type_id, access, kind]| {
            Ok(Relocation { type_id, access: btf.string(access)?, kind })
        })
    }

    /// All records of a part. It has the size of a record, and then for each section of instructions its
    /// name, the number of its records, and the records.
    fn records<T, const WORDS: usize>(
        &self,
        btf: &Btf<'a>,
        part: &[u8],
        read: impl Fn([u32; WORDS]) -> Result<T, BtfError>,
    ) -> Result<Vec<ExtRecord<'a, T>>, BtfError> {
        let cut_off = |rest: &[u8]| BtfError::TypeCutOff { position: part.len() - rest.len() };
        let mut records = vec![];
        let Some((size, mut rest)) = part.split_at_checked(4) else {
            return Ok(records);
        };
        let size = self.order.u32(size) as usize;
        let mut groups = 0;
        while let Some((head, tail)) = rest.split_at_checked(8) {
            groups += 1;
            if groups > GROUPS {
                return Err(cut_off(rest));
            }
            let section = btf.string(self.order.u32(head))?;
            let count = u64::from(self.order.u32(&head[4..]));
            let length = usize::try_from(count * size as u64).unwrap_or(usize::MAX);
            if size < 4 * WORDS || length > tail.len() {
                return Err(cut_off(rest));
            }
            let (all, others) = tail.split_at(length);
            for record in all.chunks_exact(size) {
                let words = std::array::from_fn(|word| self.order.u32(&record[4 * word..]));
                records.push(ExtRecord { section, offset: words[0], what: read(words)? });
            }
            rest = others;
        }
        Ok(records)
    }
}
