//! verify: sections of objects, judged as libbpf's load judges them.

use std::path::Path;
use std::process::{Command, Stdio};

use rawbpf::host::Section;
use rawbpf::insn::{Asm, Endian, encode, r0};
use rawbpf::sys::{Load, prog};
use serde_json::Value;

use super::folder::Folder;
use super::program::bpf_object;
use super::tool::{self, Ended};

/// Names with a place that this kernel has.
const PLACED: [&str; 19] = [
    "kprobe/vfs_read",
    "kretprobe/no_such_function",
    "uprobe//no/such/file:main",
    "kprobe.multi/vfs_*",
    "ksyscall/openat",
    "usdt//no/such/file:libc:setjmp",
    "tracepoint/sched/sched_switch",
    "tp/no/such",
    "raw_tp/sys_enter",
    "raw_tracepoint.w/bpf_test_finish",
    "tp_btf/sys_enter",
    "fentry/do_unlinkat",
    "fexit.s/do_unlinkat",
    "fmod_ret/security_file_open",
    "iter/task",
    "iter.s/bpf_map",
    "lsm/file_open",
    "lsm.s/file_open",
    "lsm_cgroup/socket_bind",
];

/// Compiles one program in a section of this name.
fn compile(folder: &Folder, section: &str) -> String {
    let program = format!("SEC(\"{section}\") int p(void *ctx) {{ return 1; }}\n");
    compile_text(folder, &program)
}

fn compile_text(folder: &Folder, programs: &str) -> String {
    let text = format!(
        "#define SEC(name) __attribute__((section(name), used))\n\
         char LICENSE[] SEC(\"license\") = \"GPL\";\n{programs}"
    );
    let object = bpf_object(&folder.0, "p", &text, &["-g"]);
    object.to_str().unwrap().to_owned()
}

fn verify(args: &[&str]) -> Ended {
    tool::run("verify", args)
}

