//! The blocks that find a value's bucket, run by the kernel, against a reference.

use rawbpf::aggregate::{Buckets, counters::count};
use rawbpf::insn::{Asm, Endian, MapRef, encode, r0, r5, r6, r7, r8, u64_at};
use rawbpf::sys::map::Update;
use rawbpf::sys::prog::TestRun;
use rawbpf::sys::{Load, Map, MapSpec, MapType, Prog, ProgramType};

use std::os::fd::{AsFd, AsRawFd};

const VALUE: MapRef = MapRef(0);
const COUNTERS: MapRef = MapRef(1);

/// A program that finds the bucket of the number in a map, and counts there: only if the verifier sees
/// that the bucket is one of them may it.
struct Finder {
    value: Map,
    counters: Map,
    prog: Prog,
}

impl Finder {
    fn new(buckets: &Buckets) -> Finder {
        let array = |value_size| MapSpec::new("test", MapType::Array, 4, value_size, 1);
        let value = Map::create(&array(8)).unwrap();
        let counters = Map::create(&array(8 * buckets.len() as u32)).unwrap();

        let mut a = Asm::new();
        a.load_map_value(r6, VALUE, 0);
        a.load(r7, u64_at(r6 + 0));
        buckets.find(&mut a, r8, r7, [r5, r6]);
        a.mov(r0, r8);
        count(&mut a, COUNTERS, r8);
        a.exit();
        let program = a.finish().unwrap();
        let fds = [&value, &counters].map(|map| map.as_fd().as_raw_fd());
        let insns = encode(&program.with_map_fds(&fds).unwrap(), Endian::HOST);
        let load = Load { insns: &insns, ..Load::new(ProgramType::SocketFilter) };
        let prog = rawbpf::sys::prog::load(&load).unwrap();
        Finder { value, counters, prog }
    }

    fn find(&self, value: u64) -> usize {
        self.value.update(&[0; 4], &value.to_ne_bytes(), Update::Any).unwrap();
        let run = TestRun { data_in: &[0; 64], ..TestRun::default() };
        self.prog.test_run(run).unwrap().retval as usize
    }

    fn counted(&self) -> u64 {
        let mut value = vec![0; self.counters.value_len()];
        assert!(self.counters.lookup(&[0; 4], &mut value).unwrap());
        value.chunks(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap())).sum()
    }
}

/// Every value is in the one bucket whose range has it: those around each bound, and thousands of any
/// size.
#[track_caller]
fn finds(buckets: &Buckets) {
    let finder = Finder::new(buckets);
    let mut values = vec![0, 1, u64::from(u32::MAX), 1 << 32, u64::MAX - 1, u64::MAX];
    for (low, _) in (0..buckets.len()).map(|index| buckets.range(index)) {
        values.extend([low.saturating_sub(1), low, low.saturating_add(1)]);
    }
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    for _ in 0..3000 {
        // xorshift; the shift that follows makes small ones as likely as large ones.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        values.push(random >> (random % 64));
    }
    for value in &values {
        let (low, high) = buckets.range(finder.find(*value));
        assert!(low <= *value && high.is_none_or(|high| *value <= high), "{value}: {low} {high:?}");
    }
    assert_eq!(finder.counted(), values.len() as u64);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn log2_finds_every_value() {
    for bits in 2..=4 {
        finds(&Buckets::Log2 { bits });
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn linear_finds_every_value() {
    for (min, step, steps) in [(0, 1, 1), (0, 10, 100), (1000, 7, 1021), (1 << 40, 1 << 33, 3)] {
        finds(&Buckets::Linear { min, step, steps });
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn custom_finds_every_value() {
    finds(&Buckets::Custom(vec![1]));
    finds(&Buckets::Custom(vec![1, 10, 100, 1_000_000, 1 << 31, 1 << 32, u64::MAX]));
    finds(&Buckets::Custom((1..=64).map(|bound| bound * bound).collect()));
}
