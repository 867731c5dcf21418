//! Random programs that a verifier accepts: arithmetic on numbers that it does not know, memory, jumps, loops,
//! calls. What they compute ends in maps.

use rawbpf::insn::*;

/// Splitmix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below this one.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    /// A number as programs have them: small, at an end of a range, or any.
    pub fn number(&mut self) -> u64 {
        let any = self.next();
        match self.below(5) {
            0 => self.below(20),
            1 => self.below(20).wrapping_neg(),
            2 => self.one(&[
                1 << 31,
                1 << 63,
                u32::MAX.into(),
                i32::MAX as u64,
                i64::MAX as u64,
                1 << 32,
            ]),
            3 => any >> self.below(64),
            _ => any,
        }
    }
}

/// The maps, in their order: what registers and stack begin with, what they end with, a value that is worked
/// on, and a hash.
pub const MAPS: &str = "
    .map in array key 4 value 128 entries 1
    .map out array key 4 value 128 entries 1
    .map memory array key 4 value 64 entries 1
    .map hash hash key 4 value 8 entries 4
";
pub const KEYS: u32 = 8;

const WIDTHS: [Width; 2] = [Width::W32, Width::W64];
const SIZES: [Size; 4] = [Size::U8, Size::U16, Size::U32, Size::U64];
const ALU: [Alu; 14] = [
    Alu::Add,
    Alu::Sub,
    Alu::Mul,
    Alu::Div,
    Alu::Sdiv,
    Alu::Or,
    Alu::And,
    Alu::Lsh,
    Alu::Rsh,
    Alu::Mod,
    Alu::Smod,
    Alu::Xor,
    Alu::Mov,
    Alu::Arsh,
];
const CONDS: [Cond; 11] = [
    Cond::Eq,
    Cond::Ne,
    Cond::Gt,
    Cond::Ge,
    Cond::Lt,
    Cond::Le,
    Cond::Sgt,
    Cond::Sge,
    Cond::Slt,
    Cond::Sle,
    Cond::Set,
];
const ATOMICS: [Atomic; 10] = [
    Atomic::Add,
    Atomic::Or,
    Atomic::And,
    Atomic::Xor,
    Atomic::FetchAdd,
    Atomic::FetchOr,
    Atomic::FetchAnd,
    Atomic::FetchXor,
    Atomic::Xchg,
    Atomic::Cmpxchg,
];
const LOADS: [LoadType; 7] = [
    LoadType::U8,
    LoadType::U16,
    LoadType::U32,
    LoadType::U64,
    LoadType::S8,
    LoadType::S16,
    LoadType::S32,
];

fn reg(number: u8) -> Reg {
    Reg::new(number).unwrap()
}

fn mov(dst: u8, src: Operand) -> Insn {
    Insn::Alu { width: Width::W64, op: Alu::Mov, dst: reg(dst), src }
}

fn add(dst: u8, imm: i32) -> Insn {
    Insn::Alu { width: Width::W64, op: Alu::Add, dst: reg(dst), src: Operand::Imm(imm) }
}

fn load(dst: u8, base: u8, offset: i16) -> Insn {
    Insn::Load { type_: LoadType::U64, dst: reg(dst), base: reg(base), offset }
}

fn store(base: u8, offset: i16, src: u8) -> Insn {
    Insn::Store { size: Size::U64, base: reg(base), offset, src: Operand::Reg(reg(src)) }
}

fn map(dst: u8, index: i32) -> Insn {
    Insn::LoadImm64 { dst: reg(dst), value: Imm64::MapIndex(index) }
}

fn value(dst: u8, index: i32) -> Insn {
    Insn::LoadImm64 { dst: reg(dst), value: Imm64::MapIndexValue { index, offset: 0 } }
}

fn jump(cond: Cond, dst: u8, imm: i32, offset: i16) -> Insn {
    Insn::JumpIf { width: Width::W64, cond, dst: reg(dst), src: Operand::Imm(imm), offset }
}

fn slots(insns: &[Insn]) -> i16 {
    insns.iter().map(Insn::slots).sum::<usize>() as i16
}

/// What a piece of code may use.
struct Place {
    /// Registers that hold numbers.
    numbers: Vec<u8>,
    /// Registers that lead to 64 bytes, and the offset of these.
    memory: Vec<(u8, i16)>,
    /// Jumps, loops and calls are left out.
    straight: bool,
}

struct Generator {
    random: Random,
    /// Whether the function is called.
    calls: bool,
}

