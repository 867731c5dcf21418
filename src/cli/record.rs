//! `rawbpf record`: runs a tool and keeps its samples in a file.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::recording::Recording;
use super::stop::Stop;
use super::{Command, ended, failure_code, parse, time, usage};
use crate::error::Error;
use crate::record::Keep;

/// Run a tool or a script, and record what it counts, to be shown or compared later
///
/// Each interval becomes a row of a compact file, which is whole up to its last row after a kill or a power
/// cut. rawbpf replay prints it as the tool would have, rawbpf compare shows what differs between two.
/// Nothing is printed meanwhile, except with the tool's --json. Of a script, its totals are recorded once a
/// second: counts, sums, averages and histograms.
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub struct Options {
    /// The file, which must not be there yet [default: TOOL.rec]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Keep at least the rows of this time, or at most this many bytes (KB, MB, GB), 256KB at least: the
    /// oldest rows make room for new ones [default: all]
    #[arg(long, value_name = "TIME|SIZE", value_parser = keep)]
    keep: Option<Keep>,

    /// Wait after each row until it is on the disk (fdatasync): a power cut then loses the current row alone
    #[arg(long)]
    fsync: bool,

    /// The tool with its options, or trace with a script
    #[arg(
        value_name = "TOOL",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    words: Vec<OsString>,
}

const USAGE: &str = "rawbpf record [OPTIONS] TOOL [ARG]...";

const EXAMPLES: &str = "\
Examples:
  rawbpf record -o night.rec biolatency -D 1         a row a second until Ctrl-C
  rawbpf record --keep 24h -o heat.rec bioheat 1     always the last day
  rawbpf record --keep 100MB bitesize --by comm 10   into bitesize.rec, 100 MB at most
  rawbpf record -o ms.rec bitehist 1ms --duration 1m a row a millisecond
  rawbpf replay night.rec --svg night.svg            the night as a heat map";

/// A time, or a number of bytes.
fn keep(text: &str) -> Result<Keep, String> {
    let Some(number) = text.strip_suffix(['B', 'b']) else {
        return time::duration(text)
            .map(Keep::Age)
            .map_err(|why| format!("{why}; or a size, as 100MB"));
    };
    let (number, unit) = match number.char_indices().last() {
        Some((at, 'K' | 'k')) => (&number[..at], 1000),
        Some((at, 'M')) => (&number[..at], 1_000_000),
        Some((at, 'G')) => (&number[..at], 1_000_000_000),
        _ => (number, 1),
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    match bytes {
        Some(bytes) if bytes >= Keep::FEWEST => Ok(Keep::Bytes(bytes)),
        Some(_) => Err("it must be at least 256KB".into()),
        None => Err("a size is a whole number of KB, MB or GB, as 100MB".into()),
    }
}

/// Records a run.
///
/// # Errors
/// What ends the tool, or the file cannot be written.
pub fn run(options: &Options) -> Result<(), Stop> {
    let words = [OsString::from("rawbpf")].into_iter().chain(options.words.iter().cloned());
    let code = match parse(words.collect()) {
        Ok(tool) => ended(tool.name(), tool.reporting(), record(options, &tool), failure_code),
        Err(error) => usage(error, false, failure_code),
    };
    if code == 0 { Ok(()) } else { Err(Stop::Code(code)) }
}

fn record(options: &Options, tool: &Command) -> Result<(), Stop> {
    tool.recorded().map_err(|why| {
        Error::usage(why).hint("such as: rawbpf record -o disks.rec biolatency -D 1")
    })?;
    let path = options.output.clone();
    let path = path.unwrap_or_else(|| format!("{}.rec", tool.run_name()).into());
    let words = options.words.iter().map(|word| word.to_string_lossy().into_owned());
    let keep = options.keep.unwrap_or(Keep::All);
    tool.run(Some(Recording::create(&path, keep, options.fsync, words.collect())?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_kept_is_a_time_or_a_size() {
        assert_eq!(keep("24h"), Ok(Keep::Age(Duration::from_secs(86400))));
        assert_eq!(keep("100MB"), Ok(Keep::Bytes(100_000_000)));
        assert_eq!(keep("2GB"), Ok(Keep::Bytes(2_000_000_000)));
        for wrong in ["100", "B", "MB", "1.5MB", "99999999999GB", "24x", "255999B", "-1MB"] {
            let kept = keep(wrong);
            assert!(kept.is_err() || wrong == "100", "{wrong}: {kept:?}");
        }
    }
}
