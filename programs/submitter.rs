//! Who submitted a block request: what block tools share that ask for it.
//!
//! The task is known when I/O is submitted; the request is met when it is issued to the driver, often by
//! another task. So one program stores a key of the task that submits, and the tool's own program looks
//! it up.

use crate::aggregate::slots;
use crate::host::{Identity, PidNamespace, Process, StructRequest, Submission, Task};
use crate::insn::{
    Cond::{Eq, Ne},
    helper::*,
    mem::{Loadable, Storable},
    *,
};
use crate::programs::task::load_numbers;
use crate::source_text;
use crate::sys::map::{MapSpec, MapType};

static SOURCE: SourceText = source_text!("submitter.rs");

/// The bytes of a key: the task's process, thread and user, and the request's operation, u32 each, and
/// the 16 bytes of the task's name. A field that is not asked for is 0.
pub const KEY: u32 = 32;
/// Where a key has the process.
pub const PID: i32 = 0;
/// Where a key has the thread.
pub const TID: i32 = 4;
/// Where a key has the user.
pub const UID: i32 = 8;
/// Where a tool may have the operation and its flags. While only the task is known: whether it is another
/// task than was asked for.
pub const FLAGS: i32 = 12;
/// Where a key has the name.
pub const COMM: i32 = 16;
/// Where a key by cgroup has the cgroup's number, u64, in place of process and thread.
pub const CGROUP: i32 = PID;

/// The largest number of requests on their way to the driver at once; of more, the oldest are forgotten.
const ON_THE_WAY: u32 = 16384;

/// What is kept of a task.
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

/// Whose requests are counted; everybody's by default.
#[derive(Clone, Copy, Default, Debug)]
pub struct Whose {
    /// Only this process.
    pub process: Option<Process>,
    /// Only tasks of this name, padded with zeros.
    pub comm: Option<[u8; 16]>,
    /// Only tasks of the control group that is in the map, and of those below it.
    pub cgroup: bool,
}

impl Whose {
    /// Whether only some tasks are counted.
    pub fn is_some(&self) -> bool {
        self.process.is_some() || self.comm.is_some() || self.cgroup
    }
}

/// The tasks that submitted requests, and what of them is kept.
#[derive(Clone, Copy, Debug)]
pub struct Submitters {
    /// The first of [`Submitters::maps`].
    pub first: MapRef,
    /// Which tasks are asked for.
    pub whose: Whose,
    /// What their keys are made of.
    pub by: Option<Key>,
    /// The namespace whose numbers of processes and threads are in keys, if it is not the host's first
    /// one.
    pub namespace: Option<PidNamespace>,
}

impl Submitters {
    /// These tasks, with maps from the tool's first one on.
    pub fn new(whose: Whose, by: Option<Key>, namespace: Option<PidNamespace>) -> Submitters {
        Submitters { first: MapRef(0), whose, by, namespace }
    }

    /// With maps from this one on.
    #[must_use]
    pub fn at(self, first: MapRef) -> Submitters {
        Submitters { first, ..self }
    }

    /// Keys by the address of the request or its bio, keys of requests that have a slot, and the control
    /// group that was asked for.
    pub fn maps(&self) -> Vec<MapSpec> {
        let mut maps = vec![
            MapSpec::new("submitted", MapType::LruHash, 8, KEY, ON_THE_WAY),
            MapSpec { name: "submitter_slots".into(), ..slots::map() },
        ];
        if self.whose.cgroup {
            maps.push(MapSpec::new("cgroup", MapType::CgroupArray, 4, 4, 1));
        }
        maps
    }

    fn map(&self, index: u16) -> MapRef {
        MapRef(self.first.0 + index)
    }

    /// The keys by address.
    pub fn submitted(&self) -> MapRef {
        self.map(0)
    }

    /// The keys of requests that have a slot.
    pub fn slots(&self) -> MapRef {
        self.map(1)
    }

    /// The control group that was asked for.
    pub fn cgroup(&self) -> MapRef {
        self.map(2)
    }

