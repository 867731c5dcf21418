//! BTF in the kernel: the types that a program's line info refers to.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::attr::{BtfLoad, address, address_mut, length};
use super::call::{BpfCommand, bpf_fd, charged};
use super::log::with_log;
use super::{LoadError, SysError};

/// BTF that the kernel holds for us.
#[derive(Debug)]
pub struct LoadedBtf {
    fd: OwnedFd,
}

impl LoadedBtf {
    /// Opens BTF that somebody loaded, or the kernel's own or a module's, by its id. Requires Linux 5.4.
    pub fn from_id(id: u32) -> Result<LoadedBtf, SysError> {
        Ok(LoadedBtf { fd: super::ids::open(super::ids::ObjectKind::Btf, id)? })
    }

    /// Hands a BTF blob to the kernel: silently, and again with a log when it is refused.
    pub fn load(blob: &[u8]) -> Result<LoadedBtf, LoadError> {
        let error = match charged(|| LoadedBtf::attempt(blob, &mut []).0) {
            Ok(fd) => return Ok(LoadedBtf { fd }),
            Err(error) => error,
        };
        match with_log(|buffer| LoadedBtf::attempt(blob, buffer)) {
            (Ok(fd), _) => Ok(LoadedBtf { fd }),
            (Err(_), log) => Err(LoadError {
                call: error.call,
                errno: error.errno,
                log: log.text,
                log_truncated: log.truncated,
            }),
        }
    }

    fn attempt(blob: &[u8], log: &mut [u8]) -> (Result<OwnedFd, SysError>, u32) {
        let mut attr = BtfLoad {
            btf: address(blob),
            btf_log_buf: address_mut(log),
            btf_size: length(blob.len()),
            btf_log_size: length(log.len()),
            btf_log_level: u32::from(!log.is_empty()),
            ..BtfLoad::default()
        };
        // SAFETY: blob and log have the lengths that are given; the command returns a new descriptor.
        let result = unsafe { bpf_fd(BpfCommand::BtfLoad, &mut attr) };
        (result, attr.btf_log_true_size)
    }
}

impl AsFd for LoadedBtf {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
