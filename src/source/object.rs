//! Programs from an ELF object, as clang makes it: what libbpf would make of its sections.

use std::sync::Arc;

use super::collection::{Collection, ProgramKind, ProgramSpec};
use super::maps;
use crate::btf::{Btf, identifier};
use crate::elf::{ElfError, Linker, Notes, Object, ObjectFunction, clean};
use crate::error::Error;
use crate::host::{AttachKind, KernelTypes};
use crate::insn::Endian;
use crate::sys::ProgramType;

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
    let own = btf.as_ref().and_then(|btf| btf.loadable(&object.layout()).ok());
    let own: Option<Arc<[u8]>> = own.map(Arc::from);
    let defined = object.maps(btf.as_mut()).map_err(wrong)?;
    let mut maps = maps::of(&object, &defined, btf.as_mut(), own.as_ref())?;
    let notes = Notes::new(&object, btf.as_ref());
    let functions = object.functions();
    let sections = object.variables().map(|(section, ..)| section);
    let names = defined.iter().map(|map| map.definition.name).chain(sections);
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
    maps::refer(&mut maps, &defined, &programs);
    Ok(Collection { license, programs, maps, missing, notes: maps::notes(&defined) })
}

/// Whether a function is only there to be called.
pub fn is_called(function: &ObjectFunction<'_>) -> bool {
    function.section == ".text" || function.section.starts_with(".text.")
}
