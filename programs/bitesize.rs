//! Block I/O sizes by the process that asked for them.
//!
//! The process is known when I/O is submitted, its size when the request is issued to the driver, often
//! by another task. So one program remembers who submitted, and one counts.

use crate::host::{By, Disk, Request, Submission};
use crate::insn::{
    Cond::{Eq, Ne},
    helper::*,
    *,
};
use crate::programs::request::only;
use crate::sys::map::{MapSpec, MapType};

/// A histogram for each task.
const SIZES: MapRef = MapRef(0);
/// What a task's histogram begins with.
const ZEROS: MapRef = MapRef(1);
/// What is in no histogram.
const LOST: MapRef = MapRef(2);
/// Who submitted a request, by its address or its bio's.
const SUBMITTED: MapRef = MapRef(3);

/// A request has at most 2^32 - 1 bytes.
pub const BUCKETS: u32 = 32;
/// Behind the buckets: the bytes of all of them.
pub const BYTES: u32 = BUCKETS;
/// Of [`maps`]' counters of what is lost: requests whose size could not be read.
pub const UNREADABLE: u32 = 0;
/// Requests of tasks that did not fit the map.
pub const FULL: u32 = 1;

/// A task: process, thread, user and, in a key, what the request does, u32 each, and the 16 bytes of
/// its name.
pub const TASK: u32 = 32;
/// Where in it each is.
pub const PID: i32 = 0;
/// The thread.
pub const TID: i32 = 4;
/// The user.
pub const UID: i32 = 8;
/// The operation and its flags.
pub const FLAGS: i32 = 12;
/// The name.
pub const COMM: i32 = 16;
/// In a key by cgroup its number, u64, in place of process and thread.
pub const CGROUP: i32 = PID;

/// Requests that can be on their way to the driver at once; of more, the oldest are forgotten.
const ON_THE_WAY: u32 = 16384;

/// The maps, with room for so many keys.
pub fn maps(max_keys: u32, by: Key) -> Vec<MapSpec> {
    vec![
        MapSpec::new("sizes", MapType::Hash, TASK, 8 * (BUCKETS + 1), max_keys),
        MapSpec::new("zeros", MapType::Array, 4, 8 * (BUCKETS + 1), 1),
        MapSpec::new("lost", MapType::Array, 4, 8 * 2, 1),
        MapSpec::new("submitted", MapType::LruHash, 8, submitter(by), ON_THE_WAY),
    ]
}

/// What the histograms are told apart by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Key {
    /// Process, user and name
    Pid,
    /// Thread too
    Tid,
    /// Name
    Comm,
    /// User
    Uid,
    /// Control group (version 2)
    Cgroup,
}

/// Bytes that are remembered of who submits: the task and, behind it, its cgroup if that is the key.
fn submitter(by: Key) -> u32 {
    if by == Key::Cgroup { TASK + 8 } else { TASK }
}

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Only this disk's requests.
    pub disk: Option<Disk>,
    /// Only this process.
    pub pid: Option<u32>,
    /// Only tasks of this name, zeros behind it.
    pub comm: Option<[u8; 16]>,
    /// What has a histogram of its own.
    pub by: Key,
    /// A histogram for each operation with its flags too.
    pub by_flags: bool,
}

/// `submitted[request] = current`
pub fn remember(submission: &Submission, by: Key) -> Result<Program, AsmError> {
    let mut a = Asm::new();
    let (known, done) = (a.label(), a.label());
    let task = -8 - submitter(by) as i32;
    a.load(r1, u64_at(r1 + submission.argument));
    a.store(u64_at(fp - 8), r1);
    // Requests are used again and again: nearly always there is one at that address, to write over,
    // which takes a fifth of the time of an update.
    a.lookup(SUBMITTED, -8);
    a.mov(r6, r0);
    a.mov(r7, r0);
    a.jump_if(r7, Ne, 0, &known);
    a.mov(r6, fp);
    a.add(r6, task);
    a.place(known);
    current(&mut a, by);
    a.jump_if(r7, Ne, 0, &done);
    a.update(SUBMITTED, -8, task);
    a.place(done);
    a.mov(w0, 0);
    a.exit();
    a.finish()
}

