//! A run as a stream of JSON: a line for the run, then a line for each sample. docs/json.md is its schema.

use serde_json::{Map, Value as Json, json};

use crate::host::clock::rfc3339;
use crate::plain;
use crate::sample::{
    Attached, Bucket, Data, Histogram, LabelValue, LeftOut, Lost, Percentile, Row, Run, Sample,
    Setting, Skipped, Table, Time, Unit, Value,
};

/// The first line: `{"type":"run", ...}`.
pub fn run(run: &Run) -> String {
    run_of(run, env!("CARGO_PKG_VERSION"))
}

/// The first line of a run of this version of rawbpf.
pub fn run_of(run: &Run, version: &str) -> String {
    let Run { start, tool, host, kernel, options, attached, skipped, left_out } = run;
    let options = options.iter().map(|(name, value)| (name.to_string(), setting(value)));
    let attached = attached.iter().map(|Attached { program, kind, place }| {
        json!({"program": program, "kind": kind, "place": place})
    });
    let skipped = skipped.iter();
    let skipped = skipped.map(|Skipped { kind, reason }| json!({"kind": kind, "reason": reason}));
    let left_out = left_out.iter();
    let left_out =
        left_out.map(|LeftOut { place, reason }| json!({"place": place, "reason": reason}));
    let mut line = line("run");
    line.insert("tool".into(), tool.to_string().into());
    line.insert("version".into(), version.into());
    line.insert("host".into(), host.clone().into());
    line.insert("kernel".into(), kernel.clone().into());
    moment(&mut line, "start", start);
    line.insert("options".into(), Json::Object(options.collect()));
    line.insert("attached".into(), attached.collect());
    line.insert("skipped".into(), skipped.collect());
    line.insert("left_out".into(), left_out.collect());
    plain::json(Json::from(line).to_string())
}

/// A line for a sample: `{"type":"interval", ...}`.
pub fn sample(sample: &Sample) -> String {
    let mut line = line("interval");
    moment(&mut line, "start", &sample.span.start);
    moment(&mut line, "end", &sample.span.end);
    line.insert("tables".into(), tables(&sample.tables));
    line.insert("lost".into(), sample.lost.iter().map(lost).collect());
    plain::json(Json::from(line).to_string())
}

/// A program that was run by itself.
#[derive(Clone, Copy, Debug)]
pub struct Returned<'a> {
    /// Its name.
    pub program: &'a str,
    /// What it returned.
    pub value: u32,
    /// How often it ran.
    pub runs: u32,
    /// When it had run.
    pub end: Time,
    /// The average time of a run; 0 where the kernel does not measure it.
    pub nanoseconds: u32,
}

/// A line for a program that was run by itself, and what was then in its maps:
/// `{"type":"returned", ...}`.
pub fn returned(returned: &Returned<'_>, maps: &[Table]) -> String {
    let mut line = line("returned");
    moment(&mut line, "end", &returned.end);
    line.insert("program".into(), returned.program.into());
    line.insert("returned".into(), returned.value.into());
    line.insert("runs".into(), returned.runs.into());
    line.insert("ns".into(), returned.nanoseconds.into());
    line.insert("tables".into(), tables(maps));
    plain::json(Json::from(line).to_string())
}

fn line(kind: &str) -> Map<String, Json> {
    Map::from_iter([("type".to_owned(), kind.into())])
}

/// A moment by both clocks.
fn moment(line: &mut Map<String, Json>, name: &str, time: &Time) {
    line.insert(name.into(), rfc3339(time.wall).into());
    line.insert(format!("{name}_monotonic_ns"), (time.monotonic.as_nanos() as u64).into());
}

fn setting(setting: &Setting) -> Json {
    match setting {
        Setting::Flag(flag) => (*flag).into(),
        Setting::Number(number) => (*number).into(),
        Setting::Seconds(seconds) => (*seconds).into(),
        Setting::Text(text) => text.clone().into(),
        Setting::List(list) => list.clone().into(),
        Setting::Unset => Json::Null,
    }
}

