//! The errors of BTF.

use super::TypeKind;

/// Why a BTF blob, or a question to it, could not be answered.
///
/// A name that the blob does not have is not an error: the answer is then `None`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BtfError {
    /// The first two bytes are not the magic number in either byte order.
    #[error("this is not BTF: it begins with {0:02x?}, not with eb9f")]
    NoMagic(Vec<u8>),
    /// The header, or the part of it that the header claims, is not there.
    #[error("the BTF header needs {wanted} bytes, but there are {found}")]
    HeaderCutOff {
        /// Bytes needed.
        wanted: u32,
        /// Bytes in the blob.
        found: usize,
    },
    /// A version other than 1, the only one there is as of kernel 7.3.
    #[error("BTF version {0} is not supported, only version 1")]
    UnknownVersion(u8),
    /// A section reaches beyond the end of the blob.
    #[error(
        "the BTF {section} section ends {end} bytes after the header, but only {found} follow it"
    )]
    SectionCutOff {
        /// `type`, `string` or `layout`.
        section: &'static str,
        /// Where the section claims to end, in bytes after the header.
        end: u64,
        /// Bytes there are after the header.
        found: usize,
    },
    /// Strings are read up to a zero byte, so the section must begin and end with one.
    #[error("the BTF string section does not begin and end with a zero byte")]
    StringsUnterminated,
    /// A record of a kind that neither this module nor the blob's layout section describes.
    #[error("the BTF type at byte {position} of the type section has the unknown kind {kind}")]
    UnknownKind {
        /// Byte position in the type section.
        position: usize,
        /// The kind's number.
        kind: u8,
    },
    /// A record that reaches beyond the end of the type section.
    #[error("the BTF type at byte {position} of the type section is cut off")]
    TypeCutOff {
        /// Byte position in the type section.
        position: usize,
    },
    /// A name that lies outside of the string section.
    #[error("a BTF name is at byte {0}, outside the string section")]
    NameOutside(u32),
    /// A type id that the blob has no record for. Id 0 is `void`, which has none.
    #[error("BTF type {0} does not exist")]
    NoSuchType(u32),
    /// A type of a kind that has no size, such as a function or a forward declaration.
    #[error("BTF type {id} ({kind:?}) has no size")]
    NoSize {
        /// The type's id.
        id: u32,
        /// Its kind.
        kind: TypeKind,
    },
    /// A size of more than 4 GiB.
    #[error("the size of BTF type {0} does not fit in 32 bits")]
    SizeOverflow(u32),
    /// A typedef, modifier, array or nested struct that is longer than any true one.
    #[error("BTF type {0} refers to other types without end")]
    Endless(u32),
    /// The field is a bitfield, which has no byte offset.
    #[error("{0} is a bitfield: it has no byte offset")]
    Bitfield(String),
    /// A CO-RE relocation of a kind that is not resolved here.
    #[error("CO-RE relocations <{0}> are not supported")]
    Relocation(String),
    /// Several types of the kernel are what a CO-RE relocation means, and give different answers.
    #[error("the kernel has several such types, which differ: <{0}> is ambiguous")]
    Ambiguous(String),
    /// A path goes through a member that is not a struct or union, or begins at a type that isn't.
    #[error("{0} is not a struct or union: it has no members")]
    NoMembers(String),
    /// A `btf_trace_` typedef that is not a pointer to a function.
    #[error("the typedef {0} is not a pointer to a function with a context")]
    NoTraceFunction(String),
}
