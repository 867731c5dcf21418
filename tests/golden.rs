//! What each program is made of, to the instruction: a change shows in the files under
//! `tests/golden/`. `BLESS=1 cargo test --test golden` writes them anew.

use std::path::Path;

use rawbpf::host::registers::REGISTERS;
use rawbpf::host::{Disk, Request};
use rawbpf::insn::{Access, Field};
use rawbpf::programs::bitehist::{self, Options};

/// Offsets of Linux 6.12, where `placed`.
fn field(of: &'static str, member: &'static str, offset: i32, placed: bool) -> Field {
    Field { of, member, offset: placed.then_some(offset) }
}

fn through(argument: i32, access: Access, placed: bool) -> Request {
    Request::Struct {
        argument,
        access,
        data_len: field("request", "__data_len", 44, placed),
        disk: [
            Some(field("request", "q", 0, placed)),
            Some(field("request_queue", "disk", 104, placed)),
        ],
        major: field("gendisk", "major", 0, placed),
        first_minor: field("gendisk", "first_minor", 4, placed),
    }
}

fn record() -> Request {
    let of = "trace_event_raw_block_rq";
    Request::Record { bytes: field(of, "bytes", 28, true), dev: field(of, "dev", 8, true) }
}

#[track_caller]
fn check(name: &str, request: &Request, options: Options) {
    let program = bitehist::program(request, options).unwrap();
    let listing = program.listing(&["hist"]).to_string();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.txt"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &listing).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(listing, golden, "{name}: BLESS=1 accepts the change");
}

const KBYTES: Options = Options { shift: 10, disk: None };
const ONE_DISK: Options = Options { shift: 10, disk: Some(Disk { major: 259, minor: 3 }) };

#[test]
fn bitehist_kprobe() {
    let di = REGISTERS[0].arguments[0];
    check("bitehist-kprobe", &through(di, Access::Probe, true), KBYTES);
    check("bitehist-kprobe-disk", &through(di, Access::Probe, true), ONE_DISK);
    check("bitehist-kprobe-without-btf", &through(di, Access::Probe, false), KBYTES);
}

#[test]
fn bitehist_typed() {
    check("bitehist-typed", &through(0, Access::Typed, true), KBYTES);
    check("bitehist-typed-disk", &through(0, Access::Typed, true), ONE_DISK);
}

#[test]
fn bitehist_tracepoint() {
    check("bitehist-tracepoint", &record(), KBYTES);
    check("bitehist-tracepoint-disk", &record(), ONE_DISK);
}

#[test]
fn bitehist_bytes() {
    check("bitehist-bytes", &record(), Options { shift: 8, disk: None });
}
