//! CO-RE relocations: their kinds and steps, and each in the words of llvm-objdump.

use super::{Btf, BtfError, Relocation, Type, TypeKind};

/// `enum bpf_core_relo_kind`.
pub(super) const KINDS: [&str; 13] = [
    "byte_off",
    "byte_sz",
    "field_exists",
    "signed",
    "lshift_u64",
    "rshift_u64",
    "local_type_id",
    "target_type_id",
    "type_exists",
    "type_size",
    "enumval_exists",
    "enumval_value",
    "type_matches",
];
pub(super) const TYPES: [u32; 5] = [6, 7, 8, 9, 12];
pub(super) const VALUES: [u32; 2] = [10, 11];

/// The name of a kind of relocation.
pub fn relocation_kind(kind: u32) -> Option<&'static str> {
    KINDS.get(kind as usize).copied()
}

/// The kind of relocation of this name.
pub fn relocation_number(name: &str) -> Option<u32> {
    KINDS.iter().position(|kind| *kind == name).map(|kind| kind as u32)
}

/// The number of steps that libbpf accepts.
pub(super) const STEPS: usize = 64;

/// The length of the longest name that is shown; no name in a true object is longer.
const NAME: usize = 128;

impl<'a> Btf<'a> {
    /// A relocation in words: `<byte_off> [27] struct request::q (0:1)`.
    ///
    /// # Errors
    /// It does not lead to a field, or a record on the way is malformed.
    pub fn describe(&mut self, relocation: &Relocation<'_>) -> Result<String, BtfError> {
        let Relocation { type_id, access, kind } = *relocation;
        let mut text = match KINDS.get(kind as usize) {
            Some(name) => format!("<{name}> [{type_id}]"),
            None => format!("<reloc kind #{kind}> [{type_id}]"),
        };
        let mut record = self.by_id(type_id)?;
        while let Some(word) = match record.kind() {
            TypeKind::Const => Some(" const"),
            TypeKind::Volatile => Some(" volatile"),
            TypeKind::Restrict => Some(" restrict"),
            _ => None,
        } {
            text += word;
            if text.len() > NAME {
                return Err(BtfError::Endless(type_id));
            }
            record = self.by_id(record.size_or_type())?;
        }
        text += match record.kind() {
            TypeKind::Typedef => " typedef ",
            TypeKind::Struct => " struct ",
            TypeKind::Union => " union ",
            TypeKind::Enum | TypeKind::Enum64 => " enum ",
            TypeKind::Fwd if record.kind_flag() => " fwd union ",
            TypeKind::Fwd => " fwd struct ",
            _ => " ",
        };
        text += &match record.name()? {
            b"" => format!("<anon {type_id}>"),
            name => shortened(name),
        };
        if TYPES.contains(&kind) {
            return Ok(text);
        }
        let steps = steps(relocation)?;
        if VALUES.contains(&kind) {
            let (_, values) = self.behind_modifiers(type_id)?;
            let value = values.enumerator(steps[0]);
            let (name, value) = value.ok_or(BtfError::NoSuchType(type_id))?;
            let name = shortened(name?);
            return Ok(match values.kind_flag() {
                true => format!("{text}::{name} = {}", value as i64),
                false => format!("{text}::{name} = {value}"),
            });
        }
        text += "::";
        let mut after_name = steps[0] != 0;
        if after_name {
            text += &format!("[{}]", steps[0]);
        }
        let mut id = type_id;
        for step in &steps[1..] {
            record = self.behind_modifiers(id)?.1;
            id = self.step_into(&record, *step, after_name, &mut text)?;
            after_name = true;
        }
        Ok(format!("{text} ({})", String::from_utf8_lossy(access)))
    }

    /// Appends a member's name or an element's number, and gives its type.
    fn step_into(
        &self,
        record: &Type<'a>,
        step: u32,
        after_name: bool,
        text: &mut String,
    ) -> Result<u32, BtfError> {
        if let Some((element, _)) = record.array() {
            *text += &format!("[{step}]");
            return Ok(element);
        }
        let no_member = || BtfError::NoMembers(text.clone());
        let member = record.member(step).ok_or_else(no_member)?;
        if after_name {
            text.push('.');
        }
        *text += &match member.name()? {
            b"" => format!("<anon {step}>"),
            name => shortened(name),
        };
        Ok(member.type_id)
    }
}

fn shortened(name: &[u8]) -> String {
    String::from_utf8_lossy(&name[..name.len().min(NAME)]).into_owned()
}

/// The numbers of the steps to a relocation's field; at least one.
pub(super) fn steps(relocation: &Relocation<'_>) -> Result<Vec<u32>, BtfError> {
    let access = std::str::from_utf8(relocation.access).unwrap_or_default();
    let steps = access.split(':').take(STEPS + 1).map(|step| step.parse().ok());
    let steps: Option<Vec<u32>> = steps.collect();
    steps.filter(|steps| steps.len() <= STEPS).ok_or(BtfError::Endless(relocation.type_id))
}
