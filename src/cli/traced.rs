//! The run that all tracing tools share: attach, wait, read, print.

use std::io::{self, Write};
use std::ops::ControlFlow::{Break, Continue};

use super::dump::{Dumped, dump};
use super::export::Exporter;
use super::options::TraceOptions;
use super::recording::Recording;
use super::report::{self, Bar};
use super::stop::Stop;
use super::streams::Stdout;
use super::verify::{self, Show};
use crate::error::Error;
use crate::export::json;
use crate::export::metrics::Metrics;
use crate::host::{KernelTypes, clock, refusal};
use crate::insn::Endian;
use crate::run::{Event, Events, Progress};
use crate::sample::{Run, Sample};
use crate::sys::Errno;
use crate::sys::confine::Needs;
use crate::sys::signal::StopSignal;
use crate::tools::{Running, Tool};
use crate::view::dump::Format;

/// Prints a tool's samples for people.
pub trait Output {
    /// Called before the first sample.
    fn begin(&mut self, _: &Run) {}

    /// Prints a sample, and the time of day if it was asked for.
    ///
    /// # Errors
    /// The output could not be written.
    fn print(&mut self, sample: &Sample, time: Option<&str>, out: &mut dyn Write)
    -> io::Result<()>;

    /// Keeps what is printed only at the end. Called for each sample, also if it is printed as JSON.
    fn keep(&mut self, _: &Sample) {}

    /// Whether it prints colours.
    fn has_colors(&self) -> bool {
        false
    }

    /// What [`Output::finish`] needs.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Called after the last interval, or when the output was closed.
    ///
    /// # Errors
    /// Something that is left for the end failed, such as writing a file.
    fn finish(&mut self) -> Result<(), Stop> {
        Ok(())
    }
}

/// What a run that prints nothing reports.
pub enum Counted {
    /// It counts from now on.
    Begun(Box<Metrics>),
    /// An interval is over.
    Sample(Sample),
}

/// A tool and the options of its run.
pub struct TracedTool {
    /// The tool.
    pub tool: Box<dyn Tool>,
    /// The options that all tracing tools share.
    pub options: TraceOptions,
    /// How to print it.
    pub output: Box<dyn Output>,
}

impl TracedTool {
    fn types(&self) -> Result<KernelTypes, Error> {
        KernelTypes::new(self.options.btf.as_deref())
    }

    /// Runs the tool to its last interval. What is recorded is not printed, except as JSON.
    ///
    /// # Errors
    /// It could not be attached, read, printed or recorded.
    pub fn run(self, mut recording: Option<Recording>) -> Result<(), Stop> {
        if let Some(format) = self.options.dump_insns {
            return self.dump(format);
        }
        self.options.schedule.check()?;
        let types = self.types()?;
        let TracedTool { tool, options, mut output } = self;
        let mut out = Stdout::styled(output.has_colors());
        let name = tool.name();
        let mut exporter = options.export.open(name)?;
        let signal =
            StopSignal::new().map_err(|error| refusal::descriptors(Errno::from(&error), &error))?;
        let mut bar = Bar::new(name);
        // Ctrl-C ends the wait for more programs.
        let mut progress = |Progress { done, of }| {
            bar.draw(done, of);
            if done > 0 && signal.came() { Break(()) } else { Continue(()) }
        };
        let mut running = Running::start_with(tool, &types, &mut progress)?;
        // From now on events are counted, so that what follows delays no table.
        let events = options.schedule.begin();
        report::attached(name, &options, running.session());
        running.tool().notes().iter().for_each(|note| say!("{name}: {note}"));
        let needs = exporter.as_ref().map(Exporter::needs).unwrap_or_default();
        let needs = needs | recording.as_ref().map(Recording::needs).unwrap_or_default();
        if !options.keep_privileges
            && let Err(error) = running.drop_privileges(output.needs() | needs)
            && options.verbose
        {
            say!("{name}: {error}");
        }
        let mut run = running.run();
        if let Some(exporter) = &mut exporter {
            exporter.begin(Metrics::new(run.clone()));
        }
        output.begin(&run);
        let settings = options.settings().into_iter().map(|(name, value)| (name.into(), value));
        run.options.splice(0..0, settings);
        if options.json {
            writeln!(out, "{}", json::run(&run))?;
            out.flush()?;
        }
        let is_silent = recording.is_some() && !options.json;
        if let Some(recording) = &mut recording {
            recording.begin(run)?;
        }
        report::tracing(&running.tool().what(), &options, &mut out)?;
        let events = events.until(&signal);
        let mut print = |sample: &Sample| -> Result<(), Stop> {
            output.keep(sample);
            if let Some(recording) = &mut recording {
                recording.add(sample)?;
            }
            if options.json {
                writeln!(out, "{}", json::sample(sample))?;
            } else if !is_silent {
                let time = options.timestamp.then(|| clock::time_of_day(sample.span.end.wall));
                output.print(sample, time.as_deref(), &mut out)?;
            }
            Ok(out.flush()?)
        };
        let printed = print_all(&mut running, events, exporter.as_mut(), &mut print);
        if let Some(exporter) = &mut exporter {
            exporter.finish();
        }
        output.finish()?;
        printed?;
        report::missed(name, running.session());
        running.leave();
        Ok(())
    }

