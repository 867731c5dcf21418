//! The names of an object, as a text can have them.

use crate::btf::identifier;
use crate::elf::clean;
use crate::insn::Helper;

/// A name as a text can have it.
pub fn word(name: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$');
    let begins = name.starts_with(|c: char| is_word(c) && !c.is_ascii_digit());
    let name = match begins && name.chars().all(is_word) {
        true => clean(name.as_bytes()),
        false => identifier(name),
    };
    // Registers, helpers and what else means something.
    let number = name.strip_prefix(['r', 'w']).unwrap_or("?");
    let is_register = !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit());
    let means = is_register || matches!(&*name, "pc" | "fp" | "s" | "kernel");
    if means || Helper::by_name(&name).is_some() { format!("{name}_") } else { name }
}
