//! The bytes that each command hands to the kernel, with the offsets of its header written out again:
//! a field in the wrong place is found without a kernel.

use std::cell::RefCell;
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::rc::Rc;

use super::call::{BpfCommand, Call, hook};
use super::link::{At, KprobeFunctions, UprobePlaces};
use super::map::Update;
use super::object::ObjectKind;
use super::prog::{LoadBtf, TestRun};
use super::*;

/// Where a test has no number to expect: whether there is an address.
const ADDRESS: u64 = u64::MAX;

type Recorded = Rc<RefCell<Vec<(&'static str, Vec<u8>)>>>;

/// Accepts everything, and records it.
fn record() -> (hook::Installed, Recorded) {
    let calls = Recorded::default();
    let seen = calls.clone();
    let installed = hook::install(move |call| {
        let (name, bytes, answer) = match call {
            Call::Bpf { command, attr } => (command.call(), attr.to_vec(), hook::fd()),
            Call::PerfEventOpen { attr, pid, cpu } => {
                let place = [pid.to_ne_bytes(), cpu.to_ne_bytes()].concat();
                ("perf_event_open()", [attr.to_vec(), place].concat(), hook::fd())
            }
            Call::PerfSetBpf { event, program } => (
                "set_bpf",
                [event.as_raw_fd().to_ne_bytes(), program.as_raw_fd().to_ne_bytes()].concat(),
                0,
            ),
            Call::PerfEnable { event } => ("enable", event.as_raw_fd().to_ne_bytes().to_vec(), 0),
            other => panic!("{other:?}"),
        };
        seen.borrow_mut().push((name, bytes));
        Some(Ok(answer))
    });
    (installed, calls)
}

/// Compares the last call with a table of (offset, bytes, value); what the table leaves out is zero.
#[track_caller]
fn expect(calls: &Recorded, name: &str, size: usize, fields: &[(usize, usize, u64)]) {
    let (call, mut bytes) = calls.borrow().last().unwrap().clone();
    assert_eq!((call, bytes.len()), (name, size));
    for &(at, width, value) in fields {
        let field = &mut bytes[at..at + width];
        if value == ADDRESS {
            assert_ne!(field, vec![0; width], "an address at {at}");
        } else {
            let wanted = if width == 8 {
                value.to_ne_bytes().to_vec()
            } else {
                (value as u32).to_ne_bytes().to_vec()
            };
            assert_eq!(field, wanted, "at {at}");
        }
        field.fill(0);
    }
    assert_eq!(bytes, vec![0; size], "all else is zero");
}

fn fd(object: &impl AsFd) -> u64 {
    object.as_fd().as_raw_fd() as u64
}

fn prog() -> Prog {
    prog::load(&Load { insns: &[0; 8], ..Load::new(ProgramType::Kprobe) }).unwrap()
}

fn spec(map_type: MapType) -> MapSpec {
    MapSpec { flags: 1, ..MapSpec::new("abcd", map_type, 4, 8, 16) }
}

const NAME: u64 = u32::from_ne_bytes(*b"abcd") as u64;

#[test]
fn map_create() {
    let (_hook, calls) = record();
    let inner = Map::create(&spec(MapType::PercpuHash)).unwrap();
    let fields = [(0, 4, 5), (4, 4, 4), (8, 4, 8), (12, 4, 16), (16, 4, 1), (28, 4, NAME)];
    expect(&calls, "bpf(BPF_MAP_CREATE)", 72, &fields);
    Map::create_of_maps(&spec(MapType::ArrayOfMaps), &inner).unwrap();
    let fields = [
        (0, 4, 12),
        (4, 4, 4),
        (8, 4, 8),
        (12, 4, 16),
        (16, 4, 1),
        (20, 4, fd(&inner)),
        (28, 4, NAME),
    ];
    expect(&calls, "bpf(BPF_MAP_CREATE)", 72, &fields);
}

#[test]
fn map_elements() {
    let (_hook, calls) = record();
    let map = Map::create(&spec(MapType::Hash)).unwrap();
    let (key, mut next, mut value) = ([1; 4], [2; 4], [3; 8]);
    let key_and_value =
        [(0, 4, fd(&map)), (8, 8, key.as_ptr() as u64), (16, 8, value.as_ptr() as u64)];
    assert!(map.lookup(&key, &mut value).unwrap());
    expect(&calls, "bpf(BPF_MAP_LOOKUP_ELEM)", 32, &key_and_value);
    assert!(map.lookup_and_delete(&key, &mut value).unwrap());
    expect(&calls, "bpf(BPF_MAP_LOOKUP_AND_DELETE_ELEM)", 32, &key_and_value);
    for (how, flags) in [(Update::Any, 0), (Update::Add, 1), (Update::Replace, 2)] {
        map.update(&key, &value, how).unwrap();
        expect(
            &calls,
            "bpf(BPF_MAP_UPDATE_ELEM)",
            32,
            &[&key_and_value[..], &[(24, 8, flags)]].concat(),
        );
    }
    assert!(map.delete(&key).unwrap());
    expect(&calls, "bpf(BPF_MAP_DELETE_ELEM)", 32, &key_and_value[..2]);
    assert!(map.next_key(None, &mut next).unwrap());
    let next_key = (16, 8, next.as_ptr() as u64);
    expect(&calls, "bpf(BPF_MAP_GET_NEXT_KEY)", 32, &[key_and_value[0], next_key]);
    assert!(map.next_key(Some(&key), &mut next).unwrap());
    expect(
        &calls,
        "bpf(BPF_MAP_GET_NEXT_KEY)",
        32,
        &[key_and_value[0], key_and_value[1], next_key],
    );
}

#[test]
fn a_map_without_keys_passes_no_address() {
    let (_hook, calls) = record();
    let map = Map::create(&MapSpec { key_size: 0, ..spec(MapType::Queue) }).unwrap();
    map.update(&[], &[0; 8], Update::Any).unwrap();
    expect(&calls, "bpf(BPF_MAP_UPDATE_ELEM)", 32, &[(0, 4, fd(&map)), (16, 8, ADDRESS)]);
}

#[test]
fn map_batches() {
    let (_hook, calls) = record();
    let map = Map::create(&spec(MapType::Hash)).unwrap();
    let mut batch = map::Batch::new(&map, 5);
    let (out, keys, values) = ((8, 8, ADDRESS), (16, 8, ADDRESS), (24, 8, ADDRESS));
    map.lookup_batch(&mut batch).unwrap();
    expect(
        &calls,
        "bpf(BPF_MAP_LOOKUP_BATCH)",
        56,
        &[out, keys, values, (32, 4, 5), (36, 4, fd(&map))],
    );
    map.lookup_and_delete_batch(&mut batch).unwrap();
    let fields = [(0, 8, ADDRESS), out, keys, values, (32, 4, 5), (36, 4, fd(&map))];
    expect(&calls, "bpf(BPF_MAP_LOOKUP_AND_DELETE_BATCH)", 56, &fields);
    map.update_batch(&[0; 12], &[0; 24], Update::Add).unwrap();
    expect(
        &calls,
        "bpf(BPF_MAP_UPDATE_BATCH)",
        56,
        &[keys, values, (32, 4, 3), (36, 4, fd(&map)), (40, 8, 1)],
    );
    assert_eq!(map.delete_batch(&[0; 12]).unwrap(), 3);
    expect(&calls, "bpf(BPF_MAP_DELETE_BATCH)", 56, &[keys, (32, 4, 3), (36, 4, fd(&map))]);
}

#[test]
fn prog_load() {
    let (_hook, calls) = record();
    let map = Map::create(&spec(MapType::Array)).unwrap();
    let (insns, func_info, line_info, fds) = ([0xb7; 24], [0; 8], [0; 48], [map.as_fd()]);
    let load = Load {
        program_type: ProgramType::Tracing,
        expected_attach_type: Some(AttachType::TraceFentry),
        member: 0,
        attach_btf_id: 77,
        attach_btf: Some(map.as_fd()),
        insns: &insns,
        license: c"GPL",
        name: "abcd",
        btf: Some(LoadBtf { blob: &[9; 30], func_info: &func_info, line_info: &line_info }),
        types: None,
        fd_array: &fds,
        flags: 16,
        kern_version: 0x050a00,
        log_level: 1,
    };
    let mut fields = vec![
        (0, 4, 26),
        (4, 4, 3),
        (8, 8, insns.as_ptr() as u64),
        (16, 8, load.license.as_ptr() as u64),
        (40, 4, 0x050a00),
        (44, 4, 16),
        (48, 4, NAME),
        (68, 4, 24),
        (72, 4, ADDRESS), // The BTF's descriptor.
        (76, 4, 8),
        (80, 8, func_info.as_ptr() as u64),
        (88, 4, 1),
        (92, 4, 16),
        (96, 8, line_info.as_ptr() as u64),
        (104, 4, 3),
        (108, 4, 77),
        (112, 4, fd(&map)),
        (120, 8, fds.as_ptr() as u64),
    ];
    prog::load(&load).unwrap();
    expect(&calls, "bpf(BPF_PROG_LOAD)", 144, &fields);
    prog::load_with_log(&load, 6).0.unwrap();
    fields.extend([(24, 4, 6), (28, 4, 65536), (32, 8, ADDRESS)]);
    expect(&calls, "bpf(BPF_PROG_LOAD)", 144, &fields);
}

#[test]
fn btf_load() {
    let (hook, calls) = record();
    let blob = [1; 30];
    LoadedBtf::load(&blob).unwrap();
    expect(&calls, "bpf(BPF_BTF_LOAD)", 32, &[(0, 8, blob.as_ptr() as u64), (16, 4, 30)]);
    drop(hook);
    let seen = Recorded::default();
    let last = seen.clone();
    let _hook = hook::install(move |call| {
        let Call::Bpf { command: BpfCommand::BtfLoad, attr } = call else { panic!("{call:?}") };
        last.borrow_mut().push((BpfCommand::BtfLoad.call(), attr.to_vec()));
        Some(Err(Errno::EINVAL))
    });
    assert_eq!(LoadedBtf::load(&blob).unwrap_err().errno, Errno::EINVAL);
    let fields =
        [(0, 8, blob.as_ptr() as u64), (8, 8, ADDRESS), (16, 4, 30), (20, 4, 65536), (24, 4, 1)];
    expect(&seen, "bpf(BPF_BTF_LOAD)", 32, &fields);
}

#[test]
fn prog_test_run() {
    let (_hook, calls) = record();
    let prog = prog();
    let (data_in, mut data_out) = ([0; 14], [0; 64]);
    let fields = [
        (0, 4, fd(&prog)),
        (8, 4, 14),
        (12, 4, 64),
        (16, 8, data_in.as_ptr() as u64),
        (24, 8, data_out.as_ptr() as u64),
        (32, 4, 1000),
        (40, 4, 16),
        (44, 4, 24),
        (48, 8, ADDRESS),
        (56, 8, ADDRESS),
        (64, 4, 1),
        (68, 4, 3),
    ];
    let run = TestRun {
        data_in: &data_in,
        data_out: &mut data_out,
        ctx_in: &[0; 16],
        ctx_out_len: 24,
        repeat: 1000,
        flags: 1,
        cpu: 3,
    };
    prog.test_run(run).unwrap();
    expect(&calls, "bpf(BPF_PROG_TEST_RUN)", 80, &fields);
}

#[test]
fn links() {
    let (_hook, calls) = record();
    let prog = prog();
    let prog_fd = (0, 4, fd(&prog));

    let _ = link::raw_tracepoint(&prog, c"sys_enter").unwrap();
    expect(&calls, "bpf(BPF_RAW_TRACEPOINT_OPEN)", 16, &[(0, 8, ADDRESS), (8, 4, fd(&prog))]);
    let _ = link::tracing(&prog).unwrap();
    expect(&calls, "bpf(BPF_RAW_TRACEPOINT_OPEN)", 16, &[(8, 4, fd(&prog))]);
    let _ = link::tracing_with_cookie(&prog, AttachType::TraceFexit, 5).unwrap();
    expect(&calls, "bpf(BPF_LINK_CREATE)", 32, &[prog_fd, (8, 4, 25), (24, 8, 5)]);

    let event = PerfEvent::tracepoint(1083).unwrap();
    let _ = link::perf_event(&prog, &event, 5).unwrap();
    expect(
        &calls,
        "bpf(BPF_LINK_CREATE)",
        24,
        &[prog_fd, (4, 4, fd(&event)), (8, 4, 41), (16, 8, 5)],
    );

    let names: [&CStr; 2] = [c"vfs_read", c"vfs_write"];
    let _ = link::kprobe_multi(&prog, KprobeFunctions::Names(&names), At::Return, &[5, 6]).unwrap();
    let fields = [prog_fd, (8, 4, 42), (16, 4, 1), (20, 4, 2), (24, 8, ADDRESS), (40, 8, ADDRESS)];
    expect(&calls, "bpf(BPF_LINK_CREATE)", 48, &fields);
    let addresses = [1, 2, 3];
    let _ =
        link::kprobe_multi(&prog, KprobeFunctions::Addresses(&addresses), At::Entry, &[]).unwrap();
    let fields = [prog_fd, (8, 4, 42), (20, 4, 3), (32, 8, addresses.as_ptr() as u64)];
    expect(&calls, "bpf(BPF_LINK_CREATE)", 48, &fields);

    let (path, offsets, semaphores, cookies) = (c"/bin/sh", [10, 20], [30, 40], [50, 60]);
    let mut places =
        UprobePlaces { path, offsets: &offsets, semaphores: &[], cookies: &[], pid: None };
    let common = [
        prog_fd,
        (8, 4, 48),
        (16, 8, path.as_ptr() as u64),
        (24, 8, offsets.as_ptr() as u64),
        (48, 4, 2),
    ];
    let _ = link::uprobe_multi(&prog, &places, At::Entry).unwrap();
    expect(&calls, "bpf(BPF_LINK_CREATE)", 64, &common);
    places = UprobePlaces { semaphores: &semaphores, cookies: &cookies, pid: Some(123), ..places };
    let _ = link::uprobe_multi(&prog, &places, At::Return).unwrap();
    let more = [
        (32, 8, semaphores.as_ptr() as u64),
        (40, 8, cookies.as_ptr() as u64),
        (52, 4, 1),
        (56, 4, 123),
    ];
    expect(&calls, "bpf(BPF_LINK_CREATE)", 64, &[&common[..], &more[..]].concat());
}

#[test]
fn perf_events() {
    let (_hook, calls) = record();
    let size = (4, 4, 72);
    let everywhere = [(72, 4, -1i32 as u32 as u64), (76, 4, 0)];
    let _ = PerfEvent::tracepoint(1083).unwrap();
    expect(
        &calls,
        "perf_event_open()",
        80,
        &[&[(0, 4, 2), size, (8, 8, 1083)][..], &everywhere].concat(),
    );

    let _files = file::hook::install(|path| {
        let kprobe = "/sys/bus/event_source/devices/kprobe";
        Some(match path.strip_prefix(kprobe).ok()?.to_str()? {
            "type" => Ok(b"6\n".to_vec()),
            "format/retprobe" => Ok(b"config:3\n".to_vec()),
            _ => return None,
        })
    });
    let name = c"vfs_read";
    let place = [(0, 4, 6), size, (56, 8, name.as_ptr() as u64), (64, 8, 4)];
    let _ = PerfEvent::kprobe(name, 4, At::Entry).unwrap();
    expect(&calls, "perf_event_open()", 80, &[&place[..], &everywhere].concat());
    let event = PerfEvent::kprobe(name, 4, At::Return).unwrap();
    expect(&calls, "perf_event_open()", 80, &[&place[..], &[(8, 8, 8)], &everywhere].concat());

    let (prog, event_fd) = (prog(), fd(&event));
    let _ = event.attach(&prog).unwrap();
    expect(&calls, "enable", 4, &[(0, 4, event_fd)]);
    calls.borrow_mut().pop();
    expect(&calls, "set_bpf", 8, &[(0, 4, event_fd), (4, 4, fd(&prog))]);
}

#[test]
fn a_host_without_uprobes_says_which_file_is_missing() {
    let (_hook, calls) = record();
    let _files = file::hook::install(|path| {
        assert_eq!(path, Path::new("/sys/bus/event_source/devices/uprobe/type"));
        Some(Err(std::io::Error::from_raw_os_error(libc::ENOENT)))
    });
    let error = PerfEvent::uprobe(c"/bin/sh", 0, At::Entry, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "read(/sys/bus/event_source/devices/uprobe/type): ENOENT: No such file or directory"
    );
    assert!(calls.borrow().is_empty());
}

#[test]
fn objects() {
    let (_hook, calls) = record();
    let kinds = [
        (ObjectKind::Prog, "PROG"),
        (ObjectKind::Map, "MAP"),
        (ObjectKind::Btf, "BTF"),
        (ObjectKind::Link, "LINK"),
    ];
    for (kind, name) in kinds {
        object::next_id(kind, 7).unwrap();
        expect(&calls, &format!("bpf(BPF_{name}_GET_NEXT_ID)"), 12, &[(0, 4, 7)]);
        object::open(kind, 7).unwrap();
        expect(&calls, &format!("bpf(BPF_{name}_GET_FD_BY_ID)"), 12, &[(0, 4, 7)]);
    }
    let prog = prog();
    let info = |size| [(0, 4, fd(&prog)), (4, 4, size), (8, 8, ADDRESS)];
    object::prog_info(prog.as_fd()).unwrap();
    expect(&calls, "bpf(BPF_OBJ_GET_INFO_BY_FD)", 16, &info(224));
    object::map_info(prog.as_fd()).unwrap();
    expect(&calls, "bpf(BPF_OBJ_GET_INFO_BY_FD)", 16, &info(80));
    object::link_info(prog.as_fd()).unwrap();
    expect(&calls, "bpf(BPF_OBJ_GET_INFO_BY_FD)", 16, &info(16));
    assert_eq!(object::missed_returns(prog.as_fd()), None);
    expect(&calls, "bpf(BPF_OBJ_GET_INFO_BY_FD)", 16, &info(64));
    let btf = LoadedBtf::from_id(7).unwrap();
    expect(&calls, "bpf(BPF_BTF_GET_FD_BY_ID)", 12, &[(0, 4, 7)]);
    object::btf_info(&btf).unwrap();
    let info = [(0, 4, fd(&btf)), (4, 4, 32), (8, 8, ADDRESS)];
    expect(&calls, "bpf(BPF_OBJ_GET_INFO_BY_FD)", 16, &info);
}
