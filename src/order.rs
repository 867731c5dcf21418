//! Sorting by code that the file has once: the standard library's is made anew for each type, which would
//! be a hundred kilobytes of it.

use std::cmp::Ordering;

/// Puts elements in order; equal ones stay in theirs. Slower than the standard library, whose sorts serve
/// what is large or sorted often.
pub trait PutInOrder<T> {
    /// By comparing two elements.
    fn order_by(&mut self, compare: impl FnMut(&T, &T) -> Ordering);

    /// By a key, the least first.
    fn order_by_key<K: Ord>(&mut self, mut key: impl FnMut(&T) -> K) {
        self.order_by(|one, other| key(one).cmp(&key(other)));
    }

    /// The least first.
    fn order(&mut self)
    where
        T: Ord,
    {
        self.order_by(T::cmp);
    }
}

impl<T> PutInOrder<T> for [T] {
    fn order_by(&mut self, mut compare: impl FnMut(&T, &T) -> Ordering) {
        let mut places = places(self.len(), &mut |one, other| compare(&self[one], &self[other]));
        // Each swap puts an element in its place.
        for at in 0..self.len() {
            while places[at] != at {
                let place = places[at];
                self.swap(at, place);
                places.swap(at, place);
            }
        }
    }
}

/// The place in order of each of `length` elements.
fn places(length: usize, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..length).collect();
    order.sort_by(|one, other| compare(*one, *other));
    let mut places = vec![0; length];
    for (place, element) in order.into_iter().enumerate() {
        places[element] = place;
    }
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn elements_are_in_the_order_of_the_standard_library(
            mut all in prop::collection::vec((0..20_u8, any::<u16>()), 0..200)
        ) {
            let mut known = all.clone();
            known.sort_by_key(|(key, _)| *key);
            all.order_by_key(|(key, _)| *key);
            prop_assert_eq!(&all, &known);
            known.sort();
            all.order();
            prop_assert_eq!(all, known);
        }
    }
}
