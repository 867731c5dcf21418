//! What r1 leads to: bytes, or the context of a packet as `BPF_PROG_TEST_RUN` makes it.

use super::memory::{CONTEXT, Memory, PACKET, Region, Rights, address};

/// Room before a packet, into which `bpf_xdp_adjust_head` may move its start.
const HEADROOM: usize = 256;
/// What the kernel itself keeps there (`struct xdp_frame`).
const FRAME: usize = 40;
/// The header of the link layer.
pub const LINK_HEADER: usize = 14;
/// The largest packet: what the kernel tests a program with in one piece.
const LARGEST: usize = 3520;

/// The size of `struct __sk_buff`.
const SK_BUFF: usize = 192;
/// The size of `struct xdp_md`.
const XDP_MD: usize = 24;

/// What a program is run on.
#[derive(Clone, Debug)]
pub enum Input {
    /// The bytes that r1 leads to: the arguments of a raw tracepoint, 8 bytes each.
    Context(Vec<u8>),
    /// A packet, and which context it has.
    Packet(PacketContext, Vec<u8>),
}

/// The context of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PacketContext {
    /// `struct __sk_buff`, whose packet begins with the header of the link layer: sched_cls and sched_act.
    Link,
    /// `struct __sk_buff`, whose packet begins after that header: socket_filter and all others.
    Network,
    /// `struct xdp_md`.
    Xdp,
}

impl Input {
    /// The input of a program of this type, named as in a text: bytes as a packet or as the context.
    pub fn of(program_type: &str, bytes: Vec<u8>) -> Input {
        let context = match program_type {
            "xdp" => PacketContext::Xdp,
            "sched_cls" | "sched_act" => PacketContext::Link,
            "socket_filter" | "cgroup_skb" | "sk_skb" | "lwt_in" | "lwt_out" | "lwt_xmit"
            | "lwt_seg6local" => PacketContext::Network,
            _ => return Input::Context(bytes),
        };
        Input::Packet(context, bytes)
    }
}

/// Puts the input into its regions.
///
/// # Errors
/// The packet is longer or shorter than the kernel takes.
pub fn place(input: &Input, memory: &mut Memory) -> Result<(), String> {
    let context = |bytes| Region::new("context", Rights::Write, bytes);
    let (kind, packet) = match input {
        Input::Context(bytes) => {
            *memory.region_mut(CONTEXT) = context(bytes.clone());
            return Ok(());
        }
        Input::Packet(kind, packet) => (*kind, packet),
    };
    if !(LINK_HEADER..=LARGEST).contains(&packet.len()) {
        let length = packet.len();
        return Err(format!(
            "a packet has {LINK_HEADER} to {LARGEST} bytes, and this one has {length}"
        ));
    }
    let mut bytes = vec![0; HEADROOM];
    bytes.extend_from_slice(packet);
    bytes.resize(HEADROOM + LARGEST, 0);
    let before = if kind == PacketContext::Network { LINK_HEADER } else { 0 };
    let range = HEADROOM + before..HEADROOM + packet.len();
    let length = range.len() as u32;
    *memory.region_mut(PACKET) = Region { range, ..Region::new("packet", Rights::Write, bytes) };
    let mut fields = vec![0; if kind == PacketContext::Xdp { XDP_MD } else { SK_BUFF }];
    let mut set =
        |offset: usize, value: [u8; 4]| fields[offset..offset + 4].copy_from_slice(&value);
    // The device is the loopback's, which is the first.
    let device = 1u32.to_ne_bytes();
    match kind {
        PacketContext::Xdp => set(12, device),
        _ => {
            set(0, length.to_ne_bytes());
            set(16, u32::from(u16::from_ne_bytes([packet[12], packet[13]])).to_ne_bytes());
            set(40, device);
        }
    }
    *memory.region_mut(CONTEXT) = context(fields);
    Ok(())
}

/// Which end of the packet a 4-byte field of the context is, as a whole address; `None` for another field.
pub fn end_at(input: Option<PacketContext>, memory: &Memory, offset: i64) -> Option<u64> {
    let range = &memory.region(PACKET)?.range;
    let at = match (input?, offset) {
        (PacketContext::Xdp, 0 | 8) | (PacketContext::Link | PacketContext::Network, 76 | 140) => {
            range.start
        }
        (PacketContext::Xdp, 4) | (PacketContext::Link | PacketContext::Network, 80) => range.end,
        _ => return None,
    };
    Some(address(PACKET, at))
}

/// Bytes of the packet from an offset, for helpers and for loads in network order. Far below 0 are the
/// headers of the network and of the link layer.
pub fn bytes(memory: &Memory, offset: i64, size: usize) -> Option<&[u8]> {
    const NETWORK: i64 = -0x10_0000;
    const LINK: i64 = -0x20_0000;
    let Region { bytes, range, .. } = memory.region(PACKET)?;
    let start = match offset {
        0.. => range.start as i64 + offset,
        NETWORK.. => (HEADROOM + LINK_HEADER) as i64 + offset - NETWORK,
        _ => HEADROOM as i64 + offset - LINK,
    };
    let start = usize::try_from(start).ok().filter(|start| *start >= HEADROOM.min(range.start))?;
    let end = start.checked_add(size).filter(|end| *end <= range.end)?;
    bytes.get(start..end)
}

/// Moves the start of a packet, or its end. Returns whether it fits.
pub fn moved(memory: &mut Memory, start: i64, end: i64) -> bool {
    let region = memory.region_mut(PACKET);
    let new = |old: usize, by: i64| usize::try_from(old as i64 + by).unwrap_or(0);
    let range = new(region.range.start, start)..new(region.range.end, end);
    let fits = range.start >= FRAME
        && range.start + LINK_HEADER <= range.end
        && range.end <= region.bytes.len();
    if fits {
        // What is added at the end is zeros.
        let old = region.range.end.min(range.end);
        region.bytes[old..range.end].fill(0);
        region.range = range;
    }
    fits
}
