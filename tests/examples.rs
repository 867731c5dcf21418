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
fn samples_of_a_tool_are_printed() {
    let text = stdout(example("bitehist", &[]));
    let seconds = text.lines().filter(|line| line.ends_with(" requests"));
    assert_eq!(seconds.count(), 3, "{text}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_program_of_ones_own_counts() {
    let text = stdout(example("switches", &[]));
    assert!(text.starts_with("CPU 0 switched tasks "), "{text}");
}

/// A program, and what libbpf prints when the kernel refuses it.
#[test]
fn a_log_of_another_loader_is_explained() {
    let folder = std::env::temp_dir().join(format!("rawbpf-explain-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (program, log) = (path("lookup.bpf"), path("log"));
    let text = ".program lookup socket_filter\n.map seen hash key 4 value 8 entries 4\n\
        *(u32 *)(r10 -4) = 0\nr2 = r10\nr2 += -4\nr1 = map[seen]\n\
        call bpf_map_lookup_elem\nr0 = *(u64 *)(r0 +0)\nexit\n";
    std::fs::write(&program, text).unwrap();
    let said = "libbpf: prog 'lookup': BPF program load failed: Permission denied\n\
        libbpf: prog 'lookup': -- BEGIN PROG LOAD LOG --\n\
        0: R1=ctx() R10=fp0\n\
        0: (62) *(u32 *)(r10 -4) = 0          ; R10=fp0 fp-8=0000????\n\
        1: (bf) r2 = r10                      ; R2=fp0 R10=fp0\n\
        2: (07) r2 += -4                      ; R2=fp-4\n\
        3: (18) r1 = 0xffff8881058c8800       ; R1=map_ptr(map=seen,ks=4,vs=8)\n\
        5: (85) call bpf_map_lookup_elem#1    ; R0=map_value_or_null(id=1,map=seen,ks=4,vs=8)\n\
        6: (79) r0 = *(u64 *)(r0 +0)\n\
        R0 invalid mem access 'map_value_or_null'\n\
        processed 6 insns (limit 1000000) max_states_per_insn 0 total_states 0\n\
        -- END PROG LOAD LOG --\n\
        libbpf: prog 'lookup': failed to load: -EACCES\n";
    std::fs::write(&log, said).unwrap();
    for arguments in [&[log.as_str(), &program][..], &[&log]] {
        let text = stdout(example("explain", arguments));
        assert!(text.starts_with("lookup: error: ") && text.contains("may be NULL"), "{text}");
    }
    std::fs::remove_dir_all(folder).unwrap();
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
