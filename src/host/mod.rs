//! What this kernel offers: where programs attach, where arguments and fields are, and why it
//! refuses.

mod call_frame;
mod cgroups;
pub mod clock;
pub mod config;
mod disk;
mod disks;
mod expression;
mod file;
pub mod holders;
mod map_rules;
pub mod names;
mod operations;
mod probe;
mod process;
pub mod refusal;
pub mod registers;
mod request;
mod section;
mod submission;
mod symbol;
pub mod system_calls;
mod task;
mod types;
mod value;

pub use call_frame::CallFrame;
pub use cgroups::{Cgroup, Cgroups};
pub use disk::{Disk, DiskNames};
pub use disks::{DiskTraffic, Disks, disk_sizes, some_lack_numbers};
pub use expression::{Expression, ExpressionError, Memory};
pub use file::is_elf;
pub use operations::Operations;
pub(crate) use probe::Attachment;
pub use probe::silent;
pub use probe::{
    Attach, AttachKind, Facts, Fentry, Kprobe, KprobeMulti, RawTp, TpBtf, Tracepoint, Uprobe,
    UprobeMulti,
};
pub use process::{PidNamespace, Process};
pub use request::{RecordPlace, RecordRequest, Request, RequestPlace, StructRequest};
pub use section::{Section, Target};
pub use submission::{Identity, Issue, Submission, Submitter};
pub use symbol::{UserFunction, UserSymbol, UserSymbols};
pub use system_calls::SystemCalls;
pub use task::Task;
pub use types::KernelTypes;
pub use value::{Content, ContextPlace, TextPlace, TracedNumber, TracedText, TracedValue};
