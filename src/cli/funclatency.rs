//! `rawbpf funclatency`: its options.

use clap::{Args, ValueEnum};

use super::distribution::DistributionOptions;
use super::options::{ATTACHING, TraceOptions, attach_kind_anywhere, whole};
use super::tables::TablePrinter;
use super::traced::TracedTool;
use crate::error::Error;
use crate::sample;
use crate::tools::{Choice, funclatency};
use crate::view::tables::Titles;

/// Show how long a kernel or user function takes, as a histogram
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub struct Options {
    /// A kernel function, also as MODULE:FUNCTION, or FILE:SYMBOL for a function of an executable or
    /// library, whose FILE is a path or a short name (c:malloc) and whose SYMBOL may be a pattern
    #[arg(value_name = "FUNCTION")]
    function: String,

    #[command(flatten)]
    pub trace: TraceOptions,

    #[command(flatten)]
    distribution: DistributionOptions,

    /// Print a histogram for each pid
    #[arg(long, value_name = "KEY", hide_possible_values = true)]
    by: Option<ByOption>,

    /// Maximum number of processes that --by pid counts
    #[arg(long, value_name = "N", default_value = "1024", requires = "by")]
    #[arg(value_parser = whole(1..=1_000_000))]
    max_keys: u32,

    /// The unit of time: ns, us or ms
    #[arg(long, value_name = "UNIT", default_value = "us", hide_possible_values = true)]
    unit: UnitOption,

    /// How to attach: auto; fentry or kprobe for a kernel function, uprobe.multi or uprobe for others, in
    /// this order
    #[arg(long, value_name = "KIND", default_value = "auto", hide_possible_values = true)]
    #[arg(value_parser = attach_kind_anywhere(), help_heading = ATTACHING)]
    attach: Choice,
}

const USAGE: &str = "rawbpf funclatency [OPTIONS] FUNCTION [INTERVAL [COUNT]]";

const EXAMPLES: &str = "\
Kernel memory of its maps: 977 KiB, and 9 KiB for each CPU. With --by pid it is \
1061 KiB, and 4152 KiB for each CPU. --max-keys changes that. A pattern takes 80 KiB more.

Examples:
  rawbpf funclatency do_nanosleep 1 3             a kernel function, three tables
  rawbpf funclatency --unit ns vfs_read           in nanoseconds
  rawbpf funclatency c:nanosleep --linear 0,20,1 --unit ms
                                                  a function of the C library
  rawbpf funclatency '/bin/app:Foo::*' -p 4242    all methods of a class together

All functions that a pattern matches are measured together, in one histogram; FILE:SYMBOL is explained by \
rawbpf funccount --help. Returns of Go's functions cannot be probed. In \
a program with C++ exceptions, functions are probed at their return instructions, because an exception \
would end the program at a uretprobe; a function that is left by a jump is refused there. Of a thread, \
the kernel follows at most 64 open calls to their returns.

Calls that were open when tracing began or ended are not counted. A kretprobe can follow only a \
limited number of calls at once, often twice the number of CPUs, and misses the return of the others; \
fentry has no such limit.";

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum ByOption {
    Pid,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum UnitOption {
    Ns,
    Us,
    Ms,
}

impl UnitOption {
    fn unit(self) -> sample::Unit {
        match self {
            UnitOption::Ns => sample::Unit::Nanoseconds,
            UnitOption::Us => sample::Unit::Microseconds,
            UnitOption::Ms => sample::Unit::Milliseconds,
        }
    }
}

impl Options {
    /// How it prints.
    pub fn printer(&self) -> TablePrinter {
        let output = TablePrinter::new(Titles::Named, true).counting("calls");
        if self.distribution.is_log2() { output } else { output.above_lowest_used() }
    }

    /// The tool that these options ask for.
    ///
    /// # Errors
    /// There is no such process or user function, or it cannot be attached in that way.
    pub fn traced(&self) -> Result<TracedTool, Error> {
        let tool = funclatency::Funclatency::new(funclatency::Options {
            function: self.function.clone(),
            attach: self.attach,
            pid: self.distribution.pid,
            buckets: self.distribution.buckets(),
            unit: self.unit.unit(),
            by_pid: self.by.is_some(),
            max_keys: self.max_keys,
            percentiles: self.distribution.percentiles(),
        })?;
        Ok(TracedTool {
            tool: Box::new(tool),
            options: self.trace.clone(),
            output: Box::new(self.printer()),
        })
    }
}
