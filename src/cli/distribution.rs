//! The options of tools that show a distribution: which values, and in which buckets.

use clap::Args;

use crate::aggregate::Buckets;

/// Which values, and in which buckets.
#[derive(Args)]
pub struct DistributionOptions {
    /// Only this process
    #[arg(short, long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pub pid: Option<u32>,

    /// Buckets of one width: --linear 0,1000,50
    #[arg(long, value_name = "MIN,MAX,STEP", value_parser = linear, conflicts_with = "custom")]
    linear: Option<Buckets>,

    /// Buckets that begin at these values: --custom 100,1000,50000
    #[arg(long, value_name = "BOUND,...", value_parser = custom)]
    custom: Option<Buckets>,
}

impl DistributionOptions {
    /// By powers of two unless others were asked for.
    pub fn buckets(&self) -> Buckets {
        self.linear.as_ref().or(self.custom.as_ref()).unwrap_or(&Buckets::Log2).clone()
    }

    /// Whether they are by powers of two.
    pub fn is_log2(&self) -> bool {
        self.linear.is_none() && self.custom.is_none()
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
