//! `rawbpf verify`: how the verifier goes over a program, instruction by instruction.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use clap::Args;
use serde_json::{Map as Fields, Value as Json, json};

use super::Stop;
use super::dump::{Dumped, resolved};
use super::report;
use super::run::attach;
use super::text::{self, ProgramKind};
use super::trace::Tool;
use crate::error::Error;
use crate::host::{KernelTypes, refusal};
use crate::session::{self, Plan, Walked};
use crate::sys::Map;
use crate::verifier::diagnose::words;
use crate::verifier::log::{Event, Place, Processed, Statistic, Value, events};
use crate::verifier::render::{Refused, Source};
use crate::verifier::walk::{Change, Entry, Exact, Step, name, walk};

/// Show how the verifier walks over a program: what it knows at each instruction, and why not
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub struct Options {
    /// A text, as asm takes it, or an ELF object; - for stdin; or a tool's name, with its arguments behind it
    #[arg(value_name = "FILE|TOOL", required = true)]
    what: Vec<OsString>,

    #[command(flatten)]
    show: Show,
}

/// What is shown of a walk.
#[derive(Args, Clone, Debug)]
pub struct Show {
    /// All that is known behind each instruction, not only what it changed
    #[arg(long)]
    all: bool,

    /// Print a line of JSON for each instruction, and one for the verdict
    #[arg(long)]
    json: bool,
}

const USAGE: &str = "rawbpf verify [OPTIONS] FILE|TOOL [-- TOOL'S OPTIONS]";

const EXAMPLES: &str = "\
Examples:
  rawbpf verify bitehist                        a tool's program, as it would be attached here
  rawbpf verify --all drop.bpf                  every register behind each instruction
  rawbpf verify program.o                       an object made by clang, with its lines of C
  rawbpf verify biolatency -- --attach raw_tp   with the tool's options
  rawbpf verify --json drop.bpf | jq -r .text   a line for each instruction walked over

Nothing is attached or run. Instructions stand in the order in which the verifier walks over them, \
behind each what it learns there; what is indented is a branch that it put aside. A refused program \
is shown up to where it failed, then why, and the exit code is 1. Of a program that takes more than \
20000 instructions to verify only the totals are shown, or the way to its refusal.";

/// More is not shown: nobody reads it.
const MOST: usize = 20_000;
/// Deeper branches are not indented further.
const DEEPEST: usize = 12;

impl Options {
    /// The command line of the tool that is named, and what to show of its programs.
    pub fn of_tool(&self, is_tool: impl Fn(&str) -> bool) -> Option<(Vec<OsString>, Show)> {
        // A text is given by itself.
        let tool = self.what.first()?.to_str().filter(|name| is_tool(name) && *name != "run")?;
        let mut args = vec!["rawbpf".into(), tool.into()];
        args.extend(self.what[1..].iter().cloned());
        Some((args, self.show.clone()))
    }
}

pub fn run(options: &Options) -> Result<(), Stop> {
    let [file] = &options.what[..] else {
        let other = options.what[1].to_string_lossy();
        return Err(Error::usage(format!("{other:?} is too much: one file at a time")).into());
    };
    let types = KernelTypes::running();
    let text = text::read_any(Path::new(file), &types)?;
    let programs = text.dumped();
    programs.iter().try_for_each(|dumped| resolved(dumped.program))?;
    let maps = text.maps.iter().map(Map::create).collect::<Result<Vec<_>, _>>();
    let maps = maps.map_err(|error| refusal::map(&error))?;
    let mut shown = Shown::new(&options.show);
    for (dumped, kind) in programs.iter().zip(&text.kinds) {
        let verdict = match kind {
            ProgramKind::Type(program_type) => {
                session::verify_alone(dumped.name, dumped.program, &maps, *program_type)
            }
            ProgramKind::Attached(_) => {
                let attach = attach(&dumped.kind, &dumped.place, &types)?;
                // A name a program, once a run.
                let name = dumped.name.to_owned().leak();
                session::verify(&Plan { name, attach, program: dumped.program.clone() }, &maps)
            }
        };
        shown.program(dumped, verdict.map_err(|error| text.explained(error)))?;
    }
    shown.end()
}

/// Shows a tool's programs instead of attaching them.
///
/// # Errors
/// One is refused, or nothing of it works on this host.
pub fn tool<T: Tool>(tool: &T, types: &KernelTypes, show: &Show) -> Result<(), Stop> {
    let plans = |kind| tool.plans(kind, types);
    let (maps, plans) = session::first(&tool.maps(), &tool.kinds(), &plans)?;
    programs(&maps, &plans, show)
}

fn programs(maps: &[Map], plans: &[Plan], show: &Show) -> Result<(), Stop> {
    let mut shown = Shown::new(show);
    let mut same = 0;
    for (index, plan) in plans.iter().enumerate() {
        // One program in many places is verified once.
        let insns = plan.program.insns();
        let kind = plan.attach.kind();
        if plans[..index].iter().any(|p| p.attach.kind() == kind && p.program.insns() == insns) {
            same += 1;
            continue;
        }
        shown.program(&Dumped::from(plan), session::verify(plan, maps))?;
    }
    if same > 0 {
        say!("verify: {same} more have the same instructions and are not shown again");
    }
    shown.end()
}

