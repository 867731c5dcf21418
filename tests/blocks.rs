//! What programs are made of, run by the kernel and compared with Rust.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rawbpf::aggregate::counters::{count, count_one, lookup_or_insert, words};
use rawbpf::aggregate::{Buckets, Counters, KeyedCounters, Places, Starts};
use rawbpf::aggregate::{counters, distribution, heat, places, slots, starts};
use rawbpf::host::{Disk, PidNamespace, Process, RecordPlace, RecordRequest, StructRequest};
use rawbpf::insn::*;
use rawbpf::programs::record as records;
use rawbpf::programs::request::{self, load_disk, load_ended};
use rawbpf::programs::request::{skip_flush_steps, skip_other_disks, skip_records_of_other_disks};
use rawbpf::programs::submitter::{KEY, Key, Submitters, Whose, copy_key};
use rawbpf::run;
use rawbpf::sys::map::{Entries, Update};
use rawbpf::sys::prog::TestRun;
use rawbpf::sys::{Load, Map, MapSpec, MapType, Prog, ProgramType, prog};

fn map(map_type: MapType, key_size: u32, value_size: u32, max_entries: u32) -> Map {
    let name = map_type.to_string();
    Map::create(&MapSpec::new(&name, map_type, key_size, value_size, max_entries)).unwrap()
}

/// An array's only value, of so many u64 words.
fn one(words: u32) -> Map {
    map(MapType::Array, 4, 8 * words, 1)
}

fn set(map: &Map, words: &[u64]) {
    let value: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    map.update(&[0; 4], &value, Update::Any).unwrap();
}

fn get(map: &Map) -> Vec<u64> {
    let mut value = vec![0; map.value_len()];
    map.lookup(&[0; 4], &mut value).unwrap();
    words(&value)
}

fn load(program_type: ProgramType, a: Asm, maps: &[&Map]) -> Prog {
    let fds: Vec<_> = maps.iter().map(|map| map.as_fd().as_raw_fd()).collect();
    let insns = a.finish().unwrap().with_map_fds(&fds).unwrap();
    let load = Load { insns: &encode(&insns, Endian::HOST), ..Load::new(program_type) };
    prog::load(&load).unwrap_or_else(|error| panic!("{error}\n{error:?}"))
}

fn run(prog: &Prog) -> u32 {
    prog.test_run(TestRun { data_in: &[0; 14], ..TestRun::default() }).unwrap().retval
}

const INPUT: MapRef = MapRef(0);

/// `dst = ` the number that the input map holds.
fn input(a: &mut Asm, dst: R) {
    a.load_map_value(r1, INPUT, 0);
    a.load(dst, u64_at(r1 + 0));
}

/// Where powers of two begin and end, and numbers of every length.
fn numbers(bits: u32) -> Vec<u64> {
    let powers = (0..bits).map(|bit| 1u64 << bit);
    let mut numbers: Vec<_> =
        powers.flat_map(|power| [power - 1, power, (power - 1) | power, power | 1]).collect();
    let mut runner = TestRunner::deterministic();
    let any = (any::<u64>(), 64 - bits..64);
    numbers.extend((0..5000).map(|_| {
        let (number, shift) = any.new_tree(&mut runner).unwrap().current();
        number >> shift
    }));
    numbers
}

fn log2_of(number: u64) -> u32 {
    number.checked_ilog2().unwrap_or(0)
}

