//! What a script has counted since its start, as samples.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::sample::{
    BaseUnit, Bucket, Family, FamilyKind, Histogram, LabelName, LabelValue, Lost, LostKind, Point,
    Row, Sample, Span, Table, Time, Unit, Value,
};

/// Makes samples of totals.
pub struct Totals {
    last: Time,
    /// The values before, by table and labels.
    before: BTreeMap<(String, Vec<String>), Value>,
    lost: [u64; 3],
}

/// What the three numbers of lost events are.
const LOST: [(LostKind, &str); 3] = [
    (LostKind::BeyondMaxKeys, "elements were not stored, since their map was full"),
    (LostKind::MissedEvents, "events did not fit into the ring buffers"),
    (
        LostKind::MissedEvents,
        "events came while another probe's program was running, and were not counted",
    ),
];

impl Totals {
    /// Totals that count from this time on.
    pub fn new(start: Time) -> Totals {
        Totals { last: start, before: BTreeMap::new(), lost: [0; 3] }
    }

    /// What was counted since the last sample, up to now. `lost` are elements that a full map did not store,
    /// events that did not fit into rings, and events that programs missed, all since the start.
    pub fn sample(&mut self, maps: &[Family], lost: [u64; 3], now: Time) -> Sample {
        let span = Span { start: std::mem::replace(&mut self.last, now), end: now };
        let before = std::mem::replace(&mut self.lost, lost);
        let since = LOST.iter().zip(lost.iter().zip(before));
        let mut lost: Vec<_> = since
            .filter_map(|((kind, sentence), (now, before))| {
                Lost::some(*kind, now.saturating_sub(before), *sentence)
            })
            .collect();
        let mut negative = 0;
        let mut tables = vec![];
        for map in maps {
            tables.extend(self.tables(map, &mut negative));
        }
        lost.extend(Lost::some(LostKind::Negative, negative, "values below 0 are in no histogram"));
        Sample::new(span, tables, lost)
    }

    /// One table of a map; for averages and statistics one for how many values there were, and one for their sum.
    fn tables(&mut self, map: &Family, negative: &mut u64) -> Vec<Table> {
        let table = |name: &str, rows| Table {
            name: format!("{}{name}", map.name).into(),
            subject: "script".into(),
            help: map.help.clone().into(),
            unit: match map.unit {
                BaseUnit::None => Unit::Number,
                BaseUnit::Bytes => Unit::Bytes,
                BaseUnit::Seconds => Unit::Nanoseconds,
            },
            labels: map
                .labels
                .iter()
                .map(|name| LabelName { name: name.clone().into(), heading: name.clone().into() })
                .collect(),
            rows,
            rest: vec![],
        };
        let mut known = None;
        let mut rows: [Vec<Row>; 2] = [vec![], vec![]];
        for (labels, series) in &map.series {
            let (total, sum) = match &series.point {
                Point::Number(number) if map.kind == FamilyKind::Counter => {
                    (Value::Count(u64::try_from(*number).unwrap_or(u64::MAX)), None)
                }
                Point::Number(number) => (Value::Gauge(gauge(*number)), None),
                Point::Summary { count, sum } => {
                    (Value::Count(*count), Some(Value::Gauge(gauge(*sum))))
                }
                Point::Histogram { bounds, counts, .. } => {
                    let below = bounds.iter().filter(|bound| **bound < 0).count();
                    let under: u64 = counts.iter().take(below).sum();
                    let key = (format!("{}<0", map.name), labels.clone());
                    let before = self.before.insert(key, Value::Count(under));
                    *negative += under.saturating_sub(before.map_or(0, |count| count.count()));
                    let buckets = known.get_or_insert_with(|| buckets(&bounds[below..])).clone();
                    (Value::Histogram(Histogram::new(buckets, counts[below..].to_vec())), None)
                }
            };
            rows[0].extend(self.row(&map.name, labels, total));
            rows[1].extend(sum.and_then(|sum| self.row(&map.name, labels, sum)));
        }
        let [rows, sums] = rows;
        match map.kind {
            FamilyKind::Summary => vec![table("_values", rows), table("_sum_of_values", sums)],
            _ => vec![table("", rows)],
        }
    }

    /// What the total of these labels has become; None if it counted nothing since.
    fn row(&mut self, name: &str, labels: &[String], total: Value) -> Option<Row> {
        let kind = if matches!(total, Value::Gauge(_)) { "=" } else { "" };
        let key = (format!("{name}{kind}"), labels.to_vec());
        let before = self.before.insert(key, total.clone());
        let value = since(&total, before.as_ref());
        let counts = !matches!(value, Value::Gauge(_)) && !labels.is_empty();
        let labels = labels.iter().map(|label| LabelValue::text(label)).collect();
        (!counts || value.count() > 0).then_some(Row { labels, value, total })
    }
}

fn gauge(number: i128) -> i64 {
    number.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// What was counted since, or a number as it is now.
fn since(total: &Value, before: Option<&Value>) -> Value {
    match (total, before) {
        (Value::Count(now), Some(Value::Count(before))) => {
            Value::Count(now.saturating_sub(*before))
        }
        (Value::Histogram(now), Some(Value::Histogram(before))) => {
            let counts = now.counts.iter().zip(&before.counts);
            let counts = counts.map(|(now, before)| now.saturating_sub(*before));
            Value::Histogram(Histogram { counts: counts.collect(), ..now.clone() })
        }
        (total, _) => total.clone(),
    }
}

/// Buckets that end at these values, and the last one, which has no end.
fn buckets(bounds: &[i128]) -> Arc<[Bucket]> {
    let ends = bounds.iter().map(|bound| u64::try_from(*bound).unwrap_or(u64::MAX));
    let mut low = 0_u64;
    let mut all: Vec<_> = ends
        .map(|high| Bucket {
            low: std::mem::replace(&mut low, high.saturating_add(1)),
            high: Some(high),
        })
        .collect();
    all.push(Bucket { low, high: None });
    all.into()
}
