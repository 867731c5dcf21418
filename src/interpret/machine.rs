//! A program that runs, one instruction after the other.

use thiserror::Error;

use super::alu::{alu, atomic, extended, holds, narrowed, swapped, to_endian};
use super::memory::{
    CODE, CONTEXT, HANDLES, KEY, Region, Registers, Rights, STACK, STACK_SIZE, VALUES, address,
};
use super::packet::{self, Input};
use super::world::{World, no_loop, returned};
use crate::insn::{Alu, Atomic, Callee, Imm64, Insn, LoadType, Operand, Reg, Width};

/// The largest number of functions that are under way at once.
const FRAMES: usize = 8;

/// How often a `may_goto` of a function falls through.
const PATIENCE: u32 = 8 << 20;

/// `bpf_loop` and `bpf_for_each_map_elem`.
const LOOP: i32 = 181;
const FOR_EACH: i32 = 164;

/// Why a program cannot go on. A program that a verifier accepted meets only what needs a kernel.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("instruction {slot}: {reason}")]
pub struct Fault {
    /// The slot of the instruction.
    pub slot: usize,
    /// The reason in words.
    pub reason: String,
}

/// A function that waits for one that it called.
#[derive(Clone, Debug)]
struct Caller {
    /// Where it goes on.
    slot: usize,
    registers: Registers,
    patience: u32,
    callback: Option<Callback>,
}

/// What calls a function several times.
#[derive(Clone, Debug)]
enum Callback {
    /// The rounds that are left and done, the function, and its second argument.
    Loop { left: u64, done: u64, function: usize, argument: u64 },
    /// The map and the place of its next key, the rounds that are done, the function, and its last argument.
    ForEach { map: usize, place: usize, done: u64, function: usize, argument: u64 },
}

/// A machine that runs a program. It stops before an instruction that faults.
#[derive(Clone, Debug)]
pub struct Machine {
    code: Vec<Option<Insn>>,
    /// Memory and maps.
    pub world: World,
    registers: Registers,
    callers: Vec<Caller>,
    patience: u32,
    slot: usize,
    steps: u64,
    returned: Option<u64>,
}

impl Machine {
    /// A machine before the first instruction of a program, whose maps the world has.
    ///
    /// # Errors
    /// The input is none for a program.
    pub fn new(insns: &[Insn], mut world: World, input: &Input) -> Result<Machine, String> {
        world.place(input)?;
        let mut code = vec![];
        for insn in insns {
            code.push(Some(*insn));
            code.resize(code.len() + insn.slots() - 1, None);
        }
        *world.memory.region_mut(CODE) = Region::new("code", Rights::None, vec![0; code.len()]);
        let mut machine = Machine {
            code,
            world,
            registers: Registers::default(),
            callers: vec![],
            patience: PATIENCE,
            slot: 0,
            steps: 0,
            returned: None,
        };
        machine.enter(&[address(CONTEXT, 0)]);
        Ok(machine)
    }

    /// The registers of the function that runs.
    pub fn registers(&self) -> &Registers {
        &self.registers
    }

    /// The slot of the next instruction.
    pub fn slot(&self) -> usize {
        self.slot
    }

    /// The number of functions that are under way, from 1.
    pub fn depth(&self) -> usize {
        self.callers.len() + 1
    }

    /// The stack of a function that is under way, from 0 for the first; its last byte is the one before
    /// that function's r10.
    pub fn stack(&self, depth: usize) -> &[u8] {
        let region = self.world.memory.region(STACK + depth as u32);
        region.map_or(&[], |region| &region.bytes)
    }

    /// The number of instructions that ran.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The program's result, once it has ended.
    pub fn returned(&self) -> Option<u64> {
        self.returned
    }

