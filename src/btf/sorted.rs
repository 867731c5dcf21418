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
use super::{Btf, Type, TypeKind};
use std::cmp::Ordering;

/// The number of records in a row that count as proof that they are records.
const RUN: usize = 16;

/// The end of one record and the beginning of the next can look like another record, followed by true ones. So
/// the first few records of a run are not relied on.
const DOUBTFUL: usize = 4;

/// The length of the longest record, in bytes. The longest of kernel 7.2, its per-CPU variables, has 5 KB.
const REACH: usize = 16 * 1024;

/// The length of a stretch in bytes that is walked instead of halved.
const SHORT: usize = 1024;

impl<'a> Btf<'a> {
    /// The first record of this kind and name, if the types are sorted by name.
    pub(super) fn search(&self, kind: TypeKind, name: &str) -> Option<Type<'a>> {
        if self.base.is_some() {
            return None; // A module's types are few, and their names may be the kernel's.
        }
        let name = name.as_bytes();
        // A record begins at `low`, and if not at 0 its name is less than the one wanted. `high` is
        // only where halving goes on: the walk at the end is bounded by names.
        let (mut low, mut high) = (0, self.types.len());
        while high - low > SHORT {
            let middle = low + (high - low) / 8 * 4; // Records are aligned to 4 bytes.
            let (pivot, pivot_name) = self.pivot(middle)?;
            if pivot >= high {
                high = middle;
            } else if pivot_name < name {
                low = pivot;
            } else {
                high = pivot;
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

    /// A record soon after `position`, and its name; none if the names descend there.
    fn pivot(&self, position: usize) -> Option<(usize, &'a [u8])> {
        let start = (position..self.types.len())
            .step_by(4)
            .take(REACH / 4)
            .find(|start| self.run_from(*start).all(|record| record.is_some()))?;
        let mut records = self.run_from(start).flatten().skip(DOUBTFUL);
        let (pivot, record) = records.next()?;
        let pivot_name = record.name().ok()?;
        let mut last = pivot_name;
        for (_, record) in records {
            last = record.name().ok().filter(|name| *name >= last)?;
        }
        Some((pivot, pivot_name))
    }

    /// The run of records from `position` on, each with its position. It ends early at the section's end, or
    /// with a `None` for bytes that do not look like a record.
    fn run_from(&self, position: usize) -> impl Iterator<Item = Option<(usize, Type<'a>)>> {
        let in_section = |position: &usize| *position < self.types.len();
        let mut next = Some(position);
        std::iter::from_fn(move || {
            let here = next.filter(in_section)?;
            let decoded = self.decode(here);
            next = decoded.map(|(_, next)| next);
            Some(decoded.map(|(record, _)| (here, record)))
        })
        .take(RUN)
    }

    /// The record at `position` and the next position, if the record looks true: it has a known kind, is not
    /// longer than true ones, and its name is the beginning of a string.
    fn decode(&self, position: usize) -> Option<(Type<'a>, usize)> {
        let head = self.types.get(position..position + HEADER)?;
        let name_offset = self.order.u32(head) as usize;
        let before = name_offset.saturating_sub(1);
        if name_offset >= self.strings.own.len() || self.strings.own[before] != 0 {
            return None;
        }
        let record = self.record(position).ok()?;
        let len = self.layout.record_len(self.order.u32(&head[4..])) as usize;
        (len <= REACH).then_some((record, position + len))
    }
}
