//! What a run counted since its start, from all its samples: what Prometheus and OTLP receivers are given.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::order::PutInOrder;
use crate::sample::{
    BaseUnit, Bucket, Data, Family, FamilyKind, Histogram, LostKind, Point, Row, Run, Sample,
    Series, Table, Unit, Value,
};

/// The largest number of label combinations that a metric keeps. Beyond it, the half whose values have not
/// changed for the longest time is left out, until it changes again.
pub const MOST_SERIES: usize = 10_000;

/// The metrics of a run.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// The run.
    pub run: Run,
    /// Labels that each value has besides its own: what tells this run from others of one process.
    pub labels: Vec<(&'static str, String)>,
    /// The metrics, in the order in which they were seen first.
    pub families: Vec<Family>,
    /// Whether histograms have the narrow buckets that percentiles are of, where values are counted so.
    pub narrow: bool,
    samples: u64,
}

impl Metrics {
    /// What a run has before its first sample.
    pub fn new(run: Run) -> Metrics {
        let mut kinds = BTreeMap::<&str, i128>::new();
        for attached in &run.attached {
            *kinds.entry(&attached.kind).or_default() += 1;
        }
        let tool = || run.tool.clone().into_owned();
        let build = family("build_info", BUILD, FamilyKind::Gauge, &["version", "tool", "kernel"]);
        let attached = family("attached_programs", ATTACHED, FamilyKind::Gauge, &["kind", "tool"]);
        let lost = family("lost_events", LOST, FamilyKind::Counter, &["reason", "tool"]);
        let open = family("open_events", OPEN, FamilyKind::Gauge, &["tool"]);
        let mut families = vec![build, attached, lost, open];
        families[0].put(vec![env!("CARGO_PKG_VERSION").into(), tool(), run.kernel.clone()], 1);
        for (kind, count) in &kinds {
            families[1].put(vec![(*kind).to_owned(), tool()], *count);
        }
        // A count that is there from the start can be compared with what it becomes.
        for kind in LostKind::ALL.iter().filter(|kind| **kind != LostKind::Open) {
            families[2].put(vec![kind.name().into(), tool()], 0);
        }
        families[3].put(vec![tool()], 0);
        Metrics { run, labels: vec![], families, narrow: false, samples: 0 }
    }

    /// Takes in the sample of one more interval.
    pub fn add(&mut self, sample: &Sample) {
        let lost = sample.lost.iter();
        let open = lost.clone().filter(|lost| lost.what == LostKind::Open);
        let open = open.fold(0, |open, lost| open + lost.count);
        let tool = self.run.tool.to_string();
        self.families[3].put(vec![tool], open.into());
        for lost in lost.filter(|lost| lost.what != LostKind::Open) {
            let labels = [lost.what.name().to_owned(), self.run.tool.to_string()];
            let before = match self.families[2].series.get(&labels[..]) {
                Some(Series { point: Point::Number(number), .. }) => *number,
                _ => 0,
            };
            self.families[2].put(labels.into(), before.saturating_add(lost.count.into()));
        }
        let narrow = self.narrow;
        self.add_families(sample.tables.iter().filter_map(|table| of_table(table, narrow)));
    }

    /// Sets how many events since the start were not counted for this reason.
    pub fn set_lost(&mut self, reason: &str, total: u64) {
        let labels = vec![reason.to_owned(), self.run.tool.to_string()];
        self.families[2].put(labels, total.into());
    }

    /// Sets whether the run goes on, for those that have several.
    pub fn set_up(&mut self, up: bool) {
        let labels = vec![self.run.tool.to_string()];
        self.own("run_up", UP, FamilyKind::Gauge, &["tool"]).put(labels, up.into());
    }

    /// A metric of rawbpf's own, made if it is not there yet.
    fn own(&mut self, name: &str, help: &str, kind: FamilyKind, labels: &[&str]) -> &mut Family {
        let new = family(name, help, kind, labels);
        let place = self.families.iter().position(|family| family.name == new.name);
        let place = place.unwrap_or_else(|| {
            self.families.push(new);
            self.families.len() - 1
        });
        &mut self.families[place]
    }

    /// Sets how many requests to an OTLP receiver it has accepted, and how many were given up.
    pub fn set_pushes(&mut self, accepted: u64, dropped: u64) {
        let tool = self.run.tool.to_string();
        let labels = &["result", "tool"];
        let pushes = self.own("otlp_pushes", PUSHES, FamilyKind::Counter, labels);
        for (result, count) in [("accepted", accepted), ("dropped", dropped)] {
            pushes.put(vec![result.into(), tool.clone()], count.into());
        }
    }

