//! What is known in each frame of a walk, and copies of that which need little memory.

use std::rc::Rc;

use super::log::{KnownValue, Place, State, TextAt};

/// The kernel's limit for nested calls.
const DEEPEST: u32 = 16;

/// A place with its new value; `None` if nothing is known of it any more.
pub type Change<'a> = (Place, Option<KnownValue<'a>>);

/// A value, and where in the log it stands.
#[derive(Clone, Copy)]
pub(super) struct Held<'a> {
    pub place: Place,
    pub value: KnownValue<'a>,
    pub at: TextAt,
}

/// The frames; there is always one.
pub(super) struct Frames<'a> {
    log: &'a str,
    frames: Vec<Frame<'a>>,
}

#[derive(Default)]
struct Frame<'a> {
    /// At most one value for each place: 80 in all.
    known: Vec<Held<'a>>,
    /// A copy of it, if one was made since it changed.
    copy: Option<FrameCopy>,
}

/// Where in the log the values of a frame stand.
type FrameCopy = Rc<[TextAt]>;

/// A copy of all frames.
pub(super) struct FramesCopy(Box<[FrameCopy]>);

impl<'a> Frames<'a> {
    /// One frame in which nothing is known.
    pub fn new(log: &'a str) -> Frames<'a> {
        Frames { log, frames: vec![Frame::default()] }
    }

    /// The number of the last frame.
    pub fn last(&self) -> usize {
        self.frames.len() - 1
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.frames = vec![Frame::default()];
    }

    /// A copy. What did not change since the copy before is in memory once.
    pub fn copy(&mut self) -> FramesCopy {
        let copies = self.frames.iter_mut().map(|frame| {
            let known = &frame.known;
            frame.copy.get_or_insert_with(|| known.iter().map(|held| held.at).collect()).clone()
        });
        FramesCopy(copies.collect())
    }

    /// Goes back to a copy.
    pub fn restore(&mut self, copy: FramesCopy) {
        let frames = copy.0.into_iter().map(|copy| {
            let held = |at: &TextAt| {
                let (place, value) = at.value(self.log)?;
                Some(Held { place, value, at: *at })
            };
            Frame { known: copy.iter().filter_map(held).collect(), copy: Some(copy) }
        });
        self.frames = frames.collect();
    }

    /// What is known in a frame, or else in the last: registers first, then the stack from its top.
    pub fn known(&self, frame: usize) -> Vec<Held<'a>> {
        let frame = self.frames.get(frame).or(self.frames.last());
        let mut known = frame.map_or(vec![], |frame| frame.known.clone());
        known.sort_by_key(|held| match held.place {
            Place::Register(number) => (false, i64::from(number)),
            Place::Stack(offset) => (true, -i64::from(offset)),
        });
        known
    }

    /// Forgets r1 to r5 of the last frame, and returns the changes.
    pub fn wipe_arguments(&mut self) -> Vec<Change<'a>> {
        let wiped = |held: &mut Held| matches!(held.place, Place::Register(1..=5));
        match self.frames.last_mut() {
            Some(frame) => frame.forget(wiped),
            None => vec![],
        }
    }

    /// Takes a state, whole or only the news, and returns the changes, one for a place. Frames after the state's
    /// have ended.
    pub fn learn(&mut self, state: State<'a>, whole: bool) -> Vec<Change<'a>> {
        self.frames.resize_with(state.frame.min(DEEPEST) as usize + 1, Frame::default);
        let Some(frame) = self.frames.last_mut() else { return vec![] };
        let mut changes: Vec<Change> = vec![];
        let (mut seen, mut changed) = (0, 0);
        let mut values = state.values();
        while let Some((at, place, value)) = values.next_at(self.log) {
            let bit = place.bit().unwrap_or(0);
            seen |= bit;
            let new = Held { place, value, at };
            match frame.known.iter_mut().find(|held| held.place == place) {
                Some(old) if old.value == value => continue,
                Some(old) => *old = new,
                None => frame.known.push(new),
            }
            frame.copy = None;
            let change = (place, Some(value));
            if changed & bit == 0 {
                changes.push(change);
            } else if let Some(earlier) = changes.iter_mut().find(|(other, _)| *other == place) {
                *earlier = change;
            }
            changed |= bit;
        }
        if whole {
            changes.extend(frame.forget(|held| held.place.bit().unwrap_or(0) & seen == 0));
        }
        changes
    }
}

impl<'a> Frame<'a> {
    fn forget(&mut self, gone: impl FnMut(&mut Held) -> bool) -> Vec<Change<'a>> {
        let gone: Vec<_> = self.known.extract_if(.., gone).map(|held| (held.place, None)).collect();
        if !gone.is_empty() {
            self.copy = None;
        }
        gone
    }
}
