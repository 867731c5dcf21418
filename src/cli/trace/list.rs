//! `-l`: the probes that there are, in the form of bpftrace.

use std::io::Write;
use std::path::Path;

use crate::cli::stop::Stop;
use crate::cli::streams::Stdout;
use crate::error::{Error, Failure};
use crate::host::{UserFunction, names};
use crate::order::PutInOrder;
use crate::script::Checked;
use crate::script::probes::{COUNTERS, Event, TYPES};
use crate::sys::Tracefs;
use crate::sys::link::At;

/// The probe types that have a list, by the names of bpftrace.
const LISTED: [&str; 10] = [
    "fentry",
    "fexit",
    "hardware",
    "kprobe",
    "kretprobe",
    "rawtracepoint",
    "software",
    "tracepoint",
    "uprobe",
    "uretprobe",
];

/// Prints the probes that match any of the patterns.
///
/// # Errors
/// A probe type is not known or has no list, or nothing matches.
pub fn patterns(patterns: &[String], arguments: bool) -> Result<(), Stop> {
    let mut out = Stdout::plain();
    let all = ["*:*".to_owned()];
    for pattern in if patterns.is_empty() { &all } else { patterns } {
        for pattern in pattern.split(',') {
            let (of, rest) = pattern.split_once(':').unwrap_or(("*", pattern));
            let types = types(of, pattern)?;
            let (mut found, mut unread) = (false, None);
            for of in &types {
                match list(of, rest, arguments, &mut out) {
                    Ok(some) => found |= some,
                    Err(Stop::Error(error)) if error.failure == Failure::Lacking => {
                        unread.get_or_insert(error);
                    }
                    Err(stop) => return Err(stop),
                }
            }
            if !found {
                out.flush()?;
                let nothing = || Error::failed(format!("no probe matches {pattern}"));
                return Err(unread.unwrap_or_else(nothing).into());
            }
        }
    }
    Ok(out.flush()?)
}

/// Prints the probes of a script.
///
/// # Errors
/// The output could not be written.
pub fn script(checked: &Checked, arguments: bool) -> Result<(), Stop> {
    let mut out = Stdout::plain();
    for event in checked.probes.iter().flat_map(|probe| &probe.events) {
        writeln!(out, "{event}")?;
        if let (Event::Tracepoint(category, name), true) = (event, arguments) {
            fields(category, name, &mut out)?;
        }
    }
    Ok(out.flush()?)
}

/// The listed types that a word means: a name, its short form, or a pattern.
fn types(word: &str, pattern: &str) -> Result<Vec<&'static str>, Error> {
    let known = TYPES.iter().find(|(name, short, _)| *name == word || short.contains(&word));
    let name = known.map_or(word, |(name, ..)| name);
    let found: Vec<_> = LISTED.into_iter().filter(|of| names::matches(name, of)).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let what = match known {
        Some((name, _, false)) => format!("{name} probes are not supported"),
        Some((name, ..)) => format!("{name} probes have no list"),
        None => format!("{pattern}: there is no probe type {word}"),
    };
    Err(Error::usage(what).hint(format!("the types that can be listed are {}", LISTED.join(", "))))
}

/// Prints the probes of a type that match; whether there are any.
fn list(of: &str, pattern: &str, arguments: bool, out: &mut Stdout) -> Result<bool, Stop> {
    let (before, name) = pattern.split_once(':').unwrap_or(("*", pattern));
    let mut lines: Vec<String> = match of {
        "tracepoint" => {
            let found = none_is_fine(names::tracepoints(&[(before, name)]))?;
            for (category, name) in &found {
                writeln!(out, "tracepoint:{category}:{name}")?;
                if arguments {
                    fields(category, name, out)?;
                }
            }
            return Ok(!found.is_empty());
        }
        // It has no category; where the tracepoint is in the kernel, a module stands for it.
        "rawtracepoint" => {
            let found = none_is_fine(names::tracepoints(&[("*", name)]))?.into_iter();
            let found = found.filter(|(category, _)| category != "syscalls");
            found.map(|(_, name)| format!("rawtracepoint:{name}")).collect()
        }
        "software" | "hardware" => {
            let counters = COUNTERS.iter().filter(|(hardware, ..)| *hardware == (of == "hardware"));
            let names = counters.flat_map(|(_, names, ..)| *names);
            let names = names.filter(|counter| names::matches(name, counter));
            names.map(|counter| format!("{of}:{counter}:")).collect()
        }
        // Without a file, there is no end of them.
        "uprobe" | "uretprobe" if before == "*" => vec![],
        "uprobe" | "uretprobe" => {
            let at = if of == "uprobe" { At::Entry } else { At::Return };
            let found =
                UserFunction::one_or_pattern(Path::new(before), name, at, None)?.into_iter();
            found.map(|found| format!("{of}:{}:{}", found.path.display(), found.symbol)).collect()
        }
        _ => {
            let with_module = if pattern.contains(':') { pattern } else { name };
            let asked = match names::is_exact(with_module) {
                true => names::as_pattern(with_module),
                false => Some(with_module.to_owned()),
            };
            let Some(asked) = asked else { return Ok(false) };
            let found = none_is_fine(names::functions(&[&asked]))?;
            found.into_iter().map(|found| format!("{of}:{}", found.name)).collect()
        }
    };
    lines.order();
    lines.dedup();
    for line in &lines {
        writeln!(out, "{line}")?;
    }
    Ok(!lines.is_empty())
}

/// What was found, also if that is nothing; not if this host does not say.
fn none_is_fine<T>(found: Result<Vec<T>, Error>) -> Result<Vec<T>, Error> {
    match found {
        Err(error) if error.failure != Failure::Lacking => Ok(vec![]),
        found => found,
    }
}

/// Prints the fields of a tracepoint's record.
fn fields(category: &str, name: &str, out: &mut Stdout) -> Result<(), Stop> {
    let format = Tracefs::find().and_then(|tracefs| tracefs.tracepoint_format(category, name).ok());
    let fields = format.iter().flat_map(|format| &format.fields);
    for field in fields.filter(|field| !field.name.starts_with("common_")) {
        writeln!(out, "    {}", field.declaration)?;
    }
    Ok(())
}
