//! Samples as a user of the library gets them.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::thread;
use std::time::SystemTime;

use rawbpf::host::Disks;
use rawbpf::programs::funccount::By;
use rawbpf::programs::submitter::Key;
use rawbpf::sample::{Histogram, LabelValue, LostKind, Row, Sample, Time, Value};
use rawbpf::tools::argdist::Argdist;
use rawbpf::tools::bitehist::Bitehist;
use rawbpf::tools::bitesize::Bitesize;
use rawbpf::tools::funccount::Funccount;
use rawbpf::tools::{Running, Tool, argdist, bitehist, bitesize, funccount};

use crate::bitesize::{OTHER, READER, for_the_group};
use crate::disk::LoopDisk;
use crate::tool;

/// A tool, and all that its samples said so far.
struct Samples {
    running: Running,
    last: Time,
    /// The number of events and, if it is measured, the sum of their values, by the labels of their row.
    sums: BTreeMap<Vec<LabelValue>, (u64, Option<u64>)>,
}

impl Samples {
    fn start(tool: impl Tool + 'static) -> Samples {
        let running = Running::start(tool).unwrap();
        let start = running.run().start;
        assert!(start.wall <= SystemTime::now());
        Samples { running, last: start, sums: BTreeMap::new() }
    }

    /// The next sample, which begins where the last one ended, lacks nothing, and whose totals are the sums
    /// of all intervals so far.
    #[track_caller]
    fn next(&mut self) -> Sample {
        let sample = self.running.sample().unwrap();
        assert_eq!(sample.span.start, self.last);
        assert!(sample.span.start.monotonic < sample.span.end.monotonic);
        self.last = sample.span.end;
        let lost = sample.lost.iter().filter(|lost| lost.what != LostKind::MissedEvents);
        assert_eq!(lost.count(), 0, "{:?}", sample.lost);
        for Row { labels, value, total, .. } in rows(&sample) {
            let (count, sum) = self.sums.entry(labels.clone()).or_insert((0, Some(0)));
            *count += value.count();
            *sum = sum.zip(measured(value)).map(|(all, sum)| all + sum);
            assert_eq!((total.count(), measured(total)), (*count, *sum), "{labels:?}");
        }
        sample
    }
}

/// The rows of the only table.
#[track_caller]
fn rows(sample: &Sample) -> &[Row] {
    let [table] = &sample.tables[..] else { panic!("{sample:?}") };
    assert!(table.rows.iter().all(|row| row.labels.len() == table.labels.len()), "{table:?}");
    &table.rows
}

fn measured(value: &Value) -> Option<u64> {
    histogram(value).and_then(|histogram| histogram.sum)
}

fn histogram(value: &Value) -> Option<&Histogram> {
    match value {
        Value::Histogram(histogram) => Some(histogram),
        _ => None,
    }
}

/// The least value and the count of each bucket that counted anything.
fn counted(value: &Value) -> Vec<(u64, u64)> {
    let buckets = histogram(value).into_iter().flat_map(Histogram::rows);
    buckets.filter(|(_, count)| *count > 0).map(|(bucket, count)| (bucket.low, count)).collect()
}

/// The rows by their only label, each with what it counted.
fn counts(sample: &Sample) -> Vec<(String, u64)> {
    rows(sample).iter().map(|row| (row.labels[0].to_string(), row.value.count())).collect()
}

