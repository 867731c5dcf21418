//! A type's record: a header of 12 bytes, and the data of its kind.

use super::BtfError;
use super::kind::TypeKind;
use byteorder::{BigEndian, ByteOrder, LittleEndian};
use memchr::memchr;
use std::cmp::Ordering;

/// `struct btf_type`: name_off, info, and size or type.
pub(super) const HEADER: usize = 12;

/// The lengths of the records of each kind. In the headers of kernel 7.2 a kind has 7 bits and a vlen 24;
/// before that they had 5 and 16, and the bits between were zero.
#[derive(Debug, Clone)]
pub(super) struct RecordLayout {
    fixed: [u8; 128],
    element: [u8; 128],
}

impl RecordLayout {
    /// The kinds of [`TypeKind`]; 0 marks the unknown, as every known record has a header.
    const KNOWN: Self = {
        let (mut fixed, mut element) = ([0; 128], [0; 128]);
        let mut i = 0;
        while i < TypeKind::ALL.len() {
            let (tail, each) = TypeKind::ALL[i].tail();
            fixed[i + 1] = HEADER as u8 + tail;
            element[i + 1] = each;
            i += 1;
        }
        Self { fixed, element }
    };

    /// The known kinds, and from the blob's layout section (in the headers of kernel 7.2) those that came
    /// later: `struct btf_layout`, 4 bytes for each kind from 0 on.
    pub(super) fn new(section: &[u8]) -> Self {
        let mut layout = Self::KNOWN;
        for (kind, sizes) in section.chunks_exact(4).enumerate().take(128) {
            // Records are whole words.
            if kind > TypeKind::ALL.len() && (sizes[0] | sizes[1]).is_multiple_of(4) {
                layout.fixed[kind] = (HEADER as u8).checked_add(sizes[0]).unwrap_or(0);
                layout.element[kind] = sizes[1];
            }
        }
        layout
    }

    /// Bytes of a record whose `info` word this is; 0 when its kind is not known.
    #[inline(always)]
    pub(super) fn record_len(&self, info: u32) -> u64 {
        let kind = (info >> 24 & 0x7f) as usize;
        u64::from(self.fixed[kind]) + u64::from(self.element[kind]) * u64::from(info & 0xff_ffff)
    }
}

/// Reads 32-bit words in the blob's byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    /// The byte order of a blob, from its magic number.
    pub(super) fn of(bytes: &[u8]) -> Result<Self, BtfError> {
        match bytes {
            [0x9f, 0xeb, ..] => Ok(Self::Little),
            [0xeb, 0x9f, ..] => Ok(Self::Big),
            _ => Err(BtfError::NoMagic(bytes.iter().take(2).copied().collect())),
        }
    }

    /// This host's byte order.
    pub(super) const HOST: Order =
        if cfg!(target_endian = "little") { Order::Little } else { Order::Big };

    /// Words as bytes.
    pub(super) fn bytes(self, words: &[u32]) -> Vec<u8> {
        let bytes = |word: &u32| match self {
            Self::Little => word.to_le_bytes(),
            Self::Big => word.to_be_bytes(),
        };
        words.iter().flat_map(bytes).collect()
    }

    /// The word in the first 4 bytes, which must be there.
    pub(super) fn u32(self, bytes: &[u8]) -> u32 {
        match self {
            Self::Little => LittleEndian::read_u32(bytes),
            Self::Big => BigEndian::read_u32(bytes),
        }
    }
}

/// The string section, which ends with a zero byte; of split BTF, after that of its base.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strings<'a> {
    /// The base's; empty for BTF that is not split.
    pub base: &'a [u8],
    /// The section itself. Its offsets begin where those of the base end.
    pub own: &'a [u8],
}

impl<'a> Strings<'a> {
    /// All bytes from `offset` to the end of the section that has it.
    fn from(self, offset: u32) -> &'a [u8] {
        let offset = offset as usize;
        let bytes = match offset.checked_sub(self.base.len()) {
            Some(offset) => self.own.get(offset..),
            None => self.base.get(offset..),
        };
        bytes.unwrap_or_default()
    }

    /// The string at `offset`, without its zero byte.
    pub(super) fn get(self, offset: u32) -> Result<&'a [u8], BtfError> {
        let tail = self.from(offset);
        let len = memchr(0, tail).ok_or(BtfError::NameOutside(offset))?;
        Ok(&tail[..len])
    }

    /// The string at `offset` if it is as short as true names are, else the empty one.
    pub(super) fn short(self, offset: u32) -> &'a str {
        let tail = self.from(offset);
        let len = memchr(0, &tail[..tail.len().min(512)]).unwrap_or(0);
        std::str::from_utf8(&tail[..len]).unwrap_or_default()
    }

    /// Compares the string at `offset` with `name`, as strcmp does. It does not search for the string's end: a
    /// hostile string may be long, and many names may share it.
    pub(super) fn compare(self, offset: u32, name: &[u8]) -> Ordering {
        let tail = self.from(offset);
        tail.iter().take(name.len() + 1).cmp(name.iter().chain(&[0]))
    }
}

