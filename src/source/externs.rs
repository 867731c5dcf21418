//! What an object uses and does not define: the kernel's functions, variables and configuration.

use std::collections::HashMap;

use super::relocate::Relocator;
use crate::btf::{Btf, ConfigType, ObjectExtern, TypeKind};
use crate::elf::{Extern, Object, clean};
use crate::host::config;
use crate::insn::parse::ExternLine;
use crate::sys::kallsyms;

/// The answers to an object's externs.
#[derive(Default)]
pub struct Externs<'a> {
    /// By name.
    pub by_name: HashMap<&'a str, Extern>,
    /// The variables of the configuration: where each begins.
    pub places: Vec<(&'a str, u32)>,
    /// The content of the section of the configuration.
    pub config: Vec<u8>,
    /// The modules that answers refer to by their place, from 1.
    pub modules: Vec<String>,
}

/// A name that is to be looked up.
struct Wanted<'a> {
    name: &'a str,
    sort: Sort,
    weak: bool,
}

enum Sort {
    /// A value of the configuration, if it can be of such a type.
    Config(Option<ConfigType>),
    /// A symbol without a type.
    Address,
    /// A function or variable that the kernel's types describe.
    Typed,
}

/// Looks up what an object does not define.
pub fn of<'a>(
    object: &Object<'a>,
    btf: Option<&mut Btf<'a>>,
    kernel: &mut Relocator<'_>,
) -> Externs<'a> {
    let mut found = Externs::default();
    let Some(btf) = btf else { return found };
    let externs = btf.externs().unwrap_or_default();
    let weak = object.weak_symbols();
    let wanted = externs.iter().map(|it| {
        let sort = if it.is_config {
            Sort::Config(btf.config_type(it.type_id).ok().flatten())
        } else if !it.is_function && btf.is_void(it.type_id).unwrap_or(false) {
            Sort::Address
        } else {
            Sort::Typed
        };
        Wanted { name: it.name, sort, weak: weak.contains(it.name) }
    });
    let wanted: Vec<_> = wanted.collect();
    found.look_up(&wanted, kernel, &mut |found, index, kernel| {
        found.typed(&externs[index], btf, kernel)
    });
    found
}

/// Looks up what a text declares. What its lines say of no type is described by the kernel's types.
pub fn of_text<'a>(lines: &'a [ExternLine], kernel: &mut Relocator<'_>) -> Externs<'a> {
    let mut found = Externs::default();
    let wanted = lines.iter().map(|line| {
        let sort = match line.kind.text.as_str() {
            "" => Sort::Typed,
            "address" => Sort::Address,
            config => Sort::Config(ConfigType::named(config)),
        };
        Wanted { name: &line.name.text, sort, weak: line.weak }
    });
    let wanted: Vec<_> = wanted.collect();
    found.look_up(&wanted, kernel, &mut |found, index, kernel| {
        found.named(&lines[index].name.text, kernel)
    });
    found
}

