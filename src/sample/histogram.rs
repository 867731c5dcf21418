//! The distribution of values.

use std::sync::Arc;

use super::{Percent, Percentile, Percentiles, USUAL_PERCENTILES, Unit};

/// A range of values that are counted together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bucket {
    /// The lowest value, in the table's unit.
    pub low: u64,
    /// The highest value; None for no end. Values are rounded down to the unit: in microseconds, 1999
    /// nanoseconds are 1.
    pub high: Option<u64>,
}

/// The same values counted in narrower buckets, of which percentiles are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FineCounts {
    /// The lowest value of each bucket, in the base of the table's unit. The bucket before ends there.
    pub lows: Arc<[u64]>,
    /// The count of each.
    pub counts: Vec<u64>,
    /// The number of buckets, all of one width, from a power of two to the next.
    pub steps: u32,
}

/// Counts by bucket, with the sum and the extremes of the values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Histogram {
    /// The buckets, in rising order and without gaps, in the table's unit.
    pub buckets: Arc<[Bucket]>,
    /// The count of each bucket.
    pub counts: Vec<u64>,
    /// The sum of all values, in the unit's base. None if it is not measured, or may have exceeded 64
    /// bits.
    pub sum: Option<u64>,
    /// The smallest and the greatest value, in the unit's base. None if they are not measured, or if the
    /// interval ended just then.
    pub extremes: Option<(u64, u64)>,
    /// The same values in narrower buckets, if they are counted so.
    pub fine: Option<FineCounts>,
    /// The percentiles to show.
    pub percentiles: Percentiles,
}

impl Histogram {
    /// A histogram of counts only.
    ///
    /// # Panics
    /// If there is not one count for each bucket.
    pub fn new(buckets: Arc<[Bucket]>, counts: Vec<u64>) -> Histogram {
        assert_eq!(buckets.len(), counts.len(), "a count for each bucket");
        let percentiles = USUAL_PERCENTILES;
        Histogram { buckets, counts, sum: None, extremes: None, fine: None, percentiles }
    }

    /// Adds the sum and the extremes of the values, in the base of `unit`.
    #[must_use]
    pub fn measured(self, unit: Unit, sum: u64, extremes: Option<(u64, u64)>) -> Histogram {
        let greatest = extremes.map_or(u64::MAX, |(_, max)| max);
        let extremes = extremes.and_then(|extremes| self.within(unit, extremes));
        Histogram { extremes, ..self.summed(unit, sum, greatest) }
    }

    /// Adds the sum of the values, none of which is above `greatest`, in the base of `unit`. It is left out
    /// where it may have been more than 64 bits hold.
    #[must_use]
    pub fn summed(self, unit: Unit, sum: u64, greatest: u64) -> Histogram {
        let most = self.rows().fold(0_u128, |most, (bucket, count)| {
            let value = end(bucket, unit).min(greatest);
            most.saturating_add(u128::from(value) * u128::from(count))
        });
        Histogram { sum: (most <= u128::from(u64::MAX)).then_some(sum), ..self }
    }

    /// Adds the values of another histogram over the same buckets.
    pub fn add(&mut self, other: &Histogram) {
        let fine = self.fine.iter_mut().flat_map(|fine| &mut fine.counts);
        let more = other.fine.iter().flat_map(|fine| &fine.counts);
        let counts = self.counts.iter_mut().zip(&other.counts);
        for (count, more) in counts.chain(fine.zip(more)) {
            *count = count.saturating_add(*more);
        }
        self.sum = self.sum.zip(other.sum).and_then(|(one, other)| one.checked_add(other));
        self.extremes = match (self.extremes, other.extremes) {
            (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
            (one, other) => one.or(other),
        };
    }

    /// The number of values.
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The mean of the values, in the unit's base; None without values or without their sum.
    pub fn average(&self) -> Option<f64> {
        match (self.sum, self.count()) {
            (Some(sum), count @ 1..) => Some(sum as f64 / count as f64),
            _ => None,
        }
    }

    /// Where the percentile lies: the first bucket up to whose end at least this share of all values lies, among
    /// the narrowest that there are. None without values. `unit` is the table's.
    pub fn percentile(&self, percent: Percent, unit: Unit) -> Option<Percentile> {
        let counts = self.fine.as_ref().map_or(&self.counts, |fine| &fine.counts);
        let all: u128 = counts.iter().map(|count| u128::from(*count)).sum();
        let rank = percent.rank(all);
        let mut below = 0;
        let reached = counts.iter().position(|count| {
            below += u128::from(*count);
            below >= rank.max(1)
        })?;
        let (low, next) = match &self.fine {
            Some(fine) => (fine.lows[reached], fine.lows.get(reached + 1).copied()),
            None => {
                let Bucket { low, high } = self.buckets[reached];
                let next = high.and_then(|high| high.checked_add(1));
                let next = next.and_then(|next| next.checked_mul(unit.in_base()));
                (low.saturating_mul(unit.in_base()), next)
            }
        };
        Some(next.map_or(Percentile::AtLeast(low), Percentile::Below))
    }

    /// Each bucket with its count, except buckets that contain no whole number of the unit.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = (Bucket, u64)> {
        let rows = self.buckets.iter().copied().zip(self.counts.iter().copied());
        rows.filter(|(bucket, _)| bucket.high.is_none_or(|high| bucket.low <= high))
    }

