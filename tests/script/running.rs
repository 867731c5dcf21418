//! Scripts that run on this kernel, and what they print.

use std::os::unix::net::UnixStream;

use rawbpf::sample::{Datum, ScriptMap};
use rawbpf::script::Host;
use rawbpf::script::check;
use rawbpf::script::lower::lower;
use rawbpf::trace::{Output, TracedHost, run};
use rawbpf::view::script::{json, text};

use crate::cases::{self, Case};

/// Both forms of what a script prints.
#[derive(Default)]
struct Printed {
    text: Vec<u8>,
    json: String,
    errors: String,
}

impl Output for Printed {
    fn attached(&mut self, probes: usize) {
        self.json = format!(
            "{{\"type\": \"attached_probes\", \"count\": 1, \"data\": {{\"probes\": {probes}}}}}\n{}",
            self.json
        );
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
    fn warning(&mut self, line: u32, columns: (u32, u32), what: &str) {
        self.errors += &format!("{line}:{}-{}: {what}\n", columns.0, columns.1);
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
    let host = TracedHost::new(0, 0).map_err(|error| error.to_string())?;
    let checked = check(script, &parameters(case), &host).map_err(|mistake| mistake.what)?;
    let lowered = lower(&checked, case.name, script, &host).map_err(|mistake| mistake.what)?;
    let (stop, other) = UnixStream::pair().unwrap();
    // A script that does not end by itself ends after a second.
    let ends = script.contains("exit(");
    let watch = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(if ends { 5000 } else { 300 }));
        drop(other);
    });
    let mut out = Printed::default();
    let code = run(&checked, &lowered, host.cpus(), &stop, &mut out).map_err(|error| {
        let refused = error.refused.as_ref().map(|refused| format!("\n{}", refused.log));
        format!("{error}{}", refused.unwrap_or_default())
    })?;
    if !ends {
        watch.join().unwrap();
    }
    Ok((out, code))
}

#[test]
#[ignore = "needs root"]
fn scripts_print_what_bpftrace_prints() {
    let mut wrong = vec![];
    let mut right = 0;
    for case in cases::run().iter().filter(|case| case.field("stage") == "1") {
        if !case.field("options").is_empty() || case.section("script").contains("tracepoint:") {
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
                let same = lines(&text) == lines(case.section("text"));
                let same_code = code.to_string() == case.field("exit");
                if same && same_code {
                    right += 1;
                } else {
                    wrong.push(format!(
                        "=== {} ({code}, {})\n{}--- expected\n{}--- printed\n{text}{}",
                        case.name,
                        case.field("exit"),
                        case.section("script"),
                        case.section("text"),
                        printed.errors
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{right} right, {} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
