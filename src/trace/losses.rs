//! What did not fit: events into the rings, elements into the script's maps.

use crate::script::contents;
use crate::script::lower::WarningKind;
use crate::sys::Map;

pub(super) struct Losses<'a> {
    map: &'a Map,
    /// Whether it was told that a map is full, for each of the script's.
    told: Vec<bool>,
}

impl<'a> Losses<'a> {
    /// In [`crate::script::lower::LOST`], for so many maps of the script.
    pub fn new(map: &'a Map, maps: usize) -> Losses<'a> {
        Losses { map, told: vec![false; maps] }
    }

    fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; 24 + 8 * self.told.len()];
        // An array's element is always there.
        let _ = self.map.lookup(&[0; 4], &mut counts);
        contents::words(&counts)
    }

    /// How many events did not fit into the rings.
    pub fn events(&self, exited: bool) -> u64 {
        // Who asks again for the end misses nothing.
        let missed = if exited { 2 } else { 3 };
        self.counts()[..missed].iter().sum()
    }

    /// How many elements did not fit, for each map.
    pub fn elements(&self) -> Vec<u64> {
        self.counts().split_off(3)
    }

    /// The same without those of which a warning told all.
    pub fn untold(&self) -> impl Iterator<Item = u64> {
        let elements = self.elements().into_iter().zip(&self.told);
        elements.map(|(count, told)| if count == 1 && *told { 0 } else { count })
    }

    /// Whether a warning is to be told. CPUs that meet may both report the first element.
    pub fn is_news(&mut self, what: &WarningKind) -> bool {
        match what {
            WarningKind::MapFull(map) => {
                !std::mem::replace(&mut self.told[usize::from(*map)], true)
            }
            _ => true,
        }
    }
}
