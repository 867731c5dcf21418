//! Advice is shown to help: what a diagnosis says to change is changed in the refused program, which is then
//! loaded again. It must be accepted, or refused for something else.
//!
//! `BLESS=1` writes the figures into VERIFIER.md.

use std::collections::BTreeMap;
use std::fs;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use rawbpf::host::KernelTypes;
use rawbpf::insn::{Callee, Cond, Endian, Imm64, Insn, encode};
use rawbpf::source::{self, ProgramKind};
use rawbpf::sys::prog;
use rawbpf::sys::{Load, Map, ProgramType};
use rawbpf::verifier::diagnose::Diagnosis;
use rawbpf::verifier::path::Code;
use rawbpf::verifier::verification::Verification;

use crate::recorded;

/// A refused program, and how it is loaded.
struct Refused {
    name: String,
    kind: ProgramType,
    slots: Vec<u8>,
    maps: Vec<Map>,
}

/// An instruction, the slot that it had, and the slot that it jumps to: [`LEAVE`] for the end.
#[derive(Clone)]
struct Placed {
    insn: Insn,
    from: Option<u32>,
    /// The same, though it is reached by what was inserted before it.
    was: Option<u32>,
    to: Option<u32>,
}

const LEAVE: u32 = u32::MAX;

/// A change of a program.
#[derive(Clone, Debug)]
enum Edit {
    Before(u32, Vec<String>),
    After(u32, Vec<String>),
    Replace(u32, String),
    Remove(u32),
    Offset(u32, i16),
    Invert(u32),
    Both(Box<[Edit; 2]>),
}

/// The edits that a text in words asks for, of which each may be made alone. None where a reader must think.
fn edits(change: &str) -> Vec<Edit> {
    // What follows is another way.
    let change = change.split("; or ").next().unwrap();
    let number = |text: &str| {
        let digits = text.split(|c: char| !c.is_ascii_digit()).next().unwrap();
        digits.parse().unwrap()
    };
    // In backquotes: one after the other, or one or the other.
    let ways = |text: &str| -> Vec<Vec<String>> {
        let (mut ways, mut last) = (vec![vec![]], 0);
        for (index, part) in text.split('`').enumerate() {
            match index % 2 {
                1 => ways[last].push(part.to_owned()),
                _ if part == ", or " => {
                    ways.push(vec![]);
                    last += 1;
                }
                _ => {}
            }
        }
        ways.retain(|way| !way.is_empty());
        ways
    };
    if let Some((before, after)) = change.split_once(", and after it: ") {
        let at = number(before.strip_prefix("insert before instruction ").unwrap());
        let [before, after] = [before, after].map(|text| ways(text).remove(0));
        return vec![Edit::Both(Box::new([Edit::After(at, after), Edit::Before(at, before)]))];
    }
    if let Some(rest) = change.strip_prefix("insert before instruction ") {
        return ways(rest).into_iter().map(|way| Edit::Before(number(rest), way)).collect();
    }
    if let Some((before, _)) = change.split_once(": replace == by !=") {
        return vec![Edit::Invert(number(before.rsplit_once("instruction ").unwrap().1))];
    }
    if let Some(rest) = change.strip_prefix("insert after instruction ") {
        return ways(rest).into_iter().map(|way| Edit::After(number(rest), way)).collect();
    }
    if let Some(rest) = change.strip_prefix("replace instruction ") {
        return vec![Edit::Replace(number(rest), ways(rest).remove(0).remove(0))];
    }
    if let Some(rest) = change.strip_prefix("remove instruction ") {
        let remove = Edit::Remove(number(rest));
        // The same in the instruction that used what is removed.
        let Some((_, rest)) = rest.split_once("use the offset in instruction ") else {
            return vec![remove];
        };
        let offset = rest.split(['+', '-', ')']).nth(1).unwrap();
        let sign = if rest.contains('-') { -1 } else { 1 };
        let offset = Edit::Offset(number(rest), sign * offset.parse::<i16>().unwrap());
        return vec![Edit::Both(Box::new([offset, remove]))];
    }
    // use offset -8 in instruction 3; an offset from 0 to 7 in instruction 3; offset -8 to r10 in ...
    if let Some((before, rest)) = change.split_once(" in instruction ")
        && let Some((_, offset)) = before.split_once("offset")
    {
        let offset = offset.rsplit_once(": offset").map_or(offset, |(_, offset)| offset);
        let mut numbers = offset.split(' ').filter_map(|word| word.parse::<i16>().ok());
        return numbers
            .next_back()
            .map(|offset| Edit::Offset(number(rest), offset))
            .into_iter()
            .collect();
    }
    vec![]
}

