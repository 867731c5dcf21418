//! Every refusal has a cause and an instruction.

use proptest::prelude::*;
use rawbpf::verifier::diagnose::{Diagnosis, diagnose};
use rawbpf::verifier::path::Code;
use rawbpf::verifier::verification::{SourceLine, Verification};

use crate::{Recorded, recorded};

#[test]
fn every_refusal_has_a_cause_and_an_instruction() {
    let mut refusals = 0;
    for Recorded { kernel, name, accepted, insns, logs, .. } in recorded() {
        let code = Code::from_bytes(insns);
        for (level, log) in logs.iter().filter(|(_, log)| !log.contains("=cut=")) {
            let what = format!("{kernel} {name} {level}");
            let Some(diagnosis) = diagnose(&code, log) else {
                // Accepted, or refused before the verifier saw it.
                assert!(*accepted || log.is_empty(), "{what}");
                continue;
            };
            assert!(!*accepted, "{what}");
            refusals += 1;
            assert!(!diagnosis.class.is_empty() && !diagnosis.remedy.is_empty(), "{what}");
            // Level 4 has no instructions.
            if *level != 4 {
                let at = diagnosis.at.expect(&what) as usize;
                assert!(at < code.slots().len(), "{what}: {at}");
            }
        }
    }
    assert!(refusals > 1300, "{refusals}");
}

/// Where the kernel's own report names an instruction, so do we, and the same.
#[test]
fn the_instruction_is_the_one_that_the_kernels_report_names() {
    let mut named = 0;
    for Recorded { kernel, name, insns, logs, .. } in recorded() {
        for (_, log) in logs.iter().filter(|(level, _)| kernel == "7.3" && *level == 1) {
            let Some(diagnosis) = diagnose(&Code::from_bytes(insns), log) else { continue };
            let report = rawbpf::verifier::log::events(log).find_map(|event| match event {
                rawbpf::verifier::log::LogEvent::Report(report) => report.at(),
                _ => None,
            });
            // There it is the load that a jump lands in; we say which jump.
            if report.is_some() && name != "jump_into_lddw" {
                assert_eq!(diagnosis.at, report, "{name}");
                named += 1;
            }
        }
    }
    assert!(named > 40, "{named}");
}

/// Each program is refused for one reason, whatever the kernel calls it.
#[test]
fn kernels_differ_in_words_not_in_the_instruction() {
    // Where kernels refuse at another place or for another reason, they say so.
    let differ = ["loop_unknown_bound", "recursive_call", "ctx_write"];
    let all = recorded();
    for one in all.iter().filter(|one| one.kernel == "6.18" && !differ.contains(&&*one.name)) {
        let find = |one: &Recorded| {
            let log = one.logs.iter().find(|(level, log)| *level == 1 && !log.contains("=cut="));
            let code = Code::from_bytes(&one.insns);
            log.and_then(|(_, log)| diagnose(&code, log).map(|found| found.at))
        };
        for other in all.iter().filter(|other| other.name == one.name) {
            if let (Some(at), Some(others)) = (find(one), find(other)) {
                assert_eq!(at, others, "{} on {}", one.name, other.kernel);
            }
        }
    }
}

fn with<T>(kernel: &str, name: &str, level: u32, check: impl FnOnce(&Diagnosis) -> T) -> T {
    let all = recorded();
    let one = all.iter().find(|one| one.kernel == kernel && one.name == name).unwrap();
    let log = &one.logs.iter().find(|(found, _)| *found == level).unwrap().1;
    check(&diagnose(&Code::from_bytes(&one.insns), log).unwrap())
}

/// Cause, register and remedy of a program, at level 2 of each kernel.
#[track_caller]
fn says(name: &str, sentence: &str, remedy: &str) {
    for kernel in ["5.10", "6.1", "6.12", "6.18", "7.3"] {
        with(kernel, name, 2, |diagnosis| {
            assert!(diagnosis.sentence.contains(sentence), "{kernel}: {}", diagnosis.sentence);
            assert!(diagnosis.remedy.contains(remedy), "{kernel}: {}", diagnosis.remedy);
        });
    }
}

