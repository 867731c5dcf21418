//! The blob: its sections, and the walk over its records.
//!
//! A record's length depends on its kind and vlen, so record n is found only by walking over the
//! n - 1 before it. A walk reads two words of a record: it compares the name's *offset*, never the
//! name, and goes on by the length.

use super::record::{HEADER, Order, RecordLayout, Strings};
use super::{BtfError, Type, TypeKind};
use memchr::memmem;

/// The position of every 256th record is kept, so that an id that was passed before is found again by a walk
/// over at most this many records.
const MILESTONE: usize = 256;

/// A BTF blob, of either byte order.
///
/// Methods take `&mut self` because a walk stores milestones that make later look-ups by id short: 4 bytes
/// for each 256 records, 2 KB for a whole kernel.
///
/// Types are found by name as `pahole` and libbpf write names: each once, whole.
///
/// The BTF of a kernel module is split: its ids and names continue the kernel's, which is its base. See
/// [`Btf::parse_split`].
#[derive(Debug, Clone)]
pub struct Btf<'a> {
    pub(super) types: &'a [u8],
    pub(super) strings: Strings<'a>,
    pub(super) order: Order,
    pub(super) layout: RecordLayout,
    /// Byte positions of the first record, and of those that follow it at MILESTONE, 2 * MILESTONE...: never
    /// empty.
    milestones: Vec<u32>,
    /// The BTF whose types come before these.
    pub(super) base: Option<Box<Btf<'a>>>,
    /// The id of the first type.
    first_id: u32,
}

