//! What is recorded comes back, and nothing else does.

use std::io::Cursor;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use proptest::prelude::*;

use super::*;
use crate::sample::*;

fn time(milliseconds: u64) -> Time {
    let since = Duration::from_millis(milliseconds);
    Time { wall: UNIX_EPOCH + Duration::from_secs(1_793_541_839) + since, monotonic: since }
}

fn facts() -> Facts {
    let run = Run {
        start: time(5),
        tool: "biolatency".into(),
        host: "host".into(),
        kernel: "6.18.1".into(),
        options: vec![
            ("interval".into(), Setting::Seconds(0.25)),
            ("disk".into(), Setting::Unset),
            ("summary".into(), Setting::Flag(true)),
            ("count".into(), Setting::Number(7)),
            ("names".into(), Setting::List(vec!["a".into(), "b".into()])),
        ],
        attached: vec![Attached {
            program: "p".into(),
            kind: "tp_btf".into(),
            place: "block_rq_issue".into(),
        }],
        skipped: vec![Skipped { kind: "fentry".into(), reason: "no BTF".into() }],
        left_out: vec![LeftOut { place: "kprobe x".into(), reason: "not there".into() }],
    };
    let command = vec!["biolatency".into(), "-D".into()];
    Facts { version: "0.1.0".into(), command, disks: vec![("vda".into(), 1 << 40)], run }
}

fn histogram(counts: &[u64; 3], is_fine: bool) -> Histogram {
    let buckets: Arc<[Bucket]> =
        [(0, Some(1)), (2, Some(3)), (4, None)].map(|(low, high)| Bucket { low, high }).into();
    let lows = [0, 1_000, 2_000, 2_500, 3_000, 4_000].into();
    let fine =
        FineCounts { lows, counts: vec![counts[0], 0, 0, counts[1], 0, counts[2]], steps: 4 };
    let histogram = Histogram::new(buckets, counts.to_vec());
    Histogram { sum: Some(counts[2]), fine: is_fine.then_some(fine), ..histogram }
}

/// A row whose total is `before` more than its value.
fn row(label: LabelValue, value: Value, before: u64) -> Row {
    let total = match &value {
        Value::Count(count) => Value::Count(count.saturating_add(before)),
        Value::Histogram(histogram) => {
            let mut total = histogram.clone();
            total.counts[1] = total.counts[1].saturating_add(before);
            Value::Histogram(Histogram { extremes: None, ..total })
        }
        value => value.clone(),
    };
    Row { labels: vec![label], value, total }
}

fn table(name: &str, rows: Vec<Row>, rest: Vec<Row>) -> Table {
    Table {
        name: name.to_owned().into(),
        subject: "block_io".into(),
        help: "Time from the issue".into(),
        unit: Unit::Microseconds,
        labels: vec![LabelName::new("disk", "disk")],
        rows,
        rest,
    }
}

