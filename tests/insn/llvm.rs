//! llvm's assembler and disassembler: text of theirs from bytes of ours, bytes of theirs from text
//! of ours. Needs LLVM 19, the first that knows all of ISA v4.

use std::collections::HashSet;
use std::io::Write;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rawbpf::insn::*;

use super::bytes::known;
use super::forms::{any_insn, every_form, form, missing};

const RANDOM: usize = 5000;

#[test]
#[ignore = "needs llvm-mc and llvm-objdump: run tests/run"]
fn llvm_reads_our_bytes_as_we_list_them() {
    let llvm = Llvm::newest();
    let insns: Vec<Insn> = instructions().into_iter().filter(|insn| llvm.knows(insn)).collect();
    for (triple, endian) in [("bpfel", Endian::Little), ("bpfeb", Endian::Big)] {
        let theirs = llvm.disassemble(triple, &encode(&insns, endian));
        assert_eq!(theirs.len(), insns.len());
        for (insn, theirs) in insns.iter().zip(&theirs) {
            assert_eq!(spelling(insn), decimal(theirs), "{triple}: {insn:?}");
        }
    }
    report(&llvm, "disassembled", &insns, llvm.unknown());
}

#[test]
#[ignore = "needs llvm-mc and llvm-objdump: run tests/run"]
fn llvm_writes_our_text_as_our_bytes() {
    let llvm = Llvm::newest();
    let insns = instructions().into_iter().filter(|insn| llvm.knows(insn) && can_be_written(insn));
    let insns: Vec<Insn> = insns.collect();
    let text: Vec<String> = insns.iter().map(spelling).collect();
    for (triple, endian) in [("bpfel", Endian::Little), ("bpfeb", Endian::Big)] {
        let theirs = llvm.assemble(triple, &text.join("\n"));
        assert_eq!(theirs.len(), insns.len());
        for (insn, theirs) in insns.iter().zip(&theirs) {
            assert_eq!(&encode(&[*insn], endian), theirs, "{triple}: {insn}");
        }
    }
    report(&llvm, "assembled", &insns, &[llvm.unknown(), &CALLS_BY_SYMBOL].concat());
}

#[test]
#[ignore = "needs llvm-mc and llvm-objdump: run tests/run"]
fn llvms_text_is_read_as_its_bytes() {
    let llvm = Llvm::newest();
    // Of a two-slot load it names numbers that its own assembler takes for others.
    let pseudo = |insn: &Insn| matches!(insn, Insn::LoadImm64 { value, .. } if !matches!(value, Imm64::Value(_)));
    let insns = instructions().into_iter();
    let told = insns.filter(|insn| llvm.knows(insn) && can_be_written(insn) && !pseudo(insn));
    let insns: Vec<Insn> = told.collect();
    let texts = llvm.disassemble("bpfel", &encode(&insns, Endian::Little));
    for (insn, text) in insns.iter().zip(&texts) {
        let source = parse("llvm", text).unwrap_or_else(|mistakes| panic!("{insn:?}\n{mistakes}"));
        assert_eq!(source.programs[0].program.insns(), [*insn], "{text}");
    }
    // A whole file, with slots and raw bytes.
    let dump = llvm.dump("bpfel", &encode(&insns, Endian::Little), &[]);
    let code = dump.lines().skip_while(|line| !line.ends_with(">:")).skip(1);
    let code: Vec<&str> = code.collect();
    let source = parse("llvm", &code.join("\n")).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(source.programs[0].program.insns(), insns);
}

/// What LLVM 19 and 20 take for something else, or for nothing.
const ACQUIRE_RELEASE: [&str; 8] = [
    "r0 = load_acquire((u8 *)(r0 +0))",
    "r0 = load_acquire((u16 *)(r0 +0))",
    "r0 = load_acquire((u32 *)(r0 +0))",
    "r0 = load_acquire((u64 *)(r0 +0))",
    "store_release((u8 *)(r0 +0), r0)",
    "store_release((u16 *)(r0 +0), r0)",
    "store_release((u32 *)(r0 +0), r0)",
    "store_release((u64 *)(r0 +0), r0)",
];

/// What llvm-mc writes for the linker to fill in only.
const CALLS_BY_SYMBOL: [&str; 2] = ["call pc+0", "call kernel-function#0"];

/// The rows of the table of bytes, all forms with zeroes, and random instructions.
fn instructions() -> Vec<Insn> {
    let mut runner = TestRunner::deterministic();
    let random = prop::collection::vec(any_insn(), RANDOM).new_tree(&mut runner);
    let random = random.expect("a strategy").current();
    known().map(|row| row.insn).chain(every_form()).chain(random).collect()
}

