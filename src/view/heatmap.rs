//! Latency as a heat map: time downwards, latency to the right, in the style of the kernel's tracex3.
//!
//! All rows share one scale, so that they can be compared. A terminal prints a row before it knows the
//! next, so the scale is fixed: 1, 3, 10, 30 and so on.

use std::fmt::Write;
use std::time::Duration;

use super::color::{Palette, SHADES};
use super::duration::{latency, latency_above};
use super::scale::Scale;
use crate::sample::{Bucket, Histogram, Sample, Unit, Value};

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
    /// The row of a sample: the times of its first table, in all rows. The picture began at `start` by the
    /// monotonic clock, and has a row each `interval`.
    pub fn of(sample: &Sample, scale: Scale, start: Duration, interval: Duration) -> HeatRow {
        let mut row = HeatRow { counts: vec![0; scale.columns()], ..HeatRow::default() };
        if let Some(table) = sample.tables.first() {
            for counted in table.rest.iter().chain(&table.rows) {
                if let Value::Histogram(histogram) = &counted.value {
                    row.add(histogram, table.unit, scale);
                }
            }
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

    /// Adds counts, each in the column where its bucket begins.
    fn add(&mut self, histogram: &Histogram, unit: Unit, scale: Scale) {
        let mut add = |low: u64, is_zero: bool, count: u64| {
            let sum = match self.counts.get_mut(scale.column(low)) {
                _ if is_zero => &mut self.under,
                Some(column) => column,
                None => &mut self.over,
            };
            *sum = sum.saturating_add(count);
        };
        if let Some(fine) = &histogram.fine {
            let counts = fine.lows.iter().zip(&fine.counts).filter(|(_, count)| **count > 0);
            counts.for_each(|(low, count)| add(*low, false, *count));
            return;
        }
        for (Bucket { low, high }, count) in histogram.rows().filter(|(_, count)| *count > 0) {
            let is_zero = high == Some(0) && unit == Unit::Nanoseconds;
            add(low.saturating_mul(unit.in_base()), is_zero, count);
        }
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

/// The counts from which on a cell is one level stronger. Few enough that each is known again by its shade
/// alone, and each about five times the one before.
pub const LEVELS: [u64; SHADES - 1] = [1, 5, 20, 100, 500, 2000, 10_000, 50_000];

/// The level of a count, from 0 for no requests to 8.
pub fn level(count: u64) -> usize {
    LEVELS.partition_point(|least| *least <= count)
}

/// The layout of a heat map in a given width.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    scale: Scale,
    /// The number of columns that are drawn as one.
    merge: usize,
    /// The width of all cells in characters: where it is not a multiple of their number, some are one
    /// character wider than others.
    cells: usize,
    /// The width left of the columns in characters, for the time of day.
    margin: usize,
    /// The largest width of a total in characters.
    total: usize,
    /// Whether p50, p99 and max are printed after the total.
    stats: bool,
    /// The width of the terminal in characters.
    width: usize,
}

/// The number of characters that is enough for a total of any size: `9999`, `123k`, `1.2M`.
const SHORTEST_TOTAL: usize = 4;
const BEFORE_TOTAL: usize = " # ".len();
/// The two cells for latencies outside the scale.
const OUTSIDE: usize = 2;
const STATS: [&str; 3] = ["p50", "p99", "max"];
const STAT: usize = " <1.3ms".len();
/// The number of characters for a total where there is room.
const LONG_TOTAL: usize = 8;

impl Layout {
    /// The layout for a terminal of `width` characters, or for a file, which has no width.
    pub fn new(width: Option<usize>, scale: Scale, timestamp: bool, stats: bool) -> Layout {
        let margin = if timestamp { "14:03:59 ".len() } else { 0 };
        let (total, cells) = (usize::MAX, scale.drawn() + OUTSIDE);
        let Some(width) = width else {
            return Layout { scale, merge: 1, cells, margin, total, stats, width: usize::MAX };
        };
        let behind = BEFORE_TOTAL + SHORTEST_TOTAL + if stats { STATS.len() * STAT } else { 0 };
        let room = width.saturating_sub(margin + behind);
        let count = |merge: usize| scale.drawn().div_ceil(merge) + OUTSIDE;
        let merge = (1..scale.drawn()).find(|merge| count(*merge) <= room);
        let merge = merge.unwrap_or(scale.drawn().max(1));
        let count = count(merge);
        // A few wider cells among many would look like something that was measured.
        let fills = room >= count + count / 8;
        let total = SHORTEST_TOTAL + room.saturating_sub(count).min(LONG_TOTAL - SHORTEST_TOTAL);
        let cells = if fills { room - (total - SHORTEST_TOTAL) } else { count };
        Layout { scale, merge, cells: cells.max(count), margin, total, stats, width }
    }

    /// The number of cells, those for latencies outside the scale among them.
    fn count(self) -> usize {
        self.scale.drawn().div_ceil(self.merge) + OUTSIDE
    }

    /// The character at which a cell begins.
    fn edge(self, cell: usize) -> usize {
        cell * self.cells / self.count()
    }

    /// The legend: what it is a map of, the levels, and the meaning of the outer columns.
    pub fn legend(self, about: &str, palette: Palette) -> String {
        let levels = std::iter::once(0).chain(LEVELS).enumerate();
        let levels = levels.map(|(level, least)| (palette.cells([(level, 2)]), number(least, 3)));
        let mut text = wrap(&format!("heatmap of IO latency: {about}"), self.width);
        let mut column = 0;
        for (shade, least) in levels {
            if column + 4 + least.len() > self.width.saturating_sub(1) {
                text.push('\n');
                column = 0;
            }
            column += 5 + least.len();
            let _ = write!(text, "  {shade} {least}");
        }
        text.push('\n');
        text += &wrap(
            "at least this many requests in a cell; every row has the same scale",
            self.width,
        );
        let first = latency(self.scale.lower(self.scale.first));
        let last = latency(self.scale.end());
        let outer = format!("first column: faster than {first}; last: slower than {last}");
        text + &wrap(&outer, self.width)
    }

    /// The latency axis.
    pub fn banner(self) -> String {
        let mut line = format!("{:1$}<", "", self.margin);
        let ticks: Vec<(usize, String)> = (0..=10)
            .map(|power| 10u64.pow(power))
            .filter(|ns| self.scale.column(*ns) >= self.scale.first)
            .map(|ns| {
                let column = (self.scale.column(ns) - self.scale.first) / self.merge + 1;
                (self.margin + self.edge(column), format!("|{}", latency(ns)))
            })
            .collect();
        for (index, (column, label)) in ticks.iter().enumerate() {
            let room = ticks.get(index + 1).map_or(usize::MAX, |(next, _)| next - column);
            let label = if label.len() <= room { label } else { "|" };
            let _ = write!(line, "{:1$}{label}", "", column.saturating_sub(line.len()));
        }
        if self.stats {
            // The last label may extend beyond the columns.
            let end = self.margin + self.cells + BEFORE_TOTAL + self.total_width();
            let _ = write!(line, "{:1$}", "", end.saturating_sub(line.len()));
            line.extend(STATS.map(|name| format!("{name:>STAT$}")));
        }
        line + "\n"
    }

    /// The width of the totals, if it can be the same in all rows.
    fn total_width(self) -> usize {
        match self.stats {
            true => self.total.min(LONG_TOTAL),
            false => 0,
        }
    }

    /// A row as text, and the gap before it if there is one.
    pub fn row(self, row: &HeatRow, time: Option<&str>, palette: Palette) -> String {
        let mut text = String::new();
        if row.missed > 0 {
            let plural = if row.missed == 1 { "interval" } else { "intervals" };
            let missed = format!("{} {plural} missed: the next row has their counts", row.missed);
            match self.margin + missed.len() + 12 <= self.width {
                true => _ = writeln!(text, "{:1$}- - - {missed} - - -", "", self.margin),
                false => text += &wrap(&format!("- - - {missed}"), self.width),
            }
        }
        let _ = write!(text, "{:1$}", time.unwrap_or_default(), self.margin);
        let mut levels = vec![level(row.below(self.scale.first))];
        levels.extend((self.scale.first..self.scale.columns()).step_by(self.merge).map(|column| {
            let merged = row.counts.iter().skip(column).take(self.merge);
            level(merged.fold(0, saturating_add))
        }));
        levels.push(level(row.over));
        let total = number(row.total(), self.total);
        let widths = (0..).map(|cell| self.edge(cell + 1) - self.edge(cell));
        let cells = palette.cells(levels.into_iter().zip(widths));
        let _ = write!(text, "{cells} # {total:<0$}", self.total_width());
        if self.stats {
            for thousandths in [500, 990, 1000] {
                let _ = write!(text, "{:>STAT$}", row.quantile(self.scale, thousandths).text());
            }
        }
        text.truncate(text.trim_end().len());
        text + "\n"
    }
}

/// Words in lines of a width, each after two spaces.
fn wrap(text: &str, width: usize) -> String {
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        if column > 0 && column + 1 + word.len() <= width {
            lines.push(' ');
            column += 1;
        } else {
            lines.push_str(if column > 0 { "\n  " } else { "  " });
            column = 2;
        }
        lines.push_str(word);
        column += word.len();
    }
    lines + "\n"
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
    use super::super::color::Background;
    use super::super::scale::tests::SCALE;
    use super::*;

    fn row(counts: &[(usize, u64)]) -> HeatRow {
        let mut row = HeatRow { end: Duration::from_secs(1), ..HeatRow::default() };
        row.counts = vec![0; SCALE.columns()];
        counts.iter().for_each(|(slot, count)| row.counts[*slot] = *count);
        row
    }

    #[test]
    fn one_is_darker_than_none_and_the_scale_has_no_end() {
        assert_eq!([0, 1, 4, 5, 19, 20, 99, 100].map(level), [0, 1, 1, 2, 2, 3, 3, 4]);
        assert_eq!(level(u64::MAX), LEVELS.len());
    }

    #[test]
    fn a_wide_terminal_has_every_column_and_any_total() {
        let layout = Layout::new(Some(106), SCALE.from(1000), false, false);
        let banner = "<|1us         |10us         |100us       |1ms         |10ms        |100ms        \
                      |1s          |10s\n";
        assert_eq!(layout.banner(), banner);
        let mut row = row(&[(3, 1), (34, 1), (74, 40), (130, 12_303)]);
        row.over = 1;
        let text = layout.row(&row, None, Palette::Text);
        assert_eq!(text, format!("..{:39}*{:55}#. # 12k\n", "", ""));
        assert!(text.len() <= 107);
        for count in [9_999, 10_000, 999_999, 1_234_567, u64::MAX] {
            assert!(number(count, SHORTEST_TOTAL).len() <= SHORTEST_TOTAL, "{count}");
        }
    }

    #[test]
    fn the_map_is_as_wide_as_the_terminal_and_never_wider() {
        let mut full = row(&[]);
        full.counts = vec![123_456_789; SCALE.columns()];
        full.missed = 1000;
        for width in 30..400 {
            for scale in [SCALE, SCALE.from(1000)] {
                for (time, stats) in [(None, false), (Some("14:03:59"), width > 50)] {
                    let layout = Layout::new(Some(width), scale, time.is_some(), stats);
                    let text = layout.legend("a host, Linux 6.12", Palette::Text)
                        + &layout.banner()
                        + &layout.row(&full, time, Palette::Text);
                    for line in text.lines() {
                        assert!(line.len() <= width, "{width}: {line}");
                    }
                    // What is left is less than an eighth of the cells.
                    let used = layout.margin + layout.cells + BEFORE_TOTAL + LONG_TOTAL;
                    let stats = if stats { STATS.len() * STAT } else { 0 };
                    assert!(used + stats + layout.count() / 8 >= width.min(400), "{width}");
                }
            }
        }
    }

    #[test]
    fn a_narrow_terminal_merges_columns_and_a_wide_one_widens_them() {
        let row = row(&[(34, 15), (35, 4), (37, 1)]);
        let narrow = Layout::new(Some(48), SCALE.from(1000), false, false);
        assert_eq!(narrow.banner(), "<|1us|10us|   |1ms |10ms|   |1s  |10s\n");
        assert_eq!(narrow.row(&row, None, Palette::Text), format!(" :.{:34} # 20\n", ""));
        let wide = Layout::new(Some(213), SCALE.from(1000), false, false);
        assert!(wide.row(&row, None, Palette::Text).starts_with("  ::..  .."), "{wide:?}");
        assert!(wide.banner().starts_with("< |1us                      |10us "));
    }

    #[test]
    fn a_file_has_every_column_and_exact_totals() {
        let layout = Layout::new(None, SCALE, false, false);
        let text = layout.row(&row(&[(0, 1_234_567)]), None, Palette::Text);
        assert_eq!(text, format!(" @{:131} # 1234567\n", ""));
        assert!(layout.banner().starts_with("<|1ns    |10ns        |100ns       |1us "));
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
        let mut row = row(&[(48, 98), (75, 1)]);
        row.over = 1;
        let [p50, p99, max] = [500, 990, 1000].map(|part| row.quantile(SCALE, part));
        assert_eq!(p50, Quantile::Below(SCALE.lower(49)));
        assert_eq!(p99, Quantile::Below(SCALE.lower(76)));
        assert_eq!(max, Quantile::Above(SCALE.end()));
        let layout = Layout::new(Some(80), SCALE.from(1000), false, true);
        let text = layout.row(&row, None, Palette::Text);
        assert!(text.ends_with(" # 100    <13us <1.4ms   >17s\n"), "{text}");
        assert_eq!(layout.banner().trim_end().len(), text.trim_end().len());
    }

    #[test]
    fn the_legend_names_each_level() {
        let layout = Layout::new(Some(80), SCALE.from(1000), false, false);
        let legend = layout.legend("web-3, Linux 6.12.1", Palette::Text);
        let lines = "  heatmap of IO latency: web-3, Linux 6.12.1\n     0  .. 1  :: 5  ** 20  oo 100  \
                     OO 500  88 2k  ## 10k  @@ 50k\n";
        assert!(legend.starts_with(lines), "{legend}");
        let shades = layout.legend("", Palette::Ansi256(Background::Dark));
        assert_eq!(shades.matches("\x1b[48;5;").count(), LEVELS.len());
    }
}
