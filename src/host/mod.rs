//! What this kernel offers: where programs attach, where arguments and fields are, and why it
//! refuses.

mod attach;
mod cgroups;
mod disk;
mod file;
mod frame;
pub mod holders;
mod map_rules;
pub mod names;
mod operations;
pub mod refusal;
pub mod registers;
mod request;
mod submission;
mod symbol;
mod task;
mod types;
mod value;

pub use attach::{Attach, AttachKind, UserFunction};
pub use cgroups::Cgroups;
pub use disk::Disk;
pub(crate) use file::elf_parts;
pub use frame::Frame;
pub use operations::Operations;
pub use request::{Place, Request};
pub use submission::{By, Issue, Submission};
pub use task::Task;
pub use types::KernelTypes;
pub use value::{Expression, Origin, Value};
