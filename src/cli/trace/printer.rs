//! What a script prints, in one of three forms.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::OwnedFd;

use super::options::{Form, Options};
use crate::cli::export::Exporter;
use crate::cli::recording::Recording;
use crate::cli::streams::Stdout;
use crate::error::Error;
use crate::export::metrics::Metrics;
use crate::export::script as lines;
use crate::record;
use crate::sample::{Datum, LostKind, ScriptMap};
use crate::script::lower::{Warning, WarningKind};
use crate::sys::confine::Needs;
use crate::sys::{SysError, io_text};
use crate::tools::{describe, now};
use crate::trace::{Attached, Output, Totals};
use crate::view::dump::Format;
use crate::view::script::{json, text};

/// Writes what a script prints.
pub struct Printer<'a> {
    script: &'a str,
    form: Form,
    options: &'a Options,
    pending: Vec<u8>,
    writer: Box<dyn Write>,
    exporter: Option<Exporter>,
    recording: Option<Recording>,
    /// What was recorded so far.
    recorded: Option<record::script::Totals>,
    /// Why the recording ended before the run.
    unrecorded: Option<Error>,
}

impl<'a> Printer<'a> {
    /// For the script of this name.
    ///
    /// # Errors
    /// The output's file cannot be made, nor that of an export.
    pub fn new(
        script: &'a str,
        options: &'a Options,
        recording: Option<Recording>,
    ) -> Result<Printer<'a>, Error> {
        let exporter = options.export.open("trace")?;
        let writer: Box<dyn Write> = match options.output_file() {
            Some(path) => Box::new(File::create(path).map_err(|error| {
                Error::usage(format!(
                    "{}: it cannot be written: {}",
                    path.display(),
                    io_text(&error)
                ))
            })?),
            None => Box::new(Stdout::of(Format::Raw)),
        };
        let (form, pending) = (options.form(), vec![]);
        Ok(Printer {
            script,
            form,
            options,
            pending,
            writer,
            exporter,
            recording,
            recorded: None,
            unrecorded: None,
        })
    }

    fn put(
        &mut self,
        text: impl FnOnce() -> Vec<u8>,
        json: impl FnOnce() -> String,
        line: impl FnOnce() -> String,
    ) {
        match self.form {
            Form::Text => self.pending.extend(text()),
            Form::Json => self.pending.extend(json().bytes()),
            Form::Lines => {
                self.pending.extend(line().bytes());
                self.pending.push(b'\n');
            }
        }
    }

    /// Puts a line before all others.
    fn put_first(&mut self, mut line: String) {
        if !line.ends_with('\n') {
            line.push('\n');
        }
        self.pending.splice(0..0, line.bytes());
    }
}

