//! Walks stepped through: keys in, screens out, without a terminal.

use std::convert::Infallible;

use proptest::prelude::*;
use rawbpf::verifier::draw::stepper::{KeyPress, SteppedProgram, Stepper, TextStyle};
use rawbpf::verifier::trail::Trail;
use rawbpf::verifier::verification::{SourceLine, Verification};
use rawbpf::verifier::walk::{Entry, walk};

use rawbpf::verifier::path::Code;

use crate::{Recorded, recorded};

fn verification(one: &Recorded, log: &str) -> Verification {
    let code = Code::from_bytes(&one.insns);
    Verification::of_log(code, log.to_owned())
}

/// What a kernel said of a program at level 2.
fn said(kernel: &str, name: &str) -> (&'static Recorded, Verification) {
    let is = |one: &&Recorded| one.kernel.starts_with(kernel) && one.name == name;
    let one = recorded().iter().find(is).unwrap();
    let (_, log) = one.logs.iter().find(|(level, _)| *level == 2).unwrap();
    (one, verification(one, log))
}

const SHOWN_MAX: usize = 20_000;

/// All logs, at every level, those that were shortened too.
fn all() -> Vec<(&'static Recorded, Verification)> {
    let logs = recorded().iter().flat_map(|one| one.logs.iter().map(move |(_, log)| (one, log)));
    logs.map(|(one, log)| (one, verification(one, log))).collect()
}

fn stepper<'a>(one: &Recorded, program: &'a Verification) -> Stepper<'a> {
    Stepper::new(vec![SteppedProgram::new(one.name.clone(), !one.accepted, program, SHOWN_MAX)])
}

/// Presses keys as they are typed, and gives the screen.
fn screen(stepper: &mut Stepper, keys: &str, (width, height): (usize, usize)) -> String {
    for key in keys.chars() {
        let key = match key {
            '\r' => KeyPress::Enter,
            '\t' => KeyPress::Tab,
            '\x1b' => KeyPress::Escape,
            '<' => KeyPress::Left,
            '>' => KeyPress::Right,
            key => KeyPress::Char(key),
        };
        assert!(stepper.press(key), "{keys:?} ends it");
        stepper.screen(width, height);
    }
    let lines = stepper.screen(width, height);
    assert_eq!(lines.len(), height);
    for line in &lines {
        assert_eq!(line.text().chars().count(), width, "{:?}", line.text());
    }
    let lines: Vec<_> = lines.iter().map(|line| line.text().trim_end().to_owned()).collect();
    lines.join("\n")
}

const SIZE: (usize, usize) = (120, 30);

/// The line on which one is.
fn here(screen: &str) -> &str {
    screen.lines().find(|line| line.starts_with('>')).unwrap_or_default()
}

#[test]
fn the_failure_is_one_key_away_with_its_cause_and_the_history_one_more() {
    for kernel in ["5.10", "6.1", "6.12", "6.18", "7.3"] {
        let (one, program) = said(kernel, "missing_null_check");
        let mut stepper = stepper(one, &program);
        let first = screen(&mut stepper, "", SIZE);
        assert!(first.starts_with(" missing_null_check: refused"), "{first}");
        assert!(first.lines().last().unwrap().contains("! failure"), "{first}");
        let failed = screen(&mut stepper, "!", SIZE);
        assert!(here(&failed).starts_with(">!   6: (79) r0 = *(u64 *)(r0 +0)"), "{failed}");
        assert!(failed.contains("refused: r0 may be NULL at 6"), "{failed}");
        assert!(failed.contains("change: insert after instruction 5: `if r0 == 0"), "{failed}");
        assert!(failed.lines().last().unwrap().contains("instruction 6, depth 0"), "{failed}");
        // What made r0 what it is.
        let made = screen(&mut stepper, "pr0", SIZE);
        assert!(here(&made).starts_with(">*   5: (85) call bpf_map_lookup_elem#1"), "{made}");
        assert!(made.contains("how r0 came about"), "{made}");
        let page = screen(&mut stepper, "!!", SIZE);
        assert!(page.contains("error: r0 may be NULL"), "{page}");
    }
}

