//! What an object uses and does not define: functions and variables of the kernel, and its configuration.

use std::fmt;

use super::compatible::{Pair, essential};
use super::{Btf, BtfError, TypeKind};

/// The largest number that is read; no true object comes close.
const EXTERNS: usize = 1 << 14;
/// The largest text of the configuration, in bytes.
const TEXT: u32 = 4096;

/// A name that an object does not define.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectExtern<'a> {
    /// The name.
    pub name: &'a str,
    /// The type of the variable, or of the function.
    pub type_id: u32,
    /// Whether it is a function.
    pub is_function: bool,
    /// Whether it is of the kernel's configuration, not a symbol.
    pub is_config: bool,
}

/// The type of a variable of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigType {
    /// `bool`
    Bool,
    /// `enum libbpf_tristate`
    Tristate,
    /// `char`
    Char,
    /// A number of so many bytes, perhaps signed.
    Number(u32, bool),
    /// A text of up to so many bytes, with the zero at its end.
    Text(u32),
}

impl fmt::Display for ConfigType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigType::Bool => f.write_str("bool"),
            ConfigType::Tristate => f.write_str("tristate"),
            ConfigType::Char => f.write_str("char"),
            ConfigType::Number(size, true) => write!(f, "s{}", 8 * size),
            ConfigType::Number(size, false) => write!(f, "u{}", 8 * size),
            ConfigType::Text(size) => write!(f, "text{size}"),
        }
    }
}

impl ConfigType {
    /// The type of this name, as a text has it: `bool`, `tristate`, `char`, `u16` to `s64`, or `text` and the
    /// number of bytes.
    pub fn named(name: &str) -> Option<ConfigType> {
        Some(match name {
            "bool" => ConfigType::Bool,
            "tristate" => ConfigType::Tristate,
            "char" => ConfigType::Char,
            "u16" | "u32" | "u64" | "s16" | "s32" | "s64" => {
                let bits: u32 = name[1..].parse().ok()?;
                ConfigType::Number(bits / 8, name.starts_with('s'))
            }
            _ => {
                let size = name.strip_prefix("text")?.parse().ok()?;
                ConfigType::Text(Some(size).filter(|size| (1..=TEXT).contains(size))?)
            }
        })
    }

    /// Its size in bytes.
    pub fn size(self) -> u32 {
        match self {
            ConfigType::Bool | ConfigType::Char => 1,
            ConfigType::Tristate => 4,
            ConfigType::Number(size, _) | ConfigType::Text(size) => size,
        }
    }
}

impl<'a> Btf<'a> {
    /// The names that the object does not define, as its sections `.kconfig` and `.ksyms` list them.
    ///
    /// # Errors
    /// A record is malformed.
    pub fn externs(&mut self) -> Result<Vec<ObjectExtern<'a>>, BtfError> {
        let wanted = [(TypeKind::Datasec, ".kconfig"), (TypeKind::Datasec, ".ksyms")];
        let sections = self.find_all(&wanted)?;
        let mut externs = vec![];
        for (section, is_config) in sections.into_iter().zip([true, false]) {
            let Some((_, section)) = section else { continue };
            for id in section.variables().take(EXTERNS) {
                let record = self.by_id(id)?;
                externs.push(ObjectExtern {
                    name: record.short_name(),
                    type_id: record.size_or_type(),
                    is_function: record.kind() == TypeKind::Func,
                    is_config,
                });
            }
        }
        Ok(externs)
    }

    /// How a variable of this type shows the configuration; `None` if it cannot.
    ///
    /// # Errors
    /// A record is malformed.
    pub fn config_type(&mut self, id: u32) -> Result<Option<ConfigType>, BtfError> {
        let record = self.behind_modifiers(id)?.1;
        let size = record.size_or_type();
        Ok(match record.kind() {
            TypeKind::Int if record.is_bool() => (size == 1).then_some(ConfigType::Bool),
            TypeKind::Int if size == 1 => Some(ConfigType::Char),
            TypeKind::Int if matches!(size, 2 | 4 | 8) => {
                Some(ConfigType::Number(size, record.is_signed()))
            }
            TypeKind::Enum if record.short_name() == "libbpf_tristate" && size == 4 => {
                Some(ConfigType::Tristate)
            }
            TypeKind::Array => {
                let (element, count) = record.array().unwrap_or_default();
                let is_text = self.config_type_of_element(element)? && (1..=TEXT).contains(&count);
                is_text.then_some(ConfigType::Text(count))
            }
            _ => None,
        })
    }

    fn config_type_of_element(&mut self, id: u32) -> Result<bool, BtfError> {
        let record = self.behind_modifiers(id)?.1;
        Ok(record.kind() == TypeKind::Int && record.size_or_type() == 1 && !record.is_bool())
    }

    /// The function or variable of this name, without what follows three underscores: its id, and whether it
    /// is a function.
    ///
    /// # Errors
    /// A record is malformed.
    pub fn find_symbol(&mut self, name: &str) -> Result<Option<(u32, bool)>, BtfError> {
        let name = essential(name);
        let found = self.find_all(&[(TypeKind::Func, name), (TypeKind::Var, name)])?;
        let mut found = found.into_iter().zip([true, false]);
        Ok(found.find_map(|(it, is_function)| Some((it?.0, is_function))))
    }

    /// The function or variable of `kernel` that an object's extern means: its id, and whether its type is
    /// compatible.
    ///
    /// # Errors
    /// A record is malformed.
    pub fn find_extern(
        &mut self,
        wanted: &ObjectExtern<'_>,
        kernel: &mut Btf<'_>,
    ) -> Result<Option<(u32, bool)>, BtfError> {
        let kind = if wanted.is_function { TypeKind::Func } else { TypeKind::Var };
        let name = essential(wanted.name);
        let Some((id, found)) = kernel.find_all(&[(kind, name)])?[0] else { return Ok(None) };
        let mut pair = Pair::new(self, kernel);
        Ok(Some((id, pair.are_compatible(wanted.type_id, found.size_or_type())?)))
    }
}
