//! Each program's logs of any two kernels, compared.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use rawbpf::verifier::compare::{Comparison, Differing, Match, Parting, Side, Why, compare};
use rawbpf::verifier::log::Place;
use rawbpf::verifier::path::Code;
use rawbpf::verifier::recording::{Verdict, head, recordings};

use crate::{Recorded, recorded};

/// A program's logs on two kernels at a level, but for those that somebody shortened.
fn pairs(level: u32) -> impl Iterator<Item = [(&'static Recorded, &'static str); 2]> {
    let log = move |one: &'static Recorded| {
        let found = one.logs.iter().find(|(found, _)| *found == level)?;
        (!found.1.contains("\n=cut=\n")).then_some((one, found.1.as_str()))
    };
    recorded().iter().filter_map(log).flat_map(move |one| {
        let others = recorded().iter().filter(move |other| other.name == one.0.name);
        others.filter_map(log).map(move |other| [one, other])
    })
}

fn compared(here: (&Recorded, &'static str), there: &'static str) -> Comparison<'static> {
    compare(&Code::from_bytes(&here.0.insns), here.1, there)
}

fn verdict(one: &Recorded) -> Verdict {
    if one.accepted { Verdict::Accepted } else { Verdict::Refused }
}

#[test]
fn of_each_log_the_verdict_is_told() {
    let mut told = 0;
    for level in [1, 2, 4] {
        for [(one, log), (_, other)] in pairs(level) {
            if log != other {
                continue;
            }
            match Verdict::of(log) {
                Verdict::Unknown => assert!(!one.accepted, "{} {} {level}", one.kernel, one.name),
                told => assert_eq!(told, verdict(one), "{} {} {level}", one.kernel, one.name),
            }
            told += 1;
        }
    }
    assert!(told > 1700, "{told}");
}

#[test]
fn a_log_is_like_itself() {
    for level in [1, 2, 4] {
        for [here, (_, there)] in pairs(level).filter(|[here, there]| here.1 == there.1) {
            let found = compared(here, there);
            let what = format!("{} {} {level}: {found:?}", here.0.kernel, here.0.name);
            assert!(found.values.is_empty() && found.paths.is_empty(), "{what}");
            assert!(matches!(found.program, Match::Same | Match::Unknown), "{what}");
        }
    }
}

/// What only one of two kernels walks over is all that one walks over more than the other.
#[test]
fn the_paths_account_for_all_instructions() {
    let mut different = 0;
    for [here, there] in pairs(2) {
        let found = compared(here, there.1);
        let what = format!("{} {} {}: {found:?}", here.0.name, here.0.kernel, there.0.kernel);
        // Some programs are refused before the walk.
        assert!(matches!(found.program, Match::Same | Match::Unknown), "{what}");
        if found.program == Match::Unknown || found.here.insns == 0 {
            continue;
        }
        assert!(found.here.whole && found.there.whole, "{what}");
        let insns = |side| {
            let of_side = found.paths.iter().filter(|path| path.walked == side);
            of_side.map(|path| i64::from(path.insns)).sum::<i64>()
        };
        let more = i64::from(found.there.insns) - i64::from(found.here.insns);
        assert_eq!(insns(Side::There) - insns(Side::Here), more, "{what}");
        different += usize::from(more != 0);
    }
    assert!(different > 50, "{different}");
}

/// However differently these kernels print: of all programs they know something else in two cases.
#[test]
fn only_what_kernels_know_differs_and_not_how_they_print_it() {
    let mut differing = 0;
    for [here, there] in pairs(2).filter(|[here, _]| here.0.kernel == "6.18") {
        for Differing { place, here: ours, there: theirs, to, .. } in compared(here, there.1).values
        {
            let what = format!("{} {}: {ours:?} {theirs:?}", here.0.name, there.0.kernel);
            assert_eq!((place, to), (Place::Register(0), None), "{what}");
            // Linux 6.18 knows that an array has a value at a constant index.
            let null = ours.type_ == "map_value" && theirs.type_ == "map_value_or_null";
            // Linux 6.12 knows that what is not 0 is at least 1.
            let zero = ours.is_scalar() && (ours.bounds().umin, theirs.bounds().umin) == (1, 0);
            let since = if null { &["5.10", "6.1", "6.12"][..] } else { &["5.10", "6.1"] };
            assert!(null || zero, "{what}");
            assert!(since.contains(&there.0.kernel.as_str()), "{what}");
            differing += 1;
        }
    }
    assert!(differing > 40, "{differing}");
}

