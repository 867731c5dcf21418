//! Metrics in Prometheus' text formats.

use std::borrow::Cow;
use std::fmt::Write;

use super::metrics::{Metrics, grouped};
use crate::sample::{BaseUnit, Family, FamilyKind, Point};

/// The form of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Prometheus' text format 0.0.4, which node_exporter and promtool read too.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The metrics of one or more runs as a page. It has no time stamps: what reads it knows when it did.
pub fn page<'a>(runs: impl Iterator<Item = &'a Metrics>, format: Format) -> String {
    let mut page = String::new();
    for (name, all) in grouped(runs) {
        if let Some((_, first)) = all.first() {
            head(&mut page, &name, first, format);
        }
        for (run, family) in all {
            values(&mut page, &name, family, &run.labels);
        }
    }
    if format == Format::OpenMetrics {
        page.push_str("# EOF\n");
    }
    page
}

/// The suffix of a counter's values.
const TOTAL: &str = "_total";

fn head(page: &mut String, name: &str, family: &Family, format: Format) {
    let suffix = match (family.kind, format) {
        (FamilyKind::Counter, Format::Text) => TOTAL,
        _ => "",
    };
    let help = escaped(&family.help, format == Format::OpenMetrics);
    let _ = write!(page, "# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} ");
    page.push_str(family.kind.name());
    page.push('\n');
    let unit = match family.unit {
        BaseUnit::None => return,
        BaseUnit::Bytes => "bytes",
        BaseUnit::Seconds => "seconds",
    };
    if format == Format::OpenMetrics && name.ends_with(unit) {
        let _ = writeln!(page, "# UNIT {name} {unit}");
    }
}

