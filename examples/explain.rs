//! Explains why a program of another loader is refused, from the log that aya, libbpf or bpftool printed:
//! `cargo run --example explain OBJECT.o LOG`. The object may also be a text.

use std::error::Error;
use std::fs;

use rawbpf::host::KernelTypes;
use rawbpf::run::verification;
use rawbpf::verifier::recording::{Verdict, recordings};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [object, log] = &arguments[..] else { return Err("usage: explain OBJECT.o LOG".into()) };
    let collection = rawbpf::source::read(object, &fs::read(object)?, &KernelTypes::running())?;
    let log = fs::read_to_string(log)?;
    let mut explained = false;
    for found in recordings(&log).into_iter().filter(|one| one.verdict == Verdict::Refused) {
        // A log by itself does not name its program.
        let is_meant = |name: &str| found.program.is_none_or(|program| program == name);
        let Some(spec) = collection.programs.iter().find(|spec| is_meant(&spec.name)) else {
            continue;
        };
        let refused = verification(&spec.program, collection.maps.iter(), found.log.to_owned());
        println!("{}: {}", spec.name, refused.render(false));
        explained = true;
    }
    if explained {
        Ok(())
    } else {
        Err("the log has no refusal of a program of this object".into())
    }
}
