//! The parts of a dump: instructions, their lines of source, and maps.

use std::fmt;
use std::rc::Rc;

use crate::insn::Insn;
use crate::insn::parse::{MapLine, Word};

/// An instruction, ready to be printed.
#[derive(Clone, Debug)]
pub struct DumpRow {
    /// Its first slot.
    pub slot: usize,
    /// The instruction; `None` for one that only the kernel puts into a program.
    pub insn: Option<Insn>,
    /// The instruction in the verifier's words.
    pub text: String,
    /// A note about it, shown after a semicolon.
    pub note: Option<String>,
    /// Directives that are printed above it.
    pub directives: Vec<String>,
    /// The function that begins here.
    pub label: Option<String>,
    /// The line of source that it was made from.
    pub source: Option<Rc<DumpLine>>,
    /// The labels and comments above it, as whole lines, if it is from a text. Its source lines show them
    /// too.
    pub before: String,
    /// The comment after it, if it is from a text. Its source lines show it too.
    pub behind: String,
}

/// A line of source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DumpLine {
    /// The file.
    pub file: String,
    /// The line's number in it.
    pub line: u32,
    /// The line.
    pub text: String,
}

/// A map, ready to be printed. Sizes are in bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)] // See [`MapLine`].
pub struct MapRow {
    /// Its id, if it is in the kernel.
    pub id: Option<u32>,
    pub name: String,
    pub map_type: String,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
    pub flags: u32,
    /// The offset of a lock in a value, if there is one.
    pub lock: Option<u32>,
    /// The offset of a timer in a value, if there is one.
    pub timer: Option<u32>,
    /// The ids of the key's and the value's type among those that are printed, if they matter.
    pub types: Option<[u32; 2]>,
    /// Whether nobody may change it.
    pub frozen: bool,
    /// Of a map of maps: the name of a map that those in it are like.
    pub inner: Option<String>,
    /// The first element, if it is not zeros and is shown.
    pub content: Vec<u8>,
}

impl From<&MapLine> for MapRow {
    fn from(line: &MapLine) -> MapRow {
        let &MapLine { key_size, value_size, max_entries, flags, lock, timer, frozen, .. } = line;
        MapRow {
            id: None,
            name: line.name.text.clone(),
            map_type: line.map_type.text.clone(),
            key_size,
            value_size,
            max_entries,
            flags,
            lock,
            timer,
            types: None,
            frozen,
            inner: line.inner.as_ref().map(|inner| inner.text.clone()),
            content: line.content.clone(),
        }
    }
}

/// The line that defines it.
impl fmt::Display for MapRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |text: &str| Word { text: text.to_owned(), ..Word::default() };
        let line = MapLine {
            name: word(&self.name),
            map_type: word(&self.map_type),
            key_size: self.key_size,
            value_size: self.value_size,
            max_entries: self.max_entries,
            flags: self.flags,
            lock: self.lock,
            timer: self.timer,
            types: self.types,
            frozen: self.frozen,
            inner: self.inner.as_deref().map(word),
            content: self.content.clone(),
        };
        line.fmt(f)?;
        self.id.map_or(Ok(()), |id| write!(f, " ; id {id}"))
    }
}
