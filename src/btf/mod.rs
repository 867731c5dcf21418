//! BTF, the kernel's type information: read what a kernel says about its structs, write what our
//! own programs want to say about themselves.
//!
//! Pure: bytes in, answers out. The format is the kernel's `Documentation/bpf/btf.rst` and
//! `include/uapi/linux/btf.h`.
//!
//! Reading asks for a handful of the 120,000 types a kernel describes in 5 MB, so nothing is
//! parsed that is not asked for: [`Btf::parse`] looks at the header alone, and each question walks
//! as few records as will answer it. A blob is taken for hostile: whatever its bytes, the answer is
//! a value or a [`BtfError`], in bounded time and memory.
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

mod error;
mod ext;
mod field;
mod kind;
mod object;
mod read;
mod record;
mod relocation;
mod resolve;
mod signature;
mod sorted;
#[cfg(test)]
mod tests;
mod trace;
mod write;

pub use error::BtfError;
pub use ext::{Ext, ExtLine, ExtRecord, Relocation};
pub use field::{FieldInfo, Placement};
pub use kind::TypeKind;
pub use object::{ObjectBtf, ObjectMap, ObjectSection};
pub use read::Btf;
pub use record::{Member, Type};
pub use signature::{Number, Parameter, Signature};
pub use trace::TraceArgs;
pub use write::{BtfFunction, BtfLine, ProgramBtf, identifier, locked};
