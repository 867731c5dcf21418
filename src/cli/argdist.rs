//! `rawbpf argdist`: its options.

use clap::Args;

use super::distribution::DistributionOptions;
use super::options::{TraceOptions, attach_kind};
use super::tables::TablePrinter;
use super::trace::TracedTool;
use crate::error::Error;
use crate::host::Expression;
use crate::tools::{Choice, argdist};
use crate::view::tables::Titles;

/// Show the values of a function's argument or result, or of a tracepoint's field, as a histogram
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub struct Options {
    /// A kernel function, a tracepoint (block:block_rq_issue), or PATH:SYMBOL for a function of an
    /// executable or library
    #[arg(value_name = "FUNCTION")]
    function: String,

    /// arg0 to arg5 or an argument's name, retval, or a tracepoint's field. Pointers are followed with
    /// -> and . as in C: 'arg0->q->nr_requests'
    #[arg(value_name = "ARG|FIELD")]
    value: Expression,

    #[command(flatten)]
    pub trace: TraceOptions,

    #[command(flatten)]
    distribution: DistributionOptions,

    /// How to attach: auto; kprobe or fentry for a function; tp_btf or raw_tp for an argument of a
    /// tracepoint (arg0), tracepoint for one of its fields
    #[arg(long, value_name = "KIND", default_value = "auto", hide_possible_values = true)]
    #[arg(value_parser = attach_kind())]
    attach: Choice,
}

const USAGE: &str = "rawbpf argdist [OPTIONS] FUNCTION ARG|FIELD [INTERVAL [COUNT]]";

const EXAMPLES: &str = "\
Kernel memory of its maps: 32 bytes, and 568 bytes for each CPU.

Examples:
  rawbpf argdist blk_mq_start_request 'arg0->__data_len' 1 1  a field that an argument points to
  rawbpf argdist syscalls:sys_exit_read ret 1                 a tracepoint's field, a table a second
  rawbpf argdist vfs_read retval --linear 0,4096,256          a function's result, in equal steps

Width and sign come from the kernel's types (BTF). Without type information (always so for user \
functions), arguments are unsigned 64-bit integers. Numbers below 0, such as errors, and values that \
could not be read are counted beside the table. -p filters by the current process; in an interrupt \
that can be any process.";

impl Options {
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
            buckets: self.distribution.buckets(),
        })?;
        let output = Box::new(TablePrinter::new(Titles::Named, true).above_lowest_used());
        Ok(TracedTool { tool: Box::new(tool), options: self.trace.clone(), output })
    }
}