/// The block's answers to all these numbers.
#[track_caller]
fn check_log2(bits: u32, expected: impl Fn(u64) -> u32, block: impl Fn(&mut Asm)) {
    let input_map = one(1);
    let mut a = Asm::new();
    input(&mut a, r7);
    block(&mut a);
    a.mov(r0, r8);
    a.exit();
    let prog = load(ProgramType::SocketFilter, a, &[&input_map]);
    for number in numbers(bits) {
        set(&input_map, &[number]);
        assert_eq!(run(&prog), expected(number), "{number:#x}");
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn log2_is_the_highest_bit_of_32() {
    check_log2(32, log2_of, |a| a.log2(r8, r7, r1));
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn log2_u64_is_the_highest_bit_of_64() {
    check_log2(64, log2_of, |a| a.log2_u64(r8, r7, r1));
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn bit_length_is_that_of_32_and_of_64() {
    let length = |number: u64| 64 - number.leading_zeros();
    check_log2(32, length, |a| a.bit_length(r8, r7, r1));
    check_log2(64, length, |a| a.bit_length_u64(r8, r7, r1));
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn log_linear_is_the_place_of_the_highest_bits() {
    for bits in 2..=4 {
        let input_map = one(1);
        let mut a = Asm::new();
        input(&mut a, r7);
        a.log_linear(r8, r7, bits, [r1, r2]);
        a.mov(r0, r8);
        a.exit();
        let prog = load(ProgramType::SocketFilter, a, &[&input_map]);
        for number in numbers(64) {
            let shift = (64 - number.leading_zeros()).saturating_sub(bits as u32 + 1);
            let expected = (u64::from(shift) << bits) + (number >> shift);
            set(&input_map, &[number]);
            assert_eq!(u64::from(run(&prog)), expected, "{bits}: {number:#x}");
        }
    }
}

/// Names of every length, also without an end, with every sort of byte before and behind it.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn end_at_nul_leaves_zeros_behind_the_first() {
    let (before, after) = (one(2), one(2));
    let mut a = Asm::new();
    a.load_map_value(r6, MapRef(0), 0);
    a.load(r1, u64_at(r6 + 0));
    a.load(r2, u64_at(r6 + 8));
    a.end_at_nul([r1, r2], [r3, r4]);
    a.load_map_value(r6, MapRef(1), 0);
    a.store(u64_at(r6 + 0), r1);
    a.store(u64_at(r6 + 8), r2);
    a.mov(w0, 0);
    a.exit();
    let prog = load(ProgramType::SocketFilter, a, &[&before, &after]);
    let mut runner = TestRunner::deterministic();
    // Bytes that a borrow or a sign could spoil, most often.
    let byte = prop_oneof![Just(0u8), Just(1), Just(0x7f), Just(0x80), Just(0x81), any::<u8>()];
    for round in 0..5000 {
        let mut name =
            proptest::array::uniform16(byte.clone()).new_tree(&mut runner).unwrap().current();
        name[..round % 17].iter_mut().for_each(|byte| *byte = (*byte).max(1));
        before.update(&[0; 4], &name, Update::Any).unwrap();
        run(&prog);
        let mut wanted = name;
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(16);
        wanted[end..].fill(0);
        let mut ended = [0; 16];
        after.lookup(&[0; 4], &mut ended).unwrap();
        assert_eq!(ended, wanted, "{name:x?}");
    }
}

/// At each end of each column too.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_latency_is_counted_in_the_column_that_has_it() {
    let input_map = one(1);
    let mut a = Asm::new();
    input(&mut a, r7);
    heat::column(&mut a, r8, r7, [r1, r2]);
    a.mov(r0, r8);
    a.exit();
    let prog = load(ProgramType::SocketFilter, a, &[&input_map]);
    let ends = heat::BOUNDS.into_iter().flat_map(|ns| [ns - 1, ns]);
    for ns in ends.chain([u64::MAX]).chain(numbers(64)) {
        set(&input_map, &[ns]);
        let column = heat::BOUNDS.partition_point(|bound| *bound <= ns);
        assert_eq!(run(&prog) as usize, column, "{ns}");
    }
}

/// The verifier lets a logarithm index as many counters as there can be, and two threads lose none.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn count_counts_each_number_in_its_bucket_from_two_threads() {
    const COUNTERS: MapRef = MapRef(1);
    let counters = one(64);
    let mut interval = Counters::default();
    interval.read(&counters).unwrap();
    let numbers = numbers(64);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let input_map = one(1);
                let mut a = Asm::new();
                input(&mut a, r7);
                a.log2_u64(r8, r7, r1);
                count(&mut a, COUNTERS, r8);
                a.mov(r0, 0);
                a.exit();
                let prog = load(ProgramType::SocketFilter, a, &[&input_map, &counters]);
                for number in &numbers {
                    set(&input_map, &[*number]);
                    run(&prog);
                }
            });
        }
    });
    let mut expected = vec![0; 64];
    numbers.iter().for_each(|number| expected[log2_of(*number) as usize] += 2);
    assert_eq!(interval.read(&counters).unwrap().interval, expected);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn count_one_counts_at_its_index() {
    let counters = one(3);
    let mut a = Asm::new();
    count_one(&mut a, MapRef(0), 1);
    a.mov(r0, 0);
    a.exit();
    let prog = load(ProgramType::SocketFilter, a, &[&counters]);
    (0..5).for_each(|_| assert_eq!(run(&prog), 0));
    assert_eq!(get(&counters), [0, 5, 0]);
}

