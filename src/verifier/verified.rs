//! A program that was verified: its name, its verdict and the verifier's log.

use super::recording::Verdict;
use super::totals::Totals;
use super::verification::Verification;

/// The largest number of parts of a walk that are shown: nobody reads more.
pub const SHOWN_MAX: usize = 20_000;

/// A program that was verified.
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
    /// Whether the verifier processed more than [`SHOWN_MAX`] instructions, and the log has only the totals.
    pub totals_only: bool,
    /// Whether it was refused.
    pub refused: bool,
}

impl Verified {
    /// The verifier's totals.
    pub fn totals(&self) -> Totals<'_> {
        Totals::of(&self.program.log)
    }

    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        match self.refused {
            true => Verdict::Refused,
            // The log may have no end.
            false if self.program.code.is_rebuilt() => Verdict::of(&self.program.log),
            false => Verdict::Accepted,
        }
    }

    /// How and where it is attached.
    pub fn attach(&self) -> String {
        format!("{} {}", self.kind, self.place).trim_end().to_owned()
    }

    /// Its name, and how and where it is attached.
    pub fn title(&self) -> String {
        format!("{} {}", self.name, self.attach()).trim_end().to_owned()
    }

    /// Why the walk is not shown, if it is too long.
    pub fn too_long(&self) -> Option<String> {
        let insns = self.totals().processed.map_or(0, |processed| processed.insns);
        self.totals_only
            .then(|| format!("{insns} instructions are too many to show; the limit is {SHOWN_MAX}"))
    }
}