#[test]
fn the_remedy_is_about_this_program() {
    says(
        "missing_null_check",
        "bpf_map_lookup_elem at 5 can return NULL",
        "after instruction 5: `if r0 == 0 goto L`",
    );
    says(
        "clobbered_after_call",
        "the call of bpf_ktime_get_ns at 1 has wiped",
        "before instruction 1: `r7 = r1`, and after it: `r1 = r7`",
    );
    says("path_dependent_uninit", "skips instruction 2", "before instruction 1: `r6 = 0`");
    says(
        "map_index_unsigned_off_by_one",
        "r1, which instruction 9 added, is a number from 0 to 8",
        "r1 &= 7",
    );
    says("map_value_negative_index", "possibly negative", "before instruction 9: `r1 &= 7`");
    says("bound_on_copy_w", "r2, a copy of r1 made at 8, was compared at 9", "r1 &= 7");
    says("null_check_wrong_branch", "r0 is NULL at 7", "the other path of instruction 6");
    says(
        "ringbuf_use_after_submit",
        "bpf_ringbuf_submit at 9 has released",
        "before instruction 9",
    );
    says("ringbuf_double_submit", "bpf_ringbuf_submit at 9 has released", "remove instruction 12");
    says("packet_after_adjust", "bpf_xdp_adjust_head at 8 may move the packet", "data_end");
    says("packet_short_check", "only 12 bytes are known", "`r0 += 14`, `if r0 > r3 goto L`");
    says("stack_oob", "below the frame", "r10-512");
    says("stack_oob_above", "above the frame", "r10-8");
    says(
        "stack_uninit_read_unpriv",
        "nothing on this path has wholly written",
        "before instruction 0: `*(u64 *)(r10 -8) = 0`",
    );
    says("ctx_oob", "no such field to read", "a field of this context");
    says("ctx_modified", "moved by 8 bytes at 0", "remove instruction 0");
    says("misaligned_stack", "not a multiple of 8", "(r10 -16)");
    says("return_range", "which is 5; it must be from 0 to 1", "r0 = 0");
    says("sub_arg_uninit", "which the call at 0 does not set", "before instruction 0");
    says("ringbuf_leak", "bpf_ringbuf_reserve at 4", "bpf_ringbuf_discard");
    says("spin_lock_call_inside", "the lock that was acquired at 12 is held", "bpf_spin_unlock");
    says("helper_size_unbounded", "the length that bpf_probe_read_kernel at 11", "r2 > 8");
    says("deref_kernel_ptr_scalar", "instruction 0 loaded from memory", "bpf_probe_read_kernel");
}

/// The value that fails, and the turns of the loop that led to it.
#[test]
fn the_history_goes_back_over_branches_and_turns() {
    for kernel in ["6.1", "6.12", "6.18", "7.3"] {
        with(kernel, "loop_oob", 1, |diagnosis| {
            let told: Vec<_> = diagnosis.history.iter().map(|told| told.at).collect();
            assert!(told.contains(&12) && told.contains(&13), "{kernel}: {told:?}");
            let turn = diagnosis.history.iter().find(|told| told.at == 12).unwrap();
            assert!(
                turn.what.starts_with("r7 = 8 (and 7 times before)"),
                "{kernel}: {}",
                turn.what
            );
        });
    }
    // At level 2 other paths stand in between.
    for kernel in ["5.10", "6.1", "6.12", "6.18", "7.3"] {
        with(kernel, "path_dependent_oob", 2, |diagnosis| {
            let told: Vec<_> = diagnosis.history.iter().map(|told| told.at).collect();
            assert_eq!(told, [5, 6, 10, 11], "{kernel}");
        });
    }
}

/// Source lines, instructions, registers underlined, and the values behind each.
#[test]
fn a_diagnosis_is_laid_out_as_compilers_do() {
    let mut all = recorded().iter();
    let named =
        |one: &&Recorded| one.kernel == "6.18" && one.name == "map_index_unsigned_off_by_one";
    let one = all.find(named).unwrap();
    let log = one.logs.iter().find(|(level, _)| *level == 2).unwrap().1.clone();
    let line =
        |slot, line, text: &str| SourceLine { slot, file: "p.rs".into(), line, text: text.into() };
    let refused = Verification {
        code: Code::from_bytes(&one.insns),
        maps: vec![],
        lines: vec![
            line(0, 1, ""),
            line(7, 20, "a.load(r1, u64_at(r0));"),
            // What one line wrote, it wrote in turns: that is no reason to show it again.
            line(8, 20, "a.load(r1, u64_at(r0));"),
            line(10, 23, "a.load(..);"),
        ],
        log,
        kind: String::new(),
    };
    let wanted = "\
error: instruction 10 may use 1 byte from byte 8 on, which reaches byte 8 of a map value of 8 bytes: r1, \
which instruction 9 added, is a number from 0 to 8 [object-bounds]
  --> p.rs:23, instruction 10
   |
 5 | (85) call bpf_map_lookup_elem#1
   |      -------------------------- r0 = NULL or the address of a map value of 8 bytes, the result of \
bpf_map_lookup_elem
 6 | (15) if r0 == 0x0 goto pc+5
   |         -- not taken, so r0 = the address of a map value of 8 bytes
   | p.rs:20: a.load(r1, u64_at(r0));
 7 | (79) r1 = *(u64 *)(r0 +0)
   |      -- r1 = any number
 8 | (25) if r1 > 0x8 goto pc+3
   |         -- not taken, so r1 = a number from 0 to 8
 9 | (0f) r0 += r1
   |      -- r0 = the address of a map value of 8 bytes, +0 to +8 bytes
   | p.rs:23: a.load(..);
10 | (71) r0 = *(u8 *)(r0 +0)
   |                   ^^ the address of a map value of 8 bytes, +0 to +8 bytes
   |
   = the verifier: invalid access to map value, value_size=8 off=8 size=1
   = the verifier: R0 max value is outside of the allowed memory range
   = demanded: the value has 8 bytes: an access of size 1 at offset 8 does not fit
   = change: insert before instruction 9: `r1 &= 7`, or `if r1 > 7 goto L`, where L does not use r1
";
    let text = refused.render(false);
    assert_eq!(text, wanted, "\n{text}");
    // Colours add nothing but colours.
    let colored = refused.render(true);
    let mut plain = String::new();
    let mut parts = colored.split("\x1b[");
    plain.push_str(parts.next().unwrap());
    parts.for_each(|part| plain.push_str(part.split_once('m').unwrap().1));
    assert_eq!(plain, wanted);
}