impl<'a> Btf<'a> {
    /// Checks the header: magic number, version, and that the sections lie within the blob.
    ///
    /// No type is read. The header is that of btf.rst; longer headers are accepted, and the layout section (in
    /// the headers of kernel 7.2) is used.
    ///
    /// # Errors
    /// The header is wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BtfError> {
        let btf = Self::parse_after(bytes, &[])?;
        match btf.strings.own {
            [0, ..] => Ok(btf),
            _ => Err(BtfError::StringsUnterminated),
        }
    }

    /// Like [`Btf::parse`], for split BTF, such as that of a kernel module (Linux 5.11): its types and names
    /// come after those of `base`. Types are found by name among its own; ids lead to all.
    ///
    /// The types of the base are counted for it: 1 ms for a whole kernel.
    ///
    /// # Errors
    /// The header is wrong, or a record of the base is malformed.
    pub fn parse_split(bytes: &'a [u8], mut base: Btf<'a>) -> Result<Self, BtfError> {
        let btf = Self::parse_after(bytes, base.strings.own)?;
        let first_id = match base.order {
            Order::Little => base.end::<true>()?,
            Order::Big => base.end::<false>()?,
        };
        Ok(Self { base: Some(Box::new(base)), first_id, ..btf })
    }

    /// Checks all that does not depend on whether there is a base, which has these strings.
    fn parse_after(bytes: &'a [u8], base: &'a [u8]) -> Result<Self, BtfError> {
        let order = Order::of(bytes)?;
        let cut_off = |wanted| BtfError::HeaderCutOff { wanted, found: bytes.len() };
        if bytes.len() < 24 {
            return Err(cut_off(24));
        }
        if bytes[2] != 1 {
            return Err(BtfError::UnknownVersion(bytes[2]));
        }
        let header_len = order.u32(&bytes[4..]).max(24);
        let Some((header, body)) = bytes.split_at_checked(header_len as usize) else {
            return Err(cut_off(header_len));
        };
        let section = |at: usize, name| {
            let (start, len) = (order.u32(&header[at..]), order.u32(&header[at + 4..]));
            let end = u64::from(start) + u64::from(len);
            usize::try_from(end)
                .ok()
                .and_then(|end| body.get(start as usize..end))
                .ok_or(BtfError::SectionCutOff { section: name, end, found: body.len() })
        };
        let types = section(8, "type")?;
        let strings = section(16, "string")?;
        let none_needed = strings.is_empty() && !base.is_empty();
        if strings.last() != Some(&0) && !none_needed {
            return Err(BtfError::StringsUnterminated);
        }
        let layout = match header_len {
            32.. => section(24, "layout")?,
            _ => &[],
        };
        Ok(Self {
            types,
            strings: Strings { base, own: strings },
            order,
            layout: RecordLayout::new(layout),
            milestones: vec![0],
            base: None,
            first_id: 1,
        })
    }

    /// Finds the record of the first type of this kind and name, without its id.
    ///
    /// Where the kernel sorts its types by name (7.2 and later) this is a search of some 30
    /// microseconds; elsewhere it is a walk like [`Btf::find_all`]'s.
    ///
    /// # Errors
    /// A record on the way is malformed.
    pub fn find(&mut self, kind: TypeKind, name: &str) -> Result<Option<Type<'a>>, BtfError> {
        Ok(self.find_records(&[(kind, name)])?[0])
    }

    /// Finds several types like [`Btf::find`]; those that a search does not find share one walk.
    pub fn find_records(
        &mut self,
        wanted: &[(TypeKind, &str)],
    ) -> Result<Vec<Option<Type<'a>>>, BtfError> {
        let mut found: Vec<_> = wanted.iter().map(|(k, n)| self.search(*k, n)).collect();
        let missing: Vec<usize> = (0..wanted.len()).filter(|i| found[*i].is_none()).collect();
        let walked: Vec<_> = missing.iter().map(|i| wanted[*i]).collect();
        for (index, walked) in missing.iter().zip(self.find_all(&walked)?) {
            found[*index] = walked.map(|(_, record)| record);
        }
        Ok(found)
    }

    /// Finds the id of the first type of this kind and name; see [`Btf::find_all`].
    ///
    /// # Errors
    /// A record on the way is malformed.
    pub fn find_id(&mut self, kind: TypeKind, name: &str) -> Result<Option<u32>, BtfError> {
        Ok(self.find_all(&[(kind, name)])?[0].map(|(id, _)| id))
    }

    /// Finds the id and record of each type asked for, in the order asked; `None` for one that is
    /// not there. Of several types of one kind and name the first counts, as in the kernel.
    ///
    /// All are found in one walk, which ends with the last one found: 1 ms for a whole kernel. A
    /// name that is not among the strings costs no walk.
    ///
    /// # Errors
    /// A record on the way is malformed.
    pub fn find_all(
        &mut self,
        wanted: &[(TypeKind, &str)],
    ) -> Result<Vec<Option<(u32, Type<'a>)>>, BtfError> {
        match self.order {
            Order::Little => self.find_all_in::<true>(wanted),
            Order::Big => self.find_all_in::<false>(wanted),
        }
    }

    fn find_all_in<const LITTLE: bool>(
        &mut self,
        wanted: &[(TypeKind, &str)],
    ) -> Result<Vec<Option<(u32, Type<'a>)>>, BtfError> {
        let mut found = vec![None; wanted.len()];
        let mut open: Vec<(u32, usize)> = Vec::new(); // name offset, index into wanted
        for (index, (_, name)) in wanted.iter().enumerate() {
            open.extend(self.name_offsets(name).map(|offset| (offset, index)));
        }
        // A bit for each wanted offset, by its low bits: one test avoids all comparisons for almost every
        // record.
        let mut bits = open.iter().fold(0u64, |bits, (at, _)| bits | 1 << (at % 64));
        let (mut position, mut id) = (0, self.first_id);
        while !open.is_empty() && position < self.types.len() {
            let (name_offset, next) = self.step::<LITTLE>(position)?;
            if bits >> (name_offset % 64) & 1 == 1 {
                open.retain(|&(offset, index)| {
                    let hit = (offset == name_offset)
                        .then(|| self.record(position).ok())
                        .flatten()
                        .filter(|record| record.kind() == wanted[index].0);
                    if hit.is_some() && found[index].is_none() {
                        found[index] = hit.map(|record| (id, record));
                    }
                    hit.is_none()
                });
                bits = open.iter().fold(0, |bits, (at, _)| bits | 1 << (at % 64));
            }
            (position, id) = (next, id + 1);
            self.leave_milestone(id, position);
        }
        Ok(found)
    }

    /// The id of the first enumeration that has a constant of this name, and the constant's value as
    /// [`Type::enumerators`] gives it.
    ///
    /// # Errors
    /// A record on the way is malformed.
    pub fn find_enumerator(&mut self, name: &str) -> Result<Option<(u32, u64)>, BtfError> {
        if self.name_offsets(name).next().is_none() {
            return Ok(None);
        }
        let (mut position, mut id) = (0, self.first_id);
        while position < self.types.len() {
            let (_, next) = match self.order {
                Order::Little => self.step::<true>(position)?,
                Order::Big => self.step::<false>(position)?,
            };
            let mut values = self.record(position)?.enumerators();
            if let Some((_, value)) = values.find(|(found, _)| *found == Ok(name.as_bytes())) {
                return Ok(Some((id, value)));
            }
            (position, id) = (next, id + 1);
            self.leave_milestone(id, position);
        }
        Ok(None)
    }

    /// The record with this id.
    ///
    /// # Errors
    /// There is no such id (`void`, which is 0, has no record), or a record on the way is
    /// malformed.
    pub fn by_id(&mut self, id: u32) -> Result<Type<'a>, BtfError> {
        match self.order {
            Order::Little => self.by_id_in::<true>(id),
            Order::Big => self.by_id_in::<false>(id),
        }
    }

    fn by_id_in<const LITTLE: bool>(&mut self, id: u32) -> Result<Type<'a>, BtfError> {
        let Some(index) = id.checked_sub(self.first_id) else {
            let base = self.base.as_mut().ok_or(BtfError::NoSuchType(id))?;
            return base.by_id_in::<LITTLE>(id);
        };
        let nearest = (index as usize / MILESTONE).min(self.milestones.len() - 1);
        let mut position = self.milestones[nearest] as usize;
        for walked in (nearest * MILESTONE) as u32..index {
            if position >= self.types.len() {
                return Err(BtfError::NoSuchType(id));
            }
            (_, position) = self.step::<LITTLE>(position)?;
            self.leave_milestone(walked + 1 + self.first_id, position);
        }
        if position >= self.types.len() {
            return Err(BtfError::NoSuchType(id));
        }
        self.record(position)
    }

    /// The string at this offset, without its zero byte. Line info refers to strings by their offset.
    ///
    /// # Errors
    /// It lies outside of the string section.
    pub fn string(&self, offset: u32) -> Result<&'a [u8], BtfError> {
        self.strings.get(offset)
    }

    /// The record at `position`.
    pub(super) fn record(&self, position: usize) -> Result<Type<'a>, BtfError> {
        Type::at(self.types, position, self.strings, self.order, &self.layout)
    }

    /// The id after that of the last type.
    fn end<const LITTLE: bool>(&mut self) -> Result<u32, BtfError> {
        let (mut position, mut id) = (0, self.first_id);
        while position < self.types.len() {
            (_, position) = self.step::<LITTLE>(position)?;
            id += 1;
            self.leave_milestone(id, position);
        }
        Ok(id)
    }

    /// Calls `found` with the id and kind of each type whose name is at one of these offsets.
    pub(super) fn for_each_named(
        &mut self,
        offsets: &[u32],
        mut found: impl FnMut(u32, TypeKind),
    ) -> Result<(), BtfError> {
        let (mut position, mut id) = (0, self.first_id);
        while position < self.types.len() {
            let (name, next) = match self.order {
                Order::Little => self.step::<true>(position)?,
                Order::Big => self.step::<false>(position)?,
            };
            if offsets.contains(&name) {
                found(id, self.record(position)?.kind());
            }
            (position, id) = (next, id + 1);
            self.leave_milestone(id, position);
        }
        Ok(())
    }

    /// The offsets of this name in the string sections: the base may have it too. An empty name is not found,
    /// since it is that of anonymous types.
    pub(super) fn name_offsets(&self, name: &str) -> impl Iterator<Item = u32> + use<> {
        let Strings { base, own } = self.strings;
        let needle = [b"\0", name.as_bytes(), b"\0"].concat();
        let named = !name.is_empty() && !name.contains('\0');
        let find = |strings: &[u8]| match strings.starts_with(&needle[1..]) {
            true => Some(0),
            false => Some(memmem::find(strings, &needle)? + 1),
        };
        let in_base = find(base).filter(|_| named);
        let in_own = find(own).filter(|_| named).map(|offset| base.len() + offset);
        // A section is at most 4 GiB by its header.
        in_base.into_iter().chain(in_own).map(|offset| offset as u32)
    }

    /// Stores that the record `id` is at `position`, if it is the next milestone.
    #[inline(always)]
    fn leave_milestone(&mut self, id: u32, position: usize) {
        if (id - self.first_id) as usize == self.milestones.len() * MILESTONE {
            self.milestones.push(position as u32); // A section is at most 4 GiB by its header.
        }
    }

    /// The name offset of the record at `position`, and where the next record begins. Indices, not
    /// slices of slices: those are calls where a small binary is asked for.
    #[inline(always)]
    pub(super) fn step<const LITTLE: bool>(
        &self,
        position: usize,
    ) -> Result<(u32, usize), BtfError> {
        let (words, _) = self.types.as_chunks::<4>();
        let word =
            |bytes| if LITTLE { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
        let at = position / 4;
        if at + 2 < words.len() {
            let len = self.layout.record_len(word(words[at + 1]));
            if len != 0 && len <= (self.types.len() - position) as u64 {
                return Ok((word(words[at]), position + len as usize));
            }
        }
        Err(self.malformed(position))
    }

    #[cold]
    fn malformed(&self, position: usize) -> BtfError {
        match self.types.get(position + 4..position + HEADER) {
            Some(words) if self.layout.record_len(self.order.u32(words)) == 0 => {
                BtfError::UnknownKind { position, kind: (self.order.u32(words) >> 24 & 0x7f) as u8 }
            }
            _ => BtfError::TypeCutOff { position },
        }
    }
}
