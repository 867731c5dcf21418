//! Percentiles, and what is known of one from counts by range.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// A share of all values: `50`, `99.9`, `99.999`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Percent(u32);

impl Percent {
    /// In millionths: 999_000 for 99.9 %.
    const ALL: u32 = 1_000_000;
    /// Digits behind the point.
    const DIGITS: usize = 4;

    /// The number of values, of so many, that are at most the percentile.
    pub(super) fn rank(self, count: u128) -> u128 {
        (count * u128::from(self.0)).div_ceil(Percent::ALL.into())
    }
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Percent, String> {
        let wrong = || format!("{text:?} is not a number above 0 and below 100, such as 99.9");
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(part) || text.ends_with('.') {
            return Err(wrong());
        }
        if part.len() > Percent::DIGITS {
            return Err(format!(
                "{text:?} has more than {} digits after the point",
                Percent::DIGITS
            ));
        }
        let whole: u32 = whole.parse().map_err(|_| wrong())?;
        let part: u32 = format!("{part:0<0$}", Percent::DIGITS).parse().map_err(|_| wrong())?;
        match whole.checked_mul(10_000).and_then(|whole| whole.checked_add(part)) {
            Some(millionths) if (1..Percent::ALL).contains(&millionths) => Ok(Percent(millionths)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 10_000, self.0 % 10_000);
        let part = format!(".{part:00$}", Percent::DIGITS);
        write!(f, "{whole}{}", part.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// Percentiles to show.
pub type Percentiles = Cow<'static, [Percent]>;

/// The median, and what one value of ten and one of a hundred is above.
pub const USUAL_PERCENTILES: Percentiles =
    Cow::Borrowed(&[Percent(500_000), Percent(900_000), Percent(990_000)]);

/// Where a percentile lies: its exact value is not known, but its bucket. In the base of the table's unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Percentile {
    /// Below this value, at which the next bucket begins.
    Below(u64),
    /// At this value or above, in a bucket that has no end.
    AtLeast(u64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percents_are_printed_as_they_are_written() {
        for text in ["50", "99", "99.9", "99.9999", "0.0001", "5.05"] {
            assert_eq!(text.parse::<Percent>().unwrap().to_string(), text);
        }
        assert_eq!("099.90".parse::<Percent>().unwrap().to_string(), "99.9");
    }

    #[test]
    fn what_is_no_percent_is_an_error() {
        for text in
            ["", ".", "0", "0.0", "100", "1.", ".5", "-1", "+1", "1e1", "99.99999", "4294967296"]
        {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_rank_is_rounded_up() {
        let rank = |text: &str, count| text.parse::<Percent>().unwrap().rank(count);
        assert_eq!(
            [rank("50", 3), rank("99.9", 1000), rank("99.9", 1001), rank("1", 1)],
            [2, 999, 1000, 1]
        );
        assert_eq!(rank("50", u128::from(u64::MAX) * 1024), u128::from(u64::MAX) * 512);
    }
}
