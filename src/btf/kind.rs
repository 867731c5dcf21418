//! The kinds of types.

/// The kind of a BTF type (`BTF_KIND_*` in `include/uapi/linux/btf.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)] // The names are C's.
pub enum TypeKind {
    Int = 1,
    Ptr,
    Array,
    Struct,
    Union,
    Enum,
    /// A forward declaration: a struct or union that is named and not described.
    Fwd,
    Typedef,
    Volatile,
    Const,
    Restrict,
    Func,
    FuncProto,
    /// A global variable (kernel 5.2).
    Var,
    /// The variables of one ELF section (kernel 5.2).
    Datasec,
    /// A floating-point number (kernel 5.13).
    Float,
    /// An attribute of a declaration (kernel 5.16).
    DeclTag,
    /// An attribute of a type (kernel 5.17).
    TypeTag,
    /// An enumeration of 64-bit values (kernel 6.0).
    Enum64,
}

impl TypeKind {
    /// The kinds by number, from 1.
    pub(super) const ALL: [TypeKind; 19] = {
        use TypeKind::*;
        [
            Int, Ptr, Array, Struct, Union, Enum, Fwd, Typedef, Volatile, Const, Restrict, Func,
            FuncProto, Var, Datasec, Float, DeclTag, TypeTag, Enum64,
        ]
    };

    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// The number of bytes after the header: a fixed number, and a number for each of `vlen` elements.
    pub(super) const fn tail(self) -> (u8, u8) {
        match self {
            Self::Int | Self::Var | Self::DeclTag => (4, 0),
            Self::Array => (12, 0),
            Self::Struct | Self::Union | Self::Datasec | Self::Enum64 => (0, 12),
            Self::Enum | Self::FuncProto => (0, 8),
            _ => (0, 0),
        }
    }

    /// Whether the type only adds something to another one: its size and members are that one's.
    pub(super) fn is_modifier(self) -> bool {
        use TypeKind::*;
        matches!(self, Typedef | Volatile | Const | Restrict | TypeTag)
    }

    pub(super) fn has_members(self) -> bool {
        matches!(self, Self::Struct | Self::Union)
    }
}
