//! `rawbpf serve`: several tools and scripts in one process, for a monitoring system.
//!
//! Each has a thread of its own, which attaches, gives up privileges and reads; what it counts it hands to the main
//! thread, which has the files and the sockets.

mod config;
mod notify;

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use clap::Args;
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::export::{ExportOptions, Exporter};
use super::schedule::OUTPUT;
use super::stop::Stop;
use super::traced::Counted;
use super::{Command, time, trace};
use crate::error::Error;
use crate::export::metrics::Metrics;
use crate::host::refusal;
use crate::run::{Event, Events};
use crate::sample::{Datum, LostKind, ScriptMap};
use crate::script::lower::Warning;
use crate::sys::confine::{self, Needs};
use crate::sys::signal::StopSignal;
use crate::sys::{Errno, SysError};
use crate::tools::{describe, now};
use crate::trace::{Attached, Output, Totals};
use config::Line;

/// Run several tools and scripts in one process, and export what they count
///
/// FILE has a command line on each line, as after rawbpf: `biolatency -D 10`. A word with a colon before it is its
/// name, `slow: funclatency vfs_read`; # begins a comment. Nothing is printed but what scripts write; at least one of
/// --listen, --prom-file and --otlp says where the counts go. Each count has the label run, with the name. What one
/// of them fails with is a line on stderr and rawbpf_run_up 0; the others go on.
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub struct Options {
    /// The file of command lines. It is read once: privileges are given up after that
    file: PathBuf,

    /// Time between two requests to --otlp, and between two versions of --prom-file
    #[arg(
        long,
        value_name = "TIME",
        default_value = "5",
        value_parser = time::interval,
        help_heading = OUTPUT
    )]
    interval: Duration,

    #[command(flatten)]
    export: ExportOptions,
}

const USAGE: &str = "rawbpf serve [OPTIONS] FILE";

const EXAMPLES: &str = "\
Examples:
  rawbpf serve fleet.conf --listen 9435
  rawbpf serve fleet.conf --otlp http://127.0.0.1:4318 --interval 30
  rawbpf serve fleet.conf --prom-file /var/lib/prometheus/node-exporter/rawbpf.prom

A file, such as fleet.conf:
  # The disks
  biolatency -D 10
  writers: bitesize --by comm 10
  calls: trace -e 'tracepoint:raw_syscalls:sys_enter { @calls[comm] = count(); }'

As a service of systemd: contrib/rawbpf.service. Docs: docs/export.md.
Kernel memory: that of each line's maps.";

/// What a thread reports.
enum News {
    /// It counts from now on.
    Begun(Box<Metrics>),
    Counted(Counted),
    Totals(Totals),
    /// It has ended, and why if it failed.
    Ended(Option<String>),
}

/// Hands news to the main thread.
struct Reporter {
    number: usize,
    name: String,
    sender: Sender<(usize, News)>,
    wake: Arc<EventFd>,
}

impl Reporter {
    fn report(&self, news: News) {
        // The main thread is there as long as there are threads.
        let _ = self.sender.send((self.number, news));
        let _ = self.wake.write(1);
    }
}

/// Runs what the file says, until a signal comes or nothing is left.
pub fn run(options: &Options) -> Result<(), Stop> {
    let lines = config::read(&options.file)?;
    let Some(mut exporter) = options.export.open("serve")? else {
        return Err(Error::usage("nobody is given the counts")
            .hint("--listen 9435, --prom-file FILE or --otlp http://127.0.0.1:4318")
            .into());
    };
    let signal =
        StopSignal::new().map_err(|error| refusal::descriptors(Errno::from(&error), &error))?;
    let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
    let no_descriptor = |errno: nix::errno::Errno| {
        let error = io::Error::from(errno);
        refusal::descriptors(Errno::from(&error), &error)
    };
    let wake = Arc::new(EventFd::from_value_and_flags(0, flags).map_err(no_descriptor)?);
    let (sender, news) = channel();
    thread::scope(|scope| {
        for (number, line) in lines.iter().enumerate() {
            let (sender, wake) = (sender.clone(), wake.clone());
            let mut reporter = Reporter { number, name: line.name.clone(), sender, wake };
            let signal = &signal;
            let work = move || {
                let failed = match run_line(line, signal, &mut reporter) {
                    Ok(()) | Err(Stop::Quietly) | Err(Stop::Code(0)) => None,
                    Err(Stop::Code(code)) => Some(format!("the script ended with {code}")),
                    Err(Stop::Error(error)) => Some(error.to_string()),
                    Err(Stop::Mistakes(mistakes)) => {
                        Some(format!("\n{}", mistakes.to_string().trim_end()))
                    }
                };
                reporter.report(News::Ended(failed));
            };
            let spawned =
                thread::Builder::new().name("rawbpf-run".into()).spawn_scoped(scope, work);
            spawned.map_err(|error| Error::failed(format!("a thread cannot be made: {error}")))?;
        }
        drop(sender);
        serve(&lines, options.interval, &mut exporter, &signal, &wake, &news)
    })
}

