//! Conditions of which one side may still be walked, found by their slot or by where they lead.

use std::collections::VecDeque;

use super::path::Code;

/// The kernel's limit for branches that are put aside at a time. Conditions before the last 8192 may not
/// have been put aside, and what is kept of them would take too much memory.
const MOST: usize = 8192;

/// A condition that was walked over, and what is kept of it.
struct Condition<T> {
    at: u32,
    kept: T,
    /// The last condition before it at the same slot, and those with the same targets.
    before: Links,
}

/// Numbers of conditions, counted from the first that was ever pushed.
#[derive(Clone, Copy, Default)]
struct Links {
    at: Option<u32>,
    targets: [Option<u32>; 2],
}

/// The conditions, in the order of the walk. To find one takes no search, however many there are.
pub(super) struct Waiting<'c, T> {
    code: &'c Code,
    all: VecDeque<Condition<T>>,
    /// How many were dropped from the front.
    dropped: u32,
    /// The last condition at each slot.
    last_at: Vec<Option<u32>>,
    /// The last condition that leads to each slot.
    last_to: Vec<Option<u32>>,
}

impl<'c, T> Waiting<'c, T> {
    /// No condition of this program yet.
    pub fn new(code: &'c Code) -> Waiting<'c, T> {
        let none = vec![None; code.slots().len()];
        Waiting { code, all: VecDeque::new(), dropped: 0, last_at: none.clone(), last_to: none }
    }

    /// Adds the condition at a slot.
    pub fn push(&mut self, at: u32, kept: T) {
        let number = self.dropped + self.all.len() as u32;
        let mut before = Links::default();
        if let Some(last) = self.last_at.get_mut(at as usize) {
            before.at = last.replace(number);
        }
        for (target, before) in self.code.targets(at).into_iter().zip(&mut before.targets) {
            if let Some(last) = target.and_then(|to| self.last_to.get_mut(to as usize)) {
                *before = last.replace(number);
            }
        }
        self.all.push_back(Condition { at, kept, before });
        if self.all.len() > MOST {
            self.all.pop_front();
            self.dropped += 1;
        }
    }

    /// Takes the last condition at a slot, and drops those after it. Returns what was kept of it.
    pub fn take_at(&mut self, at: u32) -> Option<(u32, T)> {
        self.take(*self.last_at.get(at as usize)?)
    }

    /// Takes the last condition that leads to a slot, and drops those after it. Returns its slot, and what was
    /// kept of it.
    pub fn take_to(&mut self, to: u32) -> Option<(u32, T)> {
        self.take(*self.last_to.get(to as usize)?)
    }

    fn take(&mut self, number: Option<u32>) -> Option<(u32, T)> {
        let index = number?.checked_sub(self.dropped)? as usize;
        while self.all.len() > index {
            let Condition { at, kept, before } = self.all.pop_back()?;
            if let Some(last) = self.last_at.get_mut(at as usize) {
                *last = before.at;
            }
            // Both may lead to one slot: the later of the two links is undone first.
            for (target, before) in self.code.targets(at).into_iter().zip(before.targets).rev() {
                if let Some(last) = target.and_then(|to| self.last_to.get_mut(to as usize)) {
                    *last = before;
                }
            }
            if self.all.len() == index {
                return Some((at, kept));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A condition at 0 that leads to 1 and 2, one at 1 that leads to 2 both ways, one at 2 back to 1.
    fn code() -> Code {
        let text = "if r1 == 0x0 goto pc+1\nif r1 == 0x0 goto pc+0\nif r1 == 0x0 goto pc-2\nexit\n";
        Code::of(crate::insn::parse("waiting", text).unwrap().programs[0].program.insns())
    }

    #[test]
    fn the_last_is_found_and_those_after_it_are_dropped() {
        let code = code();
        let mut waiting = Waiting::new(&code);
        for (kept, at) in [0, 1, 2, 0, 1].into_iter().enumerate() {
            waiting.push(at, kept);
        }
        assert_eq!(waiting.take_to(3), Some((2, 2)));
        assert_eq!(waiting.take_at(2), None);
        assert_eq!(waiting.take_to(2), Some((1, 1)));
        assert_eq!(waiting.take_to(1), Some((0, 0)));
        assert_eq!(waiting.take_to(2), None);
        assert_eq!(waiting.take_at(99), None);
    }

    #[test]
    fn no_more_are_kept_than_a_kernel_puts_aside() {
        let code = code();
        let mut waiting = Waiting::new(&code);
        waiting.push(1, 0);
        (1..=MOST).for_each(|kept| waiting.push(0, kept));
        assert_eq!(waiting.all.len(), MOST);
        assert_eq!(waiting.take_at(1), None);
        assert_eq!(waiting.take_at(0), Some((0, MOST)));
    }

    /// As searching from the end would find them.
    #[test]
    fn any_order_of_pushes_and_takes_finds_what_a_search_finds() {
        let code = code();
        let (mut waiting, mut list) = (Waiting::new(&code), Vec::<(u32, u32)>::new());
        let mut random = 1u32;
        for kept in 0..20_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let slot = (random >> 8) % 4;
            let index = match random >> 28 {
                0..10 if slot < 3 => {
                    waiting.push(slot, kept);
                    list.push((slot, kept));
                    continue;
                }
                10..13 => list.iter().rposition(|(at, _)| *at == slot),
                _ => list.iter().rposition(|(at, _)| code.targets(*at).contains(&Some(slot))),
            };
            let found = match random >> 28 {
                10..13 => waiting.take_at(slot),
                _ => waiting.take_to(slot),
            };
            assert_eq!(found, index.map(|index| list[index]));
            list.truncate(index.unwrap_or(list.len()));
        }
    }
}
