//! Two recordings, or two parts of one: what differs, and what of that is beyond chance.
//!
//! Rates and the shares of buckets are compared by two-sample t-tests. How much they vary by chance is
//! estimated from interval to interval (a ratio estimator with the intervals as clusters), since events that
//! come in bursts are not independent, and is never taken to be less than what independent events would vary
//! (Poisson for rates, binomial for shares). All tests of a comparison share a probability of 1 % to find a
//! difference where there is none (Bonferroni).

use std::collections::HashMap;

use super::MOST_COUNTERS;
use super::facts::Facts;
use super::state::next_total;
use crate::order::PutInOrder;
use crate::sample::{
    Bucket, Histogram, LabelName, LabelValue, Lost, Row, Sample, Setting, Span, Unit, Value,
};

/// The probability that a comparison without a difference finds any.
pub const CHANCE: f64 = 0.01;

/// A bucket with fewer events on both sides together is not tested.
const FEWEST: f64 = 10.0;

/// What one side counted.
#[derive(Default)]
pub struct Side {
    /// From its first row's start to its last row's end.
    pub span: Option<Span>,
    /// The number of rows.
    pub rows: u64,
    /// What was not counted.
    pub lost: Vec<Lost>,
    /// Events of rows for which there was no more room.
    pub left_out: u64,
    /// The sum of the intervals in seconds, and of their squares.
    seconds: f64,
    seconds_squared: f64,
    tables: Vec<Counted>,
    counters: usize,
}

/// A table.
struct Counted {
    name: String,
    unit: Unit,
    labels: Vec<LabelName>,
    rows: HashMap<Vec<LabelValue>, Series>,
}

/// What was counted for a combination of labels, as sums over the intervals of which each counted n events in
/// t seconds, and k of these in a bucket.
struct Series {
    total: Value,
    /// Intervals with any events.
    intervals: f64,
    /// Of n².
    squares: f64,
    /// Of n t.
    by_time: f64,
    /// Of k² and of k n, for each bucket.
    buckets: Vec<[f64; 2]>,
}

impl Side {
    /// Adds an interval.
    pub fn add(&mut self, sample: &Sample) {
        let start = self.span.map_or(sample.span.start, |span| span.start);
        self.span = Some(Span { start, end: sample.span.end });
        self.rows += 1;
        let seconds = sample.span.duration().as_secs_f64();
        self.seconds += seconds;
        self.seconds_squared += seconds * seconds;
        Lost::add_up(&mut self.lost, &sample.lost);
        for table in &sample.tables {
            let same = |counted: &Counted| {
                counted.name == table.name
                    && counted.unit == table.unit
                    && counted.labels == table.labels
            };
            let at = self.tables.iter().position(same).unwrap_or_else(|| {
                let (name, labels) = (table.name.to_string(), table.labels.clone());
                let rows = HashMap::new();
                self.tables.push(Counted { name, unit: table.unit, labels, rows });
                self.tables.len() - 1
            });
            for row in table.rows.iter().chain(&table.rest) {
                self.add_row(at, row, seconds);
            }
        }
    }

    fn add_row(&mut self, at: usize, row: &Row, seconds: f64) {
        let count = row.value.count();
        let counts = match &row.value {
            Value::Histogram(histogram) => &histogram.counts[..],
            Value::Count(_) => &[],
            Value::Gauge(_) | Value::Data(_) => return,
        };
        let rows = &mut self.tables[at].rows;
        let fits = match rows.get(&row.labels).map(|series| &series.total) {
            Some(Value::Histogram(total)) => total.counts.len() == counts.len(),
            Some(_) => counts.is_empty(),
            None => {
                let new = super::encode::counters(&row.value) + 2 * counts.len();
                let fits = self.counters + new <= MOST_COUNTERS;
                self.counters += if fits { new } else { 0 };
                fits
            }
        };
        if !fits {
            self.left_out = self.left_out.saturating_add(count);
            return;
        }
        let n = count as f64;
        if let Some(series) = rows.get_mut(&row.labels) {
            let before = std::mem::replace(&mut series.total, Value::Count(0));
            series.total = next_total(Some(before), &row.value);
            series.add(n, seconds, counts);
            return;
        }
        let (total, buckets) = (next_total(None, &row.value), vec![[0.0; 2]; counts.len()]);
        let mut series = Series { total, intervals: 0.0, squares: 0.0, by_time: 0.0, buckets };
        series.add(n, seconds, counts);
        rows.insert(row.labels.clone(), series);
    }

