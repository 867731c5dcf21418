//! The types that maps and programs are made with: an object's, which the kernel must have once, or our own.

use std::sync::Arc;

use crate::btf::{ProgramBtf, for_older_kernels};
use crate::insn::{ObjectTypes, Program};
use crate::sys::{LoadedBtf, Map, MapSpec, SysError};

/// Makes a map after others, which may be of the same object.
pub fn create(spec: &MapSpec, made: &[Map]) -> Result<Map, SysError> {
    match &spec.types {
        Some(types) if types.lock.is_none() => Map::create_typed(spec, loaded(&types.btf, made)),
        _ => Map::create(spec),
    }
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
