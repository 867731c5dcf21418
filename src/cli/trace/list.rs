//! `-l`: the probes that there are, in the form of bpftrace.

use std::io::Write;

use crate::cli::stop::Stop;
use crate::cli::streams::Stdout;
use crate::error::Error;
use crate::host::names;
use crate::script::Checked;
use crate::script::probes::{Event, TYPES};
use crate::sys::Tracefs;

/// The probe types that have a list, by the names of bpftrace.
const LISTED: [&str; 4] = ["kprobe", "kretprobe", "rawtracepoint", "tracepoint"];

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
            let mut found = false;
            for of in &types {
                found |= list(of, rest, arguments, &mut out)?;
            }
            if !found {
                out.flush()?;
                return Err(Error::failed(format!("no probe matches {pattern}")).into());
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
    let mut lines: Vec<String> = vec![];
    match of {
        "tracepoint" | "rawtracepoint" => {
            // A raw tracepoint has no category; where the tracepoint is in the kernel, a module stands for it.
            let category = if of == "tracepoint" { before } else { "*" };
            for (category, name) in names::tracepoints(&[(category, name)]).unwrap_or_default() {
                match of {
                    "tracepoint" => {
                        writeln!(out, "tracepoint:{category}:{name}")?;
                        if arguments {
                            fields(&category, &name, out)?;
                        }
                        lines.push(String::new());
                    }
                    _ if category == "syscalls" => {}
                    _ => lines.push(format!("rawtracepoint:{name}")),
                }
            }
            if of == "tracepoint" {
                return Ok(!lines.is_empty());
            }
        }
        _ => {
            let with_module = if pattern.contains(':') { pattern } else { name };
            let found = names::functions(&[with_module]).unwrap_or_default();
            let exact = names::is_exact(with_module);
            // A function that is named exactly comes back unasked.
            let found = found.into_iter().filter(|found| !exact || has_function(&found.name));
            lines.extend(found.map(|found| format!("{of}:{}", found.name)));
        }
    }
    lines.sort();
    lines.dedup();
    for line in &lines {
        writeln!(out, "{line}")?;
    }
    Ok(!lines.is_empty())
}

fn has_function(name: &str) -> bool {
    let pattern = format!("[{}]{}", &name[..1], &name[1..]);
    names::functions(&[&pattern]).is_ok_and(|found| !found.is_empty())
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
