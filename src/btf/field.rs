//! Finds the offset and size of a struct's field.

use super::{Btf, BtfError, Member, Type, TypeKind};
use crate::order::PutInOrder;

/// The largest number of nested typedefs, modifiers, arrays and anonymous structs. Kernel 7.2 has six; types
/// that form a circle have no end.
pub(super) const DEPTH: u32 = 64;

/// The largest number of members that are searched for one field, so that structs which contain each other
/// many times do not make the search endless.
const MEMBERS: u32 = 1 << 16;

/// The place of a field. Its size would cost another look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// Bytes from the beginning of the struct.
    pub offset: u32,
    /// The id of the field's type as declared: perhaps a typedef.
    pub type_id: u32,
}

/// The place of a bitfield.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BitPlacement {
    /// The byte of the struct that has its first bit.
    pub offset: u32,
    /// The number of lower bits in that byte, on a little-endian machine.
    pub shift: u32,
    /// The number of its bits.
    pub bits: u32,
    /// The id of the field's type as declared: perhaps a typedef.
    pub type_id: u32,
}

/// The place, size and type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldInfo {
    /// Bytes from the beginning of the struct.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
    /// The id of the field's type as declared: perhaps a typedef.
    pub type_id: u32,
    /// The kind of the type that its typedefs and modifiers lead to.
    pub kind: TypeKind,
}

impl<'a> Btf<'a> {
    /// Finds the field `path` in the struct named `name`: `field("bio", "bi_iter.bi_size")`.
    ///
    /// Members of anonymous structs and unions are found as in C, by their name alone. `None` when
    /// the kernel has no such struct or the struct no such member.
    ///
    /// # Errors
    /// The field is a bitfield, the path goes through a member that has none, a type has no size,
    /// or a record on the way is malformed.
    pub fn field(&mut self, name: &str, path: &str) -> Result<Option<FieldInfo>, BtfError> {
        Ok(self.fields(&[(name, path)])?[0])
    }

    /// [`Btf::field`] for several `(struct, path)`, in the order asked.
    ///
    /// The structs are found in one walk, and the types of the members share another, most of
    /// which the first has already made. Where types are sorted (kernel 7.2 and later) the structs
    /// are searched for, and it is the sizes that cost the walk: see [`Btf::placements`].
    ///
    /// # Errors
    /// As [`Btf::field`].
    pub fn fields(&mut self, wanted: &[(&str, &str)]) -> Result<Vec<Option<FieldInfo>>, BtfError> {
        let placements = self.placements(wanted)?;
        placements
            .into_iter()
            .zip(wanted)
            .map(|(placement, (name, path))| {
                placement
                    .map(|placement| self.measure(placement, &format!("{name}.{path}")))
                    .transpose()
            })
            .collect()
    }

    /// Finds the place of each `(struct, path)`, in the order given, without its size: from kernel 7.2 on, this
    /// costs some 30 microseconds for each struct if the member is not inside another one.
    ///
    /// # Errors
    /// As [`Btf::field`], but for sizes.
    pub fn placements(
        &mut self,
        wanted: &[(&str, &str)],
    ) -> Result<Vec<Option<Placement>>, BtfError> {
        let mut structs: Vec<(TypeKind, &str)> =
            wanted.iter().map(|w| (TypeKind::Struct, w.0)).collect();
        structs.order_by_key(|(_, name)| *name);
        structs.dedup();
        let records = self.find_records(&structs)?;
        wanted
            .iter()
            .map(|(name, path)| {
                let found = structs.binary_search_by_key(name, |(_, name)| *name);
                match found.ok().and_then(|index| records[index]) {
                    Some(record) => self.placement_in(&record, path),
                    None => Ok(None),
                }
            })
            .collect()
    }

    /// Finds the field `path` in a struct or union that was found before.
    ///
    /// # Errors
    /// As [`Btf::field`].
    pub fn field_in(
        &mut self,
        record: &Type<'a>,
        path: &str,
    ) -> Result<Option<FieldInfo>, BtfError> {
        self.placement_in(record, path)?.map(|placement| self.measure(placement, path)).transpose()
    }

