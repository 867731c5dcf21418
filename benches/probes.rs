//! What an event costs: our program, the same written in C and compiled by clang, and one that does
//! nothing, all on the same events. And the tools of libbpf-tools next to ours.
//!
//! `cargo bench --bench probes`, as root; `-- NAME` for the rows of one tool. The kernel measures
//! (kernel.bpf_stats_enabled), and much of what it finds is the measurement itself: so the cost of the
//! empty program is taken off. What this host lacks is named and left out.

use std::ffi::CStr;
use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

use goblin::elf::Elf;
use rawbpf::host::KernelTypes;
use rawbpf::insn::*;
use rawbpf::sys::link::{self, At};
use rawbpf::sys::object;
use rawbpf::sys::{
    AttachType, Link, Load, Map, MapSpec, MapType, PerfEvent, Prog, ProgramType, Tracefs, prog,
};

mod common;
use common::{LoopDisk, RAWBPF, Result, Running, asked, info, median, text};

const ROUNDS: usize = 11;
const PAIRS: usize = 5;
const EVENTS: u32 = 5000;

/// Ours, with options that make it like the other of that name: bitesize of libbpf-tools tells names, of
/// those who issue. What comes nearest to bioheat there is biolatency.
const TOOLS: [(&str, &[&str], &str); 5] = [
    ("bitesize", &[], "bitesize"),
    ("bitesize", &["--attach", "tracepoint", "--by", "comm"], "bitesize"),
    ("biolatency", &[], "biolatency"),
    ("biolatency", &["-D", "-F"], "biolatency -D -F"),
    ("bioheat", &[], "biolatency"),
];

type Measure = fn(&[&str], &str, &LoopDisk) -> Result<String>;

fn main() -> Result<()> {
    let _statistics = object::enable_stats().map_err(text)?;
    let disk = LoopDisk::new();
    let asked = asked();
    let is_asked = |name: &str| asked.as_ref().is_none_or(|asked| asked == name);
    println!(
        "ns an event above the empty program, medians of {ROUNDS} rounds; instructions, bytes of code"
    );
    let kinds = ["raw_tp", "tp_btf", "tracepoint", "kprobe", "fentry"];
    for kind in kinds.into_iter().filter(|_| is_asked("bitehist")) {
        match same_events(kind, &disk) {
            Ok(line) => println!("bitehist {kind:<11} {line}"),
            Err(why) => println!("bitehist {kind:<11} skipped: {why}"),
        }
    }
    println!("ns a request, all programs of the tool; above so many empty ones");
    for (tool, options, peer) in TOOLS.into_iter().filter(|(tool, ..)| is_asked(tool)) {
        let ours = [&[tool], options].concat();
        let name = ours.join(" ");
        for (how, measure) in [("at once", at_once as Measure), ("alone", alone)] {
            match measure(&ours, peer, &disk) {
                Ok(line) => println!("{name:<40} {how:<8} {line}"),
                Err(why) => println!("{name:<40} skipped: {why}"),
            }
        }
    }
    Ok(())
}

/// The programs are attached at once, and every request passes through all of them.
fn same_events(kind: &str, disk: &LoopDisk) -> Result<String> {
    let (_empty, empty) = in_process(kind, empty())?;
    let (_clang, clang) = in_process(kind, clang(kind)?)?;
    let tool = Running::start(&[*RAWBPF, "bitehist", "--attach", kind, "3600"])?;
    let ours = *tool.programs.first().ok_or("no program")?;
    let rounds = rounds(&[empty, ours, clang], disk, |before, after| {
        (after.run_time_ns - before.run_time_ns) as f64
            / (after.run_count - before.run_count) as f64
    })?;
    let above = |index: usize| median(rounds.iter().map(|round| round[index] - round[0]));
    let (ours_ns, clang_ns) = (above(1), above(2));
    let size = |id| -> Result<String> {
        let info = info(id)?;
        Ok(format!("{} insns, {} bytes", info.xlated_len / 8, info.jited_len))
    };
    Ok(format!(
        "ours {ours_ns:5.1} ({})   clang -O2 {clang_ns:5.1} ({})   ratio with it {:.2}   empty {:.0}",
        size(ours)?,
        size(clang)?,
        median(rounds.iter().map(|round| round[1] / round[2])),
        median(rounds.iter().map(|round| round[0])),
    ))
}

