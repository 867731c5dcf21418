//! Memory by regions, each with addresses of its own. Nothing outside of a region can be accessed.

use std::ops::Range;

use crate::insn::Reg;

/// The number of a region: the upper half of its addresses.
pub type RegionId = u32;

/// The stack of the first function; those that it calls have the next ones.
pub const STACK: RegionId = 1;
/// What r1 leads to at the entry.
pub const CONTEXT: RegionId = 9;
/// A packet, and the room before and after it.
pub const PACKET: RegionId = 10;
/// Memory of user space, which only `bpf_probe_read_user` and its like may read.
pub const USER: RegionId = 11;
/// The program itself, for addresses of functions.
pub const CODE: RegionId = 12;
/// Maps, for `r1 = map[..]`.
pub const HANDLES: RegionId = 13;
/// The key that a callback sees.
pub const KEY: RegionId = 14;
/// The values of the first map; those of others follow, then what is reserved in ring buffers.
pub const VALUES: RegionId = 16;

/// The bytes of a function's stack.
pub const STACK_SIZE: usize = 512;

/// Where a region begins in its addresses, so that an address before it still belongs to it.
const START: i64 = 1 << 28;

/// The address of a byte of a region.
pub const fn address(region: RegionId, offset: usize) -> u64 {
    (region as u64) << 32 | (START as u64 + offset as u64)
}

/// What may be done with a region.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Rights {
    /// Nothing: it has addresses only.
    #[default]
    None,
    /// Read by the helpers for memory of user space.
    User,
    /// Read.
    Read,
    /// Read and written.
    Write,
}

/// Bytes with addresses.
#[derive(Clone, Debug, Default)]
pub struct Region {
    /// Its name in sentences: `stack`, `map ages`.
    pub name: String,
    /// What may be done.
    pub rights: Rights,
    /// All bytes.
    pub bytes: Vec<u8>,
    /// Those that may be accessed: of a packet what lies between its ends.
    pub range: Range<usize>,
    /// Of a map: the distance of its values, and the size of one. An access must lie within a value.
    pub values: Option<(usize, usize)>,
}

impl Region {
    /// A region of which all bytes may be accessed.
    pub fn new(name: &str, rights: Rights, bytes: Vec<u8>) -> Region {
        Region { name: name.to_owned(), rights, range: 0..bytes.len(), bytes, values: None }
    }
}

/// All memory of a machine.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    regions: Vec<Region>,
}

impl Memory {
    /// A region; an empty one for a number that has none.
    pub fn region(&self, id: RegionId) -> Option<&Region> {
        self.regions.get(id as usize)
    }

    /// A region, to be changed; made if there is none of the number.
    pub(super) fn region_mut(&mut self, id: RegionId) -> &mut Region {
        let index = id as usize;
        if index >= self.regions.len() {
            self.regions.resize_with(index + 1, Region::default);
        }
        &mut self.regions[index]
    }

    /// Puts a region after all others.
    pub(super) fn add(&mut self, region: Region) -> RegionId {
        let id = self.regions.len().max(VALUES as usize) as RegionId;
        *self.region_mut(id) = region;
        id
    }

    /// The region of an address, and the offset in it, which may lie outside of its bytes. `None` for what
    /// is just a number.
    pub fn place(&self, address: u64) -> Option<(RegionId, &Region, i64)> {
        let id = u32::try_from(address >> 32).ok().filter(|id| *id != 0)?;
        let region = self.region(id).filter(|region| !region.name.is_empty())?;
        Some((id, region, i64::from(address as u32) - START))
    }

    /// An address in words: `fp-8`, `map ages: value 3+4`, `packet+14`; `None` for what is just a number.
    pub fn describe(&self, address: u64) -> Option<String> {
        let (id, region, offset) = self.place(address)?;
        let name = &region.name;
        Some(match (id, region.values) {
            (STACK..CONTEXT, _) => match offset - STACK_SIZE as i64 {
                0 => name.clone(),
                offset => format!("{name}{offset:+}"),
            },
            // A handle's address is the map's number.
            (HANDLES, _) => match self.region(VALUES + offset as u32) {
                Some(map) if (0..region.bytes.len() as i64).contains(&offset) => map.name.clone(),
                _ => name.clone(),
            },
            (_, Some((distance, _))) if offset >= 0 => {
                let (value, rest) = (offset as usize / distance, offset as usize % distance);
                format!("{name}: value {value}{}", plus(rest as i64))
            }
            _ => format!("{name}{}", plus(offset - region.range.start as i64)),
        })
    }