    /// Runs the tool until its last interval or a signal, and prints nothing.
    ///
    /// # Errors
    /// It could not be attached or read.
    pub fn serve(self, signal: &StopSignal, report: &mut dyn FnMut(Counted)) -> Result<(), Stop> {
        self.options.schedule.check()?;
        let types = self.types()?;
        let TracedTool { tool, options, .. } = self;
        let name = tool.name();
        let mut progress = |Progress { done, .. }| {
            if done > 0 && signal.came() { Break(()) } else { Continue(()) }
        };
        let mut running = Running::start_with(tool, &types, &mut progress)?;
        drop(types);
        let mut events = options.schedule.begin().until(signal);
        report::attached(name, &options, running.session());
        if !options.keep_privileges
            && let Err(error) = running.drop_privileges(Needs::default())
        {
            say!("{name}: {error}");
        }
        report(Counted::Begun(Box::new(Metrics::new(running.run()))));
        loop {
            let event = events.wait().map_err(|error| Error::failed(error.to_string()))?;
            report(Counted::Sample(running.sample()?));
            if event == Event::Last {
                return Ok(());
            }
        }
    }

    /// Prints the tool's programs, those for the first attach kind, without loading them.
    ///
    /// # Errors
    /// The programs cannot be made, or the output could not be written.
    pub fn dump(&self, format: Format) -> Result<(), Stop> {
        let types = self.types()?;
        self.tool.prepare(&types)?;
        let groups = self.tool.groups();
        let plans =
            groups.iter().map(|group| group.first(&types)).collect::<Result<Vec<_>, _>>()?;
        let programs: Vec<_> = plans.iter().flatten().map(Dumped::from).collect();
        let mut out = Stdout::of(format);
        dump(&mut out, format, Endian::HOST, &programs, &self.tool.maps())
    }

    /// Shows how the tool's programs are verified, without attaching them.
    ///
    /// # Errors
    /// A program is refused, or no attach kind works on this host.
    pub fn verify(&self, show: &Show) -> Result<(), Stop> {
        verify::tool(&*self.tool, &self.types()?, show)
    }
}

fn print_all(
    running: &mut Running,
    events: Events<'_>,
    mut exporter: Option<&mut Exporter>,
    print: &mut dyn FnMut(&Sample) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let stdout = io::stdout();
    let exported = exporter.as_ref().map(|exporter| exporter.descriptors()).transpose();
    let exported = exported.map_err(|error| refusal::descriptors(Errno::from(&error), &error))?;
    let mut events = events.while_read(&stdout);
    for descriptor in exported.iter().flatten() {
        events.watch(descriptor);
    }
    loop {
        let event = events.wait().map_err(|error| Error::failed(error.to_string()))?;
        if let (Event::Readable(_), Some(exporter)) = (event, &mut exporter) {
            exporter.ready()?;
            continue;
        }
        if event == Event::Unread {
            return Ok(());
        }
        let sample = running.sample()?;
        if let Some(exporter) = &mut exporter {
            exporter.update(|metrics| metrics.add(&sample));
        }
        print(&sample)?;
        if event == Event::Last {
            return Ok(());
        }
    }
}
