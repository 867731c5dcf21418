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
}

/// Every tool's file, for showing a program beside the lines that wrote it.
pub const SOURCES: &[Source] = &[
    Source { file: "programs/bitehist.rs", text: include_str!("../programs/bitehist.rs") },
    Source { file: "programs/bitesize.rs", text: include_str!("../programs/bitesize.rs") },
    Source { file: "programs/biolatency.rs", text: include_str!("../programs/biolatency.rs") },
    Source { file: "programs/bioheat.rs", text: include_str!("../programs/bioheat.rs") },
    Source { file: "programs/funclatency.rs", text: include_str!("../programs/funclatency.rs") },
    Source { file: "programs/argdist.rs", text: include_str!("../programs/argdist.rs") },
    Source { file: "programs/funccount.rs", text: include_str!("../programs/funccount.rs") },
];

/// The text of the line that wrote an instruction, without the space around it.
pub fn source<'a>(line: &Line<'a>) -> &'a str {
    line.text.unwrap_or_else(|| self::line(line.file, line.line))
}

/// The text of a line of a tool's file, without the space around it; empty for other files.
pub fn line(file: &str, number: u32) -> &'static str {
    let source = SOURCES.iter().find(|source| source.file == file);
    let line = source.and_then(|s| s.text.lines().nth(number.checked_sub(1)? as usize));
    line.map_or("", str::trim)
}
