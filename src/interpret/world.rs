//! What a program reaches outside of its registers: memory, maps, the packet; and the helpers that work on it.

use super::maps::{self, E2BIG, EFAULT, EINVAL, Errno, InterpretedMap, MapDef, MapKind};
use super::memory::{HANDLES, Memory, PACKET, Region, Registers, Rights, USER, address};
use super::packet::{self, Input, PacketContext};
use super::printk;
use crate::insn::helper::{self, Helper};

/// The largest text that is kept of what programs print.
const PRINTED: usize = 1 << 16;

/// Memory and maps, which several programs may share one after the other.
#[derive(Clone, Debug)]
pub struct World {
    /// All memory but the registers.
    pub memory: Memory,
    /// The maps, in the order in which programs refer to them.
    pub maps: Vec<InterpretedMap>,
    /// What `bpf_trace_printk` printed.
    pub printed: String,
    /// What `bpf_ktime_get_ns` returns: a nanosecond passes with each instruction, so that each run of a
    /// program is the same.
    pub nanoseconds: u64,
    random: u32,
    context: Option<PacketContext>,
}

impl World {
    /// A world with these maps.
    ///
    /// # Errors
    /// They need more memory than there is for them.
    pub fn new(defs: &[MapDef]) -> Result<World, String> {
        let mut memory = Memory::default();
        let handles = Region::new("maps", Rights::None, vec![0; defs.len()]);
        *memory.region_mut(HANDLES) = handles;
        let maps = maps::make(defs, &mut memory)?;
        // Any number but 0 will do.
        let random = 0x2545_f491;
        Ok(World { memory, maps, printed: String::new(), nanoseconds: 1, random, context: None })
    }

    /// Puts bytes into the memory of user space, at [`USER_ADDRESS`].
    pub fn set_user(&mut self, bytes: Vec<u8>) {
        *self.memory.region_mut(USER) = Region::new("user memory", Rights::User, bytes);
    }

    /// Writes an element of the map of this place, as user space does before a run.
    ///
    /// # Errors
    /// There is no such map or no room in it, or the sizes are not its sizes.
    pub fn update(&mut self, map: usize, key: &[u8], value: &[u8]) -> Result<(), String> {
        let found = self.maps.get_mut(map).filter(|map| {
            (map.def.key_size as usize, map.def.value_size as usize) == (key.len(), value.len())
        });
        let map = found.ok_or("there is no map with keys and values of these sizes")?;
        let updated = map.update(&mut self.memory, key, value, 0);
        updated.map_err(|errno| format!("the map {} gives the error {errno}", map.def.name))
    }

