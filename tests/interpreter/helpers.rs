//! Helpers and maps: what they return is what the kernel returns.

use rawbpf::interpret::Input;

use crate::{machine, nothing, result};

fn neg(errno: u64) -> u64 {
    errno.wrapping_neg()
}

/// Stores the key 7, then calls a map's helper with it.
fn on_map(map: &str, calls: &str) -> u64 {
    result(&format!(
        ".map m {map}
        *(u32 *)(fp - 4) = 7
        *(u64 *)(fp - 16) = 99
        {calls}
        exit"
    ))
}

/// A call of a helper with the map, the key and the value, under these flags.
fn call(helper: &str, flags: u32) -> String {
    format!(
        "r1 = map[m]\nr2 = fp\nr2 += -4\nr3 = fp\nr3 += -16\nr4 = {flags}\ncall bpf_map_{helper}_elem\n"
    )
}

const HASH: &str = "hash key 4 value 8 entries 2";
const ARRAY: &str = "array key 4 value 8 entries 2";
const LARGER: &str = "array key 4 value 8 entries 8";

#[test]
fn maps_answer_as_the_kernel_does() {
    let [lookup, delete] = ["lookup", "delete"].map(|helper| call(helper, 0));
    let update = |flags| call("update", flags);
    let [any, add, replace] = [update(0), update(1), update(2)];
    let value = "if r0 == 0 goto +1\nr0 = *(u64 *)(r0 + 0)\n";
    let other = "*(u32 *)(fp - 4) = 8\n";
    let third = "*(u32 *)(fp - 4) = 9\n";
    for (map, calls, expected) in [
        (HASH, lookup.clone(), 0),
        (HASH, format!("{any}{lookup}{value}"), 99),
        (HASH, delete.clone(), neg(2)),
        (HASH, format!("{any}{delete}"), 0),
        (HASH, format!("{any}{delete}{lookup}"), 0),
        (HASH, replace.clone(), neg(2)),
        (HASH, format!("{any}{add}"), neg(17)),
        (HASH, format!("{any}{replace}"), 0),
        (HASH, update(3), neg(22)),
        (HASH, format!("{any}{other}{any}{third}{any}"), neg(7)),
        (
            "lru_hash key 4 value 8 entries 2",
            format!("{any}{other}{any}{third}{any}{lookup}{value}"),
            99,
        ),
        ("percpu_hash key 4 value 8 entries 2", format!("{any}{lookup}{value}"), 99),
        (ARRAY, lookup.clone(), 0),
        (ARRAY, any.clone(), neg(7)),
        (LARGER, format!("{any}{lookup}{value}"), 99),
        (LARGER, format!("{lookup}{value}"), 0),
        (LARGER, add, neg(17)),
        (LARGER, delete, neg(22)),
        ("percpu_array key 4 value 8 entries 8", format!("{any}{lookup}{value}"), 99),
    ] {
        assert_eq!(on_map(map, &calls), expected, "{map}\n{calls}");
    }
}

/// The first of `bpf_for_each_map_elem` and `bpf_loop` is in the rows of the RFC.
#[test]
fn each_element_is_shown_to_a_callback() {
    let sum = "*(u64 *)(fp - 24) = 0\nr1 = map[m]\nr2 = func[each]\nr3 = fp\nr3 += -24\nr4 = 0\n\
        call bpf_for_each_map_elem\nr1 = *(u64 *)(fp - 24)\nr0 += r1\n";
    let each = "exit\neach: r3 = *(u64 *)(r3 + 0)\nr2 = *(u32 *)(r2 + 0)\nr5 = *(u64 *)(r4 + 0)\nr5 += r3\nr5 += r2\n\
        *(u64 *)(r4 + 0) = r5\nr0 = 0\n";
    let any = call("update", 0);
    // Two elements, keys 7 and 8, values 99.
    let text = format!("{any}*(u32 *)(fp - 4) = 8\n{any}{sum}{each}");
    assert_eq!(on_map(HASH, &text), 2 + 7 + 8 + 99 + 99);
    assert_eq!(on_map(HASH, &format!("{sum}{each}")), 0);
    // One that returns 1 is the last.
    let one = each.replace("r0 = 0\n", "r0 = 1\n");
    assert_eq!(on_map(LARGER, &format!("{any}{sum}{one}")), 1);
}

#[test]
fn a_loop_of_too_many_rounds_or_with_flags_is_an_error() {
    let text = |rounds: u32, flags: u32| {
        format!(
            "r1 = {rounds}\nr2 = func[each]\nr3 = 0\nr4 = {flags}\ncall bpf_loop\nexit\neach: r0 = r1\nr0 s>= 0\n"
        )
        .replace("r0 = r1\nr0 s>= 0\n", "r0 = 0\nif r1 < 3 goto +1\nr0 = 1\nexit\n")
    };
    assert_eq!(result(&text(0, 0)), 0);
    assert_eq!(result(&text(2, 0)), 2);
    // The fourth round asks for the end.
    assert_eq!(result(&text(100, 0)), 4);
    assert_eq!(result(&text((1 << 23) + 1, 0)), neg(7));
    assert_eq!(result(&text(1, 1)), neg(22));
}

