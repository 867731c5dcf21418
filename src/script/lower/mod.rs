//! Programs for a script's probes.
//!
//! Code is written directly while the probe's tree is walked: r6 holds the context, r7 the scratch value,
//! r8 the value of the last expression; r9 survives calls within one step. Variables and large values are
//! in the scratch value, an element of a per-CPU array that each program has for itself: a program that
//! runs inside of another one would overwrite what they shared, and the verifier tracks each value on a
//! stack, but none in a map. Small keys and events are built on the stack, which needs no lookup.
//!
//! A map's value is one of these, in words of 8 bytes. A map without keys has one more word before a
//! plain value, which says whether it was set.
//!
//! | holds | words |
//! |---|---|
//! | a plain value | those of its type |
//! | `count()` | the count |
//! | `sum()` | the sum, and 1 |
//! | `avg()`, `stats()` | the sum, the count |
//! | `min()`, `max()` | for each CPU its extreme, and 1 |
//! | `hist()`, `lhist()` | a counter for each range: the first is that of the numbers below all others |

mod action;
mod aggregate;
mod call;
mod callback;
mod composite;
mod condition;
mod elements;
mod event;
mod library;
mod map;
mod memory;
mod places;
mod scalar;
mod spot;
mod statement;

use std::ffi::CString;
use std::sync::Arc;

use super::ast::{Block, Expr, ExprKind, Iterated, Name, Probe, Span, StatementKind};
use super::check::{Checked, CheckedProbe};
use super::cursor::{Cursor, Read};
use super::host::{Field, Host};
use super::infer::MapUse;
use super::probes::Event;
use super::types::Type;
use crate::insn::{Asm, Label, MapRef, Program, Text};
pub use action::{Action, Warning, WarningKind};
use callback::Callback;
use spot::{SHARED_STACK, STACK, Spot};

/// The events, in the order in which they happened on a CPU.
pub const EVENTS: MapRef = MapRef(0);
/// What user space is asked to do: it has a buffer of its own, which events cannot fill.
pub const ACTIONS: MapRef = MapRef(1);
/// How many events, actions and wishes to exit did not fit, and how many elements for each map of the script.
pub const LOST: MapRef = MapRef(2);
/// How many events and actions there were on each CPU.
pub const SEQUENCE: MapRef = MapRef(3);
/// Zeros, from which new values begin.
pub const ZEROS: MapRef = MapRef(4);
/// The first map of the script; the others follow in their order.
pub const FIRST: u16 = 5;

/// How a map is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names are the kernel's")]
pub enum MapKind {
    Array,
    PercpuArray,
    Hash,
    LruHash,
    Ringbuf,
}

/// A map that the programs use. A [`MapRef`] is its index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MapPlan {
    /// Its name.
    pub name: String,
    /// How it is made.
    pub kind: MapKind,
    /// The bytes of a key.
    pub key: usize,
    /// The bytes of a value.
    pub value: usize,
    /// The most elements.
    pub entries: u64,
}

/// A program, and the events at which it runs.
#[derive(Debug)]
pub struct ProbeProgram {
    /// Its index among the script's probes.
    pub probe: usize,
    /// Its events.
    pub events: Vec<Event>,
    /// The program.
    pub program: Program,
}

/// All programs of a script.
#[derive(Debug)]
pub struct Lowered {
    /// The maps, by index.
    pub maps: Vec<MapPlan>,
    /// The programs in the order of their probes.
    pub programs: Vec<ProbeProgram>,
    /// What events and actions mean, by the number in their records.
    pub actions: Vec<Action>,
}

/// Writes the programs of a script. `file` is its name, `text` its text.
///
/// # Errors
/// Something cannot be done in a program.
pub fn lower(checked: &Checked, file: &str, text: &str, host: &dyn Host) -> Read<Lowered> {
    let cursor = Cursor::new(text);
    let source = Arc::new(Text::new(file, text));
    let mut lowered =
        Lowered { maps: maps(checked, host.cpus() as usize), programs: vec![], actions: vec![] };
    let license = CString::new(&*checked.settings.license).unwrap_or_default();
    let lines: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
    for (index, CheckedProbe { events, probe, variables }) in checked.probes.iter().enumerate() {
        // Where events differ in what the program reads, each has a program of its own.
        let groups: Vec<&[Event]> = match depends_on_event(probe) {
            true => events.chunks(1).collect(),
            false => vec![events.as_slice()],
        };
        for events in groups {
            let mut lower = Lower {
                a: Asm::with_text(&source),
                checked,
                cursor: &cursor,
                lines: &lines,
                host,
                events,
                actions: &mut lowered.actions,
                variables: vec![],
                first_variable: variables.start,
                stack_used: 0,
                scratch: MapRef(lowered.maps.len() as u16),
                scratch_used: 0,
                scratch_most: 0,
                loops: vec![],
                callback: None,
                callbacks: vec![],
                depth: 0,
                stack_most: if goes_through_maps(&probe.block) { SHARED_STACK } else { STACK },
            };
            let program = lower.program(probe, variables.clone())?.with_license(license.clone());
            let most = lower.scratch_most;
            if most > 0 {
                lowered.maps.push(MapPlan {
                    name: "scratch".into(),
                    kind: MapKind::PercpuArray,
                    key: 4,
                    value: most as usize,
                    entries: 1,
                });
            }
            lowered.programs.push(ProbeProgram { probe: index, events: events.to_vec(), program });
        }
    }
    Ok(lowered)
}

