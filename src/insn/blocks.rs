//! Blocks of instructions that any program may need: log2, reads of kernel memory, maps. All instructions
//! of a block have the source line that called the block.

use super::asm::{Asm, Target};
use super::helper::{MAP_DELETE_ELEM, MAP_LOOKUP_ELEM, MAP_UPDATE_ELEM, PROBE_READ_KERNEL};
use super::instruction::Cond::{Eq, Ne};
use super::mem::{Addr, Loadable, Mem, Offset, Storable, u32_at};
use super::program::MapRef;
use super::reg::{R, r0, r1, r2, r3, r4, w2};
use super::regs::Regs;
use super::slot::Endian;

/// How a program may read through a pointer into the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// By a plain load, which gives 0 for a bad address: the verifier knows the pointer's type from BTF.
    Typed,
    /// By bpf_probe_read_kernel, which copies to the stack: for the verifier the pointer is a number.
    Probe,
}

/// log2 of the numbers below 16, a hexadecimal digit each, and the bits that a digit needs.
const LOG2: (u64, i32) = (0x3333_3333_2222_1100, 3);
/// Their lengths in bits.
const LENGTH: (u64, i32) = (0x4444_4444_3333_2210, 7);

impl Asm {
    /// `dst = ` index of the highest set bit of `value`, or 0 for 0. The high half of `value` must be 0. Clobbers
    /// `value` and `scratch`. 23 slots and no branch, whose misprediction would cost more than all of them; the
    /// verifier sees a result of at most 31.
    #[track_caller]
    pub fn log2(&mut self, dst: R, value: R, scratch: R) {
        self.halve(dst, value, 16, 0xffff, 59);
        self.add_bits_of_16(dst, value, scratch, LOG2);
    }

    /// `dst = ` how many bits `value` needs: 0 for 0, else one more than its [`Asm::log2`], at the same cost. The
    /// verifier sees a result of at most 35.
    #[track_caller]
    pub fn bit_length(&mut self, dst: R, value: R, scratch: R) {
        self.halve(dst, value, 16, 0xffff, 59);
        self.add_bits_of_16(dst, value, scratch, LENGTH);
    }

    /// [`Asm::bit_length`] for all 64 bits. The verifier sees a result of at most 67.
    #[track_caller]
    pub fn bit_length_u64(&mut self, dst: R, value: R, scratch: R) {
        self.halve_64_bits(dst, value, scratch);
        self.add_bits_of_16(dst, value, scratch, LENGTH);
    }

    /// `dst = ` index of the highest set bit of `value`, for all its 64 bits: 29 slots, a result of at most 63.
    /// Otherwise like [`Asm::log2`].
    #[track_caller]
    pub fn log2_u64(&mut self, dst: R, value: R, scratch: R) {
        self.halve_64_bits(dst, value, scratch);
        self.add_bits_of_16(dst, value, scratch, LOG2);
    }

    /// `dst = ` by how many bits `value` must be shifted to be below 2^16, and shifts it.
    #[track_caller]
    fn halve_64_bits(&mut self, dst: R, value: R, scratch: R) {
        // Like the other steps, but their difference could overflow here. So the high half is tested: if it is
        // not 0, its negation is negative.
        self.mov(dst, value);
        self.rsh(dst, 32);
        self.neg(dst);
        self.rsh(dst, 58);
        self.and(dst, 32);
        self.rsh(value, dst);
        self.halve(scratch, value, 16, 0xffff, 59);
        self.add(dst, scratch);
    }

    /// `dst = ` index of the bucket of `value` where each power of two has `1 << bits` buckets of one width: `value`
    /// itself below `2 << bits`, else what its highest `bits + 1` bits and their place make. `bits` is at least 2.
    /// Clobbers `value` and `scratch`. 31 slots and no branch; the verifier sees a result below `64 << bits`.
    #[track_caller]
    pub fn log_linear(&mut self, dst: R, value: R, bits: i32, [scratch, more]: [R; 2]) {
        // Whole bytes first. With its bytes turned round, the highest byte that is not 0 is the lowest; a number
        // and its negation differ in all bits above their lowest one; the lowest bits of the bytes there are
        // counted by a multiplication.
        self.mov(more, value);
        self.rsh(more, bits);
        match Endian::HOST {
            Endian::Little => self.to_be64(more),
            Endian::Big => self.to_le64(more),
        }
        self.mov(dst, more);
        self.neg(dst);
        self.xor(dst, more);
        self.load_imm64(scratch, 0x0101_0101_0101_0101);
        self.and(dst, scratch);
        self.mul(dst, scratch);
        self.rsh(dst, 53);
        self.and(dst, 56);
        self.rsh(value, dst);
        // Then four bits, then those of a hexadecimal digit of a constant.
        self.halve(scratch, value, 4, (16 << bits) - 1, 61);
        self.add(dst, scratch);
        self.mov(more, value);
        self.rsh(more, bits - 2);
        self.and(more, 60);
        self.load_imm64(scratch, 0x3333_3333_2222_1100);
        self.rsh(scratch, more);
        self.and(scratch, 3);
        self.rsh(value, scratch);
        self.add(dst, scratch);
        self.lsh(dst, bits);
        self.add(dst, value);
        // For the verifier alone.
        self.and(dst, (64 << bits) - 1);
    }

