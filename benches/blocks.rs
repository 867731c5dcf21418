//! The blocks that programs are made of next to other ways to do the same, run by the kernel; and what
//! our side of the work costs. `cargo bench --bench blocks`, as root.

use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use rawbpf::aggregate::KeyedCounters;
use rawbpf::aggregate::counters::{count, lookup_or_insert};
use rawbpf::btf;
use rawbpf::host::KernelTypes;
use rawbpf::insn::{Cond::*, *};
use rawbpf::sys::map::{Entries, Update};
use rawbpf::sys::prog::TestRun;
use rawbpf::sys::{Load, Map, MapSpec, MapType, Prog, ProgramType, prog};

/// How many values a run of a program goes through.
const VALUES: u32 = 256;

fn map(map_type: MapType, key_size: u32, value_size: u32, max_entries: u32) -> Map {
    Map::create(&MapSpec::new("bench", map_type, key_size, value_size, max_entries)).unwrap()
}

fn load(a: Asm, maps: &[&Map]) -> Prog {
    let fds: Vec<_> = maps.iter().map(|map| map.as_fd().as_raw_fd()).collect();
    let insns = a.finish().unwrap().with_map_fds(&fds).unwrap();
    let insns = &encode(&insns, Endian::HOST);
    prog::load(&Load { insns, ..Load::new(ProgramType::SocketFilter) }).unwrap()
}

/// So many runs, as the kernel times them.
fn runs(prog: &Prog, count: u64) -> Duration {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let run = TestRun { data_in: &[0; 14], repeat: count, ..TestRun::default() };
    Duration::from_nanos(u64::from(prog.test_run(run).unwrap().duration_ns) * u64::from(count))
}

const VALUE: MapRef = MapRef(0);
const COUNTS: MapRef = MapRef(1);

/// Goes through the values, each of which `body` finds in r7. It may use r0 to r5 and r8.
fn for_each_value(body: impl Fn(&mut Asm)) -> Asm {
    let mut a = Asm::new();
    a.mov(r6, 0);
    let next = a.here();
    a.load_map_value(r1, VALUE, 0);
    a.mov(r2, r6);
    a.lsh(r2, 2);
    a.add(r1, r2);
    a.load(r7, u32_at(r1 + 0));
    body(&mut a);
    a.add(r6, 1);
    a.jump_if(r6, Lt, VALUES as i32, &next);
    a.mov(w0, 0);
    a.exit();
    a
}

/// Values of every length, in no order.
fn values() -> Map {
    let values = map(MapType::Array, 4, 4 * VALUES, 1);
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u32 >> (state % 32)
    };
    let bytes: Vec<u8> = (0..VALUES).flat_map(|_| next().to_ne_bytes()).collect();
    values.update(&[0; 4], &bytes, Update::Any).unwrap();
    values
}

/// The 2015 post's: five comparisons, each a jump.
fn cascade(a: &mut Asm) {
    a.mov(r8, 0);
    for bits in [16, 8, 4, 2, 1] {
        let below = a.label();
        a.jump_if(w7, Lt, 1 << bits, &below);
        a.rsh(w7, bits);
        a.add(w8, bits);
        a.place(below);
    }
}

/// The same without jumps.
fn branch_free(a: &mut Asm) {
    a.mov(r8, 0);
    for bits in [16_i32, 8, 4, 2, 1] {
        a.mov(r1, (1 << bits) - 1);
        a.sub(r1, r7);
        a.rsh(r1, 63);
        a.lsh(r1, bits.trailing_zeros() as i32);
        a.rsh(r7, r1);
        a.add(r8, r1);
    }
}

fn log2(c: &mut Criterion) {
    let values = values();
    let mut group = c.benchmark_group(format!("log2 of {VALUES} values"));
    type Way = fn(&mut Asm);
    let ways: [(&str, Way); 6] = [
        ("none", |_| ()),
        ("ours: two steps and a table in a constant", |a| a.log2(r8, r7, r1)),
        ("ours: of 64 bits", |a| a.log2_u64(r8, r7, r1)),
        ("ours: and 16 steps to a power of two", |a| a.log_linear(r8, r7, 4, [r1, r2])),
        ("branch-free", branch_free),
        ("jumps", cascade),
    ];
    for (name, way) in ways {
        let prog = load(for_each_value(way), &[&values]);
        group.bench_function(name, |b| b.iter_custom(|count| runs(&prog, count)));
    }
}

