//! A heat map as a picture for a browser: a single file that includes the raw numbers.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::color::{DARK, LIGHT};
use super::duration::latency;
use super::heatmap::{HeatRow, LEVELS, level, number};
use super::scale::Scale;
use crate::plain;

/// The largest number of rows. Beyond it, neighbouring rows are merged, so that neither memory nor the
/// picture grows without end.
pub const MAX_ROWS: usize = 1000;

/// The heat map of a whole run.
pub struct Picture {
    /// What is measured, and when the run began.
    pub title: String,
    scale: Scale,
    /// The length of a row.
    every: Duration,
    rows: Vec<HeatRow>,
}

// In pixels.
const CELL: f64 = 9.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 56.0;
const BELOW: f64 = 84.0;
/// The distance between the columns and those for latencies outside the scale.
const BESIDE: f64 = 5.0;
const ROW: f64 = 12.0;
const HEIGHT: (f64, f64) = (120.0, 720.0);

impl Picture {
    /// An empty picture of rows of this length.
    pub fn new(title: String, scale: Scale, every: Duration) -> Picture {
        // A row without length would never grow.
        let every = every.max(Duration::from_nanos(1));
        Picture { title, scale, every, rows: vec![] }
    }

    /// Appends a row.
    pub fn push(&mut self, row: HeatRow) {
        while self.rows.len() >= MAX_ROWS {
            // At the latest when this is the longest duration, all rows become one.
            self.every = self.every.saturating_mul(2);
            for row in std::mem::take(&mut self.rows) {
                self.append(row);
            }
        }
        self.append(row);
    }

    /// Merges the row into the last one unless that would be longer than a row, including the gaps before
    /// both. The merged row has one gap before it, as long as both gaps together: so the times with and
    /// without readings are kept, but not their order.
    fn append(&mut self, mut row: HeatRow) {
        row.start = row.start.min(row.end);
        // A row that ends a little late is still merged.
        let longest = self.every.saturating_add(self.every / 8);
        let before = self.rows.iter().nth_back(1).map_or(Duration::ZERO, |row| row.end);
        match self.rows.last_mut() {
            Some(last) if row.end.saturating_sub(before) <= longest => {
                let gap = row.start.saturating_sub(last.end);
                last.end = last.end.max(row.end);
                last.start = last.start.saturating_add(gap).min(last.end);
                last.missed = last.missed.saturating_add(row.missed);
                for (sum, count) in last.counts.iter_mut().zip(row.counts) {
                    *sum = sum.saturating_add(count);
                }
                last.under = last.under.saturating_add(row.under);
                last.over = last.over.saturating_add(row.over);
            }
            _ => self.rows.push(row),
        }
    }

