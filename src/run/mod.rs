//! Programs at work: a session makes their maps, loads and attaches them, and [`Events`] waits for what
//! comes then. Dropping a session leaves nothing in the kernel, and neither does killing the process:
//! file descriptors are all that holds it there.
//!
//! ```no_run
//! use rawbpf::host::RawTp;
//! use rawbpf::insn::*;
//! use rawbpf::run::{Plan, Session};
//! use rawbpf::sys::{MapSpec, MapType};
//!
//! // Counts system calls.
//! let maps = [MapSpec::new("calls", MapType::Array, 4, 8, 1)];
//! let mut a = Asm::new();
//! a.load_map_value(r1, MapRef(0), 0);
//! a.mov(r2, 1);
//! a.lock_add(u64_at(r1 + 0), r2);
//! a.mov(r0, 0);
//! a.exit();
//! let plan = Plan::new("count", RawTp::new("sys_enter"), a.finish()?);
//! let session = Session::attach(&maps, vec![plan])?;
//! let mut calls = [0; 8];
//! session.maps[0].lookup(&0u32.to_ne_bytes(), &mut calls)?;
//! println!("{} by {}", u64::from_ne_bytes(calls), session.attached[0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod events;
mod load;
mod plan;
mod session;
mod types;

pub use events::{Event, Events};
pub use load::{
    Walked, load_alone, load_as, program_btf, verification, verify, verify_alone, verify_as,
};
pub use plan::{Group, Plan};
pub use session::{
    AttachedProgram, LeftOutProgram, Progress, RefusedMaps, Session, SkippedKind, create,
    create_each, plan_without_attaching, unwatched,
};
pub use types::fill;
