//! Events that were not counted: one vocabulary for all tools.

use std::borrow::Cow;
use std::fmt;

/// Events that a sample lacks, or that it did not count as it should.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Lost {
    /// What happened to them.
    pub what: LostKind,
    /// Their number in the interval.
    pub count: u64,
    /// The words after the number: `more requests, beyond 256 histograms`.
    pub sentence: String,
    /// The option that makes room for them.
    pub option: Option<Cow<'static, str>>,
}

impl Lost {
    /// `count` events of a kind; `None` if there are none.
    pub fn some(what: LostKind, count: u64, sentence: impl Into<String>) -> Option<Lost> {
        let lost = || Lost { what, count, sentence: sentence.into(), option: None };
        (count > 0).then(lost)
    }

    /// Adds those of one more interval.
    pub fn add_up(sums: &mut Vec<Lost>, more: &[Lost]) {
        for lost in more {
            match sums.iter_mut().find(|sum| sum.what == lost.what) {
                Some(sum) => sum.count = sum.count.saturating_add(lost.count),
                None => sums.push(lost.clone()),
            }
        }
    }

    /// Names the option that makes room for them.
    #[must_use]
    pub fn option(self, option: &'static str) -> Lost {
        Lost { option: Some(option.into()), ..self }
    }
}

/// A line for people.
impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.count, self.sentence)?;
        self.option.as_ref().map_or(Ok(()), |option| write!(f, ": {option}"))
    }
}

/// Why events were not counted, or not as they should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LostKind {
    /// The value could not be read in the kernel's memory.
    Unreadable,
    /// The value is below 0, and the histogram begins at 0.
    Negative,
    /// The value is longer than a key, and counted by its beginning.
    Cut,
    /// The map had no room for another key.
    BeyondMaxKeys,
    /// More requests or calls were open at once than the map of their starts has room for.
    BeyondMaxOpen,
    /// An end without a recorded start.
    NoStart,
    /// A start without a recorded end before the next start at the same place.
    NoEnd,
    /// A request that was issued again before its end was seen: the driver gave it back, or the end is missing.
    /// It is measured from the last issue.
    Reissued,
    /// A request that ended where several were under way, and that cannot be told from them.
    Ambiguous,
    /// A request whose disk does not record when it was queued.
    NotTimed,
    /// Calls that have not ended yet, at the end of the interval.
    Open,
    /// Events that came while the CPU was running another program of the same kind.
    MissedEvents,
}

impl LostKind {
    /// All kinds.
    pub const ALL: [LostKind; 12] = [
        LostKind::Unreadable,
        LostKind::Negative,
        LostKind::Cut,
        LostKind::BeyondMaxKeys,
        LostKind::BeyondMaxOpen,
        LostKind::NoStart,
        LostKind::NoEnd,
        LostKind::Reissued,
        LostKind::Ambiguous,
        LostKind::NotTimed,
        LostKind::Open,
        LostKind::MissedEvents,
    ];

    /// The name for programs: `beyond_max_keys`.
    pub fn name(self) -> &'static str {
        match self {
            LostKind::Unreadable => "unreadable",
            LostKind::Negative => "negative",
            LostKind::Cut => "cut",
            LostKind::BeyondMaxKeys => "beyond_max_keys",
            LostKind::BeyondMaxOpen => "beyond_max_open",
            LostKind::NoStart => "no_start",
            LostKind::NoEnd => "no_end",
            LostKind::Reissued => "reissued",
            LostKind::Ambiguous => "ambiguous",
            LostKind::NotTimed => "not_timed",
            LostKind::Open => "open",
            LostKind::MissedEvents => "missed_events",
        }
    }
}
