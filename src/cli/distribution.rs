//! What tools that show a distribution share: which values, in which buckets, and the picture.

use std::fmt;
use std::path::Path;

use clap::Args;
use serde_json::{Map, Value};

use crate::aggregate::Buckets;
use crate::aggregate::Distribution;
use crate::error::Error;
use crate::view::histogram::{Log2Histogram, RangeHistogram};
use crate::view::summary::Summary;

/// Which values, and in which buckets.
#[derive(Args)]
pub struct DistributionOptions {
    /// Only this process
    #[arg(short, long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pid: Option<u32>,

    /// Buckets of one width: --linear 0,1000,50
    #[arg(long, value_name = "MIN,MAX,STEP", value_parser = linear, conflicts_with = "custom")]
    linear: Option<Buckets>,

    /// Buckets that begin at these values: --custom 100,1000,50000
    #[arg(long, value_name = "BOUND,...", value_parser = custom)]
    custom: Option<Buckets>,
}

impl DistributionOptions {
    /// The only process.
    ///
    /// # Errors
    /// There is none of that number.
    pub fn pid(&self) -> Result<Option<u32>, Error> {
        match self.pid {
            Some(pid) if !Path::new(&format!("/proc/{pid}")).exists() => {
                Err(Error::usage(format!("no process {pid}")))
            }
            pid => Ok(pid),
        }
    }

    /// By powers of two unless others were asked for.
    pub fn buckets(&self) -> Buckets {
        self.linear.as_ref().or(self.custom.as_ref()).unwrap_or(&Buckets::Log2).clone()
    }
}

/// A per-CPU value of a map has at most 32 KiB.
const MOST: u64 = 4000;

fn linear(text: &str) -> Result<Buckets, String> {
    let [min, max, step] = numbers(text)?[..] else {
        return Err("it is not three numbers with commas between: MIN,MAX,STEP".into());
    };
    if min >= max || step == 0 {
        return Err("MIN must be below MAX and STEP above 0".into());
    }
    if !(max - min).is_multiple_of(step) {
        return Err(format!("from {min} to {max} is no multiple of {step}"));
    }
    match (max - min) / step {
        steps @ ..=MOST => Ok(Buckets::Linear { min, step, steps: steps as u16 }),
        steps => Err(format!("it makes {steps} buckets, and {MOST} fit")),
    }
}

fn custom(text: &str) -> Result<Buckets, String> {
    let bounds = numbers(text)?;
    if !bounds.is_sorted_by(|one, next| one < next) || bounds[0] == 0 {
        return Err("the bounds must rise, from above 0 on".into());
    }
    // The program looks at one after the other.
    if bounds.len() > 64 {
        return Err(format!("{} bounds are too many: 64 fit", bounds.len()));
    }
    Ok(Buckets::Custom(bounds))
}

/// At least one number.
fn numbers(text: &str) -> Result<Vec<u64>, String> {
    let number = |part: &str| part.trim().parse().map_err(|_| format!("{part:?} is no number"));
    text.split(',').map(number).collect()
}

/// How a distribution is shown.
pub struct Picture {
    /// What stands above the values.
    pub name: String,
    /// How many of what was measured make one of what is shown.
    pub unit: u64,
    pub buckets: Buckets,
    /// The lowest and the highest value of each bucket; None for no end.
    pub ranges: Vec<(u64, Option<u64>)>,
    /// Whether a table by powers of two begins at 0, not where anything was counted.
    pub from_zero: bool,
}

impl Picture {
    pub fn new(name: String, unit: u64, buckets: Buckets, from_zero: bool) -> Picture {
        let ranges = (0..buckets.len()).map(|index| buckets.range(index)).collect();
        Picture { name, unit, buckets, ranges, from_zero }
    }

    /// The table and its summary.
    pub fn of<'a>(&'a self, distribution: &'a Distribution) -> impl fmt::Display + 'a {
        Pictured(self, distribution)
    }

    pub fn table_json(&self, distribution: &Distribution) -> Value {
        self.table(distribution).to_json()
    }

    pub fn summary_json(&self, distribution: &Distribution) -> Map<String, Value> {
        self.summary(distribution).to_json()
    }

    fn table<'a>(&'a self, distribution: &'a Distribution) -> RangeHistogram<'a> {
        RangeHistogram { unit: &self.name, ranges: &self.ranges, counts: &distribution.counts }
    }

    fn summary<'a>(&'a self, distribution: &'a Distribution) -> Summary<'a> {
        let Distribution { counts, sum, extremes } = distribution;
        Summary { unit: self.unit, ranges: &self.ranges, counts, sum: *sum, extremes: *extremes }
    }
}

struct Pictured<'a>(&'a Picture, &'a Distribution);

impl fmt::Display for Pictured<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pictured(picture, distribution) = self;
        match picture.buckets {
            Buckets::Log2 if picture.from_zero => {
                Log2Histogram { unit: &picture.name, first: 2, counts: &distribution.counts }.fmt(f)
            }
            _ => picture.table(distribution).fmt(f),
        }?;
        picture.summary(distribution).fmt(f)
    }
}