    /// `dst += ` log2 or the length of `value`, which is below 2^16: `digits` says which.
    #[track_caller]
    fn add_bits_of_16(&mut self, dst: R, value: R, scratch: R, digits: (u64, i32)) {
        // An addition joins these bits as an `or` would, and verifiers before 6.9 follow only an addition.
        self.halve(scratch, value, 8, 0xff, 60);
        self.add(dst, scratch);
        self.halve(scratch, value, 4, 0xf, 61);
        self.add(dst, scratch);
        // The result for the last four bits is a hexadecimal digit of a constant.
        let (digits, mask) = digits;
        self.load_imm64(scratch, digits);
        self.lsh(value, 2);
        self.rsh(scratch, value);
        self.and(scratch, mask);
        self.add(dst, scratch);
    }

    /// If `value` is above `limit`: `bit = step; value >>= step`, else `bit = 0`. If it is above, the difference
    /// is negative, and `shift` moves its sign to the place of the 1 in `step`.
    #[track_caller]
    fn halve(&mut self, bit: R, value: R, step: i32, limit: i32, shift: i32) {
        self.mov(bit, limit);
        self.sub(bit, value);
        self.rsh(bit, shift);
        self.and(bit, step);
        self.rsh(value, bit);
    }

    /// `dst = *(T *)(mem)`, like [`Asm::load`] but through a pointer into the kernel. With [`Access::Probe`],
    /// this clobbers r0 to r5 and [the last 8 bytes of the stack](super::Frame::place_for_reads), so a base
    /// survives only in r6 to r9; if the address is bad, the program continues at `unreadable`. The base may be
    /// r3, which saves an instruction, but not r1 or r2.
    #[track_caller]
    pub fn read<T: Loadable + Storable>(
        &mut self,
        access: Access,
        dst: R,
        mem: Mem<T>,
        unreadable: &impl Target,
    ) {
        if access == Access::Typed {
            return self.load(dst, mem);
        }
        let copy = self.frame.place_for_reads();
        self.load_address(r1, copy);
        self.mov(w2, T::SIZE.bytes());
        if mem.addr.base != r3.into() {
            self.mov(r3, mem.addr.base);
        }
        if mem.addr.offset != Offset::Bytes(0) {
            self.add(r3, mem.addr.offset);
        }
        self.call(PROBE_READ_KERNEL);
        self.jump_if(r0, Ne, 0, unreadable);
        self.load(dst, Mem::<T>::at(copy.into()));
    }

    /// Clears the bytes after the first zero of 16 bytes, which are in two registers as loaded from memory: so a
    /// name is always the same key, whatever an older name left after it. Clobbers the scratch registers.
    #[track_caller]
    pub fn end_at_nul(&mut self, [first, second]: [R; 2], scratch: [R; 2]) {
        let (long, done) = (self.label(), self.label());
        let [ones, nul] = scratch;
        // The first byte in memory must be the lowest of the number.
        self.to_le64(first);
        self.to_le64(second);
        self.load_imm64(ones, 0x0101_0101_0101_0101);
        self.find_nul(nul, first, ones);
        self.jump_if(nul, Eq, 0, &long);
        self.keep_below(first, nul, ones);
        self.mov(second, 0);
        self.goto(&done);
        self.place(long);
        self.find_nul(nul, second, ones);
        self.keep_below(second, nul, ones);
        self.place(done);
        self.to_le64(first);
        self.to_le64(second);
    }

