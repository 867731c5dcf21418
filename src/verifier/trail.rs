//! The walk in memory, with random access: parent, other branch, history.

use std::convert::Infallible;
use std::ops::Range;

use super::diagnose::tell;
use super::history::history;
use super::log::{KnownValue, Place};
use super::path::{Code, PathStep, Paths};
use super::walk::{self, Change, Entry, Known, in_order};

/// A part of the walk, with its links to others.
#[derive(Clone, Debug)]
pub struct TrailRow<'a> {
    /// The part. [`Trail::after`] has the state after it.
    pub entry: Entry<'a>,
    /// The row before it on its path.
    pub before: Option<usize>,
    /// For a condition, the row where its other side was taken up; for that row, the condition.
    pub other: Option<usize>,
    /// The row for which an exact value was traced back over this one.
    pub exact_for: Option<usize>,
    /// The state after it: a part of [`Trail::known`].
    known: Range<usize>,
}

impl TrailRow<'_> {
    /// The slot of the instruction, if it is one.
    pub fn insn(&self) -> Option<u32> {
        match &self.entry {
            Entry::Step(step) => Some(step.at),
            _ => None,
        }
    }
}

/// A walk in memory.
#[derive(Clone, Debug)]
pub struct Trail<'a> {
    code: &'a Code,
    rows: Vec<TrailRow<'a>>,
    /// The number of parts before the first row.
    left_out: usize,
    /// The number of instructions before the first row.
    skipped: usize,
    /// The rows that are instructions.
    insns: Vec<usize>,
    /// The row that the next one continues.
    last: Option<usize>,
    paths: Paths<'a>,
    /// The states after the rows, as indices in `values`: mostly those of the row before.
    known: Vec<u32>,
    values: Vec<(Place, KnownValue<'a>)>,
}

/// A row that gave a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Made {
    /// The row.
    pub row: usize,
    /// What it did, in words.
    pub what: String,
}

