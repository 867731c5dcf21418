//! Block I/O sizes by the process that asked for them.
//!
//! The process is known when I/O is submitted, its size when the request is issued to the driver, often
//! by another task. So one program remembers who submitted, and one counts.

use crate::aggregate::counters::{self, count_one, lookup_or_insert};
use crate::aggregate::slots;
use crate::host::{Disk, Identity, Issue, Request, StructRequest, Submission, Task};
use crate::insn::{
    Cond::{Eq, Ne},
    helper::*,
    mem::{Loadable, Storable},
    *,
};
use crate::programs::request::{skip_other_disks, skip_records_of_other_disks};
use crate::source_text;
use crate::sys::map::{MapSpec, MapType};

static SOURCE: SourceText = source_text!("bitesize.rs");

/// A histogram for each task.
pub const SIZES: MapRef = MapRef(0);
/// The first value of a task's histogram.
pub const ZEROS: MapRef = MapRef(1);
/// Counters of requests that no histogram has: size unreadable, map full.
pub const LOST: MapRef = MapRef(2);
/// The keys of the tasks that submitted requests, by the request's address or its bio's.
pub const SUBMITTED: MapRef = MapRef(3);
/// The keys of the tasks that submitted requests which have a slot.
pub const SLOTS: MapRef = MapRef(4);

/// A request has at most 2^32 - 1 bytes.
pub const BUCKETS: u32 = 32;
/// The index after the buckets: the bytes of all of them.
pub const BYTES: u32 = BUCKETS;
/// In [`LOST`]: requests whose size could not be read.
pub const UNREADABLE: u32 = 0;
/// In [`LOST`]: requests of tasks that did not fit the map.
pub const FULL: u32 = 1;

/// The bytes of a key: the task's process, thread and user, and the request's operation, u32 each, and
/// the 16 bytes of the task's name. A field that the histograms are not kept by is 0.
pub const KEY: u32 = 32;
/// Where a key has the process.
pub const PID: i32 = 0;
/// Where a key has the thread.
pub const TID: i32 = 4;
/// Where a key has the user.
pub const UID: i32 = 8;
/// Where a key has the operation and its flags. While only the task is known: whether it is another task
/// than was asked for.
pub const FLAGS: i32 = 12;
/// Where a key has the name.
pub const COMM: i32 = 16;
/// Where a key by cgroup has the cgroup's number, u64, in place of process and thread.
pub const CGROUP: i32 = PID;

/// The largest number of requests on their way to the driver at once; of more, the oldest are forgotten.
const ON_THE_WAY: u32 = 16384;

/// The maps, with room for `max_keys` keys.
pub fn maps(max_keys: u32) -> Vec<MapSpec> {
    vec![
        MapSpec::new("sizes", MapType::Hash, KEY, 8 * (BUCKETS + 1), max_keys),
        counters::map("zeros", BUCKETS + 1),
        counters::map("lost", 2),
        MapSpec::new("submitted", MapType::LruHash, 8, KEY, ON_THE_WAY),
        slots::map(),
    ]
}

/// What the histograms are kept by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// Process, user and name.
    Pid,
    /// Thread too.
    Tid,
    /// Name.
    Comm,
    /// User.
    Uid,
    /// Control group (version 2).
    Cgroup,
}

impl Key {
    /// Every one, the default first.
    pub const ALL: [Key; 5] = [Key::Pid, Key::Tid, Key::Comm, Key::Uid, Key::Cgroup];

    /// As it is spelled on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Key::Pid => "pid",
            Key::Tid => "tid",
            Key::Comm => "comm",
            Key::Uid => "uid",
            Key::Cgroup => "cgroup",
        }
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Only these disks' requests; none stands for all.
    pub disks: &'a [Disk],
    /// Only this process.
    pub pid: Option<u32>,
    /// Only tasks of this name, padded with zeros.
    pub comm: Option<[u8; 16]>,
    /// What has a histogram of its own.
    pub by: Key,
    /// A histogram for each operation with its flags too. Tracepoints' records have none: there the
    /// flags are 0.
    pub by_flags: bool,
}

impl Options<'_> {
    /// Whether only some tasks are counted.
    fn filters(&self) -> bool {
        self.pid.is_some() || self.comm.is_some()
    }
}

