//! What the kernel holds, told as bpftool tells it, and who holds it.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use rawbpf::btf;
use rawbpf::insn::{Asm, Endian, encode, r0};
use rawbpf::sys::prog::TestRun;
use rawbpf::sys::{Load, Map, MapSpec, MapType, MapTypes, Prog, ProgramType, object, prog};
use serde_json::{Value, json};

use crate::step::Stepping;
use crate::tool::{self, Tool};

/// The lines by type and id.
fn lines(stdout: &str) -> BTreeMap<(String, u64), Value> {
    let lines = stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| ((line["type"].as_str().unwrap().to_owned(), id(&line)), line)).collect()
}

fn id(object: &Value) -> u64 {
    object["id"].as_u64().unwrap()
}

fn list(args: &[&str]) -> BTreeMap<(String, u64), Value> {
    let output = tool::run("list", &[args, &["--json"]].concat());
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
    lines(&output.stdout)
}

/// Those of a type and name.
#[track_caller]
fn named<'a>(
    listed: &'a BTreeMap<(String, u64), Value>,
    of: &str,
    name: &str,
    holder: u32,
) -> &'a Value {
    let holds = |line: &Value| {
        let processes = line["processes"].as_array().unwrap();
        processes.iter().any(|process| process["pid"] == holder)
    };
    let mut found = listed.values().filter(|line| line["type"] == of && holds(line));
    let found = found.find(|line| name.is_empty() || line["name"] == name);
    found.unwrap_or_else(|| panic!("no {of} {name} of {holder} in {listed:#?}"))
}

/// A program that returns 0.
fn program(name: &str) -> Prog {
    let mut a = Asm::new();
    a.mov(r0, 0);
    a.exit();
    let insns = encode(a.finish().unwrap().insns(), Endian::HOST);
    prog::load(&Load { name, insns: &insns, ..Load::new(ProgramType::SocketFilter) }).unwrap()
}

/// Held while the kernel counts runs, or must not.
static COUNTING: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    COUNTING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(prog: &Prog) {
    prog.test_run(TestRun { data_in: &[0; 14], ..TestRun::default() }).unwrap();
}

/// Every object that bpftool tells before and after, and all of it.
#[test]
#[ignore = "needs root, bpf(2) and bpftool: run tests/run"]
fn it_tells_what_bpftool_tells() {
    let _tools =
        ["tp_btf", "tracepoint"].map(|kind| Tool::start("bitehist", &["--attach", kind, "3600"]));
    let _maps = (typed_map("typed"), frozen_map("frozen"));
    let bpftool = |what: &str| {
        let output = tool::shell(&format!("bpftool -j {what} show"));
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        serde_json::from_str::<Vec<Value>>(&output.stdout).unwrap()
    };
    // Of several maps it tells the BTF of one as that of those after it, which have none.
    let map = |map: &Value| {
        let output = tool::shell(&format!("bpftool -j map show id {}", id(map)));
        (output.code == Some(0)).then(|| serde_json::from_str(&output.stdout).unwrap())
    };
    let theirs =
        || [bpftool("prog"), bpftool("map").iter().filter_map(map).collect(), bpftool("link")];
    let (before, listed, after) = (theirs(), list(&[]), theirs());
    let mut compared = 0;
    for ((what, before), after) in ["program", "map", "link"].into_iter().zip(before).zip(after) {
        for theirs in before.iter().filter(|object| after.contains(object)) {
            let ours = listed.get(&(what.to_owned(), id(theirs)));
            let ours = ours.unwrap_or_else(|| panic!("{what} {theirs} is not listed"));
            for (name, value) in theirs.as_object().unwrap() {
                let ours = match (what, name.as_str()) {
                    ("program", "type") => &ours["prog_type"],
                    ("map", "type") => &ours["map_type"],
                    ("link", "type") => &ours["link_type"],
                    ("link", "tp_name") => &ours["attached"]["tp_name"],
                    (_, name) => &ours[name],
                };
                // What it has and we do not, or says at more length.
                match (name.as_str(), ours) {
                    ("jited" | "orphaned" | "pids", _) => {}
                    ("name", _) => {
                        let (ours, theirs) = (ours.as_str().unwrap(), value.as_str().unwrap());
                        assert!(theirs.starts_with(ours), "{ours} {theirs}");
                    }
                    (_, Value::Null) if what == "link" => {}
                    // A type that it does not know.
                    ("type", _) if value.is_number() => {}
                    // Between two seconds.
                    ("loaded_at", _) => {
                        let apart = ours.as_i64().unwrap() - value.as_i64().unwrap();
                        assert!(apart.abs() <= 1, "{what} {}: {ours} {value}", id(theirs));
                    }
                    (name, _) => assert_eq!(ours, value, "{what} {}: {name}", id(theirs)),
                }
            }
            compared += 1;
        }
    }
    // Two programs, four maps, and a link at least.
    assert!(compared >= 7, "{compared}");
}

