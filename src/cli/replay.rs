//! `rawbpf replay`: what a recorded run counted, as the run would have printed it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::Args;

use super::output_file::OutputFile;
use super::stop::Stop;
use super::streams::Stdout;
use super::tables::{Head, TablePrinter};
use super::traced::Output;
use super::when::{When, when};
use super::{Command, input, report};
use crate::aggregate::heat;
use crate::error::Error;
use crate::export::json;
use crate::export::metrics::Metrics;
use crate::export::prometheus::{Format, page};
use crate::host::clock;
use crate::record::{Damage, Entry, Facts, Reader, Refused, Source};
use crate::sample::{Lost, Run, Sample, Setting, Unit};
use crate::sys::io_text;
use crate::view::heatmap::HeatRow;
use crate::view::scale::Scale;
use crate::view::svg::{About, Picture};
use crate::view::tables::Titles;

/// Print what a recorded run counted, as the run would have printed it
///
/// It needs no privilege, and neither the host nor the kernel of the recording. Times are those of this
/// host's time zone.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// A file that rawbpf record wrote, or still writes
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    range: RangeOptions,

    /// Print the lines of JSON of the run
    #[arg(long)]
    json: bool,

    /// Print the time of day above each table
    #[arg(short = 'T', long)]
    timestamp: bool,

    /// Write the recorded times, such as latencies, as a heat map for a browser, in place of tables; - for
    /// stdout
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    svg: Option<PathBuf>,

    /// Write the counts since the start of the run, as they were at the end of what is replayed, in
    /// Prometheus' text format, in place of tables; - for stdout
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    prom_file: Option<PathBuf>,
}

/// Which rows.
#[derive(Args)]
pub struct RangeOptions {
    /// Only rows that end after TIME: 14:03 or 14:03:59 of the first day, '2026-11-01 14:03', 90s or 10m after
    /// the start, -10m before the end
    #[arg(long, value_name = "TIME", value_parser = when, allow_hyphen_values = true)]
    pub from: Option<When>,

    /// Only rows that end at TIME or before
    #[arg(long, value_name = "TIME", value_parser = when, allow_hyphen_values = true)]
    pub to: Option<When>,
}

const EXAMPLES: &str = "\
Examples:
  rawbpf replay night.rec --from 03:10 --to 03:20    ten minutes of the night
  rawbpf replay night.rec --from -5m --json | jq .   the last five minutes
  rawbpf replay night.rec --svg night.svg            latency over time, as a picture
  rawbpf replay night.rec --prom-file -              the counts at its end";

/// A recording that is open.
pub struct Opened {
    name: String,
    file: File,
}

impl Opened {
    /// Opens a file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(path: &Path) -> Result<Opened, Error> {
        let name = input::shown(path);
        let mut file = File::open(path).map_err(|error| {
            Error::failed(format!("{name} cannot be read: {}", io_text(&error)))
        })?;
        file.rewind().map_err(|_| {
            Error::usage(format!("{name} is a pipe, or another file that has no beginning"))
                .hint("replay reads the newest parts of a file first: save it, then name it")
        })?;
        Ok(Opened { name, file })
    }

    /// Reads it from its beginning.
    ///
    /// # Errors
    /// It is no recording, or one of a newer version.
    pub fn reader(&mut self) -> Result<Reader<'_>, Error> {
        let source: &mut dyn Source = &mut self.file;
        Reader::new(source).map_err(|refused| refusal(&self.name, &refused))
    }

    /// When its oldest part begins, and when its last row ends.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn span(&mut self) -> Result<(SystemTime, SystemTime), Error> {
        let name = self.name.clone();
        let mut reader = self.reader()?;
        let began = reader.began();
        reader.skip_to_last();
        let mut end = began;
        while let Some(entry) = reader.entry().map_err(|error| unread(&name, &error))? {
            if let Entry::Sample(sample) = entry {
                end = sample.span.end.wall;
            }
        }
        Ok((began, end))
    }

    /// Calls `each` with the rows of a range, and what is known about their run.
    ///
    /// # Errors
    /// The file cannot be read, or what `each` fails with.
    pub fn each(
        &mut self,
        range: &RangeOptions,
        each: &mut dyn FnMut(Entry) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let name = self.name.clone();
        let (from, to) = (range.from, range.to);
        let span = if from.is_some() || to.is_some() { Some(self.span()?) } else { None };
        let time =
            |when: Option<When>| when.zip(span).map(|(when, (began, end))| when.time(began, end));
        let (from, to) = (time(from), time(to));
        let mut reader = self.reader()?;
        if let Some(from) = from {
            reader.skip_to(from);
        }
        while let Some(entry) = reader.entry().map_err(|error| unread(&name, &error))? {
            if let Entry::Sample(sample) = &entry {
                let end = sample.span.end.wall;
                if from.is_some_and(|from| end <= from) {
                    continue;
                }
                if to.is_some_and(|to| end > to) {
                    break;
                }
            }
            each(entry)?;
        }
        let Damage { torn, parts } = reader.damage();
        if torn {
            say!("{name}: the last row was not written to its end, and is left out");
        }
        if parts > 0 {
            say!("{name}: {parts} parts of the file are damaged or missing: rows are left out");
        }
        Ok(())
    }
}

