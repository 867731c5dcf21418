//! Programs of ours that the running kernel's verifier refuses.

use rawbpf::error::{Error, Failure};
use rawbpf::host::RawTp;
use rawbpf::insn::*;
use rawbpf::run::{Plan, Session};
use rawbpf::sys::map::{MapSpec, MapType};

use crate::tool;

/// Why a program at a raw tracepoint is refused.
fn refused(write: impl Fn(&mut Asm)) -> Error {
    // A hash: the kernel knows of an array that a constant key in it is never missing.
    let maps = [MapSpec::new("counts", MapType::Hash, 4, 8, 4)];
    let mut a = Asm::new();
    write(&mut a);
    let plan = Plan::new("broken", RawTp::new("sys_enter"), a.finish().unwrap());
    Session::attach(&maps, vec![plan]).err().unwrap()
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_missing_null_check_is_a_sentence_with_the_instructions_behind_it() {
    let error = refused(|a| {
        a.store(u32_at(fp - 4), 0);
        a.mov(r2, fp);
        a.add(r2, -4);
        a.load_map(r1, MapRef(0));
        a.call(helper::MAP_LOOKUP_ELEM);
        a.load(r1, u64_at(r0 + 0));
        a.mov(r0, 0);
        a.exit();
    });
    assert_eq!(error.failure, Failure::Failed);
    let sentence = "the verifier refused the raw_tp program: r0 may be NULL at 6: \
                    bpf_map_lookup_elem at 5 can return NULL";
    assert!(error.what.starts_with(sentence), "{error}");
    let refused = error.refused.unwrap();
    assert!(refused.log.contains("R0 invalid mem access 'map_value_or_null'"));
    let text = refused.render(false);
    let shown = " 6 | (79) r1 = *(u64 *)(r0 +0)\n   |                    ^^ NULL or the address";
    assert!(text.contains(shown), "{text}");
    assert!(text.contains("change: insert after instruction 5: `if r0 == 0 goto L`"), "{text}");
    assert!(!text.contains('\x1b') && refused.render(true).contains("\x1b[1;31merror\x1b[0m"));
}

const UNCHECKED: &str = "\
.program unchecked socket_filter
.map counts hash key 4 value 8 entries 4
  *(u32 *)(r10 -4) = 0 ; the key
  r2 = r10
  r2 += -4
  r1 = map[counts]
  call bpf_map_lookup_elem#1
  r1 = *(u64 *)(r0 +0) ; not checked
  r0 = 0
  exit
";

/// Whether it is attached or run.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn of_several_programs_the_one_that_is_refused_is_named() {
    let text = std::env::temp_dir().join(format!("rawbpf-two-{}.bpf", std::process::id()));
    for kind in ["socket_filter", "raw_tp sys_enter"] {
        let good = format!(".program good {kind}\nr0 = 0\nexit\n");
        let bad = format!(".program bad {kind}\nr0 = r5\nexit\n");
        std::fs::write(&text, good + &bad).unwrap();
        let ended = tool::run("run", &[text.to_str().unwrap()]);
        let said = "run: bad: the verifier refused the ";
        assert!(ended.code == Some(1) && ended.stderr.starts_with(said), "{}", ended.stderr);
    }
    std::fs::remove_file(&text).unwrap();
}

