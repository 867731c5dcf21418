//! What this kernel offers: where programs attach, where arguments and fields are, and why it
//! refuses.

mod attach;
mod call_frame;
mod cgroups;
pub mod clock;
mod disk;
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
pub use call_frame::CallFrame;
pub use cgroups::Cgroups;
pub use disk::Disk;
pub use operations::Operations;
pub use request::{Place, RecordRequest, Request, StructRequest};
pub use submission::{Identity, Issue, Submission};
pub use task::Task;
pub use types::KernelTypes;
pub use value::{Expression, Origin, Value};