/// A type's record in the blob.
#[derive(Debug, Clone, Copy)]
pub struct Type<'a> {
    kind: TypeKind,
    order: Order,
    /// The whole record: header and what follows it.
    bytes: &'a [u8],
    strings: Strings<'a>,
}

impl<'a> Type<'a> {
    /// The record at `position` of the type section.
    pub(super) fn at(
        types: &'a [u8],
        position: usize,
        strings: Strings<'a>,
        order: Order,
        layout: &RecordLayout,
    ) -> Result<Self, BtfError> {
        let cut_off = BtfError::TypeCutOff { position };
        let bytes = types.get(position..).unwrap_or_default();
        if bytes.len() < HEADER {
            return Err(cut_off);
        }
        let info = order.u32(&bytes[4..]);
        let number = (info >> 24 & 0x7f) as u8;
        let kind = TypeKind::from_number(number)
            .ok_or(BtfError::UnknownKind { position, kind: number })?;
        let len = usize::try_from(layout.record_len(info)).unwrap_or(usize::MAX);
        let bytes = bytes.get(..len).ok_or(cut_off)?;
        Ok(Self { kind, order, bytes, strings })
    }

    /// Bytes of the record.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The word at a byte offset that the record's kind guarantees.
    pub(super) fn word(&self, offset: usize) -> u32 {
        self.order.u32(&self.bytes[offset..])
    }