/// A sentence, and a flag away each of the instructions and the log.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_text_that_is_refused_shows_its_own_lines() {
    let folder = std::env::temp_dir().join(format!("rawbpf-refusal-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (text, log) = (folder.join("unchecked.bpf"), folder.join("log"));
    std::fs::write(&text, UNCHECKED).unwrap();
    let run = |args: &[&str]| {
        let ended = tool::run("run", &[&[text.to_str().unwrap()], args].concat());
        assert_eq!(ended.code, Some(1));
        (ended.stdout, ended.stderr)
    };
    let (out, plain) = run(&[]);
    assert!(out.is_empty() && plain.lines().count() == 2, "{out}{plain}");
    assert!(plain.contains("r0 may be NULL at 6: bpf_map_lookup_elem at 5 can"), "{plain}");
    assert!(plain.contains("-v") && plain.contains("--verifier-log"), "{plain}");

    let (_, verbose) = run(&["-v", "--verifier-log", log.to_str().unwrap()]);
    assert!(verbose.contains("unchecked.bpf:8, instruction 6\n"), "{verbose}");
    assert!(verbose.contains("unchecked.bpf:8: r1 = *(u64 *)(r0 +0) ; not checked"), "{verbose}");
    assert!(!verbose.contains('\x1b'), "{verbose}");
    let written = std::fs::read_to_string(&log).unwrap();
    assert!(written.contains("R0 invalid mem access") && written.contains("\nprocessed 6 insns"));

    let (out, _) = run(&["--verifier-log", "-"]);
    assert!(out.contains("R0 invalid mem access 'map_value_or_null'\nprocessed"), "{out}");
    let (_, unwritten) = run(&["--verifier-log", "/nowhere/log"]);
    assert!(unwritten.contains("/nowhere/log cannot be written: No such file"), "{unwritten}");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// More than a million instructions: a log of far more than 16 MiB, and the reason is still told.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn an_endless_log_still_has_a_reason() {
    let error = refused(|a| {
        a.mov(r0, 0);
        let turn = a.here();
        a.add(r0, 1);
        a.jump_if(r0, Cond::Lt, 2_000_000, &turn);
        a.exit();
    });
    assert!(error.what.contains("the loop from 1 to 2 has more iterations than fit"), "{error}");
}

/// The rule that a map breaks is told, and a map that keeps it is made.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_map_that_the_kernel_does_not_make_is_told_why() {
    let file = std::env::temp_dir().join(format!("rawbpf-map-{}.bpf", std::process::id()));
    let run = |map: &str| {
        let text =
            format!(".program user_of_map sched_cls\n.map m {map}\n r1 = map[m]\n r0 = 0\n exit\n");
        std::fs::write(&file, text).unwrap();
        let ended = tool::run("run", &[file.to_str().unwrap()]);
        (ended.code, ended.stderr)
    };
    for (map, what, next, mended) in [
        ("hash key 0 value 8 entries 4", "has key 0", "key 1", "hash key 1 value 8 entries 4"),
        ("hash key 4 value 0 entries 4", "have 0 bytes", "value 1", "hash key 4 value 1 entries 4"),
        ("hash key 4 value 8 entries 0", "no entries", "1 or more", "hash key 4 value 8 entries 1"),
        ("array key 8 value 8 entries 4", "its index", "key 4", "array key 4 value 8 entries 4"),
        (
            "array key 4 value 8 entries 4 flags 1",
            "preallocated",
            "remove flag 1",
            "array key 4 value 8 entries 4",
        ),
        (
            "lru_hash key 4 value 8 entries 4 flags 1",
            "preallocated",
            "remove flag 1",
            "lru_hash key 4 value 8 entries 4",
        ),
        (
            "hash key 4 value 8 entries 4 flags 2",
            "has LRU lists",
            "remove flag 2",
            "hash key 4 value 8 entries 4",
        ),
        (
            "array key 4 value 8 entries 1 lock 6",
            "a lock has 4 bytes",
            "lock 0",
            "array key 4 value 8 entries 1 lock 4",
        ),
        (
            "hash key 12 value 8 entries 1 lock 8",
            "a lock has 4 bytes",
            "lock 0",
            "hash key 12 value 8 entries 1 lock 0",
        ),
        (
            "percpu_array key 4 value 8 entries 1 lock 0",
            "need no lock",
            "remove lock",
            "percpu_array key 4 value 8 entries 1",
        ),
        ("ringbuf entries 4097", "power of two", "262144", "ringbuf entries 262144"),
        (
            "ringbuf key 4 value 0 entries 4096",
            "neither keys nor values",
            "only entries",
            "ringbuf entries 4096",
        ),
        ("queue key 4 value 8 entries 4", "has no keys", "key 0", "queue key 0 value 8 entries 4"),
        (
            "lpm_trie key 8 value 8 entries 4",
            "preallocated",
            "flags 1",
            "lpm_trie key 8 value 8 entries 4 flags 1",
        ),
        (
            "lpm_trie key 4 value 8 entries 4 flags 1",
            "length of the prefix",
            "key 8",
            "lpm_trie key 8 value 8 entries 4 flags 1",
        ),
        (
            "stack_trace key 4 value 12 entries 4",
            "for each frame",
            "value 1016",
            "stack_trace key 4 value 1016 entries 4",
        ),
        (
            "perf_event_array key 4 value 8 entries 4",
            "descriptors",
            "value 4",
            "perf_event_array key 4 value 4 entries 4",
        ),
        (
            "percpu_array key 4 value 32769 entries 4",
            "up to 32768",
            "smaller",
            "percpu_array key 4 value 32768 entries 4",
        ),
        (
            "hash key 4 value 4194304 entries 1",
            "4194304 bytes together",
            "array",
            "array key 4 value 4194304 entries 1",
        ),
    ] {
        let (code, said) = run(map);
        assert_eq!(code, Some(1), "{map}: {said}");
        let (first, second) = said.trim_end().split_once("\n  ").expect(map);
        assert!(first.contains("the kernel refuses map m (") && first.contains(what), "{said}");
        assert!(second.contains(next) && !said.contains("EINVAL"), "{said}");
        let (code, said) = run(mended);
        assert_eq!(code, Some(0), "{mended}: {said}");
    }
    let (_, said) = run("array key 4 value 1048576 entries 4294967295");
    assert!(said.contains("no memory for map m: 4294967295 entries of 1048580 bytes"), "{said}");
    let (_, said) = run("hash key 4 value 8 entries 4 flags 0x8000000");
    assert!(said.contains("does not know the type or a flag"), "{said}");
    std::fs::remove_file(&file).unwrap();
}
