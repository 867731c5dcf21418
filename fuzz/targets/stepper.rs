//! A walk is stepped through by any keys, on a screen of any size.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::verifier::draw::stepper::{Key, Stepper, Walked};
use rawbpf_fuzz::Input;

const KEYS: [Key; 13] = [
    Key::Up,
    Key::Down,
    Key::Left,
    Key::Right,
    Key::PageUp,
    Key::PageDown,
    Key::Home,
    Key::End,
    Key::Enter,
    Key::Tab,
    Key::BackTab,
    Key::Backspace,
    Key::Escape,
];
const MOST_KEYS: usize = 200;

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::new(data) else { return };
    let refused = input.verified.refused;
    let walked = Walked::new("any".into(), refused, &input.verified.program, 1000);
    let mut stepper = Stepper::new(vec![walked]);
    let (width, height, keys) = match *input.more {
        [width, height, ref keys @ ..] => (width.into(), height.into(), keys),
        _ => (80, 24, &b"!pr0nN/x\r\x02\x02?"[..]),
    };
    for &key in keys.iter().take(MOST_KEYS) {
        let key = KEYS.get(usize::from(key)).copied().unwrap_or(Key::Char(key.into()));
        if !stepper.press(key) {
            return;
        }
        let lines = stepper.screen(width, height);
        assert_eq!(lines.len(), height);
        assert!(lines.iter().all(|line| line.text().chars().count() == width));
    }
});