    /// Finds the place of `path` in a struct or union that was found before.
    ///
    /// # Errors
    /// As [`Btf::field`], but for sizes.
    pub fn placement_in(
        &mut self,
        record: &Type<'a>,
        path: &str,
    ) -> Result<Option<Placement>, BtfError> {
        let mut record = *record;
        let mut budget = MEMBERS;
        let mut placement = Placement { offset: 0, type_id: 0 };
        for (index, name) in path.split('.').enumerate() {
            if index > 0 {
                record = self.behind_modifiers(placement.type_id)?.1;
            }
            if name.is_empty() {
                return Ok(None); // It would find an anonymous member.
            }
            if !record.kind().has_members() {
                return Err(BtfError::NoMembers(path_up_to(path, index)));
            }
            let Some(found) = self.member(&record, name.as_bytes(), &mut budget, 0)? else {
                return Ok(None);
            };
            if found.bitfield_bits != 0 || found.bit_offset % 8 != 0 {
                return Err(BtfError::Bitfield(path_up_to(path, index + 1)));
            }
            placement = Placement {
                offset: placement.offset.wrapping_add(found.bit_offset / 8),
                type_id: found.type_id,
            };
        }
        Ok(Some(placement))
    }

    /// Finds the place of the member `name` in a struct or union if the member is a bitfield.
    ///
    /// # Errors
    /// A record on the way is malformed.
    pub fn bits_in(
        &mut self,
        record: &Type<'a>,
        name: &str,
    ) -> Result<Option<BitPlacement>, BtfError> {
        let found = self.member(record, name.as_bytes(), &mut { MEMBERS }, 0)?;
        Ok(found.filter(|found| found.bitfield_bits != 0).map(|found| BitPlacement {
            offset: found.bit_offset / 8,
            shift: found.bit_offset % 8,
            bits: found.bitfield_bits,
            type_id: found.type_id,
        }))
    }

    /// The member of this name, with its offset from the outermost struct.
    fn member(
        &mut self,
        record: &Type<'a>,
        name: &[u8],
        budget: &mut u32,
        depth: u32,
    ) -> Result<Option<Member<'a>>, BtfError> {
        // Those with a name first: they cost no look-up by id.
        if let Some(found) = record.members().find(|member| member.is_named(name)) {
            return Ok(Some(found));
        }
        for outer in record.members() {
            let endless = BtfError::Endless(outer.type_id);
            *budget = budget.checked_sub(1).ok_or(endless.clone())?;
            if !outer.is_named(b"") || outer.bitfield_bits != 0 {
                continue;
            }
            if depth == DEPTH {
                return Err(endless);
            }
            let inner = self.behind_modifiers(outer.type_id)?.1;
            if let Some(mut found) = self.member(&inner, name, budget, depth + 1)? {
                found.bit_offset = found.bit_offset.wrapping_add(outer.bit_offset);
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn measure(&mut self, placement: Placement, path: &str) -> Result<FieldInfo, BtfError> {
        let Placement { offset, type_id } = placement;
        let (_, record) = self.behind_modifiers(type_id)?;
        if record.is_partial_int() {
            return Err(BtfError::Bitfield(path.to_owned()));
        }
        Ok(FieldInfo { offset, size: self.size_of(type_id)?, type_id, kind: record.kind() })
    }

    /// The size of a type in bytes. A pointer has 8, since the eBPF here is for 64-bit kernels only.
    ///
    /// # Errors
    /// The type has no size, does not exist, or a record on the way is malformed.
    pub fn size_of(&mut self, type_id: u32) -> Result<u32, BtfError> {
        let (mut inner, mut elements) = (type_id, 1u32);
        for _ in 0..DEPTH {
            let (id, record) = self.behind_modifiers(inner)?;
            let size = match (record.kind(), record.array()) {
                (_, Some((element, count))) => {
                    elements =
                        elements.checked_mul(count).ok_or(BtfError::SizeOverflow(type_id))?;
                    inner = element;
                    continue;
                }
                (TypeKind::Ptr, _) => 8,
                (TypeKind::Int | TypeKind::Struct | TypeKind::Union | TypeKind::Float, _)
                | (TypeKind::Enum | TypeKind::Enum64 | TypeKind::Datasec, _) => {
                    record.size_or_type()
                }
                (TypeKind::Var, _) => {
                    inner = record.size_or_type();
                    continue;
                }
                (kind, _) => return Err(BtfError::NoSize { id, kind }),
            };
            return size.checked_mul(elements).ok_or(BtfError::SizeOverflow(type_id));
        }
        Err(BtfError::Endless(type_id))
    }

    /// The type that typedefs and modifiers lead to, and its id.
    pub(crate) fn behind_modifiers(&mut self, id: u32) -> Result<(u32, Type<'a>), BtfError> {
        let mut inner = id;
        for _ in 0..DEPTH {
            let record = self.by_id(inner)?;
            if !record.kind().is_modifier() {
                return Ok((inner, record));
            }
            inner = record.size_or_type();
        }
        Err(BtfError::Endless(id))
    }
}

/// The first `components` of a dotted path, for an error; without any, the struct itself.
fn path_up_to(path: &str, components: usize) -> String {
    match components {
        0 => "the type asked for".to_owned(),
        _ => path.split('.').take(components).collect::<Vec<_>>().join("."),
    }
}
