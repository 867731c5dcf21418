//! Random programs: what they leave in their maps here is what they leave there when the kernel runs them.

use std::env;
use std::os::fd::{AsFd, AsRawFd};

use rawbpf::insn::*;
use rawbpf::interpret::{Input, Machine, MapDef, World};
use rawbpf::sys::map::Update;
use rawbpf::sys::prog::{TestRun, load};
use rawbpf::sys::{Load, Map, MapSpec, MapType, ProgramType};

use crate::random::{KEYS, MAPS, Random, program};
use crate::source;

/// The first seed; each program has the next.
const SEED: u64 = 0x5eed;

/// What is in the maps: before a run those that it reads, and after it all.
#[derive(PartialEq, Eq, Debug)]
struct Content {
    input: Vec<u8>,
    output: Vec<u8>,
    memory: Vec<u8>,
    hash: Vec<(u32, Vec<u8>)>,
}

fn before(seed: u64) -> Content {
    let mut random = Random(!seed);
    let mut numbers =
        |count: usize| (0..count).flat_map(|_| random.number().to_ne_bytes()).collect();
    let (input, memory) = (numbers(16), numbers(8));
    Content { input, output: vec![0; 128], memory, hash: vec![] }
}

fn interpreted(insns: &[Insn], before: &Content) -> Content {
    let maps: Vec<_> = source(&format!("{MAPS} exit")).maps.iter().map(MapDef::from).collect();
    let mut world = World::new(&maps).unwrap();
    world.update(0, &[0; 4], &before.input).unwrap();
    world.update(2, &[0; 4], &before.memory).unwrap();
    let mut machine = Machine::new(insns, world, &Input::of("socket_filter", vec![0; 64])).unwrap();
    let ended = machine.run(10_000);
    assert_eq!(ended, Ok(Some(0)), "{}", listing(insns));
    let world = &machine.world;
    let first = |map: usize| world.elements(&world.maps[map]).next().unwrap().1.to_vec();
    let key = |key: Vec<u8>| u32::from_ne_bytes(key.try_into().unwrap());
    let hash = world.elements(&world.maps[3]).map(|(k, value)| (key(k), value.to_vec()));
    let mut hash: Vec<_> = hash.collect();
    hash.sort();
    Content { input: first(0), output: first(1), memory: first(2), hash }
}

fn listing(insns: &[Insn]) -> String {
    let mut slot = 0;
    let lines = insns.iter().map(|insn| {
        let line = format!("{slot}: {insn}\n");
        slot += insn.slots();
        line
    });
    lines.collect()
}

/// The maps in the kernel.
struct Kernel([Map; 4]);

impl Kernel {
    fn new() -> Kernel {
        let map = |name: &str, map_type, value, entries| {
            Map::create(&MapSpec::new(name, map_type, 4, value, entries)).unwrap()
        };
        Kernel([
            map("in", MapType::Array, 128, 1),
            map("out", MapType::Array, 128, 1),
            map("memory", MapType::Array, 64, 1),
            map("hash", MapType::Hash, 8, 4),
        ])
    }

    fn run(&self, insns: &[Insn], before: &Content) -> Content {
        let fd = |index: i32| self.0[index as usize].as_fd().as_raw_fd();
        let insns_there: Vec<_> = insns
            .iter()
            .map(|insn| match *insn {
                Insn::LoadImm64 { dst, value: Imm64::MapIndex(index) } => {
                    Insn::LoadImm64 { dst, value: Imm64::MapFd(fd(index)) }
                }
                Insn::LoadImm64 { dst, value: Imm64::MapIndexValue { index, offset } } => {
                    Insn::LoadImm64 { dst, value: Imm64::MapFdValue { fd: fd(index), offset } }
                }
                other => other,
            })
            .collect();
        let bytes = encode(&insns_there, Endian::HOST);
        let loaded = load(&Load { insns: &bytes, ..Load::new(ProgramType::SocketFilter) });
        let loaded =
            loaded.unwrap_or_else(|error| panic!("{}\n{error}\n{}", listing(insns), error.log));
        let [input, output, memory, hash] = &self.0;
        input.update(&[0; 4], &before.input, Update::Any).unwrap();
        output.update(&[0; 4], &before.output, Update::Any).unwrap();
        memory.update(&[0; 4], &before.memory, Update::Any).unwrap();
        for key in 0..KEYS {
            hash.delete(&key.to_ne_bytes()).unwrap();
        }
        loaded.test_run(TestRun { data_in: &[0; 64], ..TestRun::default() }).unwrap();
        let first = |map: &Map, size| {
            let mut value = vec![0; size];
            map.lookup(&[0; 4], &mut value).unwrap();
            value
        };
        let elements = (0..KEYS).filter_map(|key| {
            let mut value = vec![0; 8];
            hash.lookup(&key.to_ne_bytes(), &mut value).unwrap().then_some((key, value))
        });
        Content {
            input: first(input, 128),
            output: first(output, 128),
            memory: first(memory, 64),
            hash: elements.collect(),
        }
    }
}

/// `RAWBPF_RANDOM_PROGRAMS=100000` for more of them.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn random_programs_leave_what_they_leave_in_the_kernel() {
    let count = env::var("RAWBPF_RANDOM_PROGRAMS").map_or(10_000, |count| count.parse().unwrap());
    let kernel = Kernel::new();
    let (mut wrong, mut insns_run) = (vec![], 0);
    for seed in SEED..SEED + count {
        let (insns, before) = (program(seed), before(seed));
        insns_run += insns.len();
        let (here, there) = (interpreted(&insns, &before), kernel.run(&insns, &before));
        if here != there {
            wrong.push(format!("seed {seed:#x}:\n{}\n{here:?}\n{there:?}", listing(&insns)));
        }
    }
    println!("{count} programs with {insns_run} instructions from seed {SEED:#x}");
    assert!(wrong.is_empty(), "{} of {count} wrong, the first:\n{}", wrong.len(), wrong[0]);
}

/// Else the comparison would compare little.
#[test]
fn random_programs_end_and_hold_every_class_of_instruction() {
    let mut all = vec![];
    let mut outputs = std::collections::HashSet::new();
    for seed in SEED..SEED + 2000 {
        let (insns, before) = (program(seed), before(seed));
        outputs.insert(interpreted(&insns, &before).output);
        all.extend(insns);
    }
    assert!(outputs.len() > 1990, "{}", outputs.len());
    let count = |is: fn(&Insn) -> bool| all.iter().filter(|insn| is(insn)).count();
    for (what, count) in [
        ("arithmetic", count(|insn| matches!(insn, Insn::Alu { .. }))),
        ("sign extension", count(|insn| matches!(insn, Insn::Movsx { .. }))),
        ("negation", count(|insn| matches!(insn, Insn::Neg { .. }))),
        ("byte order", count(|insn| matches!(insn, Insn::ToEndian { .. } | Insn::Bswap { .. }))),
        ("load", count(|insn| matches!(insn, Insn::Load { .. }))),
        ("store", count(|insn| matches!(insn, Insn::Store { .. }))),
        ("atomic", count(|insn| matches!(insn, Insn::Atomic { .. }))),
        (
            "ordered",
            count(|insn| matches!(insn, Insn::LoadAcquire { .. } | Insn::StoreRelease { .. })),
        ),
        ("jump", count(|insn| matches!(insn, Insn::JumpIf { .. }))),
        ("call", count(|insn| matches!(insn, Insn::Call(_)))),
    ] {
        assert!(count > 200, "{what}: {count}");
    }
}
