//! A host with nothing but the file and a static busybox, as containers of Alpine are: no library, no /etc, and
//! as much of /sys and /proc as somebody mounted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::disk::LoopDisk;
use crate::lines::{counted, interval, row};
use crate::tool::{self, Ended, RAWBPF, Tool};
use serde_json::Value;

/// A root, gone when dropped.
struct Root(PathBuf);

impl Root {
    fn new() -> Root {
        let root = PathBuf::from(tool::name());
        for folder in ["bin", "sys", "proc", "tmp"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        let file = std::env::var_os("RAWBPF_TEST_BINARY").unwrap_or_else(|| RAWBPF.into());
        fs::copy(file, root.join("bin/rawbpf")).unwrap();
        fs::copy(busybox(), root.join("bin/busybox")).unwrap();
        Root(root)
    }

    /// A command in the root, after `mounts` of `$R/sys` and `$R/proc` that nobody else sees.
    fn command(&self, mounts: &str, command: &[&str]) -> Command {
        let mut unshare = Command::new("unshare");
        let script = format!("R=$0; {mounts} exec chroot $R \"$@\"");
        unshare.args(["-m", "sh", "-c", &script]).arg(&self.0).args(command).env_clear();
        unshare.env("PATH", "/bin:/sbin:/usr/bin:/usr/sbin");
        unshare
    }

    fn run(&self, mounts: &str, command: &[&str]) -> Ended {
        self.command(mounts, command).output().unwrap().into()
    }

    fn start(&self, mounts: &str, command: &[&str]) -> Tool {
        Tool::spawn(&mut self.command(mounts, command))
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const SYS: &str = "mount --rbind /sys $R/sys;";
const SYS_AND_PROC: &str = "mount --rbind /sys $R/sys; mount -t proc proc $R/proc;";

/// That of the kernels' packages, unpacked once.
fn busybox() -> PathBuf {
    let cache = std::env::var_os("RAWBPF_TEST_CACHE").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| {
        Path::new(&std::env::var_os("HOME").unwrap()).join(".cache/rawbpf-tests")
    });
    let unpacked = Path::new(env!("CARGO_TARGET_TMPDIR")).join("busybox");
    let script = "[ -e \"$1/bin/busybox\" ] || dpkg-deb -x \"$0\"/busybox/amd64/*.deb \"$1\"";
    let done = Command::new("sh").args(["-c", script]).args([&cache, &unpacked]).status().unwrap();
    assert!(done.success(), "no busybox in {}: run tests/run", cache.display());
    unpacked.join("bin/busybox")
}

#[test]
#[ignore = "needs root, bpf(2), a loop device and busybox: run tests/run"]
fn tools_count_exactly_with_and_without_proc() {
    tool::with_tracefs();
    let root = Root::new();
    for mounts in [SYS, SYS_AND_PROC] {
        let disk = LoopDisk::new();
        let tool = root.start(
            mounts,
            &["/bin/rawbpf", "bitehist", "--attach", "tp_btf", "-d", disk.name(), "--json", "3600"],
        );
        disk.read(4, 997);
        disk.read(64, 251);
        let ended = tool.stop();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let line = interval(&ended.stdout);
        assert_eq!(counted(row(&line)), [(4, 997), (64, 251)]);
        // Who it was is known without /proc too.
        let run: Value = serde_json::from_str(ended.stdout.lines().next().unwrap()).unwrap();
        for name in ["host", "kernel"] {
            assert_ne!(run[name], "", "{run}");
        }

        let tool = root.start(
            mounts,
            &[
                "/bin/busybox",
                "sh",
                "-c",
                "exec rawbpf trace -e 'tracepoint:block:block_rq_issue { @[args.dev] = count(); }'",
            ],
        );
        disk.read(4, 997);
        let ended = tool.stop();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let number: u32 = disk.name().strip_prefix("loop").unwrap().parse().unwrap();
        let counted = format!("@[{}]: 997\n", 7 << 20 | number);
        assert!(ended.stdout.contains(&counted), "{}", ended.stdout);

        let verified = root.run(mounts, &["/bin/rawbpf", "verify", "bitehist"]);
        assert_eq!(verified.code, Some(0), "{}", verified.stderr);
        assert!(verified.stdout.contains("accepted"), "{}", verified.stdout);
    }
}

#[test]
#[ignore = "needs root, bpf(2) and busybox: run tests/run"]
fn what_is_not_mounted_is_named() {
    let root = Root::new();
    for tool in ["bitehist", "biolatency", "verify"] {
        let ended =
            root.run("", &["/bin/rawbpf", tool, if tool == "verify" { "bitehist" } else { "1" }]);
        assert_eq!(ended.code, Some(77), "{}", ended.stderr);
        assert!(ended.stderr.contains("/sys is not mounted\n  try: mount "), "{}", ended.stderr);
    }
    let report = root.run(SYS, &["/bin/rawbpf", "doctor", "--json"]);
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(report["kernel"]["release"]["state"], "ok", "{report}");
    let uprobe = &report["attach kinds"]["uprobe"];
    assert_eq!(uprobe["found"], "/proc is not mounted", "{uprobe}");
    assert_eq!(uprobe["remedy"], "try: mount -t proc proc /proc", "{uprobe}");
}
