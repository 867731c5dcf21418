//! From patterns to the functions and tracepoints that this kernel has.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::refusal;
use crate::error::Error;
use crate::sys::{FileError, Tracefs, kallsyms};

/// What a word on the command line asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pattern {
    /// Functions of the kernel: `vfs_*`.
    Functions(String),
    /// Tracepoints, by category and name: `block:block_rq_*`.
    Tracepoints(String, String),
}

impl Pattern {
    /// Reads `NAME`, `CATEGORY:NAME` or, as bcc's tools write it, `t:CATEGORY:NAME`.
    pub fn parse(word: &str) -> Pattern {
        let tracepoint = word.strip_prefix("t:").unwrap_or(word);
        match tracepoint.split_once(':') {
            Some((category, name)) => Pattern::Tracepoints(category.into(), name.into()),
            None => Pattern::Functions(word.into()),
        }
    }

    /// Whether it is one name and no pattern.
    pub fn is_exact(&self) -> bool {
        match self {
            Pattern::Functions(name) => is_exact(name),
            Pattern::Tracepoints(category, name) => is_exact(category) && is_exact(name),
        }
    }
}

/// Whether it is a name and no pattern.
pub fn is_exact(text: &str) -> bool {
    !text.contains(['*', '?', '['])
}

/// A function of the kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KernelFunction {
    /// Its name.
    pub name: String,
    /// Where each function of that name begins that ftrace can trace. Empty where the kernel does not
    /// tell (before Linux 6.5, or not root), and where each of those that are asked for has a name of its
    /// own.
    pub addresses: Vec<u64>,
}

/// The functions that match any of `patterns`, by name. One that is named exactly is among them even
/// if it is not known whether it can be probed.
///
/// # Errors
/// A pattern matches none, or the kernel has no function of a name.
pub fn functions(patterns: &[&str]) -> Result<Vec<KernelFunction>, Error> {
    let mut found = BTreeMap::new();
    // The kernel's functions are compared with each of these, but looked up among a thousand names.
    let mut wild = vec![];
    for &pattern in patterns {
        match is_exact(pattern) {
            true => _ = found.insert(pattern.to_owned(), NameMatches::default()),
            false => wild.push((pattern, false)),
        }
    }
    let mut take = |name: &str| {
        let mut fits = false;
        for (pattern, used) in &mut wild {
            if matches(pattern, name) {
                (fits, *used) = (true, true);
            }
        }
        match found.get_mut(name) {
            Some(function) => function.count += 1,
            None if fits => {
                _ = found.insert(name.to_owned(), NameMatches { count: 1, addresses: vec![] })
            }
            None => {}
        }
        ControlFlow::<()>::Continue(())
    };
    let tracefs = Tracefs::find();
    let listed = tracefs.as_ref().map(|tracefs| tracefs.traceable_functions(&mut take));
    if let Some(exhausted) =
        listed.as_ref().and_then(|listed| refusal::unread(listed.as_ref().err()?))
    {
        return Err(exhausted);
    }
    if !matches!(listed, Some(Ok(_))) {
        kallsyms::for_each(|symbol| match symbol.is_text() && is_function(symbol.name) {
            // Not every function of a name that it lists can be probed.
            true => take(symbol.name),
            false => ControlFlow::Continue(()),
        })
        .map_err(|error| refusal::file(&error))?;
    }
    if let Some((pattern, _)) = wild.iter().find(|(_, used)| !used) {
        return Err(Error::failed(format!("no function of this kernel matches {pattern}")));
    }
    for (name, _) in found.iter().filter(|(_, function)| function.count == 0) {
        // It may be there and not in ftrace's list.
        if let Ok(0) = kallsyms::count_functions(name) {
            return Err(refusal::no_function(name));
        }
    }
    if let Some(tracefs) = tracefs
        && found.values().any(|function| function.count > 1)
    {
        let mut places = vec![];
        let _ = tracefs.function_places(|name, place| {
            if place != 0 && found.contains_key(name) {
                places.push(place);
            }
            ControlFlow::<()>::Continue(())
        });
        find_addresses(&mut found, places).map_err(|error| refusal::file(&error))?;
    }
    let functions = found.into_iter();
    Ok(functions
        .map(|(name, NameMatches { addresses, .. })| KernelFunction { name, addresses })
        .collect())
}

/// What was found of a name.
#[derive(Default)]
struct NameMatches {
    /// How many functions have it.
    count: u32,
    addresses: Vec<u64>,
}

/// Finds the addresses of those of these functions that begin at one of ftrace's places. A place is some
/// bytes after the beginning where the function begins with an instruction that must stay.
fn find_addresses(
    functions: &mut BTreeMap<String, NameMatches>,
    mut places: Vec<u64>,
) -> Result<(), FileError> {
    if places.is_empty() {
        return Ok(());
    }
    places.sort_unstable();
    kallsyms::for_each(|symbol| {
        let next = places.partition_point(|place| *place < symbol.address);
        if places.get(next).is_some_and(|place| place - symbol.address < 16)
            && let Some(function) = functions.get_mut(symbol.name)
        {
            function.addresses.push(symbol.address);
        }
        ControlFlow::<()>::Continue(())
    })?;
    Ok(())
}

/// Symbols that compilers and linkers make beside functions are not among them.
fn is_function(name: &str) -> bool {
    !["__pfx_", "__cfi_", "__traceiter_", ".L"].iter().any(|start| name.starts_with(start))
        && !name.ends_with(".cold")
}

