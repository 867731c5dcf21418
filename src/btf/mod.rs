//! BTF, the kernel's type information: reads the types of a kernel, and writes types for our own programs.
//!
//! Pure: bytes in, answers out. The format is the kernel's `Documentation/bpf/btf.rst` and
//! `include/uapi/linux/btf.h`.
//!
//! A kernel describes 120,000 types in 5 MB, of which a program needs a handful. So only what is needed is
//! parsed: [`Btf::parse`] reads only the header, and each question walks over as few records as possible. A
//! blob may be hostile: whatever its bytes are, the answer is a value or a [`BtfError`], in bounded time and
//! memory.
//!
//! ```no_run
//! use rawbpf::btf::Btf;
//! let blob = std::fs::read("/sys/kernel/btf/vmlinux").unwrap();
//! let mut btf = Btf::parse(&blob)?;
//! if let Some(field) = btf.field("request", "__data_len")? {
//!     println!("{} bytes at offset {}", field.size, field.offset);
//! }
//! # Ok::<(), rawbpf::btf::BtfError>(())
//! ```

mod compatible;
mod error;
mod ext;
mod externs;
mod field;
mod kind;
mod loadable;
mod needed;
mod object;
mod read;
mod record;
mod relocation;
mod resolve;
mod signature;
mod sorted;
#[cfg(test)]
mod tests;
mod text;
mod trace;
mod write;
mod written;

pub use error::BtfError;
pub use ext::{Ext, ExtLine, ExtRecord, Relocation};
pub use externs::{ConfigType, ObjectExtern};
pub use field::{BitPlacement, FieldInfo, Placement};
pub use kind::TypeKind;
pub use loadable::{Layout, for_older_kernels};
pub use needed::Needed;
pub use object::{ObjectBtf, ObjectMap, ObjectSection};
pub use read::Btf;
pub use record::{Member, Type};
pub use relocation::{relocation_kind, relocation_number};
pub use resolve::Resolved;
pub use signature::{Number, Parameter, Signature};
pub use text::Characters;
pub use trace::TraceArgs;
pub use write::{BtfFunction, BtfLine, ProgramBtf, identifier, locked, special};
pub use written::TextTypes;
