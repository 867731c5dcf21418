//! The ids of the kernel's objects, and descriptors by id.

use std::os::fd::OwnedFd;

use super::attr::GetId;
use super::call::{BpfCommand, bpf, bpf_fd};
use super::{Errno, SysError};

/// The kinds of objects that have ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// Programs.
    Prog,
    /// Maps.
    Map,
    /// BTF. Requires Linux 5.4 to walk the ids.
    Btf,
    /// Links. Requires Linux 5.8.
    Link,
}

/// The id after `id`; `None` at the end. Ids start at 1, so the first is after 0. Needs CAP_SYS_ADMIN.
pub fn next_id(kind: ObjectKind, id: u32) -> Result<Option<u32>, SysError> {
    let command = match kind {
        ObjectKind::Prog => BpfCommand::ProgGetNextId,
        ObjectKind::Map => BpfCommand::MapGetNextId,
        ObjectKind::Btf => BpfCommand::BtfGetNextId,
        ObjectKind::Link => BpfCommand::LinkGetNextId,
    };
    let mut attr = GetId { id, ..GetId::default() };
    // SAFETY: the attr holds no address.
    match unsafe { bpf(command, &mut attr) } {
        Ok(()) => Ok(Some(attr.next_id)),
        Err(error) if error.errno == Errno::ENOENT => Ok(None),
        Err(error) => Err(error),
    }
}

/// All ids of a kind, rising; ends after the first error.
pub fn ids(kind: ObjectKind) -> impl Iterator<Item = Result<u32, SysError>> {
    let mut at = Some(0);
    std::iter::from_fn(move || {
        let next = next_id(kind, at?).transpose();
        at = next.and_then(Result::ok);
        next
    })
}

/// A descriptor of an object; ENOENT when it is gone. Needs CAP_SYS_ADMIN.
pub fn open(kind: ObjectKind, id: u32) -> Result<OwnedFd, SysError> {
    let command = match kind {
        ObjectKind::Prog => BpfCommand::ProgGetFdById,
        ObjectKind::Map => BpfCommand::MapGetFdById,
        ObjectKind::Btf => BpfCommand::BtfGetFdById,
        ObjectKind::Link => BpfCommand::LinkGetFdById,
    };
    // SAFETY: the attr holds no address, and all four commands return a new descriptor.
    unsafe { bpf_fd(command, &mut GetId { id, ..GetId::default() }) }
}
