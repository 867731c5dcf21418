//! The kernel boundary on the kernel that runs here.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use rawbpf::sys::link::{self, At, UprobePlaces};
use rawbpf::sys::map::{Batch, Entries, Update};
use rawbpf::sys::prog::{LoadBtf, TestRun};
use rawbpf::sys::{
    AttachType, Errno, Link, Load, LoadedBtf, Map, MapSpec, MapType, PerfEvent, Prog, ProgramType,
    Tracefs, cpu, file, kallsyms, object, prog,
};

fn spec(map_type: MapType, key_size: u32, value_size: u32, max_entries: u32) -> MapSpec {
    let flags = if map_type == MapType::LpmTrie { MapSpec::NO_PREALLOC } else { 0 };
    MapSpec {
        flags,
        ..MapSpec::new(&map_type.to_string(), map_type, key_size, value_size, max_entries)
    }
}

fn map(map_type: MapType, key_size: u32, value_size: u32, max_entries: u32) -> Map {
    Map::create(&spec(map_type, key_size, value_size, max_entries)).unwrap()
}

/// A value whose every CPU has `number`.
fn value(map: &Map, number: u64) -> Vec<u8> {
    number.to_ne_bytes().repeat(map.value_len() / 8)
}

/// What a map holds, as numbers; of a per-CPU value the sum.
fn numbers<'a>(elements: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> BTreeMap<u32, u64> {
    elements
        .map(|(key, value)| {
            let sum = value.chunks(8).map(|cpu| u64::from_ne_bytes(cpu.try_into().unwrap())).sum();
            (u32::from_ne_bytes(key.try_into().unwrap()), sum)
        })
        .collect()
}

fn read_all(map: &Map) -> BTreeMap<u32, u64> {
    let mut entries = Entries::new();
    map.read_all(&mut entries).unwrap();
    assert_eq!(entries.len(), entries.iter().count());
    numbers(entries.iter())
}