#[test]
fn a_check_that_is_not_needed_any_more_is_a_path_that_only_older_kernels_walk() {
    let [here, there] = pairs(2)
        .find(|[here, there]| {
            here.0.name == "ok_map_counter" && here.0.kernel == "6.18" && there.0.kernel == "6.12"
        })
        .unwrap();
    let found = compared(here, there.1);
    let only = Parting {
        from: Some(6),
        at: 9,
        walked: Side::There,
        why: Why::NeverTaken,
        times: 1,
        insns: 1,
    };
    assert_eq!(found.paths, [only]);
    // The other way round it is the same.
    let found = compared(there, here.1);
    assert_eq!(found.paths, [Parting { walked: Side::Here, ..only }]);
}

#[test]
fn a_path_that_only_one_finds_safe_is_what_the_other_walks_more() {
    let slots = [0x7_0000_0085_u64, 0x5_0001_0015, 0x1_0000_01b7, 0xb7, 0x95];
    let bytes: Vec<u8> = slots.iter().flat_map(|slot| slot.to_le_bytes()).collect();
    let walk = "0: R1=ctx() R10=fp0\n\
        0: (85) call bpf_get_prandom_u32#7    ; R0=scalar()\n\
        1: (15) if r0 == 0x5 goto pc+1        ; R0=scalar()\n\
        2: (b7) r1 = 1                        ; R1=1\n\
        3: (b7) r0 = 0                        ; R0=0\n\
        4: (95) exit\n";
    let totals = |insns| {
        format!(
            "processed {insns} insns (limit 1000000) max_states_per_insn 0 total_states 0 \
             peak_states 0 mark_read 0\n"
        )
    };
    let here = format!("{walk}from 1 to 3: safe\n{}", totals(6));
    let there = format!(
        "{walk}from 1 to 3: R0=5 R10=fp0\n3: (b7) r0 = 0 ; R0=0\n4: (95) exit\n{}",
        totals(7)
    );
    let found = compare(&Code::from_bytes(&bytes), &here, &there);
    assert!(found.here.whole && found.there.whole && found.values.is_empty(), "{found:?}");
    let (walked, why) = (Side::There, Why::Safe);
    assert_eq!(found.paths, [Parting { from: Some(1), at: 3, walked, why, times: 1, insns: 1 }]);
}

/// Linux 5.10 tells nothing but its type of a value on the stack.
#[test]
fn what_is_only_not_told_does_not_differ() {
    let bytes: Vec<u8> =
        [0xfff8_6a7b_u64, 0xfff0_7a7b, 0x95].iter().flat_map(|slot| slot.to_le_bytes()).collect();
    let here = "0: R6=trusted_ptr_request() R7=scalar(umax=9) R10=fp0\n\
        0: (7b) *(u64 *)(r10 -8) = r6         ; R6=trusted_ptr_request() R10=fp0 fp-8=trusted_ptr_request()\n\
        1: (7b) *(u64 *)(r10 -16) = r7        ; R7=scalar(umax=9) R10=fp0 fp-16=scalar(umax=9)\n\
        2: (95) exit\n";
    let known = "R6=ptr_request(id=0,off=0,imm=0) R7=inv(id=0,umax_value=9) R10=fp0";
    let there = format!(
        "0: {known}\n0: (7b) *(u64 *)(r10 -8) = r6\n1: {known} fp-8_w=ptr_\n\
         1: (7b) *(u64 *)(r10 -16) = r7\n2: {known} fp-8_w=ptr_ fp-16_w=inv\n2: (95) exit\n"
    );
    let code = Code::from_bytes(&bytes);
    assert_eq!(compare(&code, here, &there).values, []);
    // Another type does, and so does what is told of a register.
    let differs = |there: &str| {
        let found = compare(&code, here, there);
        found.values.iter().map(|it| (it.at, it.place)).collect::<Vec<_>>()
    };
    assert_eq!(differs(&there.replace("fp-16_w=inv", "fp-16_w=ctx")), [(1, Place::Stack(-16))]);
    assert_eq!(differs(&there.replace("umax_value=9", "umax_value=8")), [(1, Place::Register(7))]);
}

