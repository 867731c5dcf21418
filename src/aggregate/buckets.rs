//! What ranges of values are counted together.

use crate::error::Error;
use crate::insn::Cond::{Ge, Lt};
use crate::insn::blocks::clobbers;
use crate::insn::{Asm, R, Regs};

/// How values are put into buckets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Buckets {
    /// By powers of two, each of which has `1 << bits` buckets of one width. Shown as the powers of two; percentiles
    /// are of the buckets.
    Log2 {
        /// From 2 to 4.
        bits: u32,
    },
    /// Of one width, between one for what is below and one for what is above.
    Linear {
        /// Where the first of them begins.
        min: u64,
        /// How wide each is, at least 1.
        step: u64,
        /// How many there are.
        steps: u16,
    },
    /// At these bounds, which rise: the first bucket is below the first, the last has no end.
    Custom(Vec<u64>),
}

impl Buckets {
    /// By powers of two, for a distribution that is the only one: a bucket is at most 6.25 % wider than its lowest
    /// value.
    pub const LOG2: Buckets = Buckets::Log2 { bits: 4 };
    /// By powers of two, where there are many distributions: a bucket is at most 12.5 % wider than its lowest value.
    pub const LOG2_BY_KEY: Buckets = Buckets::Log2 { bits: 3 };

    /// The largest number of steps: a map's per-CPU value has at most 32 KiB.
    pub const STEPS_MAX: u16 = 4000;
    /// The largest number of bounds: the program compares with one after the other.
    pub const BOUNDS_MAX: usize = 64;

    /// Checks that values can be counted so: widths are above 0, bounds rise, and all of it fits 64 bits and
    /// a map's value.
    ///
    /// # Errors
    /// They cannot, and why.
    pub fn check(&self) -> Result<(), Error> {
        let fits = match self {
            Buckets::Log2 { bits } => (2..=4).contains(bits),
            Buckets::Linear { min, step, steps } => {
                let end = step.checked_mul((*steps).into()).and_then(|all| all.checked_add(*min));
                *step > 0 && (1..=Buckets::STEPS_MAX).contains(steps) && end.is_some()
            }
            Buckets::Custom(bounds) => {
                let rise = bounds.is_sorted_by(|one, next| one < next);
                rise && bounds.len() <= Buckets::BOUNDS_MAX
                    && bounds.first().is_some_and(|first| *first > 0)
            }
        };
        let wrong =
            || Error::usage("these buckets cannot be counted: they must rise, and fit 64 bits");
        fits.then_some(()).ok_or_else(wrong)
    }
}

impl Buckets {
    /// These, or coarser ones if there is a distribution for each of many keys.
    #[must_use]
    pub fn by_key(self, by_key: bool) -> Buckets {
        match self {
            Buckets::Log2 { .. } if by_key => Buckets::LOG2_BY_KEY,
            buckets => buckets,
        }
    }

    /// The part of the unit, as a power of two, in which values are counted by powers of two: fractions of a unit
    /// have buckets too, as far as it is a whole number of nanoseconds.
    pub fn fraction(&self, unit: u64) -> u32 {
        match self {
            Buckets::Log2 { bits } => unit.trailing_zeros().min(*bits),
            _ => 0,
        }
    }

    /// How many there are, as the verifier sees it: the last ones by powers of two have no values.
    #[allow(clippy::len_without_is_empty)] // There is always one.
    pub fn len(&self) -> usize {
        match self {
            Buckets::Log2 { bits } => 64 << bits,
            Buckets::Linear { steps, .. } => usize::from(*steps) + 2,
            Buckets::Custom(bounds) => bounds.len() + 1,
        }
    }

    /// The lowest and the highest value of a bucket; `None` for no end.
    pub fn range(&self, index: usize) -> (u64, Option<u64>) {
        let start = |index: usize| match self {
            Buckets::Log2 { bits } => u64::try_from(log_linear_start(index, *bits)).ok(),
            Buckets::Linear { min, step, .. } => Some(min + step * (index as u64 - 1)),
            Buckets::Custom(bounds) => bounds.get(index - 1).copied(),
        };
        let low = if index == 0 { Some(0) } else { start(index) };
        let next = if index + 1 < self.len() { start(index + 1) } else { None };
        (low.unwrap_or(u64::MAX), next.map(|next| next.saturating_sub(1)))
    }
}