/// What a program's author has is C: the change is one there, at its line, with the line's own names.
#[test]
fn a_program_of_c_is_changed_in_c() {
    let change = |name: &str, kind: &str, slot, text: &str| {
        let mut all = recorded().iter();
        let one = all.find(|one| one.kernel == "6.18" && one.name == name).unwrap();
        let log = one.logs.iter().find(|(level, _)| *level == 2).unwrap().1.clone();
        let line = |slot, line, text: &str| SourceLine {
            slot,
            file: "p.c".into(),
            line,
            text: text.into(),
        };
        let lines = vec![line(0, 1, ""), line(slot, 20, text), line(slot + 1, 21, "")];
        let program = Verification::of_log(Code::from_bytes(&one.insns), log);
        let program = Verification { lines, kind: kind.into(), ..program };
        let remedy = program.diagnose().unwrap().remedy;
        let (c, insns) = remedy.split_once("; in instructions: ").expect(&remedy);
        assert!(insns.contains("instruction"), "{remedy}");
        c.to_owned()
    };
    assert_eq!(
        change("missing_null_check", "kprobe", 5, "struct val *v = bpf_map_lookup_elem(&m, &key);"),
        "p.c:20: after it, `if (!v) return 0;`"
    );
    assert_eq!(
        change("map_index_unsigned_off_by_one", "sched_cls", 9, "sum += v->slots[i];"),
        "p.c:20: before it, `i &= 7;`, or `if ((__u64)i > 7) return TC_ACT_OK;`"
    );
    assert_eq!(
        change("helper_size_unbounded", "kprobe", 11, "bpf_probe_read_kernel(buf, n + 1, p);"),
        "p.c:20: before it, `if ((__u64)(n + 1) > 8) return 0;`"
    );
    assert_eq!(
        change("packet_short_check", "xdp", 5, "if (eth->h_proto == 8)"),
        "p.c:20: before it, `if ((void *)(eth + 1) > data_end) return XDP_PASS;`"
    );
}

/// What an old kernel refuses in words about something else.
#[test]
fn what_a_kernel_lacks_is_named_and_not_what_it_stumbles_over() {
    let said = |text: &str, message: &str| {
        let source = rawbpf::insn::parse("old", text).unwrap();
        let code = Code::of(source.programs[0].program.insns());
        let log = format!("{message}\nprocessed 0 insns (limit 1000000)\n");
        let diagnosis = diagnose(&code, &log).unwrap();
        assert_eq!(diagnosis.class, "helper-not-allowed");
        (diagnosis.at, diagnosis.sentence, diagnosis.remedy)
    };
    let callback = "r1 = 4\nr2 = func[turn]\nr3 = 0\nr4 = 0\ncall bpf_loop\nr0 = 0\nexit\n\
                    turn:\nr0 = 0\nexit\n";
    let message = "number of funcs in func_info doesn't match number of subprogs";
    let (at, sentence, remedy) = said(callback, message);
    assert_eq!(at, Some(1));
    assert!(
        sentence.starts_with("bpf_loop at 5 is a helper that this kernel does not have"),
        "{sentence}"
    );
    assert!(remedy.ends_with("Linux 5.17 or later"), "{remedy}");
    let kfunc = "call kernel-function#77\nr0 = 0\nexit\n";
    let (at, sentence, _) = said(kfunc, "BPF_CALL uses reserved fields");
    assert_eq!(at, Some(0));
    assert!(sentence.contains("Linux 5.13 is the first"), "{sentence}");
    let gone = "r0 = 0\ncall kernel-function#0\nexit\n";
    let message = "invalid kernel function call not eliminated in verifier pass";
    let (at, sentence, remedy) = said(gone, message);
    assert_eq!(at, Some(1));
    assert!(sentence.contains("does not have"), "{sentence}");
    assert!(remedy.contains("bpf_ksym_exists"), "{remedy}");
}