const KEYED: MapRef = MapRef(1);
const ZEROS: MapRef = MapRef(2);
const FULL: MapRef = MapRef(3);

/// `keyed[input][0] += 1`, or one more in `full`.
fn counts_by_key() -> Asm {
    let mut a = Asm::new();
    let full = a.label();
    input(&mut a, r6);
    a.store(u64_at(fp - 8), r6);
    lookup_or_insert(&mut a, KEYED, fp - 8, ZEROS, &full);
    a.mov(r1, 1);
    a.lock_add(u64_at(r0 + 0), r1);
    let end = a.here();
    a.mov(r0, 0);
    a.exit();
    a.place(full);
    count_one(&mut a, FULL, 0);
    a.goto(&end);
    a
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn lookup_or_insert_begins_with_the_given_value_and_says_when_the_map_is_full() {
    let (input_map, zeros, full) = (one(1), one(2), one(1));
    let keyed = map(MapType::Hash, 8, 16, 8);
    set(&zeros, &[1000, 2000]);
    let prog =
        load(ProgramType::SocketFilter, counts_by_key(), &[&input_map, &keyed, &zeros, &full]);
    for _ in 0..3 {
        for key in 0..12 {
            set(&input_map, &[key]);
            run(&prog);
        }
    }
    let mut entries = Entries::new();
    keyed.read_all(&mut entries).unwrap();
    let held: HashMap<_, _> =
        entries.iter().map(|(key, value)| (words(key)[0], words(value))).collect();
    assert_eq!(held, (0..8).map(|key| (key, vec![1003, 2000])).collect());
    assert_eq!(get(&full), [3 * 4]);
    assert_eq!(get(&zeros), [1000, 2000]);
}

/// Both find no such key and add it: the second must not undo what the first has counted.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn two_threads_that_meet_at_a_new_key_lose_nothing() {
    const KEYS: u64 = 5_000;
    let (keyed, zeros, full) = (map(MapType::Hash, 8, 8, KEYS as u32), one(1), one(1));
    let arrived = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let input_map = one(1);
                let maps = [&input_map, &keyed, &zeros, &full];
                let prog = load(ProgramType::SocketFilter, counts_by_key(), &maps);
                for key in 0..KEYS {
                    set(&input_map, &[key]);
                    arrived.fetch_add(1, Ordering::SeqCst);
                    while arrived.load(Ordering::SeqCst) < 2 * (key + 1) {
                        std::thread::yield_now();
                    }
                    run(&prog);
                }
            });
        }
    });
    let mut entries = Entries::new();
    keyed.read_all(&mut entries).unwrap();
    let wrong = entries.iter().filter(|(_, value)| words(value) != [2]).count();
    assert_eq!((entries.len() as u64, wrong), (KEYS, 0));
    assert_eq!(get(&full), [0]);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn what_is_updated_is_found_until_it_is_deleted() {
    let keyed = map(MapType::Hash, 8, 8, 4);
    let mut a = Asm::new();
    let wrong = a.label();
    a.mov(r1, 5);
    a.store(u64_at(fp - 8), r1);
    a.mov(r1, 55);
    a.store(u64_at(fp - 16), r1);
    for found in [false, true] {
        a.delete(MapRef(0), fp - 8);
        a.jump_if(r0, if found { Cond::Ne } else { Cond::Eq }, 0, &wrong);
        a.lookup(MapRef(0), fp - 8);
        a.jump_if(r0, Cond::Ne, 0, &wrong);
        a.update(MapRef(0), fp - 8, fp - 16);
        a.jump_if(r0, Cond::Ne, 0, &wrong);
        a.lookup(MapRef(0), fp - 8);
        a.jump_if(r0, Cond::Eq, 0, &wrong);
        a.load(r1, u64_at(r0 + 0));
        a.jump_if(r1, Cond::Ne, 55, &wrong);
    }
    a.mov(r0, 1);
    a.exit();
    a.place(wrong);
    a.mov(r0, 0);
    a.exit();
    assert_eq!(run(&load(ProgramType::SocketFilter, a, &[&keyed])), 1);
}

