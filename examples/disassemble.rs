//! Lists what is in an object that clang made: `cargo run --example disassemble FILE.o`.

use rawbpf::elf::Object;
use rawbpf::insn::instructions;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("usage: disassemble FILE.o")?;
    let bytes = std::fs::read(file)?;
    let object = Object::parse(&bytes)?;
    for function in object.functions() {
        println!("{} in {}:", function.name, function.section);
        for (slot, insn) in instructions(function.bytes, object.endian)? {
            let text = insn.map_or_else(|error| error.to_string(), |insn| insn.to_string());
            match object.reference(&function, slot) {
                Some(reference) => println!("{slot:4}: {text}    {reference:?}"),
                None => println!("{slot:4}: {text}"),
            }
        }
    }
    Ok(())
}