/// The tracepoints that match any of `patterns`, by category and name. Where tracefs does not list
/// them, those that are named exactly are believed to be there.
///
/// # Errors
/// A pattern matches none; or there is one and no list.
pub fn tracepoints(patterns: &[(&str, &str)]) -> Result<Vec<(String, String)>, Error> {
    let mut found = vec![];
    let mut used = vec![false; patterns.len()];
    let listed = Tracefs::find().map(|tracefs| {
        tracefs.events(|category, name| {
            for ((categories, names), used) in patterns.iter().zip(&mut used) {
                if matches(categories, category) && matches(names, name) {
                    *used = true;
                    found.push((category.to_owned(), name.to_owned()));
                }
            }
            ControlFlow::<()>::Continue(())
        })
    });
    if let Some(exhausted) =
        listed.as_ref().and_then(|listed| refusal::unread(listed.as_ref().err()?))
    {
        return Err(exhausted);
    }
    let listed = matches!(listed, Some(Ok(_)));
    for ((category, name), used) in patterns.iter().zip(used) {
        let exact = Pattern::Tracepoints((*category).into(), (*name).into()).is_exact();
        match (used, exact, listed) {
            (true, ..) => {}
            (false, true, false) => found.push(((*category).into(), (*name).into())),
            (false, false, false) => return Err(refusal::no_tracefs()),
            (false, true, true) => return Err(refusal::no_tracepoint(category, name)),
            (false, false, true) => {
                let what = format!("no tracepoint of this kernel matches {category}:{name}");
                return Err(Error::failed(what));
            }
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Whether a name fits a pattern, in which `*` stands for any text, `?` for any character and `[ab]`
/// for one of these.
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // Where to go on when what followed the last star did not fit.
    let mut star = None;
    loop {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            star = Some((p, n));
            continue;
        }
        if n == name.len() && p == pattern.len() {
            return true;
        }
        let fits = name.get(n).and_then(|byte| one(&pattern[p..], *byte));
        if let Some(length) = fits {
            p += length;
            n += 1;
            continue;
        }
        match star {
            Some((after, from)) if from < name.len() => {
                star = Some((after, from + 1));
                (p, n) = (after, from + 1);
            }
            _ => return false,
        }
    }
}

/// How much of the pattern's start stands for this byte.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern.first()? {
        b'?' => Some(1),
        b'[' => {
            let end = pattern.iter().position(|b| *b == b']')?;
            pattern[1..end].contains(&byte).then_some(end + 1)
        }
        same => (*same == byte).then_some(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::file;

    #[test]
    fn words_are_functions_or_tracepoints() {
        assert_eq!(Pattern::parse("vfs_*"), Pattern::Functions("vfs_*".into()));
        let tracepoint = Pattern::Tracepoints("block".into(), "block_rq_*".into());
        assert_eq!(Pattern::parse("t:block:block_rq_*"), tracepoint);
        assert_eq!(Pattern::parse("block:block_rq_*"), tracepoint);
        assert!(!tracepoint.is_exact());
        assert!(Pattern::parse("vfs_read").is_exact());
    }

    #[test]
    fn stars_question_marks_and_sets() {
        for (pattern, name) in [
            ("*", ""),
            ("vfs_*", "vfs_"),
            ("vfs_*", "vfs_read"),
            ("*_read", "vfs_read_read"),
            ("v*_*d", "vfs_read"),
            ("vfs_rea?", "vfs_read"),
            ("vfs_[rw]*", "vfs_write"),
            ("a*b*c", "aXbXbc"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("vfs_read", "vfs_readv"),
            ("vfs_read", "vfs_rea"),
            ("vfs_*", "avfs_read"),
            ("?", ""),
            ("[rw]", "x"),
            ("[rw", "r"),
            ("a*b", "aXbX"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    const SYMBOLS: &str = "0 T vfs_read\n0 t vfs_read\n0 T __pfx_vfs_read\n0 d vfs_data\n\
        0 T vfs_write\n0 t vfs_write.cold\n0 T notrace\n";

    /// A host whose files are these; others are not there.
    fn host(files: &'static [(&'static str, &'static str)]) -> file::hook::Installed {
        file::hook::install(move |path| {
            let found = files.iter().find(|(name, _)| path.ends_with(name));
            let missing = || std::io::Error::from_raw_os_error(libc::ENOENT);
            Some(found.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(missing))
        })
    }

    fn names(patterns: &[&str]) -> Vec<String> {
        functions(patterns).unwrap().into_iter().map(|function| function.name).collect()
    }

    #[test]
    fn a_function_is_found_once_by_however_many_patterns() {
        let _host = host(&[("kallsyms", SYMBOLS)]);
        assert_eq!(names(&["vfs_*", "vfs_read", "*_write"]), ["vfs_read", "vfs_write"]);
        assert_eq!(names(&["notrace"]), ["notrace"]);
    }

    /// Of three functions of one name ftrace can trace two, the first after an endbr64.
    #[test]
    fn functions_of_one_name_are_found_where_ftrace_has_a_place() {
        let _host =
            host(&[("kallsyms", "1000 t twice\n1020 t other\n2000 t twice\n3000 t twice\n")]);
        let mut found = BTreeMap::from([("twice".to_owned(), NameMatches::default())]);
        find_addresses(&mut found, vec![0x3000, 0x1004, 0x1024]).unwrap();
        assert_eq!(found["twice"].addresses, [0x1000, 0x3000]);
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        let _host = host(&[("kallsyms", SYMBOLS)]);
        let error = functions(&["vfs_*", "nfs_*"]).unwrap_err();
        assert_eq!(error.what, "no function of this kernel matches nfs_*");
        let error = functions(&["vfs_wirte"]).unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("did you mean vfs_write?"));
    }
}
