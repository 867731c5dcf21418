//! A program's verdict and walk beside those of other kernels.

use serde_json::Value as Json;

use super::json::{attach_to_json, totals_to_json, value_to_json};
use crate::plain;
use crate::verifier::compare::{Comparison, Coverage, Differing, Match, Parting, Side, Why};
use crate::verifier::diagnose::{diagnose, words};
use crate::verifier::log::KnownValue;
use crate::verifier::pair::{Counterpart, LONGEST, Pair};
use crate::verifier::recording::{Recording, Verdict};
use crate::verifier::totals::Totals;
use crate::verifier::verified::{SHOWN_MAX, Verified};
use crate::verifier::walk::name;
use crate::view::table::{Align as Column, table};

/// The number of values and paths that the text shows; the JSON has all.
const FIRST: usize = 8;

/// A program's verdict and walk beside those of another kernel, as an object on a line, without the
/// line's end. `kernel` is the release of the kernel here.
pub fn json(verified: &Verified, pair: &Pair, kernel: &str) -> String {
    plain::json(to_json(verified, pair, kernel).to_string())
}

fn to_json(verified: &Verified, pair: &Pair, kernel: &str) -> Json {
    let here = side_to_json(verified.verdict(), kernel, verified.totals());
    let mut fields = vec![
        ("type", "compare".into()),
        ("program", verified.name.as_str().into()),
        ("attach", attach_to_json(verified)),
        ("log", pair.file.as_str().into()),
        ("here", here),
    ];
    let Some(Counterpart { there, totals, comparison }) = &pair.found else {
        fields.push(("there", Json::Null));
        return object(fields);
    };
    let mut other = side_to_json(there.verdict, there.kernel.unwrap_or("?"), *totals);
    if let Some(why) = refusal(verified, there) {
        other["sentence"] = why.into();
    }
    let is_of = match &comparison.program {
        Match::Same => "this program",
        Match::Numbers(_) => "this program with other numbers",
        Match::Other(..) => "another program",
        Match::Unknown => "unknown",
    };
    let whole = comparison.here.whole && comparison.there.whole;
    fields.extend([
        ("there", other),
        ("is_of", is_of.into()),
        ("whole", whole.into()),
        ("values", comparison.values.iter().map(differing_to_json).collect()),
        ("paths", comparison.paths.iter().map(parting_to_json).collect()),
    ]);
    object(fields)
}

fn object(fields: Vec<(&str, Json)>) -> Json {
    Json::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn side_to_json(verdict: Verdict, kernel: &str, totals: Totals) -> Json {
    let mut side = object(vec![("verdict", verdict.word().into()), ("kernel", kernel.into())]);
    if let Json::Object(side) = &mut side {
        side.extend(totals_to_json(totals));
    }
    side
}

fn differing_to_json(it: &Differing) -> Json {
    object(vec![
        ("at", it.at.into()),
        ("to", it.to.into()),
        ("place", name(it.place).into()),
        ("here", value_to_json(it.here)),
        ("there", value_to_json(it.there)),
        ("times", it.times.into()),
    ])
}

fn parting_to_json(it: &Parting) -> Json {
    let other = match it.why {
        Why::Safe => "safe",
        Why::NeverTaken => "never taken",
        Why::Ended => "refused before",
    };
    object(vec![
        ("from", it.from.into()),
        ("at", it.at.into()),
        ("walked", side(it.walked).into()),
        ("other", other.into()),
        ("times", it.times.into()),
        ("insns", it.insns.into()),
    ])
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Here => "here",
        Side::There => "there",
    }
}

/// Why the program is refused there.
fn refusal(verified: &Verified, there: &Recording) -> Option<String> {
    if there.verdict != Verdict::Refused {
        return None;
    }
    diagnose(&verified.program.code, there.log).map(|why| why.sentence)
}

/// A program's verdict and walk beside those of other kernels, as text. `kernel` is the release of the
/// kernel here.
pub fn text(verified: &Verified, pairs: &[Pair], kernel: &str) -> String {
    let mut text = format!(".program {}\n", verified.title());
    text += &totals(verified, pairs, kernel);
    for pair in pairs {
        let Some(Counterpart { there, comparison, .. }) = &pair.found else { continue };
        let mut lines = vec![];
        if let Some(why) = refusal(verified, there) {
            lines.push(format!("refused there: {why}"));
        }
        lines.extend(limits(verified, there, comparison));
        lines.extend(values(verified, &comparison.values));
        lines.extend(paths(&comparison.paths));
        let compared = comparison.here.insns > 0 && comparison.there.insns > 0;
        if lines.is_empty() && compared {
            lines.push(
                "no differences: the same paths, and the same is known about each value".into(),
            );
        }
        text += &lines.iter().map(|line| format!("{}: {line}\n", pair.file)).collect::<String>();
    }
    text
}

/// A number of the totals.
type Total = fn(&Totals) -> Option<u32>;

const NUMBERS: [(&str, Total); 5] = [
    ("instructions processed", |it| Some(it.processed?.insns)),
    ("states", |it| Some(it.processed?.states)),
    ("states, peak", |it| Some(it.processed?.peak_states)),
    ("states, most at an instruction", |it| Some(it.processed?.states_per_insn)),
    // Of all functions, as newer kernels report it for a chain of calls.
    ("stack, bytes", |it| it.stack?.split('+').map(|part| part.parse::<u32>().ok()).sum()),
];

