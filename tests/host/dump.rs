//! Programs that this kernel holds, compared with what bpftool prints of them.

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::process::Command;

use rawbpf::btf::{BtfFunction, ProgramBtf};
use rawbpf::insn::*;
use rawbpf::sys::object;
use rawbpf::sys::{self, Load, Map, MapSpec, MapType, Prog, ProgramType, prog};

use crate::tool::{self, Tool};

/// A socket filter with a map, a function of its own, and a helper that the verifier replaces by a
/// load from per-CPU memory where it can.
fn filter(name: &str) -> (Prog, Map) {
    let map = Map::create(&MapSpec::new("dumped", MapType::Hash, 4, 8, 1)).unwrap();
    let mut a = Asm::new();
    let none = a.label();
    let function = a.label();
    a.store(u32_at(fp - 4), 0);
    a.load_map(r1, MapRef(0));
    a.mov(r2, fp);
    a.add(r2, -4);
    a.call(helper::MAP_LOOKUP_ELEM);
    a.jump_if(r0, Cond::Eq, 0, &none);
    a.call(helper::GET_SMP_PROCESSOR_ID);
    a.place(none);
    a.mov(r1, 5);
    a.call_local(&function);
    a.exit();
    a.place(function);
    a.mov(w0, w1);
    a.exit();
    let program = a.finish().unwrap();
    let slot = program.lines().count() as u32 - 2 + 1;
    let functions = [
        BtfFunction { name: "main", parameters: &["ctx"], slot: 0 },
        BtfFunction { name: "twice", parameters: &["value"], slot },
    ];
    let lines = program.lines().map(|(slot, _, line)| rawbpf::btf::BtfLine {
        slot: slot as u32,
        file: line.file,
        line: line.line,
        column: 1,
        text: "a.line();",
    });
    let btf = ProgramBtf::new(&functions, &lines.collect::<Vec<_>>());
    let fd = std::os::fd::AsRawFd::as_raw_fd(&map.as_fd());
    let insns = encode(&program.with_map_fds(&[fd]).unwrap(), Endian::HOST);
    let info =
        sys::LoadBtf { blob: &btf.btf, func_info: &btf.func_info, line_info: &btf.line_info };
    let load =
        Load { name, insns: &insns, btf: Some(info), ..Load::new(ProgramType::SocketFilter) };
    let loaded = prog::load(&load).unwrap_or_else(|error| panic!("{error}\n{}", error.log));
    assert!(loaded.btf_refused().is_none());
    (loaded, map)
}

fn id(prog: &Prog) -> String {
    object::prog_info(prog.as_fd()).unwrap().id.to_string()
}

fn dump(args: &[&str]) -> String {
    let ended = tool::run("dump", args);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    ended.stdout
}