/// A map whose keys and values BTF describes.
fn typed_map(name: &str) -> Map {
    let (btf, key, value) = btf::locked(4, 8, 0);
    let types = Some(MapTypes { btf: btf.into(), key, value, lock: Some(0), timer: None });
    Map::create(&MapSpec { types, ..MapSpec::new(name, MapType::Array, 4, 8, 1) }).unwrap()
}

/// A map that processes cannot write to any more.
fn frozen_map(name: &str) -> Map {
    let map = Map::create(&MapSpec::new(name, MapType::Array, 4, 8, 1)).unwrap();
    let id = object::map_info(map.as_fd()).unwrap().id;
    let frozen = tool::shell(&format!("bpftool map freeze id {id}"));
    assert_eq!(frozen.code, Some(0), "{}", frozen.stderr);
    map
}

#[test]
#[ignore = "needs root, bpf(2) and bpftool: run tests/run"]
fn a_map_tells_its_types_and_whether_it_is_frozen() {
    let (typed, frozen) = (typed_map("typed"), frozen_map("frozen"));
    let listed = list(&["maps"]);
    let line = |map: &Map| {
        let id = object::map_info(map.as_fd()).unwrap().id;
        &listed[&("map".to_owned(), id.into())]
    };
    assert!(line(&typed)["btf_id"].as_u64() > Some(0), "{}", line(&typed));
    assert_eq!((&line(&typed)["frozen"], &line(&frozen)["frozen"]), (&json!(0), &json!(1)));
    assert_eq!(line(&frozen).get("btf_id"), None);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn objects_tell_who_holds_them_and_each_other() {
    let tool = Tool::start("bitehist", &["--attach", "tp_btf", "3600"]);
    let listed = list(&[]);
    let program = named(&listed, "program", "bitehist", tool.id());
    let (map, link) =
        (named(&listed, "map", "hist", tool.id()), named(&listed, "link", "", tool.id()));
    assert_eq!(program["map_ids"], json!([id(map)]));
    assert_eq!(map["prog_ids"], json!([id(program)]));
    assert_eq!((&link["prog_id"], &program["link_ids"]), (&program["id"], &json!([id(link)])));
    assert_eq!(program["processes"], json!([{"pid": tool.id(), "comm": "rawbpf"}]));
    assert_eq!(link["attached"]["tp_name"], "block_rq_issue");
    let output = tool::run("list", &["--wide"]);
    let rows: Vec<_> = output.stdout.lines().collect();
    let row = |id: u64| rows.iter().find(|row| row.trim_start().starts_with(&format!("{id} ")));
    let (held, text) = (format!("rawbpf {}", tool.id()), row(id(program)).unwrap());
    assert!(text.contains(&format!("  {}  ", id(map))), "{text}");
    assert!(text.ends_with(&format!("  {held}, link {}", id(link))), "{text}");
    assert!(row(id(map)).unwrap().ends_with(&format!("  {held}, program {}", id(program))));
    assert!(row(id(link)).unwrap().ends_with(&format!("  {held}")));
    tool.stop();
    let ids = [("program", program), ("map", map), ("link", link)];
    let gone = || {
        let listed = list(&[]);
        ids.iter().all(|(what, object)| !listed.contains_key(&((*what).to_owned(), id(object))))
    };
    assert!(tool::eventually(std::time::Duration::from_secs(20), gone));
}

#[test]
#[ignore = "needs root, bpf(2) and bpftool: run tests/run"]
fn a_file_that_pins_an_object_holds_it() {
    let map = Map::create(&MapSpec::new("pinned", MapType::Array, 4, 8, 1)).unwrap();
    let map_id = object::map_info(map.as_fd()).unwrap().id;
    let at = |path: &str| {
        tool::shell(&format!(
            "mkdir -p $OUT && unshare -m sh -c 'mount -t bpf bpf $OUT && mkdir $OUT/folder && \
             bpftool map pin id {map_id} $OUT/{path} && $RAWBPF list maps --json'; \
             status=$?; rmdir $OUT; echo $OUT >&2; exit $status"
        ))
    };
    for path in ["file", "folder/file"] {
        let output = at(path);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        let listed = lines(&output.stdout);
        let line = &listed[&("map".to_owned(), map_id.into())];
        let file = format!("{}/{path}", output.stderr.trim());
        assert_eq!(line["pinned"], json!([file]));
        let processes = line["processes"].as_array().unwrap();
        assert!(processes.iter().any(|process| process["pid"] == std::process::id()), "{line}");
        // No descriptor of those who look.
        assert!(processes.iter().all(|process| process["comm"] != "rawbpf"), "{line}");
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn runs_are_told_to_the_last() {
    let _alone = alone();
    let prog = program("counted");
    let prog_id = u64::from(object::prog_info(prog.as_fd()).unwrap().id);
    let counting = object::enable_stats().unwrap();
    (0..1009).for_each(|_| run(&prog));
    drop(counting);
    run(&prog);
    let line = &list(&["programs"])[&("program".to_owned(), prog_id)];
    assert_eq!((&line["run_cnt"], &line["uid"]), (&json!(1009), &json!(0)));
    assert!(line["run_time_ns"].as_u64().unwrap() >= 1009, "{line}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn stats_are_those_of_the_seconds_that_were_asked_for() {
    let _alone = alone();
    let (busy, idle) = (program("busy"), program("idle"));
    let prog_id = |prog: &Prog| u64::from(object::prog_info(prog.as_fd()).unwrap().id);
    let counting = object::enable_stats().unwrap();
    (0..50_000).for_each(|_| run(&busy));
    drop(counting);
    let stop = AtomicBool::new(false);
    let (listed, made) = thread::scope(|scope| {
        let made = scope.spawn(|| {
            let mut made = 0;
            while !stop.load(Ordering::Relaxed) {
                run(&busy);
                made += 1;
                thread::yield_now();
            }
            made
        });
        let listed = list(&["programs", "--stats", "0.3"]);
        stop.store(true, Ordering::Relaxed);
        (listed, made.join().unwrap())
    });
    let count = |prog| listed[&("program".to_owned(), prog_id(prog))]["run_cnt"].as_u64();
    let counted = count(&busy).unwrap();
    assert!(counted > 0 && counted <= made, "{counted} of {made}");
    assert_eq!(count(&idle), Some(0));
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn words_choose_what_is_listed() {
    let _tool = Tool::start("bitehist", &["--attach", "tp_btf", "3600"]);
    for (words, expected) in [
        (&["programs"][..], &["PROGRAM"][..]),
        (&["links", "maps"], &["MAP", "LINK"]),
        (&[], &["PROGRAM", "MAP", "LINK"]),
    ] {
        let output = tool::run("list", words);
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{words:?}");
        let tables = output.stdout.split("\n\n");
        let titles: Vec<_> = tables.map(|table| table.split_whitespace().next().unwrap()).collect();
        assert_eq!(titles, expected, "{words:?}");
        let types = list(words).into_keys().map(|(of, _)| of.to_uppercase());
        assert!(types.into_iter().all(|of| expected.contains(&of.as_str())), "{words:?}");
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_table_fits_80_columns_where_there_is_no_terminal() {
    let _alone = alone();
    let _tools = [["--attach", "tp_btf", "3600"], ["--attach", "raw_tp", "3600"]]
        .map(|args| Tool::start("biolatency", &args));
    let _prog = program("fifteen_letters");
    let _map = Map::create(&MapSpec::new("fifteen_letters", MapType::Array, 4, 8, 1)).unwrap();
    let wide = tool::run("list", &["--wide"]).stdout;
    assert!(wide.lines().any(|line| line.chars().count() > 80), "{wide}");
    for args in [&[][..], &["programs", "--stats", "10ms"], &["--live", "10ms", "1"]] {
        let output = tool::run("list", args);
        assert_eq!(output.code, Some(0), "{args:?}: {}", output.stderr);
        for line in output.stdout.lines() {
            assert!(line.chars().count() <= 80, "{args:?}: {line}");
        }
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_name_a_key_and_a_number_choose_rows_and_their_order() {
    let _alone = alone();
    let progs = ["name_one", "name_two", "name_three", "a_name_of_fifte"].map(program);
    let ids = progs.each_ref().map(|prog| object::prog_info(prog.as_fd()).unwrap().id);
    let listed = |args: &[&str]| {
        let output = tool::run("list", &[&["programs", "--json"], args].concat());
        assert_eq!(output.code, Some(0), "{args:?}: {}", output.stderr);
        assert_eq!(output.stdout.is_empty(), output.stderr.contains("is named"), "{args:?}");
        let lines = output.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|line| id(&line) as u32).collect::<Vec<_>>()
    };
    assert_eq!(listed(&["--name", "name_t*"]), [ids[1], ids[2]]);
    assert_eq!(listed(&["--name", "name_one"]), [ids[0]]);
    assert!(listed(&["--name", "name_"]).is_empty());
    // The kernel keeps 15 bytes.
    assert_eq!(listed(&["--name", "a_name_of_fifteen_and_more"]), [ids[3]]);
    assert_eq!(listed(&["--name", "name_*", "--sort", "name"]), [ids[0], ids[2], ids[1]]);
    assert_eq!(listed(&["--name", "name_*", "--sort", "name", "--top", "1"]), [ids[0]]);
    let counting = object::enable_stats().unwrap();
    (0..9).for_each(|_| run(&progs[2]));
    (0..3).for_each(|_| run(&progs[0]));
    drop(counting);
    assert_eq!(listed(&["--name", "name_*", "--sort", "runs"]), [ids[2], ids[0], ids[1]]);
    let maps = ["small", "large"].map(|name| {
        let entries = if name == "large" { 100_000 } else { 1 };
        Map::create(&MapSpec::new(name, MapType::Array, 4, 8, entries)).unwrap()
    });
    let output = tool::run("list", &["maps", "--sort", "memory", "--json", "--name", "[sl]*"]);
    let of = |name: &str| output.stdout.find(&format!("\"name\":\"{name}\"")).unwrap();
    assert!(of("large") < of("small"), "{}", output.stdout);
    drop(maps);
}

/// Each run is in one interval and no other.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn live_costs_have_each_run_once() {
    let _alone = alone();
    let prog = program("lively");
    let mut child = std::process::Command::new(tool::RAWBPF)
        .args(["list", "--live", "100ms", "--json", "--name", "lively"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 8];
    // It counts by now.
    std::io::Read::read_exact(child.stderr.as_mut().unwrap(), &mut said).unwrap();
    for _ in 0..5 {
        (0..200).for_each(|_| run(&prog));
        thread::sleep(std::time::Duration::from_millis(70));
    }
    thread::sleep(std::time::Duration::from_millis(200));
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::SIGTERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() > 3, "{text}");
    let costs = lines.iter().flat_map(|line| line["programs"].as_array().unwrap());
    let mut runs = 0;
    for cost in costs {
        assert_eq!(cost["name"], "lively");
        let (time, percent) = (&cost["run_time_ns"], &cost["cpu_percent"]);
        assert!(time.as_u64() > Some(0) && percent.as_f64() > Some(0.0), "{cost}");
        runs += cost["run_cnt"].as_u64().unwrap();
    }
    assert_eq!(runs, 1000);
    for pair in lines.windows(2) {
        assert_eq!(pair[0]["end_monotonic_ns"], pair[1]["start_monotonic_ns"]);
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn live_costs_are_plain_tables_where_there_is_no_terminal() {
    let _alone = alone();
    let _prog = program("idle");
    let output = tool::run("list", &["--live", "50ms", "2", "--top", "3"]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stderr.contains("Interval 0.05 secs."), "{}", output.stderr);
    assert_eq!(output.stdout.matches("PROGRAM  ").count(), 2, "{}", output.stdout);
    assert_eq!(output.stdout.matches("% of a CPU").count(), 2, "{}", output.stdout);
    assert!(!output.stdout.contains('\x1b'), "{}", output.stdout);
    for (args, why) in [
        (&["--live", "maps"][..], "--live shows programs: maps cost no time"),
        (&["5"], "an interval is for --live"),
        (&["--live", "1", "2", "3"], "3 is one number too many"),
        (&["--live", "0"], "from 1ms to 1d"),
    ] {
        let output = tool::run("list", args);
        assert_eq!(output.code, Some(2), "{args:?}");
        assert!(output.stderr.contains(why), "{args:?}: {}", output.stderr);
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn live_costs_are_drawn_on_a_terminal_which_is_given_back() {
    let _alone = alone();
    let prog = program("drawn");
    for end in ["q", "signal"] {
        let live = "exec \"$RAWBPF\" list --live 100ms --top 5";
        let mut screen = Stepping::start("", live);
        screen.shows("rawbpf list --live");
        let drawn = tool::eventually(std::time::Duration::from_secs(20), || {
            (0..100).for_each(|_| run(&prog));
            screen.screen().contains("drawn")
        });
        assert!(drawn, "{}", screen.screen());
        screen.shows("PROGRAM");
        screen.shows("t time*");
        screen.press("n");
        screen.shows("n name*");
        if end == "q" {
            screen.press("q");
            assert_eq!(screen.end().code(), Some(0));
        } else {
            screen.signal(nix::sys::signal::SIGTERM);
            screen.end();
        }
    }
}

#[test]
#[ignore = "needs root to hide /proc: run tests/run"]
fn what_is_missing_without_proc_is_said() {
    let prog = program("unseen");
    let prog_id = object::prog_info(prog.as_fd()).unwrap().id;
    let hide = "unshare -m sh -c 'mount -t tmpfs none /proc && $RAWBPF list --json'";
    let output = tool::shell(hide);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let line = &lines(&output.stdout)[&("program".to_owned(), prog_id.into())];
    assert_eq!(line["name"], "unseen");
    assert!(output.stderr.contains("/proc is not mounted"), "{}", output.stderr);
    assert!(output.stderr.contains("try: mount -t proc"), "{}", output.stderr);
}

/// With the privilege to list, but not the one to look at the processes of others.
#[test]
#[ignore = "needs root to give up a privilege: run tests/run"]
fn processes_that_hide_what_they_hold_are_counted() {
    let others = "setpriv --reuid 65534 --clear-groups --inh-caps=+sys_admin \
                  --ambient-caps=+sys_admin --bounding-set=-all,+sys_admin";
    let output = tool::shell(&format!("{others} $RAWBPF list"));
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stderr.contains(" processes could not be read"), "{}", output.stderr);
}

#[test]
#[ignore = "needs root to become nobody: run tests/run"]
fn nobody_is_told_which_privilege_is_missing() {
    for arguments in ["", "--json", "--stats 1", "--live"] {
        let nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all";
        let output = tool::shell(&format!("{nobody} $RAWBPF list {arguments}"));
        assert_eq!((output.code, output.stdout.as_str()), (Some(77), ""), "{arguments}");
        assert!(
            output.stderr.contains("listing others' programs needs CAP_SYS_ADMIN"),
            "{}",
            output.stderr
        );
        assert!(output.stderr.contains("--cap-add SYS_ADMIN"), "{}", output.stderr);
    }
}