/// The maps that all scripts have, and those of this one.
fn maps(checked: &Checked, cpus: usize) -> Vec<MapPlan> {
    let words = |map: &MapUse| match &map.value {
        Type::Aggregate(aggregate) if aggregate.is_per_cpu() => cpus * aggregate.words(),
        of => of.words(),
    };
    let plan = |name: &str, kind, key, value, entries| MapPlan {
        name: name.into(),
        kind,
        key,
        value,
        entries,
    };
    let pages = checked.settings.perf_rb_pages.unwrap_or(64).next_power_of_two();
    let values = checked.types.maps.iter().map(|map| 8 * words(map)).max().unwrap_or_default();
    let mut maps = vec![
        plan("events", MapKind::Ringbuf, 0, 0, pages * 4096),
        plan("actions", MapKind::Ringbuf, 0, 0, 64 * 4096),
        plan("lost", MapKind::Array, 4, 24 + 8 * checked.types.maps.len(), 1),
        plan("sequence", MapKind::PercpuArray, 4, 8, 1),
        plan("zeros", MapKind::Array, 4, values.max(1024), 1),
    ];
    for map in &checked.types.maps {
        let words = words(map);
        let name = if map.name.is_empty() { "at" } else { &map.name };
        if map.keyed != Some(true) {
            let flag = usize::from(!matches!(map.value, Type::Aggregate(_)));
            maps.push(plan(name, MapKind::Array, 4, 8 * (words + flag), 1));
            continue;
        }
        let declared = map.declared.as_ref().map(|(kind, _)| &**kind);
        let kind = match declared {
            Some("lruhash" | "percpulruhash") => MapKind::LruHash,
            _ => MapKind::Hash,
        };
        let entries =
            map.declared.as_ref().map_or(checked.settings.max_map_keys, |(_, entries)| *entries);
        maps.push(plan(name, kind, 8 * map.key.words(), 8 * words.max(1), entries));
    }
    maps
}

/// The label of a loop's next turn, and that of its end.
struct Loop {
    next: Label,
    end: Label,
}

/// A program that is being written.
struct Lower<'a> {
    a: Asm,
    checked: &'a Checked,
    cursor: &'a Cursor<'a>,
    /// Where each line but the first begins.
    lines: &'a [usize],
    host: &'a dyn Host,
    events: &'a [Event],
    actions: &'a mut Vec<Action>,
    /// Where each of the probe's variables is in the scratch value.
    variables: Vec<Spot>,
    /// The index of its first one.
    first_variable: usize,
    /// The bytes of the stack in use.
    stack_used: i32,
    /// The map of the scratch value, if it is used.
    scratch: MapRef,
    /// The bytes of the scratch value in use now, and at most.
    scratch_used: i32,
    scratch_most: i32,
    loops: Vec<Loop>,
    /// The function that `len()` calls for each element, if it is used.
    callback: Option<Label>,
    /// The functions of loops over maps that are still to be written.
    callbacks: Vec<Callback>,
    /// How many of these are around what is written.
    depth: usize,
    /// So many bytes of the stack are used at most.
    stack_most: i32,
}

impl Lower<'_> {
    fn mistake<T>(&self, span: Span, what: impl Into<String>) -> Read<T> {
        Err(self.cursor.mistake(span, what))
    }

    /// What `args` has by this name.
    fn field(&self, name: &str, span: Span) -> Read<Field> {
        self.host.field(&self.events[0], name).or_else(|why| self.mistake(span, why))
    }

    /// The instructions that follow come from here.
    fn at(&mut self, span: Span) {
        let (line, column) = self.line_and_column(span.start);
        self.a.line(line, column);
    }

    /// The line and column of a byte of the script, from 1.
    fn line_and_column(&self, at: usize) -> (u32, u32) {
        let line = self.lines.partition_point(|start| *start <= at);
        let start = line.checked_sub(1).map_or(0, |before| self.lines[before]);
        (line as u32 + 1, (at - start) as u32 + 1)
    }

    /// A map, and what it holds.
    fn map(&self, name: &Name) -> (MapRef, &'_ MapUse) {
        let index = self.checked.types.index(&name.text);
        (MapRef(FIRST + index as u16), &self.checked.types.maps[index])
    }
}

/// Whether a block has a loop over a map, which is a function with a stack of its own.
fn goes_through_maps(block: &Block) -> bool {
    let inner = |block: &Block| goes_through_maps(block);
    block.statements.iter().any(|statement| match &statement.kind {
        StatementKind::For { over: Iterated::Map(_), .. } => true,
        StatementKind::For { block, .. }
        | StatementKind::While { block, .. }
        | StatementKind::Unroll { block, .. } => inner(block),
        StatementKind::Expr(value) => match &value.kind {
            ExprKind::If { arms, otherwise } => {
                arms.iter().map(|(_, block)| block).chain(otherwise).any(inner)
            }
            ExprKind::Block(block) => inner(block),
            _ => false,
        },
        _ => false,
    }) || block.value.as_deref().is_some_and(|value| match &value.kind {
        ExprKind::If { arms, otherwise } => {
            arms.iter().map(|(_, block)| block).chain(otherwise).any(inner)
        }
        ExprKind::Block(block) => inner(block),
        _ => false,
    })
}

/// Whether a probe reads what differs from event to event.
fn depends_on_event(probe: &Probe) -> bool {
    let mut found = false;
    let mut look = |expr: &Expr| {
        if let ExprKind::Name(name) = &expr.kind {
            found |= matches!(&**name, "args" | "probe" | "probetype" | "func" | "retval")
                || name.starts_with("arg") && name != "args";
        }
    };
    if let Some(predicate) = &probe.predicate {
        predicate.visit(&mut look);
    }
    probe.block.visit(&mut look);
    found
}
