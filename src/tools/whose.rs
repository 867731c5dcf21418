//! Whose block I/O is counted, and the labels of who submitted it.

use std::os::fd::{AsFd, AsRawFd};

use crate::error::Error;
use crate::host::{Cgroup, Cgroups, KernelTypes, PidNamespace, Process, Submission, Submitter};
use crate::programs::submitter::{self as program, Key, Submitters};
use crate::run::Plan;
use crate::sample::{LabelName, LabelValue, Setting};
use crate::sys::{MapSpec, MapType};

/// Whose block I/O is counted: everybody's by default.
#[derive(Clone, Default, Debug)]
pub struct Whose {
    /// Only this process.
    pub process: Option<Process>,
    /// Only tasks of this name, of which the kernel keeps 15 bytes.
    pub comm: Option<String>,
    /// Only tasks of this control group and of those below it.
    pub cgroup: Option<Cgroup>,
}

impl Whose {
    /// Whether only some tasks' I/O is counted.
    pub fn is_some(&self) -> bool {
        self.process.is_some() || self.comm.is_some() || self.cgroup.is_some()
    }

    /// The options as a run's description has them.
    pub(super) fn settings(&self) -> [(&'static str, Setting); 3] {
        [
            ("pid", self.process.map(|process| process.pid).into()),
            ("comm", self.comm.clone().into()),
            ("cgroup", self.cgroup.as_ref().map(|cgroup| cgroup.path().to_owned()).into()),
        ]
    }

    /// What the programs store of submitters. `None` if nobody asks for them.
    pub(super) fn asked(&self, by: Option<Key>) -> Option<Submitters> {
        let submitters = self.submitters(by);
        (by.is_some() || submitters.whose.is_some()).then_some(submitters)
    }

    /// What the programs store of submitters.
    pub(super) fn submitters(&self, by: Option<Key>) -> Submitters {
        let whose = program::Whose {
            process: self.process,
            comm: self.comm.as_deref().map(comm),
            cgroup: self.cgroup.is_some(),
        };
        let by_number = matches!(by, Some(Key::Pid | Key::Tid));
        let namespace = if by_number { PidNamespace::own() } else { None };
        Submitters::new(whose, by, namespace)
    }

    /// These maps, the control group's with that in it.
    pub(super) fn fill(&self, mut maps: Vec<MapSpec>) -> Vec<MapSpec> {
        let arrays = maps.iter_mut().filter(|map| map.map_type == MapType::CgroupArray);
        for (array, cgroup) in arrays.zip(&self.cgroup) {
            array.content = cgroup.as_fd().as_raw_fd().to_ne_bytes().to_vec();
        }
        maps
    }
}

/// Where requests are submitted, for programs that look these submitters up, and the program that stores
/// them there. Both are `None` if nobody asks for them, or no types say where.
pub(super) fn plan(
    submitters: Option<Submitters>,
    types: &KernelTypes,
) -> Result<(Option<Submission>, Option<Plan>), Error> {
    let Some(submitters) = submitters else { return Ok((None, None)) };
    let Submitter { submission, task } = Submitter::find(types)?;
    let Some(submission) = submission else { return Ok((None, None)) };
    let remember = submitters.remember(&submission, task)?;
    let plan = Plan::new("request_submit", submission.attach.clone(), remember);
    Ok((Some(submission), Some(plan)))
}

/// A task's name as the kernel keeps it: 15 bytes and zeros.
fn comm(name: &str) -> [u8; 16] {
    let mut comm = [0; 16];
    let kept = name.len().min(15);
    comm[..kept].copy_from_slice(&name.as_bytes()[..kept]);
    comm
}

/// The labels of rows by submitter.
#[derive(Debug, Default)]
pub(super) struct SubmitterLabels {
    by: Option<Key>,
    cgroups: Cgroups,
    in_namespace: bool,
}

impl SubmitterLabels {
    /// Those of keys that these programs make.
    pub fn new(submitters: Option<&Submitters>) -> SubmitterLabels {
        let by = submitters.and_then(|submitters| submitters.by);
        let in_namespace = submitters.is_some_and(|submitters| submitters.namespace.is_some());
        SubmitterLabels { by, cgroups: Cgroups::default(), in_namespace }
    }

    /// The names of the labels.
    pub fn names(&self) -> Vec<LabelName> {
        let [pid, tid, uid, comm] =
            [("pid", "PID"), ("tid", "TID"), ("uid", "UID"), ("comm", "CMD")]
                .map(|(name, heading)| LabelName::new(name, heading));
        match self.by {
            None => vec![],
            Some(Key::Pid) => vec![pid, uid, comm],
            Some(Key::Tid) => vec![pid, tid, uid, comm],
            Some(Key::Comm) => vec![comm],
            Some(Key::Uid) => vec![uid],
            Some(Key::Cgroup) => vec![LabelName::new("cgroup", "CGROUP")],
        }
    }

    /// Finds what is needed for the values of these keys.
    pub fn look_up<'a>(&mut self, keys: impl Iterator<Item = &'a [u8]>) {
        if self.by == Some(Key::Cgroup) {
            self.cgroups.look_up(keys.map(cgroup));
        }
    }

    /// What the values do not tell on this host.
    pub fn notes(&self) -> Vec<String> {
        match self.by {
            Some(Key::Cgroup) => Cgroups::check().ok().flatten().into_iter().collect(),
            _ => vec![],
        }
    }

    /// As many as there are [`SubmitterLabels::names`].
    pub fn values(&self, key: &[u8]) -> Vec<LabelValue> {
        let number = |at: i32| LabelValue::Number(number(key, at).into());
        let task = |at: i32| LabelValue::process(self::number(key, at), self.in_namespace);
        let (pid, tid) = (|| task(program::PID), || task(program::TID));
        let uid = || number(program::UID);
        let comm = || LabelValue::of_bytes(key.get(program::COMM as usize..).unwrap_or_default());
        match self.by {
            None => vec![],
            Some(Key::Pid) => vec![pid(), uid(), comm()],
            Some(Key::Tid) => vec![pid(), tid(), uid(), comm()],
            Some(Key::Comm) => vec![comm()],
            Some(Key::Uid) => vec![uid()],
            Some(Key::Cgroup) => vec![LabelValue::text(&self.cgroups.name(cgroup(key)))],
        }
    }
}

/// A number of a key.
pub(super) fn number(key: &[u8], at: i32) -> u32 {
    let bytes = key.get(at as usize..).and_then(<[u8]>::first_chunk);
    u32::from_ne_bytes(bytes.copied().unwrap_or_default())
}

/// The number of the control group, in a key by that.
fn cgroup(key: &[u8]) -> u64 {
    let bytes = key.get(program::CGROUP as usize..).and_then(<[u8]>::first_chunk);
    u64::from_ne_bytes(bytes.copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_compared_as_far_as_the_kernel_keeps_it() {
        assert_eq!(&comm("dd"), b"dd\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(&comm("a-name-of-20-letters"), b"a-name-of-20-le\0");
    }
}
