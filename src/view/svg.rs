//! A heat map as a picture for a browser: a single file that includes the raw numbers.

mod canvas;
mod style;
mod text;

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::duration::{latency, seconds};
use super::heatmap::{HeatRow, level};
use super::scale::Scale;
use super::wall::Moment;
use crate::plain;
use canvas::{Canvas, LEFT, WIDTH};
use text::GAP;
pub(super) use text::escape;

/// The largest number of rows. Beyond it, neighbouring rows are merged, so that neither memory nor the
/// picture grows without end.
pub const MAX_ROWS: usize = 1000;

/// What a picture is of.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct About {
    /// What is measured.
    pub title: String,
    /// The host's name.
    pub host: String,
    /// The kernel's release.
    pub kernel: String,
    /// When the first row began.
    pub start: Moment,
    /// Sentences for what the picture lacks.
    pub notes: Vec<String>,
}

/// The heat map of a whole run.
pub struct Picture {
    /// What it is of.
    pub about: About,
    scale: Scale,
    /// The length of a row.
    every: Duration,
    rows: Vec<HeatRow>,
}

impl Picture {
    /// An empty picture of rows of this length.
    pub fn new(about: About, scale: Scale, every: Duration) -> Picture {
        // A row without length would never grow.
        let every = every.max(Duration::from_nanos(1));
        Picture { about, scale, every, rows: vec![] }
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
            "title": self.about.title,
            "host": self.about.host,
            "kernel": self.about.kernel,
            "start": self.about.start.to_string(),
            "notes": self.about.notes,
            "unit": "ns",
            "row_seconds": self.every.as_secs_f64(),
            "column_starts": self.scale.bounds(),
            "rows": rows.collect::<Vec<_>>(),
        })
    }

    /// When the last row ends, as time since the start.
    fn end(&self) -> Duration {
        self.rows.iter().map(|row| row.end).max().unwrap_or_default()
    }

    /// The picture as a file. It is as wide as its place, but its cells grow no larger than they are drawn.
    pub fn to_svg(&self) -> String {
        let canvas = Canvas::new(self.scale, &self.rows, self.about.start, self.end(), self.every);
        let notes = canvas.notes(&self.about.notes, self.rows.iter().any(is_gap));
        let height = canvas.bottom() + notes.height;
        let title = escape(&self.about.title);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"heat\" role=\"img\" \
             width=\"100%\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
             preserveAspectRatio=\"xMidYMin\">\n\
             <title>{title}</title>\n<metadata>{}</metadata>\n{}",
            plain::json(self.to_json().to_string()).replace('&', "\\u0026").replace('<', "\\u003c"),
            style::style(),
        );
        let _ = writeln!(
            svg,
            "<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n\
             <text class=\"title\" x=\"{LEFT}\" y=\"25\">{title}</text>",
        );
        for (line, y) in self.facts().iter().zip([50, 73, 96]) {
            let _ = writeln!(
                svg,
                "<text class=\"fact\" x=\"{LEFT}\" y=\"{y}\">{}</text>",
                escape(line)
            );
        }
        self.cells(&canvas, &mut svg);
        canvas.latencies(&mut svg);
        canvas.times(&mut svg);
        canvas.legend(&mut svg);
        svg + &notes.svg + "</svg>\n"
    }

    /// Where and when it was measured.
    fn facts(&self) -> [String; 3] {
        let About { host, kernel, start, .. } = &self.about;
        let end = start.after(self.end());
        let until = match start.same_day(end) {
            true => end.time(0),
            false => format!("{}, {}", end.day_and_year(), end.time(0)),
        };
        let total = self.rows.iter().map(HeatRow::total).fold(0, u64::saturating_add);
        [
            // As long as there is room for.
            format!("{host:.40}, Linux {kernel:.40}"),
            format!("{}, {} to {until} {}", start.day_and_year(), start.time(0), start.zone()),
            format!("a row is {} s; {}", seconds(self.every), requests(total)),
        ]
    }

    /// From one moment to another: `14:03:59.000 to 14:04:00.000`.
    fn span(&self, from: Duration, to: Duration) -> String {
        let start = self.about.start;
        let days = !start.same_day(start.after(self.end()));
        let moment = |time| {
            let moment = start.after(time);
            let day = if days { format!("{}, ", moment.day()) } else { String::new() };
            format!("{day}{}", moment.time(3))
        };
        format!("{} to {}", moment(from), moment(to))
    }

    fn cells(&self, canvas: &Canvas, svg: &mut String) {
        let mut before = Duration::ZERO;
        let (left, right) = (canvas.left(), canvas.right());
        for row in &self.rows {
            if row.start > before {
                let title = format!("{}\n{GAP}", self.span(before, row.start));
                let y = (canvas.y(before), canvas.y(row.start));
                canvas.cell("gap", (left, right), y, &title, svg);
            }
            before = row.end;
            let time = self.span(row.start, row.end);
            let y = (canvas.y(row.start), canvas.y(row.end));
            let [p50, p99, max] =
                [500, 990, 1000].map(|part| row.quantile(self.scale, part).text());
            let title = match row.total() {
                0 => format!("{time}\nno requests"),
                total => format!("{time}\n{}, p50 {p50}, p99 {p99}, max {max}", requests(total)),
            };
            canvas.cell("c0", (left, right), y, &title, svg);
            let mut cell = |x, count, range: String| {
                if count > 0 {
                    let title = format!("{time}\n{range}\n{}", requests(count));
                    canvas.cell(&format!("c{}", level(count)), x, y, &title, svg);
                }
            };
            let first = self.scale.first;
            let (below, over) = (row.below(first), row.over);
            cell(canvas.under(), below, format!("below {}", latency(self.scale.lower(first))));
            for (slot, count) in row.counts.iter().enumerate().skip(first) {
                let (from, to) = (self.scale.lower(slot), self.scale.lower(slot + 1));
                cell(canvas.column(slot), *count, format!("{} to {}", exact(from), exact(to)));
            }
            cell(canvas.over(), over, format!("{} or more", latency(self.scale.end())));
        }
    }
}

