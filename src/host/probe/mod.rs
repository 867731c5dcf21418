//! The ways a program is attached: a file each, with all that is said of one, and a row below.

mod fentry;
mod kind;
mod kprobe;
mod kprobe_multi;
mod raw_tp;
pub mod silent;
mod tp_btf;
mod tracepoint;
mod uprobe;
mod uprobe_multi;

use std::fmt;

use super::refusal;
use super::symbol::UserFunction;
use super::types::KernelTypes;
use crate::error::Error;
use crate::sys::link::At;
use crate::sys::{Load, LoadError};
use crate::verifier::verification::Verification;
pub use fentry::Fentry;
pub use kind::Facts;
use kind::Probe;
pub(crate) use kind::{Attachment, Loader};
pub use kprobe::Kprobe;
pub use kprobe_multi::KprobeMulti;
pub use raw_tp::RawTp;
pub use tp_btf::TpBtf;
pub use tracepoint::Tracepoint;
pub use uprobe::Uprobe;
pub use uprobe_multi::UprobeMulti;

/// The kinds, each with the type of its places.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident,)*) => {
        /// How a program is attached. Its context, and with it its instructions, differ by kind.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[non_exhaustive]
        pub enum AttachKind {
            $($(#[$doc])* $kind,)*
        }

        /// A place to attach at, and how.
        #[derive(Clone, PartialEq, Eq, Debug)]
        #[non_exhaustive]
        pub enum Attach {
            $($(#[$doc])* $kind($kind),)*
        }

        $(impl From<$kind> for Attach {
            fn from(place: $kind) -> Attach {
                Attach::$kind(place)
            }
        })*

        impl AttachKind {
            /// All of them.
            pub const ALL: &[AttachKind] = &[$(AttachKind::$kind),*];

            /// What is known of the kind, whatever the place and the host.
            pub fn facts(self) -> &'static Facts {
                match self { $(AttachKind::$kind => const { &$kind::FACTS },)* }
            }

            /// Why nothing can be attached by it on this host, where that is known without trying it.
            pub fn missing(self) -> Option<Error> {
                match self { $(AttachKind::$kind => $kind::missing(),)* }
            }

            /// Places to try it at, where hardly anything ever happens, each by its word.
            pub fn trials(self, types: &KernelTypes) -> Vec<(&'static str, Result<Attach, Error>)> {
                match self {
                    $(AttachKind::$kind => {
                        let trials = $kind::trials(types).into_iter();
                        trials.map(|(word, place)| (word, place.map(Attach::$kind))).collect()
                    })*
                }
            }

            fn parse(self, word: &str, place: &str, types: &KernelTypes) -> Result<Attach, Error> {
                match self {
                    $(AttachKind::$kind => $kind::parse(word, place, types).map(Attach::$kind),)*
                }
            }

            /// What a refused load means for this kind alone.
            fn refused(self, error: &LoadError) -> Option<Error> {
                match self { $(AttachKind::$kind => $kind::refused(error),)* }
            }

            /// Why the offset of a field is not known that a program of this kind uses.
            pub(crate) fn unresolved(self, field: &str) -> Error {
                match self { $(AttachKind::$kind => $kind::unresolved(field),)* }
            }
        }

        impl Attach {
            /// How it is attached.
            pub fn kind(&self) -> AttachKind {
                match self { $(Attach::$kind(_) => AttachKind::$kind,)* }
            }

            /// The same, and whether it is at an entry or a return: `kretprobe`.
            pub fn word(&self) -> &'static str {
                match self { $(Attach::$kind(place) => place.word(),)* }
            }

            /// Where: `blk_mq_start_request`, `block/block_rq_issue`.
            pub fn place(&self) -> String {
                match self { $(Attach::$kind(place) => place.place(),)* }
            }

            /// What its program is loaded as.
            ///
            /// # Errors
            /// The kernel has to be told by a number what the program is for, and that is not known.
            pub fn load(&self) -> Result<Load<'_>, Error> {
                match self { $(Attach::$kind(place) => place.load(),)* }
            }

            /// Loads its program by `load`, as soon as the place is there, and attaches it.
            pub(crate) fn attach(&self, load: &mut Loader) -> Result<Attachment, Error> {
                match self { $(Attach::$kind(place) => place.attach(load),)* }
            }
        }
    };
}

kinds! {
    /// Breakpoint at a function's entry or return (Linux 4.1)
    Kprobe,
    /// Tracepoint with its formatted record; needs tracefs (Linux 4.7)
    Tracepoint,
    /// Tracepoint with its bare arguments (Linux 4.17)
    RawTp,
    /// Tracepoint with typed arguments; needs BTF (Linux 5.5)
    TpBtf,
    /// Trampoline at a function's entry or return; needs BTF (Linux 5.5)
    Fentry,
    /// One link at the entries of many functions; needs fprobes (Linux 5.18)
    KprobeMulti,
    /// Breakpoint at a user function's entry or return (Linux 4.17)
    Uprobe,
    /// One link at the entries or returns of many functions of a file (Linux 6.6)
    UprobeMulti,
}