    /// Takes in the maps of a script, by their own names.
    pub fn add_maps(&mut self, maps: Vec<Family>) {
        self.add_families(maps.into_iter().map(|map| Family {
            name: metric_name(&["script", &map.name], map.kind, map.unit),
            labels: map.labels.iter().map(|name| label_name(name)).collect(),
            ..map
        }));
    }

    /// Takes in the metrics of one more interval. Values that are missing stay as they were, except gauges.
    pub fn add_families(&mut self, families: impl Iterator<Item = Family>) {
        self.samples += 1;
        for new in families {
            let same = |old: &&mut Family| {
                old.name == new.name && old.kind == new.kind && old.labels == new.labels
            };
            match self.families.iter_mut().find(same) {
                Some(old) => old.renew(new, self.samples),
                None => {
                    self.families.push(Family { series: BTreeMap::new(), ..new.clone() });
                    if let Some(last) = self.families.last_mut() {
                        last.renew(new, self.samples);
                    }
                }
            }
        }
    }
}

/// A metric's name, and each run that has it.
pub type Group<'a> = (Cow<'a, str>, Vec<(&'a Metrics, &'a Family)>);

/// The metrics of several runs: those of one name and kind together, each with its runs. Of two kinds with one
/// name, the second gets the kind's name too.
pub fn grouped<'a>(runs: impl Iterator<Item = &'a Metrics>) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = vec![];
    let mut places = BTreeMap::<(&str, &str), usize>::new();
    let mut names = BTreeSet::<&str>::new();
    for run in runs {
        for family in run.families.iter().filter(|family| !family.series.is_empty()) {
            let place = *places.entry((&family.name, family.kind.name())).or_insert_with(|| {
                let name = match names.insert(&family.name) {
                    true => Cow::Borrowed(&*family.name),
                    false => Cow::Owned(format!("{}_{}", family.name, family.kind.name())),
                };
                groups.push((name, vec![]));
                groups.len() - 1
            });
            groups[place].1.push((run, family));
        }
    }
    groups
}

const BUILD: &str = "The version of rawbpf, and the kernel that it runs on";
const ATTACHED: &str = "Programs that are attached, by attach kind";
const LOST: &str = "Events that were not counted, or not as they should be";
const UP: &str = "Whether this run of several goes on: 0 if it failed or has ended";
const PUSHES: &str = "Requests to the OTLP receiver: those that it accepted, and those given up";
const OPEN: &str =
    "Requests or calls that had not ended when the counters were read, where that is known";

/// A metric of rawbpf's own.
fn family(name: &str, help: &str, kind: FamilyKind, labels: &[&str]) -> Family {
    Family {
        name: format!("rawbpf_{name}"),
        help: help.into(),
        kind,
        unit: BaseUnit::None,
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        series: BTreeMap::new(),
    }
}

impl Family {
    fn put(&mut self, labels: Vec<String>, number: i128) {
        self.series.insert(labels, Series { point: Point::Number(number), changed: 0 });
    }

    /// Takes over the values of a later sample.
    fn renew(&mut self, new: Family, sample: u64) {
        if self.kind == FamilyKind::Gauge {
            self.series.clear();
        }
        for (labels, Series { point, .. }) in new.series {
            match self.series.get_mut(&labels) {
                Some(series) if series.point == point => {}
                Some(series) => *series = Series { point, changed: sample },
                None => _ = self.series.insert(labels, Series { point, changed: sample }),
            }
        }
        if self.series.len() > MOST_SERIES {
            let mut changed: Vec<_> = self.series.values().map(|series| series.changed).collect();
            changed.order_by_key(|changed| *changed);
            let kept = &changed[changed.len() - MOST_SERIES / 2..];
            let oldest = kept[0];
            // Of those that changed in the same sample, some stay.
            let mut left = kept.iter().filter(|changed| **changed == oldest).count();
            self.series.retain(|_, series| {
                let is_oldest = series.changed == oldest && left > 0;
                left -= usize::from(is_oldest);
                series.changed > oldest || is_oldest
            });
        }
    }
}

