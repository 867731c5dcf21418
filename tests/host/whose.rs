//! Only the right tasks' requests, in each block tool: exact counts.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::bitesize::{OTHER, READER, for_the_group};
use crate::disk::{LoopDisk, with_all_ends};
use crate::lines::{count, interval, lost, row_of, rows};
use crate::tool::{self, Tool};

/// Each tool by each way to attach that works here.
const RUNS: [(&str, &str); 9] = [
    ("bitehist", "tp_btf"),
    ("bitehist", "raw_tp"),
    ("bitehist", "tracepoint"),
    ("bitesize", "tp_btf"),
    ("bitesize", "raw_tp"),
    ("biolatency", "tp_btf"),
    ("biolatency", "raw_tp"),
    ("bioheat", "tp_btf"),
    ("bioheat", "raw_tp"),
];

fn total(line: &Value) -> u64 {
    rows(line).iter().map(count).sum()
}

/// What each tool counts with these options while `work` goes on, of which `wanted` are theirs. A latency
/// whose end the kernel hides is not counted.
#[track_caller]
fn each_counts(options: &[&str], wanted: u64, work: impl Fn(&LoopDisk)) {
    tool::with_tracefs();
    for (name, kind) in RUNS {
        with_all_ends(|disk| {
            for_the_group(disk);
            let args = [&["-d", disk.name(), "--attach", kind, "--json"], options, &["3600"]];
            let tool = Tool::start(name, &args.concat());
            work(disk);
            let line = interval(&tool.stop().stdout);
            // Others' requests have no start, which is no loss.
            assert_eq!(lost(&line, "no_start"), 0, "{line}");
            let counted = total(&line);
            assert!(counted <= wanted, "{name} {kind}: {line}");
            wanted - counted
        });
    }
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn each_tool_counts_the_requests_of_one_name() {
    each_counts(&["-c", READER.name], 101, |disk| {
        READER.read(disk, 4, 101);
        OTHER.read(disk, 64, 53);
    });
}

/// A shell that becomes `dd` when it is told to.
struct Waiting(Child);

impl Waiting {
    fn new() -> Waiting {
        let script = "read args && exec dd of=/dev/null iflag=direct bs=4k status=none $args";
        let mut shell = Command::new("sh");
        Waiting(shell.args(["-c", script]).stdin(Stdio::piped()).spawn().unwrap())
    }

    fn read(mut self, disk: &LoopDisk, count: u32) {
        let args = format!("if=/dev/{} count={count}\n", disk.name());
        self.0.stdin.take().unwrap().write_all(args.as_bytes()).unwrap();
        assert!(self.0.wait().unwrap().success());
    }
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn each_tool_counts_the_requests_of_one_process() {
    tool::with_tracefs();
    for (name, kind) in RUNS {
        with_all_ends(|disk| {
            let reader = Waiting::new();
            let pid = reader.0.id().to_string();
            let args = ["-d", disk.name(), "--attach", kind, "--json", "-p", &pid, "3600"];
            let tool = Tool::start(name, &args);
            disk.read(4, 53);
            reader.read(disk, 97);
            97 - total(&interval(&tool.stop().stdout))
        });
    }
}

/// A control group of version 2, gone when dropped.
struct Group(PathBuf);

impl Group {
    fn new(name: &str) -> Group {
        let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new);
        let root = roots.into_iter().find(|root| root.join("cgroup.controllers").exists());
        let group = root.expect("cgroup2").join(format!("rawbpf-{name}-{}", std::process::id()));
        fs::create_dir_all(group.join("below")).unwrap();
        Group(group)
    }

    /// As the hierarchy itself calls it.
    fn name(&self) -> &str {
        self.0.file_name().unwrap().to_str().unwrap()
    }

    /// Reads blocks from within the group, or from the one below it.
    fn read(&self, below: &str, disk: &LoopDisk, count: u32) {
        let script = format!(
            "echo $$ >{}/cgroup.procs && exec dd if=/dev/{} of=/dev/null iflag=direct bs=4k count={count} \
             status=none",
            self.0.join(below).display(),
            disk.name()
        );
        assert_eq!(tool::shell(&script).code, Some(0));
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(self.0.join("below"));
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
#[ignore = "needs root, bpf(2), cgroup2 and a loop device: run tests/run"]
fn each_tool_counts_the_requests_of_a_control_group_and_those_below_it() {
    let group = Group::new("whose");
    let path = group.0.to_str().unwrap();
    for path in [path, group.name(), &format!("/{}", group.name())] {
        each_counts(&["--cgroup", path], 31 + 17, |disk| {
            group.read("", disk, 31);
            group.read("below", disk, 17);
            disk.read(4, 53);
        });
    }
}

/// By each key, with two readers of one disk.
#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn biolatency_tells_submitters_apart() {
    for (by, kind) in [("pid", "tp_btf"), ("tid", "raw_tp"), ("comm", "raw_tp"), ("uid", "tp_btf")]
    {
        with_all_ends(|disk| {
            for_the_group(disk);
            let args = ["-d", disk.name(), "--attach", kind, "--json", "-D", "--by", by, "3600"];
            let tool = Tool::start("biolatency", &args);
            let reader = READER.read(disk, 4, 101);
            let other = OTHER.read(disk, 64, 53);
            let line = &interval(&tool.stop().stdout);
            let row = |pid: u32, uid: u32, comm: &str| {
                let mut labels = match by {
                    "pid" => json!({"pid": pid, "uid": uid, "comm": comm}),
                    "tid" => json!({"pid": pid, "tid": pid, "uid": uid, "comm": comm}),
                    "comm" => json!({"comm": comm}),
                    _ => json!({"uid": uid}),
                };
                labels["disk"] = disk.name().into();
                let found = rows(line).iter().find(|row| row["labels"] == labels);
                count(found.unwrap_or_else(|| panic!("no {labels}: {line}")))
            };
            assert_eq!(rows(line).len(), 2, "{line}");
            (101 - row(reader, 4321, READER.name)) + (53 - row(other, 0, OTHER.name))
        });
    }
}

#[test]
#[ignore = "needs root, bpf(2), cgroup2 and a loop device: run tests/run"]
fn biolatency_by_cgroup_has_their_paths_and_says_what_it_cannot_show() {
    let group = Group::new("by");
    let old = fs::read_to_string("/proc/self/cgroup").unwrap();
    let old = old.lines().any(|line| !line.starts_with("0:") && !line.contains(":name="));
    with_all_ends(|disk| {
        let args = ["-d", disk.name(), "--json", "--by", "cgroup", "-F", "3600"];
        let tool = Tool::start("biolatency", &args);
        group.read("below", disk, 41);
        let output = tool.stop();
        let said = output.stderr.contains("control groups of version 1 too");
        assert_eq!(said, old, "{}", output.stderr);
        let line = interval(&output.stdout);
        41 - count(row_of(&line, "cgroup", format!("/{}/below", group.name())))
    });
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn nobody_is_a_word_and_no_empty_table() {
    let thread = std::thread::spawn(std::thread::park);
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let tasks = tasks.map(|task| task.unwrap().file_name().into_string().unwrap());
    let task = tasks.into_iter().find(|task| *task != std::process::id().to_string()).unwrap();
    let old = Path::new("/sys/fs/cgroup/memory").exists();
    for tool in ["bitehist", "bitesize", "biolatency", "bioheat"] {
        let refused = |args: &[&str], words: &str| {
            let output = tool::run(tool, &[args, &["0.1", "1"]].concat());
            assert_eq!(output.code, Some(2), "{tool} {args:?}");
            assert!(output.stderr.contains(words), "{}", output.stderr);
        };
        refused(&["-p", "4194303"], "no process 4194303");
        refused(
            &["-p", &task],
            &format!("{task} is a thread of the process {}", std::process::id()),
        );
        refused(&["--cgroup", "nowhere"], "no control group \"nowhere\"");
        refused(&["--cgroup", ""], "no control group \"\"");
        refused(&["--cgroup", "/proc"], "no control group");
        if old {
            refused(&["--cgroup", "/sys/fs/cgroup/memory"], "a control group of version 1");
        }
    }
    thread.thread().unpark();
    thread.join().unwrap();
}

/// A host that has none of version 2, where all tasks are in the root of what is not mounted.
#[test]
#[ignore = "needs root to unmount: run tests/run"]
fn without_control_groups_of_version_2_they_are_refused() {
    let script = "unshare -m sh -c 'umount -l /sys/fs/cgroup/unified 2>/dev/null || \
                  umount -R -l /sys/fs/cgroup; \
                  for args in \"bitesize --by cgroup\" \"biolatency --by cgroup\" \"bitehist --cgroup /\"; do \
                  $RAWBPF $args 0.1 1; echo $?; done'";
    let output = tool::shell(script);
    assert_eq!(output.stdout, "77\n77\n77\n", "{}", output.stderr);
    assert_eq!(output.stderr.matches("no control groups of version 2").count(), 3);
}
