//! What the kernel says of its programs, maps and links.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value};

use crate::error::Error;
use crate::host::holders::FdInfo;
use crate::host::{KernelTypes, refusal};
use crate::sys::object::{self, LinkType, ObjectKind, ProgInfo};
use crate::sys::{Errno, LoadedBtf, MapType, Prog, ProgramType, SysError, file};

/// The fields of an object.
pub type Fields = Map<String, Value>;

/// The programs; with `stats`, what they cost in this time.
///
/// # Errors
/// A privilege is missing.
pub fn programs(stats: Option<Duration>) -> Result<Vec<Fields>, Error> {
    let before = stats.map(count_for).transpose()?;
    let counts = file::read_text(Path::new("/proc/sys/kernel/bpf_stats_enabled"));
    let counting = counts.is_ok_and(|text| text.trim() != "0");
    let boot = boot_time()?;
    each(ObjectKind::Prog, &Prog::from_id, &mut |prog| {
        let info = object::prog_info(prog.as_fd())?;
        let loaded = boot + Duration::from_nanos(info.load_time_ns);
        let mut program = fields(vec![
            ("type", "program".into()),
            ("id", info.id.into()),
            ("prog_type", prog_type(info.program_type)),
            ("name", info.name.into()),
            ("tag", format!("{:016x}", u64::from_be_bytes(info.tag)).into()),
            ("gpl_compatible", info.gpl_compatible.into()),
            ("uid", info.uid.into()),
            ("loaded_at", loaded.as_secs().into()),
            ("bytes_xlated", info.xlated_len.into()),
            ("bytes_jited", info.jited_len.into()),
            ("bytes_memlock", memory(&FdInfo::of(prog.as_fd()))),
            ("map_ids", object::prog_map_ids(prog)?.into()),
        ]);
        let (count, time) = match &before {
            None => (0, 0),
            Some(before) => {
                let before = before.iter().find(|before| before.id == info.id);
                before.map_or((0, 0), |before| (before.run_count, before.run_time_ns))
            }
        };
        if before.is_some() || counting || info.run_count > 0 {
            program.insert("run_cnt".into(), info.run_count.saturating_sub(count).into());
            program.insert("run_time_ns".into(), info.run_time_ns.saturating_sub(time).into());
        }
        for (name, number) in [
            ("recursion_misses", info.recursion_misses),
            ("verified_insns", info.verified_insns.into()),
            ("btf_id", info.btf_id.into()),
        ] {
            if number > 0 {
                program.insert(name.into(), number.into());
            }
        }
        Ok(program)
    })
}

/// The maps.
///
/// # Errors
/// A privilege is missing.
pub fn maps() -> Result<Vec<Fields>, Error> {
    each(ObjectKind::Map, &|id| object::open(ObjectKind::Map, id), &mut |map| {
        let info = object::map_info(map.as_fd())?;
        let fdinfo = FdInfo::of(map.as_fd());
        let mut map = fields(vec![
            ("type", "map".into()),
            ("id", info.id.into()),
            ("map_type", name(MapType::from_raw(info.map_type).map(MapType::name), info.map_type)),
            ("name", info.name.into()),
            ("flags", info.flags.into()),
            ("bytes_key", info.key_size.into()),
            ("bytes_value", info.value_size.into()),
            ("max_entries", info.max_entries.into()),
            ("bytes_memlock", memory(&fdinfo)),
            ("frozen", fdinfo.number("frozen").into()),
        ]);
        if info.btf_id > 0 {
            map.insert("btf_id".into(), info.btf_id.into());
        }
        Ok(map)
    })
}

/// The links.
///
/// # Errors
/// A privilege is missing.
pub fn links() -> Result<Vec<Fields>, Error> {
    let types = KernelTypes::running();
    each(ObjectKind::Link, &|id| object::open(ObjectKind::Link, id), &mut |link| {
        let info = object::link_info(link.as_fd())?;
        Ok(fields(vec![
            ("type", "link".into()),
            ("id", info.id.into()),
            (
                "link_type",
                name(LinkType::from_raw(info.link_type).map(LinkType::name), info.link_type),
            ),
            ("prog_id", info.prog_id.into()),
            ("attached", attached(&FdInfo::of(link.as_fd()), &types)),
        ]))
    })
}

