//! `rawbpf asm`: from text to bytes.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Stop;
use super::dump::{Dumped, LICENSE, dump, resolved};
use super::text::{self, ProgramKind, Text};
use crate::btf::ObjectMap;
use crate::elf::write::{Object, ObjectProgram, write};
use crate::error::Error;
use crate::host::KernelTypes;
use crate::insn::Endian;
use crate::sys::ProgramType;
use crate::view::dump::Format;

/// Assemble programs from text: your own, or what --dump-insns prints
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The text; - for stdin
    file: PathBuf,

    /// listing, opcodes, linum, hex, c, json, raw, or elf: an object that libbpf can load
    #[arg(long, value_name = "FORMAT", default_value = "hex", value_parser = emit)]
    emit: Emit,

    /// Write to FILE instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The byte order: little or big [default: this host's]
    #[arg(long, value_name = "ORDER", hide_possible_values = true)]
    endian: Option<Order>,

    /// Read the kernel's types from FILE (BTF, or an ELF object with BTF), not from /sys/kernel/btf
    #[arg(long, value_name = "FILE")]
    btf: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Emit {
    /// A format of `--dump-insns`.
    Format(Format),
    Elf,
}

fn emit(word: &str) -> Result<Emit, String> {
    match word {
        "elf" => Ok(Emit::Elf),
        _ => Format::from_str(word, false)
            .map(Emit::Format)
            .map_err(|_| "it must be listing, opcodes, linum, hex, c, json, raw or elf".to_owned()),
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Order {
    Little,
    Big,
}

const EXAMPLES: &str = "\
Examples:
  rawbpf asm drop.bpf --emit elf -o drop.o; bpftool prog load drop.o /sys/fs/bpf/drop
  echo 'r0 = 0
        exit' | rawbpf asm -                  the bytes of two instructions
  rawbpf bitehist --dump-insns > b.txt; rawbpf asm b.txt --emit raw -o b.bin

Each line is an instruction, as the verifier or llvm-objdump prints it. The text may also have:
  out:   if r0 == 0 goto out                  labels, also to call
  call bpf_map_lookup_elem                    helpers by name
  r1 = map[hist]   r1 = map[hist][0]+8        a map, the address of its first value
  r1 = *(u32 *)(r6 + offsetof(struct request, __data_len))
  .program NAME xdp   .program NAME kprobe FUNCTION   .license \"GPL\"
  .map hist array key 4 value 8 entries 64 flags 0
  ; comment   # comment   // comment";

pub fn run(options: &Options) -> Result<(), Stop> {
    let types = KernelTypes::new(options.btf.as_deref())?;
    let text = text::read(&options.file, &types)?;
    let endian = match options.endian {
        None => Endian::HOST,
        Some(Order::Little) => Endian::Little,
        Some(Order::Big) => Endian::Big,
    };
    // In memory first, so that nothing is written if something is wrong.
    let mut bytes = vec![];
    match options.emit {
        Emit::Format(format) => dump(&mut bytes, format, endian, &text.dumped(), &text.maps)?,
        Emit::Elf => bytes = object(&text, endian)?,
    }
    match &options.output {
        None => {
            let mut out = io::stdout().lock();
            out.write_all(&bytes)?;
            Ok(out.flush()?)
        }
        Some(path) => File::create(path)
            .and_then(|mut file| file.write_all(&bytes))
            .map_err(|error| Error::failed(format!("{}: {error}", path.display())).into()),
    }
}

/// An ELF object of all programs.
fn object(text: &Text, endian: Endian) -> Result<Vec<u8>, Error> {
    let dumped = text.dumped();
    let sections = dumped.iter().zip(&text.kinds).map(|(program, kind)| {
        resolved(program.program)?;
        section(program, *kind).ok_or_else(|| {
            let Dumped { name, kind, place, .. } = program;
            Error::failed(format!("{name}: libbpf has no section for {kind} {place}"))
        })
    });
    let sections = sections.collect::<Result<Vec<_>, Error>>()?;
    if let Some(map) = text.maps.iter().find(|map| map.types.is_some()) {
        let what = format!("map {} has a lock, which rawbpf cannot write to an object", map.name);
        return Err(Error::failed(what).next("rawbpf run and rawbpf verify accept the text itself"));
    }
    let maps: Vec<_> = text
        .maps
        .iter()
        .map(|map| ObjectMap {
            name: &map.name,
            map_type: map.map_type as u32,
            key_size: map.key_size,
            value_size: map.value_size,
            max_entries: map.max_entries,
            flags: map.flags,
        })
        .collect();
    let programs: Vec<_> = dumped
        .iter()
        .zip(&sections)
        .map(|(program, section)| ObjectProgram {
            section,
            name: program.name,
            program: program.program,
        })
        .collect();
    let license = text.license.as_deref().unwrap_or(LICENSE);
    let object = Object { endian, license, maps: &maps, programs: &programs };
    write(&object).map_err(|error| Error::failed(error.to_string()))
}

/// libbpf's section name for a program of this type or place.
fn section(program: &Dumped, kind: ProgramKind) -> Option<String> {
    let place = &program.place;
    let program_type = match kind {
        // libbpf looks for one function by its name.
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