fn tables(tables: &[Table]) -> Json {
    tables.iter().map(table).collect()
}

fn table(table: &Table) -> Json {
    let rows = table.rows.iter().map(|row| self::row(table, row));
    let mut fields = json!({
        "name": table.name,
        "help": table.help,
        "unit": table.unit.name(),
        "rows": rows.collect::<Vec<_>>(),
    });
    if !table.rest.is_empty() {
        fields["rest"] = json!({"rows": table.rest.len(), "count": table.rest_count()});
    }
    fields
}

fn row(table: &Table, row: &Row) -> Json {
    let labels = table.labels.iter().zip(&row.labels);
    let labels = labels.map(|(label, value)| (label.name.clone().into_owned(), self::label(value)));
    let mut fields = Map::from_iter([("labels".to_owned(), Json::Object(labels.collect()))]);
    match &row.value {
        Value::Count(count) => {
            fields.insert("count".into(), (*count).into());
            fields.insert("total".into(), json!({"count": row.total.count()}));
        }
        Value::Gauge(gauge) => _ = fields.insert("value".into(), (*gauge).into()),
        Value::Data(data) => _ = fields.insert("value".into(), self::data(data)),
        Value::Histogram(histogram) => {
            fields.append(&mut self::histogram(table.unit, histogram));
            let mut total = Map::from_iter([("count".to_owned(), row.total.count().into())]);
            if let Value::Histogram(Histogram { sum: Some(sum), .. }) = &row.total {
                total.insert("sum".into(), in_unit(table.unit, *sum));
            }
            fields.insert("total".into(), total.into());
        }
    }
    fields.into()
}

fn label(value: &LabelValue) -> Json {
    match value {
        LabelValue::Negative(number) => (*number).into(),
        LabelValue::Number(number) => (*number).into(),
        LabelValue::Text(text) => text.clone().into(),
        LabelValue::Data(data) => self::data(data),
        // As the kernel itself numbers processes of other namespaces.
        LabelValue::Outside => 0.into(),
    }
}

/// A number, an array of numbers, or bytes in hexadecimal.
fn data(data: &Data) -> Json {
    match data {
        Data::Numbers(numbers) => match &numbers[..] {
            [number] => json!(number),
            numbers => json!(numbers),
        },
        Data::Bytes(_) => json!(data.to_string()),
    }
}

/// A number of base units in the table's unit: whole if it is.
fn in_unit(unit: Unit, base: u64) -> Json {
    match base.is_multiple_of(unit.in_base()) {
        true => (base / unit.in_base()).into(),
        false => (base as f64 / unit.in_base() as f64).into(),
    }
}

fn histogram(unit: Unit, histogram: &Histogram) -> Map<String, Json> {
    let mut fields = Map::new();
    let count = histogram.count();
    fields.insert("count".into(), count.into());
    if let (Some(sum), Some(average)) = (histogram.sum, histogram.average()) {
        fields.insert("sum".into(), in_unit(unit, sum));
        fields.insert("average".into(), (average / unit.in_base() as f64).into());
    }
    if let Some((min, max)) = histogram.extremes {
        fields.insert("min".into(), in_unit(unit, min));
        fields.insert("max".into(), in_unit(unit, max));
    }
    if count > 0 {
        for percent in histogram.percentiles.iter() {
            let end = match histogram.percentile(*percent, unit) {
                Some(Percentile::Below(end)) => in_unit(unit, end),
                _ => Json::Null,
            };
            fields.insert(format!("p{percent}_below"), end);
        }
    }
    let buckets = histogram.used().into_iter().map(|(Bucket { low, high }, count)| match high {
        Some(high) => json!({"min": low, "max": high, "count": count}),
        None => json!({"min": low, "count": count}),
    });
    fields.insert("buckets".into(), buckets.collect());
    fields
}

fn lost(lost: &Lost) -> Json {
    let Lost { what, count, sentence, option } = lost;
    let mut fields = json!({"what": what.name(), "count": count, "sentence": sentence});
    if let Some(option) = option {
        fields["option"] = option.to_string().into();
    }
    fields
}