/// A thread of this name, to its end.
fn thread_called(name: &str, work: impl FnOnce() + Send + 'static) {
    thread::Builder::new().name(name.into()).spawn(work).unwrap().join().unwrap();
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn each_sample_has_the_requests_since_the_one_before_and_all_so_far() {
    let disk = LoopDisk::new();
    let options =
        bitehist::Options { disks: Disks::find(&[disk.name()]).unwrap(), ..Default::default() };
    let mut samples = Samples::start(Bitehist::new(options));
    for (small, large) in [(997, 251), (0, 0), (101, 0), (0, 53)] {
        if small > 0 {
            disk.read(4, small);
        }
        if large > 0 {
            disk.read(64, large);
        }
        let sample = samples.next();
        let [row] = rows(&sample) else { panic!("{sample:?}") };
        let wanted = [(4, u64::from(small)), (64, u64::from(large))];
        let wanted: Vec<_> = wanted.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted(&row.value), wanted);
    }
    assert_eq!(samples.sums[&vec![]].0, 997 + 251 + 101 + 53);
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn totals_of_names_are_the_sums_of_their_requests_and_bytes() {
    let disk = LoopDisk::new();
    for_the_group(&disk);
    let options = bitesize::Options {
        disks: Disks::find(&[disk.name()]).unwrap(),
        by: Key::Comm,
        ..Default::default()
    };
    let mut samples = Samples::start(Bitesize::new(options));
    let (reader, other) = (READER.name.to_owned(), OTHER.name.to_owned());
    READER.read(&disk, 4, 31);
    assert_eq!(counts(&samples.next()), [(reader.clone(), 31)]);
    READER.read(&disk, 4, 17);
    OTHER.read(&disk, 16, 13);
    // The most bytes come last.
    assert_eq!(counts(&samples.next()), [(reader.clone(), 17), (other.clone(), 13)]);
    assert_eq!(counts(&samples.next()), []);
    OTHER.read(&disk, 16, 7);
    assert_eq!(counts(&samples.next()), [(other.clone(), 7)]);
    let all = [(reader, (48, Some(48 << 12))), (other, (20, Some(20 << 14)))];
    let all = all.map(|(name, all)| (vec![LabelValue::Text(name)], all));
    assert_eq!(samples.sums, BTreeMap::from(all));
}

/// Calls of a system call that no other test makes.
fn call(times: u64) {
    for _ in 0..times {
        nix::unistd::getpgid(None).unwrap();
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn totals_of_keys_are_the_sums_of_their_calls() {
    tool::with_tracefs();
    let options = funccount::Options {
        patterns: vec!["syscalls:sys_enter_getpgid".into()],
        by: By::Comm,
        pid: Some(std::process::id() as i32),
        ..Default::default()
    };
    let mut samples = Samples::start(Funccount::new(options).unwrap());
    let count = |name: &str, count: u64| (name.to_owned(), count);
    thread_called("one", || call(1009));
    assert_eq!(counts(&samples.next()), [count("one", 1009)]);
    thread_called("one", || call(503));
    thread_called("two", || call(251));
    assert_eq!(counts(&samples.next()), [count("two", 251), count("one", 503)]);
    assert_eq!(counts(&samples.next()), []);
    thread_called("two", || call(127));
    assert_eq!(counts(&samples.next()), [count("two", 127)]);
    let all: Vec<_> = samples.sums.values().map(|(count, _)| *count).collect();
    assert_eq!(all, [1512, 378]);
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn rawbpf_test_sampled(value: u64) -> u64 {
    black_box(value)
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_distribution_has_the_sum_and_extremes_of_its_interval() {
    let own = format!("{}:rawbpf_test_sampled", std::env::current_exe().unwrap().display());
    let options = argdist::Options::new(&own, "arg0".parse().unwrap());
    let mut samples = Samples::start(Argdist::new(options).unwrap());
    for values in [&[3, 70, 5][..], &[], &[6], &[1_000_000, 4]] {
        values.iter().for_each(|value| assert_eq!(rawbpf_test_sampled(*value), *value));
        let sample = samples.next();
        let [row] = rows(&sample) else { panic!("{sample:?}") };
        let histogram = histogram(&row.value).unwrap();
        assert_eq!(histogram.count(), values.len() as u64);
        assert_eq!(histogram.sum, Some(values.iter().sum()));
        let extremes = values.iter().min().copied().zip(values.iter().max().copied());
        assert_eq!(histogram.extremes, extremes);
    }
    assert_eq!(samples.sums[&vec![]], (6, Some(1_000_088)));
}
