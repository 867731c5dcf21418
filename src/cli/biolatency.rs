//! `rawbpf biolatency`: its options.

use clap::Args;

use super::distribution::PercentileOptions;
use super::options::{BlockOptions, TraceOptions, check_submitter, submitter, whole};
use super::tables::TablePrinter;
use super::traced::TracedTool;
use crate::error::Error;
use crate::programs::submitter::Key;
use crate::tools::biolatency;
use crate::view::tables::Titles;

/// Show the distribution of block I/O latency as a histogram
///
/// Latency is the time from a request's issue to the driver until its completion. Below each
/// histogram: the count, the average, the minimum, the maximum, and bounds that the percentiles are
/// below, at most 6.25 % above them, or 12.5 % where there are several histograms (below 2 microseconds,
/// at most 125 nanoseconds). Kernels without types (BTF) have no -Q and no -F: requests are then met in tracepoints' records.
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub struct Options {
    #[command(flatten)]
    pub trace: TraceOptions,

    #[command(flatten)]
    block: BlockOptions,

    /// Print milliseconds instead of microseconds
    #[arg(short, long)]
    milliseconds: bool,

    /// Include the time in the kernel's queue, before the request is issued to the driver
    #[arg(short = 'Q', long)]
    queued: bool,

    /// Print a histogram for each disk
    #[arg(short = 'D', long)]
    disks: bool,

    /// Print a histogram for each operation with its flags
    #[arg(short = 'F', long)]
    flags: bool,

    /// Print a histogram for each pid (with user and name), tid (thread), comm, uid or cgroup that
    /// submitted requests
    #[arg(long, value_name = "KEY", hide_possible_values = true, value_parser = submitter())]
    by: Option<Key>,

    /// Maximum number of histograms of --by, -D and -F kept in the kernel. Idle ones are evicted; anything
    /// beyond is counted and reported
    #[arg(long, value_name = "N", default_value = "256", value_parser = whole(1..=1 << 20))]
    max_keys: u32,

    /// Track at least N requests between their start and their end; anything beyond is counted and
    /// reported
    #[arg(long, value_name = "N", default_value = "32768", value_parser = whole(1..=1 << 20))]
    max_requests: u32,

    #[command(flatten)]
    percentiles: PercentileOptions,
}

const USAGE: &str = "rawbpf biolatency [OPTIONS] [INTERVAL [COUNT]]";

const EXAMPLES: &str = "\
Kernel memory of its maps: 2817 KiB, and 9 KiB for each CPU. With -D or -F it is
3097 KiB, and 1039 KiB for each CPU. With --by it is 6049 KiB, and 1039 KiB for each CPU.
--max-requests and --max-keys change that. -p, -c and --cgroup alone add 1920 KiB.

Examples:
  rawbpf biolatency 1 10             ten histograms, one a second
  rawbpf biolatency -m -D -d 'sd*'   in milliseconds, for each of these disks
  rawbpf biolatency -F 60 1          reads, writes and flushes of a minute, each with its flags
  rawbpf biolatency --percentiles 50,99,99.9 10
                                     the median, and what 1 of 100 and 1 of 1000 requests is above
  rawbpf biolatency --by comm 10     the programs that wait for the disks, each with its latency
  rawbpf biolatency -Q -d nvme0n1    one disk, including the time that requests waited for it";

impl Options {
    /// How it prints.
    pub fn printer(&self) -> TablePrinter {
        TablePrinter::new(Titles::Assigned, true).counting(self.block.requests())
    }

    /// The tool that these options ask for.
    ///
    /// # Errors
    /// There is no such disk, process or control group.
    pub fn traced(&self) -> Result<TracedTool, Error> {
        check_submitter(self.by)?;
        let (disks, whose) = (self.block.disks()?, self.block.whose()?);
        let output = self.printer().naming_others(&disks, &whose);
        let tool = biolatency::Biolatency::new(biolatency::Options {
            disks,
            whose,
            attach: self.block.attach,
            milliseconds: self.milliseconds,
            queued: self.queued,
            by_disk: self.disks,
            by_flags: self.flags,
            by: self.by,
            max_keys: self.max_keys,
            max_requests: self.max_requests,
            percentiles: self.percentiles.percentiles(),
        });
        Ok(TracedTool {
            tool: Box::new(tool),
            options: self.trace.clone(),
            output: Box::new(output),
        })
    }
}
