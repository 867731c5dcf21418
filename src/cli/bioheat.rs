//! `rawbpf bioheat`: from options to rows.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use nix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value, json};

use super::Stop;
use super::options::{BlockOptions, Choice, TraceOptions};
use super::report;
use super::trace::{self, Tool};
use crate::aggregate::Counters;
use crate::error::Error;
use crate::host::{AttachKind, Disk, KernelTypes, StructRequest};
use crate::programs::bioheat::{self as program, FULL, OVER, REISSUED, UNDER, UNMATCHED};
use crate::programs::request;
use crate::session::{Plan, Session};
use crate::sys::MapSpec;
use crate::view::color::{Palette, Terminal};
use crate::view::heatmap::{FIRST, Layout, Row, SLOTS};
use crate::view::svg::Picture;

/// Show block I/O latency over time as a heat map
///
/// Time goes down, latency to the right, and a cell is the darker the more requests it counts, on one
/// scale for all rows. Latency is the time from issue to the driver until completion. The kernel
/// remembers at least 16384 requests under way, which takes about 1.5 megabytes.
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
#[command(mut_arg("interval", |arg| arg.default_value("2").help("Seconds a row; fractions work")))]
#[command(mut_arg("count", |arg| arg.help("How many rows [default: until Ctrl-C]")))]
#[command(mut_arg("timestamp", |arg| arg.help("Print the time of day before each row")))]
pub struct Options {
    #[command(flatten)]
    pub trace: TraceOptions,

    #[command(flatten)]
    block: BlockOptions,

    /// Columns from a nanosecond on, not from a microsecond
    #[arg(short, long)]
    all: bool,

    /// Characters only, no colors
    #[arg(short, long)]
    text: bool,

    /// Print the columns' upper bounds for p50, p99 and the maximum behind each row
    #[arg(long)]
    stats: bool,

    /// At the end write the whole run as a picture for a browser, its numbers inside. Of more than
    /// 1000 rows two become one
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// Whether to use colors
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: When,
}

/// When to use colors.
#[derive(Clone, Copy, ValueEnum)]
enum When {
    /// On a terminal that has them, unless NO_COLOR is set
    Auto,
    Always,
    Never,
}

const USAGE: &str = "rawbpf bioheat [OPTIONS] [INTERVAL [COUNT]]";

const EXAMPLES: &str = "\
In the kernel its maps take 1537 KiB, and 64 bytes for each CPU.

Examples:
  rawbpf bioheat                         a row every 2 seconds until Ctrl-C
  rawbpf bioheat -t 1 20                 twenty rows of plain text, one a second
  rawbpf bioheat --svg heat.svg 0.2 100  a picture of twenty seconds
  rawbpf bioheat -d nvme0n1 --stats -T   one disk, with the time, p50, p99 and maximum";

pub fn run(options: &Options) -> Result<(), Stop> {
    trace::run(&mut tool(options)?)
}

/// The tool as these options want it.
pub fn tool(options: &Options) -> Result<Bioheat<'_>, Error> {
    let disk = options.block.disk()?;
    let svg = options.svg.as_deref().map(|path| Svg::open(path, options)).transpose()?;
    Ok(Bioheat {
        options,
        disk,
        counters: Counters::default(),
        start: Duration::ZERO,
        row: Row {
            start: Duration::ZERO,
            end: Duration::ZERO,
            missed: 0,
            counts: [0; SLOTS],
            under: 0,
            over: 0,
        },
        uncounted: [0; 3],
        uncounted_in_all: [0; 3],
        palette: options.palette(),
        layout: None,
        below_banner: 0,
        svg,
    })
}

/// Goes on while the host sleeps, so that the time shows as a gap.
fn now() -> Result<Duration, Error> {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME);
    let now = now.map_err(|error| Error::failed(format!("the time could not be read: {error}")))?;
    Ok(Duration::from(now))
}