/// bpftool's load of an object: how many instructions the verifier processed, or what it said.
fn load(object: &str) -> Result<u64, String> {
    let place = format!("/sys/fs/bpf/rawbpf-test-{}", std::process::id());
    let run = |args: &[&str]| Command::new("bpftool").args(args).output().unwrap();
    // It prints the log too.
    let loaded = run(&["-d", "prog", "loadall", object, &place]);
    let _ = std::fs::remove_dir_all(&place);
    let said = [loaded.stdout, loaded.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if !loaded.status.success() {
        return Err(said);
    }
    Ok(number_after(&said, "\nprocessed "))
}

/// Whether the kernel accepts two instructions loaded as a section says, which needs no place.
fn accepted(section: &Section) -> bool {
    let mut a = Asm::new();
    a.mov(r0, 1);
    a.exit();
    let insns = &encode(a.finish().unwrap().insns(), Endian::HOST);
    let Section { program_type, attach_type, flags, .. } = *section;
    let load = Load { insns, expected_attach_type: attach_type, flags, ..Load::new(program_type) };
    prog::load(&load).is_ok()
}

fn number_after(text: &str, words: &str) -> u64 {
    let (_, rest) = text.rsplit_once(words).expect(text);
    rest.split(' ').next().unwrap().parse().unwrap()
}

/// The names that libbpf 1.1 of Debian does not know are compared with a load by type and attach type.
#[test]
#[ignore = "needs root, bpf(2), bpftool and clang: run tests/run"]
fn each_name_of_libbpfs_gets_the_verdict_that_bpftools_load_gets() {
    assert!(Path::new("/sys/fs/bpf").exists());
    let folder = Folder::new("sections");
    let names = Section::all().filter(|row| row.is_known() && !row.has_target);
    let (mut known, mut newer) = (0, vec![]);
    for name in names.map(|row| row.name).chain(PLACED) {
        let object = compile(&folder, name);
        let ours = verify(&[&object]);
        match load(&object) {
            Ok(walked) => {
                assert_eq!((ours.code, &*ours.stderr), (Some(0), ""), "{name}");
                let processed = number_after(&ours.stdout, "accepted: processed ");
                assert_eq!(processed, walked, "{name}");
                known += 1;
            }
            Err(said) if said.contains("failed to guess program type") => {
                let (section, _) = Section::find(name).unwrap();
                assert_eq!(ours.code == Some(0), accepted(&section), "{name}: {}", ours.stderr);
                newer.push(name);
            }
            // It needs trampolines, say, or a driver.
            Err(said) => {
                assert_eq!(ours.code, Some(77), "{name}: {said}: {}", ours.stderr);
                known += 1;
            }
        }
    }
    assert!(known >= 75, "{known}; libbpf here does not know {newer:?}");
    assert!(newer.len() <= 32, "libbpf here does not know {newer:?}");
}

#[test]
#[ignore = "needs root, bpf(2) and clang: run tests/run"]
fn a_free_name_of_a_section_is_judged_by_its_type() {
    let folder = Folder::new("free");
    let object = compile(&folder, "my_program");
    let ended = verify(&[&object]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(77), ""), "{}", ended.stderr);
    assert!(ended.stderr.contains("--type TYPE"), "{}", ended.stderr);
    for kind in ["xdp", "cgroup/connect4", "sk_skb stream_parser", "kprobe", "iter/task"] {
        let ended = verify(&[&object, "--type", kind]);
        assert_eq!(ended.code, Some(0), "{kind}: {}", ended.stderr);
        let lines: Vec<_> = ended.stderr.lines().collect();
        assert!(
            matches!(lines[..], [line] if line.contains("libbpf 1.0 and later do not know")),
            "{lines:?}"
        );
    }
    let ended = verify(&[&object, "--type", "xpd"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("did you mean `xdp`?"), "{}", ended.stderr);
    // libbpf before 1.0 went by how a name begins.
    let object = compile(&folder, "classifier_ingress");
    let ended = verify(&[&object]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("do not know the section \"classifier_ingress\""));
}

/// Two members of a struct that the kernel calls, and a program that no struct refers to.
const STRUCT_OPS: &str = "
    struct tcp_congestion_ops {
        unsigned (*ssthresh)(void *);
        unsigned (*undo_cwnd)(void *);
        char name[16];
    };
    SEC(\"struct_ops/what_follows_means_nothing\") unsigned threshold(void **ctx) { return !!ctx[0]; }
    SEC(\"struct_ops\") unsigned undo(void *ctx) { return 2; }
    SEC(\".struct_ops\") struct tcp_congestion_ops ours =
        { (void *)threshold, (void *)undo, \"rawbpf_test\" };
";

#[test]
#[ignore = "needs root, bpf(2), bpftool and clang: run tests/run"]
fn a_member_of_struct_ops_is_found_by_the_struct_that_refers_to_it() {
    let folder = Folder::new("members");
    let object = compile_text(&folder, STRUCT_OPS);
    let ended = verify(&[&object]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    for program in [
        "threshold struct_ops tcp_congestion_ops.ssthresh",
        "undo struct_ops tcp_congestion_ops.undo_cwnd",
    ] {
        assert!(ended.stdout.contains(&format!(".program {program}\n")), "{}", ended.stdout);
    }
    assert_eq!(load(&object).unwrap(), number_after(&ended.stdout, "accepted: processed "));
    let text = folder.file("dumped.bpf");
    std::fs::write(&text, tool::run("dump", &[&object]).stdout).unwrap();
    assert_eq!(verify(&[&text]).code, Some(0), "a dump says the same");
    let more = "SEC(\"struct_ops\") int lost(void *ctx) { return 0; }";
    let object = compile_text(&folder, &format!("{STRUCT_OPS}{more}"));
    let ended = verify(&[&object]);
    assert_eq!(ended.code, Some(77), "{}", ended.stderr);
    assert!(ended.stderr.contains("lost: the kernel must know"), "{}", ended.stderr);
}

const SEVERAL: &str = "\
.program good xdp
  r0 = 1
  exit
.program bad kprobe
  r0 = r2
  exit
.program vague cgroup_sock_addr
  r0 = 1
  exit
.program lost iter no_such_iterator
  r0 = 0
  exit
.program last cgroup_sock_addr connect4
  r0 = 1
  exit
";

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn each_program_has_its_verdict_whatever_the_others_do() {
    let folder = Folder::new("several");
    let text = folder.file("several.bpf");
    std::fs::write(&text, SEVERAL).unwrap();
    let ended = verify(&[&text]);
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stdout.matches("accepted: ").count(), 2, "{}", ended.stdout);
    assert_eq!(ended.stdout.matches("refused: ").count(), 1, "{}", ended.stdout);
    assert!(ended.stderr.contains("verify: bad: the verifier refused"), "{}", ended.stderr);
    assert!(ended.stderr.contains("nothing on this path has written it [uninit-register]"));
    let told: Vec<_> = ended.stderr.lines().filter(|line| line.starts_with("verify: ")).collect();
    assert_eq!(told.len(), 3, "{}", ended.stderr);
    assert!(told.iter().any(|line| line.starts_with("verify: vague: the kernel must know")));
    assert!(told.iter().any(|line| line.starts_with("verify: lost: this kernel has no iter")));
    // What could not be judged is less than a refusal, and more than nothing.
    for (program, code) in [("good", 0), ("bad", 1), ("vague", 77), ("lost", 77), ("last", 0)] {
        let ended = verify(&[&text, "--program", program]);
        assert_eq!(ended.code, Some(code), "{program}: {}", ended.stderr);
    }
    let ended = verify(&[&text, "--program", "god"]);
    assert!(ended.stderr.contains("did you mean good?"), "{}", ended.stderr);
    let without = SEVERAL.replace("r0 = r2", "r0 = 0");
    std::fs::write(&text, without).unwrap();
    let ended = verify(&[&text, "--json"]);
    assert_eq!(ended.code, Some(77), "{}", ended.stderr);
    let lines = ended.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let verdicts: Vec<_> = lines.filter(|line| line["type"] == "verdict").collect();
    let verdict = |name: &str| {
        let found = verdicts.iter().find(|line| line["program"] == name).unwrap();
        found["verdict"].as_str().unwrap().to_owned()
    };
    assert_eq!((verdict("vague"), verdict("bad")), ("not judged".into(), "accepted".into()));
}

/// A division by what may be 0 is refused by no verifier, an access to the frame at an odd place by a strict
/// one; the branch that does it is dead if the constant is known.
const SAID: &str = "\
.license \"GPL\"
.map ro array key 4 value 8 entries 1 flags rdonly_prog frozen
.data ro 05 \"abc\"
.map inner hash key 4 value 8 entries 3
.map outer array_of_maps key 4 value 4 entries 2 inner inner
.map timers array key 4 value 24 entries 1 timer 8
.program constant sched_cls
.flags strict_alignment
  r1 = map[ro][0]+0
  r0 = *(u8 *)(r1 + 1)
  if r0 == 0x61 goto ok
  r0 = *(u64 *)(r10 - 9)
ok:
  exit
.program timed sched_cls
  *(u32 *)(r10 - 4) = 0
  r2 = r10
  r2 += -4
  r1 = map[timers]
  call bpf_map_lookup_elem
  if r0 == 0 goto out
  r1 = r0
  r1 += 8
  r2 = map[timers]
  r3 = 1
  call bpf_timer_init
out:
  r0 = 0
  exit
.program nested socket_filter
  *(u32 *)(r10 - 4) = 0
  r2 = r10
  r2 += -4
  r1 = map[outer]
  call bpf_map_lookup_elem
  r0 = 0
  exit
.program sleeps syscall
.flags sleepable
  r0 = 0
  exit
.program message sk_skb stream_parser
  r0 = 0
  exit
";

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_text_says_what_an_object_says() {
    let folder = Folder::new("said");
    let text = folder.file("said.bpf");
    std::fs::write(&text, SAID).unwrap();
    let ended = verify(&[&text]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    // Its listing says the same.
    let listing = tool::run("asm", &[&text, "--emit", "listing"]).stdout;
    let again = folder.file("again.bpf");
    std::fs::write(&again, &listing).unwrap();
    assert_eq!(tool::run("asm", &[&again, "--emit", "listing"]).stdout, listing);
    assert_eq!(verify(&[&again]).code, Some(0));
    // Without each of them another verdict, or none.
    for (was, is, why, code) in [
        (" rdonly_prog", " 0", "constant", 1),
        ("05 \"abc\"", "05", "constant", 1),
        (" timer 8", "", "timed", 1),
        (" inner inner", "", "inner MAP", 77),
    ] {
        std::fs::write(&again, SAID.replace(was, is)).unwrap();
        let ended = verify(&[&again]);
        assert_eq!(ended.code, Some(code), "{was}: {}", ended.stderr);
        assert!(ended.stderr.contains(why), "{was}: {}", ended.stderr);
    }
    for (was, is, why) in [
        ("strict_alignment", "strict_aligment", "did you mean `strict_alignment`?"),
        (" inner inner", " inner later", "no map is called `later`"),
        (".data ro 05", ".data ro 0505050505 05", "9 bytes are more than the map's value"),
        (".data ro 05", ".data ro 5", "pairs of hexadecimal digits"),
        (" frozen", " forzen", "did you mean `frozen`?"),
        ("stream_parser", "stream_passer", "`stream_passer` is no attach type of sk_skb"),
    ] {
        std::fs::write(&again, SAID.replace(was, is)).unwrap();
        let ended = verify(&[&again]);
        assert_eq!(ended.code, Some(1), "{was}");
        assert!(ended.stderr.contains(why), "{is}: {}", ended.stderr);
    }
}

#[test]
#[ignore = "needs root, bpf(2) and clang: run tests/run"]
fn what_libbpf_does_not_load_by_itself_is_judged_only_if_it_is_chosen() {
    let folder = Folder::new("optional");
    let object = compile_text(
        &folder,
        "SEC(\"?xdp\") int bad(void *ctx) { return *(volatile int *)0x1234; }
         SEC(\"xdp\") int good(void *ctx) { return 2; }",
    );
    let text = tool::run("dump", &[&object]).stdout;
    assert!(text.contains(".program bad ?xdp\n") && text.contains(".program good xdp\n"), "{text}");
    let file = format!("{object}.bpf");
    std::fs::write(&file, text).unwrap();
    for file in [&object, &file] {
        let ended = verify(&[file]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stderr.contains("libbpf does not load bad by itself"), "{}", ended.stderr);
        assert!(!ended.stdout.contains(".program bad"), "{}", ended.stdout);
        assert_eq!(verify(&[file, "--program", "bad"]).code, Some(1));
    }
}

#[test]
#[ignore = "needs root, bpf(2) and clang: run tests/run"]
fn a_program_that_replaces_a_function_needs_one_that_has_it() {
    let folder = Folder::new("replaces");
    let object = compile_text(
        &folder,
        "SEC(\"freplace/rawbpf_nobody\") int f(void *ctx) { return 2; }
         SEC(\"freplace\") int g(void *ctx) { return 2; }",
    );
    let ended = verify(&[&object]);
    assert_eq!(ended.code, Some(77), "{}", ended.stderr);
    for says in [
        "none that is loaded here has a function rawbpf_nobody; load that program first",
        "g: the kernel must know which function this freplace program replaces",
    ] {
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn the_verdict_makes_the_exit_code_though_nobody_reads_the_walk() {
    let folder = Folder::new("unread");
    let file = folder.0.join("f.bpf");
    let walk = "r0 = 0\n".repeat(5000);
    for (end, code) in [("exit", 0), ("r0 = r7\nexit", 1)] {
        std::fs::write(&file, format!("{walk}{end}\n")).unwrap();
        let mut verify = Command::new(env!("CARGO_BIN_EXE_rawbpf"));
        verify.arg("verify").arg(&file);
        let mut verify = verify.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        drop(verify.stdout.take());
        assert_eq!(verify.wait().unwrap().code(), Some(code));
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn what_is_no_instruction_is_the_kernels_to_refuse() {
    let folder = Folder::new("raw");
    let file = folder.0.join("f.bpf");
    for (insn, says) in [
        ("insn 0x8d dst 1", "this kernel has no instruction 0x8d"),
        ("insn 0xbf src 11", "there are only the registers r0 to r10"),
        (
            "insn 0x7b dst 10 src 1 off -8 imm 3",
            "a field that this instruction does not use is not 0",
        ),
        ("insn 0x18 dst 1\ninsn 0 dst 1", "not a complete instruction"),
    ] {
        let text = format!("r0 = 0\n{insn}\nexit\n");
        std::fs::write(&file, &text).unwrap();
        let ended = verify(&[file.to_str().unwrap()]);
        assert_eq!(ended.code, Some(1), "{text}");
        assert!(ended.stderr.contains(says), "{text}{}", ended.stderr);
        // What is dumped of its bytes is the text again.
        let bytes = tool::run("asm", &[file.to_str().unwrap(), "--emit", "hex"]).stdout;
        std::fs::write(folder.0.join("f.hex"), &bytes).unwrap();
        let listed = tool::run("dump", &[folder.0.join("f.hex").to_str().unwrap()]).stdout;
        std::fs::write(&file, &listed).unwrap();
        assert_eq!(tool::run("asm", &[file.to_str().unwrap(), "--emit", "hex"]).stdout, bytes);
    }
}
