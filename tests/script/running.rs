//! Scripts that run on this kernel, and what they print.

use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use rawbpf::sample::{Datum, ScriptMap};
use rawbpf::script::Host;
use rawbpf::script::check;
use rawbpf::script::lower::{Warning, WarningKind, lower};
use rawbpf::trace::{Output, TracedHost, run};
use rawbpf::view::script::{json, text};

use crate::cases::{self, Case};

/// Both forms of what a script prints.
#[derive(Default)]
struct Printed {
    text: Vec<u8>,
    json: String,
    errors: String,
    child: Option<Child>,
    /// Ends the run once it is closed.
    stop: Option<UnixStream>,
    /// Whether the script ends by itself.
    ends: bool,
}

/// A program that waits until it is told to run.
struct Child(std::process::Child);

impl Child {
    /// That of the case's option `-c`.
    fn waiting(case: &Case) -> Option<Child> {
        let command = case.field("options").split_once("-c ")?.1.trim_matches('\'');
        let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/script/data");
        let gated = format!("read _; exec {}", command.replace("@DATA@", data));
        let mut child = Command::new("sh");
        child
            .args(["-c", &gated])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Some(Child(child.spawn().unwrap()))
    }
}

impl Output for Printed {
    fn attached(&mut self, probes: usize) {
        self.json = format!(
            "{{\"type\": \"attached_probes\", \"count\": {probes}, \"data\": {{\"probes\": {probes}}}}}\n{}",
            self.json
        );
        let (child, stop, ends) = (self.child.take(), self.stop.take(), self.ends);
        std::thread::spawn(move || {
            match child {
                Some(Child(mut child)) => {
                    drop(child.stdin.take());
                    child.wait().unwrap();
                }
                None => std::thread::sleep(Duration::from_millis(if ends { 5000 } else { 300 })),
            }
            drop(stop);
        });
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
    fn warning(&mut self, warning: &Warning) {
        self.errors += &format!("{warning:?}\n");
        if warning.what == WarningKind::MapFull {
            self.json += &json::helper_error("FILE", warning.line, warning.column);
        }
    }
    fn lost(&mut self, events: u64) {
        self.errors += &format!("lost {events}\n");
    }
}

fn parameters(case: &Case) -> Vec<String> {
    let words = case.field("arguments").split_whitespace();
    words.filter(|word| *word != "--").map(|word| word.trim_matches('\'').to_owned()).collect()
}

fn printed(case: &Case) -> Result<(Printed, u8), String> {
    let script = case.section("script");
    let started = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).unwrap();
    let started = Duration::from(started).as_nanos() as u64;
    let child = Child::waiting(case);
    let pid = child.as_ref().map_or(0, |child| child.0.id());
    let host = TracedHost::new(pid, started).map_err(|error| error.to_string())?;
    let checked = check(script, &parameters(case), &host).map_err(|mistake| mistake.what)?;
    let lowered = lower(&checked, case.name, script, &host).map_err(|mistake| mistake.what)?;
    let (stop, other) = UnixStream::pair().unwrap();
    // A script that does not end by itself ends after a second.
    let ends = script.contains("exit(");
    let mut out = Printed { child, stop: Some(other), ends, ..Printed::default() };
    let code = run(&checked, &lowered, host.cpus(), &stop, &mut out).map_err(|error| {
        let refused = error.refused.as_ref().map(|refused| format!("\n{}", refused.log));
        format!("{error}{}", refused.unwrap_or_default())
    })?;
    Ok((out, code))
}

#[test]
#[ignore = "needs root"]
fn scripts_print_what_bpftrace_prints() {
    let mut wrong = vec![];
    let mut right = 0;
    for case in cases::run().iter().filter(|case| case.field("stage") == "1") {
        let options = case.field("options");
        if options.contains("-f ") || options.contains("-o ") || options.contains("-e ") {
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
                let same = lines(&text) == lines(case.section("text"))
                    && (case.field("compare") != "exact"
                        || printed.json.replace("FILE", &format!("{}.bt", case.name))
                            == case.section("json"));
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
    assert!(wrong.is_empty(), "{right} right, {} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