    fn to_json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            let counts = row.counts.iter().enumerate().filter(|(_, count)| **count > 0);
            let counts: Vec<_> = counts.map(|(slot, count)| json!([slot, count])).collect();
            json!({
                "start": row.start.as_secs_f64(),
                "end": row.end.as_secs_f64(),
                "missed_intervals": row.missed,
                "under": row.under,
                "over": row.over,
                "counts": counts,
            })
        });
        json!({
            "title": self.title,
            "unit": "ns",
            "row_seconds": self.every.as_secs_f64(),
            "column_starts": self.scale.bounds(),
            "rows": rows.collect::<Vec<_>>(),
        })
    }

    /// The picture as a file.
    pub fn to_svg(&self) -> String {
        let last = self.rows.iter().map(|row| row.end).max().unwrap_or_default();
        let seconds = last.as_secs_f64().max(0.001);
        let rows = seconds / self.every.as_secs_f64();
        let frame =
            Canvas { scale: self.scale, seconds, height: (rows * ROW).clamp(HEIGHT.0, HEIGHT.1) };
        let (width, height) = (frame.right() + CELL + BESIDE + 30.0, TOP + frame.height + BELOW);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"heat\" role=\"img\" \
             width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
             <title>{}</title>\n<metadata>{}</metadata>\n{}",
            escape(&self.title),
            self.to_json().to_string().replace('&', "\\u0026").replace('<', "\\u003c"),
            style(),
        );
        let total = self.rows.iter().map(HeatRow::total).fold(0, u64::saturating_add);
        let every = latency(u64::try_from(self.every.as_nanos()).unwrap_or(u64::MAX));
        let _ = write!(
            svg,
            "<rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n\
             <text class=\"title\" x=\"{LEFT}\" y=\"22\">{}</text>\n\
             <text x=\"{LEFT}\" y=\"40\">a row is {every}, {}</text>\n",
            escape(&self.title),
            requests(total),
        );
        self.cells(&frame, &mut svg);
        frame.latencies(&mut svg);
        frame.times(&mut svg);
        legend(TOP + frame.height + 62.0, &mut svg);
        svg + "</svg>\n"
    }

    fn cells(&self, frame: &Canvas, svg: &mut String) {
        let mut before = Duration::ZERO;
        let (left, right) = (frame.left(), frame.right() + BESIDE);
        for row in &self.rows {
            if row.start > before {
                let title = format!(
                    "{}\nnobody read: the next row has the counts",
                    span(before, row.start)
                );
                let y = (frame.y(before), frame.y(row.start));
                frame.cell("gap", left, right + CELL - left, y, &title, svg);
            }
            before = row.end;
            let time = span(row.start, row.end);
            let y = (frame.y(row.start), frame.y(row.end));
            let [p50, p99, max] =
                [500, 990, 1000].map(|part| row.quantile(self.scale, part).text());
            let title = match row.total() {
                0 => format!("{time}\nno requests"),
                total => format!("{time}\n{}, p50 {p50}, p99 {p99}, max {max}", requests(total)),
            };
            frame.cell("c0", left, right + CELL - left, y, &title, svg);
            let mut cell = |x, count, range: String| {
                if count > 0 {
                    let title = format!("{time}\n{range}\n{}", requests(count));
                    frame.cell(&format!("c{}", level(count)), x, CELL, y, &title, svg);
                }
            };
            let first = self.scale.first;
            cell(left, row.below(first), format!("below {}", latency(self.scale.lower(first))));
            for (slot, count) in row.counts.iter().enumerate().skip(first) {
                let range = format!(
                    "{} to {}",
                    exact(self.scale.lower(slot)),
                    exact(self.scale.lower(slot + 1))
                );
                cell(frame.x(slot as f64), *count, range);
            }
            cell(right, row.over, format!("{} or more", latency(self.scale.end())));
        }
    }
}

/// The coordinates of the drawing.
struct Canvas {
    scale: Scale,
    seconds: f64,
    height: f64,
}

impl Canvas {
    /// The left edge of the column for latencies below the first column.
    fn left(&self) -> f64 {
        LEFT
    }

    /// A column's left edge; fractions are between two.
    fn x(&self, column: f64) -> f64 {
        LEFT + CELL + BESIDE + (column - self.scale.first as f64) * CELL
    }

    /// The right edge of the last column.
    fn right(&self) -> f64 {
        self.x(self.scale.columns() as f64)
    }

    fn y(&self, time: Duration) -> f64 {
        TOP + time.as_secs_f64() / self.seconds * self.height
    }

    fn cell(&self, class: &str, x: f64, width: f64, y: (f64, f64), title: &str, svg: &mut String) {
        let (top, height) = (y.0, (y.1 - y.0).max(0.0));
        let _ = writeln!(
            svg,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{top:.2}\" width=\"{width}\" \
             height=\"{height:.2}\"><title>{}</title></rect>",
            escape(title)
        );
    }

    /// The axis below, with ticks at 1, 2 and 5.
    fn latencies(&self, svg: &mut String) {
        let bottom = TOP + self.height;
        for power in 0..=10 {
            for digit in [1, 2, 5] {
                let ns = digit * 10u64.pow(power);
                let x = self.x(self.scale.position(ns));
                if x < self.x(self.scale.first as f64) || x > self.right() {
                    continue;
                }
                let (class, text) = match digit {
                    1 => ("grid", latency(ns)),
                    _ => ("tick", digit.to_string()),
                };
                let top = if digit == 1 { TOP } else { bottom };
                let (end, below) = (bottom + 5.0, bottom + 18.0);
                let _ = writeln!(
                    svg,
                    "<path class=\"{class}\" d=\"M{x:.2} {top}V{end}\"/>\
                     <text class=\"middle {class}\" x=\"{x:.2}\" y=\"{below}\">{text}</text>"
                );
            }
        }
        let (x, y) = (self.right(), bottom + 34.0);
        let _ = writeln!(
            svg,
            "<text class=\"end\" x=\"{x}\" y=\"{y}\">latency; outside: faster than {}, slower than {}</text>",
            latency(self.scale.lower(self.scale.first)),
            latency(self.scale.end())
        );
    }

