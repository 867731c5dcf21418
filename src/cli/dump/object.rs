//! An ELF object: its functions, one after the other.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use super::maps;
use super::types::{self, Said};
use super::word::word;
use crate::btf::{Btf, Needed, identifier};
use crate::cli::select::Select;
use crate::elf::{ElfError, Linker, Notes, Object, ObjectFunction, Reference, clean};
use crate::error::Error;
use crate::insn::Insn;
use crate::insn::parse::{ExternLine, Word};
use crate::source::kind::NamedKind;
use crate::source::object::{is_called, kind};
use crate::view::dump::{Dump, DumpLine, DumpRow, MapRow, Origin};

/// What an object holds, made ready to be shown function by function.
pub struct ObjectDump<'a> {
    object: Object<'a>,
    license: Option<String>,
    maps: Rc<[MapRow]>,
    notes: Notes<'a>,
    btf: Option<Btf<'a>>,
    externs: BTreeSet<String>,
    /// What the programs of struct_ops are, by name.
    members: HashMap<&'a str, String>,
    types: Said,
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
        let defined = object.maps(btf.as_mut()).map_err(wrong)?;
        let own = btf.as_ref().and_then(|btf| btf.loadable(&object.layout()).ok()).map(Arc::from);
        let license = object.license().map(|license| clean(license.as_bytes()));
        let notes = Notes::new(&object, btf.as_ref());
        let mut own_types = own.as_ref().and_then(|own| Btf::parse(own).ok());
        let mut needed = own_types.as_mut().and_then(|own| Needed::of(own).ok());
        let maps = maps::of_object(&object, &defined, own.as_ref(), &mut |key, value| {
            let Some(needed) = &mut needed else { return false };
            needed.value(value).unwrap_or(false) && needed.name(key).is_ok()
        });
        let types = needed.and_then(|needed| types::said(needed, &object, &notes).ok());
        let types = types.unwrap_or_default();
        let mut externs = BTreeSet::new();
        for function in object.functions() {
            for slot in 0..function.bytes.len() / 8 {
                if let Some(Reference::Extern(name)) = object.reference(&function, slot) {
                    externs.insert(name);
                }
            }
        }
        let externs = lines(&object, btf.as_mut(), externs);
        let members = btf.as_mut().map(|btf| object.struct_ops(btf)).unwrap_or_default();
        let members = members.into_iter().collect();
        Ok(ObjectDump { object, license, maps, notes, btf, externs, members, types })
    }

    /// The functions that are selected: each program followed by those it calls, as in a text, and whether one is
    /// there to be called. Those that no program calls come first.
    ///
    /// # Errors
    /// The object has no such program, or there is no such type.
    pub fn list(&self, select: &Select) -> Result<Vec<(ObjectFunction<'a>, bool)>, Error> {
        let mut list = self.all();
        let programs = list.iter().filter(|(_, called)| !called);
        let names: Vec<_> = programs.map(|(it, _)| identifier(it.name)).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        if let Some(chosen) = select.program(&names)? {
            let mut is_chosen = false;
            list.retain(|(function, called)| {
                is_chosen = if *called { is_chosen } else { identifier(function.name) == chosen };
                is_chosen
            });
        }
        Ok(list)
    }

    fn all(&self) -> Vec<(ObjectFunction<'a>, bool)> {
        let functions = self.object.functions();
        let mut linker = Linker::new(&self.object, &self.notes, &functions, std::iter::empty());
        let (called, programs): (Vec<usize>, Vec<usize>) =
            (0..functions.len()).partition(|index| is_called(&functions[*index]));
        let reached = programs.into_iter().map(|program| linker.reached(program));
        let of_program = |reached: Vec<usize>| {
            reached.into_iter().enumerate().map(|(place, index)| (index, place > 0))
        };
        // Beyond what can be true they stay in their order.
        let Ok(reached) = reached.collect::<Result<Vec<_>, _>>() else {
            return functions.into_iter().map(|it| (it, is_called(&it))).collect();
        };
        let reached: Vec<_> = reached.into_iter().flat_map(of_program).collect();
        let mut is_shown: HashSet<_> = reached.iter().map(|(index, _)| *index).collect();
        // With all that they call, as if they were a program.
        let mut alone = vec![];
        for index in called.into_iter().filter(|index| !is_shown.contains(index)) {
            alone.extend(linker.reached(index).unwrap_or(vec![index]));
        }
        is_shown.clear();
        alone.retain(|index| is_shown.insert(*index));
        let all = alone.into_iter().map(|index| (index, true)).chain(reached);
        all.map(|(index, called)| (functions[index], called)).collect()
    }

    /// One of them; above the first stands what the object says for all.
    ///
    /// # Errors
    /// Its bytes are not whole slots.
    pub fn shown(
        &mut self,
        (function, called): &(ObjectFunction<'a>, bool),
        first: bool,
        select: &Select,
    ) -> Result<Dump, Error> {
        let name = word(function.name);
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
            row.directives.extend(self.types.above(function, row.slot).cloned());
        }
        if first {
            let license = self.license.as_ref().map(|it| it.replace('"', "'"));
            shown.directives.extend(license.map(|license| format!(".license \"{license}\"")));
            shown.directives.extend(self.externs.iter().cloned());
            shown.directives.extend(self.types.lines.iter().map(|line| format!(".type {line}")));
        }
        (shown.maps, shown.shows_maps) = (self.maps.clone(), first);
        let section = clean(function.section.as_bytes());
        if *called {
            // No program calls it.
            shown.directives.extend(first.then(|| format!(".program {name} function")));
            shown.rows[0].label = Some(name);
        } else {
            // A text would take more for a comment.
            let kind = kind(function.section).filter(|_| !section.contains([';', '#']));
            let member = self.members.get(function.name).map(String::as_str);
            let kind = kind.map(|(kind, place)| (kind, member.unwrap_or(place)));
            let said = select.kind()?.filter(|_| select.is_about(kind.is_some()));
            let kind = match &said {
                Some(NamedKind { kind, place, options }) => {
                    Some((*kind, options.attach_type.map_or(&**place, |it| it.name())))
                }
                None => kind,
            };
            let mark = if section.starts_with('?') { "?" } else { "" };
            shown.directives.push(match kind {
                Some((kind, "")) => format!(".program {name} {mark}{kind}"),
                Some((kind, place)) => {
                    format!(".program {name} {mark}{kind} {}", clean(place.as_bytes()))
                }
                None => format!(".program {name} unknown ; section {section:?}"),
            });
        }
        shown.origin = Origin::Object { section, license: self.license.clone() };
        Ok(shown)
    }
}

/// The lines that declare what an object refers to and does not define.
fn lines(
    object: &Object<'_>,
    btf: Option<&mut Btf<'_>>,
    externs: BTreeSet<&str>,
) -> BTreeSet<String> {
    let weak = object.weak_symbols();
    let mut kinds = HashMap::new();
    if let Some(btf) = btf {
        for it in btf.externs().unwrap_or_default() {
            let kind = match btf.config_type(it.type_id).ok().flatten() {
                Some(kind) if it.is_config => kind.to_string(),
                _ if !it.is_function && btf.is_void(it.type_id).unwrap_or(false) => {
                    "address".into()
                }
                _ => continue,
            };
            kinds.insert(it.name, kind);
        }
    }
    let lines = externs.into_iter().map(|name| {
        let text = |text: String| Word { text, ..Word::default() };
        let kind = text(kinds.remove(name).unwrap_or_default());
        ExternLine { name: text(word(name)), kind, weak: weak.contains(name) }.to_string()
    });
    lines.collect()
}

/// Shows by name what an instruction refers to.
fn refer(row: &mut DumpRow, reference: Reference<'_>) {
    let name = word;
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
