//! Slots by address: memory that an address of the kernel's leads to without a search. All are in the only
//! value of an array map.
//!
//! The first word of a slot is the address that it belongs to, or 0; the others are free to use.

use crate::insn::Cond::{Eq, Ne};
use crate::insn::{Asm, MapRef, R, Regs, Target, r0, r1, u64_at};
use crate::sys::map::{MapSpec, MapType};

/// The highest bits of a hash that choose a slot.
const BITS: i32 = 12;
/// A cache line each, so that two CPUs do not wait for each other.
const SIZE_BITS: i32 = 6;
/// The highest bits of a product with it are the hash.
const MULTIPLIER: u32 = 0x9e37_79b1;

/// The number of slots.
pub const COUNT: u32 = 1 << BITS;
/// The size of all of them.
pub const BYTES: u32 = 1 << (BITS + SIZE_BITS);
/// Where the words begin that are free to use.
pub const VALUE: i32 = 8;

/// The map.
pub fn map() -> MapSpec {
    MapSpec::new("slots", MapType::Array, 4, BYTES, 1)
}

/// `dst = ` the slot that this address leads to, which may be another's. Clobbers r1.
#[track_caller]
pub fn load(a: &mut Asm, dst: R, address: R, slots: MapRef) {
    // Half of a pointer is a number, with which any arithmetic is allowed.
    a.mov(dst.low(), address.low());
    a.mul(dst.low(), MULTIPLIER as i32);
    a.rsh(dst.low(), 32 - BITS);
    a.lsh(dst, SIZE_BITS);
    a.load_map_value(r1, slots, 0);
    a.add(dst, r1);
}

/// `dst = ` the slot that this address leads to. If it was nobody's, it is this address's for good. Goes
/// on at `taken` if it is another's: so an address has always its slot, or never. Clobbers r0 and r1.
/// Requires Linux 5.12.
#[track_caller]
pub fn claim(a: &mut Asm, dst: R, address: R, slots: MapRef, taken: &impl Target) {
    let own = a.label();
    load(a, dst, address, slots);
    a.load(r0, u64_at(dst + 0));
    a.jump_if(r0, Eq, address, &own);
    a.jump_if(r0, Ne, 0, taken);
    a.cmpxchg(u64_at(dst + 0), address);
    a.jump_if(r0, Ne, 0, taken);
    a.place(own);
}

/// The registers that each block overwrites beside `dst`.
pub mod clobbers {
    use super::{Regs, r0, r1};

    /// [`load`](super::load).
    pub const LOAD: Regs = Regs::of([r1]);

    /// [`claim`](super::claim).
    pub const CLAIM: Regs = Regs::of([r0, r1]);
}