fn any_label() -> impl Strategy<Value = LabelValue> {
    prop_oneof![
        (0..6_u64).prop_map(LabelValue::Number),
        any::<u64>().prop_map(LabelValue::Number),
        (i64::MIN..0).prop_map(LabelValue::Negative),
        "[a-cä]{0,3}".prop_map(LabelValue::Text),
        Just(LabelValue::Outside),
        proptest::collection::vec(any::<u64>(), 0..3)
            .prop_map(|numbers| LabelValue::Data(Data::Numbers(numbers))),
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    let counts = [0..3_u64, 0..300_u64, 0..3_u64];
    prop_oneof![
        any::<u64>().prop_map(Value::Count),
        any::<i64>().prop_map(Value::Gauge),
        proptest::collection::vec(any::<u8>(), 0..9)
            .prop_map(|bytes| Value::Data(Data::Bytes(bytes))),
        (counts, any::<bool>(), any::<Option<(u64, u64)>>()).prop_map(
            |(counts, fine, extremes)| Value::Histogram(Histogram {
                extremes,
                ..histogram(&counts, fine)
            })
        ),
    ]
}

fn any_sample() -> impl Strategy<Value = Sample> {
    let row = || {
        (any_label(), any_value(), 0..3_u64)
            .prop_map(|(label, value, before)| row(label, value, before))
    };
    let rows = move || proptest::collection::vec(row(), 0..5);
    let tables = proptest::collection::vec(("[ab]", rows(), rows()), 0..3);
    let lost = proptest::collection::vec((0..12_usize, 1..u64::MAX, any::<bool>()), 0..3);
    (tables, lost, 0..9_000_u64, 0..9_000_u64).prop_map(|(tables, lost, start, end)| {
        let tables = tables.into_iter().map(|(name, rows, rest)| table(&name, rows, rest));
        let lost = lost.into_iter().map(|(kind, count, has_option)| {
            let lost = Lost::some(LostKind::ALL[kind], count, "more requests").unwrap();
            if has_option { lost.option("--max-keys") } else { lost }
        });
        let span = Span { start: time(start), end: time(end) };
        Sample::new(span, tables.collect(), lost.collect())
    })
}

/// Writes samples, and returns the file and its length after each row.
fn written(samples: &[Sample], keep: Keep) -> (Vec<u8>, Vec<usize>) {
    let mut file = vec![];
    let mut put = |Piece { place, bytes }: Piece<'_>| {
        let (begin, end) = (place as usize, place as usize + bytes.len());
        file.resize(file.len().max(end), 0);
        file[begin..end].copy_from_slice(bytes);
        end
    };
    let mut writer = Writer::new(&facts(), keep).unwrap();
    let mut ends = vec![put(writer.begin(time(5)))];
    for sample in samples {
        ends.push(put(writer.push(sample).unwrap()));
    }
    (file, ends)
}

/// The facts, the samples, and what could not be read.
fn read(bytes: &[u8]) -> Option<(Vec<Facts>, Vec<Sample>, Damage)> {
    let mut source = Cursor::new(bytes);
    let mut reader = Reader::new(&mut source).ok()?;
    let (mut facts, mut samples) = (vec![], vec![]);
    while let Some(entry) = reader.entry().unwrap() {
        match entry {
            Entry::Facts(some) => facts.push(some),
            Entry::Sample(sample) => samples.push(sample),
        }
    }
    Some((facts, samples, reader.damage()))
}

/// A second of a tool with two disks, one of which is idle now and then.
fn steady(rows: u64) -> Vec<Sample> {
    let mut totals = [0; 2];
    let sample = |number: u64| {
        let rows = (0..2).filter(|disk| *disk == 0 || number.is_multiple_of(3)).map(|disk| {
            let value = Value::Histogram(histogram(&[0, 1 + number % 5, 0], true));
            let row = row(LabelValue::Number(disk), value, 0);
            let total = &mut totals[disk as usize];
            *total += 1 + number % 5;
            Row { total: Value::Histogram(histogram(&[0, *total, 0], true)), ..row }
        });
        let tables = vec![table("latency", rows.collect(), vec![])];
        Sample::new(Span { start: time(number), end: time(number + 1) }, tables, vec![])
    };
    (0..rows).map(sample).collect()
}