impl Output for Printer<'_> {
    fn attached(&mut self, Attached { probes, memory, places }: Attached) -> Result<(), Error> {
        if self.options.verbose {
            say!("trace: kernel memory of the maps: at most {memory}");
        }
        let options = vec![
            ("script", self.script.to_owned().into()),
            ("pid", self.options.pid.into()),
            ("command", self.options.command.clone().into()),
        ];
        let mut run = describe("trace", now()?, options);
        run.attached = places;
        if let Some(exporter) = &mut self.exporter {
            exporter.begin(Metrics::new(run.clone()));
        }
        if let Some(recording) = &mut self.recording {
            self.recorded = Some(record::script::Totals::new(run.start));
            recording.begin(run.clone())?;
        }
        match self.form {
            Form::Lines => self.put_first(crate::export::json::run(&run)),
            _ if self.options.quiet => {}
            Form::Text => say!("Attached {probes} probe{}", if probes == 1 { "" } else { "s" }),
            Form::Json => self.put_first(json::attached(probes)),
        }
        Ok(())
    }

    fn text(&mut self, kind: &str, text: &[u8]) {
        self.put(|| text.to_vec(), || json::text(kind, text), || lines::text(kind, text));
    }

    fn value(&mut self, value: &Datum) {
        let line = || {
            let mut line = text::value(value);
            line.push(b'\n');
            line
        };
        self.put(line, || json::value(value), || lines::value(value));
    }

    fn map(&mut self, map: &ScriptMap) {
        if self.form == Form::Lines || !map.rows.is_empty() {
            self.put(|| text::map(map), || json::map(map), || lines::map(map));
        }
    }

    fn last(&mut self) {
        if let Some(exporter) = &mut self.exporter {
            exporter.finish();
        }
        if self.form == Form::Text {
            self.pending.extend(b"\n\n");
        }
    }

    fn exports(&self) -> bool {
        self.exporter.is_some() || self.recording.is_some()
    }

    fn descriptors(&self) -> io::Result<Vec<OwnedFd>> {
        self.exporter.as_ref().map_or(Ok(vec![]), Exporter::descriptors)
    }

    fn readable(&mut self) -> Result<(), Error> {
        self.exporter.as_mut().map_or(Ok(()), Exporter::ready)
    }

    fn totals(&mut self, Totals { maps, lost, beyond, missed }: Totals) {
        if let (Some(recording), Some(recorded), Ok(now)) =
            (&mut self.recording, &mut self.recorded, now())
        {
            let sample = recorded.sample(&maps, [beyond, lost, missed], now);
            if let Err(error) = recording.add(&sample) {
                self.unrecorded.get_or_insert(error);
            }
        }
        if let Some(exporter) = &mut self.exporter {
            exporter.update(|metrics| {
                metrics.add_maps(maps);
                metrics.set_lost(LostKind::BeyondMaxKeys.name(), beyond);
                metrics.set_lost(LostKind::MissedEvents.name(), missed);
                metrics.set_lost("unread", lost);
            });
        }
    }

    fn needs(&self) -> Needs {
        let exporter = self.exporter.as_ref().map(Exporter::needs).unwrap_or_default();
        exporter | self.recording.as_ref().map(Recording::needs).unwrap_or_default()
    }

    fn message(&mut self, kind: &str, [line, column, end]: [u32; 3], text: &[u8]) {
        let text = String::from_utf8_lossy(text);
        match self.form {
            Form::Text => {
                let word = if kind == "errorf" { "ERROR" } else { "WARNING" };
                say!("{}:{line}:{column}-{end}: {word}: {text}", self.script);
            }
            Form::Json => {
                self.pending.extend(json::message(kind, &text, self.script, line, column).bytes());
            }
            Form::Lines => {
                self.put(Vec::new, String::new, || {
                    lines::warning(&text, self.script, [line, column, end])
                });
            }
        }
    }

    fn warning(&mut self, warning: &Warning) {
        if self.options.no_warnings {
            return;
        }
        let Warning { line, column, end, what } = warning;
        let text = match what {
            WarningKind::MapFull(_) => {
                "the map is full, and this element is not stored; try: a larger \
                 max_map_keys, or let @NAME = lruhash(N)"
                    .into()
            }
            WarningKind::DivisionByZero => "a division by zero gave 1".into(),
            WarningKind::LoopTooLong(turns) => format!("a loop was left after {turns} turns"),
        };
        match self.form {
            Form::Text => say!("{}:{line}:{column}-{end}: WARNING: {text}", self.script),
            Form::Json => {
                let json = match what {
                    WarningKind::MapFull(_) => json::helper_error(self.script, *line, *column),
                    WarningKind::DivisionByZero => {
                        json::division_by_zero(self.script, *line, *column)
                    }
                    WarningKind::LoopTooLong(_) => {
                        json::runtime_error(&text, self.script, *line, *column)
                    }
                };
                self.pending.extend(json.bytes());
            }
            Form::Lines => {
                self.put(Vec::new, String::new, || {
                    lines::warning(&text, self.script, [*line, *column, *end])
                });
            }
        }
    }

    fn unconfined(&mut self, why: &SysError) {
        if self.options.verbose {
            say!("trace: privileges cannot be dropped: {why}");
        }
    }

    fn lost(&mut self, events: u64) {
        match self.form {
            Form::Text => say!("Lost {events} events"),
            _ => self.put(Vec::new, || json::lost(events), || lines::lost(events)),
        }
    }

    fn beyond(&mut self, map: &str, elements: u64) {
        match self.form {
            Form::Lines => self.put(Vec::new, String::new, || lines::beyond(map, elements)),
            _ if self.options.no_warnings => {}
            _ => say!("WARNING: @{map} was full: {elements} elements were not stored"),
        }
    }

    fn on_terminal(&self) -> bool {
        self.form == Form::Text
            && self.options.output_file().is_none()
            && io::stdout().is_terminal()
    }

    fn flush(&mut self) -> Result<(), Error> {
        if let Some(error) = self.unrecorded.take() {
            return Err(error);
        }
        if self.pending.is_empty() {
            return Ok(());
        }
        let written = self.writer.write_all(&self.pending).and_then(|()| self.writer.flush());
        self.pending.clear();
        match written {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(Error::failed(format!("the output could not be written: {}", io_text(&error))))
            }
            _ => Ok(()),
        }
    }
}