impl Options {
    fn palette(&self) -> Palette {
        let variable = |name| env::var(name).unwrap_or_default();
        let (no_color, term, colorterm) =
            (variable("NO_COLOR"), variable("TERM"), variable("COLORTERM"));
        let terminal = Terminal {
            is_one: io::stdout().is_terminal(),
            no_color: &no_color,
            term: &term,
            colorterm: &colorterm,
        };
        let wanted = match self.color {
            _ if self.text => Some(false),
            When::Auto => None,
            When::Always => Some(true),
            When::Never => Some(false),
        };
        Palette::of(terminal, wanted)
    }

    fn first(&self) -> usize {
        if self.all { 0 } else { FIRST }
    }

    /// As the terminal is now.
    fn layout(&self) -> Layout {
        let size = terminal_size::terminal_size_of(io::stdout());
        let width = match size {
            Some((width, _)) => Some(usize::from(width.0)),
            // A serial line does not know its size.
            None => io::stdout().is_terminal().then_some(80),
        };
        Layout::new(width, self.first(), self.trace.timestamp, self.stats)
    }
}

/// What is not in the picture as it should be: its counter, its name, a sentence for it.
const UNCOUNTED: [(u32, &str, &str); 3] = [
    (
        UNMATCHED,
        "unmatched",
        "completions belong to no request seen issued: from before the start, or steps of a flush",
    ),
    (
        REISSUED,
        "reissued",
        "requests were issued again before they completed; the last time counts",
    ),
    (FULL, "too_many", "requests were not counted: more were under way than are remembered"),
];

pub struct Bioheat<'a> {
    options: &'a Options,
    disk: Option<Disk>,
    counters: Counters,
    start: Duration,
    row: Row,
    /// As [`UNCOUNTED`], in the last interval.
    uncounted: [u64; 3],
    /// The same since the start.
    uncounted_in_all: [u64; 3],
    palette: Palette,
    /// That of the last banner.
    layout: Option<Layout>,
    below_banner: usize,
    svg: Option<Svg>,
}

/// The picture, and where it goes.
struct Svg {
    path: PathBuf,
    /// What was there before the run.
    file: Option<File>,
    picture: Picture,
}

impl Svg {
    /// Tries at once whether the file can be written: at the end it would be too late to say that it
    /// cannot. What was not there is not there afterwards, and what was there stays as it is.
    fn open(path: &Path, options: &Options) -> Result<Svg, Error> {
        let file = match OpenOptions::new().write(true).open(path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let created = File::create_new(path).and_then(|_| fs::remove_file(path));
                created.map_err(|error| report::unwritable(path, &error))?;
                None
            }
            Err(error) => return Err(report::unwritable(path, &error)),
        };
        let disk = options.block.disk.as_deref().unwrap_or("all disks");
        let title = format!("Block I/O latency of {disk}, {}", report::date_and_time());
        let first = options.first();
        let picture = Picture::new(title, first, options.trace.interval);
        Ok(Svg { path: path.to_owned(), file, picture })
    }

    fn write(&mut self) -> Result<(), Error> {
        let written = self.write_file(self.picture.to_svg().as_bytes());
        written.map_err(|error| report::unwritable(&self.path, &error))
    }

    fn write_file(&mut self, text: &[u8]) -> io::Result<()> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => File::create(&self.path)?,
        };
        // What is no file, such as a pipe, has no length to set.
        let _ = file.set_len(0);
        file.write_all(text)
    }
}

const ROWS_PER_BANNER: usize = 20;

