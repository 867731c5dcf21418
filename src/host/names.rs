//! From patterns to the functions and tracepoints that this kernel has.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::path::Path;

use super::refusal;
use crate::error::Error;
use crate::sys::{FileError, Tracefs, file, kallsyms};

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

/// A pattern that this name alone matches: patterns find only what there is, but a name that is exact comes back
/// unasked. None for no name.
pub fn as_pattern(name: &str) -> Option<String> {
    let first = name.chars().next()?;
    Some(format!("[{first}]{}", &name[first.len_utf8()..]))
}

/// Whether `first:name` stands for functions of a module, and not for tracepoints.
pub fn is_of_module(first: &str, name: &str) -> bool {
    let tracefs = Tracefs::find();
    if tracefs.as_ref().is_some_and(|tracefs| match is_exact(name) {
        true => tracefs.has_event(first, name),
        false => tracefs.has_group(first),
    }) {
        return false;
    }
    let loaded = file::read_text(Path::new("/proc/modules")).unwrap_or_default();
    let mut loaded = loaded.lines().filter_map(|line| line.split(' ').next());
    // Where tracepoints are not listed, it may be one of the module's.
    loaded.any(|module| module == first)
        && (tracefs.is_some() || {
            let modules = kallsyms::modules_with(name).unwrap_or_default();
            modules.iter().flatten().any(|module| module == first)
        })
}

/// A function of the kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KernelFunction {
    /// Its name, after that of its module if it was asked for by that: `null_blk:null_queue_rq`.
    pub name: String,
    /// Where each function of that name begins that ftrace can trace. Empty where the kernel does not
    /// tell (before Linux 6.5, or not root), and where each of those that are asked for has a name of its
    /// own.
    pub addresses: Vec<u64>,
    /// Whether only a pattern found it.
    pub optional: bool,
}

impl KernelFunction {
    /// The function of this name, which was asked for by it.
    pub fn named(name: &str) -> KernelFunction {
        KernelFunction { name: name.to_owned(), addresses: vec![], optional: false }
    }
}

