//! Values in words.

use super::super::log::{Bounds, KnownValue};

/// How to bound a register to 0 to `last`, which is not negative.
pub(super) fn at_most(before: u32, register: u8, last: i64) -> String {
    if last >= HUGE {
        // A comparison with such a number would bound nothing.
        return format!("bound r{register} before instruction {before}, as an unsigned number");
    }
    let leave = leave_above(before, register, last);
    match (last as u64 + 1).is_power_of_two() {
        true => leave.replacen('`', &format!("`r{register} &= {last}`, or `"), 1),
        false => leave,
    }
}

/// How to keep a counter, which a mask would change, from being above `last`.
pub(super) fn leave_above(before: u32, register: u8, last: i64) -> String {
    format!(
        "insert before instruction {before}: `if r{register} > {last} goto L`, where L does not use \
         r{register}"
    )
}

/// A bound that a change in words sets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Bound {
    /// The instruction before which it is set.
    pub before: u32,
    pub register: u8,
    pub last: i64,
}

impl Bound {
    /// What [`at_most`] or [`leave_above`] says.
    pub fn of(change: &str) -> Option<Bound> {
        let rest = change.strip_prefix("insert before instruction ")?;
        let (before, rest) = rest.split_once(':')?;
        let (register, rest) = rest.split_once("`if r")?.1.split_once(" > ")?;
        let (before, register) = (before.parse().ok()?, register.parse().ok()?);
        Some(Bound { before, register, last: rest.split_once(" goto")?.0.parse().ok()? })
    }
}

/// How to keep a register from being below `least`.
pub(super) fn at_least(before: u32, register: u8, least: i64) -> String {
    format!(
        "insert before instruction {before}: `if r{register} < {least} goto L`, where L does not use \
         r{register}"
    )
}

pub(super) fn bytes(count: i64) -> String {
    format!("{count} byte{}", if count == 1 { "" } else { "s" })
}

/// One or several types, given by the kernel's names, in words.
pub(super) fn kind(kernel: &str) -> String {
    match kernel {
        "inv" | "scalar" => "a number".into(),
        "ctx" => "the context".into(),
        "map_ptr" => "a map".into(),
        "fp" => "an address on the stack".into(),
        "mem" | "alloc_mem" | "ringbuf_mem" => "what bpf_ringbuf_reserve returned".into(),
        _ if kernel.starts_with("fp, ") => "an address on the stack or in a map value".into(),
        _ => kernel.to_owned(),
    }
}

/// A value in words.
pub fn words(value: KnownValue) -> String {
    let number_of = |key| value.number(key).unwrap_or(0);
    let off = number_of("off").checked_add(number_of("imm"));
    let bounds = value.bounds();
    let moved = match (off, bounds == Bounds::UNKNOWN || value.known.is_some()) {
        (Some(0), true) => String::new(),
        (Some(off), true) => format!(", {off:+} bytes"),
        // An unknown number was added.
        (Some(off), false) if bounds.umax <= i64::MAX as u64 => {
            let (from, to) = (off.saturating_add(bounds.smin), off.saturating_add(bounds.smax));
            format!(", {from:+} to {to:+} bytes")
        }
        _ => ", moved by an unknown number of bytes".into(),
    };
    if let Some(bytes) = value.bytes {
        return stack_bytes(bytes);
    }
    if value.is_scalar() {
        return number(value);
    }
    if value.type_ == "fp" {
        return match value.known {
            Some(0) => "the frame pointer".into(),
            Some(at) => format!("the address r10{at:+}"),
            None => "an address on the stack".into(),
        };
    }
    let null = if value.may_be_null() { "NULL or " } else { "" };
    let what = match value.type_.trim_end_matches("_or_null") {
        "ctx" => "the context".to_owned(),
        "map_ptr" => "a map".into(),
        "map_value" => {
            let size = value.number("vs").map_or(String::new(), |size| format!(" of {size} bytes"));
            format!("the address of a map value{size}")
        }
        "pkt" => {
            match value.number("r").unwrap_or(0) {
                // The kernel's marks for the other side of a comparison.
                -1 => "an address in the packet, at its end or beyond".into(),
                ..0 => "an address in the packet, beyond its end".into(),
                known => format!("an address in the packet, {known} bytes known to exist"),
            }
        }
        "pkt_end" => "the end of the packet".into(),
        "ringbuf_mem" | "alloc_mem" | "mem" => "the address of memory".into(),
        other if other.starts_with("percpu_") => {
            format!("the address of a percpu variable, one for each CPU ({other})")
        }
        other => format!("a pointer ({other})"),
    };
    format!("{null}{what}{moved}")
}

