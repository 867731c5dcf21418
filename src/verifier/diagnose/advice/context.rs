//! Accesses to the context.

use super::Advice;
use super::moves::Move;
use crate::insn::{Insn, Operand};
use crate::verifier::diagnose::Case;
use crate::verifier::diagnose::contexts::{self, Field};
use crate::verifier::diagnose::words::{bytes, words};
use crate::verifier::history::{Did, History};

impl<'a> Case<'a, '_> {
    pub(super) fn moved(&self, at: u32, register: u8, history: &History) -> Option<Advice> {
        if self.first.starts_with("variable ") {
            let added = self.moves_of(history).into_iter().find(Move::is_variable)?;
            return Some((
                format!(
                    "instruction {at} uses r{register}, to which instruction {} added r{}, {}: the offset into \
                     this object must be a constant",
                    added.at,
                    added.number?,
                    added.value.map_or("any number".into(), words)
                ),
                self.known.as_ref()?.remedy(),
            ));
        }
        let off = self.number("off")?;
        if !self.first.starts_with("dereference of modified") {
            return self.no_field(at, off, self.size("size")?);
        }
        let moved = history
            .events
            .iter()
            .rev()
            .find(|event| matches!(event.did, Did::Wrote(number) if number == register))?;
        let by = self.path.steps[moved.step].at;
        let sum = match self.code.insn(at)? {
            Insn::Load { offset, .. } | Insn::Store { offset, .. } => {
                // What an instruction has no room for cannot be its offset.
                Some(i16::try_from(off.checked_add(offset.into())?).ok()?)
            }
            _ => None,
        };
        Some((
            format!(
                "r{register} was moved by {off} bytes at {by}, but this pointer must be used unchanged"
            ),
            match sum {
                Some(sum) => format!(
                    "remove instruction {by}, and use the offset in instruction {at}: (r{register} {sum:+})"
                ),
                None => format!("remove instruction {by}, or pass a copy that was made before it"),
            },
        ))
    }

    /// Advice for an access to the context that fits no field of it, or one that is not for this type of
    /// program.
    fn no_field(&self, at: u32, off: i64, size: i64) -> Option<Advice> {
        let insn = self.code.insn(at)?;
        let (does, may) = match insn {
            Insn::Load { .. } => ("reads", "read"),
            _ => ("writes", "write"),
        };
        let uses =
            format!("instruction {at} {does} {} at offset {off} of the context", bytes(size));
        let Some((context, fields)) = contexts::fields(self.kind) else {
            return Some(self.no_argument(at, off, size, &uses, may));
        };
        let allowed = |field: &&Field| if may == "read" { field.read } else { field.write };
        let this =
            fields.iter().find(|field| (field.offset..field.offset + field.size).contains(&off));
        let there = match this {
            Some(field) if !allowed(&field) => {
                format!("{}, which {} programs cannot {may}", named(field), self.kind)
            }
            Some(field) => format!("{} of {} is there", named(field), bytes(field.size)),
            None => "no field is there".into(),
        };
        let near = |field: &&Field| {
            let end = field.offset + field.size - 1;
            (off - off.clamp(field.offset, end)).unsigned_abs()
        };
        let nearest = fields.iter().filter(allowed).min_by_key(near);
        let Some(nearest) = nearest else {
            return Some((
                format!("{uses}, struct {context}: {there}"),
                format!("remove instruction {at}: {} programs can {may} no field of it", self.kind),
            ));
        };
        let packet = this.is_some_and(|field| field.name.starts_with("data"));
        if packet && self.kind == "socket_filter" {
            return Some((
                format!("{uses}, struct {context}: {there}"),
                "copy bytes of the packet to the stack with bpf_skb_load_bytes, and use those"
                    .into(),
            ));
        }
        let text = match insn {
            Insn::Load { dst, base, .. } => {
                format!("{dst} = *(u{} *)({base} +{})", nearest.size * 8, nearest.offset)
            }
            Insn::Store { base, src, .. } => {
                let src = match src {
                    Operand::Reg(src) => src.to_string(),
                    Operand::Imm(imm) => imm.to_string(),
                };
                format!("*(u{} *)({base} +{}) = {src}", nearest.size * 8, nearest.offset)
            }
            _ => return None,
        };
        Some((
            format!("{uses}, struct {context}: {there}"),
            format!(
                "replace instruction {at} with: `{text}`, which {does} {}, the nearest field; or use another \
                 field",
                named(nearest)
            ),
        ))
    }

    /// The fields of the context that this type of program can access like the refused instruction.
    pub(in super::super) fn context_demand(&self) -> Option<String> {
        let (context, fields) = contexts::fields(self.kind)?;
        let writes = !matches!(
            self.insn(self.path.steps.get(self.index?).map(|step| step.at))?,
            Insn::Load { .. }
        );
        let usual = fields.first()?.size;
        let list: Vec<_> = fields
            .iter()
            .filter(|field| if writes { field.write } else { field.read })
            .map(|field| match field.size {
                size if size == usual => format!("{} {}", named(field), field.offset),
                size => format!("{} {} ({})", named(field), field.offset, bytes(size)),
            })
            .collect();
        let may = if writes { "write" } else { "read" };
        (!list.is_empty()).then(|| {
            format!(
                "of struct {context}, {} programs can {may} these fields, at these offsets, with {} where nothing \
                 else is said: {}",
                self.kind,
                bytes(usual),
                list.join(", ")
            )
        })
    }

    /// The same where the context is an array of arguments, or not known.
    fn no_argument(&self, at: u32, off: i64, size: i64, uses: &str, may: &str) -> Advice {
        let known = self.known.as_ref();
        let arguments =
            ["raw_tp", "raw_tracepoint", "fentry", "fexit", "fmod_ret", "tp_btf", "tracing", "lsm"];
        let kind = self.kind.trim_end_matches(".s");
        let aligned = off.rem_euclid(8) == 0 && size == 8;
        if may == "write" && !kind.is_empty() {
            return (
                format!("{uses}, which {kind} programs can only read"),
                format!(
                    "remove instruction {at}, and keep the number in a register, on the stack or in a map"
                ),
            );
        }
        if arguments.contains(&kind) && !aligned {
            return (
                format!("{uses}, which has 8 bytes for each argument"),
                format!(
                    "read 8 bytes at offset {} in instruction {at}, and take the part after that",
                    off.max(0) / 8 * 8
                ),
            );
        }
        if ["raw_tp", "raw_tracepoint"].contains(&kind) && off >= 96 {
            return (
                format!("{uses}, which has at most 12 arguments of 8 bytes"),
                format!("use an offset from 0 to 88 in instruction {at}"),
            );
        }
        if kind == "tracepoint" && (0..8).contains(&off) {
            return (
                format!("{uses}, the event's record, whose first 8 bytes programs cannot read"),
                "read from offset 8 on: /sys/kernel/tracing/events has the format of each event"
                    .into(),
            );
        }
        let remedy = known.map(|known| known.remedy()).unwrap_or_default();
        (format!("{uses}, where this type of program has no such field to {may}"), remedy)
    }
}

/// `cb[2]`, or `len`.
fn named(field: &Field) -> String {
    match field.index {
        Some(index) => format!("{}[{index}]", field.name),
        None => field.name.to_owned(),
    }
}
