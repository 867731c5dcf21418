//! `rawbpf funccount`: its options.

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Args};

use super::options::{self, TraceOptions, whole};
use super::schedule;
use super::tables::TablePrinter;
use super::time;
use super::traced::TracedTool;
use crate::error::Error;
use crate::programs::funccount::By;
use crate::tools::funccount;
use crate::view::tables::Titles;

/// Count calls of kernel and user functions and hits of tracepoints, by function, process, name, user or CPU
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
#[command(mut_arg("interval", interval), mut_arg("count", count))]
pub struct Options {
    /// Functions (vfs_read, or ext4:ext4_sync_file of a module), tracepoints (sched:sched_switch or
    /// t:sched:sched_switch) and functions of executables and libraries (/bin/app:work, c:malloc), by
    /// name or by pattern with *, ? and [..]. After them, the interval and the number of tables
    #[arg(required = true, value_name = "FUNCTION|PATTERN")]
    words: Vec<String>,

    #[command(flatten)]
    pub trace: TraceOptions,

    /// Print a count for each
    #[arg(long, value_name = "KEY", default_value = "function", value_parser = by())]
    by: By,

    /// Only this process
    #[arg(short, long, value_name = "PID", value_parser = whole(1..=i32::MAX as u32))]
    pid: Option<u32>,

    /// Print only the N highest counts
    #[arg(long, value_name = "N", value_parser = whole(1..=u32::MAX))]
    top: Option<u32>,

    /// Maximum number of processes, names, users or CPUs counted in the kernel, 100 bytes each
    #[arg(long, value_name = "N", default_value_t = 10240, value_parser = whole(1..=1 << 24))]
    max_keys: u32,
}

fn by() -> impl TypedValueParser<Value = By> {
    options::one_of(By::ALL, |by| {
        PossibleValue::new(by.name()).help(match by {
            By::Function => "The function or tracepoint",
            By::Pid => "The process; \"outside\" if it is not in this PID namespace (container)",
            By::Comm => "The name of the thread",
            By::Uid => "The user",
            By::Cpu => "The CPU",
        })
    })
}

/// The interval may also be an option, as in bcc's tool.
fn interval(arg: Arg) -> Arg {
    arg.short('i').long("interval").value_name("TIME")
}

fn count(arg: Arg) -> Arg {
    arg.short('n').long("count").value_name("N")
}

const USAGE: &str = "rawbpf funccount [OPTIONS] FUNCTION|PATTERN... [INTERVAL [COUNT]]";

const EXAMPLES: &str = "\
Kernel memory of its maps: 8 bytes for each function or tracepoint, and 4 KiB for system calls. With --by another key it is
977 KiB, and 72 bytes for each CPU. --max-keys changes that.

Examples:
  rawbpf funccount 'vfs_*'                   a table every 5 seconds until Ctrl-C
  rawbpf funccount 'vfs_*' --by comm 1 1     who calls them, for one second
  rawbpf funccount 'tcp_send*' 'tcp_recv*' 1 two patterns, a table a second
  rawbpf funccount 'syscalls:sys_enter_*' -p 4242 --top 10
                                             the ten most frequent system calls of a process
  rawbpf funccount 'c:*alloc' '/bin/app:Foo::*' 1
                                             functions of the C library and of a program in C++

User functions are named by FILE:SYMBOL. FILE is a path, or the short name of a library (c, libc or \
libc.so.6) or a program; with -p, of what the process uses. SYMBOL is a symbol, the name in the source of \
C++ or Rust with or without parameters (Foo::bar, 'Foo::bar(int)'), an address as nm prints it (0x1234), or \
a place in a function (work+0x10). Separate debug files are found by build id and .gnu_debuglink.";

impl Options {
    /// How it prints.
    pub fn printer(&self) -> TablePrinter {
        TablePrinter::new(Titles::Named, false).counting("calls")
    }

    /// The tool that these options ask for.
    ///
    /// # Errors
    /// A pattern matches nothing here, or the numbers after the patterns make no sense.
    pub fn traced(&self) -> Result<TracedTool, Error> {
        let (patterns, options) = split(&self.words, &self.trace)?;
        let tool = funccount::Funccount::new(funccount::Options {
            patterns: patterns.to_vec(),
            by: self.by,
            // The range of the option is that of the type.
            pid: self.pid.map(|pid| pid as i32),
            top: self.top,
            max_keys: self.max_keys,
        })?;
        Ok(TracedTool { tool: Box::new(tool), options, output: Box::new(self.printer()) })
    }
}

/// The patterns, and the options, including the numbers after the patterns.
fn split<'a>(
    words: &'a [String],
    options: &TraceOptions,
) -> Result<(&'a [String], TraceOptions), Error> {
    let patterns = words.iter().rposition(|word| !time::is_number(word)).map_or(0, |n| n + 1);
    let (patterns, numbers) = words.split_at(patterns);
    if patterns.is_empty() {
        return Err(Error::usage("a function or a pattern must come before the numbers"));
    }
    let mut options = options.clone();
    if let Some(interval) = numbers.first() {
        let parsed = time::interval(interval);
        options.schedule.interval =
            Some(parsed.map_err(|why| Error::usage(format!("the interval {interval}: {why}")))?);
    }
    if let Some(count) = numbers.get(1) {
        let parsed = schedule::count(count);
        options.schedule.count =
            Some(parsed.map_err(|why| Error::usage(format!("the count {count}: {why}")))?);
    }
    match numbers.get(2) {
        Some(more) => Err(Error::usage(format!(
            "{more} is one number too many: only INTERVAL and COUNT come after the patterns"
        ))),
        None => Ok((patterns, options)),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        options: Options,
    }

    /// The patterns, the interval in seconds and the count.
    fn read(words: &str) -> Result<(Vec<String>, f64, Option<u64>), Error> {
        let words = ["funccount"].into_iter().chain(words.split(' '));
        let line =
            CommandLine::try_parse_from(words).map_err(|error| Error::usage(error.to_string()))?;
        let (patterns, trace) = split(&line.options.words, &line.options.trace)?;
        Ok((patterns.to_vec(), trace.schedule.interval().as_secs_f64(), trace.schedule.count))
    }

    #[test]
    fn numbers_after_the_patterns_are_interval_and_count() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(read("vfs_*").unwrap(), (names(&["vfs_*"]), 5.0, None));
        assert_eq!(read("a b 0.5").unwrap(), (names(&["a", "b"]), 0.5, None));
        assert_eq!(read("a --by comm 1 3").unwrap(), (names(&["a"]), 1.0, Some(3)));
        assert_eq!(read("-i 2 a -n 4").unwrap(), (names(&["a"]), 2.0, Some(4)));
        assert_eq!(read("a b 100ms 3").unwrap(), (names(&["a", "b"]), 0.1, Some(3)));
        assert_eq!(read("inf 1m").unwrap(), (names(&["inf"]), 60.0, None));
    }

    #[test]
    fn nonsense_after_the_patterns_is_an_error() {
        for (words, said) in [
            ("1 2", "must come before"),
            ("a 0", "0.001"),
            ("a 1 0", "must be a whole number from 1"),
            ("a 1 1.5", "must be a whole number from 1"),
            ("a 1 2 3", "3 is one number too many"),
            ("a 1x", "as in 100ms"),
        ] {
            let error = read(words).unwrap_err();
            assert!(error.what.contains(said), "{words}: {error}");
        }
    }
}