    /// The axis at the left.
    fn times(&self, svg: &mut String) {
        let fits = |step: &f64| self.seconds / step <= self.height / 24.0;
        let step = steps().find(fits).unwrap_or(f64::MAX);
        let (unit, name) = match step {
            ..60.0 => (1.0, "s"),
            ..3600.0 => (60.0, "min"),
            ..86400.0 => (3600.0, "h"),
            _ => (86400.0, "d"),
        };
        let digits = [0.01, 0.1, 1.0].iter().filter(|whole| step < **whole).count();
        for index in 0..=(self.seconds / step) as u64 {
            let time = index as f64 * step;
            let y = TOP + time / self.seconds * self.height;
            let (from, end, below) = (LEFT - 5.0, LEFT - 8.0, y + 4.0);
            let _ = writeln!(
                svg,
                "<path class=\"tick\" d=\"M{from} {y:.2}H{LEFT}\"/>\
                 <text class=\"end\" x=\"{end}\" y=\"{below:.2}\">{:.digits$} {name}</text>",
                time / unit
            );
        }
    }
}

/// Round steps of time for the axis, in seconds.
fn steps() -> impl Iterator<Item = f64> {
    let parts = (-3..=1).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(power)));
    let minutes = [1.0, 2.0, 5.0, 10.0, 30.0].map(|minutes| minutes * 60.0);
    let hours = [1.0, 2.0, 6.0, 12.0].map(|hours| hours * 3600.0);
    let days = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0].map(|days| days * 86400.0);
    parts.chain(minutes).chain(hours).chain(days)
}

fn legend(y: f64, svg: &mut String) {
    let text = y + 11.0;
    let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{text}\">requests in a cell, at least</text>");
    for (index, least) in LEVELS.iter().enumerate() {
        let x = LEFT + 170.0 + index as f64 * 46.0;
        let (class, label, least) = (index + 1, x + 18.0, number(*least, 3));
        let _ = writeln!(
            svg,
            "<rect class=\"c{class}\" x=\"{x}\" y=\"{y}\" width=\"14\" height=\"14\"/>\
             <text x=\"{label}\" y=\"{text}\">{least}</text>"
        );
    }
}

fn style() -> String {
    let shades = |empty: &str, shades: &[&str]| {
        let all = std::iter::once(empty).chain(shades.iter().copied()).enumerate();
        all.map(|(level, shade)| format!("--c{level}:{shade};")).collect::<String>()
    };
    let classes: String = (0..=LEVELS.len())
        .map(|level| format!(".heat .c{level}{{fill:var(--c{level})}}\n"))
        .collect();
    format!(
        "<style>\n\
         .heat{{color-scheme:light dark;--page:#fff;--ink:#222;--line:#888;{}font:12px system-ui,sans-serif}}\n\
         @media (prefers-color-scheme:dark){{.heat{{--page:#111;--ink:#ddd;--line:#777;{}}}}}\n\
         .heat .page{{fill:var(--page)}}\n\
         .heat text{{fill:var(--ink)}}\n\
         .heat .title{{font-size:15px;font-weight:600}}\n\
         .heat .middle{{text-anchor:middle}}\n\
         .heat .end{{text-anchor:end}}\n\
         .heat text.tick{{font-size:10px}}\n\
         .heat path{{stroke:var(--line);fill:none;pointer-events:none}}\n\
         .heat path.grid{{stroke-opacity:.35}}\n\
         .heat .gap{{fill:none;stroke:var(--line);stroke-dasharray:3 3;pointer-events:all}}\n\
         .heat rect:hover{{stroke:var(--ink)}}\n\
         {classes}</style>\n",
        shades("#f1f1f1", &LIGHT),
        shades("#1d1d1d", &DARK),
    )
}

