//! When the requests began that are not over, by where they are: for programs that meet a request only in a
//! tracepoint's record, which does not say which one it is.
//!
//! A request is recognised by its place: the disk, the operation and the first sector. Of several requests
//! that are under way at one place at a time nobody can say which one ends, so that none of them is
//! measured.

use super::counters::count_one;
use super::starts::TOO_MANY;
use crate::insn::Cond::{Eq, Ge, Ne};
use crate::insn::{Asm, MapRef, Regs, StackPlace, Target, r0, r1, r2, r6, r7, r8, r9, u64_at};
use crate::sys::map::{Entries, MapSpec, MapType};

/// Where the starts are.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    /// The hash by place.
    pub map: MapRef,
    /// The counters of requests that are not measured.
    pub missed: MapRef,
    /// The first of three of them: [`UNMATCHED`](super::starts::UNMATCHED), [`AMBIGUOUS`] and [`TOO_MANY`].
    pub first: u32,
}

/// After the first counter: requests that ended where several were under way.
pub const AMBIGUOUS: u32 = 1;

const KEY: u32 = 16;
/// In a value: when the request began, or 0 if it was not alone.
const TIME: i32 = 0;
/// The number of sectors that have not ended.
const LEFT: i32 = 8;
/// The number of requests.
const OPEN: i32 = 16;
const VALUE: u32 = 24;

impl Places {
    /// The hash, for at most `max_requests`.
    pub fn map(max_requests: u32) -> MapSpec {
        MapSpec::new("starts", MapType::Hash, KEY, VALUE, max_requests)
    }

    /// How many requests began and have not ended, as far as was seen, in the hash as it was read.
    pub fn open(starts: &Entries) -> u64 {
        let open = starts.iter().filter_map(|(_, value)| value.get(OPEN as usize..)?.first_chunk());
        open.map(|open| u64::from_ne_bytes(*open)).fold(0, u64::saturating_add)
    }

    /// `places[r8, r6] = (r9, r7)`: the disk with the operation, and the first sector; the time, and the number
    /// of sectors. Clobbers r0 to r5.
    #[track_caller]
    pub fn begin(&self, a: &mut Asm) {
        let (key, value) = (a.frame.place(KEY), a.frame.place(VALUE));
        self.store_key(a, key);
        a.store(u64_at(value + TIME), r9);
        a.store(u64_at(value + LEFT), r7);
        a.store(u64_at(value + OPEN), 1);
        self.put(a, key, value);
    }

    /// `r7 = ` when the request began that ends, or its last part: its place in r8 and r6, and the number of
    /// sectors that end in r7. It is forgotten. Goes on at `unmatched` if nothing began there, and at `going_on`
    /// if only a part ends, or if several were under way, which is counted. Clobbers r0 to r6.
    #[track_caller]
    pub fn end(&self, a: &mut Asm, unmatched: &impl Target, going_on: &impl Target) {
        let (several, whole) = (a.label(), a.label());
        let (key, value) = (a.frame.place(KEY), a.frame.place(VALUE));
        self.store_key(a, key);
        a.lookup(self.map, key);
        a.jump_if(r0, Eq, 0, unmatched);
        a.load(r1, u64_at(r0 + OPEN));
        a.jump_if(r1, Ne, 1, &several);
        a.load(r1, u64_at(r0 + TIME));
        a.jump_if(r1, Eq, 0, &several);
        a.load(r2, u64_at(r0 + LEFT));
        a.add(r6, r7);
        a.jump_if(r7, Ge, r2, &whole);
        // The rest of the request begins where this part ends.
        a.sub(r2, r7);
        a.store(u64_at(value + TIME), r1);
        a.store(u64_at(value + LEFT), r2);
        a.store(u64_at(value + OPEN), 1);
        a.delete(self.map, key);
        self.store_key(a, key);
        self.put(a, key, value);
        a.goto(going_on);

        a.place(several);
        count_one(a, self.missed, self.first + AMBIGUOUS);
        self.take_one(a, key);
        a.goto(going_on);

        a.place(whole);
        a.mov(r7, r1);
        a.delete(self.map, key);
    }

    /// Forgets the request at the place in r8 and r6, which will be issued again. Clobbers r0 to r5.
    #[track_caller]
    pub fn give_back(&self, a: &mut Asm) {
        let key = a.frame.place(KEY);
        self.store_key(a, key);
        self.take_one(a, key);
    }

    #[track_caller]
    fn store_key(&self, a: &mut Asm, key: StackPlace) {
        a.store(u64_at(key + 0), r6);
        a.store(u64_at(key + 8), r8);
    }

    /// `map[key] = value`, or one more at the place of another.
    #[track_caller]
    fn put(&self, a: &mut Asm, key: StackPlace, value: StackPlace) {
        let (done, full) = (a.label(), a.label());
        a.insert(self.map, key, value);
        a.jump_if(r0, Eq, 0, &done);
        a.lookup(self.map, key);
        a.jump_if(r0, Eq, 0, &full);
        a.store(u64_at(r0 + TIME), 0);
        a.mov(r1, 1);
        a.lock_add(u64_at(r0 + OPEN), r1);
        a.goto(&done);
        a.place(full);
        count_one(a, self.missed, self.first + TOO_MANY);
        a.place(done);
    }

    /// One less at this place.
    #[track_caller]
    fn take_one(&self, a: &mut Asm, key: StackPlace) {
        let (done, last) = (a.label(), a.label());
        a.lookup(self.map, key);
        a.jump_if(r0, Eq, 0, &done);
        a.load(r1, u64_at(r0 + OPEN));
        a.jump_if(r1, Eq, 1, &last);
        a.mov(r1, -1);
        a.lock_add(u64_at(r0 + OPEN), r1);
        a.goto(&done);
        a.place(last);
        a.delete(self.map, key);
        a.place(done);
    }
}

/// The registers that each block overwrites beside those of its result.
pub mod clobbers {
    use super::{Regs, r6};

    /// [`Places::begin`](super::Places::begin) and [`Places::give_back`](super::Places::give_back).
    pub const BEGIN: Regs = Regs::CALL;

    /// [`Places::end`](super::Places::end), whose result is in r7.
    pub const END: Regs = Regs::CALL.or(Regs::of([r6]));
}