/// The program of this seed.
pub fn program(seed: u64) -> Vec<Insn> {
    let mut this = Generator { random: Random(seed), calls: false };
    let mut insns = vec![value(8, 0)];
    for word in 0..8 {
        insns.extend([load(9, 8, 64 + 8 * word), store(10, -64 + 8 * word, 9)]);
    }
    for register in 0..8 {
        insns.push(load(register, 8, 8 * i16::from(register)));
    }
    insns.push(value(8, 2));
    let place =
        Place { numbers: (0..8).collect(), memory: vec![(10, -64), (8, 0)], straight: false };
    let steps = 5 + this.random.below(25);
    for _ in 0..steps {
        let more = this.piece(&place, 2);
        insns.extend(more);
    }
    insns.push(value(9, 1));
    for register in 0..8 {
        insns.push(store(9, 8 * i16::from(register), register));
    }
    for word in 0..8 {
        insns.extend([load(1, 10, -64 + 8 * word), store(9, 64 + 8 * word, 1)]);
    }
    insns.extend([mov(0, Operand::Imm(0)), Insn::Exit]);
    this.function(&mut insns);
    insns
}

impl Generator {
    /// Instructions that leave all numbers numbers.
    fn piece(&mut self, place: &Place, depth: u32) -> Vec<Insn> {
        let random = &mut self.random;
        let number = |random: &mut Random| reg(random.one(&place.numbers));
        let (dst, src) = (number(random), number(random));
        let width = random.one(&WIDTHS);
        let (base, from) = random.one(&place.memory);
        let base = reg(base);
        let size = random.one(&SIZES);
        match random.below(if place.straight { 22 } else { 30 }) {
            0..10 => {
                let op = random.one(&ALU);
                let src = match random.below(2) {
                    0 => Operand::Reg(src),
                    _ => Operand::Imm(self.constant(op, width)),
                };
                vec![Insn::Alu { width, op, dst, src }]
            }
            10 => {
                let all = [Bits::B8, Bits::B16, Bits::B32];
                let from = random.one(if width == Width::W64 { &all } else { &all[..2] });
                vec![Insn::Movsx { width, from, dst, src }]
            }
            11 => vec![Insn::Neg { width, dst }],
            12 => {
                let bits = random.one(&[Bits::B16, Bits::B32, Bits::B64]);
                let endian = random.one(&[Endian::Little, Endian::Big]);
                vec![match random.below(2) {
                    0 => Insn::ToEndian { endian, bits, dst },
                    _ => Insn::Bswap { bits, dst },
                }]
            }
            13 => vec![Insn::LoadImm64 { dst, value: Imm64::Value(random.number()) }],
            14 | 15 => {
                let type_ = random.one(&LOADS);
                let offset = self.offset(from, type_.bytes());
                vec![Insn::Load { type_, dst, base, offset }]
            }
            16 | 17 => {
                let src = match random.below(3) {
                    0 => Operand::Imm(random.number() as i32),
                    _ => Operand::Reg(src),
                };
                vec![Insn::Store { size, base, offset: self.offset(from, size.bytes()), src }]
            }
            18 | 19 => {
                let op = random.one(&ATOMICS);
                let offset = self.offset(from, if width == Width::W32 { 4 } else { 8 });
                vec![Insn::Atomic { op, width, base, offset, src }]
            }
            20 => {
                vec![Insn::LoadAcquire { size, dst, base, offset: self.offset(from, size.bytes()) }]
            }
            21 => vec![Insn::StoreRelease {
                size,
                base,
                offset: self.offset(from, size.bytes()),
                src,
            }],
            22..26 if depth > 0 => self.branch(place, depth, (dst, src, width)),
            26 => self.repeated(place),
            27 => {
                self.calls = true;
                let mut insns = vec![mov(5, Operand::Reg(reg(10))), add(5, -64)];
                insns.push(Insn::Call(Callee::Local { offset: i32::MAX }));
                insns.extend(self.arguments());
                insns
            }
            28 | 29 => self.hash(src),
            _ => vec![],
        }
    }

    fn offset(&mut self, from: i16, bytes: i32) -> i16 {
        let bytes = bytes as i16;
        from + self.random.below(64) as i16 / bytes * bytes
    }

    /// A constant that a verifier accepts as the operand.
    fn constant(&mut self, op: Alu, width: Width) -> i32 {
        let imm = self.random.number() as i32;
        match op {
            Alu::Lsh | Alu::Rsh | Alu::Arsh => imm & if width == Width::W32 { 31 } else { 63 },
            Alu::Div | Alu::Mod | Alu::Sdiv | Alu::Smod if imm == 0 => 3,
            _ => imm,
        }
    }

