//! Sessions of a library's user, without a tool.

use std::path::Path;

use rawbpf::host::{RawTp, Tracepoint, Uprobe, UserFunction};
use rawbpf::insn::*;
use rawbpf::run::{Plan, Session};
use rawbpf::sys::link::At;
use rawbpf::sys::{Load, Map, MapSpec, MapType, ProgramType, prog};

use crate::tool;

/// Adds one to the map's word.
fn count(word: u32) -> Program {
    let mut a = Asm::new();
    a.load_map_value(r1, MapRef(0), 8 * word);
    a.mov(r2, 1);
    a.lock_add(u64_at(r1 + 0), r2);
    a.mov(r0, 0);
    a.exit();
    a.finish().unwrap()
}

fn counts(map: &Map) -> [u64; 3] {
    let mut value = [0; 24];
    assert!(map.lookup(&[0; 4], &mut value).unwrap());
    let (words, _) = value.as_chunks::<8>();
    [0, 1, 2].map(|word| u64::from_ne_bytes(words[word]))
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn one_session_has_programs_of_several_kinds() {
    tool::with_tracefs();
    let own = Path::new("/proc/self/exe");
    let probed_here = UserFunction::find(own, "host::session::probed", None).unwrap();
    let plans = vec![
        Plan::new("raw", RawTp::new("sys_enter"), count(0)),
        Plan::new("record", Tracepoint::new("syscalls", "sys_enter_getppid"), count(1)),
        Plan::new("user", Uprobe::new(probed_here, At::Entry), count(2)),
    ];
    let map = MapSpec::new("counts", MapType::Array, 4, 24, 1);
    let session = Session::attach(&[map], plans).unwrap();
    assert_ne!(probed(), 0);
    let [raw, record, user] = counts(&session.maps[0]);
    assert!(raw >= record && record >= 1 && user == 1, "{raw} {record} {user}");
    let kinds: Vec<_> = session.attached.iter().map(|one| (&*one.name, one.word)).collect();
    assert_eq!(kinds, [("raw", "raw_tp"), ("record", "tracepoint"), ("user", "uprobe")]);
    assert_eq!(session.attached[1].to_string(), "tracepoint syscalls/sys_enter_getppid");
    assert!(session.skipped.is_empty() && session.left_out.is_empty());
}

#[inline(never)]
fn probed() -> u32 {
    std::os::unix::process::parent_id()
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn an_optional_program_without_a_place_is_left_out_as_long_as_another_works() {
    let missing = || {
        let mut plan = Plan::new("missing", RawTp::new("no_such_tracepoint"), count(1));
        plan.optional = true;
        plan
    };
    let map = MapSpec::new("counts", MapType::Array, 4, 24, 1);
    let plans = vec![missing(), Plan::new("there", RawTp::new("sys_enter"), count(0))];
    let session = Session::attach(std::slice::from_ref(&map), plans).unwrap();
    assert_eq!(session.left_out.len(), 1);
    assert_eq!(session.left_out[0].attach.to_string(), "raw_tp no_such_tracepoint");
    assert_eq!(session.attached.len(), 1);
    let error = Session::attach(&[map], vec![missing()]).err().unwrap();
    assert_eq!(error.what, "this kernel has no tracepoint no_such_tracepoint");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_refused_load_is_diagnosed_in_one_call() {
    let mut a = Asm::new();
    a.mov(r0, r7);
    a.exit();
    let program = a.finish().unwrap();
    let insns = encode(program.insns(), Endian::HOST);
    let load = Load { name: "unset", insns: &insns, ..Load::new(ProgramType::SocketFilter) };
    let error = prog::load(&load).unwrap_err();
    let diagnosis = error.diagnosis(&program).unwrap();
    assert!(diagnosis.sentence.contains("r7"), "{}", diagnosis.sentence);
    assert_eq!(diagnosis.at, Some(0));
}
