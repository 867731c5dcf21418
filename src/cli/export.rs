//! Where a run's numbers go beside the terminal: the options of that, and the doing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::output_file::OutputFile;
use crate::error::Error;
use crate::export::metrics::Metrics;
use crate::export::otlp;
use crate::export::prometheus::{Format, page};
use crate::host::refusal;
use crate::net::push::{Pusher, Target};
use crate::net::server::{Page, Server};
use crate::sys::confine::Needs;
use crate::sys::{Errno, io_text};
use crate::tools::now;

/// How long the end of a run waits for a receiver to take the last counts.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// The title, in the help, of options that send numbers elsewhere.
const EXPORT: &str = "Export";

/// The options that send the counts since the start to a monitoring system.
#[derive(Args, Clone, Debug, Default)]
pub struct ExportOptions {
    /// After each interval write the counts since the start to FILE, as Prometheus' node_exporter reads it
    /// from its textfile folder; FILE is replaced as a whole, and its name should end with .prom
    #[arg(long, value_name = "FILE", help_heading = EXPORT)]
    pub prom_file: Option<PathBuf>,

    /// Serve the counts since the start, as they were at the end of the last interval, to Prometheus by HTTP
    /// at /metrics. A PORT alone is one of 127.0.0.1. Whoever reaches the address can read the counts: there
    /// is neither a password nor encryption
    #[arg(
        long,
        value_name = "[ADDR:]PORT",
        value_parser = address,
        help_heading = EXPORT
    )]
    pub listen: Option<SocketAddr>,

    /// After each interval send the counts since the start to this OTLP receiver, such as an OpenTelemetry
    /// Collector, as protobuf by HTTP; the port is 4318 if none is given, the path /v1/metrics. There is no
    /// TLS in this program: send to an agent on this host, or to a proxy that encrypts. What the receiver
    /// does not take is tried again, then given up and counted; the next request has it too
    #[arg(
        long,
        value_name = "http://ADDR[:PORT]",
        value_parser = target,
        help_heading = EXPORT
    )]
    pub otlp: Option<Target>,

    /// Export distributions in the narrow buckets that percentiles are of, 16 or 8 to a power of two, in place
    /// of powers of two: up to 975 bounds each, among which those are
    #[arg(long, help_heading = EXPORT)]
    pub narrow_buckets: bool,
}

impl ExportOptions {
    /// Whether anything is exported.
    pub fn is_any(&self) -> bool {
        self.prom_file.is_some() || self.listen.is_some() || self.otlp.is_some()
    }

    /// Opens what the options name; None if they name nothing. Called before anything is attached.
    ///
    /// # Errors
    /// The file cannot be written, or the address not be listened at.
    pub fn open(&self, tool: &'static str) -> Result<Option<Exporter>, Error> {
        if !self.is_any() {
            if self.narrow_buckets {
                return Err(Error::usage("--narrow-buckets: nothing is exported")
                    .hint("with --prom-file, --listen or --otlp"));
            }
            return Ok(None);
        }
        let file = self.prom_file.as_deref().map(OutputFile::open).transpose()?;
        if file.as_ref().is_some_and(OutputFile::is_stdout) {
            let what = "--prom-file needs a file: stdout has the tables";
            return Err(Error::usage(what).hint("--json prints the counts on stdout"));
        }
        let server = self.listen.map(listen).transpose()?;
        let pusher = self.otlp.clone().map(Pusher::new).transpose().map_err(no_descriptor)?;
        let (runs, pages) = (vec![], [None, None]);
        Ok(Some(Exporter {
            tool,
            runs,
            file,
            failed: false,
            narrow: self.narrow_buckets,
            server,
            pages,
            pusher,
            told: None,
        }))
    }
}

/// An address, or a port of this host alone.
fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    text.replace("localhost:", "127.0.0.1:").parse().map_err(|_| {
        "it must be a port, such as 9435, or a numeric address and a port, such as 10.0.0.7:9435 or \
         [::1]:9435; 0.0.0.0:9435 is all addresses of this host"
            .into()
    })
}

/// Where an OTLP receiver is.
fn target(text: &str) -> Result<Target, String> {
    let Some(rest) = text.strip_prefix("http://") else {
        return Err(match text.starts_with("https://") {
            true => "there is no TLS here: send to an agent on this host or to a proxy, by http://",
            false => "it must begin with http://",
        }
        .into());
    };
    let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = host.replace("localhost", "127.0.0.1");
    let bare = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let address = bare.map(|ip| SocketAddr::new(ip, 4318)).or_else(|_| host.parse());
    let address = address.map_err(|_| {
        "it must be a numeric address, such as http://127.0.0.1:4318 or http://[::1]:4318: names are not \
         looked up"
    })?;
    if path.chars().any(|c| c.is_ascii_control() || c == ' ') {
        return Err("its path has characters that no path has".into());
    }
    let path = if path.len() < 2 { "/v1/metrics" } else { path };
    Ok(Target { address, path: path.to_owned() })
}

fn no_descriptor(error: io::Error) -> Error {
    refusal::descriptors(Errno::from(&error), &error)
}

fn listen(address: SocketAddr) -> Result<Server, Error> {
    Server::bind(address).map_err(|error| {
        let what = format!("--listen {address}: {}", io_text(&error));
        match error.kind() {
            io::ErrorKind::AddrInUse => Error::failed(what).hint(format!(
                "another port, or see who has it: ss -ltnp 'sport = {}'",
                address.port()
            )),
            io::ErrorKind::AddrNotAvailable => {
                Error::failed(what).hint("the addresses of this host: ip address")
            }
            _ => Error::failed(what),
        }
    })
}