fn place(code: &Code) -> Option<Vec<Placed>> {
    let mut placed = vec![];
    let mut at = 0;
    while (at as usize) < code.slots().len() {
        let insn = code.insn(at)?;
        let to = match insn {
            Insn::LoadImm64 { value: Imm64::Func { offset }, .. } => {
                at.checked_add_signed(offset).map(|at| at + 1)
            }
            _ => code.target(at),
        };
        placed.push(Placed { insn, from: Some(at), was: Some(at), to });
        at += insn.slots() as u32;
    }
    Some(placed)
}

/// The instructions of a line, in which L is the end.
fn written(lines: &[String]) -> Vec<Placed> {
    let text = lines.join("\n") + "\nL: exit\n";
    let source =
        rawbpf::insn::parse("change", &text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let insns = source.programs[0].program.insns();
    let leaves = |insn: &Insn| matches!(insn, Insn::JumpIf { .. });
    let placed = insns[..insns.len() - 1].iter().map(|insn| Placed {
        insn: *insn,
        from: None,
        was: None,
        to: leaves(insn).then_some(LEAVE),
    });
    placed.collect()
}

fn edit(placed: &[Placed], edit: &Edit) -> Option<Vec<Placed>> {
    if let Edit::Both(edits) = edit {
        return self::edit(&self::edit(placed, &edits[0])?, &edits[1]);
    }
    let (Edit::Before(at, _)
    | Edit::After(at, _)
    | Edit::Replace(at, _)
    | Edit::Remove(at)
    | Edit::Offset(at, _)
    | Edit::Invert(at)) = edit
    else {
        return None;
    };
    let index = placed.iter().position(|one| one.was == Some(*at))?;
    let mut changed = placed.to_vec();
    match edit {
        Edit::Before(_, lines) => {
            let mut lines = written(lines);
            // Whoever jumped there comes over this first.
            lines[0].from = changed[index].from.take();
            changed.splice(index..index, lines);
        }
        Edit::After(_, lines) => {
            changed.splice(index + 1..index + 1, written(lines));
        }
        Edit::Replace(_, line) => {
            let line = written(std::slice::from_ref(line)).remove(0);
            changed[index] = Placed { from: Some(*at), was: Some(*at), ..line };
        }
        Edit::Remove(_) => {
            let from = changed.remove(index).from;
            let next = changed.get_mut(index)?;
            // Jumps to it lead to the next.
            let old = next.from;
            changed.iter_mut().filter(|one| one.to == old).for_each(|one| one.to = from);
            changed[index].from = from;
        }
        Edit::Invert(_) => match &mut changed[index].insn {
            Insn::JumpIf { cond, .. } => {
                *cond = if *cond == Cond::Eq { Cond::Ne } else { Cond::Eq };
            }
            _ => return None,
        },
        Edit::Both(_) => return None,
        Edit::Offset(_, by) => match &mut changed[index].insn {
            Insn::Load { offset, .. }
            | Insn::Store { offset, .. }
            | Insn::Atomic { offset, .. } => {
                *offset = *by;
            }
            _ => return None,
        },
    }
    Some(changed)
}

/// The instructions with their jumps to where they lead now, and where each old one, with what was
/// inserted before it, is now.
fn whole(mut placed: Vec<Placed>) -> (Vec<Insn>, BTreeMap<u32, RangeInclusive<u32>>) {
    if placed.iter().any(|one| one.to == Some(LEAVE)) {
        let mut leave = written(&["r0 = 0".into(), "exit".into()]);
        leave[0].from = Some(LEAVE);
        placed.extend(leave);
    }
    let (mut slots, mut now) = (BTreeMap::new(), BTreeMap::new());
    let mut at = 0u32;
    for one in &placed {
        if let Some(from) = one.from {
            slots.insert(from, at);
        }
        if let Some(was) = one.was {
            now.insert(was, slots.get(&was).copied().unwrap_or(at)..=at);
        }
        at += one.insn.slots() as u32;
    }
    let mut at = 0u32;
    for one in &mut placed {
        let after = at + one.insn.slots() as u32;
        if let Some(to) = one.to.and_then(|to| slots.get(&to)) {
            let by = *to as i32 - at as i32 - 1;
            match &mut one.insn {
                Insn::Goto { offset } | Insn::JumpIf { offset, .. } | Insn::MayGoto { offset } => {
                    *offset = by as i16;
                }
                Insn::Gotol { offset }
                | Insn::Call(Callee::Local { offset })
                | Insn::LoadImm64 { value: Imm64::Func { offset }, .. } => *offset = by,
                _ => {}
            }
        }
        at = after;
    }
    (placed.into_iter().map(|one| one.insn).collect(), now)
}

impl Refused {
    /// The verifier's log of these slots, empty if they are accepted.
    fn load(&self, slots: &[u8]) -> Result<(), String> {
        let mut slots = slots.to_vec();
        for slot in slots.chunks_exact_mut(8) {
            // A map by its place among the maps, where it is one.
            if slot[0] == 0x18 && matches!(slot[1] >> 4, 1 | 2 | 5 | 6) {
                let index = i32::from_le_bytes(slot[4..].try_into().unwrap());
                if let Some(map) = self.maps.get(index as usize) {
                    let mode = if slot[1] >> 4 & 3 == 1 { 1 } else { 2 };
                    slot[1] = slot[1] & 15 | mode << 4;
                    slot[4..].copy_from_slice(&map.as_fd().as_raw_fd().to_le_bytes());
                }
            }
        }
        let load = Load { insns: &slots, log_level: 2, ..Load::new(self.kind) };
        prog::load(&load).map(drop).map_err(|error| error.log)
    }

    fn verification(&self, slots: &[u8], log: String) -> Verification {
        let kind = self.kind.to_string();
        Verification { kind, ..Verification::of_log(Code::from_bytes(slots), log) }
    }
}

/// What came of a change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Outcome {
    Accepted,
    Further,
    Same,
    InWords,
}

