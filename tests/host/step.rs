//! `rawbpf verify --step` in a pseudo-terminal: what is on the screen, what keys do, and that the
//! terminal is given back however it ends.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use nix::pty::{Winsize, openpty};
use nix::sys::signal::Signal::{self, SIGCONT, SIGTERM};
use nix::sys::signal::kill;
use nix::sys::termios::{LocalFlags, Termios, tcgetattr};
use nix::unistd::Pid;

use crate::tool::{self, UNCHECKED, eventually};

const BRANCH: &str = "\
.program branch socket_filter
  call bpf_get_prandom_u32#7
  r0 &= 7
  if r0 == 0 goto end
  r0 = 1
end:
  exit
";

/// A terminal with the tool in it.
pub struct Stepping {
    child: Child,
    terminal: OwnedFd,
    keys: File,
    said: Arc<Mutex<Vec<u8>>>,
    /// How the terminal was.
    before: Termios,
    file: String,
}

impl Stepping {
    /// Runs a shell command on a terminal of 100 columns and 30 lines, in which `$RAWBPF` is the tool
    /// and `$FILE` has this text.
    pub fn start(text: &str, command: &str) -> Stepping {
        let size = Winsize { ws_row: 30, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).unwrap();
        let slave = || Stdio::from(pty.slave.try_clone().unwrap());
        let file = tool::file(text);
        let before = tcgetattr(&pty.slave).unwrap();
        // A session of its own, of which this is the terminal.
        let child = Command::new("setsid")
            .args(["--ctty", "sh", "-c", command])
            .env("RAWBPF", tool::RAWBPF)
            .env("FILE", &file)
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .stdin(slave())
            .stdout(slave())
            .stderr(slave())
            .spawn()
            .unwrap();
        let (said, mut out) = (Arc::<Mutex<Vec<u8>>>::default(), File::from(pty.master));
        let (keys, all) = (out.try_clone().unwrap(), said.clone());
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = out.read(&mut bytes) {
                all.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        Stepping { child, terminal: pty.slave, keys, said, before, file }
    }

    pub fn said(&self) -> String {
        String::from_utf8_lossy(&self.said.lock().unwrap()).into_owned()
    }

    /// What is on the screen, without its looks.
    pub fn screen(&self) -> String {
        let said = self.said();
        let last = said.rsplit("\x1b[H").next().unwrap_or_default();
        let mut text = String::new();
        let mut parts = last.split('\x1b');
        text.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let end = part.find(|c: char| c.is_ascii_alphabetic()).map_or(part.len(), |at| at + 1);
            text.push_str(&part[end..]);
        }
        text
    }

