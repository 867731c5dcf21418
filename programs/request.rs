//! What the programs of the block tools have in common: where they meet a request, whether it is of
//! the disk that was asked for, and whether it is over.

use crate::host::{AttachKind, Disk, RecordRequest, RequestPlace, StructRequest};
use crate::insn::helper::KTIME_GET_NS;
use crate::insn::{
    Cond::{Eq, Gt, Ne},
    *,
};

/// Where requests are issued. The function is the one that the block layer of this kernel has; those
/// that had both (before 5.0) lack helpers that the programs need. The tracepoint is in it.
pub fn issue(kind: AttachKind) -> RequestPlace {
    let functions = &["blk_mq_start_request", "blk_start_request"];
    RequestPlace { kind, functions, tracepoint: ("block", "block_rq_issue") }
}

/// Where a request ends, or a part of it: a tracepoint. The functions around it miss requests that a
/// driver ends in batches, as NVMe's does.
pub fn end(kind: AttachKind) -> RequestPlace {
    RequestPlace { kind, functions: &[], tracepoint: ("block", "block_rq_complete") }
}

/// Goes on at `other` unless the request in r6 is of one of these disks; one without a disk, such as a
/// driver's own, is of none. No disk stands for all. Of several, r8 has the one that it was, as
/// [`load_disk`] loads it. Clobbers r0 to r5, r7 and r8, and r9 if there are several.
#[track_caller]
pub fn skip_other_disks(a: &mut Asm, disks: &[Disk], request: &StructRequest, other: &impl Target) {
    let StructRequest { access, major, first_minor, .. } = *request;
    match disks {
        [] => {}
        [disk] if disk.hidden.is_none() => {
            load_gendisk(a, request, other);
            a.read(access, r8, u32_at(r7 + major), other);
            a.jump_if(w8, Ne, disk.major as i32, other);
            a.read(access, r8, u32_at(r7 + first_minor), other);
            a.jump_if(w8, Ne, disk.minor as i32, other);
        }
        several => {
            let among = a.label();
            load_disk(a, request, other);
            jump_if_among(a, several, w8, &among);
            let hidden = several.iter().filter_map(|disk| disk.hidden);
            for name in hidden {
                jump_if_named(a, name, request, &among);
            }
            a.goto(other);
            a.place(among);
        }
    }
}

/// Goes on at `named` if the disk at r7 has this name. Clobbers r0 to r5 and r9.
#[track_caller]
fn jump_if_named(a: &mut Asm, name: [u8; 16], request: &StructRequest, named: &impl Target) {
    let StructRequest { access, disk_name, .. } = *request;
    let another = a.label();
    let [first, second] =
        [0, 8].map(|at| Field { offset: disk_name.offset.map(|offset| offset + at), ..disk_name });
    let (words, _) = name.as_chunks::<8>();
    a.read(access, r9, u64_at(r7 + first), &another);
    a.load_imm64(r1, u64::from_ne_bytes(words[0]));
    a.jump_if(r9, Ne, r1, &another);
    a.read(access, r9, u64_at(r7 + second), &another);
    a.load_imm64(r1, u64::from_ne_bytes(words[1]));
    a.jump_if(r9, Eq, r1, named);
    a.place(another);
}

/// Goes on at `other` unless the record at r1 is of a request of one of these disks. No disk stands for all.
/// Clobbers r2.
#[track_caller]
pub fn skip_records_of_other_disks(
    a: &mut Asm,
    disks: &[Disk],
    record: &RecordRequest,
    other: &impl Target,
) {
    match disks {
        [] => {}
        [disk] => {
            a.load(r2, u32_at(r1 + record.dev));
            a.jump_if(w2, Ne, disk.dev() as i32, other);
        }
        several => {
            a.load(r2, u32_at(r1 + record.dev));
            skip_unless_among(a, several, w2, other);
        }
    }
}

/// Goes on at `other` unless `dev` is the number of one of these disks, in the kernel's own form: compares one
/// after the other.
#[track_caller]
pub fn skip_unless_among(a: &mut Asm, disks: &[Disk], dev: W, other: &impl Target) {
    let among = a.label();
    jump_if_among(a, disks, dev, &among);
    a.goto(other);
    a.place(among);
}

/// Goes on at `among` if `dev` is the number of one of these disks.
#[track_caller]
fn jump_if_among(a: &mut Asm, disks: &[Disk], dev: W, among: &impl Target) {
    for disk in disks.iter().filter(|disk| disk.hidden.is_none()) {
        a.jump_if(dev, Eq, disk.dev() as i32, among);
    }
}