    /// The seconds that its intervals have.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// The events a second, how much that varies, and in how many intervals.
    fn rate(&self, series: Option<&Series>, pooled: f64) -> Estimate {
        let (n, squares, by_time) =
            series.map_or((0.0, 0.0, 0.0), |it| (it.total.count() as f64, it.squares, it.by_time));
        let time = self.seconds.max(f64::MIN_POSITIVE);
        let (rate, rows) = (n / time, self.rows as f64);
        let varies = squares - 2.0 * rate * by_time + rate * rate * self.seconds_squared;
        Estimate::new(rate, varies / (time * time), pooled / time, rows)
    }
}

impl Series {
    fn add(&mut self, n: f64, seconds: f64, counts: &[u64]) {
        self.intervals += f64::from(n > 0.0);
        self.squares += n * n;
        self.by_time += n * seconds;
        for (sums, count) in self.buckets.iter_mut().zip(counts).filter(|(_, count)| **count > 0) {
            let k = *count as f64;
            sums[0] += k * k;
            sums[1] += k * n;
        }
    }

    fn histogram(&self) -> Option<&Histogram> {
        match &self.total {
            Value::Histogram(histogram) => Some(histogram),
            _ => None,
        }
    }

    /// The share of the events that are in a bucket.
    fn share(&self, bucket: usize, count: u64, pooled: f64) -> Estimate {
        let n = (self.total.count() as f64).max(1.0);
        let share = count as f64 / n;
        let [squares, by_all] = self.buckets[bucket];
        let varies = squares - 2.0 * share * by_all + share * share * self.squares;
        Estimate::new(share, varies / (n * n), pooled * (1.0 - pooled) / n, self.intervals)
    }
}

/// A number that is known from some intervals.
#[derive(Clone, Copy)]
struct Estimate {
    value: f64,
    variance: f64,
    intervals: f64,
}

impl Estimate {
    /// With the variance from interval to interval, but at least that of independent events.
    fn new(value: f64, between: f64, independent: f64, intervals: f64) -> Estimate {
        let between = if intervals > 1.0 { between * intervals / (intervals - 1.0) } else { 0.0 };
        Estimate { value, variance: between.max(independent), intervals }
    }

    /// How probable it is that two such numbers are as far apart by chance: Student's t as a normal deviate, by
    /// Wallace's approximation, which has three digits.
    fn chance(self, other: Estimate) -> f64 {
        let variance = self.variance + other.variance;
        let difference = self.value - other.value;
        if variance <= 0.0 {
            return if difference == 0.0 { 1.0 } else { 0.0 };
        }
        let t_squared = difference * difference / variance;
        let freedom = (self.intervals + other.intervals - 2.0).max(0.0);
        let z = match freedom {
            0.0 => t_squared.sqrt(),
            _ => {
                let correction = (8.0 * freedom + 1.0) / (8.0 * freedom + 3.0);
                correction * (freedom * (t_squared / freedom).ln_1p()).sqrt()
            }
        };
        beyond(z)
    }
}

/// The probability that a normal deviate is at least as far from 0 as `z`: by a rational approximation (Abramowitz and
/// Stegun 26.2.17), whose error is below 2e-7, and further out by its first asymptotic term.
fn beyond(z: f64) -> f64 {
    let density = (-z * z / 2.0).exp() * 0.398_942_280_401;
    if z > 5.0 {
        return 2.0 * density / z;
    }
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let sum = [1.330_274_429, -1.821_255_978, 1.781_477_937, -0.356_563_782, 0.319_381_530]
        .iter()
        .fold(0.0, |sum, factor| (sum + factor) * t);
    (2.0 * density * sum).min(1.0)
}

