//! What the programs of the block tools have in common: where they meet a request, whether it is of
//! the disk that was asked for, when it began, and whether it is over.

use crate::host::{AttachKind, Disk, Place, Request};
use crate::insn::asm::Target;
use crate::insn::blocks::slot;
use crate::insn::helper::KTIME_GET_NS;
use crate::insn::{
    Cond::{Eq, Gt, Ne},
    *,
};
use crate::sys::map::{MapSpec, MapType};

/// Where requests are issued. The function is the one that the block layer of this kernel has; those
/// that had both (before 5.0) lack helpers that the programs need. The tracepoint is in it.
pub fn issue(kind: AttachKind) -> Place {
    let functions = &["blk_mq_start_request", "blk_start_request"];
    Place { kind, functions, tracepoint: ("block", "block_rq_issue") }
}

/// Where a request ends, or a part of it: a tracepoint. The functions around it miss requests that a
/// driver ends in batches, as NVMe's does.
pub fn end(kind: AttachKind) -> Place {
    Place { kind, functions: &[], tracepoint: ("block", "block_rq_complete") }
}

/// Goes on at `other` unless the request is of this disk; one without a disk, such as a driver's own,
/// is of none. The request is in r6, or its record where r1 points to. Clobbers r0 to r5, r7 and r8.
#[track_caller]
pub fn only(a: &mut Asm, disk: Option<Disk>, request: &Request, other: &impl Target) {
    let Some(disk) = disk else { return };
    match *request {
        Request::Record { dev, .. } => {
            a.load(r2, u32_at(r1 + dev));
            a.jump_if(w2, Ne, disk.dev() as i32, other);
        }
        Request::Struct { access, major, first_minor, .. } => {
            load_gendisk(a, request, other);
            a.read(access, r8, u32_at(r7 + major), other);
            a.jump_if(w8, Ne, disk.major as i32, other);
            a.read(access, r8, u32_at(r7 + first_minor), other);
            a.jump_if(w8, Ne, disk.minor as i32, other);
        }
    }
}

/// `r8 = ` the disk of the request in r6, as the kernel numbers it. Goes on at `none`, with r8 as it
/// was, for a request without a disk. Clobbers r0 to r5, r7 and r9.
#[track_caller]
pub fn load_disk(a: &mut Asm, request: &Request, none: &impl Target) {
    let Request::Struct { access, major, first_minor, .. } = *request else { return };
    load_gendisk(a, request, none);
    a.read(access, r9, u32_at(r7 + first_minor), none);
    a.read(access, r8, u32_at(r7 + major), none);
    a.lsh(r8, 20);
    a.or(r8, r9);
}

/// `r7 = ` the `struct gendisk` of the request in r6.
#[track_caller]
fn load_gendisk(a: &mut Asm, request: &Request, none: &impl Target) {
    let Request::Struct { access, disk, .. } = *request else { return };
    let mut from = r6;
    for pointer in disk.iter().flatten() {
        a.read(access, r7, u64_at(from + *pointer), none);
        from = r7;
    }
}

/// When the requests began that are not over: each in a slot that its address leads to, or in a hash by
/// the address. The first word of a value is the time, which is not 0.
pub struct Starts {
    /// The hash.
    pub map: MapRef,
    /// The slots.
    pub slots: MapRef,
    /// How many words a value has: 1 or 2.
    pub words: i32,
    /// The counters of what is not in the picture.
    pub missed: MapRef,
    /// The first of three of them: [`UNMATCHED`], [`REISSUED`] and [`TOO_MANY`].
    pub first: u32,
}

/// Behind the first counter: ends of requests whose start was not seen.
pub const UNMATCHED: u32 = 0;
/// Requests that were issued a second time.
pub const REISSUED: u32 = 1;
/// Requests that found no room beside all those under way.
pub const TOO_MANY: u32 = 2;

/// On the stack, behind what reads take: a key of the hash.
const KEY: i32 = -16;
/// A value.
const VALUE: i32 = KEY - 16;
/// Its second word, also of the request that ended.
pub const SECOND: i32 = VALUE + 8;
/// Where a slot's value is, behind the address of the request whose it is. The time is 0 while the
/// request is not under way.
const SLOT_VALUE: i32 = 8;

