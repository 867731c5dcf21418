//! Where the running task's `task_struct` has its ids and its name.

use super::request::{RequestTypes, field};
use super::types::KernelTypes;
use crate::btf::{BtfError, TypeKind};

/// Where the fields of a `struct task_struct` are, in bytes. A program of any kind has a typed pointer to
/// the task that runs by `bpf_get_current_task_btf`: loads in place of helper calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Task {
    /// The process, u32.
    pub pid: i32,
    /// The thread, u32.
    pub tid: i32,
    /// The name, 16 bytes. The bytes after its NUL may be left of an older name (before Linux 5.17).
    pub comm: i32,
    /// The pointer to the `struct cred`.
    pub cred: i32,
    /// In that, the user, u32.
    pub uid: i32,
}

/// Of each helper the kernel's types have a typedef.
const HELPER: (TypeKind, &str) = (TypeKind::Typedef, "btf_bpf_get_current_task_btf");

impl Task {
    /// What has to be looked up.
    pub(super) const TYPES: [(TypeKind, &'static str); 3] =
        [HELPER, (TypeKind::Struct, "task_struct"), (TypeKind::Struct, "cred")];

    /// `None` where the kernel lacks the helper (before 5.11), or the types are a file's, which the
    /// verifier does not go by.
    pub(super) fn among(
        found: &mut RequestTypes,
        types: &KernelTypes,
    ) -> Result<Option<Task>, BtfError> {
        if types.are_from_file() || found.find(HELPER.0, HELPER.1).is_none() {
            return Ok(None);
        }
        let mut offset = |of, member| found.offset(field(of, member));
        let pid = offset("task_struct", "tgid")?;
        let tid = offset("task_struct", "pid")?;
        let comm = offset("task_struct", "comm")?;
        let cred = offset("task_struct", "cred")?;
        let uid = offset("cred", "uid")?;
        let all = || Some(Task { pid: pid?, tid: tid?, comm: comm?, cred: cred?, uid: uid? });
        Ok(all())
    }
}
