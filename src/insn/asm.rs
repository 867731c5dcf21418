//! The builder: one method for each instruction.

use std::ops::Range;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::error::AsmError;
use super::frame::Frame;
use super::helper::Helper;
use super::instruction::*;
use super::mem::{self, Addr, AtomicWidth, Field, Mem, Offset};
use super::program::{Line, MapRef, Program, Text, Written};
use super::reg::{Fp, R, Reg, W};
use super::slot::Endian;
use super::source_text::SourceText;

/// A register that an operation may write: `r0`..`r9` or `w0`..`w9`.
pub trait Dst: Copy + Into<Reg> {
    /// 64 bits for `r`, 32 for `w`.
    const WIDTH: Width;
}
impl Dst for R {
    const WIDTH: Width = Width::W64;
}
impl Dst for W {
    const WIDTH: Width = Width::W32;
}

/// A second operand that fits the first: a constant of 32 bits, or a register as wide as `D`.
pub trait Src<D>: Copy {
    /// The operand in an instruction.
    fn operand(self) -> Operand;
}
impl<D: Dst> Src<D> for i32 {
    fn operand(self) -> Operand {
        Operand::Imm(self)
    }
}
impl Src<R> for R {
    fn operand(self) -> Operand {
        Operand::Reg(self.into())
    }
}
impl Src<W> for W {
    fn operand(self) -> Operand {
        Operand::Reg(self.into())
    }
}
impl Src<R> for Fp {
    fn operand(self) -> Operand {
        Operand::Reg(self.into())
    }
}
impl Src<R> for Reg {
    fn operand(self) -> Operand {
        Operand::Reg(self)
    }
}

/// An operand that can be added: any second operand, or the offset of a kernel field.
pub trait Addend<D>: Copy {
    /// The operand, and the field if its offset is not known.
    fn addend(self) -> (Operand, Option<Field>);
}
impl<D, S: Src<D>> Addend<D> for S {
    fn addend(self) -> (Operand, Option<Field>) {
        (self.operand(), None)
    }
}
impl Addend<R> for Field {
    fn addend(self) -> (Operand, Option<Field>) {
        self.offset.map_or(Offset::Field(self), Offset::Bytes).addend()
    }
}
impl Addend<R> for Offset {
    fn addend(self) -> (Operand, Option<Field>) {
        match self {
            Offset::Bytes(bytes) => (Operand::Imm(bytes), None),
            Offset::Field(field) => (Operand::Imm(0), Some(field)),
        }
    }
}

/// The target of a jump, made before its place is known. [`Asm::place`] consumes it, so that it cannot be
/// placed twice.
#[derive(Debug)]
pub struct Label(LabelId);

/// A known place in the program, returned by [`Asm::place`] and [`Asm::here`].
#[derive(Clone, Copy, Debug)]
pub struct Here(LabelId);

/// A label's number, and the builder it belongs to.
#[derive(Clone, Copy, Debug)]
struct LabelId {
    asm: usize,
    index: usize,
}

/// A target of a jump: a [`Label`] forward, a [`Here`] backward.
pub trait Target: sealed::Target {}
impl Target for Label {}
impl Target for Here {}

mod sealed {
    pub trait Target {
        #[doc(hidden)]
        fn id(&self) -> super::JumpTarget;
    }
    impl Target for super::Label {
        fn id(&self) -> super::JumpTarget {
            super::JumpTarget(self.0)
        }
    }
    impl Target for super::Here {
        fn id(&self) -> super::JumpTarget {
            super::JumpTarget(self.0)
        }
    }
}

/// The label of a jump that is not resolved yet.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct JumpTarget(LabelId);

/// Instructions that Linux 5.10 does not have, which the builder may choose by itself.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Isa {
    /// None: only the instructions that were written.
    #[default]
    V3,
    /// A `goto` too far for 16 bits becomes `gotol` (Linux 6.6).
    V4,
}

#[derive(Clone, Copy)]
struct LabelState {
    made: Line<'static>,
    /// The index of the instruction after it.
    placed: Option<usize>,
}

