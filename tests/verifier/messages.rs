//! Every message of five kernels' verifiers has a cause.
//!
//! `messages.txt` lists what `kernel/bpf/` of Linux 5.10.223, 6.1.176, 6.12.107, 6.18.15 and 7.3.4
//! writes to the log of a refused program, and what the few other files do that judge programs, as
//! format strings: line by line its class, `-` for what only tells of the walk, the kernels, the format,
//! and something for each of its `%s`. Messages that are put together of several are whole lines here. Those
//! of `libbpf` it writes into the log itself, in the place of the kernel's.

use std::collections::BTreeMap;

use rawbpf::verifier::causes;
use rawbpf::verifier::log::{LogEvent, events};

struct Message {
    class: &'static str,
    kernels: &'static str,
    /// As the kernel prints it.
    line: String,
}

fn messages() -> impl Iterator<Item = Message> {
    messages_with("8")
}

/// Every message as the kernels print it with this text in the place of every number.
pub fn lines_with(number: &str) -> impl Iterator<Item = String> {
    messages_with(number).map(|message| message.line)
}

fn messages_with(number: &str) -> impl Iterator<Item = Message> {
    include_str!("messages.txt").lines().map(move |row| {
        let mut columns = row.split('\t');
        let mut column = || columns.next().unwrap();
        let (class, kernels, format) = (column(), column(), column());
        Message { class, kernels, line: print(format, columns, number) }
    })
}

/// What printf makes of the format, with these strings and this for every number.
fn print<'a>(format: &str, mut strings: impl Iterator<Item = &'a str>, number: &str) -> String {
    let mut line = String::new();
    let mut rest = format;
    while let Some((before, spec)) = rest.split_once('%') {
        let end = spec.find(|c: char| c.is_ascii_alphabetic() && !"lhz".contains(c) || c == '%');
        let end = end.unwrap();
        line.push_str(before);
        match &spec[end..=end] {
            "%" => line.push('%'),
            "s" => line.push_str(strings.next().unwrap()),
            "c" => line.push(' '),
            _ if spec.starts_with('+') && !number.starts_with('-') => {
                line.push_str(&format!("+{number}"));
            }
            _ if spec.starts_with('#') => line.push_str(&format!("0x{number}")),
            _ => line.push_str(number),
        }
        rest = &spec[end + 1..];
    }
    assert_eq!(strings.next(), None, "{format}");
    line + rest
}

#[test]
fn every_message_of_five_verifiers_has_its_cause() {
    let mut kernels = BTreeMap::new();
    for Message { class, kernels: of, line } in messages() {
        of.split(',').for_each(|kernel| *kernels.entry(kernel).or_insert(0) += 1);
        let known = causes::find(&line);
        assert_eq!(known.as_ref().map_or("-", |known| known.cause.class), class, "{line}");
        let Some(known) = known else { continue };
        for text in [known.explanation(), known.remedy()] {
            assert!(
                text.len() > 6 && !text.contains("r? ") && !text.contains('{'),
                "{line}: {text}"
            );
            assert!(!text.contains("some at") && !text.contains("(some)"), "{line}: {text}");
        }
    }
    let counts: Vec<_> =
        ["5.10", "6.1", "6.12", "6.18", "7.3"].map(|kernel| kernels[kernel]).into();
    assert_eq!(counts, [334, 479, 634, 679, 767]);
}

/// What tells of the walk is read as such, and is no message of a refusal.
#[test]
fn what_only_tells_of_the_walk_is_no_message() {
    for Message { line, .. } in messages().filter(|message| message.class == "-") {
        for event in events(&format!("{line}\n")) {
            assert!(!matches!(event, LogEvent::Message(_)), "{line}");
        }
    }
}

/// A refusal's reason is a message to whoever reads the log, and to nobody a part of the walk.
#[test]
fn what_has_a_cause_is_read_as_a_message() {
    for Message { line, .. } in messages().filter(|message| message.class != "-") {
        let said = events(&format!("{line}\n")).any(|event| matches!(event, LogEvent::Message(_)));
        assert!(said, "{line}");
    }
}

/// No row is of a message that none of these kernels has.
#[test]
fn every_row_is_some_kernels_message() {
    let lines: Vec<_> = messages().map(|message| message.line).collect();
    let used: Vec<_> = lines.iter().filter_map(|line| Some(causes::find(line)?.cause)).collect();
    let unused: Vec<_> =
        causes::table().map(|(cause, _)| cause).filter(|cause| !used.contains(cause)).collect();
    assert!(unused.is_empty(), "{unused:#?}");
}
