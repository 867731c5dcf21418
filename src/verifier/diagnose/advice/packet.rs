//! Accesses to the packet.

use super::moves::Move;
use super::{Advice, accessed};
use crate::insn::Insn;
use crate::verifier::diagnose::Case;
use crate::verifier::diagnose::words::{at_most, bytes, words};
use crate::verifier::history::{Did, History};
use crate::verifier::log::KnownValue;

/// The farthest from its beginning that the verifier follows an address in the packet.
const FARTHEST: i64 = 0xffff;

impl<'a> Case<'a, '_> {
    pub(super) fn packet(
        &self,
        at: u32,
        register: u8,
        value: Option<KnownValue<'a>>,
        history: &History<'a>,
    ) -> Option<Advice> {
        let value = value?;
        let beyond = value.number("r").is_some_and(|known| known < 0);
        if let Some(compared) =
            history.events.iter().rev().find(|event| matches!(event.did, Did::Compared { .. }))
            && beyond
        {
            let branch = self.path.steps[compared.step].at;
            let Did::Compared { held, .. } = compared.did else { return None };
            let way = if held { "is taken" } else { "is not taken" };
            return Some((
                format!(
                    "instruction {at} uses the packet where it is known to be too short: the jump at \
                     {branch} {way} only where the packet ends before r{register}, or at it"
                ),
                format!("move instruction {at} to the other path of instruction {branch}"),
            ));
        }
        let (off, size, known) = (self.number("off")?, self.size("size")?, self.number("r")?);
        off.checked_add(size)?;
        let varies = value.known.is_none()
            && value.attribute("umax").or(value.attribute("umax_value")).is_some();
        let bounds = value.bounds();
        // Beyond this, no comparison tells the verifier anything.
        if varies
            && let Some(most) = i64::try_from(bounds.umax).ok()?.checked_add(off + size)
            && most > FARTHEST
        {
            let added = self.moves_of(history).into_iter().find(Move::is_variable);
            let index = added.as_ref()?.number?;
            let slot = added.as_ref()?.at;
            return Some((
                format!(
                    "instruction {at} uses {} at r{register}, which may be up to {} bytes into the packet: the \
                     verifier follows no address in a packet farther than {FARTHEST} bytes, whatever it is \
                     compared with",
                    bytes(size),
                    most - size
                ),
                at_most(slot, index, 0x7fff),
            ));
        }
        let this = accessed(self.code.insn(at)?).map_or(0, |(_, offset, _)| offset);
        let behind = this + size;
        let what = format!(
            "instruction {at} uses {} at {}",
            bytes(size),
            match this {
                0 => format!("r{register}"),
                this => format!("r{register}{this:+}"),
            }
        );
        let added = self.moves_of(history).into_iter().find(Move::is_variable).filter(|_| varies);
        let sentence = match added {
            Some(Move { at: slot, number: Some(number), value: Some(value), .. }) => format!(
                "{what}, and only {} after r{register} are known to exist: a comparison with data_end counts \
                 only if it comes after instruction {slot}, which added r{number}, {}",
                bytes(known),
                words(value)
            ),
            _ => format!(
                "{what}, offset {off} of the packet, and {} known to exist",
                match known {
                    0 => "nothing of it is".into(),
                    _ => format!("only {} are", bytes(known)),
                }
            ),
        };
        Some((sentence, self.compare_with_end(at, register, behind)))
    }

    /// How to compare the end of an access with the packet's.
    fn compare_with_end(&self, at: u32, register: u8, behind: i64) -> String {
        let end = (0..10)
            .find(|number| self.value(Some(*number)).is_some_and(|value| value.type_ == "pkt_end"));
        let free = match self.code.insn(at) {
            // It is overwritten in any case.
            Some(Insn::Load { dst, base, .. }) if dst != base => Some(dst.number()),
            _ => self.unused(),
        }
        .filter(|free| Some(*free) != end);
        match (end, free, behind) {
            (Some(end), _, 0) => format!(
                "insert before instruction {at}: `if r{register} > r{end} goto L`, where L does not use the \
                 packet"
            ),
            (Some(end), Some(free), _) => format!(
                "insert before instruction {at}: `r{free} = r{register}`, `r{free} += {behind}`, \
                 `if r{free} > r{end} goto L`, where L does not use the packet"
            ),
            _ => self.load_and_compare(at, register, behind).unwrap_or_else(|| {
                format!(
                    "before instruction {at}, compare r{register} plus {behind} with data_end, and leave if \
                     it is greater"
                )
            }),
        }
    }

    /// The same where data_end has to be loaded first.
    fn load_and_compare(&self, at: u32, register: u8, behind: i64) -> Option<String> {
        let offset = match self.kind {
            "xdp" => 4,
            "sched_cls" | "sched_act" | "cgroup_skb" | "sk_skb" => 80,
            _ => return None,
        };
        let context =
            (1..10).find(|number| self.value(Some(*number)).is_some_and(|it| it.type_ == "ctx"))?;
        let end = self.unused()?;
        let free = self.unused_of(end + 1..10)?;
        Some(format!(
            "insert before instruction {at}: `r{end} = *(u32 *)(r{context} +{offset})`, `r{free} = r{register}`, \
             `r{free} += {behind}`, `if r{free} > r{end} goto L`, where L does not use the packet"
        ))
    }
}