fn report(llvm: &Llvm, what: &str, compared: &[Insn], left_out: &[&str]) {
    let forms: HashSet<Insn> = compared.iter().map(form).collect();
    let (version, count) = (llvm.version, compared.len());
    println!("LLVM {version} {what} {} forms, {count} instructions; not these:", forms.len());
    left_out.iter().for_each(|form| println!("  {form}"));
    let mut missing = missing(forms);
    missing.retain(|form| !left_out.contains(&form.as_str()));
    assert_eq!(missing, Vec::<String>::new());
}

/// Whether llvm-mc can be told all of the instruction. Its text leaves out whose function is
/// called, what is added to the index of a packet load, and the second number of a two-slot load.
pub fn can_be_written(insn: &Insn) -> bool {
    match *insn {
        Insn::Call(callee) => matches!(callee, Callee::Helper(_)),
        Insn::LoadPacket { index: Some(_), offset, .. } => offset == 0,
        Insn::LoadImm64 { value, .. } => match value {
            Imm64::MapFdValue { offset, .. } | Imm64::MapIndexValue { offset, .. } => offset == 0,
            Imm64::BtfId { module_fd, .. } => module_fd == 0,
            Imm64::Value(_) | Imm64::MapFd(_) | Imm64::Func { .. } | Imm64::MapIndex(_) => true,
        },
        // gotol with a number, not a symbol, takes 16 bits of it.
        Insn::Gotol { offset } => i16::try_from(offset).is_ok(),
        _ => true,
    }
}

/// Our listing of an instruction as llvm spells it, numbers in decimal.
pub fn spelling(insn: &Insn) -> String {
    let text = insn.to_string().replace(" pc", " ");
    match *insn {
        Insn::Alu { .. } | Insn::Movsx { .. } | Insn::Neg { .. } => text,
        Insn::ToEndian { .. } | Insn::Bswap { .. } | Insn::Exit | Insn::Raw(_) => text,
        Insn::Goto { .. } | Insn::Gotol { .. } | Insn::MayGoto { .. } => text,
        Insn::JumpIf { src: Operand::Imm(_), .. } => {
            decimal_with(&text, |value| i64::from(value as i32))
        }
        Insn::JumpIf { .. } => text,
        Insn::Load { type_, base, .. } => match type_ {
            LoadType::U8 | LoadType::U16 | LoadType::U32 => halves(&spaced(&text, base)),
            _ => spaced(&text, base),
        },
        Insn::Store { size, base, .. }
        | Insn::LoadAcquire { size, base, .. }
        | Insn::StoreRelease { size, base, .. } => match size {
            Size::U8 | Size::U16 | Size::U32 => halves(&spaced(&text, base)),
            Size::U64 => spaced(&text, base),
        },
        Insn::Atomic { op, width, base, .. } => {
            let text = spaced(&text, base).replace("atomic64_", "atomic_");
            let (text, name) = match width {
                Width::W64 => (text, "_64("),
                Width::W32 => (halves(&text), "32_32("),
            };
            match op {
                Atomic::Xchg | Atomic::Cmpxchg => text
                    .replace("atomic_", "")
                    .replace("((u64 *)(", name)
                    .replace("((u32 *)(", name)
                    .replace("), ", ", "),
                _ => text,
            }
        }
        Insn::LoadPacket { index: None, .. } => text,
        Insn::LoadPacket { index: Some(_), .. } => {
            let (start, _) = text.split_once(" + ").expect("an index and an offset");
            format!("{start}]")
        }
        Insn::LoadImm64 { value: Imm64::Value(_), .. } => {
            decimal_with(&text, |value| value as i64) + " ll"
        }
        // By their numbers; the listing has words for them.
        Insn::LoadImm64 { dst, .. } => {
            let slot = insn.to_slots().next().expect("two slots");
            format!("ld_pseudo {dst}, {}, {}", slot.src, slot.imm as u32)
        }
        Insn::Call(Callee::Local { offset }) => format!("call {offset}"),
        Insn::Call(Callee::Helper(_) | Callee::Kfunc { .. }) => {
            let number = text.rsplit('#').next().and_then(|number| number.split('[').next());
            format!("call {}", number.expect("a number"))
        }
    }
}

/// `(r1 +4)` as `(r1 + 4)`.
fn spaced(text: &str, base: Reg) -> String {
    let spaced = |sign| (format!("({base} {sign}"), format!("({base} {sign} "));
    let (plus, minus) = (spaced('+'), spaced('-'));
    text.replace(&plus.0, &plus.1).replace(&minus.0, &minus.1)
}

