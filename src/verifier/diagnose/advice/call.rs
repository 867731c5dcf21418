//! What calls demand, and what they leave open.

use super::Advice;
use crate::insn::{Callee, Imm64, Insn};
use crate::verifier::diagnose::Case;
use crate::verifier::diagnose::words::{kind, words};
use crate::verifier::log::KnownValue;

impl<'a> Case<'a, '_> {
    pub(super) fn argument(
        &self,
        at: u32,
        register: u8,
        value: Option<KnownValue>,
    ) -> Option<Advice> {
        let known = self.known.as_ref()?;
        let callee = self.callee(at);
        let is = value.map_or(String::new(), |value| format!(" is {}", words(value)));
        if let Some(want) = known.field("want") {
            let want = want.strip_prefix("expected=").unwrap_or(want);
            return Some((
                format!(
                    "r{register}, argument {register} of {callee} at {at},{} but should be {}",
                    if is.is_empty() { format!(" is {}", kind(known.field("got")?)) } else { is },
                    kind(want)
                ),
                match (6..10).find(|kept| {
                    want == "ctx"
                        && self.value(Some(*kept)).is_some_and(|value| value.type_ == "ctx")
                }) {
                    Some(kept) => {
                        format!("insert before instruction {at}: `r{register} = r{kept}`")
                    }
                    None => format!("put {} into r{register} before instruction {at}", kind(want)),
                },
            ));
        }
        let zero = self.first.contains("invalid zero-size");
        (!is.is_empty()).then(|| {
            (
                format!(
                    "{}: r{register}, argument {register} of {callee} at {at},{is}",
                    known.explanation()
                ),
                match zero {
                    true => format!(
                        "insert before instruction {at}: `if r{register} == 0 goto L`, where L makes no such \
                         call"
                    ),
                    false => known.remedy(),
                },
            )
        })
    }

    pub(super) fn helper_refused(&self, at: u32) -> Option<Advice> {
        let helper = self.helper(at)?;
        let known = self.known.as_ref()?;
        if self.first.contains("GPL") {
            return Some((
                format!(
                    "{} at {at} is only for programs whose licence is compatible with the GPL",
                    helper.name
                ),
                known.remedy(),
            ));
        }
        if known.field("h").is_none() {
            return Some((
                format!("{} at {at}: {}", helper.name, known.explanation()),
                known.remedy(),
            ));
        }
        let (major, minor) = helper.since;
        Some((
            format!(
                "{} at {at} cannot be called from this type of program, or not by this kernel",
                helper.name
            ),
            format!("{} (this helper exists since Linux {major}.{minor})", known.remedy()),
        ))
    }

    pub(super) fn reference(&self, at: Option<u32>) -> Option<Advice> {
        let taken = self.slot("i").filter(|at| self.code.insn(*at).is_some())?;
        let by = self.callee(taken);
        let name = self.helper(taken).map(|helper| helper.name).or(self.kfunc(taken));
        let back = match name {
            Some("bpf_ringbuf_reserve") => "bpf_ringbuf_submit or bpf_ringbuf_discard".into(),
            Some(name) => {
                released_by(name).unwrap_or_else(|| "the function that releases it".into())
            }
            None => "the function that releases it".into(),
        };
        if by.ends_with("_dynptr") {
            return Some((
                format!("the program ends while it still holds what {by} at {taken} reserved"),
                format!(
                    "call {back} on every path from {taken} to the end, also where {by} failed"
                ),
            ));
        }
        let end = at.map_or(String::new(), |at| format!(" at {at}"));
        Some((
            format!("the program ends{end} while it still holds what {by} at {taken} returned"),
            format!("call {back} on every path from {taken} to the end on which it is not NULL"),
        ))
    }

    pub(super) fn locked(&self, at: u32) -> Option<Advice> {
        if self.first.contains("unlock without taking a lock") {
            let callee = self.callee(at);
            return Some((
                format!("{callee} at {at}: no lock is held on this path"),
                format!(
                    "remove instruction {at}, or acquire the lock on every path that leads to it"
                ),
            ));
        }
        let held =
            ["bpf_spin_unlock is missing", "while holding a lock", "bpf_spin_lock-ed region"];
        if !held.iter().any(|said| self.first.contains(said)) {
            return None;
        }
        let steps = &self.path.steps[..self.index?];
        let lock = steps.iter().rev().find(|step| {
            self.helper(step.at).is_some_and(|helper| helper.name == "bpf_spin_lock")
        })?;
        let (what, remedy) = match self.code.insn(at)? {
            Insn::Exit => ("the program ends", "before it"),
            _ => ("a call is made", "before it, or make the call before the lock"),
        };
        Some((
            format!("{what} at {at} while the lock that was acquired at {} is held", lock.at),
            format!("call bpf_spin_unlock {remedy}"),
        ))
    }

    /// The instruction that asks for what this kernel does not have, where the message is about something
    /// else: a call of a function of the kernel, or a callback.
    pub(in super::super) fn foreign(&self) -> Option<u32> {
        let insns = || {
            let slots = 0..self.code.slots().len() as u32;
            slots.filter_map(|at| Some((at, self.code.insn(at)?)))
        };
        let find = |wanted: &dyn Fn(Insn) -> bool| {
            insns().find(|(_, insn)| wanted(*insn)).map(|(at, _)| at)
        };
        let first = self.first;
        if first.starts_with("invalid kernel function call not eliminated") {
            find(&|insn| matches!(insn, Insn::Call(Callee::Kfunc { id: 0, .. })))
        } else if first.starts_with("BPF_CALL uses reserved") {
            find(&|insn| matches!(insn, Insn::Call(Callee::Kfunc { .. })))
        } else if ["func_info", "func info", "unrecognized bpf_ld_imm64"]
            .iter()
            .any(|told| first.contains(told))
        {
            // To an old kernel, a callback is a function that nobody calls.
            let callback = Imm64::Func { offset: 0 };
            let same = |value| std::mem::discriminant(&value) == std::mem::discriminant(&callback);
            find(&|insn| matches!(insn, Insn::LoadImm64 { value, .. } if same(value)))
        } else {
            None
        }
    }

    /// Advice for what this kernel does not have, and refuses in words about something else.
    pub(super) fn foreign_call(&self) -> Option<Advice> {
        let at = self.foreign()?;
        Some(match self.code.insn(at)? {
            Insn::Call(Callee::Kfunc { id: 0, .. }) => (
                format!(
                    "instruction {at} calls a function of the kernel that this kernel does not have: its BTF \
                     id is 0"
                ),
                format!(
                    "reach instruction {at} only where the function exists: in C, \
                     if (bpf_ksym_exists(function))"
                ),
            ),
            Insn::Call(_) => (
                format!(
                    "instruction {at} calls a function of the kernel, and this kernel does not let programs do \
                     that: Linux 5.13 is the first that does"
                ),
                "use a helper in its place, or a newer kernel".into(),
            ),
            _ => {
                let after = at..self.code.slots().len() as u32;
                let call = after.clone().find_map(|call| Some((call, self.helper(call)?)));
                match call.filter(|(_, helper)| helper.since >= (5, 13)) {
                    Some((call, helper)) => (
                        format!(
                            "{} at {call} is a helper that this kernel does not have, nor does it know the \
                             callback that instruction {at} passes to it",
                            helper.name
                        ),
                        format!(
                            "use a loop or helpers that this kernel has, or Linux {}.{} or later",
                            helper.since.0, helper.since.1
                        ),
                    ),
                    None => (
                        format!(
                            "instruction {at} takes the address of a function of the program, for a callback, \
                             which this kernel does not know"
                        ),
                        "call the function directly, or use Linux 5.13 or later".into(),
                    ),
                }
            }
        })
    }

    /// An address in a value that does not lead to the field that a call is for.
    pub(super) fn beside_field(&self, at: u32) -> Option<Advice> {
        let (off, field) = (self.number("off")?, self.number("n")?);
        let what = self.known.as_ref()?.field("what")?;
        let by = i32::try_from(field.checked_sub(off)?).ok()?;
        let pointer =
            |number: &u8| self.value(Some(*number)).is_some_and(|value| value.type_ == "map_value");
        let register = self.register.or_else(|| (1..=5).find(pointer))?;
        Some((
            format!(
                "r{register}, argument {register} of {} at {at}, is the address of byte {off} of the value, whose \
                 {what} is at byte {field}",
                self.callee(at)
            ),
            format!("insert before instruction {at}: `r{register} += {by}`"),
        ))
    }
}