fn unread(name: &str, error: &io::Error) -> Error {
    Error::failed(format!("{name} cannot be read: {}", io_text(error)))
}

fn refusal(name: &str, refused: &Refused) -> Error {
    match refused {
        Refused::Io(error) => unread(name, error),
        Refused::Other => Error::usage(format!("{name} is no recording"))
            .hint("rawbpf record makes one: rawbpf record -o FILE biolatency 1"),
        Refused::Newer(version) => Error::failed(format!(
            "{name} has version {version} of the format: a newer rawbpf wrote it, and this one reads up to {}",
            crate::record::VERSION
        ))
        .hint("replay it with the rawbpf that recorded it, or a newer one"),
    }
}

/// How the tool of a recording prints, as far as this rawbpf knows its command line.
fn output(facts: &Facts) -> (Box<dyn Output>, bool) {
    let words = [OsString::from("rawbpf")].into_iter().chain(facts.command.iter().map(Into::into));
    let command = Command::called(&words.collect::<Vec<_>>());
    let known = command.and_then(Result::ok).and_then(|command| command.printed());
    known.unwrap_or_else(|| {
        let output = TablePrinter::new(Titles::Named, true).above_lowest_used().below(Head::Date);
        (Box::new(output), false)
    })
}

/// Shows a recording.
///
/// # Errors
/// The file cannot be read, or the output not be written.
pub fn run(options: &Options) -> Result<(), Stop> {
    let mut opened = Opened::open(&options.file)?;
    let svg = options.svg.as_deref().map(OutputFile::open).transpose()?;
    let page = options.prom_file.as_deref().map(OutputFile::open).transpose()?;
    let mut shown = Shown {
        json: options.json,
        tables: svg.is_none() && page.is_none(),
        timestamp: options.timestamp,
        out: Stdout::plain(),
        output: Box::new(TablePrinter::new(Titles::Named, true)),
        recorded_timestamp: false,
        picture: svg.map(|file| (file, Map::default())),
        metrics: page.map(|file| (file, None)),
        rows: 0,
    };
    opened.each(&options.range, &mut |entry| match entry {
        Entry::Facts(facts) => shown.begin(facts),
        Entry::Sample(sample) => shown.add(&sample),
    })?;
    shown.finish(&opened.name)
}

/// Where rows go.
struct Shown {
    json: bool,
    tables: bool,
    timestamp: bool,
    out: Stdout,
    output: Box<dyn Output>,
    recorded_timestamp: bool,
    picture: Option<(OutputFile, Map)>,
    metrics: Option<(OutputFile, Option<Metrics>)>,
    rows: u64,
}