/// Writes a program, one instruction on each line.
///
/// The first mistake is kept and returned by [`Asm::finish`], so that no line needs a `?`.
/// Each instruction remembers the line that wrote it.
pub struct Asm {
    /// The program's stack.
    pub frame: Frame,
    id: usize,
    isa: Isa,
    source: Option<&'static SourceText>,
    insns: Vec<Insn>,
    lines: Vec<&'static Location<'static>>,
    /// The text whose lines are shown instead.
    text: Option<Arc<Text>>,
    /// The line and column in that text of each instruction.
    places: Vec<(u32, u32)>,
    /// The line and column of the instructions that follow.
    place_in_text: (u32, u32),
    labels: Vec<LabelState>,
    jumps: Vec<(usize, LabelId)>,
    unresolved: Vec<(usize, Field)>,
    error: Option<AsmError>,
}

impl Default for Asm {
    fn default() -> Self {
        Asm::new()
    }
}

macro_rules! alu_methods {
    ($($method:ident $op:ident $doc:literal),* $(,)?) => { $(
        #[doc = $doc]
        #[track_caller]
        pub fn $method<D: Dst>(&mut self, dst: D, src: impl Src<D>) {
            self.alu(Alu::$op, dst, src);
        }
    )* };
}

macro_rules! atomic_methods {
    ($($method:ident $op:ident $doc:literal),* $(,)?) => { $(
        #[doc = $doc]
        #[track_caller]
        pub fn $method<T: AtomicWidth>(&mut self, mem: Mem<T>, src: R) {
            self.atomic(Atomic::$op, mem, src);
        }
    )* };
}

macro_rules! swap_methods {
    ($($method:ident $insn:ident { $($field:ident: $value:expr),* } $doc:literal),* $(,)?) => { $(
        #[doc = $doc]
        #[track_caller]
        pub fn $method(&mut self, dst: R) {
            self.push(Insn::$insn { $($field: $value,)* dst: dst.into() });
        }
    )* };
}

/// Arithmetic. With a `w` register the operation is one of 32 bits.
impl Asm {
    /// `dst += src`
    #[track_caller]
    pub fn add<D: Dst>(&mut self, dst: D, src: impl Addend<D>) {
        let (src, field) = src.addend();
        self.wait_for(field);
        self.push(Insn::Alu { width: D::WIDTH, op: Alu::Add, dst: dst.into(), src });
    }

    alu_methods! {
        mov Mov "`dst = src`",
        sub Sub "`dst -= src`",
        mul Mul "`dst *= src`",
        div Div "`dst /= src`, unsigned; by zero it gives 0",
        sdiv Sdiv "`dst s/= src`, signed; by zero it gives 0. Requires Linux 6.6",
        modulo Mod "`dst %= src`, unsigned; by zero it leaves dst",
        smod Smod "`dst s%= src`, signed; by zero it leaves dst. Requires Linux 6.6",
        or Or "`dst |= src`",
        and And "`dst &= src`",
        xor Xor "`dst ^= src`",
        lsh Lsh "`dst <<= src`",
        rsh Rsh "`dst >>= src`, zeros come in",
        arsh Arsh "`dst s>>= src`, the sign comes in",
    }

    /// `dst op= src`
    #[track_caller]
    pub fn alu<D: Dst>(&mut self, op: Alu, dst: D, src: impl Src<D>) {
        self.push(Insn::Alu { width: D::WIDTH, op, dst: dst.into(), src: src.operand() });
    }

    /// `dst = -dst`
    #[track_caller]
    pub fn neg<D: Dst>(&mut self, dst: D) {
        self.push(Insn::Neg { width: D::WIDTH, dst: dst.into() });
    }

    /// `dst = (s8)src`: sign-extend the low byte. Requires Linux 6.6.
    #[track_caller]
    pub fn movsx8<D: Dst + Src<D>>(&mut self, dst: D, src: D) {
        self.movsx(Bits::B8, dst, src);
    }

    /// `dst = (s16)src`: sign-extend the low 16 bits. Requires Linux 6.6.
    #[track_caller]
    pub fn movsx16<D: Dst + Src<D>>(&mut self, dst: D, src: D) {
        self.movsx(Bits::B16, dst, src);
    }

    /// `dst = (s32)src`: sign-extend the low half. Requires Linux 6.6.
    #[track_caller]
    pub fn movsx32(&mut self, dst: R, src: R) {
        self.movsx(Bits::B32, dst, src);
    }

    #[track_caller]
    fn movsx<D: Dst>(&mut self, from: Bits, dst: D, src: D) {
        self.push(Insn::Movsx { width: D::WIDTH, from, dst: dst.into(), src: src.into() });
    }