/// The addresses of symbols without a type, by extern.
fn addresses(wanted: &[Wanted<'_>]) -> Vec<Option<u64>> {
    let untyped = wanted.iter().enumerate().filter(|(_, it)| matches!(it.sort, Sort::Address));
    let untyped: HashMap<&str, usize> = untyped.map(|(index, it)| (it.name, index)).collect();
    let mut found = vec![None; wanted.len()];
    if !untyped.is_empty() {
        let _ = kallsyms::for_each(|symbol| {
            if let Some(index) = untyped.get(symbol.name) {
                found[*index].get_or_insert(symbol.address);
            }
            std::ops::ControlFlow::<()>::Continue(())
        });
    }
    found
}

/// The values of the kernel's configuration that an object asks for.
struct Configuration {
    /// By extern.
    values: Vec<Option<String>>,
    /// Why there are none.
    missing: Option<String>,
}

impl Configuration {
    fn of(wanted: &[Wanted<'_>]) -> Configuration {
        let asked = wanted.iter().enumerate().filter(|(_, it)| matches!(it.sort, Sort::Config(_)));
        let asked = asked.filter(|(_, it)| it.name.starts_with("CONFIG_"));
        let asked: HashMap<&str, usize> = asked.map(|(index, it)| (it.name, index)).collect();
        let (mut values, mut missing) = (vec![None; wanted.len()], None);
        if !asked.is_empty() {
            match config::kernel_config() {
                Ok(text) => {
                    for (name, value) in text.lines().filter_map(|it| it.trim().split_once('=')) {
                        if let Some(index) = asked.get(name) {
                            values[*index] = Some(value.to_owned());
                        }
                    }
                }
                Err(error) => missing = Some(error.what),
            }
        }
        Configuration { values, missing }
    }
}

impl<'a> Externs<'a> {
    /// Looks up all of them; `typed` finds what the kernel's types describe, by its place.
    fn look_up(
        &mut self,
        wanted: &[Wanted<'a>],
        kernel: &mut Relocator<'_>,
        typed: &mut dyn FnMut(&mut Self, usize, &mut Relocator<'_>) -> Result<Extern, String>,
    ) {
        let (configuration, addresses) = (Configuration::of(wanted), addresses(wanted));
        for (index, it) in wanted.iter().enumerate() {
            let answer = match it.sort {
                Sort::Config(kind) => self.configured(it, kind, kernel, (&configuration, index)),
                Sort::Address => {
                    let missing = || "this kernel has no such symbol".to_owned();
                    addresses[index].map(Extern::Address).ok_or_else(missing)
                }
                Sort::Typed => typed(self, index, kernel),
            };
            let answer = match answer {
                Ok(answer) => answer,
                Err(_) if it.weak => Extern::Missing,
                Err(why) => Extern::Unknown(why),
            };
            self.by_name.insert(it.name, answer);
        }
    }

    /// A function or variable that the kernel's types have by this name, whatever its type.
    fn named(&mut self, name: &str, kernel: &mut Relocator<'_>) -> Result<Extern, String> {
        let mut found = None;
        kernel.each(&mut |module, types| {
            found = types.find_symbol(name).ok().flatten().map(|it| (module, it));
            found.is_some()
        })?;
        let (module, (id, is_function)) =
            found.ok_or("this kernel's types have no such function or variable")?;
        Ok(Extern::Typed { id, module: self.place_of(module, kernel), is_function })
    }

    /// A function or variable that the kernel's types describe.
    fn typed(
        &mut self,
        wanted: &ObjectExtern<'_>,
        btf: &mut Btf<'_>,
        kernel: &mut Relocator<'_>,
    ) -> Result<Extern, String> {
        let what = if wanted.is_function { "function" } else { "variable" };
        let mut found = None;
        kernel.each(&mut |module, types| {
            found = btf.find_extern(wanted, types).ok().flatten().map(|it| (module, it));
            found.is_some()
        })?;
        match found {
            None => Err(format!("this kernel's types have no such {what}")),
            Some((_, (_, false))) => {
                Err(format!("this kernel's {what} of that name is of another type"))
            }
            Some((module, (id, true))) => {
                let module = self.place_of(module, kernel);
                Ok(Extern::Typed { id, module, is_function: wanted.is_function })
            }
        }
    }

    /// The place among the modules here of one of the relocator's; 0 for the kernel itself.
    fn place_of(&mut self, module: u16, kernel: &Relocator<'_>) -> u16 {
        let Some(name) = kernel.modules.get(usize::from(module).wrapping_sub(1)) else { return 0 };
        let known = self.modules.iter().position(|it| it == name);
        let place = known.unwrap_or_else(|| {
            self.modules.push(name.clone());
            self.modules.len() - 1
        });
        place as u16 + 1
    }

    /// Gives a variable of the configuration a place, and its value.
    fn configured(
        &mut self,
        &Wanted { name, weak, .. }: &Wanted<'a>,
        kind: Option<ConfigType>,
        kernel: &mut Relocator<'_>,
        (configuration, index): (&Configuration, usize),
    ) -> Result<Extern, String> {
        let kind = kind.ok_or("the configuration has no value of such a type")?;
        let align = match kind {
            ConfigType::Text(_) => 1,
            kind => kind.size() as usize,
        };
        let place = self.config.len().next_multiple_of(align);
        self.config.resize(place + kind.size() as usize, 0);
        self.places.push((name, place as u32));
        let value = match name {
            "LINUX_KERNEL_VERSION" => Some(config::kernel_version().to_string()),
            "LINUX_HAS_SYSCALL_WRAPPER" => {
                Some(u32::from(config::has_syscall_wrapper()).to_string())
            }
            "LINUX_HAS_BPF_COOKIE" => Some(u32::from(has_cookie(kernel)).to_string()),
            _ => configuration.values[index].clone(),
        };
        let Some(value) = value else {
            return match (&configuration.missing, weak) {
                (_, true) => Ok(Extern::Config(place as u32)),
                (Some(why), _) => Err(why.clone()),
                (None, _) if name.starts_with("CONFIG_") => {
                    Err("this kernel's configuration does not set it".into())
                }
                (None, _) => Err("no such value is known".into()),
            };
        };
        let bytes = encoded(kind, &value);
        let bytes = bytes.ok_or_else(|| {
            format!("this kernel's value, {}, does not fit its type", clean(value.as_bytes()))
        })?;
        self.config[place..place + bytes.len()].copy_from_slice(&bytes);
        Ok(Extern::Config(place as u32))
    }
}

/// Whether programs can ask for a number of their attachment: the kernel has the helper.
fn has_cookie(kernel: &mut Relocator<'_>) -> bool {
    let mut found = false;
    let _ = kernel.each(&mut |_, types| {
        let helpers = types.find(TypeKind::Enum, "bpf_func_id").ok().flatten();
        found = helpers.is_some_and(|helpers| {
            helpers.enumerators().any(|(name, _)| name == Ok(b"BPF_FUNC_get_attach_cookie"))
        });
        true
    });
    found
}

/// A value of the configuration in the bytes of a variable of this type.
fn encoded(kind: ConfigType, value: &str) -> Option<Vec<u8>> {
    let word = |word: u32| Some(word.to_ne_bytes().to_vec());
    match (kind, value) {
        (ConfigType::Bool, "y" | "1") => Some(vec![1]),
        (ConfigType::Bool, "n" | "0") => Some(vec![0]),
        (ConfigType::Tristate, "n") => word(0),
        (ConfigType::Tristate, "y") => word(1),
        (ConfigType::Tristate, "m") => word(2),
        (ConfigType::Char, "y" | "n" | "m") => Some(value.as_bytes().to_vec()),
        (ConfigType::Text(size), _) => {
            let text = value.strip_prefix('"')?.strip_suffix('"')?;
            // What is too long is cut, as libbpf does it.
            let cut = text.len().min(size as usize - 1);
            Some(text.as_bytes()[..cut].to_vec())
        }
        (ConfigType::Number(..) | ConfigType::Char, _) => {
            let (size, signed) = match kind {
                ConfigType::Number(size, signed) => (size, signed),
                _ => (1, false),
            };
            let (negative, digits) = match value.strip_prefix('-') {
                Some(digits) => (true, digits),
                None => (false, value),
            };
            let number = match digits.strip_prefix("0x") {
                Some(digits) => i128::from(u64::from_str_radix(digits, 16).ok()?),
                None => i128::from(digits.parse::<u64>().ok()?),
            };
            let number = if negative { -number } else { number };
            let bits = 8 * size;
            let fits = match signed {
                true => (-(1i128 << (bits - 1))..1i128 << (bits - 1)).contains(&number),
                false => (0..1i128 << bits).contains(&number),
            };
            let bytes = (number as u64).to_ne_bytes();
            let bytes = match cfg!(target_endian = "little") {
                true => &bytes[..size as usize],
                false => &bytes[8 - size as usize..],
            };
            fits.then(|| bytes.to_vec())
        }
        _ => None,
    }
}