    pub fn shows(&self, text: &str) {
        let shown = eventually(Duration::from_secs(20), || self.screen().contains(text));
        assert!(shown, "{text:?} is not on the screen:\n{}", self.screen());
    }

    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Whether the terminal prints what is typed, as it did before.
    pub fn is_given_back(&self) -> bool {
        tcgetattr(&self.terminal).unwrap() == self.before
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    pub fn end(&mut self) -> ExitStatus {
        let ended =
            eventually(Duration::from_secs(20), || self.child.try_wait().unwrap().is_some());
        assert!(ended, "it does not end:\n{}", self.screen());
        let left = eventually(Duration::from_secs(5), || self.said().contains("\x1b[?1049l"));
        assert!(left, "the other screen is left");
        assert!(self.said().contains("\x1b[?25h"), "the cursor is shown again");
        assert!(self.is_given_back());
        self.child.wait().unwrap()
    }
}

impl Drop for Stepping {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.file);
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_refused_program_is_stepped_through_and_the_terminal_given_back() {
    let mut stepping = Stepping::start(UNCHECKED, "exec \"$RAWBPF\" verify --step \"$FILE\"");
    stepping.shows("unchecked socket_filter: refused");
    assert!(!tcgetattr(&stepping.terminal).unwrap().local_flags.contains(LocalFlags::ECHO));
    stepping.press("n");
    stepping.shows("instruction 0, depth 0");
    stepping.press("\x1b[B");
    stepping.shows("instruction 1, depth 0");
    stepping.press("k");
    stepping.shows("instruction 0, depth 0");
    stepping.press("!");
    stepping.shows("refused: r0 may be NULL at 6:");
    stepping.press("r0");
    stepping.shows("how r0 came about");
    stepping.shows(">*   5: (85) call bpf_map_lookup_elem#1");
    stepping.press("?");
    stepping.shows("the other side of this condition");
    stepping.press("qq");
    assert_eq!(stepping.end().code(), Some(1));
    // Why it is refused stays on the screen that was there before.
    let said = stepping.said();
    let (_, after) = said.rsplit_once("\x1b[?1049l").unwrap();
    assert!(after.contains("r0 may be NULL at 6"), "{after}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn an_accepted_program_ends_with_0_on_ctrl_c_too() {
    for key in ["q", "\x03", "\x1b"] {
        let mut stepping = Stepping::start(BRANCH, "exec \"$RAWBPF\" verify --step \"$FILE\"");
        stepping.shows("branch socket_filter: accepted");
        stepping.press("b");
        stepping.shows("> | from 2 to 4:");
        stepping.press("\r");
        stepping.shows(">    2: (15) if r0 == 0x0 goto pc+1");
        stepping.press(key);
        assert_eq!(stepping.end().code(), Some(0), "{key:?}");
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn of_a_program_from_stdin_the_keys_come_from_the_terminal() {
    let command = "\"$RAWBPF\" verify --step - < \"$FILE\"; exit $?";
    let mut stepping = Stepping::start(BRANCH, command);
    stepping.shows("branch socket_filter: accepted");
    stepping.press("n");
    stepping.shows("instruction 0, depth 0");
    stepping.press("q");
    assert_eq!(stepping.end().code(), Some(0));
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_tool_with_its_options_is_stepped_through() {
    let command = "exec \"$RAWBPF\" verify --step bitehist -- --attach raw_tp";
    let mut stepping = Stepping::start("", command);
    stepping.shows("bitehist raw_tp block_rq_issue: accepted");
    stepping.press("/a.count\r");
    stepping.shows("programs/bitehist.rs:");
    stepping.press("q");
    assert_eq!(stepping.end().code(), Some(0));
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn another_size_is_another_screen() {
    let mut stepping = Stepping::start(BRANCH, "exec \"$RAWBPF\" verify --step \"$FILE\"");
    stepping.shows("branch socket_filter: accepted");
    for (columns, lines) in [(40, 12), (20, 5), (3, 1), (200, 50)] {
        stepping.said.lock().unwrap().clear();
        let sized = Command::new("stty")
            .args(["rows", &lines.to_string(), "cols", &columns.to_string()])
            .stdin(Stdio::from(stepping.terminal.try_clone().unwrap()))
            .status();
        assert!(sized.unwrap().success());
        let fits = eventually(Duration::from_secs(10), || {
            let screen = stepping.screen();
            let widths: Vec<_> = screen.split("\r\n").map(|line| line.chars().count()).collect();
            widths == vec![columns; lines]
        });
        assert!(fits, "{columns}x{lines}: {:?}", stepping.screen());
    }
    stepping.press("q");
    assert_eq!(stepping.end().code(), Some(0));
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn killed_or_stopped_it_gives_the_terminal_back() {
    let mut stepping = Stepping::start(BRANCH, "exec \"$RAWBPF\" verify --step \"$FILE\"");
    stepping.shows("branch socket_filter: accepted");
    // Ctrl-Z.
    stepping.press("\x1a");
    let stat = format!("/proc/{}/stat", stepping.child.id());
    let stopped = || std::fs::read_to_string(&stat).unwrap().contains(") T ");
    assert!(eventually(Duration::from_secs(10), stopped));
    assert!(stepping.is_given_back());
    let left = || stepping.said().ends_with("\x1b[?1049l");
    assert!(eventually(Duration::from_secs(10), left), "{:?}", stepping.said());
    stepping.said.lock().unwrap().clear();
    stepping.signal(SIGCONT);
    stepping.shows("branch socket_filter: accepted");
    assert!(!stepping.is_given_back());
    stepping.press("n");
    stepping.shows("instruction 0, depth 0");
    stepping.signal(SIGTERM);
    assert_eq!(stepping.end().signal(), Some(SIGTERM as i32));
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn without_colours_there_are_none() {
    let command = "NO_COLOR=1 exec \"$RAWBPF\" verify --step \"$FILE\"";
    let mut stepping = Stepping::start(UNCHECKED, command);
    stepping.shows("unchecked socket_filter: refused");
    stepping.press("!r0i");
    stepping.shows("Up and Down scroll");
    let said = stepping.said();
    for colour in ["\x1b[1;31m", "\x1b[32m", "\x1b[35m", "\x1b[36m"] {
        assert!(!said.contains(colour), "{said:?}");
    }
    stepping.press("qq");
    assert_eq!(stepping.end().code(), Some(1));
}
