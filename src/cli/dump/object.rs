//! An ELF object: its functions, one after the other.

use std::collections::HashSet;
use std::rc::Rc;

use super::maps;
use crate::btf::Btf;
use crate::elf::{ElfError, Linker, Notes, Object, ObjectFunction, Reference, clean};
use crate::error::Error;
use crate::insn::Insn;
use crate::source::object::{is_called, kind};
use crate::view::dump::{Dump, DumpLine, DumpRow, MapRow, Origin};

/// What an object holds, made ready to be shown function by function.
pub struct ObjectDump<'a> {
    object: Object<'a>,
    license: Option<String>,
    maps: Rc<[MapRow]>,
    notes: Notes<'a>,
    btf: Option<Btf<'a>>,
}

impl<'a> ObjectDump<'a> {
    /// Reads the tables of an object. Types and lines that cannot be read are left out.
    ///
    /// # Errors
    /// It is no object for BPF, or it is damaged.
    pub fn new(bytes: &'a [u8]) -> Result<ObjectDump<'a>, Error> {
        let wrong = |error: ElfError| Error::usage(error.to_string());
        let object = Object::parse(bytes).map_err(wrong)?;
        let mut btf = object.section(".BTF").and_then(|bytes| Btf::parse(bytes).ok());
        let maps = object.maps(btf.as_mut()).map_err(wrong)?;
        let maps = maps.iter().map(|map| maps::of_object(&map.definition));
        let maps = maps.chain(object.variables().map(maps::of_variables)).collect();
        let license = object.license().map(|license| clean(license.as_bytes()));
        let notes = Notes::new(&object, btf.as_ref());
        Ok(ObjectDump { object, license, maps, notes, btf })
    }

    /// Its functions: each program followed by those it calls, as in a text. Those that no program calls
    /// come first.
    pub fn list(&self) -> Vec<ObjectFunction<'a>> {
        let functions = self.object.functions();
        let mut linker = Linker::new(&self.object, &self.notes, &functions, std::iter::empty());
        let (called, programs): (Vec<usize>, Vec<usize>) =
            (0..functions.len()).partition(|index| is_called(&functions[*index]));
        let reached = programs.into_iter().map(|program| linker.reached(program));
        // Beyond what can be true they stay in their order.
        let Ok(reached) = reached.collect::<Result<Vec<_>, _>>() else { return functions };
        let reached = reached.concat();
        let is_reached: HashSet<_> = reached.iter().copied().collect();
        let alone = called.into_iter().filter(|index| !is_reached.contains(index));
        alone.chain(reached).map(|index| functions[index]).collect()
    }

    /// One of them; above the first stands what the object says for all.
    ///
    /// # Errors
    /// Its bytes are not whole slots.
    pub fn shown(&mut self, function: &ObjectFunction<'a>, first: bool) -> Result<Dump, Error> {
        let name = clean(function.name.as_bytes());
        let bytes = function.bytes.to_vec();
        let mut shown = Dump::new(&name, bytes, self.object.endian)
            .map_err(|error| Error::usage(format!("{name}: {error}")))?;
        let mut source = None;
        for row in &mut shown.rows {
            if let Some(reference) = self.object.reference(function, row.slot) {
                refer(row, reference);
            }
            if let Some(line) = self.notes.line(function, row.slot) {
                let (file, text) = (clean(line.file), clean(line.text));
                source = Some(Rc::new(DumpLine { file, line: line.line, text }));
            }
            row.source.clone_from(&source);
            let relocation = self.notes.relocation(function, row.slot);
            if let (Some(relocation), Some(btf)) = (relocation, &mut self.btf) {
                let described = btf.describe(relocation);
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
        if is_called(function) {
            shown.rows[0].label = Some(name);
        } else {
            let kind = match kind(function.section) {
                Some((kind, "")) => kind.to_string(),
                Some((kind, place)) => format!("{kind} {}", clean(place.as_bytes())),
                None => section.replacen('/', " ", 1),
            };
            shown.directives.push(format!(".program {name} {kind}"));
        }
        shown.origin = Origin::Object { section, license: self.license.clone() };
        Ok(shown)
    }
}

/// Shows by name what an instruction refers to.
fn refer(row: &mut DumpRow, reference: Reference<'_>) {
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
