//! Where logs begin and end in a text whose lines are the kernel's.

use super::starts::{INTRODUCTIONS, is_omission, is_start};
use crate::verifier::causes;
use crate::verifier::log::{LogEvent, State, events, missing};
use crate::verifier::path::Code;
use crate::verifier::rebuild::rebuild;

/// A log that was found in a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundLog {
    /// The program's name, if the text has it.
    pub program: Option<String>,
    /// How and where it is attached, if the text has it: `kprobe blk_mq_start_request`.
    pub attach: Option<String>,
    /// The log as the kernel gave it, as far as it is there.
    pub log: String,
}

/// A log, and the program's name, if the text names it.
pub(super) struct SplitLog {
    pub program: Option<String>,
    pub text: String,
}

/// What a line is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It can only be of a log.
    Log,
    /// The last line of a log.
    End,
    /// A source line, or a state by itself.
    Between,
    /// A message that we know.
    Message,
    /// The kernel's own report begins.
    Report,
    Blank,
    /// Lines were left out here.
    Gap,
    /// Anything else, such as a message that we do not know.
    Other,
    /// No line of a log, but of who prints one.
    Foreign,
}

fn kind(line: &str) -> Kind {
    match line {
        _ if line.trim().is_empty() => Kind::Blank,
        // Somebody left out lines.
        _ if ["...", "[...", "…", "[…"].iter().any(|dots| line.trim_start().starts_with(dots)) => {
            Kind::Gap
        }
        _ if line.starts_with("processed ") && is_start(line) => Kind::End,
        _ if is_start(line) => Kind::Log,
        _ if line.starts_with("; ") || line == ";" => Kind::Between,
        _ if line.starts_with(' ') && State::begins(line.trim_start()) => Kind::Between,
        _ if BETWEEN.iter().any(|begin| line.starts_with(begin)) => Kind::Between,
        _ if line.starts_with("Verification failed:") => Kind::Report,
        _ if FOREIGN.iter().any(|begin| line.trim_start().starts_with(begin)) => Kind::Foreign,
        _ if causes::find(line).is_some() => Kind::Message,
        _ => Kind::Other,
    }
}

/// How lines begin that are of a log if others are.
const BETWEEN: [&str; 9] = [
    "caller:",
    "callee:",
    "returning from callee:",
    "to caller at ",
    "cur state:",
    "old state:",
    "Func#",
    "SCC ",
    "propagating ",
];

/// How lines of loaders, shells and runtimes begin.
const FOREIGN: [&str; 19] = [
    "libbpf:",
    "Error",
    "error: ",
    "Caused by",
    "Traceback",
    "thread '",
    "goroutine ",
    "panic",
    "make",
    "exit status",
    "```",
    "~~~",
    "-- ",
    "stack backtrace",
    "note: ",
    "HINT",
    "bpf: ",
    "$ ",
    "File \"",
];

