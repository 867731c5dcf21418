//! Whether a type of an object means a type of the kernel: by libbpf's rules, which do not ask for the same
//! layout.

use super::{Btf, BtfError, Type, TypeKind};

/// The types of an object and those of a kernel.
pub(super) struct Pair<'x, 'l, 'k> {
    pub local: &'x mut Btf<'l>,
    pub kernel: &'x mut Btf<'k>,
    /// How many comparisons are left.
    left: u32,
}

/// The largest number of types that are compared for one relocation.
const COMPARISONS: u32 = 1 << 16;
/// The largest number of nested pointers, arrays and parameters.
const DEPTH: u32 = 32;

fn is_enum(kind: TypeKind) -> bool {
    matches!(kind, TypeKind::Enum | TypeKind::Enum64)
}

fn same_kind(one: &Type<'_>, other: &Type<'_>) -> bool {
    one.kind() == other.kind() || is_enum(one.kind()) && is_enum(other.kind())
}

fn str(name: &[u8]) -> &str {
    std::str::from_utf8(name).unwrap_or_default()
}

fn same_name(one: &Type<'_>, other: &Type<'_>) -> bool {
    essential(one.short_name()) == essential(other.short_name())
}

/// A type, `None` for `void`.
fn described<'a>(btf: &mut Btf<'a>, id: u32) -> Result<Option<Type<'a>>, BtfError> {
    let mut id = id;
    for _ in 0..DEPTH {
        if id == 0 {
            return Ok(None);
        }
        let record = btf.by_id(id)?;
        if !record.kind().is_modifier() {
            return Ok(Some(record));
        }
        id = record.size_or_type();
    }
    Err(BtfError::Endless(id))
}

