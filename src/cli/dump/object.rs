//! An ELF object: its functions, one after the other.

use std::collections::HashMap;
use std::rc::Rc;

use serde_json::{Map, json};

use super::clean;
use super::format::{Row, Shown, Source};
use crate::btf::{At, Btf, Ext, Relocation, SourceLine};
use crate::elf::{Function, MapDefinition, Object, Reference};
use crate::error::Error;
use crate::insn::Insn;
use crate::sys::MapType;

/// What an object holds, made ready to be shown function by function.
pub struct Functions<'a> {
    object: Object<'a>,
    maps: Vec<MapDefinition<'a>>,
    lines: HashMap<Place<'a>, SourceLine<'a>>,
    relocations: HashMap<Place<'a>, Relocation<'a>>,
    btf: Option<Btf<'a>>,
}

/// A section and an offset in it.
type Place<'a> = (&'a [u8], u32);

impl<'a> Functions<'a> {
    /// Reads the tables of an object. Types and lines that cannot be read are left out.
    ///
    /// # Errors
    /// It is no object for BPF, or it is damaged.
    pub fn new(bytes: &'a [u8]) -> Result<Functions<'a>, Error> {
        let wrong = |error: crate::elf::ElfError| Error::usage(error.to_string());
        let object = Object::parse(bytes).map_err(wrong)?;
        let mut btf = object.section(".BTF").and_then(|bytes| Btf::parse(bytes).ok());
        let maps = object.maps(btf.as_mut()).map_err(wrong)?;
        let (mut lines, mut relocations) = (HashMap::new(), HashMap::new());
        if let (Some(btf), Some(bytes)) = (&btf, object.section(".BTF.ext"))
            && let Ok(ext) = Ext::parse(bytes)
        {
            lines = by_place(ext.lines(btf).unwrap_or_default());
            relocations = by_place(ext.relocations(btf).unwrap_or_default());
        }
        Ok(Functions { object, maps, lines, relocations, btf })
    }

    /// Its functions in the order they stand in.
    pub fn list(&self) -> Vec<Function<'a>> {
        self.object.functions()
    }

    /// One of them; above the first stands what the object says for all.
    ///
    /// # Errors
    /// Its bytes are not whole slots.
    pub fn shown(&mut self, function: &Function<'a>, first: bool) -> Result<Shown, Error> {
        let name = clean(function.name.as_bytes());
        let bytes = function.bytes.to_vec();
        let mut shown = Shown::new(&name, bytes, self.object.endian)
            .map_err(|error| Error::usage(format!("{name}: {error}")))?;
        let mut source = None;
        for row in &mut shown.rows {
            if let Some(reference) = self.object.reference(function, row.slot) {
                refer(row, reference);
            }
            let offset = function.start as u32 + 8 * row.slot as u32;
            let place = (function.section.as_bytes(), offset);
            if let Some(line) = self.lines.get(&place) {
                let (file, text) = (clean(line.file), clean(line.text));
                source = Some(Rc::new(Source { file, line: line.line, text }));
            }
            row.source.clone_from(&source);
            if let (Some(relocation), Some(btf)) = (self.relocations.get(&place), &mut self.btf) {
                let described = btf.describe(relocation);
                let described = described.unwrap_or_else(|error| error.to_string());
                row.note = Some(format!("CO-RE {}", clean(described.as_bytes())));
            }
        }
        if first {
            shown.directives = self.directives();
        }
        let section = clean(function.section.as_bytes());
        if section == ".text" {
            shown.rows[0].label = Some(name);
        } else {
            shown.directives.push(format!(".program {name} {}", section.replacen('/', " ", 1)));
        }
        let maps = self.maps.iter().map(|map| {
            json!({
                "name": clean(map.name.as_bytes()),
                "type": map_type(map),
                "key_size": map.key_size,
                "value_size": map.value_size,
                "max_entries": map.max_entries,
            })
        });
        shown.fields = Map::from_iter([
            ("section".to_owned(), section.into()),
            ("license".to_owned(), self.object.license().map(|it| clean(it.as_bytes())).into()),
            ("maps".to_owned(), maps.collect()),
        ]);
        Ok(shown)
    }

    /// The licence and the maps; sections of variables become maps too.
    fn directives(&self) -> Vec<String> {
        let license = self.object.license().map(|it| clean(it.as_bytes()));
        let license = license.map(|license| format!(".license {license:?}"));
        let maps = self.maps.iter().map(|map| {
            let MapDefinition { name, key_size, value_size, max_entries, flags, .. } = map;
            let (name, map_type) = (clean(name.as_bytes()), map_type(map));
            let flags = if *flags > 0 { format!(" flags {flags:#x}") } else { String::new() };
            format!(
                ".map {name} {map_type} key {key_size} value {value_size} entries {max_entries}{flags}"
            )
        });
        let variables = self.object.variables().map(|(section, size)| {
            format!(".map {} array key 4 value {size} entries 1", clean(section.as_bytes()))
        });
        license.into_iter().chain(maps).chain(variables).collect()
    }
}

fn map_type(map: &MapDefinition<'_>) -> String {
    let known = MapType::from_raw(map.map_type).map(|kind| kind.name().to_owned());
    known.unwrap_or_else(|| map.map_type.to_string())
}

/// Shows by name what an instruction refers to.
fn refer(row: &mut Row, reference: Reference<'_>) {
    let name = |name: &str| clean(name.as_bytes());
    let dst = match row.insn {
        Some(Insn::LoadImm64 { dst, .. }) => dst,
        Some(Insn::Call(_)) => {
            if let Reference::Function(callee) | Reference::Extern(callee) = reference {
                row.text = format!("call {}", name(callee));
            }
            return;
        }
        _ => return,
    };
    row.text = match reference {
        Reference::Map(map) => format!("{dst} = map[{}]", name(map)),
        Reference::Variable(section, offset, variable) => {
            row.note = variable.map(name);
            format!("{dst} = map[{}][0]+{offset}", name(section))
        }
        Reference::Function(function) => format!("{dst} = func[{}]", name(function)),
        Reference::Extern(symbol) => format!("{dst} = extern[{}]", name(symbol)),
    };
}

fn by_place<'a, T>(records: Vec<At<'a, T>>) -> HashMap<Place<'a>, T> {
    records.into_iter().map(|at| ((at.section, at.offset), at.what)).collect()
}
