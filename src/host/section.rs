//! What libbpf's names of sections say of their programs: the type, and what is set for the load.

use std::os::fd::AsFd;

use super::probe::AttachKind;
use super::refusal;
use super::types::{KernelTypes, loaded_btf_of_module};
use crate::btf::{Btf, TypeKind};
use crate::error::Error;
use crate::sys::code::code;
use crate::sys::object::{ObjectKind, ids};
use crate::sys::{AttachType, Load, LoadedBtf, Prog, ProgramType, kallsyms, object};

/// A row for each name: `+` after it where a slash and more may follow, the numbers of the program type
/// and of the attach type, and letters: `s` sleepable, `f` packets in fragments, `b` attached by a BTF id,
/// `o` only of old objects. The first row of a type is what the type alone means.
const TABLE: &str = "\
socket 1
kprobe+ 2|kretprobe+ 2|uprobe+ 2|uretprobe+ 2|uprobe.s+ 2 0 s|uretprobe.s+ 2 0 s
kprobe.multi+ 2 42|kretprobe.multi+ 2 42|kprobe.session+ 2 56
uprobe.multi+ 2 48|uretprobe.multi+ 2 48|uprobe.session+ 2 57
uprobe.multi.s+ 2 48 s|uretprobe.multi.s+ 2 48 s|uprobe.session.s+ 2 57 s
ksyscall+ 2|kretsyscall+ 2|usdt+ 2|usdt.s+ 2 0 s
tc 3|classifier 3|tc/ingress 3 46|tc/egress 3 47|tcx/ingress 3 46|tcx/egress 3 47
netkit/primary 3 54|netkit/peer 3 55|action 4
tracepoint+ 5|tp+ 5|tracepoint.s+ 5 0 s|tp.s+ 5 0 s
xdp 6 37|xdp/devmap 6 33|xdp/cpumap 6 35
xdp.frags 6 37 f|xdp.frags/devmap 6 33 f|xdp.frags/cpumap 6 35 f|xdp_devmap+ 6 33 o|xdp_cpumap+ 6 35 o
perf_event 7|cgroup/skb 8|cgroup_skb/ingress 8|cgroup_skb/egress 8 1
cgroup/sock 9 2|cgroup/sock_create 9 2|cgroup/sock_release 9 34
cgroup/post_bind4 9 12|cgroup/post_bind6 9 13
lwt_in 10|lwt_out 11|lwt_xmit 12|sockops 13 3
sk_skb 14|sk_skb/stream_parser 14 4|sk_skb/stream_verdict 14 5|sk_skb/verdict 14 38
cgroup/dev 15 6|sk_msg 16 7
raw_tp+ 17|raw_tracepoint+ 17|raw_tp.s+ 17 0 s|raw_tracepoint.s+ 17 0 s
cgroup/bind4 18 8|cgroup/bind6 18 9
cgroup/connect4 18 10|cgroup/connect6 18 11|cgroup/connect_unix 18 49
cgroup/sendmsg4 18 14|cgroup/sendmsg6 18 15|cgroup/sendmsg_unix 18 50
cgroup/recvmsg4 18 19|cgroup/recvmsg6 18 20|cgroup/recvmsg_unix 18 51
cgroup/getpeername4 18 29|cgroup/getpeername6 18 30|cgroup/getpeername_unix 18 52
cgroup/getsockname4 18 31|cgroup/getsockname6 18 32|cgroup/getsockname_unix 18 53
lwt_seg6local 19|lirc_mode2 20 16|sk_reuseport 21 39|sk_reuseport/migrate 21 40|flow_dissector 22 17
cgroup/sysctl 23 18|raw_tp.w+ 24|raw_tracepoint.w+ 24|cgroup/getsockopt 25 21|cgroup/setsockopt 25 22
tp_btf+ 26 23 b|tp_btf.s+ 26 23 bs|fentry+ 26 24 b|fexit+ 26 25 b|fmod_ret+ 26 26 b
fentry.s+ 26 24 bs|fexit.s+ 26 25 bs|fmod_ret.s+ 26 26 bs|fsession+ 26 58 b|fsession.s+ 26 58 bs
iter+ 26 28 b|iter.s+ 26 28 bs
struct_ops+ 27 0 b|struct_ops.s+ 27 0 bs|freplace+ 28 0 b
lsm+ 29 27 b|lsm.s+ 29 27 bs|lsm_cgroup+ 29 43 b
sk_lookup 30 36|syscall 31 0 s|netfilter 32 45";