impl Buckets {
    /// `dst = ` index of the bucket that `value` is in, below [`Buckets::len`] as the verifier sees it.
    /// Clobbers `value` and the scratch registers.
    #[track_caller]
    pub fn find(&self, a: &mut Asm, dst: R, value: R, scratch: [R; 2]) {
        match self {
            Buckets::Log2 { bits } => a.log_linear(dst, value, *bits as i32, scratch),
            Buckets::Linear { min, step, steps } => {
                linear(a, dst, value, scratch[0], *min, *step, *steps);
            }
            Buckets::Custom(bounds) => custom(a, dst, value, scratch[0], bounds),
        }
    }

    /// The registers that [`Buckets::find`] overwrites beside `dst`.
    pub const fn clobbers(&self, value: R, [scratch, more]: [R; 2]) -> Regs {
        match self {
            Buckets::Log2 { .. } => clobbers::log_linear(value, [scratch, more]),
            Buckets::Linear { .. } => Regs::of([value, scratch]),
            Buckets::Custom(_) => Regs::of([scratch]),
        }
    }
}

/// The lowest value of a bucket, where each power of two has `1 << bits` of them: [`Asm::log_linear`].
pub(super) const fn log_linear_start(bucket: usize, bits: u32) -> u128 {
    let shift = (bucket >> bits).saturating_sub(1);
    ((bucket - (shift << bits)) as u128) << shift
}

/// `dst = 0` if `value` is below `min`, else `1 + (value - min) / step`, but at most `steps + 1`.
#[track_caller]
fn linear(a: &mut Asm, dst: R, value: R, scratch: R, min: u64, step: u64, steps: u16) {
    let done = a.label();
    let above = i32::from(steps) + 1;
    a.mov(dst, 0);
    a.load_imm64(scratch, min);
    a.jump_if(value, Lt, scratch, &done);
    a.sub(value, scratch);
    a.load_imm64(scratch, step);
    a.div(value, scratch);
    a.mov(dst, above);
    a.jump_if(value, Ge, above - 1, &done);
    a.mov(dst, value);
    a.add(dst, 1);
    a.place(done);
}

/// `dst = ` how many of `bounds`, which rise, are at most `value`.
#[track_caller]
fn custom(a: &mut Asm, dst: R, value: R, scratch: R, bounds: &[u64]) {
    let done = a.label();
    a.mov(dst, 0);
    for bound in bounds {
        a.load_imm64(scratch, *bound);
        a.jump_if(value, Lt, scratch, &done);
        a.add(dst, 1);
    }
    a.place(done);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(buckets: &Buckets) -> Vec<(u64, Option<u64>)> {
        (0..buckets.len()).map(|index| buckets.range(index)).collect()
    }

    #[test]
    fn buckets_that_make_no_sense_are_an_error() {
        let linear = |min, step, steps| Buckets::Linear { min, step, steps };
        for wrong in [
            linear(0, 0, 3),
            linear(u64::MAX, 2, 3),
            linear(0, u64::MAX, 2),
            linear(0, 1, 4001),
            Buckets::Custom(vec![]),
            Buckets::Custom(vec![0, 1]),
            Buckets::Custom(vec![5, 5]),
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
        assert!(linear(u64::MAX - 6, 2, 3).check().is_ok());
        assert!(Buckets::Custom(vec![1, u64::MAX]).check().is_ok());
    }

    #[test]
    fn ranges_follow_each_other_without_a_gap() {
        let linear = Buckets::Linear { min: 10, step: 5, steps: 2 };
        assert_eq!(ranges(&linear), [(0, Some(9)), (10, Some(14)), (15, Some(19)), (20, None)]);
        let custom = Buckets::Custom(vec![1, 100]);
        assert_eq!(ranges(&custom), [(0, Some(0)), (1, Some(99)), (100, None)]);
        let log2 = ranges(&Buckets::LOG2);
        assert_eq!([log2[0], log2[31]], [(0, Some(0)), (31, Some(31))]);
        assert_eq!(
            [log2[32], log2[33], log2[48]],
            [(32, Some(33)), (34, Some(35)), (64, Some(67))]
        );
        assert_eq!(log2[975], (31 << 59, None));
        assert_eq!(ranges(&Buckets::LOG2_BY_KEY)[495], (15 << 60, None));
        for buckets in [Buckets::LOG2, Buckets::LOG2_BY_KEY, Buckets::Log2 { bits: 2 }] {
            let mut next = 0;
            for (low, high) in ranges(&buckets).into_iter().take_while(|(_, high)| high.is_some()) {
                assert_eq!(low, next, "{buckets:?}");
                next = high.unwrap() + 1;
            }
        }
    }
}
