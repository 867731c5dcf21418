//! A program that runs, one step after the other, forward and back.

use std::cell::RefCell;

use rawbpf::insn::Source;
use rawbpf::interpret::memory::{STACK_SIZE, number};
use rawbpf::interpret::{Input, Machine, MapDef, MapKind, World};
use rawbpf::sample::{Data, Table};
use rawbpf::verifier::path::Code;
use rawbpf::view::elements::Elements;
use rawbpf::view::returned::returned;
use serde_json::{Value as Json, json};

use crate::beside::Beside;
use crate::lesson::by_number;
use crate::program::{name, source};

/// The largest number of steps.
pub const STEPS: u64 = 1_000_000;

/// The largest number of elements of a map that are shown.
const ELEMENTS: usize = 1000;

struct Run {
    /// Before the first step.
    start: Machine,
    now: Machine,
    name: String,
    program_type: String,
    map_types: Vec<String>,
    beside: Beside,
}

thread_local! {
    static RUN: RefCell<Option<Run>> = const { RefCell::new(None) };
}

/// Begins a run of a text's program on bytes in hexadecimal, or zeros if there are none; beside what a log of that
/// program knows.
///
/// # Errors
/// The text has mistakes, or the bytes are no input of such a program.
pub fn start(text: &str, index: usize, ctx: &str, log: &str) -> Result<Json, String> {
    let source = source(text)?;
    let named = source.programs.get(index).ok_or("there is no such program")?;
    let bytes = match bytes(ctx).ok_or("the input must be pairs of hexadecimal digits")? {
        none if none.is_empty() => vec![0; 64],
        bytes => bytes,
    };
    let maps: Vec<_> = source.maps.iter().map(MapDef::from).collect();
    let input = Input::of(&named.line.kind.text, bytes);
    let machine = Machine::new(named.program.insns(), World::new(&maps)?, &input)?;
    let beside = Beside::of_text(&named.program, log);
    begin(machine, &source, index, beside)
}

/// Begins a run of a text's program on an input of a lesson.
///
/// # Errors
/// As [`start`].
pub fn start_lesson(text: &str, number: usize, run: usize) -> Result<Json, String> {
    let (source, lesson) = (source(text)?, by_number(number)?);
    let run = lesson.runs.get(run).ok_or("the lesson has no such run")?;
    let broken = crate::program::source(lesson.broken())?;
    let insns = broken.programs[0].program.insns();
    let beside = match source.programs[0].program.insns() == insns {
        true => Beside::of_log(&Code::of(insns), lesson.log()),
        false => Beside::default(),
    };
    begin(lesson.machine(run, &source)?, &source, 0, beside)
}

fn begin(machine: Machine, source: &Source, index: usize, beside: Beside) -> Result<Json, String> {
    let named = &source.programs[index];
    let run = Run {
        start: machine.clone(),
        now: machine,
        name: name(named).to_owned(),
        program_type: named.line.kind.text.clone(),
        map_types: source.maps.iter().map(|map| map.map_type.text.clone()).collect(),
        beside,
    };
    let state = run.state(None);
    RUN.set(Some(run));
    Ok(state)
}

/// Goes to a step, or to the end if that comes before.
///
/// # Errors
/// Nothing runs.
pub fn to(step: u64) -> Result<Json, String> {
    RUN.with_borrow_mut(|run| {
        let run = run.as_mut().ok_or("nothing runs yet")?;
        if step < run.now.steps() {
            run.now = run.start.clone();
        }
        let fault = run.now.run(step.min(STEPS) - run.now.steps().min(STEPS)).err();
        Ok(run.state(fault.map(|fault| fault.to_string())))
    })
}

impl Run {
    fn state(&self, fault: Option<String>) -> Json {
        let Run { now, name, program_type, map_types, .. } = self;
        let world = &now.world;
        let value = now.returned();
        let known = match value {
            None => self.beside.known(now.slot(), now.registers()),
            Some(_) => vec![],
        };
        let registers = now.registers().0.iter().zip(0..).map(|(value, number)| {
            value.map(|value| {
                let known = known.iter().find(|(register, _)| *register == number);
                let signed = value as i64;
                json!({
                    "hex": format!("{value:#x}"),
                    "number": if signed < 0 { format!("{value} or {signed}") } else { value.to_string() },
                    "is": world.memory.describe(value),
                    "known": known.map(|(_, words)| words),
                })
            })
        });
        let stacks = (0..now.depth()).map(|depth| {
            let words = now.stack(depth).chunks(8).enumerate();
            let words = words.filter(|(_, word)| word.iter().any(|byte| *byte != 0));
            let words = words.map(|(at, word)| {
                let bytes: Vec<_> = word.iter().map(|byte| format!("{byte:02x}")).collect();
                let value = number(word);
                let at = 8 * at as i64 - STACK_SIZE as i64;
                json!({"at": at, "bytes": bytes.join(" "), "is": world.memory.describe(value)})
            });
            words.collect::<Vec<_>>()
        });
        let maps = world.maps.iter().zip(map_types).filter(|(_, map_type)| holds_data(map_type));
        let tables = maps.map(|(map, map_type)| {
            let all = map.def.kind != MapKind::Array;
            let is_shown = |value: &[u8]| all || value.iter().any(|byte| *byte != 0);
            let elements = world.elements(map).filter(|(_, value)| is_shown(value));
            let elements = elements.take(ELEMENTS);
            let elements = elements.map(|(key, value)| (Data::new(&key), Data::new(value)));
            Table::of_map(&map.def.name, map_type, elements.collect())
        });
        let maps: String = tables.map(|table| Elements(&table).to_string()).collect();
        let rings = world.maps.iter().filter(|map| map.def.kind == MapKind::Ringbuf);
        let rings = rings.flat_map(|map| {
            let records = map.records.iter().enumerate().take(ELEMENTS);
            let records = records.map(|(at, record)| format!("  {at}: {}\n", Data::new(record)));
            let heading = format!("{} (ringbuf), {} records\n", map.def.name, map.records.len());
            std::iter::once(heading).chain(records)
        });
        let rings: String = rings.collect();
        let time = format!(" in {} instructions", now.steps());
        let result =
            value.map(|value| returned(name, program_type, value as u32, &time) + "\n" + &maps);
        json!({
            "slot": now.slot(),
            "steps": now.steps(),
            "depth": now.depth(),
            "registers": registers.collect::<Vec<_>>(),
            "stacks": stacks.collect::<Vec<_>>(),
            "maps": maps + &rings,
            "printed": world.printed,
            "ended": value.is_some(),
            "result": result,
            "fault": fault,
        })
    }
}

/// Whether the elements of such a map are bytes that are shown.
fn holds_data(map_type: &str) -> bool {
    map_type.contains("percpu") || matches!(map_type, "hash" | "array" | "lru_hash" | "lpm_trie")
}

/// The bytes of pairs of hexadecimal digits.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16))
        .collect::<Option<_>>()?;
    let pairs = digits.as_chunks::<2>();
    pairs.1.is_empty().then(|| pairs.0.iter().map(|[high, low]| (high << 4 | low) as u8).collect())
}
