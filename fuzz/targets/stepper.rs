//! A walk is stepped through by any keys, on a screen of any size.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::verifier::draw::stepper::{KeyPress, SteppedProgram, Stepper};
use rawbpf_fuzz::Input;

const KEYS: [KeyPress; 13] = [
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
const MOST_KEYS: usize = 200;

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::new(data) else { return };
    let refused = input.verified.refused;
    let walked = SteppedProgram::new("any".into(), refused, &input.verified.program, 1000);
    let mut stepper = Stepper::new(vec![walked]);
    let (width, height, keys) = match *input.more {
        [width, height, ref keys @ ..] => (width.into(), height.into(), keys),
        _ => (80, 24, &b"!pr0nN/x\r\x02\x02?"[..]),
    };
    for &key in keys.iter().take(MOST_KEYS) {
        let key = KEYS.get(usize::from(key)).copied().unwrap_or(KeyPress::Char(key.into()));
        if !stepper.press(key) {
            return;
        }
        let lines = stepper.screen(width, height);
        assert_eq!(lines.len(), height);
        assert!(lines.iter().all(|line| line.text().chars().count() == width));
    }
});