impl AttachKind {
    /// The kinds for functions of executables and libraries, the cheapest first.
    pub const OF_USER_FUNCTIONS: [AttachKind; 2] = [AttachKind::UprobeMulti, AttachKind::Uprobe];

    /// The kinds that attach one program at one place of the kernel: the kprobe first, because its function
    /// is what people know, then by what an event costs.
    pub const AUTO: [AttachKind; 5] = [
        AttachKind::Kprobe,
        AttachKind::TpBtf,
        AttachKind::Fentry,
        AttachKind::RawTp,
        AttachKind::Tracepoint,
    ];

    /// Those of them whose program gets the arguments themselves, by what an event costs; of two that cost
    /// about as much, a tracepoint before a function, whose name changes between kernels.
    pub const CHEAPEST: [AttachKind; 4] =
        [AttachKind::TpBtf, AttachKind::Fentry, AttachKind::RawTp, AttachKind::Kprobe];

    /// The words by which texts say how a program is attached.
    pub fn words() -> impl Iterator<Item = &'static str> {
        AttachKind::ALL.iter().flat_map(|kind| kind.facts().words).copied()
    }

    /// The word for what libbpf calls the section of such programs: `raw_tp` of `raw_tracepoint`.
    pub fn word_of_section(section: &str) -> Option<&'static str> {
        let mut sections = AttachKind::ALL.iter().flat_map(|kind| kind.facts().sections);
        sections.find(|(name, _)| *name == section).map(|(_, word)| *word)
    }

    /// Why the kernel refused to load a program of this kind.
    pub fn explain(self, error: &LoadError) -> Error {
        refusal::load(&self, self.refused(error), error)
    }

    /// The same by the program itself, if the verifier refused that.
    pub fn explain_program(self, error: &LoadError, refused: Verification) -> Error {
        refusal::of_program(&self, self.refused(error), error, refused)
    }
}

impl fmt::Display for AttachKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.facts().words[0])
    }
}

impl Attach {
    /// The entries or returns of functions of one file by a kind of [`AttachKind::OF_USER_FUNCTIONS`]: one
    /// place for all of them, whose cookies are their indices, or places each with the index of its function.
    pub fn at_user_functions(
        functions: &[UserFunction],
        kind: AttachKind,
        at: At,
    ) -> Vec<(Attach, u32)> {
        if kind == AttachKind::UprobeMulti {
            return vec![(UprobeMulti::new(functions.to_vec(), at, 0).into(), 0)];
        }
        let mut places = vec![];
        for (function, index) in functions.iter().zip(0..) {
            match function.return_places().filter(|_| at == At::Return) {
                Some(returns) => {
                    let returns = returns.into_iter();
                    places.extend(returns.map(|it| (Uprobe::new(it, At::Entry).into(), index)));
                }
                None => places.push((Uprobe::new(function.clone(), at).into(), index)),
            }
        }
        places
    }

    /// The place that a text names: `kprobe`, `vfs_read`.
    ///
    /// # Errors
    /// There is no such way to attach or no such place, or it is written otherwise.
    pub fn parse(word: &str, place: &str, types: &KernelTypes) -> Result<Attach, Error> {
        let kind = AttachKind::ALL.iter().find(|kind| kind.facts().words.contains(&word));
        let kind = kind.ok_or_else(|| Error::usage(format!("{word} is no way to attach")))?;
        kind.parse(word, place, types)
    }
}

/// What it is and the place: `kprobe blk_mq_start_request`, `kretprobe vfs_read`.
impl fmt::Display for Attach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.word(), self.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_of_one_kind_and_has_a_section_of_its_name() {
        let mut words: Vec<_> = AttachKind::words().collect();
        for word in &words {
            assert_eq!(AttachKind::word_of_section(word), Some(*word));
        }
        let count = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), count);
    }

    #[test]
    fn what_a_text_says_is_what_is_shown() {
        let types = KernelTypes::running();
        for text in [
            "kprobe vfs_read|vfs_write",
            "kretprobe vfs_read",
            "tracepoint sched/sched_switch",
            "raw_tp sched_switch",
        ] {
            let (word, place) = text.split_once(' ').unwrap();
            assert_eq!(Attach::parse(word, place, &types).unwrap().to_string(), text);
        }
        assert!(Attach::parse("kprobes", "vfs_read", &types).is_err());
        assert!(Attach::parse("tracepoint", "sched_switch", &types).is_err());
    }
}
