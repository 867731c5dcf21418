//! The table of helpers against kernels: numbers of seven kernels, and the running one's verifier.
#![allow(unsafe_code)] // bpf(2), until the crate's own `sys` can be asked.

use rawbpf::insn::helper::{self, Helper};
use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

/// Numbers of each kernel's own enum, as `version first-last ...`.
const IDS: &str = include_str!("data/helper-ids.txt");

#[test]
fn a_kernel_knows_exactly_the_helpers_up_to_its_version() {
    let kernels: Vec<&str> = IDS.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(kernels.len(), 7);
    for line in kernels {
        let (release, ranges) = line.split_once(' ').unwrap();
        let known: BTreeSet<u32> = ranges
            .split(' ')
            .map(|range| range.split_once('-').unwrap())
            .flat_map(|(first, last)| first.parse().unwrap()..=last.parse().unwrap())
            .collect();
        let expected = helper::ALL.iter().filter(|helper| helper.since <= version(release));
        assert_eq!(known, expected.map(|helper| helper.id).collect(), "Linux {release}");
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn the_running_kernel_spells_every_helper_as_we_do() {
    let running = version(&release());
    for helper in helper::ALL {
        let log = KPROBE.log_of_call(helper.id, "GPL");
        if helper.since <= running {
            let spelt = format!("{}#{}", helper.name, helper.id);
            assert!(log.split_whitespace().any(|word| word == spelt), "no {spelt} in {log:?}");
        } else {
            assert!(log.contains("invalid func unknown#"), "{helper:?} is known: {log:?}");
        }
    }
    if running >= (6, 2) {
        let log = KPROBE.log_of_call(212, "GPL");
        assert!(log.contains("invalid func unknown#212"), "a helper we do not know: {log:?}");
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn the_running_kernel_keeps_for_gpl_programs_what_we_say_it_does() {
    let loads = |license| move |ty: &&Type| ty.load(&EMPTY, license).is_ok();
    let (loadable, absent): (Vec<&Type>, Vec<&Type>) = TYPES.iter().partition(loads("GPL"));
    let (open, closed): (Vec<&Type>, Vec<&Type>) =
        loadable.into_iter().partition(loads("Proprietary"));

    let running = version(&release());
    let known: Vec<&Helper> = helper::ALL.iter().filter(|helper| helper.since <= running).collect();
    let mut calls = 0;
    let mut unseen = Vec::new();
    for helper in &known {
        let mut reached = false;
        for ty in &open {
            let Some(log) = ty.log_if_reached(helper, "Proprietary") else {
                continue;
            };
            let agrees = log.contains(GPL_RESTRICTED) == helper.gpl_only;
            let variant = ANY_LICENCE.contains(&(helper.name, ty.name));
            assert!(agrees || variant, "{helper:?} from {}: {log}", ty.name);
            reached = true;
            calls += 1;
        }
        if !reached {
            let reached = |ty: &&&Type| ty.log_if_reached(helper, "GPL").is_some();
            let from: Vec<&str> = closed.iter().filter(reached).map(|ty| ty.name).collect();
            unseen.push(format!("{} {}", helper.name, from.join(" ")));
        }
    }

    let names =
        |types: &[&Type]| -> String { types.iter().map(|ty| ty.name.to_owned() + " ").collect() };
    let (seen, types) = (known.len() - unseen.len(), open.len());
    println!("{seen} helpers seen by {calls} calls from {types} types: {}", names(&open));
    println!("types for GPL programs only: {}", names(&closed));
    println!("types that do not load here: {}", names(&absent));
    println!("helpers not seen, and the types for GPL programs that have them: {unseen:#?}");
    assert!(seen > 0);
}

const GPL_RESTRICTED: &str = "cannot call GPL-restricted function from non-GPL compatible program";

/// The program types whose own variant of a GPL-only helper is open to any licence. A kernel
/// older than the attach type takes it for a plain kprobe, and its answer is the plain one.
const ANY_LICENCE: &[(&str, &str)] = &[
    ("bpf_get_stackid", "perf_event"),
    ("bpf_get_func_ip", "kprobe_multi"),
    ("bpf_get_func_ip", "kprobe_session"),
    ("bpf_get_func_ip", "uprobe_multi"),
    ("bpf_get_func_ip", "uprobe_session"),
];

/// A program type, and what else the kernel wants to know before it looks at the instructions.
struct Type {
    name: &'static str,
    prog_type: u32,
    attach: u32,
    flags: u32,
    /// The BTF type it attaches to, by kind and name.
    target: Option<(u32, &'static str)>,
}

const KPROBE: Type = plain("kprobe", 2, 0);
const SLEEPABLE: u32 = 1 << 4;
const BTF_STRUCT: u32 = 4;
const BTF_TYPEDEF: u32 = 8;
const BTF_FUNC: u32 = 12;

/// One row for each set of helpers that a program type, or one of its attach types, has.
const TYPES: &[Type] = &[
    plain("socket_filter", 1, 0),
    KPROBE,
    plain("kprobe_multi", 2, 42),
    plain("kprobe_session", 2, 56),
    plain("uprobe_multi", 2, 48),
    plain("uprobe_session", 2, 57),
    plain("sched_cls", 3, 0),
    plain("sched_act", 4, 0),
    plain("tracepoint", 5, 0),
    plain("xdp", 6, 0),
    plain("perf_event", 7, 0),
    plain("cgroup_skb", 8, 0),
    plain("cgroup_sock", 9, 2),
    plain("cgroup_sock/post_bind4", 9, 12),
    plain("lwt_in", 10, 0),
    plain("lwt_out", 11, 0),
    plain("lwt_xmit", 12, 0),
    plain("sock_ops", 13, 0),
    plain("sk_skb", 14, 0),
    plain("cgroup_device", 15, 0),
    plain("sk_msg", 16, 0),
    plain("raw_tracepoint", 17, 0),
    plain("cgroup_sock_addr/bind4", 18, 8),
    plain("cgroup_sock_addr/connect4", 18, 10),
    plain("cgroup_sock_addr/sendmsg4", 18, 14),
    plain("lwt_seg6local", 19, 0),
    plain("lirc_mode2", 20, 0),
    plain("sk_reuseport", 21, 0),
    plain("flow_dissector", 22, 0),
    plain("cgroup_sysctl", 23, 0),
    plain("raw_tracepoint_writable", 24, 0),
    plain("cgroup_sockopt/get", 25, 21),
    plain("cgroup_sockopt/set", 25, 22),
    targeted("tp_btf", 26, 23, 0, BTF_TYPEDEF, "btf_trace_sched_switch"),
    targeted("fentry", 26, 24, 0, BTF_FUNC, "vfs_read"),
    targeted("fexit", 26, 25, 0, BTF_FUNC, "vfs_read"),
    targeted("fmod_ret", 26, 26, 0, BTF_FUNC, "security_file_open"),
    targeted("iter", 26, 28, 0, BTF_FUNC, "bpf_iter_task"),
    targeted("iter.s", 26, 28, SLEEPABLE, BTF_FUNC, "bpf_iter_task"),
    targeted("struct_ops", 27, 4, 0, BTF_STRUCT, "tcp_congestion_ops"),
    targeted("lsm", 29, 27, 0, BTF_FUNC, "bpf_lsm_file_open"),
    targeted("lsm.s", 29, 27, SLEEPABLE, BTF_FUNC, "bpf_lsm_bprm_committed_creds"),
    targeted("lsm_cgroup", 29, 43, 0, BTF_FUNC, "bpf_lsm_socket_bind"),
    plain("sk_lookup", 30, 36),
    Type { flags: SLEEPABLE, ..plain("syscall", 31, 0) },
    plain("netfilter", 32, 45),
];

const fn plain(name: &'static str, prog_type: u32, attach: u32) -> Type {
    Type { name, prog_type, attach, flags: 0, target: None }
}

const fn targeted(
    name: &'static str,
    prog_type: u32,
    attach: u32,
    flags: u32,
    kind: u32,
    target: &'static str,
) -> Type {
    Type { name, prog_type, attach, flags, target: Some((kind, target)) }
}

/// `r0 = 0; exit`
const EMPTY: [u64; 2] = [insn(0xb7, 0), insn(0x95, 0)];

/// An instruction of registers 0 and offset 0, as eight bytes in the order of this host.
const fn insn(opcode: u8, imm: u32) -> u64 {
    let [a, b, c, d] = imm.to_ne_bytes();
    u64::from_ne_bytes([opcode, 0, 0, 0, a, b, c, d])
}

impl Type {
    /// What the verifier says of a program that calls this helper. The call's arguments are not
    /// set, so it is refused in the end; what comes before that is what we want to know.
    fn log_of_call(&self, id: u32, license: &str) -> String {
        match self.load(&[insn(0x85, id), EMPTY[0], EMPTY[1]], license) {
            Ok(log) | Err(log) => log,
        }
    }

    /// The log of that, when this type may call the helper at all.
    fn log_if_reached(&self, helper: &Helper, license: &str) -> Option<String> {
        let log = self.log_of_call(helper.id, license);
        // The middle one is what kernels before 6.12 say for the first.
        let refusals = ["program of this type cannot use helper", "unknown func", "invalid func"];
        (!refusals.iter().any(|refusal| log.contains(refusal))).then_some(log)
    }

    /// Loads a program of this type and closes it again; the verifier's log either way.
    fn load(&self, insns: &[u64], license: &str) -> Result<String, String> {
        let target = match self.target {
            Some(target) => *TARGETS.get(&target).ok_or("no such BTF type")?,
            None => 0,
        };
        load(self.prog_type, self.attach, self.flags, target, insns, license)
    }
}

/// `BPF_PROG_LOAD` with `log_level` 2.
fn load(
    prog_type: u32,
    attach_type: u32,
    flags: u32,
    btf_id: u32,
    insns: &[u64],
    license: &str,
) -> Result<String, String> {
    /// The head of `union bpf_attr` for `BPF_PROG_LOAD`, as far as it is used here.
    #[repr(C)]
    #[derive(Default)]
    struct Attr {
        prog_type: u32,
        insn_cnt: u32,
        insns: u64,
        license: u64,
        log_level: u32,
        log_size: u32,
        log_buf: u64,
        kern_version: u32,
        prog_flags: u32,
        prog_name: [u8; 16],
        prog_ifindex: u32,
        expected_attach_type: u32,
        btf: [u32; 9], // Program BTF, func_info and line_info: none.
        attach_btf_id: u32,
    }
    let mut log = vec![0u8; 1 << 16];
    let license = std::ffi::CString::new(license).unwrap();
    let attr = Attr {
        prog_type,
        insn_cnt: u32::try_from(insns.len()).unwrap(),
        insns: insns.as_ptr() as u64,
        license: license.as_ptr() as u64,
        log_level: 2,
        log_size: u32::try_from(log.len()).unwrap(),
        log_buf: log.as_mut_ptr() as u64,
        prog_flags: flags,
        expected_attach_type: attach_type,
        attach_btf_id: btf_id,
        ..Attr::default()
    };
    // SAFETY: BPF_PROG_LOAD (5) reads `attr`, the instructions and the licence, which outlive the
    // call, and writes at most `log_size` bytes into `log`.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, 5, &raw const attr, size_of::<Attr>()) };
    let error = std::io::Error::last_os_error();
    let end = log.iter().position(|byte| *byte == 0).unwrap();
    let log = String::from_utf8_lossy(&log[..end]).into_owned();
    if fd < 0 {
        return Err(format!("{log}{error}"));
    }
    // SAFETY: the descriptor was made just now and nothing else holds it.
    unsafe { libc::close(i32::try_from(fd).unwrap()) };
    Ok(log)
}

/// The numbers of all the types that `TYPES` attach to, from one walk through the kernel's BTF.
static TARGETS: LazyLock<HashMap<(u32, &str), u32>> = LazyLock::new(|| {
    let btf = std::fs::read("/sys/kernel/btf/vmlinux").unwrap_or_default();
    let word = |at: usize| u32::from_ne_bytes(btf[at..at + 4].try_into().unwrap());
    let mut found = HashMap::new();
    if btf.is_empty() {
        return found;
    }
    let [types, types_len, strings] = [8, 12, 16].map(|at| word(at) as usize);
    let (mut at, mut id) = (24 + types, 1);
    while at < 24 + types + types_len {
        let name = &btf[24 + strings + word(at) as usize..];
        let (kind, members) = (word(at + 4) >> 24 & 31, word(at + 4) as usize & 0xffff);
        for target in TYPES.iter().filter_map(|ty| ty.target) {
            let (wanted, text) = target;
            if kind == wanted && name.starts_with(text.as_bytes()) && name[text.len()] == 0 {
                found.insert(target, id);
            }
        }
        at += 12
            + match kind {
                1 | 14 | 17 => 4,                // int, var, decl_tag
                3 => 12,                         // array
                4 | 5 | 15 | 19 => 12 * members, // struct, union, datasec, enum64
                6 | 13 => 8 * members,           // enum, func_proto
                _ => 0,
            };
        id += 1;
    }
    found
});

/// The major and minor number of a release such as `6.18.15-cloud-amd64`.
fn version(release: &str) -> (u8, u8) {
    let mut numbers = release.split(['.', '-']).map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

/// The running kernel's release.
fn release() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap()
}