/// `BPF_F_SLEEPABLE` of a load.
const SLEEPABLE: u32 = 1 << 4;
/// `BPF_F_XDP_HAS_FRAGS` of a load.
const FRAGS: u32 = 1 << 5;

/// What one of libbpf's names of sections says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Section {
    /// The name, without what may follow it: `fentry.s`, `cgroup/connect4`.
    pub name: &'static str,
    /// The type of its programs.
    pub program_type: ProgramType,
    /// What they will be attached to, as far as the type leaves that open.
    pub attach_type: Option<AttachType>,
    /// The flags that they are loaded with.
    pub flags: u32,
    /// Whether the kernel has to know by a BTF id at the load what they will be attached to.
    pub has_target: bool,
    /// Whether a slash and more may follow the name.
    has_more: bool,
    is_old: bool,
}

/// What a BTF id says that a program will be attached to.
#[derive(Debug, Default)]
pub struct Target {
    id: u32,
    member: u32,
    module: Option<LoadedBtf>,
    /// The program whose function it is.
    program: Option<Prog>,
}

impl Section {
    /// All names, in the order of the table.
    pub fn all() -> impl Iterator<Item = Section> {
        TABLE.split(['|', '\n']).filter_map(|row| {
            let mut words = row.split(' ');
            let name = words.next()?;
            let mut number = || words.next().and_then(|word| word.parse().ok());
            let (program_type, attach_type): (u32, u32) = (number()?, number().unwrap_or_default());
            let letters = row.rsplit(' ').next()?;
            let flag = |letter: char, flag| if letters.contains(letter) { flag } else { 0 };
            let plain = name.strip_suffix('+');
            Some(Section {
                name: plain.unwrap_or(name),
                program_type: ProgramType::from_raw(program_type)?,
                attach_type: AttachType::from_raw(attach_type).filter(|_| attach_type > 0),
                flags: flag('s', SLEEPABLE) | flag('f', FRAGS),
                has_target: letters.contains('b'),
                has_more: plain.is_some(),
                is_old: letters.contains('o'),
            })
        })
    }

    /// What a section of this name says, and what follows the name. `None` if it is none of libbpf's.
    pub fn find(section: &str) -> Option<(Section, &str)> {
        Section::all().find_map(|row| match section.strip_prefix(row.name)? {
            "" => Some((row, "")),
            rest => Some((row, rest.strip_prefix('/').filter(|_| row.has_more)?)),
        })
    }

    /// What libbpf before 1.0 took a section of this name for, which went by how it begins.
    pub fn find_old(section: &str) -> Option<Section> {
        let fits = |row: &Section| !row.has_more && section.starts_with(row.name);
        Section::all().filter(fits).max_by_key(|row| row.name.len())
    }

    /// What a program of a type is loaded as of which no more is known. Of some types the kernel must know
    /// more.
    pub fn of_type(program_type: ProgramType) -> Section {
        let row = Section::all().find(|row| row.program_type == program_type);
        row.filter(|row| !row.has_target && program_type != ProgramType::CgroupSockAddr).unwrap_or(
            Section {
                name: program_type.name(),
                program_type,
                attach_type: None,
                flags: 0,
                has_target: false,
                has_more: false,
                is_old: true,
            },
        )
    }

    /// Whether libbpf since 1.0 knows the name.
    pub fn is_known(&self) -> bool {
        !self.is_old
    }

    /// Whether the type alone says the same, if nothing follows the name.
    pub fn is_plain(&self) -> bool {
        let plain = Section::of_type(self.program_type);
        let word = AttachKind::word_of_section(self.name);
        (plain.attach_type, plain.flags, plain.has_target)
            == (self.attach_type, self.flags, self.has_target)
            && (!self.has_more || word == Some(plain.name))
    }