#[test]
fn a_register_is_followed_back_through_all_that_made_it() {
    let (one, program) = said("6.18", "missing_null_check");
    let mut stepper = stepper(one, &program);
    let slots = |screen: &str| here(screen)[2..].split(':').next().unwrap().trim().to_owned();
    let first = screen(&mut stepper, "nnnnr2", SIZE);
    assert_eq!(slots(&first), "2", "{first}");
    let second = screen(&mut stepper, "<", SIZE);
    assert_eq!(slots(&second), "1", "{second}");
    // The chain is marked, here and where one is not.
    assert_eq!(second.lines().filter(|line| line.starts_with(" *")).count(), 1, "{second}");
    let end = screen(&mut stepper, "<", SIZE);
    assert!(end.lines().last().unwrap().contains("the history of r2 begins here"), "{end}");
    assert_eq!(slots(&screen(&mut stepper, ">", SIZE)), "2");
    // The same digit goes on too, and Escape ends it.
    assert_eq!(slots(&screen(&mut stepper, "r2", SIZE)), "1");
    let over = screen(&mut stepper, "\x1b", SIZE);
    assert!(!over.contains("how r2 came about"), "{over}");
    let nothing = screen(&mut stepper, "r9", SIZE);
    assert!(nothing.contains("nothing on the path to here made r9"), "{nothing}");
}

#[test]
fn both_sides_of_a_condition_are_a_key_apart() {
    let (one, program) = said("6.18", "ringbuf_leak_null_ok");
    let mut stepper = stepper(one, &program);
    let branch = screen(&mut stepper, "b", SIZE);
    assert!(here(&branch).contains("| from 5 to 8:"), "{branch}");
    assert!(branch.contains("branch 1: at 5 if r0 != 0x0 goto pc+2 holds"), "{branch}");
    // What was known before the condition, and what the branch adds.
    assert!(branch.contains("* r0  = the address of memory"), "{branch}");
    let condition = screen(&mut stepper, "f", SIZE);
    assert!(here(&condition).contains("5: (55) if r0 != 0x0 goto pc+2"), "{condition}");
    assert!(condition.contains("* r0  = 0"), "{condition}");
    let back = screen(&mut stepper, "\r", SIZE);
    assert_eq!(here(&back), here(&branch));
    let inside = screen(&mut stepper, "n", SIZE);
    assert!(inside.contains("depth 1") && inside.contains("branch 1: at 5"), "{inside}");
    let none = screen(&mut stepper, "b", SIZE);
    assert!(none.lines().last().unwrap().contains("no branch begins later"), "{none}");
}

#[test]
fn the_same_instruction_is_found_each_time_it_was_walked_over() {
    let (one, program) = said("6.18", "ok_bounded_loop");
    let mut stepper = stepper(one, &program);
    let mut last = screen(&mut stepper, "/if r\r", SIZE);
    assert!(here(&last).contains(": (") && here(&last).contains("if r"), "{last}");
    let insn = |screen: &str| here(screen).split([';', '|']).next().unwrap()[1..].trim().to_owned();
    let first = insn(&last);
    let mut times = 1;
    loop {
        let next = screen(&mut stepper, "]", SIZE);
        if here(&next) == here(&last) {
            assert!(next.contains("is not visited later"), "{next}");
            break;
        }
        assert_eq!(insn(&next), first);
        times += 1;
        assert!(here(&next).contains(&format!("visit {times}")), "{next}");
        last = next;
    }
    assert!(times > 3, "{times}");
}

#[test]
fn a_text_is_found_from_the_top_again() {
    let (one, program) = said("6.18", "ok_map_counter");
    let mut stepper = stepper(one, &program);
    let found = screen(&mut stepper, "/LOOKUP\r", SIZE);
    assert!(here(&found).contains("call bpf_map_lookup_elem"), "{found}");
    let again = screen(&mut stepper, "G/\r", SIZE);
    assert!(again.contains("found from the top again"), "{again}");
    assert_eq!(here(&again), here(&found));
    let typed = screen(&mut stepper, "/qx", SIZE);
    assert!(typed.lines().last().unwrap().contains("/qx_"), "{typed}");
    let none = screen(&mut stepper, "\r", SIZE);
    assert!(none.contains("\"qx\" was not found"), "{none}");
}

#[test]
fn inside_a_function_the_registers_are_its_own() {
    let (one, program) = said("6.18", "ok_subprog");
    let mut stepper = stepper(one, &program);
    let call = screen(&mut stepper, "/call\r", SIZE);
    assert!(call.contains("state after 1, in a function"), "{call}");
    assert!(call.contains("* r1  = 3"), "{call}");
    let back = screen(&mut stepper, "/exit\r", SIZE);
    assert!(back.contains("state after 5") && back.contains("* r0  = 4"), "{back}");
    // r0 came from the function, and its argument from the caller.
    let made = screen(&mut stepper, "r0", SIZE);
    assert!(made.contains("3: r0 = 3") && made.contains("0: r1 = 3"), "{made}");
}

