//! The kernel's release, and what it reports about itself.

use std::env::consts::ARCH;
use std::os::fd::AsFd;

use super::check::{cannot_tell, check};
use super::features::{load, nothing};
use crate::btf::{BtfFunction, ProgramBtf};
use crate::error::Error;
use crate::host::{AttachKind, refusal, registers, silent};
use crate::sys::{self, Errno, Map, MapSpec, MapType, ProgramType, Tracefs, file, object, uname};
use crate::view::checks::Check;

pub fn checks() -> Vec<Check> {
    vec![
        release(),
        registers(),
        check("bpf(2)", bpf()),
        jit(),
        btf(),
        check("BTF of programs", program_btf()),
        check("tracefs", tracefs()),
        check("probes run", probes_run()),
    ]
}

fn release() -> Check {
    check("release", Ok(format!("{} {ARCH}", uname::kernel_release())))
}

fn registers() -> Check {
    let known = registers::host().map(|_| format!("known for a function's arguments on {ARCH}"));
    let unknown = || Error::lacking(format!("unknown for a function's arguments on {ARCH}"));
    check("registers", known.ok_or_else(|| unknown().hint("fentry and tp_btf need no registers")))
}

fn bpf() -> Result<String, Error> {
    let map = Map::create(&MapSpec::new("doctor", MapType::Array, 4, 8, 1));
    map.map(|_| String::new()).map_err(|error| refusal::map(&error))
}

/// Whether programs are compiled: the kernel reports the size of each program's machine code.
fn jit() -> Check {
    let prog = load(ProgramType::SocketFilter, &nothing());
    let prog = match prog {
        Ok(prog) => prog,
        Err(error) => return check("JIT", Err(AttachKind::RawTp.explain(&error))),
    };
    match object::prog_info(prog.as_fd()) {
        Ok(object::ProgInfo { jited_len: 1.., .. }) => check("JIT", Ok(String::new())),
        // The kernel reports it only to those who may read its memory.
        Ok(_) if refusal::privilege().is_some() => cannot_tell("JIT", "not permitted"),
        Ok(_) => check(
            "JIT",
            Err(Error::lacking("programs are interpreted, which is slow").hint(refusal::no_jit())),
        ),
        Err(error) => cannot_tell("JIT", error.to_string()),
    }
}

fn btf() -> Check {
    let missing = |error: sys::FileError| match error.errno() {
        Errno::ENOENT => refusal::no_sysfs().unwrap_or_else(|| {
            Error::lacking("this kernel has none (CONFIG_DEBUG_INFO_BTF)")
                .hint("the tools can use BTF from a vmlinux or a BTF file: --btf FILE")
        }),
        _ => Error::lacking(error.to_string()),
    };
    let found = file::kernel_btf("vmlinux").map(|bytes| {
        let how = if bytes.is_mapped() { "mapped" } else { "read" };
        format!("{:.1} MB, {how}", bytes.len() as f64 / 1e6)
    });
    check("BTF", found.map_err(missing))
}

/// Whether the kernel accepts BTF of programs, with which its log shows our source lines.
fn program_btf() -> Result<String, Error> {
    let function = BtfFunction { name: "doctor", parameters: &["ctx"], slot: 0 };
    let types = ProgramBtf::new(&[function], &[]);
    match sys::LoadedBtf::load(&types.btf) {
        Ok(_) => Ok(String::new()),
        Err(error) if error.errno == Errno::EPERM => {
            Err(refusal::map(&sys::SysError { call: error.call, errno: error.errno }))
        }
        Err(error) => Err(Error::lacking("refused: the verifier's log will have no source lines")
            .detail(format!("{error}\n{}", error.log))),
    }
}

/// Whether kprobes and trampolines are on, as far as files say.
fn probes_run() -> Result<String, Error> {
    silent::kprobes_off().or_else(silent::ftrace_off).map_or(Ok(String::new()), Err)
}

fn tracefs() -> Result<String, Error> {
    let tracefs = Tracefs::find().ok_or_else(refusal::no_tracefs)?;
    Ok(format!("at {}", tracefs.root().display()))
}