/// `submitted[request] = current`
pub fn remember(
    submission: &Submission,
    task: Option<Task>,
    options: &Options<'_>,
) -> Result<Program, AsmError> {
    let mut a = Asm::with_source(&SOURCE);
    let (other, written) = (a.label(), a.label());
    let (taken, known, done) = (a.label(), a.label(), a.label());
    // What is known again at the issue, needed only until the next read, and a key.
    let (seen, own_key) = (a.frame.place_for_reads(), a.frame.place(KEY));
    a.load(r6, u64_at(r1 + submission.argument));
    a.load_address(r7, own_key);
    if options.filters() {
        // Whatever is left out below.
        for word in (0..KEY as i32).step_by(8) {
            a.store(u64_at(own_key + word), 0);
        }
    }
    load_key(&mut a, task, None, options, &other);
    if options.filters() {
        a.goto(&written);
        a.place(other);
        a.store(u32_at(r7 + FLAGS), 1);
        a.place(written);
    }
    if submission.identity == Identity::Request {
        // Requests are used again and again, at the same address. One that finds its slot taken is
        // always in the hash.
        slots::claim(&mut a, r7, r6, SLOTS, &taken);
        a.add(r7, slots::VALUE);
        a.goto(&known);
    }
    a.place(taken);
    a.store(u64_at(seen), r6);
    // Nearly always there is one at that address, to write over, which takes a fifth of the time of an
    // update.
    a.lookup(SUBMITTED, seen);
    a.mov(r7, r0);
    a.jump_if(r7, Ne, 0, &known);
    a.update(SUBMITTED, seen, own_key);
    a.goto(&done);
    a.place(known);
    for word in (0..KEY as i32).step_by(8) {
        a.load(r1, u64_at(own_key + word));
        a.store(u64_at(r7 + word), r1);
    }
    a.place(done);
    a.mov(w0, 0);
    a.exit();
    a.finish()
}

/// `sizes[task][log2(kbytes)] += 1`, where the task is who submitted the request or, if that was not
/// seen, who issues it.
pub fn count(issue: &Issue, options: &Options<'_>) -> Result<Program, AsmError> {
    let request = &issue.request;
    let identity = issue.submission.as_ref().map(|submission| submission.identity);
    let by_flags = options.by_flags && matches!(request, Request::Struct(_));
    let mut a = Asm::with_source(&SOURCE);
    let (other, unreadable, full) = (a.label(), a.label(), a.label());
    let (unknown, known) = (a.label(), a.label());
    // What is known again at the issue, needed only until the next read, and a key.
    let (seen, own_key) = (a.frame.place_for_reads(), a.frame.place(KEY));

    let mut name = None;
    match *request {
        // The context is the tracepoint's record, which has the name of who issues.
        Request::Record(record) => {
            skip_records_of_other_disks(&mut a, options.disks, &record, &other);
            a.load(r9, u32_at(r1 + record.bytes));
            a.mov(r6, r1);
            name = record.comm.offset;
        }
        // The context leads to the struct request, which stays in r6.
        Request::Struct(request) => {
            let StructRequest { argument, access, data_len, cmd_flags, .. } = request;
            a.load(r6, u64_at(r1 + argument));
            skip_other_disks(&mut a, options.disks, &request, &other);
            a.read(access, r9, u32_at(r6 + data_len), &unreadable);
            if by_flags {
                a.read(access, r8, u32_at(r6 + cmd_flags), &unreadable);
            }
            match identity {
                Some(Identity::Request) => {
                    slots::load(&mut a, r7, r6, SLOTS);
                    a.load(r0, u64_at(r7 + 0));
                    a.add(r7, slots::VALUE);
                    a.jump_if(r0, Eq, r6, &known);
                    a.store(u64_at(seen), r6);
                }
                Some(Identity::Bio(bio)) => {
                    a.read(access, r7, u64_at(r6 + bio), &unknown);
                    a.store(u64_at(seen), r7);
                }
                None => {}
            }
            if identity.is_some() {
                a.lookup(SUBMITTED, seen);
                a.mov(r7, r0);
                a.jump_if(r7, Ne, 0, &known);
            }
        }
    }
    a.place(unknown);
    a.load_address(r7, own_key);
    // Seldom where submissions are seen, and without them there are no types to go by.
    load_key(&mut a, None, name, options, &other);
    a.place(known);
    // The key is at r7.
    if identity.is_some() && options.filters() {
        a.load(r1, u32_at(r7 + FLAGS));
        a.jump_if(r1, Ne, 0, &other);
    }
    if by_flags {
        for word in (0..KEY as i32).step_by(8) {
            a.load(r1, u64_at(r7 + word));
            a.store(u64_at(own_key + word), r1);
        }
        a.store(u32_at(own_key + FLAGS), r8);
        a.load_address(r7, own_key);
    }
    lookup_or_insert(&mut a, SIZES, r7 + 0, ZEROS, &full);
    a.lock_add(u64_at(r0 + 8 * BYTES as i32), r9);
    a.rsh(r9, 10);
    a.log2(r8, r9, r1);
    a.lsh(r8, 3);
    a.add(r0, r8);
    a.mov(r1, 1);
    a.lock_add(u64_at(r0 + 0), r1);
    let done = a.place(other);
    a.mov(w0, 0);
    a.exit();

    a.place(full);
    count_one(&mut a, LOST, FULL);
    a.goto(&done);
    if matches!(request, Request::Struct(StructRequest { access: Access::Probe, .. })) {
        a.place(unreadable);
        count_one(&mut a, LOST, UNREADABLE);
        a.goto(&done);
    }
    a.finish()
}

