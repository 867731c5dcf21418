//! Programs as texts.

use std::rc::Rc;

use rawbpf::insn::parse::{Mistakes, NamedProgram};
use rawbpf::insn::{Endian, Source, parse};
use rawbpf::view::dump::{Attachable, Dump, Format, MapRow};
use serde_json::{Value as Json, json};

/// The licence of programs that name none.
const LICENSE: &str = "Dual MIT/GPL";

/// The name of the text in messages.
pub const FILE: &str = "program.bpf";

/// A text's programs, or its mistakes.
pub fn assembled(text: &str) -> Json {
    let source = match parse(FILE, text) {
        Ok(source) => source,
        Err(mistakes) => return mistaken(&mistakes),
    };
    let maps: Rc<[MapRow]> = source.maps.iter().map(MapRow::from).collect();
    let programs = source.programs.iter().map(|named| {
        let dump = dumped(named, &maps);
        let printed = |format| printed(&dump, format);
        let lines = named.program.lines();
        let lines: Vec<_> = lines.map(|(slot, _, line)| json!([slot, line.line])).collect();
        let unresolved = named.program.unresolved();
        json!({
            "name": dump.name,
            "kind": named.line.kind.text,
            "listing": printed(Format::Listing),
            "bytes": if unresolved.is_some() { String::new() } else { printed(Format::Opcodes) },
            "graph": printed(Format::Visual),
            "lines": lines,
            "unresolved": unresolved,
        })
    });
    json!({"programs": programs.collect::<Vec<_>>(), "mistakes": [], "text": ""})
}

/// A program's name, as a file of the text's name would have it.
pub fn name(named: &NamedProgram) -> &str {
    match named.line.name.text.as_str() {
        "" => "program",
        name => name,
    }
}

fn dumped(named: &NamedProgram, maps: &Rc<[MapRow]>) -> Dump {
    let license = named.program.license().map(|license| license.to_string_lossy());
    let attachable = Attachable {
        name: name(named),
        kind: &named.line.kind.text,
        place: &named.line.place.text,
        flags: named.flags,
        license: license.as_deref().unwrap_or(LICENSE),
        program: &named.program,
    };
    attachable.dump(maps.clone(), Endian::Little)
}

fn printed(dump: &Dump, format: Format) -> String {
    let mut bytes = vec![];
    match dump.print(&mut bytes, format) {
        Ok(()) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => error.to_string(),
    }
}

fn mistaken(mistakes: &Mistakes) -> Json {
    let all = mistakes.iter().map(|mistake| {
        json!({
            "line": mistake.span.line,
            "start": mistake.span.start,
            "end": mistake.span.end,
            "what": mistake.what,
            "help": mistake.help,
        })
    });
    json!({"programs": [], "mistakes": all.collect::<Vec<_>>(), "text": mistakes.to_string()})
}

/// A text's programs.
///
/// # Errors
/// Its mistakes, as the command line prints them.
pub fn source(text: &str) -> Result<Source, String> {
    parse(FILE, text).map_err(|mistakes| mistakes.to_string())
}