    /// Sets the lowest bit of `nul` at the first byte of `bytes` that is 0; `nul` is 0 if no byte is.
    #[track_caller]
    fn find_nul(&mut self, nul: R, bytes: R, ones: R) {
        // Up to this byte, only it gets a high bit from the subtraction that it did not have.
        self.mov(nul, bytes);
        self.sub(nul, ones);
        self.or(nul, bytes);
        self.xor(nul, bytes);
        self.rsh(nul, 7);
        self.and(nul, ones);
    }

    /// Clears the bytes from the one on that [`Asm::find_nul`] found, if it found one.
    #[track_caller]
    fn keep_below(&mut self, bytes: R, nul: R, scratch: R) {
        self.mov(scratch, nul);
        self.sub(scratch, 1);
        self.xor(nul, scratch);
        self.and(bytes, nul);
    }

    /// `dst = ` the address of a place on the stack.
    #[track_caller]
    pub fn load_address(&mut self, dst: R, address: impl Into<Addr>) {
        let address = address.into();
        self.mov(dst, address.base);
        if address.offset != Offset::Bytes(0) {
            self.add(dst, address.offset);
        }
    }

    /// `r0 = &map[*key]`, or 0 if there is no such key. Clobbers r1 to r5.
    #[track_caller]
    pub fn lookup(&mut self, map: MapRef, key: impl Into<Addr>) {
        self.load_map(r1, map);
        self.load_address(r2, key);
        self.call(MAP_LOOKUP_ELEM);
    }

    /// `r0 = &array[0]`; in a per-CPU array, this CPU's value. The index is written to `index`. The verifier
    /// requires `if_missing`, which is never reached. Clobbers r1 to r5.
    #[track_caller]
    pub fn lookup_first(
        &mut self,
        array: MapRef,
        index: impl Into<Addr>,
        if_missing: &impl Target,
    ) {
        let index = index.into();
        self.store(u32_at(index), 0);
        self.lookup(array, index);
        self.jump_if(r0, Eq, 0, if_missing);
    }

    /// `map[*key] = *value`, or nothing if the map is full: r0 is 0 if it worked. Clobbers r1 to r5.
    #[track_caller]
    pub fn update(&mut self, map: MapRef, key: impl Into<Addr>, value: impl Into<Addr>) {
        self.update_with(map, key.into(), value.into(), 0);
    }

    /// `map[*key] = *value` for a key that is not in the map: r0 is 0, or negative: -EEXIST if the key is there,
    /// or another error. Clobbers r1 to r5.
    #[track_caller]
    pub fn insert(&mut self, map: MapRef, key: impl Into<Addr>, value: impl Into<Addr>) {
        self.update_with(map, key.into(), value.into(), BPF_NOEXIST);
    }

    #[track_caller]
    fn update_with(&mut self, map: MapRef, key: Addr, value: Addr, flags: i32) {
        self.load_map(r1, map);
        self.load_address(r2, key);
        self.load_address(r3, value);
        self.mov(r4, flags);
        self.call(MAP_UPDATE_ELEM);
    }

    /// Removes a key: r0 is 0 if it was there. Clobbers r1 to r5.
    #[track_caller]
    pub fn delete(&mut self, map: MapRef, key: impl Into<Addr>) {
        self.load_map(r1, map);
        self.load_address(r2, key);
        self.call(MAP_DELETE_ELEM);
    }
}

/// The registers that each block overwrites besides its result.
pub mod clobbers {
    use super::{Access, R, Regs};

    /// [`Asm::log2`](super::Asm::log2) and [`Asm::bit_length`](super::Asm::bit_length), also of 64 bits.
    pub const fn log2(value: R, scratch: R) -> Regs {
        Regs::of([value, scratch])
    }

    /// [`Asm::log_linear`](super::Asm::log_linear).
    pub const fn log_linear(value: R, [scratch, more]: [R; 2]) -> Regs {
        Regs::of([value, scratch, more])
    }

    /// [`Asm::read`](super::Asm::read).
    pub const fn read(access: Access) -> Regs {
        match access {
            Access::Typed => Regs::NONE,
            Access::Probe => Regs::CALL,
        }
    }

    /// [`Asm::end_at_nul`](super::Asm::end_at_nul).
    pub const fn end_at_nul(scratch: [R; 2]) -> Regs {
        Regs::of(scratch)
    }

    /// The blocks that look a key up, update or delete it; their result is in r0.
    pub const OF_MAPS: Regs = Regs::ARGUMENTS;
}

/// The flag of bpf_map_update_elem that adds a key, or fails if it is there.
pub const BPF_NOEXIST: i32 = 1;