const SLOTS: MapRef = MapRef(1);

/// Two threads want the same slots at the same time, for addresses that differ only in a half that the
/// hash leaves out: each slot is one's and stays it, and both always find the same.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_slot_belongs_to_one_address_for_good() {
    const ADDRESSES: u64 = 10_000;
    let map = one(slots::BYTES / 8);
    let arrived = AtomicU64::new(0);
    let claim = |half: u64| {
        let input_map = one(1);
        let mut a = Asm::new();
        let (taken, wrong) = (a.label(), a.label());
        input(&mut a, r6);
        slots::claim(&mut a, r7, r6, SLOTS, &taken);
        // Found again, and its address is that.
        slots::load(&mut a, r8, r6, SLOTS);
        a.jump_if(r7, Cond::Ne, r8, &wrong);
        a.load(r1, u64_at(r8 + 0));
        a.jump_if(r1, Cond::Ne, r6, &wrong);
        a.mov(r0, 1);
        a.exit();
        a.place(taken);
        a.mov(r0, 0);
        a.exit();
        a.place(wrong);
        a.mov(r0, 2);
        a.exit();
        let prog = load(ProgramType::SocketFilter, a, &[&input_map, &map]);
        let mut rounds = [const { vec![] }; 2];
        for (round, claimed) in rounds.iter_mut().enumerate() {
            for address in 0..ADDRESSES {
                set(&input_map, &[(half << 32) + 64 * (address + 1)]);
                arrived.fetch_add(1, Ordering::SeqCst);
                while arrived.load(Ordering::SeqCst) < 2 * (ADDRESSES * round as u64 + address + 1)
                {
                    std::thread::yield_now();
                }
                claimed.push(run(&prog));
            }
        }
        rounds
    };
    let [[one, one_again], [two, two_again]] = std::thread::scope(|scope| {
        [1, 2].map(|half| scope.spawn(move || claim(half))).map(|thread| thread.join().unwrap())
    });
    assert_eq!((&one, &two), (&one_again, &two_again));
    assert!(
        one.iter().zip(&two).all(|(one, two)| one + two <= 1),
        "both have a slot, or a wrong one"
    );
    let claimed: u32 = one.iter().chain(&two).sum();
    let used = get(&map).iter().filter(|word| **word != 0).count();
    assert_eq!(claimed as usize, used);
    assert!(used as u32 > slots::COUNT / 2, "only {used} slots are used");
}

/// What a block writes beside its results is what it declares: neither more nor less.
#[track_caller]
fn clobbers(
    results: impl IntoIterator<Item = R>,
    declared: Regs,
    block: impl FnOnce(&mut Asm, &Label),
) {
    let mut a = Asm::new();
    let elsewhere = a.label();
    block(&mut a, &elsewhere);
    a.place(elsewhere);
    a.exit();
    let written: Regs = a.finish().unwrap().insns().iter().map(Insn::writes).collect();
    let results: Regs = results.into_iter().map(Regs::from).collect();
    assert_eq!(written, results | declared);
}

