//! Where a run's numbers go beside the terminal: the options of that, and the doing.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::output_file::OutputFile;
use crate::error::Error;
use crate::export::metrics::Metrics;
use crate::export::prometheus::{Format, page};
use crate::net::server::{Page, Server};
use crate::sys::confine::Needs;
use crate::sys::io_text;

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
}

impl ExportOptions {
    /// Whether anything is exported.
    pub fn is_any(&self) -> bool {
        self.prom_file.is_some() || self.listen.is_some()
    }

    /// Opens what the options name; None if they name nothing. Called before anything is attached.
    ///
    /// # Errors
    /// The file cannot be written, or the address not be listened at.
    pub fn open(&self, tool: &'static str) -> Result<Option<Exporter>, Error> {
        if !self.is_any() {
            return Ok(None);
        }
        let file = self.prom_file.as_deref().map(OutputFile::open).transpose()?;
        if file.as_ref().is_some_and(OutputFile::is_stdout) {
            let what = "--prom-file needs a file: stdout has the tables";
            return Err(Error::usage(what).hint("--json prints the counts on stdout"));
        }
        let server = self.listen.map(listen).transpose()?;
        let pages = [None, None];
        Ok(Some(Exporter { tool, runs: vec![], file, failed: false, server, pages }))
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
    server: Option<Server>,
    /// The page in both formats, once somebody has asked for it.
    pages: [Option<Arc<[u8]>>; 2],
}

impl Exporter {
    /// What it needs once privileges are dropped.
    pub fn needs(&self) -> Needs {
        let file = self.file.as_ref().map(OutputFile::needs).unwrap_or_default();
        file | Needs { listens: self.server.is_some(), ..Needs::default() }
    }

    /// What is to be watched: [`Exporter::ready`] is called once one of these is readable.
    ///
    /// # Errors
    /// Out of file descriptors.
    pub fn descriptors(&self) -> io::Result<Vec<OwnedFd>> {
        let server = self.server.iter().map(|server| server.as_fd().try_clone_to_owned());
        server.collect()
    }

    /// Does what its descriptors have become readable for.
    ///
    /// # Errors
    /// They cannot be waited for any more.
    pub fn ready(&mut self) -> Result<(), Error> {
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
        self.runs.push(metrics);
        self.publish();
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

    /// Hands out the metrics. What fails is reported once, and neither ends the run nor loses a count: the
    /// next interval has it too.
    fn publish(&mut self) {
        self.pages = [None, None];
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
