//! What each program is made of, to the instruction: a change shows in the files beside this one.
//! `BLESS=1 cargo test --test golden` writes them anew.

mod argdist;
mod bioheat;
mod biolatency;
mod bitehist;
mod bitesize;
mod funccount;
mod funclatency;
mod submitter;

use std::path::Path;

use rawbpf::host::{RecordPlace, RecordRequest, StructRequest};
use rawbpf::insn::{Access, Field, MapRef, Program, parse};
use rawbpf::sys::MapSpec;

/// Offsets of Linux 6.12, where `placed`.
fn field(of: &'static str, member: &'static str, offset: i32, placed: bool) -> Field {
    Field { of, member, offset: placed.then_some(offset) }
}

fn through(argument: i32, access: Access, placed: bool) -> StructRequest {
    StructRequest {
        argument,
        access,
        data_len: field("request", "__data_len", 44, placed),
        cmd_flags: field("request", "cmd_flags", 24, placed),
        disk: [
            Some(field("request", "q", 0, placed)),
            Some(field("request_queue", "disk", 104, placed)),
        ],
        major: field("gendisk", "major", 0, placed),
        first_minor: field("gendisk", "first_minor", 4, placed),
        disk_name: field("gendisk", "disk_name", 12, placed),
        start_time: field("request", "start_time_ns", 104, placed),
    }
}

fn record() -> RecordRequest {
    let of = "trace_event_raw_block_rq";
    let field = |member, offset| field(of, member, offset, true);
    RecordRequest { bytes: field("bytes", 28), dev: field("dev", 8), comm: field("comm", 42) }
}

/// The map in each handle's place is called as the handle is, and no map is without one.
fn place() -> RecordPlace {
    let of = "trace_event_raw_block_rq";
    let field = |member, offset| field(of, member, offset, true);
    RecordPlace {
        dev: field("dev", 8),
        sector: field("sector", 16),
        nr_sector: field("nr_sector", 24),
        rwbs: field("rwbs", 34),
    }
}

#[track_caller]
fn are_named(maps: &[MapSpec], handles: &[(MapRef, &str)]) {
    for (handle, name) in handles {
        assert_eq!(handle.of(maps).unwrap().name, name.to_lowercase());
    }
    assert_eq!(maps.len(), handles.len());
}

/// `handles![bitehist: HIST]` with the handles' names.
macro_rules! handles {
    ($program:ident: $($map:ident),*) => { [$(($program::$map, stringify!($map))),*] };
}
use handles;

#[track_caller]
fn check(name: &str, program: &Program, maps: &[&str]) {
    let listing = program.listing(maps).to_string();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.txt"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &listing).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(listing, golden, "{name}: BLESS=1 accepts the change");
    reads_back(program, maps, &listing);
    carries_its_lines(name, program);
}

/// The text of each line is that of the tool's file, as it stands in this tree.
#[track_caller]
fn carries_its_lines(name: &str, program: &Program) {
    let tool = name.split('-').next().unwrap();
    let file = format!("programs/{tool}.rs");
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&file)).unwrap();
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    for (.., line) in program.lines() {
        assert_eq!((line.file, line.text), (&*file, Some(lines[line.line as usize - 1])));
    }
}

/// What is listed is read as the same program.
#[track_caller]
fn reads_back(program: &Program, maps: &[&str], listing: &str) {
    let map = |name: &&str| format!(".map {name} array key 4 value 8 entries 1\n");
    let text: String = maps.iter().map(map).chain([listing.to_owned()]).collect();
    let source = parse("listing", &text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let [read] = &source.programs[..] else { panic!("one program") };
    assert_eq!(read.program.insns(), program.insns());
    assert_eq!(read.program.listing(maps).to_string(), listing);
}