impl<'x, 'l, 'k> Pair<'x, 'l, 'k> {
    pub fn new(local: &'x mut Btf<'l>, kernel: &'x mut Btf<'k>) -> Pair<'x, 'l, 'k> {
        Pair { local, kernel, left: COMPARISONS }
    }

    fn compare(&mut self, id: u32) -> Result<(), BtfError> {
        self.left = self.left.checked_sub(1).ok_or(BtfError::Endless(id))?;
        Ok(())
    }

    /// Whether a field of one type may be read as one of the other.
    pub fn fields_are_compatible(&mut self, local: u32, kernel: u32) -> Result<bool, BtfError> {
        let (mut local, mut kernel) = (local, kernel);
        for _ in 0..DEPTH {
            let here = described(self.local, local)?;
            let there = described(self.kernel, kernel)?;
            let (Some(here), Some(there)) = (here, there) else { return Ok(false) };
            if here.kind().has_members() && there.kind().has_members() {
                return Ok(true);
            }
            if !same_kind(&here, &there) {
                return Ok(false);
            }
            match here.kind() {
                TypeKind::Ptr | TypeKind::Float => return Ok(true),
                TypeKind::Fwd | TypeKind::Enum | TypeKind::Enum64 => {
                    let anonymous = here.short_name().is_empty() || there.short_name().is_empty();
                    return Ok(anonymous || same_name(&here, &there));
                }
                TypeKind::Int => return Ok(here.bits_before() == 0 && there.bits_before() == 0),
                TypeKind::Array => {
                    let (Some((one, _)), Some((other, _))) = (here.array(), there.array()) else {
                        return Ok(false);
                    };
                    (local, kernel) = (one, other);
                }
                _ => return Ok(false),
            }
        }
        Err(BtfError::Endless(local))
    }

    /// Whether types of one name are of one kind, all the way through pointers, arrays and functions.
    pub fn are_compatible(&mut self, local: u32, kernel: u32) -> Result<bool, BtfError> {
        self.compatible(local, kernel, DEPTH)
    }

    fn compatible(&mut self, local: u32, kernel: u32, depth: u32) -> Result<bool, BtfError> {
        self.compare(local)?;
        let here = described(self.local, local)?;
        let there = described(self.kernel, kernel)?;
        let (Some(here), Some(there)) = (here, there) else {
            return Ok(here.is_none() && there.is_none());
        };
        if !same_kind(&here, &there) || depth == 0 {
            return Ok(false);
        }
        match here.kind() {
            TypeKind::Int => Ok(here.bits_before() == 0 && there.bits_before() == 0),
            TypeKind::Struct | TypeKind::Union | TypeKind::Fwd => Ok(true),
            TypeKind::Enum | TypeKind::Enum64 => Ok(true),
            _ => self.each_inside(&here, &there, |pair, one, other| {
                pair.compatible(one, other, depth - 1)
            }),
        }
    }

    /// Whether all that a pointer, an array or a function refers to is alike in both.
    fn each_inside(
        &mut self,
        here: &Type<'_>,
        there: &Type<'_>,
        mut alike: impl FnMut(&mut Self, u32, u32) -> Result<bool, BtfError>,
    ) -> Result<bool, BtfError> {
        match here.kind() {
            TypeKind::Ptr => alike(self, here.size_or_type(), there.size_or_type()),
            TypeKind::Array => {
                let pair = here.array().zip(there.array());
                pair.map_or(Ok(false), |((one, _), (other, _))| alike(self, one, other))
            }
            TypeKind::FuncProto => {
                if here.vlen() != there.vlen() {
                    return Ok(false);
                }
                for ((_, one), (_, other)) in here.parameters().zip(there.parameters()) {
                    if !alike(self, one, other)? {
                        return Ok(false);
                    }
                }
                alike(self, here.size_or_type(), there.size_or_type())
            }
            _ => Ok(false),
        }
    }

    /// Whether the kernel's type has all that the object's has: members, enumerators and their types by name.
    pub fn match_(&mut self, local: u32, kernel: u32) -> Result<bool, BtfError> {
        self.matches(local, kernel, false, DEPTH)
    }

    fn matches(
        &mut self,
        local: u32,
        kernel: u32,
        pointed: bool,
        depth: u32,
    ) -> Result<bool, BtfError> {
        self.compare(local)?;
        let here = described(self.local, local)?;
        let there = described(self.kernel, kernel)?;
        let (Some(here), Some(there)) = (here, there) else {
            return Ok(here.is_none() && there.is_none());
        };
        if !same_name(&here, &there) || depth == 0 {
            return Ok(false);
        }
        let same = here.kind() == there.kind();
        let is_union = |record: &Type<'_>| match record.kind() {
            TypeKind::Fwd => record.kind_flag(),
            kind => kind == TypeKind::Union,
        };
        let is_record = |record: &Type<'_>| {
            matches!(record.kind(), TypeKind::Struct | TypeKind::Union | TypeKind::Fwd)
        };
        match here.kind() {
            TypeKind::Struct | TypeKind::Union | TypeKind::Fwd if pointed => {
                let forward = here.kind() == TypeKind::Fwd || there.kind() == TypeKind::Fwd;
                Ok(is_record(&there) && (same || forward) && is_union(&here) == is_union(&there))
            }
            TypeKind::Fwd => Ok(same && is_union(&here) == is_union(&there)),
            TypeKind::Enum | TypeKind::Enum64 => self.enumerators_match(&here, &there),
            TypeKind::Struct | TypeKind::Union => {
                Ok(same && self.members_match(&here, &there, depth)?)
            }
            TypeKind::Int => Ok(same
                && here.size_or_type() == there.size_or_type()
                && here.is_signed() == there.is_signed()),
            _ if !same => Ok(false),
            TypeKind::Array if here.array().map(|it| it.1) != there.array().map(|it| it.1) => {
                Ok(false)
            }
            kind => self.each_inside(&here, &there, |pair, one, other| {
                pair.matches(one, other, pointed || kind == TypeKind::Ptr, depth - 1)
            }),
        }
    }

    fn enumerators_match(&mut self, here: &Type<'_>, there: &Type<'_>) -> Result<bool, BtfError> {
        if !is_enum(there.kind()) || here.vlen() > there.vlen() {
            return Ok(false);
        }
        for (wanted, _) in here.enumerators() {
            let wanted = essential(str(wanted?));
            let mut found = false;
            for (name, _) in there.enumerators() {
                self.compare(0)?;
                found |= essential(str(name?)) == wanted;
            }
            if !found {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn members_match(
        &mut self,
        here: &Type<'_>,
        there: &Type<'_>,
        depth: u32,
    ) -> Result<bool, BtfError> {
        if here.vlen() > there.vlen() {
            return Ok(false);
        }
        for wanted in here.members() {
            let name = wanted.name()?;
            let mut found = false;
            for member in there.members() {
                self.compare(0)?;
                if member.is_named(name)
                    && self.matches(wanted.type_id, member.type_id, false, depth - 1)?
                {
                    found = true;
                    break;
                }
            }
            if !found {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A name without the part that follows three underscores, by which objects tell variants apart.
pub(super) fn essential(name: &str) -> &str {
    let bytes = name.as_bytes();
    let is_separator = |at: &[u8]| matches!(at, [first, b'_', b'_', b'_', last] if *first != b'_' && *last != b'_');
    match bytes.windows(5).rposition(is_separator) {
        Some(at) => name.get(..=at).unwrap_or(name),
        None => name,
    }
}