#[test]
fn every_block_of_the_instruction_set_writes_what_it_declares() {
    use blocks::clobbers as declared;
    clobbers([r9], declared::log2(r8, r7), |a, _| a.log2(r9, r8, r7));
    clobbers([r9], declared::log2(r8, r7), |a, _| a.log2_u64(r9, r8, r7));
    clobbers([r9], declared::log2(r8, r7), |a, _| a.bit_length(r9, r8, r7));
    clobbers([r9], declared::log2(r8, r7), |a, _| a.bit_length_u64(r9, r8, r7));
    for access in [Access::Typed, Access::Probe] {
        clobbers([r9], declared::read(access), |a, out| a.read(access, r9, u32_at(r6 + 4), out));
    }
    clobbers([r9], declared::log_linear(r8, [r7, r6]), |a, _| {
        a.log_linear(r9, r8, 4, [r7, r6]);
    });
    clobbers([r9, r8], declared::end_at_nul([r7, r6]), |a, _| a.end_at_nul([r9, r8], [r7, r6]));
    let (key, value) = (fp - 8, fp - 16);
    clobbers([r0], declared::OF_MAPS, |a, _| a.lookup(KEYED, key));
    clobbers([r0], declared::OF_MAPS, |a, out| a.lookup_first(KEYED, key, out));
    clobbers([r0], declared::OF_MAPS, |a, _| a.update(KEYED, key, value));
    clobbers([r0], declared::OF_MAPS, |a, _| a.insert(KEYED, key, value));
    clobbers([r0], declared::OF_MAPS, |a, _| a.delete(KEYED, key));
    clobbers([r9], Regs::NONE, |a, _| a.load_address(r9, key));
}

#[test]
fn every_block_that_counts_writes_what_it_declares() {
    clobbers([], counters::clobbers::count(r9), |a, _| count(a, FULL, r9));
    clobbers([], counters::clobbers::COUNT_ONE, |a, _| count_one(a, FULL, 1));
    clobbers([r0], counters::clobbers::LOOKUP_OR_INSERT, |a, full| {
        lookup_or_insert(a, KEYED, fp - 8, ZEROS, full);
    });
    let linear = Buckets::Linear { min: 1, step: 2, steps: 3 };
    for buckets in [Buckets::LOG2, linear, Buckets::Custom(vec![1, 2])] {
        clobbers([r9], buckets.clobbers(r8, [r7, r6]), |a, _| {
            buckets.find(a, r9, r8, [r7, r6]);
        });
        for unit in [1, 1000] {
            let declared = distribution::clobbers(r9, unit, &buckets);
            clobbers([], declared, |a, _| distribution::add(a, r9, unit, &buckets, ZEROS));
        }
    }
    clobbers([r9], heat::clobbers(r8, [r7, r6]), |a, _| heat::column(a, r9, r8, [r7, r6]));
    clobbers([r9], slots::clobbers::LOAD, |a, _| slots::load(a, r9, r8, SLOTS));
    clobbers([r9], slots::clobbers::CLAIM, |a, taken| slots::claim(a, r9, r8, SLOTS, taken));
    let at = Places { map: KEYED, missed: FULL, first: 0 };
    clobbers([], places::clobbers::BEGIN, |a, _| at.begin(a));
    clobbers([], places::clobbers::BEGIN, |a, _| at.give_back(a));
    clobbers([r7], places::clobbers::END, |a, out| at.end(a, out, out));
    for (words, by_slot) in [1, 2, 6].into_iter().flat_map(|words| [(words, false), (words, true)])
    {
        let starts = Starts { map: KEYED, slots: SLOTS, words, missed: FULL, first: 0 };
        clobbers([], starts::clobbers::begin(by_slot), |a, _| {
            let more = a.frame.place(32);
            starts.begin(a, by_slot, (words > 2).then_some(more));
        });
        clobbers([r7], starts::clobbers::end(by_slot), |a, unmatched| {
            starts.end(a, by_slot, unmatched);
        });
    }
}