/// The function that releases what a helper or a function of the kernel returned.
pub(in super::super) fn released_by(name: &str) -> Option<String> {
    let of = [
        ("bpf_ringbuf_reserve_dynptr", "bpf_ringbuf_discard_dynptr"),
        ("bpf_sk", "bpf_sk_release"),
        ("cgroup", "bpf_cgroup_release"),
        ("bpf_task_", "bpf_task_release"),
        ("bpf_cpumask_", "bpf_cpumask_release"),
        ("bpf_percpu_obj_new", "bpf_percpu_obj_drop"),
        ("bpf_obj_new", "bpf_obj_drop"),
        ("bpf_refcount_acquire", "bpf_obj_drop"),
        ("bpf_list_pop_", "bpf_obj_drop"),
        ("bpf_rbtree_remove", "bpf_obj_drop"),
        ("bpf_get_task_exe_file", "bpf_put_file"),
        ("bpf_lookup_", "bpf_key_put"),
        ("bpf_crypto_ctx_", "bpf_crypto_ctx_release"),
        ("ct_lookup", "bpf_ct_release"),
    ];
    // An iterator by its kind.
    if let Some(begin) = name.strip_suffix("_new").filter(|name| name.starts_with("bpf_iter_")) {
        return Some(format!("{begin}_destroy"));
    }
    of.iter().find(|(part, _)| name.contains(part)).map(|(_, release)| (*release).to_owned())
}
