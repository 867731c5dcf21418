//! How this kernel's verifier walks over programs, as `rawbpf verify` shows it.

use serde_json::Value;

use crate::tool::{self, Ended, UNCHECKED};

fn verify(args: &[&str]) -> Ended {
    tool::run("verify", args)
}

/// The same of a text on standard input.
fn of_text(text: &str, options: &str) -> Ended {
    tool::shell(&format!("\"$RAWBPF\" verify {options} - <<'EOF'\n{text}EOF\n"))
}

/// Eight ways to one end, where the last find what the first proved.
const BRANCHES: &str = include_str!("../vm/guest/branches.bpf");

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_tool_is_shown_instruction_by_instruction_with_the_kernels_totals() {
    let ended = verify(&["bitehist", "--json", "--", "--attach", "raw_tp"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let lines: Vec<Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (verdict, walk) = lines.split_last().unwrap();
    assert_eq!(verdict["verdict"], "accepted");
    let walked = |line: &&Value| line["type"] == "insn" || line["type"] == "safe";
    let walked = walk.iter().filter(walked).count() as u64;
    assert_eq!(verdict["processed"], walked, "{verdict}");
    assert_eq!(verdict["limit"], 1_000_000);
    // The same in words.
    let ended = verify(&["bitehist", "--", "--attach", "raw_tp"]);
    assert!(ended.stdout.starts_with(".program bitehist raw_tp block_rq_issue\n"));
    let totals = format!("accepted: processed {walked} of 1000000 instructions, ");
    assert!(ended.stdout.contains(&totals), "{}", ended.stdout);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_refused_text_is_shown_up_to_its_mistake_and_then_why() {
    let ended = of_text(UNCHECKED, "");
    assert_eq!(ended.code, Some(1));
    let call = "   5: (85) call bpf_map_lookup_elem#1            ; r0 = NULL or the address of a map \
                value of 8 bytes, r1 r2 gone\n   6: (79) r1 = *(u64 *)(r0 +0)\n";
    assert!(ended.stdout.contains(call), "{}", ended.stdout);
    assert!(ended.stdout.contains("\nrefused: processed 6 of "), "{}", ended.stdout);
    let why = "r0 may be NULL at 6: bpf_map_lookup_elem at 5 can return NULL";
    assert!(ended.stderr.contains(why), "{}", ended.stderr);
    assert!(ended.stderr.contains("--> <stdin>:8, instruction 6"), "{}", ended.stderr);
    let verdict = of_text(UNCHECKED, "--json").stdout;
    let verdict: Value = serde_json::from_str(verdict.lines().last().unwrap()).unwrap();
    assert_eq!((&verdict["verdict"], &verdict["at"]), (&"refused".into(), &6.into()));
    assert_eq!(verdict["class"], "null-not-checked");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn of_several_programs_each_that_is_refused_is_named() {
    let text = "\
.program one socket_filter
  exit
.program two socket_filter
  r0 = 0
  exit
.program three socket_filter
  r0 = r5
  exit
";
    let ended = of_text(text, "");
    assert_eq!(ended.code, Some(1));
    let said: Vec<_> = ended.stderr.lines().filter(|line| line.starts_with("verify")).collect();
    let each = ["one", "three"];
    let each =
        each.map(|it| format!("verify: {it}: the verifier refused the socket_filter program"));
    assert_eq!(said, each, "{}", ended.stderr);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_branch_stands_behind_the_path_that_was_walked_first() {
    let ended = of_text(BRANCHES, "");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let (_, branch) = ended.stdout.split_once("\n| from 2 to 4:").expect(&ended.stdout);
    assert!(branch.lines().next().unwrap().contains("r0 = 5"), "{branch}");
    assert!(branch.contains(": safe"), "{branch}");
    assert_eq!(ended.stdout.matches("begins at ").count(), 1, "{}", ended.stdout);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn all_shows_each_register_behind_each_instruction() {
    let ended = of_text(BRANCHES, "--all");
    let line = ended.stdout.lines().find(|line| line.starts_with("   1: ")).unwrap();
    assert!(line.contains("r0 = ") && line.contains("r6 = 1, r10 = "), "{line}");
}

/// A loop of 30000 rounds takes three instructions each.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn of_a_long_walk_only_the_totals_are_shown() {
    let text = ".program long socket_filter\n  r0 = 30000\nagain:\n  r0 += -1\n  r1 = r0\n  if r0 != 0 goto again\n  exit\n";
    let ended = of_text(text, "");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert!(ended.stdout.contains("; 90002 instructions are too many to show"), "{}", ended.stdout);
    assert!(ended.stdout.lines().count() < 5, "{}", ended.stdout);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn every_tool_verifies_by_each_way_to_attach() {
    tool::with_tracefs();
    let block = ["bitehist", "bitesize", "biolatency", "bioheat"];
    for name in block {
        for kind in ["auto", "kprobe", "tp_btf", "raw_tp", "tracepoint"] {
            let ended = verify(&[name, "--", "--attach", kind]);
            let why = format!("{name} {kind}: {}", ended.stderr);
            if kind == "tracepoint"
                && ended.stderr.contains("a tracepoint's record does not identify")
            {
                continue;
            }
            assert_eq!(ended.code, Some(0), "{why}");
            assert!(ended.stdout.contains("\naccepted: processed "), "{why}");
        }
    }
    for (name, what) in [
        ("funccount", "block:block_rq_issue"),
        ("funclatency", "/proc/self/exe:main"),
        ("argdist", "block:block_rq_issue"),
    ] {
        let what = if name == "argdist" { vec![what, "bytes"] } else { vec![what] };
        let ended = verify(&[&[name, "--"], &what[..]].concat());
        assert_eq!(ended.code, Some(0), "{name}: {}", ended.stderr);
        assert!(ended.stdout.contains("\naccepted: processed "), "{}", ended.stdout);
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_reader_that_leaves_is_no_error() {
    let script =
        "{ \"$RAWBPF\" verify --all biolatency; echo $? > \"$OUT\"; } | head -1 > /dev/null
                  cat \"$OUT\"; rm \"$OUT\"";
    let ended = tool::shell(script);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("0\n", ""));
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn without_privileges_it_says_which_are_missing() {
    let script = "cp \"$RAWBPF\" \"$OUT\"; chmod 755 \"$OUT\"
                  setpriv --reuid 65534 --clear-groups \"$OUT\" verify bitehist; echo $?; rm \"$OUT\"";
    let ended = tool::shell(script);
    assert_eq!(ended.stdout, "77\n");
    assert!(ended.stderr.contains("CAP_BPF and CAP_PERFMON are missing"), "{}", ended.stderr);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn the_page_holds_every_program_and_stdout_nothing() {
    let ended = tool::shell(
        "OUT=$(mktemp); \"$RAWBPF\" verify biolatency --html \"$OUT\" -- --attach raw_tp
        echo $? $(wc -c < \"$OUT\"); cat \"$OUT\"; rm \"$OUT\"",
    );
    let (first, page) = ended.stdout.split_once('\n').unwrap();
    assert_eq!(first, format!("0 {}", page.len()), "{}", ended.stderr);
    assert!(page.starts_with("<!DOCTYPE html>\n") && page.ends_with("</html>\n"));
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ended.stderr);
    for (number, name) in ["request_end", "request_start"].into_iter().enumerate() {
        assert!(
            page.contains(&format!(
                "<section class=program id=p{number}>\n<h2>{name} <small>raw_tp "
            ))
        );
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with(&format!("verify: {name} accepted: processed ")))
        );
    }
    assert!(page.contains("programs/biolatency.rs:"), "the source lines");
    // The same to a pipe.
    let piped = verify(&["biolatency", "--html", "-", "--", "--attach", "raw_tp"]);
    assert_eq!(piped.code, Some(0));
    assert_eq!(piped.stdout.matches("<li id=").count(), page.matches("<li id=").count());
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn the_page_of_a_refused_text_says_why_and_leads_there() {
    let ended = of_text(UNCHECKED, "--html -");
    assert_eq!(ended.code, Some(1));
    let why = "r0 may be NULL at 6: bpf_map_lookup_elem at 5 can return NULL";
    assert!(ended.stderr.contains(why), "{}", ended.stderr);
    assert!(ended.stdout.contains(&format!("<h3>{why}")), "{}", ended.stdout);
    assert!(ended.stdout.contains("<li class=failed><a href=#p0-s5>6</a>"), "{}", ended.stdout);
    assert!(ended.stdout.contains("<li class=failed data-r=r0 id=p0-s5 "), "{}", ended.stdout);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_page_that_cannot_be_written_is_a_failure() {
    for (file, why) in [("/dev/full", "No space left"), ("/nowhere/page.html", "No such file")] {
        let ended = verify(&["bitehist", "--html", file, "--", "--attach", "raw_tp"]);
        assert_eq!(ended.code, Some(1));
        let said = format!("{file} cannot be written: {why}");
        assert!(ended.stderr.contains(&said), "{}", ended.stderr);
    }
    // That the program is refused is said too.
    let ended = of_text(UNCHECKED, "--html /dev/full");
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("/dev/full cannot be written"), "{}", ended.stderr);
    assert!(ended.stderr.contains("r0 may be NULL at 6"), "{}", ended.stderr);
    for other in ["--json", "--all"] {
        let ended = verify(&["bitehist", "--html", "-", other]);
        assert_eq!(ended.code, Some(2), "{other}");
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn what_else_is_on_stdout_does_not_share_it_with_a_log() {
    for other in [&["--html", "-"][..], &["--json"], &["--against", "/dev/null"]] {
        let ended = verify(&[&["bitehist", "--verifier-log=-"], other].concat());
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
        let said = format!("{} and --verifier-log would both be on stdout", other[0]);
        assert!(ended.stderr.contains(&said), "{}", ended.stderr);
    }
}

/// 15,000 instructions are some megabytes; of more than can be shown only the totals are.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn the_page_of_a_long_walk_is_bounded() {
    let turns = |turns: u32| {
        format!(
            ".program long socket_filter\n  r6 = 0\n  r7 = 0\nagain:\n  call bpf_get_prandom_u32#7\n  \
             if r0 == 0 goto even\n  r6 += 1\neven:\n  r7 += 1\n  if r7 < {turns} goto again\n  \
             r0 = r6\n  exit\n"
        )
    };
    let ended = of_text(&turns(1000), "--html -");
    let rows = ended.stdout.matches("<li id=").count();
    assert!(rows > 10_000, "{rows}");
    assert!(ended.stdout.len() < 400 * rows, "{rows} {}", ended.stdout.len());
    let ended = of_text(&turns(3000), "--html -");
    assert_eq!(ended.code, Some(0));
    assert!(ended.stdout.contains(" instructions are too many to show; the limit is 20000</p>"));
    assert!(ended.stdout.len() < 30_000, "{}", ended.stdout.len());
}

/// An array has a value at each constant index: since 6.18 that is known, and no check is needed.
const ELIDED: &str = "\
.program elided xdp
.map counts array key 4 value 8 entries 1
  *(u32 *)(r10 -4) = 0
  r2 = r10
  r2 += -4
  r1 = map[counts]
  call bpf_map_lookup_elem#1
  r0 = *(u64 *)(r0 +0)
  exit
";

/// What Linux 6.12 says of it.
const BEFORE: &str = "\
func#0 @0
0: R1=ctx() R10=fp0
0: (62) *(u32 *)(r10 -4) = 0          ; R10=fp0 fp-8=0000????
1: (bf) r2 = r10                      ; R2_w=fp0 R10=fp0
2: (07) r2 += -4                      ; R2_w=fp-4
3: (18) r1 = 0xff3140dfc2360400       ; R1_w=map_ptr(ks=4,vs=8)
5: (85) call bpf_map_lookup_elem#1    ; R0_w=map_value_or_null(id=1,ks=4,vs=8)
6: (79) r0 = *(u64 *)(r0 +0)
R0 invalid mem access 'map_value_or_null'
processed 6 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
";

/// Runs a script with a file of this text in `$OUT`.
fn with_file(text: &str, script: &str) -> Ended {
    tool::shell(&format!("cat > \"$OUT\" <<'EOF'\n{text}EOF\n{script}; rm \"$OUT\""))
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_log_that_is_written_compares_as_equal_and_tells_which_program_it_is_of() {
    let log = verify(&["biolatency", "--verifier-log", "-", "--", "--attach", "raw_tp"]);
    assert_eq!((log.code, log.stderr.as_str()), (Some(0), ""));
    let heads: Vec<_> = log.stdout.lines().filter(|line| line.starts_with('.')).collect();
    assert_eq!((heads.len(), heads[0]), (4, ".log request_end raw_tp block_rq_complete"));
    assert!(heads[1].starts_with(".verdict accepted by Linux "), "{}", heads[1]);
    let compare =
        "\"$RAWBPF\" verify biolatency --against \"$OUT\" - < \"$OUT\" -- --attach raw_tp";
    let same = with_file(&log.stdout, compare);
    assert_eq!(same.stderr, "");
    let alike = "no differences: the same paths, and the same is known about each value";
    assert_eq!(same.stdout.matches(alike).count(), 4, "{}", same.stdout);
    // By the other kind it is another program, and that is said.
    let script = "\"$RAWBPF\" verify biolatency --against \"$OUT\" -- --attach tp_btf; echo $?";
    let other = with_file(&log.stdout, script);
    assert!(other.stdout.ends_with("\n1\n"), "{}", other.stdout);
    let said = "the log is of another program than request_end: instruction ";
    assert!(other.stderr.contains(said), "{}", other.stderr);
    assert!(other.stderr.contains("attached by raw_tp block_rq_complete"), "{}", other.stderr);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_verdict_that_differs_is_told_with_what_made_it() {
    let run = |options: &str| {
        let script =
            format!("\"$RAWBPF\" verify \"$OUT\" {options} --against - <<'END'\n{BEFORE}END\n");
        with_file(ELIDED, &script)
    };
    let text = run("");
    let said = "<stdin>: elided is refused there, accepted here";
    assert!(text.stderr.contains(said), "{}", text.stderr);
    for line in [
        "<stdin>: refused there: r0 may be NULL at 6: bpf_map_lookup_elem at 5 can return NULL",
        "<stdin>: after 5: (85) call bpf_map_lookup_elem#1: r0 is the address of a map value of 8 bytes \
         here, NULL or the address of a map value of 8 bytes there",
        "<stdin>: from 6 to 7: followed only here, 1 instruction: there the program was refused before",
    ] {
        assert!(text.stdout.contains(line), "{line}: {}", text.stdout);
    }
    let row = text.stdout.lines().find(|line| line.starts_with("instructions")).unwrap();
    let row: Vec<_> = row.split_whitespace().collect();
    assert_eq!(row, ["instructions", "processed", "7", "6", "(-1)"]);
    let line: Value = serde_json::from_str(&run("--json").stdout).unwrap();
    assert_eq!(line["is_of"], "this program");
    assert_eq!((&line["here"]["processed"], &line["there"]["processed"]), (&7.into(), &6.into()));
    assert_eq!(line["there"]["verdict"], "refused");
    let [value] = &line["values"].as_array().unwrap()[..] else { panic!("{line}") };
    assert_eq!((&value["at"], &value["place"]), (&5.into(), &"r0".into()));
    assert_eq!(value["there"]["type"], "map_value_or_null");
    assert_eq!(line["paths"][0]["other"], "refused before");
}

#[test]
#[ignore = "needs root, bpf(2) and bpftool: run tests/run"]
fn what_bpftool_prints_is_compared_with() {
    let script = "\"$RAWBPF\" asm \"$OUT\" --emit elf -o \"$OUT.o\"
        bpftool -d prog load \"$OUT.o\" \"/sys/fs/bpf/rawbpf-$$\" > \"$OUT.log\" 2>&1
        \"$RAWBPF\" verify \"$OUT.o\" --against \"$OUT.log\"; echo $?
        rm -f \"/sys/fs/bpf/rawbpf-$$\" \"$OUT.o\" \"$OUT.log\"";
    let ended = with_file(ELIDED, script);
    assert_eq!(ended.stderr, "");
    let alike = "no differences: the same paths, and the same is known about each value\n0\n";
    assert!(ended.stdout.ends_with(alike), "{}", ended.stdout);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_log_that_cannot_be_used_is_told() {
    let run =
        |text: &str| with_file(text, "\"$RAWBPF\" verify bitehist --against \"$OUT\"; echo $?");
    for no_log in ["\n", "root:x:0:0:root:/root:/bin/sh\n"] {
        let ended = run(no_log);
        assert_eq!(ended.stdout, "2\n");
        assert!(ended.stderr.contains("there is no log in it"), "{}", ended.stderr);
    }
    let another = run(".log other raw_tp x\n.verdict accepted by Linux 5.10\n");
    assert!(another.stdout.ends_with("\n1\n"), "{}", another.stdout);
    assert!(another.stderr.contains("the file has no log of bitehist"), "{}", another.stderr);
    let ended = verify(&["bitehist", "--against", "/nowhere"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("/nowhere: no such file"), "{}", ended.stderr);
    let ended = verify(&["bitehist", "--verifier-log", "/nowhere/x"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("/nowhere/x cannot be written"), "{}", ended.stderr);
}
