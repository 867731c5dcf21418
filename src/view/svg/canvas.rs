//! Where things are in the picture: cells, axes and the legend.

use std::fmt::Write;
use std::time::Duration;

use super::text::{GAP, escape};
use crate::view::duration::latency;
use crate::view::heatmap::{HeatRow, LEVELS, number};
use crate::view::scale::Scale;
use crate::view::wall::Moment;

// In the picture's own pixels.
pub const WIDTH: f64 = 840.0;
pub const LEFT: f64 = 104.0;
const TOP: f64 = 110.0;
const RIGHT: f64 = 28.0;
/// The distance between the columns and those for latencies outside the scale.
const BESIDE: f64 = 5.0;
const ROW: f64 = 12.0;
const HEIGHT: (f64, f64) = (120.0, 720.0);
/// The distance of the labels of the time axis.
const LABEL: f64 = 26.0;

/// The fewest columns that are drawn: four powers of two.
const FEWEST: usize = 16;

/// The coordinates of the drawing.
pub struct Canvas {
    scale: Scale,
    /// The first column, and the one after the last: as far as anything was counted.
    columns: (usize, usize),
    /// The width of a column.
    cell: f64,
    /// Whether there are columns for latencies below and above the scale.
    outer: (bool, bool),
    /// The length of the run.
    length: Duration,
    start: Moment,
    height: f64,
}

impl Canvas {
    /// A canvas on which these rows are as large as can be.
    pub fn new(
        scale: Scale,
        rows: &[HeatRow],
        start: Moment,
        length: Duration,
        every: Duration,
    ) -> Canvas {
        let length = length.max(Duration::from_millis(1));
        let used = |row: &HeatRow| {
            let from = row.counts.iter().skip(scale.first).position(|count| *count > 0)?;
            let to = row.counts.iter().rposition(|count| *count > 0)?;
            Some((from + scale.first, to + 1))
        };
        let used = rows.iter().filter_map(used);
        let used = used.reduce(|one, next| (one.0.min(next.0), one.1.max(next.1)));
        let outer = (
            rows.iter().any(|row| row.below(scale.first) > 0),
            rows.iter().any(|row| row.over > 0),
        );
        let columns = columns(scale, used, outer);
        let outside = [outer.0, outer.1].map(usize::from).iter().sum::<usize>();
        let room = WIDTH - LEFT - RIGHT - outside as f64 * BESIDE;
        let cell = room / (columns.1 - columns.0 + outside) as f64;
        let rows = length.as_secs_f64() / every.as_secs_f64();
        let height = (rows * ROW).clamp(HEIGHT.0, HEIGHT.1).round();
        Canvas { scale, columns, cell, outer, length, start, height }
    }

    /// The left edge of all cells.
    pub fn left(&self) -> f64 {
        LEFT
    }

    /// The right edge of all cells.
    pub fn right(&self) -> f64 {
        WIDTH - RIGHT
    }

    /// The lower edge of the axis and the legend.
    pub fn bottom(&self) -> f64 {
        TOP + self.height + 112.0
    }

    /// A column's left edge; fractions are between two.
    fn x(&self, column: f64) -> f64 {
        let under = if self.outer.0 { self.cell + BESIDE } else { 0.0 };
        LEFT + under + (column - self.columns.0 as f64) * self.cell
    }

    /// The left and the right edge of a column.
    pub fn column(&self, column: usize) -> (f64, f64) {
        (self.x(column as f64), self.x((column + 1) as f64))
    }

    /// The edges of the column for latencies below the scale.
    pub fn under(&self) -> (f64, f64) {
        (LEFT, LEFT + self.cell)
    }

    /// The edges of the column for latencies above the scale.
    pub fn over(&self) -> (f64, f64) {
        (self.right() - self.cell, self.right())
    }

    pub fn y(&self, time: Duration) -> f64 {
        TOP + time.as_secs_f64() / self.length.as_secs_f64() * self.height
    }

    pub fn cell(&self, class: &str, x: (f64, f64), y: (f64, f64), title: &str, svg: &mut String) {
        let (width, height) = ((x.1 - x.0).max(0.0), (y.1 - y.0).max(0.0));
        let _ = writeln!(
            svg,
            "<rect class=\"cell {class}\" x=\"{:.2}\" y=\"{:.2}\" width=\"{width:.2}\" \
             height=\"{height:.2}\"><title>{}</title></rect>",
            x.0,
            y.0,
            escape(title)
        );
    }

    /// The axis below, with ticks at 1, 2 and 5.
    pub fn latencies(&self, svg: &mut String) {
        let bottom = TOP + self.height;
        let (from, to) = (self.x(self.columns.0 as f64), self.x(self.columns.1 as f64));
        for (ns, digit) in ticks() {
            let x = self.x(self.scale.position(ns));
            if x < from - 0.5 || x > to + 0.5 {
                continue;
            }
            let (class, top) = if digit == 1 { ("grid", TOP) } else { ("minor", bottom) };
            let (end, below) = (bottom + 5.0, bottom + 20.0);
            let text = latency(ns);
            let _ = writeln!(svg, "<path class=\"{class}\" d=\"M{x:.2} {top}V{end}\"/>");
            // As far apart as the longest two labels are.
            if digit == 1 || self.decade() >= 170.0 {
                let _ = writeln!(
                    svg,
                    "<text class=\"middle {class}\" x=\"{x:.2}\" y=\"{below}\">{text}</text>"
                );
            }
        }
        let y = bottom + 44.0;
        let (first, last) = (self.scale.lower(self.scale.first), self.scale.end());
        let mut text = |class, x, text: &str| {
            let _ = writeln!(svg, "<text class=\"{class}\" x=\"{x:.2}\" y=\"{y}\">{text}</text>");
        };
        text("fact middle", f64::midpoint(from, to), "latency of a request");
        if self.outer.0 {
            text("fact", LEFT, &format!("below {}", latency(first)));
        }
        if self.outer.1 {
            text("fact end", self.right(), &format!("{} or more", latency(last)));
        }
    }

