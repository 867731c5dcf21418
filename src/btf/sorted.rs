//! The search through types that are sorted by name.
//!
//! From kernel 7.2 on vmlinux has its anonymous types first and then the named ones by name
//! (strcmp). Records have no fixed length and no index, so the search halves the section in bytes:
//! it jumps into the middle and looks for a place from which [`RUN`] records in a row make sense.
//!
//! That a record begins there is all but certain, not proven, and a blob that is not sorted can
//! look so for a while. Hence only a record of the very name and kind counts as found, and a
//! search without success proves nothing: the caller walks.

use super::record::HEADER;
use super::{Btf, Kind, Type};
use std::cmp::Ordering;

/// As many records in a row are taken as proof that the first is not the inside of another.
const RUN: usize = 16;

/// No record of a kernel is this long: the longest of 7.2, its per-CPU variables, has 5 KB.
const REACH: usize = 16 * 1024;

/// A stretch this short is walked.
const SHORT: usize = 1024;

impl<'a> Btf<'a> {
    /// The first record of this kind and name, if the types are sorted by name.
    pub(super) fn search(&self, kind: Kind, name: &str) -> Option<Type<'a>> {
        let name = name.as_bytes();
        // A record begins at `low`, and if not at 0 its name is less than the one wanted. No record
        // between `high` and the end is the first one wanted, but perhaps the one at `high`.
        let (mut low, mut high) = (0, self.types.len());
        while high - low > SHORT {
            let middle = low + (high - low) / 8 * 4; // Records are aligned to 4 bytes.
            let start = self.record_from(middle)?;
            if start >= high {
                high = middle;
            } else if self.name_in_order(start)? < name {
                low = start;
            } else {
                high = start;
            }
        }
        while low < self.types.len() {
            let (record, next) = self.decode(low)?;
            match record.compare_name(name) {
                Ordering::Equal if record.kind() == kind => return Some(record),
                Ordering::Greater => return None,
                _ => low = next,
            }
        }
        None
    }

    /// Where the first record begins that is not before `position`; the end if there is none.
    fn record_from(&self, position: usize) -> Option<usize> {
        let end = self.types.len();
        (position..end.min(position + REACH))
            .step_by(4)
            .find(|start| self.run_from(*start).all(|record| record.is_some()))
            .or((end - position <= REACH).then_some(end))
    }

    /// The name of the record at `position`, if the names of the run from there do not descend.
    fn name_in_order(&self, position: usize) -> Option<&'a [u8]> {
        let mut names = self.run_from(position).map(|record| record?.name().ok());
        let first = names.next()??;
        let mut last = first;
        for name in names {
            last = name.filter(|name| *name >= last)?;
        }
        Some(first)
    }

    /// The run of records from `position` on, which ends early at the section's end or with a
    /// `None` for what does not look like a record.
    fn run_from(&self, position: usize) -> impl Iterator<Item = Option<Type<'a>>> {
        let mut next = Some(position).filter(|position| *position < self.types.len());
        std::iter::from_fn(move || {
            let decoded = self.decode(next?);
            next = decoded.map(|(_, next)| next).filter(|next| *next < self.types.len());
            Some(decoded.map(|(record, _)| record))
        })
        .take(RUN)
    }

    /// The record at `position` and where the next begins, if it looks like a true one: of a known
    /// kind, no longer than true ones are, its name the beginning of a string.
    fn decode(&self, position: usize) -> Option<(Type<'a>, usize)> {
        let head = self.types.get(position..position + HEADER)?;
        let name_offset = self.order.u32(head) as usize;
        let before = name_offset.saturating_sub(1);
        if name_offset >= self.strings.0.len() || self.strings.0[before] != 0 {
            return None;
        }
        let record = self.record(position).ok()?;
        let len = self.layout.record_len(self.order.u32(&head[4..])) as usize;
        (len <= REACH).then_some((record, position + len))
    }
}
