//! Programs at work: a session makes their maps, loads and attaches them, and [`Events`] waits for what
//! comes then. Dropping a session leaves nothing in the kernel, and neither does killing the process:
//! file descriptors are all that holds it there.

mod events;
mod load;
mod plan;
mod session;

pub use events::{Event, Events};
pub use load::{Walked, load_alone, program_btf, verification, verify, verify_alone};
pub use plan::{Group, Plan};
pub use session::{
    Attached, LeftOut, Progress, Session, Skipped, create, plan_without_attaching, unwatched,
};
