//! A program in the log of this kernel and in a file of another kernel's logs.

use super::compare::{Comparison, Match, compare, is_of};
use super::recording::{Recording, recordings};
use super::totals::Totals;
use super::verified::Verified;

/// The length of the longest log that is compared; we ask no kernel for more.
pub(super) const LONGEST: usize = 16 << 20;

/// A program here and in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pair<'a> {
    /// The file's name.
    pub file: String,
    /// The program there, if the file has it.
    pub found: Option<Counterpart<'a>>,
}

/// A program in a file, and how it compares.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Counterpart<'a> {
    /// The program there.
    pub there: Recording<'a>,
    /// The verifier's totals there.
    pub totals: Totals<'a>,
    /// The walk here compared with the walk there; a log of more than 16 MiB is not compared.
    pub comparison: Comparison<'a>,
}

impl<'a> Pair<'a> {
    /// Finds the recording in a file's text that is most likely of the program.
    pub fn new(verified: &'a Verified, file: String, text: &'a str) -> Pair<'a> {
        let code = &verified.program.code;
        let mut all = recordings(text);
        all.retain(|one| one.program.is_none_or(|name| name == verified.name));
        // Several programs may have one name, and one program several attach kinds.
        let attach = verified.attach();
        let found = all.into_iter().min_by_key(|one| {
            let rank = match is_of(code, one.log) {
                Match::Same => 0,
                Match::Numbers(_) => 1,
                Match::Unknown => 2,
                Match::Other(..) => 3,
            };
            (rank, one.attach.is_some_and(|other| other != attach))
        });
        let found = found.map(|there| {
            let log = if verified.totals_only { "" } else { verified.program.log.as_str() };
            let other = if there.log.len() > LONGEST { "" } else { there.log };
            let comparison = compare(code, log, other);
            Counterpart { there, totals: Totals::of(there.log), comparison }
        });
        Pair { file, found }
    }

    /// The difference of the verdicts, or of the programs themselves, if there is one.
    pub fn unlike(&self, verified: &Verified) -> Option<String> {
        let (file, program) = (&self.file, &verified.name);
        let Some(Counterpart { there, comparison, .. }) = &self.found else {
            return Some(format!("{file}: the file has no log of {program}"));
        };
        if let Match::Other(at, text) = comparison.program {
            let by = match there.attach {
                Some(other) if other != verified.attach() => format!(", attached by {other}"),
                _ => String::new(),
            };
            return Some(format!(
                "{file}: the log is of another program than {program}: instruction {at} is `{text}` there{by}"
            ));
        }
        let (here, there) = (verified.verdict(), there.verdict);
        (here != there)
            .then(|| format!("{file}: {program} is {} there, {} here", there.word(), here.word()))
    }
}