#[test]
fn what_must_be_exact_is_said_where_it_matters_and_where_it_came_from() {
    let (one, program) = said("6.18", "ringbuf_leak_null_ok");
    let mut stepper = stepper(one, &program);
    let call = screen(&mut stepper, "/ringbuf_reserve\r", SIZE);
    let flat = call.replace('\n', " ");
    assert!(flat.contains("the exact value of r2 matters here"), "{call}");
    // The instructions over which it was traced back are marked.
    assert_eq!(call.lines().filter(|line| line.starts_with(" =")).count(), 2, "{call}");
    let before = screen(&mut stepper, "p", SIZE);
    assert!(before.contains("an exact value that matters at 4"), "{before}");
}

#[test]
fn each_program_keeps_its_place() {
    let (one, first) = said("6.18", "ok_map_counter");
    let (two, second) = said("6.18", "missing_null_check");
    let walked = |one: &Recorded, program| {
        SteppedProgram::new(one.name.clone(), !one.accepted, program, SHOWN_MAX)
    };
    let mut stepper = Stepper::new(vec![walked(one, &first), walked(two, &second)]);
    let start = screen(&mut stepper, "nnn", SIZE);
    assert!(start.contains("ok_map_counter: accepted") && start.contains("program 1 of 2"));
    let other = screen(&mut stepper, "\t", SIZE);
    assert!(other.contains("missing_null_check: refused") && other.contains("program 2 of 2"));
    assert_eq!(screen(&mut stepper, "\t", SIZE), start);
}

#[test]
fn q_escape_end_it_but_only_where_the_walk_is_shown() {
    let (one, program) = said("6.18", "ok_map_counter");
    for key in [KeyPress::Char('q'), KeyPress::Escape] {
        let mut stepper = stepper(one, &program);
        screen(&mut stepper, "?", SIZE);
        assert!(stepper.press(key), "it closes the help");
        screen(&mut stepper, "nnr1", SIZE);
        assert!(!stepper.press(KeyPress::Char('q')));
    }
    let mut stepper = stepper(one, &program);
    assert!(!stepper.press(KeyPress::Escape));
}

#[test]
fn what_is_refused_before_it_is_walked_over_says_why_too() {
    let (one, program) = said("6.18", "unreachable_insn");
    let mut stepper = stepper(one, &program);
    let first = screen(&mut stepper, "", SIZE);
    assert!(first.contains("refused: "), "{first}");
    let page = screen(&mut stepper, "i", SIZE);
    assert!(page.contains("error: ") && page.contains("the verifier: unreachable insn"), "{page}");
}

#[test]
fn behind_the_last_step_are_the_totals() {
    let (one, program) = said("6.18", "ok_map_counter");
    let mut stepper = stepper(one, &program);
    let end = screen(&mut stepper, "Gn", SIZE);
    assert!(end.contains("depth 0   accepted: processed 10 of 1000000 instructions"), "{end}");
    let start = screen(&mut stepper, "gp", SIZE);
    assert!(start.contains("step 1/11   this is the beginning"), "{start}");
}

/// The last rows are kept, and say that others were before them.
#[test]
fn of_a_long_walk_the_end_is_kept() {
    let (one, program) = said("6.18", "ok_bounded_loop");
    let whole = Trail::of(&program.code, &program.log, SHOWN_MAX);
    let kept = Trail::of(&program.code, &program.log, 10);
    assert_eq!((kept.rows().len(), kept.left_out()), (10, whole.rows().len() - 10));
    let last = whole.rows().len() - 1;
    assert_eq!(kept.after(9), whole.after(last));
    let moved = |made: Vec<rawbpf::verifier::trail::Made>, by: usize| -> Vec<_> {
        made.into_iter().filter_map(|made| Some((made.row.checked_sub(by)?, made.what))).collect()
    };
    let by = kept.left_out();
    for register in 0..10 {
        let kept = kept.history(9, register).map(|made| moved(made, 0));
        assert_eq!(kept, whole.history(last, register).map(|made| moved(made, by)));
    }
    let mut stepper =
        Stepper::new(vec![SteppedProgram::new(one.name.clone(), false, &program, 10)]);
    assert!(screen(&mut stepper, "", SIZE).contains(&format!("the first {by} steps are left out")));
}