    /// Each element of a map: its key and its value.
    pub fn elements<'a>(
        &'a self,
        map: &'a InterpretedMap,
    ) -> impl Iterator<Item = (Vec<u8>, &'a [u8])> + 'a {
        let size = map.def.value_size as usize;
        map.keys().map(move |key| {
            let value = self.memory.read(map.lookup(&key), size).unwrap_or_default();
            (key, value)
        })
    }

    /// Puts the input of a run into memory.
    pub(super) fn place(&mut self, input: &Input) -> Result<(), String> {
        self.context = match input {
            Input::Packet(context, _) => Some(*context),
            Input::Context(_) => None,
        };
        packet::place(input, &mut self.memory)
    }

    /// Whether a load reads an end of the packet from the context, and then its address.
    pub(super) fn packet_end(&self, offset: i64) -> Option<u64> {
        packet::end_at(self.context, &self.memory, offset)
    }

    /// The place of a map whose handle this is.
    pub(super) fn map_at(&self, handle: u64) -> Result<usize, String> {
        let index = handle.wrapping_sub(address(HANDLES, 0)) as usize;
        match self.maps.get(index) {
            Some(_) => Ok(index),
            None => Err("r1 is not a map".to_owned()),
        }
    }

    fn key(&self, map: usize, address: u64) -> Result<Vec<u8>, String> {
        let size = self.maps[map].def.key_size as usize;
        Ok(self.memory.read(address, size).map_err(|why| format!("the key: {why}"))?.to_vec())
    }

    fn map_helper(&mut self, id: u32, r: &Registers) -> Result<u64, String> {
        let place = self.map_at(r.get(1)?)?;
        let def = &self.maps[place].def;
        if !matches!(def.kind, MapKind::Array | MapKind::Hash | MapKind::LruHash) {
            return Err(format!("the map {} is of a type that is not interpreted", def.name));
        }
        let size = def.value_size as usize;
        let key = self.key(place, r.get(2)?)?;
        let map = &mut self.maps[place];
        Ok(match id {
            LOOKUP => map.lookup(&key),
            UPDATE => {
                let value = self.memory.read(r.get(3)?, size);
                let value = value.map_err(|why| format!("the value: {why}"))?.to_vec();
                returned(map.update(&mut self.memory, &key, &value, r.get(4)?))
            }
            _ => returned(map.delete(&key)),
        })
    }

    /// A copy for the `bpf_probe_read` family, which gives zeros where there is nothing to read.
    fn probe_read(&mut self, from: Rights, string: bool, r: &Registers) -> Result<u64, String> {
        let (to, size, source) = (r.get(1)?, r.get(2)? as u32 as usize, r.get(3)?);
        let mut got = None;
        if string {
            let mut bytes = vec![];
            while bytes.len() < size {
                let at = source.wrapping_add(bytes.len() as u64);
                let Ok(byte) = self.memory.read_as(from, at, 1) else { break };
                bytes.push(byte[0]);
                if byte[0] == 0 || bytes.len() == size {
                    *bytes.last_mut().unwrap_or(&mut 0) = 0;
                    got = Some(bytes);
                    break;
                }
            }
        } else {
            got = self.memory.read_as(from, source, size).ok().map(<[u8]>::to_vec);
        }
        let into = self.memory.write(to, size).map_err(|why| format!("where to copy: {why}"))?;
        let Some(bytes) = got else {
            into.fill(0);
            return Ok(returned(Err(EFAULT)));
        };
        into[..bytes.len()].copy_from_slice(&bytes);
        Ok(if string { bytes.len() as u64 } else { 0 })
    }

    fn reserve(&mut self, map: usize, size: usize) -> Option<u64> {
        let map = &mut self.maps[map];
        // A record has a header of 8 bytes.
        let whole = size.checked_add(8)?.checked_next_multiple_of(8)?;
        let fits = map.def.kind == MapKind::Ringbuf
            && whole <= (map.def.max_entries as usize).saturating_sub(map.taken);
        if !fits {
            return None;
        }
        map.taken += whole;
        let name = format!("record of {}", map.def.name);
        let region = self.memory.add(Region::new(&name, Rights::Write, vec![0; size]));
        Some(address(region, 0))
    }

    /// Ends a record of a ring buffer; with its content if it is submitted.
    fn submit(&mut self, record: u64, submitted: bool) -> Result<u64, String> {
        let Some((id, region, 0)) = self.memory.place(record) else {
            return Err("r1 is no record of a ring buffer".to_owned());
        };
        let name = region.name.strip_prefix("record of ").map(str::to_owned);
        let map = self.maps.iter_mut().find(|map| Some(&map.def.name) == name.as_ref());
        let map = map.ok_or("r1 is no record of a ring buffer")?;
        let region = self.memory.region_mut(id);
        if region.rights != Rights::Write {
            return Err("the record was submitted or discarded before".to_owned());
        }
        region.rights = Rights::None;
        let bytes = std::mem::take(&mut region.bytes);
        if submitted {
            map.records.push(bytes);
        }
        Ok(0)
    }

    fn print(&mut self, format: (u64, u64), values: &[u64]) -> Result<u64, String> {
        let format = self.memory.read(format.0, format.1 as u32 as usize)?;
        let text = printk::text(&self.memory, format, values)?;
        if self.printed.len() + text.len() <= PRINTED {
            self.printed += &text;
        }
        Ok(text.len() as u64)
    }

    /// Calls a helper that needs nothing but the world.
    ///
    /// # Errors
    /// An argument is none that the verifier would let pass, or the helper needs a kernel.
    pub(super) fn call(&mut self, id: i32, r: &Registers) -> Result<u64, String> {
        let id = id as u32;
        Ok(match id {
            LOOKUP | UPDATE | DELETE => self.map_helper(id, r)?,
            // bpf_probe_read, and those that name the memory.
            4 => {
                let from = self.memory.place(r.get(3)?).map(|(_, region, _)| region.rights);
                let user = from == Some(Rights::User);
                self.probe_read(if user { Rights::User } else { Rights::Read }, false, r)?
            }
            112 => self.probe_read(Rights::User, false, r)?,
            113 => self.probe_read(Rights::Read, false, r)?,
            114 => self.probe_read(Rights::User, true, r)?,
            115 => self.probe_read(Rights::Read, true, r)?,
            // bpf_ktime_get_ns, bpf_ktime_get_boot_ns, bpf_ktime_get_coarse_ns
            5 | 125 | 160 => self.nanoseconds,
            6 => {
                let values = [3, 4, 5].map(|number| r.get(number).unwrap_or_default());
                self.print((r.get(1)?, r.get(2)?), &values)?
            }
            // bpf_trace_vprintk, whose values are in memory.
            177 => {
                let bytes = match r.get(4)? as u32 as usize {
                    0 => &[][..],
                    size => self.memory.read(r.get(3)?, size)?,
                };
                let values: Vec<_> = bytes.chunks(8).map(super::memory::number).collect();
                self.print((r.get(1)?, r.get(2)?), &values)?
            }
            7 => {
                // Xorshift, whose sequence is the same in each run.
                let mut next = self.random;
                next ^= next << 13;
                next ^= next >> 17;
                next ^= next << 5;
                self.random = next;
                next.into()
            }
            // bpf_get_smp_processor_id, bpf_get_numa_node_id, and what locks and unlocks.
            8 | 42 | 93 | 94 => 0,
            9 => {
                let (offset, size) = (r.get(2)? as u32 as usize, r.get(4)? as u32 as usize);
                let bytes = self.memory.read(r.get(3)?, size)?.to_vec();
                let start = self.memory.region(PACKET).map_or(0, |packet| packet.range.start);
                match self.memory.write(address(PACKET, start).wrapping_add(offset as u64), size) {
                    Ok(packet) => {
                        packet.copy_from_slice(&bytes);
                        0
                    }
                    Err(_) => returned(Err(EFAULT)),
                }
            }
            // bpf_skb_load_bytes, bpf_xdp_load_bytes
            26 | 189 => {
                let (offset, to, size) = (r.get(2)? as u32, r.get(3)?, r.get(4)? as u32 as usize);
                let found = packet::bytes(&self.memory, offset.into(), size).map(<[u8]>::to_vec);
                let into = self.memory.write(to, size)?;
                match found {
                    Some(bytes) => {
                        into.copy_from_slice(&bytes);
                        0
                    }
                    None => {
                        into.fill(0);
                        returned(Err(if id == 189 { EINVAL } else { EFAULT }))
                    }
                }
            }
            // bpf_xdp_adjust_head, bpf_xdp_adjust_tail
            44 | 65 => {
                let by = i64::from(r.get(2)? as i32);
                let (start, end) = if id == 44 { (by, 0) } else { (0, by) };
                let fits = packet::moved(&mut self.memory, start, end);
                returned(if fits { Ok(()) } else { Err(EINVAL) })
            }
            // bpf_ringbuf_output
            130 => {
                let (map, size) = (self.map_at(r.get(1)?)?, r.get(3)? as usize);
                let bytes = self.memory.read(r.get(2)?, size)?.to_vec();
                match self.reserve(map, size) {
                    Some(record) => {
                        self.memory.write(record, size)?.copy_from_slice(&bytes);
                        self.submit(record, true)?
                    }
                    None => returned(Err(11)),
                }
            }
            131 => {
                let map = self.map_at(r.get(1)?)?;
                self.reserve(map, r.get(2)? as usize).unwrap_or(0)
            }
            132 | 133 => self.submit(r.get(1)?, id == 132)?,
            _ => {
                let name = Helper::by_id(id).map_or("this helper", |helper| helper.name);
                return Err(format!("{name}#{id} needs a kernel"));
            }
        })
    }
}

const LOOKUP: u32 = helper::MAP_LOOKUP_ELEM.id;
const UPDATE: u32 = helper::MAP_UPDATE_ELEM.id;
const DELETE: u32 = helper::MAP_DELETE_ELEM.id;

/// Where the bytes of [`World::set_user`] are.
pub const USER_ADDRESS: u64 = address(USER, 0);

/// What is in r0 after a helper: 0, or the error number as a negative one.
pub(super) fn returned(result: Result<(), Errno>) -> u64 {
    result.map_or_else(|errno| -errno as u64, |()| 0)
}

/// The largest number of rounds of `bpf_loop`.
const LOOPS: u64 = 1 << 23;

/// What `bpf_loop` returns at once for these arguments, if it does not loop.
pub(super) fn no_loop(rounds: u64, flags: u64) -> Option<u64> {
    match (rounds, flags) {
        (_, 1..) => Some(returned(Err(EINVAL))),
        (0, _) => Some(0),
        (rounds, _) => (rounds > LOOPS).then(|| returned(Err(E2BIG))),
    }
}
