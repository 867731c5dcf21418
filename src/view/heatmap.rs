//! Latency as a heat map: time downwards, latency to the right, in the style of the kernel's tracex3.
//!
//! All rows share one scale, so that they can be compared. A terminal prints a row before it knows the
//! next, so the scale is fixed: 1, 3, 10, 30 and so on.

use std::fmt::Write;
use std::time::Duration;

use super::color::Palette;
use super::duration::{latency, latency_above};
use super::scale::Scale;
use crate::sample::{Sample, Value};

/// The counts of a span of time.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct HeatRow {
    /// When it begins, as time since the picture's start.
    pub start: Duration,
    /// When it ends.
    pub end: Duration,
    /// Whole intervals before `start` in which nothing was read. Their counts are in this row.
    pub missed: u64,
    /// The counts by column.
    pub counts: Vec<u64>,
    /// The count below all columns: requests that ended before they began, by the clocks of two CPUs.
    pub under: u64,
    /// The count above all columns.
    pub over: u64,
}

impl HeatRow {
    /// The row of a sample. Its histogram has a bucket below the columns, one for each column and one
    /// above them. The picture began at `start` by the monotonic clock, and has a row each `interval`.
    pub fn of(sample: &Sample, start: Duration, interval: Duration) -> HeatRow {
        let mut row = HeatRow::default();
        let first = sample.tables.first().and_then(|table| table.rows.first());
        if let Some(Value::Histogram(histogram)) = first.map(|row| &row.value)
            && let [under, columns @ .., over] = &histogram.counts[..]
        {
            (row.under, row.over) = (*under, *over);
            row.counts = columns.to_vec();
        }
        row.end = sample.span.end.monotonic.saturating_sub(start);
        // A delay of up to half an interval is not a gap.
        let missed = sample.span.duration().as_nanos().checked_div(interval.as_nanos());
        row.missed = missed.unwrap_or(0).saturating_sub(1) as u64;
        row.start = match row.missed {
            0 => sample.span.start.monotonic.saturating_sub(start),
            _ => row.end.saturating_sub(interval),
        };
        row
    }

    /// The sum of all counts.
    pub fn total(&self) -> u64 {
        [self.under, self.over].iter().chain(&self.counts).fold(0, saturating_add)
    }

    /// The sum of the counts left of a column.
    pub fn below(&self, first: usize) -> u64 {
        self.counts.iter().take(first).fold(self.under, saturating_add)
    }

    /// The end of the column up to which at least this many thousandths of all requests lie.
    pub fn quantile(&self, scale: Scale, thousandths: u64) -> Quantile {
        let total = self.total();
        if total == 0 {
            return Quantile::None;
        }
        let rank = (u128::from(total) * u128::from(thousandths)).div_ceil(1000) as u64;
        let mut seen = self.under;
        for (column, count) in self.counts.iter().enumerate() {
            seen = saturating_add(seen, count);
            if seen >= rank {
                return Quantile::Below(scale.lower(column + 1));
            }
        }
        Quantile::Above(scale.end())
    }
}

fn saturating_add(sum: u64, count: &u64) -> u64 {
    sum.saturating_add(*count)
}

/// The latency below which a share of a row's requests lies, in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quantile {
    /// Nothing was counted.
    None,
    /// Below this number, in the column that ends here.
    Below(u64),
    /// This number or above, right of all columns.
    Above(u64),
}

impl Quantile {
    /// `<168us`, `>11s` or nothing.
    pub fn text(self) -> String {
        match self {
            Quantile::None => String::new(),
            Quantile::Below(ns) => format!("<{}", latency_above(ns)),
            Quantile::Above(ns) => format!(">{}", latency(ns)),
        }
    }
}

/// The counts from which on a cell is one level darker.
pub const LEVELS: [u64; 11] = [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000];

/// The level of a count, from 0 for no requests to 11.
pub fn level(count: u64) -> usize {
    LEVELS.partition_point(|least| *least <= count)
}

/// The layout of a heat map in a given width.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    scale: Scale,
    /// The number of columns that are drawn as one.
    merge: usize,
    /// The width of a cell in characters.
    cell: usize,
    /// The width left of the columns in characters, for the time of day.
    margin: usize,
    /// The largest width of a total in characters.
    total: usize,
    /// Whether p50, p99 and max are printed after the total.
    stats: bool,
}

/// The number of characters that is enough for a total of any size: `9999`, `123k`, `1.2M`.
const SHORTEST_TOTAL: usize = 4;
const BEFORE_TOTAL: usize = " # ".len();
const STATS: [&str; 3] = ["p50", "p99", "max"];
const STAT: usize = " <1.3ms".len();
const WIDEST_CELL: usize = 3;

