//! Whether two kernels know the same of a value.

use crate::verifier::log::{Bounds, KnownValue, Place};

/// Whether two kernels know the same of the value in a place.
pub(super) fn same_at(place: Place, here: KnownValue, there: KnownValue) -> bool {
    let bare = |value: KnownValue| value.known.is_none() && value.attributes().next().is_none();
    match place {
        // Older kernels print only a value's type there, Linux 5.10 of a pointer only that it is one.
        Place::Stack(_) if bare(here) || bare(there) => {
            let (here_is, there_is) = (kind(here), kind(there));
            here_is == there_is
                || here.bytes.is_some()
                || there.bytes.is_some()
                || [(here_is, there_is), (there_is, here_is)]
                    .iter()
                    .any(|(short, long)| *short == "ptr_" && long.starts_with("ptr_"))
        }
        _ => same(here, there),
    }
}

/// Whether two kernels know the same of a value, however they print it.
fn same(here: KnownValue, there: KnownValue) -> bool {
    // Bytes of a slot that are neither a number nor a pointer show when they are loaded.
    if here.bytes.is_some() || there.bytes.is_some() {
        return true;
    }
    if kind(here) != kind(there) {
        return false;
    }
    if here.is_scalar() {
        return Range::of(here) == Range::of(there);
    }
    if here.type_ == "fp" {
        return here.known == there.known;
    }
    let equal = |key| here.number(key).unwrap_or(0) == there.number(key).unwrap_or(0);
    let moved = |value: KnownValue| {
        let off = value.number("off").unwrap_or(0).wrapping_add(value.number("imm").unwrap_or(0));
        Range::of(value).moved(off)
    };
    equal("r") && equal("vs") && moved(here) == moved(there)
}

/// A type, by one name for all kernels.
fn kind(value: KnownValue<'_>) -> &str {
    match value.type_ {
        "alloc_mem" | "ringbuf_mem" => "mem",
        "alloc_mem_or_null" | "ringbuf_mem_or_null" => "mem_or_null",
        other => other.trim_start_matches("trusted_").trim_start_matches("rcu_"),
    }
}

/// The bounds of a number and its known bits, each narrowed by the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Range {
    smin: i64,
    smax: i64,
    umin: u64,
    umax: u64,
    /// The bits that are 1, and those that are not known.
    bits: (u64, u64),
}

impl Range {
    fn of(value: KnownValue) -> Range {
        let bounds = value.bounds();
        let mut bits = value.known.map_or((0, u64::MAX), |known| (known as u64, 0));
        if let Some(text) = value.attribute("var_off")
            && let Some((ones, unknown)) = text.trim_matches(['(', ')']).split_once("; ")
        {
            let hex = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok();
            bits = hex(ones).zip(hex(unknown)).unwrap_or(bits);
        }
        let Bounds { smin, smax, umin, umax } = bounds;
        let mut range = Range { smin, smax, umin, umax, bits };
        // Kernels do not print bounds that follow from the rest; three rounds find all of them.
        for _ in 0..3 {
            range.deduce();
        }
        range
    }

    fn deduce(&mut self) {
        let (ones, unknown) = self.bits;
        self.umin = self.umin.max(ones);
        self.umax = self.umax.min(ones | unknown);
        let sign = 1u64 << 63;
        self.smin = self.smin.max((ones | unknown & sign) as i64);
        self.smax = self.smax.min((ones | unknown & !sign) as i64);
        if (self.umin as i64) <= self.umax as i64 {
            self.smin = self.smin.max(self.umin as i64);
            self.smax = self.smax.min(self.umax as i64);
        }
        if (self.smin < 0) == (self.smax < 0) {
            self.umin = self.umin.max(self.smin as u64);
            self.umax = self.umax.min(self.smax as u64);
        }
        // The bits above the highest in which the bounds differ.
        let open = u64::MAX.checked_shr((self.umin ^ self.umax).leading_zeros()).unwrap_or(0);
        let known = !open & !unknown;
        let fixed = !open & unknown;
        self.bits = (ones & (known | open) | self.umin & fixed, unknown & open);
    }

    fn moved(self, by: i64) -> (i64, i64) {
        // For a pointer that nothing was added to, no bounds are printed.
        match self.smin == i64::MIN && self.smax == i64::MAX {
            true => (by, by),
            false => (self.smin.wrapping_add(by), self.smax.wrapping_add(by)),
        }
    }
}
