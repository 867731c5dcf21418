//! Costs, read interval after interval, and as a table.

use std::time::Duration;

use super::costs::{Cost, Costs, Counts};
use super::options::{Options, Sort};
use crate::error::Error;
use crate::host::holders::Holders;
use crate::view::duration::latency;
use crate::view::fitted::{Column, fitted};
use crate::view::table::Align::{Left, Right};

/// Reads the costs of one interval after the other.
pub struct Meter<'a> {
    options: &'a Options,
    before: Counts,
    holders: Holders,
    /// The greatest id whose holders are known.
    newest: u32,
    /// What the costs are sorted by.
    pub sort: Sort,
}

impl<'a> Meter<'a> {
    /// Begins to read.
    ///
    /// # Errors
    /// A privilege is missing.
    pub fn new(options: &'a Options) -> Result<Meter<'a>, Error> {
        let before = Counts::read(options)?;
        let (newest, holders) = (before.newest(), Holders::find());
        let sort = options.sort.unwrap_or(Sort::Time);
        Ok(Meter { options, before, holders, newest, sort })
    }

    /// The costs since the last call.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn read(&mut self) -> Result<Costs, Error> {
        let now = Counts::read(self.options)?;
        // To look for holders takes long: only if there are new programs.
        if now.newest() > self.newest {
            (self.holders, self.newest) = (Holders::find(), now.newest());
        }
        let mut costs = Costs::between(&self.before, &now, &self.holders);
        self.before = now;
        costs.sort(self.sort);
        Ok(costs)
    }
}

/// The costs as a table, at most `top` rows.
pub fn table(costs: &Costs, top: usize, width: Option<usize>) -> String {
    let programs = &costs.programs;
    // No interval is shorter.
    let seconds = costs.span.duration().as_secs_f64().max(0.001);
    let missed = programs.iter().any(|cost| cost.misses > 0);
    let columns = [
        Column::new("PROGRAM", Right, 0),
        Column::new("TYPE", Left, 2),
        Column::new("NAME", Left, 0),
        Column::new("CPU %", Right, 0),
        Column::new("RUNS/S", Right, 0),
        Column::new("TIME/S", Right, 3),
        Column::new("AVERAGE", Right, 1),
        Column::new("MISSES", Right, 1),
        Column::new("HELD BY", Left, 0),
    ];
    let row = |cost: &Cost| {
        let nanoseconds = |time: Duration| latency(time.as_nanos() as u64);
        let held_by = if cost.held_by.is_empty() { "-" } else { &cost.held_by };
        vec![
            cost.id.to_string(),
            cost.prog_type.clone(),
            cost.name.clone(),
            format!("{:.2}", cost.percent),
            format!("{:.0}", cost.runs as f64 / seconds),
            nanoseconds(cost.time.div_f64(seconds)),
            cost.average().map_or("-".into(), nanoseconds),
            cost.misses.to_string(),
            held_by.to_owned(),
        ]
    };
    let mut rows: Vec<Vec<String>> = programs.iter().take(top).map(row).collect();
    let shown = |index: usize| missed || columns[index].name != "MISSES";
    let kept: Vec<_> = (0..columns.len()).filter(|index| shown(*index)).collect();
    for row in &mut rows {
        *row = kept.iter().map(|index| std::mem::take(&mut row[*index])).collect();
    }
    let columns: Vec<_> = kept.iter().map(|index| columns[*index]).collect();
    fitted(&columns, &rows, width)
}