    /// The name whose place stands at a byte offset that the record's kind guarantees.
    pub(super) fn text(&self, offset: usize) -> &'a [u8] {
        self.strings.get(self.word(offset)).unwrap_or_default()
    }

    /// The kind of the type.
    pub fn kind(&self) -> TypeKind {
        self.kind
    }

    /// The type's name, without a zero byte; empty for an anonymous type.
    ///
    /// # Errors
    /// The name lies outside of the string section.
    pub fn name(&self) -> Result<&'a [u8], BtfError> {
        self.strings.get(self.word(0))
    }

    /// The type's name, if it is as short as true names are, else the empty one.
    pub(super) fn short_name(&self) -> &'a str {
        self.strings.short(self.word(0))
    }

    /// Whether it is a `bool`.
    pub fn is_bool(&self) -> bool {
        self.kind == TypeKind::Int && self.word(HEADER) >> 24 & 4 != 0
    }

    /// Where the bits of an integer begin, as of a bitfield before kernel 5.0.
    pub(super) fn bits_before(&self) -> u32 {
        if self.kind == TypeKind::Int { self.word(HEADER) >> 16 & 0xff } else { 0 }
    }

    /// Compares the type's name with `name`, as strcmp does.
    pub(super) fn compare_name(&self, name: &[u8]) -> Ordering {
        self.strings.compare(self.word(0), name)
    }

    /// The number of members, parameters, enumerators or variables; a function's linkage.
    pub fn vlen(&self) -> u32 {
        self.word(4) & 0xff_ffff
    }

    /// The kind flag: for a struct or union, it means that members may be bitfields.
    pub fn kind_flag(&self) -> bool {
        self.word(4) >> 31 == 1
    }

    /// The type's size in bytes or the id of the type that it refers to, depending on its kind.
    pub fn size_or_type(&self) -> u32 {
        self.word(8)
    }

    /// An array's element type and number of elements.
    pub fn array(&self) -> Option<(u32, u32)> {
        (self.kind == TypeKind::Array).then(|| (self.word(HEADER), self.word(HEADER + 8)))
    }

    /// Whether an integer uses only some of its bits, as a bitfield did before kernel 5.0.
    pub(super) fn is_partial_int(&self) -> bool {
        self.kind == TypeKind::Int && {
            let (offset, bits) = (self.word(HEADER) >> 16 & 0xff, self.word(HEADER) & 0xff);
            offset != 0 || u64::from(bits) != u64::from(self.size_or_type()) * 8
        }
    }

    /// The names of an enumeration and their values, in order; none for other kinds. If [`Type::kind_flag`] is
    /// set, the values are those of an `i64`.
    pub fn enumerators(&self) -> impl Iterator<Item = (Result<&'a [u8], BtfError>, u64)> + use<'a> {
        let record = *self;
        (0..).map_while(move |index| record.enumerator(index))
    }

    /// One of [`Type::enumerators`].
    pub fn enumerator(&self, index: u32) -> Option<(Result<&'a [u8], BtfError>, u64)> {
        let element = match self.kind {
            TypeKind::Enum => self.element(index, 8),
            TypeKind::Enum64 => self.element(index, 12),
            _ => None,
        }?;
        let low = self.order.u32(&element[4..]);
        let value = match element.get(8..) {
            Some(high) if !high.is_empty() => {
                u64::from(self.order.u32(high)) << 32 | u64::from(low)
            }
            _ if self.kind_flag() => low as i32 as u64,
            _ => low.into(),
        };
        Some((self.strings.get(self.order.u32(element)), value))
    }

    /// The bytes of one of the elements after the header.
    fn element(&self, index: u32, size: usize) -> Option<&'a [u8]> {
        let start = (index as usize).checked_mul(size)?.checked_add(HEADER)?;
        self.bytes.get(start..)?.get(..size)
    }

    /// Whether a number is signed. For enums, BTF has this since Linux 6.0.
    pub fn is_signed(&self) -> bool {
        match self.kind {
            TypeKind::Int => self.word(HEADER) >> 24 & 1 == 1,
            TypeKind::Enum | TypeKind::Enum64 => self.kind_flag(),
            _ => false,
        }
    }

    /// The names and types of a function's parameters, in order; none for other kinds.
    pub(super) fn parameters(&self) -> impl Iterator<Item = (Result<&'a [u8], BtfError>, u32)> {
        self.pairs(TypeKind::FuncProto)
    }

    /// The names after a header of this kind, each with a word.
    fn pairs(
        &self,
        kind: TypeKind,
    ) -> impl Iterator<Item = (Result<&'a [u8], BtfError>, u32)> + use<'a> {
        let (order, strings) = (self.order, self.strings);
        let pairs = if self.kind == kind { &self.bytes[HEADER..] } else { &[] };
        let pairs = pairs.chunks_exact(8);
        pairs.map(move |pair| (strings.get(order.u32(pair)), order.u32(&pair[4..])))
    }

    /// The ids of the variables of a section, in order; none for other kinds.
    pub(super) fn variables(&self) -> impl Iterator<Item = u32> + use<'a> {
        let record = *self;
        let elements = (0..).map_while(move |index| record.element(index, 12));
        let is = self.kind == TypeKind::Datasec;
        elements.take_while(move |_| is).map(move |element| record.order.u32(element))
    }

    /// The linkage of a variable: 0 for static.
    pub(super) fn linkage(&self) -> Option<u32> {
        (self.kind == TypeKind::Var).then(|| self.word(HEADER))
    }

    /// The members of a struct or union, in order; none for other kinds.
    pub fn members(&self) -> impl Iterator<Item = Member<'a>> + use<'a> {
        let record = *self;
        (0..).map_while(move |index| record.member(index))
    }

    /// One of [`Type::members`].
    pub fn member(&self, index: u32) -> Option<Member<'a>> {
        let member = self.element(index, 12).filter(|_| self.kind.has_members())?;
        let Type { order, strings, .. } = *self;
        let (offset, kind_flag) = (order.u32(&member[8..]), self.kind_flag());
        Some(Member {
            name_offset: order.u32(member),
            strings,
            type_id: order.u32(&member[4..]),
            bit_offset: if kind_flag { offset & 0xff_ffff } else { offset },
            bitfield_bits: if kind_flag { offset >> 24 } else { 0 },
        })
    }
}

/// A member of a struct or union.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    name_offset: u32,
    strings: Strings<'a>,
    /// The id of the member's type.
    pub type_id: u32,
    /// Its offset in the struct, in bits.
    pub bit_offset: u32,
    /// The number of bits of a bitfield; 0 if the member is not a bitfield.
    pub bitfield_bits: u32,
}

impl<'a> Member<'a> {
    /// The member's name, without a zero byte; empty for an anonymous struct or union.
    ///
    /// # Errors
    /// The name lies outside of the string section.
    pub fn name(&self) -> Result<&'a [u8], BtfError> {
        self.strings.get(self.name_offset)
    }

    /// Whether this is the member's name; the empty name is that of an anonymous member.
    pub(super) fn is_named(&self, name: &[u8]) -> bool {
        self.strings.compare(self.name_offset, name).is_eq()
    }
}
