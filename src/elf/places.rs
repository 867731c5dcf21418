//! Finds things by their place in an object.

use crate::order::PutInOrder;

/// Numbers by section and offset in it.
#[derive(Default)]
pub struct Places(Vec<(u64, usize)>);

impl Places {
    /// Numbers the places in the order given. Several numbers may have the same place. Offsets beyond
    /// 4 GiB, which no section has, are left out.
    pub fn new(places: impl Iterator<Item = (usize, u64)>) -> Places {
        let places = places.enumerate().filter(|(_, (_, offset))| *offset <= u32::MAX.into());
        let mut places: Vec<_> =
            places.map(|(number, (section, offset))| (key(section, offset), number)).collect();
        places.order();
        Places(places)
    }

    /// The numbers at a place.
    pub fn at(&self, section: usize, offset: u64) -> impl Iterator<Item = usize> {
        self.from(section, offset).take_while(move |(here, _)| *here == offset).map(|(_, it)| it)
    }

    /// The last number at a place or before it in the section.
    pub fn up_to(&self, section: usize, offset: u64) -> Option<usize> {
        let after = self.0.partition_point(|(place, _)| *place <= key(section, offset));
        let (place, number) = self.0.get(after.checked_sub(1)?)?;
        (place >> 32 == section as u64).then_some(*number)
    }

    /// The offsets and numbers from a place to the end of the section.
    pub fn from(&self, section: usize, offset: u64) -> impl Iterator<Item = (u64, usize)> {
        let first = self.0.partition_point(|(place, _)| *place < key(section, offset));
        self.0[first..]
            .iter()
            .take_while(move |(place, _)| place >> 32 == section as u64)
            .map(|(place, number)| (u64::from(*place as u32), *number))
    }
}

/// The sort key of a place. Offsets beyond 4 GiB come after all others of the section.
fn key(section: usize, offset: u64) -> u64 {
    (section as u64) << 32 | offset.min(u32::MAX.into())
}
