//! `rawbpf argdist`: its options.

use clap::Args;

use super::distribution::DistributionOptions;
use super::options::{ATTACHING, TraceOptions, attach_kind_anywhere, whole};
use super::tables::TablePrinter;
use super::traced::TracedTool;
use crate::error::Error;
use crate::host::Expression;
use crate::host::registers::ARGUMENTS;
use crate::tools::{Choice, argdist};
use crate::view::tables::Titles;

/// Show the values of a function's argument or result, or of a tracepoint's field: numbers as a
/// histogram, strings by how often each was found
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub struct Options {
    /// A kernel function, also as MODULE:FUNCTION, a tracepoint (block:block_rq_issue), or FILE:SYMBOL for
    /// a function of an executable or library (/bin/app:work, c:malloc); a pattern of these counts all
    /// together
    #[arg(value_name = "FUNCTION")]
    function: String,

    #[arg(value_name = "ARG|FIELD", help = value_help())]
    value: Expression,

    #[command(flatten)]
    pub trace: TraceOptions,

    #[command(flatten)]
    distribution: DistributionOptions,

    /// Count each number by itself, also those below 0, instead of in buckets
    #[arg(long, conflicts_with_all = ["linear", "custom"])]
    each: bool,

    /// Of strings and of numbers counted by themselves, print only the N most frequent
    #[arg(long, value_name = "N", value_parser = whole(1..=u32::MAX))]
    top: Option<u32>,

    /// Maximum number of strings, or of numbers counted by themselves, kept in the kernel
    #[arg(long, value_name = "N", default_value_t = 10240, value_parser = whole(1..=1 << 24))]
    max_keys: u32,

    /// How to attach: auto; fentry or kprobe for a function; tp_btf or raw_tp for an argument of a
    /// tracepoint (arg0), tracepoint for one of its fields; uprobe.multi or uprobe for a function of an
    /// executable or library. auto tries them in this order
    #[arg(long, value_name = "KIND", default_value = "auto", hide_possible_values = true)]
    #[arg(value_parser = attach_kind_anywhere(), help_heading = ATTACHING)]
    attach: Choice,
}

/// As long as the architecture's registers go.
fn value_help() -> String {
    format!(
        "{ARGUMENTS} or an argument's name, retval, or a tracepoint's field. Pointers are followed with \
         -> and . as in C: 'arg0->q->nr_requests'. '(int)retval' converts a number as C does; 'str(arg0)' \
         is the string that a pointer leads to"
    )
}

const USAGE: &str = "rawbpf argdist [OPTIONS] FUNCTION ARG|FIELD [INTERVAL [COUNT]]";

const EXAMPLES: &str = "\
Kernel memory of its maps: 32 bytes, and 9 KiB for each CPU. With a counter
for each string or number it is at most 2097 KiB, and 184 bytes for each CPU.

Examples:
  rawbpf argdist blk_mq_start_request 'arg0->__data_len' 1 1  a field that an argument points to
  rawbpf argdist syscalls:sys_exit_read ret 1                 a tracepoint's field, a table a second
  rawbpf argdist vfs_read retval --linear 0,4096,256          a function's result, in equal steps
  rawbpf argdist null_blk:null_queue_rq 'bd->rq->__data_len'  a function of a module
  rawbpf argdist sched:sched_switch prev_comm --top 10 1      a field that is a string
  rawbpf argdist /bin/app:open_file 'str(arg0)' -p 4242       a string of a process
  rawbpf argdist /bin/app:work '(int)retval' --each           a result that may be below 0

Width and sign come from the kernel's types (BTF). Without type information (always so for user \
functions), arguments are unsigned 64-bit integers: a cast says what they are. The types of casts are \
char, short, int, long, their unsigned forms, int8 to int64, uint8 to uint64, s8 to s64 and u8 to u64. \
In a histogram, numbers below 0, such as errors, are counted beside the table. The values of an \
enumeration are counted by their names. Arrays of char are strings, and str() reads any other string. \
On s390x no address says whether it is the process's or the kernel's: str(uptr(arg0)) or str(kptr(arg0)) does. \
Strings that are longer than 127 bytes are counted by their first 127 bytes, and their number is \
printed. Values that could not be read are counted beside the table. -p filters by the current process; \
in an interrupt that can be any process.";

impl Options {
    /// How it prints.
    pub fn printer(&self) -> TablePrinter {
        TablePrinter::new(Titles::Named, true).counting("values").above_lowest_used()
    }

    /// The tool that these options ask for.
    ///
    /// # Errors
    /// There is no such process or user function, or it cannot be attached in that way.
    pub fn traced(&self) -> Result<TracedTool, Error> {
        let tool = argdist::Argdist::new(argdist::Options {
            function: self.function.clone(),
            value: self.value.clone(),
            attach: self.attach,
            pid: self.distribution.pid,
            buckets: (!self.each).then(|| self.distribution.buckets()),
            top: self.top,
            max_keys: self.max_keys,
            percentiles: self.distribution.percentiles(),
        })?;
        let output = Box::new(self.printer());
        Ok(TracedTool { tool: Box::new(tool), options: self.trace.clone(), output })
    }
}