    /// Numbers in what a call wipes.
    fn arguments(&mut self) -> Vec<Insn> {
        let operand = |this: &mut Generator| match this.random.below(3) {
            0 => Operand::Imm(this.random.number() as i32),
            _ => Operand::Reg(reg(this.random.one(&[0, 6, 7]))),
        };
        (1..=5).map(|register| mov(register, operand(self))).collect()
    }

    /// Code that runs or not.
    fn branch(
        &mut self,
        place: &Place,
        depth: u32,
        (dst, src, width): (Reg, Reg, Width),
    ) -> Vec<Insn> {
        let block = |this: &mut Generator| {
            let count = this.random.below(4);
            (0..count).flat_map(|_| this.piece(place, depth - 1)).collect::<Vec<_>>()
        };
        let (mut then, other) = (block(self), block(self));
        let long = slots(&other);
        then.push(match self.random.below(2) {
            0 => Insn::Goto { offset: long },
            _ => Insn::Gotol { offset: long.into() },
        });
        let src = match self.random.below(2) {
            0 => Operand::Reg(src),
            _ => Operand::Imm(self.random.number() as i32),
        };
        let cond = self.random.one(&CONDS);
        let offset = slots(&then);
        let mut insns = vec![match self.random.below(16) {
            0 => Insn::MayGoto { offset },
            _ => Insn::JumpIf { width, cond, dst, src, offset },
        }];
        insns.extend(then);
        insns.extend(other);
        insns
    }

    /// Code that runs several times.
    fn repeated(&mut self, place: &Place) -> Vec<Insn> {
        let rounds = 1 + self.random.below(4) as i32;
        let inside =
            Place { numbers: place.numbers.clone(), memory: place.memory.clone(), straight: true };
        let mut insns = vec![];
        for _ in 0..1 + self.random.below(4) {
            insns.extend(self.piece(&inside, 0));
        }
        insns.push(add(9, -1));
        let back = -(slots(&insns) + 1);
        insns.push(jump(Cond::Ne, 9, 0, back));
        insns.insert(0, mov(9, Operand::Imm(rounds)));
        insns
    }

    /// A call on the hash, with a key from a register and a value from the stack.
    fn hash(&mut self, key: Reg) -> Vec<Insn> {
        let helper = self.random.one(&[
            helper::MAP_LOOKUP_ELEM,
            helper::MAP_UPDATE_ELEM,
            helper::MAP_DELETE_ELEM,
        ]);
        let mut insns = vec![
            mov(2, Operand::Reg(key)),
            Insn::Alu {
                width: Width::W64,
                op: Alu::And,
                dst: reg(2),
                src: Operand::Imm(KEYS as i32 - 1),
            },
            Insn::Store { size: Size::U32, base: reg(10), offset: -72, src: Operand::Reg(reg(2)) },
            map(1, 3),
            mov(2, Operand::Reg(reg(10))),
            add(2, -72),
            mov(3, Operand::Reg(reg(10))),
            add(3, -64 + 8 * self.random.below(8) as i32),
            mov(4, Operand::Imm(self.random.below(4) as i32)),
            Insn::Call(Callee::Helper(helper.id as i32)),
        ];
        if helper == helper::MAP_LOOKUP_ELEM {
            insns.extend([
                jump(Cond::Eq, 0, 0, 3),
                mov(1, Operand::Reg(reg(7))),
                Insn::Atomic {
                    op: Atomic::Add,
                    width: Width::W64,
                    base: reg(0),
                    offset: 0,
                    src: reg(1),
                },
                load(0, 0, 0),
            ]);
        }
        insns.extend(self.arguments());
        insns
    }

    /// Puts the function that is called behind the program, if it is called.
    fn function(&mut self, insns: &mut Vec<Insn>) {
        if !self.calls {
            return;
        }
        let start = slots(insns);
        let mut slot = 0;
        for insn in insns.iter_mut() {
            if let Insn::Call(Callee::Local { offset }) = insn {
                *offset = (start - slot - 1).into();
            }
            slot += insn.slots() as i16;
        }
        let place =
            Place { numbers: vec![0, 1, 2, 3, 4, 6, 7], memory: vec![(5, 0)], straight: true };
        for register in [0, 6, 7] {
            insns.push(mov(register, Operand::Imm(self.random.number() as i32)));
        }
        for _ in 0..2 + self.random.below(10) {
            let more = self.piece(&place, 0);
            insns.extend(more);
        }
        insns.push(Insn::Exit);
    }
}