    /// Runs the next instruction. Returns the program's result once it has ended.
    ///
    /// # Errors
    /// The instruction cannot be run, and why; the machine is as it was before.
    pub fn step(&mut self) -> Result<Option<u64>, Fault> {
        if self.returned.is_none() {
            let slot = self.slot;
            self.execute().map_err(|reason| Fault { slot, reason })?;
            self.steps += 1;
            self.world.nanoseconds += 1;
        }
        Ok(self.returned)
    }

    /// Runs up to this number of instructions. Returns the program's result; `None` if it has not ended.
    ///
    /// # Errors
    /// As [`Machine::step`].
    pub fn run(&mut self, steps: u64) -> Result<Option<u64>, Fault> {
        for _ in 0..steps {
            if let Some(result) = self.step()? {
                return Ok(Some(result));
            }
        }
        Ok(self.returned)
    }

    /// Begins a function with these arguments.
    fn enter(&mut self, arguments: &[u64]) {
        let depth = self.callers.len();
        let name = if depth == 0 { "fp".to_owned() } else { format!("fp of function {depth}, ") };
        let id = STACK + depth as u32;
        let stack = Region::new(&name, Rights::Write, vec![0; STACK_SIZE]);
        *self.world.memory.region_mut(id) = stack;
        self.registers = Registers::default();
        self.registers.0[10] = Some(address(id, STACK_SIZE));
        for (register, argument) in self.registers.0[1..].iter_mut().zip(arguments) {
            *register = Some(*argument);
        }
        self.patience = PATIENCE;
    }

    /// Calls a function of the program.
    fn call(
        &mut self,
        function: usize,
        arguments: &[Option<u64>],
        to: usize,
        callback: Option<Callback>,
    ) -> Result<(), String> {
        if self.callers.len() + 1 == FRAMES {
            return Err(format!("more than {FRAMES} functions would be under way"));
        }
        let (registers, patience) = (self.registers, self.patience);
        self.callers.push(Caller { slot: to, registers, patience, callback });
        self.enter(&[]);
        self.registers.0[1..=arguments.len()].copy_from_slice(arguments);
        self.slot = function;
        Ok(())
    }

    /// Ends the function that runs.
    fn leave(&mut self) -> Result<(), String> {
        let result = self.registers.get(0)?;
        let Some(caller) = self.callers.pop() else {
            self.returned = Some(result);
            return Ok(());
        };
        let id = STACK + self.callers.len() as u32 + 1;
        self.world.memory.region_mut(id).rights = Rights::None;
        self.registers = caller.registers;
        self.patience = caller.patience;
        match caller.callback {
            None => self.after_call(result, caller.slot),
            Some(callback) => self.again(callback, result, caller.slot)?,
        }
        Ok(())
    }

    /// What a call leaves in the registers.
    fn after_call(&mut self, result: u64, to: usize) {
        self.registers.0[0] = Some(result);
        self.registers.0[1..=5].fill(None);
        self.slot = to;
    }

    /// Calls a callback once more, or goes on after the helper.
    fn again(&mut self, callback: Callback, result: u64, to: usize) -> Result<(), String> {
        match callback {
            Callback::Loop { left, done, function, argument } => {
                let done = done + 1;
                if left == 0 || result != 0 {
                    self.after_call(done, to);
                    return Ok(());
                }
                let next = Callback::Loop { left: left - 1, done, function, argument };
                self.call(function, &[Some(done), Some(argument)], to, Some(next))
            }
            Callback::ForEach { map, place, done, function, argument } => {
                let next = self.world.maps[map].key_from(place).filter(|_| result == 0);
                let Some((key, place)) = next else {
                    self.after_call(done, to);
                    return Ok(());
                };
                let value = self.world.maps[map].lookup(&key);
                *self.world.memory.region_mut(KEY) = Region::new("key", Rights::Read, key);
                let arguments = [address(HANDLES, map), address(KEY, 0), value, argument];
                let next = Callback::ForEach { map, place, done: done + 1, function, argument };
                self.call(function, &arguments.map(Some), to, Some(next))
            }
        }
    }

