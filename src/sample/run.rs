//! The facts about a run: host, tool, options and attached programs.

use std::borrow::Cow;

use super::Time;

/// The facts about a run, known before its first sample.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Run {
    /// When counting began.
    pub start: Time,
    /// The tool's name.
    pub tool: Cow<'static, str>,
    /// The host's name.
    pub host: String,
    /// The kernel's release: `6.18.15`.
    pub kernel: String,
    /// The tool's options, each with its value.
    pub options: Vec<(Cow<'static, str>, Setting)>,
    /// The programs that are attached.
    pub attached: Vec<Attached>,
    /// The attach kinds that were tried before and did not work.
    pub skipped: Vec<Skipped>,
    /// Places that were left out, since no program could be attached there.
    pub left_out: Vec<LeftOut>,
}

/// A program that is attached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attached {
    /// The program's name in the kernel.
    pub program: String,
    /// The attach kind: `tp_btf`.
    pub kind: String,
    /// The place: `block_rq_issue`.
    pub place: String,
}

/// An attach kind that did not work.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Skipped {
    /// The attach kind.
    pub kind: String,
    /// The reason.
    pub reason: String,
}

/// A place without a program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeftOut {
    /// The place: `kprobe vfs_read`.
    pub place: String,
    /// The reason.
    pub reason: String,
}

/// The value of an option.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Setting {
    /// A switch.
    Flag(bool),
    /// A number.
    Number(u64),
    /// A number of seconds.
    Seconds(f64),
    /// A name.
    Text(String),
    /// Several names.
    List(Vec<String>),
    /// The option was not given.
    Unset,
}

macro_rules! setting {
    ($($from:ty => $variant:ident,)*) => {$(
        impl From<$from> for Setting {
            fn from(value: $from) -> Setting {
                Setting::$variant(value.into())
            }
        }
    )*};
}
setting! { bool => Flag, u64 => Number, u32 => Number, String => Text, &str => Text, Vec<String> => List, }

impl<T: Into<Setting>> From<Option<T>> for Setting {
    fn from(value: Option<T>) -> Setting {
        value.map_or(Setting::Unset, T::into)
    }
}