const WALK: &str = "func#0 @0\n\
    0: R1=ctx() R10=fp0\n\
    0: (bf) r6 = r1                       ; R1=ctx() R6=ctx()\n\
    1: (b7) r0 = 1                        ; R0=1\n\
    2: (95) exit\n\
    processed 3 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0\n";
const BYTES: [u64; 3] = [0x16bf, 0x1_0000_00b7, 0x95];

fn walked(there: &str) -> Match<'_> {
    let bytes: Vec<u8> = BYTES.iter().flat_map(|slot| slot.to_le_bytes()).collect();
    compare(&Code::from_bytes(&bytes), WALK, there).program
}

#[test]
fn a_log_of_another_program_is_told_from_one_with_other_numbers() {
    assert_eq!(walked(WALK), Match::Same);
    let numbers = WALK.replace("r0 = 1", "r0 = 72");
    assert_eq!(walked(&numbers), Match::Numbers(vec![(1, "r0 = 72")]));
    let register = WALK.replace("r6 = r1", "r7 = r1");
    assert_eq!(walked(&register), Match::Other(0, "r7 = r1"));
    let code = WALK.replace("(b7) r0 = 1", "(07) r0 += 1");
    assert_eq!(walked(&code), Match::Other(1, "r0 += 1"));
    let longer = WALK.replace("2: (95) exit", "3: (95) exit");
    assert_eq!(walked(&longer), Match::Other(3, "exit"));
    assert_eq!(walked("R0 !read_ok\n"), Match::Unknown);
}

#[test]
fn a_path_alone_says_nothing_of_other_paths() {
    for [here, there] in pairs(1).filter(|[here, there]| here.0.accepted && !there.0.accepted) {
        let whole =
            pairs(2).find(|[all, _]| all.0.name == here.0.name && all.0.kernel == here.0.kernel);
        let found = compared(whole.unwrap()[0], there.1);
        let told = found.there.whole || found.paths.iter().all(|path| path.walked == Side::There);
        assert!(told, "{} {} {}", here.0.name, here.0.kernel, there.0.kernel);
    }
}

#[test]
fn files_are_taken_apart_whoever_wrote_them() {
    let ours = head("count", "raw_tp sys_enter", Verdict::Refused, "5.10.1") + WALK;
    let ours = ours + &head("other", "", Verdict::Accepted, "5.10.1") + "x\n";
    let found = recordings(&ours);
    assert_eq!(found.len(), 2);
    let (name, attach) = (Some("count"), Some("raw_tp sys_enter"));
    assert_eq!(
        (found[0].program, found[0].attach, found[0].kernel),
        (name, attach, Some("5.10.1"))
    );
    assert_eq!((found[0].verdict, found[0].log), (Verdict::Refused, WALK));
    assert_eq!((found[1].program, found[1].attach, found[1].log), (Some("other"), Some(""), "x\n"));

    let libbpf = format!(
        "libbpf: loading x.o\nlibbpf: prog 'a': BPF program load failed: Permission denied\n\
         libbpf: prog 'a': -- BEGIN PROG LOAD LOG --\n{WALK}-- END PROG LOAD LOG --\n\
         libbpf: prog 'b': -- BEGIN PROG LOAD LOG --\n{WALK}-- END PROG LOAD LOG --\nlibbpf: more\n"
    );
    let found = recordings(&libbpf);
    let told: Vec<_> = found.iter().map(|one| (one.program, one.verdict, one.log)).collect();
    let (a, b) = ((Some("a"), Verdict::Refused, WALK), (Some("b"), Verdict::Accepted, WALK));
    assert_eq!(told, [a, b]);

    let head = "PROCESSING x.bpf.o/a, DURATION US: 12, VERDICT: failure, VERIFIER LOG:";
    let veristat = format!("Processing 'x.bpf.o'...\n{head}\n{WALK}\nFile  Program  Verdict\n");
    let [one] = recordings(&veristat)[..] else { panic!("one") };
    assert_eq!((one.program, one.verdict, one.log), (Some("a"), Verdict::Refused, WALK));

    let [one] = recordings(WALK)[..] else { panic!("one") };
    assert_eq!((one.program, one.verdict, one.log), (None, Verdict::Accepted, WALK));
    let [one] = recordings(&WALK[..120])[..] else { panic!("one") };
    assert_eq!(one.verdict, Verdict::Unknown);
    assert!(
        recordings(" \n").is_empty() && recordings("root:x:0:0:root:/root:/bin/sh\n").is_empty()
    );
}