/// `sizes[task][log2(kbytes)] += 1`, where the task is who submitted the request or, if that was not
/// seen, who issues it.
pub fn count(request: &Request, by: Option<By>, options: Options) -> Result<Program, AsmError> {
    let mut a = Asm::new();
    let (other, unreadable, full) = (a.label(), a.label(), a.label());
    let (unknown, known) = (a.label(), a.label());
    // On the stack.
    let task = -8 - submitter(options.by) as i32;

    match *request {
        // The context is the tracepoint's record.
        Request::Record { bytes, .. } => {
            only(&mut a, options.disk, request, &other);
            a.load(r9, u32_at(r1 + bytes));
        }
        // The context leads to the struct request, which stays in r6.
        Request::Struct { argument, access, data_len, cmd_flags, .. } => {
            a.load(r6, u64_at(r1 + argument));
            only(&mut a, options.disk, request, &other);
            a.read(access, r9, u32_at(r6 + data_len), &unreadable);
            if options.by_flags {
                a.read(access, r8, u32_at(r6 + cmd_flags), &unreadable);
            }
            match by {
                Some(By::Request) => a.store(u64_at(fp - 8), r6),
                Some(By::Bio(bio)) => {
                    a.read(access, r7, u64_at(r6 + bio), &unknown);
                    a.store(u64_at(fp - 8), r7);
                }
                None => {}
            }
            if by.is_some() {
                a.lookup(SUBMITTED, -8);
                a.jump_if(r0, Eq, 0, &unknown);
                for word in (0..submitter(options.by) as i32).step_by(8) {
                    a.load(r1, u64_at(r0 + word));
                    a.store(u64_at(fp + (task + word)), r1);
                }
                a.goto(&known);
            }
        }
    }
    a.place(unknown);
    a.mov(r6, fp);
    a.add(r6, task);
    current(&mut a, options.by);
    a.place(known);

    if let Some(pid) = options.pid {
        a.load(r1, u32_at(fp + (task + PID)));
        a.jump_if(w1, Ne, pid as i32, &other);
    }
    if let Some(comm) = options.comm {
        let (words, _) = comm.as_chunks::<8>();
        for (at, word) in (task + COMM..).step_by(8).zip(words) {
            a.load(r1, u64_at(fp + at));
            a.load_imm64(r2, u64::from_ne_bytes(*word));
            a.jump_if(r1, Ne, r2, &other);
        }
    }
    // What tells no two apart is 0.
    match options.by {
        Key::Pid => a.store(u32_at(fp + (task + TID)), 0),
        Key::Tid => {}
        Key::Comm => {
            a.store(u64_at(fp + (task + PID)), 0);
            a.store(u64_at(fp + (task + UID)), 0);
        }
        Key::Uid => {
            a.store(u64_at(fp + (task + PID)), 0);
            a.store(u64_at(fp + (task + COMM)), 0);
            a.store(u64_at(fp + (task + COMM + 8)), 0);
        }
        Key::Cgroup => {
            a.load(r1, u64_at(fp + (task + TASK as i32)));
            a.store(u64_at(fp + (task + CGROUP)), r1);
            a.store(u64_at(fp + (task + UID)), 0);
            a.store(u64_at(fp + (task + COMM)), 0);
            a.store(u64_at(fp + (task + COMM + 8)), 0);
        }
    }
    if options.by_flags {
        a.store(u32_at(fp + (task + FLAGS)), r8);
    }
    a.lookup_or_insert(SIZES, task, ZEROS, &full);
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
    a.count_one(LOST, FULL);
    a.goto(&done);
    if matches!(request, Request::Struct { access: Access::Probe, .. }) {
        a.place(unreadable);
        a.count_one(LOST, UNREADABLE);
        a.goto(&done);
    }
    a.finish()
}

/// The task that runs, where r6 points to, and its cgroup if that is the key. Clobbers r0 to r5.
#[track_caller]
fn current(a: &mut Asm, by: Key) {
    a.call(GET_CURRENT_PID_TGID);
    a.store(u32_at(r6 + TID), r0);
    a.rsh(r0, 32);
    a.store(u32_at(r6 + PID), r0);
    a.call(GET_CURRENT_UID_GID);
    a.store(u32_at(r6 + UID), r0);
    a.store(u32_at(r6 + FLAGS), 0);
    // Some kernels (6.1) leave what is behind a short name as it was.
    a.store(u64_at(r6 + COMM), 0);
    a.store(u64_at(r6 + (COMM + 8)), 0);
    a.mov(r1, r6);
    a.add(r1, COMM);
    a.mov(w2, 16);
    a.call(GET_CURRENT_COMM);
    if by == Key::Cgroup {
        a.call(GET_CURRENT_CGROUP_ID);
        a.store(u64_at(r6 + TASK as i32), r0);
    }
}
