//! The formats of a program by their names on the command line.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::view::dump::Format;

impl ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Format] {
        use Format::*;
        &[Listing, Opcodes, Linum, Hex, C, Json, Raw, Visual, Dot]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Format::Listing => ("listing", "The verifier's own text"),
            Format::Opcodes => ("opcodes", "The text with each instruction's bytes"),
            Format::Linum => ("linum", "The text with the source lines"),
            Format::Hex => ("hex", "Bytes in hexadecimal, an instruction a line"),
            Format::C => ("c", "A C array"),
            Format::Json => ("json", "One object"),
            Format::Raw => ("raw", "The bytes themselves"),
            Format::Visual => ("visual", "The control flow graph, drawn with lines"),
            Format::Dot => ("dot", "The control flow graph for graphviz"),
        };
        Some(PossibleValue::new(name).help(help))
    }
}
