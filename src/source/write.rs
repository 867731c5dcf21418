//! An ELF object of programs, which libbpf loads.

use super::collection::{Collection, ProgramKind, ProgramSpec, resolved};
use crate::btf::ObjectMap;
use crate::elf::write::{ObjectProgram, ObjectSpec, write};
use crate::error::Error;
use crate::insn::Endian;
use crate::sys::{ProgramType, prog};

/// The bytes of an object of all programs and maps.
///
/// # Errors
/// An offset in a program is not known, or an object cannot say something of a program or a map.
pub fn object(collection: &Collection, endian: Endian) -> Result<Vec<u8>, Error> {
    let sections = collection.programs.iter().map(|spec| {
        resolved(&spec.program)?;
        section(spec).ok_or_else(|| {
            let ProgramSpec { name, kind, place, .. } = spec;
            Error::failed(format!("{name}: libbpf has no section for {kind} {place}"))
        })
    });
    let sections = sections.collect::<Result<Vec<_>, Error>>()?;
    if let Some(map) = collection.maps.iter().find(|map| map.lock().is_some()) {
        let what = format!("map {} has a lock, which rawbpf cannot write to an object", map.name);
        return Err(Error::failed(what).hint("rawbpf run and rawbpf verify accept the text itself"));
    }
    let maps = collection.maps.iter().map(|map| ObjectMap {
        name: &map.name,
        map_type: map.map_type as u32,
        key_size: map.key_size,
        value_size: map.value_size,
        max_entries: map.max_entries,
        flags: map.flags,
        ..ObjectMap::default()
    });
    let maps: Vec<_> = maps.collect();
    let programs = collection.programs.iter().zip(&sections);
    let programs = programs.map(|(ProgramSpec { name, program, .. }, section)| ObjectProgram {
        section,
        name,
        program,
    });
    let programs: Vec<_> = programs.collect();
    let license = prog::LICENSE.to_string_lossy();
    let license = collection.license.as_deref().unwrap_or(&license);
    let object = ObjectSpec { endian, license, maps: &maps, programs: &programs };
    write(&object).map_err(|error| Error::failed(error.to_string()))
}

/// libbpf's section name for a program of this type or place.
fn section(spec: &ProgramSpec) -> Option<String> {
    let place = &spec.place;
    let program_type = match spec.kind {
        // It looks for one function by its name.
        ProgramKind::Attached("kprobe") => {
            return place.split('|').next().map(|first| format!("kprobe/{first}"));
        }
        ProgramKind::Attached("kprobe.multi") if place.contains(',') => return None,
        ProgramKind::Attached("tracepoint") => {
            return Some(format!("tracepoint/{}", place.replacen(':', "/", 1)));
        }
        ProgramKind::Attached(kind) => return Some(format!("{kind}/{place}")),
        ProgramKind::Type(program_type) => program_type,
    };
    let name = match program_type {
        ProgramType::SocketFilter => "socket",
        ProgramType::SchedCls => "tc",
        ProgramType::SchedAct => "action",
        ProgramType::CgroupSkb => "cgroup/skb",
        ProgramType::CgroupSock => "cgroup/sock",
        ProgramType::SockOps => "sockops",
        ProgramType::CgroupDevice => "cgroup/dev",
        ProgramType::RawTracepoint => "raw_tp",
        ProgramType::CgroupSysctl => "cgroup/sysctl",
        ProgramType::RawTracepointWritable => "raw_tp.w",
        ProgramType::CgroupSockopt => "cgroup/getsockopt",
        ProgramType::CgroupSockAddr
        | ProgramType::Tracing
        | ProgramType::StructOps
        | ProgramType::Ext
        | ProgramType::Lsm => return None,
        other => other.name(),
    };
    Some(name.to_owned())
}
