//! `rawbpf bioheat`: its options, and the heat map row by row.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::options::{BlockOptions, TraceOptions};
use super::output_file::OutputFile;
use super::report;
use super::stop::Stop;
use super::time;
use super::traced::{Output, TracedTool};
use crate::aggregate::heat;
use crate::error::Error;
use crate::sample::{Lost, LostKind, Run, Sample};
use crate::sys::confine::Needs;
use crate::tools::bioheat;
use crate::view::color::{Background, Palette};
use crate::view::heatmap::{HeatRow, Layout};
use crate::view::scale::Scale;
use crate::view::svg::{About, Picture};

/// Show block I/O latency over time as a heat map
///
/// Time runs downwards, latency to the right. The legend shows how many requests a shade stands for; the
/// scale is the same in all rows. Latency is the time from a request's issue to the driver until its
/// completion. The kernel tracks at least 16384 requests under way, in about 1.5 megabytes.
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
#[command(mut_arg("interval", |arg| {
    arg.help("Time of each row: seconds, or with a unit, as in 100ms, 1.5s or 1m [default: 2]")
}))]
#[command(mut_arg("count", |arg| arg.help("Number of rows [default: until Ctrl-C]")))]
#[command(mut_arg("duration", |arg| {
    arg.help("End after TIME, or after COUNT rows if that is sooner; the last row may be of a shorter time")
}))]
// A heat map of one row shows no time.
#[command(mut_arg("summary", |arg| arg.hide(true)))]
#[command(mut_arg("timestamp", |arg| arg.help("Print the time of day before each row")))]
pub struct Options {
    #[command(flatten)]
    pub trace: TraceOptions,

    #[command(flatten)]
    block: BlockOptions,

    /// Start the columns at a nanosecond instead of a microsecond
    #[arg(short, long)]
    all: bool,

    /// Draw with characters only, without colors
    #[arg(short, long)]
    text: bool,

    /// After each row, print p50, p99 and the maximum, as the upper bounds of their columns
    #[arg(long)]
    stats: bool,

    /// At the end, write the whole run as a picture for a browser, including the raw numbers. Beyond
    /// 1000 rows, neighbouring rows are merged. With - the picture goes to stdout, and nothing else does
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// When to use colors
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: When,
}

/// When to use colors.
#[derive(Clone, Copy, ValueEnum)]
enum When {
    /// On a terminal that supports them, unless NO_COLOR is set
    Auto,
    Always,
    /// Always, those for a dark terminal
    Dark,
    /// Always, those for a light terminal
    Light,
    Never,
}

const USAGE: &str = "rawbpf bioheat [OPTIONS] [INTERVAL [COUNT]]";

const EXAMPLES: &str = "\
Kernel memory of its maps: 1538 KiB, and 64 bytes for each CPU. -p, -c and --cgroup add
1920 KiB.

Examples:
  rawbpf bioheat                         a row every 2 seconds until Ctrl-C
  rawbpf bioheat -t 1 20                 twenty rows of plain text, one a second
  rawbpf bioheat --svg heat.svg 0.2 100  a picture of twenty seconds
  rawbpf bioheat -d nvme0n1 --stats -T   one disk, with the time of day, p50, p99 and maximum";

/// The time of a row, if none is asked for.
const INTERVAL: Duration = Duration::from_secs(2);

impl Options {
    /// How it prints.
    pub fn printer(&self) -> HeatMap {
        HeatMap {
            interval: self.trace.schedule.interval.unwrap_or(INTERVAL),
            scale: self.scale(),
            timestamp: self.trace.timestamp,
            stats: self.stats,
            palette: self.palette(),
            about: String::new(),
            start: None,
            row: HeatRow::default(),
            lost: vec![],
            layout: None,
            below_banner: 0,
            svg: None,
        }
    }

    /// The tool that these options ask for.
    ///
    /// # Errors
    /// There is no such disk, process or control group, or the picture cannot be written.
    pub fn traced(&self) -> Result<TracedTool, Error> {
        if self.trace.schedule.summary {
            let what = "a heat map shows how latency changes over time: it has no --summary";
            return Err(Error::usage(what).hint("try: rawbpf biolatency --summary"));
        }
        let mut trace = self.trace.clone();
        let interval = *trace.schedule.interval.get_or_insert(INTERVAL);
        let tool = bioheat::Bioheat::new(bioheat::Options {
            disks: self.block.disks()?,
            whose: self.block.whose()?,
            attach: self.block.attach,
        });
        let svg = self.svg.as_deref().map(|path| Svg::open(path, self, interval)).transpose()?;
        let output = HeatMap { svg, ..self.printer() };
        Ok(TracedTool { tool: Box::new(tool), options: trace, output: Box::new(output) })
    }

    fn palette(&self) -> Palette {
        let (wanted, background) = match self.color {
            _ if self.text => (Some(false), None),
            When::Auto => (None, None),
            When::Always => (Some(true), None),
            When::Dark => (Some(true), Some(Background::Dark)),
            When::Light => (Some(true), Some(Background::Light)),
            When::Never => (Some(false), None),
        };
        report::palette(&io::stdout(), wanted, background)
    }