/// Reads each object of a kind, except those that disappear meanwhile.
fn each<T>(
    kind: ObjectKind,
    open: &dyn Fn(u32) -> Result<T, SysError>,
    read: &mut dyn FnMut(&T) -> Result<Fields, SysError>,
) -> Result<Vec<Fields>, Error> {
    let mut found = vec![];
    for id in object::ids(kind) {
        match id.and_then(|id| read(&open(id)?)) {
            Ok(object) => found.push(object),
            // It has gone, or it is a link that is still being made.
            Err(error) if matches!(error.errno, Errno::ENOENT | Errno::EAGAIN) => {}
            // Before 5.8 links have no ids.
            Err(error) if kind == ObjectKind::Link && error.errno == Errno::EINVAL => {}
            Err(error) => return Err(refusal::objects(&error)),
        }
    }
    Ok(found)
}

/// From now on the kernel counts and times the runs of all programs, until the descriptor is closed.
///
/// # Errors
/// The kernel is too old, or a privilege is missing.
pub fn counting() -> Result<OwnedFd, Error> {
    object::enable_stats().map_err(|error| match error.errno {
        Errno::EINVAL => Error::lacking("this kernel cannot be asked to count runs (Linux 5.8)")
            .hint(
                "try: sudo sysctl kernel.bpf_stats_enabled=1, and list without --stats and --live",
            ),
        _ => refusal::objects(&error),
    })
}

/// Each program's counts at this moment, by rising ids.
///
/// # Errors
/// A privilege is missing.
pub fn counts() -> Result<Vec<ProgInfo>, Error> {
    let mut counts = vec![];
    each(ObjectKind::Prog, &Prog::from_id, &mut |prog| {
        counts.push(object::prog_info(prog.as_fd())?);
        Ok(Fields::new())
    })?;
    Ok(counts)
}

/// Lets the kernel count for this time. Returns the programs' counts from before.
fn count_for(time: Duration) -> Result<Vec<ProgInfo>, Error> {
    let _counting = counting()?;
    let before = counts()?;
    thread::sleep(time);
    Ok(before)
}

/// When the host was booted, as the time since 1970.
fn boot_time() -> Result<Duration, Error> {
    let read = |clock| clock_gettime(clock).map(Duration::from);
    let (now, since) = (read(ClockId::CLOCK_REALTIME), read(ClockId::CLOCK_BOOTTIME));
    now.and_then(|now| Ok(now.saturating_sub(since?)))
        .map_err(|error| Error::failed(format!("the time could not be read: {error}")))
}

/// The kernel's fields of a link, except those that all descriptors and all links have.
fn attached(fdinfo: &FdInfo, types: &KernelTypes) -> Value {
    const ALL: [&str; 8] =
        ["pos", "flags", "mnt_id", "ino", "link_type", "link_id", "prog_tag", "prog_id"];
    let fields = fdinfo.fields().filter(|(name, _)| !ALL.contains(name));
    let function = function(fdinfo, types).map(|name| ("function".to_owned(), name.into()));
    let fields = fields.map(|(name, value)| (name.to_owned(), Value::from(value)));
    function.into_iter().chain(fields).collect::<Fields>().into()
}

/// The name of the kernel's function that a link is attached to by a BTF id.
fn function(fdinfo: &FdInfo, types: &KernelTypes) -> Option<String> {
    let [object, id] = ["target_obj_id", "target_btf_id"].map(|name| fdinfo.number(name));
    let object = LoadedBtf::from_id(object?.try_into().ok()?).ok()?;
    // A module's own ids follow the kernel's, and are other functions in another module.
    let is_kernels = object::btf_info(&object).ok()?.name == "vmlinux";
    let mut btf = types.btf().ok().flatten().filter(|_| is_kernels)?;
    let function = btf.by_id(id?.try_into().ok()?).ok()?;
    Some(String::from_utf8_lossy(function.name().ok()?).into_owned())
}

/// Bytes in the kernel.
fn memory(fdinfo: &FdInfo) -> Value {
    fdinfo.number("memlock").into()
}

/// The kernel's name for a program's type.
pub fn prog_type(raw: u32) -> Value {
    name(ProgramType::from_raw(raw).map(ProgramType::name), raw)
}

/// The kernel's name for a type, or the number of one that is newer than this program.
fn name(known: Option<&str>, raw: u32) -> Value {
    known.map_or_else(|| format!("type {raw}"), str::to_owned).into()
}

fn fields(fields: Vec<(&str, Value)>) -> Fields {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