impl Tool for Bioheat<'_> {
    const NAME: &'static str = "bioheat";
    const WHAT: &'static str = "block device I/O latency";

    fn options(&self) -> &TraceOptions {
        &self.options.trace
    }

    fn kinds(&self) -> Vec<AttachKind> {
        match self.options.block.attach {
            // Both ends of a request, and none is lost where a probe fires inside another.
            Choice::Auto => vec![AttachKind::TpBtf, AttachKind::RawTp],
            only => only.kinds(),
        }
    }

    fn maps(&self) -> Vec<MapSpec> {
        program::maps()
    }

    /// The end is attached first: a request that was issued before is no harm, but one whose end
    /// nobody saw would stay in the map.
    fn plans(&self, kind: AttachKind, types: &KernelTypes) -> Result<Vec<Plan>, Error> {
        let end = match kind {
            AttachKind::Kprobe | AttachKind::RawTp => AttachKind::RawTp,
            AttachKind::Fentry | AttachKind::TpBtf => AttachKind::TpBtf,
            AttachKind::Tracepoint | AttachKind::Uprobe | AttachKind::KprobeMulti => {
                return Err(Error::lacking(
                    "a tracepoint's record does not tell which request completes",
                )
                .next("try: --attach raw_tp"));
            }
        };
        let places = [request::end(end), request::issue(kind)];
        let ([(complete, completed), (issue, issued)], by_slot) =
            StructRequest::find_with_cmpxchg(places, types, self.disk.is_some())?;
        Ok(vec![
            Plan::new("complete", complete, program::complete(&completed, self.disk, by_slot))?,
            Plan::new("issue", issue, program::issue(&issued, self.disk, by_slot))?,
        ])
    }

    fn started(&mut self, _session: &Session) -> Result<(), Error> {
        self.start = now()?;
        Ok(())
    }

    fn read(&mut self, session: &Session) -> Result<(), Error> {
        let counts = self.counters.interval(session.map(program::HEAT)?)?;
        let end = now()?.saturating_sub(self.start);
        let interval = self.options.trace.interval;
        let span = end.saturating_sub(self.row.end).as_nanos();
        let missed = (span / interval.as_nanos()).saturating_sub(1) as u64;
        // Half an interval late is no gap.
        let start = match missed {
            0 => self.row.end,
            _ => end.saturating_sub(interval),
        };
        let (columns, _) = counts.split_at(SLOTS);
        self.row = Row {
            start,
            end,
            missed,
            counts: columns.try_into().unwrap_or([0; SLOTS]),
            under: counts[UNDER as usize],
            over: counts[OVER as usize],
        };
        if let Some(svg) = &mut self.svg {
            svg.picture.push(self.row.clone());
        }
        self.uncounted = UNCOUNTED.map(|(index, ..)| counts[index as usize]);
        for (sum, count) in self.uncounted_in_all.iter_mut().zip(self.uncounted) {
            *sum += count;
        }
        Ok(())
    }

    fn show(&mut self, time: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
        let layout = self.options.layout();
        if self.layout.is_none() {
            write!(out, "{}", layout.legend(self.palette))?;
        }
        if self.layout != Some(layout) || self.below_banner == ROWS_PER_BANNER {
            write!(out, "{}", layout.banner())?;
            self.layout = Some(layout);
            self.below_banner = 0;
        }
        self.below_banner += 1;
        write!(out, "{}", layout.row(&self.row, time, self.palette))
    }

    fn to_json(&self) -> Map<String, Value> {
        let row = &self.row;
        let mut fields = Map::new();
        fields.insert("type".into(), "hist".into());
        fields.insert("unit".into(), "ns".into());
        fields.insert("start".into(), row.start.as_secs_f64().into());
        fields.insert("end".into(), row.end.as_secs_f64().into());
        fields.insert("total".into(), row.total().into());
        fields.insert("data".into(), json!({"heat": row.to_json()}));
        let beside = [("under", row.under), ("over", row.over), ("missed_intervals", row.missed)];
        let uncounted = UNCOUNTED.iter().zip(self.uncounted);
        let uncounted = uncounted.map(|((_, name, _), count)| (*name, count));
        for (name, count) in beside.into_iter().chain(uncounted).filter(|(_, count)| *count > 0) {
            fields.insert(name.into(), count.into());
        }
        fields
    }

    fn finish(&mut self) -> Result<(), Error> {
        for (count, (_, _, what)) in self.uncounted_in_all.iter().zip(UNCOUNTED) {
            if *count > 0 {
                say!("bioheat: {count} {what}");
            }
        }
        self.svg.as_mut().map_or(Ok(()), Svg::write)
    }
}
