//! ELF files, and BPF objects as clang makes them: reads their content by name, and writes objects.
//!
//! Pure: bytes in, answers out. The bytes may be hostile: whatever they are, the answer is a value or an
//! [`ElfError`], in bounded time and memory.
//!
//! ```no_run
//! let bytes = std::fs::read("program.o").unwrap();
//! let object = rawbpf::elf::Object::parse(&bytes)?;
//! for function in object.functions() {
//!     println!("{} in {}: {} bytes", function.name, function.section, function.bytes.len());
//! }
//! # Ok::<(), rawbpf::elf::ElfError>(())
//! ```

mod excerpt;
mod file;
mod link;
mod maps;
mod notes;
mod places;
mod read;
mod struct_ops;
pub mod write;

pub use excerpt::{ExcerptError, excerpt};
pub use file::{ElfError, File, Section, Symbol};
pub use link::{CONFIG, Extern, LinkError, Linker, MISSING_CALL, Relocated, relocate_slot};
pub use maps::DefinedMap;
pub use notes::Notes;
pub use places::Places;
pub use read::{Object, ObjectFunction, Reference};

use crate::plain;

/// The length up to which foreign text is shown, in bytes.
const LONGEST: usize = 256;

/// Foreign text, made safe for a line on a terminal.
pub fn clean(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(LONGEST)]);
    plain::line(&text.trim().replace('\t', " ")).into_owned()
}