    swap_methods! {
        to_le16 ToEndian { endian: Endian::Little, bits: Bits::B16 } "`dst = le16 dst`",
        to_le32 ToEndian { endian: Endian::Little, bits: Bits::B32 } "`dst = le32 dst`",
        to_le64 ToEndian { endian: Endian::Little, bits: Bits::B64 } "`dst = le64 dst`",
        to_be16 ToEndian { endian: Endian::Big, bits: Bits::B16 } "`dst = be16 dst`",
        to_be32 ToEndian { endian: Endian::Big, bits: Bits::B32 } "`dst = be32 dst`",
        to_be64 ToEndian { endian: Endian::Big, bits: Bits::B64 } "`dst = be64 dst`",
        bswap16 Bswap { bits: Bits::B16 } "`dst = bswap16 dst`. Requires Linux 6.6",
        bswap32 Bswap { bits: Bits::B32 } "`dst = bswap32 dst`. Requires Linux 6.6",
        bswap64 Bswap { bits: Bits::B64 } "`dst = bswap64 dst`. Requires Linux 6.6",
    }
}

/// Memory.
impl Asm {
    /// `dst = *(T *)(mem)`
    #[track_caller]
    pub fn load<T: mem::Loadable>(&mut self, dst: R, mem: Mem<T>) {
        let (base, offset) = self.address(mem.addr);
        self.push(Insn::Load { type_: T::TYPE, dst: dst.into(), base, offset });
    }

    /// `*(T *)(mem) = src`; stores the low bits of a register.
    #[track_caller]
    pub fn store<T: mem::Storable>(&mut self, mem: Mem<T>, src: impl Src<R>) {
        let (base, offset) = self.address(mem.addr);
        self.push(Insn::Store { size: T::SIZE, base, offset, src: src.operand() });
    }

    /// `r0 = *(T *)skb[offset]`: big-endian load from the packet, socket filters only. r6 must
    /// hold the context; r1 to r5 are wiped.
    #[track_caller]
    pub fn load_packet<T: mem::Packet>(&mut self, offset: i32) {
        self.push(Insn::LoadPacket { size: T::SIZE, index: None, offset });
    }

    /// `r0 = *(T *)skb[index + offset]`: see [`Asm::load_packet`].
    #[track_caller]
    pub fn load_packet_at<T: mem::Packet>(&mut self, index: R, offset: i32) {
        self.push(Insn::LoadPacket { size: T::SIZE, index: Some(index.into()), offset });
    }

    atomic_methods! {
        lock_add Add "`lock *(T *)(mem) += src`",
        lock_or Or "`lock *(T *)(mem) |= src`. Requires Linux 5.12",
        lock_and And "`lock *(T *)(mem) &= src`. Requires Linux 5.12",
        lock_xor Xor "`lock *(T *)(mem) ^= src`. Requires Linux 5.12",
        fetch_add FetchAdd "`src = atomic_fetch_add((T *)(mem), src)`. Requires Linux 5.12",
        fetch_or FetchOr "`src = atomic_fetch_or((T *)(mem), src)`. Requires Linux 5.12",
        fetch_and FetchAnd "`src = atomic_fetch_and((T *)(mem), src)`. Requires Linux 5.12",
        fetch_xor FetchXor "`src = atomic_fetch_xor((T *)(mem), src)`. Requires Linux 5.12",
        xchg Xchg "`src = atomic_xchg((T *)(mem), src)`. Requires Linux 5.12",
        cmpxchg Cmpxchg "`r0 = atomic_cmpxchg((T *)(mem), r0, src)`. Requires Linux 5.12",
    }

    #[track_caller]
    fn atomic<T: AtomicWidth>(&mut self, op: Atomic, mem: Mem<T>, src: R) {
        let (base, offset) = self.address(mem.addr);
        self.push(Insn::Atomic { op, width: T::WIDTH, base, offset, src: src.into() });
    }

    /// `dst = load_acquire((T *)(mem))`: later accesses stay after it. Requires Linux 6.15.
    #[track_caller]
    pub fn load_acquire<T: mem::Storable>(&mut self, dst: R, mem: Mem<T>) {
        let (base, offset) = self.address(mem.addr);
        self.push(Insn::LoadAcquire { size: T::SIZE, dst: dst.into(), base, offset });
    }

    /// `store_release((T *)(mem), src)`: earlier accesses stay before it. Requires Linux 6.15.
    #[track_caller]
    pub fn store_release<T: mem::Storable>(&mut self, mem: Mem<T>, src: R) {
        let (base, offset) = self.address(mem.addr);
        self.push(Insn::StoreRelease { size: T::SIZE, base, offset, src: src.into() });
    }

