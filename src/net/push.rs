//! Sends requests by HTTP to one address, one after the other. It never waits: a request that the receiver does
//! not take is tried again, and given up once there is a newer one.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, SockaddrStorage, connect, socket,
};

use super::ticker::Ticker;
use crate::sys::io_text;

/// How long the receiver may take to accept a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a request is tried.
const TRIALS: u32 = 4;

/// The longest answer that is read.
const LONGEST: usize = 16 << 10;

/// Where requests go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// The address.
    pub address: SocketAddr,
    /// The path, from its first `/`.
    pub path: String,
}

/// What has become of requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pushes {
    /// Those that the receiver accepted.
    pub accepted: u64,
    /// Those that were given up.
    pub dropped: u64,
}

/// Sends requests.
pub struct Pusher {
    target: Target,
    epoll: Epoll,
    /// Ticks while a request is under way.
    ticker: Ticker,
    current: Option<Request>,
    /// The request after the current one.
    next: Option<Vec<u8>>,
    /// What has become of those that are over.
    pub pushes: Pushes,
    /// Why the last trial failed; None once a request is accepted.
    pub failure: Option<String>,
}

struct Request {
    /// Its head and its body.
    message: Vec<u8>,
    trials: u32,
    /// The connection of the present trial; None between two trials.
    stream: Option<TcpStream>,
    /// How much of the message is written, and what has come as an answer.
    written: usize,
    answer: Vec<u8>,
    /// When the trial, or the wait for the next one, ends.
    until: Instant,
}

/// Why a request was not accepted, and whether it is worth another trial.
struct Refusal {
    why: String,
    again: bool,
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Refusal {
        io::Error::from(errno).into()
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Refusal {
        Refusal { why: io_text(&error).to_string(), again: true }
    }
}

impl Pusher {
    /// Sends to this target.
    ///
    /// # Errors
    /// Out of file descriptors.
    pub fn new(target: Target) -> io::Result<Pusher> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let ticker = Ticker::new(Duration::from_millis(500))?;
        epoll.add(&ticker, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
        let (current, next, failure) = (None, None, None);
        let pushes = Pushes::default();
        Ok(Pusher { target, epoll, ticker, current, next, pushes, failure })
    }

    /// Sends a request that has all that the ones before had. If one is still under way, this one follows.
    pub fn push(&mut self, body: Vec<u8>) {
        if self.next.replace(body).is_some() {
            self.pushes.dropped += 1;
        }
        // One that waits for its next trial is out of date.
        if self.current.take_if(|request| request.stream.is_none()).is_some() {
            self.pushes.dropped += 1;
        }
        self.go_on();
    }

    /// Whether a request is under way.
    pub fn is_busy(&self) -> bool {
        self.current.is_some()
    }

    /// Does what can be done now.
    pub fn go_on(&mut self) {
        let mut events = [EpollEvent::empty(); 2];
        let _ = self.epoll.wait(&mut events, EpollTimeout::ZERO);
        self.ticker.take();
        loop {
            let next = || self.next.take().map(|body| Request::new(&self.target, &body));
            let Some(mut request) = self.current.take().or_else(next) else { break };
            match self.advance(&mut request) {
                Ok(true) => {
                    self.pushes.accepted += 1;
                    self.failure = None;
                }
                Ok(false) => {
                    self.current = Some(request);
                    break;
                }
                Err(Refusal { why, again }) => {
                    self.failure = Some(why);
                    if again && request.trials < TRIALS && self.next.is_none() {
                        request.stream = None;
                        request.until = Instant::now() + Duration::from_secs(1 << request.trials);
                        self.current = Some(request);
                        break;
                    }
                    self.pushes.dropped += 1;
                }
            }
        }
        let _ = self.keep_time();
    }

