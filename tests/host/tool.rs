//! The tool as a process.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{SIGTERM, Signal, kill};
use nix::unistd::Pid;

pub const RAWBPF: &str = env!("CARGO_BIN_EXE_rawbpf");

/// A text that the verifier refuses: a lookup may find nothing.
pub const UNCHECKED: &str = "\
.program unchecked socket_filter
.map counts hash key 4 value 8 entries 4
  *(u32 *)(r10 -4) = 0
  r2 = r10
  r2 += -4
  r1 = map[counts]
  call bpf_map_lookup_elem#1
  r1 = *(u64 *)(r0 +0)
  r0 = 0
  exit
";

/// How a process ended and what it said.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Ended {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ended {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// A running tool whose probes are live.
pub struct Tool {
    child: Child,
    stderr: BufReader<ChildStderr>,
    said: String,
}

impl Tool {
    pub fn start(name: &str, args: &[&str]) -> Tool {
        Tool::spawn(Command::new(RAWBPF).arg(name).args(args))
    }

    /// A command that becomes the tool.
    pub fn spawn(command: &mut Command) -> Tool {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !["Tracing ", "Attached ", "serve: metrics "].iter().any(|word| said.contains(word)) {
            let read = stderr.read_line(&mut said).unwrap();
            assert!(read > 0, "{command:?} ended early: {said}");
        }
        Tool { child, stderr, said }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it said on stderr until its probes were live.
    pub fn said(&self) -> &str {
        &self.said
    }

    pub fn close_stdout(&mut self) {
        drop(self.child.stdout.take());
    }

    /// Makes the pipe of its stdout as short as a pipe can be.
    pub fn shrink_stdout(&self) {
        let stdout = self.child.stdout.as_ref().unwrap().as_raw_fd();
        // SAFETY: the descriptor is open.
        assert!(unsafe { nix::libc::fcntl(stdout, nix::libc::F_SETPIPE_SZ, 4096) } > 0);
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    pub fn stop(self) -> Ended {
        self.end(SIGTERM)
    }

    pub fn end(self, signal: Signal) -> Ended {
        self.signal(signal);
        self.wait()
    }

    /// Signals it and takes its exit code without reading what it printed.
    pub fn end_unread(mut self, signal: Signal) -> Option<i32> {
        self.signal(signal);
        self.child.wait().unwrap().code()
    }

    pub fn wait(self) -> Ended {
        let Tool { child, mut stderr, mut said } = self;
        // Both at once: it may wait for room in either pipe.
        let rest = thread::spawn(move || {
            stderr.read_to_string(&mut said).unwrap();
            said
        });
        let ended = Ended::from(child.wait_with_output().unwrap());
        Ended { stderr: rest.join().unwrap(), ..ended }
    }
}

/// A tool, from start to end.
pub fn run(name: &str, args: &[&str]) -> Ended {
    Command::new(RAWBPF).arg(name).args(args).output().unwrap().into()
}

/// A file's name that nobody else has.
pub fn name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{}/rawbpf-test-{}-{number}", std::env::temp_dir().display(), std::process::id())
}

/// A file with this text.
pub fn file(text: &str) -> String {
    let name = name();
    std::fs::write(&name, text).unwrap();
    name
}

/// A shell in which `$RAWBPF` is the tool and `$OUT` a file of the script's own.
pub fn shell(script: &str) -> Ended {
    let out = name();
    let shell = &mut Command::new("sh");
    shell.args(["-c", script]).env("RAWBPF", RAWBPF).env("OUT", out).output().unwrap().into()
}

/// Mounts tracefs where nobody has. A test in another process may be about to do so.
pub fn with_tracefs() {
    let lock = std::env::temp_dir().join("rawbpf-test-tracefs.lock");
    let lock = File::create(lock).unwrap();
    lock.lock().unwrap();
    let mount = "[ -d /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing";
    assert_eq!(shell(mount).code, Some(0), "tracefs cannot be mounted");
}

#[test]
#[ignore = "needs root to mount: run tests/run"]
fn tracefs_is_mounted() {
    with_tracefs();
    assert!(Path::new("/sys/kernel/tracing/events").is_dir());
}

#[test]
#[ignore = "needs root to mount: run tests/run"]
fn many_processes_mount_tracefs_at_once() {
    let tests = std::env::current_exe().unwrap();
    let mounted = format!("{} --exact --ignored tool::tracefs_is_mounted", tests.display());
    // On a host of its own, that has none.
    let output = shell(&format!(
        "unshare -m sh -c 'umount -l /sys/kernel/tracing 2>/dev/null; \
         for i in 1 2 3 4 5 6 7 8; do {mounted} & all=\"$all $!\"; done; \
         for one in $all; do wait $one || exit 1; done'"
    ));
    assert_eq!(output.code, Some(0), "{}", output.stdout);
    assert_eq!(output.stdout.matches("test result: ok. 1 passed").count(), 8, "{}", output.stdout);
}

/// Whether it becomes true in time.
pub fn eventually(within: Duration, mut check: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < within {
        if check() {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    false
}
