//! The signatures of functions, and the types that are numbers.

use super::field::DEPTH;
use super::{Btf, BtfError, Type, TypeKind};

/// The largest number of arguments; no function has as many.
const PARAMETERS: usize = 64;

/// The largest number of members whose names are listed; the largest struct of a kernel has some hundreds.
const NAMES: u32 = 1 << 12;

/// A function's parameters and result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The parameters, in order.
    pub parameters: Vec<Parameter>,
    /// The id of the result's type; 0 for none.
    pub returns: u32,
}

/// A parameter of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name; empty if BTF does not have it, as for a tracepoint.
    pub name: String,
    /// The id of its type as declared: perhaps a typedef.
    pub type_id: u32,
    /// The number of words that it has in registers or a context: more than one if it is a big struct.
    pub words: u32,
}

/// The representation of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    /// Bytes: 1, 2, 4 or 8.
    pub size: u32,
    /// Whether it can be below 0.
    pub signed: bool,
    /// Whether it is an address.
    pub pointer: bool,
}

impl<'a> Btf<'a> {
    /// The signature that a function's record, or a typedef of a pointer to a function, leads to;
    /// `None` for other types.
    ///
    /// # Errors
    /// A record on the way is malformed.
    pub fn signature(&mut self, function: &Type<'a>) -> Result<Option<Signature>, BtfError> {
        let mut proto = *function;
        for _ in 0..2 {
            if proto.kind() != TypeKind::FuncProto {
                proto = self.by_id(proto.size_or_type())?;
            }
        }
        if proto.kind() != TypeKind::FuncProto {
            return Ok(None);
        }
        let parameters = proto.parameters().take(PARAMETERS).map(|(name, type_id)| {
            // A parameter without a size is the rest of a variable number of arguments.
            let words = self.size_of(type_id).map_or(1, |size| size.div_ceil(8).max(1));
            Ok(Parameter { name: String::from_utf8_lossy(name?).into_owned(), type_id, words })
        });
        let parameters = parameters.collect::<Result<_, BtfError>>()?;
        Ok(Some(Signature { parameters, returns: proto.size_or_type() }))
    }

    /// The representation of a number of this type; `None` if it is not a number, an enum or a pointer.
    ///
    /// # Errors
    /// A record on the way is malformed.
    pub fn number(&mut self, type_id: u32) -> Result<Option<Number>, BtfError> {
        if type_id == 0 {
            return Ok(None);
        }
        let (id, record) = self.behind_modifiers(type_id)?;
        let pointer = record.kind() == TypeKind::Ptr;
        let number =
            pointer || matches!(record.kind(), TypeKind::Int | TypeKind::Enum | TypeKind::Enum64);
        let size = if number { self.size_of(id)? } else { 0 };
        let stored = matches!(size, 1 | 2 | 4 | 8) && !record.is_partial_int();
        Ok(stored.then(|| Number { size, signed: record.is_signed(), pointer }))
    }

    /// The struct or union that a pointer points to; `None` if the type is not such a pointer.
    ///
    /// # Errors
    /// A record on the way is malformed.
    pub fn pointee(&mut self, type_id: u32) -> Result<Option<Type<'a>>, BtfError> {
        if type_id == 0 {
            return Ok(None);
        }
        let (_, pointer) = self.behind_modifiers(type_id)?;
        match pointer.kind() {
            TypeKind::Ptr => self.record_of(pointer.size_or_type()),
            _ => Ok(None),
        }
    }

    /// The struct or union that a type is; `None` if it is neither.
    ///
    /// # Errors
    /// A record on the way is malformed.
    pub fn record_of(&mut self, type_id: u32) -> Result<Option<Type<'a>>, BtfError> {
        if self.is_void(type_id)? {
            return Ok(None);
        }
        let (_, record) = self.behind_modifiers(type_id)?;
        Ok(Some(record).filter(|record| record.kind().has_members()))
    }

    /// The names by which the members of a struct or union are found, including those inside anonymous
    /// structs and unions.
    ///
    /// # Errors
    /// A record on the way is malformed, or there are too many.
    pub fn member_names(&mut self, record: &Type<'a>) -> Result<Vec<&'a [u8]>, BtfError> {
        let mut names = vec![];
        self.add_member_names(record, &mut names, &mut { NAMES }, 0)?;
        Ok(names)
    }

    fn add_member_names(
        &mut self,
        record: &Type<'a>,
        names: &mut Vec<&'a [u8]>,
        budget: &mut u32,
        depth: u32,
    ) -> Result<(), BtfError> {
        for member in record.members() {
            let endless = BtfError::Endless(member.type_id);
            *budget = budget.checked_sub(1).ok_or(endless.clone())?;
            let name = member.name()?;
            if !name.is_empty() {
                names.push(name);
            } else if let Some(inner) = self.record_of(member.type_id)? {
                if depth == DEPTH {
                    return Err(endless);
                }
                self.add_member_names(&inner, names, budget, depth + 1)?;
            }
        }
        Ok(())
    }
}
