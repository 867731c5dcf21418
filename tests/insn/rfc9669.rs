//! Every instruction of RFC 9669 and of each of its conformance groups (section 2.4): from text to
//! bytes, run by the kernel, and what is then in r0. Operands come from a map, so that the verifier
//! cannot know them and the instruction itself runs.

use std::collections::HashSet;
use std::os::fd::{AsFd, AsRawFd};

use rawbpf::insn::*;
use rawbpf::run::program_btf;
use rawbpf::sys::map::Update;
use rawbpf::sys::prog::{TestRun, load};
use rawbpf::sys::{Load, LoadBtf, Map, MapSpec, MapType, ProgramType};

use super::forms::{form, missing};
use super::llvm::{Llvm, can_be_written, spelling};
use super::rows::{self, Case, ENDED};

/// A program that gets its operands from one map and puts its result into another.
fn whole(case: &Case) -> Source {
    let (text, functions) = case.text.split_once("---").unwrap_or((&case.text, ""));
    let text = format!(
        ".license \"GPL\"
            .map in array key 4 value 16 entries 1
            .map out array key 4 value 8 entries 1
            r6 = r1
            r8 = map[in][0]+0
            r0 = *(u64 *)(r8 + 0)
            r1 = *(u64 *)(r8 + 8)
            {text}
            r8 = map[out][0]+0
            *(u64 *)(r8 + 0) = r0
            r0 = 0
            exit
            {functions}"
    );
    parse("row", &text).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}
/// All for this host.
fn cases() -> Vec<Case> {
    rows::cases(Endian::HOST)
}

/// Forms that no row has, and why.
const LEFT_OUT: [(&str, &str); 6] = [
    ("call kernel-function#0", "needs a kernel function's BTF id: not of the RFC"),
    ("r0 = btf[0]", "needs a kernel variable's BTF id"),
    ("r0 = map[idx:0]", "what a program is loaded with: the rows' map[..]"),
    ("r0 = map[idx:0][0]+0", "what a program is loaded with: the rows' map[..][0]"),
    ("r0 = map[fd:0]", "made of map[..] when a program is loaded"),
    ("r0 = map[fd:0][0]+0", "made of map[..][0] when a program is loaded"),
];

#[test]
fn there_is_a_row_for_every_form_of_an_instruction() {
    let cases = cases();
    assert!(cases.len() > 500, "{}", cases.len());
    let seen = cases.iter().flat_map(|case| whole(case).programs[0].program.insns().to_vec());
    let mut missing = missing(seen.collect::<Vec<_>>());
    missing.retain(|form| !LEFT_OUT.iter().any(|(name, _)| name == form));
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn every_instruction_does_on_the_kernel_what_the_rfc_says() {
    let map =
        |name: &str, size| Map::create(&MapSpec::new(name, MapType::Array, 4, size, 1)).unwrap();
    let (input, output) = (map("in", 16), map("out", 8));
    let key = [0; 4];
    let fds = [&input, &output].map(|map| map.as_fd().as_raw_fd());
    let packet: Vec<u8> = (0..64).collect();
    let mut wrong = vec![];
    let cases = cases();
    for case in &cases {
        let source = whole(case);
        let program = &source.programs[0].program;
        let types = program_btf("rfc9669", program);
        let insns = encode(&program.with_map_fds(&fds).unwrap(), Endian::HOST);
        let loaded = load(&Load {
            insns: &insns,
            license: program.license().unwrap(),
            btf: Some(LoadBtf {
                blob: &types.btf,
                func_info: &types.func_info,
                line_info: &types.line_info,
            }),
            ..Load::new(ProgramType::SocketFilter)
        });
        let loaded = loaded.unwrap_or_else(|error| panic!("{}\n{error}\n{}", case.text, error.log));
        let operands = [case.a.to_ne_bytes(), case.b.to_ne_bytes()].concat();
        input.update(&key, &operands, Update::Any).unwrap();
        output.update(&key, &ENDED.to_ne_bytes(), Update::Any).unwrap();
        let run = TestRun { data_in: &packet, ..TestRun::default() };
        loaded.test_run(run).unwrap();
        let mut result = [0; 8];
        output.lookup(&key, &mut result).unwrap();
        let result = u64::from_ne_bytes(result);
        if result != case.expected {
            let Case { text, a, b, expected } = case;
            wrong.push(format!("{text}\n  of {a:#x}, {b:#x}: {result:#x}, not {expected:#x}"));
        }
    }
    println!("{} programs", cases.len());
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
#[ignore = "needs llvm-mc and llvm-objdump: run tests/run"]
fn llvm_writes_the_same_bytes_for_every_row() {
    let llvm = Llvm::newest();
    let insns: HashSet<Insn> =
        cases().iter().flat_map(|case| whole(case).programs[0].program.insns().to_vec()).collect();
    let insns = insns.into_iter().filter(|insn| llvm.knows(insn) && can_be_written(insn));
    let insns: Vec<Insn> = insns.collect();
    let text: Vec<String> = insns.iter().map(spelling).collect();
    for (triple, endian) in [("bpfel", Endian::Little), ("bpfeb", Endian::Big)] {
        let theirs = llvm.assemble(triple, &text.join("\n"));
        assert_eq!(theirs.len(), insns.len());
        for (insn, theirs) in insns.iter().zip(&theirs) {
            assert_eq!(&encode(&[*insn], endian), theirs, "{triple}: {insn}");
        }
    }
    let forms: HashSet<Insn> = insns.iter().map(form).collect();
    println!("{} instructions of {} forms", insns.len(), forms.len());
}
