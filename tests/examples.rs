//! The examples run, and say what they are there to show.

use std::os::fd::AsFd;
use std::process::{Command, Output};

use rawbpf::sys::map::Update;
use rawbpf::sys::{Map, MapSpec, MapType, object};

fn example(name: &str, arguments: &[&str]) -> Output {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--example", name, "--"]).args(arguments).output().unwrap()
}

fn stdout(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_object_is_disassembled() {
    let object = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dump/objects/all.o");
    let text = stdout(example("disassemble", &[object]));
    assert!(text.contains("on_issue in kprobe/blk_mq_start_request:\n   0: r1 = *(u64 *)(r1 +0)"));
    assert!(text.contains("  28: r1 = 0x0    Map(\"hist\")\n"), "{text}");
    assert!(!example("disassemble", &["/etc/passwd"]).status.success());
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_program_is_built_loaded_and_run() {
    let text = stdout(example("load", &[]));
    assert!(text.starts_with("0: (61) r0 = *(u32 *)(r1 +0)\n"), "{text}");
    assert!(text.ends_with("a packet of 20 bytes: 6\na packet of 64 bytes: 20\n"), "{text}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_map_is_read() {
    let map = Map::create(&MapSpec::new("example", MapType::Hash, 1, 2, 4)).unwrap();
    map.update(&[7], &[1, 2], Update::Any).unwrap();
    let id = object::map_info(map.as_fd()).unwrap().id.to_string();
    assert_eq!(stdout(example("read_map", &[&id])), "[07] [01, 02]\n");
    let listed = format!("{id} hash example: 4 elements at most\n");
    assert!(stdout(example("read_map", &[])).contains(&listed));
}