/// Keeps a run's metrics, and hands them to whom the options name.
pub struct Exporter {
    tool: &'static str,
    runs: Vec<Metrics>,
    file: Option<OutputFile>,
    /// Whether the file could not be written the last time.
    failed: bool,
    narrow: bool,
    server: Option<Server>,
    /// The page in both formats, once somebody has asked for it.
    pages: [Option<Arc<[u8]>>; 2],
    pusher: Option<Pusher>,
    /// What was said last of the receiver.
    told: Option<String>,
}

impl Exporter {
    /// What it needs once privileges are dropped.
    pub fn needs(&self) -> Needs {
        let file = self.file.as_ref().map(OutputFile::needs).unwrap_or_default();
        let (listens, connects) = (self.server.is_some(), self.pusher.is_some());
        file | Needs { listens, connects, ..Needs::default() }
    }

    /// What is to be watched: [`Exporter::ready`] is called once one of these is readable.
    ///
    /// # Errors
    /// Out of file descriptors.
    pub fn descriptors(&self) -> io::Result<Vec<OwnedFd>> {
        let server = self.server.iter().map(Server::as_fd);
        let all = server.chain(self.pusher.iter().map(Pusher::as_fd));
        all.map(|descriptor| descriptor.try_clone_to_owned()).collect()
    }

    /// Does what its descriptors have become readable for.
    ///
    /// # Errors
    /// They cannot be waited for any more.
    pub fn ready(&mut self) -> Result<(), Error> {
        if let Some(pusher) = &mut self.pusher {
            pusher.go_on();
            self.report();
        }
        let Exporter { server: Some(server), runs, pages, .. } = self else { return Ok(()) };
        let mut give = |open: bool| {
            let format = if open { Format::OpenMetrics } else { Format::Text };
            let page = &mut pages[usize::from(open)];
            let body = page.get_or_insert_with(|| page_bytes(runs, format));
            Page { content_type: format.content_type(), body: body.clone() }
        };
        server
            .serve(&mut give)
            .map_err(|error| Error::failed(format!("--listen cannot go on: {}", io_text(&error))))
    }

    /// Begins with the metrics of a run that counts from now on.
    pub fn begin(&mut self, metrics: Metrics) {
        self.add_run(metrics);
        self.publish();
        self.announce();
    }

    /// One run more.
    pub fn add_run(&mut self, mut metrics: Metrics) {
        metrics.narrow = self.narrow;
        self.runs.push(metrics);
    }

    /// The runs. After a change, [`Exporter::renew`] makes it show.
    pub fn runs(&mut self) -> &mut [Metrics] {
        &mut self.runs
    }

    /// Whoever asks for the page from now on gets the metrics as they are now.
    pub fn renew(&mut self) {
        self.pages = [None, None];
    }

    /// Says where the page is.
    pub fn announce(&self) {
        if let Some(server) = &self.server {
            say!("{}: metrics are at http://{}/metrics", self.tool, server.address());
        }
    }

    /// Changes the run's metrics, and hands them out.
    pub fn update(&mut self, change: impl FnOnce(&mut Metrics)) {
        if let Some(metrics) = self.runs.last_mut() {
            change(metrics);
        }
        self.publish();
    }

    /// Reports, once each time, that the receiver does not take requests, and that it does again.
    fn report(&mut self) {
        let Some(pusher) = &self.pusher else { return };
        match (&self.told, &pusher.failure) {
            (None, Some(why)) => {
                say!(
                    "{}: the OTLP receiver does not take the counts: {why}; trying again",
                    self.tool
                );
            }
            (Some(_), None) => say!("{}: the OTLP receiver takes the counts again", self.tool),
            _ => {}
        }
        self.told.clone_from(&pusher.failure);
    }

    /// Waits a while for the receiver to take the last counts.
    pub fn finish(&mut self) {
        let Some(pusher) = &mut self.pusher else { return };
        let end = Instant::now() + LAST_WAIT;
        while pusher.is_busy() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                say!("{}: the OTLP receiver has not taken the last counts", self.tool);
                break;
            }
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let _ = poll(&mut [PollFd::new(pusher.as_fd(), PollFlags::POLLIN)], timeout);
            pusher.go_on();
        }
        self.report();
    }

    /// Hands out the metrics. What fails is reported once, and neither ends the run nor loses a count: the
    /// next interval has it too.
    pub fn publish(&mut self) {
        self.renew();
        if let (Some(pusher), Some(metrics)) = (&mut self.pusher, self.runs.first_mut()) {
            metrics.set_pushes(pusher.pushes.accepted, pusher.pushes.dropped);
            let instance = format!("{}/{}", metrics.run.host, std::process::id());
            if let Ok(now) = now() {
                pusher.push(otlp::request(self.runs.iter(), now, &instance));
            }
            self.report();
        }
        let Some(file) = &self.file else { return };
        let replaced = file.replace(&page_bytes(&self.runs, Format::Text));
        let failed = replaced.is_err();
        match replaced {
            Err(error) if !self.failed => say!("{}: {error}; it is tried again", self.tool),
            Ok(()) if self.failed => {
                say!("{}: the file of --prom-file is written again", self.tool)
            }
            _ => {}
        }
        self.failed = failed;
    }
}

fn page_bytes(runs: &[Metrics], format: Format) -> Arc<[u8]> {
    page(runs.iter(), format).into_bytes().into()
}