/// A line for each number.
fn values(page: &mut String, name: &str, family: &Family, more: &[(&'static str, String)]) {
    let unit = family.unit;
    for (labels, series) in &family.series {
        let own = family.labels.iter().map(String::as_str).zip(labels);
        let all = own.chain(more.iter().map(|(name, value)| (*name, value)));
        let mut text = String::new();
        for (name, value) in all {
            let comma = if text.is_empty() { "" } else { "," };
            let _ = write!(text, "{comma}{name}=\"{}\"", escaped(value, true));
        }
        let braces = if text.is_empty() { ["", ""] } else { ["{", "}"] };
        let mut line = |suffix: &str, value: &dyn std::fmt::Display| {
            let [open, close] = braces;
            let _ = writeln!(page, "{name}{suffix}{open}{text}{close} {value}");
        };
        match &series.point {
            Point::Number(number) if family.kind == FamilyKind::Counter => {
                line(TOTAL, &decimal(*number, unit));
            }
            Point::Number(number) => line("", &decimal(*number, unit)),
            Point::Summary { count, sum } => {
                line("_sum", &decimal(*sum, unit));
                line("_count", count);
            }
            Point::Histogram { bounds, counts, sum } => {
                let mut below = 0_u64;
                let comma = if text.is_empty() { "" } else { "," };
                let ends = bounds.iter().map(|bound| decimal(*bound, unit));
                for (end, count) in ends.chain(["+Inf".to_owned()]).zip(counts) {
                    below = below.saturating_add(*count);
                    let _ = writeln!(page, "{name}_bucket{{{text}{comma}le=\"{end}\"}} {below}");
                }
                let [open, close] = braces;
                if let Some(sum) = sum {
                    let sum = decimal(*sum, unit);
                    let _ = writeln!(page, "{name}_sum{open}{text}{close} {sum}");
                }
                let _ = writeln!(page, "{name}_count{open}{text}{close} {below}");
            }
        }
    }
}

/// A number in the unit, with all its digits.
fn decimal(number: i128, unit: BaseUnit) -> String {
    const NANOSECONDS: u128 = 1_000_000_000;
    if unit != BaseUnit::Seconds {
        return number.to_string();
    }
    let sign = if number < 0 { "-" } else { "" };
    let number = number.unsigned_abs();
    let (whole, part) = (number / NANOSECONDS, number % NANOSECONDS);
    match part {
        0 => format!("{sign}{whole}"),
        part => format!("{sign}{whole}.{part:09}").trim_end_matches('0').to_owned(),
    }
}

/// A text in which `\`, newlines and, where they stand in quotes, `"` are escaped.
fn escaped(text: &str, quotes: bool) -> Cow<'_, str> {
    if !text.contains(['\\', '\n', '"']) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '"' if quotes => escaped.push_str("\\\""),
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::sample::*;

    const NOW: Time = Time { wall: UNIX_EPOCH, monotonic: Duration::ZERO };

    fn metrics() -> Metrics {
        let run = Run {
            start: NOW,
            tool: "biolatency".into(),
            host: "host".into(),
            kernel: "6.18.1".into(),
            options: vec![],
            attached: vec![Attached {
                program: "p".into(),
                kind: "tp_btf".into(),
                place: "block_rq_issue".into(),
            }],
            skipped: vec![],
            left_out: vec![],
        };
        Metrics::new(run)
    }

    /// Latencies in microseconds, in the buckets [0, 1], [2, 3] and so on, the last of which has an end or not.
    fn table(disk: &str, counts: [u64; 3], last: Option<u64>) -> Table {
        let buckets = [(0, Some(1)), (2, Some(3)), (4, last)];
        let buckets: Arc<[Bucket]> = buckets.map(|(low, high)| Bucket { low, high }).into();
        let histogram = Histogram::new(buckets, counts.to_vec());
        let total = Histogram { sum: Some(5_000), ..histogram };
        Table {
            name: "latency".into(),
            subject: "block_io".into(),
            help: "Time from the issue".into(),
            unit: Unit::Microseconds,
            labels: vec![LabelName::new("disk", "disk")],
            rows: vec![Row {
                labels: vec![LabelValue::Text(disk.into())],
                value: Value::Histogram(total.clone()),
                total: Value::Histogram(total),
            }],
            rest: vec![],
        }
    }

    fn sample(tables: Vec<Table>) -> Sample {
        Sample::new(Span { start: NOW, end: NOW }, tables, vec![])
    }

    fn text(metrics: &Metrics) -> String {
        page([metrics].into_iter(), Format::Text)
    }

    #[test]
    fn a_bucket_ends_at_its_greatest_value_and_not_at_the_next_ones_smallest() {
        let mut metrics = metrics();
        metrics.add(&sample(vec![table("vda", [1, 2, 4], Some(7))]));
        let text = text(&metrics);
        let (_, histogram) = text.split_once("# TYPE rawbpf_block_io_latency_seconds ").unwrap();
        // 3999 nanoseconds are 3 microseconds, and 4000 are not.
        let expected = "histogram\n\
            rawbpf_block_io_latency_seconds_bucket{device=\"vda\",le=\"0.000001999\"} 1\n\
            rawbpf_block_io_latency_seconds_bucket{device=\"vda\",le=\"0.000003999\"} 3\n\
            rawbpf_block_io_latency_seconds_bucket{device=\"vda\",le=\"0.000007999\"} 7\n\
            rawbpf_block_io_latency_seconds_bucket{device=\"vda\",le=\"+Inf\"} 7\n\
            rawbpf_block_io_latency_seconds_sum{device=\"vda\"} 0.000005\n\
            rawbpf_block_io_latency_seconds_count{device=\"vda\"} 7\n";
        assert_eq!(histogram, expected);
        metrics.add(&sample(vec![table("vda", [1, 2, 5], None)]));
        let text = self::text(&metrics);
        assert!(text.contains("le=\"0.000003999\"} 3\n"), "{text}");
        assert!(!text.contains("le=\"0.000007999\"} 8\n"), "{text}");
        assert!(text.contains("le=\"+Inf\"} 8\n"), "{text}");
    }

    #[test]
    fn narrow_buckets_end_at_their_greatest_values_too() {
        let mut metrics = metrics();
        metrics.narrow = true;
        let mut table = table("vda", [1, 2, 4], None);
        let fine = FineCounts {
            lows: [0, 1_000, 2_000, 2_500, 4_000].into(),
            counts: vec![0, 1, 1, 1, 4],
            steps: 4,
        };
        let Value::Histogram(histogram) = &mut table.rows[0].total else { unreachable!() };
        histogram.fine = Some(fine);
        metrics.add(&sample(vec![table]));
        let text = text(&metrics);
        let bounds =
            ["0.000000999\"} 0", "0.000001999\"} 1", "0.000002499\"} 2", "0.000003999\"} 3"];
        for bound in bounds.into_iter().chain(["+Inf\"} 7"]) {
            assert!(
                text.contains(&format!("_bucket{{device=\"vda\",le=\"{bound}\n")),
                "{bound}: {text}"
            );
        }
    }

    #[test]
    fn what_counted_nothing_in_an_interval_stays() {
        let mut metrics = metrics();
        metrics.add(&sample(vec![table("vda", [1, 2, 4], None)]));
        metrics.add(&sample(vec![table("vdb", [0, 0, 1], None)]));
        let text = text(&metrics);
        assert!(text.contains("_count{device=\"vda\"} 7\n"), "{text}");
        assert!(text.contains("_count{device=\"vdb\"} 1\n"), "{text}");
        assert_eq!(text.matches("# TYPE rawbpf_block_io_latency_seconds ").count(), 1);
    }

    #[test]
    fn rows_that_are_not_shown_are_exported() {
        let mut metrics = metrics();
        let mut table = table("vda", [1, 2, 4], None);
        table.rest = self::table("vdb", [1, 0, 0], None).rows;
        metrics.add(&sample(vec![table]));
        assert!(text(&metrics).contains("_count{device=\"vdb\"} 1\n"));
    }

    #[test]
    fn lost_events_add_up_from_zero() {
        let mut metrics = metrics();
        let line = "rawbpf_lost_events_total{reason=\"no_start\",tool=\"biolatency\"}";
        assert!(text(&metrics).contains(&format!("{line} 0\n")));
        for _ in 0..2 {
            let mut sample = sample(vec![]);
            sample.lost.extend(Lost::some(LostKind::NoStart, 3, "ends"));
            sample.lost.extend(Lost::some(LostKind::Open, 2, "open"));
            metrics.add(&sample);
        }
        let text = text(&metrics);
        assert!(text.contains(&format!("{line} 6\n")), "{text}");
        assert!(text.contains("rawbpf_open_events{tool=\"biolatency\"} 2\n"), "{text}");
        let attached = "rawbpf_attached_programs{kind=\"tp_btf\",tool=\"biolatency\"} 1\n";
        assert!(text.contains(attached), "{text}");
    }

    #[test]
    fn a_label_cannot_break_its_line() {
        let mut metrics = metrics();
        metrics.add(&sample(vec![table("a\"b\\c\nd", [1, 0, 0], None)]));
        let text = text(&metrics);
        assert!(text.contains("_count{device=\"a\\\"b\\\\c\\nd\"} 1\n"), "{text}");
    }

    #[test]
    fn openmetrics_names_a_counter_without_its_suffix_and_has_an_end() {
        let metrics = metrics();
        let open = page([&metrics].into_iter(), Format::OpenMetrics);
        assert!(open.contains("# TYPE rawbpf_lost_events counter\n"), "{open}");
        assert!(open.contains("\nrawbpf_lost_events_total{"), "{open}");
        assert!(open.ends_with("\n# EOF\n"), "{open}");
        assert!(text(&metrics).contains("# TYPE rawbpf_lost_events_total counter\n"));
    }

    #[test]
    fn runs_share_the_head_of_a_metric_and_have_a_label_each() {
        let runs = ["one", "two"].map(|name| {
            let mut metrics = metrics();
            metrics.labels = vec![("run", name.into())];
            metrics.add(&sample(vec![table("vda", [1, 0, 0], None)]));
            metrics
        });
        let text = page(runs.iter(), Format::Text);
        assert_eq!(text.matches("# TYPE rawbpf_build_info ").count(), 1, "{text}");
        assert!(text.contains("_count{device=\"vda\",run=\"one\"} 1\n"), "{text}");
        assert!(text.contains("_count{device=\"vda\",run=\"two\"} 1\n"), "{text}");
    }

    #[test]
    fn idle_series_make_room_for_others() {
        use crate::export::metrics::MOST_SERIES;
        let family = |range: std::ops::Range<usize>, count| {
            let series = range.map(|number| {
                (vec![number.to_string()], Series { point: Point::Number(count), changed: 0 })
            });
            Family {
                name: "rawbpf_x".into(),
                help: String::new(),
                kind: FamilyKind::Counter,
                unit: BaseUnit::None,
                labels: vec!["pid".into()],
                series: series.collect::<BTreeMap<_, _>>(),
            }
        };
        let mut metrics = metrics();
        metrics.add_families([family(0..MOST_SERIES, 1)].into_iter());
        metrics.add_families([family(7..8, 2)].into_iter());
        metrics.add_families([family(MOST_SERIES..MOST_SERIES + 1, 1)].into_iter());
        let series = &metrics.families.last().unwrap().series;
        assert_eq!(series.len(), MOST_SERIES / 2);
        assert!([7, MOST_SERIES].iter().all(|kept| series.contains_key(&vec![kept.to_string()])));
    }

    #[test]
    fn seconds_have_all_their_digits() {
        let seconds = |number| decimal(number, BaseUnit::Seconds);
        assert_eq!(seconds(131_071), "0.000131071");
        assert_eq!(seconds(1_500_000_000), "1.5");
        assert_eq!(seconds(-2_000_000_000), "-2");
        assert_eq!(seconds(0), "0");
        assert_eq!(decimal(8191, BaseUnit::Bytes), "8191");
    }
}
