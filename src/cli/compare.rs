//! `rawbpf compare`: two recordings, or two parts of one, side by side.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::options::whole;
use super::output_file::OutputFile;
use super::replay::{Opened, RangeOptions};
use super::stop::Stop;
use super::streams::Stdout;
use super::when::{When, when};
use crate::error::Error;
use crate::host::clock;
use crate::record::compare::{Comparison, Side, differences};
use crate::record::{Entry, Facts};
use crate::sample::Lost;
use crate::view::compared::Comparing;

/// Show two recordings, or two parts of one, side by side, and what differs beyond chance
///
/// Counts, rates, averages, percentiles and distributions, and what else differs: host, kernel, disks, options.
/// A star marks rates and shares of buckets that differ beyond chance: by two-sample t-tests whose variance is
/// that from interval to interval, so that a burst is not taken for many independent events. All tests of a
/// comparison together have a probability of 1 % to mark anything if nothing differs (Bonferroni). What
/// changes slowly on both sides, such as by the hour, is no chance to them: compare times that are alike.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// A recording; alone, its first half is compared with its second
    #[arg(value_name = "A")]
    one: PathBuf,

    /// Another one
    #[arg(value_name = "B")]
    other: Option<PathBuf>,

    #[command(flatten)]
    range: RangeOptions,

    /// Without B: compare what ends at TIME or before with what ends after it [default: the middle]
    #[arg(long, value_name = "TIME", value_parser = when, allow_hyphen_values = true, conflicts_with = "other")]
    split: Option<When>,

    /// Show the N rows with most events
    #[arg(long, value_name = "N", default_value = "10", value_parser = whole(1..=u32::MAX))]
    top: u32,

    /// Write the comparison as a picture for a browser instead; - for stdout
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  rawbpf compare before.rec after.rec
  rawbpf compare night.rec --split 03:10                      before and after ten past three
  rawbpf compare a.rec b.rec --from 5m --svg compared.svg     without the first five minutes of each";

/// Compares.
///
/// # Errors
/// A file cannot be read, or the output not be written.
pub fn run(options: &Options) -> Result<(), Stop> {
    let svg = options.svg.as_deref().map(OutputFile::open).transpose()?;
    let mut sides = [Side::default(), Side::default()];
    let mut facts: [Option<Facts>; 2] = [None, None];
    let mut names = vec![options.one.display().to_string()];
    let mut one = Opened::open(&options.one)?;
    match &options.other {
        Some(other) => {
            names.push(other.display().to_string());
            let files = [one, Opened::open(other)?];
            for (mut file, (side, facts)) in files.into_iter().zip(sides.iter_mut().zip(&mut facts))
            {
                file.each(&options.range, &mut |entry| {
                    match entry {
                        Entry::Facts(some) => *facts = Some(some),
                        Entry::Sample(sample) => side.add(&sample),
                    }
                    Ok(())
                })?;
            }
        }
        None => {
            let (began, end) = one.span()?;
            let [from, to] = [(options.range.from, began), (options.range.to, end)]
                .map(|(when, otherwise)| when.map_or(otherwise, |when| when.time(began, end)));
            let middle = from + to.duration_since(from).unwrap_or_default() / 2;
            let split = options.split.map_or(middle, |when| when.time(began, end));
            one.each(&options.range, &mut |entry| {
                match entry {
                    Entry::Facts(some) => facts = [Some(some.clone()), Some(some)],
                    Entry::Sample(sample) => {
                        sides[usize::from(sample.span.end.wall > split)].add(&sample);
                    }
                }
                Ok(())
            })?;
        }
    }
    let mut notes = vec![];
    if let [Some(one), Some(other)] = &facts {
        notes = differences(one, other);
        if one.run.tool != other.run.tool {
            let (one, other) = (&one.run.tool, &other.run.tool);
            let what = format!("A is a recording of {one} and B one of {other}");
            return Err(Error::usage(what).hint("compare recordings of one tool").into());
        }
    }
    for (letter, side) in ["A", "B"].iter().zip(&sides) {
        if side.span.is_none() {
            return Err(Error::failed(format!("{letter} has no row in this range")).into());
        }
        notes.extend(side.lost.iter().map(|lost: &Lost| format!("{letter}: {lost}")));
        if side.left_out > 0 {
            let count = side.left_out;
            notes.push(format!("{letter}: {count} events of further rows are left out"));
        }
        if side.rows < 2 {
            notes.push(format!(
                "{letter} has one interval: its events are taken to be independent, so stars may be chance"
            ));
        }
    }
    let described = [0, 1].map(|at| {
        let (side, facts) = (&sides[at], facts[at].as_ref());
        let name = &names[at.min(names.len() - 1)];
        let host = facts.map_or(String::new(), |facts| {
            format!("{}, Linux {}, ", facts.run.host, facts.run.kernel)
        });
        let span = side.span.map_or(String::new(), |span| {
            let end = clock::time_of_day(span.end.wall);
            format!("{} to {end}", clock::sortable(span.start.wall))
        });
        format!("{name}: {host}{span}, {} rows, {:.1} s", side.rows, side.seconds())
    });
    let comparison = Comparison::new(&sides);
    let top = usize::try_from(options.top).unwrap_or(usize::MAX);
    let comparing = Comparing { comparison: &comparison, sides: described, notes, top };
    match svg {
        Some(file) => file.write(comparing.to_svg().as_bytes()),
        None => {
            let mut out = Stdout::plain();
            out.write_all(comparing.to_text().as_bytes())?;
            Ok(out.flush()?)
        }
    }
}
