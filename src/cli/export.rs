//! Where a run's numbers go beside the terminal: the options of that, and the doing.

use std::path::PathBuf;

use clap::Args;

use super::output_file::OutputFile;
use crate::error::Error;
use crate::export::metrics::Metrics;
use crate::export::prometheus::{Format, page};
use crate::sys::confine::Needs;

/// The title, in the help, of options that send numbers elsewhere.
const EXPORT: &str = "Export";

/// The options that send the counts since the start to a monitoring system.
#[derive(Args, Clone, Debug, Default)]
pub struct ExportOptions {
    /// After each interval write the counts since the start to FILE, as Prometheus' node_exporter reads it
    /// from its textfile folder; FILE is replaced as a whole, and its name should end with .prom
    #[arg(long, value_name = "FILE", help_heading = EXPORT)]
    pub prom_file: Option<PathBuf>,
}

impl ExportOptions {
    /// Whether anything is exported.
    pub fn is_any(&self) -> bool {
        self.prom_file.is_some()
    }

    /// Opens what the options name; None if they name nothing. Called before anything is attached.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn open(&self, tool: &'static str) -> Result<Option<Exporter>, Error> {
        let file = self.prom_file.as_deref().map(OutputFile::open).transpose()?;
        if file.as_ref().is_some_and(OutputFile::is_stdout) {
            let what = "--prom-file needs a file: stdout has the tables";
            return Err(Error::usage(what).hint("--json prints the counts on stdout"));
        }
        Ok(file.map(|file| Exporter { tool, runs: vec![], file: Some(file), failed: false }))
    }
}

/// Keeps a run's metrics, and hands them to whom the options name.
pub struct Exporter {
    tool: &'static str,
    runs: Vec<Metrics>,
    file: Option<OutputFile>,
    /// Whether the file could not be written the last time.
    failed: bool,
}

impl Exporter {
    /// What it needs once privileges are dropped.
    pub fn needs(&self) -> Needs {
        let file = self.file.as_ref();
        let capabilities = file.map_or(0, OutputFile::capabilities);
        Needs { capabilities, files: file.is_some() }
    }

    /// Begins with the metrics of a run that counts from now on.
    pub fn begin(&mut self, metrics: Metrics) {
        self.runs.push(metrics);
        self.publish();
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
        let Some(file) = &self.file else { return };
        let replaced = file.replace(page(self.runs.iter(), Format::Text).as_bytes());
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