proptest! {
    #[test]
    fn whatever_is_recorded_comes_back(samples in proptest::collection::vec(any_sample(), 0..8)) {
        let (file, _) = written(&samples, Keep::All);
        let (found, read, damage) = read(&file).unwrap();
        prop_assert_eq!(found, [facts()]);
        prop_assert_eq!(read, samples);
        prop_assert_eq!(damage, Damage::default());
    }

    #[test]
    fn hostile_bytes_in_a_recording_are_read_in_time(
        samples in proptest::collection::vec(any_sample(), 1..6),
        changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..6),
    ) {
        let (mut file, _) = written(&samples, Keep::All);
        for (place, byte) in changes {
            let place = place % file.len();
            file[place] = byte;
        }
        let begin = Instant::now();
        let _ = read(&file);
        prop_assert!(begin.elapsed() < Duration::from_secs(5));
    }

    /// Blocks whose checksums are right, so that what is in them is looked at.
    #[test]
    fn hostile_rows_are_read_in_time(
        samples in proptest::collection::vec(any_sample(), 1..6),
        changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..6),
        random in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let (mut file, ends) = written(&samples, Keep::All);
        for (place, byte) in changes {
            let place = HEAD + place % (file.len() - HEAD);
            file[place] = byte;
        }
        seal(&mut file);
        let begin = Instant::now();
        let _ = read(&file);
        file.truncate(ends[0] - BEFORE_BLOCK);
        let length = (random.len() as u32 + 1).to_le_bytes();
        file.extend([&length[..], &[0; 4], &[ROW], &random].concat());
        seal(&mut file);
        let _ = read(&file);
        prop_assert!(begin.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn a_file_that_was_cut_anywhere_has_all_rows_before() {
    let samples = steady(20);
    let (file, ends) = written(&samples, Keep::All);
    for length in ends[0] - BEFORE_BLOCK..file.len() {
        let (_, read, damage) = read(&file[..length]).unwrap();
        // A row is whole without the 8 bytes after it.
        let whole = ends[1..].iter().filter(|end| **end - BEFORE_BLOCK <= length).count();
        assert_eq!(read, samples[..whole], "{length}");
        let is_clean = ends.iter().any(|end| length == end - BEFORE_BLOCK)
            || length >= file.len() - BEFORE_BLOCK;
        assert_eq!(damage, Damage { torn: !is_clean, parts: 0 }, "{length}");
    }
    assert!(read(&file[..HEAD - 1]).is_none());
}

#[test]
fn a_row_that_is_not_what_was_written_is_left_out_with_those_after_it() {
    let samples = steady(20);
    let (mut file, ends) = written(&samples, Keep::All);
    file[ends[9] + 3] ^= 1;
    let (_, read, damage) = read(&file).unwrap();
    assert_eq!(read, samples[..9]);
    assert_eq!(damage, Damage { torn: true, parts: 0 });
}

#[test]
fn an_idle_row_takes_few_bytes() {
    let (_, ends) = written(&steady(100), Keep::All);
    let rows: Vec<_> = ends.windows(2).map(|ends| ends[1] - ends[0]).collect();
    assert!(rows[3..].iter().all(|length| *length < 50), "{rows:?}");
}

#[test]
fn a_ring_keeps_the_newest_rows_in_a_bounded_file() {
    let samples = steady(40_000);
    let (file, _) = written(&samples, Keep::Bytes(Keep::FEWEST));
    assert!(file.len() as u64 <= Keep::FEWEST, "{}", file.len());
    let (found, read, damage) = read(&file).unwrap();
    assert_eq!((found, damage), (vec![facts()], Damage::default()));
    assert!(read.len() > 5_000, "{}", read.len());
    assert_eq!(read, samples[samples.len() - read.len()..]);
}

#[test]
fn a_ring_by_age_keeps_that_age_and_grows_no_further() {
    // A row is a millisecond, and a part of a megabyte has 30,000 of them.
    let age = Duration::from_secs(60);
    let samples = steady(300_000);
    let (file, _) = written(&samples, Keep::Age(age));
    let (_, read, _) = read(&file).unwrap();
    let kept = samples[samples.len() - 1].span.end.monotonic - read[0].span.start.monotonic;
    assert!(kept >= age && kept < 3 * age, "{kept:?}");
    assert_eq!(read, samples[samples.len() - read.len()..]);
}

#[test]
fn a_ring_that_was_cut_while_a_part_was_replaced_has_the_others() {
    let samples = steady(40_000);
    let (mut file, _) = written(&samples, Keep::Bytes(Keep::FEWEST));
    let all = read(&file).unwrap().1.len();
    file[3] ^= 1;
    let (_, read, damage) = read(&file).unwrap();
    assert!(read.len() > all / 2 && read.len() < all);
    assert!(damage.parts <= 1);
    assert!(samples.ends_with(&read[read.len() - 10..]) || damage.parts == 0);
}

#[test]
fn a_newer_version_is_refused_as_such_and_what_is_no_recording_too() {
    let (mut file, _) = written(&steady(3), Keep::All);
    file[8] = VERSION as u8 + 1;
    let refused = |bytes: &[u8]| Reader::new(&mut Cursor::new(bytes)).err();
    assert!(matches!(refused(&file), Some(Refused::Newer(2))));
    for other in [&b""[..], b"rawbpf", &[0; 10_000], b"{\"type\":\"run\"}\n"] {
        assert!(matches!(refused(other), Some(Refused::Other)), "{other:?}");
    }
}

#[test]
fn a_row_that_fits_no_part_is_left_out_and_the_next_is_not() {
    let mut writer = Writer::new(&facts(), Keep::Bytes(Keep::FEWEST)).unwrap();
    let mut file = writer.begin(time(5)).bytes.to_vec();
    let rows = (0..9_000).map(|number| row(LabelValue::Number(number), Value::Count(1), 0));
    let span = Span { start: time(1), end: time(2) };
    let large = Sample::new(span, vec![table("calls", rows.collect(), vec![])], vec![]);
    let refused = writer.push(&large).unwrap_err();
    assert!(refused.bytes > refused.part, "{refused:?}");
    for sample in steady(2) {
        let Piece { place, bytes } = writer.push(&sample).unwrap();
        file.resize(place as usize, 0);
        file.extend(bytes);
    }
    let (_, read, damage) = read(&file).unwrap();
    assert_eq!((read, damage), (steady(2), Damage::default()));
}

#[test]
fn totals_of_a_script_become_what_was_counted_since() {
    use std::collections::BTreeMap;
    let family = |kind, points: &[(&str, Point)]| Family {
        name: "calls".into(),
        help: "The script's map @calls".into(),
        kind,
        unit: BaseUnit::None,
        labels: vec!["comm".into()],
        series: points
            .iter()
            .map(|(label, point)| {
                (vec![(*label).to_owned()], Series { point: point.clone(), changed: 0 })
            })
            .collect::<BTreeMap<_, _>>(),
    };
    let mut totals = script::Totals::new(time(0));
    let counts = |number: i128| [("dd", Point::Number(number)), ("sh", Point::Number(2))];
    let counter = |number| [family(FamilyKind::Counter, &counts(number))];
    let first = totals.sample(&counter(5), [0, 0, 1], time(1));
    assert_eq!(first.tables[0].count(), 7);
    assert_eq!(first.lost[0].count, 1);
    let second = totals.sample(&counter(9), [0, 0, 1], time(2));
    let rows = &second.tables[0].rows;
    assert_eq!(
        (rows.len(), &rows[0].value, &rows[0].total),
        (1, &Value::Count(4), &Value::Count(9))
    );
    assert_eq!((second.lost.len(), second.span.start), (0, time(1)));

    let point = |counts: &[u64]| Point::Histogram {
        bounds: [-1, 0, 7].into(),
        counts: counts.to_vec(),
        sum: None,
    };
    let mut totals = script::Totals::new(time(0));
    let histogram = |counts| [family(FamilyKind::Histogram, &[("dd", point(counts))])];
    totals.sample(&histogram(&[1, 1, 1, 1]), [0; 3], time(1));
    let sample = totals.sample(&histogram(&[3, 1, 5, 1]), [0; 3], time(2));
    let Value::Histogram(found) = &sample.tables[0].rows[0].value else { panic!("{sample:?}") };
    assert_eq!(found.counts, [0, 4, 0]);
    assert_eq!(found.buckets[1], Bucket { low: 1, high: Some(7) });
    assert_eq!((sample.lost[0].what, sample.lost[0].count), (LostKind::Negative, 2));
}