    /// Finds what the part after the name means in the running kernel: a function, a tracepoint, a hook, or
    /// of struct_ops `STRUCT.MEMBER`.
    ///
    /// # Errors
    /// The kernel has no such thing, or its types are not known.
    pub fn target(&self, place: &str, types: &KernelTypes) -> Result<Target, Error> {
        let name = self.name;
        if !self.has_target {
            return Ok(Target::default());
        }
        if self.program_type == ProgramType::Ext {
            return replaced(place);
        }
        if place.is_empty() {
            let what = format!("the kernel must know what this {name} program will be attached to");
            return Err(Error::lacking(what).hint(match self.program_type {
                ProgramType::StructOps => "a member of a map in .struct_ops refers to it",
                _ => "its section says it: SECTION/NAME; or the .program line",
            }));
        }
        let (kind, wanted) = match self.attach_type {
            Some(AttachType::TraceRawTp) => (TypeKind::Typedef, format!("btf_trace_{place}")),
            Some(AttachType::LsmMac | AttachType::LsmCgroup) => {
                (TypeKind::Func, format!("bpf_lsm_{place}"))
            }
            Some(AttachType::TraceIter) => (TypeKind::Func, format!("bpf_iter_{place}")),
            None => return member(place, types),
            Some(_) => {
                let function = types.function(place)?;
                let id = function.running_id(place, types)?;
                let id = id.ok_or_else(|| refusal::no_ids(name))?;
                let module = function.module.as_deref().map(loaded_btf_of_module).transpose()?;
                return Ok(Target { id, module, ..Target::default() });
            }
        };
        let none = || Error::lacking(format!("this kernel has no {name} {place}"));
        let mut btf = types.btf()?.ok_or_else(|| refusal::no_ids(name))?;
        if let Some(id) = id(&mut btf, kind, &wanted, types)? {
            return Ok(Target { id, ..Target::default() });
        }
        // A module may have the tracepoint.
        let symbol = format!("__traceiter_{place}");
        let modules = kallsyms::modules_with(&symbol).unwrap_or_default();
        let module = modules.into_iter().flatten().next().ok_or_else(none)?;
        let mut btf = types.btf_of_module(&module)?.ok_or_else(none)?;
        let id = id(&mut btf, kind, &wanted, types)?.ok_or_else(none)?;
        let module = Some(loaded_btf_of_module(&module)?);
        Ok(Target { id, module, ..Target::default() })
    }

    /// The load of a program that is attached to this target.
    pub fn load<'a>(&self, target: &'a Target) -> Load<'a> {
        Load {
            expected_attach_type: self.attach_type,
            member: target.member,
            attach_btf_id: target.id,
            attach_btf: target
                .module
                .as_ref()
                .map(LoadedBtf::as_fd)
                .or(target.program.as_ref().map(Prog::as_fd)),
            flags: self.flags,
            ..Load::new(self.program_type)
        }
    }
}

fn id(
    btf: &mut Btf<'_>,
    kind: TypeKind,
    name: &str,
    types: &KernelTypes,
) -> Result<Option<u32>, Error> {
    let found = btf.find_all(&[(kind, name)]).map_err(|error| types.error(&error))?;
    Ok(found[0].map(|(id, _)| id))
}

/// The member of a struct that programs can implement: `tcp_congestion_ops.ssthresh`.
fn member(place: &str, types: &KernelTypes) -> Result<Target, Error> {
    let none = || Error::lacking(format!("this kernel has no struct_ops {place}"));
    let (of, member) = place.split_once('.').ok_or_else(|| {
        Error::usage(format!("{place}: struct_ops programs are for STRUCT.MEMBER"))
    })?;
    let index_in = |btf: &mut Btf<'_>| {
        let found = btf.find_all(&[(TypeKind::Struct, of)]).map_err(|error| types.error(&error))?;
        Ok::<_, Error>(found[0].map(|(id, record)| {
            let mut members = record.members();
            let is_it = |name: Result<&[u8], _>| name.is_ok_and(|name| name == member.as_bytes());
            (id, members.position(|it| is_it(it.name())))
        }))
    };
    let mut btf = types.btf()?.ok_or_else(|| refusal::no_ids("struct_ops"))?;
    if let Some((id, index)) = index_in(&mut btf)? {
        let member = index.ok_or_else(none)? as u32;
        return Ok(Target { id, member, ..Target::default() });
    }
    // Modules have such structs too (Linux 6.9).
    for module in types.modules() {
        let Some(mut btf) = types.btf_of_module(&module)? else { continue };
        if let Some((id, Some(index))) = index_in(&mut btf)? {
            let module = Some(loaded_btf_of_module(&module)?);
            return Ok(Target { id, member: index as u32, module, ..Target::default() });
        }
    }
    Err(none())
}

