//! A screen on the terminal, and the keys that are pressed there.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;
use std::{panic, thread};

use nix::errno::Errno;
use nix::libc::termios;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::Pid;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::low_level::emulate_default_handler;

use crate::sys::signal::Noted;
use crate::verifier::draw::stepper::{KeyPress, ScreenLine, escapes};

/// The other screen, without a cursor and without lines that go on in the next.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
const LEAVE: &[u8] = b"\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";

/// An escape sequence comes as a whole: what follows later is another key. Milliseconds.
const TOGETHER: u8 = 25;

/// The terminal while it is ours. Dropping it gives it back.
pub struct RawTerminal {
    device: Arc<Device>,
    signals: Noted,
    color: bool,
}

/// Signals that ask for the end.
const END: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];
const OTHERS: [i32; 3] = [SIGTSTP, SIGCONT, SIGWINCH];

struct Device {
    keys: File,
    screen: File,
    /// How it was.
    saved: termios,
}

/// What came from the terminal.
pub enum Pressed {
    /// These keys; none if the screen has to be drawn again.
    Keys(Vec<KeyPress>),
    /// Ctrl-C, or the terminal is gone.
    End,
}

impl RawTerminal {
    /// Takes the terminal: stdout to draw on, and for the keys stdin, or `/dev/tty` if that is not one.
    ///
    /// # Errors
    /// There is none.
    pub fn take(color: bool) -> io::Result<RawTerminal> {
        let keys: OwnedFd = match io::stdin().is_terminal() {
            true => io::stdin().as_fd().try_clone_to_owned()?,
            false => File::open("/dev/tty")?.into(),
        };
        let screen = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let saved = tcgetattr(&keys)?.into();
        let device = Arc::new(Device { keys: File::from(keys), screen, saved });
        let signals = Noted::new(&[&END[..], &OTHERS].concat())?;
        // A panic ends the process without dropping anything.
        let (told, of_panic) = (panic::take_hook(), device.clone());
        panic::set_hook(Box::new(move |info| {
            of_panic.leave();
            told(info);
        }));
        device.enter()?;
        Ok(RawTerminal { device, signals, color })
    }

    /// How many columns and lines there are.
    pub fn size(&self) -> (usize, usize) {
        let size = terminal_size::terminal_size_of(&self.device.screen);
        let size = size.filter(|(width, height)| width.0 > 0 && height.0 > 0);
        size.map_or((80, 24), |(width, height)| (width.0.into(), height.0.into()))
    }

