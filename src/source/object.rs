//! Programs from an ELF object, as clang makes it: what libbpf would make of its sections.

use std::sync::Arc;

use super::collection::{Collection, ProgramKind, ProgramSpec};
use crate::btf::{Btf, ObjectMap, TypeKind, identifier};
use crate::elf::{ElfError, Linker, Notes, Object, ObjectFunction, clean};
use crate::error::Error;
use crate::host::{AttachKind, KernelTypes};
use crate::insn::Endian;
use crate::sys::{MapSpec, MapType, MapTypes, ProgramType, cpu};

/// The types by libbpf's names of sections; the part after a slash makes no difference here.
const TYPES: [(&str, ProgramType); 26] = [
    ("socket", ProgramType::SocketFilter),
    ("xdp", ProgramType::Xdp),
    ("xdp.frags", ProgramType::Xdp),
    ("tc", ProgramType::SchedCls),
    ("tcx", ProgramType::SchedCls),
    ("classifier", ProgramType::SchedCls),
    ("action", ProgramType::SchedAct),
    ("raw_tp", ProgramType::RawTracepoint),
    ("raw_tracepoint", ProgramType::RawTracepoint),
    ("raw_tp.w", ProgramType::RawTracepointWritable),
    ("perf_event", ProgramType::PerfEvent),
    ("syscall", ProgramType::Syscall),
    ("sockops", ProgramType::SockOps),
    ("sk_skb", ProgramType::SkSkb),
    ("sk_msg", ProgramType::SkMsg),
    ("lwt_in", ProgramType::LwtIn),
    ("lwt_out", ProgramType::LwtOut),
    ("lwt_xmit", ProgramType::LwtXmit),
    ("lwt_seg6local", ProgramType::LwtSeg6local),
    ("flow_dissector", ProgramType::FlowDissector),
    ("cgroup_skb", ProgramType::CgroupSkb),
    ("cgroup/skb", ProgramType::CgroupSkb),
    ("cgroup/sock", ProgramType::CgroupSock),
    ("cgroup/dev", ProgramType::CgroupDevice),
    ("cgroup/sysctl", ProgramType::CgroupSysctl),
    ("lirc_mode2", ProgramType::LircMode2),
];

