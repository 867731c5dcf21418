//! What programs are made of. Every instruction of a block is blamed on the line that asked for
//! the block.

use super::asm::{Asm, Target};
use super::helper::PROBE_READ_KERNEL;
use super::instruction::Cond::Ne;
use super::mem::{Load, Mem, Offset, Store, u64_at};
use super::program::MapRef;
use super::reg::{R, fp, r0, r1, r2, r3, w2};

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
        // For each half of what is left: `limit - value` is negative where the value lies above.
        // Its sign bit, moved to where 16, 8 or 4 has its one, is both the shift and the result.
        // Adding these joins them as or would, and verifiers before 6.9 follow only an addition.
        for (step, limit, shift) in [(16, 0xffff, 59), (8, 0xff, 60), (4, 0xf, 61)] {
            let bit = if step == 16 { dst } else { scratch };
            self.mov(bit, limit);
            self.sub(bit, value);
            self.rsh(bit, shift);
            self.and(bit, step);
            self.rsh(value, bit);
            if step != 16 {
                self.add(dst, bit);
            }
        }
        // The last four bits look their result up in a constant, a hexadecimal digit each.
        self.load_imm64(scratch, 0x3333_3333_2222_1100);
        self.lsh(value, 2);
        self.rsh(scratch, value);
        self.and(scratch, 3);
        self.add(dst, scratch);
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
}