    /// `dst = value`, all 64 bits of it: two slots.
    #[track_caller]
    pub fn load_imm64(&mut self, dst: R, value: u64) {
        self.load_pseudo(dst, Imm64::Value(value));
    }

    /// `dst = map[..]`: the map itself, as an argument for helpers.
    #[track_caller]
    pub fn load_map(&mut self, dst: R, map: MapRef) {
        self.load_pseudo(dst, Imm64::MapIndex(map.0.into()));
    }

    /// `dst = map[..][0]+offset`: the address of a byte in an array map's first value; no lookup
    /// and no NULL check is needed. Requires Linux 5.2.
    #[track_caller]
    pub fn load_map_value(&mut self, dst: R, map: MapRef, offset: u32) {
        self.load_pseudo(dst, Imm64::MapIndexValue { index: map.0.into(), offset });
    }

    /// `dst = btf[id]`: the address of a kernel variable. Requires Linux 5.10.
    #[track_caller]
    pub fn load_btf_id(&mut self, dst: R, id: i32) {
        self.load_pseudo(dst, Imm64::BtfId { id, module_fd: 0 });
    }

    /// `dst = func[..]`: the address of a function of this program, for helpers that call back.
    /// Requires Linux 5.13.
    #[track_caller]
    pub fn load_func(&mut self, dst: R, function: &impl Target) {
        self.jump_to(function);
        self.load_pseudo(dst, Imm64::Func { offset: 0 });
    }

    /// `dst = value` for any value that the two-slot load can have.
    #[track_caller]
    pub fn load_pseudo(&mut self, dst: R, value: Imm64) {
        self.push(Insn::LoadImm64 { dst: dst.into(), value });
    }
}

/// Control flow.
impl Asm {
    /// A target to jump to, whose place is not known yet.
    #[track_caller]
    pub fn label(&mut self) -> Label {
        Label(self.new_label(None))
    }

    /// Places the label before the next instruction.
    #[track_caller]
    pub fn place(&mut self, label: Label) -> Here {
        match self.own(label.0) {
            Some(index) => self.labels[index].placed = Some(self.insns.len()),
            None => self.fail(AsmError::ForeignLabel { jump: Line::caller() }),
        }
        Here(label.0)
    }

    /// The next instruction, to jump back to.
    #[track_caller]
    pub fn here(&mut self) -> Here {
        Here(self.new_label(Some(self.insns.len())))
    }

    /// `goto target`
    #[track_caller]
    pub fn goto(&mut self, target: &impl Target) {
        self.jump_to(target);
        self.push(Insn::Goto { offset: 0 });
    }

    /// `gotol target`: a jump of 32 bits. Requires Linux 6.6.
    #[track_caller]
    pub fn gotol(&mut self, target: &impl Target) {
        self.jump_to(target);
        self.push(Insn::Gotol { offset: 0 });
    }

    /// `may_goto target`: falls through a bounded number of times, then jumps. Requires
    /// Linux 6.9.
    #[track_caller]
    pub fn may_goto(&mut self, target: &impl Target) {
        self.jump_to(target);
        self.push(Insn::MayGoto { offset: 0 });
    }

    /// `if dst cond src goto target`; on a `w` register requires Linux 5.1.
    #[track_caller]
    pub fn jump_if<D: Dst>(&mut self, dst: D, cond: Cond, src: impl Src<D>, target: &impl Target) {
        self.jump_to(target);
        let (dst, src) = (dst.into(), src.operand());
        self.push(Insn::JumpIf { width: D::WIDTH, cond, dst, src, offset: 0 });
    }

    /// `call bpf_..`: arguments in r1 to r5, which it wipes; the result is in r0.
    #[track_caller]
    pub fn call(&mut self, helper: Helper) {
        self.push(Insn::Call(Callee::Helper(helper.id as i32)));
    }

    /// `call pc..`: a function of this program, with a stack frame of its own.
    #[track_caller]
    pub fn call_local(&mut self, function: &impl Target) {
        self.jump_to(function);
        self.push(Insn::Call(Callee::Local { offset: 0 }));
    }

    /// `call kernel-function#id`: by the BTF id of a function the kernel lends to programs.
    /// Requires Linux 5.13.
    #[track_caller]
    pub fn call_kfunc(&mut self, id: i32) {
        self.push(Insn::Call(Callee::Kfunc { id, fd_index: 0 }));
    }

