//! The ways a program is attached.

use std::fmt;

use super::names::Function;

/// How a program is attached. Its context, and with it its instructions, differ by kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
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
    /// A function by its BTF id, if the kernel's BTF was there to tell it.
    Fentry(String, Option<u32>),
    /// A tracepoint by the BTF id of its `btf_trace_` type, if it could be told.
    TpBtf(String, Option<u32>),
    /// A tracepoint.
    RawTp(String),
    /// A tracepoint of a category.
    Tracepoint(String, String),
}

impl Attach {
    /// How it is attached.
    pub fn kind(&self) -> AttachKind {
        match self {
            Attach::KprobeMulti(_) => AttachKind::KprobeMulti,
            Attach::Kprobe(_) => AttachKind::Kprobe,
            Attach::Fentry(..) => AttachKind::Fentry,
            Attach::TpBtf(..) => AttachKind::TpBtf,
            Attach::RawTp(_) => AttachKind::RawTp,
            Attach::Tracepoint(..) => AttachKind::Tracepoint,
        }
    }

    /// Where: `blk_mq_start_request`, `block/block_rq_issue`.
    pub fn place(&self) -> String {
        match self {
            Attach::KprobeMulti(functions) => {
                functions.iter().map(|function| &*function.name).collect::<Vec<_>>().join(",")
            }
            Attach::Kprobe(functions) => functions.join("|"),
            Attach::Fentry(name, _) | Attach::TpBtf(name, _) | Attach::RawTp(name) => name.clone(),
            Attach::Tracepoint(category, name) => format!("{category}/{name}"),
        }
    }
}

/// The kind and the place: `kprobe blk_mq_start_request`.
impl fmt::Display for Attach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.place())
    }
}
