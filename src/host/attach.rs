//! The ways a program is attached.

use std::fmt;
use std::path::PathBuf;

use crate::sys::link::At;

use super::names::Function;

/// How a program is attached. Its context, and with it its instructions, differ by kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttachKind {
    /// One link at the entries of many functions; needs fprobes (Linux 5.18)
    KprobeMulti,
    /// Breakpoint at a function's entry (Linux 4.1)
    Kprobe,
    /// Trampoline at a function's entry; needs BTF (Linux 5.5)
    Fentry,
    /// Tracepoint with typed arguments; needs BTF (Linux 5.5)
    TpBtf,
    /// Tracepoint with its bare arguments (Linux 4.17)
    RawTp,
    /// Tracepoint with its formatted record; needs tracefs (Linux 4.7)
    Tracepoint,
    /// Breakpoint at a user function's entry (Linux 4.17)
    Uprobe,
}

impl AttachKind {
    /// All that attach one program at one place, in the order they are tried: the kprobe first because
    /// its function is what people know, then by what an event costs.
    pub const ALL: [AttachKind; 5] = [
        AttachKind::Kprobe,
        AttachKind::TpBtf,
        AttachKind::Fentry,
        AttachKind::RawTp,
        AttachKind::Tracepoint,
    ];
}

impl fmt::Display for AttachKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AttachKind::KprobeMulti => "kprobe.multi",
            AttachKind::Kprobe => "kprobe",
            AttachKind::Fentry => "fentry",
            AttachKind::TpBtf => "tp_btf",
            AttachKind::RawTp => "raw_tp",
            AttachKind::Tracepoint => "tracepoint",
            AttachKind::Uprobe => "uprobe",
        })
    }
}

/// A place to attach at, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Attach {
    /// All of these functions. The program gets the index of the one it runs at as its cookie.
    KprobeMulti(Vec<Function>),
    /// The first of these functions that the kernel can probe.
    Kprobe(Vec<String>),
    /// The return of a function.
    Kretprobe(String),
    /// A function by its BTF id, if the kernel's BTF was there to tell it.
    Fentry(String, Option<u32>),
    /// The same function's return.
    Fexit(String, Option<u32>),
    /// A tracepoint by the BTF id of its `btf_trace_` type, if it could be told.
    TpBtf(String, Option<u32>),
    /// A tracepoint.
    RawTp(String),
    /// A tracepoint of a category.
    Tracepoint(String, String),
    /// A function in a file that processes run.
    Uprobe(UserFunction, At),
}

/// A function in an executable or a library.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserFunction {
    /// The file.
    pub path: PathBuf,
    /// Its name.
    pub symbol: String,
    /// Where in the file its first instruction is, in bytes.
    pub offset: u64,
    /// Only in this process.
    pub pid: Option<u32>,
}

impl fmt::Display for UserFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path.display(), self.symbol)
    }
}

impl Attach {
    /// How it is attached.
    pub fn kind(&self) -> AttachKind {
        match self {
            Attach::KprobeMulti(_) => AttachKind::KprobeMulti,
            Attach::Kprobe(_) | Attach::Kretprobe(_) => AttachKind::Kprobe,
            Attach::Fentry(..) | Attach::Fexit(..) => AttachKind::Fentry,
            Attach::TpBtf(..) => AttachKind::TpBtf,
            Attach::RawTp(_) => AttachKind::RawTp,
            Attach::Tracepoint(..) => AttachKind::Tracepoint,
            Attach::Uprobe(..) => AttachKind::Uprobe,
        }
    }

    /// Where: `blk_mq_start_request`, `block/block_rq_issue`.
    pub fn place(&self) -> String {
        match self {
            Attach::KprobeMulti(functions) => {
                functions.iter().map(|function| &*function.name).collect::<Vec<_>>().join(",")
            }
            Attach::Kprobe(functions) => functions.join("|"),
            Attach::Fentry(name, _) | Attach::Fexit(name, _) | Attach::TpBtf(name, _) => {
                name.clone()
            }
            Attach::Kretprobe(name) | Attach::RawTp(name) => name.clone(),
            Attach::Tracepoint(category, name) => format!("{category}/{name}"),
            Attach::Uprobe(function, _) => function.to_string(),
        }
    }
}

/// What it is and the place: `kprobe blk_mq_start_request`, `kretprobe vfs_read`.
impl fmt::Display for Attach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Attach::Kretprobe(_) => f.write_str("kretprobe")?,
            Attach::Fexit(..) => f.write_str("fexit")?,
            Attach::Uprobe(_, At::Return) => f.write_str("uretprobe")?,
            _ => self.kind().fmt(f)?,
        }
        write!(f, " {}", self.place())
    }
}
