//! The types that are strings or names: characters, and enumerations.

use super::{Btf, BtfError, Type, TypeKind};
use crate::order::PutInOrder;

/// The largest number of names of an enumeration that are read; the largest of a kernel has some hundreds.
const NAMES: usize = 1 << 12;

/// A type that holds or leads to bytes which may be a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Characters {
    /// An array of this many bytes, 0 if it is open; and whether they are declared as `char`.
    Array(u32, bool),
    /// A pointer to bytes, or to anything (`void *`).
    Pointer,
}

impl<'a> Btf<'a> {
    /// Whether a type is an array of bytes or a pointer to bytes; `None` if it is neither.
    ///
    /// # Errors
    /// A record on the way is malformed.
    pub fn characters(&mut self, type_id: u32) -> Result<Option<Characters>, BtfError> {
        if type_id == 0 {
            return Ok(None);
        }
        let (_, record) = self.behind_modifiers(type_id)?;
        if let Some((element, count)) = record.array() {
            let byte = self.byte(element)?;
            return Ok(byte.map(|char| Characters::Array(count, char)));
        }
        if record.kind() != TypeKind::Ptr {
            return Ok(None);
        }
        let bytes =
            self.is_void(record.size_or_type())? || self.byte(record.size_or_type())?.is_some();
        Ok(bytes.then_some(Characters::Pointer))
    }

    /// For an integer of one byte, whether it is called `char`.
    fn byte(&mut self, type_id: u32) -> Result<Option<bool>, BtfError> {
        if self.is_void(type_id)? {
            return Ok(None);
        }
        let (_, record) = self.behind_modifiers(type_id)?;
        match record.kind() {
            TypeKind::Int if record.size_or_type() == 1 => Ok(Some(record.name()? == b"char")),
            _ => Ok(None),
        }
    }

    /// Whether a type is `void`, perhaps a constant one.
    ///
    /// # Errors
    /// A record is malformed.
    pub fn is_void(&mut self, mut type_id: u32) -> Result<bool, BtfError> {
        for _ in 0..super::field::DEPTH {
            if type_id == 0 {
                return Ok(true);
            }
            let record = self.by_id(type_id)?;
            if !record.kind().is_modifier() {
                return Ok(false);
            }
            type_id = record.size_or_type();
        }
        Err(BtfError::Endless(type_id))
    }

    /// The names of an enumeration, each with its value as 64 bits; none for other types. Of several names of
    /// a value the first is there.
    ///
    /// # Errors
    /// A record on the way is malformed.
    pub fn names_of_values(&mut self, type_id: u32) -> Result<Vec<(u64, String)>, BtfError> {
        if type_id == 0 {
            return Ok(vec![]);
        }
        let (_, record): (_, Type<'a>) = self.behind_modifiers(type_id)?;
        let names = record.enumerators().take(NAMES);
        let names = names.map(|(name, value)| Ok((value, String::from_utf8_lossy(name?).into())));
        let mut names = names.collect::<Result<Vec<_>, BtfError>>()?;
        names.order_by_key(|(value, _)| *value);
        names.dedup_by_key(|(value, _)| *value);
        Ok(names)
    }
}