/// `r8 = ` the disk of the request in r6, as the kernel numbers it. Goes on at `none`, with r8 as it
/// was, for a request without a disk. Clobbers r0 to r5, r7 and r9.
#[track_caller]
pub fn load_disk(a: &mut Asm, request: &StructRequest, none: &impl Target) {
    let StructRequest { access, major, first_minor, .. } = *request;
    load_gendisk(a, request, none);
    a.read(access, r9, u32_at(r7 + first_minor), none);
    a.read(access, r8, u32_at(r7 + major), none);
    a.lsh(r8, 20);
    a.or(r8, r9);
}

/// `r7 = ` the `struct gendisk` of the request in r6. Goes on at `none` if it has none. Clobbers r0 to r5.
#[track_caller]
pub fn load_gendisk(a: &mut Asm, request: &StructRequest, none: &impl Target) {
    let StructRequest { access, disk, .. } = *request;
    let mut from = r6;
    for pointer in disk.iter().flatten() {
        a.read(access, r7, u64_at(from + *pointer), none);
        from = r7;
    }
}

/// `r6 = ` the request that ends at [`end`], whose context r1 points to, and `r9 = ` the time now. Goes on
/// at `going_on` if by the request's size only a part of it ends; without a size each part counts as the
/// end. Clobbers r0 to r5, r7 and r8.
#[track_caller]
pub fn load_ended(
    a: &mut Asm,
    request: &StructRequest,
    size: Option<Field>,
    going_on: &impl Target,
) {
    let StructRequest { argument, access, .. } = *request;
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
}

/// Goes on at `step` if the request in r6, whose start was not seen, is a request with a flush that has
/// ended: it was in no driver, only the flush was (or its data before), which has ended too. Such a request
/// is a write without a length, or one whose data is written already. Clobbers r0 to r5 and r8.
#[track_caller]
pub fn skip_flush_steps(a: &mut Asm, request: &StructRequest, step: &impl Target) {
    const REQ_OP_MASK: i32 = 0xff;
    const REQ_OP_WRITE: i32 = 1;
    let StructRequest { access, data_len, cmd_flags, .. } = *request;
    // Without types nothing tells such steps from others.
    if data_len.offset.is_none() && access == Access::Probe {
        return;
    }
    let missing = a.label();
    a.read(access, r8, u32_at(r6 + data_len), &missing);
    a.jump_if(w8, Ne, 0, &missing);
    a.read(access, r8, u32_at(r6 + cmd_flags), &missing);
    a.and(w8, REQ_OP_MASK);
    a.jump_if(w8, Eq, REQ_OP_WRITE, step);
    a.place(missing);
}

/// The registers that each block overwrites beside those of its result.
pub mod clobbers {
    use super::*;

    /// [`skip_other_disks`](super::skip_other_disks).
    pub const fn skip_other_disks(disks: &[Disk], access: Access) -> Regs {
        let read = blocks::clobbers::read(access);
        match disks {
            [] => Regs::NONE,
            [Disk { hidden: None, .. }] => Regs::of([r7, r8]).or(read),
            [Disk { hidden: Some(_), .. }, ..] => Regs::of([r1, r7, r8, r9]).or(read),
            [_, others @ ..] => skip_other_disks(others, access).or(Regs::of([r9])),
        }
    }

    /// [`skip_records_of_other_disks`](super::skip_records_of_other_disks).
    pub const fn skip_records_of_other_disks(disks: &[Disk]) -> Regs {
        if disks.is_empty() { Regs::NONE } else { Regs::of([r2]) }
    }

    /// [`load_disk`](super::load_disk), whose result is in r8.
    pub const fn load_disk(access: Access) -> Regs {
        Regs::of([r7, r9]).or(blocks::clobbers::read(access))
    }

    /// [`skip_flush_steps`](super::skip_flush_steps).
    pub const fn skip_flush_steps(access: Access) -> Regs {
        Regs::of([r8]).or(blocks::clobbers::read(access))
    }

    /// [`load_ended`](super::load_ended), whose results are in r6 and r9.
    pub const fn load_ended(with_size: bool) -> Regs {
        let size = if with_size { Regs::of([r8]) } else { Regs::NONE };
        Regs::of([r7]).or(Regs::CALL).or(size)
    }
}
