//! The walk as JSON: a line for each instruction, and one for the verdict.

use serde_json::{Map as Fields, Value as Json, json};

use crate::plain;
use crate::verifier::diagnose::words;
use crate::verifier::log::{KnownValue, Place};
use crate::verifier::totals::Totals;
use crate::verifier::verification::{SourceLine, Verification};
use crate::verifier::verified::Verified;
use crate::verifier::walk::{Entry, Exact, name};

/// A program's verdict as an object on a line, without the line's end.
pub fn verdict(verified: &Verified) -> String {
    let Verified { name, program, .. } = verified;
    let mut line = json!({
        "type": "verdict",
        "program": name,
        "attach": attach_to_json(verified),
        "verdict": verified.verdict().word(),
    });
    if let Json::Object(line) = &mut line {
        line.extend(totals_to_json(verified.totals()));
        if let Some(why) = program.diagnose().filter(|_| verified.refused) {
            let is = ["at", "class", "sentence", "demand", "change", "said"];
            let values = [
                json!(why.at),
                json!(why.class),
                json!(why.sentence),
                json!(why.demand),
                json!(why.remedy),
                json!(why.said),
            ];
            line.extend(is.map(str::to_owned).into_iter().zip(values));
        }
    }
    plain::json(line.to_string())
}

/// A program that the verifier did not judge, as an object on a line, without the line's end.
pub fn unjudged(name: &str, why: &str) -> String {
    let line =
        json!({"type": "verdict", "program": name, "verdict": "not judged", "sentence": why});
    plain::json(line.to_string())
}

/// A part of a program's walk as an object on a line, without the line's end; `all` asks of an
/// instruction for all that is known after it too.
pub fn entry(verified: &Verified, entry: &Entry, all: bool) -> String {
    plain::json(entry_to_json(&verified.program, &verified.name, entry, all).to_string())
}

fn entry_to_json(program: &Verification, name: &str, entry: &Entry, all: bool) -> Json {
    match entry {
        Entry::Begin { at, changes } => {
            json!({"type": "begin", "program": name, "at": at, "changes": changed(changes)})
        }
        Entry::Step(step) => {
            let mut line = json!({
                "type": "insn",
                "program": name,
                "at": step.at,
                "text": program.text(step.at),
                "depth": step.depth,
                "frame": step.frame,
                "times": step.times,
                "changes": changed(&step.changes),
            });
            if all {
                let known = step.known.iter().map(|(place, value)| (*place, Some(*value)));
                line["known"] = changed(&known.collect::<Vec<_>>());
            }
            if let Some(SourceLine { file, line: number, text, .. }) = program.source(step.at) {
                // A log alone may have only its text.
                if !file.is_empty() {
                    line["file"] = file.as_str().into();
                    line["line"] = (*number).into();
                }
                line["source"] = text.as_str().into();
            }
            if !step.exact.is_empty() {
                line["exact"] = step.exact.iter().map(exact_to_json).collect();
            }
            line
        }
        Entry::Branch { from, to, depth, speculative, changes, .. } => json!({
            "type": "branch",
            "program": name,
            "from": from,
            "to": to,
            "depth": depth,
            "speculative": speculative,
            "changes": changed(changes),
        }),
        Entry::Safe { at, depth } => {
            json!({"type": "safe", "program": name, "at": at, "depth": depth})
        }
        Entry::Said(text) => json!({"type": "said", "program": name, "text": text}),
        Entry::Cut => json!({"type": "cut", "program": name}),
    }
}

fn exact_to_json(exact: &Exact) -> Json {
    let places: Vec<_> = exact.places.iter().map(|place| name(*place)).collect();
    json!({"places": places, "over": exact.over})
}

fn changed(changes: &[(Place, Option<KnownValue>)]) -> Json {
    let fields =
        changes.iter().map(|(place, value)| (name(*place), value.map(value_to_json).into()));
    Json::Object(fields.collect())
}

/// How and where a program is attached.
pub(super) fn attach_to_json(verified: &Verified) -> Json {
    json!({"kind": verified.kind, "to": verified.place})
}

/// A value, as far as it is known.
pub(super) fn value_to_json(value: KnownValue) -> Json {
    let mut fields = json!({"is": words(value), "type": value.type_, "precise": value.precise});
    if let Some(known) = value.known {
        fields["value"] = known.into();
    }
    for (key, text) in value.attributes() {
        fields[key] = text.into();
    }
    fields
}

/// How much there was to do.
pub(super) fn totals_to_json(totals: Totals) -> Fields<String, Json> {
    let mut fields = Fields::new();
    if let Some(processed) = totals.processed {
        for (name, number) in [
            ("processed", processed.insns),
            ("limit", processed.limit),
            ("states", processed.states),
            ("peak_states", processed.peak_states),
            ("states_per_insn", processed.states_per_insn),
        ] {
            fields.insert(name.into(), number.into());
        }
    }
    if let Some(stack) = totals.stack {
        fields.insert("stack_depth".into(), stack.into());
    }
    if let Some(time) = totals.microseconds {
        fields.insert("usecs".into(), time.into());
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insn::{Callee, Insn};
    use crate::verifier::path::Code;

    #[test]
    fn a_log_with_numbers_that_no_kernel_prints_is_json_too() {
        for n in
            ["0", "-1", "-9223372036854775808", "9223372036854775807", "", "18446744073709551615"]
        {
            let log = format!(
                "0: R1=ctx(off={n},imm={n}) R10=fp{n} fp{n}=scalar(umin={n},umax={n})\n\
                 0: (85) call bpf_ktime_get_ns#5 ; R0=map_value(off={n},imm={n},vs={n},umax={n}) \
                 fp-2147483648={n}\n\
                 1: (95) exit\n\
                 invalid access to map value, value_size={n} off={n} size={n}\n\
                 processed {n} insns\n"
            );
            let code = Code::of(&[Insn::Call(Callee::Helper(5)), Insn::Exit]);
            let program = Verification::of_log(code, log);
            let (name, kind, place) = ("any".into(), "kprobe".into(), String::new());
            let verified =
                Verified { name, kind, place, program, totals_only: false, refused: true };
            let mut lines = vec![verdict(&verified)];
            let Ok(()) = crate::verifier::walk::walk(
                &verified.program.code,
                &verified.program.log,
                &mut |it| {
                    lines.push(entry(&verified, &it, true));
                    Ok::<_, std::convert::Infallible>(())
                },
            );
            let lines = lines.iter().map(|line| serde_json::from_str::<Json>(line).unwrap());
            let types: Vec<_> = lines.map(|line| line["type"].clone()).collect();
            assert!(
                types.contains(&json!("insn")) && types.contains(&json!("verdict")),
                "{types:?}"
            );
        }
    }
}
