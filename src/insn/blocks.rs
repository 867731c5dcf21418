//! What programs are made of. Every instruction of a block is blamed on the line that asked for
//! the block.

use super::asm::{Asm, Target};
use super::buckets::Buckets;
use super::helper::{MAP_DELETE_ELEM, MAP_LOOKUP_ELEM, MAP_UPDATE_ELEM, PROBE_READ_KERNEL};
use super::instruction::Cond::{Eq, Ge, Le, Ne};
use super::mem::{Addr, Load, Mem, Offset, Store, u32_at, u64_at};
use super::program::MapRef;
use super::reg::{R, fp, r0, r1, r2, r3, r4, w2};

/// How a program may read through a pointer into the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// The verifier knows the pointer's type from BTF: a plain load, which gives 0 where the
    /// address is bad.
    Typed,
    /// It is a number to the verifier: bpf_probe_read_kernel copies to the stack.
    Probe,
}

impl Asm {
    /// `dst = ` index of the highest set bit of `value`, 0 for 0, where the high half of `value`
    /// is 0. Clobbers `value` and `scratch`. 23 slots and no branch, whose misprediction would
    /// cost more than all of them; the verifier sees a result of at most 31.
    #[track_caller]
    pub fn log2(&mut self, dst: R, value: R, scratch: R) {
        self.halve(dst, value, 16, 0xffff, 59);
        self.log2_of_16_bits(dst, value, scratch);
    }

    /// The same for all 64 bits of `value`: 29 slots, a result of at most 63.
    #[track_caller]
    pub fn log2_u64(&mut self, dst: R, value: R, scratch: R) {
        // As below, but for a limit that a value can lie above by more than 63 bits hold: what is
        // over it has a sign once it is negated.
        self.mov(dst, value);
        self.rsh(dst, 32);
        self.neg(dst);
        self.rsh(dst, 58);
        self.and(dst, 32);
        self.rsh(value, dst);
        self.halve(scratch, value, 16, 0xffff, 59);
        self.add(dst, scratch);
        self.log2_of_16_bits(dst, value, scratch);
    }

    /// `dst += ` log2 of `value`, which is below 2^16.
    #[track_caller]
    fn log2_of_16_bits(&mut self, dst: R, value: R, scratch: R) {
        // Adding these bits joins them as or would, and verifiers before 6.9 follow only an addition.
        self.halve(scratch, value, 8, 0xff, 60);
        self.add(dst, scratch);
        self.halve(scratch, value, 4, 0xf, 61);
        self.add(dst, scratch);
        // The last four bits look their result up in a constant, a hexadecimal digit each.
        self.load_imm64(scratch, 0x3333_3333_2222_1100);
        self.lsh(value, 2);
        self.rsh(scratch, value);
        self.and(scratch, 3);
        self.add(dst, scratch);
    }

    /// If `value` is above `limit`: `bit = step; value >>= step`, else `bit = 0`. The difference is
    /// negative where it is above, and `shift` moves its sign to where `step` has its one.
    #[track_caller]
    fn halve(&mut self, bit: R, value: R, step: i32, limit: i32, shift: i32) {
        self.mov(bit, limit);
        self.sub(bit, value);
        self.rsh(bit, shift);
        self.and(bit, step);
        self.rsh(value, bit);
    }

    /// `dst = *(T *)(mem)`, as [`Asm::load`] but through a pointer into the kernel. With
    /// [`Access::Probe`] r0 to r5 and the last 8 bytes of the stack are clobbered, so that the base
    /// lives on only in r6 to r9; where the address is bad the program goes on at `unreadable`. The
    /// base may be r3, which saves an instruction, but not r1 or r2.
    #[track_caller]
    pub fn read<T: Load + Store>(
        &mut self,
        access: Access,
        dst: R,
        mem: Mem<T>,
        unreadable: &impl Target,
    ) {
        if access == Access::Typed {
            return self.load(dst, mem);
        }
        self.mov(r1, fp);
        self.add(r1, -8);
        self.mov(w2, T::SIZE.bytes());
        if mem.addr.base != r3.into() {
            self.mov(r3, mem.addr.base);
        }
        if mem.addr.offset != Offset::Bytes(0) {
            self.add(r3, mem.addr.offset);
        }
        self.call(PROBE_READ_KERNEL);
        self.jump_if(r0, Ne, 0, unreadable);
        self.load(dst, Mem::<T>::at(fp - 8));
    }

