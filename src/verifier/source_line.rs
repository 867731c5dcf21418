//! Lines of source, and the instructions that they became.

/// A line of source.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SourceLine {
    /// The slot of the first instruction that it wrote.
    pub slot: u32,
    /// The file; empty if only the log has the line, and does not name its file (before Linux 6.12).
    pub file: String,
    /// The line's number in it; without a file, a number that tells it from the other lines.
    pub line: u32,
    /// The line; empty if nobody has it.
    pub text: String,
}

impl SourceLine {
    /// Its file and line.
    pub fn place(&self) -> (&str, u32) {
        (&self.file, self.line)
    }

    /// Its file and line in words, `count.c:12`, if they are known.
    pub fn place_text(&self) -> Option<String> {
        (!self.file.is_empty()).then(|| format!("{}:{}", self.file, self.line))
    }

    /// Its place and its text: `count.c:12: x++;`.
    pub fn placed_text(&self) -> String {
        match self.place_text() {
            Some(place) => format!("{place}: {}", self.text),
            None => self.text.clone(),
        }
    }

    /// Its text and its place, as the kernel prints them: `; x++; @ count.c:12`.
    pub fn as_in_log(&self) -> String {
        match self.place_text() {
            Some(place) => format!("; {} @ {place}", self.text),
            None => format!("; {}", self.text),
        }
    }

    /// Of these, by rising slots, the line that wrote the instruction at a slot.
    pub fn of(lines: &[SourceLine], at: u32) -> Option<&SourceLine> {
        let next = lines.partition_point(|line| line.slot <= at);
        let line = lines.get(next.checked_sub(1)?)?;
        // The log does not have the line of every instruction.
        (!line.file.is_empty() || line.line > 0).then_some(line)
    }
}