    fn found(&self, address: u64, size: usize, wanted: Rights) -> Result<(usize, usize), String> {
        let Some((id, region, offset)) = self.place(address) else {
            return Err(match address {
                0 => "the address is NULL".to_owned(),
                _ => format!("{address:#x} is a number, not an address"),
            });
        };
        let at = self.describe(address).unwrap_or_default();
        let allowed = match wanted {
            Rights::User => region.rights == Rights::User,
            Rights::Read => matches!(region.rights, Rights::Read | Rights::Write),
            wanted => region.rights == wanted,
        };
        if !allowed {
            return Err(match region.rights {
                Rights::Read => format!("{at} may only be read"),
                Rights::User => format!("{at} is only read by bpf_probe_read_user"),
                _ => format!("{at} is not memory that a program may access"),
            });
        }
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let within = start >= region.range.start
            && start.checked_add(size).is_some_and(|end| end <= region.range.end)
            && region.values.is_none_or(|(distance, value)| start % distance + size <= value);
        if !within {
            let has = region.values.map_or(region.range.len(), |(_, value)| value);
            let what = if region.values.is_some() { "a value has" } else { "it has" };
            return Err(format!("{size} bytes at {at} are outside: {what} {has} bytes"));
        }
        Ok((id as usize, start))
    }

    /// Bytes that a program may read.
    ///
    /// # Errors
    /// It may not, and why.
    pub fn read(&self, address: u64, size: usize) -> Result<&[u8], String> {
        self.read_as(Rights::Read, address, size)
    }

    /// Bytes of memory with these rights, or which may be read.
    ///
    /// # Errors
    /// There are none, and why.
    pub(super) fn read_as(
        &self,
        rights: Rights,
        address: u64,
        size: usize,
    ) -> Result<&[u8], String> {
        let (region, start) = self.found(address, size, rights)?;
        Ok(&self.regions[region].bytes[start..start + size])
    }

    /// Bytes that a program may write.
    ///
    /// # Errors
    /// It may not, and why.
    pub fn write(&mut self, address: u64, size: usize) -> Result<&mut [u8], String> {
        let (region, start) = self.found(address, size, Rights::Write)?;
        Ok(&mut self.regions[region].bytes[start..start + size])
    }

    /// The number in up to 8 bytes, in this host's byte order.
    ///
    /// # Errors
    /// They may not be read, and why.
    pub fn load(&self, address: u64, size: usize) -> Result<u64, String> {
        Ok(number(self.read(address, size)?))
    }

    /// Writes the low bytes of a number, up to 8.
    ///
    /// # Errors
    /// They may not be written, and why.
    pub fn store(&mut self, address: u64, size: usize, value: u64) -> Result<(), String> {
        let bytes = value.to_ne_bytes();
        let from = if cfg!(target_endian = "big") { 8 - size } else { 0 };
        self.write(address, size)?.copy_from_slice(&bytes[from..from + size]);
        Ok(())
    }
}

/// The number in up to 8 bytes, in this host's byte order.
pub fn number(bytes: &[u8]) -> u64 {
    let mut whole = [0; 8];
    let from = if cfg!(target_endian = "big") { 8 - bytes.len() } else { 0 };
    whole[from..from + bytes.len()].copy_from_slice(bytes);
    u64::from_ne_bytes(whole)
}

fn plus(offset: i64) -> String {
    if offset == 0 { String::new() } else { format!("{offset:+}") }
}

/// The eleven registers; `None` for one that holds nothing yet, or nothing any more after a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Registers(pub [Option<u64>; 11]);

impl Registers {
    /// A register's value.
    ///
    /// # Errors
    /// It has none.
    pub fn get(&self, register: u8) -> Result<u64, String> {
        let value = self.0.get(usize::from(register)).copied().flatten();
        value.ok_or_else(|| {
            format!("r{register} has no value: nothing was written to it, or a call wiped it")
        })
    }

    /// Writes a register.
    ///
    /// # Errors
    /// It is r10.
    pub(super) fn set(&mut self, register: Reg, value: u64) -> Result<(), String> {
        match self.0[..10].get_mut(usize::from(register.number())) {
            Some(place) => *place = Some(value),
            None => return Err("r10, the frame pointer, cannot be written".to_owned()),
        }
        Ok(())
    }
}