    fn scale(&self) -> Scale {
        let all = Scale::new(&heat::BOUNDS, heat::PER_DOUBLING);
        if self.all { all } else { all.from(1000) }
    }
}

/// Refuses a name that is a number: the name was forgotten, and the interval is in its place.
fn check_name(path: &Path) -> Result<(), Error> {
    let number = path.to_str().filter(|name| time::is_number(name));
    number.map_or(Ok(()), |number| {
        let what =
            format!("--svg needs the name of a file before the interval, and {number} is a number");
        let next =
            format!("try: --svg heat.svg {number}; for a file of that name: --svg ./{number}");
        Err(Error::usage(what).hint(next))
    })
}

/// The picture, and its file.
struct Svg {
    file: OutputFile,
    picture: Picture,
}

impl Svg {
    /// Finds out at once whether the file can be written, since an error at the end would come too late.
    fn open(path: &Path, options: &Options, interval: Duration) -> Result<Svg, Error> {
        check_name(path)?;
        let file = OutputFile::open(path)?;
        if file.is_stdout() && options.trace.json {
            return Err(Error::usage("--json and --svg would both be on stdout")
                .hint("try: the name of a file for --svg"));
        }
        let disk = match &options.block.disk[..] {
            [] => "all disks".to_owned(),
            some => some.join(", "),
        };
        let about = About { title: format!("Block I/O latency of {disk}"), ..About::default() };
        let picture = Picture::new(about, options.scale(), interval);
        Ok(Svg { file, picture })
    }
}

const ROWS_PER_BANNER: usize = 20;

/// Prints a row for each sample, and writes the picture at the end.
pub struct HeatMap {
    interval: Duration,
    scale: Scale,
    timestamp: bool,
    stats: bool,
    palette: Palette,
    /// The host, the kernel and when the run began.
    about: String,
    /// When the first row began, by the monotonic clock.
    start: Option<Duration>,
    row: HeatRow,
    /// The losses since the start, summed up.
    lost: Vec<Lost>,
    /// The layout of the last banner.
    layout: Option<Layout>,
    below_banner: usize,
    svg: Option<Svg>,
}

impl HeatMap {
    /// The layout for the terminal's present size.
    fn layout(&self) -> Layout {
        let size = terminal_size::terminal_size_of(io::stdout());
        let width = match size {
            Some((width, _)) => Some(usize::from(width.0)),
            // A serial line does not know its size.
            None => io::stdout().is_terminal().then_some(80),
        };
        Layout::new(width, self.scale, self.timestamp, self.stats)
    }
}

impl Output for HeatMap {
    fn begin(&mut self, run: &Run) {
        let start = report::moment(run.start.wall);
        let day = format!("{}, {}", start.day_and_year(), start.time(0));
        self.about = format!("{}, Linux {}, {day} {}", run.host, run.kernel, start.zone());
        if let Some(Svg { picture, .. }) = &mut self.svg {
            picture.about.host.clone_from(&run.host);
            picture.about.kernel.clone_from(&run.kernel);
            picture.about.start = start;
        }
    }

    fn keep(&mut self, sample: &Sample) {
        let start = *self.start.get_or_insert(sample.span.start.monotonic);
        self.row = HeatRow::of(sample, self.scale, start, self.interval);
        if let Some(svg) = &mut self.svg {
            if sample.span.start.monotonic == start {
                svg.picture.about.start = report::moment(sample.span.start.wall);
            }
            svg.picture.push(self.row.clone());
        }
        Lost::add_up(&mut self.lost, &sample.lost);
    }

    fn print(&mut self, _: &Sample, time: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
        if self.svg.as_ref().is_some_and(|svg| svg.file.is_stdout()) {
            // The picture alone is there, at the end.
            return Ok(());
        }
        let layout = self.layout();
        if self.layout.is_none() {
            write!(out, "{}", layout.legend(&self.about, self.palette))?;
        }
        if self.layout != Some(layout) || self.below_banner == ROWS_PER_BANNER {
            write!(out, "{}", layout.banner())?;
            self.layout = Some(layout);
            self.below_banner = 0;
        }
        self.below_banner += 1;
        write!(out, "{}", layout.row(&self.row, time, self.palette))
    }

    fn has_colors(&self) -> bool {
        self.palette != Palette::Text
    }

    fn needs(&self) -> Needs {
        let to = self.svg.as_ref().map(|svg| &svg.file).filter(|file| !file.is_stdout());
        to.map_or(Needs::default(), OutputFile::needs)
    }

    fn finish(&mut self) -> Result<(), Stop> {
        // Missed events are reported as in all tools.
        for lost in self.lost.iter().filter(|lost| lost.what != LostKind::MissedEvents) {
            say!("bioheat: {lost}");
        }
        match self.svg.take() {
            Some(Svg { file, mut picture }) => {
                picture.about.notes = self.lost.iter().map(Lost::to_string).collect();
                file.write(picture.to_svg().as_bytes())
            }
            None => Ok(()),
        }
    }
}
