//! What this kernel offers: where programs attach, where arguments and fields are, and why it
//! refuses.

mod cgroups;
mod disk;
mod frame;
pub mod holders;
mod map_rules;
pub mod names;
mod operations;
mod probe;
pub mod refusal;
pub mod registers;
mod request;
mod submission;
mod symbol;
mod task;
mod types;
mod value;

pub use cgroups::Cgroups;
pub use disk::Disk;
pub use frame::Frame;
pub use operations::Operations;
pub(crate) use probe::Attachment;
pub use probe::{
    Attach, AttachKind, Facts, Fentry, Kprobe, KprobeMulti, RawTp, TpBtf, Tracepoint, Uprobe,
};
pub use request::{Place, Request};
pub use submission::{By, Issue, Submission};
pub use symbol::UserFunction;
pub use task::Task;
pub use types::KernelTypes;
pub use value::{Expression, Origin, Value};
