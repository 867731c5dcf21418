//! Every request's latency, once.

use rawbpf::aggregate::Counters;
use rawbpf::aggregate::Distributions;
use rawbpf::host::{AttachKind, KernelTypes, StructRequest};
use rawbpf::insn::MapRef;
use rawbpf::programs::{biolatency as program, request};
use rawbpf::run::load_alone;
use rawbpf::sys::prog::TestRun;
use rawbpf::sys::{Map, Prog, ProgramType};

use crate::disk::{LoopDisk, with_all_ends};
use crate::lines::{count, interval, intervals, lost, nothing_lost, plausible, row, row_of, rows};
use crate::tool::{self, Tool};

/// 997 reads, each with its latency.
#[track_caller]
fn counts_exactly(options: &[&str]) {
    with_all_ends(|disk| {
        let args = [&["-d", disk.name(), "--json"], options, &["3600"]].concat();
        let tool = Tool::start("biolatency", &args);
        disk.read(4, 997);
        let output = tool.stop();
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        let line = &interval(&output.stdout);
        if options.contains(&"-D") {
            assert_eq!(row(line)["labels"]["disk"], disk.name(), "{line}");
        }
        plausible(row(line));
        let counted = count(row(line));
        if counted == 997 {
            nothing_lost(line);
        }
        997 - counted
    });
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn each_kind_counts_exactly() {
    for kind in ["auto", "tp_btf", "raw_tp"] {
        counts_exactly(&["--attach", kind]);
        counts_exactly(&["--attach", kind, "-Q"]);
    }
    tool::with_tracefs();
    counts_exactly(&["--attach", "tracepoint"]);
    counts_exactly(&["--attach", "tracepoint", "-D", "-m"]);
}

/// A tool where the kernel has no types. What it printed, while the script ran.
fn without_types(options: &str, script: &str) -> tool::Ended {
    tool::with_tracefs();
    tool::shell(&format!(
        "mkdir -p $OUT && exec unshare -m sh -c 'mount --bind $0 /sys/kernel/btf
        $RAWBPF {options} 2>$0/err & while ! grep -q Tracing $0/err && kill -0 $!; do sleep 0.02; done
        {script}
        kill $!; wait $!; code=$?; cat $0/err >&2; exit $code' $OUT"
    ))
}

/// By the places of requests in tracepoints' records. Reads are of 1 MiB, which the device gets in pieces,
/// and of 4 KiB; a flush has no place.
#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn without_types_requests_are_counted_by_their_places() {
    with_all_ends(|disk| {
        let read = format!("dd if=/dev/{} of=/dev/null iflag=direct status=none", disk.name());
        let write = format!(
            "dd if=/dev/zero of=/dev/{} bs=4k count=53 oflag=direct,dsync conv=notrunc status=none",
            disk.name()
        );
        let script = format!("{read} bs=4k count=997; {write}");
        let options = format!("biolatency -D -d {} --json 3600", disk.name());
        let output = without_types(&options, &script);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        let line = &interval(&output.stdout);
        assert!(output.stdout.contains("\"kind\":\"tracepoint\""), "{}", output.stdout);
        assert_eq!(row(line)["labels"]["disk"], disk.name());
        plausible(row(line));
        // Each write is followed by a flush, and by another one where the disk cannot write through.
        let (counted, flushes) = (count(row(line)), [2 * 53, 3 * 53]);
        let expected = flushes.map(|more| 997 + more).into_iter().find(|all| *all >= counted);
        let expected = expected.unwrap_or_else(|| panic!("{line}"));
        if counted == expected {
            nothing_lost(line);
        }
        expected - counted
    });
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn what_needs_types_says_so_where_there_are_none() {
    for (options, says) in [
        (
            "biolatency -Q 1 1",
            "-Q: a tracepoint's record does not say when a request was queued, and",
        ),
        (
            "biolatency -F 1 1",
            "-F: a tracepoint's record has no flags of the request, and this kernel",
        ),
    ] {
        let output = without_types(options, "");
        assert_eq!(output.code, Some(77), "{}", output.stderr);
        assert!(output.stderr.contains(says), "{}", output.stderr);
    }
    let output = tool::run("biolatency", &["-Q", "--attach", "tracepoint", "1", "1"]);
    assert_eq!(output.code, Some(2), "{}", output.stderr);
    assert!(output.stderr.ends_with("try: --attach raw_tp\n"), "{}", output.stderr);
}

/// Of requests that are under way at one place at a time each is measured or counted as ambiguous.
#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn requests_at_one_place_at_a_time_are_counted_as_ambiguous() {
    const READS: u64 = 5000;
    tool::with_tracefs();
    let disk = LoopDisk::new();
    let tool =
        Tool::start("biolatency", &["-d", disk.name(), "--attach", "tracepoint", "--json", "3600"]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| disk.read_one_place(READS));
        }
    });
    let output = tool.stop();
    let line = &interval(&output.stdout);
    let (counted, ambiguous) = (count(row(line)), lost(line, "ambiguous"));
    let missed = lost(line, "missed_events");
    let all = counted + ambiguous + lost(line, "no_start");
    assert!(ambiguous > 0 && all <= 4 * READS && all + missed + 20 >= 4 * READS, "{line}");
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn a_disk_is_called_by_its_name() {
    counts_exactly(&["-D"]);
    counts_exactly(&["-D", "-m", "--attach", "raw_tp"]);
}