/// Two sides side by side.
pub struct Comparison {
    /// What was counted for each combination of labels, that with most events first.
    pub rows: Vec<Compared>,
    /// The number of tests.
    pub tests: u64,
}

/// What two sides counted for a combination of labels.
pub struct Compared {
    /// The table's name: `latency`.
    pub name: String,
    /// The table's unit.
    pub unit: Unit,
    /// The labels: headings and values.
    pub labels: Vec<(String, String)>,
    /// The events of both sides.
    pub counts: [u64; 2],
    /// The events a second.
    pub rates: Pair,
    /// Their distributions, if there are any.
    pub histograms: Option<[Histogram; 2]>,
    /// The share of each bucket that any side has events in.
    pub buckets: Vec<(Bucket, Pair)>,
}

/// A number of both sides.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// The numbers.
    pub values: [f64; 2],
    /// The probability that they differ so much by chance; None if that is not known, for want of events.
    pub chance: Option<f64>,
}

impl Comparison {
    /// Compares.
    pub fn new(sides: &[Side; 2]) -> Comparison {
        let mut rows: Vec<Compared> = vec![];
        let [one, other] = sides;
        for table in &one.tables {
            let second = other.tables.iter().find(|it| it.is(table));
            let empty = HashMap::new();
            let others = second.map_or(&empty, |it| &it.rows);
            for (labels, series) in &table.rows {
                rows.push(compared(table, labels, sides, [Some(series), others.get(labels)]));
            }
        }
        for table in &other.tables {
            let first = one.tables.iter().find(|it| it.is(table));
            for (labels, series) in &table.rows {
                if first.is_none_or(|it| !it.rows.contains_key(labels)) {
                    rows.push(compared(table, labels, sides, [None, Some(series)]));
                }
            }
        }
        rows.order_by(|one, next| {
            next.events().cmp(&one.events()).then_with(|| one.labels.cmp(&next.labels))
        });
        let tests = rows.iter().flat_map(Compared::pairs).filter(|pair| pair.chance.is_some());
        let tests = tests.count() as u64;
        Comparison { rows, tests }
    }

    /// Whether two numbers differ beyond chance.
    pub fn differs(&self, pair: &Pair) -> bool {
        pair.chance.is_some_and(|chance| chance * (self.tests as f64) < CHANCE)
    }

    /// Whether anything of a row differs beyond chance.
    pub fn any_differs(&self, row: &Compared) -> bool {
        row.pairs().any(|pair| self.differs(pair))
    }
}

impl Compared {
    fn events(&self) -> u64 {
        self.counts[0].saturating_add(self.counts[1])
    }

    fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.buckets.iter().map(|(_, pair)| pair).chain([&self.rates])
    }
}

impl Counted {
    fn is(&self, other: &Counted) -> bool {
        self.name == other.name && self.unit == other.unit && self.labels == other.labels
    }
}

