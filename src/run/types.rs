//! What maps and programs have in common: the types of their object, which the kernel must have once, and
//! the elements of maps that refer to others.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;

use crate::btf::{ProgramBtf, for_older_kernels};
use crate::error::Error;
use crate::host::refusal;
use crate::insn::instruction::{Imm64, Insn};
use crate::insn::{ObjectTypes, Program};
use crate::sys::{LoadedBtf, Map, MapSpec, MapType, Prog, SysError, object};

/// Makes a map after others, which may be of the same object.
pub fn create(spec: &MapSpec, made: &[Map]) -> Result<Map, SysError> {
    if spec.needs_types() {
        return Map::create(spec);
    }
    // It is only needed until the kernel has seen what it is like.
    let inner = spec.inner.as_ref().map(|inner| create(inner, made)).transpose()?;
    let btf = spec.types.as_ref().and_then(|types| loaded(&types.btf, made));
    Map::create_typed(spec, inner.as_ref(), btf)
}

/// Puts maps into the maps of maps that begin with them. Returns the places of those whose elements the
/// kernel refuses, and why.
pub fn nest(maps: &[Map]) -> Vec<(usize, Error)> {
    let held: Vec<_> = maps.iter().map(Map::as_fd).collect();
    let outer = maps.iter().enumerate().filter(|(_, map)| map.spec().map_type.holds_maps());
    outer.filter_map(|(place, map)| Some((place, put(map, &held).err()?))).collect()
}

/// Puts programs, in the order in which they are defined, into the arrays of programs that begin with them.
///
/// # Errors
/// The kernel refuses one, and why.
pub fn fill(maps: &[Map], programs: &mut dyn Iterator<Item = &Prog>) -> Result<(), Error> {
    let programs: Vec<_> = programs.map(Prog::as_fd).collect();
    let arrays = maps.iter().filter(|map| map.spec().map_type == MapType::ProgArray);
    { arrays }.try_for_each(|map| put(map, &programs))
}

fn put(map: &Map, all: &[BorrowedFd<'_>]) -> Result<(), Error> {
    for (key, place) in &map.spec().slots {
        let Some(fd) = all.get(*place as usize) else { continue };
        let failed = |error| refusal::map_of(map.spec(), &error);
        map.update_fd(&key.to_ne_bytes(), *fd).map_err(failed)?;
    }
    Ok(())
}

/// The BTF of modules, as descriptors.
///
/// # Errors
/// The kernel does not hand out one, and why.
pub fn of_modules(names: &[String]) -> Result<Vec<LoadedBtf>, Error> {
    let load = |name: &String| {
        let what = format!("the types of the module {name}, whose functions it calls");
        match object::btf_of_module(name) {
            Ok(Some(btf)) => Ok(btf),
            Ok(None) => Err(Error::lacking(format!("{what}, are gone: was it unloaded?"))),
            Err(error) => Err(Error::lacking(format!("{what}, cannot be opened: {error}"))
                .hint("that needs CAP_SYS_ADMIN: run with sudo")),
        }
    };
    names.iter().map(load).collect()
}

/// The instructions with the descriptors of modules in place of their places, from 1.
pub fn with_module_fds(insns: Vec<Insn>, modules: &[BorrowedFd<'_>]) -> Vec<Insn> {
    let placed = |insn| match insn {
        Insn::LoadImm64 { dst, value: Imm64::BtfId { id, module_fd } } if module_fd > 0 => {
            let fd = modules.get(module_fd as usize - 1).map_or(module_fd, |fd| fd.as_raw_fd());
            Insn::LoadImm64 { dst, value: Imm64::BtfId { id, module_fd: fd } }
        }
        insn => insn,
    };
    insns.into_iter().map(placed).collect()
}

/// The types of an object's program with these maps; `None` if it has none that the kernel accepts.
pub fn of_object(program: &Program, maps: &[Map]) -> Option<(ProgramBtf, Arc<LoadedBtf>)> {
    let ObjectTypes { btf, functions, lines } = program.types()?;
    let loaded = loaded(btf, maps)?;
    let bytes = |words: &[u32]| words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let (func_info, line_info) = (bytes(functions.as_flattened()), bytes(lines.as_flattened()));
    Some((ProgramBtf { btf: btf.to_vec(), func_info, line_info }, loaded))
}

/// The blob in the kernel: the one that a map was made with if there is one, since the kernel compares
/// types of maps and programs only within one.
fn loaded(blob: &Arc<[u8]>, made: &[Map]) -> Option<Arc<LoadedBtf>> {
    let same = |map: &&Map| map.spec().types.as_ref().is_some_and(|it| Arc::ptr_eq(&it.btf, blob));
    if let Some(map) = made.iter().find(same) {
        return map.btf().cloned();
    }
    let load = |blob: &[u8]| LoadedBtf::load(blob).ok().map(Arc::new);
    load(blob).or_else(|| load(&for_older_kernels(blob).ok()?))
}
