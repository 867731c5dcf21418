//! `rawbpf bitesize`: its options.

use clap::{Args, ValueEnum};

use super::options::{BlockOptions, TraceOptions, check_submitter, submitter, whole};
use super::tables::{Head, TablePrinter};
use super::traced::TracedTool;
use crate::error::Error;
use crate::programs::submitter::Key;
use crate::tools::bitesize;
use crate::view::tables::Titles;

/// Show a histogram of block I/O sizes for each process that requested the I/O
///
/// The process is the one that submitted the I/O, even when a kworker issues it to the driver. Writes
/// that wait in the page cache are submitted by the kernel's own tasks (kworker, jbd2). With --attach
/// tracepoint, the process is the one that issues the request. A cgroup is shown by its path in the
/// version 2 hierarchy, or by its number once it is removed. In a PID namespace (a container), processes
/// outside of it are shown as "outside".
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub struct Options {
    #[command(flatten)]
    pub trace: TraceOptions,

    #[command(flatten)]
    block: BlockOptions,

    /// Print a histogram for each pid (with user and name), tid (thread), comm, uid or cgroup
    #[arg(long, value_name = "KEY", default_value = "pid", hide_possible_values = true,
        value_parser = submitter())]
    by: Key,

    /// Print a histogram also for each operation with its flags
    #[arg(short = 'F', long)]
    flags: bool,

    /// Order by bytes or by count; the highest comes last, next to the prompt
    #[arg(long, value_name = "WHAT", default_value = "bytes", hide_possible_values = true)]
    sort: SortOption,

    /// Print only the N highest
    #[arg(long, value_name = "N", value_parser = whole(1..=u32::MAX))]
    top: Option<u32>,

    /// Maximum number of histograms kept in the kernel. Idle ones are evicted; anything beyond is
    /// counted and reported
    #[arg(long, value_name = "N", default_value = "4096", value_parser = whole(1..=1 << 20))]
    max_keys: u32,
}

/// The order of the histograms.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum SortOption {
    Bytes,
    Count,
}

const USAGE: &str = "rawbpf bitesize [OPTIONS] [INTERVAL [COUNT]]";

const EXAMPLES: &str = "\
Kernel memory of its maps: 3361 KiB, and 344 bytes for each CPU. --max-keys changes that.

Examples:
  rawbpf bitesize                        tables every 5 seconds until Ctrl-C
  rawbpf bitesize --by comm --top 3 60   the three busiest programs of each minute
  rawbpf bitesize --by cgroup -F 10      containers and services, with reads and writes apart
  rawbpf bitesize -d nvme0n1 -c postgres 10 1";

impl Options {
    /// How it prints.
    pub fn printer(&self) -> TablePrinter {
        // Each of several tables has its time, as in the tool of 2015.
        let head = if self.trace.schedule.is_one_table() { Head::Nothing } else { Head::Date };
        let output = TablePrinter::new(Titles::Indented, false).above_lowest_used().below(head);
        output.counting(self.block.requests())
    }

    /// The tool that these options ask for.
    ///
    /// # Errors
    /// There is no such disk, process or control group.
    pub fn traced(&self) -> Result<TracedTool, Error> {
        check_submitter(Some(self.by))?;
        let (disks, whose) = (self.block.disks()?, self.block.whose()?);
        let output = self.printer().naming_others(&disks, &whose);
        let tool = bitesize::Bitesize::new(bitesize::Options {
            disks,
            whose,
            attach: self.block.attach,
            by: self.by,
            by_flags: self.flags,
            sort: match self.sort {
                SortOption::Bytes => bitesize::Sort::Bytes,
                SortOption::Count => bitesize::Sort::Count,
            },
            top: self.top,
            max_keys: self.max_keys,
        });
        Ok(TracedTool {
            tool: Box::new(tool),
            options: self.trace.clone(),
            output: Box::new(output),
        })
    }
}
