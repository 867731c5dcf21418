//! The tools, a file each under `programs/`.

#[path = "../programs/argdist.rs"]
pub mod argdist;
#[path = "../programs/bioheat.rs"]
pub mod bioheat;
#[path = "../programs/biolatency.rs"]
pub mod biolatency;
#[path = "../programs/bitehist.rs"]
pub mod bitehist;
#[path = "../programs/bitesize.rs"]
pub mod bitesize;
#[path = "../programs/funccount.rs"]
pub mod funccount;
#[path = "../programs/funclatency.rs"]
pub mod funclatency;
#[path = "../programs/request.rs"]
pub mod request;

use crate::insn::Line;

/// A tool's file.
pub struct Source {
    /// As the project's tree names it.
    pub file: &'static str,
    /// What is in it: the host has no sources.
    pub text: &'static str,
    /// Where each line begins: they are looked up whenever a program is loaded.
    lines: &'static [u16],
}

macro_rules! source {
    ($file:literal) => {{
        const TEXT: &str = include_str!(concat!("../programs/", $file));
        const COUNT: usize = line_count(TEXT);
        const LINES: [u16; COUNT] = line_starts(TEXT);
        Source { file: concat!("programs/", $file), text: TEXT, lines: &LINES }
    }};
}

/// Every tool's file, for showing a program beside the lines that wrote it.
pub const SOURCES: &[Source] = &[
    source!("bitehist.rs"),
    source!("bitesize.rs"),
    source!("biolatency.rs"),
    source!("bioheat.rs"),
    source!("funclatency.rs"),
    source!("argdist.rs"),
    source!("funccount.rs"),
];

const fn line_count(text: &str) -> usize {
    let (mut count, mut at) = (1, 0);
    while at < text.len() {
        count += (text.as_bytes()[at] == b'\n') as usize;
        at += 1;
    }
    count
}

const fn line_starts<const COUNT: usize>(text: &str) -> [u16; COUNT] {
    assert!(text.len() <= u16::MAX as usize);
    let mut starts = [0; COUNT];
    let (mut line, mut at) = (1, 0);
    while at < text.len() {
        at += 1;
        if text.as_bytes()[at - 1] == b'\n' {
            starts[line] = at as u16;
            line += 1;
        }
    }
    starts
}

/// The text of the line that wrote an instruction, without the space around it.
pub fn source<'a>(line: &Line<'a>) -> &'a str {
    line.text.unwrap_or_else(|| self::line(line.file, line.line))
}

/// The text of a line of a tool's file, without the space around it; empty for other files.
pub fn line(file: &str, number: u32) -> &'static str {
    let source = SOURCES.iter().find(|source| source.file == file);
    let line = source.and_then(|source| {
        let start = *source.lines.get(number.checked_sub(1)? as usize)?;
        let end = source.lines.get(number as usize).map_or(source.text.len(), |end| *end as usize);
        source.text.get(start as usize..end)
    });
    line.map_or("", str::trim)
}