/// What the walk tells is what one sees, in every log of every kernel.
#[test]
fn nothing_of_a_walk_is_lost_by_keeping_it() {
    let (mut compared, mut branches) = (0, 0);
    for (one, program) in all() {
        let trail = Trail::of(&program.code, &program.log, SHOWN_MAX);
        let mut told = vec![];
        walk::<Infallible>(&program.code, &program.log, &mut |entry| {
            told.push(entry);
            Ok(())
        })
        .unwrap();
        assert_eq!(trail.rows().len(), told.len().min(SHOWN_MAX), "{} {}", one.kernel, one.name);
        if told.len() > SHOWN_MAX {
            continue;
        }
        for (row, entry) in told.iter().enumerate() {
            let kept = &trail.rows()[row];
            if let Entry::Step(step) = entry {
                let (frame, known) = trail.after(row);
                if frame == step.frame {
                    assert_eq!(known, step.known, "{} {} row {row}", one.kernel, one.name);
                    compared += 1;
                }
            }
            if let Entry::Branch { from, .. } = entry {
                // A walk that lost its beginning has lost conditions too.
                let Some(condition) = kept.other else { continue };
                assert_eq!(trail.rows()[condition].insn(), Some(*from));
                assert_eq!(trail.rows()[condition].other, Some(row));
                branches += 1;
            }
        }
    }
    assert!(compared > 10_000 && branches > 500, "{compared} {branches}");
}

#[test]
fn control_characters_of_a_source_line_never_reach_the_terminal() {
    let (one, mut program) = said("6.18", "ok_return0");
    let text = "a\x1b[2J\tb\u{9b}c\u{202e}d\u{4e2d}e\u{301}".to_owned();
    program.lines = vec![SourceLine { slot: 0, file: "x\x07.c".into(), line: 1, text }];
    let mut stepper = stepper(one, &program);
    for size in [SIZE, (80, 24)] {
        let screen = screen(&mut stepper, "n", size);
        assert!(screen.contains("a?[2J b?c?d?e?"), "{screen}");
        assert!(!screen.chars().any(|c| c != '\n' && c.is_control()), "{screen:?}");
    }
}

#[test]
fn a_program_without_a_walk_is_shown_with_its_totals() {
    let (one, _) = said("6.18", "ok_return0");
    let log = "processed 90002 insns (limit 1000000) max_states_per_insn 4 total_states 9 \
               peak_states 9 mark_read 1\n";
    let program = verification(one, log);
    let mut stepper = stepper(one, &program);
    for keys in ["", "n", "G", "b", "f", "r1", "!", "/x\r", "]"] {
        let screen = screen(&mut stepper, keys, SIZE);
        assert!(screen.contains("accepted: processed 90002 of 1000000"), "{screen}");
        assert!(screen.contains("no steps to show"), "{screen}");
    }
}

#[test]
fn where_one_is_differs_without_colours_too() {
    let (one, program) = said("6.18", "ok_return0");
    let mut stepper = stepper(one, &program);
    let lines = stepper.screen(80, 24);
    let current = |line: &&rawbpf::verifier::draw::stepper::ScreenLine| {
        line.0.iter().any(|span| span.style == TextStyle::Current)
    };
    let current: Vec<_> = lines.iter().filter(current).collect();
    assert_eq!(current.len(), 1);
    assert!(current[0].text().starts_with('>'));
}

fn key() -> impl Strategy<Value = KeyPress> {
    let others = [
        KeyPress::Up,
        KeyPress::Down,
        KeyPress::Left,
        KeyPress::Right,
        KeyPress::PageUp,
        KeyPress::PageDown,
        KeyPress::Home,
        KeyPress::End,
        KeyPress::Enter,
        KeyPress::Tab,
        KeyPress::BackTab,
        KeyPress::Backspace,
        KeyPress::Escape,
    ];
    prop_oneof![
        prop::sample::select(others.to_vec()),
        prop::sample::select("njpkgG!ebBf][r0123456789hl/i? x".chars().collect::<Vec<_>>())
            .prop_map(KeyPress::Char),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    /// Whatever is pressed on a screen of whatever size, also of a log that is not the program's: the
    /// screen is full, and no more.
    #[test]
    fn any_keys_on_any_screen(
        program in 0..615usize,
        log in prop_oneof![3 => Just(None), 1 => (0..615usize, 0..3000usize, 0..6000usize).prop_map(Some)],
        pressed in prop::collection::vec((key(), 0..140usize, 0..40usize), 1..60),
    ) {
        let one = &recorded()[program];
        // Its own log, or a part of another's.
        let (other, start, end) = log.unwrap_or((program, 0, usize::MAX));
        let logs = &recorded()[other].logs;
        let text: String = logs[start % logs.len()].1.chars().skip(start).take(end).collect();
        let program = verification(one, &text);
        let walked = || SteppedProgram::new(one.name.clone(), !one.accepted, &program, SHOWN_MAX);
        let mut stepper = Stepper::new(vec![walked(), walked()]);
        for (key, width, height) in pressed {
            if !stepper.press(key) {
                break;
            }
            let lines = stepper.screen(width, height);
            prop_assert_eq!(lines.len(), height);
            for line in &lines {
                prop_assert_eq!(line.text().chars().count(), width);
            }
        }
    }
}