impl Layout {
    /// The layout for a terminal of `width` characters, or for a file, which has no width.
    pub fn new(width: Option<usize>, scale: Scale, timestamp: bool, stats: bool) -> Layout {
        let margin = if timestamp { "14:03:59 ".len() } else { 0 };
        let one = Layout { scale, merge: 1, cell: 1, margin, total: usize::MAX, stats };
        let Some(width) = width else { return one };
        let behind = BEFORE_TOTAL + SHORTEST_TOTAL + if stats { STATS.len() * STAT } else { 0 };
        let room = width.saturating_sub(margin + behind);
        // Two more columns are for latencies outside the scale.
        let fits = |merge: usize| scale.drawn().div_ceil(merge) + 2 <= room;
        let merge = (1..scale.drawn()).find(|merge| fits(*merge)).unwrap_or(scale.drawn().max(1));
        let mut layout = Layout { merge, ..one };
        layout.cell = (room / (layout.columns() + 2)).clamp(1, WIDEST_CELL);
        layout.total = SHORTEST_TOTAL + room.saturating_sub(layout.cells_width());
        layout
    }

    fn columns(self) -> usize {
        self.scale.drawn().div_ceil(self.merge)
    }

    fn cells_width(self) -> usize {
        (self.columns() + 2) * self.cell
    }

    /// The legend: the levels, and the meaning of the outer columns.
    pub fn legend(self, palette: Palette) -> String {
        let mut text = String::from("  heatmap of IO latency\n ");
        for (level, least) in std::iter::once(0).chain(LEVELS).enumerate() {
            // In text, two levels look the same.
            if level == 0 || !palette.same(level - 1, level) {
                let _ = write!(text, " {} {}", palette.cells(&[level], 1), number(least, 3));
            }
        }
        let first = latency(self.scale.lower(self.scale.first));
        let last = latency(self.scale.end());
        let _ = write!(
            text,
            "\n  at least this many requests in a cell; every row has the same scale\n  \
             first column: faster than {first}; last: slower than {last}\n"
        );
        text
    }

    /// The latency axis.
    pub fn banner(self) -> String {
        let mut line = format!("{:1$}<", "", self.margin);
        let ticks: Vec<(usize, String)> = (0..=10)
            .map(|power| 10u64.pow(power))
            .filter(|ns| self.scale.column(*ns) >= self.scale.first)
            .map(|ns| {
                let column = (self.scale.column(ns) - self.scale.first) / self.merge + 1;
                (self.margin + column * self.cell, format!("|{}", latency(ns)))
            })
            .collect();
        for (index, (column, label)) in ticks.iter().enumerate() {
            let room = ticks.get(index + 1).map_or(usize::MAX, |(next, _)| next - column);
            let label = if label.len() <= room { label } else { "|" };
            let _ = write!(line, "{:1$}{label}", "", column.saturating_sub(line.len()));
        }
        if self.stats {
            // The last label may extend beyond the columns.
            let end = self.margin + self.cells_width() + BEFORE_TOTAL + self.total_width();
            let _ = write!(line, "{:1$}", "", end.saturating_sub(line.len()));
            line.extend(STATS.map(|name| format!("{name:>STAT$}")));
        }
        line + "\n"
    }

    /// The width of the totals, if it can be the same in all rows.
    fn total_width(self) -> usize {
        match self.stats {
            true => self.total.min(8),
            false => 0,
        }
    }

    /// A row as text, and the gap before it if there is one.
    pub fn row(self, row: &HeatRow, time: Option<&str>, palette: Palette) -> String {
        let mut text = String::new();
        if row.missed > 0 {
            let plural = if row.missed == 1 { "interval" } else { "intervals" };
            let _ = writeln!(
                text,
                "{:1$}- - - {2} {plural} missed: the next row has their counts - - -",
                "", self.margin, row.missed
            );
        }
        let _ = write!(text, "{:1$}", time.unwrap_or_default(), self.margin);
        let mut levels = vec![level(row.below(self.scale.first))];
        levels.extend((self.scale.first..self.scale.columns()).step_by(self.merge).map(|column| {
            let merged = row.counts.iter().skip(column).take(self.merge);
            level(merged.fold(0, saturating_add))
        }));
        levels.push(level(row.over));
        let total = number(row.total(), self.total);
        let _ =
            write!(text, "{} # {total:<1$}", palette.cells(&levels, self.cell), self.total_width());
        if self.stats {
            for thousandths in [500, 990, 1000] {
                let _ = write!(text, "{:>STAT$}", row.quantile(self.scale, thousandths).text());
            }
        }
        text.truncate(text.trim_end().len());
        text + "\n"
    }
}

/// A count in `width` characters, which must be at least four: if it has more digits, it is rounded down to
/// thousands, millions and so on.
pub fn number(count: u64, width: usize) -> String {
    let exact = count.to_string();
    if exact.len() <= width {
        return exact;
    }
    let mut unit = 1;
    for suffix in ["k", "M", "G", "T", "P", "E"] {
        unit *= 1000;
        let (whole, tenth) = (count / unit, count % unit / (unit / 10));
        if whole < 10 && tenth > 0 {
            return format!("{whole}.{tenth}{suffix}");
        }
        if whole < 1000 {
            return format!("{whole}{suffix}");
        }
    }
    exact
}

#[cfg(test)]
mod tests {
    use super::super::scale::tests::SCALE;
    use super::*;