    /// The width of a power of ten.
    fn decade(&self) -> f64 {
        self.x(self.scale.position(1_000_000)) - self.x(self.scale.position(100_000))
    }

    /// The axis at the left: round times by the wall clock.
    pub fn times(&self, svg: &mut String) {
        let length = self.length.as_secs_f64();
        let fits = |step: &f64| length / step <= self.height / LABEL;
        let step = steps().find(fits).unwrap_or(f64::MAX);
        let digits = [0.01, 0.1, 1.0].iter().filter(|whole| step < **whole).count();
        let start = self.start.local_seconds();
        let first = (start / step).ceil() * step - start;
        for index in 0..=(length / step) as u64 {
            // Where floating point has not all digits of a nanosecond.
            let time = ((first + index as f64 * step) * 1e4).round() / 1e4;
            if !(0.0..=length).contains(&time) {
                continue;
            }
            let moment = self.start.after(Duration::from_secs_f64(time));
            let of_day = moment.time(digits);
            let text = match step {
                86400.0.. => moment.day(),
                // Midnight begins a day.
                60.0.. if of_day == "00:00:00" => moment.day(),
                60.0.. => of_day[..5].to_owned(),
                _ => of_day,
            };
            let y = self.y(Duration::from_secs_f64(time));
            let (from, end, below) = (LEFT - 5.0, LEFT - 9.0, y + 4.0);
            let _ = writeln!(
                svg,
                "<path d=\"M{from} {y:.2}H{LEFT}\"/>\
                 <text class=\"end\" x=\"{end}\" y=\"{below:.2}\">{text}</text>"
            );
        }
    }

    /// The shades, each with the smallest count that has it.
    pub fn legend(&self, svg: &mut String) {
        let (text, y) = (TOP + self.height + 72.0, TOP + self.height + 82.0);
        let _ = writeln!(
            svg,
            "<text class=\"fact\" x=\"{LEFT}\" y=\"{text}\">requests in a cell, at least</text>"
        );
        for (level, least) in std::iter::once(0).chain(LEVELS).enumerate() {
            let x = LEFT + level as f64 * 78.0;
            let (label, below, least) = (x + 26.0, y + 13.0, number(least, 3));
            let _ = writeln!(
                svg,
                "<rect class=\"c{level}\" x=\"{x}\" y=\"{y}\" width=\"20\" height=\"16\"/>\
                 <text x=\"{label}\" y=\"{below}\">{least}</text>"
            );
        }
    }

    /// What the picture lacks, below the legend.
    pub fn notes(&self, notes: &[String], has_gaps: bool) -> Notes {
        let mut y = self.bottom() + 18.0;
        let mut svg = String::new();
        if has_gaps {
            let _ = writeln!(
                svg,
                "<rect class=\"gap\" x=\"{LEFT}\" y=\"{:.2}\" width=\"20\" height=\"16\"/>\
                 <text x=\"{}\" y=\"{y}\">{GAP}</text>",
                y - 13.0,
                LEFT + 26.0
            );
            y += 24.0;
        }
        for line in notes.iter().flat_map(|note| lines(note)) {
            let _ = writeln!(
                svg,
                "<text class=\"fact\" x=\"{LEFT}\" y=\"{y}\">{}</text>",
                escape(&line)
            );
            y += 22.0;
        }
        Notes { svg, height: y - self.bottom() }
    }
}

/// What is drawn below the legend.
pub struct Notes {
    pub svg: String,
    /// How much higher it makes the picture.
    pub height: f64,
}

/// A sentence in lines for which there is room in large letters too.
fn lines(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + word.chars().count() < 72 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The latencies with a tick, each with its first digit.
fn ticks() -> impl Iterator<Item = (u64, u64)> {
    (0..=10).flat_map(|power| [1, 2, 5].map(|digit| (digit * 10u64.pow(power), digit)))
}

/// The first column that is drawn, and the one after the last: from a power of ten to a tick, or to the end of
/// the scale where something lies outside.
fn columns(scale: Scale, used: Option<(usize, usize)>, outer: (bool, bool)) -> (usize, usize) {
    let (first, all) = (scale.first, scale.columns());
    let (from, to) = used.unwrap_or((first, first + 1));
    let powers = ticks().filter(|(_, digit)| *digit == 1).map(|(ns, _)| scale.column(ns));
    let start = match outer.0 {
        true => first,
        false => powers
            .filter(|column| *column <= from.min(all - FEWEST.min(all)))
            .last()
            .unwrap_or(first)
            .max(first),
    };
    let mut ends = ticks().map(|(ns, _)| scale.position(ns).ceil() as usize);
    let end = match outer.1 {
        true => all,
        false => ends.find(|end| *end >= to.max(start + FEWEST)).unwrap_or(all).min(all),
    };
    (start.min(all.saturating_sub(1)), end.max(start + 1).min(all.max(start + 1)))
}

/// Round steps of time for the axis, in seconds.
fn steps() -> impl Iterator<Item = f64> {
    let parts = (-3..=0).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(power)));
    let seconds = [10.0, 20.0, 30.0];
    let minutes = [1.0, 2.0, 5.0, 10.0, 30.0].map(|minutes| minutes * 60.0);
    let hours = [1.0, 2.0, 6.0, 12.0].map(|hours| hours * 3600.0);
    let days = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0].map(|days| days * 86400.0);
    parts.chain(seconds).chain(minutes).chain(hours).chain(days)
}
