//! What block requests do, in words.

use super::types::KernelTypes;
use crate::btf::{BtfError, Type, TypeKind};
use crate::error::Error;

/// The operations and flags in a request's `cmd_flags`, as this kernel numbers them: the numbers
/// differ by version.
#[derive(Debug, Default)]
pub struct Operations {
    /// The operations by their number.
    operations: Vec<(u32, String)>,
    /// The flags by their bit.
    flags: Vec<(u32, String)>,
}

/// The low bits of `cmd_flags` are the operation: `REQ_OP_BITS`.
const OPERATION_BITS: u32 = 8;

/// Short words of the kernel, and what people call it.
const WORDS: [(&str, &str); 5] = [
    ("drv", "driver"),
    ("fua", "FUA"),
    ("meta", "metadata"),
    ("prio", "priority"),
    ("rahead", "readahead"),
];

impl Operations {
    /// Those of these types; where they do not tell, numbers have to do.
    ///
    /// # Errors
    /// The kernel's types cannot be read.
    pub fn find(types: &KernelTypes) -> Result<Operations, Error> {
        let Some(mut btf) = types.btf()? else { return Ok(Operations::default()) };
        // The first was called like the second until 6.0.
        let wanted = [
            (TypeKind::Enum, "req_op"),
            (TypeKind::Enum, "req_opf"),
            (TypeKind::Enum, "req_flag_bits"),
        ];
        let read = btf.find_records(&wanted).and_then(|found| {
            let operations = names(found[0].or(found[1]), "REQ_OP_", "LAST")?;
            Ok(Operations { operations, flags: names(found[2], "__REQ_", "NR_BITS")? })
        });
        read.map_err(|error| types.error(&error))
    }

    /// The operation and its flags: `Write, Sync, FUA`.
    pub fn name(&self, cmd_flags: u32) -> String {
        let operation = cmd_flags & ((1 << OPERATION_BITS) - 1);
        let mut name = named(&self.operations, operation, "Operation");
        for bit in (OPERATION_BITS..u32::BITS).filter(|bit| cmd_flags >> bit & 1 == 1) {
            name.push_str(", ");
            name.push_str(&named(&self.flags, bit, "Flag"));
        }
        name
    }
}

fn named(names: &[(u32, String)], number: u32, what: &str) -> String {
    let found = names.iter().find(|(known, _)| *known == number);
    found.map_or_else(|| format!("{what} {number}"), |(_, name)| name.clone())
}

/// An enumeration's values that begin so, but for the one that only ends it.
fn names(
    enumeration: Option<Type>,
    prefix: &str,
    last: &str,
) -> Result<Vec<(u32, String)>, BtfError> {
    let mut names = vec![];
    for (name, value) in enumeration.iter().flat_map(Type::enumerators) {
        let name = String::from_utf8_lossy(name?);
        if let Some(name) = name.strip_prefix(prefix).filter(|name| *name != last) {
            names.push((value as u32, in_words(name)));
        }
    }
    Ok(names)
}

/// `WRITE_ZEROES` as people write it: `Write zeroes`.
fn in_words(name: &str) -> String {
    let name = name.to_lowercase();
    let words = name.split('_').map(|word| {
        let known = WORDS.iter().find(|(short, _)| *short == word);
        known.map_or(word, |(_, word)| *word)
    });
    let words = words.collect::<Vec<_>>().join(" ");
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_comes_before_its_flags_and_what_is_unknown_is_a_number() {
        let numbered = |number, name: &str| (number, in_words(name));
        let operations = Operations {
            operations: vec![numbered(1, "WRITE"), numbered(9, "WRITE_ZEROES")],
            flags: vec![numbered(11, "SYNC"), numbered(17, "FUA"), numbered(19, "RAHEAD")],
        };
        assert_eq!(operations.name(1), "Write");
        assert_eq!(operations.name(1 | 1 << 11 | 1 << 17 | 1 << 19), "Write, Sync, FUA, Readahead");
        assert_eq!(operations.name(9 | 1 << 31), "Write zeroes, Flag 31");
        assert_eq!(operations.name(34), "Operation 34");
    }
}
