//! `rawbpf list`: the programs, maps and links in the kernel, and who holds them.

use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use nix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value, json};

use super::stop::Stop;
use super::streams::Stdout;
use super::time;
use crate::error::Error;
use crate::host::holders::{FdInfo, Holders};
use crate::host::{KernelTypes, clock, refusal};
use crate::plain;
use crate::sys::object::{self, LinkType, ObjectKind, ProgInfo};
use crate::sys::{Errno, LoadedBtf, MapType, Prog, ProgramType, SysError, file};
use crate::view::duration::latency;
use crate::view::table::Align::{self, Left, Right};
use crate::view::table::table;

/// List the programs, maps and links in the kernel, and who holds them
///
/// A program stays in the kernel while a process has a file descriptor of it, while it is attached (by
/// a link or otherwise), or while a file in a bpffs pins it. A map also stays while a program uses it.
/// Memory is in bytes.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// Only programs, maps or links, or several of these
    #[arg(value_name = "WHAT", hide_possible_values = true)]
    what: Vec<What>,

    /// Print a line of JSON per object
    #[arg(long)]
    json: bool,

    /// Count for TIME, such as 5 or 500ms, how often each program runs and how long it takes. Without this option, the
    /// counts are the kernel's since the program was loaded, if kernel.bpf_stats_enabled is 1
    #[arg(long, value_name = "TIME", value_parser = time::interval)]
    stats: Option<Duration>,

    /// On failure, print the kernel's own answer too
    #[arg(short, long)]
    pub verbose: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Programs,
    Maps,
    Links,
}

const EXAMPLES: &str = "\
Examples:
  sudo rawbpf list                        everything
  sudo rawbpf list programs --stats 5     what each program costs, measured for five seconds
  sudo rawbpf list maps --json | jq .id   JSON, for scripts";

/// The fields of an object.
type Fields = Map<String, Value>;