    fn row(counts: &[(usize, u64)]) -> HeatRow {
        let mut row = HeatRow { end: Duration::from_secs(1), ..HeatRow::default() };
        row.counts = vec![0; 100];
        counts.iter().for_each(|(slot, count)| row.counts[*slot] = *count);
        row
    }

    #[test]
    fn one_is_darker_than_none_and_the_scale_has_no_end() {
        assert_eq!([0, 1, 2, 3, 9, 10, 29, 30].map(level), [0, 1, 1, 2, 2, 3, 3, 4]);
        assert_eq!(level(u64::MAX), LEVELS.len());
    }

    #[test]
    fn eighty_characters_hold_every_column_and_any_total() {
        let layout = Layout::new(Some(80), SCALE.from(1000), false, false);
        let banner =
            "<|1us      |10us     |100us    |1ms      |10ms     |100ms    |1s       |10s\n";
        assert_eq!(layout.banner(), banner);
        let mut row = row(&[(3, 1), (29, 1), (59, 40), (99, 12_345)]);
        row.over = 1;
        let text = layout.row(&row, None, Palette::Text);
        assert_eq!(text, format!("..{:29}*{:39}#. # 12k\n", "", ""));
        assert!(text.len() <= 81);
        for count in [9_999, 10_000, 999_999, 1_234_567, u64::MAX] {
            assert!(number(count, SHORTEST_TOTAL).len() <= SHORTEST_TOTAL, "{count}");
        }
    }

    #[test]
    fn no_width_is_exceeded_where_there_is_room_for_anything() {
        let mut full = row(&[]);
        full.counts = vec![123_456_789; 100];
        for width in 30..400 {
            for scale in [SCALE, SCALE.from(1000)] {
                for (time, stats) in [(None, false), (Some("14:03:59"), width > 50)] {
                    let layout = Layout::new(Some(width), scale, time.is_some(), stats);
                    let text = layout.row(&full, time, Palette::Text);
                    assert!(text.len() <= width + 1, "{width}: {text}");
                }
            }
        }
    }

    #[test]
    fn a_narrow_terminal_merges_columns_and_a_wide_one_widens_them() {
        let row = row(&[(29, 9), (30, 1), (31, 1)]);
        let narrow = Layout::new(Some(60), SCALE.from(1000), false, false);
        assert_eq!(narrow.banner(), "<|1us |10us|    |1ms |10ms|    |1s  |10s\n");
        assert_eq!(narrow.row(&row, None, Palette::Text), format!(" *.{:35} # 11\n", ""));
        let wide = Layout::new(Some(160), SCALE.from(1000), false, false);
        assert!(wide.row(&row, None, Palette::Text).starts_with("  ......"));
        assert!(wide.banner().starts_with("< |1us                |10us "));
    }

    #[test]
    fn a_file_has_every_column_and_exact_totals() {
        let layout = Layout::new(None, SCALE, false, false);
        let text = layout.row(&row(&[(0, 1_234_567)]), None, Palette::Text);
        assert_eq!(text, format!(" #{:100} # 1234567\n", ""));
        assert!(layout.banner().starts_with("<|1ns     |10ns     |100ns    |1us "));
    }

    #[test]
    fn a_gap_stands_before_its_row() {
        let row = HeatRow { missed: 3, ..row(&[]) };
        let text = Layout::new(Some(80), SCALE.from(1000), true, false).row(
            &row,
            Some("14:03:59"),
            Palette::Text,
        );
        let (gap, row) = text.split_once('\n').unwrap();
        assert_eq!(gap.trim(), "- - - 3 intervals missed: the next row has their counts - - -");
        assert!(row.starts_with("14:03:59 "));
    }

    #[test]
    fn quantiles_are_the_ends_of_columns() {
        let mut row = row(&[(40, 98), (60, 1)]);
        row.over = 1;
        let [p50, p99, max] = [500, 990, 1000].map(|part| row.quantile(SCALE, part));
        assert_eq!(p50, Quantile::Below(SCALE.lower(41)));
        assert_eq!(p99, Quantile::Below(SCALE.lower(61)));
        assert_eq!(max, Quantile::Above(SCALE.lower(100)));
        let layout = Layout::new(Some(80), SCALE.from(1000), false, true);
        let text = layout.row(&row, None, Palette::Text);
        assert!(text.ends_with(" # 100       <14us <1.5ms   >11s\n"), "{text}");
        assert_eq!(layout.banner().trim_end().len(), text.trim_end().len());
    }

    #[test]
    fn the_legend_names_each_level_that_looks_different() {
        let legend = Layout::new(Some(80), SCALE.from(1000), false, false).legend(Palette::Text);
        assert!(legend.starts_with("  heatmap of IO latency\n    0 . 1 * 10 o 100 O 1k # 10k\n"));
        assert!(legend.lines().all(|line| line.len() <= 80), "{legend}");
        let shades = Layout::new(Some(80), SCALE.from(1000), false, false).legend(Palette::Ansi256);
        assert_eq!(shades.matches("\x1b[48;5;").count(), 12);
    }
}
