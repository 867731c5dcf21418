//! The distributions that programs make, against the same made here.

use std::os::fd::{AsFd, AsRawFd};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rawbpf::aggregate::counters::lookup_or_insert;
use rawbpf::aggregate::{Buckets, Distribution, Distributions, distribution};
use rawbpf::insn::*;
use rawbpf::sys::map::Update;
use rawbpf::sys::prog::{self, TestRun};
use rawbpf::sys::{Load, Map, MapSpec, MapType, Prog, ProgramType};

const ZERO: [u8; 4] = [0; 4];

/// A program that adds a value to a distribution.
struct Adder {
    /// The value to add, and the distributions'.
    maps: Vec<Map>,
    prog: Prog,
    read: Distributions,
}

impl Adder {
    fn new(unit: i32, keys: Option<(u32, u32)>) -> Adder {
        let buckets = Buckets::LOG2.by_key(keys.is_some());
        let input = MapSpec::new("input", MapType::Array, 4, 8, 1);
        let specs = [vec![input], Distributions::maps("values", &buckets, keys)].concat();
        let maps: Vec<_> = specs.iter().map(|spec| Map::create(spec).unwrap()).collect();

        let mut a = Asm::new();
        let full = a.label();
        a.load_map_value(r1, MapRef(0), 0);
        a.load(r6, u64_at(r1 + 0));
        if keys.is_some() {
            a.store(u32_at(fp - 8), 0);
            lookup_or_insert(&mut a, MapRef(1), fp - 8, MapRef(3), &full);
        } else {
            a.lookup_first(MapRef(1), fp - 8, &full);
        }
        distribution::add(&mut a, r6, unit, &buckets, MapRef(2));
        a.place(full);
        a.mov(w0, 0);
        a.exit();
        let fds: Vec<_> = maps.iter().map(|map| map.as_fd().as_raw_fd()).collect();
        let insns = encode(&a.finish().unwrap().with_map_fds(&fds).unwrap(), Endian::HOST);
        let load = Load { insns: &insns, ..Load::new(ProgramType::SocketFilter) };
        Adder { maps, prog: prog::load(&load).unwrap(), read: Distributions::new(&buckets) }
    }

    fn add(&self, value: u64) {
        self.maps[0].update(&ZERO, &value.to_ne_bytes(), Update::Any).unwrap();
        self.prog.test_run(TestRun { data_in: &[0; 14], ..TestRun::default() }).unwrap();
    }

    /// What the interval added. Only that of an array is there where nothing was added.
    fn interval(&mut self) -> Option<Distribution> {
        let all = self.read.read(&self.maps[1], &self.maps[2]).unwrap();
        assert!(all.len() <= 1);
        let array = self.maps[1].spec().map_type.is_array();
        let interval = all.into_iter().next().map(|measured| measured.interval);
        let empty = interval.as_ref().is_none_or(|it| it.counts.iter().all(|count| *count == 0));
        assert_eq!(interval.is_none(), empty && !array);
        interval.filter(|_| !empty)
    }
}

/// The same, with each value in the bucket that has it.
fn reference(values: &[u64], unit: u64, by_key: bool) -> Option<Distribution> {
    let extremes = (*values.iter().min()?, *values.iter().max()?);
    let buckets = Buckets::LOG2.by_key(by_key);
    let part = unit >> buckets.fraction(unit);
    let mut counts = vec![0; buckets.len()];
    for value in values {
        let has_it = |index: &usize| {
            let (low, high) = buckets.range(*index);
            low <= value / part && high.is_none_or(|high| value / part <= high)
        };
        counts[(0..buckets.len()).find(has_it).unwrap()] += 1;
    }
    let sum = values.iter().fold(0_u64, |sum, value| sum.wrapping_add(*value));
    Some(Distribution { counts, sum, extremes: Some(extremes) })
}

/// Values of all magnitudes, and those beside powers of two.
fn value() -> impl Strategy<Value = u64> {
    let any = (any::<u64>(), 0..64).prop_map(|(value, shift)| value >> shift);
    let beside = (0..64_u32, 0..3_u64).prop_map(|(bit, add)| (1_u64 << bit) - 1 + add);
    prop_oneof![any, beside, Just(u64::MAX)]
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn every_interval_has_exactly_its_own_counts_sum_and_extremes() {
    let mut runner = TestRunner::deterministic();
    for (unit, keys) in [(1, Some((4, 2))), (1000, None), (1_000_000, Some((4, 2))), (1, None)] {
        let mut adder = Adder::new(unit, keys);
        for _ in 0..20 {
            let values = prop::collection::vec(value(), 0..60).new_tree(&mut runner).unwrap();
            let values = values.current();
            values.iter().for_each(|value| adder.add(*value));
            assert_eq!(
                adder.interval(),
                reference(&values, unit as u64, keys.is_some()),
                "{unit}: {values:?}"
            );
        }
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn extremes_of_an_interval_do_not_stay_for_the_next_but_one() {
    let mut adder = Adder::new(1, None);
    for values in [&[1, 1000][..], &[500], &[500], &[], &[499, 501], &[0], &[u64::MAX]] {
        values.iter().for_each(|value| adder.add(*value));
        assert_eq!(adder.interval(), reference(values, 1, false), "{values:?}");
    }
}
