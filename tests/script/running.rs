//! Scripts that run on this kernel, and what they print.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::LazyLock;
use std::{env, fs};

use std::time::Duration;

use rawbpf::error::Error;
use rawbpf::host::KernelTypes;
use rawbpf::sample::{Datum, ScriptMap};
use rawbpf::script::Host;
use rawbpf::script::check;
use rawbpf::script::host::{Field, Namespace, OnlyProcess};
use rawbpf::script::lower::{Warning, WarningKind, lower};
use rawbpf::script::probes::Event;
use rawbpf::sys::SysError;
use rawbpf::sys::child::WaitingChild;
use rawbpf::trace::{Attached, Ends, Output, TracedHost, run};
use rawbpf::view::script::{json, text};

use crate::cases::{self, Case};

/// Both forms of what a script prints.
#[derive(Default)]
struct Printed {
    text: Vec<u8>,
    json: String,
    errors: String,
}

/// The program that `tests/script/data/target.c` is compiled to.
static TARGET: LazyLock<String> = LazyLock::new(|| {
    let target = env::temp_dir().join(format!("rawbpf-target-{}", std::process::id()));
    let mut clang = Command::new("clang-19");
    clang.args(["-O0", "-fno-inline", "-no-pie", "-static", "-o"]).arg(&target);
    let compiled = clang.arg(format!("{DATA}/target.c")).status().expect("clang-19 is there");
    assert!(compiled.success());
    target.to_str().unwrap().to_owned()
});

/// The folder of the files that cases use.
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/script/data");

/// A text of a case, with the places of the files that it names.
fn placed(text: &str) -> String {
    let text = match text.contains("@DATA@/target") {
        true => text.replace("@DATA@/target", &TARGET),
        false => text.to_owned(),
    };
    text.replace("@DATA@", DATA)
}

/// The process of the case's option `-c`.
fn child(case: &Case) -> Option<WaitingChild> {
    let command = case.field("options").split_once("-c ")?.1.trim_matches('\'');
    let words = placed(command);
    let words: Vec<_> = words.split(' ').map(|word| CString::new(word).unwrap()).collect();
    Some(WaitingChild::new(&words[0], &words).unwrap())
}

impl Output for Printed {
    fn attached(&mut self, Attached { probes, .. }: Attached) -> Result<(), Error> {
        self.json = format!(
            "{{\"type\": \"attached_probes\", \"count\": {probes}, \"data\": {{\"probes\": {probes}}}}}\n{}",
            self.json
        );
        Ok(())
    }
    fn text(&mut self, kind: &str, text: &[u8]) {
        self.text.extend(text);
        self.json += &json::text(kind, text);
    }
    fn value(&mut self, value: &Datum) {
        self.text.extend(text::value(value));
        self.text.push(b'\n');
        self.json += &json::value(value);
    }
    fn map(&mut self, map: &ScriptMap) {
        self.text.extend(text::map(map));
        self.json += &json::map(map);
    }
    fn last(&mut self) {
        self.text.extend(b"\n\n");
    }
    fn message(&mut self, kind: &str, [line, column, end]: [u32; 3], text: &[u8]) {
        let text = String::from_utf8_lossy(text);
        self.errors += &format!("FILE:{line}:{column}-{end}: {kind}: {text}\n");
        self.json += &json::message(kind, &text, "FILE", line, column);
    }
    fn warning(&mut self, warning: &Warning) {
        self.errors += &format!("{warning:?}\n");
        match warning.what {
            WarningKind::MapFull(_) => {
                self.json += &json::helper_error("FILE", warning.line, warning.column);
            }
            WarningKind::DivisionByZero => {
                self.json += &json::division_by_zero("FILE", warning.line, warning.column);
            }
            WarningKind::LoopTooLong(_) => {}
        }
    }
    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
    fn unconfined(&mut self, why: &SysError) {
        self.errors += &format!("privileges kept: {why}\n");
    }
    fn beyond(&mut self, map: &str, elements: u64) {
        self.errors += &format!("{elements} beyond @{map}\n");
    }
    fn lost(&mut self, events: u64) {
        self.errors += &format!("lost {events}\n");
    }
}

fn parameters(case: &Case) -> Vec<String> {
    let words = case.field("arguments").split_whitespace();
    words.filter(|word| *word != "--").map(|word| word.trim_matches('\'').to_owned()).collect()
}

/// Cases in which bpftrace's output is an accident, and why.
fn deviations() -> BTreeMap<&'static str, &'static str> {
    let lines = include_str!("deviations.txt").lines();
    lines.map(|line| line.split_once(": ").expect("NAME: REASON")).collect()
}

#[test]
fn each_deviation_is_of_a_case_and_has_a_reason() {
    for (name, reason) in deviations() {
        assert!(cases::run().iter().any(|case| case.name == name), "{name}");
        assert!(reason.len() > 20, "{name}");
    }
}

fn printed(case: &Case) -> Result<(Printed, u8), String> {
    let script = &placed(case.section("script"));
    let child = child(case);
    let pid = child.as_ref().map_or(0, WaitingChild::pid);
    let types = KernelTypes::running();
    let host = TracedHost::new(&types, None, pid).map_err(|error| error.to_string())?;
    let checked = check(script, &parameters(case), &host).map_err(|mistake| mistake.what)?;
    let lowered = lower(&checked, case.name, script, &host).map_err(|mistake| mistake.what)?;
    let (stop, other) = UnixStream::pair().unwrap();
    // A script that does not end by itself ends soon.
    let wait = if script.contains("exit(") || child.is_some() { 5000 } else { 300 };
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(wait));
        drop(other);
    });
    let mut out = Printed::default();
    let ends = Ends {
        stop: stop.as_fd(),
        output: None,
        child,
        process: None,
        dry_run: false,
        keep_privileges: true,
    };
    let code = run(&checked, &lowered, &host, ends, &mut out).map_err(|error| {
        let refused = error.refused.as_ref().map(|refused| format!("\n{}", refused.log));
        format!("{error}{}", refused.unwrap_or_default())
    })?;
    Ok((out, code))
}

