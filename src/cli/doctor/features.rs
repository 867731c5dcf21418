//! The helpers and instructions that programs may use, each tried by loading it.

use super::check::{check, since};
use crate::error::Error;
use crate::host::AttachKind;
use crate::insn::helper::*;
use crate::insn::{Cond::Lt, *};
use crate::sys::{self, AttachType, Errno, Load, LoadError, Prog, ProgramType};
use crate::view::checks::Check;

/// `r0 = 0; exit`
pub fn nothing() -> Program {
    program(|_| {})
}

/// The instructions of `body`, then `r0 = 0; exit`.
fn program(body: impl FnOnce(&mut Asm)) -> Program {
    let mut a = Asm::new();
    body(&mut a);
    a.mov(r0, 0);
    a.exit();
    a.finish().expect("the few instructions of a trial are in order")
}

/// Loads a program without maps.
pub fn load(program_type: ProgramType, program: &Program) -> Result<Prog, LoadError> {
    load_for(program_type, None, 0, program)
}

/// Loads a program without maps, for this attach type and BTF id.
pub fn load_for(
    program_type: ProgramType,
    expected_attach_type: Option<AttachType>,
    attach_btf_id: u32,
    program: &Program,
) -> Result<Prog, LoadError> {
    let insns = &encode(program.insns(), Endian::HOST);
    sys::prog::load(&Load {
        name: "doctor",
        insns,
        expected_attach_type,
        attach_btf_id,
        ..Load::new(program_type)
    })
}

/// The helpers that tools call.
const HELPERS: [Helper; 9] = [
    PROBE_READ_KERNEL,
    PROBE_READ_USER,
    KTIME_GET_NS,
    GET_CURRENT_PID_TGID,
    GET_NS_CURRENT_PID_TGID,
    GET_CURRENT_UID_GID,
    GET_CURRENT_COMM,
    GET_CURRENT_CGROUP_ID,
    GET_ATTACH_COOKIE,
];

pub fn helpers() -> Vec<Check> {
    let tried = HELPERS.map(|helper| {
        let program = program(|a| {
            // Some helpers fill memory, some of them from an address; one needs the context in r1.
            if helper != GET_ATTACH_COOKIE {
                a.mov(r1, fp);
                a.add(r1, -16);
            }
            a.mov(r2, 16);
            a.mov(r3, 0);
            if helper == GET_NS_CURRENT_PID_TGID {
                a.mov(r3, fp);
                a.add(r3, -8);
                a.mov(r4, 8);
            }
            a.call(helper);
        });
        let needs = since(helper.since.0.into(), helper.since.1.into());
        let name = helper.name.trim_start_matches("bpf_");
        refused_or_ok(name, ProgramType::Kprobe, &program, "this kernel does not have it", &needs)
    });
    tried.into()
}

/// Instructions, in the order in which kernels introduced them.
pub fn instructions() -> Vec<Check> {
    let loop_of_four = program(|a| {
        a.mov(r1, 0);
        let again = a.here();
        a.add(r1, 1);
        a.jump_if(r1, Lt, 4, &again);
    });
    let fetch = program(|a| {
        a.mov(r1, 1);
        a.store(u64_at(fp - 8), 0);
        a.fetch_add(u64_at(fp - 8), r1);
    });
    let v4 = program(|a| {
        let next = a.label();
        a.gotol(&next);
        a.place(next);
        a.mov(r1, 1);
        a.movsx8(r1, r1);
    });
    let may_goto = program(|a| {
        let next = a.label();
        a.may_goto(&next);
        a.mov(r1, 1);
        a.place(next);
    });
    let load_acquire = program(|a| {
        a.store(u64_at(fp - 8), 0);
        a.load_acquire(r1, u64_at(fp - 8));
    });
    [
        ("bounded loops", loop_of_four, since(5, 3)),
        ("atomics with fetch", fetch, since(5, 12)),
        ("ISA v4", v4, since(6, 6)),
        ("may_goto", may_goto, since(6, 9)),
        ("load_acquire", load_acquire, since(6, 15)),
    ]
    .map(|(name, program, needs)| {
        let missing = "the verifier refuses it";
        refused_or_ok(name, ProgramType::SocketFilter, &program, missing, &needs)
    })
    .into()
}

fn refused_or_ok(
    name: &str,
    program_type: ProgramType,
    program: &Program,
    missing: &str,
    needs: &str,
) -> Check {
    let tried = load(program_type, program).map(|_| String::new()).map_err(|error| {
        let forbidden = matches!(error.errno, Errno::EPERM | Errno::ENOSYS);
        match AttachKind::Kprobe.explain(&error) {
            refused if forbidden || refused.what.contains("locked down") => refused,
            refused => Error { detail: refused.detail, ..Error::lacking(missing).hint(needs) },
        }
    });
    check(name, tried)
}
