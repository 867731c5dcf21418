//! Memory operands: an address and the type of the memory there.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Add, Sub};

use super::instruction::{LoadType, Size, Width};
use super::reg::{Fp, R, Reg};

/// A field of a kernel struct. Its offset differs between kernels, so it is looked up on the host; until then,
/// the listing shows its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Field {
    /// The struct's name, as in `struct request`.
    pub of: &'static str,
    /// The member's name.
    pub member: &'static str,
    /// Bytes from the start of the struct, once known.
    pub offset: Option<i32>,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "offsetof(struct {}, {})", self.of, self.member)
    }
}

/// An offset in bytes from a base: a number, or a field whose offset is looked up on the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Offset {
    Bytes(i32),
    Field(Field),
}

/// `base + offset`, made by adding to a register: `r6 + 8`, `fp - 16`, `r6 + data_len`; or from a
/// [`StackPlace`](super::StackPlace).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Addr {
    pub(super) base: Reg,
    pub(super) offset: Offset,
}

macro_rules! address_arithmetic {
    ($($base:ty),*) => { $(
        impl Add<i32> for $base {
            type Output = Addr;
            fn add(self, bytes: i32) -> Addr {
                Addr { base: self.into(), offset: Offset::Bytes(bytes) }
            }
        }
        impl Sub<i32> for $base {
            type Output = Addr;
            fn sub(self, bytes: i32) -> Addr {
                // The most negative number cannot be negated; it is out of range anyway.
                Addr { base: self.into(), offset: Offset::Bytes(bytes.saturating_neg()) }
            }
        }
        impl Add<Field> for $base {
            type Output = Addr;
            fn add(self, field: Field) -> Addr {
                let offset = field.offset.map_or(Offset::Field(field), Offset::Bytes);
                Addr { base: self.into(), offset }
            }
        }
    )* };
}
address_arithmetic!(R, Fp);

/// `*(T *)(address)`: memory of type `T` at an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mem<T> {
    pub(super) addr: Addr,
    type_: PhantomData<T>,
}

impl<T> Mem<T> {
    /// Memory of type `T` at an address, made by [`u32_at`] and its like.
    pub(super) fn at(addr: Addr) -> Mem<T> {
        Mem { addr, type_: PhantomData }
    }
}

/// A type that memory can be loaded as.
pub trait Loadable {
    /// How an instruction names it.
    const TYPE: LoadType;
}

/// A type that can be stored, loaded with acquire and stored with release.
pub trait Storable {
    /// How an instruction names it.
    const SIZE: Size;
}

/// A type that an atomic operation can change: four or eight bytes.
pub trait AtomicWidth {
    /// How an instruction names it.
    const WIDTH: Width;
}

macro_rules! memory_types {
    ($($type_:ident $at:ident $doc:literal $load:ident $($size:ident)?),* $(,)?) => { $(
        #[doc = $doc]
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct $type_;
        impl Loadable for $type_ {
            const TYPE: LoadType = LoadType::$load;
        }
        $(impl Storable for $type_ {
            const SIZE: Size = Size::$size;
        })?
        #[doc = concat!($doc, " at this address.")]
        pub fn $at(address: impl Into<Addr>) -> Mem<$type_> {
            Mem::at(address.into())
        }
    )* };
}
memory_types! {
    U8 u8_at "An unsigned byte" U8 U8,
    U16 u16_at "An unsigned 16-bit number" U16 U16,
    U32 u32_at "An unsigned 32-bit number" U32 U32,
    U64 u64_at "A 64-bit number" U64 U64,
    S8 s8_at "A signed byte, extended to 64 bits when loaded (ISA v4, Linux 6.6)" S8,
    S16 s16_at "A signed 16-bit number, extended to 64 bits when loaded (ISA v4, Linux 6.6)" S16,
    S32 s32_at "A signed 32-bit number, extended to 64 bits when loaded (ISA v4, Linux 6.6)" S32,
}

impl AtomicWidth for U32 {
    const WIDTH: Width = Width::W32;
}
impl AtomicWidth for U64 {
    const WIDTH: Width = Width::W64;
}

/// A type that a packet load can have: at most four bytes.
pub trait Packet: Storable {}
impl Packet for U8 {}
impl Packet for U16 {}
impl Packet for U32 {}
