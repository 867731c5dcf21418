//! Disks as users name them: each form means the same disk, and what is none is refused by its name.

use std::fs::{File, metadata};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::Command;

use nix::libc;

use crate::disk::LoopDisk;
use crate::lines::{count, counted, interval, row, row_of, rows};
use crate::tool::{self, Tool};

/// What these options count of 211 reads of `one`, 101 of `two` and 53 of `three`.
#[track_caller]
fn reads(options: &[&str], [one, two, three]: &[LoopDisk; 3]) -> u64 {
    let tool = Tool::start("bitehist", &[options, &["--json", "3600"]].concat());
    one.read(4, 211);
    two.read(4, 101);
    three.read(4, 53);
    let output = tool.stop();
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    counted(row(&interval(&output.stdout))).iter().map(|(_, count)| count).sum()
}

#[test]
#[ignore = "needs root, bpf(2) and loop devices: run tests/run"]
fn a_disk_is_meant_by_its_node_its_link_its_number_and_a_pattern() {
    tool::with_tracefs();
    let disks = [LoopDisk::new(), LoopDisk::new(), LoopDisk::new()];
    let [one, two, _] = &disks;
    let device = format!("/dev/{}", one.name());
    let rdev = metadata(&device).unwrap().rdev();
    let number = format!("{}:{}", libc::major(rdev), libc::minor(rdev));
    // A comma in a name does not make it two, and a node may have any name.
    let (link, node) = (tool::file("") + ",link", tool::file("") + ",node");
    symlink(&device, &link).unwrap();
    let numbers = [libc::major(rdev), libc::minor(rdev)].map(|number| number.to_string());
    let made = Command::new("mknod").args([&node, "b"]).args(numbers).status().unwrap();
    assert!(made.success());
    for word in [one.name(), &device, &link, &node, &number] {
        assert_eq!(reads(&["-d", word], &disks), 211, "{word}");
    }
    let list = format!("{},/dev/{}", one.name(), two.name());
    let (first, last) = one.name().split_at(one.name().len() - 1);
    let pattern = format!("{first}[{last}],{}", two.name());
    let nodes = format!("/dev/{first}[{last}]");
    for kind in ["tp_btf", "raw_tp", "tracepoint"] {
        let kind = ["--attach", kind];
        assert_eq!(reads(&[&kind[..], &["-d", &list]].concat(), &disks), 312);
        assert_eq!(reads(&[&kind[..], &["-d", &number, "-d", &link]].concat(), &disks), 211);
    }
    assert_eq!(reads(&["-d", one.name(), "-d", two.name()], &disks), 312);
    assert_eq!(reads(&["-d", &pattern], &disks), 312);
    assert_eq!(reads(&["-d", &nodes, "-d", two.name(), "-d", one.name()], &disks), 312);
}

/// Each of the other tools with two disks of three.
#[test]
#[ignore = "needs root, bpf(2) and loop devices: run tests/run"]
fn every_tool_takes_several_disks() {
    let [one, two, three] = [LoopDisk::new(), LoopDisk::new(), LoopDisk::new()];
    let list = format!("{},{}", one.name(), two.name());
    let start = |name, options: &[&str]| {
        Tool::start(name, &[&["-d", &list, "--json"], options, &["3600"]].concat())
    };
    let tools = [
        start("biolatency", &["-D"]),
        start("biolatency", &["-D", "-F", "--attach", "raw_tp"]),
        start("biolatency", &[]),
        start("bioheat", &[]),
        start("bitesize", &["--by", "comm"]),
    ];
    one.read(4, 211);
    two.read(4, 101);
    three.read(4, 53);
    for (number, tool) in tools.into_iter().enumerate() {
        let output = tool.stop();
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        let run: serde_json::Value =
            serde_json::from_str(output.stdout.lines().next().unwrap()).unwrap();
        assert_eq!(run["options"]["disk"], list);
        let line = interval(&output.stdout);
        // Some kernels hide an end that interrupts process 1.
        let sum: u64 = rows(&line).iter().map(count).sum();
        assert!((302..=312).contains(&sum), "{number}: {line}");
        if number < 2 {
            let [one, two] = [&one, &two].map(|disk| count(row_of(&line, "disk", disk.name())));
            assert!((201..=211).contains(&one) && (91..=101).contains(&two), "{line}");
        }
    }
}