    /// Draws the screen.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn draw(&self, lines: &[ScreenLine]) -> io::Result<()> {
        (&self.device.screen).write_all(escapes(lines, self.color).as_bytes())
    }

    /// Waits for keys, or for anything else that makes a new screen necessary, such as that it is time for
    /// one.
    ///
    /// # Errors
    /// The terminal cannot be read.
    pub fn wait(&self, until: Option<Instant>) -> io::Result<Pressed> {
        let timeout = until.map_or(PollTimeout::NONE, |until| {
            let left = until.saturating_duration_since(Instant::now());
            // A little late rather than a little early.
            PollTimeout::try_from(left.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX)
        });
        if !self.readable(timeout)? {
            self.signalled()?;
            return Ok(Pressed::Keys(vec![]));
        }
        let mut bytes = vec![];
        loop {
            let mut some = [0; 256];
            let count = match (&self.device.keys).read(&mut some) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                Err(_) | Ok(0) => return Ok(Pressed::End),
                Ok(count) => count,
            };
            bytes.extend_from_slice(&some[..count]);
            let begun = bytes.iter().rposition(|byte| *byte == 0x1b).unwrap_or(bytes.len());
            let whole = sequence(&bytes[begun..]).is_none_or(|it| it.whole);
            if whole || bytes.len() > 4096 || !self.readable(TOGETHER.into())? {
                break;
            }
        }
        if bytes.contains(&0x03) {
            return Ok(Pressed::End);
        }
        if bytes.contains(&0x1a) {
            // Whoever is in a pipe with us is stopped too.
            kill(Pid::from_raw(0), Signal::SIGTSTP)?;
        }
        Ok(Pressed::Keys(keys(&bytes)))
    }

    /// Whether a key comes before a signal does, and in time.
    fn readable(&self, timeout: PollTimeout) -> io::Result<bool> {
        loop {
            let mut fds = [
                PollFd::new(self.device.keys.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, timeout) {
                Ok(_) => return Ok(fds[0].any() == Some(true) && fds[1].any() != Some(true)),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn signalled(&self) -> io::Result<()> {
        let came = self.signals.take();
        let is = |signal: &i32| came >> signal & 1 == 1;
        if let Some(signal) = END.into_iter().find(is) {
            self.device.leave();
            return emulate_default_handler(signal);
        }
        if is(&SIGTSTP) {
            self.device.leave();
            emulate_default_handler(SIGTSTP)?;
        }
        // Somebody else may have used the terminal.
        if is(&SIGTSTP) || is(&SIGCONT) { self.device.enter() } else { Ok(()) }
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        self.device.leave();
        if !thread::panicking() {
            // The default again.
            let _ = panic::take_hook();
        }
    }
}

impl Device {
    fn enter(&self) -> io::Result<()> {
        let mut raw = Termios::from(self.saved);
        cfmakeraw(&mut raw);
        tcsetattr(&self.keys, SetArg::TCSADRAIN, &raw)?;
        (&self.screen).write_all(ENTER)
    }

    /// Gives the terminal back. If it is gone there is nothing to give.
    fn leave(&self) {
        let _ = (&self.screen).write_all(LEAVE);
        let _ = tcsetattr(&self.keys, SetArg::TCSADRAIN, &self.saved.into());
    }
}

/// The keys in what a terminal sends; what is none that we know is left out.
fn keys(bytes: &[u8]) -> Vec<KeyPress> {
    let mut keys = vec![];
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        if let Some(Sequence { key, length, .. }) = sequence(rest) {
            keys.extend(key);
            rest = &rest[length..];
            continue;
        }
        keys.extend(match first {
            b'\r' | b'\n' => Some(KeyPress::Enter),
            b'\t' => Some(KeyPress::Tab),
            0x7f | 0x08 => Some(KeyPress::Backspace),
            b' '..=b'~' => Some(KeyPress::Char(char::from(*first))),
            _ => None,
        });
        rest = &rest[1..];
    }
    keys
}

struct Sequence {
    key: Option<KeyPress>,
    length: usize,
    /// Whether it ends here.
    whole: bool,
}

/// The escape sequence that begins here, if one does.
fn sequence(bytes: &[u8]) -> Option<Sequence> {
    let [0x1b, rest @ ..] = bytes else { return None };
    let ([b'[', rest @ ..] | [b'O', rest @ ..]) = rest else {
        return Some(Sequence { key: Some(KeyPress::Escape), length: 1, whole: !rest.is_empty() });
    };
    let parameters = rest.iter().take_while(|byte| matches!(byte, b'0'..=b'?')).count();
    let Some(end) = rest.get(parameters) else {
        return Some(Sequence { key: None, length: bytes.len(), whole: false });
    };
    let key = match (end, &rest[..parameters]) {
        (b'A', _) => Some(KeyPress::Up),
        (b'B', _) => Some(KeyPress::Down),
        (b'C', _) => Some(KeyPress::Right),
        (b'D', _) => Some(KeyPress::Left),
        (b'H', _) | (b'~', b"1" | b"7") => Some(KeyPress::Home),
        (b'F', _) | (b'~', b"4" | b"8") => Some(KeyPress::End),
        (b'Z', _) => Some(KeyPress::BackTab),
        (b'~', b"5") => Some(KeyPress::PageUp),
        (b'~', b"6") => Some(KeyPress::PageDown),
        _ => None,
    };
    Some(Sequence { key, length: 2 + parameters + 1, whole: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_as_terminals_send_them() {
        let of = |bytes: &[u8]| keys(bytes);
        assert_eq!(
            of(b"n\r\t\x7f"),
            [KeyPress::Char('n'), KeyPress::Enter, KeyPress::Tab, KeyPress::Backspace]
        );
        assert_eq!(
            of(b"\x1b[A\x1bOB\x1b[C\x1bOD"),
            [KeyPress::Up, KeyPress::Down, KeyPress::Right, KeyPress::Left]
        );
        assert_eq!(
            of(b"\x1b[5~\x1b[6~\x1b[Z"),
            [KeyPress::PageUp, KeyPress::PageDown, KeyPress::BackTab]
        );
        assert_eq!(
            of(b"\x1b[H\x1b[1~\x1b[F\x1b[4~"),
            [KeyPress::Home, KeyPress::Home, KeyPress::End, KeyPress::End]
        );
        assert_eq!(of(b"\x1b"), [KeyPress::Escape]);
        assert_eq!(of(b"\x1b\x1b[A"), [KeyPress::Escape, KeyPress::Up]);
    }

    /// Function keys, a mouse, what was pasted: nothing of it is a command by accident.
    #[test]
    fn of_other_sequences_no_part_is_a_key() {
        assert_eq!(
            keys(b"\x1b[15~\x1b[1;5Px\x1b[<0;3;4Mq"),
            [KeyPress::Char('x'), KeyPress::Char('q')]
        );
        assert_eq!(keys("é\0".as_bytes()), []);
        assert_eq!(keys(b"x\x1b[1;"), [KeyPress::Char('x')]);
    }
}
