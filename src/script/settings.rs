//! The settings of a script's `config` block.

use super::ast::{Name, Setting, SettingValue, Span};
use super::cursor::{Cursor, Read};
use crate::sample::StackForm;

/// What a script can set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The most elements of a map.
    pub max_map_keys: u64,
    /// The most bytes of a string.
    pub max_strlen: u64,
    /// The most probes.
    pub max_probes: u64,
    /// What is done about a probe that does not exist here.
    pub missing_probes: Missing,
    /// Whether all maps are printed at the end.
    pub print_maps_on_exit: bool,
    /// What follows a string that was cut.
    pub str_trunc_trailer: String,
    /// The form of stacks.
    pub stack_mode: StackForm,
    /// Pages of 4 KiB for events, if the script says.
    pub perf_rb_pages: Option<u64>,
    /// The licence of the programs.
    pub license: String,
}

/// What is done about a probe that does not exist here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Missing {
    Error,
    Warn,
    Ignore,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            max_map_keys: 4096,
            max_strlen: 1024,
            max_probes: 1024,
            missing_probes: Missing::Error,
            print_maps_on_exit: true,
            str_trunc_trailer: "..".into(),
            stack_mode: StackForm::Bpftrace,
            perf_rb_pages: None,
            license: "GPL".into(),
        }
    }
}

/// Settings of bpftrace 0.27 that change nothing here: what they apply to is not supported.
pub const IGNORED: [&str; 12] = [
    "cache_user_symbols",
    "cpp_demangle",
    "lazy_symbolication",
    "log_size",
    "max_bpf_progs",
    "max_cat_bytes",
    "on_stack_limit",
    "show_debug_info",
    "unstable_addr",
    "unstable_map_decl",
    "unstable_tseries",
    "unstable_import",
];

/// The licences with which the kernel lets a program use all helper functions.
const LICENSES: [&str; 6] =
    ["GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"];

/// The settings that are known.
pub const KNOWN: [&str; 9] = [
    "max_map_keys",
    "max_strlen",
    "max_probes",
    "missing_probes",
    "print_maps_on_exit",
    "str_trunc_trailer",
    "stack_mode",
    "perf_rb_pages",
    "license",
];

impl Settings {
    /// The settings of a `config` block and of the environment, which wins; what neither sets has its
    /// default.
    pub(super) fn of(
        cursor: &Cursor,
        block: &[Setting],
        variables: &[(String, String)],
    ) -> Read<Settings> {
        let mut settings = Settings::default();
        for setting in block {
            settings.set(cursor, setting)?;
        }
        let known = |name: &str| {
            KNOWN.iter().find(|key| format!("BPFTRACE_{}", key.to_uppercase()) == name)
        };
        for (name, text) in variables {
            let Some(key) = known(name) else { continue };
            let value = match (text.parse(), &**text) {
                _ if matches!(*key, "license" | "str_trunc_trailer") => {
                    SettingValue::Text(text.clone())
                }
                (Ok(number), _) => SettingValue::Int(number),
                (_, "true" | "false") => SettingValue::Bool(text == "true"),
                _ => SettingValue::Text(text.clone()),
            };
            let span = Span::default();
            let key = Name { text: (*key).to_owned(), span };
            let set = settings.set(cursor, &Setting { key, value, span });
            set.map_err(|mistake| {
                cursor.mistake(span, format!("{name}={text}: {}", mistake.what))
            })?;
        }
        Ok(settings)
    }

    fn set(&mut self, cursor: &Cursor, setting: &Setting) -> Read<()> {
        // Names may be written as the environment variables are.
        let key = setting.key.text.to_ascii_lowercase();
        let key = key.strip_prefix("bpftrace_").unwrap_or(&key);
        let expected =
            |what: &str| cursor.mistake(setting.span, format!("the value of {key} must be {what}"));
        let number = |most: u64| match setting.value {
            SettingValue::Int(number) if (1..=most).contains(&number) => Ok(number),
            _ => Err(expected(&format!("a number from 1 to {most}"))),
        };
        let word = match &setting.value {
            SettingValue::Text(text) => &**text,
            _ => "",
        };
        match key {
            "max_map_keys" => self.max_map_keys = number(1 << 30)?,
            "max_strlen" => self.max_strlen = number(1 << 16)?,
            "max_probes" => self.max_probes = number(1 << 20)?,
            "perf_rb_pages" => self.perf_rb_pages = Some(number(1 << 16)?),
            "missing_probes" => {
                self.missing_probes = match word {
                    "error" => Missing::Error,
                    "warn" => Missing::Warn,
                    "ignore" => Missing::Ignore,
                    _ => return Err(expected("error, warn or ignore")),
                }
            }
            "print_maps_on_exit" => {
                self.print_maps_on_exit = match setting.value {
                    SettingValue::Bool(flag) => flag,
                    SettingValue::Int(number @ 0..=1) => number == 1,
                    _ => return Err(expected("true or false")),
                }
            }
            "stack_mode" => {
                self.stack_mode = match word {
                    "bpftrace" => StackForm::Bpftrace,
                    "perf" => StackForm::Perf,
                    "raw" => StackForm::Raw,
                    _ => return Err(expected("bpftrace, perf or raw")),
                }
            }
            "str_trunc_trailer" | "license" => {
                let SettingValue::Text(text) = &setting.value else {
                    return Err(expected("a string"));
                };
                match key {
                    "license" if !LICENSES.contains(&&**text) => {
                        return Err(expected(&format!("one of {}", LICENSES.join(", "))));
                    }
                    "license" => self.license.clone_from(text),
                    _ => self.str_trunc_trailer.clone_from(text),
                }
            }
            _ if IGNORED.contains(&key) => {}
            _ => {
                let mistake = cursor.mistake(setting.span, format!("there is no setting `{key}`"));
                return Err(mistake.meant(key, &mut KNOWN.into_iter()));
            }
        }
        Ok(())
    }
}
