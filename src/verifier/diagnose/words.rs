//! Values in words.

use super::super::log::{Bounds, KnownValue};

/// How to bound a register to 0 to `last`, which is not negative.
pub(super) fn at_most(before: u32, register: u8, last: i64) -> String {
    let mask = match (last as u64 + 1).is_power_of_two() {
        true => format!("`r{register} &= {last}`, or "),
        false => String::new(),
    };
    format!(
        "insert before instruction {before}: {mask}`if r{register} > {last} goto L`, where L does not \
         use r{register}"
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
        return format!("bytes {bytes}");
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
            let known = value.number("r").unwrap_or(0);
            format!("an address in the packet, {known} bytes known to exist")
        }
        "pkt_end" => "the end of the packet".into(),
        "ringbuf_mem" | "alloc_mem" | "mem" => "the address of memory".into(),
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
        _ if umax < 1 << 48 => format!("a number from {umin} to {umax}"),
        // As a number with a sign, it may be negative where the unsigned one is large.
        (..0, 0..) if (1..=i64::MAX as u64).contains(&umin) => {
            format!("a number of at least {umin}, or negative")
        }
        (0.., _) if umin > 0 => format!("a number of at least {umin}"),
        (i64::MIN, i64::MAX) => "any number".into(),
        (i64::MIN, ..0) => format!("a number of at most {smax}"),
        (i64::MIN, _) => format!("a number of at most {smax}, possibly negative"),
        (_, i64::MAX) => format!("a number of at least {smin}"),
        _ => format!("a number from {smin} to {smax}"),
    }
}
