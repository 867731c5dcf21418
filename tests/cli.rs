//! The command line without root and without help of the kernel.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Output};

fn rawbpf(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rawbpf")).args(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The listing of the kprobe's program, without the directives above it.
fn listing(args: &[&str]) -> String {
    let output = rawbpf(&[&["bitehist", "--dump-insns"], args].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    text.lines()
        .filter(|line| !line.starts_with('.'))
        .fold(String::new(), |all, line| all + line + "\n")
}

#[test]
fn wrong_usage_exits_2_and_says_why() {
    for (args, why) in [
        (&["bitehist", "0"][..], "0.001"),
        (&["bitehist", "-1"], "0.001"),
        (&["bitehist", "NaN"], "as in 100ms or 1m30s"),
        (&["bitehist", "soon"], "as in 100ms or 1m30s"),
        (&["bitehist", "1x"], "as in 100ms or 1m30s"),
        (&["bitehist", "2d"], "from 1ms to 1d"),
        (&["bitehist", "--duration", "0"], "from 1ms to 3660d"),
        (&["bitehist", "--summary", "10"], "try: --summary --duration 10"),
        (&["bioheat", "--summary"], "try: rawbpf biolatency --summary"),
        (&["bioheat", "--svg", "100ms"], "100ms is a number"),
        (&["bitehist", "1", "0"], "from 1"),
        (&["bitehist", "1", "some"], "from 1"),
        (&["bitehist", "--dump-insns", "raw"], "--dump-insns=raw"),
        (&["bitehist", "--btf", "/dev/zero", "1", "1"], "not a regular file"),
        (&["bitehist", "1", "2", "3"], "unexpected argument"),
        (&["bitehist", "--attach", "magic"], "magic"),
        (&["verify", "--step", "bitehist"], "--step needs a terminal, and stdout is none"),
        (&["verify", "--step", "/nosuchfile"], "without --step"),
        (&["verify", "--step", "--json", "bitehist"], "cannot be used with"),
        (
            &["verify", "bitehits"],
            "bitehits: no such file\n  the tools' names are in rawbpf --help",
        ),
        (&["bitehist", "--dump-insns=poem"], "poem"),
        (&["bitehist", "-d", "nosuchdisk"], "the disks of this host"),
        (&["bitehist", "-d", ""], "no disk"),
        (&["bitehist", "-d", "../loop0"], "no disk"),
        (&["bitehist", "--btf", "/nosuchfile", "--dump-insns"], "/nosuchfile"),
        (&["bitesize", "--top", "0"], "it must be a whole number from 1 to 4294967295"),
        (&["bitesize", "--top", "some"], "it must be a whole number from 1 to 4294967295"),
        (&["bitesize", "--max-keys", "0"], "it must be a whole number from 1 to 1048576"),
        (&["lesson", "some"], "it must be a lesson's number, from 1 to 30"),
        (&["lesson", "99"], "there is no lesson 99 (lessons are 1 to 30)"),
        (&["bitesize", "--by", "moon"], "[possible values: pid, tid, comm, uid, cgroup]"),
        (&["bitesize", "--sort", "name"], "[possible values: bytes, count]"),
        (&["bitesize", "-p", "dd"], "dd"),
        (&["funclatency"], "FUNCTION"),
        (&["funclatency", "f", "--linear", "1,2"], "MIN,MAX,STEP"),
        (&["funclatency", "f", "--linear", "9,2,1"], "MIN must be below MAX"),
        (&["funclatency", "f", "--linear", "0,100,0"], "STEP above 0"),
        (&["funclatency", "f", "--linear", "0,100,30"], "not a multiple of 30"),
        (&["funclatency", "f", "--linear", "0,1000000,1"], "1000000 buckets"),
        (&["funclatency", "f", "--linear", "0,10,1", "--custom", "1"], "cannot be used with"),
        (&["funclatency", "f", "--custom", "1,1"], "in rising order"),
        (&["funclatency", "f", "--custom", "0,1"], "must be above 0"),
        (&["funclatency", "f", "--custom", "1,two"], "\"two\" is not a whole number"),
        (&["funclatency", "f", "--by", "comm"], "comm"),
        (&["funclatency", "f", "-p", "0"], "0"),
        (&["funclatency", "f", "-p", "4194305"], "no process 4194305"),
        (&["funclatency", "f", "--attach", "tracepoint"], "tracepoint"),
        (&["funclatency", "/nosuchfile:f"], "/nosuchfile"),
        (&["argdist", "vfs_read"], "ARG|FIELD"),
        (&["argdist", "vfs_read", "arg6"], "arg0 to arg5"),
        (&["argdist", "vfs_read", "arg0->"], "a name is missing"),
        (&["argdist", "vfs_read", "a[0]"], "cannot be read\n  a[0]\n   ^^^\n"),
        (&["argdist", "vfs_read", "arg000"], "this argument is written arg0\n  arg000\n  ^^^^^^\n"),
        (&["argdist", "vfs_read", "(float)arg0"], "  (float)arg0\n   ^^^^^\n"),
        (&["argdist", "vfs_read", "str(arg0"], "not closed\n  str(arg0\n     ^^^^^\n"),
        (&["argdist", "vfs_*", "arg0"], "a pattern"),
        (&["argdist", "vfs_read", "arg0", "--attach", "tp_btf"], "fentry or kprobe"),
        (&["argdist", "block:block_rq_issue", "arg0", "--attach", "fentry"], "tp_btf or raw_tp"),
        (&["argdist", "block:block_rq_issue", "dev", "--attach", "fentry"], "tracepoint"),
        (&["argdist", "vfs_read", "arg0", "--linear", "1,2"], "MIN,MAX,STEP"),
        (&["argdist", "vfs_read", "arg0", "-p", "4194305"], "no process 4194305"),
        (&["argdist", "/nosuchfile:f", "arg0"], "/nosuchfile"),
        (&["list", "program"], "[possible values: programs, maps, links]"),
        (&["list", "--stats", "0"], "0.001"),
        (&["bitehits"], "bitehist"),
        (&[], "Usage"),
    ] {
        let output = rawbpf(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "{args:?}");
        assert!(stderr(&output).contains(why), "{args:?}: {}", stderr(&output));
    }
}

/// The advice to put `--` before an option that is not known would lead to a worse message.
#[test]
fn no_tip_leads_astray() {
    for args in [&["bitehist", "-y", "1"] as &[&str], &["funccount", "--nosuch"], &["list", "-Z"]] {
        let output = rawbpf(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let said = stderr(&output);
        assert!(said.starts_with("error: unexpected argument"), "{args:?}: {said}");
        assert!(!said.contains("-- -"), "{args:?}: {said}");
    }
    // There it leads to the tool.
    let said = stderr(&rawbpf(&["verify", "biolatency", "-F"]));
    assert!(said.contains("-- -F"), "{said}");
}

/// The text's errors.
fn mistakes(text: &str) -> String {
    stderr(&on_stdin(&["asm", "-"], text))
}

/// Ends with this text as its input.
fn on_stdin(args: &[&str], text: &str) -> Output {
    use std::io::Write;
    use std::process::Stdio;

    let mut command = Command::new(env!("CARGO_BIN_EXE_rawbpf"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may end before it has read everything.
    let _ = stdin.write_all(text.as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap()
}

#[test]
fn programs_are_interpreted_without_the_kernel() {
    const NOTE: &str = "note: interpreted: neither the kernel's verifier nor its JIT was asked\n";
    let two = ".map seen hash key 4 value 8 entries 4\n.map runs array key 4 value 8 entries 2
        .program first xdp
        r1 = map[runs][0]+0
        *(u64 *)(r1 + 0) = 3
        r0 = 2
        exit
        .program second socket_filter
        r6 = *(u32 *)(r1 + 0)
        *(u32 *)(fp - 4) = r6
        r1 = map[runs][0]+0
        r1 = *(u64 *)(r1 + 0)
        *(u64 *)(fp - 16) = r1
        r1 = map[seen]
        r2 = fp
        r2 += -4
        r3 = fp
        r3 += -16
        r4 = 0
        call bpf_map_update_elem
        r0 = r6
        exit";
    let output = on_stdin(&["run", "-", "--interpret", "--ctx", &"00".repeat(80)], two);
    assert_eq!((output.status.code(), &*stderr(&output)), (Some(0), NOTE));
    // As `rawbpf run` prints it, but for the time.
    let text = "first returned 2 (XDP_PASS) in 4 instructions\n\
        second returned 66 in 14 instructions\nseen (hash)\n  66: 3\nruns (array)\n  0: 3\n";
    assert_eq!(stdout(&output), text);

    let output = on_stdin(&["run", "-", "--interpret", "--json"], two);
    let lines: Vec<serde_json::Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["options"]["interpret"], true);
    let found: Vec<_> =
        lines[1..].iter().map(|line| (&line["program"], &line["returned"], &line["ns"])).collect();
    let (first, second) = ("first".into(), "second".into());
    assert_eq!(found, [(&first, &2.into(), &0.into()), (&second, &50.into(), &0.into())]);
    assert_eq!(lines[1]["tables"][0]["rows"], serde_json::json!([]));
    assert_eq!(lines[2]["tables"][0]["rows"][0]["value"], 3);

    // An event has a context only if one is given.
    let event = ".program t kprobe vfs_read\nr0 = *(u64 *)(r1 + 112)\nr0 += 1\nexit";
    let output = on_stdin(&["run", "-", "--interpret"], event);
    assert_eq!((output.status.code(), &*stdout(&output)), (Some(2), ""));
    assert!(stderr(&output).contains("--ctx HEX"), "{}", stderr(&output));
    let registers = format!("{}2900000000000000", "00".repeat(112));
    let output = on_stdin(&["run", "-", "--interpret", "--ctx", &registers], event);
    assert_eq!(stdout(&output), "t returned 42 in 3 instructions\n");

    for (text, code, why) in [
        (
            ".program t xdp\nr2 = 0\nr0 = *(u8 *)(r2 + 0)\nexit",
            1,
            "t: instruction 1 (r0 = *(u8 *)(r2 +0), <stdin>:3): the address is NULL",
        ),
        (
            ".program t xdp\nagain: goto again\nexit",
            1,
            "t did not end within 10000000 instructions",
        ),
        (
            ".program t xdp\ncall bpf_get_current_comm\nexit",
            1,
            "bpf_get_current_comm#16 needs a kernel",
        ),
        (
            ".program t xdp\n.map m array key 4 value 4096 entries 100000\nr0 = 0\nexit",
            1,
            "the maps need more than the 256 MiB that are here for them",
        ),
    ] {
        let output = on_stdin(&["run", "-", "--interpret"], text);
        assert_eq!((output.status.code(), &*stdout(&output)), (Some(code), ""), "{text}");
        assert!(stderr(&output).contains(why), "{text}: {}", stderr(&output));
    }
    let output = on_stdin(&["run", "-", "--interpret", "--ctx", "00"], two);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("--ctx: a packet has 14 to 3520 bytes"));

    // "hi\n", and its zero.
    let prints = ".program t socket_filter\n*(u32 *)(fp - 4) = 0x000a6968\nr1 = fp\nr1 += -4\nr2 = 4\n\
        call bpf_trace_printk\nexit";
    let output = on_stdin(&["run", "-", "--interpret"], prints);
    assert_eq!(stdout(&output), "t returned 3 in 6 instructions\n");
    if cfg!(target_endian = "little") {
        assert_eq!(stderr(&output), format!("{NOTE}hi\n"));
    }
}

#[test]
fn a_word_of_megabytes_is_not_repeated_whole() {
    let word = "x".repeat(3 << 20);
    for text in [
        word.clone(),
        format!("r0 = {word}"),
        format!("call {word}"),
        format!("goto {word}"),
        format!("r1 = map[{word}]"),
        format!(".map a {word} key 4 value 4 entries 4\nr0 = 0\nexit"),
        format!(".program {word} {word} {word}\nr0 = 0\nexit"),
        format!("r1 = *(u32 *)(r1 + offsetof(struct {word}, {word}))"),
    ] {
        let said = mistakes(&text);
        assert!(said.len() < 4000, "{} of {:.40}", said.len(), text);
    }
}

#[test]
fn a_word_that_is_like_none_gets_the_whole_list() {
    let said = mistakes(".map a zzz key 4 value 4 entries 4\nr0 = 0\nexit\n");
    assert!(said.contains("`zzz` is no map type"), "{said}");
    for name in rawbpf::sys::MapType::NAMES {
        assert!(said.contains(name), "{name}: {said}");
    }
}

#[test]
fn help_and_version_are_data() {
    for args in [&["--help"][..], &["--version"], &["bitehist", "-h"], &["help", "bitehist"]] {
        let output = rawbpf(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(!stdout(&output).is_empty(), "{args:?}");
        assert_eq!(stderr(&output), "", "{args:?}");
    }
}

#[test]
fn files_that_are_no_btf_are_refused() {
    for (name, bytes) in [
        ("empty", &b""[..]),
        ("text", b"hello, world, this is no BTF"),
        ("elf", b"\x7fELF\x02\x01\x01\0 and nothing behind it"),
        ("header", b"\x9f\xeb\x01\0\x18\0\0\0\0\0\0\0\xff\xff\xff\x7f\0\0\0\0\x01\0\0\0\0"),
    ] {
        let path = std::env::temp_dir().join(format!("rawbpf-test-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        let output = rawbpf(&["bitehist", "--dump-insns", "--btf", path.to_str().unwrap()]);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {output:?}");
        assert_eq!(stdout(&output), "", "{name}");
        assert!(stderr(&output).lines().count() <= 2, "{name}: {}", stderr(&output));
    }
}

#[test]
fn a_file_of_types_that_is_too_large_is_refused_with_the_limit() {
    let path = std::env::temp_dir().join(format!("rawbpf-test-{}-large", std::process::id()));
    File::create(&path).unwrap().set_len((256 << 20) + 1).unwrap();
    let output = rawbpf(&["bitehist", "--dump-insns", "--btf", path.to_str().unwrap()]);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(stderr(&output).contains("it has more than 256 MiB"), "{}", stderr(&output));
}

#[test]
fn a_program_without_types_is_listed_by_name() {
    // An empty BTF tells nothing, as a kernel without BTF would.
    let path = std::env::temp_dir().join(format!("rawbpf-test-{}-void", std::process::id()));
    std::fs::write(&path, b"\x9f\xeb\x01\0\x18\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0").unwrap();
    let btf = ["--btf", path.to_str().unwrap()];
    let text = listing(&btf);
    let raw = rawbpf(&[&["bitehist", "--dump-insns=raw"][..], &btf].concat());
    std::fs::remove_file(&path).unwrap();
    assert!(text.contains("r3 += offsetof(struct request, __data_len)\n"), "{text}");
    // Bytes cannot name it: better none than wrong ones.
    assert_eq!(raw.status.code(), Some(77));
    assert!(raw.stdout.is_empty());
}

/// Without BTF on this host the bytes cannot be told.
fn has_btf() -> bool {
    let has = File::open("/sys/kernel/btf/vmlinux").is_ok();
    if !has {
        eprintln!("skipped: this host has no BTF");
    }
    has
}

#[test]
fn all_formats_show_the_same_program() {
    if !has_btf() {
        return;
    }
    let text = listing(&[]);
    let dump = |format: &str| rawbpf(&["bitehist", &format!("--dump-insns={format}")]);
    let raw = dump("raw").stdout;
    assert!(raw.len() % 8 == 0 && raw.len() > 100);
    let insns = rawbpf::insn::decode(&raw, rawbpf::insn::Endian::HOST).unwrap();
    assert_eq!(insns.len(), text.lines().count());
    let hex = |bytes: &[u8], between: &str| {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(between)
    };

    let lines = stdout(&dump("hex"));
    let slots: Vec<_> = raw.chunks(8).map(|slot| hex(slot, " ")).collect();
    assert_eq!(lines.lines().collect::<Vec<_>>(), slots);

    let c = stdout(&dump("c"));
    assert!(c.starts_with(&format!("static const unsigned char bitehist[{}] = {{\n", raw.len())));
    let in_c: String = c.split("0x").skip(1).map(|byte| &byte[..2]).collect();
    assert_eq!(in_c, hex(&raw, ""));

    let opcodes = stdout(&dump("opcodes"));
    let (bytes, shown): (Vec<_>, Vec<_>) = opcodes
        .lines()
        .filter(|line| !line.starts_with('.'))
        .partition(|line| line.starts_with(' '));
    assert_eq!(shown, text.lines().collect::<Vec<_>>());
    assert_eq!(bytes.concat().replace(' ', ""), hex(&raw, ""));

    let linum = stdout(&dump("linum"));
    let shown: Vec<_> = linum.lines().filter(|line| !line.starts_with(['.', ';'])).collect();
    assert_eq!(shown, text.lines().collect::<Vec<_>>());
    assert!(linum.contains("; a.log2(r8, r7, r1); @ programs/bitehist.rs:"), "{linum}");

    let json: serde_json::Value = serde_json::from_slice(&dump("json").stdout).unwrap();
    let shown = json["insns"].as_array().unwrap().iter();
    let shown: Vec<_> = shown.map(|insn| insn["text"].as_str().unwrap()).collect();
    let expected: Vec<_> = text.lines().map(|line| line.split_once(") ").unwrap().1).collect();
    assert_eq!(shown, expected);
    assert_eq!(json["maps"][0]["name"], "hist");
    assert_eq!(json["insns"][0]["file"], "programs/bitehist.rs");
}

#[test]
fn every_attach_kind_has_a_listing() {
    for kind in ["kprobe", "fentry", "tp_btf", "raw_tp", "tracepoint"] {
        let text = listing(&["--attach", kind]);
        assert!(text.contains("lock *(u64 *)(r1 +0) += r2"), "{kind}: {text}");
        let reads = text.contains("call bpf_probe_read_kernel#113");
        assert_eq!(reads, matches!(kind, "kprobe" | "raw_tp"), "{kind}: {text}");
    }
}

#[test]
fn a_tool_of_two_programs_lists_both() {
    if !has_btf() {
        return;
    }
    let output = rawbpf(&["bitesize", "--dump-insns", "--attach", "tp_btf"]);
    let text = stdout(&output);
    let programs = text.lines().filter(|line| line.starts_with(".program"));
    let programs: Vec<_> = programs.collect();
    assert_eq!(programs.len(), 2, "{text}");
    assert!(programs[0].starts_with(".program bitesize_submit raw_tp block_"), "{text}");
    assert_eq!(programs[1], ".program bitesize tp_btf block_rq_issue");
}

#[test]
fn under_a_tools_name_the_program_is_that_tool() {
    let link = std::env::temp_dir().join(format!("rawbpf-test-{}", std::process::id()));
    std::fs::create_dir_all(&link).unwrap();
    let link = link.join("bitehist");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_rawbpf"), &link).unwrap();
    let output = Command::new(&link).arg("--dump-insns").output().unwrap();
    std::fs::remove_dir_all(link.parent().unwrap()).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout, rawbpf(&["bitehist", "--dump-insns"]).stdout);
}

#[test]
fn a_tool_is_dumped_by_its_name_too() {
    let dumped = rawbpf(&["dump", "bitehist", "--", "--attach", "raw_tp"]);
    assert_eq!(
        stdout(&dumped),
        stdout(&rawbpf(&["bitehist", "--attach", "raw_tp", "--dump-insns"]))
    );
}

/// A log of each kind, in a file that is removed again.
fn with_log(text: &str, check: impl FnOnce(&str)) {
    let name = format!("rawbpf-log-{}-{:?}", std::process::id(), std::thread::current().id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, text).unwrap();
    check(path.to_str().unwrap());
    std::fs::remove_file(path).unwrap();
}

const LOG: &str = "\
libbpf: prog 'leave': -- BEGIN PROG LOAD LOG --
0: R1=ctx() R10=fp0
0: (85) call bpf_get_prandom_u32#7    ; R0=scalar()
1: (61) r0 = *(u32 *)(r1 +0)
R1 !read_ok
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
-- END PROG LOAD LOG --
";

#[test]
fn a_log_is_explained_without_its_program() {
    with_log(LOG, |path| {
        let output = rawbpf(&["explain", path]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let text = stdout(&output);
        assert!(
            text.starts_with("error: r1 is not readable at 1") || text.contains("wiped"),
            "{text}"
        );
        assert!(text.contains(" 1 | (61) r0 = *(u32 *)(r1 +0)\n"), "{text}");
        let walk = stdout(&rawbpf(&["explain", "-v", path]));
        assert!(walk.starts_with(".program leave\n") && walk.ends_with(&text), "{walk}");
        let json = stdout(&rawbpf(&["explain", "--json", path]));
        let last: serde_json::Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
        assert_eq!((&last["type"], &last["at"]), (&"verdict".into(), &1.into()), "{last}");
        let page = stdout(&rawbpf(&["explain", "--html", "-", path]));
        assert!(page.contains("rebuilt from the verifier") && page.contains("wiped"), "{page}");
        for command in ["verify", "asm", "run"] {
            let output = rawbpf(&[command, path]);
            assert_ne!(output.status.code(), Some(0));
            let said = stderr(&output);
            assert!(said.contains(&format!("try: rawbpf explain {path}")), "{command}: {said}");
        }
    });
}

#[test]
fn a_text_without_a_log_says_what_a_log_looks_like() {
    with_log("r0 = 0\nexit\n", |path| {
        let output = rawbpf(&["explain", path]);
        assert_eq!(output.status.code(), Some(1));
        let said = stderr(&output);
        assert!(
            said.contains("there is no log of the verifier in it\n  a log has lines such as"),
            "{said}"
        );
    });
}

#[test]
fn the_source_lines_in_the_readme_are_true() {
    let linum = stdout(&rawbpf(&["bitehist", "--dump-insns=linum"]));
    let linum = linum + include_str!("dump/objects/all.txt");
    let readme = include_str!("../README.md");
    let ours = |line: &&str| line.contains(" @ programs/") || line.contains(" @ ./all.c");
    let shown = readme.lines().filter(|line| line.starts_with("; "));
    let shown: Vec<_> = shown.filter(ours).collect();
    assert!(!shown.is_empty());
    for line in shown {
        assert!(linum.lines().any(|known| known == line), "{line}\n{linum}");
    }
}

#[test]
fn what_bcc_says_of_a_long_program_is_explained() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bcc.txt");
    std::fs::write(
        &path,
        "bpf: Argument list too long. Program f too large (5000 insns), at most 4096 insns\n",
    )
    .unwrap();
    let output = rawbpf(&["explain", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let says = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(says.contains("the program has 5000 instructions, more than the 4096"), "{says}");
}
