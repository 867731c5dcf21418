//! The options of `rawbpf list`.

use std::ffi::OsStr;
use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};
use clap::{Arg, Args, ValueEnum};

use crate::cli::options::whole;
use crate::cli::{schedule, time};
use crate::error::Error;
use crate::host::names;

/// List the programs, maps and links in the kernel, and who holds them
///
/// A program stays in the kernel while a process has a file descriptor of it, while it is attached (by
/// a link or otherwise), or while a file in a bpffs pins it. A map also stays while a program uses it.
/// rawbpf-detach is a process that detaches the programs of a tool that has ended.
/// Memory is in bytes.
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub struct Options {
    /// Only programs, maps or links, or several of these. With --live: the interval [default: 1] and
    /// the number of tables
    #[arg(value_name = "WHAT", hide_possible_values = true, value_parser = WordParser)]
    words: Vec<Word>,

    /// Only objects with this name, or a pattern with *, ? and [..]; of links, the program's name
    #[arg(long, value_name = "PATTERN")]
    pub name: Option<String>,

    /// Sort by id, name, type, memory, runs, time, average or misses; numbers but id from the highest
    /// down [default: id; with --live: time]
    #[arg(long, value_name = "KEY", hide_possible_values = true)]
    pub sort: Option<Sort>,

    /// Print only the first N rows of each table
    #[arg(long, value_name = "N", value_parser = whole(1..=u32::MAX))]
    top: Option<u32>,

    /// Show what programs cost, every second: runs, time, and per cent of a CPU
    #[arg(long, conflicts_with = "stats")]
    pub live: bool,

    /// Print all columns, however wide. Otherwise those that fit on the terminal, or in 80 columns
    #[arg(short, long)]
    wide: bool,

    /// Print a line of JSON per object; with --live, one per interval
    #[arg(long)]
    pub json: bool,

    /// Count for TIME, such as 5 or 500ms, how often each program runs and how long it takes. Without this option,
    /// the counts are the kernel's since the program was loaded, if kernel.bpf_stats_enabled is 1
    #[arg(long, value_name = "TIME", value_parser = time::interval)]
    pub stats: Option<Duration>,

    /// On failure, print the kernel's own answer too
    #[arg(short, long)]
    pub verbose: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    Programs,
    Maps,
    Links,
}

/// What to sort by.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    Id,
    Name,
    Type,
    Memory,
    Runs,
    Time,
    Average,
    Misses,
}

/// A word after the options.
#[derive(Clone)]
enum Word {
    What(What),
    Number(String),
}

#[derive(Clone)]
struct WordParser;

impl TypedValueParser for WordParser {
    type Value = Word;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Word, clap::Error> {
        match value.to_str().filter(|word| time::is_number(word)) {
            Some(number) => Ok(Word::Number(number.to_owned())),
            None => EnumValueParser::new().parse_ref(command, arg, value).map(Word::What),
        }
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(What::value_variants().iter().filter_map(What::to_possible_value)))
    }
}

const USAGE: &str = "\
rawbpf list [OPTIONS] [programs] [maps] [links]
       rawbpf list --live [OPTIONS] [INTERVAL [COUNT]]";

const EXAMPLES: &str = "\
Examples:
  sudo rawbpf list                        everything
  sudo rawbpf list --live                 what programs cost, on the screen; q ends it
  sudo rawbpf list --live 5 1 --top 3     a table of the three that cost most in five seconds
  sudo rawbpf list programs --stats 5     what each program costs, measured for five seconds
  sudo rawbpf list maps --sort memory     the largest first
  sudo rawbpf list --name 'sys_*' --json | jq .id
                                          JSON, for scripts

To count runs costs the kernel some 40 ns for each run of each program, while --live or --stats is used.";

impl Options {
    /// What is listed.
    pub fn what(&self) -> impl Iterator<Item = What> {
        self.words.iter().filter_map(|word| match word {
            Word::What(what) => Some(*what),
            Word::Number(_) => None,
        })
    }

    /// Whether an object's name is asked for. The kernel keeps 15 bytes of a name.
    pub fn is_named(&self, name: &str) -> bool {
        self.name.as_deref().is_none_or(|pattern| {
            let is_cut = name.len() == KERNEL_NAME && pattern.len() > KERNEL_NAME;
            names::matches(pattern, name) || is_cut && pattern.starts_with(name)
        })
    }

    /// The number of rows that are shown.
    pub fn top(&self) -> usize {
        self.top.map_or(usize::MAX, |top| top as usize)
    }

    /// The width of the output.
    pub fn width(&self) -> Option<usize> {
        let size = terminal_size::terminal_size_of(io::stdout());
        let width = size.map(|(width, _)| usize::from(width.0)).filter(|width| *width > 0);
        (!self.wide).then(|| width.filter(|_| io::stdout().is_terminal()).unwrap_or(80))
    }

    /// The numbers after the options: the interval, and how many.
    pub fn numbers(&self) -> Result<(Option<Duration>, Option<u64>), Error> {
        let mut numbers = self.words.iter().filter_map(|word| match word {
            Word::Number(number) => Some(number),
            Word::What(_) => None,
        });
        let [interval, count, more] = [(); 3].map(|()| numbers.next());
        let read = |word: &String, why| Error::usage(format!("{word}: {why}"));
        let interval = interval.map(|word| time::interval(word).map_err(|why| read(word, why)));
        let count = count.map(|word| schedule::count(word).map_err(|why| read(word, why)));
        match more {
            Some(more) => Err(Error::usage(format!(
                "{more} is one number too many: only INTERVAL and COUNT come after --live"
            ))),
            None => Ok((interval.transpose()?, count.transpose()?)),
        }
    }
}

/// The length of the longest name that the kernel keeps.
const KERNEL_NAME: usize = 15;
