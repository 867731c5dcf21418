//! Runs a script in the language of bpftrace 0.27: `trace PROGRAM [ARG...]`. Needs root.
//!
//! ```sh
//! cargo run --release --example trace -- 'tracepoint:block:block_rq_issue { @[comm] = hist(args.bytes); }'
//! ```

use std::io::{self, Write};
use std::os::fd::AsFd;

use rawbpf::error::Error;
use rawbpf::insn::parse::Mistakes;
use rawbpf::sample::{Datum, ScriptMap};
use rawbpf::script::lower::{Warning, lower};
use rawbpf::script::{Host, check};
use rawbpf::sys::signal::StopSignal;
use rawbpf::trace::{Ends, Output, TracedHost, run};
use rawbpf::view::script::text;

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// Prints as text what a script prints.
#[derive(Default)]
struct Text {
    pending: Vec<u8>,
}

impl Output for Text {
    fn attached(&mut self, probes: usize) {
        let _ =
            writeln!(io::stderr(), "Attached {probes} probe{}", if probes == 1 { "" } else { "s" });
    }

    fn text(&mut self, _: &str, text: &[u8]) {
        self.pending.extend(text);
    }

    fn value(&mut self, value: &Datum) {
        self.pending.extend(text::value(value));
        self.pending.push(b'\n');
    }

    fn map(&mut self, map: &ScriptMap) {
        self.pending.extend(text::map(map));
    }

    fn last(&mut self) {
        self.pending.extend(b"\n\n");
    }

    fn warning(&mut self, Warning { line, column, end, what }: &Warning) {
        let _ = writeln!(io::stderr(), "{line}:{column}-{end}: WARNING: {what:?}");
    }

    fn lost(&mut self, events: u64) {
        let _ = writeln!(io::stderr(), "Lost {events} events");
    }

    fn flush(&mut self) -> Result<(), Error> {
        let written = io::stdout().write_all(&std::mem::take(&mut self.pending));
        written.map_err(|error| Error::failed(format!("the output could not be written: {error}")))
    }
}

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let script = words.next().ok_or("a script is missing")?;
    let parameters: Vec<_> = words.collect();
    let host = TracedHost::new(None, 0)?;
    let wrong = |mistake: Box<_>| Mistakes::one("script", &script, *mistake);
    let checked = check(&script, &parameters, &host).map_err(wrong)?;
    let lowered = lower(&checked, "script", &script, &host).map_err(wrong)?;
    let (signal, stdout) = (StopSignal::new()?, io::stdout());
    let ends = Ends { stop: signal.as_fd(), output: Some(stdout.as_fd()), child: None };
    let code = run(&checked, &lowered, host.cpus(), ends, &mut Text::default())?;
    std::process::exit(code.into())
}