    /// `exit`: return r0.
    #[track_caller]
    pub fn exit(&mut self) {
        self.push(Insn::Exit);
    }
}

impl Asm {
    /// An empty program.
    pub fn new() -> Asm {
        Asm::with_isa(Isa::default())
    }

    /// An empty program with the text of the file that writes it, so that its lines are shown beside the
    /// instructions, also in the kernel's log.
    pub fn with_source(source: &'static SourceText) -> Asm {
        Asm { source: Some(source), ..Asm::new() }
    }

    /// An empty program in which a `goto` that is too long may become an instruction of this set.
    pub fn with_isa(isa: Isa) -> Asm {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Asm {
            frame: Frame::new(),
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            isa,
            source: None,
            insns: vec![],
            lines: vec![],
            text: None,
            places: vec![],
            place_in_text: (1, 1),
            labels: vec![],
            jumps: vec![],
            unresolved: vec![],
            error: None,
        }
    }

    /// An empty program that is made from a text: its lines are shown beside the instructions, as
    /// [`Asm::line`] says.
    pub fn with_text(text: &Arc<Text>) -> Asm {
        Asm { text: Some(text.clone()), ..Asm::new() }
    }

    /// The instructions that follow come from this line and column of the text, both from 1.
    pub fn line(&mut self, line: u32, column: u32) {
        self.place_in_text = (line, column);
    }

    /// Adds an instruction.
    #[track_caller]
    pub fn push(&mut self, insn: Insn) {
        self.insns.push(insn);
        self.lines.push(Location::caller());
        if self.text.is_some() {
            self.places.push(self.place_in_text);
        }
    }

    /// The program, with its jumps resolved.
    ///
    /// # Errors
    /// The first mistake, with its line.
    pub fn finish(mut self) -> Result<Program, AsmError> {
        self.check_end();
        self.resolve_jumps();
        match self.error.or(self.frame.error()) {
            Some(error) => Err(error),
            None => {
                let named = |(index, field): (usize, Field)| (index, field.to_string());
                Ok(Program {
                    insns: self.insns,
                    written: match self.text {
                        Some(text) => Written::Text(text, self.places),
                        None => Written::Rust(self.lines, self.source),
                    },
                    unresolved: self.unresolved.into_iter().map(named).collect(),
                    notes: vec![],
                    license: None,
                    types: None,
                    modules: vec![],
                    missing: vec![],
                })
            }
        }
    }

    /// Leaves out the instructions to which no path leads: the verifier refuses a program that has some.
    /// They are what a compiler writes after a jump that is always taken.
    pub fn drop_unreachable(&mut self) {
        let mut targets = vec![None; self.insns.len()];
        for (from, label) in &self.jumps {
            targets[*from] = self.own(*label).and_then(|index| self.labels[index].placed);
        }
        let mut reached = vec![false; self.insns.len()];
        let mut open = vec![0];
        while let Some(at) = open.pop() {
            if at >= reached.len() || std::mem::replace(&mut reached[at], true) {
                continue;
            }
            open.extend(targets[at]);
            if !matches!(self.insns[at], Insn::Goto { .. } | Insn::Gotol { .. } | Insn::Exit) {
                open.push(at + 1);
            }
        }
        self.keep(&reached);
    }

    /// How many instructions there are.
    #[allow(clippy::len_without_is_empty)] // Nobody asks.
    pub fn len(&self) -> usize {
        self.insns.len()
    }

    /// Whether one of these instructions reads a register.
    pub fn reads(&self, instructions: Range<usize>, register: R) -> bool {
        self.insns[instructions].iter().any(|insn| insn.reads().contains(register))
    }

    /// Leaves out these instructions.
    pub fn leave_out(&mut self, instructions: Range<usize>) {
        let kept: Vec<_> = (0..self.insns.len()).map(|at| !instructions.contains(&at)).collect();
        self.keep(&kept);
    }

    /// Leaves out the instructions that are not kept.
    fn keep(&mut self, kept: &[bool]) {
        // Where each instruction is then; one that is left out, where the next one is.
        let mut moved = vec![0; kept.len() + 1];
        for (at, kept) in kept.iter().enumerate() {
            moved[at + 1] = moved[at] + usize::from(*kept);
        }
        let keep = |at: usize| kept[at];
        let mut at = 0;
        self.insns.retain(|_| (keep(at), at += 1).0);
        at = 0;
        self.lines.retain(|_| (keep(at), at += 1).0);
        at = 0;
        self.places.retain(|_| (keep(at), at += 1).0);
        self.jumps.retain(|(from, _)| keep(*from));
        self.unresolved.retain(|(from, _)| keep(*from));
        self.jumps.iter_mut().for_each(|(from, _)| *from = moved[*from]);
        self.unresolved.iter_mut().for_each(|(from, _)| *from = moved[*from]);
        for label in &mut self.labels {
            label.placed = label.placed.map(|at| moved[at]);
        }
    }