/// The tools run at once, and every request is seen by both. What one of them needs of the kernel may
/// then be in the caches for the other.
fn at_once(ours: &[&str], peer: &str, disk: &LoopDisk) -> Result<String> {
    let (_empty, empty) = in_process("raw_tp", empty())?;
    let (peer, ours) = (libbpf_tool(peer)?, our_tool(ours)?);
    let all: Vec<u32> = [&[empty][..], &ours.programs, &peer.programs].concat();
    let rounds = rounds(&all, disk, Cost::of)?;
    let our_count = ours.programs.len();
    let costs = rounds.iter().map(|round| {
        let (ours, peers) = round[1..].split_at(our_count);
        [Cost::sum(ours, round[0]), Cost::sum(peers, round[0])]
    });
    Ok(compared(costs.collect()))
}

/// The tools take turns.
fn alone(ours: &[&str], peer: &str, disk: &LoopDisk) -> Result<String> {
    let (_empty, empty) = in_process("raw_tp", empty())?;
    let turn = |tool: Running| -> Result<[f64; 2]> {
        let rounds = rounds(&[&[empty][..], &tool.programs].concat(), disk, Cost::of)?;
        let costs: Vec<_> = rounds.iter().map(|round| Cost::sum(&round[1..], round[0])).collect();
        let median_of = |part: usize| median(costs.iter().map(|cost| cost[part]));
        Ok([median_of(0), median_of(1)])
    };
    let pairs = (0..PAIRS).map(|_| Ok([turn(our_tool(ours)?)?, turn(libbpf_tool(peer)?)?]));
    Ok(compared(pairs.collect::<Result<_>>()?))
}

/// Of ours and the other tool: the cost of a request, and the same above empty programs.
fn compared(costs: Vec<[[f64; 2]; 2]>) -> String {
    let of = |tool: usize, part: usize| median(costs.iter().map(|cost| cost[tool][part]));
    let ratio = |part: usize| median(costs.iter().map(|cost| cost[0][part] / cost[1][part]));
    format!(
        "ours {:5.0}   libbpf-tools {:5.0}   ratio {:.2}   above: {:5.0} {:5.0}  {:.2}",
        of(0, 0),
        of(1, 0),
        ratio(0),
        of(0, 1),
        of(1, 1),
        ratio(1)
    )
}

/// What a program did in a round.
#[derive(Clone, Copy)]
struct Cost {
    ns: f64,
    runs: f64,
}

impl Cost {
    fn of(before: &object::ProgInfo, after: &object::ProgInfo) -> Cost {
        let ns = (after.run_time_ns - before.run_time_ns) as f64;
        Cost { ns, runs: (after.run_count - before.run_count) as f64 }
    }

    /// What these cost a request, and the same above as many runs of the empty program.
    fn sum(programs: &[Cost], empty: Cost) -> [f64; 2] {
        let ns: f64 = programs.iter().map(|cost| cost.ns).sum();
        let runs: f64 = programs.iter().map(|cost| cost.runs).sum();
        [ns, ns - runs * empty.ns / empty.runs].map(|ns| ns / f64::from(EVENTS))
    }
}

fn our_tool(command: &[&str]) -> Result<Running> {
    Running::start(&[&[*RAWBPF], command, &["3600"]].concat())
}

/// By its name and its options.
fn libbpf_tool(command: &str) -> Result<Running> {
    let command = format!("/usr/sbin/{command} 3600");
    let command: Vec<&str> = command.split(' ').collect();
    match Path::new(command[0]).exists() {
        true => Running::start(&command),
        false => Err(format!("{} (libbpf-tools) is not installed", command[0])),
    }
}

/// What `cost` makes of each program's counters around each round of requests.
fn rounds<T>(
    programs: &[u32],
    disk: &LoopDisk,
    cost: impl Fn(&object::ProgInfo, &object::ProgInfo) -> T,
) -> Result<Vec<Vec<T>>> {
    let infos = || programs.iter().map(|id| info(*id)).collect::<Result<Vec<_>>>();
    disk.read(4, EVENTS);
    (0..ROUNDS)
        .map(|_| {
            let before = infos()?;
            disk.read(4, EVENTS);
            Ok(before.iter().zip(&infos()?).map(|(before, after)| cost(before, after)).collect())
        })
        .collect()
}

