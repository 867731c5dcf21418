//! Exact sizes of the right process.

use std::fs::OpenOptions;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rawbpf::aggregate::KeyedCounters;
use rawbpf::host::{AttachKind, Identity, Issue, KernelTypes};
use rawbpf::programs::bitesize as program;
use rawbpf::programs::request;
use rawbpf::programs::submitter::{self, Key, Submitters, Whose};
use rawbpf::run::load_alone;
use rawbpf::sys::prog::TestRun;
use rawbpf::sys::{Map, Prog, ProgramType};
use serde_json::{Value, json};

use crate::disk::LoopDisk;
use crate::lines::{count, counted, interval, intervals, row, rows};
use crate::tool::{self, Tool};

/// A reader or writer of a disk that the tool must name.
pub struct Worker {
    pub name: &'static str,
    uid: u32,
}

impl Worker {
    /// `dd` under its name and user; the process and what it was called.
    fn dd(&self, args: &[String]) -> u32 {
        let folder = std::env::temp_dir().join(format!("rawbpf-test-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let program = folder.join(self.name);
        if !program.exists() {
            std::fs::copy("/bin/dd", &program).unwrap();
        }
        // Its group opens the disk.
        let mut child = Command::new(&program)
            .args(args)
            .uid(self.uid)
            .gid(0)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pid = child.id();
        assert!(child.wait().unwrap().success());
        pid
    }

    /// So many direct reads of so many KiB.
    pub fn read(&self, disk: &LoopDisk, kbytes: u32, count: u32) -> u32 {
        self.dd(&[
            format!("if=/dev/{}", disk.name()),
            "of=/dev/null".into(),
            "iflag=direct".into(),
            format!("bs={kbytes}k"),
            format!("count={count}"),
        ])
    }
}

pub const READER: Worker = Worker { name: "rawbpf-reader", uid: 4321 };
pub const OTHER: Worker = Worker { name: "rawbpf-other", uid: 0 };

/// Lets users of group 0 read and write the disk.
pub fn for_the_group(disk: &LoopDisk) {
    let mode = format!("chgrp 0 /dev/{0} && chmod g+rw /dev/{0}", disk.name());
    assert_eq!(tool::shell(&mode).code, Some(0));
}

/// The labels of the only row of the only interval, and its counts: least size and number.
fn only(stdout: &str) -> (Value, Vec<(u64, u64)>) {
    let line = interval(stdout);
    (row(&line)["labels"].clone(), counted(row(&line)))
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn a_reader_of_503_blocks_has_its_pid_uid_and_name() {
    let disk = LoopDisk::new();
    for_the_group(&disk);
    let tool = Tool::start("bitesize", &["-d", disk.name(), "3600", "1"]);
    let pid = READER.read(&disk, 16, 503);
    let output = tool.stop();
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(
        output.stdout,
        format!(
            "\n  PID: {pid} UID: 4321 CMD: rawbpf-reader\n     \
             kbytes          : count     distribution\n\
             \x20     16 -> 31       : 503      |************************************* |\n\n"
        )
    );
}

#[track_caller]
fn counts_exactly(kind: &str) {
    let disk = LoopDisk::new();
    for_the_group(&disk);
    let tool = Tool::start("bitesize", &["--attach", kind, "-d", disk.name(), "--json", "3600"]);
    let pid = READER.read(&disk, 64, 251);
    let output = tool.stop();
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let line = interval(&output.stdout);
    let row = row(&line);
    assert_eq!(row["labels"], json!({"pid": pid, "uid": 4321, "comm": "rawbpf-reader"}));
    assert_eq!(counted(row), [(64, 251)]);
    // In the unit of the table: kilobytes.
    assert_eq!((count(row), &row["sum"], &row["average"]), (251, &json!(251 * 64), &json!(64.0)));
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn each_kind_counts_exactly() {
    tool::with_tracefs();
    for kind in ["tp_btf", "raw_tp", "tracepoint"] {
        counts_exactly(kind);
    }
}

/// `-p`, `-c` and each key, with two readers of the same disk.
#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn filters_and_keys_tell_two_readers_apart() {
    let disk = LoopDisk::new();
    for_the_group(&disk);
    let mine = std::process::id().to_string();
    let counts = |args: &[&str]| {
        let args = [&["-d", disk.name(), "--json", "3600"], args].concat();
        let tool = Tool::start("bitesize", &args);
        READER.read(&disk, 4, 101);
        OTHER.read(&disk, 64, 53);
        OTHER.read(&disk, 64, 53);
        let named = |row: &Value| {
            let name = ["comm", "uid"].iter().find_map(|name| row["labels"].get(name));
            (name.unwrap().to_string(), count(row))
        };
        rows(&interval(&tool.stop().stdout)).iter().map(named).collect::<Vec<_>>()
    };
    let counted = |wanted: &[(&str, u64)]| {
        let wanted = wanted.iter().map(|(name, count)| (name.to_string(), *count));
        wanted.collect::<Vec<_>>()
    };
    let (reader, other) = (r#""rawbpf-reader""#, r#""rawbpf-other""#);
    // The most bytes come last, or the most requests.
    assert_eq!(counts(&["--by", "comm"]), counted(&[(reader, 101), (other, 106)]));
    assert_eq!(counts(&["--by", "uid"]), counted(&[("4321", 101), ("0", 106)]));
    assert_eq!(counts(&[]), counted(&[(reader, 101), (other, 53), (other, 53)]));
    assert_eq!(counts(&["--sort", "count"]), counted(&[(other, 53), (other, 53), (reader, 101)]));
    assert_eq!(counts(&["--by", "tid", "--top", "1"]), counted(&[(other, 53)]));
    assert_eq!(counts(&["-c", "rawbpf-reader"]), counted(&[(reader, 101)]));
    assert_eq!(counts(&["-p", &mine]), []);
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn operations_and_their_flags_are_told_apart() {
    let disk = LoopDisk::new();
    for kind in ["auto", "raw_tp"] {
        let args = ["-d", disk.name(), "--json", "-F", "--by", "comm", "--attach", kind, "3600"];
        let tool = Tool::start("bitesize", &args);
        disk.read(4, 101);
        disk.write(16, 53);
        let line = interval(&tool.stop().stdout);
        let counts = rows(&line).iter().map(|row| (row["labels"].clone(), count(row)));
        let labels = |flags: &str| json!({"comm": "dd", "flags": flags});
        let wanted = [(labels("Read, Sync"), 101), (labels("Write, Sync, Idle"), 53)];
        assert_eq!(counts.collect::<Vec<_>>(), wanted);
    }
    let refused = tool::run("bitesize", &["-F", "--attach", "tracepoint", "1", "1"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("--attach raw_tp"), "{}", refused.stderr);
}

/// A cgroup is called by its path while it is there, and by its number when it is gone.
#[test]
#[ignore = "needs root, bpf(2), cgroup2 and a loop device: run tests/run"]
fn cgroups_are_told_apart_and_called_by_their_paths() {
    let disk = LoopDisk::new();
    let mine = format!("rawbpf-test-{}", std::process::id());
    let script = format!(
        "for root in /sys/fs/cgroup /sys/fs/cgroup/unified; do          [ ! -e $root/cgroup.controllers ] || break; done;          mkdir -p $root/{mine}/stays $root/{mine}/goes; stat -c %i $root/{mine}/goes;          $RAWBPF bitesize -d {0} --json --by cgroup 3600 2>$OUT & tool=$!;          until grep -q Tracing $OUT; do sleep 0.05; done;          for work in stays:101 goes:53; do          sh -c \"echo \\$\\$ >$root/{mine}/${{work%:*}}/cgroup.procs;          exec dd if=/dev/{0} of=/dev/null iflag=direct bs=16k count=${{work#*:}} status=none\";          done; rmdir $root/{mine}/goes; kill $tool; wait $tool;          rmdir $root/{mine}/stays $root/{mine}; rm $OUT",
        disk.name()
    );
    let output = tool::shell(&script);
    let (gone, json) = output.stdout.split_once('\n').expect("two lines");
    let line = interval(json);
    let counts: Vec<_> = rows(&line).iter().map(|row| (&row["labels"], count(row))).collect();
    let [stays, gone] = [&*format!("/{mine}/stays"), gone].map(|path| json!({"cgroup": path}));
    assert_eq!(counts, [(&gone, 53), (&stays, 101)]);
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn one_process_can_be_watched() {
    let disk = LoopDisk::new();
    // A shell becomes the reader once the tool knows its number.
    let script = format!(
        "sh -c 'read go; exec dd if=/dev/{0} of=/dev/null iflag=direct bs=16k count=97' \
         2>/dev/null <$PIPE & \
         exec 9>$PIPE; $RAWBPF bitesize --json -p $! -d {0} 3600 2>$PIPE.said & tool=$!; \
         until grep -q Tracing $PIPE.said; do sleep 0.05; done; \
         dd if=/dev/{0} of=/dev/null iflag=direct bs=16k count=31 2>/dev/null; \
         echo go >&9; wait %1; kill $tool; wait $tool; rm $PIPE $PIPE.said",
        disk.name()
    );
    let pipe = std::env::temp_dir().join(format!("rawbpf-test-{}-pipe", std::process::id()));
    let make = format!("PIPE={0}; mkfifo $PIPE; {script}", pipe.display());
    let (labels, counted) = only(&tool::shell(&make).stdout);
    assert_eq!((labels["comm"].as_str(), counted), (Some("dd"), vec![(16, 97)]));
}

/// A thread of this process reads; its process is what has the PID.
#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn a_thread_counts_for_its_process_unless_threads_are_asked_for() {
    let disk = LoopDisk::new();
    let read = |args: &[&str]| {
        let args = [&["-d", disk.name(), "--json", "3600"], args].concat();
        let tool = Tool::start("bitesize", &args);
        let tid = std::thread::scope(|scope| scope.spawn(|| read_blocks(&disk, 37)).join());
        let (labels, counted) = only(&tool.stop().stdout);
        assert_eq!(labels["pid"], std::process::id());
        assert_eq!(counted, [(16, 37)]);
        (labels["tid"].clone(), tid.unwrap())
    };
    assert_eq!(read(&[]).0, Value::Null);
    let (shown, tid) = read(&["--by", "tid"]);
    assert_eq!(shown, tid);
    assert_ne!(tid, std::process::id());
}

/// So many direct reads of 16 KiB by this very thread; its number.
fn read_blocks(disk: &LoopDisk, count: u64) -> u32 {
    let device = format!("/dev/{}", disk.name());
    let file = OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(device).unwrap();
    // Memory for direct I/O begins at a block's boundary.
    let mut memory = vec![0u8; 16384 + 4096];
    let start = memory.as_ptr().align_offset(4096);
    for block in 0..count {
        file.read_exact_at(&mut memory[start..start + 16384], 16384 * block).unwrap();
    }
    nix::unistd::gettid().as_raw() as u32
}

/// Two readers, while tables come fifty times a second: what one interval does not count the next does.
#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn no_request_is_lost_or_counted_twice_between_intervals() {
    let (one, two) = (LoopDisk::new(), LoopDisk::new());
    [&one, &two].iter().for_each(|disk| for_the_group(disk));
    let tools = [&one, &two].map(|disk| {
        Tool::start("bitesize", &["-d", disk.name(), "--json", "--by", "comm", "0.02"])
    });
    std::thread::scope(|scope| {
        scope.spawn(|| READER.read(&one, 4, 20_011));
        scope.spawn(|| OTHER.read(&two, 4, 20_011));
    });
    for (tool, name) in tools.into_iter().zip([READER.name, OTHER.name]) {
        let output = tool.stop();
        let lines = intervals(&output.stdout);
        assert!(lines.len() > 3, "{}", output.stdout);
        let rows: Vec<_> = lines.iter().flat_map(rows).collect();
        assert!(rows.iter().all(|row| row["labels"] == json!({"comm": name})), "{rows:?}");
        assert_eq!(rows.into_iter().map(count).sum::<u64>(), 20_011);
    }
}

/// What does not fit is told, and nothing else is lost.
#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn what_is_beyond_max_keys_is_counted_and_told() {
    let disk = LoopDisk::new();
    for_the_group(&disk);
    let tool = Tool::start("bitesize", &["-d", disk.name(), "--max-keys", "1", "3600", "1"]);
    READER.read(&disk, 4, 41);
    OTHER.read(&disk, 4, 19);
    let output = tool.stop().stdout;
    assert!(output.contains(" 4 -> 7        : 41 "), "{output}");
    assert!(output.ends_with("\n19 more requests, beyond 1 histograms: --max-keys\n"), "{output}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn the_time_stands_above_unless_there_is_one_table() {
    let output = tool::shell(
        "TZ=UTC-3 LC_ALL=C date '+%a %b %e %H:'; TZ=UTC-3 $RAWBPF bitesize -p 1 0.05 2",
    );
    let lines: Vec<_> = output.stdout.lines().collect();
    let [date, "", first, ..] = lines[..] else { panic!("{}", output.stdout) };
    assert!(first.starts_with(date), "{first} is not {date}");
    assert_eq!(first.len(), "Sun Nov  1 14:03:59 2026".len());
    assert_eq!(
        tool::run("bitesize", &["-p", "1", "-c", "nobody", "0.05", "1"]).stdout,
        "\n(no requests of those that were asked for)\n"
    );
}

/// The programs by themselves, on more requests than there are slots: whoever issues them, all are
/// counted for the thread that submitted them last.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_request_is_known_again_whether_its_slot_was_free_or_not() {
    let types = KernelTypes::running();
    let issue = Issue::find(request::issue(AttachKind::RawTp), &types, false).unwrap();
    let submission = issue.submission.as_ref().unwrap();
    assert_eq!(submission.identity, Identity::Request);
    let (whose, by) = (Whose::default(), Some(Key::Tid));
    let submitters = Submitters { first: program::SUBMITTED, whose, by, namespace: None };
    let options = program::Options { disks: &[], submitters, by_flags: false };
    let maps = program::maps(16, &submitters);
    let maps: Vec<_> = maps.iter().map(|map| Map::create(map).unwrap()).collect();
    let load =
        |program| load_alone("bitesize", &program, &maps, ProgramType::RawTracepoint).unwrap();
    let submit = load(submitters.remember(submission, issue.task).unwrap());
    let count = load(program::count(&issue, &options).unwrap());
    // The size is read from a request: the kernel's code is as good.
    let symbols = std::fs::read_to_string("/proc/kallsyms").unwrap();
    let start = symbols.lines().find_map(|line| line.strip_suffix(" T _stext")).unwrap();
    let start = u64::from_str_radix(start, 16).unwrap();
    let requests: Vec<u64> = (0..10_007).map(|request| start + 64 * request).collect();
    let run_for_all = |program: &Prog| {
        for request in &requests {
            let ctx = request.to_ne_bytes();
            program.test_run(TestRun { ctx_in: &ctx, ..TestRun::default() }).unwrap();
        }
        nix::unistd::gettid().as_raw() as u32
    };
    let mut sizes = KeyedCounters::default();
    for _ in 0..2 {
        let submitter =
            std::thread::scope(|scope| scope.spawn(|| run_for_all(&submit)).join().unwrap());
        assert_ne!(run_for_all(&count), submitter);
        let readings = sizes.read(program::SIZES.of(&maps).unwrap()).unwrap();
        let counted: Vec<_> = readings.iter().collect();
        let [counted] = &counted[..] else { panic!("{counted:?}") };
        assert_eq!(counted.key[submitter::TID as usize..][..4], submitter.to_ne_bytes());
        assert_eq!(counted.interval[..program::BUCKETS as usize].iter().sum::<u64>(), 10_007);
    }
}