/// The slots.
pub fn slots() -> MapSpec {
    MapSpec::new("slots", MapType::Array, 4, slot::BYTES, 1)
}

impl Starts {
    /// The hash, for so many requests, and the slots.
    pub fn maps(&self, max_requests: u32) -> Vec<MapSpec> {
        let size = 8 * self.words as u32;
        vec![MapSpec::new("starts", MapType::Hash, 8, size, max_requests), slots()]
    }

    /// `starts[r6] = (r9, r8)`, as many words of it as a value has. Only the hash is used unless
    /// `by_slot`, which requires Linux 5.12 and must be so at the end too. Clobbers r0 to r5 and r7.
    #[track_caller]
    pub fn begin(&self, a: &mut Asm, by_slot: bool) {
        let (done, taken) = (a.label(), a.label());
        let (again, full) = (a.label(), a.label());
        if by_slot {
            // Requests are used again and again, at the same address. One that finds its slot taken is
            // always in the hash.
            a.claim_slot(r7, r6, self.slots, &taken);
            a.load(r2, u64_at(r7 + SLOT_VALUE));
            a.store(u64_at(r7 + SLOT_VALUE), r9);
            if self.words == 2 {
                a.store(u64_at(r7 + (SLOT_VALUE + 8)), r8);
            }
            a.jump_if(r2, Eq, 0, &done);
            a.goto(&again);
        }
        a.place(taken);
        a.store(u64_at(fp + KEY), r6);
        a.store(u64_at(fp + VALUE), r9);
        if self.words == 2 {
            a.store(u64_at(fp + SECOND), r8);
        }
        a.insert(self.map, KEY, VALUE);
        a.jump_if(r0, Eq, 0, &done);
        a.update(self.map, KEY, VALUE);
        a.jump_if(r0, Ne, 0, &full);
        // Either the driver could not take it and gave it back, or its end was not seen: the newest
        // start is the one that its end belongs to.
        a.place(again);
        a.count_one(self.missed, self.first + REISSUED);
        a.goto(&done);
        a.place(full);
        a.count_one(self.missed, self.first + TOO_MANY);
        a.place(done);
    }

    /// Takes the start of the request that ends at [`end`], whose context r1 points to: r6 is the
    /// request, r9 the time now, r7 the time that was remembered, and a second word is at
    /// `fp + `[`SECOND`]. Goes on at `unmatched` if nothing was remembered, and at `going_on` if by the
    /// request's size only a part of it ends; without a size each part counts as the end. Clobbers the
    /// other registers.
    #[track_caller]
    pub fn end(
        &self,
        a: &mut Asm,
        by_slot: bool,
        request: &Request,
        size: Option<Field>,
        unmatched: &impl Target,
        going_on: &impl Target,
    ) {
        let Request::Struct { argument, access, .. } = *request else { return };
        let (taken, found) = (a.label(), a.label());
        a.load(r6, u64_at(r1 + argument));
        // The third argument: how many bytes end.
        a.load(r7, u64_at(r1 + (argument + 16)));
        a.call(KTIME_GET_NS);
        a.mov(r9, r0);
        if let Some(size) = size {
            // The request ends with its last part: it has still the size it had before this one.
            a.read(access, r8, u32_at(r6 + size), going_on);
            a.jump_if(w8, Gt, w7, going_on);
        }
        if by_slot {
            a.load_slot(r8, r6, self.slots);
            a.load(r1, u64_at(r8 + 0));
            a.jump_if(r1, Ne, r6, &taken);
            a.load(r7, u64_at(r8 + SLOT_VALUE));
            a.jump_if(r7, Eq, 0, unmatched);
            if self.words == 2 {
                a.load(r1, u64_at(r8 + (SLOT_VALUE + 8)));
                a.store(u64_at(fp + SECOND), r1);
            }
            a.store(u64_at(r8 + SLOT_VALUE), 0);
            a.goto(&found);
        }
        a.place(taken);
        a.store(u64_at(fp + KEY), r6);
        a.lookup(self.map, KEY);
        a.jump_if(r0, Eq, 0, unmatched);
        a.load(r7, u64_at(r0 + 0));
        if self.words == 2 {
            a.load(r1, u64_at(r0 + 8));
            a.store(u64_at(fp + SECOND), r1);
        }
        a.delete(self.map, KEY);
        a.place(found);
    }
}
