//! Resolves an object's CO-RE relocations with the types of a kernel, by the rules of libbpf.

use super::compatible::{Pair, essential};
use super::relocation::{KINDS, STEPS, steps};
use super::{Btf, BtfError, Relocation, TypeKind};
use crate::order::PutInOrder;

/// The number that a kernel's types have for a relocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    /// A field's place or size in bytes, a type's size or id, an enumerator's value, or whether there is
    /// such a thing. `None` where there is none: the instruction must not be reached.
    pub value: Option<u64>,
    /// The bytes that the object's field has, and the kernel's; 0 if the relocation is not about the offset of
    /// a whole field.
    pub sizes: (u32, u32),
    /// Whether a load or store of one size may become one of the other: both are pointers or unsigned.
    pub resizable: bool,
}

impl Resolved {
    /// A number that stands for itself.
    pub fn number(value: u64) -> Resolved {
        Resolved { value: Some(value), sizes: (0, 0), resizable: true }
    }
}

/// A step to a field: the type, and the number of a member with a name or of an element.
#[derive(Clone, Copy)]
struct Step {
    type_id: u32,
    index: u32,
    is_member: bool,
}

/// The way to a field, and the bits before it.
#[derive(Clone, Default)]
struct Way {
    steps: Vec<Step>,
    bits: u64,
}

/// The largest number of types of one name that are compared.
const CANDIDATES: usize = 16;

impl<'a> Btf<'a> {
    /// The types of `kernel` that a relocation may mean: of the same kind and name, without the part of the
    /// object's name that follows three underscores.
    ///
    /// # Errors
    /// A record on the way is malformed.
    pub fn candidates(
        &mut self,
        relocation: &Relocation<'_>,
        kernel: &mut Btf<'_>,
    ) -> Result<Vec<u32>, BtfError> {
        let mut record = self.by_id(relocation.type_id)?;
        for _ in 0..STEPS {
            if !matches!(record.kind(), TypeKind::Const | TypeKind::Volatile | TypeKind::Restrict) {
                break;
            }
            record = self.by_id(record.size_or_type())?;
        }
        let kinds = match record.kind() {
            TypeKind::Enum | TypeKind::Enum64 => [TypeKind::Enum, TypeKind::Enum64],
            kind => [kind, kind],
        };
        let name = essential(record.short_name());
        kernel.find_every(kinds, name, CANDIDATES)
    }

    /// The number that `kernel` has for a relocation of these types, `candidates` being the types that it may
    /// mean there.
    ///
    /// # Errors
    /// The kind of relocation is not known, the candidates give several answers, or a record on the way is
    /// malformed.
    pub fn resolve(
        &mut self,
        relocation: &Relocation<'_>,
        kernel: &mut Btf<'_>,
        candidates: &[u32],
    ) -> Result<Resolved, BtfError> {
        let Some(kind) = KINDS.get(relocation.kind as usize) else {
            return Err(BtfError::Relocation(format!("#{}", relocation.kind)));
        };
        let number = |value| Ok(Resolved { value, ..Resolved::number(0) });
        if *kind == "local_type_id" {
            return number(Some(relocation.type_id.into()));
        }
        let mut answer: Option<Resolved> = None;
        for &candidate in candidates {
            let Some(resolved) = self.resolve_as(relocation, kernel, candidate, kind)? else {
                continue;
            };
            if answer.is_some_and(|answer| answer != resolved) {
                return Err(BtfError::Ambiguous((*kind).to_owned()));
            }
            answer = Some(resolved);
        }
        match (answer, *kind) {
            (Some(answer), _) => Ok(answer),
            (None, "byte_off" | "byte_sz" | "signed" | "lshift_u64" | "rshift_u64") => number(None),
            (None, "enumval_value") => number(None),
            (None, _) => number(Some(0)),
        }
    }

