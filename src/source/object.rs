//! Programs from an ELF object, as clang makes it: what libbpf would make of its sections.

use std::collections::HashMap;
use std::sync::Arc;

use super::collection::{Collection, LoadOptions, ProgramKind, ProgramSpec};
use super::relocate::Relocator;
use super::{externs, maps};
use crate::btf::{Btf, identifier};
use crate::elf::{CONFIG, ElfError, LinkError, Linker, Notes, Object, ObjectFunction, clean};
use crate::error::Error;
use crate::host::{KernelTypes, Section};
use crate::insn::Endian;
use crate::sys::ProgramType;

/// What a section's name says of its programs, and where they are attached. `None` where it is none that
/// libbpf knows or knew.
pub fn kind(section: &str) -> Option<(ProgramKind, &str)> {
    if section.contains(char::is_control) {
        return None;
    }
    // A question mark says that the program need not be loaded.
    let section = section.strip_prefix('?').unwrap_or(section);
    ProgramKind::of_section(section).or_else(|| {
        let old = Section::find_old(section)?;
        Some((
            if old.is_plain() {
                ProgramKind::Type(old.program_type)
            } else {
                ProgramKind::Section(old)
            },
            "",
        ))
    })
}

/// Reads the programs and maps of an object; CO-RE relocations get the numbers of the kernel's types.
///
/// # Errors
/// It is no object for this host, or something in it is not known, missing or wrong.
pub fn read(bytes: &[u8], types: &KernelTypes) -> Result<Collection, Error> {
    let wrong = |error: ElfError| Error::usage(error.to_string());
    let object = Object::parse(bytes).map_err(wrong)?;
    if object.endian != Endian::HOST {
        return Err(Error::usage("its byte order is not this host's")
            .hint("clang --target=bpf takes that of the host it runs on"));
    }
    let mut btf = object.section(".BTF").and_then(|bytes| Btf::parse(bytes).ok());
    let mut kernel = Relocator::new(types);
    // Ids must be the running kernel's, even if a file provides the offsets.
    let running = types.are_from_file().then(KernelTypes::running);
    let mut running = running.as_ref().map(Relocator::new);
    let externs = externs::of(&object, btf.as_mut(), running.as_mut().unwrap_or(&mut kernel));
    let mut layout = object.layout();
    layout.variables.extend(externs.places.iter().copied());
    layout.sections.insert(CONFIG, externs.config.len() as u32);
    let own = btf.as_ref().and_then(|btf| btf.loadable(&layout).ok());
    let own: Option<Arc<[u8]>> = own.map(Arc::from);
    let defined = object.maps(btf.as_mut()).map_err(wrong)?;
    let (mut maps, left_out_maps) = maps::of(&object, &defined, own.as_ref());
    maps.extend(maps::of_config(&externs.config, own.as_ref()));
    let notes = Notes::new(&object, btf.as_ref());
    let functions = object.functions();
    let sections = object.variables().map(|(section, ..)| section);
    let names = defined.iter().map(|map| map.definition.name).chain(sections).chain([CONFIG]);
    let mut linker = Linker::new(&object, &notes, &functions, names).with_btf(own);
    linker = linker.with_externs(externs.by_name, externs.modules);
    let mut missing = vec![];
    let struct_ops: HashMap<_, _> =
        btf.as_mut().map(|btf| object.struct_ops(btf)).unwrap_or_default().into_iter().collect();
    let (mut programs, mut left_out, mut free) = (vec![], vec![], None::<String>);
    let mut left_out_optional = vec![];
    for (index, function) in functions.iter().enumerate().filter(|(_, it)| !is_called(it)) {
        let name = identifier(function.name);
        let section = function.section;
        let (kind, place) = kind(section).unwrap_or((ProgramKind::Unknown, section));
        if ProgramKind::of_section(section.strip_prefix('?').unwrap_or(section)).is_none() {
            free.get_or_insert_with(|| {
                format!("libbpf 1.0 and later do not know the section {section:?}")
            });
        }
        let before = kernel.missing.len();
        let linked = linker.link(index, &mut |it| kernel.relocate(btf.as_mut(), it));
        let place = match kind {
            // What follows the section's name means nothing.
            ProgramKind::Section(Section { program_type: ProgramType::StructOps, .. }) => {
                struct_ops.get(function.name).cloned().unwrap_or_default()
            }
            _ => place.to_owned(),
        };
        let optional = section.starts_with('?');
        let options = LoadOptions::default();
        let failed = |error: LinkError| {
            let lacks = matches!(error, LinkError::Extern(..));
            let what = error.to_string();
            let error = if lacks { Error::lacking(what) } else { Error::failed(what) };
            kernel.broken.take().unwrap_or(error)
        };
        match linked.map_err(failed) {
            Ok(program) => {
                let asked = kernel.missing.drain(before..);
                let slots = program.missing().iter();
                missing.extend(slots.copied().zip(asked));
                programs.push(ProgramSpec { name, kind, place, optional, options, program });
            }
            Err(error) => {
                left_out_optional.extend(optional.then(|| name.clone()));
                left_out.push((name, error));
            }
        }
    }
    if programs.is_empty() && left_out.is_empty() {
        return Err(Error::usage("there is no program in it").hint(
            "a program is a function in a section of its own: __attribute__((section(\"xdp\")))",
        ));
    }
    let license = object.license().map(|license| clean(license.as_bytes()));
    maps::refer(&mut maps, &defined, &programs);
    let mut notes = maps::notes(&defined);
    notes.extend(free);
    Ok(Collection {
        license,
        programs,
        maps,
        missing,
        notes,
        left_out,
        left_out_optional,
        left_out_maps,
    })
}

/// Whether a function is only there to be called.
pub fn is_called(function: &ObjectFunction<'_>) -> bool {
    function.section == ".text" || function.section.starts_with(".text.")
}
