//! Records for user space: what is printed, and what it is asked to do.
//!
//! A record begins with two words: the number of its action and the CPU, and how many records that CPU
//! wrote before it. The values follow, in the words of their types.

use super::{ACTIONS, EVENTS, FIRST, LOST, Lower, MapRef, SEQUENCE};
use crate::insn::Cond::{Eq, Ne};
use crate::insn::helper::{GET_SMP_PROCESSOR_ID, RINGBUF_OUTPUT};
use crate::insn::{r0, r1, r2, r3, r4, u32_at, u64_at};
use crate::script::ast::{Argument, Expr, ExprKind, Place, Span};
use crate::script::cursor::Read;
use crate::script::types::Type;
use crate::view::script::printf::Format;

use super::action::{Action, Warning, WarningKind};
use super::spot::Spot;
use crate::script::infer::JOINED;

/// The most bytes of a string that `join()` prints: all of them are one record.
const LONGEST_JOINED: usize = 1024;

/// The words before a record's values.
pub const HEADER: usize = 2;

impl Lower<'_> {
    /// The number of an action.
    pub(super) fn action_number(&mut self, action: Action) -> i32 {
        let known = self.actions.iter().position(|known| *known == action);
        let index = known.unwrap_or(self.actions.len());
        if known.is_none() {
            self.actions.push(action);
        }
        index as i32
    }

    /// A call that is done for its effect.
    pub(super) fn action(&mut self, name: &str, arguments: &[Argument], span: Span) -> Read<()> {
        match name {
            "printf" | "warnf" | "errorf" => {
                let [Argument::Value(Expr { kind: ExprKind::Text(format), .. }), rest @ ..] =
                    arguments
                else {
                    return Ok(());
                };
                let Ok(format) = Format::parse(format) else { return Ok(()) };
                let types = values(rest).map(|value| value.of.clone()).collect();
                let action = match name {
                    "printf" => Action::Printf(format, types),
                    "warnf" => Action::Message("warnf", format, types, self.place(span)),
                    _ => Action::Message("errorf", format, types, self.place(span)),
                };
                self.record(EVENTS, action, &values(rest).collect::<Vec<_>>())
            }
            "print" => self.print(arguments),
            "join" => self.join(arguments),
            "clear" | "zero" => {
                let Some(map) = map_of(arguments) else { return Ok(()) };
                let action = if name == "clear" { Action::Clear(map) } else { Action::Zero(map) };
                self.record(ACTIONS, action, &[])
            }
            "time" => {
                let format = match arguments {
                    [Argument::Value(Expr { kind: ExprKind::Text(format), .. })] => format.clone(),
                    _ => b"%H:%M:%S\n".to_vec(),
                };
                self.record(ACTIONS, Action::Time(format), &[])
            }
            "exit" => {
                let zero = Expr { kind: ExprKind::Int(0), span, of: Type::INT64 };
                let code = values(arguments).next().unwrap_or(&zero);
                let code = Expr { of: Type::INT64, ..code.clone() };
                self.record(ACTIONS, Action::Exit, &[&code])?;
                self.a.goto(&self.loops[0].end);
                Ok(())
            }
            _ => self.mistake(span, format!("{name}() is not supported here")),
        }
    }

    /// `join(strings, between)`
    fn join(&mut self, arguments: &[Argument]) -> Read<()> {
        let mut values = values(arguments);
        let Some(strings) = values.next() else { return Ok(()) };
        let between = match values.next() {
            Some(Expr { kind: ExprKind::Text(text), .. }) => text.clone(),
            _ => b" ".to_vec(),
        };
        let size =
            (self.checked.settings.max_strlen as usize).next_multiple_of(8).min(LONGEST_JOINED);
        let of = Type::Tuple(vec![Type::Text(size); JOINED]);
        let all = Expr { of: of.clone(), ..strings.clone() };
        let address = strings.of.clone();
        self.record_with(EVENTS, Action::Join(between, of), &[&all], &mut |lower, value, spot| {
            let strings = Expr { of: address.clone(), ..value.clone() };
            lower.strings(&strings, JOINED, size / 8, spot)
        })
    }

    fn print(&mut self, arguments: &[Argument]) -> Read<()> {
        if let Some(map) = map_of(arguments) {
            let number = |index: usize| match arguments.get(index) {
                Some(Argument::Value(Expr { kind: ExprKind::Int(number), .. })) => {
                    u64::try_from(*number).unwrap_or_default()
                }
                _ => 0,
            };
            let action = Action::PrintMap { map, top: number(1), divisor: number(2).max(1) };
            return self.record(ACTIONS, action, &[]);
        }
        let Some(value) = values(arguments).next() else { return Ok(()) };
        self.record(ACTIONS, Action::Print(value.of.clone()), &[value])
    }

    /// Reports that something went wrong here. Keeps r6 to r9.
    pub(super) fn warn(&mut self, span: Span, what: WarningKind) -> Read<()> {
        let [line, column, end] = self.place(span);
        self.record(EVENTS, Action::Warning(Warning { line, column, end, what }), &[])
    }

    /// The line of a part of the script, its first column, and the one after its last in that line.
    fn place(&self, span: Span) -> [u32; 3] {
        let (line, column) = self.line_and_column(span.start);
        let text = &self.cursor.text[span.start..span.end];
        [line, column, column + text.find('\n').unwrap_or(text.len()) as u32]
    }

    /// Counts an element that a map has no room for, and reports the first. Keeps r6 to r9.
    pub(super) fn too_many(&mut self, map: MapRef, span: Span) -> Read<()> {
        let told = self.a.label();
        let index = map.0 - FIRST;
        self.a.load_map_value(r1, LOST, 24 + 8 * u32::from(index));
        self.a.load(r2, u64_at(r1 + 0));
        self.a.mov(r3, 1);
        self.a.lock_add(u64_at(r1 + 0), r3);
        self.a.jump_if(r2, Ne, 0, &told);
        self.warn(span, WarningKind::MapFull(index))?;
        self.a.place(told);
        Ok(())
    }

    /// Writes a record. If there is no room for it, that is counted.
    fn record(&mut self, ring: MapRef, action: Action, values: &[&Expr]) -> Read<()> {
        self.record_with(ring, action, values, &mut |lower, value, spot| {
            lower.store(value, &value.of, spot)
        })
    }

    /// The same with a function that writes each value to its place.
    fn record_with(
        &mut self,
        ring: MapRef,
        action: Action,
        values: &[&Expr],
        store: &mut dyn FnMut(&mut Self, &Expr, Spot) -> Read<()>,
    ) -> Read<()> {
        let counter = match (&action, ring) {
            (Action::Exit, _) => 16,
            (_, EVENTS) => 0,
            _ => 8,
        };
        let number = self.action_number(action);
        let mark = self.mark();
        let words: usize = values.iter().map(|value| value.of.words()).sum();
        let record = self.spot(HEADER + words);
        let mut at = HEADER;
        for value in values {
            store(self, value, record.after(at))?;
            at += value.of.words();
        }
        let index = self.spot(1);
        let missing = self.a.label();
        self.a.lookup_first(SEQUENCE, index.at(0), &missing);
        self.a.load(r1, u64_at(r0 + 0));
        self.a.add(r1, 1);
        self.a.store(u64_at(r0 + 0), r1);
        self.a.store(u64_at(record.word(1)), r1);
        self.a.call(GET_SMP_PROCESSOR_ID);
        self.a.store(u32_at(record.at(4)), r0);
        self.a.store(u32_at(record.at(0)), number);
        self.a.load_map(r1, ring);
        self.a.load_address(r2, record.at(0));
        self.a.mov(r3, 8 * (HEADER + words) as i32);
        self.a.mov(r4, 0);
        self.a.call(RINGBUF_OUTPUT);
        self.a.jump_if(r0, Eq, 0, &missing);
        self.a.load_map_value(r1, LOST, counter);
        self.a.mov(r2, 1);
        self.a.lock_add(u64_at(r1 + 0), r2);
        self.a.place(missing);
        self.release(mark);
        Ok(())
    }
}

/// The arguments that are values.
fn values(arguments: &[Argument]) -> impl Iterator<Item = &Expr> {
    arguments.iter().filter_map(|argument| match argument {
        Argument::Value(value) => Some(value),
        Argument::Type(_) => None,
    })
}

/// The name of the map that is given as a whole.
fn map_of(arguments: &[Argument]) -> Option<String> {
    match values(arguments).next()?.kind {
        ExprKind::Place(Place::Map(ref name, None)) => Some(name.text.clone()),
        _ => None,
    }
}
