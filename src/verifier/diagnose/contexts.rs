//! The fields of programs' contexts.
//!
//! The table is `contexts.txt`: after `= ` a struct and the types of program that have it, then its fields,
//! each with a colon and its size where that is not 4, and how many of them follow one another; `+` leaves
//! bytes out. After `- ` and a type stand the fields that it may not read, after `w ` those that it may
//! write.

use crate::texts::text;

const TABLE: &str = "src/verifier/diagnose/contexts.txt";

/// A field of a context.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// Its name; of several that follow one another, that of all.
    pub name: &'static str,
    /// Which of them it is.
    pub index: Option<u8>,
    /// Where it begins.
    pub offset: i64,
    /// Its bytes.
    pub size: i64,
    /// Whether this type of program may read it, and write it.
    pub read: bool,
    /// Whether this type of program may write it.
    pub write: bool,
}

/// The struct that is the context of programs that are attached like this, or of this type, with its fields.
/// `None` if a text does not name the type like this, or if the context is no struct, such as an array of
/// arguments.
pub fn fields(kind: &str) -> Option<(&'static str, Vec<Field>)> {
    let mut rows = text(TABLE).lines();
    let name = rows.find_map(|row| {
        let (name, kinds) = row.strip_prefix("= ")?.split_once(' ')?;
        kinds.split(' ').any(|one| one == kind).then_some(name)
    })?;
    let registers = matches!(name, "pt_regs" | "bpf_perf_event_data");
    if registers && !cfg!(target_arch = "x86_64") {
        return None;
    }
    let (mut offset, mut fields) = (0, vec![]);
    for word in rows.next()?.split(' ') {
        if let Some(left_out) = word.strip_prefix('+') {
            offset += left_out.parse().unwrap_or(0);
            continue;
        }
        let (word, size) = word.split_once(':').unwrap_or((word, "4"));
        let size = size.parse().unwrap_or(4);
        let (name, count) =
            word.split_once('*').map_or((word, None), |(name, n)| (name, n.parse().ok()));
        for index in 0..count.unwrap_or(1) {
            let index = count.map(|_| index);
            fields.push(Field { name, index, offset, size, read: true, write: false });
            offset += size;
        }
    }
    for row in rows.take_while(|row| !row.starts_with('=')) {
        let mut words = row.split(' ');
        let what = words.next();
        if words.next() != Some(kind) {
            continue;
        }
        for name in words {
            for field in fields.iter_mut().filter(|field| field.name == name) {
                match what {
                    Some("-") => field.read = false,
                    _ => field.write = true,
                }
            }
        }
    }
    Some((name, fields))
}