fn compared(
    table: &Counted,
    labels: &[LabelValue],
    sides: &[Side; 2],
    both: [Option<&Series>; 2],
) -> Compared {
    let counts = both.map(|series| series.map_or(0, |series| series.total.count()));
    let [one, other] = sides;
    let events: f64 = counts.iter().map(|count| *count as f64).sum();
    let pooled = events / (one.seconds + other.seconds).max(f64::MIN_POSITIVE);
    let rates = [one.rate(both[0], pooled), other.rate(both[1], pooled)];
    let chance = |[one, other]: [Estimate; 2]| one.chance(other);
    let rates = Pair {
        values: rates.map(|rate| rate.value),
        chance: (events >= FEWEST && one.rows > 0 && other.rows > 0).then(|| chance(rates)),
    };
    let histograms = both.map(|series| series.and_then(Series::histogram));
    let mut buckets = vec![];
    if let Some(any) = histograms.iter().flatten().next() {
        for (at, bucket) in any.buckets.iter().enumerate() {
            let in_bucket = [0, 1].map(|side| {
                let same = |it: &&Histogram| it.buckets == any.buckets;
                histograms[side].filter(same).map_or(0, |it| it.counts[at])
            });
            let sum: f64 = in_bucket.iter().map(|count| *count as f64).sum();
            if sum == 0.0 {
                continue;
            }
            let share = |side: usize| match both[side] {
                Some(series) if counts[side] > 0 && at < series.buckets.len() => {
                    Some(series.share(at, in_bucket[side], sum / events))
                }
                _ => None,
            };
            let shares = [share(0), share(1)];
            let tested = match shares {
                [Some(one), Some(other)] if sum >= FEWEST => Some(one.chance(other)),
                _ => None,
            };
            let values = shares.map(|share| share.map_or(0.0, |share| share.value));
            buckets.push((*bucket, Pair { values, chance: tested }));
        }
    }
    let none = |any: &Histogram| Histogram {
        sum: None,
        ..Histogram::new(any.buckets.clone(), vec![0; any.buckets.len()])
    };
    let any = histograms.iter().flatten().next().copied();
    let histograms = any.map(|any| histograms.map(|it| it.cloned().unwrap_or_else(|| none(any))));
    let labels = table.labels.iter().zip(labels);
    let labels = labels.map(|(label, value)| (label.heading.to_string(), value.to_string()));
    let (name, unit, labels) = (table.name.clone(), table.unit, labels.collect());
    Compared { name, unit, labels, counts, rates, histograms, buckets }
}

/// What differs between the facts about two runs, as a line each.
pub fn differences(one: &Facts, other: &Facts) -> Vec<String> {
    let mut lines = vec![];
    let mut differ = |what: &str, one: String, other: String| {
        if one != other {
            lines.push(format!("{what}: {one} / {other}"));
        }
    };
    let (first, second) = (&one.run, &other.run);
    differ("tool", first.tool.to_string(), second.tool.to_string());
    differ("host", first.host.clone(), second.host.clone());
    differ("kernel", first.kernel.clone(), second.kernel.clone());
    differ("rawbpf", one.version.clone(), other.version.clone());
    let disks = |facts: &Facts| {
        let disks = facts.disks.iter().map(|(name, bytes)| format!("{name} ({bytes} bytes)"));
        disks.collect::<Vec<_>>().join(", ")
    };
    differ("disks", disks(one), disks(other));
    let kinds = |facts: &Facts| {
        let attached = facts.run.attached.iter();
        let mut kinds: Vec<_> = attached.map(|it| format!("{} {}", it.kind, it.place)).collect();
        kinds.order();
        kinds.dedup();
        // A pattern has thousands.
        let more = kinds.len().saturating_sub(8);
        kinds.truncate(8);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        kinds.join(", ") + &more
    };
    differ("attached", kinds(one), kinds(other));
    let names = first.options.iter().chain(&second.options).map(|(name, _)| name);
    let mut seen: Vec<&str> = vec![];
    for name in names {
        if seen.contains(&&**name) {
            continue;
        }
        seen.push(name);
        let of = |facts: &Facts| {
            let option = facts.run.options.iter().find(|(it, _)| it == name);
            option.map_or("none".into(), |(_, setting)| text(setting))
        };
        differ(&format!("--{}", name.replace('_', "-")), of(one), of(other));
    }
    lines
}