/// An idle disk is no reason to doubt the tool: other disks have requests, as the kernel says.
#[test]
#[ignore = "needs root, bpf(2) and loop devices: run tests/run"]
fn an_idle_interval_names_the_disks_that_had_requests() {
    let (idle, busy) = (LoopDisk::new(), LoopDisk::new());
    for (name, head) in [("bitehist", "\n"), ("biolatency", "\n"), ("bitesize", "\n")] {
        let tool = Tool::start(name, &["-d", idle.name(), "3600", "1"]);
        busy.read(4, 1);
        let text = tool.stop().stdout;
        let begin = format!("{head}(no requests; other disks had some since the start: ");
        let others = text.strip_prefix(&begin).unwrap_or_else(|| panic!("{name}: {text:?}"));
        let others: Vec<_> = others.trim_end().trim_end_matches(')').split(", ").collect();
        assert!(others.contains(&busy.name()) && !others.contains(&idle.name()), "{text}");
    }
    let nobody = ["-p", "1", "syscalls:sys_enter_swapon", "0.05", "1"];
    tool::with_tracefs();
    assert_eq!(tool::run("funccount", &nobody).stdout, "\n(no calls)\n");
    let json = tool::run("bitehist", &["-d", idle.name(), "--json", "0.05", "1"]).stdout;
    assert_eq!(count(row(&interval(&json))), 0);
    assert!(!json.contains("no requests"), "{json}");
}

/// A list with a mistake names the part that is wrong.
#[test]
#[ignore = "needs root and loop devices: run tests/run"]
fn a_wrong_name_among_several_is_the_one_that_is_named() {
    let disk = LoopDisk::new();
    let text = tool::file("");
    let good = disk.name();
    let misspelt = good.replace("oo", "o");
    for (word, what, hint) in [
        (format!("{good},nosuch"), "no disk \"nosuch\"".to_owned(), good),
        (misspelt.clone(), format!("no disk \"{misspelt}\""), "did you mean loop"),
        (format!("{good},nosuch*"), "no disk matches \"nosuch*\"".into(), good),
        ("4095:7".into(), "no disk \"4095:7\"".into(), good),
        (text.clone(), format!("{text} is no block device"), good),
        ("/dev/null".into(), "/dev/null is no block device".into(), good),
    ] {
        let output = tool::run("biolatency", &["-d", &word]);
        assert_eq!(output.code, Some(2), "{word}");
        assert!(output.stderr.contains(&what), "{word}: {}", output.stderr);
        assert!(output.stderr.contains(hint), "{word}: {}", output.stderr);
        assert_eq!(output.stderr.lines().count(), 2, "{}", output.stderr);
    }
}

/// A disk that is gone when the table is printed.
#[test]
#[ignore = "needs root, bpf(2) and loop devices: run tests/run"]
fn a_removed_disk_keeps_its_name() {
    let image = tool::file("");
    File::options().write(true).open(&image).unwrap().set_len(16 << 20).unwrap();
    // Of a number that nobody else asks for.
    let number = 100_000 + std::process::id() % 100_000;
    let device = format!("/dev/loop{number}");
    let losetup = |args: &[&str]| Command::new("losetup").args(args).status().unwrap().success();
    assert!(losetup(&[&device, &image]));
    let tool = Tool::start("biolatency", &["-D", "--json", "-d", &device, "3600"]);
    let read = Command::new("dd")
        .args([&format!("if={device}"), "of=/dev/null", "bs=4k", "count=31", "iflag=direct"])
        .output()
        .unwrap();
    assert!(read.status.success());
    assert!(losetup(&["--detach", &device]));
    let control = File::open("/dev/loop-control").unwrap();
    const LOOP_CTL_REMOVE: u64 = 0x4c81;
    let removed = tool::eventually(std::time::Duration::from_secs(10), || {
        // SAFETY: the descriptor is open, and the call takes a number.
        unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_REMOVE as _, number) >= 0 }
    });
    assert!(removed, "{device} stays");
    let output = tool.stop();
    let line = interval(&output.stdout);
    assert_eq!(row(&line)["labels"]["disk"], format!("loop{number}"), "{line}");
}

