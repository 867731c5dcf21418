//! An ELF object: its functions, one after the other.

use std::rc::Rc;

use serde_json::Map;

use super::format::{MapShown, Row, Shown, Source};
use super::{clean, map_type};
use crate::btf::{At, Btf, Ext, Relocation, SourceLine};
use crate::elf::{ElfError, Function, MapDefinition, Object, Places, Reference};
use crate::error::Error;
use crate::insn::Insn;
use crate::sys::MapType;

/// What an object holds, made ready to be shown function by function.
pub struct Functions<'a> {
    object: Object<'a>,
    license: Option<String>,
    maps: Rc<[MapShown]>,
    lines: Vec<At<'a, SourceLine<'a>>>,
    line_places: Places,
    relocations: Vec<At<'a, Relocation<'a>>>,
    relocation_places: Places,
    btf: Option<Btf<'a>>,
}

impl<'a> Functions<'a> {
    /// Reads the tables of an object. Types and lines that cannot be read are left out.
    ///
    /// # Errors
    /// It is no object for BPF, or it is damaged.
    pub fn new(bytes: &'a [u8]) -> Result<Functions<'a>, Error> {
        let wrong = |error: ElfError| Error::usage(error.to_string());
        let object = Object::parse(bytes).map_err(wrong)?;
        let mut btf = object.section(".BTF").and_then(|bytes| Btf::parse(bytes).ok());
        let maps = object.maps(btf.as_mut()).map_err(wrong)?;
        let maps = maps.iter().map(map).chain(object.variables().map(variables)).collect();
        let license = object.license().map(|license| clean(license.as_bytes()));
        let (mut lines, mut relocations) = (vec![], vec![]);
        if let (Some(btf), Some(bytes)) = (&btf, object.section(".BTF.ext"))
            && let Ok(ext) = Ext::parse(bytes)
        {
            lines = ext.lines(btf).unwrap_or_default();
            relocations = ext.relocations(btf).unwrap_or_default();
        }
        let line_places = places(&object, &lines);
        let relocation_places = places(&object, &relocations);
        Ok(Functions {
            object,
            license,
            maps,
            lines,
            line_places,
            relocations,
            relocation_places,
            btf,
        })
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
            .map_err(|error| Error { what: format!("{name}: {}", error.what), ..error })?;
        let mut source = None;
        for row in &mut shown.rows {
            if let Some(reference) = self.object.reference(function, row.slot) {
                refer(row, reference);
            }
            let offset = function.start + 8 * row.slot as u64;
            if let Some(line) = self.line_places.at(function.index, offset).next() {
                let line = &self.lines[line].what;
                let (file, text) = (clean(line.file), clean(line.text));
                source = Some(Rc::new(Source { file, line: line.line, text }));
            }
            row.source.clone_from(&source);
            let relocation = self.relocation_places.at(function.index, offset).next();
            if let (Some(relocation), Some(btf)) = (relocation, &mut self.btf) {
                let described = btf.describe(&self.relocations[relocation].what);
                let described = described.unwrap_or_else(|error| error.to_string());
                row.note = Some(format!("CO-RE {}", clean(described.as_bytes())));
            }
        }
        if first {
            let license = self.license.as_ref().map(|license| format!(".license {license:?}"));
            shown.directives.extend(license);
        }
        (shown.maps, shown.shows_maps) = (self.maps.clone(), first);
        let section = clean(function.section.as_bytes());
        if section == ".text" {
            shown.rows[0].label = Some(name);
        } else {
            shown.directives.push(format!(".program {name} {}", section.replacen('/', " ", 1)));
        }
        let license = self.license.clone().into();
        shown.fields = Map::from_iter([
            ("section".to_owned(), section.into()),
            ("license".to_owned(), license),
        ]);
        Ok(shown)
    }
}

/// A map that the object defines.
fn map(map: &MapDefinition<'_>) -> MapShown {
    let &MapDefinition { name, key_size, value_size, max_entries, flags, .. } = map;
    let (name, map_type) = (clean(name.as_bytes()), map_type(map.map_type));
    MapShown::new(None, &name, &map_type, [key_size, value_size, max_entries, flags])
}

/// The map that a section of variables becomes.
fn variables((section, size): (&str, u64)) -> MapShown {
    let name = clean(section.as_bytes());
    MapShown::new(None, &name, MapType::Array.name(), [4, size as u32, 1, 0])
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

/// Where records are, by the place of their section among the sections.
fn places<T>(object: &Object<'_>, records: &[At<'_, T>]) -> Places {
    let mut section = (&b""[..], 0);
    Places::new(records.iter().map(|at| {
        if at.section != section.0 {
            section = (at.section, object.section_index(at.section).unwrap_or(0));
        }
        (section.1, at.offset.into())
    }))
}