fn bpftool(args: &[&str]) -> String {
    let output = Command::new("bpftool").args(args).output().expect("tests/run installs bpftool");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The instructions of both, and the source lines above them, in the words of neither.
#[track_caller]
fn same_as_bpftools(id: &str, map: &str) {
    let ours = dump(&["--id", id]);
    let theirs = bpftool(&["prog", "dump", "xlated", "id", id, "linum"]);
    let ours = ours.lines().filter(|line| !line.starts_with("; id ") && !line.starts_with('.'));
    let ours = ours.filter(|line| !line.ends_with(':')).map(|line| {
        let named = line.replace(&format!("map[{map}]"), "map[]");
        match named.rsplit_once(" @ ") {
            Some((text, place)) => format!("{text} {place}"),
            None => named,
        }
    });
    let theirs = theirs.lines().filter(|line| !line.ends_with("):")).map(|line| {
        let line = line.trim();
        match (line.split_once(" [file:"), line.split_once("map[id:")) {
            (Some((text, place)), _) => {
                let (file, place) = place.split_once(" line_num:").unwrap();
                format!("{text} {file}:{}", place.split(' ').next().unwrap())
            }
            (None, Some((load, rest))) => {
                format!("{load}map[]{}", rest.split_once(']').unwrap().1)
            }
            _ => line.to_owned(),
        }
    });
    // Versions before 7.5 do not know this form.
    let ours = ours.map(|line| line.replace("&(void __percpu *)(r0)", "r0"));
    let theirs = theirs.map(|line| line.replace("&(void __percpu *)(r0)", "r0"));
    assert_eq!(ours.collect::<Vec<_>>(), theirs.collect::<Vec<_>>());
}

#[test]
#[ignore = "needs root, bpf(2) and bpftool: run tests/run"]
fn a_loaded_program_is_shown_as_bpftool_shows_it() {
    let (prog, _map) = filter("dumped_filter");
    same_as_bpftools(&id(&prog), "dumped");
    let listing = dump(&["--id", &id(&prog)]);
    for expected in [
        "\n.program dumped_filter socket_filter\n",
        "\n.map dumped hash key 4 value 8 entries 1 ; id ",
        "\nmain:\n",
        "\ntwice:\n",
        " r1 = map[dumped]\n",
        "; a.line(); @ tests/host/dump.rs:",
    ] {
        assert!(listing.contains(expected), "{expected:?} is missing in\n{listing}");
    }
    let drawn = dump(&["--id", &id(&prog), "--format", "visual"]);
    assert!(drawn.contains("┌─ main ─") && drawn.contains("┌─ twice ─"), "{drawn}");
    // As many lines leave a box as there are jumps.
    let jumps = listing.lines().filter(|line| line.contains(") if ")).count();
    assert_eq!(drawn.matches('┤').count(), jumps, "{drawn}");
}

#[test]
#[ignore = "needs root, bpf(2) and bpftool: run tests/run"]
fn a_running_tools_program_is_shown_as_bpftool_shows_it() {
    let tool = Tool::start("bitehist", &["--attach", "raw_tp", "3600"]);
    // Other tests have programs of that name, for a while.
    let held = std::fs::read_dir(format!("/proc/{}/fdinfo", tool.id())).unwrap();
    let held = held.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    let ids: BTreeSet<String> = held
        .filter_map(|of| of.lines().find_map(|line| Some(line.strip_prefix("prog_id:\t")?.into())))
        .collect();
    assert_eq!(ids.len(), 1);
    ids.iter().for_each(|id| same_as_bpftools(id, "hist"));
    assert!(dump(&["--name", "bitehist"]).contains("call bpf_probe_read_kernel#"));
    tool.stop();
}

#[test]
#[ignore = "needs root, bpf(2) and bpftool: run tests/run"]
fn name_and_tag_mean_every_program_that_has_them() {
    let (one, two) = (filter("dumped_twice"), filter("dumped_twice"));
    let tag = object::prog_info(one.0.as_fd()).unwrap().tag;
    let tag: String = tag.iter().map(|byte| format!("{byte:02X}")).collect();
    for args in [["--name", "dumped_twice"], ["--tag", &tag]] {
        let listing = dump(&args);
        for (prog, _) in [&one, &two] {
            assert!(listing.contains(&format!("; id {}, tag ", id(prog))), "{args:?}: {listing}");
        }
    }
}

#[test]
#[ignore = "needs root, bpf(2) and bpftool: run tests/run"]
fn machine_code_is_all_that_the_jit_made() {
    let (prog, _map) = filter("dumped_jit");
    let id = id(&prog);
    let hex = dump(&["--id", &id, "--jit"]);
    let named = hex.lines().filter(|line| line.starts_with("bpf_prog_") && line.ends_with(':'));
    assert_eq!(named.count(), 2, "{hex}");
    let bytes: Vec<_> = hex.lines().filter(|line| !line.ends_with(':')).collect();
    let bytes: Vec<_> = bytes.iter().flat_map(|line| line.split(' ')).collect();
    let raw = tool::shell(&format!("$RAWBPF dump --id {id} --jit -f raw | od -An -v -tx1"));
    assert_eq!(raw.stdout.split_whitespace().collect::<Vec<_>>(), bytes);
    let told = bpftool(&["prog", "show", "id", &id]);
    assert!(told.contains(&format!("jited {}B", bytes.len())), "{told}");
}

#[test]
#[ignore = "needs root to become nobody: run tests/run"]
fn what_may_not_be_seen_is_told_with_its_remedy() {
    let (prog, _map) = filter("dumped_secret");
    let id = id(&prog);
    let nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all ";
    let ended = tool::shell(&format!("{nobody} $RAWBPF dump --id {id}"));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(77), ""));
    assert!(ended.stderr.contains("needs CAP_SYS_ADMIN"), "{}", ended.stderr);
    assert!(ended.stderr.contains("sudo"), "{}", ended.stderr);
    // Who may look at programs and not at the kernel's addresses, unless all who profile may.
    let blind = "setpriv --bounding-set=-syslog";
    let ended = tool::shell(&format!("{blind} $RAWBPF dump --id {id} --jit"));
    let paranoid = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap();
    if paranoid.trim().parse::<i32>().unwrap() > 1 {
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(77), ""));
        let why = ["CAP_SYSLOG is missing", "kptr_restrict is 2"];
        assert!(why.iter().any(|why| ended.stderr.contains(why)), "{}", ended.stderr);
        let ended = tool::shell(&format!("{blind} $RAWBPF dump --id {id}"));
        assert!(
            ended.stdout.contains("\n; calls have no names: the kernel hides"),
            "{}",
            ended.stdout
        );
    } else {
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
    let ended = tool::run("dump", &["--id", "4294967295"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(ended.stderr.contains("no program with the id 4294967295"), "{}", ended.stderr);
}
