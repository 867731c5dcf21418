//! What this kernel offers: where programs attach, where arguments and fields are, and why it
//! refuses.

mod attach;
mod disk;
pub mod names;
pub mod refusal;
pub mod registers;
mod request;
mod types;

pub use attach::{Attach, AttachKind};
pub use disk::Disk;
pub use request::Request;
pub use types::KernelTypes;
