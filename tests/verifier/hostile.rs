//! Numbers in a log that no kernel would print: whatever stands in the place of one, reading the log does
//! not fail, and no advice is made of a number that makes no sense.
//!
//! An overflow is found only where arithmetic is checked, as it is in a debug build.

use std::convert::Infallible;

use rawbpf::verifier::causes;
use rawbpf::verifier::compare::compare;
use rawbpf::verifier::diagnose::diagnose;
use rawbpf::verifier::draw::page::{About, Page, PageSection};
use rawbpf::verifier::draw::stepper::{KeyPress, SteppedProgram, Stepper};
use rawbpf::verifier::draw::wording;
use rawbpf::verifier::path::Code;
use rawbpf::verifier::trail::Trail;
use rawbpf::verifier::verification::Verification;
use rawbpf::verifier::walk::walk;

use crate::messages;

/// A usual one first, and those at which arithmetic ends.
const NUMBERS: [&str; 7] =
    ["8", "0", "-1", "-9223372036854775808", "9223372036854775807", "18446744073709551615", ""];

/// A program with something of everything that advice is given about.
const PROGRAM: &str = "
    r6 = r1
    *(u64 *)(r10 -8) = 0
    r2 = r10
    r2 += -8
    r1 = 0 ll
    call bpf_map_lookup_elem#1
    if r0 == 0x0 goto pc+14
    r1 = *(u64 *)(r0 +0)
    if r1 > 0x8 goto pc+12
    r0 += r1
    r3 = *(u8 *)(r0 +0)
    *(u64 *)(r10 -6) = r1
    r1 = r10
    r1 += -8
    r2 = r3
    r3 = 0
    call bpf_probe_read_kernel#113
    call pc+4
    lock *(u64 *)(r6 +0) += r2
    goto pc+0
    r0 = 5
    exit
    r0 = r1
    r0 = *(u64 *)(r10 -16)
    exit
";

const PROCESSED: &str = "processed 25 insns (limit 1000000) max_states_per_insn 0 total_states 0 \
                         peak_states 0 mark_read 0\n";

fn program() -> Code {
    let source = rawbpf::insn::parse("hostile", PROGRAM).unwrap();
    Code::of(source.programs[0].program.insns())
}

fn verification(code: &Code, log: String) -> Verification {
    Verification::of_log(code.clone(), log)
}

/// Walks over the program from its beginning, one to each of its instructions. What is known behind an
/// instruction is told with this in the place of every number.
fn walks(code: &Code, n: &str) -> Vec<String> {
    let known = [
        format!("R0=map_value(id={n},off={n},ks={n},vs={n},imm={n},umin={n},umax={n})"),
        format!("R1=scalar(id={n},smin={n},smax={n},umin={n},umax={n},var_off=({n}; {n}))"),
        format!("R2=fp{n}"),
        format!("R3=pkt(off={n},r={n},imm={n}) R6=ctx(off={n})"),
        format!("R1=map_value_or_null(id={n},off={n},imm={n},umax={n}) R{n}=scalar()"),
        format!("R10=fp0 fp-8=mmmm{n} fp{n}=scalar(umin={n},umax={n}) fp-16=????{n}"),
        format!("fp-2147483648={n} fp2147483647={n}"),
        format!("frame{n}: R1={n} refs={n}"),
    ];
    let shown = verification(code, String::new());
    let mut log = "func#0 @0\n0: R1=ctx() R10=fp0\n".to_owned();
    let insns = (0..code.slots().len() as u32).filter(|at| code.insn(*at).is_some());
    let walks = insns.map(|at| {
        let known = &known[at as usize % known.len()];
        log.push_str(&format!("{at}: {} ; {known}\n", shown.text(at)));
        log.clone()
    });
    walks.collect()
}

/// The walks that end where advice looks at the instruction: at a load from what was looked up, at a store
/// beside the stack's slots, at a call of a helper, at an exit; and none at all.
fn ends(code: &Code) -> [String; 5] {
    let walks = walks(code, NUMBERS[0]);
    let to = |wanted: &str| {
        let ends = |walk: &&String| walk.lines().last().unwrap().contains(wanted);
        walks.iter().find(ends).unwrap().clone()
    };
    [
        String::new(),
        to("r3 = *(u8 *)(r0 +0)"),
        to("*(u64 *)(r10 -6) = r1"),
        to("call bpf_probe_read_kernel#113"),
        to("exit"),
    ]
}

/// The advice about this program, if it was refused at the end of this walk with this message.
fn advice(code: &Code, walk: &str, message: &str) -> String {
    let log = format!("{walk}{message}\n{PROCESSED}");
    diagnose(code, &log).map_or(String::new(), |diagnosis| diagnosis.remedy)
}

#[test]
fn a_message_with_any_number_in_all_places_is_diagnosed() {
    let code = program();
    let ends = ends(&code);
    let usual: Vec<_> = messages::lines_with(NUMBERS[0]).collect();
    for (shift, number) in NUMBERS.iter().enumerate() {
        let lines = messages::lines_with(number).enumerate();
        for (index, line) in lines.filter(|(index, line)| shift == 0 || *line != usual[*index]) {
            advice(&code, &ends[(index + shift) % ends.len()], &line);
        }
    }
}

/// The places of a pattern that are for numbers, as the table calls them.
const PLACES: [&str; 13] =
    ["off", "size", "vs", "n", "r", "i", "a", "b", "reg", "o", "m", "max", "id"];