impl<'a> Trail<'a> {
    /// The walk in a log of this program, at most its last `most` parts.
    pub fn of(code: &'a Code, log: &'a str, most: usize) -> Trail<'a> {
        let left_out = walk::count(code, log).saturating_sub(most);
        let mut trail = Trail {
            code,
            rows: vec![],
            left_out,
            skipped: 0,
            insns: vec![],
            last: None,
            paths: Paths::of(code, log),
            known: vec![],
            values: vec![],
        };
        let Ok(()) = walk::walk_from::<Infallible>(code, log, left_out, &mut |entry| {
            trail.add(entry);
            Ok(())
        });
        trail.trace_exact();
        trail
    }

    /// The rows, in the order of the walk.
    pub fn rows(&self) -> &[TrailRow<'a>] {
        &self.rows
    }

    /// The number of parts of the walk before the first row.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    fn add(&mut self, mut entry: Entry<'a>) {
        let row = self.rows.len();
        let (mut before, mut other, mut known) = (self.last, None, None);
        match &mut entry {
            Entry::Begin { changes, .. } => {
                before = None;
                known = Some(changed(vec![], changes));
            }
            Entry::Branch { condition, changes, .. } => {
                other = condition.and_then(|number| self.numbered(number));
                before = other;
                if let Some(condition) = other {
                    self.rows[condition].other = Some(row);
                }
                // It starts with the state before the condition.
                let old = other.and_then(|it| self.rows[it].before);
                let old = old.map(|it| self.after(it).1).unwrap_or_default();
                known = Some(changed(old, changes));
            }
            Entry::Step(step) => {
                if self.insns.is_empty() {
                    self.skipped = step.number;
                }
                self.insns.push(row);
                known = Some(std::mem::take(&mut step.known));
                step.known_at = vec![];
            }
            Entry::Safe { .. } | Entry::Said(_) | Entry::Cut => {}
        }
        match entry {
            Entry::Safe { .. } | Entry::Cut => self.last = None,
            Entry::Said(_) => {}
            _ => self.last = Some(row),
        }
        let known = self.keep(known.unwrap_or_default(), before);
        self.rows.push(TrailRow { entry, before, other, exact_for: None, known });
    }

    /// Keeps the state after a row; most of it is as after the row before.
    fn keep(&mut self, known: Known<'a>, before: Option<usize>) -> Range<usize> {
        let start = self.known.len();
        let old = before.map_or(0..0, |row| self.rows[row].known.clone());
        for value in known {
            let same = old.clone().find(|at| self.values[self.known[*at] as usize] == value);
            let index = same.map_or(self.values.len() as u32, |at| self.known[at]);
            if same.is_none() {
                self.values.push(value);
            }
            self.known.push(index);
        }
        start..self.known.len()
    }

    /// The row of the instruction with this [`WalkStep::number`](walk::WalkStep::number).
    fn numbered(&self, number: usize) -> Option<usize> {
        self.insns.get(number.checked_sub(self.skipped)?).copied()
    }

    /// The instruction before a row on its path.
    fn insn_before(&self, row: usize) -> Option<usize> {
        let mut way = std::iter::successors(self.rows[row].before, |row| self.rows[*row].before);
        way.find(|row| self.rows[*row].insn().is_some())
    }

    fn trace_exact(&mut self) {
        for index in 0..self.insns.len() {
            let row = self.insns[index];
            let Entry::Step(step) = &self.rows[row].entry else { continue };
            let over: Vec<u32> = step.exact.iter().flat_map(|exact| &exact.over).copied().collect();
            let mut at = row;
            for slot in over {
                let Some(before) = self.insn_before(at) else { break };
                // Each value is traced from here anew.
                let again = self.insn_before(row).filter(|it| self.rows[*it].insn() == Some(slot));
                match (self.rows[before].insn() == Some(slot), again) {
                    (true, _) => at = before,
                    (false, Some(again)) => at = again,
                    (false, None) => continue,
                }
                self.rows[at].exact_for.get_or_insert(row);
            }
        }
    }

    fn known(&self, row: usize) -> Known<'a> {
        let known = &self.known[self.rows[row].known.clone()];
        known.iter().map(|index| self.values[*index as usize]).collect()
    }

    /// The state after a row, and its frame: after a call or an `exit` of the program's own functions,
    /// the frame where the walk goes on.
    pub fn after(&self, row: usize) -> (usize, Known<'a>) {
        let Some(found) = self.rows.get(row) else { return (0, vec![]) };
        match &found.entry {
            Entry::Step(step) => match self.next(row) {
                Some(next) if next.frame > step.frame => {
                    (next.frame, changed(vec![], &step.changes))
                }
                Some(next) if next.frame < step.frame => {
                    let known = self.caller(row, next.frame).map(|call| self.known(call));
                    (next.frame, changed(known.unwrap_or_default(), &step.changes))
                }
                _ => (step.frame, self.known(row)),
            },
            Entry::Begin { .. } => (0, self.known(row)),
            Entry::Branch { .. } => {
                let condition = found.other.map(|row| &self.rows[row].entry);
                let frame = if let Some(Entry::Step(step)) = condition { step.frame } else { 0 };
                (frame, self.known(row))
            }
            // Nothing of its own: the state after the row before.
            Entry::Safe { .. } | Entry::Said(_) | Entry::Cut => match found.before {
                Some(before) => self.after(before),
                None => (0, vec![]),
            },
        }
    }

    /// The instruction with which the walk goes on after a row.
    fn next(&self, row: usize) -> Option<&walk::WalkStep<'a>> {
        match &self.rows.get(row + 1)?.entry {
            Entry::Step(next) => Some(next),
            _ => None,
        }
    }

    /// The call that led out of a frame, before a row.
    fn caller(&self, row: usize, frame: usize) -> Option<usize> {
        let mut way = std::iter::successors(Some(row), |row| self.insn_before(*row));
        way.find(|row| matches!(&self.rows[*row].entry, Entry::Step(step) if step.frame == frame))
    }

    /// The branches that a row is in, the outermost first.
    pub fn branches(&self, row: usize) -> Vec<usize> {
        let way = std::iter::successors(Some(row), |row| self.rows.get(*row)?.before);
        let is_branch = |row: &usize| {
            matches!(self.rows.get(*row).map(|row| &row.entry), Some(Entry::Branch { .. }))
        };
        let mut branches: Vec<usize> = way.filter(is_branch).collect();
        branches.reverse();
        branches
    }

    /// The rows that gave a register its value after a row, in the order of the path; `None` if there
    /// is no path.
    pub fn history(&self, row: usize, register: u8) -> Option<Vec<Made>> {
        let last =
            self.rows.get(row)?.insn().map_or_else(|| self.insn_before(row), |_| Some(row))?;
        let number = self.insns.binary_search(&last).ok()? + self.skipped;
        let mut steps = self.paths.to(self.code, number);
        let at = match &self.rows[row].entry {
            Entry::Branch { to, .. } => *to,
            _ => self.next(row).map_or(u32::MAX, |next| next.at),
        };
        let frame = self.after(row).0 as u32;
        steps.push(PathStep { at, number, frame, before: None, after: None });
        let history = history(self.code, &steps, steps.len() - 1, register);
        let made = history.events.iter().filter_map(|event| {
            let row = self.numbered(steps[event.step].number)?;
            Some(Made { row, what: tell(self.code, &steps, event).what })
        });
        Some(made.collect())
    }
}

fn changed<'a>(mut known: Known<'a>, changes: &[Change<'a>]) -> Known<'a> {
    for (place, value) in changes {
        known.retain(|(other, _)| other != place);
        known.extend(value.map(|value| (*place, value)));
    }
    in_order(known)
}