/// The logs in a text. Between marks (`marked`), all of it is one log, if it has an end.
pub(super) fn logs(text: &str, marked: bool) -> Vec<SplitLog> {
    let mut splitter =
        Splitter { text, open: None, run: 0, tail: Tail::default(), found: vec![], named: None };
    // What follows an introduction or a mark is of the log.
    let mut run_holds = marked;
    let mut gap = false;
    // Whether an instruction of the log was seen.
    let mut walked = false;
    // Whether what is open is the last lines alone, which cilium/ebpf prints before the log.
    let mut summary = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let begins = at;
        at += line.len();
        let line = line.trim_end_matches(['\n', '\r']);
        let kind = kind(line);
        let is_insn =
            |line: &str| line.split_once(": (").is_some_and(|(at, _)| at.parse::<u32>().is_ok());
        walked |= kind == Kind::Log && is_insn(line);
        if splitter.open.is_none() {
            // A report is a part of what is above its empty line; other lines are not.
            if std::mem::take(&mut gap) && !run_holds && !matches!(kind, Kind::Report | Kind::Blank)
            {
                splitter.run = begins;
            }
            match kind {
                Kind::Log | Kind::End | Kind::Report => {
                    // The message above the totals may be one that we do not know.
                    splitter.open = Some(splitter.run);
                    splitter.tail = Tail { end: at, ..Tail::default() };
                    splitter.tail.report = kind == Kind::Report;
                    summary = is_omission(line);
                }
                Kind::Between | Kind::Message => {}
                Kind::Other if run_holds => {}
                Kind::Blank => gap = true,
                Kind::Gap => splitter.run = at,
                _ => {
                    splitter.name(line);
                    splitter.run = at;
                    run_holds = introduces(line);
                }
            }
            if kind != Kind::End {
                continue;
            }
        } else if kind == Kind::Log
            && splitter.tail.known
            && (walked || summary)
            && begins_anew(line)
        {
            splitter.close(splitter.tail.end);
            splitter.open = Some(begins);
            (walked, summary) = (false, false);
            splitter.tail = Tail { end: at, ..Tail::default() };
            continue;
        }
        if kind == Kind::End {
            splitter.close(at);
            splitter.run = at;
            (run_holds, walked) = (false, false);
            continue;
        }
        splitter.tail.line(kind, at);
    }
    if splitter.open.is_some() {
        splitter.close(splitter.tail.end);
    } else if run_holds && marked && splitter.found.is_empty() {
        // A mark, and messages after it.
        splitter.open = Some(0);
        splitter.close(text.len());
    }
    splitter.found
}

/// Whether a line of a loader introduces a log.
fn introduces(line: &str) -> bool {
    // The log may begin in the next line.
    INTRODUCTIONS.iter().any(|intro| line.contains(intro.trim_end()))
        || line.contains("-- BEGIN ")
        || line.contains(" omitted)")
}

/// Whether a program's walk begins with this line.
fn begins_anew(line: &str) -> bool {
    is_omission(line)
        || line.starts_with("func#0 @")
        || line.starts_with("0: R1=")
        || line.starts_with("0: (")
}

/// The end of a log that has no totals: what still belongs to it.
#[derive(Default)]
struct Tail {
    /// Where the last line ends that belongs to it.
    end: usize,
    /// Whether a message was said since the last instruction, and whether we know one of them.
    said: bool,
    known: bool,
    /// Whether what comes is not the log's any more, unless an instruction follows.
    over: bool,
    /// In the kernel's own report there are empty lines.
    report: bool,
}

impl Tail {
    fn line(&mut self, kind: Kind, ends: usize) {
        match kind {
            Kind::Log | Kind::Between if kind == Kind::Log || !self.said => {
                *self = Tail { end: ends, ..Tail::default() };
                return;
            }
            Kind::Report => self.report = true,
            Kind::Foreign => self.over = true,
            Kind::Blank if !self.report && self.said => self.over = true,
            Kind::Other if self.known && !self.report => self.over = true,
            _ => {}
        }
        if !self.over && !matches!(kind, Kind::Blank | Kind::Gap) {
            self.end = ends;
            self.said = true;
            self.known |= kind == Kind::Message;
        }
    }
}

struct Splitter<'a> {
    text: &'a str,
    /// Where the log begins that is being read.
    open: Option<usize>,
    /// Where the lines before begin that would belong to a log.
    run: usize,
    tail: Tail,
    found: Vec<SplitLog>,
    named: Option<&'a str>,
}

impl<'a> Splitter<'a> {
    /// Takes a program's name from a line of its loader.
    fn name(&mut self, line: &'a str) {
        let quoted = line.split_once("prog '").and_then(|(_, rest)| rest.split('\'').next());
        let go = || {
            let (before, _) = line.split_once(": load program")?;
            before.rsplit_once("program ").map(|(_, name)| name)
        };
        let name = quoted.or_else(go).filter(|name| {
            name.len() < 200 && !name.is_empty() && !name.contains(char::is_whitespace)
        });
        self.named = name.or(self.named);
    }