fn text(setting: &Setting) -> String {
    match setting {
        Setting::Flag(true) => "yes".into(),
        Setting::Flag(false) => "no".into(),
        Setting::Number(number) => number.to_string(),
        Setting::Seconds(seconds) => format!("{seconds} s"),
        Setting::Text(text) => text.clone(),
        Setting::List(list) => list.join(" "),
        Setting::Unset => "none".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::sample::{Table, Time};

    /// Numbers that look random: a linear congruence modulo 2^64, by its upper half.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: u64) -> u64 {
            let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
            self.0 = next.wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 32) % limit
        }
    }

    /// A second of a workload with bursts: of `rate` events on the average, `slow` of a hundred are in the second
    /// bucket, and those of a burst are alike.
    fn side(seed: u64, seconds: u64, rate: u64, slow: u64) -> Side {
        let (mut random, mut side) = (Random(seed), Side::default());
        let buckets: Arc<[Bucket]> =
            [(0, Some(9)), (10, None)].map(|(low, high)| Bucket { low, high }).into();
        for second in 0..seconds {
            let mut counts = vec![0, 0];
            for _ in 0..random.below(2 * rate / 10 + 1) {
                counts[usize::from(random.below(100) < slow)] += 10;
            }
            let value = Value::Histogram(Histogram::new(buckets.clone(), counts));
            let row = Row { labels: vec![], total: value.clone(), value };
            let table = Table {
                name: "latency".into(),
                subject: "block_io".into(),
                help: "".into(),
                unit: Unit::Microseconds,
                labels: vec![],
                rows: vec![row],
                rest: vec![],
            };
            let time = |second| {
                let since = Duration::from_secs(second);
                Time { wall: UNIX_EPOCH + since, monotonic: since }
            };
            let span = Span { start: time(second), end: time(second + 1) };
            side.add(&Sample::new(span, vec![table], vec![]));
        }
        side
    }

    fn found(sides: &[Side; 2]) -> (bool, bool) {
        let comparison = Comparison::new(sides);
        let row = &comparison.rows[0];
        let shares = row.buckets.iter().any(|(_, pair)| comparison.differs(pair));
        (comparison.differs(&row.rates), shares)
    }

    #[test]
    fn equal_workloads_with_bursts_do_not_differ() {
        // By the binomial alone, bursts of ten would differ in a third of all comparisons.
        let false_ones = (0..300).filter(|seed| {
            let found = found(&[side(2 * seed, 60, 200, 20), side(2 * seed + 1, 90, 200, 20)]);
            found.0 || found.1
        });
        let count = false_ones.count();
        assert!(count <= 12, "{count} of 300");
    }

    #[test]
    fn a_change_of_the_rate_or_of_the_distribution_is_found() {
        let of = |rate, slow| found(&[side(1, 60, 200, 20), side(2, 60, rate, slow)]);
        assert_eq!(of(300, 20), (true, false));
        assert_eq!(of(200, 32), (false, true));
        assert_eq!(of(200, 20), (false, false));
    }

    #[test]
    fn what_only_one_side_has_differs_if_it_is_enough() {
        let mut none = side(1, 60, 200, 20);
        none.tables.clear();
        let comparison = Comparison::new(&[none, side(2, 60, 200, 20)]);
        let row = &comparison.rows[0];
        assert_eq!((row.counts[0], comparison.any_differs(row)), (0, true));
    }

    #[test]
    fn probabilities_are_those_of_the_tables() {
        for (z, p) in [(0.0, 1.0), (1.0, 0.31731), (1.959_964, 0.05), (3.290_527, 0.001)] {
            assert!((beyond(z) - p).abs() < 1e-6, "{z}: {}", beyond(z));
        }
        assert!((beyond(7.0) / 2.56e-12 - 1.0).abs() < 0.03, "{}", beyond(7.0));
        // Student's t with 10 degrees of freedom: 2.228 has 5 %.
        let estimate = |value| Estimate { value, variance: 0.5, intervals: 6.0 };
        assert!((estimate(2.228).chance(estimate(0.0)) - 0.05).abs() < 0.002);
        assert!((estimate(1.0).chance(estimate(1.0)) - 1.0).abs() < 1e-6);
    }
}