/// Runs the script where the host has these block devices: `dm-0`, called `top`, on `dm-1` and a disk; `dm-1`
/// on a partition of sda and on a multipath NVMe disk; and that disk's two paths.
fn with_stack(script: &str) -> tool::Ended {
    tool::shell(&format!(
        "unshare -m sh -euc '
        mount -t tmpfs tmpfs /mnt
        mkdir -p /mnt/block /mnt/dev
        node() {{ mkdir -p /mnt/dev/$1; touch /mnt/dev/$1/stat; ln -s /mnt/dev/$1 /mnt/block/${{1##*/}}; }}
        for disk in sda sdb; do node $disk; mkdir /mnt/dev/$disk/mq; done
        echo 4000:0 >/mnt/dev/sda/dev; echo 4000:16 >/mnt/dev/sdb/dev
        node sda/sda1; touch /mnt/dev/sda/sda1/partition; echo 4000:1 >/mnt/dev/sda/sda1/dev
        for disk in dm-0 dm-1 nvme0n1; do node $disk; mkdir /mnt/dev/$disk/slaves; done
        echo 4001:7 >/mnt/dev/nvme0n1/dev
        mkdir /mnt/dev/dm-0/dm; echo top >/mnt/dev/dm-0/dm/name
        touch /mnt/dev/dm-0/slaves/dm-1 /mnt/dev/dm-0/slaves/sdb
        touch /mnt/dev/dm-1/slaves/sda1 /mnt/dev/dm-1/slaves/nvme0n1
        for path in nvme0c0n1 nvme0c3n1 nvme0c0n12; do node $path; mkdir /mnt/dev/$path/mq; done
        echo \"4001 2 nvme0c0n1 1
4001 5 nvme0c3n1 1
4001 6 nvme0c0n12 1
4001 7 nvme0n1 1\" >/mnt/diskstats
        mount --bind /mnt/block /sys/class/block
        mount --bind /mnt/diskstats /proc/diskstats
        compared() {{ \"$RAWBPF\" bitehist --attach tracepoint --dump-insns -d \"$@\" | grep \"if w2\" | cut -d\" \" -f3-6; }}
        {script}'"
    ))
}

/// The requests of a multipath NVMe disk are issued to its paths, which have no nodes.
#[test]
#[ignore = "needs root to mount: run tests/run"]
fn a_multipath_disk_stands_for_its_paths() {
    tool::with_tracefs();
    let output = with_stack(
        "compared nvme0n1; echo; compared nvme0c3n1; echo; compared 4001:2; echo; compared \"nvme*\"",
    );
    assert_eq!(output.stderr, "");
    let number = |minor: u32| format!("if w2 == {:#x}\n", 4001u64 << 20 | u64::from(minor));
    let alone = |minor| number(minor).replace("==", "!=");
    let all = [number(2), number(6), number(5)].concat();
    let expected = [number(2) + &number(5), alone(5), alone(2), all].join("\n");
    assert_eq!(output.stdout, expected);
}

/// However many layers it has.
#[test]
#[ignore = "needs root to mount: run tests/run"]
fn of_a_stacked_device_the_disks_below_it_are_named() {
    for (word, what, hint) in [
        ("dm-0", "dm-0 issues no requests", "it lies on nvme0n1,sda,sdb, try: -d nvme0n1,sda,sdb"),
        ("/dev/mapper/top", "/dev/mapper/top (dm-0) issues no requests", "try: -d nvme0n1,sda,sdb"),
        ("top", "top (dm-0) issues no requests", "try: -d nvme0n1,sda,sdb"),
        ("sdb,dm-1", "dm-1 issues no requests", "it lies on nvme0n1,sda, try: -d nvme0n1,sda"),
        ("sda1", "sda1 is a partition", "try: -d sda"),
        (
            "nvme0n2",
            "no disk \"nvme0n2\"",
            "did you mean nvme0n1? the disks of this host: nvme0n1, sda, sdb",
        ),
    ] {
        let output = with_stack(&format!("\"$RAWBPF\" bitehist -d {word} --dump-insns"));
        assert_eq!(output.code, Some(2), "{word}: {}", output.stderr);
        assert!(output.stderr.contains(what), "{word}: {}", output.stderr);
        assert!(output.stderr.contains(hint), "{word}: {}", output.stderr);
    }
    let output = with_stack("compared sda,nvme0n1,sdb");
    assert_eq!(output.stdout.lines().count(), 4, "{}{}", output.stdout, output.stderr);
}
