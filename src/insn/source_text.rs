//! The text of a Rust file that writes programs: the kernel, listings and diagnoses show its lines beside the
//! instructions, also on hosts without sources.

/// A file and its text, made by [`source_text!`](crate::source_text).
#[derive(Debug)]
pub struct SourceText {
    /// The file's name, as the compiler gives it.
    pub(super) file: &'static str,
    text: &'static str,
    /// The beginning of each line, since lines are looked up whenever a program is loaded.
    starts: &'static [u32],
}

/// A [`SourceText`](crate::insn::SourceText) of the file that calls this, given by its name without a folder.
/// The text becomes part of the binary.
///
/// ```text
/// // In my_tool.rs:
/// static SOURCE: SourceText = rawbpf::source_text!("my_tool.rs");
///
/// let mut a = Asm::with_source(&SOURCE);
/// ```
#[macro_export]
macro_rules! source_text {
    ($file:literal) => {{
        const TEXT: &str = include_str!($file);
        const STARTS: [u32; $crate::insn::source_text::line_count(TEXT)] =
            $crate::insn::source_text::line_starts(TEXT);
        const { assert!($crate::insn::source_text::is_named(file!(), $file), "this is another file") };
        $crate::insn::SourceText::new(file!(), TEXT, &STARTS)
    }};
}

impl SourceText {
    #[doc(hidden)] // For the macro.
    pub const fn new(file: &'static str, text: &'static str, starts: &'static [u32]) -> SourceText {
        SourceText { file, text, starts }
    }

    /// A line by its number, from 1 on, without surrounding space.
    pub(super) fn line(&self, number: u32) -> Option<&'static str> {
        let number = number as usize;
        let start = *self.starts.get(number.checked_sub(1)?)? as usize;
        let end = self.starts.get(number).map_or(self.text.len(), |end| *end as usize);
        self.text.get(start..end).map(str::trim)
    }
}

/// Whether a path ends in this name.
#[doc(hidden)] // For the macro.
pub const fn is_named(path: &str, name: &str) -> bool {
    let (path, name) = (path.as_bytes(), name.as_bytes());
    let mut at = 0;
    while at < name.len() {
        if at == path.len() || path[path.len() - 1 - at] != name[name.len() - 1 - at] {
            return false;
        }
        at += 1;
    }
    path.len() == at || matches!(path[path.len() - 1 - at], b'/' | b'\\')
}

#[doc(hidden)] // For the macro.
pub const fn line_count(text: &str) -> usize {
    let (mut count, mut at) = (1, 0);
    while at < text.len() {
        count += (text.as_bytes()[at] == b'\n') as usize;
        at += 1;
    }
    count
}

#[doc(hidden)] // For the macro.
pub const fn line_starts<const COUNT: usize>(text: &str) -> [u32; COUNT] {
    assert!(text.len() <= u32::MAX as usize);
    let mut starts = [0; COUNT];
    let (mut line, mut at) = (1, 0);
    while at < text.len() {
        at += 1;
        if text.as_bytes()[at - 1] == b'\n' {
            starts[line] = at as u32;
            line += 1;
        }
    }
    starts
}