fn add(c: &mut Criterion) {
    let values = values();
    let array = map(MapType::Array, 4, 8, 64);
    let value = map(MapType::Array, 4, 8 * 64, 1);
    let hash = map(MapType::Hash, 4, 8, 1024);
    let zeros = map(MapType::Array, 4, 8, 1);
    let mut group = c.benchmark_group(format!("adding to one of 64 counters {VALUES} times"));
    let index = |a: &mut Asm| a.and(r7, 63);

    let direct = for_each_value(|a| {
        index(a);
        count(a, COUNTS, r7);
    });
    let prog = load(direct, &[&values, &value]);
    group.bench_function("ours: in one value", |b| b.iter_custom(|count| runs(&prog, count)));

    let lookup = for_each_value(|a| {
        let none = a.label();
        index(a);
        a.store(u32_at(fp - 4), r7);
        a.lookup(COUNTS, fp - 4);
        a.jump_if(r0, Eq, 0, &none);
        a.mov(r1, 1);
        a.lock_add(u64_at(r0 + 0), r1);
        a.place(none);
    });
    let prog = load(lookup, &[&values, &array]);
    group.bench_function("an entry each", |b| b.iter_custom(|count| runs(&prog, count)));

    let keyed = for_each_value(|a| {
        let (none, done) = (a.label(), a.label());
        index(a);
        a.store(u32_at(fp - 4), r7);
        lookup_or_insert(a, COUNTS, fp - 4, MapRef(2), &none);
        a.mov(r1, 1);
        a.lock_add(u64_at(r0 + 0), r1);
        a.goto(&done);
        a.place(none);
        a.place(done);
    });
    let prog = load(keyed, &[&values, &hash, &zeros]);
    group.bench_function("ours by key", |b| b.iter_custom(|count| runs(&prog, count)));
}

fn read(c: &mut Criterion) {
    let mut group = c.benchmark_group("reading a hash");
    group.sample_size(10);
    for keys in [10, 1000, 100_000] {
        let hash = map(MapType::Hash, 4, 8, keys);
        fill(&hash);
        let mut entries = Entries::new();
        group.bench_function(format!("ours, {keys} keys"), |b| {
            b.iter(|| hash.read_all(&mut entries).unwrap());
        });
        group.bench_function(format!("one at a time, {keys} keys"), |b| {
            b.iter(|| one_at_a_time(&hash, false));
        });
        // Keys that were read and did not count again are dropped.
        let read = || {
            let mut counters = KeyedCounters::first(1);
            fill(&hash);
            counters.read(&hash).unwrap();
            counters
        };
        group.bench_function(format!("ours, and dropping {keys} idle keys"), |b| {
            let drop = |mut counters: KeyedCounters| counters.read(&hash).unwrap().iter().count();
            b.iter_batched(read, drop, BatchSize::PerIteration);
        });
        group.bench_function(format!("one at a time, and dropping {keys}"), |b| {
            let fill = || fill(&hash);
            b.iter_batched(fill, |()| one_at_a_time(&hash, true), BatchSize::PerIteration);
        });
    }
}

fn fill(hash: &Map) {
    let keys = hash.spec().max_entries;
    let all: Vec<u8> = (0..keys).flat_map(u32::to_ne_bytes).collect();
    hash.update_batch(&all, &vec![1; 8 * keys as usize], Update::Any).unwrap();
}

/// As other tools do: from key to key, then from key to key again to delete them.
fn one_at_a_time(hash: &Map, delete: bool) -> u64 {
    let (mut key, mut value, mut sum) = ([0; 4], [0; 8], 0);
    let mut keys = vec![];
    let mut more = hash.next_key(None, &mut key).unwrap();
    while more {
        hash.lookup(&key, &mut value).unwrap();
        sum += u64::from_ne_bytes(value);
        keys.push(key);
        more = hash.next_key(keys.last().map(|key| &key[..]), &mut key).unwrap();
    }
    for key in keys.iter().filter(|_| delete) {
        hash.delete(key).unwrap();
    }
    sum
}

fn types(c: &mut Criterion) {
    let types = KernelTypes::running();
    if !types.btf().is_ok_and(|btf| btf.is_some()) {
        return eprintln!("a field in the kernel's BTF: skipped: this kernel has no BTF");
    }
    c.bench_function("a field and a tracepoint in the kernel's BTF", |b| {
        b.iter_custom(|count| {
            let start = Instant::now();
            for _ in 0..count {
                let mut btf = types.btf().unwrap().unwrap();
                btf.field("request", "__data_len").unwrap();
                btf.find_id(btf::TypeKind::Typedef, "btf_trace_block_rq_issue").unwrap();
            }
            start.elapsed()
        });
    });
}

fn instructions(c: &mut Criterion) {
    let mut a = Asm::new();
    for _ in 0..1000 {
        a.load(r1, u64_at(fp - 8));
        a.log2(r8, r1, r2);
    }
    a.mov(w0, 0);
    a.exit();
    let insns = a.finish().unwrap().insns().to_vec();
    let bytes = encode(&insns, Endian::HOST);
    let mut group = c.benchmark_group(format!("{} instructions", insns.len()));
    group.bench_function("encode", |b| b.iter(|| encode(&insns, Endian::HOST)));
    group.bench_function("decode", |b| b.iter(|| decode(&bytes, Endian::HOST).unwrap()));
}

criterion_group!(benches, log2, add, read, types, instructions);
criterion_main!(benches);
