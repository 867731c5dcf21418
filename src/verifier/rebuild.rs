//! The program that a log shows: its instructions, its maps and its source lines, as far as the log has them.

use super::log::{KnownValue, LogEvent, State, events, source};
use super::path::{Code, Rebuilt};
use super::verification::{SourceLine, Verification};
use crate::insn::parse::logged;
use crate::insn::{Imm64, Insn, Slot};
use crate::order::PutInOrder;

/// The number of slots that a program may have, whatever the length of its log.
const SLOTS: usize = 1 << 14;

/// The bytes of log for each slot beyond those: a line has more, and the memory must not grow with a number in it.
const BYTES_A_SLOT: usize = 16;

/// The largest number of maps that are told apart: the kernel's limit.
const MAPS: usize = 64;

/// Rebuilds the program from its log. Instructions that the log does not show are unknown, and neither taken for
/// others nor left out: the slots keep their numbers.
pub fn rebuild(log: String) -> Verification {
    let mut rebuilder = Rebuilder {
        log: &log,
        slots: vec![],
        insns: vec![],
        lines: vec![],
        of: Rebuilt::default(),
        maps: vec![],
        by_address: vec![],
        limit: SLOTS.max(log.len() / BYTES_A_SLOT).min(1_000_000),
        source: 0,
        text: "",
        load: None,
    };
    let mut live = 0;
    for event in events(&log) {
        match event {
            LogEvent::Insn { at, code, text, state } => {
                rebuilder.insn(at, code, text);
                rebuilder.line(at);
                rebuilder.loads(state);
            }
            LogEvent::State { state, .. } => rebuilder.loads(Some(state)),
            LogEvent::Source { text, .. } => rebuilder.source = rebuilder.offset(text),
            // The passes list the whole program, in its order.
            LogEvent::Live { at, text, .. } => {
                rebuilder.listed(at, text);
                if at == live {
                    live += rebuilder.width(at);
                }
            }
            LogEvent::Pass(line) => {
                let listed = line.trim_start().split_once(": ");
                if let Some((at, text)) = listed
                    && let Ok(at) = at.parse()
                {
                    rebuilder.listed(at, text.split('\t').next().unwrap_or(text));
                }
            }
            _ => {}
        }
    }
    rebuilder.of.texts.order_by_key(|(at, _)| *at);
    let decoded = |(seen, insn): (&bool, &Option<Insn>)| !seen || insn.is_some();
    rebuilder.of.whole = live > 0
        && live as usize == rebuilder.slots.len()
        && rebuilder.of.seen.iter().zip(&rebuilder.insns).all(decoded);
    let lines = source_lines(&rebuilder.lines, &log);
    let Rebuilder { slots, insns, of, maps, .. } = rebuilder;
    let code = Code::rebuilt(slots, insns, of);
    Verification { code, maps, lines, log, kind: String::new() }
}

struct Rebuilder<'a> {
    log: &'a str,
    slots: Vec<Slot>,
    insns: Vec<Option<Insn>>,
    of: Rebuilt,
    /// Where in the log the source line of each slot is, as far as slots have one.
    lines: Vec<u32>,
    maps: Vec<String>,
    /// The addresses of maps whose name the log does not have, with the maps' numbers.
    by_address: Vec<(u64, i32)>,
    limit: usize,
    /// Where the current source line is; 0 if there is none.
    source: u32,
    /// The text of the last instruction.
    text: &'a str,
    /// A constant of two slots whose kind the next state shows, with its slot.
    load: Option<u32>,
}

impl<'a> Rebuilder<'a> {
    /// Where in the log a part of it is.
    fn offset(&self, part: &str) -> u32 {
        let at = part.as_ptr().addr().wrapping_sub(self.log.as_ptr().addr());
        u32::try_from(at).unwrap_or(0)
    }

    /// Takes an instruction of a pass's list: `(0f) r6 += r1`.
    fn listed(&mut self, at: u32, text: &'a str) {
        let parts = text.strip_prefix('(').and_then(|text| text.split_once(") "));
        if let Some((code, text)) = parts
            && code.len() == 2
            && let Ok(code) = u8::from_str_radix(code, 16)
        {
            self.insn(at, code, text.trim_end());
        }
    }

    /// Takes an instruction. What was seen first holds: Linux 7.3 may print one later as it has rewritten it.
    fn insn(&mut self, at: u32, code: u8, text: &'a str) {
        let slot = at as usize;
        if slot + 2 > self.limit || self.of.seen.get(slot) == Some(&true) {
            self.load = None;
            return;
        }
        let insn = logged(code, text);
        let width = if code == 0x18 { 2 } else { 1 };
        if self.slots.len() < slot + width {
            grow(&mut self.slots, slot + width, self.limit, Slot::default());
            grow(&mut self.insns, slot + width, self.limit, None);
            grow(&mut self.of.seen, slot + width, self.limit, false);
        }
        self.of.seen[slot] = true;
        self.slots[slot].code = code;
        let all = insn.iter().flat_map(Insn::to_slots);
        self.slots[slot..].iter_mut().zip(all).for_each(|(slot, is)| *slot = is);
        self.insns[slot] = insn;
        if insn.is_none_or(|insn| says_more(insn, text)) {
            self.of.texts.push((at, self.offset(text)));
        }
        self.text = text;
        self.load = insn.filter(|insn| insn.slots() == 2).map(|_| at);
    }

