//! Who submitted requests, for all block tools.

use rawbpf::host::{Attach, Identity, PidNamespace, Process, RawTp, Submission, Task};
use rawbpf::insn::MapRef;
use rawbpf::programs::submitter::{Key, Submitters, Whose};

use super::field;

pub const MAPS: [&str; 3] = ["submitted", "submitter_slots", "cgroup"];
const DD: [u8; 16] = *b"dd\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
pub const NAMESPACE: PidNamespace = PidNamespace { device: 4, inode: 4026532201 };
pub const ON_HOST: Process = Process { pid: 4242, own_pid: 4242, namespace: None };
pub const INSIDE: Process = Process { pid: 4242, own_pid: 7, namespace: Some(NAMESPACE) };
const NOBODY: Whose = Whose { process: None, comm: None, cgroup: false };
pub const DD_ON_HOST: Whose = Whose { process: Some(ON_HOST), comm: Some(DD), cgroup: false };

/// Offsets of Linux 6.12.
const TASK: Task = Task { pid: 2436, tid: 2432, comm: 2976, cred: 2960, uid: 8 };

/// Everybody's, in maps from this one on.
pub const fn by(first: u16, key: Key) -> Submitters {
    Submitters { first: MapRef(first), whose: NOBODY, by: Some(key), namespace: None }
}

/// Only these.
pub const fn only(first: u16, whose: Whose) -> Submitters {
    Submitters { first: MapRef(first), whose, by: None, namespace: None }
}

pub fn submission(identity: Identity) -> Submission {
    Submission { attach: Attach::from(RawTp::new("")), argument: 0, identity }
}

#[track_caller]
fn check(name: &str, identity: Identity, task: Option<Task>, submitters: Submitters) {
    let program = submitters.remember(&submission(identity), task).unwrap();
    super::check(name, &program, &MAPS);
}

#[test]
fn by_request() {
    check("submitter-request", Identity::Request, Some(TASK), by(0, Key::Pid));
}

/// Before 5.11 without typed pointers to tasks.
#[test]
fn by_bio() {
    let bio = Identity::Bio(field("request", "bio", 56, true));
    check("submitter-bio", bio, None, by(0, Key::Pid));
}

#[test]
fn filters() {
    let submitters = Submitters { whose: DD_ON_HOST, ..by(0, Key::Uid) };
    check("submitter-filters", Identity::Request, Some(TASK), submitters);
}

#[test]
fn only_a_control_group() {
    let submitters = only(0, Whose { cgroup: true, ..NOBODY });
    check("submitter-only-cgroup", Identity::Request, Some(TASK), submitters);
}

#[test]
fn in_a_namespace() {
    let whose = Whose { process: Some(INSIDE), ..NOBODY };
    let submitters = Submitters { whose, namespace: Some(NAMESPACE), ..by(0, Key::Tid) };
    check("submitter-namespace", Identity::Request, Some(TASK), submitters);
}

#[test]
fn keys() {
    for key in [Key::Tid, Key::Comm, Key::Uid, Key::Cgroup] {
        let name = format!("submitter-{}", key.name());
        check(&name, Identity::Request, Some(TASK), by(0, key));
    }
}

#[test]
fn maps_are_called_as_their_handles() {
    let submitters = only(0, Whose { cgroup: true, ..NOBODY });
    let handles = [submitters.submitted(), submitters.slots(), submitters.cgroup()];
    let handles: Vec<_> = handles.into_iter().zip(MAPS).collect();
    super::are_named(&submitters.maps(), &handles);
}