/// A function of this name in a loaded program, which another program can replace.
fn replaced(place: &str) -> Result<Target, Error> {
    if place.is_empty() {
        let what = "the kernel must know which function this freplace program replaces";
        return Err(Error::lacking(what).hint("its section says it: freplace/FUNCTION"));
    }
    let programs = ids(ObjectKind::Prog).map_while(Result::ok);
    for prog in programs.filter_map(|id| Prog::from_id(id).ok()) {
        if let Some(id) = function_of(&prog, place) {
            return Ok(Target { id, program: Some(prog), ..Target::default() });
        }
    }
    let what = format!(
        "freplace replaces a function of another program, and none that is loaded here has a function {place}"
    );
    Err(Error::lacking(what)
        .hint("load that program first; seeing it needs CAP_SYS_ADMIN and its BTF"))
}

/// The id of a program's function of this name in its BTF.
fn function_of(prog: &Prog, name: &str) -> Option<u32> {
    let info = object::prog_info(prog.as_fd()).ok().filter(|info| info.btf_id != 0)?;
    let bytes = object::btf_bytes(&LoadedBtf::from_id(info.btf_id).ok()?).ok()?;
    let mut btf = Btf::parse(&bytes).ok()?;
    let functions = code(prog).ok()?.functions.into_iter().map(|function| function.type_id);
    { functions }.find(|id| {
        btf.by_id(*id).is_ok_and(|record| record.name().is_ok_and(|it| it == name.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(section: &str) -> Option<(&'static str, Option<&'static str>, u32, bool, &str)> {
        let (row, place) = Section::find(section)?;
        let attach_type = row.attach_type.map(AttachType::name);
        Some((row.program_type.name(), attach_type, row.flags, row.has_target, place))
    }

    #[test]
    fn every_row_is_read_and_every_name_is_there_once() {
        let names: Vec<_> = Section::all().map(|row| row.name).collect();
        assert_eq!(names.len(), TABLE.split(['|', '\n']).count());
        let mut once = names.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(names.len(), once.len());
    }

    #[test]
    fn names_are_exact_or_followed_by_a_slash() {
        for (section, wanted) in [
            ("xdp", Some(("xdp", Some("xdp"), 0, false, ""))),
            ("xdp/eth0", None),
            ("xdp_pass", None),
            ("xdp.frags/cpumap", Some(("xdp", Some("xdp_cpumap"), 32, false, ""))),
            ("kprobe", Some(("kprobe", None, 0, false, ""))),
            ("kprobe/vfs_read", Some(("kprobe", None, 0, false, "vfs_read"))),
            ("kprobes", None),
            (
                "uprobe.multi.s//bin/x:f*",
                Some(("kprobe", Some("trace_uprobe_multi"), 16, false, "/bin/x:f*")),
            ),
            ("fentry.s/do_exit", Some(("tracing", Some("trace_fentry"), 16, true, "do_exit"))),
            ("lsm_cgroup/bind", Some(("lsm", Some("lsm_cgroup"), 0, true, "bind"))),
            (
                "cgroup/connect4",
                Some(("cgroup_sock_addr", Some("cgroup_inet4_connect"), 0, false, "")),
            ),
            ("cgroup/connect4/x", None),
            ("syscall", Some(("syscall", None, 16, false, ""))),
            ("struct_ops.s/x", Some(("struct_ops", None, 16, true, "x"))),
        ] {
            assert_eq!(found(section), wanted, "{section}");
        }
    }

    #[test]
    fn old_objects_go_by_how_the_name_begins() {
        let old = |section| Section::find_old(section).map(|row| row.name);
        assert_eq!(old("xdp_pass"), Some("xdp"));
        assert_eq!(old("classifier/ingress"), Some("classifier"));
        assert_eq!(old("sk_skb/stream_parser/x"), Some("sk_skb/stream_parser"));
        assert_eq!(old("prog"), None);
    }

    #[test]
    fn a_type_alone_is_loaded_as_its_commonest_section() {
        for (of, name) in [
            (ProgramType::SchedCls, "tc"),
            (ProgramType::SkReuseport, "sk_reuseport"),
            (ProgramType::CgroupSockAddr, "cgroup_sock_addr"),
            (ProgramType::Tracing, "tracing"),
        ] {
            assert_eq!(Section::of_type(of).name, name);
        }
        assert!(Section::find("classifier").unwrap().0.is_plain());
        assert!(!Section::find("tcx/egress").unwrap().0.is_plain());
    }
}
