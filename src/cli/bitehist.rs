//! `rawbpf bitehist`: its options.

use clap::Args;

use super::options::{BlockOptions, TraceOptions};
use super::tables::TablePrinter;
use super::traced::TracedTool;
use crate::error::Error;
use crate::tools::bitehist;
use crate::view::tables::Titles;

/// Show the distribution of block I/O sizes as a histogram
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub struct Options {
    #[command(flatten)]
    pub trace: TraceOptions,

    #[command(flatten)]
    block: BlockOptions,

    /// Print bytes, from half a kilobyte on, instead of kilobytes
    #[arg(long)]
    bytes: bool,
}

const USAGE: &str = "rawbpf bitehist [OPTIONS] [INTERVAL [COUNT]]";

const EXAMPLES: &str = "\
Kernel memory of its maps: 264 bytes. -p, -c and --cgroup add 1920 KiB.

Examples:
  rawbpf bitehist                    a table every 5 seconds until Ctrl-C
  rawbpf bitehist 1 10               ten tables, one a second
  rawbpf bitehist -T -d nvme0n1 60   one disk, a table a minute, with the time of day
  rawbpf bitehist --json 1 | jq .    a line of JSON a second
  rawbpf bitehist --dump-insns       the bytecode; needs no privilege";

impl Options {
    /// How it prints.
    pub fn printer(&self) -> TablePrinter {
        TablePrinter::new(Titles::Named, false).counting(self.block.requests())
    }

    /// The tool that these options ask for.
    ///
    /// # Errors
    /// There is no such disk, process or control group.
    pub fn traced(&self) -> Result<TracedTool, Error> {
        let (disks, whose) = (self.block.disks()?, self.block.whose()?);
        let output = self.printer().naming_others(&disks, &whose);
        let tool = bitehist::Bitehist::new(bitehist::Options {
            disks,
            whose,
            attach: self.block.attach,
            bytes: self.bytes,
        });
        Ok(TracedTool {
            tool: Box::new(tool),
            options: self.trace.clone(),
            output: Box::new(output),
        })
    }
}