    /// The function at an address.
    fn function(&self, at: u64) -> Result<usize, String> {
        match self.world.memory.place(at) {
            Some((CODE, _, offset)) => Ok(offset as usize),
            _ => Err("r2 is not the address of a function".to_owned()),
        }
    }

    fn helper(&mut self, id: i32, to: usize) -> Result<(), String> {
        let r = self.registers;
        match id {
            LOOP => {
                let (rounds, argument) = (u64::from(r.get(1)? as u32), r.get(3)?);
                let function = self.function(r.get(2)?)?;
                match no_loop(rounds, r.get(4)?) {
                    Some(result) => self.after_call(result, to),
                    None => {
                        let next = Callback::Loop { left: rounds - 1, done: 0, function, argument };
                        self.call(function, &[Some(0), Some(argument)], to, Some(next))?;
                    }
                }
            }
            FOR_EACH => {
                let (map, argument) = (self.world.map_at(r.get(1)?)?, r.get(3)?);
                let function = self.function(r.get(2)?)?;
                if r.get(4)? != 0 {
                    self.after_call(returned(Err(super::maps::EINVAL)), to);
                    return Ok(());
                }
                self.again(
                    Callback::ForEach { map, place: 0, done: 0, function, argument },
                    0,
                    to,
                )?;
            }
            _ => {
                let result = self.world.call(id, &r)?;
                self.after_call(result, to);
            }
        }
        Ok(())
    }

    fn get(&self, register: Reg) -> Result<u64, String> {
        self.registers.get(register.number())
    }

    fn operand(&self, operand: Operand) -> Result<u64, String> {
        match operand {
            Operand::Imm(imm) => Ok(i64::from(imm) as u64),
            Operand::Reg(register) => self.get(register),
        }
    }

    fn address(&self, base: Reg, offset: i16) -> Result<u64, String> {
        Ok(self.get(base)?.wrapping_add(i64::from(offset) as u64))
    }

    fn load(&self, type_: LoadType, at: u64) -> Result<u64, String> {
        if let (LoadType::U32, Some((CONTEXT, _, offset))) = (type_, self.world.memory.place(at))
            && let Some(end) = self.world.packet_end(offset)
        {
            return Ok(end);
        }
        let size = type_.bytes() as usize;
        let value = self.world.memory.load(at, size)?;
        Ok(match type_ {
            LoadType::S8 | LoadType::S16 | LoadType::S32 => extended(8 * size as u8, value),
            _ => value,
        })
    }

    /// The value of a two-slot load.
    fn wide(&self, value: Imm64) -> Result<u64, String> {
        let map = |index: i32| {
            let index = usize::try_from(index).ok().filter(|index| *index < self.world.maps.len());
            index.ok_or_else(|| "the program refers to a map that is not here".to_owned())
        };
        Ok(match value {
            Imm64::Value(value) => value,
            Imm64::MapIndex(index) => address(HANDLES, map(index)?),
            Imm64::MapIndexValue { index, offset } => {
                address(VALUES + map(index)? as u32, offset as usize)
            }
            Imm64::Func { offset } => {
                let to = self.slot as i64 + 1 + i64::from(offset);
                address(CODE, usize::try_from(to).unwrap_or(usize::MAX))
            }
            Imm64::MapFd(_) | Imm64::MapFdValue { .. } => {
                return Err("the map is known by a file descriptor only".to_owned());
            }
            Imm64::BtfId { .. } => {
                return Err("the address of a kernel's variable needs a kernel".to_owned());
            }
        })
    }

