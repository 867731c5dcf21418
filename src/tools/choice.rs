//! Which attach kinds are tried.

use crate::error::Error;
use crate::host::{AttachKind, KernelTypes};

/// An attach kind, or the first that works.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Choice {
    /// The first that works of those that the tool has; of most tools, of [`AttachKind::CHEAPEST`].
    #[default]
    Auto,
    /// Only this one.
    Only(AttachKind),
}

impl Choice {
    /// What to try, in this order: `auto`, or the kind that was asked for.
    pub fn kinds(self, auto: &[AttachKind]) -> Vec<AttachKind> {
        match self {
            Choice::Auto => auto.to_vec(),
            Choice::Only(kind) => vec![kind],
        }
    }

    /// Whether programs meet requests in tracepoints' records: if that was asked for, or if no types lead
    /// to a request.
    ///
    /// # Errors
    /// The kernel's types cannot be read.
    pub(super) fn is_by_record(self, types: &KernelTypes) -> Result<bool, Error> {
        match self {
            Choice::Auto => Ok(types.btf()?.is_none()),
            Choice::Only(kind) => Ok(kind == AttachKind::Tracepoint),
        }
    }

    /// What to try of these kinds, which are all that are possible.
    ///
    /// # Errors
    /// Another one was asked for.
    pub fn among(self, kinds: &[AttachKind]) -> Result<Vec<AttachKind>, Error> {
        match self {
            Choice::Auto => Ok(kinds.to_vec()),
            Choice::Only(kind) if kinds.contains(&kind) => Ok(vec![kind]),
            Choice::Only(kind) => {
                let names: Vec<_> = kinds.iter().map(AttachKind::to_string).collect();
                let what =
                    format!("--attach {kind} is not possible here, but {}", names.join(" or "));
                Err(Error::usage(what))
            }
        }
    }

    /// `auto`, or the kind.
    pub fn name(self) -> String {
        match self {
            Choice::Auto => "auto".into(),
            Choice::Only(kind) => kind.to_string(),
        }
    }
}