/// Loads and attaches a program that counts in one map.
fn in_process(kind: &str, insns: Vec<u8>) -> Result<((Prog, Link, Map), u32)> {
    let map = Map::create(&MapSpec::new("hist", MapType::Array, 4, 8, 64)).map_err(text)?;
    let insns = with_map(insns, map.as_fd().as_raw_fd());
    let (program_type, expected_attach_type) = match kind {
        "raw_tp" => (ProgramType::RawTracepoint, None),
        "tp_btf" => (ProgramType::Tracing, Some(AttachType::TraceRawTp)),
        "fentry" => (ProgramType::Tracing, Some(AttachType::TraceFentry)),
        "kprobe" => (ProgramType::Kprobe, None),
        _ => (ProgramType::Tracepoint, None),
    };
    let attach_btf_id = match kind {
        "tp_btf" => {
            with_types(|btf| Ok(btf.trace_args("block_rq_issue")?.map(|args| args.type_id)))?
        }
        "fentry" => {
            with_types(|btf| btf.find_id(rawbpf::btf::TypeKind::Func, "blk_mq_start_request"))?
        }
        _ => 0,
    };
    let load =
        Load { insns: &insns, expected_attach_type, attach_btf_id, ..Load::new(program_type) };
    let prog = prog::load(&load).map_err(text)?;
    let link = match kind {
        "raw_tp" => link::raw_tracepoint(&prog, c"block_rq_issue"),
        "tp_btf" | "fentry" => link::tracing(&prog),
        _ => event(kind)?.attach(&prog),
    };
    let link = link.map_err(text)?;
    let id = object::prog_info(prog.as_fd()).map_err(text)?.id;
    Ok(((prog, link, map), id))
}

fn event(kind: &str) -> Result<PerfEvent> {
    const FUNCTION: &CStr = c"blk_mq_start_request";
    match kind {
        "kprobe" => PerfEvent::kprobe(FUNCTION, 0, At::Entry).map_err(text),
        _ => {
            let tracefs = Tracefs::find().ok_or("no tracefs")?;
            let id = tracefs.tracepoint_id("block", "block_rq_issue").map_err(text)?;
            PerfEvent::tracepoint(id).map_err(text)
        }
    }
}

fn empty() -> Vec<u8> {
    let mut a = Asm::new();
    a.mov(w0, 0);
    a.exit();
    encode(a.finish().unwrap().insns(), Endian::HOST)
}

/// The program of `benches/clang`, compiled for this kind and this kernel. Where it refers to the map,
/// the source register says so, as [`with_map`] wants it.
fn clang(kind: &str) -> Result<Vec<u8>> {
    let object = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{kind}.o"));
    let field = match kind {
        "tracepoint" => Tracefs::find()
            .ok_or("no tracefs")?
            .tracepoint_format("block", "block_rq_issue")
            .map_err(text)?
            .field("bytes")
            .map(|field| field.offset),
        _ => Some(with_types(|btf| Ok(btf.field("request", "__data_len")?.map(|f| f.offset)))?),
    };
    let field = field.ok_or("no such field")?;
    let built = common::clang()?
        .args(["-O2", "-target", "bpf", "-mcpu=v3", "-c"])
        .args([format!("-DKIND_{kind}"), format!("-DFIELD={field}"), "-o".into()])
        .arg(&object)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/clang/bitehist.bpf.c"))
        .status();
    if !built.is_ok_and(|status| status.success()) {
        return Err("clang does not compile benches/clang".into());
    }
    let bytes = fs::read(&object).map_err(text)?;
    let elf = Elf::parse(&bytes).map_err(text)?;
    let named = |name| {
        let mut sections = elf.section_headers.iter().enumerate();
        sections.find(|(_, section)| elf.shdr_strtab.get_at(section.sh_name) == Some(name))
    };
    let (index, section) = named("prog").ok_or("no program")?;
    let mut insns = bytes[section.file_range().ok_or("no program")?].to_vec();
    for (relocated, relocations) in &elf.shdr_relocs {
        if elf.section_headers[*relocated].sh_info as usize == index {
            for relocation in relocations.iter() {
                insns[relocation.r_offset as usize + 1] |= 1 << 4;
            }
        }
    }
    Ok(insns)
}

/// Puts the map's descriptor into the instructions that refer to one.
fn with_map(mut insns: Vec<u8>, map: i32) -> Vec<u8> {
    for slot in insns.chunks_exact_mut(8) {
        if slot[0] == 0x18 && slot[1] >> 4 == 1 {
            slot[4..].copy_from_slice(&map.to_ne_bytes());
        }
    }
    insns
}

fn with_types<T>(
    find: impl FnOnce(&mut rawbpf::btf::Btf) -> std::result::Result<Option<T>, rawbpf::btf::BtfError>,
) -> Result<T> {
    let types = KernelTypes::running();
    let mut btf = types.btf().map_err(text)?.ok_or("no BTF")?;
    find(&mut btf).map_err(text)?.ok_or("this kernel has no such type".into())
}
