//! The options that tracing tools share: a letter means the same in every tool.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use super::schedule::{OUTPUT, Schedule};
use crate::error::Error;
use crate::host::{AttachKind, Disks};
use crate::sample::Setting;
use crate::tools::Choice;
use crate::view::dump::Format;

/// The title, in the help, of options about attaching, and about what is attached.
pub const ATTACHING: &str = "Attaching";

/// The options that all tracing tools share: when and what to print.
#[derive(Args, Clone, Debug)]
pub struct TraceOptions {
    #[command(flatten)]
    pub schedule: Schedule,

    /// Print the time of day above each table
    #[arg(short = 'T', long, help_heading = OUTPUT)]
    pub timestamp: bool,

    /// Print a line of JSON per interval
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,

    /// Read the kernel's types from FILE (BTF, or an ELF object with BTF), not from /sys/kernel/btf
    #[arg(long, value_name = "FILE", help_heading = ATTACHING)]
    pub btf: Option<PathBuf>,

    /// Print the bytecode and exit; needs no privilege. FORMAT is listing, opcodes, linum, hex, c,
    /// json, raw, visual or dot. If several attach kinds are possible, prints the program for the
    /// first
    #[arg(
        long,
        value_name = "FORMAT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "listing",
        hide_possible_values = true,
        help_heading = ATTACHING
    )]
    pub dump_insns: Option<Format>,

    /// Report on stderr what is attached where, why, and how long that took
    #[arg(short, long, help_heading = ATTACHING)]
    pub verbose: bool,

    /// Keep all privileges. Without this option, a tool that has attached its programs gives up the
    /// capabilities and system calls that it does not need any more
    #[arg(long, help_heading = ATTACHING)]
    pub keep_privileges: bool,

    /// If the verifier refuses a program, write its whole log to FILE; - for stdout
    #[arg(long, value_name = "FILE", help_heading = ATTACHING)]
    pub verifier_log: Option<PathBuf>,
}

impl TraceOptions {
    /// Whether the kernel's own words are shown too, and the file for the verifier's log.
    pub fn reporting(&self) -> (bool, Option<&Path>) {
        (self.verbose, self.verifier_log.as_deref())
    }

    /// The options that decide what is counted and how often.
    pub fn settings(&self) -> Vec<(&'static str, Setting)> {
        let btf = self.btf.as_ref().map(|path| path.to_string_lossy().into_owned());
        self.schedule.settings().into_iter().chain([("btf", btf.into())]).collect()
    }
}

/// The options of the block tools: which requests, and how to attach.
#[derive(Args, Debug)]
pub struct BlockOptions {
    /// Only these disks: vda, /dev/disk/by-id/NAME, 8:0, 'nvme*', or several: sda,sdb
    #[arg(short, long, value_name = "DISK")]
    pub disk: Vec<String>,

    /// How to attach: auto, kprobe, fentry, tp_btf, raw_tp or tracepoint. auto tries kinds by their cost;
    /// bitehist begins with the kprobe
    #[arg(
        long,
        value_name = "KIND",
        default_value = "auto",
        hide_possible_values = true,
        value_parser = attach_kind(),
        help_heading = ATTACHING
    )]
    pub attach: Choice,
}

impl BlockOptions {
    /// The disks that the option names.
    ///
    /// # Errors
    /// There is no disk of a name, or it issues no requests.
    pub fn disks(&self) -> Result<Disks, Error> {
        Disks::find(&self.disk)
    }
}

/// Parses a [`Choice`] of the block tools.
pub fn attach_kind() -> impl TypedValueParser<Value = Choice> {
    choice(&["auto", "kprobe", "fentry", "tp_btf", "raw_tp", "tracepoint"])
}

/// Parses a [`Choice`] for functions and tracepoints, also for functions of executables and libraries.
pub fn attach_kind_anywhere() -> impl TypedValueParser<Value = Choice> {
    choice(&[
        "auto",
        "kprobe",
        "fentry",
        "tp_btf",
        "raw_tp",
        "tracepoint",
        "uprobe.multi",
        "uprobe",
    ])
}

fn choice(names: &'static [&'static str]) -> impl TypedValueParser<Value = Choice> {
    PossibleValuesParser::new(names).map(|name| {
        let kind = AttachKind::ALL.iter().find(|kind| kind.to_string() == name);
        kind.map_or(Choice::Auto, |kind| Choice::Only(*kind))
    })
}

/// A parser of whole numbers in a range.
pub fn whole(
    range: RangeInclusive<u32>,
) -> impl Fn(&str) -> Result<u32, String> + Clone + Send + Sync + 'static {
    move |text| match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!("it must be a whole number from {} to {}", range.start(), range.end())),
    }
}

/// Parses one of these by its spelling.
pub fn one_of<T, const N: usize>(
    all: [T; N],
    spelling: fn(T) -> PossibleValue,
) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static,
{
    PossibleValuesParser::new(all.map(spelling)).map(move |text| {
        let spelled = |one: &T| spelling(*one).matches(&text, false);
        all.into_iter().find(spelled).expect("the parser lets only these through")
    })
}