    fn close(&mut self, end: usize) {
        let Some(start) = self.open.take() else { return };
        let log = &self.text[start..end.max(start)];
        // Where lines were left out, the kernel wrote none.
        let omission = log.lines().next().filter(|line| is_omission(line));
        let log = omission.map_or(log, |line| log[line.len()..].trim_start_matches(['\r', '\n']));
        let mut text = String::with_capacity(log.len() + 5);
        if missing(log).head && begins_whole(log) {
            text.push_str("...\n");
        }
        text.push_str(log);
        if !text.ends_with('\n') {
            text.push('\n');
        }
        if !log.trim().is_empty() {
            self.found.push(SplitLog { program: self.named.take().map(str::to_owned), text });
        }
    }
}

/// Whether the first line of a log whose beginning is missing is a whole line: the second instruction follows the
/// first. Of `1235: (bf) r1 = r2` the end alone, `5: (bf) r1 = r2`, would be another instruction.
fn begins_whole(log: &str) -> bool {
    let start: String = log.lines().take(64).flat_map(|line| [line, "\n"]).collect();
    let start = format!("...\n{start}");
    let mut walked = events(&start).filter_map(|event| match event {
        LogEvent::Insn { at, .. } => Some(at),
        _ => None,
    });
    let (first, second) = (walked.next(), walked.next());
    let Some(first) = first else { return false };
    let code: Code = rebuild(start.clone()).code;
    second.is_none_or(|second| code.targets(first).contains(&Some(second)))
}

/// The message of a short text that has no log.
pub(super) fn message(text: &str) -> Option<String> {
    if text.len() > 4096 {
        return None;
    }
    let known = |line: &&str| {
        causes::find(line).is_some_and(|known| !known.is_remark() && line.len() < 300)
    };
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut after = lines().skip_while(|line| !introduces(line)).skip(1).take(3);
    // What a loader says besides may look like a message.
    let alone = || (lines().count() <= 3).then(|| lines().rfind(known)).flatten();
    let found = after.find(known).or_else(alone)?;
    Some(format!("{found}\n"))
}

/// The logs without those that say less than their neighbour about the same refusal: loaders print a log, and before
/// or after it its end.
pub(super) fn without_repetitions(found: Vec<FoundLog>) -> Vec<FoundLog> {
    let mut kept: Vec<FoundLog> = vec![];
    for mut one in found {
        if kept.last().is_some_and(|last| is_cut(last, &one)) {
            continue;
        }
        let Some(last) = kept.last_mut().filter(|last| is_repeated(last, &one)) else {
            kept.push(one);
            continue;
        };
        let name = last.program.take().or(one.program.take());
        if one.log.len() > last.log.len() {
            *last = one;
        }
        last.program = name;
    }
    kept
}

/// Whether the second is only the beginning of a log whose reason the first one gives, as a summary before it.
fn is_cut(summary: &FoundLog, log: &FoundLog) -> bool {
    let reason = |log: &str| end(log).1.is_some();
    let insns = events(&summary.log).filter(|event| matches!(event, LogEvent::Insn { .. })).take(2);
    let ends = log.log.lines().any(|line| line.starts_with("processed "));
    insns.count() < 2 && log.program.is_none() && reason(&summary.log) && !reason(&log.log) && !ends
}

/// Whether two logs are of one refusal: they end in the same instruction and the same message.
fn is_repeated(one: &FoundLog, other: &FoundLog) -> bool {
    if one.program.is_some() && other.program.is_some() && one.program != other.program {
        return false;
    }
    let (at, said) = end(&one.log);
    let (other_at, other_said) = end(&other.log);
    let same = at == other_at || at.is_none() || other_at.is_none();
    one.log == other.log || same && said.is_some() && said == other_said
}

/// The last instruction of a log, and the first message after it.
fn end(log: &str) -> (Option<u32>, Option<&str>) {
    let (mut last, mut said) = (None, None);
    for event in events(log) {
        match event {
            LogEvent::Insn { at, .. } => (last, said) = (Some(at), None),
            LogEvent::Message(text) if said.is_none() => said = Some(text.trim()),
            _ => {}
        }
    }
    (last, said)
}
