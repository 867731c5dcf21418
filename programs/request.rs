//! What the programs of the block tools have in common: where they meet a request, whether it is of
//! the disk that was asked for, when it began, and whether it is over.

use crate::host::{AttachKind, Disk, Place, Request};
use crate::insn::asm::Target;
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

/// When the requests began that are not over: a hash by their address. The first word of a value is
/// the time.
pub struct Starts {
    /// The hash.
    pub map: MapRef,
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

impl Starts {
    /// The hash, for so many requests and values of so many bytes.
    pub fn map(value_size: u32, max_requests: u32) -> MapSpec {
        MapSpec::new("starts", MapType::Hash, 8, value_size, max_requests)
    }

    /// `starts[key] = start`, where both are on the stack. Clobbers r0 to r5.
    #[track_caller]
    pub fn begin(&self, a: &mut Asm, key: i32, start: i32) {
        let (done, full) = (a.label(), a.label());
        a.insert(self.map, key, start);
        a.jump_if(r0, Eq, 0, &done);
        // Either the driver could not take it and gave it back, or its end was not seen: the newest
        // start is the one that its end belongs to.
        a.update(self.map, key, start);
        a.jump_if(r0, Ne, 0, &full);
        a.count_one(self.missed, self.first + REISSUED);
        a.goto(&done);
        a.place(full);
        a.count_one(self.missed, self.first + TOO_MANY);
        a.place(done);
    }

    /// Takes the start of the request that ends at [`end`], whose context r1 points to: r6 is the
    /// request, r9 the time now, and at `fp + start` is what was remembered, so many words. Goes on at
    /// `unmatched` if nothing was, and at `going_on` if only a part of it ends. Clobbers the other
    /// registers.
    #[track_caller]
    pub fn end(
        &self,
        a: &mut Asm,
        request: &Request,
        [key, start]: [i32; 2],
        words: i32,
        unmatched: &impl Target,
        going_on: &impl Target,
    ) {
        let Request::Struct { argument, access, data_len, .. } = *request else { return };
        a.load(r6, u64_at(r1 + argument));
        // The third argument: how many bytes end.
        a.load(r7, u64_at(r1 + (argument + 16)));
        a.call(KTIME_GET_NS);
        a.mov(r9, r0);
        a.store(u64_at(fp + key), r6);
        a.lookup(self.map, key);
        a.jump_if(r0, Eq, 0, unmatched);
        for word in (0..8 * words).step_by(8) {
            a.load(r1, u64_at(r0 + word));
            a.store(u64_at(fp + (start + word)), r1);
        }
        // The request ends with its last part: it has still the size it had before this one.
        a.read(access, r8, u32_at(r6 + data_len), going_on);
        a.jump_if(w8, Gt, w7, going_on);
        a.delete(self.map, key);
    }
}