/// The verdicts and totals, a column for each kernel.
fn totals(verified: &Verified, pairs: &[Pair], kernel: &str) -> String {
    let mut columns = vec![("", Column::Left), ("here", Column::Right)];
    columns.extend(pairs.iter().map(|pair| (pair.file.as_str(), Column::Right)));
    let row = |label: &str, here: String, there: &dyn Fn(&Counterpart) -> String| {
        let cells = pairs.iter().map(|pair| pair.found.as_ref().map_or("-".into(), there));
        [label.to_owned(), here].into_iter().chain(cells).collect::<Vec<_>>()
    };
    let mut rows = vec![
        row("kernel", kernel.to_owned(), &|it| it.there.kernel.unwrap_or("?").to_owned()),
        row("verdict", verified.verdict().word().into(), &|it| it.there.verdict.word().into()),
    ];
    let cell = |number: Option<u32>| number.map_or("-".to_owned(), |number| number.to_string());
    for (label, number) in NUMBERS {
        let here = number(&verified.totals());
        rows.push(row(label, cell(here), &|it| {
            let there = number(&it.totals);
            match here.zip(there) {
                Some((here, there)) if here != there => {
                    format!("{there} ({:+})", i64::from(there) - i64::from(here))
                }
                _ => cell(there),
            }
        }));
    }
    table(&columns, &rows)
}

/// Sentences on parts that cannot be compared, each with the reason.
fn limits(verified: &Verified, there: &Recording, comparison: &Comparison) -> Vec<String> {
    if there.log.len() > LONGEST {
        return vec!["the log has more than 16 MiB: the walks are not compared".into()];
    }
    let mut lines = vec![];
    match &comparison.program {
        Match::Same => {}
        Match::Numbers(others) => {
            let (at, text) = others[0];
            // Without its opcode, which is the same.
            let ours = verified.program.text(at).split_off(5);
            lines.push(format!(
                "the same instructions, but {} with other numbers there: {at}: {text}, here {ours}",
                others.len()
            ));
        }
        Match::Other(..) => {
            return vec!["the log is of another program: the walks are not compared".into()];
        }
        Match::Unknown => {
            return vec!["the log shows no instructions: the walks cannot be compared".into()];
        }
    }
    if verified.totals_only {
        lines.push(format!("more than {SHOWN_MAX} instructions here: the walks are not compared"));
        return lines;
    }
    if comparison.here.insns == 0 {
        lines.push("no instruction was processed here".into());
    }
    for (told, where_) in [(comparison.here, "here"), (comparison.there, "there")] {
        let Coverage { insns, whole, missing } = told;
        let lost = match (missing.head, missing.tail) {
            (true, _) => "the log's beginning is missing",
            (_, true) => "the log's end is missing",
            _ => "the log has only a part of the walk, as at log level 1,",
        };
        if !whole && insns > 0 {
            lines.push(format!("{lost} {where_}: paths that are not in it are not compared"));
        }
    }
    lines
}

fn values(verified: &Verified, all: &[Differing]) -> Vec<String> {
    let mut lines = vec![];
    for it in all.iter().take(FIRST) {
        let Differing { at, to, place, here, there, times } = it;
        let (mut ours, mut theirs) = (words(*here), words(*there));
        if ours == theirs {
            (ours, theirs) = (attributes(here, &ours), attributes(there, &theirs));
        }
        let to = to.map_or(String::new(), |to| format!(", continued at {to}"));
        let times = match times {
            1 => String::new(),
            _ => format!(" ({times} times)"),
        };
        let place = name(*place);
        lines.push(format!(
            "after {at}: {}{to}: {place} is {ours} here, {theirs} there{times}",
            verified.program.text(*at)
        ));
    }
    lines.extend(more(all.len(), "values that differ"));
    lines
}

/// A value in words with the kernel's own attributes, for two values that are the same in words.
fn attributes(value: &KnownValue, words: &str) -> String {
    let all: Vec<_> = value.attributes().map(|(key, number)| format!("{key}={number}")).collect();
    format!("{words} ({})", all.join(","))
}

fn paths(all: &[Parting]) -> Vec<String> {
    let mut lines = vec![];
    let mut most = vec![];
    for it in all {
        // The paths with the most instructions.
        let place = most.iter().position(|other: &&Parting| other.insns < it.insns);
        most.insert(place.unwrap_or(most.len()), it);
        most.truncate(FIRST);
    }
    for Parting { from, at, walked, why, times, insns } in most {
        let from = from.map_or(String::new(), |from| format!("from {from} "));
        let other = side(if *walked == Side::Here { Side::There } else { Side::Here });
        let walked = side(*walked);
        let times = match times {
            1 => String::new(),
            _ => format!(", {times} times"),
        };
        let insns = match insns {
            1 => "1 instruction".to_owned(),
            _ => format!("{insns} instructions"),
        };
        lines.push(match why {
            Why::Safe => format!(
                "{from}to {at}: found safe {other}, but followed further {walked}: {insns} more{times}"
            ),
            Why::NeverTaken => format!(
                "{from}to {at}: followed only {walked}, {insns}{times}: {other} the branch always goes the \
                 other way"
            ),
            Why::Ended => {
                format!(
                    "{from}to {at}: followed only {walked}, {insns}{times}: {other} the program was refused \
                     before"
                )
            }
        });
    }
    lines.extend(more(all.len(), "paths that only one kernel follows"));
    lines
}

fn more(count: usize, what: &str) -> Option<String> {
    let more = count.saturating_sub(FIRST);
    (more > 0).then(|| format!("{more} more {what}: --json"))
}