fn is_gap(row: &HeatRow) -> bool {
    row.missed > 0
}

fn requests(count: u64) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} request{plural}")
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

#[cfg(test)]
mod tests {
    use super::super::scale::tests::SCALE;
    use super::*;

    fn row(second: u64, counts: &[(usize, u64)]) -> HeatRow {
        let mut row = HeatRow {
            start: Duration::from_secs(second),
            end: Duration::from_secs(second + 1),
            missed: 0,
            counts: vec![0; SCALE.columns()],
            under: 0,
            over: 0,
        };
        counts.iter().for_each(|(slot, count)| row.counts[*slot] = *count);
        row
    }

    fn picture() -> Picture {
        let about = About {
            title: "loop0 & <more>".into(),
            host: "a\u{1b}b".into(),
            kernel: "6.12".into(),
            start: Moment::new(Duration::from_secs(1_793_541_839), 3600),
            notes: vec!["3 <requests> were not counted".into()],
        };
        let mut picture = Picture::new(about, SCALE.from(1000), Duration::from_secs(1));
        picture.push(HeatRow { under: 2, over: 5, ..row(0, &[(3, 1), (48, 997), (130, 1)]) });
        picture.push(HeatRow { missed: 3, ..row(4, &[(74, 1)]) });
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
        assert_eq!((&data["host"], &data["kernel"]), (&json!("a\u{1b}b"), &json!("6.12")));
        assert_eq!(data["start"], "2026-11-01T15:03:59.000+01:00");
        assert_eq!(data["rows"][0]["counts"], json!([[3, 1], [48, 997], [130, 1]]));
        assert_eq!(data["rows"][1]["missed_intervals"], 3);
        assert_eq!(data["column_starts"][74], 917_504);
    }

    #[test]
    fn each_cell_tells_time_range_and_count() {
        let svg = picture().to_svg();
        let titles = between(&svg, "<title>", "</title>");
        let second = "15:03:59.000 to 15:04:00.000";
        let titled = |title: &str| titles.contains(&format!("{second}\n{title}").as_str());
        for title in [
            "10.24 us to 12.288 us\n997 requests",
            "below 896ns\n3 requests",
            "17s or more\n5 requests",
        ] {
            assert!(titled(title), "{title}: {titles:#?}");
        }
    }

    #[test]
    fn a_gap_is_a_gap() {
        let svg = picture().to_svg();
        assert_eq!(svg.matches("class=\"cell gap\"").count(), 1);
        let gap = format!("15:04:00.000 to 15:04:03.000\n{GAP}");
        assert!(svg.contains(&gap), "{svg}");
        // And so the legend says.
        assert!(svg.contains(&format!(">{GAP}</text>")));
        let mut without = picture();
        without.rows.pop();
        assert!(!without.to_svg().contains("\"gap\""));
    }