/// The functions that match any of `patterns`, by name. Those of a module match with it, too:
/// `null_blk:null_*`. One that is named exactly is among them even
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
    let mut take = |name: &str, module: Option<&str>| {
        let with_module = module.map(|module| format!("{module}:{name}"));
        let (mut by_name, mut by_module) = (false, false);
        for (pattern, used) in &mut wild {
            let name = match (pattern.contains(':'), &with_module) {
                (false, _) => name,
                (true, Some(with_module)) => with_module,
                (true, None) => continue,
            };
            if matches(pattern, name) {
                *used = true;
                (by_name, by_module) = (by_name || !pattern.contains(':'), true);
            }
        }
        // By the shorter of its names, if both are asked for.
        let exact = [Some(name), with_module.as_deref()].into_iter().flatten();
        let key = match exact.clone().find(|name| found.contains_key(*name)) {
            Some(known) => known,
            None if by_name => name,
            None if by_module => exact.last().unwrap_or(name),
            None => return ControlFlow::<()>::Continue(()),
        };
        found.entry(key.to_owned()).or_insert_with(NameMatches::default).count += 1;
        ControlFlow::Continue(())
    };
    let tracefs = Tracefs::find();
    let listed = tracefs.as_ref().map(|tracefs| tracefs.traceable_functions(&mut take));
    if let Some(exhausted) =
        listed.as_ref().and_then(|listed| refusal::unread(listed.as_ref().err()?))
    {
        return Err(exhausted);
    }
    if !matches!(listed, Some(Ok(_))) {
        // What ran once, at boot, is listed but gone.
        let mut of_boot = false;
        kallsyms::for_each(|symbol| {
            match symbol.name {
                "_sinittext" => of_boot = true,
                "_einittext" => of_boot = false,
                _ => {}
            }
            // Not every function of a name that it lists can be probed.
            match symbol.is_text() && !of_boot && is_function(symbol.name) {
                true => take(symbol.name, symbol.module),
                false => ControlFlow::Continue(()),
            }
        })
        .map_err(|error| refusal::file(&error))?;
    }
    if let Some((pattern, _)) = wild.iter().find(|(_, used)| !used) {
        return Err(Error::failed(format!("no function of this kernel matches {pattern}")));
    }
    for (name, _) in found.iter().filter(|(_, function)| function.count == 0) {
        // It may be there and not in ftrace's list.
        let (module, plain) = match name.split_once(':') {
            Some((module, plain)) => (Some(module), plain),
            None => (None, &**name),
        };
        if let Ok(modules) = kallsyms::modules_with(plain)
            && !modules.iter().any(|one| module.is_none() || one.as_deref() == module)
        {
            return Err(refusal::no_function(name));
        }
    }
    let of_modules = found.keys().any(|name| name.contains(':'));
    if of_modules || found.values().any(|function| function.count > 1) {
        let plain = |name: &String| name.rsplit(':').next().map(str::to_owned);
        let plain: HashSet<_> = found.keys().filter_map(plain).collect();
        let mut places = vec![];
        // A host whose tracefs may not be read has no places, but still a module's function by its address.
        let _ = tracefs.map(|tracefs| {
            tracefs.function_places(|name, place| {
                if place != 0 && plain.contains(name) {
                    places.push(place);
                }
                ControlFlow::<()>::Continue(())
            })
        });
        find_addresses(&mut found, places).map_err(|error| refusal::file(&error))?;
    }
    let functions = found.into_iter();
    Ok(functions
        .map(|(name, NameMatches { addresses, .. })| {
            let optional = !patterns.contains(&&*name);
            KernelFunction { name, addresses, optional }
        })
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
/// bytes after the beginning where the function begins with an instruction that must stay. Without places,
/// only functions whose names nobody shares are found, if a module is named: it is found by no name.
fn find_addresses(
    functions: &mut BTreeMap<String, NameMatches>,
    mut places: Vec<u64>,
) -> Result<(), FileError> {
    let of_modules = functions.keys().any(|name| name.contains(':'));
    if places.is_empty() && !of_modules {
        return Ok(());
    }
    places.sort_unstable();
    kallsyms::for_each(|symbol| {
        let next = places.partition_point(|place| *place < symbol.address);
        let traced = match places.get(next) {
            Some(place) => place - symbol.address < 16,
            None => places.is_empty() && symbol.is_text() && symbol.address != 0,
        };
        if traced {
            let with_module = symbol.module.filter(|_| of_modules);
            let with_module = with_module.map(|module| format!("{module}:{}", symbol.name));
            let names = [Some(symbol.name), with_module.as_deref()];
            let known = names.into_iter().flatten().find(|name| functions.contains_key(*name));
            if let Some(function) = known.and_then(|name| functions.get_mut(name))
                && (!places.is_empty() || function.count == 1)
            {
                function.addresses.push(symbol.address);
            }
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

    /// A module has a function that the kernel has too, and one of its own.
    #[test]
    fn functions_of_a_module_are_found_by_its_name() {
        let _host = host(&[
            ("kallsyms", "10 t twice\n20 t twice\t[mod]\n30 t alone\t[mod]\n40 t other\t[other]\n"),
            ("/proc/modules", "mod 16384 0 - Live 0x0\nother 16384 0 - Live 0x0\n"),
        ]);
        assert_eq!(names(&["mod:*"]), ["mod:alone", "mod:twice"]);
        assert_eq!(names(&["mod:twice"]), ["mod:twice"]);
        assert_eq!(names(&["mod:*", "alone"]), ["alone", "mod:twice"]);
        assert_eq!(names(&["mod:*", "*e"]), ["alone", "twice"]);
        assert!(is_of_module("mod", "twice") && !is_of_module("nomod", "twice"));
        // A pattern may be one of tracepoints where these are not listed.
        assert_eq!(is_of_module("mod", "*"), Tracefs::find().is_some());
        let error = functions(&["mod:twize"]).unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("did you mean mod:twice?"));
        let error = functions(&["mod:other"]).unwrap_err();
        assert_eq!(error.what, "the module mod has no function other");
    }

    #[test]
    fn the_address_in_the_module_is_found_by_its_name() {
        let _host =
            host(&[("kallsyms", "1000 t twice\n2000 t twice\t[mod]\n3000 t alone\t[mod]\n")]);
        for places in [vec![], vec![0x1004, 0x2004, 0x3000]] {
            let found = ["mod:twice", "mod:alone"];
            let found =
                found.map(|name| (name.to_owned(), NameMatches { count: 1, ..Default::default() }));
            let mut found = BTreeMap::from(found);
            find_addresses(&mut found, places).unwrap();
            assert_eq!(found["mod:twice"].addresses, [0x2000]);
            assert_eq!(found["mod:alone"].addresses, [0x3000]);
        }
    }

    /// Where tracefs does not list functions.
    #[test]
    fn what_ran_at_boot_is_no_function() {
        let _host = host(&[(
            "kallsyms",
            "10 T vfs_read\n20 T _sinittext\n20 T vfs_init\n30 T _einittext\n40 t vfs_x\t[mod]\n",
        )]);
        assert_eq!(names(&["vfs_*"]), ["vfs_read", "vfs_x"]);
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
