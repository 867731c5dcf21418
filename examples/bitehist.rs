//! Runs bitehist for three seconds and prints its samples: `cargo run --example bitehist`, as root.

use std::thread::sleep;
use std::time::Duration;

use rawbpf::error::Error;
use rawbpf::sample::Value;
use rawbpf::tools::{Running, bitehist};

fn main() -> Result<(), Error> {
    let mut running = Running::start(bitehist::Bitehist::new(bitehist::Options::default()))?;
    for _ in 0..3 {
        sleep(Duration::from_secs(1));
        let sample = running.sample()?;
        println!("{:?}: {} requests", sample.span.duration(), sample.tables[0].count());
        if let Value::Histogram(histogram) = &sample.tables[0].rows[0].value {
            for (bucket, count) in histogram.used() {
                println!("  from {} {}: {count}", bucket.low, sample.tables[0].unit.name());
            }
        }
    }
    Ok(())
}
