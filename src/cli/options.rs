//! The options that tracing tools share: a letter means the same in every tool.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use super::export::ExportOptions;
use super::schedule::{OUTPUT, Schedule};
use crate::error::Error;
use crate::host::{AttachKind, Cgroup, Cgroups, Disks, Process};
use crate::programs::submitter::Key;
use crate::sample::Setting;
use crate::tools::{Choice, Whose};
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

    #[command(flatten)]
    pub export: ExportOptions,

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

    /// Only I/O that this process submitted; with --attach tracepoint, that it issued
    #[arg(short, long, value_parser = whole(1..=i32::MAX as u32))]
    pub pid: Option<u32>,

    /// Only I/O that tasks of this name submitted; the kernel keeps 15 bytes of a name
    #[arg(short, long, value_name = "NAME")]
    pub comm: Option<String>,

    /// Only I/O that tasks of this control group (version 2) and of those below it submitted, such as
    /// system.slice/cron.service
    #[arg(long, value_name = "PATH")]
    pub cgroup: Option<String>,
}

impl BlockOptions {
    /// Whose I/O the options ask for.
    ///
    /// # Errors
    /// There is no such process or control group.
    pub fn whose(&self) -> Result<Whose, Error> {
        Ok(Whose {
            process: self.pid.map(Process::find).transpose()?,
            comm: self.comm.clone(),
            cgroup: self.cgroup.as_deref().map(Cgroup::find).transpose()?,
        })
    }

    /// What is counted, in a sentence about none.
    pub fn requests(&self) -> &'static str {
        match self.pid.is_some() || self.comm.is_some() || self.cgroup.is_some() {
            true => "requests of those that were asked for",
            false => "requests",
        }
    }

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

/// Parses what rows are kept by of who submitted requests.
pub fn submitter() -> impl TypedValueParser<Value = Key> {
    one_of(Key::ALL, |key| key.name().into())
}

/// Checks that this host has what rows are kept by.
///
/// # Errors
/// It has no control groups of version 2.
pub fn check_submitter(by: Option<Key>) -> Result<(), Error> {
    if by == Some(Key::Cgroup) { Cgroups::check().map(drop) } else { Ok(()) }
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
