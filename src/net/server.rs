//! A server of one page by HTTP: `GET /metrics`. Whoever asks may be hostile: what it may take of memory,
//! time and connections is limited, and nothing that it sends is used but the first line and the word that
//! asks for OpenMetrics.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::ticker::Ticker;

/// The largest number of connections at once. Another one takes the place of the oldest of those that have
/// not asked yet.
const MOST: usize = 32;

/// The longest request, its headers included.
const LONGEST: usize = 8 << 10;

/// How long a client may take to ask, and then to read the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a client that has the answer may take to close its end.
const LINGER: Duration = Duration::from_secs(2);

/// How many new connections are accepted before something else has its turn.
const AT_ONCE: usize = 64;

/// What is served.
pub struct Page {
    /// The media type.
    pub content_type: &'static str,
    /// The content, which connections share.
    pub body: Arc<[u8]>,
}

/// A server that listens.
pub struct Server {
    address: SocketAddr,
    listener: TcpListener,
    /// All that is waited for: the listener, the timer and the connections.
    epoll: Epoll,
    /// Ticks while a connection may run out of time, or while the listener rests.
    ticker: Ticker,
    /// Whether new connections wait, since one could not be accepted.
    rests: bool,
    connections: [Option<Connection>; MOST],
}

/// The events of the listener and the timer; smaller numbers are those of connections.
const LISTENER: u64 = MOST as u64;
const TIMER: u64 = LISTENER + 1;

struct Connection {
    stream: TcpStream,
    state: State,
    /// When it began, and when it ends if nothing comes.
    since: Instant,
    until: Instant,
}

enum State {
    /// What came of the request.
    Asking(Vec<u8>),
    /// What is left of the answer's head, and what was written of its body.
    Answering { head: Vec<u8>, body: Arc<[u8]>, written: usize },
    /// The answer is written. What still comes is read, since a close before that would take back the answer.
    Closing,
}

impl Server {
    /// Listens at this address; port 0 is one that is free.
    ///
    /// # Errors
    /// The address is used, or is not one of this host's.
    pub fn bind(address: SocketAddr) -> io::Result<Server> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let ticker = Ticker::new(Duration::from_secs(1))?;
        epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
        epoll.add(&ticker, EpollEvent::new(EpollFlags::EPOLLIN, TIMER))?;
        let address = listener.local_addr()?;
        let connections = [const { None }; MOST];
        Ok(Server { address, listener, epoll, ticker, rests: false, connections })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Does what can be done now. `page` makes the page, as OpenMetrics if that is asked for.
    ///
    /// # Errors
    /// The descriptors cannot be waited for any more.
    pub fn serve(&mut self, page: &mut dyn FnMut(bool) -> Page) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); MOST + 2];
        let count = self.epoll.wait(&mut events, EpollTimeout::ZERO)?;
        for event in &events[..count] {
            match event.data() {
                LISTENER => self.accept()?,
                TIMER => self.tick()?,
                slot => self.go_on(slot as usize, page),
            }
        }
        self.keep_time()
    }

    fn accept(&mut self) -> io::Result<()> {
        for _ in 0..AT_ONCE {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    let slot = self.free_slot();
                    // One that cannot be served is closed.
                    if stream.set_nonblocking(true).is_ok() {
                        let event = EpollEvent::new(EpollFlags::EPOLLIN, slot as u64);
                        self.epoll.add(&stream, event)?;
                        let since = Instant::now();
                        let (state, until) = (State::Asking(vec![]), since + PATIENCE);
                        let connection = Connection { stream, state, since, until };
                        self.connections[slot] = Some(connection);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // The client has gone already.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::ConnectionAborted | ErrorKind::Interrupted
                    ) => {}
                // No descriptor or no memory is left: to try at once again would take all the time.
                Err(_) => {
                    self.epoll.delete(&self.listener)?;
                    self.rests = true;
                    break;
                }
            }
        }
        Ok(())
    }

    /// A place for a connection. If there is none, the connection that has waited longest loses its place.
    fn free_slot(&mut self) -> usize {
        if let Some(free) = self.connections.iter().position(Option::is_none) {
            return free;
        }
        let order = |connection: &Option<Connection>| {
            connection.as_ref().map(|it| (matches!(it.state, State::Answering { .. }), it.since))
        };
        let oldest = (0..MOST).min_by_key(|slot| order(&self.connections[*slot])).unwrap_or(0);
        self.connections[oldest] = None;
        oldest
    }

    /// Goes on with a connection, or ends it.
    fn go_on(&mut self, slot: usize, page: &mut dyn FnMut(bool) -> Page) {
        let Some(connection) = &mut self.connections[slot] else { return };
        let before = connection.wanted();
        let goes_on = connection.go_on(page);
        let wanted = connection.wanted();
        let mut event = EpollEvent::new(wanted, slot as u64);
        let mut waits = || self.epoll.modify(&connection.stream, &mut event).is_ok();
        if !goes_on || wanted != before && !waits() {
            // Closing it takes it out of what is waited for.
            self.connections[slot] = None;
        }
    }

    /// Ends the connections whose time is over, and lets the listener try again.
    fn tick(&mut self) -> io::Result<()> {
        self.ticker.take();
        let now = Instant::now();
        for connection in &mut self.connections {
            if connection.as_ref().is_some_and(|connection| connection.until <= now) {
                *connection = None;
            }
        }
        if std::mem::take(&mut self.rests) {
            self.epoll.add(&self.listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
        }
        Ok(())
    }

    /// Lets the timer tick once a second while somebody is connected.
    fn keep_time(&mut self) -> io::Result<()> {
        let needed = self.rests || self.connections.iter().any(Option::is_some);
        self.ticker.keep(needed)
    }
}