pub fn run(options: &Options) -> Result<(), Stop> {
    let programs = programs(options.stats)?;
    let maps = maps()?;
    let links = links()?;
    let mut list = [
        (What::Programs, ObjectKind::Prog, &PROGRAM[..], programs),
        (What::Maps, ObjectKind::Map, &MAP, maps),
        (What::Links, ObjectKind::Link, &LINK, links),
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
    for (_, kind, _, objects) in &mut list {
        objects.iter_mut().for_each(|object| add_holders(object, &holders, *kind));
    }
    let mut out = Stdout::plain();
    let wanted = |what: &What| options.what.is_empty() || options.what.contains(what);
    let mut between = "";
    for (_, _, columns, objects) in list.into_iter().filter(|(what, ..)| wanted(what)) {
        if options.json {
            for object in objects {
                writeln!(out, "{}", plain::json(Value::from(object).to_string()))?;
            }
            continue;
        }
        let header: Vec<_> = columns.iter().map(|(name, side, _)| (*name, *side)).collect();
        let cells = |object: &Fields| columns.iter().map(|(.., key)| cell(object, key)).collect();
        let rows: Vec<Vec<_>> = objects.iter().map(cells).collect();
        write!(out, "{between}{}", table(&header, &rows))?;
        between = "\n";
    }
    out.flush()?;
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

/// The columns of a table: header, side, and the field that is shown.
const PROGRAM: [(&str, Align, &str); 12] = [
    ("PROGRAM", Right, "id"),
    ("TYPE", Left, "prog_type"),
    ("NAME", Left, "name"),
    ("TAG", Left, "tag"),
    ("UID", Right, "uid"),
    ("LOADED", Left, "loaded_at"),
    ("MEMORY", Right, "bytes_memlock"),
    ("RUNS", Right, "run_cnt"),
    ("TIME", Right, "run_time_ns"),
    ("AVERAGE", Right, AVERAGE),
    ("MAPS", Left, "map_ids"),
    ("HELD BY", Left, HELD_BY),
];

const MAP: [(&str, Align, &str); 9] = [
    ("MAP", Right, "id"),
    ("TYPE", Left, "map_type"),
    ("NAME", Left, "name"),
    ("KEY", Right, "bytes_key"),
    ("VALUE", Right, "bytes_value"),
    ("ENTRIES", Right, "max_entries"),
    ("FLAGS", Right, "flags"),
    ("MEMORY", Right, "bytes_memlock"),
    ("HELD BY", Left, HELD_BY),
];

const LINK: [(&str, Align, &str); 5] = [
    ("LINK", Right, "id"),
    ("TYPE", Left, "link_type"),
    ("PROGRAM", Right, "prog_id"),
    ("ATTACHED", Left, "attached"),
    ("HELD BY", Left, HELD_BY),
];

/// Columns made of several fields.
const AVERAGE: &str = "average";
const HELD_BY: &str = "held_by";

fn cell(object: &Fields, key: &str) -> String {
    let number = |key| object.get(key).and_then(Value::as_u64);
    let field = object.get(key).unwrap_or(&Value::Null);
    let text = match (key, number(key)) {
        ("loaded_at", Some(time)) => {
            clock::sortable(SystemTime::UNIX_EPOCH + Duration::from_secs(time))
        }
        ("run_time_ns", Some(time)) => latency(time),
        ("flags", Some(flags)) => format!("{flags:#x}"),
        (AVERAGE, _) => match (number("run_time_ns"), number("run_cnt")) {
            (Some(time), Some(count @ 1..)) => latency(time / count),
            _ => String::new(),
        },
        (HELD_BY, _) => {
            let each = [
                ("processes", ""),
                ("pinned", ""),
                ("link_ids", "link "),
                ("prog_ids", "program "),
            ];
            let each = each.iter().filter_map(|(key, word)| {
                let text = text(object.get(*key)?, word);
                (!text.is_empty()).then_some(text)
            });
            each.collect::<Vec<_>>().join(", ")
        }
        _ => text(field, ""),
    };
    if text.is_empty() { "-".into() } else { text }
}

/// A field for people: the elements of a list, each after a word, with commas between.
fn text(field: &Value, word: &str) -> String {
    let joined = |texts: Vec<String>| texts.join(", ");
    match field {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(list) => {
            joined(list.iter().map(|each| format!("{word}{}", text(each, ""))).collect())
        }
        Value::Object(process) if process.contains_key("pid") => {
            format!("{} {}", text(&process["comm"], ""), process["pid"])
        }
        Value::Object(fields) => joined(
            fields.iter().map(|(name, value)| format!("{name} {}", text(value, ""))).collect(),
        ),
        other => other.to_string(),
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

fn programs(stats: Option<Duration>) -> Result<Vec<Fields>, Error> {
    let before = stats.map(count_for).transpose()?;
    let counts = file::read_text(Path::new("/proc/sys/kernel/bpf_stats_enabled"));
    let counting = counts.is_ok_and(|text| text.trim() != "0");
    let boot = boot_time()?;
    each(ObjectKind::Prog, &Prog::from_id, &mut |prog| {
        let info = object::prog_info(prog.as_fd())?;
        let loaded = boot + Duration::from_nanos(info.load_time_ns);
        let mut program = fields(vec![
            ("type", "program".into()),
            ("id", info.id.into()),
            (
                "prog_type",
                name(
                    ProgramType::from_raw(info.program_type).map(ProgramType::name),
                    info.program_type,
                ),
            ),
            ("name", info.name.into()),
            ("tag", format!("{:016x}", u64::from_be_bytes(info.tag)).into()),
            ("gpl_compatible", info.gpl_compatible.into()),
            ("uid", info.uid.into()),
            ("loaded_at", loaded.as_secs().into()),
            ("bytes_xlated", info.xlated_len.into()),
            ("bytes_jited", info.jited_len.into()),
            ("bytes_memlock", memory(&FdInfo::of(prog.as_fd()))),
            ("map_ids", object::prog_map_ids(prog)?.into()),
        ]);
        let (count, time) = match &before {
            None => (0, 0),
            Some(before) => {
                let before = before.iter().find(|before| before.id == info.id);
                before.map_or((0, 0), |before| (before.run_count, before.run_time_ns))
            }
        };
        if before.is_some() || counting || info.run_count > 0 {
            program.insert("run_cnt".into(), info.run_count.saturating_sub(count).into());
            program.insert("run_time_ns".into(), info.run_time_ns.saturating_sub(time).into());
        }
        for (name, number) in [
            ("recursion_misses", info.recursion_misses),
            ("verified_insns", info.verified_insns.into()),
            ("btf_id", info.btf_id.into()),
        ] {
            if number > 0 {
                program.insert(name.into(), number.into());
            }
        }
        Ok(program)
    })
}

fn maps() -> Result<Vec<Fields>, Error> {
    each(ObjectKind::Map, &|id| object::open(ObjectKind::Map, id), &mut |map| {
        let info = object::map_info(map.as_fd())?;
        let fdinfo = FdInfo::of(map.as_fd());
        let mut map = fields(vec![
            ("type", "map".into()),
            ("id", info.id.into()),
            ("map_type", name(MapType::from_raw(info.map_type).map(MapType::name), info.map_type)),
            ("name", info.name.into()),
            ("flags", info.flags.into()),
            ("bytes_key", info.key_size.into()),
            ("bytes_value", info.value_size.into()),
            ("max_entries", info.max_entries.into()),
            ("bytes_memlock", memory(&fdinfo)),
            ("frozen", fdinfo.number("frozen").into()),
        ]);
        if info.btf_id > 0 {
            map.insert("btf_id".into(), info.btf_id.into());
        }
        Ok(map)
    })
}

fn links() -> Result<Vec<Fields>, Error> {
    let types = KernelTypes::running();
    each(ObjectKind::Link, &|id| object::open(ObjectKind::Link, id), &mut |link| {
        let info = object::link_info(link.as_fd())?;
        Ok(fields(vec![
            ("type", "link".into()),
            ("id", info.id.into()),
            (
                "link_type",
                name(LinkType::from_raw(info.link_type).map(LinkType::name), info.link_type),
            ),
            ("prog_id", info.prog_id.into()),
            ("attached", attached(&FdInfo::of(link.as_fd()), &types)),
        ]))
    })
}

/// Reads each object of a kind, except those that disappear meanwhile.
fn each<T>(
    kind: ObjectKind,
    open: &dyn Fn(u32) -> Result<T, SysError>,
    read: &mut dyn FnMut(&T) -> Result<Fields, SysError>,
) -> Result<Vec<Fields>, Error> {
    let mut found = vec![];
    for id in object::ids(kind) {
        match id.and_then(|id| read(&open(id)?)) {
            Ok(object) => found.push(object),
            // It has gone, or it is a link that is still being made.
            Err(error) if matches!(error.errno, Errno::ENOENT | Errno::EAGAIN) => {}
            // Before 5.8 links have no ids.
            Err(error) if kind == ObjectKind::Link && error.errno == Errno::EINVAL => {}
            Err(error) => return Err(refusal::objects(&error)),
        }
    }
    Ok(found)
}

/// Lets the kernel count for this time. Returns the programs' counts from before.
fn count_for(time: Duration) -> Result<Vec<ProgInfo>, Error> {
    let _counting = object::enable_stats().map_err(|error| match error.errno {
        Errno::EINVAL => Error::lacking("--stats needs Linux 5.8")
            .hint("try: sudo sysctl kernel.bpf_stats_enabled=1, and list without --stats"),
        _ => refusal::objects(&error),
    })?;
    let mut before = vec![];
    each(ObjectKind::Prog, &Prog::from_id, &mut |prog| {
        before.push(object::prog_info(prog.as_fd())?);
        Ok(Fields::new())
    })?;
    thread::sleep(time);
    Ok(before)
}

/// When the host was booted, as the time since 1970.
fn boot_time() -> Result<Duration, Error> {
    let read = |clock| clock_gettime(clock).map(Duration::from);
    let (now, since) = (read(ClockId::CLOCK_REALTIME), read(ClockId::CLOCK_BOOTTIME));
    now.and_then(|now| Ok(now.saturating_sub(since?)))
        .map_err(|error| Error::failed(format!("the time could not be read: {error}")))
}

/// The kernel's fields of a link, except those that all descriptors and all links have.
fn attached(fdinfo: &FdInfo, types: &KernelTypes) -> Value {
    const ALL: [&str; 8] =
        ["pos", "flags", "mnt_id", "ino", "link_type", "link_id", "prog_tag", "prog_id"];
    let fields = fdinfo.fields().filter(|(name, _)| !ALL.contains(name));
    let function = function(fdinfo, types).map(|name| ("function".to_owned(), name.into()));
    let fields = fields.map(|(name, value)| (name.to_owned(), Value::from(value)));
    function.into_iter().chain(fields).collect::<Fields>().into()
}

/// The name of the kernel's function that a link is attached to by a BTF id.
fn function(fdinfo: &FdInfo, types: &KernelTypes) -> Option<String> {
    let [object, id] = ["target_obj_id", "target_btf_id"].map(|name| fdinfo.number(name));
    let object = LoadedBtf::from_id(object?.try_into().ok()?).ok()?;
    // A module's own ids follow the kernel's, and are other functions in another module.
    let is_kernels = object::btf_info(&object).ok()?.name == "vmlinux";
    let mut btf = types.btf().ok().flatten().filter(|_| is_kernels)?;
    let function = btf.by_id(id?.try_into().ok()?).ok()?;
    Some(String::from_utf8_lossy(function.name().ok()?).into_owned())
}

/// Bytes in the kernel.
fn memory(fdinfo: &FdInfo) -> Value {
    fdinfo.number("memlock").into()
}

/// The kernel's name for a type, or the number of one that is newer than this program.
fn name(known: Option<&str>, raw: u32) -> Value {
    known.map_or_else(|| format!("type {raw}"), str::to_owned).into()
}

fn fields(fields: Vec<(&str, Value)>) -> Fields {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