    /// Takes a request as far as that goes now; whether it is accepted.
    fn advance(&self, request: &mut Request) -> Result<bool, Refusal> {
        let late = Instant::now() >= request.until;
        let Request { message, trials, stream, written, answer, until } = request;
        let stream = match stream {
            None if !late => return Ok(false),
            None => {
                (*trials, *written, *until) = (*trials + 1, 0, Instant::now() + PATIENCE);
                answer.clear();
                let connecting = self.connect()?;
                self.epoll.add(&connecting, EpollEvent::new(EpollFlags::EPOLLOUT, 1))?;
                stream.insert(connecting)
            }
            Some(_) if late => {
                return Err(Refusal { why: "it does not answer".into(), again: true });
            }
            Some(stream) => stream,
        };
        while *written < message.len() {
            // While it is not connected, the kernel says that this would take time.
            match stream.write(&message[*written..]) {
                Ok(wrote) => *written += wrote,
                Err(error) if waits(&error) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
            if *written == message.len() {
                self.epoll.modify(&*stream, &mut EpollEvent::new(EpollFlags::EPOLLIN, 1))?;
            }
        }
        let mut bytes = [0; 2048];
        loop {
            let read = match stream.read(&mut bytes) {
                Ok(read) => read,
                Err(error) if waits(&error) => return Ok(false),
                Err(error) => return Err(error.into()),
            };
            answer.extend(&bytes[..read]);
            if let Some(judged) = judge(answer, read == 0) {
                return judged.map(|()| true);
            }
        }
    }

    /// Begins to connect, which may take the network a while.
    fn connect(&self) -> io::Result<TcpStream> {
        let (family, address) = match self.target.address {
            SocketAddr::V4(address) => (AddressFamily::Inet, SockaddrStorage::from(address)),
            SocketAddr::V6(address) => (AddressFamily::Inet6, SockaddrStorage::from(address)),
        };
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(family, SockType::Stream, flags, SockProtocol::Tcp)?;
        match connect(socket.as_raw_fd(), &address) {
            Ok(()) | Err(Errno::EINPROGRESS) => Ok(TcpStream::from(socket)),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Lets the timer tick while a request is under way.
    fn keep_time(&mut self) -> io::Result<()> {
        self.ticker.keep(self.is_busy())
    }
}

impl AsFd for Pusher {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}

impl Request {
    fn new(target: &Target, body: &[u8]) -> Request {
        let Target { address, path } = target;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: rawbpf/{}\r\n\
             Content-Type: application/x-protobuf\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n",
            env!("CARGO_PKG_VERSION"),
            body.len()
        );
        Request {
            message: [head.as_bytes(), body].concat(),
            trials: 0,
            stream: None,
            written: 0,
            answer: vec![],
            until: Instant::now(),
        }
    }
}

fn waits(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// What an answer means, once it is whole: OTLP says which statuses are worth another trial.
fn judge(answer: &[u8], ended: bool) -> Option<Result<(), Refusal>> {
    let refusal = |why: String, again| Some(Err(Refusal { why, again }));
    if answer.len() > LONGEST {
        return refusal("its answer is too long".into(), false);
    }
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let Some(end) = end else {
        return if ended { refusal("its answer is not HTTP".into(), true) } else { None };
    };
    let head = String::from_utf8_lossy(&answer[..end]);
    let body = &answer[end + 4..];
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| {
        let (version, rest) = line.split_once(' ')?;
        let status: u16 = rest.get(..3)?.parse().ok()?;
        version.starts_with("HTTP/1.").then_some(status)
    });
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok())?
    });
    if !ended && length.is_some_and(|length| body.len() < length) {
        return None;
    }
    match status {
        Some(200..=299) => match refused_points(body) {
            0 => Some(Ok(())),
            refused => refusal(format!("it refuses {refused} data points"), false),
        },
        Some(status @ (429 | 502 | 503 | 504)) => refusal(format!("it answers {status}"), true),
        Some(404) => refusal("it answers 404: is this the path of its metrics?".into(), false),
        Some(status) => refusal(format!("it answers {status}"), false),
        None => refusal("its answer is not HTTP".into(), true),
    }
}

/// How many data points an `ExportMetricsServiceResponse` says are refused: field 1 of a message that is field 1.
fn refused_points(body: &[u8]) -> u64 {
    match body {
        [0x0a, _, 0x08, number @ ..] => {
            let mut value = 0;
            for (index, byte) in number.iter().take(9).enumerate() {
                value |= u64::from(byte & 0x7f) << (7 * index);
                if byte & 0x80 == 0 {
                    break;
                }
            }
            value
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(answer: &str, ended: bool) -> Option<Result<(), (String, bool)>> {
        judge(answer.as_bytes(), ended).map(|it| it.map_err(|refusal| (refusal.why, refusal.again)))
    }

    #[test]
    fn an_answer_is_taken_for_what_it_says() {
        assert_eq!(judged("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{", false), None);
        assert_eq!(judged("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", false), Some(Ok(())));
        assert_eq!(judged("HTTP/1.1 200 OK\r\n\r\n", false), Some(Ok(())));
        let again = |answer: &str| judged(answer, true).unwrap().unwrap_err().1;
        assert!(again("HTTP/1.1 503 Busy\r\n\r\n") && again("nonsense") && again(""));
        assert!(!again("HTTP/1.1 400 Bad\r\n\r\n") && !again("HTTP/1.1 404 No\r\n\r\n"));
        assert!(!again("HTTP/1.1 200 OK\r\n\r\n\n\x05\x08\x07\x12\x01x"));
        assert!(again("HTTP/1.1 ab\u{e9}\r\n\r\n"));
        assert!(judge(&[b'x'; LONGEST + 1], false).is_some_and(|it| it.is_err()));
    }
}
