//! The options of the tools that show a distribution: which process, and which buckets.

use clap::Args;

use super::options::whole;
use crate::aggregate::Buckets;
use crate::sample::{Percent, Percentiles, USUAL_PERCENTILES};

/// The percentiles below a histogram.
#[derive(Args)]
pub struct PercentileOptions {
    /// Percentiles to print, such as 50,90,99,99.9
    #[arg(long, value_name = "P,...", value_parser = percentiles)]
    percentiles: Option<Percentiles>,
}

impl PercentileOptions {
    /// Those that the option asks for, or the usual ones.
    pub fn percentiles(&self) -> Percentiles {
        self.percentiles.clone().unwrap_or(USUAL_PERCENTILES)
    }
}

/// Which process, and which buckets.
#[derive(Args)]
pub struct DistributionOptions {
    /// Only this process
    #[arg(short, long, value_name = "PID", value_parser = whole(1..=u32::MAX))]
    pub pid: Option<u32>,

    /// Buckets of equal width, such as --linear 0,1000,50
    #[arg(long, value_name = "MIN,MAX,STEP", value_parser = linear, conflicts_with = "custom")]
    linear: Option<Buckets>,

    /// Buckets that begin at these values, such as --custom 100,1000,50000
    #[arg(long, value_name = "BOUND,...", value_parser = custom)]
    custom: Option<Buckets>,

    #[command(flatten)]
    percentiles: PercentileOptions,
}

impl DistributionOptions {
    /// The buckets that the options ask for; powers of two by default.
    pub fn buckets(&self) -> Buckets {
        self.linear.as_ref().or(self.custom.as_ref()).unwrap_or(&Buckets::LOG2).clone()
    }

    /// The percentiles to print.
    pub fn percentiles(&self) -> Percentiles {
        self.percentiles.percentiles()
    }

    /// Whether the buckets are powers of two.
    pub fn is_log2(&self) -> bool {
        self.linear.is_none() && self.custom.is_none()
    }
}

fn percentiles(text: &str) -> Result<Percentiles, String> {
    let all = text.split(',').map(|part| part.trim().parse::<Percent>());
    let all = all.collect::<Result<Vec<_>, _>>()?;
    match all.is_sorted_by(|one, next| one < next) {
        true => Ok(all.into()),
        false => Err("percentiles must be in rising order".into()),
    }
}

fn linear(text: &str) -> Result<Buckets, String> {
    let [min, max, step] = numbers(text)?[..] else {
        return Err("it must be three numbers, separated by commas: MIN,MAX,STEP".into());
    };
    if min >= max || step == 0 {
        return Err("MIN must be below MAX and STEP above 0".into());
    }
    if !(max - min).is_multiple_of(step) {
        return Err(format!("the distance from {min} to {max} is not a multiple of {step}"));
    }
    let (steps, limit) = ((max - min) / step, Buckets::STEPS_MAX);
    match u16::try_from(steps) {
        Ok(steps) if steps <= limit => Ok(Buckets::Linear { min, step, steps }),
        _ => Err(format!("it would make {steps} buckets; the limit is {limit}")),
    }
}

fn custom(text: &str) -> Result<Buckets, String> {
    let bounds = numbers(text)?;
    if !bounds.is_sorted_by(|one, next| one < next) || bounds[0] == 0 {
        return Err("the bounds must be above 0 and in rising order".into());
    }
    if bounds.len() > Buckets::BOUNDS_MAX {
        let (bounds, limit) = (bounds.len(), Buckets::BOUNDS_MAX);
        return Err(format!("{bounds} bounds are too many; the limit is {limit}"));
    }
    Ok(Buckets::Custom(bounds))
}

/// At least one number.
fn numbers(text: &str) -> Result<Vec<u64>, String> {
    let number =
        |part: &str| part.trim().parse().map_err(|_| format!("{part:?} is not a whole number"));
    text.split(',').map(number).collect()
}