impl Shown {
    fn begin(&mut self, facts: Facts) -> Result<(), Stop> {
        (self.output, self.recorded_timestamp) = output(&facts);
        self.output.begin(&facts.run);
        self.out = Stdout::styled(self.output.has_colors());
        if self.json {
            writeln!(self.out, "{}", json::run_of(&facts.run, &facts.version))?;
        }
        if let Some((_, map)) = &mut self.picture {
            map.run = Some(facts.run.clone());
        }
        if let Some((_, metrics)) = &mut self.metrics {
            *metrics = Some(Metrics::new(facts.run));
        }
        Ok(())
    }

    fn add(&mut self, sample: &Sample) -> Result<(), Stop> {
        self.rows += 1;
        if let Some((_, map)) = &mut self.picture {
            map.add(sample)?;
        }
        if let Some((_, Some(metrics))) = &mut self.metrics {
            metrics.add(sample);
        }
        if self.json {
            writeln!(self.out, "{}", json::sample(sample))?;
        } else if self.tables {
            self.output.keep(sample);
            let shown = self.timestamp || self.recorded_timestamp;
            let time = shown.then(|| clock::time_of_day(sample.span.end.wall));
            self.output.print(sample, time.as_deref(), &mut self.out)?;
        }
        Ok(())
    }

    fn finish(mut self, name: &str) -> Result<(), Stop> {
        self.out.flush()?;
        drop(self.out);
        if self.rows == 0 {
            say!("{name}: there is no row in this range");
        }
        if self.tables && !self.json {
            self.output.finish()?;
        }
        if let Some((file, map)) = self.picture {
            map.write(file, name)?;
        }
        if let Some((file, Some(metrics))) = self.metrics {
            file.write_text(page([&metrics].into_iter(), Format::Text).as_bytes())?;
        }
        Ok(())
    }
}

/// Recorded times as a heat map.
#[derive(Default)]
struct Map {
    run: Option<Run>,
    picture: Option<(Picture, Duration, SystemTime)>,
    every: Duration,
    lost: Vec<Lost>,
}

impl Map {
    fn add(&mut self, sample: &Sample) -> Result<(), Error> {
        let times = [Unit::Nanoseconds, Unit::Microseconds, Unit::Milliseconds];
        let Some(table) = sample.tables.first() else { return Ok(()) };
        if !times.contains(&table.unit) {
            return Err(Error::usage(format!(
                "--svg is a heat map of times, and this recording has none: {} in {}",
                table.name,
                table.unit.name()
            ))
            .hint("without --svg the tables are printed; bioheat, biolatency and funclatency have times"));
        }
        let start = sample.span.start;
        let run = self.run.as_ref();
        let scale = Scale::new(&heat::BOUNDS, heat::PER_DOUBLING).from(1000);
        let (picture, start, _) = self.picture.get_or_insert_with(|| {
            let setting = |name: &str| {
                let option = run?.options.iter().find(|(option, _)| *option == name)?;
                Some(&option.1)
            };
            let every = match setting("interval") {
                Some(Setting::Seconds(seconds)) => Duration::try_from_secs_f64(*seconds).ok(),
                _ => None,
            };
            self.every = every.unwrap_or(sample.span.duration());
            let of = match setting("disk") {
                Some(Setting::Text(disks)) => format!(" of {disks}"),
                _ => String::new(),
            };
            let about = About {
                title: format!("{}{of}", table.help),
                host: run.map_or(String::new(), |run| run.host.clone()),
                kernel: run.map_or(String::new(), |run| run.kernel.clone()),
                start: report::moment(start.wall),
                notes: vec![],
            };
            (Picture::new(about, scale, self.every), start.monotonic, start.wall)
        });
        picture.push(HeatRow::of(sample, scale, *start, self.every));
        Lost::add_up(&mut self.lost, &sample.lost);
        Ok(())
    }

    fn write(self, file: OutputFile, name: &str) -> Result<(), Stop> {
        let Some((mut picture, ..)) = self.picture else {
            return Err(Error::failed(format!("{name}: there is nothing to draw")).into());
        };
        picture.about.notes = self.lost.iter().map(Lost::to_string).collect();
        file.write(picture.to_svg().as_bytes())
    }
}