fn requests(count: u64) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} request{plural}")
}

fn span(from: Duration, to: Duration) -> String {
    format!("{:.3} s to {:.3} s", from.as_secs_f64(), to.as_secs_f64())
}

/// A column's edge with all its digits: `1.409024 ms`.
fn exact(ns: u64) -> String {
    let (unit, name) = match ns {
        0..1_000 => (1.0, "ns"),
        1_000..1_000_000 => (1e3, "us"),
        1_000_000..1_000_000_000 => (1e6, "ms"),
        _ => (1e9, "s"),
    };
    format!("{} {name}", ns as f64 / unit)
}

fn escape(text: &str) -> String {
    plain::lines(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::scale::tests::SCALE;
    use super::*;

    fn row(second: u64, counts: &[(usize, u64)]) -> HeatRow {
        let mut row = HeatRow {
            start: Duration::from_secs(second),
            end: Duration::from_secs(second + 1),
            missed: 0,
            counts: vec![0; 100],
            under: 0,
            over: 0,
        };
        counts.iter().for_each(|(slot, count)| row.counts[*slot] = *count);
        row
    }

    fn picture() -> Picture {
        let mut picture =
            Picture::new("loop0 & <more>".into(), SCALE.from(1000), Duration::from_secs(1));
        picture.push(HeatRow { under: 2, over: 5, ..row(0, &[(3, 1), (40, 997), (99, 1)]) });
        picture.push(HeatRow { missed: 3, ..row(4, &[(59, 1)]) });
        picture
    }

    /// The text of each such element.
    fn between<'a>(svg: &'a str, open: &str, close: &str) -> Vec<&'a str> {
        svg.split(open).skip(1).filter_map(|rest| rest.split_once(close)).map(|(t, _)| t).collect()
    }

    #[test]
    fn its_numbers_can_be_read_back() {
        let picture = picture();
        let svg = picture.to_svg();
        let data: Value =
            serde_json::from_str(between(&svg, "<metadata>", "</metadata>")[0]).unwrap();
        assert_eq!(data, picture.to_json());
        assert_eq!(data["title"], "loop0 & <more>");
        assert_eq!(data["rows"][0]["counts"], json!([[3, 1], [40, 997], [99, 1]]));
        assert_eq!(data["rows"][1]["missed_intervals"], 3);
        assert_eq!(data["column_starts"][59], 876_544);
    }

    #[test]
    fn each_cell_tells_time_range_and_count() {
        let svg = picture().to_svg();
        let titles = between(&svg, "<title>", "</title>");
        let cell = "0.000 s to 1.000 s\n11.008 us to 13.696 us\n997 requests";
        assert!(titles.contains(&cell), "{titles:#?}");
        assert!(titles.contains(&"0.000 s to 1.000 s\nbelow 856ns\n3 requests"), "{titles:#?}");
        assert!(titles.contains(&"0.000 s to 1.000 s\n11s or more\n5 requests"), "{titles:#?}");
    }

    #[test]
    fn a_gap_is_a_gap() {
        let svg = picture().to_svg();
        assert_eq!(svg.matches("class=\"gap\"").count(), 1);
        assert!(svg.contains("1.000 s to 4.000 s\nnobody read: the next row has the counts"));
    }

    /// Every element that opens closes, in order, and nothing in a text looks like one.
    #[test]
    fn it_is_well_formed() {
        let svg = picture().to_svg();
        let mut open = vec![];
        for tag in between(&svg, "<", ">") {
            match tag.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name)),
                None if tag.ends_with('/') => {}
                None => open.push(tag.split(' ').next().unwrap()),
            }
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        }
        assert_eq!(open, [""; 0]);
        assert!(!svg.contains(" & "), "an ampersand of its own");
    }

    #[test]
    fn a_long_run_stays_small_and_keeps_every_count() {
        let mut picture = Picture::new(String::new(), SCALE.from(1000), Duration::from_secs(1));
        let rows = 7 * MAX_ROWS as u64 + 3;
        for second in 0..rows {
            picture.push(row(second, &[(59, 1)]));
        }
        assert!(picture.rows.len() <= MAX_ROWS);
        assert_eq!(picture.every, Duration::from_secs(8));
        assert_eq!(picture.rows.iter().map(HeatRow::total).sum::<u64>(), rows);
        let ends = picture.rows.windows(2).all(|pair| pair[0].end == pair[1].start);
        assert!(ends, "a gap where there was none");
    }

    /// How long rows are in all, and the gaps before them.
    fn read_and_unread(picture: &Picture) -> (Duration, Duration) {
        let read: Duration = picture.rows.iter().map(|row| row.end - row.start).sum();
        (read, picture.rows.last().unwrap().end - read)
    }

    #[test]
    fn a_long_run_with_a_gap_before_every_row_stays_small_and_keeps_every_count_and_gap() {
        let mut picture = Picture::new(String::new(), SCALE.from(1000), Duration::from_secs(1));
        let rows = 7 * MAX_ROWS as u64 + 3;
        for number in 0..rows {
            picture.push(HeatRow { missed: 2, ..row(3 * number + 2, &[(59, 1)]) });
            assert!(picture.rows.len() <= MAX_ROWS);
        }
        assert!(picture.every <= Duration::from_secs(64), "{:?}", picture.every);
        assert!(picture.rows.len() > MAX_ROWS / 4, "{}", picture.rows.len());
        assert_eq!(picture.rows.iter().map(HeatRow::total).sum::<u64>(), rows);
        assert_eq!(picture.rows.iter().map(|row| row.missed).sum::<u64>(), 2 * rows);
        let expected = (Duration::from_secs(rows), Duration::from_secs(2 * rows));
        assert_eq!(read_and_unread(&picture), expected);
        let gaps = picture.to_svg().matches("class=\"gap\"").count();
        assert_eq!(gaps, picture.rows.len(), "gaps that can be seen");
    }

    #[test]
    fn rows_before_and_after_a_long_gap_do_not_become_one() {
        let mut picture = Picture::new(String::new(), SCALE.from(1000), Duration::from_secs(1));
        let (evening, morning, night) = (MAX_ROWS as u64, MAX_ROWS as u64 / 2, 8 * 3600);
        let seconds = (0..evening).chain(evening + night..evening + night + morning);
        seconds.for_each(|second| picture.push(row(second, &[(59, 1)])));
        // Two seconds each, but for that after the night.
        assert_eq!(picture.rows.len(), 500 + 1 + 250);
        let expected = (Duration::from_secs(evening + morning), Duration::from_secs(night));
        assert_eq!(read_and_unread(&picture), expected);
        let gaps = picture.rows.windows(2).filter(|pair| pair[0].end < pair[1].start);
        assert_eq!(gaps.count(), 1);
    }

    #[test]
    fn no_time_and_no_count_is_too_large_for_a_picture() {
        let ends = [
            Duration::ZERO,
            Duration::from_nanos(1),
            Duration::from_secs(1),
            Duration::from_secs(u64::MAX),
            Duration::MAX - Duration::from_nanos(1),
            Duration::MAX,
        ];
        for every in ends {
            let mut picture = Picture::new(String::new(), SCALE.from(1000), every);
            for number in 0..3 * MAX_ROWS {
                // Backwards in time as well, and rows that end before they begin.
                picture.push(HeatRow {
                    start: ends[number % 5],
                    end: ends[number % 6],
                    missed: u64::MAX,
                    counts: vec![u64::MAX; 100],
                    under: u64::MAX,
                    over: u64::MAX,
                });
            }
            assert!(picture.rows.len() <= MAX_ROWS);
            let svg = picture.to_svg();
            assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains("=\"-"));
            assert!(svg.contains(&format!("{} requests", u64::MAX)));
        }
    }

    #[test]
    fn an_empty_run_is_a_picture_too() {
        let svg = Picture::new(String::new(), SCALE, Duration::from_secs(1)).to_svg();
        assert!(svg.contains("0 requests") && !svg.contains("NaN") && !svg.contains("inf"));
    }
}