/// The metric of a table; None if its values are no numbers.
fn of_table(table: &Table, narrow: bool) -> Option<Family> {
    let unit = match table.unit {
        Unit::Count | Unit::Number | Unit::Data => BaseUnit::None,
        Unit::Bytes | Unit::Kibibytes => BaseUnit::Bytes,
        Unit::Nanoseconds | Unit::Microseconds | Unit::Milliseconds => BaseUnit::Seconds,
    };
    let mut rows = table.rest.iter().chain(&table.rows).peekable();
    let kind = match rows.peek().map(|row| &row.total)? {
        Value::Count(_) => FamilyKind::Counter,
        Value::Histogram(_) => FamilyKind::Histogram,
        Value::Gauge(_) | Value::Data(_) => FamilyKind::Gauge,
    };
    let mut known = None;
    let series = rows.filter_map(|row| {
        let labels = row.labels.iter().map(ToString::to_string).collect();
        Some((labels, Series { point: point(row, table.unit, narrow, &mut known)?, changed: 0 }))
    });
    let series: BTreeMap<_, _> = series.collect();
    (!series.is_empty()).then(|| Family {
        name: metric_name(&[&table.subject, &table.name], kind, unit),
        help: table.help.clone().into_owned(),
        kind,
        unit,
        labels: table.labels.iter().map(|label| label_name(&label.name)).collect(),
        series,
    })
}

/// Buckets, and the greatest value of each but the last.
type Bounds = (Arc<[Bucket]>, Arc<[i128]>);

/// The value since the start. `known` has the bounds of the row before, which are those of all rows.
fn point(row: &Row, unit: Unit, narrow: bool, known: &mut Option<Bounds>) -> Option<Point> {
    Some(match &row.total {
        Value::Count(count) => Point::Number((*count).into()),
        Value::Gauge(gauge) => Point::Number((*gauge).into()),
        Value::Data(Data::Numbers(numbers)) => match numbers[..] {
            [number] => Point::Number(number.into()),
            _ => return None,
        },
        Value::Data(_) => return None,
        Value::Histogram(histogram) => {
            let bounds = match known {
                Some((buckets, bounds)) if Arc::ptr_eq(buckets, &histogram.buckets) => {
                    bounds.clone()
                }
                _ => {
                    let bounds = bounds(histogram, unit, narrow);
                    *known = Some((histogram.buckets.clone(), bounds.clone()));
                    bounds
                }
            };
            let mut counts: Vec<_> = match &histogram.fine {
                Some(fine) if narrow => fine.counts.clone(),
                _ => histogram.rows().map(|(_, count)| count).collect(),
            };
            counts.resize(bounds.len() + 1, 0);
            Point::Histogram { bounds, counts, sum: histogram.sum.map(i128::from) }
        }
    })
}

/// The greatest value of each bucket that has an end, in base units: a bucket up to 3 microseconds, which are
/// rounded down, ends at 3999 nanoseconds.
fn bounds(histogram: &Histogram, unit: Unit, narrow: bool) -> Arc<[i128]> {
    if let Some(fine) = histogram.fine.as_ref().filter(|_| narrow) {
        return fine.lows.iter().skip(1).map(|low| i128::from(*low) - 1).collect();
    }
    let ends = histogram.rows().filter_map(|(bucket, _)| bucket.high);
    ends.map(|high| (i128::from(high) + 1) * i128::from(unit.in_base()) - 1).collect()
}

/// A metric's name: `rawbpf_block_io_latency_seconds`.
pub fn metric_name(words: &[&str], kind: FamilyKind, unit: BaseUnit) -> String {
    let unit = match unit {
        BaseUnit::None => "",
        BaseUnit::Bytes => "bytes",
        BaseUnit::Seconds => "seconds",
    };
    let mut name = String::from("rawbpf");
    for word in words.iter().chain((!unit.is_empty()).then_some(&unit)) {
        name.push('_');
        name.extend(word.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }));
    }
    // These endings are those of a metric's parts.
    let reserved = ["_bucket", "_count", "_sum", "_total", "_info", "_created"];
    if kind != FamilyKind::Counter && reserved.iter().any(|ending| name.ends_with(ending))
        || name.ends_with("_total")
    {
        name.push_str("_value");
    }
    name
}

/// A label's name: letters, digits and `_`, and none that means something else to Prometheus.
pub fn label_name(name: &str) -> String {
    let mut clean: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    match &*clean {
        // As others name it, so that their metrics can be joined with these.
        "disk" => return "device".into(),
        "le" | "quantile" | "run" | "tool" | "job" | "instance" | "" => clean.push_str("_key"),
        _ => {}
    }
    match clean.starts_with(|c: char| c.is_ascii_digit()) || clean.starts_with("__") {
        true => format!("key_{clean}"),
        false => clean,
    }
}
