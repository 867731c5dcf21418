//! A verifier's log, and the files that hold several.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::verifier::causes;
use rawbpf::verifier::log::{Backtrack, LogEvent, State, events, missing};
use rawbpf::verifier::recording::recordings;
use rawbpf::verifier::totals::Totals;
use rawbpf_fuzz::look;

fn ask(state: State<'_>) {
    look((state.references(), state.text()));
    for (_, value) in state.values() {
        look((value.text(), value.attributes().count(), value.bounds(), value.may_be_null()));
    }
}

fuzz_target!(|log: &str| {
    look((missing(log), Totals::of(log).to_string()));
    for event in events(log) {
        match event {
            LogEvent::Insn { state, .. } | LogEvent::Edge { state, .. } => {
                state.into_iter().for_each(ask);
            }
            LogEvent::State { state, .. } | LogEvent::Loop { state, .. } => ask(state),
            LogEvent::Backtrack(Backtrack::Parent { state, .. }) => state.into_iter().for_each(ask),
            LogEvent::Report(report) => look((report.title(), report.at(), report.path().count())),
            LogEvent::Message(text) => {
                let Some(known) = causes::find(text) else { continue };
                look((known.explanation(), known.remedy()));
            }
            _ => {}
        }
    }
    for one in recordings(log) {
        look(Totals::of(one.log));
    }
});
