//! Explains why a program of another loader is refused, from the log that aya, libbpf or bpftool printed:
//! `cargo run --example explain LOG [OBJECT.o]`. Without the object, or text, that was loaded, the program is
//! rebuilt from the log.

use std::error::Error;
use std::fs;

use rawbpf::host::KernelTypes;
use rawbpf::run::verification;
use rawbpf::source;
use rawbpf::verifier::explain::explain;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [log, object @ ..] = &arguments[..] else {
        return Err("usage: explain LOG [OBJECT.o]".into());
    };
    let mut programs = vec![];
    for object in object {
        programs.push(source::read(object, &fs::read(object)?, &KernelTypes::running())?);
    }
    let mut explained = false;
    for refused in explain(&fs::read_to_string(log)?).into_iter().filter(|one| one.refused) {
        let mut program = refused.program;
        for collection in &programs {
            // A log by itself may not name its program.
            let is_meant = |name: &str| refused.name.is_empty() || refused.name == name;
            if let Some(spec) = collection.programs.iter().find(|spec| is_meant(&spec.name)) {
                let log = program.log.clone();
                program = verification(&spec.program, collection.maps.iter(), log);
            }
        }
        println!("{}: {}", refused.name, program.render(false));
        explained = true;
    }
    if explained { Ok(()) } else { Err("the log has no refusal".into()) }
}