    /// `submitted[request] = current`
    pub fn remember(
        &self,
        submission: &Submission,
        task: Option<Task>,
    ) -> Result<Program, AsmError> {
        let mut a = Asm::with_source(&SOURCE);
        let (other, written) = (a.label(), a.label());
        let (taken, known, done) = (a.label(), a.label(), a.label());
        // What is known again at the issue, needed only until the next read, and a key.
        let (seen, own_key) = (a.frame.place_for_reads(), a.frame.place(KEY));
        a.load(r6, u64_at(r1 + submission.argument));
        a.load_address(r7, own_key);
        if self.whose.is_some() {
            // Whatever is left out below.
            for word in (0..KEY as i32).step_by(8) {
                a.store(u64_at(own_key + word), 0);
            }
        }
        self.load_key(&mut a, task, None, &other);
        if self.whose.is_some() {
            a.goto(&written);
            a.place(other);
            a.store(u32_at(r7 + FLAGS), 1);
            a.place(written);
        }
        if submission.identity == Identity::Request {
            // Requests are used again and again, at the same address. One that finds its slot taken is
            // always in the hash.
            slots::claim(&mut a, r7, r6, self.slots(), &taken);
            a.add(r7, slots::VALUE);
            a.goto(&known);
        }
        a.place(taken);
        a.store(u64_at(seen), r6);
        // Nearly always there is one at that address, to write over, which takes a fifth of the time of
        // an update.
        a.lookup(self.submitted(), seen);
        a.mov(r7, r0);
        a.jump_if(r7, Ne, 0, &known);
        a.update(self.submitted(), seen, own_key);
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

    /// `r7 = ` the address of the key of who submitted the request in r6 or, if that was not seen, of the
    /// task that runs, whose key is then at `own_key`. Goes on at `other` if the task is not one that was
    /// asked for. Clobbers r0 to r5 and the place for reads.
    #[track_caller]
    pub fn load(
        &self,
        a: &mut Asm,
        request: &StructRequest,
        submission: Option<&Submission>,
        own_key: StackPlace,
        other: &impl Target,
    ) {
        let (unknown, known) = (a.label(), a.label());
        let seen = a.frame.place_for_reads();
        match submission.map(|submission| submission.identity) {
            Some(Identity::Request) => {
                slots::load(a, r7, r6, self.slots());
                a.load(r0, u64_at(r7 + 0));
                a.add(r7, slots::VALUE);
                a.jump_if(r0, Eq, r6, &known);
                a.store(u64_at(seen), r6);
            }
            Some(Identity::Bio(bio)) => {
                a.read(request.access, r7, u64_at(r6 + bio), &unknown);
                a.store(u64_at(seen), r7);
            }
            None => {}
        }
        if submission.is_some() {
            a.lookup(self.submitted(), seen);
            a.mov(r7, r0);
            a.jump_if(r7, Ne, 0, &known);
        }
        a.place(unknown);
        // Seldom where submissions are seen, and without them there are no types to go by.
        self.load_current(a, None, own_key, other);
        a.place(known);
        if submission.is_some() && self.whose.is_some() {
            a.load(r1, u32_at(r7 + FLAGS));
            a.jump_if(r1, Ne, 0, other);
        }
    }

    /// `r7 = ` the address of the key of the task that runs, which is at `own_key`. `name` is the name's
    /// offset in the record at r6, if the name is read from there. Goes on at `other` if the task is not
    /// one that was asked for. Clobbers r0 to r5.
    #[track_caller]
    pub fn load_current(
        &self,
        a: &mut Asm,
        name: Option<Field>,
        own_key: StackPlace,
        other: &impl Target,
    ) {
        a.load_address(r7, own_key);
        self.load_key(a, None, name.and_then(|name| name.offset), other);
    }

    /// `*r7 = ` the key of the task that runs. Jumps to `other` if it is not one that was asked for.
    /// `name` is the name's offset in the record at r6, if the name is read from there. Clobbers r0 to r5.
    #[track_caller]
    fn load_key(&self, a: &mut Asm, task: Option<Task>, name: Option<i32>, other: &impl Target) {
        let Submitters { whose, by, .. } = *self;
        let by_task = matches!(by, Some(Key::Pid | Key::Tid));
        // By task, a key has all of these fields; otherwise one of them.
        let by_comm = by_task || by == Some(Key::Comm);
        let by_uid = by_task || by == Some(Key::Uid);
        let on_host = whose.process.filter(|process| process.namespace.is_none());
        if whose.cgroup {
            a.load_map(r1, self.cgroup());
            a.mov(w2, 0);
            a.call(CURRENT_TASK_UNDER_CGROUP);
            a.jump_if(r0, Ne, 1, other);
        }
        if let Some(Process { own_pid, namespace: Some(namespace), .. }) = whose.process {
            load_numbers(a, namespace, |at| r7 + (COMM + at));
            a.jump_if(w1, Ne, own_pid as i32, other);
        }
        if let Some(namespace) = self.namespace.filter(|_| by_task) {
            load_numbers(a, namespace, |at| r7 + (COMM + at));
            store_numbers(a, by);
        }
        if task.is_some() && (by != Some(Key::Cgroup) || whose.is_some()) {
            a.call(GET_CURRENT_TASK_BTF);
        }
        if !by_task {
            a.store(u64_at(r7 + PID), 0);
        }
        if by_task && self.namespace.is_none() || on_host.is_some() {
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
            if let Some(process) = on_host {
                a.jump_if(w1, Ne, process.own_pid as i32, other);
            }
            store_numbers(a, by);
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
        if by_comm || whose.comm.is_some() {
            load_comm(a, task, name);
            if let Some(comm) = whose.comm {
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
        if by == Some(Key::Cgroup) {
            a.call(GET_CURRENT_CGROUP_ID);
            a.store(u64_at(r7 + CGROUP), r0);
        }
    }
}

/// Copies the key at r7. Clobbers r1.
#[track_caller]
pub fn copy_key(a: &mut Asm, to: StackPlace) {
    for word in (0..KEY as i32).step_by(8) {
        a.load(r1, u64_at(r7 + word));
        a.store(u64_at(to + word), r1);
    }
}

/// Stores process and thread from r1 and r2 in the key at r7, as far as they are part of it.
#[track_caller]
fn store_numbers(a: &mut Asm, by: Option<Key>) {
    match by {
        Some(Key::Pid) => {
            a.store(u32_at(r7 + PID), r1);
            a.store(u32_at(r7 + TID), 0);
        }
        Some(Key::Tid) => {
            a.store(u32_at(r7 + PID), r1);
            a.store(u32_at(r7 + TID), r2);
        }
        _ => {}
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

/// The registers that each block overwrites beside those of its result.
pub mod clobbers {
    use super::{Regs, r1};

    /// [`Submitters::load`](super::Submitters::load) and
    /// [`Submitters::load_current`](super::Submitters::load_current), whose result is in r7.
    pub const LOAD: Regs = Regs::CALL;

    /// [`copy_key`](super::copy_key).
    pub const COPY_KEY: Regs = Regs::of([r1]);
}