fn outcome(refused: &Refused, why: &Diagnosis, edit_: &Edit, code: &Code) -> Outcome {
    let Some(changed) = place(code).and_then(|placed| edit(&placed, edit_)) else {
        return Outcome::InWords;
    };
    let (insns, now) = whole(changed);
    let slots = encode(&insns, Endian::Little);
    let Err(log) = refused.load(&slots) else { return Outcome::Accepted };
    let verification = refused.verification(&slots, log);
    let Some(again) = verification.diagnose() else { return Outcome::Further };
    let here = match (again.at, why.at.and_then(|at| now.get(&at))) {
        (Some(at), Some(place)) => place.contains(&at),
        (at, place) => at.is_none() && place.is_none(),
    };
    match again.class == why.class && here {
        true => Outcome::Same,
        false => Outcome::Further,
    }
}

fn maps(text: &str) -> Vec<Map> {
    let text = format!("{text}\n.program p xdp\nr0 = 1\nexit\n");
    let types = KernelTypes::running();
    let read = source::read("maps", text.as_bytes(), &types).unwrap();
    read.maps.iter().map(|spec| Map::create(spec).unwrap()).collect()
}

/// The programs that were recorded, and what their maps were.
fn of_logs() -> Vec<Refused> {
    let all = recorded().iter().filter(|one| one.kernel == "6.18" && !one.accepted);
    let usual = all.filter(|one| !one.name.contains("unpriv") && !one.name.starts_with("attr_"));
    let refused = usual.filter_map(|one| {
        let hash =
            ["missing_null", "null_check_wrong", "map_index", "bound_on", "btf_lineinfo_null"];
        let text = match &*one.name {
            name if name.starts_with("ringbuf") => ".map m ringbuf entries 4096",
            name if name.starts_with("spin_lock") => ".map m array key 4 value 8 entries 1 lock 4",
            "map_readonly_write" => ".map m array key 4 value 8 entries 1 flags 128",
            name if hash.iter().any(|hash| name.starts_with(hash)) => {
                ".map m hash key 4 value 8 entries 64"
            }
            _ => ".map m array key 4 value 8 entries 1",
        };
        let kind = ProgramType::NAMES.iter().zip(1..).find(|(name, _)| **name == one.type_)?.1;
        let kind = ProgramType::from_raw(kind)?;
        Some(Refused { name: one.name.clone(), kind, slots: one.insns.clone(), maps: maps(text) })
    });
    refused.collect()
}