/// What is shown on stdout, program by program.
struct Shown<'a> {
    show: &'a Show,
    out: io::StdoutLock<'static>,
    refused: Option<Error>,
    /// Whether an empty line goes before the next.
    more: bool,
}

impl<'a> Shown<'a> {
    fn new(show: &'a Show) -> Shown<'a> {
        Shown { show, out: io::stdout().lock(), refused: None, more: false }
    }

    fn program(&mut self, dumped: &Dumped, verdict: Result<Walked, Error>) -> Result<(), Stop> {
        let (program, long, error) = match verdict {
            Ok(Walked { program, long }) => (program, long, None),
            Err(error) => match &error.refused {
                // It never came to the verifier.
                None => return Err(error.into()),
                Some(program) => ((**program).clone(), false, Some(error)),
            },
        };
        let place =
            if dumped.place.is_empty() { String::new() } else { format!(" {}", dumped.place) };
        let title = format!("{} {}{place}", dumped.name, dumped.kind);
        let totals = Totals::of(&program.log);
        if self.show.json {
            self.json(dumped, &program, &totals, error.is_some())?;
        } else {
            if std::mem::replace(&mut self.more, true) {
                writeln!(self.out)?;
            }
            writeln!(self.out, ".program {title}")?;
            if long {
                let insns = totals.processed.map_or(0, |processed| processed.insns);
                writeln!(self.out, "; {insns} instructions are too many to show, {MOST} the most")?;
            }
            self.text(&program)?;
            let verdict = if error.is_some() { "refused" } else { "accepted" };
            writeln!(self.out, "{verdict}: {totals}")?;
        }
        self.out.flush()?;
        if let Some(error) = error
            && let Some(earlier) = self.refused.replace(error)
        {
            say!("verify: {}", earlier.what);
            report::detail(&earlier, "");
        }
        Ok(())
    }

    fn end(self) -> Result<(), Stop> {
        self.refused.map_or(Ok(()), |error| Err(error.into()))
    }

    fn text(&mut self, program: &Refused) -> io::Result<()> {
        let mut lines = Lines { program, all: self.show.all, source: None, text: String::new() };
        let out = &mut self.out;
        last(program, &mut |entry| {
            lines.entry(&entry);
            out.write_all(lines.text.as_bytes())?;
            lines.text.clear();
            Ok(())
        })
    }

    fn json(
        &mut self,
        dumped: &Dumped,
        program: &Refused,
        totals: &Totals,
        refused: bool,
    ) -> io::Result<()> {
        let (all, out) = (self.show.all, &mut self.out);
        last(program, &mut |entry| {
            writeln!(out, "{}", entry_to_json(program, dumped.name, &entry, all))
        })?;
        let mut line = json!({
            "type": "verdict",
            "program": dumped.name,
            "attach": {"kind": dumped.kind, "to": dumped.place},
            "verdict": if refused { "refused" } else { "accepted" },
        });
        let fields = totals.to_json();
        if let Json::Object(line) = &mut line {
            line.extend(fields);
            if let Some(why) = program.diagnose().filter(|_| refused) {
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
        writeln!(out, "{line}")
    }
}

/// Tells the last parts of a walk, as many as are shown.
fn last<'a>(
    program: &'a Refused,
    tell: &mut dyn FnMut(Entry<'a>) -> io::Result<()>,
) -> io::Result<()> {
    let mut count = 0usize;
    walk(&program.code, &program.log, &mut |_| {
        count += 1;
        Ok::<_, io::Error>(())
    })?;
    let mut left_out = count.saturating_sub(MOST);
    if left_out > 0 {
        say!("verify: the first {left_out} of {count} lines are left out");
    }
    walk(&program.code, &program.log, &mut |entry| match left_out {
        0 => tell(entry),
        _ => {
            left_out -= 1;
            Ok(())
        }
    })
}

/// The walk as text.
struct Lines<'a> {
    program: &'a Refused,
    all: bool,
    /// The source line that was shown last.
    source: Option<&'a Source>,
    text: String,
}

/// What is known stands from this column on.
const COLUMN: usize = 48;

impl Lines<'_> {
    fn entry(&mut self, entry: &Entry) {
        match entry {
            Entry::Begin { at, changes } => {
                self.line(0, &format!("begins at {at}:"), &learnt(changes));
            }
            Entry::Step(step) => self.step(step),
            Entry::Branch { from, to, depth, speculative, changes } => {
                let guess = if *speculative { " if the CPU guesses wrongly" } else { "" };
                self.source = None;
                self.line(*depth, &format!("from {from} to {to}{guess}:"), &learnt(changes));
            }
            Entry::Safe { at, depth } => {
                self.line(
                    *depth,
                    &format!("{at:>4}: safe"),
                    "known to be so before, the path ends",
                );
            }
            Entry::Said(text) => self.text.push_str(&format!("; {text}\n")),
            Entry::Cut => self.text.push_str("; here the log is not whole: it did not fit\n"),
        }
    }

    fn step(&mut self, step: &Step) {
        let insn = self.program.text(step.at);
        // A program's own text may be what is shown anyway.
        let source = self.program.source(step.at).filter(|source| !insn.ends_with(&source.text));
        if let Some(Source { file, line, text, .. }) = source {
            let shown = self.source.is_some_and(|it| it.line == *line && it.file == *file);
            self.source = source;
            if !shown {
                self.line(step.depth, &format!("; {text} @ {file}:{line}"), "");
            }
        }
        let calls = "  ".repeat(step.frame);
        let mut behind = match self.all {
            true => {
                let known = step.known.iter().map(|(place, value)| (*place, Some(*value)));
                learnt(&known.collect::<Vec<_>>())
            }
            false => learnt(&step.changes),
        };
        if step.times > 1 {
            let comma = if behind.is_empty() { "" } else { ", " };
            behind = format!("time {}{comma}{behind}", step.times);
        }
        self.line(step.depth, &format!("{:>4}: {calls}{insn}", step.at), &behind);
        for exact in &step.exact {
            self.line(step.depth, &format!("      {}", told(exact)), "");
        }
    }

    fn line(&mut self, depth: usize, text: &str, behind: &str) {
        let text = format!("{}{text}", "| ".repeat(depth.min(DEEPEST)));
        match behind {
            "" => self.text.push_str(text.trim_end()),
            _ => self.text.push_str(&format!("{text:<COLUMN$} ; {behind}")),
        }
        self.text.push('\n');
    }
}

/// `r6 must be exact: back over 7, 6, 5`.
fn told(exact: &Exact) -> String {
    let places: Vec<_> = exact.places.iter().map(|place| name(*place)).collect();
    let over: Vec<_> = exact.over.iter().take(8).map(u32::to_string).collect();
    let more = match exact.over.len() - over.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let back = match over.is_empty() {
        true => String::new(),
        false => format!(": traced back over {}{more}", over.join(", ")),
    };
    format!("; the exact value of {} matters here{back}", places.join(", "))
}

/// `r0 = NULL or the address of a map value, r1 and r2 gone`.
fn learnt(changes: &[Change]) -> String {
    let mut all = vec![];
    let mut gone = vec![];
    for (place, value) in changes {
        match value {
            Some(value) => all.push(format!("{} = {}", name(*place), is(value))),
            None => gone.push(name(*place)),
        }
    }
    if !gone.is_empty() {
        all.push(format!("{} gone", gone.join(" ")));
    }
    all.join(", ")
}

fn is(value: &Value) -> String {
    let exact = if value.precise { " exactly" } else { "" };
    format!("{}{exact}", words(*value))
}

fn entry_to_json(program: &Refused, name: &str, entry: &Entry, all: bool) -> Json {
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
            if let Some(Source { file, line: number, text, .. }) = program.source(step.at) {
                line["file"] = file.as_str().into();
                line["line"] = (*number).into();
                line["source"] = text.as_str().into();
            }
            if !step.exact.is_empty() {
                line["exact"] = step.exact.iter().map(exact_to_json).collect();
            }
            line
        }
        Entry::Branch { from, to, depth, speculative, changes } => json!({
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

fn changed(changes: &[(Place, Option<Value>)]) -> Json {
    let fields =
        changes.iter().map(|(place, value)| (name(*place), value.map(value_to_json).into()));
    Json::Object(fields.collect())
}

fn value_to_json(value: Value) -> Json {
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
#[derive(Default)]
struct Totals<'a> {
    processed: Option<Processed>,
    stack: Option<&'a str>,
    microseconds: Option<u64>,
}

impl<'a> Totals<'a> {
    fn of(log: &'a str) -> Totals<'a> {
        let mut totals = Totals::default();
        for event in events(log) {
            match event {
                Event::Statistic(Statistic::Processed(processed)) => {
                    totals.processed = Some(processed);
                }
                Event::Statistic(Statistic::StackDepth(stack)) => totals.stack = Some(stack),
                Event::Statistic(Statistic::Time(time)) => totals.microseconds = Some(time),
                _ => {}
            }
        }
        totals
    }

    fn to_json(&self) -> Fields<String, Json> {
        let mut fields = Fields::new();
        if let Some(processed) = self.processed {
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
        if let Some(stack) = self.stack {
            fields.insert("stack_depth".into(), stack.into());
        }
        if let Some(time) = self.microseconds {
            fields.insert("usecs".into(), time.into());
        }
        fields
    }
}

impl std::fmt::Display for Totals<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(Processed { insns, limit, states, peak_states, states_per_insn, .. }) =
            self.processed
        else {
            return f.write_str("the kernel gave no totals");
        };
        write!(
            f,
            "processed {insns} of {limit} instructions, {states} states, {peak_states} at once, \
             {states_per_insn} at one instruction"
        )?;
        if let Some(stack) = self.stack {
            write!(f, ", stack {stack} bytes")?;
        }
        self.microseconds.map_or(Ok(()), |time| write!(f, ", {time} us"))
    }
}