    /// The instruction at a slot was walked over with the current source line.
    fn line(&mut self, at: u32) {
        let slot = at as usize;
        if self.source == 0 || self.of.seen.get(slot) != Some(&true) {
            return;
        }
        let end = slot + self.width(at) as usize;
        if self.lines.len() < end {
            grow(&mut self.lines, end, self.limit, 0);
        }
        if self.lines[slot] == 0 {
            self.lines[slot..end].fill(self.source);
        }
    }

    fn width(&self, at: u32) -> u32 {
        if self.slots.get(at as usize).is_some_and(|slot| slot.code == 0x18) { 2 } else { 1 }
    }

    /// The state after a constant of two slots shows whether it is a map, the address of a value or of a function.
    fn loads(&mut self, state: Option<State>) {
        let (Some(at), Some(state)) = (self.load, state) else { return };
        self.load = None;
        let Some(Insn::LoadImm64 { dst, value: Imm64::Value(constant) }) = self.insns[at as usize]
        else {
            return;
        };
        let Some(is) = state.register(dst.number()) else { return };
        let offset = is.number("off").and_then(|off| u32::try_from(off).ok()).unwrap_or(0);
        let value = match is.type_ {
            "map_ptr" => self.map(is, constant).map(Imm64::MapIndex),
            "map_value" => self
                .map(is, constant.wrapping_sub(offset.into()))
                .map(|index| Imm64::MapIndexValue { index, offset }),
            "func" => i32::try_from(constant).ok().map(|offset| Imm64::Func { offset }),
            _ => None,
        };
        let Some(value) = value else { return };
        let insn = Insn::LoadImm64 { dst, value };
        self.slots[at as usize..].iter_mut().zip(insn.to_slots()).for_each(|(slot, is)| *slot = is);
        self.insns[at as usize] = Some(insn);
        // An address is worth no more than the map's name.
        let named = |index: i32| self.maps.get(index as usize).is_some_and(|name| !name.is_empty());
        let is_nameless = match value {
            Imm64::MapIndex(index) | Imm64::MapIndexValue { index, .. } => !named(index),
            _ => false,
        };
        if is_nameless {
            self.of.texts.push((at, self.offset(self.text)));
        }
    }

    /// The number of a map, known by its name or else by its address.
    fn map(&mut self, is: KnownValue, address: u64) -> Option<i32> {
        let name = is.attribute("map");
        let known = match name {
            Some(name) => self.maps.iter().position(|other| other == name).map(|at| at as i32),
            None => self.by_address.iter().find(|(at, _)| *at == address).map(|(_, map)| *map),
        };
        if known.is_some() || self.maps.len() == MAPS {
            return known;
        }
        let index = self.maps.len() as i32;
        self.maps.push(name.unwrap_or_default().to_owned());
        if name.is_none() {
            self.by_address.push((address, index));
        }
        Some(index)
    }
}

/// Makes a list longer, with little more room than it needs.
fn grow<T: Clone>(list: &mut Vec<T>, length: usize, limit: usize, with: T) {
    if length > list.capacity() {
        let room = (length + length / 4).min(limit.max(length));
        list.reserve_exact(room - list.len());
    }
    list.resize(length, with);
}

/// Whether the log's text says more than ours: the name of a kernel function, or of a helper that is new.
fn says_more(insn: Insn, text: &str) -> bool {
    matches!(insn, Insn::Call(_)) && text.contains('#') && insn.to_string() != text
}

/// The source lines, each with the first slot of a run that it wrote. Where the log has none, an empty one stands.
fn source_lines(at: &[u32], log: &str) -> Vec<SourceLine> {
    let begins = |slot: usize| match slot.checked_sub(1) {
        Some(before) => at[slot] != at[before],
        None => at[0] != 0,
    };
    // There may be as many as instructions.
    let count = (0..at.len()).filter(|slot| begins(*slot)).count();
    let mut lines: Vec<SourceLine> = Vec::with_capacity(count);
    for slot in (0..at.len()).filter(|slot| begins(*slot)) {
        let line = log.get(at[slot] as usize..).filter(|_| at[slot] > 0).unwrap_or_default();
        let text = line.lines().next().unwrap_or_default().trim();
        let mut line =
            SourceLine { slot: slot as u32, file: String::new(), line: 0, text: text.to_owned() };
        if let (text, Some((file, number))) = source(text) {
            line = SourceLine { file: file.into(), line: number, text: text.trim().into(), ..line };
        } else if at[slot] > 0 {
            // A loop comes back to the same lines.
            let near = lines.iter().rev().take(NEAR).find(|other| other.text == text);
            line.line = near.map_or(lines.len() as u32 + 1, |other| other.line);
        }
        lines.push(line);
    }
    lines
}

/// The number of lines before a line among which one with its text is looked for.
const NEAR: usize = 64;