    /// The buckets from the first to the last that counted anything.
    pub fn used(&self) -> Vec<(Bucket, u64)> {
        let mut rows: Vec<_> = self.rows().skip_while(|(_, count)| *count == 0).collect();
        let used = rows.iter().rposition(|(_, count)| *count > 0).map_or(0, |last| last + 1);
        rows.truncate(used);
        rows
    }

    /// Moves each extreme into a bucket that has counts: the count and the extreme of an event that came
    /// during the read may be in different intervals.
    fn within(&self, unit: Unit, (min, max): (u64, u64)) -> Option<(u64, u64)> {
        let mut used = self.rows().filter(|(_, count)| *count > 0).map(|(bucket, _)| bucket);
        let first = used.next()?;
        let last = used.next_back().unwrap_or(first);
        let clamp = |value: u64, bucket: Bucket| {
            let start = bucket.low.saturating_mul(unit.in_base());
            value.clamp(start, end(bucket, unit).max(start))
        };
        Some((clamp(min, first), clamp(max, last)))
    }
}

/// The greatest value in a bucket, in the unit's base.
fn end(bucket: Bucket, unit: Unit) -> u64 {
    bucket.high.map_or(u64::MAX, |high| {
        high.saturating_add(1).saturating_mul(unit.in_base()).saturating_sub(1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(counts: &[u64]) -> Histogram {
        let bucket = |(low, high)| Bucket { low, high };
        let buckets = [(0, Some(9)), (10, Some(19)), (20, None)].map(bucket);
        Histogram::new(Arc::new(buckets), counts.to_vec())
    }

    fn percentile(counts: &[u64], percent: &str) -> Percentile {
        histogram(counts).percentile(percent.parse().unwrap(), Unit::Microseconds).unwrap()
    }

    #[test]
    fn percentiles_are_the_buckets_that_they_fall_into() {
        use Percentile::{AtLeast, Below};
        let [first, second, last] = [Below(10_000), Below(20_000), AtLeast(20_000)];
        let of = |counts| ["50", "90", "99"].map(|percent| percentile(counts, percent));
        assert_eq!(of(&[50, 40, 10]), [first, second, last]);
        assert_eq!(of(&[49, 41, 10])[..2], [second, second]);
        assert_eq!(of(&[99, 1, 0])[2], first);
        assert_eq!(percentile(&[9999, 1, 0], "99.99"), first);
        assert_eq!(percentile(&[0, 1, 0], "1"), second);
        assert_eq!(percentile(&[u64::MAX, u64::MAX, 1], "50"), second);
        assert_eq!(histogram(&[0, 0, 0]).percentile(USUAL_PERCENTILES[0], Unit::Number), None);
    }

    #[test]
    fn percentiles_are_of_the_narrowest_buckets() {
        let fine = |counts: &[u64]| FineCounts {
            lows: [0, 5_000, 10_000, 12_500, 20_000].into(),
            counts: counts.to_vec(),
            steps: 2,
        };
        let mut one = Histogram { fine: Some(fine(&[1, 0, 3, 0, 1])), ..histogram(&[1, 3, 1]) };
        let at = |histogram: &Histogram, percent: &str| {
            histogram.percentile(percent.parse().unwrap(), Unit::Microseconds).unwrap()
        };
        assert_eq!(at(&one, "50"), Percentile::Below(12_500));
        assert_eq!(at(&one, "99"), Percentile::AtLeast(20_000));
        one.add(&Histogram { fine: Some(fine(&[9, 0, 0, 0, 0])), ..histogram(&[9, 0, 0]) });
        assert_eq!(at(&one, "50"), Percentile::Below(5_000));
    }

    #[test]
    fn a_sum_that_may_not_fit_is_none() {
        let measured = histogram(&[1, 0, 2]).measured(Unit::Number, 7, Some((1, u64::MAX / 2)));
        assert_eq!((measured.sum, measured.average()), (None, None));
        let measured = histogram(&[1, 0, 2]).measured(Unit::Number, 60, Some((1, 30)));
        assert_eq!(measured.average(), Some(20.0));
    }

    #[test]
    fn a_sum_whose_greatest_value_is_unknown_is_none_if_the_buckets_leave_room_for_more() {
        let sum = |counts: &[u64]| histogram(counts).measured(Unit::Number, 7, None).sum;
        assert_eq!([sum(&[1, 0, 2]), sum(&[0, 0, 1]), sum(&[9, 3, 0])], [None, Some(7), Some(7)]);
        assert_eq!(sum(&[0, u64::MAX / 19 + 1, 0]), None);
        assert_eq!(sum(&[0, u64::MAX / 19, 0]), Some(7));
    }

    #[test]
    fn an_extreme_lies_in_the_bucket_of_its_count() {
        let measured = histogram(&[0, 3, 0]).measured(Unit::Microseconds, 1, Some((0, 90_000)));
        assert_eq!(measured.extremes, Some((10_000, 19_999)));
        let none = histogram(&[0, 0, 0]).measured(Unit::Microseconds, 0, Some((1, 2)));
        assert_eq!((none.extremes, none.average()), (None, None));
        let last = histogram(&[0, 0, 1]).measured(Unit::Microseconds, 1, Some((5, u64::MAX)));
        assert_eq!(last.extremes, Some((20_000, u64::MAX)));
    }

    #[test]
    fn used_buckets_reach_from_the_first_count_to_the_last() {
        let used = histogram(&[0, 4, 1]).used();
        assert_eq!(
            used.iter().map(|(bucket, count)| (bucket.low, *count)).collect::<Vec<_>>(),
            [(10, 4), (20, 1)]
        );
        assert_eq!(histogram(&[0, 0, 0]).used(), []);
    }
}
