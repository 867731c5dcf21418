//! The kernel memory of maps.

use std::fmt;
use std::iter::Sum;
use std::ops::Add;

use super::cpu;
use super::map::{MapSpec, MapType};

/// Bytes of the kernel's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Bytes on any host.
    pub fixed: usize,
    /// Additional bytes for each possible CPU of the host.
    pub per_cpu: usize,
}

impl Memory {
    /// The memory on this host, with all its CPUs, as a fixed number.
    pub fn here(self) -> Memory {
        let cpus = cpu::possible().unwrap_or(1);
        Memory { fixed: self.fixed + self.per_cpu * cpus, per_cpu: 0 }
    }
}

/// For people: `1608 KiB, and 3 KiB for each CPU`.
impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = |bytes: usize| match bytes {
            0..1024 => format!("{bytes} bytes"),
            _ => format!("{} KiB", bytes.div_ceil(1024)),
        };
        f.write_str(&size(self.fixed))?;
        match self.per_cpu {
            0 => Ok(()),
            bytes => write!(f, ", and {} for each CPU", size(bytes)),
        }
    }
}

impl Add for Memory {
    type Output = Memory;

    fn add(self, other: Memory) -> Memory {
        Memory { fixed: self.fixed + other.fixed, per_cpu: self.per_cpu + other.per_cpu }
    }
}

impl Sum for Memory {
    fn sum<I: Iterator<Item = Memory>>(all: I) -> Memory {
        all.fold(Memory::default(), Memory::add)
    }
}

/// `struct htab_elem` before its key.
const ELEMENT: usize = 48;
/// `struct bucket`.
const BUCKET: usize = 16;
const POINTER: usize = 8;

impl MapSpec {
    /// The memory that the kernel reserves for the elements of an array or a hash when it creates the map,
    /// which is all of the map's memory except a kilobyte or less. For types that tools do not use, only the
    /// keys and values are counted.
    pub fn memory(&self) -> Memory {
        let entries = self.max_entries as usize;
        let key = (self.key_size as usize).next_multiple_of(8);
        let value = (self.value_size as usize).next_multiple_of(8);
        let hash = BUCKET * entries.next_power_of_two() + entries * (ELEMENT + key);
        match self.map_type {
            MapType::Array => Memory { fixed: entries * value, per_cpu: 0 },
            MapType::PercpuArray => Memory { fixed: entries * POINTER, per_cpu: entries * value },
            // Each CPU has a spare element, to replace another one.
            MapType::Hash => {
                Memory { fixed: hash + entries * value, per_cpu: ELEMENT + key + value }
            }
            MapType::LruHash => Memory { fixed: hash + entries * value, per_cpu: 0 },
            MapType::PercpuHash => {
                Memory { fixed: hash + entries * POINTER, per_cpu: entries * value }
            }
            _ => Memory { fixed: entries * (key + value), per_cpu: 0 },
        }
    }
}