    /// The number for one candidate; `None` if it is not what the object means.
    fn resolve_as(
        &mut self,
        relocation: &Relocation<'_>,
        kernel: &mut Btf<'_>,
        candidate: u32,
        kind: &str,
    ) -> Result<Option<Resolved>, BtfError> {
        let number = |value| Ok(Some(Resolved::number(value)));
        let mut pair = Pair::new(self, kernel);
        match kind {
            "target_type_id" | "type_exists" | "type_size" | "type_matches" => {
                let matched = match kind {
                    "type_matches" => pair.match_(relocation.type_id, candidate)?,
                    _ => pair.are_compatible(relocation.type_id, candidate)?,
                };
                match kind {
                    _ if !matched => Ok(None),
                    "target_type_id" => number(candidate.into()),
                    "type_size" => number(kernel.size_of(candidate)?.into()),
                    _ => number(1),
                }
            }
            "enumval_exists" | "enumval_value" => {
                let (_, values) = self.behind_modifiers(relocation.type_id)?;
                let index = *steps(relocation)?.first().unwrap_or(&0);
                let wanted = values.enumerator(index);
                let wanted = wanted.ok_or(BtfError::NoSuchType(relocation.type_id))?.0?;
                let wanted = essential(std::str::from_utf8(wanted).unwrap_or_default());
                let (_, values) = kernel.behind_modifiers(candidate)?;
                let found = values.enumerators().find(|(name, _)| {
                    name.as_ref().is_ok_and(|name| {
                        essential(std::str::from_utf8(name).unwrap_or_default()) == wanted
                    })
                });
                match found {
                    None => Ok(None),
                    Some(_) if kind == "enumval_exists" => number(1),
                    Some((_, value)) => number(value),
                }
            }
            _ => {
                let own = self.way(relocation)?;
                let mut pair = Pair::new(self, kernel);
                let Some(way) = pair.follow(&own, candidate)? else { return Ok(None) };
                if kind == "field_exists" {
                    return number(1);
                }
                let (value, field) = kernel.of_field(&way, kind)?;
                let mut resolved = Resolved::number(value);
                if let ("byte_off", Some((theirs, there)), (_, Some((ours, here)))) =
                    (kind, field, self.of_field(&own, kind)?)
                {
                    resolved.sizes = (ours, theirs);
                    resolved.resizable = ours == theirs
                        || self.is_unsigned_or_pointer(here)?
                            == kernel.is_unsigned_or_pointer(there)?
                            && self.is_unsigned_or_pointer(here)?.is_some();
                }
                Ok(Some(resolved))
            }
        }
    }

    /// The way that a relocation takes in the object's types.
    fn way(&mut self, relocation: &Relocation<'_>) -> Result<Way, BtfError> {
        let numbers = steps(relocation)?;
        let (root, _) = self.behind_modifiers(relocation.type_id)?;
        let first = Step { type_id: root, index: numbers[0], is_member: false };
        let mut way = Way { steps: vec![first], bits: 0 };
        if numbers[0] > 0 {
            way.bits = self.elements(root, numbers[0])?;
        }
        let mut id = root;
        for &index in &numbers[1..] {
            let (here, record) = self.behind_modifiers(id)?;
            if let Some((element, _)) = record.array() {
                let (element, _) = self.behind_modifiers(element)?;
                way.steps.push(Step { type_id: element, index, is_member: false });
                way.bits += self.elements(element, index)?;
                id = element;
                continue;
            }
            let member = record.member(index).ok_or(BtfError::NoSuchType(here))?;
            way.bits += u64::from(member.bit_offset);
            // Members of an anonymous struct are found from outside it.
            if !member.is_named(b"") {
                way.steps.push(Step { type_id: here, index, is_member: true });
            }
            id = member.type_id;
        }
        Ok(way)
    }

    /// The bits of so many elements of a type.
    fn elements(&mut self, id: u32, count: u32) -> Result<u64, BtfError> {
        let bytes = self.size_of(id)?.checked_mul(count).ok_or(BtfError::SizeOverflow(id))?;
        Ok(u64::from(bytes) * 8)
    }

    /// A number of the field at the end of a way; of its offset, also the size and type of the whole field.
    fn of_field(&mut self, way: &Way, kind: &str) -> Result<(u64, Option<(u32, u32)>), BtfError> {
        let last = *way.steps.last().ok_or(BtfError::NoSuchType(0))?;
        let bytes = way.bits / 8;
        if !last.is_member {
            return match kind {
                "byte_off" => Ok((bytes, Some(self.element(last.type_id)?))),
                "byte_sz" => Ok((self.size_of(last.type_id)?.into(), None)),
                _ => Err(BtfError::Relocation(kind.to_owned())),
            };
        }
        let record = self.by_id(last.type_id)?;
        let member = record.member(last.index).ok_or(BtfError::NoSuchType(last.type_id))?;
        let (field, inner) = self.behind_modifiers(member.type_id)?;
        let mut bits = u64::from(member.bitfield_bits);
        let is_bitfield = bits > 0;
        let (mut size, mut offset);
        if is_bitfield {
            size = u64::from(inner.size_or_type()).max(1);
            offset = bytes / size * size;
            // The smallest number that has all of its bits.
            while way.bits + bits - offset * 8 > size * 8 {
                if size >= 8 {
                    return Err(BtfError::SizeOverflow(field));
                }
                size *= 2;
                offset = bytes / size * size;
            }
        } else {
            size = match kind {
                "signed" => 0,
                _ => self.size_of(field)?.into(),
            };
            offset = bytes;
            bits = size * 8;
        }
        let value = match kind {
            "byte_off" => offset,
            "byte_sz" => size,
            "signed" => inner.is_signed().into(),
            "lshift_u64" if self.order == super::record::Order::Little => {
                64u64.wrapping_sub(way.bits + bits - offset * 8)
            }
            "lshift_u64" => 64u64.wrapping_sub(size * 8).wrapping_add(way.bits - offset * 8),
            "rshift_u64" => 64u64.wrapping_sub(bits),
            _ => return Err(BtfError::Relocation(kind.to_owned())),
        };
        let whole =
            (kind == "byte_off" && !is_bitfield).then(|| self.element(field)).transpose()?;
        Ok((value, whole))
    }

