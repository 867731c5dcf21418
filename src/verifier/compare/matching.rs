//! Whether a log is of a program.

use super::result::Match;
use crate::insn::{Callee, Insn};
use crate::verifier::log::{LogEvent, events};
use crate::verifier::path::Code;

/// How the instructions in a log match this program.
pub fn is_of<'a>(code: &Code, log: &'a str) -> Match<'a> {
    let mut others = vec![];
    let mut seen = vec![false; code.slots().len()];
    let mut told = false;
    for event in events(log) {
        let LogEvent::Insn { at, code: opcode, text, .. } = event else { continue };
        told = true;
        let (Some(slot), Some(seen)) = (code.slots().get(at as usize), seen.get_mut(at as usize))
        else {
            return Match::Other(at, text);
        };
        // A slot that is no instruction is printed in a form of its own.
        let Some(insn) = code.insn(at).filter(|_| !std::mem::replace(seen, true)) else { continue };
        if slot.code != opcode {
            // Linux 7.3 shows what it has made of conditions that always go one way.
            if matches!(insn, Insn::JumpIf { .. }) && text.starts_with("goto ") {
                continue;
            }
            return Match::Other(at, text);
        }
        let ours = insn.to_string();
        if ours == text {
            continue;
        }
        match insn {
            // For a map, the kernel prints its address.
            Insn::LoadImm64 { dst, .. } => {
                if !text.starts_with(&format!("r{} = ", dst.number())) {
                    return Match::Other(at, text);
                }
            }
            _ if without_numbers(&ours).eq(without_numbers(text)) => others.push((at, text)),
            Insn::Call(Callee::Helper(_) | Callee::Kfunc { .. }) => others.push((at, text)),
            _ => return Match::Other(at, text),
        }
    }
    match (told, others.is_empty()) {
        (false, _) => Match::Unknown,
        (true, true) => Match::Same,
        (true, false) => Match::Numbers(others),
    }
}

/// The words of an instruction without its numbers; registers are words.
fn without_numbers(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    parts.filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()) && !word.is_empty())
}
