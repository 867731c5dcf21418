//! What a program may not do is a fault with its instruction and its reason, and never a panic.

use proptest::prelude::*;
use rawbpf::insn::{Endian, whole};
use rawbpf::interpret::{Input, Machine, MapDef, World};

use crate::{machine, nothing, source};

/// Programs, and the fault that ends them.
const FAULTS: &[(&str, &str)] = &[
    (
        "r0 = r2\nexit",
        "instruction 0: r2 has no value: nothing was written to it, or a call wiped it",
    ),
    ("exit", "instruction 0: r0 has no value: nothing was written to it, or a call wiped it"),
    (
        "r2 = 5\ncall bpf_get_prandom_u32\nr0 = r2\nexit",
        "instruction 2: r2 has no value: nothing was written to it, or a call wiped it",
    ),
    ("r2 = 0\nr0 = *(u8 *)(r2 + 0)\nexit", "instruction 1: the address is NULL"),
    ("r2 = 42\n*(u8 *)(r2 + 0) = 1\nexit", "instruction 1: 0x2a is a number, not an address"),
    ("r0 = *(u64 *)(fp - 4)\nexit", "instruction 0: 8 bytes at fp-4 are outside: it has 512 bytes"),
    (
        "r0 = *(u64 *)(fp - 520)\nexit",
        "instruction 0: 8 bytes at fp-520 are outside: it has 512 bytes",
    ),
    (
        "r0 = *(u64 *)(r1 + 64)\nexit",
        "instruction 0: 8 bytes at context+64 are outside: it has 64 bytes",
    ),
    (
        ".map m array key 4 value 12 entries 2\nr1 = map[m][0]+8\nr0 = *(u64 *)(r1 + 0)\nexit",
        "instruction 2: 8 bytes at map m: value 0+8 are outside: a value has 12 bytes",
    ),
    (
        ".map m array key 4 value 8 entries 1\nr1 = map[m]\nr0 = *(u64 *)(r1 + 0)\nexit",
        "instruction 2: map m is not memory that a program may access",
    ),
    (
        ".map m array key 4 value 8 entries 1 flags 0x80\nr1 = map[m][0]+0\n*(u64 *)(r1 + 0) = 1\nexit",
        "instruction 2: map m: value 0 may only be read",
    ),
    (
        ".map m hash key 4 value 8 entries 1\nr1 = map[m]\nr2 = fp\ncall bpf_map_lookup_elem\nexit",
        "instruction 3: the key: 4 bytes at fp are outside: it has 512 bytes",
    ),
    (
        ".map m queue key 0 value 8 entries 1\nr1 = map[m]\nr2 = fp\nr2 += -4\ncall bpf_map_lookup_elem\nexit",
        "instruction 4: the map m is of a type that is not interpreted",
    ),
    ("call bpf_get_current_comm\nexit", "instruction 0: bpf_get_current_comm#16 needs a kernel"),
    ("f: call f\nexit", "instruction 0: more than 8 functions would be under way"),
    ("r0 = 0\ngoto +5\nexit", "instruction 7: no instruction begins here"),
    ("r0 = 0", "instruction 1: no instruction begins here"),
    // A function's stack is gone once it has ended.
    (
        "call f\nr0 = *(u64 *)(r0 - 8)\nexit\nf: r0 = fp\nexit",
        "instruction 1: fp of function 1, -8 is not memory that a program may access",
    ),
    (
        ".map r ringbuf key 0 value 0 entries 4096\nr1 = map[r]\nr2 = 8\nr3 = 0\ncall bpf_ringbuf_reserve\nr6 = r0\nr1 = r0\nr2 = 0\n\
      call bpf_ringbuf_submit\n*(u64 *)(r6 + 0) = 1\nexit",
        "instruction 9: record of r is not memory that a program may access",
    ),
];

#[test]
fn a_fault_names_the_instruction_and_the_reason() {
    for (text, expected) in FAULTS {
        let mut machine = machine(text, &nothing());
        let fault = machine.run(1000).expect_err(text);
        assert_eq!(fault.to_string(), *expected, "{text}");
        // It stays there.
        let (slot, registers) = (machine.slot(), *machine.registers());
        assert_eq!(machine.step(), Err(fault), "{text}");
        assert_eq!((machine.slot(), *machine.registers()), (slot, registers), "{text}");
    }
}

#[test]
fn steps_are_bounded_and_can_go_on() {
    let mut machine = machine("r0 = 0\nagain: r0 += 1\nif r0 != 100 goto again\nexit", &nothing());
    assert_eq!(machine.run(100).unwrap(), None);
    assert_eq!(machine.steps(), 100);
    assert_eq!(machine.run(1000).unwrap(), Some(100));
    assert_eq!(machine.steps(), 202);
    // Nothing runs after the end.
    assert_eq!(machine.run(1000).unwrap(), Some(100));
    assert_eq!(machine.steps(), 202);
}

#[test]
fn a_map_that_is_too_large_is_refused() {
    let source = source(".map m array key 4 value 4096 entries 100000\nr0 = 0\nexit");
    let maps: Vec<_> = source.maps.iter().map(MapDef::from).collect();
    let error = World::new(&maps).unwrap_err();
    assert_eq!(error, "the maps need more than the 256 MiB that are here for them");
}

#[test]
fn a_packet_has_a_length_that_a_kernel_takes() {
    for (length, fits) in [(13, false), (14, true), (3520, true), (3521, false)] {
        let source = source("r0 = 0\nexit");
        let insns = source.programs[0].program.insns();
        let world = World::new(&[]).unwrap();
        let made = Machine::new(insns, world, &Input::of("xdp", vec![0; length]));
        assert_eq!(made.is_ok(), fits, "{length}");
    }
}

proptest! {
    /// Whatever the bytes are: a result, a fault, or no end within the steps.
    #[test]
    fn hostile_bytes_are_run_without_a_panic(
        bytes in prop::collection::vec(any::<[u8; 8]>(), 1..40),
        codes in prop::collection::vec(0usize..20, 40),
        small in any::<bool>(),
    ) {
        // Opcodes of every class, and few registers, so that some instructions run.
        const CODES: [u8; 20] = [0x07, 0xb7, 0xbf, 0x0f, 0x18, 0x61, 0x79, 0x62, 0x7b, 0xdb, 0x85, 0x95, 0x05,
            0x15, 0x55, 0xd4, 0xdc, 0x20, 0x3f, 0xe5];
        let bytes: Vec<u8> = bytes.iter().zip(&codes).flat_map(|(bytes, code)| {
            let mut bytes = *bytes;
            if small {
                bytes[0] = CODES[*code];
                bytes[1] = (bytes[1] & 0xbb) % 0xb0;
                bytes[2] %= 8;
                bytes[3] = 0;
                bytes[5..].fill(0);
            }
            bytes
        }).collect();
        let insns: Vec<_> = whole(&bytes, Endian::HOST).unwrap().map(|(_, insn)| insn).collect();
        let defs = source(".map m array key 4 value 8 entries 4\n.map h hash key 4 value 8 entries 2\nexit");
        let defs: Vec<_> = defs.maps.iter().map(MapDef::from).collect();
        for input in [nothing(), Input::of("sched_cls", vec![7; 64]), Input::of("xdp", vec![7; 64])] {
            let world = World::new(&defs).unwrap();
            let mut machine = Machine::new(&insns, world, &input).unwrap();
            let ended = machine.run(2000);
            prop_assert!(machine.steps() <= 2000);
            if let Err(fault) = ended {
                prop_assert_eq!(fault.slot, machine.slot());
                prop_assert!(!fault.reason.is_empty());
            }
        }
    }
}