#[test]
fn every_block_that_the_block_tools_share_writes_what_it_declares() {
    use request::clobbers as declared;
    let field = |member| Field { of: "request", member, offset: Some(8) };
    let [bytes, dev, comm] = ["bytes", "dev", "comm"].map(field);
    let record = RecordRequest { bytes, dev, comm };
    for access in [Access::Typed, Access::Probe] {
        let request = StructRequest {
            argument: 0,
            access,
            data_len: field("__data_len"),
            cmd_flags: field("cmd_flags"),
            disk: [Some(field("q")), Some(field("disk"))],
            major: field("major"),
            first_minor: field("first_minor"),
            disk_name: field("disk_name"),
            start_time: field("start_time_ns"),
        };
        let [sector, nr_sector, rwbs] = ["sector", "nr_sector", "rwbs"].map(field);
        let place = RecordPlace { dev, sector, nr_sector, rwbs };
        let disks = [3, 5, 4].map(|minor| Disk { major: 259, minor, hidden: None });
        let hidden = [Disk { hidden: Some([1; 16]), ..disks[0] }];
        for disks in [&disks[..0], &disks[..1], &disks, &hidden] {
            clobbers([], declared::skip_other_disks(disks, access), |a, other| {
                skip_other_disks(a, disks, &request, other);
            });
            clobbers([], declared::skip_records_of_other_disks(disks), |a, other| {
                skip_records_of_other_disks(a, disks, &record, other);
            });
        }
        clobbers([r8], declared::load_disk(access), |a, none| load_disk(a, &request, none));
        clobbers([r6, r7, r8], records::clobbers::LOAD_PLACE, |a, other| {
            records::load_place(a, &place, &disks, other);
        });
        clobbers([], records::clobbers::SKIP_FLUSH_STEPS, |a, step| {
            records::skip_flush_steps(a, &place, step);
        });
        clobbers([], declared::skip_flush_steps(access), |a, step| {
            skip_flush_steps(a, &request, step);
        });
        for size in [None, Some(request.data_len)] {
            clobbers([r6, r9], declared::load_ended(size.is_some()), |a, going_on| {
                load_ended(a, &request, size, going_on);
            });
        }
    }
}

#[test]
fn every_block_about_tasks_writes_what_it_declares() {
    use rawbpf::programs::submitter::clobbers as submitter;
    use rawbpf::programs::task::{self, clobbers as declared};
    let namespace = PidNamespace { device: 4, inode: 4026532201 };
    let numbers = [r1, r2];
    clobbers(numbers, declared::LOAD_NUMBERS, |a, _| {
        task::load_numbers(a, namespace, |at| fp + (at - 8))
    });
    let on_host = Process { pid: 7, own_pid: 7, namespace: None };
    let inside = Process { namespace: Some(namespace), ..on_host };
    for process in [None, Some(on_host), Some(inside)] {
        clobbers([], declared::skip_other_processes(process), |a, other| {
            task::skip_other_processes(a, process, |at| fp + (at - 8), other);
        });
        for by in [None, Some(Key::Pid), Some(Key::Cgroup)] {
            let whose = Whose { process, comm: Some([1; 16]), cgroup: true };
            let submitters = Submitters { first: KEYED, whose, by, namespace: Some(namespace) };
            clobbers([r7], submitter::LOAD, |a, other| {
                a.frame.place_for_reads();
                let own_key = a.frame.place(KEY);
                submitters.load_current(a, None, own_key, other);
            });
        }
    }
    clobbers([], submitter::COPY_KEY, |a, _| {
        let to = a.frame.place(KEY);
        copy_key(a, to);
    });
}

/// A raw tracepoint, since reading kernel memory is for tracing. The address is a map's value.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn read_takes_as_many_bytes_as_its_width_and_goes_elsewhere_at_a_bad_address() {
    let (input_map, output) = (one(2), one(4));
    set(&input_map, &[0, 0xf1f2_f3f4_f5f6_f7f8]);
    let mut a = Asm::new();
    let (unreadable, bad) = (a.label(), a.label());
    a.load_map_value(r6, INPUT, 0);
    a.load_map_value(r9, MapRef(1), 0);
    a.read(Access::Probe, r7, u8_at(r6 + 8), &unreadable);
    a.store(u64_at(r9 + 0), r7);
    a.read(Access::Probe, r7, u16_at(r6 + 8), &unreadable);
    a.store(u64_at(r9 + 8), r7);
    a.read(Access::Probe, r7, u32_at(r6 + 8), &unreadable);
    a.store(u64_at(r9 + 16), r7);
    a.read(Access::Probe, r7, u64_at(r6 + 8), &unreadable);
    a.store(u64_at(r9 + 24), r7);
    a.mov(r6, 0);
    a.read(Access::Probe, r7, u32_at(r6 + 8), &bad);
    a.place(unreadable);
    a.mov(r0, 1);
    a.exit();
    a.place(bad);
    a.mov(r0, 2);
    a.exit();
    let prog = load(ProgramType::RawTracepoint, a, &[&input_map, &output]);
    let result = prog.test_run(TestRun { ctx_in: &[0; 8], ..TestRun::default() }).unwrap();
    assert_eq!(result.retval, 2);
    let bytes = 0xf1f2_f3f4_f5f6_f7f8u64.to_ne_bytes();
    let [half, quarter] = [
        u32::from_ne_bytes(*bytes.first_chunk().unwrap()),
        u16::from_ne_bytes(*bytes.first_chunk().unwrap()).into(),
    ];
    let expected = [bytes[0].into(), quarter.into(), half.into(), u64::from_ne_bytes(bytes)];
    assert_eq!(get(&output), expected);
}

