//! Resolves an object's CO-RE relocations with the types of a kernel.

use super::relocation::{KINDS, STEPS, steps};
use super::{Btf, BtfError, Relocation, Type, TypeKind};

impl<'a> Btf<'a> {
    /// The number that `kernel` has for a relocation of these types: a field's offset or size in
    /// bytes, a type's size or id, an enumerator's value, or whether there is such a thing. `None`
    /// where there is none: the instruction must not be reached.
    ///
    /// # Errors
    /// The kind of relocation is not supported, the field is a bitfield, or a record on the way is
    /// malformed.
    pub fn resolve(
        &mut self,
        relocation: &Relocation<'_>,
        kernel: &mut Btf<'_>,
    ) -> Result<Option<u64>, BtfError> {
        let record = self.behind_qualifiers(relocation.type_id)?;
        let name = String::from_utf8_lossy(record.name()?).into_owned();
        // The part of a name after three underscores distinguishes variants of a type.
        let name = name.split_once("___").map_or(&name[..], |(name, _)| name);
        let kinds = match record.kind() {
            TypeKind::Enum | TypeKind::Enum64 => [TypeKind::Enum, TypeKind::Enum64],
            kind => [kind, kind],
        };
        let mut found = None;
        for kind in kinds.into_iter().filter(|_| !name.is_empty()) {
            found = found.or(kernel.find_all(&[(kind, name)])?[0]);
        }
        match KINDS.get(relocation.kind as usize) {
            Some(&("byte_off" | "byte_sz" | "field_exists")) => {
                let Some((id, _)) = found else {
                    return Ok((relocation.kind == 2).then_some(0));
                };
                let field = self.field_of(relocation, kernel, id);
                Ok(match (relocation.kind, field) {
                    (2, Ok(field)) => Some(field.is_some().into()),
                    (2, Err(BtfError::Bitfield(_))) => Some(1),
                    (_, Err(error)) => return Err(error),
                    (_, Ok(None)) => None,
                    (0, Ok(Some((offset, _)))) => Some(offset.into()),
                    (_, Ok(Some((_, type_id)))) => Some(kernel.size_of(type_id)?.into()),
                })
            }
            Some(&"target_type_id") => Ok(found.map(|(id, _)| id.into())),
            Some(&"type_exists") => Ok(Some(found.is_some().into())),
            Some(&"type_size") => match found {
                None => Ok(Some(0)),
                Some((id, _)) => Ok(Some(kernel.size_of(id)?.into())),
            },
            Some(&("enumval_exists" | "enumval_value")) => {
                let (_, values) = self.behind_modifiers(relocation.type_id)?;
                let index = *steps(relocation)?.first().unwrap_or(&0);
                let wanted = values.enumerator(index);
                let wanted = wanted.ok_or(BtfError::NoSuchType(relocation.type_id))?.0?;
                let value = match found {
                    None => None,
                    Some((id, _)) => {
                        let (_, values) = kernel.behind_modifiers(id)?;
                        let mut values = values.enumerators();
                        values.find(|(name, _)| name == &Ok(wanted)).map(|(_, value)| value)
                    }
                };
                match relocation.kind {
                    10 => Ok(Some(value.is_some().into())),
                    _ => Ok(value),
                }
            }
            Some(kind) => Err(BtfError::Relocation((*kind).to_owned())),
            None => Err(BtfError::Relocation(format!("#{}", relocation.kind))),
        }
    }

    /// The offset and type of a field by the names of the members that lead to it, from the type of
    /// `kernel` with the id `at`.
    fn field_of(
        &mut self,
        relocation: &Relocation<'_>,
        kernel: &mut Btf<'_>,
        at: u32,
    ) -> Result<Option<(u32, u32)>, BtfError> {
        let steps = steps(relocation)?;
        let (mut here, mut there) = (relocation.type_id, at);
        let too_far = BtfError::SizeOverflow(relocation.type_id);
        let elements = |number: u32, size: u32| number.checked_mul(size).ok_or(too_far.clone());
        let mut offset = match steps[0] {
            0 => 0,
            number => elements(number, kernel.size_of(at)?)?,
        };
        for &step in &steps[1..] {
            let record = self.behind_modifiers(here)?.1;
            let target = kernel.behind_modifiers(there)?.1;
            let add = if let Some((element, _)) = record.array() {
                let Some((target, _)) = target.array() else { return Ok(None) };
                (here, there) = (element, target);
                elements(step, kernel.size_of(target)?)?
            } else {
                let member = record.member(step).ok_or(BtfError::NoSuchType(here))?;
                here = member.type_id;
                let name = String::from_utf8_lossy(member.name()?);
                // Members of an anonymous struct are found from outside it.
                if name.is_empty() {
                    continue;
                }
                if !target.kind().has_members() {
                    return Ok(None);
                }
                let Some(placement) = kernel.placement_in(&target, &name)? else {
                    return Ok(None);
                };
                there = placement.type_id;
                placement.offset
            };
            offset = u32::checked_add(offset, add).ok_or(too_far.clone())?;
        }
        Ok(Some((offset, there)))
    }

    /// The type without `const`, `volatile` and `restrict`; a typedef stays.
    fn behind_qualifiers(&mut self, id: u32) -> Result<Type<'a>, BtfError> {
        let mut record = self.by_id(id)?;
        for _ in 0..STEPS {
            if !matches!(record.kind(), TypeKind::Const | TypeKind::Volatile | TypeKind::Restrict) {
                return Ok(record);
            }
            record = self.by_id(record.size_or_type())?;
        }
        Err(BtfError::Endless(id))
    }
}