/// The texts in a folder.
fn texts(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "bpf"))
        .collect();
    files.sort();
    files
}

fn of_text(file: &Path) -> Vec<Refused> {
    let types = KernelTypes::running();
    let text = fs::read(file).unwrap();
    let collection =
        source::read("text", &text, &types).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let programs = collection.programs.iter().filter_map(|spec| {
        let kind = match spec.kind {
            ProgramKind::Type(kind) => kind,
            _ => ProgramType::Kprobe,
        };
        let create = |spec| Map::create(spec).unwrap();
        let maps: Vec<_> = collection.maps.iter().map(create).collect();
        let indices: Vec<_> = (0..maps.len() as i32).collect();
        let slots = encode(&spec.program.with_map_fds(&indices)?, Endian::Little);
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        Some(Refused { name, kind, slots, maps })
    });
    programs.collect()
}

#[test]
#[ignore = "loads programs, which needs root"]
fn advice_that_is_followed_leads_to_another_verdict() {
    let mut all = of_logs();
    for folder in ["programs/lessons", "tests/verifier/advice"] {
        all.extend(texts(folder).iter().flat_map(|file| of_text(file)));
    }
    let mut figures = BTreeMap::<&str, BTreeMap<Outcome, u32>>::new();
    let mut wrong = vec![];
    for refused in &all {
        let Err(log) = refused.load(&refused.slots) else { continue };
        let program = refused.verification(&refused.slots, log);
        let Some(why) = program.diagnose() else { continue };
        let edits = edits(&why.remedy);
        if std::env::var_os("SHOW").is_some() {
            println!("{}: {} [{}]\n    {}", refused.name, why.sentence, why.class, why.remedy);
        }
        let mut outcomes: Vec<_> =
            edits.iter().map(|edit| outcome(refused, &why, edit, &program.code)).collect();
        if outcomes.is_empty() {
            outcomes.push(Outcome::InWords);
        }
        for (index, outcome) in outcomes.into_iter().enumerate() {
            if std::env::var_os("SHOW").is_some() {
                println!("    {outcome:?}");
            }
            *figures.entry(why.class).or_default().entry(outcome).or_default() += 1;
            if outcome == Outcome::Same {
                wrong.push(format!("{}: {} [{:?}]", refused.name, why.remedy, edits.get(index)));
            }
        }
    }
    assert!(wrong.is_empty(), "the same refusal again:\n{}", wrong.join("\n"));
    table(&figures);
}

/// Writes the figures into VERIFIER.md, or compares them with those there.
fn table(figures: &BTreeMap<&str, BTreeMap<Outcome, u32>>) {
    const HEAD: &str =
        "| class | accepted | refused for another reason | in words |\n|---|---|---|---|\n";
    let row = |class: &str, of: &dyn Fn(Outcome) -> u32| {
        let [accepted, further, words] =
            [Outcome::Accepted, Outcome::Further, Outcome::InWords].map(of);
        format!("| {class} | {accepted} | {further} | {words} |\n")
    };
    let mut rows = String::from(HEAD);
    for (class, outcomes) in figures {
        rows += &row(class, &|outcome| outcomes.get(&outcome).copied().unwrap_or(0));
    }
    let all = |outcome| figures.values().filter_map(|outcomes| outcomes.get(&outcome)).sum();
    rows += &row("all", &all);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("VERIFIER.md");
    let text = fs::read_to_string(&file).unwrap();
    let start = text.find(HEAD).expect("VERIFIER.md has the table");
    let end = text[start..].find("\n\n").map_or(text.len(), |end| start + end + 1);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, format!("{}{rows}{}", &text[..start], &text[end..])).unwrap();
    } else if text.contains(&format!("on Linux {}", release())) {
        assert_eq!(text[start..end], rows, "BLESS=1 accepts the change");
    }
}

/// The running kernel's version without its last number.
fn release() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    release.splitn(3, '.').take(2).collect::<Vec<_>>().join(".")
}