/// `*r7 = ` the key of the task that runs. Jumps to `other` if it is not one that was asked for. `name`
/// is the name's offset in the record at r6, if the name is read from there. Clobbers r0 to r5.
#[track_caller]
fn load_key(
    a: &mut Asm,
    task: Option<Task>,
    name: Option<i32>,
    options: &Options<'_>,
    other: &impl Target,
) {
    let by_task = matches!(options.by, Key::Pid | Key::Tid);
    // By task, a key has all of these fields; otherwise one of them.
    let (by_comm, by_uid) = (by_task || options.by == Key::Comm, by_task || options.by == Key::Uid);
    if task.is_some() && (options.by != Key::Cgroup || options.filters()) {
        a.call(GET_CURRENT_TASK_BTF);
    }
    if !by_task {
        a.store(u64_at(r7 + PID), 0);
    }
    if by_task || options.pid.is_some() {
        match task {
            Some(task) => {
                a.load(r1, u32_at(r0 + task.pid));
                a.load(r2, u32_at(r0 + task.tid));
            }
            None => {
                a.call(GET_CURRENT_PID_TGID);
                a.mov(r1, r0);
                a.rsh(r1, 32);
                a.mov(r2, r0);
            }
        }
        if let Some(pid) = options.pid {
            a.jump_if(w1, Ne, pid as i32, other);
        }
    }
    match options.by {
        Key::Pid => {
            a.store(u32_at(r7 + PID), r1);
            a.store(u32_at(r7 + TID), 0);
        }
        Key::Tid => {
            a.store(u32_at(r7 + PID), r1);
            a.store(u32_at(r7 + TID), r2);
        }
        _ => {}
    }
    match (by_uid, task) {
        (true, Some(task)) => {
            a.load(r1, u64_at(r0 + task.cred));
            a.load(r1, u32_at(r1 + task.uid));
            a.store(u32_at(r7 + UID), r1);
        }
        (true, None) => {
            a.call(GET_CURRENT_UID_GID);
            a.store(u32_at(r7 + UID), r0);
        }
        (false, _) => a.store(u32_at(r7 + UID), 0),
    }
    if by_comm || options.comm.is_some() {
        load_comm(a, task, name);
        if let Some(comm) = options.comm {
            let (words, _) = comm.as_chunks::<8>();
            for (register, word) in [r1, r2].into_iter().zip(words) {
                a.load_imm64(r3, u64::from_ne_bytes(*word));
                a.jump_if(register, Ne, r3, other);
            }
        }
    }
    for (at, register) in [(COMM, r1), (COMM + 8, r2)] {
        match by_comm {
            true => a.store(u64_at(r7 + at), register),
            false => a.store(u64_at(r7 + at), 0),
        }
    }
    a.store(u32_at(r7 + FLAGS), 0);
    if options.by == Key::Cgroup {
        a.call(GET_CURRENT_CGROUP_ID);
        a.store(u64_at(r7 + CGROUP), r0);
    }
}

/// The name of the task that runs, in r1 and r2: of the task in r0 or of the record at r6, if there is
/// one. Clobbers the others up to r5, r0 only without a task, and the name's place at r7.
#[track_caller]
fn load_comm(a: &mut Asm, task: Option<Task>, name: Option<i32>) {
    match (name, task) {
        (Some(at), _) => match at % 8 {
            0 => copy_name(a, at, u64_at),
            4 => copy_name(a, at, u32_at),
            2 | 6 => copy_name(a, at, u16_at),
            _ => copy_name(a, at, u8_at),
        },
        (None, Some(task)) => {
            a.load(r1, u64_at(r0 + task.comm));
            a.load(r2, u64_at(r0 + (task.comm + 8)));
        }
        (None, None) => {
            // Some kernels (6.1) leave the bytes after a short name as they were.
            a.store(u64_at(r7 + COMM), 0);
            a.store(u64_at(r7 + (COMM + 8)), 0);
            a.mov(r1, r7);
            a.add(r1, COMM);
            a.mov(w2, 16);
            a.call(GET_CURRENT_COMM);
        }
    }
    if name.is_some() || task.is_none() {
        a.load(r1, u64_at(r7 + COMM));
        a.load(r2, u64_at(r7 + (COMM + 8)));
    }
    if name.is_some() || task.is_some() {
        a.end_at_nul([r1, r2], [r3, r4]);
    }
}

/// Copies the name from the record at r6 to the key at r7, in pieces that are aligned in the record.
#[track_caller]
fn copy_name<T: Loadable + Storable>(a: &mut Asm, from: i32, piece: fn(Addr) -> Mem<T>) {
    for at in (0..16).step_by(T::SIZE.bytes() as usize) {
        a.load(r1, piece(r6 + (from + at)));
        a.store(piece(r7 + (COMM + at)), r1);
    }
}
