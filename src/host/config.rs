//! The configuration that the kernel was built with, and its version.

use std::path::Path;

use super::file;
use crate::error::Error;
use crate::sys::{self, uname};

/// The largest configuration; true ones have 300 KB.
const LARGEST: usize = 16 << 20;

/// The kernel's configuration, a text of `CONFIG_NAME=value` lines.
///
/// # Errors
/// This host does not have it.
pub fn kernel_config() -> Result<String, Error> {
    let places =
        [format!("/boot/config-{}", uname::kernel_release()), "/proc/config.gz".to_owned()];
    let found = places.iter().find_map(|place| file::read(Path::new(place)).ok());
    let text = found.and_then(|bytes| match bytes.starts_with(&[0x1f, 0x8b]) {
        true => unpacked(&bytes),
        false => Some(bytes),
    });
    let text = text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    text.ok_or_else(|| {
        Error::lacking(format!(
            "this host does not have its kernel's configuration: {}",
            places.join(", ")
        ))
        .hint("/proc/config.gz needs CONFIG_IKCONFIG_PROC: modprobe configs")
    })
}

fn text(path: &str) -> String {
    sys::file::read_text(Path::new(path)).unwrap_or_default()
}

/// The content of a gzip file.
fn unpacked(bytes: &[u8]) -> Option<Vec<u8>> {
    let flags = *bytes.get(3)?;
    let mut rest = bytes.get(10..)?;
    if flags & 4 != 0 {
        let (length, after) = rest.split_first_chunk::<2>()?;
        rest = after.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    // A name, a comment.
    for flag in [8, 16] {
        if flags & flag != 0 {
            rest = rest.get(memchr::memchr(0, rest)? + 1..)?;
        }
    }
    let rest = rest.get(usize::from(flags & 2)..)?;
    miniz_oxide::inflate::decompress_to_vec_with_limit(rest, LARGEST).ok()
}

/// The kernel's version as its headers encode it: Debian and Ubuntu name that of the sources elsewhere.
pub fn kernel_version() -> u32 {
    let version = text("/proc/sys/kernel/version");
    let debian = version.split_once("Debian ").map(|(_, version)| version.to_owned());
    let signature = text("/proc/version_signature");
    let ubuntu = signature.rsplit(' ').next().filter(|it| !it.is_empty()).map(str::to_owned);
    let all = [ubuntu, debian, Some(uname::kernel_release())];
    all.into_iter().flatten().find_map(|it| encoded(&it)).unwrap_or(0)
}

/// A version such as `6.1.176-1` as a number.
fn encoded(version: &str) -> Option<u32> {
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    let mut next = || numbers.next()?.ok();
    Some((next()? << 16).wrapping_add(next()? << 8).wrapping_add(next()?.min(255)))
}

/// Whether system calls are functions of their own (`__x64_sys_read`), whose arguments are in a structure.
pub fn has_syscall_wrapper() -> bool {
    let names = ["__x64_sys_bpf", "__arm64_sys_bpf", "__s390x_sys_bpf", "__riscv_sys_bpf"];
    names.iter().any(|name| sys::kallsyms::count_functions(name).is_ok_and(|count| count > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_encoded_as_in_the_kernels_headers() {
        assert_eq!(encoded("6.1.176-1 (2026-01-01)"), Some(0x0601b0));
        assert_eq!(encoded("4.19.300"), Some(0x0413ff));
        assert_eq!(encoded("6.18"), None);
    }
}
