//! Basic blocks: the control flow graph of a program.

use std::ops::Range;

use super::instruction::{Callee, Imm64, Insn};

/// Instructions that run one after the other: entered at the first, left after the last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    /// The instructions, by their index in the program.
    pub insns: Range<usize>,
    /// Whether it continues in the next block.
    pub falls: bool,
    /// The target of its jump, if it jumps.
    pub jump: Option<Successor>,
}

/// The target of a jump.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Successor {
    /// A block.
    Block(usize),
    /// A slot outside the program or in the middle of a 64-bit load; the kernel refuses such a program.
    Nowhere,
}

/// The blocks of a program, in its order. `insns` has each instruction with its slot, in the order of slots; an
/// unknown instruction just continues at the next one.
///
/// ```
/// use rawbpf::insn::graph::{Successor, blocks};
/// use rawbpf::insn::*;
///
/// let mut a = Asm::new();
/// let odd = a.label();
/// a.jump_if(r1, Cond::Set, 1, &odd);
/// a.mov(w0, 0);
/// a.place(odd);
/// a.exit();
/// let program = a.finish()?;
/// let insns: Vec<_> = program.lines().map(|(slot, insn, _)| (slot, Some(*insn))).collect();
/// let blocks = blocks(&insns);
/// assert_eq!(blocks.len(), 3);
/// assert_eq!(blocks[0].jump, Some(Successor::Block(2)));
/// # Ok::<(), AsmError>(())
/// ```
pub fn blocks(insns: &[(usize, Option<Insn>)]) -> Vec<Block> {
    let at = |slot: usize, offset: i64| {
        let target = usize::try_from(slot as i64 + 1 + offset).ok()?;
        insns.binary_search_by_key(&target, |(slot, _)| *slot).ok()
    };
    let mut begins = vec![false; insns.len() + 1];
    for (index, (slot, insn)) in insns.iter().enumerate() {
        let Some(insn) = insn else { continue };
        let jump = jump(insn);
        begins[index + 1] |= jump.is_some() || *insn == Insn::Exit;
        let function = match *insn {
            Insn::Call(Callee::Local { offset }) => Some(offset.into()),
            Insn::LoadImm64 { value: Imm64::Func { offset }, .. } => Some(offset.into()),
            _ => None,
        };
        if let Some(target) = jump.or(function).and_then(|offset| at(*slot, offset)) {
            begins[target] = true;
        }
    }
    begins[insns.len()] = true;
    let mut starts = vec![0];
    starts.extend((1..=insns.len()).filter(|index| begins[*index]));
    let ends = starts.windows(2).map(|pair| pair[0]..pair[1]).filter(|range| !range.is_empty());
    ends.map(|range| {
        let (slot, last) = insns[range.end - 1];
        let jump = last.as_ref().and_then(jump).map(|offset| match at(slot, offset) {
            Some(target) => Successor::Block(starts.partition_point(|start| *start <= target) - 1),
            None => Successor::Nowhere,
        });
        let leaves = matches!(last, Some(Insn::Exit | Insn::Goto { .. } | Insn::Gotol { .. }));
        let falls = !leaves && range.end < insns.len();
        Block { insns: range, falls, jump }
    })
    .collect()
}

/// The distance of a jump in slots, from the next instruction.
fn jump(insn: &Insn) -> Option<i64> {
    match *insn {
        Insn::Goto { offset } | Insn::MayGoto { offset } | Insn::JumpIf { offset, .. } => {
            Some(offset.into())
        }
        Insn::Gotol { offset } => Some(offset.into()),
        _ => None,
    }
}
