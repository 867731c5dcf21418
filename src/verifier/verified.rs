//! A program's name and verdict beside what the verifier said of it.

use super::recording::Verdict;
use super::totals::Totals;
use super::verification::Verification;

/// Parts of a walk that are shown: nobody reads more.
pub const MOST: usize = 20_000;

/// A program that the verifier went over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    /// Its name.
    pub name: String,
    /// How it is attached, or its type.
    pub kind: String,
    /// Where it is attached; may be empty.
    pub place: String,
    /// The program and the log.
    pub program: Verification,
    /// Whether the verifier went over more than [`MOST`] instructions, and the log is only the totals.
    pub totals_only: bool,
    /// Whether it was refused.
    pub refused: bool,
}

impl Verified {
    /// How much there was to do.
    pub fn totals(&self) -> Totals<'_> {
        Totals::of(&self.program.log)
    }

    /// Whether it may run.
    pub fn verdict(&self) -> Verdict {
        if self.refused { Verdict::Refused } else { Verdict::Accepted }
    }

    /// How and where it is attached.
    pub fn attach(&self) -> String {
        format!("{} {}", self.kind, self.place).trim_end().to_owned()
    }

    /// Its name, and how and where it is attached.
    pub fn title(&self) -> String {
        format!("{} {}", self.name, self.attach()).trim_end().to_owned()
    }

    /// Why there is nothing to show of the walk, if the verifier went over more than is shown.
    pub fn too_long(&self) -> Option<String> {
        let insns = self.totals().processed.map_or(0, |processed| processed.insns);
        self.totals_only
            .then(|| format!("{insns} instructions are too many to show, {MOST} the most"))
    }
}