    /// Where and when it was measured, and what is missing from it.
    #[test]
    fn the_picture_tells_host_kernel_time_zone_and_losses() {
        let svg = picture().to_svg();
        for text in [
            "a?b, Linux 6.12",
            "1 Nov 2026, 15:03:59 to 15:04:04 UTC+01:00",
            "a row is 1 s; 1007 requests",
            "3 &lt;requests&gt; were not counted",
        ] {
            assert!(svg.contains(&format!(">{text}</text>")), "{text}: {svg}");
        }
        assert!(!svg.contains('\u{1b}'));
        let mut picture = picture();
        picture.push(row(86400, &[]));
        let svg = picture.to_svg();
        assert!(svg.contains("1 Nov 2026, 15:03:59 to 2 Nov 2026, 15:04:00 UTC+01:00"), "{svg}");
        assert!(svg.contains("1 Nov, 15:03:59.000 to 1 Nov, 15:04:00.000\n"));
    }

    /// The labels of the axis below, from left to right.
    fn labels(columns: &[usize], under: u64, over: u64) -> Vec<String> {
        let mut picture = Picture::new(About::default(), SCALE.from(1000), Duration::from_secs(1));
        let counts: Vec<_> = columns.iter().map(|column| (*column, 1)).collect();
        picture.push(HeatRow { under, over, ..row(0, &counts) });
        let svg = picture.to_svg();
        let labels = between(&svg, "<text class=\"middle ", "</text>").into_iter();
        labels.map(|text| text.rsplit_once('>').unwrap().1.to_owned()).collect()
    }

    #[test]
    fn the_axis_ends_where_the_data_ends() {
        // 48 is 10.24 microseconds, 74 is 917.504.
        let all = ["10us", "20us", "50us", "100us", "200us", "500us", "1ms"];
        assert_eq!(labels(&[48, 74], 0, 0), all);
        let ends = |labels: &[String]| [labels[0].clone(), labels[labels.len() - 1].clone()];
        assert_eq!(ends(&labels(&[48, 78], 0, 0)), ["10us", "2ms"]);
        assert_eq!(ends(&labels(&[36], 0, 0)), ["1us", "20us"]);
        assert_eq!(ends(&labels(&[], 0, 0)), ["1us", "20us"]);
        assert_eq!(ends(&labels(&[48], 1, 0)), ["1us", "20us"]);
        assert_eq!(ends(&labels(&[48], 0, 1)), ["10us", "10s"]);
        assert_eq!(ends(&labels(&[130], 0, 0)), ["1s", "10s"]);
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
        let mut picture = Picture::new(About::default(), SCALE.from(1000), Duration::from_secs(1));
        let rows = 7 * MAX_ROWS as u64 + 3;
        for second in 0..rows {
            picture.push(row(second, &[(74, 1)]));
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
        let mut picture = Picture::new(About::default(), SCALE.from(1000), Duration::from_secs(1));
        let rows = 7 * MAX_ROWS as u64 + 3;
        for number in 0..rows {
            picture.push(HeatRow { missed: 2, ..row(3 * number + 2, &[(74, 1)]) });
            assert!(picture.rows.len() <= MAX_ROWS);
        }
        assert!(picture.every <= Duration::from_secs(64), "{:?}", picture.every);
        assert!(picture.rows.len() > MAX_ROWS / 4, "{}", picture.rows.len());
        assert_eq!(picture.rows.iter().map(HeatRow::total).sum::<u64>(), rows);
        assert_eq!(picture.rows.iter().map(|row| row.missed).sum::<u64>(), 2 * rows);
        let expected = (Duration::from_secs(rows), Duration::from_secs(2 * rows));
        assert_eq!(read_and_unread(&picture), expected);
        let gaps = picture.to_svg().matches("class=\"cell gap\"").count();
        assert_eq!(gaps, picture.rows.len(), "gaps that can be seen");
    }

    #[test]
    fn rows_before_and_after_a_long_gap_do_not_become_one() {
        let mut picture = Picture::new(About::default(), SCALE.from(1000), Duration::from_secs(1));
        let (evening, morning, night) = (MAX_ROWS as u64, MAX_ROWS as u64 / 2, 8 * 3600);
        let seconds = (0..evening).chain(evening + night..evening + night + morning);
        seconds.for_each(|second| picture.push(row(second, &[(74, 1)])));
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
            let mut picture = Picture::new(About::default(), SCALE.from(1000), every);
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
        let svg = Picture::new(About::default(), SCALE, Duration::from_secs(1)).to_svg();
        assert!(svg.contains("0 requests") && !svg.contains("NaN") && !svg.contains("inf"));
    }
}