/// Reads, writes and flushes each have their own latencies, called as the kernel calls them.
#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn operations_and_their_flags_are_told_apart() {
    let run = |options: &[&str], disk: &LoopDisk| {
        let args = [&["-d", disk.name(), "--json"], options, &["3600"]].concat();
        let tool = Tool::start("biolatency", &args);
        disk.read(4, 101);
        disk.write(4, 53);
        let output = tool.stop();
        let line = &interval(&output.stdout);
        let counts = rows(line).iter().map(|row| (row["labels"]["flags"].as_str(), count(row)));
        let counts: Vec<_> = counts.collect();
        let [(Some("Read, Sync"), read), (Some("Write, Sync, Idle"), written)] = counts[..] else {
            panic!("{line}")
        };
        if options.contains(&"-D") {
            assert!(rows(line).iter().all(|row| row["labels"]["disk"] == disk.name()), "{line}");
        }
        let missing = (101 - read) + (53 - written);
        if missing == 0 {
            nothing_lost(line);
        }
        missing
    };
    for options in [&["-F"][..], &["-F", "-D", "--attach", "raw_tp"]] {
        with_all_ends(|disk| run(options, disk));
    }
}

/// What finds no room is counted and told: with room for one histogram, none is lost without a word.
#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn what_is_beyond_the_room_is_counted_and_told() {
    with_all_ends(|disk| {
        let room = ["-F", "--max-keys", "1"];
        let args = [&["-d", disk.name(), "--json"], &room[..], &["3600"]].concat();
        let tool = Tool::start("biolatency", &args);
        disk.read(4, 101);
        disk.write(4, 53);
        let output = tool.stop();
        let line = &interval(&output.stdout);
        let beyond = lost(line, "beyond_max_keys");
        (101 - count(row_of(line, "flags", "Read, Sync"))) + (53 - beyond)
    });
}