    /// The size and type of what is loaded from a field: of an array, of an element.
    fn element(&mut self, field: u32) -> Result<(u32, u32), BtfError> {
        let mut id = field;
        for _ in 0..STEPS {
            let (here, record) = self.behind_modifiers(id)?;
            match record.array() {
                Some((element, _)) => id = element,
                None => return Ok((self.size_of(here)?, here)),
            }
        }
        Err(BtfError::Endless(field))
    }

    /// Whether a type is a pointer (`true`) or an unsigned number (`false`).
    fn is_unsigned_or_pointer(&mut self, id: u32) -> Result<Option<bool>, BtfError> {
        let record = self.behind_modifiers(id)?.1;
        Ok(match record.kind() {
            TypeKind::Ptr => Some(true),
            TypeKind::Int if !record.is_signed() => Some(false),
            _ => None,
        })
    }

    /// The ids of all types of one of two kinds and this name, up to `most`.
    pub(super) fn find_every(
        &mut self,
        kinds: [TypeKind; 2],
        name: &str,
        most: usize,
    ) -> Result<Vec<u32>, BtfError> {
        let mut found = vec![];
        let offsets: Vec<u32> = self.name_offsets(name).collect();
        if offsets.is_empty() {
            return Ok(found);
        }
        self.for_each_named(&offsets, |id, kind| {
            if kinds.contains(&kind) && found.len() < most {
                found.push(id);
            }
        })?;
        found.order();
        Ok(found)
    }
}

impl Pair<'_, '_, '_> {
    /// The way in the kernel's types that has the names of one in the object's.
    fn follow(&mut self, own: &Way, root: u32) -> Result<Option<Way>, BtfError> {
        let mut way = Way::default();
        let mut id = root;
        for (number, step) in own.steps.iter().enumerate() {
            let (here, record) = self.kernel.behind_modifiers(id)?;
            if step.is_member {
                let local = self.local.by_id(step.type_id)?;
                let member = local.member(step.index).ok_or(BtfError::NoSuchType(step.type_id))?;
                let name = member.name()?.to_vec();
                let Some((inside, index, before)) =
                    self.kernel.member_place(here, &name, 0, &mut { MEMBERS })?
                else {
                    return Ok(None);
                };
                let found = self.kernel.by_id(inside)?.member(index);
                let found = found.ok_or(BtfError::NoSuchType(inside))?;
                if !self.fields_are_compatible(member.type_id, found.type_id)? {
                    return Ok(None);
                }
                way.steps.push(Step { type_id: inside, index, is_member: true });
                way.bits += before;
                id = found.type_id;
                continue;
            }
            id = here;
            if number > 0 {
                let Some((element, count)) = record.array() else { return Ok(None) };
                if step.index >= count && count > 0 {
                    return Ok(None);
                }
                id = self.kernel.behind_modifiers(element)?.0;
            }
            way.steps.push(Step { type_id: id, ..*step });
            if step.index > 0 {
                way.bits += self.kernel.elements(id, step.index)?;
            }
        }
        Ok(Some(way))
    }
}

/// The largest number of members that are looked through for one name.
const MEMBERS: u32 = 1 << 16;

impl<'a> Btf<'a> {
    /// The struct that has a member of this name, which may be an anonymous one inside of `id`; the member's
    /// number there, and the bits before it.
    fn member_place(
        &mut self,
        id: u32,
        name: &[u8],
        depth: u32,
        budget: &mut u32,
    ) -> Result<Option<(u32, u32, u64)>, BtfError> {
        let (id, record) = self.behind_modifiers(id)?;
        if !record.kind().has_members() || depth > super::field::DEPTH {
            return Ok(None);
        }
        for (index, member) in (0..).zip(record.members()) {
            *budget = budget.checked_sub(1).ok_or(BtfError::Endless(id))?;
            let before = u64::from(member.bit_offset);
            if member.is_named(name) {
                return Ok(Some((id, index, before)));
            }
            if !member.is_named(b"") {
                continue;
            }
            let inside = self.member_place(member.type_id, name, depth + 1, budget)?;
            if let Some((id, index, further)) = inside {
                return Ok(Some((id, index, before + further)));
            }
        }
        Ok(None)
    }
}
