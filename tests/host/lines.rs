//! The lines of JSON that tracing tools print: docs/json.md describes them.

use serde_json::Value;

/// The intervals of a run, or of several one after the other. A run begins with a line of its own, and
/// each interval begins where the one before ended.
#[track_caller]
pub fn intervals(stdout: &str) -> Vec<Value> {
    let mut intervals = vec![];
    let mut ended = None;
    for text in stdout.lines() {
        let line: Value = serde_json::from_str(text).expect(text);
        let moment = |name: &str| {
            let [wall, monotonic] = [name.to_owned(), format!("{name}_monotonic_ns")];
            let moment = [&line[wall], &line[monotonic]].map(Value::clone);
            assert!(moment[0].is_string() && moment[1].is_u64(), "no {name}: {line}");
            moment
        };
        match line["type"].as_str() {
            Some("run") => ended = Some(moment("start")),
            Some("interval") => {
                let began = moment("start");
                assert_eq!(ended.replace(moment("end")), Some(began), "{line}");
                intervals.push(line);
            }
            _ => panic!("neither a run nor an interval: {line}"),
        }
    }
    assert!(ended.is_some(), "no run");
    intervals
}

/// What a program returned that was run once: the line after the one of the run.
#[track_caller]
pub fn returned(stdout: &str) -> Value {
    let (run, line) = stdout.trim_end().split_once('\n').expect("two lines");
    let [run, line]: [Value; 2] = [run, line].map(|text| serde_json::from_str(text).expect(text));
    assert_eq!([&run["type"], &line["type"]], ["run", "returned"]);
    assert!(run["start"].is_string() && line["end"].is_string(), "{run} {line}");
    line
}

/// The only interval of a run.
#[track_caller]
pub fn interval(stdout: &str) -> Value {
    let mut intervals = intervals(stdout);
    assert_eq!(intervals.len(), 1, "{stdout}");
    intervals.remove(0)
}

/// The rows of the only table of an interval.
#[track_caller]
pub fn rows(interval: &Value) -> &Vec<Value> {
    let tables = interval["tables"].as_array().expect("tables");
    let [table] = &tables[..] else { panic!("not one table: {interval}") };
    table["rows"].as_array().expect("rows")
}

/// The only row of an interval.
#[track_caller]
pub fn row(interval: &Value) -> &Value {
    let [row] = &rows(interval)[..] else { panic!("not one row: {interval}") };
    row
}

/// The row with this value of a label.
#[track_caller]
pub fn row_of<'a>(interval: &'a Value, label: &str, value: impl Into<Value>) -> &'a Value {
    let value = value.into();
    let mut found = rows(interval).iter().filter(|row| row["labels"][label] == value);
    let row = found.next().unwrap_or_else(|| panic!("no {label} {value}: {interval}"));
    assert!(found.next().is_none(), "{label} {value} twice: {interval}");
    row
}

/// The least value, the greatest and the count of each bucket, from the first to the last that counted
/// anything.
#[track_caller]
pub fn buckets(row: &Value) -> Vec<(u64, u64, u64)> {
    let number = |bucket: &Value, name: &str| bucket[name].as_u64().expect(name);
    let end = |bucket: &Value| bucket.get("max").map_or(u64::MAX, |_| number(bucket, "max"));
    let buckets = row["buckets"].as_array().unwrap_or_else(|| panic!("no buckets: {row}")).iter();
    buckets.map(|it| (number(it, "min"), end(it), number(it, "count"))).collect()
}

/// The least value and the count of each bucket that counted anything.
#[track_caller]
pub fn counted(row: &Value) -> Vec<(u64, u64)> {
    let buckets = buckets(row).into_iter().filter(|(.., count)| *count > 0);
    buckets.map(|(min, _, count)| (min, count)).collect()
}

/// What a row counts. A histogram's buckets have as much together.
#[track_caller]
pub fn count(row: &Value) -> u64 {
    let count = row["count"].as_u64().unwrap_or_else(|| panic!("no count: {row}"));
    if row.get("buckets").is_some() {
        assert_eq!(buckets(row).iter().map(|(.., count)| count).sum::<u64>(), count, "{row}");
    }
    count
}

/// A histogram of latencies in microseconds or more whose extremes are in the first and the last bucket,
/// with the average between them, and none of which took a minute.
#[track_caller]
pub fn plausible(row: &Value) {
    let number = |name: &str| row[name].as_f64().unwrap_or_else(|| panic!("no {name}: {row}"));
    let (min, average, max) = (number("min"), number("average"), number("max"));
    let buckets = buckets(row);
    let [(first, first_end, _), (last, last_end, _)] = [buckets[0], buckets[buckets.len() - 1]];
    assert!((first as f64..first_end as f64 + 1.0).contains(&min), "{row}");
    assert!((last as f64..last_end as f64 + 1.0).contains(&max), "{row}");
    assert!((min..=max).contains(&average), "{row}");
    assert!(max < 60e6, "{row}");
}

/// How many events of a kind the interval lacks.
#[track_caller]
pub fn lost(interval: &Value, what: &str) -> u64 {
    let lost = interval["lost"].as_array().expect("lost");
    let mut found = lost.iter().filter(|lost| lost["what"] == what);
    let count = found.next().map_or(0, |lost| lost["count"].as_u64().expect("count"));
    assert!(found.next().is_none(), "{what} twice: {interval}");
    count
}

/// The interval has each event that the program was run for. Where the kernel ran it for none, because it
/// was running another one, the tool cannot say whether the event was one to be counted.
#[track_caller]
pub fn nothing_lost(interval: &Value) {
    let lost = interval["lost"].as_array().expect("lost");
    assert!(lost.iter().all(|lost| lost["what"] == "missed_events"), "{interval}");
}