/// A message of a pattern's form with these in the places of its numbers, and something in the others.
fn filled(pattern: &str, numbers: &[&str]) -> String {
    let (mut text, mut rest) = (String::new(), pattern.trim_start_matches('^'));
    let mut numbers = numbers.iter();
    while let Some((before, behind)) = rest.split_once(['*', '{']) {
        let named = rest.as_bytes()[before.len()] == b'{';
        let (name, behind) = if named { behind.split_once('}').unwrap() } else { ("", behind) };
        let what = if PLACES.contains(&name) { numbers.next().unwrap() } else { "it" };
        text = text + before + what;
        rest = behind;
    }
    text + rest
}

/// Numbers for so many places, with others than the usual one in at most `others` of them.
fn numbers(places: usize, others: usize) -> Vec<Vec<&'static str>> {
    let mut all = vec![(vec![], 0)];
    for _ in 0..places {
        let longer = all.iter().flat_map(|(numbers, count)| {
            let left = if *count < others { NUMBERS.len() } else { 1 };
            let more = NUMBERS[..left].iter().enumerate();
            more.map(move |(index, number)| {
                ([&numbers[..], &[*number]].concat(), count + index.min(1))
            })
        });
        all = longer.collect();
    }
    all.into_iter().map(|(numbers, _)| numbers).collect()
}

#[test]
fn no_advice_is_made_of_numbers_that_make_no_sense() {
    let code = program();
    let ends = ends(&code);
    for (cause, patterns) in causes::table() {
        for pattern in patterns {
            let place = |name: &&str| pattern.matches(&format!("{{{name}}}")).count();
            let places = PLACES.iter().map(place).sum();
            for (index, numbers) in numbers(places, 2).iter().enumerate() {
                let line = filled(pattern, numbers);
                let unusual = numbers.iter().filter(|number| **number != NUMBERS[0]).count();
                for (_, end) in (0..).zip(&ends).filter(|(at, _)| unusual < 2 || index % 5 == *at) {
                    let advice = advice(&code, end, &line);
                    let senseless = ["922337203685477", "18446744073709551615", "--", "r-"];
                    let found = senseless.iter().find(|number| advice.contains(**number));
                    assert_eq!(found, None, "{} {line}: {advice}", cause.class);
                }
            }
        }
    }
}

#[test]
fn what_is_known_of_values_with_any_number_is_shown() {
    let code = program();
    for log in NUMBERS.iter().flat_map(|number| walks(&code, number)) {
        let program = verification(&code, format!("{log}R2 min value is negative\n{PROCESSED}"));
        let log = &program.log;
        program.render(false);
        let mut section = PageSection::new(0, &program);
        let Ok(()) = walk::<Infallible>(&code, log, &mut |entry| {
            section.entry(&entry);
            wording::line(&program, &entry, true);
            Ok(())
        });
        let mut page = Page::new();
        page.add(section, &About { name: "", attached: "", refused: true, missing: "" });
        page.to_html();
        let mut stepper =
            Stepper::new(vec![SteppedProgram::new(String::new(), true, &program, usize::MAX)]);
        for key in "!!iqgnr1hbfni".chars() {
            stepper.press(KeyPress::Char(key));
            stepper.screen(120, 30);
        }
        compare(&code, log, log);
    }
}

#[test]
fn a_register_that_there_is_not_has_no_history() {
    let code = program();
    let log = walks(&code, NUMBERS[0]).pop().unwrap() + PROCESSED;
    let trail = Trail::of(&code, &log, usize::MAX);
    let last = trail.rows().len() - 1;
    assert!(!trail.history(last, 0).unwrap().is_empty());
    for register in [11, 15, 16, 31, 32, 63, 64, 200, 255] {
        assert_eq!(trail.history(last, register), Some(vec![]), "r{register}");
    }
}

#[test]
fn what_is_no_slot_of_the_program_is_not_the_refused_instruction() {
    let code = program();
    for slot in ["25", "4294967295", "18446744073709551615", "-1", ""] {
        for message in [
            "jump out of range from insn N to 8",
            "unreachable insn N",
            "back-edge from insn N to 8",
        ] {
            let log = format!("{}\n{PROCESSED}", message.replace('N', slot));
            let at = diagnose(&code, &log).unwrap().at;
            assert!(at.is_none_or(|at| code.insn(at).is_some()), "{message}: {at:?}");
        }
    }
    let log = format!("jump out of range from insn 6 to 99\n{PROCESSED}");
    assert_eq!(diagnose(&code, &log).unwrap().at, Some(6));
}

/// What each of these says of the program where it is refused.
#[test]
fn what_kernels_really_say_beside_the_usual_has_advice_that_helps() {
    let code = program();
    let [_, load, store, helper, exit] = &ends(&code);
    for (end, message, wanted) in [
        (load, "invalid access to map value, value_size=4 off=0 size=8", "use at most 4 bytes"),
        (load, "invalid access to map value, value_size=8 off=0 size=0", ""),
        (store, "misaligned stack access off 0+-6+0 size 0", ""),
        (
            store,
            "misaligned stack access off 0+-6+0 size 8",
            "use offset -8 in instruction 12: (r10 -8)",
        ),
        (store, "invalid write to stack R10 off=-8 size=0", ""),
        (
            helper,
            "invalid write to stack R1 off=-8 size=600",
            "the frame has 512 bytes: larger data belongs in a map",
        ),
        (
            exit,
            "At program exit the register R0 has value (0x5; 0x0) should have been in (0x1; 0x0)",
            "insert before instruction 22: `r0 = 1`",
        ),
        (
            exit,
            "At program exit the register R0 has smin=5 smax=5 should have been in [1, 3]",
            "insert before instruction 22: `r0 = 1`",
        ),
        (
            exit,
            "At program exit the register R0 has smin=5 smax=5 should have been in [-4095, 0]",
            "insert before instruction 22: `r0 = 0`",
        ),
    ] {
        assert_eq!(advice(&code, end, message), wanted, "{message}");
    }
}
