//! `rawbpf list`: the programs, maps and links in the kernel, and who holds them.

mod columns;
mod costs;
mod live;
mod meter;
mod objects;
mod options;
mod screen;

use std::cmp::Reverse;
use std::io::Write;
use std::path::Path;

use clap::ValueEnum;
use serde_json::{Value, json};

use super::stop::Stop;
use super::streams::Stdout;
use crate::error::Error;
use crate::host::holders::Holders;
use crate::order::PutInOrder;
use crate::plain;
use crate::sys::object::ObjectKind;
use crate::view::fitted::fitted;
use columns::{MISSES, cell, columns};
use objects::{Fields, links, maps, programs};
pub use options::Options;
use options::{Sort, What};

pub fn run(options: &Options) -> Result<(), Stop> {
    let (interval, count) = options.numbers()?;
    if options.live {
        if let Some(what) = options.what().find(|what| *what != What::Programs) {
            let what = what.to_possible_value().map_or(String::new(), |it| it.get_name().into());
            return Err(Error::usage(format!("--live shows programs: {what} cost no time")).into());
        }
        return live::run(options, interval, count);
    }
    if interval.is_some() {
        let what = "an interval is for --live, and --stats has a time of its own";
        return Err(Error::usage(what).hint("try: rawbpf list --live, or list --stats 5").into());
    }
    let programs = programs(options.stats)?;
    let maps = maps()?;
    let links = links()?;
    let mut list = [
        (What::Programs, ObjectKind::Prog, programs),
        (What::Maps, ObjectKind::Map, maps),
        (What::Links, ObjectKind::Link, links),
    ];
    let holders = Holders::find();
    let [(.., programs), (.., maps), (.., links)] = &mut list;
    for program in &mut *programs {
        let id = program["id"].clone();
        program.insert("link_ids".into(), ids(links, |link| link["prog_id"] == id));
    }
    for map in &mut *maps {
        let id = map["id"].clone();
        let uses =
            |program: &Fields| program["map_ids"].as_array().is_some_and(|ids| ids.contains(&id));
        map.insert("prog_ids".into(), ids(programs, uses));
    }
    for (_, kind, objects) in &mut list {
        objects.iter_mut().for_each(|object| add_holders(object, &holders, *kind));
    }
    let [(.., programs), _, (.., links)] = &mut list;
    let named: Vec<_> = programs
        .iter()
        .filter(|program| program["name"].as_str().is_some_and(|name| options.is_named(name)))
        .map(|program| program["id"].clone())
        .collect();
    links.retain(|link| options.name.is_none() || named.contains(&link["prog_id"]));
    let mut out = Stdout::plain();
    let wanted: Vec<_> = options.what().collect();
    let mut between = "";
    let mut found = 0;
    for (what, _, mut objects) in list {
        if !wanted.is_empty() && !wanted.contains(&what) {
            continue;
        }
        objects.retain(|object| {
            object.get("name").and_then(Value::as_str).is_none_or(|name| options.is_named(name))
        });
        sort(&mut objects, options.sort.unwrap_or(Sort::Id));
        objects.truncate(options.top());
        found += objects.len();
        if options.json {
            for object in objects {
                writeln!(out, "{}", plain::json(Value::from(object).to_string()))?;
            }
            continue;
        }
        let missed = objects.iter().any(|object| object.contains_key(MISSES));
        let columns = columns(what).iter().filter(|(_, key)| missed || *key != MISSES);
        let (header, keys): (Vec<_>, Vec<_>) = columns.copied().unzip();
        let cells = |object: &Fields| keys.iter().map(|key| cell(object, key)).collect();
        let rows: Vec<Vec<_>> = objects.iter().map(cells).collect();
        write!(out, "{between}{}", fitted(&header, &rows, options.width()))?;
        between = "\n";
    }
    out.flush()?;
    if let (Some(name), 0) = (&options.name, found) {
        say!("list: nothing that is listed is named {name:?}");
    }
    match holders.hidden {
        _ if !Path::new("/proc/self/fdinfo").exists() => {
            say!("list: memory and processes are unknown: /proc is not mounted");
            say!("  try: mount -t proc proc /proc");
        }
        0 => {}
        1 => say!("list: the file descriptors of one process could not be read"),
        hidden => say!("list: the file descriptors of {hidden} processes could not be read"),
    }
    Ok(())
}

/// Sorts objects; what they do not have does not move them.
fn sort(objects: &mut [Fields], by: Sort) {
    let number = |object: &Fields, key: &str| object.get(key).and_then(Value::as_u64);
    let text =
        |object: &Fields, key: &str| object.get(key).and_then(Value::as_str).map(str::to_owned);
    match by {
        // As the kernel lists them.
        Sort::Id => {}
        Sort::Name => objects.order_by_key(|object| text(object, "name")),
        Sort::Type => objects.order_by_key(|object| {
            ["prog_type", "map_type", "link_type"].map(|key| text(object, key))
        }),
        Sort::Memory => objects.order_by_key(|object| Reverse(number(object, "bytes_memlock"))),
        Sort::Runs => objects.order_by_key(|object| Reverse(number(object, "run_cnt"))),
        Sort::Time => objects.order_by_key(|object| Reverse(number(object, "run_time_ns"))),
        Sort::Misses => objects.order_by_key(|object| Reverse(number(object, MISSES))),
        Sort::Average => objects.order_by_key(|object| {
            let (time, runs) = (number(object, "run_time_ns"), number(object, "run_cnt"));
            Reverse(time.zip(runs).and_then(|(time, runs)| time.checked_div(runs)))
        }),
    }
}

/// The ids of the objects that meet a condition.
fn ids(objects: &[Fields], condition: impl Fn(&Fields) -> bool) -> Value {
    objects.iter().filter(|object| condition(object)).map(|object| object["id"].clone()).collect()
}

fn add_holders(object: &mut Fields, holders: &Holders, kind: ObjectKind) {
    let id = object["id"].as_u64().unwrap_or(0) as u32;
    let processes = holders.processes(kind, id);
    let processes = processes.map(|process| json!({"pid": process.pid, "comm": process.comm}));
    object.insert("processes".into(), processes.collect());
    let pins = holders.pins(kind, id).map(|path| path.to_string_lossy());
    object.insert("pinned".into(), pins.collect());
}