#[test]
fn what_is_printed_is_kept() {
    let format: Vec<u8> = b"%d %u|%5x|%-4d|%s %%\n\0\0\0".to_vec();
    assert_eq!(format.len() % 8, 0);
    let stores: String = format
        .chunks(8)
        .enumerate()
        .map(|(at, bytes)| {
            let number = u64::from_ne_bytes(bytes.try_into().unwrap());
            format!("r2 = {number} ll\n*(u64 *)(fp - {}) = r2\n", 24 - 8 * at)
        })
        .collect();
    let text = format!(
        "{stores}
        r2 = 0x6f6c6c6568 ll
        *(u64 *)(fp - 64) = r2
        *(u64 *)(fp - 56) = -1
        *(u64 *)(fp - 48) = 7
        *(u64 *)(fp - 40) = 255
        r2 = fp
        r2 += -64
        r1 = 42
        *(u64 *)(fp - 72) = -1
        *(u64 *)(fp - 80) = r2
        r1 = fp
        r1 += -24
        r2 = 24
        r3 = fp
        r3 += -120
        *(u64 *)(fp - 120) = -1
        *(u64 *)(fp - 112) = -1
        *(u64 *)(fp - 104) = 255
        *(u64 *)(fp - 96) = 7
        r4 = *(u64 *)(fp - 80)
        *(u64 *)(fp - 88) = r4
        r4 = 40
        call bpf_trace_vprintk
        exit"
    );
    let mut machine = machine(&text, &nothing());
    let printed = "-1 4294967295|   ff|7   |hello %\n";
    assert_eq!(machine.run(1000), Ok(Some(printed.len() as u64)));
    assert_eq!(machine.world.printed, printed);
}

#[test]
fn a_packet_is_read_written_and_moved() {
    let packet: Vec<u8> = (0..64).collect();
    let run = |kind, text: &str| {
        machine(text, &Input::of(kind, packet.clone())).run(1000).unwrap().unwrap()
    };
    let length = "r0 = *(u32 *)(r1 + 0)\nexit";
    assert_eq!(run("sched_cls", length), 64);
    assert_eq!(run("socket_filter", length), 50);
    let ends = "r2 = *(u32 *)(r1 + 0)\nr0 = *(u32 *)(r1 + 4)\nr0 -= r2\nexit";
    assert_eq!(run("xdp", ends), 64);
    let moved = "r6 = r1\nr2 = BY\ncall bpf_xdp_adjust_HOW\nif r0 != 0 goto bad\nr2 = *(u32 *)(r6 + 0)\n\
        r1 = *(u32 *)(r6 + 4)\nr1 -= r2\nr0 = *(u8 *)(r2 + 0)\nr1 <<= 8\nr0 |= r1\nbad: exit";
    let moved = |how, by: &str| run("xdp", &moved.replace("HOW", how).replace("BY", by));
    assert_eq!(moved("head", "4"), 60 << 8 | 4);
    assert_eq!(moved("head", "-4"), 68 << 8);
    assert_eq!(moved("head", "51"), neg(22));
    assert_eq!(moved("head", "-300"), neg(22));
    assert_eq!(moved("tail", "-4"), 60 << 8);
    assert_eq!(moved("tail", "-60"), neg(22));
    assert_eq!(moved("tail", "4000"), neg(22));
    let store = "r6 = r1\n*(u8 *)(fp - 1) = 77\nr2 = AT\nr3 = fp\nr3 += -1\nr4 = 1\nr5 = 0\ncall bpf_skb_store_bytes\n\
        if r0 != 0 goto bad\nr1 = r6\nr2 = AT\nr3 = fp\nr3 += -2\nr4 = 1\ncall bpf_skb_load_bytes\nr0 = *(u8 *)(fp - 2)\nbad: exit";
    assert_eq!(run("sched_cls", &store.replace("AT", "63")), 77);
    assert_eq!(run("sched_cls", &store.replace("AT", "64")), neg(14));
}

#[test]
fn a_ring_buffer_keeps_what_was_submitted_and_is_full_at_its_size() {
    let text = ".map r ringbuf key 0 value 0 entries 4096
        r7 = 0
        again: r1 = map[r]
        r2 = 1000
        r3 = 0
        call bpf_ringbuf_reserve
        if r0 == 0 goto full
        *(u64 *)(r0 + 0) = r7
        r7 += 1
        r1 = r0
        r2 = 0
        if r7 == 2 goto discard
        call bpf_ringbuf_submit
        goto again
        discard: call bpf_ringbuf_discard
        goto again
        full: r0 = r7
        exit";
    let mut machine = machine(text, &nothing());
    assert_eq!(machine.run(1000), Ok(Some(4)));
    let records = &machine.world.maps[0].records;
    let firsts: Vec<_> = records.iter().map(|record| (record.len(), record[0])).collect();
    assert_eq!(firsts, [(1000, 0), (1000, 2), (1000, 3)]);
}

#[test]
fn a_run_can_be_repeated() {
    let text = "call bpf_get_prandom_u32\nr6 = r0\ncall bpf_get_prandom_u32\nr6 <<= 32\nr6 |= r0\ncall bpf_ktime_get_ns\nr0 ^= r6\nexit";
    let (first, second) = (result(text), result(text));
    assert_eq!(first, second);
    assert_ne!(first as u32, (first >> 32) as u32);
}