    fn check_end(&mut self) {
        match (self.insns.last(), self.lines.last()) {
            (Some(Insn::Exit | Insn::Goto { .. } | Insn::Gotol { .. }), _) => {}
            (Some(_), Some(&last)) => self.fail(AsmError::MissingExit { last: Line::at(last) }),
            _ => self.fail(AsmError::Empty),
        }
    }

    fn resolve_jumps(&mut self) {
        // The slot of each instruction, and of the end.
        let mut slots = vec![0; self.insns.len() + 1];
        for (index, insn) in self.insns.iter().enumerate() {
            slots[index + 1] = slots[index] + insn.slots() as i64;
        }
        for (from, label) in std::mem::take(&mut self.jumps) {
            let jump = Line::at(self.lines[from]);
            let Some(label) = self.own(label).map(|index| self.labels[index]) else {
                self.fail(AsmError::ForeignLabel { jump });
                continue;
            };
            let Some(to) = label.placed else {
                self.fail(AsmError::Unplaced { made: label.made, jump });
                continue;
            };
            let Some(to_line) = self.lines.get(to).map(|line| Line::at(line)) else {
                self.fail(AsmError::PastEnd { jump });
                continue;
            };
            let distance = slots[to] - slots[from + 1];
            match self.with_distance(from, distance) {
                Some(insn) => self.insns[from] = insn,
                None => self.fail(AsmError::JumpTooFar { from: jump, to: to_line, distance }),
            }
        }
    }

    /// Instruction `index` with its jump's distance; None if the distance does not fit.
    fn with_distance(&self, index: usize, distance: i64) -> Option<Insn> {
        let short = i16::try_from(distance).ok();
        let long = i32::try_from(distance).ok()?;
        Some(match self.insns[index] {
            Insn::Goto { .. } if short.is_none() && self.isa == Isa::V4 => {
                Insn::Gotol { offset: long }
            }
            Insn::Goto { .. } => Insn::Goto { offset: short? },
            Insn::MayGoto { .. } => Insn::MayGoto { offset: short? },
            Insn::JumpIf { width, cond, dst, src, .. } => {
                Insn::JumpIf { width, cond, dst, src, offset: short? }
            }
            Insn::Gotol { .. } => Insn::Gotol { offset: long },
            Insn::Call(_) => Insn::Call(Callee::Local { offset: long }),
            // The load of a function's address counts from after its first slot, not its second.
            Insn::LoadImm64 { dst, .. } => {
                Insn::LoadImm64 { dst, value: Imm64::Func { offset: long.checked_add(1)? } }
            }
            other => other,
        })
    }

    #[track_caller]
    fn new_label(&mut self, placed: Option<usize>) -> LabelId {
        self.labels.push(LabelState { made: Line::caller(), placed });
        LabelId { asm: self.id, index: self.labels.len() - 1 }
    }

    /// The label's index, if it is one of this program's.
    fn own(&self, label: LabelId) -> Option<usize> {
        (label.asm == self.id).then_some(label.index)
    }

    /// Notes that the next instruction jumps to this label.
    fn jump_to(&mut self, target: &impl Target) {
        self.jumps.push((self.insns.len(), target.id().0));
    }

    /// Notes that the next instruction needs this field's offset.
    fn wait_for(&mut self, field: Option<Field>) {
        self.unresolved.extend(field.map(|field| (self.insns.len(), field)));
    }

    #[track_caller]
    fn address(&mut self, addr: Addr) -> (Reg, i16) {
        let bytes = match addr.offset {
            Offset::Bytes(bytes) => bytes,
            Offset::Field(field) => {
                self.wait_for(Some(field));
                0
            }
        };
        // Outside the closure, which has no caller but this.
        let at = Line::caller();
        let offset = i16::try_from(bytes).unwrap_or_else(|_| {
            self.fail(AsmError::OffsetOutOfRange { at, offset: bytes });
            0
        });
        (addr.base, offset)
    }

    fn fail(&mut self, error: AsmError) {
        self.error.get_or_insert(self.frame.error().unwrap_or(error));
    }
}