/// Conditions, none of which is ever taken up again.
#[test]
fn a_log_of_a_megabyte_is_compared_in_seconds() {
    let bytes: Vec<u8> =
        [0x7_ffff_0125_u64; 2].iter().flat_map(|slot| slot.to_le_bytes()).collect();
    let code = Code::from_bytes(&bytes);
    let stack: String = (1..=64).map(|slot| format!(" fp-{}=1", 8 * slot)).collect();
    let mut log = format!("0: R1=1 R10=fp0{stack}\n");
    for turn in 0..30_000 {
        log += &format!("0: (25) if r1 > 0x7 goto pc-1 ; R1={turn}\n");
        if turn % 4 == 0 {
            log += "from 9 to 0: R1=1 R10=fp0\n";
        }
    }
    let start = Instant::now();
    let other = log.replace("R1=9", "R1=8");
    let found = compare(&code, &log, &other);
    assert_eq!((found.here.insns, found.there.insns), (30_000, 30_000));
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hostile_text_is_compared(here in any::<String>(), there in any::<String>()) {
        for one in recordings(&there) {
            compare(&Code::from_bytes(here.as_bytes()), &here, one.log);
        }
    }

    #[test]
    fn hostile_lines_are_compared(lines in prop::collection::vec(prop::sample::select(vec![
        "0: R1=ctx() R10=fp0", "0: (bf) r6 = r1 ; R1=ctx() R6=ctx()", "1: (b7) r0 = 1 ; R0=1 fp-8=3",
        "1: (15) if r0 == 0x0 goto pc+1 ; R0=scalar(umax=7,var_off=(0x0; 0x7))", "2: (95) exit",
        "from 1 to 3: R0=0", "from 1 to 3: safe", "from 9 to 0 (speculative execution): R0=1", "3: safe",
        "3: (85) call pc-2", "caller:", "callee:", "returning from callee:", "to caller at 4:", " frame1: R0=1",
        "4294967295: (95) exit", "R0 !read_ok", "last_idx 3 first_idx 0", "regs=1 stack=0 before 1: (b7) r0 = 1",
        ".log x y", ".verdict accepted by Linux 1", "-- BEGIN PROG LOAD LOG --", "-- END PROG LOAD LOG --",
        "PROCESSING x/y, DURATION US: 1, VERDICT: success, VERIFIER LOG:", "",
        "processed 3 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0",
    ]), 0..40), at in 0usize..40) {
        let slots = [0x16bf_u64, 0x1_0001_0015, 0x95, 0xffff_fffe_0000_1085, 0x95];
        let bytes: Vec<u8> = slots.iter().flat_map(|slot| slot.to_le_bytes()).collect();
        let (here, there) = lines.split_at(at.min(lines.len()));
        for one in recordings(&there.join("\n")) {
            compare(&Code::from_bytes(&bytes), &here.join("\n"), one.log);
        }
    }
}