impl AsFd for Server {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}

impl Connection {
    /// What it waits for.
    fn wanted(&self) -> EpollFlags {
        match self.state {
            State::Answering { .. } => EpollFlags::EPOLLOUT,
            State::Asking(_) | State::Closing => EpollFlags::EPOLLIN,
        }
    }

    /// Reads or writes what can be; whether there is more to do.
    fn go_on(&mut self, page: &mut dyn FnMut(bool) -> Page) -> bool {
        match self.try_to(page) {
            Ok(goes_on) => goes_on,
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        }
    }

    fn try_to(&mut self, page: &mut dyn FnMut(bool) -> Page) -> io::Result<bool> {
        let mut bytes = [0; 2048];
        if let State::Asking(request) = &mut self.state {
            let read = self.stream.read(&mut bytes)?;
            request.extend(&bytes[..read]);
            // The end of a request may have come in two parts.
            let new = request.len().saturating_sub(read + 3);
            let Some(answer) = answer(request, new, read == 0, page) else { return Ok(read > 0) };
            self.until = Instant::now() + PATIENCE;
            self.state = answer;
        }
        if let State::Answering { head, body, written } = &mut self.state {
            while !head.is_empty() {
                let wrote = self.stream.write(head)?;
                head.drain(..wrote);
            }
            while *written < body.len() {
                *written += self.stream.write(&body[*written..])?;
            }
            self.stream.shutdown(Shutdown::Write)?;
            self.until = Instant::now() + LINGER;
            self.state = State::Closing;
        }
        Ok(self.stream.read(&mut bytes)? > 0)
    }
}

/// The answer to a request, once it is whole. `new` is where it can end at the earliest.
fn answer(
    request: &[u8],
    new: usize,
    ended: bool,
    page: &mut dyn FnMut(bool) -> Page,
) -> Option<State> {
    let has = |end: &[u8]| request[new..].windows(end.len()).any(|bytes| bytes == end);
    let whole = has(b"\r\n\r\n") || has(b"\n\n");
    if !whole && request.len() <= LONGEST {
        // Nothing is left to be answered if nothing came.
        return (ended && !request.is_empty()).then(|| refusal("400 Bad Request", "", false));
    }
    let line = request.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let [method, target, version] = words[..] else {
        return Some(refusal("400 Bad Request", "", false));
    };
    let bare = method == b"HEAD";
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    Some(match (method, path) {
        _ if !version.starts_with(b"HTTP/1.") => refusal("400 Bad Request", "", bare),
        _ if !whole => refusal("431 Request Header Fields Too Large", "", bare),
        (b"GET" | b"HEAD", b"/metrics") => {
            let open = request.to_ascii_lowercase();
            let word = b"application/openmetrics-text";
            let page = page(open.windows(word.len()).any(|bytes| bytes == word));
            let head = head("200 OK", page.content_type, page.body.len(), "");
            let body = if bare { Arc::default() } else { page.body };
            State::Answering { head, body, written: 0 }
        }
        (b"GET" | b"HEAD", _) => refusal("404 Not Found", "", bare),
        _ => refusal("405 Method Not Allowed", "Allow: GET, HEAD\r\n", bare),
    })
}

fn refusal(status: &str, more: &str, bare: bool) -> State {
    let text = format!("{status}: only GET /metrics is served\n");
    let head = head(status, "text/plain; charset=utf-8", text.len(), more);
    let body = if bare { Arc::default() } else { text.into_bytes().into() };
    State::Answering { head, body, written: 0 }
}

fn head(status: &str, content_type: &str, length: usize, more: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
         {more}Connection: close\r\n\r\n"
    )
    .into_bytes()
}