/// Two threads count on keys that go idle, are taken out and come back; each interval tells some of it
/// and all of them everything.
#[track_caller]
fn tells_all_under_churn(map_type: MapType) {
    const KEYS: u64 = 192;
    let (keyed, zeros, full) = (map(map_type, 8, 8, 128), one(1), one(1));
    let stop = AtomicBool::new(false);
    // Each counts on 16 keys, then on the next 16.
    let make = |first: u64| {
        let input_map = one(1);
        let maps = [&input_map, &keyed, &zeros, &full];
        let prog = load(ProgramType::SocketFilter, counts_by_key(), &maps);
        let mut made = HashMap::<u64, u64>::new();
        for phase in 0.. {
            let until = Instant::now() + Duration::from_millis(130);
            while Instant::now() < until {
                for key in 0..16 {
                    let key = (first + 16 * phase + key) % KEYS;
                    set(&input_map, &[key]);
                    run(&prog);
                    *made.entry(key).or_default() += 1;
                }
                if stop.load(Ordering::Relaxed) {
                    return made;
                }
            }
        }
        made
    };
    let (mut counters, mut told) = (KeyedCounters::default(), HashMap::<u64, u64>::new());
    let mut totals = HashMap::new();
    let mut tell = || {
        let counted = counters.read(&keyed).unwrap();
        for reading in counted.iter() {
            // A count that is wrong may be a huge one: let the end tell, not an overflow here.
            let sum = told.entry(words(reading.key)[0]).or_default();
            *sum = sum.wrapping_add(reading.interval[0]);
            totals.insert(words(reading.key)[0], reading.total[0]);
        }
        counted.iter().map(|reading| words(reading.key)[0]).collect::<HashSet<_>>()
    };
    let (mut comings, mut before) = (0, HashSet::new());
    let made = std::thread::scope(|scope| {
        // Half of their keys are the same.
        let threads = [0, 8].map(|first| scope.spawn(move || make(first)));
        for _ in 0..30 {
            std::thread::sleep(Duration::from_millis(100));
            let counted = tell();
            comings += counted.difference(&before).count();
            before = counted;
        }
        stop.store(true, Ordering::Relaxed);
        threads.map(|thread| thread.join().unwrap())
    });
    tell();
    let mut sums = HashMap::new();
    for (key, count) in made.into_iter().flatten() {
        *sums.entry(key).or_default() += count;
    }
    assert_eq!(get(&full), [0], "keys did not make room");
    assert_eq!(told, sums);
    assert_eq!(totals, sums, "a key that came back goes on where it was");
    assert_eq!(told.len() as u64, KEYS);
    assert!(comings as u64 > KEYS, "no key came back: {comings}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn counters_by_key_tell_all_under_churn() {
    tells_all_under_churn(MapType::Hash);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn counters_by_key_and_cpu_tell_all_under_churn() {
    tells_all_under_churn(MapType::PercpuHash);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn the_verifier_prints_the_lines_of_whoever_wrote_the_program() {
    static SOURCE: SourceText = rawbpf::source_text!("blocks.rs");
    let mut a = Asm::with_source(&SOURCE);
    a.mov(r0, 42); // The answer.
    a.exit();
    let program = a.finish().unwrap();
    let verified = run::verify_alone("answer", &program, &[], ProgramType::SocketFilter).unwrap();
    let log = verified.program.log;
    assert!(log.contains("; a.mov(r0, 42); // The answer."), "{log}");
}