/// The same registers are the process's in a uprobe, and the kernel's in a kprobe.
#[test]
fn a_pointer_of_a_process_is_read_as_one() {
    let all = recorded();
    let wanted = |one: &&Recorded| one.kernel == "6.18" && one.name == "deref_kernel_ptr_scalar";
    let one = all.iter().find(wanted).unwrap();
    let log = one.logs.iter().find(|(level, _)| *level == 2).unwrap().1.clone();
    let remedy = |kind: &str| {
        let program = Verification::of_log(Code::from_bytes(&one.insns), log.clone());
        Verification { kind: kind.into(), ..program }.diagnose().unwrap().remedy
    };
    assert!(remedy("uprobe").contains("in the process, read with bpf_probe_read_user"));
    assert!(!remedy("uprobe").contains("bpf_probe_read_kernel"));
    assert!(remedy("kprobe").contains("of the kernel, read with bpf_probe_read_kernel"));
}

/// Two limits that programs meet in the same way.
#[test]
fn too_many_branches_are_not_too_many_instructions() {
    // if r1 == 0 goto pc+0; goto pc-2; exit
    let code = Code::from_bytes(&[
        0x15, 1, 0, 0, 0, 0, 0, 0, 5, 0, 0xfe, 0xff, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0,
    ]);
    let said = |message: &str| {
        let log = format!(
            "0: R1=ctx() R10=fp0\n0: (15) if r1 == 0x0 goto pc+0\n{message}\nprocessed 1 insns\n"
        );
        let diagnosis = diagnose(&code, &log).unwrap();
        (diagnosis.at, diagnosis.sentence, diagnosis.remedy)
    };
    let (at, sentence, remedy) = said("The sequence of 8193 jumps is too complex.");
    assert_eq!(at, Some(0));
    assert!(sentence.contains("8193 are waiting here, and the limit is 8192"), "{sentence}");
    assert!(!sentence.contains("1000000") && remedy.contains("bpf_loop"), "{sentence} {remedy}");
    let (_, sentence, remedy) = said("BPF program is too large. Processed 1000001 insn");
    assert!(sentence.contains("1000000"), "{sentence}");
    assert_eq!(remedy.matches("bpf_loop").count(), 1, "{remedy}");
    let (_, sentence, _) = said("too many different kernel function calls");
    assert!(sentence.contains("256 different functions"), "{sentence}");
}

/// What the verifier remarks on the way is not why it refuses.
#[test]
fn a_remark_is_not_the_reason() {
    let code = Code::from_bytes(&[0x95, 0, 0, 0, 0, 0, 0, 0]);
    let remark = "func 'vfs_read' arg0 has btf_id 12 type STRUCT 'file'";
    let log = format!("0: R1=ctx() R10=fp0\n{remark}\n0: (95) exit\nR0 !read_ok\n");
    let diagnosis = diagnose(&code, &log).unwrap();
    assert_eq!((diagnosis.class, &*diagnosis.said), ("uninit-register", &["R0 !read_ok"][..]));
}

#[test]
fn a_message_that_nobody_knows_is_shown_as_it_is() {
    let code = Code::from_bytes(&[0x95, 0, 0, 0, 0, 0, 0, 0]);
    let log = "0: R1=ctx() R10=fp0\n0: (95) exit\nthe moon is in the wrong phase\n";
    let diagnosis = diagnose(&code, log).unwrap();
    assert_eq!(diagnosis.sentence, "the kernel's message is: the moon is in the wrong phase");
    assert_eq!((diagnosis.class, diagnosis.remedy.as_str()), ("", ""));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    /// Any program with the log of any other, cut anywhere.
    #[test]
    fn any_log_of_any_program_is_diagnosed(
        program in 0..615usize,
        log in 0..615usize,
        (start, end) in (0..3000usize, 0..6000usize),
        color in any::<bool>(),
    ) {
        let all = recorded();
        let logs = &all[log].logs;
        let text = &logs[start % logs.len()].1;
        let text: String = text.chars().skip(start).take(end).collect();
        let code = Code::from_bytes(&all[program].insns);
        let refused = Verification::of_log(code, text);
        let _ = refused.render(color);
    }
}
