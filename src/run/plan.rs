//! Which programs a session attaches, and where.

use crate::error::Error;
use crate::host::{Attach, AttachKind, KernelTypes};
use crate::insn::Program;

/// A program and where it shall be attached.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Plan {
    /// The program's name as other tools see it in the kernel.
    pub name: String,
    /// Where and how.
    pub attach: Attach,
    /// The program, made for that attach kind.
    pub program: Program,
    /// Whether it may be left out if it cannot be attached there, as long as another program of its group
    /// can.
    pub optional: bool,
}

impl Plan {
    /// A program that must be attached.
    pub fn new(name: impl Into<String>, attach: impl Into<Attach>, program: Program) -> Plan {
        Plan { name: name.into(), attach: attach.into(), program, optional: false }
    }
}

/// Programs that are attached together, by the first of several kinds that works for them.
#[must_use = "it attaches nothing by itself"]
pub struct Group<'a> {
    pub(super) kinds: Vec<AttachKind>,
    plans: Box<Plans<'a>>,
}

/// What makes a group's plans for a kind.
type Plans<'a> = dyn Fn(AttachKind, &KernelTypes) -> Result<Vec<Plan>, Error> + 'a;

impl<'a> Group<'a> {
    /// The programs that `plans` makes for the first of `kinds` by which all of them can be attached
    /// that are not optional. They are attached in that order.
    pub fn new(
        kinds: Vec<AttachKind>,
        plans: impl Fn(AttachKind, &KernelTypes) -> Result<Vec<Plan>, Error> + 'a,
    ) -> Group<'a> {
        Group { kinds, plans: Box::new(plans) }
    }

    /// Programs that are attached in one way only. They may be of several kinds.
    pub fn of(plans: Vec<Plan>) -> Group<'a> {
        let kinds = plans.iter().take(1).map(|plan| plan.attach.kind()).collect();
        Group::new(kinds, move |_, _| Ok(plans.clone()))
    }

    /// The plans for a kind.
    pub(super) fn plans(&self, kind: AttachKind, types: &KernelTypes) -> Result<Vec<Plan>, Error> {
        (self.plans)(kind, types)
    }

    /// The plans for the first kind for which they can be made, whether this host has that kind or not.
    ///
    /// # Errors
    /// They cannot be made for the first kind, nor for another.
    pub fn first(&self, types: &KernelTypes) -> Result<Vec<Plan>, Error> {
        let mut plans = self.kinds.iter().map(|kind| self.plans(*kind, types));
        let first = plans.next().unwrap_or(Ok(vec![]));
        first.or_else(|error| plans.find_map(Result::ok).ok_or(error))
    }
}
