//! `rawbpf asm`: from text to bytes.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::dump::{Dumped, dump};
use super::input;
use super::output_file::OutputFile;
use super::stop::Stop;
use crate::host::KernelTypes;
use crate::insn::Endian;
use crate::source::write::object;
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

    /// Write to FILE instead of stdout, which is -
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The byte order: little or big [default: this host's]
    #[arg(long, value_name = "ORDER", hide_possible_values = true)]
    endian: Option<EndianOption>,

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
enum EndianOption {
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
  .program NAME cgroup/connect4   any of libbpf's names of sections, its place after it
  .program NAME TYPE ATTACH-TYPE  cgroup_sock_addr connect4, sk_skb stream_parser, ...
  .flags sleepable strict_alignment  what the program is loaded with, by name or number
  .map hist array key 4 value 8 entries 64 flags 0
  .map conf array key 4 value 8 entries 1 flags rdonly_prog frozen   constants, and
  .data conf 2a 00 \"text\"        its first element, in bytes
  .map m hash key 4 value 32 entries 9 lock 0 timer 8   offsets of a bpf_spin_lock, a bpf_timer
  .extern NAME  a function or variable of the kernel: call NAME, extern[NAME]; linked by verify and run
  .extern CONFIG_HZ u32   its configuration, by type; .extern NAME address   a symbol without a type
  .type 3 struct \"v\" 8 \"a\" 1 0   a type by its id: kind, name, size; of each member name, type, bit
  .map m hash key 4 value 8 entries 9 types 1 3   the types of key and value: kptrs, lists, trees
  .func 7                         the type of the function that begins next
  .core byte_off 3 0:0            the next instruction has the place of a field in the running
                                  kernel (CO-RE), for verify and run; dump writes all of these
  insn 0x8d dst 1 imm 5           any slot by its fields, also one that is no instruction
  .program NAME unknown   .program NAME function   of no known kind; a function that no program calls
  .map outer array_of_maps key 4 value 4 entries 2 inner hist
  ; comment   # comment   // comment";

pub fn run(options: &Options) -> Result<(), Stop> {
    let output = OutputFile::open(options.output.as_deref().unwrap_or(Path::new("-")))?;
    let types = KernelTypes::new(options.btf.as_deref())?;
    let text = input::read(&options.file, &types)?;
    let endian = match options.endian {
        None => Endian::HOST,
        Some(EndianOption::Little) => Endian::Little,
        Some(EndianOption::Big) => Endian::Big,
    };
    // In memory first, so that nothing is written if something is wrong.
    let mut bytes = vec![];
    match options.emit {
        Emit::Format(format) => {
            dump(&mut bytes, format, endian, &Dumped::all(&text), &text.maps)?;
        }
        Emit::Elf => bytes = object(&text, endian)?,
    }
    match options.emit {
        Emit::Elf | Emit::Format(Format::Raw) => output.write(&bytes),
        Emit::Format(_) => output.write_text(&bytes),
    }
}