/// By types that do not tell of slots, so that there is room for one request at a time.
#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn without_slots_what_is_beyond_the_room_is_counted_and_told() {
    let mut types = std::fs::read("/sys/kernel/btf/vmlinux").unwrap();
    let at = types.windows(16).position(|name| name == b"bpf_dynptr_kern\0").unwrap();
    types[at] = b'B';
    let file = std::env::temp_dir().join(format!("rawbpf-older-{}.btf", std::process::id()));
    std::fs::write(&file, types).unwrap();
    let btf = file.to_str().unwrap();
    with_all_ends(|disk| {
        let args = ["-d", disk.name(), "--attach", "raw_tp", "--btf", btf];
        let tool =
            Tool::start("biolatency", &[&args[..], &["--max-requests", "1", "3600"]].concat());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| disk.read(64, 503));
            }
        });
        let text = tool.stop().stdout;
        let number = |before: &str, behind: &str| {
            let line =
                text.lines().find(|line| line.contains(behind)).unwrap_or_else(|| panic!("{text}"));
            let line = line.trim_start().strip_prefix(before).unwrap();
            line.split([' ', ',']).next().unwrap().parse::<u64>().unwrap()
        };
        let beyond = number("", "more requests, beyond 1 at a time: --max-requests");
        let ends = number("", "more completions without a recorded start");
        (beyond - ends) + (4 * 503 - beyond - number("count ", ", average "))
    });
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn no_program_that_needs_the_request_gets_a_record_of_it() {
    let places = [request::issue(AttachKind::Tracepoint), request::end(AttachKind::RawTp)];
    let refused = StructRequest::find_with_cmpxchg(places, &KernelTypes::running(), false);
    let error = refused.err().unwrap();
    assert!(error.what.contains("does not identify its request"), "{error}");
}

/// The programs by themselves, on more requests than there are slots and places: each is measured or
/// counted as one without a place, and so is its end.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn what_finds_neither_slot_nor_place_is_counted_and_so_is_its_end() {
    const REQUESTS: u64 = 10_007;
    const PLACES: u64 = 100;
    let types = KernelTypes::running();
    let places = [request::issue(AttachKind::RawTp), request::end(AttachKind::RawTp)];
    let ([(_, issued), (_, completed)], by_slot) =
        StructRequest::find_with_cmpxchg(places, &types, true).unwrap();
    assert!(by_slot);
    // Fields are read from a request: the kernel's code is as good.
    let symbols = std::fs::read_to_string("/proc/kallsyms").unwrap();
    let start = symbols.lines().find_map(|line| line.strip_suffix(" T _stext")).unwrap();
    let start = u64::from_str_radix(start, 16).unwrap();
    for (by_slot, by_disk) in [(true, false), (true, true), (false, false), (false, true)] {
        let options = program::Options {
            disk_names: false,
            unit: 1000,
            queued: false,
            by_disk,
            by_flags: false,
            disks: &[],
            submitters: None,
            max_requests: PLACES as u32,
            max_keys: 16384,
        };
        let maps = program::maps(&options);
        let maps: Vec<_> = maps.iter().map(|map| Map::create(map).unwrap()).collect();
        let load = |program| {
            load_alone("biolatency", &program, &maps, ProgramType::RawTracepoint).unwrap()
        };
        let issued = load(program::issued(&issued, None, options, by_slot).unwrap());
        let completed = load(program::completed(&completed, options, by_slot).unwrap());
        // Whatever is taken for its size, all of it ends.
        let run_for_all = |program: &Prog| {
            for request in 0..REQUESTS {
                let words = [start + 64 * request, 0, u64::MAX];
                let ctx: Vec<u8> = words.into_iter().flat_map(u64::to_ne_bytes).collect();
                program.test_run(TestRun { ctx_in: &ctx, ..TestRun::default() }).unwrap();
            }
        };
        let mut latencies = Distributions::new(&options.buckets());
        let mut missed = Counters::default();
        let map = |map: MapRef| map.of(&maps).unwrap();
        let mut interval = || {
            let measured = latencies.read(map(program::LATENCIES), map(program::EPOCH)).unwrap();
            let counted = measured.iter().flat_map(|one| &one.interval.counts).sum::<u64>();
            (counted, missed.read(map(program::MISSED)).unwrap().interval)
        };
        run_for_all(&issued);
        run_for_all(&completed);
        let (counted, missed) = interval();
        let room = if by_slot { PLACES + 2048..=PLACES + 4096 } else { PLACES..=PLACES };
        assert!(room.contains(&counted), "{counted}");
        let beyond = REQUESTS - counted;
        assert_eq!(missed, [beyond, 0, beyond, 0, 0]);
        run_for_all(&issued);
        run_for_all(&issued);
        run_for_all(&completed);
        run_for_all(&completed);
        let again = [beyond + REQUESTS, counted, 2 * beyond, 0, 0];
        assert_eq!(interval(), (counted, again.to_vec()));
    }
}