#[test]
#[ignore = "needs root"]
fn scripts_print_what_bpftrace_prints() {
    let deviations = deviations();
    let mut wrong = vec![];
    let mut right = 0;
    for case in cases::run().iter().filter(|case| case.is_supported()) {
        let options = case.field("options");
        if options.contains("-f ") || options.contains("-o ") || options.contains("-e ") {
            continue;
        }
        if deviations.contains_key(case.name) {
            continue;
        }
        match printed(case) {
            Err(why) => wrong.push(format!("=== {}: {why}\n{}", case.name, case.section("script"))),
            Ok((printed, code)) => {
                let text = String::from_utf8_lossy(&printed.text).into_owned();
                let lines = |text: &str| {
                    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
                    if case.field("compare") == "lines-in-any-order" {
                        lines.sort();
                    }
                    lines
                };
                // The process of -c prints for itself.
                let own = |text: &str| {
                    text.replace("x\n", if options.contains("echo") { "" } else { "x\n" })
                };
                let quiet = options.contains("-q");
                let printed_json = match quiet {
                    true => printed.json.split_once('\n').map_or("", |(_, rest)| rest),
                    false => &*printed.json,
                };
                let same = lines(&text) == lines(&own(case.section("text")))
                    && (case.field("compare") != "exact"
                        || printed_json.replace("FILE", &format!("{}.bt", case.name))
                            == own(case.section("json")));
                let same_code = code.to_string() == case.field("exit");
                if same && same_code {
                    right += 1;
                } else {
                    wrong.push(format!(
                        "=== {} ({code}, {})\n{}--- expected\n{}--- printed\n{text}{}--- json\n{}--- printed\n{}",
                        case.name,
                        case.field("exit"),
                        case.section("script"),
                        case.section("text"),
                        printed.errors,
                        case.section("json"),
                        printed.json
                    ));
                }
            }
        }
    }
    let _ = fs::remove_file(&*TARGET);
    assert!(wrong.is_empty(), "{right} right, {} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
#[ignore = "needs root"]
fn what_is_wrong_with_types_of_the_kernel_is_refused_at_its_place() {
    let types = KernelTypes::running();
    let host = TracedHost::new(&types, None, 0).unwrap();
    let cases = cases::refuse();
    let cases: Vec<_> = cases.iter().filter(|case| case.needs_types()).collect();
    assert!(cases.len() > 5);
    for case in cases {
        let mistake = check(case.section("script"), &[], &host).unwrap_err();
        let position = format!("{}:{}", mistake.span.line, mistake.span.start + 1);
        assert_eq!(position, case.field("position"), "{}: {}", case.name, mistake.what);
    }
}

/// This host, if its maps had short keys only.
struct ShortKeys<'t>(TracedHost<'t>);

impl Host for ShortKeys<'_> {
    fn expand(&self, event: Event) -> Result<Vec<Event>, String> {
        self.0.expand(event)
    }
    fn field(&self, event: &Event, name: &str) -> Result<Field, String> {
        self.0.field(event, name)
    }
    fn argument(&self, event: &Event, number: u32) -> Result<i32, String> {
        self.0.argument(event, number)
    }
    fn result(&self, event: &Event) -> Result<i32, String> {
        self.0.result(event)
    }
    fn longest_key(&self) -> usize {
        512
    }
    fn cpus(&self) -> u32 {
        self.0.cpus()
    }
    fn namespace(&self) -> Option<Namespace> {
        self.0.namespace()
    }
    fn only_process(&self) -> Option<OnlyProcess> {
        self.0.only_process()
    }
    fn child(&self) -> u32 {
        self.0.child()
    }
    fn started(&self) -> u64 {
        self.0.started()
    }
}

#[test]
#[ignore = "needs root"]
fn keys_that_a_kernel_does_not_take_are_cut_with_a_warning() {
    let words: Vec<_> =
        ["/bin/cat", "/etc/passwd"].map(|word| CString::new(word).unwrap()).to_vec();
    let child = WaitingChild::new(&words[0], &words).unwrap();
    let types = KernelTypes::running();
    let host = ShortKeys(TracedHost::new(&types, None, child.pid()).unwrap());
    let script = "tracepoint:syscalls:sys_enter_openat /pid == cpid/ {
        @name[str(args.filename)] = count(); @both[str(args.filename), kstack] = count();
        $name = (str(args.filename), kstack, 7); @all[$name] = count(); }";
    let checked = check(script, &[], &host).unwrap();
    assert_eq!(checked.warnings.len(), 3, "{:?}", checked.warnings);
    let lowered = lower(&checked, "short", script, &host).unwrap();
    assert!(lowered.maps.iter().all(|map| map.key <= 512));
    let (stop, _other) = UnixStream::pair().unwrap();
    let mut out = Printed::default();
    let ends = Ends {
        stop: stop.as_fd(),
        output: None,
        child: Some(child),
        process: None,
        dry_run: false,
        keep_privileges: true,
    };
    run(&checked, &lowered, &host.0, ends, &mut out).unwrap();
    let text = String::from_utf8(out.text).unwrap();
    for begin in
        ["@name[/etc/passwd]: 1\n", "@both[/etc/passwd, \n        ", "@all[/etc/passwd, \n        "]
    {
        assert!(text.contains(begin), "{begin}: {text}");
    }
}