fn number(value: KnownValue) -> String {
    if let Some(known) = value.known {
        return if known.unsigned_abs() > 65535 {
            format!("{known:#x}")
        } else {
            known.to_string()
        };
    }
    let Bounds { umin, umax, smin, smax } = value.bounds();
    match (smin, smax) {
        // Damaged: no number is in it.
        _ if smin > smax => "any number".into(),
        _ if umax < 1 << 48 => format!("a number from {umin} to {umax}"),
        // As a number with a sign, it may be negative where the unsigned one is large.
        (..0, 0..) if (1..=i64::MAX as u64).contains(&umin) => {
            format!("a number of at least {umin}, or negative")
        }
        (i64::MIN, i64::MAX) => "any number".into(),
        (i64::MIN, -1) => "a negative number".into(),
        (i64::MIN, ..0) => format!("a number of at most {smax}"),
        (_, -1) => format!("a negative number of at least {smin}"),
        (i64::MIN, _) => format!("a number of at most {smax}, possibly negative"),
        // A difference to the largest number tells nobody anything.
        (0, HUGE..) => "a number that is not negative".into(),
        (_, HUGE..) => format!("a number of at least {smin}"),
        _ => format!("a number from {smin} to {smax}"),
    }
}

/// Numbers from here on are as good as unbounded.
const HUGE: i64 = 1 << 62;

/// The bytes of a stack slot, which the kernel writes as a letter each, the highest address first: `bytes 0 to
/// 3 never written, 4 to 7 any data`.
fn stack_bytes(kinds: &str) -> String {
    let kinds: Vec<char> = kinds.chars().rev().collect();
    let mut parts = vec![];
    let mut from = 0;
    for run in kinds.chunk_by(|one, next| one == next) {
        let to = from + run.len() - 1;
        let place = if from == to { format!("{from}") } else { format!("{from} to {to}") };
        let what = match run[0] {
            '?' => "never written",
            '0' => "zero",
            'm' => "any data",
            'p' => "no longer known",
            _ => "of an object",
        };
        parts.push(format!("{place} {what}"));
        from = to + 1;
    }
    format!("bytes {}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verifier::log::{LogEvent, events};

    fn said(value: &str) -> String {
        let log = format!("0: R1={value}\n");
        let state = events(&log).find_map(|event| match event {
            LogEvent::State { state, .. } => Some(state),
            _ => None,
        });
        words(state.unwrap().register(1).unwrap())
    }

    /// By the forms of several kernels.
    #[test]
    fn ranges_with_signs_are_told_as_such() {
        for (value, expected) in [
            ("scalar()", "any number"),
            ("scalar(smax=-1)", "a negative number"),
            ("scalar(smax=-1,umin=0x8000000000000000)", "a negative number"),
            ("scalar(umin=9223372036854775808)", "a negative number"),
            ("inv(id=0,smax_value=-1,umin_value=9223372036854775808)", "a negative number"),
            ("scalar(smax=-5)", "a number of at most -5"),
            ("scalar(smin=-8,smax=-1)", "a negative number of at least -8"),
            ("scalar(smin=umin=0xfffffffffffffff8)", "a negative number of at least -8"),
            ("scalar(smin=-8,smax=-3)", "a number from -8 to -3"),
            ("scalar(smin=-8)", "a number of at least -8"),
            ("scalar(smin=-8,smax=8)", "a number from -8 to 8"),
            ("scalar(smax=8)", "a number of at most 8, possibly negative"),
            ("scalar(smin=0)", "a number that is not negative"),
            ("scalar(umax=9223372036854775807)", "a number that is not negative"),
            ("scalar(smin=0,smax=9223372036854775806)", "a number that is not negative"),
            ("scalar(smin=umin=1,smax=9223372036854775806)", "a number of at least 1"),
            ("scalar(umin=1)", "a number of at least 1, or negative"),
            ("scalar(smin=umin=3,umax=9)", "a number from 3 to 9"),
            ("scalar(smin=9,smax=-9)", "any number"),
        ] {
            assert_eq!(said(value), expected, "{value}");
        }
    }

    #[test]
    fn a_bound_is_read_back_as_it_is_written() {
        for last in [0, 7, 24] {
            let bound = Bound { before: 9, register: 6, last };
            assert_eq!(Bound::of(&at_most(9, 6, last)), Some(bound));
            assert_eq!(Bound::of(&leave_above(9, 6, last)), Some(bound));
        }
    }

    #[test]
    fn the_bytes_of_a_stack_slot_are_told_from_the_lowest_on() {
        assert_eq!(stack_bytes("mmmm????"), "bytes 0 to 3 never written, 4 to 7 any data");
        assert_eq!(stack_bytes("0000000m"), "bytes 0 any data, 1 to 7 zero");
        assert_eq!(stack_bytes("????????"), "bytes 0 to 7 never written");
    }
}