/// What a section's name says of its programs, and where they are attached: nowhere, or at an empty
/// place where that is left out. `None` where it is none that is known here.
pub fn kind(section: &str) -> Option<(ProgramKind, &str)> {
    if section.contains(char::is_control) {
        return None;
    }
    // A question mark says that the program need not be loaded.
    let section = section.strip_prefix('?').unwrap_or(section);
    let (word, place) = section.split_once('/').unwrap_or((section, ""));
    let attached = AttachKind::word_of_section(word);
    let is = |name: &str| {
        section.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let by_type = TYPES.iter().find(|(name, _)| is(name)).map(|(_, program_type)| *program_type);
    let by_name = || {
        let number = ProgramType::NAMES.iter().zip(1..).find(|(name, _)| is(name))?.1;
        // These name what they are attached to in a way of their own.
        ProgramType::from_raw(number).filter(|found| {
            use ProgramType::*;
            !matches!(found, Tracing | StructOps | Ext | Lsm)
        })
    };
    match (attached, by_type) {
        (Some(kind), None) => Some((ProgramKind::Attached(kind), place)),
        // Of raw tracepoints both are known.
        (Some(kind), _) if !place.is_empty() => Some((ProgramKind::Attached(kind), place)),
        (_, Some(program_type)) => Some((ProgramKind::Type(program_type), "")),
        _ => Some((ProgramKind::Type(by_name()?), "")),
    }
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
    let defined = object.maps(btf.as_mut()).map_err(wrong)?;
    let own = btf.as_ref().and_then(|btf| btf.loadable(&object.layout()).ok());
    let own: Option<Arc<[u8]>> = own.map(Arc::from);
    let maps = defined.iter().map(|defined| map(defined, own.as_ref()));
    let mut maps = maps.collect::<Result<Vec<_>, _>>()?;
    let sections: Vec<_> = object.variables().collect();
    let found = btf.as_mut().and_then(|btf| {
        let wanted: Vec<_> = sections.iter().map(|it| (TypeKind::Datasec, it.0)).collect();
        let ids = btf.find_all(&wanted).ok()?.into_iter().map(|it| Some(it?.0));
        Some(ids.map(|id| Some((id?, btf.has_global_variables(id?).ok()?))).collect())
    });
    let described: Vec<Option<Described>> = found.unwrap_or_else(|| vec![None; sections.len()]);
    for (section, described) in sections.into_iter().zip(described) {
        maps.push(variables(section, own.as_ref().zip(described)));
    }
    let notes = Notes::new(&object, btf.as_ref());
    let functions = object.functions();
    let sections = object.variables().map(|(section, ..)| section);
    let names = defined.iter().map(|map| map.name).chain(sections);
    let mut linker = Linker::new(&object, &notes, &functions, names).with_btf(own);
    let mut kernel = None;
    let mut missing = vec![];
    let mut programs = vec![];
    for (index, function) in functions.iter().enumerate().filter(|(_, it)| !is_called(it)) {
        let name = identifier(function.name);
        let (kind, place) = kind(function.section).ok_or_else(|| {
            Error::usage(format!("{name}: the section {:?} is of no kind that is run here", function.section))
                .hint("the section says what a program is, as libbpf names them: xdp, kprobe/FUNCTION, tracepoint/CATEGORY/NAME, ...")
        })?;
        if let (ProgramKind::Attached(kind), "") = (kind, place) {
            let section = function.section;
            return Err(Error::usage(format!("{name}: where is this {kind} to be attached?"))
                .hint(format!("its section {section:?} does not say: {section}/PLACE")));
        }
        let mut broken = None;
        let linked = linker.link(index, &mut |relocation| {
            if kernel.is_none() {
                kernel = types.btf().unwrap_or_else(|error| {
                    broken = Some(error);
                    None
                });
            }
            let (Some(object), Some(kernel)) = (&mut btf, &mut kernel) else {
                return Err(
                    "this kernel has no BTF (CONFIG_DEBUG_INFO_BTF); --btf FILE takes another's"
                        .into(),
                );
            };
            let value = object.resolve(relocation, kernel);
            let asked = clean(object.describe(relocation).unwrap_or_default().as_bytes());
            match value {
                Ok(None) => {
                    missing.push(asked);
                    Ok(None)
                }
                Ok(value) => Ok(value),
                Err(error) => Err(format!("{asked}: {error}")),
            }
        });
        let program = linked.map_err(|error| broken.unwrap_or(Error::failed(error.to_string())))?;
        programs.push(ProgramSpec { name, kind, place: place.to_owned(), program });
    }
    if programs.is_empty() {
        return Err(Error::usage("there is no program in it").hint(
            "a program is a function in a section of its own: __attribute__((section(\"xdp\")))",
        ));
    }
    let license = object.license().map(|license| clean(license.as_bytes()));
    Ok(Collection { license, programs, maps, missing })
}

/// Whether a function is only there to be called.
pub fn is_called(function: &ObjectFunction<'_>) -> bool {
    function.section == ".text" || function.section.starts_with(".text.")
}

/// A map that the object defines.
fn map(map: &ObjectMap<'_>, types: Option<&Arc<[u8]>>) -> Result<MapSpec, Error> {
    let name = identifier(map.name);
    if map.map_type == 0 {
        return Err(Error::usage(format!("the map {name} has no type"))
            .hint("the object has no BTF: compile it with clang -g"));
    }
    let Some(map_type) = MapType::from_raw(map.map_type) else {
        return Err(Error::usage(format!(
            "the map {name} is of the type {}, which is not known here",
            map.map_type
        )));
    };
    let mut spec = MapSpec::new(&name, map_type, map.key_size, map.value_size, map.max_entries);
    spec.flags = map.flags;
    spec.types =
        types.filter(|_| map.key_type | map.value_type != 0 && !is_untyped(map_type)).map(|btf| {
            MapTypes { btf: btf.clone(), key: map.key_type, value: map.value_type, lock: None }
        });
    // As libbpf fills in what is left out.
    if map_type == MapType::PerfEventArray {
        (spec.key_size, spec.value_size) = (4, 4);
        if spec.max_entries == 0 {
            spec.max_entries = cpu::possible().map_or(1, |cpus| cpus as u32);
        }
    }
    Ok(spec)
}

/// Whether the kernel accepts no types for the keys and values of a type of map.
fn is_untyped(map_type: MapType) -> bool {
    use MapType::*;
    matches!(
        map_type,
        PerfEventArray
            | CgroupArray
            | StackTrace
            | ArrayOfMaps
            | HashOfMaps
            | Devmap
            | DevmapHash
            | Cpumap
            | Xskmap
            | Sockmap
            | Sockhash
            | Queue
            | Stack
            | Arena
    )
}

/// The id of a section's type, and whether the section has a variable that other objects may see.
type Described = (u32, bool);

/// The map that a section of variables becomes. Programs only read what is constant, and its values are
/// known to the verifier. `types` has the object's BTF.
fn variables(
    (section, size, content): (&str, u64, &[u8]),
    types: Option<(&Arc<[u8]>, Described)>,
) -> MapSpec {
    let size = u32::try_from(size).unwrap_or(u32::MAX);
    let frozen = section == ".rodata" || section.starts_with(".rodata.");
    // As libbpf has it, user space maps a section if other objects may see one of its variables.
    let mapped = types.is_some_and(|(_, (_, global))| global);
    let flags = [(frozen, MapSpec::READ_ONLY), (mapped, MapSpec::MMAPABLE)];
    MapSpec {
        content: content.to_vec(),
        flags: flags.iter().filter(|(is, _)| *is).map(|(_, flag)| flag).sum(),
        frozen,
        types: types.map(|(btf, (id, _))| MapTypes {
            btf: btf.clone(),
            key: 0,
            value: id,
            lock: None,
        }),
        ..MapSpec::new(&clean(section.as_bytes()), MapType::Array, 4, size, 1)
    }
}