    /// Zeros behind the first zero of 16 bytes, which two registers hold as they are loaded from memory:
    /// so a name is the same key whatever an older one left behind it. Clobbers the scratch registers.
    #[track_caller]
    pub fn end_at_nul(&mut self, [first, second]: [R; 2], scratch: [R; 2]) {
        let (long, done) = (self.label(), self.label());
        let [ones, nul] = scratch;
        // The first byte in memory shall be the lowest of the number.
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

    /// The lowest bit of `nul` is that of the first byte of `bytes` which is 0; it has none if none is.
    #[track_caller]
    fn find_nul(&mut self, nul: R, bytes: R, ones: R) {
        // Up to that byte, only it gets a high bit by the subtraction that it did not have.
        self.mov(nul, bytes);
        self.sub(nul, ones);
        self.or(nul, bytes);
        self.xor(nul, bytes);
        self.rsh(nul, 7);
        self.and(nul, ones);
    }

    /// Zeros from the byte on that [`Asm::find_nul`] found, if it did.
    #[track_caller]
    fn keep_below(&mut self, bytes: R, nul: R, scratch: R) {
        self.mov(scratch, nul);
        self.sub(scratch, 1);
        self.xor(nul, scratch);
        self.and(bytes, nul);
    }

    /// `counters[index] += 1`, on all CPUs at once without a loss. The counters are u64 in the
    /// only value of the array map `counters`, from `offset` bytes on; the verifier must see that
    /// `index` stays inside. Clobbers `index`, r1 and r2.
    #[track_caller]
    pub fn count(&mut self, counters: MapRef, offset: u32, index: R) {
        self.load_map_value(r1, counters, offset);
        self.lsh(index, 3);
        self.add(r1, index);
        self.mov(r2, 1);
        self.lock_add(u64_at(r1 + 0), r2);
    }

    /// `r0 = &map[*key]`, where the key is on the stack or in a map's value. A key that is new begins
    /// with the value that `zeros` holds, an array map of one such value; where the map is full the
    /// program goes on at `full`. Clobbers r1 to r5; the key's address is not in those.
    #[track_caller]
    pub fn lookup_or_insert(&mut self, map: MapRef, key: Addr, zeros: MapRef, full: &impl Target) {
        let found = self.label();
        self.lookup_at(map, key);
        self.jump_if(r0, Ne, 0, &found);
        self.load_map(r1, map);
        self.load_address(r2, key);
        self.load_map_value(r3, zeros, 0);
        // Another CPU may have been faster: its value must stay.
        self.mov(r4, BPF_NOEXIST);
        self.call(MAP_UPDATE_ELEM);
        self.lookup_at(map, key);
        self.jump_if(r0, Eq, 0, full);
        self.place(found);
    }

    /// `r0 = &array[0]`, on this CPU where each has its own. The index goes to `fp + index`; the verifier
    /// wants to be told where the program goes on without a value, which never happens. Clobbers r1 to
    /// r5.
    #[track_caller]
    pub fn lookup_first(&mut self, array: MapRef, index: i32, never: &impl Target) {
        self.store(u32_at(fp + index), 0);
        self.lookup(array, index);
        self.jump_if(r0, Eq, 0, never);
    }

    #[track_caller]
    fn lookup_at(&mut self, map: MapRef, key: Addr) {
        self.load_map(r1, map);
        self.load_address(r2, key);
        self.call(MAP_LOOKUP_ELEM);
    }

    #[track_caller]
    fn update_with(&mut self, map: MapRef, key: i32, value: i32, flags: i32) {
        self.load_map(r1, map);
        self.load_address(r2, fp + key);
        self.load_address(r3, fp + value);
        self.mov(r4, flags);
        self.call(MAP_UPDATE_ELEM);
    }

    /// `dst = ` the address.
    #[track_caller]
    fn load_address(&mut self, dst: R, addr: Addr) {
        self.mov(dst, addr.base);
        if addr.offset != Offset::Bytes(0) {
            self.add(dst, addr.offset);
        }
    }

    /// `r0 = &map[key]`, or 0 if there is none, where the key is at `fp + key`. Clobbers r1 to r5.
    #[track_caller]
    pub fn lookup(&mut self, map: MapRef, key: i32) {
        self.lookup_at(map, fp + key);
    }

    /// `map[key] = value`, or nothing if the map is full: r0 is 0 if it worked. Key and value are at
    /// `fp + key` and `fp + value`. Clobbers r1 to r5.
    #[track_caller]
    pub fn update(&mut self, map: MapRef, key: i32, value: i32) {
        self.update_with(map, key, value, 0);
    }

    /// Removes the key at `fp + key`: r0 is 0 if it was there. Clobbers r1 to r5.
    #[track_caller]
    pub fn delete(&mut self, map: MapRef, key: i32) {
        self.load_map(r1, map);
        self.load_address(r2, fp + key);
        self.call(MAP_DELETE_ELEM);
    }

    /// One more of what is not in the picture: `counters[index] += 1` for a constant index. Clobbers
    /// r1 and r2.
    #[track_caller]
    pub fn count_one(&mut self, counters: MapRef, index: u32) {
        self.load_map_value(r1, counters, 8 * index);
        self.mov(r2, 1);
        self.lock_add(u64_at(r1 + 0), r2);
    }

    /// `dst = ` the column of a heat map for `ns` nanoseconds: three to a power of two, or 100 for
    /// all above the last, which is 99. Clobbers `ns` and the scratch registers.
    #[track_caller]
    pub fn heat_slot(&mut self, dst: R, ns: R, scratch: [R; 2]) {
        let [copy, more] = scratch;
        self.mov(copy, ns);
        self.log2_u64(dst, copy, more);
        // The six bits below the highest: how far it is to the next power of two, in 64ths.
        self.mov(copy, 63);
        self.sub(copy, dst);
        self.lsh(ns, copy);
        self.lsh(ns, 1);
        self.rsh(ns, 58);
        self.lsh(dst, 6);
        self.add(dst, ns);
        self.mul(dst, 3);
        self.rsh(dst, 6);
        let last = self.label();
        self.jump_if(dst, Le, 100, &last);
        self.mov(dst, 100);
        self.place(last);
    }

    /// `dst = ` the slot that this address leads to without a search, in the only value of the array map
    /// `slots`, which has [`slot::BYTES`]. The first word of a slot is the address that it belongs to,
    /// or 0; the others are free to use. Clobbers r1.
    #[track_caller]
    pub fn load_slot(&mut self, dst: R, address: R, slots: MapRef) {
        // Half of a pointer is a number, with which any arithmetic is allowed.
        self.mov(dst.low(), address.low());
        self.mul(dst.low(), slot::MULTIPLIER as i32);
        self.rsh(dst.low(), 32 - slot::BITS);
        self.lsh(dst, slot::SIZE_BITS);
        self.load_map_value(r1, slots, 0);
        self.add(dst, r1);
    }

    /// The same; a slot that was nobody's is this address's for good. Goes on at `taken` if it is
    /// another's: so an address has always its slot, or never. Clobbers r0 and r1. Requires Linux 5.12.
    #[track_caller]
    pub fn claim_slot(&mut self, dst: R, address: R, slots: MapRef, taken: &impl Target) {
        let own = self.label();
        self.load_slot(dst, address, slots);
        self.load(r0, u64_at(dst + 0));
        self.jump_if(r0, Eq, address, &own);
        self.jump_if(r0, Ne, 0, taken);
        self.cmpxchg(u64_at(dst + 0), address);
        self.jump_if(r0, Ne, 0, taken);
        self.place(own);
    }

    /// `map[key] = value` for a key that is not there: r0 is 0, or negative: -EEXIST where it is, or
    /// what else prevents it. Key and value are at `fp + key` and `fp + value`. Clobbers r1 to r5.
    #[track_caller]
    pub fn insert(&mut self, map: MapRef, key: i32, value: i32) {
        self.update_with(map, key, value, BPF_NOEXIST);
    }

    /// Adds `value` to the [`distribution`] that r0 points to, its bucket being that of
    /// `value / unit`. The distribution is this CPU's own: its smallest and greatest value are
    /// kept without atomic operations, which kernels before 5.12 do not have for them. `epoch` is an
    /// array map of one u64 that the other side adds one to at the end of each interval.
    /// Clobbers `value` and r0 to r3.
    #[track_caller]
    pub fn add_to_distribution(&mut self, value: R, unit: i32, buckets: &Buckets, epoch: MapRef) {
        let (first, not_less, done) = (self.label(), self.label(), self.label());
        let sum = 8 * buckets.len() as i32;
        let (interval, min, max) = (sum + 8, sum + 16, sum + 24);
        // The extremes of an interval are read while those of the next are taken: they take turns.
        // A place that was not used in this interval yet holds another interval's number.
        self.load_map_value(r1, epoch, 0);
        self.load(r1, u64_at(r1 + 0));
        self.add(r1, 1);
        self.mov(r2, r1);
        self.and(r2, 1);
        self.mul(r2, distribution::EXTREMES_SIZE);
        self.add(r2, r0);
        self.load(r3, u64_at(r2 + interval));
        self.jump_if(r3, Ne, r1, &first);
        self.load(r3, u64_at(r2 + min));
        self.jump_if(r3, Le, value, &not_less);
        self.store(u64_at(r2 + min), value);
        self.place(not_less);
        self.load(r3, u64_at(r2 + max));
        self.jump_if(r3, Ge, value, &done);
        self.store(u64_at(r2 + max), value);
        self.goto(&done);
        self.place(first);
        self.store(u64_at(r2 + min), value);
        self.store(u64_at(r2 + max), value);
        self.store(u64_at(r2 + interval), r1);
        self.place(done);
        // On one CPU, yet atomic: an interrupt may bring the next value in between.
        self.lock_add(u64_at(r0 + sum), value);
        if unit != 1 {
            self.div(value, unit);
        }
        self.bucket(r1, value, r2, buckets);
        self.lsh(r1, 3);
        self.add(r0, r1);
        self.mov(r2, 1);
        self.lock_add(u64_at(r0 + 0), r2);
    }
}

/// The slots of [`Asm::load_slot`].
pub mod slot {
    /// As many bits of a hash choose a slot.
    pub(super) const BITS: i32 = 12;
    /// A cache line each, so that two CPUs do not wait for each other.
    pub(super) const SIZE_BITS: i32 = 6;
    /// The highest bits of a product with it are the hash.
    pub(super) const MULTIPLIER: u32 = 0x9e37_79b1;
    /// All of them.
    pub const BYTES: u32 = 1 << (BITS + SIZE_BITS);
}

/// What lies where in a distribution: a counter a bucket, the sum of the values, and twice the
/// extremes of an interval with its number. All are u64.
pub mod distribution {
    use super::Buckets;

    /// How many of the words are counters, which only grow: the buckets and the sum.
    pub fn counters(buckets: &Buckets) -> usize {
        buckets.len() + 1
    }

    /// Bytes in all.
    pub fn size(buckets: &Buckets) -> u32 {
        8 * counters(buckets) as u32 + 2 * EXTREMES_SIZE as u32
    }

    pub(super) const EXTREMES_SIZE: i32 = 3 * 8;
}

/// For bpf_map_update_elem: add the key, or fail if it is there.
const BPF_NOEXIST: i32 = 1;