    fn execute(&mut self) -> Result<(), String> {
        let insn = self.code.get(self.slot).copied().flatten();
        let insn = insn.ok_or("no instruction begins here")?;
        let next = self.slot + insn.slots();
        let mut to = next as i64;
        match insn {
            Insn::Alu { width, op, dst, src } => {
                let a = if op == Alu::Mov { 0 } else { self.get(dst)? };
                self.registers.set(dst, alu(width, op, a, self.operand(src)?))?;
            }
            Insn::Movsx { width, from, dst, src } => {
                let value = extended(from.count(), self.get(src)?);
                self.registers.set(dst, narrowed(width, value))?;
            }
            Insn::Neg { width, dst } => {
                self.registers.set(dst, narrowed(width, self.get(dst)?.wrapping_neg()))?;
            }
            Insn::ToEndian { endian, bits, dst } => {
                self.registers.set(dst, to_endian(endian, bits, self.get(dst)?))?;
            }
            Insn::Bswap { bits, dst } => {
                self.registers.set(dst, swapped(bits, self.get(dst)?))?;
            }
            Insn::Load { type_, dst, base, offset } => {
                let value = self.load(type_, self.address(base, offset)?)?;
                self.registers.set(dst, value)?;
            }
            Insn::LoadAcquire { size, dst, base, offset } => {
                let at = self.address(base, offset)?;
                let value = self.world.memory.load(at, size.bytes() as usize)?;
                self.registers.set(dst, value)?;
            }
            Insn::Store { size, base, offset, src } => {
                let (at, value) = (self.address(base, offset)?, self.operand(src)?);
                self.world.memory.store(at, size.bytes() as usize, value)?;
            }
            Insn::StoreRelease { size, base, offset, src } => {
                let (at, value) = (self.address(base, offset)?, self.get(src)?);
                self.world.memory.store(at, size.bytes() as usize, value)?;
            }
            Insn::Atomic { op, width, base, offset, src } => {
                let at = self.address(base, offset)?;
                let size = if width == Width::W32 { 4 } else { 8 };
                let expected = if op == Atomic::Cmpxchg { self.registers.get(0)? } else { 0 };
                let (old, source) = (self.world.memory.load(at, size)?, self.get(src)?);
                let new = atomic(width, op, old, source, expected);
                self.world.memory.store(at, size, new)?;
                match op {
                    Atomic::Add | Atomic::Or | Atomic::And | Atomic::Xor => {}
                    Atomic::Cmpxchg => self.registers.0[0] = Some(old),
                    _ => self.registers.set(src, old)?,
                }
            }
            Insn::LoadPacket { size, index, offset } => {
                let index = index.map_or(Ok(0), |index| self.get(index))?;
                let offset = (index as i32).wrapping_add(offset);
                let size = size.bytes() as usize;
                match packet::bytes(&self.world.memory, offset.into(), size) {
                    Some(bytes) => {
                        let value =
                            bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
                        self.after_call(value, next);
                    }
                    // What is not there ends the function.
                    None => {
                        self.registers.0[0] = Some(0);
                        return self.leave();
                    }
                }
            }
            Insn::LoadImm64 { dst, value } => self.registers.set(dst, self.wide(value)?)?,
            Insn::Goto { offset } => to += i64::from(offset),
            Insn::Gotol { offset } => to += i64::from(offset),
            Insn::MayGoto { offset } => match self.patience {
                0 => to += i64::from(offset),
                _ => self.patience -= 1,
            },
            Insn::JumpIf { width, cond, dst, src, offset } => {
                if holds(width, cond, self.get(dst)?, self.operand(src)?) {
                    to += i64::from(offset);
                }
            }
            Insn::Call(Callee::Helper(id)) => return self.helper(id, next),
            Insn::Call(Callee::Local { offset }) => {
                let function = usize::try_from(to + i64::from(offset));
                let function = function.map_err(|_| "the function lies before the program")?;
                let mut arguments = [None; 5];
                arguments.copy_from_slice(&self.registers.0[1..=5]);
                return self.call(function, &arguments, next, None);
            }
            Insn::Call(Callee::Kfunc { .. }) => {
                return Err("a kernel's function needs a kernel".to_owned());
            }
            Insn::Exit => return self.leave(),
            Insn::Raw(_) => return Err("this is no instruction".to_owned()),
        }
        self.slot = usize::try_from(to).map_err(|_| "the jump leads to before the program")?;
        Ok(())
    }
}
