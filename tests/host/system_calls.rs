//! System calls, which funccount counts by their number at the two tracepoints that all of them have.

use std::fs;
use std::io::{Write, stdin};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc;
use rawbpf::host::system_calls;
use serde_json::Value;

use crate::lines::{self, intervals, rows};
use crate::tool::{self, Tool};

/// The sixth argument of calls that are refused before the kernel looks at them.
const REFUSED: i64 = 0x7261_7762;

/// This many times, and once more than that for each number before it, a call is made.
const TIMES: u64 = 10;

/// Those that kill whoever calls them.
const DEADLY: [u32; 2] = [335, 336];

/// Not a test by itself: makes each system call, refused by a seccomp filter of its own. The tracepoints of returns
/// see such calls too.
#[test]
#[ignore = "the other half of each_number_has_its_name: run tests/run"]
fn calls_of_all_numbers() {
    if std::env::var_os("RAWBPF_TEST_CALLS").is_none() {
        return;
    }
    stdin().read_line(&mut String::new()).unwrap();
    let statement = |code: u32, k: u32, jt, jf| libc::sock_filter { code: code as u16, jt, jf, k };
    let sixth = 16 + 5 * 8;
    let mut filter = [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, sixth, 0, 0),
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, REFUSED as u32, 0, 1),
        statement(libc::BPF_RET, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32, 0, 0),
        statement(libc::BPF_RET, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the filter outlives the call, and refuses every call that is made here; the process then ends.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(
            libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program),
            0
        );
        for number in (0..system_calls::NUMBERS).filter(|number| !DEADLY.contains(number)) {
            for _ in 0..TIMES * u64::from(number + 1) {
                libc::syscall(number.into(), 0, 0, 0, 0, 0, REFUSED);
            }
        }
        libc::_exit(0);
    }
}

/// The counts of all rows, by name.
fn counts(json: &str) -> Vec<(String, u64)> {
    let lines = intervals(json);
    let rows = lines.iter().flat_map(rows);
    rows.map(|row| (row["labels"]["function"].as_str().unwrap().to_owned(), lines::count(row)))
        .collect()
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn each_number_has_its_name() {
    tool::with_tracefs();
    let mut calls = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "system_calls::calls_of_all_numbers"])
        .env("RAWBPF_TEST_CALLS", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pid = calls.id().to_string();
    let tool = Tool::start("funccount", &["syscalls:sys_exit_*", "-p", &pid, "--json", "3600"]);
    calls.stdin.take().unwrap().write_all(b"\n").unwrap();
    calls.wait().unwrap();
    let output = tool.stop();
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let counts = counts(&output.stdout);
    let events = "/sys/kernel/tracing/events/syscalls/sys_exit_";
    let there = system_calls::numbers().filter(|(number, name)| {
        fs::exists(format!("{events}{name}")).unwrap() && !DEADLY.contains(number)
    });
    let mut checked = 0;
    for (number, name) in there {
        let name = format!("syscalls:sys_exit_{name}");
        let counted =
            counts.iter().find(|(function, _)| *function == name).map(|(_, count)| *count);
        // The process also makes a few calls that it needs.
        assert_eq!(
            counted.map(|count| count / TIMES),
            Some(u64::from(number) + 1),
            "{number} {name}"
        );
        checked += 1;
    }
    assert!(checked > 300, "{checked}");
}

/// 191 is getxattr, and getrlimit for 32-bit programs, whose calls the tracepoints of single calls leave out.
#[test]
#[cfg(target_arch = "x86_64")]
#[ignore = "needs root and bpf(2): run tests/run"]
fn calls_of_32_bit_programs_are_not_taken_for_others() {
    tool::with_tracefs();
    let pid = std::process::id().to_string();
    let tool = Tool::start("funccount", &["syscalls:sys_*_getxattr", "-p", &pid, "--json", "3600"]);
    for _ in 0..1009 {
        // SAFETY: the kernel gets no address; a kernel without 32-bit calls is not tested on.
        unsafe {
            std::arch::asm!("int 0x80", inlateout("eax") 191 => _, in("ecx") 0, out("r8") _, out("r9") _, out("r10") _, out("r11") _)
        };
    }
    for _ in 0..101 {
        // SAFETY: the kernel refuses the addresses.
        unsafe { libc::syscall(191, 0, 0, 0, 0) };
    }
    let output = tool.stop();
    let mut counts = counts(&output.stdout);
    counts.sort();
    let expected = ["syscalls:sys_enter_getxattr", "syscalls:sys_exit_getxattr"];
    assert_eq!(counts, expected.map(|name| (name.to_owned(), 101)));
}

/// The programs that this process holds, by their ids.
fn programs(pid: u32) -> Vec<u64> {
    let listed = tool::run("list", &["programs", "--json"]).stdout;
    let programs = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let held = |program: &Value| {
        program["processes"].as_array().unwrap().iter().any(|process| process["pid"] == pid)
    };
    programs.filter(held).map(|program| program["id"].as_u64().unwrap()).collect()
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn nothing_of_hundreds_of_system_calls_is_left_after_a_second() {
    tool::with_tracefs();
    let tool = Tool::start("funccount", &["syscalls:*", "sched:*", "--json", "3600"]);
    let programs = programs(tool.id());
    assert!(programs.len() > 2, "{programs:?}");
    let start = Instant::now();
    assert_eq!(tool.stop().code, Some(0));
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    thread::sleep(Duration::from_secs(1).saturating_sub(start.elapsed()));
    let listed = tool::run("list", &["programs", "--json"]).stdout;
    let listed = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let left: Vec<_> =
        listed.filter(|program| programs.contains(&program["id"].as_u64().unwrap())).collect();
    assert!(left.is_empty(), "{left:?}");
}