/// Serves what the threads count.
fn serve(
    lines: &[Line],
    interval: Duration,
    exporter: &mut Exporter,
    signal: &StopSignal,
    wake: &EventFd,
    news: &Receiver<(usize, News)>,
) -> Result<(), Stop> {
    let start = now()?;
    for line in lines {
        let mut metrics = Metrics::new(describe(line.tool, start, vec![]));
        metrics.labels = vec![("run", line.name.clone())];
        metrics.set_up(false);
        exporter.add_run(metrics);
    }
    exporter.publish();
    let descriptors = exporter.descriptors();
    let descriptors =
        descriptors.map_err(|error| refusal::descriptors(Errno::from(&error), &error))?;
    let mut events = Events::every(interval, None).until(signal);
    let woken = events.watch(wake);
    for descriptor in &descriptors {
        events.watch(descriptor);
    }
    // Those that have not begun, and those that have not ended.
    let (mut starting, mut left) = (vec![true; lines.len()], lines.len());
    let mut ready = false;
    let mut stopping = false;
    while left > 0 {
        let event = match stopping {
            // The threads have the signal too, and report the last interval.
            true => Event::Readable(woken),
            false => events.wait().map_err(|error| Error::failed(error.to_string()))?,
        };
        match event {
            Event::Readable(source) if source == woken => {
                let _ = wake.read();
                let waited = if stopping { news.recv_timeout(LAST_WAIT).ok() } else { None };
                if stopping && waited.is_none() {
                    break;
                }
                for (number, news) in waited.into_iter().chain(news.try_iter()) {
                    starting[number] = false;
                    left -= usize::from(matches!(news, News::Ended(_)));
                    take(&lines[number], news, &mut exporter.runs()[number], stopping);
                }
                exporter.renew();
            }
            Event::Readable(_) => exporter.ready()?,
            Event::Last => stopping = true,
            _ => exporter.publish(),
        }
        if !ready && !starting.contains(&true) {
            ready = true;
            exporter.publish();
            if left == 0 {
                break;
            }
            exporter.announce();
            notify::ready(left, lines.len());
            drop_privileges(exporter.needs());
        }
    }
    exporter.publish();
    exporter.finish();
    match stopping {
        true => Ok(()),
        false => Err(Error::failed("nothing is left that runs").into()),
    }
}

/// How long the end waits for a thread that reads its last interval.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// Changes the metrics of a line's run.
fn take(line: &Line, news: News, metrics: &mut Metrics, stopping: bool) {
    match news {
        News::Begun(begun) => {
            *metrics = *begun;
            metrics.labels = vec![("run", line.name.clone())];
            metrics.set_up(true);
        }
        News::Counted(Counted::Begun(_)) => {}
        News::Counted(Counted::Sample(sample)) => metrics.add(&sample),
        News::Totals(Totals { maps, lost, beyond, missed }) => {
            metrics.add_maps(maps);
            metrics.set_lost(LostKind::BeyondMaxKeys.name(), beyond);
            metrics.set_lost(LostKind::MissedEvents.name(), missed);
            metrics.set_lost("unread", lost);
        }
        News::Ended(why) => {
            metrics.set_up(false);
            match why {
                Some(why) => say!("{}: line {}: {why}", line.name, line.number),
                None if stopping => {}
                None => say!("{}: line {}: it has ended", line.name, line.number),
            }
        }
    }
}

/// Of the main thread; the others have done so when they had attached.
fn drop_privileges(needs: Needs) {
    let _ = confine::capabilities(needs).and_then(|()| confine::system_calls(needs));
}

/// Runs a line to its end.
fn run_line(line: &Line, signal: &StopSignal, reporter: &mut Reporter) -> Result<(), Stop> {
    match line.command()? {
        Command::Trace(options) => {
            trace::serve(&options, signal.as_fd(), reporter).and_then(|code| match code {
                0 => Ok(()),
                code => Err(Stop::Code(code)),
            })
        }
        command => {
            let traced = command.traced().transpose()?;
            let traced = traced.ok_or_else(|| Error::usage("it is no tool"))?;
            traced.serve(signal, &mut |counted| match counted {
                Counted::Begun(metrics) => reporter.report(News::Begun(metrics)),
                counted => reporter.report(News::Counted(counted)),
            })
        }
    }
}

/// A script's output: what it writes goes to stdout, what it counts to the main thread.
impl Output for Reporter {
    fn attached(&mut self, Attached { places, .. }: Attached) -> Result<(), Error> {
        let mut run = describe("trace", now()?, vec![]);
        run.attached = places;
        self.report(News::Begun(Box::new(Metrics::new(run))));
        Ok(())
    }

    fn text(&mut self, _: &str, text: &[u8]) {
        // Whether somebody reads it does not matter.
        let _ = io::stdout().write_all(text);
    }

    fn value(&mut self, _: &Datum) {}

    fn map(&mut self, _: &ScriptMap) {}

    fn last(&mut self) {}

    fn warning(&mut self, _: &Warning) {}

    fn unconfined(&mut self, why: &SysError) {
        say!("{}: privileges cannot be dropped: {why}", self.name);
    }

    fn lost(&mut self, _: u64) {}

    fn beyond(&mut self, _: &str, _: u64) {}

    fn exports(&self) -> bool {
        true
    }

    fn totals(&mut self, totals: Totals) {
        self.report(News::Totals(totals));
    }

    fn flush(&mut self) -> Result<(), Error> {
        let _ = io::stdout().flush();
        Ok(())
    }
}