/// What the kernel says a map takes; exact from Linux 6.4 on.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_map_takes_the_memory_that_its_spec_says() {
    for (kind, key, value, entries) in [
        (MapType::Array, 4, 840, 1),
        (MapType::Array, 4, 8, 4099),
        (MapType::PercpuArray, 4, 12, 4099),
        (MapType::Hash, 8, 16, 32768),
        (MapType::Hash, 32, 264, 4096),
        (MapType::Hash, 4, 8, 1000),
        (MapType::LruHash, 8, 32, 16384),
        (MapType::PercpuHash, 8, 568, 256),
        (MapType::PercpuHash, 8, 568, 2),
    ] {
        let map = map(kind, key, value, entries);
        let info = format!("/proc/self/fdinfo/{}", map.as_fd().as_raw_fd());
        let info = std::fs::read_to_string(info).unwrap();
        let said = info.lines().find_map(|line| line.strip_prefix("memlock:")).unwrap();
        let said: usize = said.trim().parse().unwrap();
        let ours = spec(kind, key, value, entries).memory().here().fixed;
        assert!(ours <= said && said <= ours + ours / 100 + 1024, "{kind}: {ours}, kernel {said}");
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn every_hash_does_every_operation() {
    for kind in [MapType::Hash, MapType::LruHash, MapType::PercpuHash, MapType::LruPercpuHash] {
        // An LRU map may drop elements long before it is full.
        let map = map(kind, 4, 8, 10_000);
        let copies = if kind.is_per_cpu() { cpu::possible().unwrap() as u64 } else { 1 };
        let key = |number: u32| number.to_ne_bytes();
        let mut read = value(&map, 0);

        assert!(!map.lookup(&key(1), &mut read).unwrap(), "{kind}");
        assert_eq!(map.update(&key(1), &read, Update::Replace).unwrap_err().errno, Errno::ENOENT);
        map.update(&key(1), &value(&map, 11), Update::Add).unwrap();
        assert_eq!(map.update(&key(1), &read, Update::Add).unwrap_err().errno, Errno::EEXIST);
        assert!(map.lookup(&key(1), &mut read).unwrap());
        assert_eq!(read, value(&map, 11));
        assert_eq!(map.cpu_values(&read).count() as u64, copies);
        read.fill(0);
        assert!(map.lookup_and_delete(&key(1), &mut read).unwrap());
        assert_eq!(read, value(&map, 11));
        assert!(!map.delete(&key(1)).unwrap());
        assert!(!map.next_key(None, &mut [0; 4]).unwrap());
        assert!(read_all(&map).is_empty());

        let keys: Vec<u8> = (0..1000).flat_map(key).collect();
        let values: Vec<u8> = (0..1000).flat_map(|number| value(&map, number)).collect();
        map.update_batch(&keys, &values, Update::Any).unwrap();
        let expected: BTreeMap<u32, u64> =
            (0..1000).map(|number| (number, u64::from(number) * copies)).collect();
        assert_eq!(read_all(&map), expected, "{kind}");

        let (mut walked, mut at, mut next) = (1, [0; 4], [0; 4]);
        assert!(map.next_key(None, &mut at).unwrap());
        while map.next_key(Some(&at), &mut next).unwrap() {
            (at, walked) = (next, walked + 1);
        }
        assert_eq!(walked, 1000, "{kind}");

        assert_eq!(map.delete_batch(&keys[..400]).unwrap(), 100);
        assert_eq!(map.delete_batch(&keys[396..408]).unwrap(), 0, "99 is gone");
        let mut batch = Batch::new(&map, 128);
        let mut seen = BTreeMap::new();
        while !batch.is_last() {
            map.lookup_and_delete_batch(&mut batch).unwrap();
            seen.extend(numbers(batch.iter()));
        }
        assert!(seen.into_iter().eq(expected.into_iter().skip(100)), "{kind}");
        assert!(read_all(&map).is_empty(), "{kind}");
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_crowded_hash_of_tiny_keys_is_read_in_tiny_batches() {
    // Keys of one byte: the kernel's position is a u32 all the same.
    let map = map(MapType::Hash, 1, 8, 256);
    for key in 0..=255 {
        map.update(&[key], &value(&map, u64::from(key)), Update::Any).unwrap();
    }
    let (mut batch, mut seen) = (Batch::new(&map, 1), vec![]);
    while !batch.is_last() {
        match map.lookup_batch(&mut batch) {
            Err(error) if error.errno == Errno::ENOSPC => batch.grow(),
            result => result.unwrap(),
        }
        seen.extend_from_slice(batch.keys());
    }
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..=255));
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn every_array_does_its_operations() {
    for kind in [MapType::Array, MapType::PercpuArray] {
        let map = map(kind, 4, 8, 100);
        let copies = (map.value_len() / 8) as u64;
        for index in 0..100u32 {
            map.update(&index.to_ne_bytes(), &value(&map, u64::from(index)), Update::Any).unwrap();
        }
        let mut read = value(&map, 0);
        assert!(map.lookup(&7u32.to_ne_bytes(), &mut read).unwrap());
        assert_eq!(read, value(&map, 7));
        assert!(!map.lookup(&100u32.to_ne_bytes(), &mut read).unwrap(), "beyond the end");
        assert_eq!(map.delete(&7u32.to_ne_bytes()).unwrap_err().errno, Errno::EINVAL);
        assert!(
            read_all(&map).into_iter().eq((0..100).map(|index| (index, u64::from(index) * copies))),
            "{kind}"
        );
        let error = map.lookup_and_delete_batch(&mut Batch::new(&map, 100)).unwrap_err();
        assert_eq!((error.errno, error.errno.name()), (Errno::ENOTSUPP, "ENOTSUPP".to_owned()));
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn every_other_kind_does_what_it_is_for() {
    let mut read = [0; 8];
    for (kind, first) in [(MapType::Queue, 1u64), (MapType::Stack, 2)] {
        let map = map(kind, 0, 8, 10);
        map.update(&[], &1u64.to_ne_bytes(), Update::Any).unwrap();
        map.update(&[], &2u64.to_ne_bytes(), Update::Any).unwrap();
        assert!(
            map.lookup(&[], &mut read).unwrap() && map.lookup_and_delete(&[], &mut read).unwrap()
        );
        assert_eq!(u64::from_ne_bytes(read), first, "{kind}");
        assert!(map.lookup_and_delete(&[], &mut read).unwrap());
        assert!(!map.lookup_and_delete(&[], &mut read).unwrap(), "{kind} is empty");
    }

    let trie = map(MapType::LpmTrie, 8, 8, 10);
    let prefix = |bits: u32, address: [u8; 4]| [bits.to_ne_bytes(), address].concat();
    trie.update(&prefix(8, [10, 0, 0, 0]), &value(&trie, 5), Update::Any).unwrap();
    assert!(trie.lookup(&prefix(32, [10, 1, 2, 3]), &mut read).unwrap());
    assert!(!trie.lookup(&prefix(32, [11, 1, 2, 3]), &mut read).unwrap());

    for (kind, key) in [(MapType::ArrayOfMaps, 0u32), (MapType::HashOfMaps, 77)] {
        let inner = map(MapType::Array, 4, 8, 10);
        let outer = Map::create_of_maps(&spec(kind, 4, 4, 10), &inner).unwrap();
        outer.update_fd(&key.to_ne_bytes(), inner.as_fd()).unwrap();
        let mut id = [0; 4];
        assert!(outer.lookup(&key.to_ne_bytes(), &mut id).unwrap());
        assert_eq!(u32::from_ne_bytes(id), object::map_info(inner.as_fd()).unwrap().id, "{kind}");
    }

    let programs = map(MapType::ProgArray, 4, 4, 10);
    let accepted =
        prog::load(&Load { insns: &RETURN_0, ..Load::new(ProgramType::SocketFilter) }).unwrap();
    programs.update_fd(&[0; 4], accepted.as_fd()).unwrap();
    let events = map(MapType::PerfEventArray, 4, 4, cpu::possible().unwrap() as u32);
    assert_eq!(events.update_fd(&[0; 4], accepted.as_fd()).unwrap_err().errno, Errno::EBADF);

    let bloom = map(MapType::BloomFilter, 0, 8, 10);
    bloom.update(&[], &7u64.to_ne_bytes(), Update::Any).unwrap();
    assert!(bloom.lookup(&[], &mut 7u64.to_ne_bytes()).unwrap());
    assert!(!bloom.lookup(&[], &mut 8u64.to_ne_bytes()).unwrap());

    map(MapType::Ringbuf, 0, 0, 65536);
    map(MapType::StackTrace, 4, 127 * 8, 16);
    let error = Map::create(&spec(MapType::Ringbuf, 4, 4, 7)).unwrap_err();
    assert_eq!(error.to_string(), "bpf(BPF_MAP_CREATE): EINVAL: Invalid argument");
}

/// `r0 = 0; exit`, in either byte order.
const RETURN_0: [u8; 16] = [0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];

/// One slot.
fn insn(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> Vec<u8> {
    let registers = if cfg!(target_endian = "little") { src << 4 | dst } else { dst << 4 | src };
    [&[code, registers][..], &off.to_ne_bytes(), &imm.to_ne_bytes()].concat()
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_refused_program_comes_back_with_the_verifiers_words() {
    let exit = insn(0x95, 0, 0, 0, 0);
    let error = prog::load(&Load { insns: &exit, ..Load::new(ProgramType::Kprobe) }).unwrap_err();
    assert_eq!((error.errno, error.log_truncated), (Errno::EACCES, false));
    assert!(error.log.contains("R0 !read_ok"), "{}", error.log);

    let empty = prog::load(&Load::new(ProgramType::Kprobe)).unwrap_err();
    assert_eq!((empty.errno, empty.log.as_str()), (Errno::E2BIG, ""));
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_long_log_is_whole() {
    // Some 5000 instructions and what is known after each: far beyond the first buffer.
    let mut insns = insn(0xb7, 6, 0, 0, 0);
    for number in 0..5000 {
        insns.extend(insn(0x07, 6, 0, 0, number));
    }
    insns.extend(insn(0xbf, 0, 9, 0, 0));
    let load = Load { insns: &insns, log_level: 2, ..Load::new(ProgramType::SocketFilter) };
    let error = prog::load(&load).unwrap_err();
    assert_eq!((error.errno, error.log_truncated), (Errno::EINVAL, false));
    let error =
        prog::load(&Load { insns: &[&insns[..], &insn(0x95, 0, 0, 0, 0)].concat(), ..load })
            .unwrap_err();
    assert_eq!((error.errno, error.log_truncated), (Errno::EACCES, false));
    assert!(
        error.log.len() > 64 << 10 && error.log.contains("R9 !read_ok"),
        "{} bytes",
        error.log.len()
    );
    assert!(error.log.contains("\n0: "), "the beginning is there");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn an_accepted_program_gives_its_log_on_request() {
    let load = Load { insns: &RETURN_0, name: "noop", ..Load::new(ProgramType::SocketFilter) };
    let (prog, log) = prog::load_with_log(&load, 2);
    assert!(
        log.text.contains("0: (b7) r0 = 0") && log.text.contains("processed 2 insns"),
        "{}",
        log.text
    );
    let info = object::prog_info(prog.unwrap().as_fd()).unwrap();
    assert_eq!((info.name.as_str(), info.program_type, info.xlated_len), ("noop", 1, 16));
    assert!(info.gpl_compatible);
}

/// BTF with int, pointer, func_proto and func; with strings "int", "ctx", "noop", "a.rs", "r0 = 0;".
fn btf_blob() -> Vec<u8> {
    let strings = b"\0int\0ctx\0noop\0a.rs\0r0 = 0;\0";
    let types: [u32; 14] =
        [1, 1 << 24, 4, 1 << 24 | 32, 0, 2 << 24, 0, 0, 13 << 24 | 1, 1, 5, 2, 9, 12 << 24];
    let types: Vec<u8> = types.into_iter().chain([3]).flat_map(u32::to_ne_bytes).collect();
    let header = [24, 0, types.len() as u32, types.len() as u32, strings.len() as u32];
    let header = header.into_iter().flat_map(u32::to_ne_bytes);
    [0xeb9fu16.to_ne_bytes(), [1, 0]]
        .concat()
        .into_iter()
        .chain(header)
        .chain(types)
        .chain(*strings)
        .collect()
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn the_log_shows_source_lines_and_bad_ones_do_not_prevent_loading() {
    let blob = btf_blob();
    let btf = LoadedBtf::load(&blob).unwrap();
    assert_eq!(object::btf_bytes(&btf).unwrap(), blob);
    assert!(!object::btf_info(&btf).unwrap().kernel);

    let func_info: Vec<u8> = [0u32, 4].into_iter().flat_map(u32::to_ne_bytes).collect();
    let line = |slot: u32| {
        [slot, 14, 19, 7 << 10 | 1].into_iter().flat_map(u32::to_ne_bytes).collect::<Vec<u8>>()
    };
    let line_info = line(0);
    let info = LoadBtf { blob: &blob, func_info: &func_info, line_info: &line_info };
    let load = Load { insns: &RETURN_0, btf: Some(info), ..Load::new(ProgramType::SocketFilter) };
    let (prog, log) = prog::load_with_log(&load, 2);
    assert!(prog.unwrap().btf_refused().is_none());
    assert!(log.text.contains("; r0 = 0;"), "{}", log.text);

    let beyond = line(99);
    let load = Load { btf: Some(LoadBtf { line_info: &beyond, ..info }), ..load };
    let refused = prog::load(&load).unwrap();
    assert!(
        refused.btf_refused().unwrap().log.contains("line_info"),
        "{:?}",
        refused.btf_refused()
    );

    let load = Load { btf: Some(LoadBtf { blob: b"rubbish", ..info }), ..load };
    let refused = prog::load(&load).unwrap();
    let error = refused.btf_refused().unwrap();
    assert_eq!((error.call, error.errno), ("bpf(BPF_BTF_LOAD)", Errno::EINVAL));
    assert!(!error.log.is_empty());
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_socket_filter_runs_on_our_data() {
    // return the packet's length
    let insns = [insn(0x61, 0, 1, 0, 0), insn(0x95, 0, 0, 0, 0)].concat();
    let prog = prog::load(&Load { insns: &insns, ..Load::new(ProgramType::SocketFilter) }).unwrap();
    // A socket filter does not see the 14 bytes of the Ethernet header.
    let mut out = [0; 64];
    let packet: Vec<u8> = (0..50).collect();
    let run = TestRun { data_in: &packet, data_out: &mut out, repeat: 100, ..TestRun::default() };
    let result = prog.test_run(run).unwrap();
    assert_eq!((result.retval, result.data_len), (36, 50));
    assert_eq!(out[14..50], packet[14..]);

    let short =
        prog.test_run(TestRun { data_in: &packet, data_out: &mut out[..8], ..TestRun::default() });
    assert_eq!(short.unwrap_err().errno, Errno::ENOSPC);
    assert_eq!(
        prog.test_run(TestRun { data_in: &packet, ..TestRun::default() }).unwrap().retval,
        36
    );

    let kprobe = prog::load(&Load { insns: &RETURN_0, ..Load::new(ProgramType::Kprobe) }).unwrap();
    assert_eq!(kprobe.test_run(TestRun::default()).unwrap_err().errno, Errno::ENOTSUPP);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_raw_tracepoint_runs_on_our_arguments() {
    // return the second argument
    let insns = [insn(0x79, 0, 1, 8, 0), insn(0x95, 0, 0, 0, 0)].concat();
    let prog =
        prog::load(&Load { insns: &insns, ..Load::new(ProgramType::RawTracepoint) }).unwrap();
    let arguments = [1u64.to_ne_bytes(), 42u64.to_ne_bytes()].concat();
    assert_eq!(
        prog.test_run(TestRun { ctx_in: &arguments, ..TestRun::default() }).unwrap().retval,
        42
    );
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_syscall_program_changes_its_context_but_not_the_memory_that_it_was_given_from() {
    // Nobody may write here, the kernel neither.
    static CONTEXT: [u8; 16] = [7; 16];
    const BPF_F_SLEEPABLE: u32 = 16;
    // *(u64 *)(r1 +8) = 42, return 0
    let insns = [insn(0x7a, 1, 0, 8, 42), RETURN_0.to_vec()].concat();
    let load = Load { insns: &insns, flags: BPF_F_SLEEPABLE, ..Load::new(ProgramType::Syscall) };
    let prog = prog::load(&load).unwrap();
    let result = prog.test_run(TestRun { ctx_in: &CONTEXT, ..TestRun::default() }).unwrap();
    assert_eq!(result.ctx_out, [[7; 8], 42u64.to_ne_bytes()].concat());
    assert_eq!(CONTEXT, [7; 16]);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn the_context_of_a_packet_is_as_long_as_the_kernel_says() {
    let load = Load { insns: &RETURN_0, ..Load::new(ProgramType::SocketFilter) };
    let prog = prog::load(&load).unwrap();
    let run = |ctx_out_len| TestRun { data_in: &[0; 14], ctx_out_len, ..TestRun::default() };
    let skb = prog.test_run(run(4096)).unwrap().ctx_out;
    assert!(skb.len() >= 176 && skb.len() < 4096, "{}", skb.len());
    assert!(prog.test_run(run(0)).unwrap().ctx_out.is_empty());
}

/// What the counting program adds at each hit.
#[derive(Clone, Copy, PartialEq)]
enum Add {
    One,
    Cookie,
}

/// A program that counts in a map's only element, for this thread alone.
fn counter(load: Load<'_>, add: Add) -> (Prog, Map) {
    let map = map(MapType::Array, 4, 8, 1);
    // SAFETY: no memory is involved.
    let thread = unsafe { libc::gettid() };
    let addend = match add {
        Add::One => insn(0xb7, 7, 0, 0, 1),
        Add::Cookie => {
            [insn(0xbf, 1, 6, 0, 0), insn(0x85, 0, 0, 0, 174), insn(0xbf, 7, 0, 0, 0)].concat()
        }
    };
    let slots = (addend.len() / 8) as i16;
    let insns = [
        insn(0xbf, 6, 1, 0, 0),                       // r6 = r1
        insn(0x85, 0, 0, 0, 14),                      // call get_current_pid_tgid
        insn(0x56, 0, 0, slots + 8, thread),          // if w0 != thread goto the end
        addend,                                       // r7 = 1 or the cookie
        insn(0x62, 10, 0, -4, 0),                     // *(u32 *)(r10 -4) = 0
        insn(0x18, 1, 1, 0, map.as_fd().as_raw_fd()), // r1 = map
        insn(0, 0, 0, 0, 0),
        insn(0xbf, 2, 10, 0, 0), // r2 = r10
        insn(0x07, 2, 0, 0, -4), // r2 += -4
        insn(0x85, 0, 0, 0, 1),  // call map_lookup_elem
        insn(0x15, 0, 0, 1, 0),  // if r0 == 0 goto the end
        insn(0xdb, 0, 7, 0, 0),  // lock *(u64 *)(r0 +0) += r7
        insn(0xb7, 0, 0, 0, 0),  // r0 = 0
        insn(0x95, 0, 0, 0, 0),  // exit
    ]
    .concat();
    (prog::load(&Load { insns: &insns, ..load }).unwrap(), map)
}

fn hits(map: &Map) -> u64 {
    read_all(map)[&0]
}

/// Hits the tracepoint task:task_rename 20 times on this thread.
fn rename() {
    for _ in 0..20 {
        // SAFETY: the name is a C string.
        unsafe { libc::prctl(libc::PR_SET_NAME, c"renamed".as_ptr()) };
    }
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn rawbpf_test_target(number: u64) -> u64 {
    std::hint::black_box(number) + 1
}

/// Calls the uprobe's function 20 times.
fn call() {
    for number in 0..20 {
        std::hint::black_box(rawbpf_test_target(number));
    }
}

/// Whether a link counts what `fire` does, exactly, and nothing once it is dropped.
#[track_caller]
fn assert_counts(link: Link, map: &Map, fire: fn(), each: u64) {
    let before = hits(map);
    fire();
    assert_eq!(hits(map) - before, 20 * each);
    drop(link);
    fire();
    assert_eq!(hits(map) - before, 20 * each, "nothing is counted once the link is dropped");
}

/// A tracefs that only this thread sees, if the host has none mounted.
fn tracefs() -> Tracefs {
    if let Some(tracefs) = Tracefs::find() {
        return tracefs;
    }
    let (root, place) = (c"/".as_ptr(), c"/sys/kernel/tracing".as_ptr());
    let (kind, none) = (c"tracefs".as_ptr(), std::ptr::null());
    // SAFETY: the strings are C strings, and neither mount takes data.
    unsafe {
        assert_eq!(libc::unshare(libc::CLONE_NEWNS), 0);
        assert_eq!(libc::mount(none, root, none, libc::MS_REC | libc::MS_PRIVATE, none.cast()), 0);
        assert_eq!(libc::mount(kind, place, kind, 0, none.cast()), 0);
    }
    Tracefs::find().expect("tracefs was mounted")
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_raw_tracepoint_counts_every_hit() {
    let (prog, map) = counter(Load::new(ProgramType::RawTracepoint), Add::One);
    let link = link::raw_tracepoint(&prog, c"task_rename").unwrap();
    let info = object::link_info(link.as_fd()).unwrap();
    assert_eq!((info.link_type, info.prog_id), (1, object::prog_info(prog.as_fd()).unwrap().id));
    assert_counts(link, &map, rename, 1);
    assert_eq!(link::raw_tracepoint(&prog, c"no_such").unwrap_err().errno, Errno::ENOENT);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_tracepoint_counts_every_hit_by_ioctl_and_by_link() {
    let tracefs = tracefs();
    let id = tracefs.tracepoint_id("task", "task_rename").unwrap();
    let format = tracefs.tracepoint_format("task", "task_rename").unwrap();
    assert_eq!((format.name.as_str(), format.id), ("task_rename", id));
    let newcomm = format.field("newcomm").unwrap();
    assert_eq!((newcomm.size, newcomm.declaration.as_str()), (16, "char newcomm[16]"));
    assert_eq!(tracefs.tracepoint_id("task", "no_such").unwrap_err().errno(), Errno::ENOENT);

    let (prog, map) = counter(Load::new(ProgramType::Tracepoint), Add::One);
    assert_counts(PerfEvent::tracepoint(id).unwrap().attach(&prog).unwrap(), &map, rename, 1);
    let (prog, map) = counter(Load::new(ProgramType::Tracepoint), Add::Cookie);
    let link = link::perf_event(&prog, &PerfEvent::tracepoint(id).unwrap(), 1_000_003).unwrap();
    assert_counts(link, &map, rename, 1_000_003);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn every_tracepoint_format_of_this_kernel_is_understood() {
    let tracefs = tracefs();
    let mut seen = 0;
    for group in std::fs::read_dir(tracefs.root().join("events")).unwrap().flatten() {
        for event in std::fs::read_dir(group.path()).into_iter().flatten().flatten() {
            if event.path().join("id").exists() {
                let (group, name) = (group.file_name(), event.file_name());
                let format = tracefs
                    .tracepoint_format(group.to_str().unwrap(), name.to_str().unwrap())
                    .unwrap();
                assert!(format.fields.len() >= 4, "{format:?}");
                seen += 1;
            }
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_uprobe_counts_every_call() {
    let address = rawbpf_test_target as *const () as u64;
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let offset = maps.lines().find_map(|line| {
        let hex = |text| u64::from_str_radix(text, 16).unwrap();
        let (start, rest) = line.split_once('-')?;
        let mut rest = rest.split(' ');
        let (end, _, offset) = (rest.next()?, rest.next()?, rest.next()?);
        (hex(start)..hex(end)).contains(&address).then(|| address - hex(start) + hex(offset))
    });
    let offset = offset.unwrap();
    let path = std::fs::read_link("/proc/self/exe").unwrap().to_str().unwrap().to_owned() + "\0";
    let path = CStr::from_bytes_with_nul(path.as_bytes()).unwrap();

    for at in [At::Entry, At::Return] {
        for pid in [None, Some(std::process::id())] {
            let (prog, map) = counter(Load::new(ProgramType::Kprobe), Add::One);
            let event = PerfEvent::uprobe(path, offset, at, pid).unwrap();
            assert_counts(event.attach(&prog).unwrap(), &map, call, 1);
        }
        let load = Load {
            expected_attach_type: Some(AttachType::TraceUprobeMulti),
            ..Load::new(ProgramType::Kprobe)
        };
        let (prog, map) = counter(load, Add::Cookie);
        let places =
            UprobePlaces { path, offsets: &[offset], semaphores: &[], cookies: &[7], pid: None };
        assert_counts(link::uprobe_multi(&prog, &places, at).unwrap(), &map, call, 7);
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_tracing_program_counts_every_hit_with_and_without_cookie() {
    let btf = file::kernel_btf("vmlinux").unwrap();
    let load = Load {
        expected_attach_type: Some(AttachType::TraceRawTp),
        attach_btf_id: find_typedef(&btf, b"btf_trace_task_rename").unwrap(),
        ..Load::new(ProgramType::Tracing)
    };
    let (prog, map) = counter(load, Add::One);
    assert_counts(link::tracing(&prog).unwrap(), &map, rename, 1);
    assert_counts(
        link::tracing_with_cookie(&prog, AttachType::TraceRawTp, 5).unwrap(),
        &map,
        rename,
        1,
    );
}

/// The id of a typedef in a BTF blob.
fn find_typedef(btf: &[u8], name: &[u8]) -> Option<u32> {
    let word = |at: usize| u32::from_ne_bytes(btf[at..at + 4].try_into().unwrap());
    let header = word(4) as usize;
    let (mut at, strings) = (header + word(8) as usize, header + word(16) as usize);
    let end = at + word(12) as usize;
    for id in 1.. {
        if at >= end {
            break;
        }
        let (kind, members) = (word(at + 4) >> 24 & 31, (word(at + 4) & 0xffff) as usize);
        let string = &btf[strings + word(at) as usize..];
        if kind == 8 && string.starts_with(name) && string[name.len()] == 0 {
            return Some(id);
        }
        at += 12
            + match kind {
                1 | 14 | 17 => 4,
                3 => 12,
                4 | 5 | 15 | 19 => 12 * members,
                6 | 13 => 8 * members,
                _ => 0,
            };
    }
    None
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn nothing_is_left_behind() {
    let (prog, map) = counter(Load::new(ProgramType::RawTracepoint), Add::One);
    let link = link::raw_tracepoint(&prog, c"task_rename").unwrap();
    let ids = [
        (object::ObjectKind::Prog, object::prog_info(prog.as_fd()).unwrap().id),
        (object::ObjectKind::Map, object::map_info(map.as_fd()).unwrap().id),
        (object::ObjectKind::Link, object::link_info(link.as_fd()).unwrap().id),
    ];
    let loaded = |(kind, id)| object::ids(kind).any(|seen| seen == Ok(id));
    assert!(ids.into_iter().all(loaded));
    assert_eq!(object::prog_map_ids(&prog).unwrap(), [ids[1].1]);
    let insns = rawbpf::sys::code::code(&prog).unwrap().translated;
    assert_eq!((insns.len() % 8, insns.is_empty()), (0, false));

    let same = Map::from_id(ids[1].1).unwrap();
    assert_eq!(same.spec(), map.spec());
    assert_eq!(
        Prog::from_id(ids[0].1).map(|prog| object::prog_info(prog.as_fd()).unwrap().id),
        Ok(ids[0].1)
    );
    drop((same, link, prog, map));

    // The kernel frees a program after a grace period.
    let start = Instant::now();
    while ids.into_iter().any(loaded) {
        assert!(start.elapsed() < Duration::from_secs(5), "left behind: {ids:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(Map::from_id(ids[1].1).unwrap_err().errno, Errno::ENOENT);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn functions_are_found_by_name() {
    assert_eq!(kallsyms::count_functions("vfs_read").unwrap(), 1);
    assert_eq!(kallsyms::count_functions("no_such_function").unwrap(), 0);
    let address = kallsyms::for_each(|symbol| match symbol.name {
        "vfs_read" => ControlFlow::Break(symbol.address),
        _ => ControlFlow::Continue(()),
    });
    assert_ne!(address.unwrap(), Some(0));
    let traceable = tracefs().traceable_functions(|name, _| match name {
        "vfs_read" => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    match traceable {
        // A locked down kernel keeps the list from root too.
        Err(error) => assert_eq!(error.errno(), Errno::EPERM),
        Ok(found) => assert!(found.is_some()),
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_kernel_without_kprobes_says_so() {
    let event = PerfEvent::kprobe(c"vfs_read", 0, At::Entry);
    if std::path::Path::new("/sys/bus/event_source/devices/kprobe").exists() {
        let (prog, _map) = counter(Load::new(ProgramType::Kprobe), Add::One);
        let _ = event.unwrap().attach(&prog).unwrap();
        assert_eq!(PerfEvent::kprobe(c"no_such", 0, At::Entry).unwrap_err().errno, Errno::ENOENT);
    } else {
        let error = event.unwrap_err();
        assert_eq!(
            (error.call, error.errno),
            ("read(/sys/bus/event_source/devices/kprobe/type)", Errno::ENOENT)
        );
    }
}

/// Linux 6.16 and later hand out their BTF without a copy: reading it takes a hundred times longer.
#[test]
#[ignore = "needs a kernel with BTF: run tests/run"]
fn the_kernels_btf_is_mapped_where_it_can_be() {
    let path = std::path::Path::new("/sys/kernel/btf/vmlinux");
    let file = std::fs::File::open(path).unwrap();
    // SAFETY: nobody writes to this file.
    let mappable = unsafe { memmap2::MmapOptions::new().map_copy_read_only(&file) }.is_ok();
    let bytes = file::kernel_btf("vmlinux").unwrap();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let start = bytes.as_ptr() as usize;
    let mapped = maps.lines().any(|line| {
        line.ends_with("/sys/kernel/btf/vmlinux") && line.starts_with(&format!("{start:x}-"))
    });
    assert_eq!(mapped, mappable);
    assert_eq!(bytes.len() as u64, file.metadata().unwrap().len());
}