/// Two processes read while histograms come fifty times a second. Some kernels run no programs while
/// process 1 does, and so hide an end that interrupts it: its start is found when the request is used
/// again, if it is.
#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn no_latency_is_lost_or_counted_twice_between_intervals() {
    let (one, two) = (LoopDisk::new(), LoopDisk::new());
    let tools =
        [&one, &two].map(|disk| Tool::start("biolatency", &["-d", disk.name(), "--json", "0.02"]));
    std::thread::scope(|scope| {
        scope.spawn(|| one.read(4, 20_011));
        scope.spawn(|| two.read(4, 20_011));
    });
    for tool in tools {
        let lines = intervals(&tool.stop().stdout);
        assert!(lines.len() > 3, "{lines:?}");
        let counted = lines.iter().map(row).filter(|row| count(row) > 0);
        let counted: u64 = counted.inspect(|row| plausible(row)).map(count).sum();
        let without_end: u64 = lines.iter().map(|line| lost(line, "reissued")).sum();
        assert!((20_009..=20_011).contains(&(counted + without_end)), "{counted}, {without_end}");
        assert!(without_end < 20, "{without_end}");
    }
}

/// A flush ends once for the disk and once for who asked for it.
#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn flushes_have_sensible_latencies_and_none_is_said_to_lack_a_start() {
    let disk = LoopDisk::new();
    let tool = Tool::start("biolatency", &["-d", disk.name(), "--json", "3600"]);
    let write = "dd if=/dev/zero bs=4k count=53 oflag=direct,dsync conv=notrunc status=none";
    let written = tool::shell(&format!("{write} of=/dev/{}", disk.name()));
    assert_eq!(written.code, Some(0), "{}", written.stderr);
    let output = tool.stop();
    let line = &interval(&output.stdout);
    plausible(row(line));
    assert!(count(row(line)) >= 2 * 53, "{line}");
    assert_eq!(lost(line, "no_start"), 0, "{line}");
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn people_read_the_numbers_under_the_histogram() {
    with_all_ends(|disk| {
        let tool = Tool::start("biolatency", &["-d", disk.name(), "3600"]);
        disk.read(16, 101);
        let text = tool.stop().stdout;
        assert!(text.starts_with("\n     usecs           : count     distribution\n"), "{text}");
        let mut lines = text.lines().skip_while(|line| !line.starts_with("     count "));
        let [numbers, percentiles] = [lines.next().unwrap(), lines.next().unwrap()];
        assert!(numbers.contains(", min ") && percentiles.contains(", p99 < "), "{text}");
        assert_eq!(lines.next().filter(|more| !more.contains("issued again")), None, "{text}");
        let count = numbers.trim_start_matches("     count ").split(',').next().unwrap();
        101 - count.parse::<u64>().unwrap()
    });
}

#[test]
#[ignore = "needs root to hide BTF: run tests/run"]
fn without_btf_it_says_what_is_missing_and_dumps_all_the_same() {
    let hide = "mount -t tmpfs none /sys/kernel/btf; ";
    let run = "$RAWBPF biolatency --attach raw_tp 1 1; echo $?; $RAWBPF biolatency --attach raw_tp --dump-insns";
    let output = tool::shell(&format!("unshare -m sh -c '{hide} {run}'"));
    assert!(output.stderr.contains("no BTF") && output.stderr.contains("--btf FILE"));
    assert!(output.stdout.starts_with("77\n"), "{}", output.stdout);
    assert!(output.stdout.contains("offsetof(struct request, __data_len)"), "{}", output.stdout);
}
