//! What the programs of the block tools have in common that meet requests in the records of tracepoints, on
//! kernels without types: where a request is, and that it begins and ends.

use crate::host::{Disk, RecordPlace};
use crate::insn::{
    Cond::{Eq, Ne},
    *,
};
use crate::programs::request::skip_unless_among;

/// Where a request begins, may be given back, and ends.
pub const TRACEPOINTS: [&str; 3] = ["block_rq_issue", "block_rq_requeue", "block_rq_complete"];

/// The place of the request in the record at r1: `r6 = ` its first sector, `r7 = ` its number of sectors and
/// `r8 = ` its disk and, in the upper half, the letter of its operation. Flushes and a driver's own requests,
/// which are nowhere on the disk, have the sector -1. Goes on at `other` if it is of none of these disks; no
/// disk stands for all. Clobbers r2.
#[track_caller]
pub fn load_place(a: &mut Asm, record: &RecordPlace, disks: &[Disk], other: &impl Target) {
    let (nowhere, somewhere) = (a.label(), a.label());
    let RecordPlace { dev, sector, nr_sector, rwbs } = *record;
    a.load(r8, u32_at(r1 + dev));
    if !disks.is_empty() {
        skip_unless_among(a, disks, w8, other);
    }
    a.load(r6, u64_at(r1 + sector));
    a.load(r7, u32_at(r1 + nr_sector));
    a.load(r2, u8_at(r1 + rwbs));
    a.jump_if(w2, Eq, i32::from(b'N'), &nowhere);
    a.jump_if(w7, Ne, 0, &somewhere);
    a.place(nowhere);
    a.mov(r6, -1);
    a.place(somewhere);
    a.lsh(r2, 32);
    a.or(r8, r2);
}

/// Goes on at `step` if the record at r1 is of a request with a flush that has ended: it was in no driver, only
/// the flush was (or its data before), which has ended too. It is a write without a length. Clobbers r2.
#[track_caller]
pub fn skip_flush_steps(a: &mut Asm, record: &RecordPlace, step: &impl Target) {
    let has_length = a.label();
    let RecordPlace { nr_sector, rwbs, .. } = *record;
    a.load(r2, u32_at(r1 + nr_sector));
    a.jump_if(w2, Ne, 0, &has_length);
    // After an F for the flush, if there was one before the data.
    let second = Field { offset: rwbs.offset.map(|first| first + 1), ..rwbs };
    for letter in [rwbs, second] {
        a.load(r2, u8_at(r1 + letter));
        a.jump_if(w2, Eq, i32::from(b'W'), step);
    }
    a.place(has_length);
}

/// The registers that each block overwrites beside those of its result.
pub mod clobbers {
    use super::*;

    /// [`load_place`], whose results are in r6, r7 and r8.
    pub const LOAD_PLACE: Regs = Regs::of([r2]);

    /// [`skip_flush_steps`].
    pub const SKIP_FLUSH_STEPS: Regs = Regs::of([r2]);
}