/// Registers that hold data, not the address, as halves.
fn halves(text: &str) -> String {
    let mut previous = ' ';
    let half = |c| {
        let data = c == 'r' && !previous.is_ascii_alphanumeric() && previous != '(';
        previous = c;
        if data { 'w' } else { c }
    };
    text.chars().map(half).collect()
}

/// llvm's text with its hexadecimal numbers in decimal and without what it adds: symbols, tabs.
fn decimal(text: &str) -> String {
    let text = text.split(" <.text").next().unwrap_or_default().replace('\t', " ");
    decimal_with(&text, |value| i64::try_from(value).expect("a minus stands before it"))
}

fn decimal_with(text: &str, signed: impl Fn(u64) -> i64) -> String {
    let mut parts = text.split("0x");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(part.len());
        let value = u64::from_str_radix(&part[..end], 16).expect("a number");
        out += &signed(value).to_string();
        out += &part[end..];
    }
    out
}

/// The newest llvm on the path: `llvm-mc-19`, or `llvm-mc` if it has no number.
pub struct Llvm {
    suffix: String,
    version: u32,
}

impl Llvm {
    pub fn newest() -> Llvm {
        let numbered = (19..40).rev().map(|number| format!("-{number}"));
        let suffixes = numbered.chain([String::new()]);
        let found = suffixes.filter_map(|suffix| {
            let output = Command::new(format!("llvm-mc{suffix}")).arg("--version").output().ok()?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let version = text.split("LLVM version ").nth(1)?.split('.').next()?.parse().ok()?;
            Some(Llvm { suffix, version })
        });
        let newest = found.max_by_key(|llvm| llvm.version);
        newest.filter(|llvm| llvm.version >= 19).expect("LLVM 19 or later is installed")
    }

    fn unknown(&self) -> &'static [&'static str] {
        if self.version < 21 { &ACQUIRE_RELEASE } else { &[] }
    }

    pub fn knows(&self, insn: &Insn) -> bool {
        !self.unknown().contains(&form(insn).to_string().as_str())
    }

    /// A line of text each instruction.
    fn disassemble(&self, triple: &str, bytes: &[u8]) -> Vec<String> {
        let text = self.dump(triple, bytes, &["--no-show-raw-insn"]);
        let lines = text.lines().filter_map(|line| line.split_once(":\t"));
        let lines = lines.filter(|(slot, _)| slot.trim().parse::<usize>().is_ok());
        lines.map(|(_, text)| text.to_owned()).collect()
    }

    fn dump(&self, triple: &str, bytes: &[u8], more: &[&str]) -> String {
        let source: String = bytes.iter().map(|byte| format!(".byte {byte}\n")).collect();
        let object = self.run("llvm-mc", &["-triple", triple, "-filetype=obj"], source.as_bytes());
        let options = ["-d", "-z", "--mcpu=v4", "--mattr=+alu32", "-"];
        let text = self.run("llvm-objdump", &[&options, more].concat(), &object);
        String::from_utf8(text).expect("text")
    }

    /// The bytes of each line of text.
    pub fn assemble(&self, triple: &str, text: &str) -> Vec<Vec<u8>> {
        let options = ["-triple", triple, "-mcpu=v4", "-mattr=+alu32", "-show-encoding"];
        let shown = String::from_utf8(self.run("llvm-mc", &options, text.as_bytes()));
        let shown = shown.expect("text");
        let encodings = shown.lines().filter_map(|line| line.split_once("encoding: ["));
        let byte = |byte: &str| {
            let digits = byte.trim().strip_prefix("0x").expect("a number");
            u8::from_str_radix(digits, 16).expect("a byte")
        };
        encodings.map(|(_, hex)| hex.trim_end_matches(']').split(',').map(byte).collect()).collect()
    }

    fn run(&self, tool: &str, options: &[&str], input: &[u8]) -> Vec<u8> {
        let mut command = Command::new(format!("{tool}{}", self.suffix));
        command.args(options).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect(tool);
        let mut stdin = child.stdin.take().expect("a pipe");
        let output = std::thread::scope(|scope| {
            // Dropped when all is written: that ends the tool's input.
            scope.spawn(move || stdin.write_all(input));
            child.wait_with_output()
        });
        let output = output.expect(tool);
        assert!(output.status.success(), "{tool} {options:?}: {}", output.status);
        output.stdout
    }
}
