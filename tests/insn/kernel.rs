//! The running kernel's own listing. At log level 2 the verifier prints a program twice: whole,
//! under "Live regs before insn" (Linux 6.16), and what it walks through, with its state behind.
//! The programs use every instruction, so the kernel must be of Linux 6.15 or later.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::thread::sleep;
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rawbpf::insn::*;

use super::forms::{Operands, any_insn, fill, form, missing};

/// Forms that the kernel cannot be asked about here, and why.
const LEFT_OUT: [(&str, &str); 2] = [
    ("r0 = btf[0]", "needs the BTF id of a kernel variable, and prints its address"),
    ("call kernel-function#0", "the kernel prints the function's name, which the listing has not"),
];

/// And of a program that loads.
const LEFT_OUT_OF_WALK: [(&str, &str); 3] =
    [LEFT_OUT[0], LEFT_OUT[1], ("r0 = func[pc+0]", "needs BTF of the function")];

fn is_one_of(forms: &[(&str, &str)], insn: &Insn) -> bool {
    let form = form(insn).to_string();
    forms.iter().any(|(name, _)| *name == form)
}

const PROGRAMS: usize = 150;
const VALUE_SIZE: u32 = 65536;

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn programs_that_load_are_listed_as_the_verifier_walks_through_them() {
    let array = array_map();
    let mut runner = TestRunner::deterministic();
    let mut seen = HashSet::new();
    let mut compared = 0;
    for _ in 0..PROGRAMS {
        let steps = prop::collection::vec(accepted_step(&array), 40).new_tree(&mut runner);
        let program = assemble(accepted_start(), steps.expect("a strategy").current());
        let log = load(&program, &array).unwrap_or_else(|log| panic!("refused:\n{log}"));
        compared += compare(&program, &trace(&log), &mut seen);
    }
    check_seen(compared, seen, &LEFT_OUT_OF_WALK);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn programs_of_any_operands_are_listed_as_the_verifier_lists_them_whole() {
    let array = array_map();
    let smallest = load(&assemble(vec![], vec![]), &array).expect("it returns 0");
    if whole(&smallest).is_none() {
        println!("this kernel does not list programs whole: nothing compared");
        return;
    }
    let mut runner = TestRunner::deterministic();
    let mut seen = HashSet::new();
    let mut compared = 0;
    for _ in 0..PROGRAMS {
        let steps = prop::collection::vec(any_step(&array), 80).new_tree(&mut runner);
        let program = assemble(vec![], steps.expect("a strategy").current());
        // Hardly any of them is accepted, but all are listed before that is known.
        let log = load(&program, &array).unwrap_or_else(|log| log);
        let whole = whole(&log).unwrap_or_else(|| panic!("not listed:\n{log}"));
        assert_eq!(compare(&program, &whole, &mut seen), program.len(), "{log}");
        compared += program.len();
    }
    check_seen(compared, seen, &LEFT_OUT);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn every_known_helper_has_the_kernels_name() {
    let known = (0..1000).filter(|id| Helper::by_id(*id).is_some());
    let calls: Vec<Insn> = known.map(|id| Insn::Call(Callee::Helper(id as i32))).collect();
    let array = array_map();
    for call in &calls {
        let program = assemble(vec![], vec![vec![Piece::Insn(*call)]]);
        let log = load(&program, &array).unwrap_or_else(|log| log);
        let lines = whole(&log).unwrap_or_else(|| trace(&log));
        assert!(compare(&program, &lines, &mut HashSet::new()) >= 1, "{log}");
    }
    println!("{} helpers", calls.len());
}

fn check_seen(compared: usize, seen: HashSet<Insn>, left_out: &[(&str, &str)]) {
    println!("{compared} instructions compared, {} forms; not these:", seen.len());
    left_out.iter().for_each(|(form, reason)| println!("  {form}: {reason}"));
    let mut missing = missing(seen);
    missing.retain(|form| !left_out.iter().any(|(name, _)| name == form));
    assert_eq!(missing, Vec::<String>::new());
    assert!(compared > 5000, "only {compared} instructions compared");
}

// What the kernel prints.

/// The program's lines in the verifier's walk, by slot.
fn trace(log: &str) -> BTreeMap<usize, String> {
    log.lines().filter_map(instruction).collect()
}

/// The program's lines in the listing before the walk, which shows live registers before each.
fn whole(log: &str) -> Option<BTreeMap<usize, String>> {
    let lines = log.lines().skip_while(|line| *line != "Live regs before insn:").skip(1);
    let listed = lines.map_while(|line| {
        // The loop an instruction belongs to stands before its slot.
        let (slot, rest) = line.split_once(": ")?;
        let slot = slot.split_whitespace().last()?;
        let (live, text) = rest.split_once(' ')?;
        (live.len() == 10).then(|| instruction(&format!("{slot}: {text}")))?
    });
    Some(listed.collect::<BTreeMap<_, _>>()).filter(|listed| !listed.is_empty())
}

/// `7: (b7) r0 = 1   ; R0=1` without the state.
fn instruction(line: &str) -> Option<(usize, String)> {
    let (slot, rest) = line.split_once(": ")?;
    let text = rest.split(';').next()?.trim_end();
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'(') || bytes.get(3) != Some(&b')') {
        return None;
    }
    Some((slot.parse().ok()?, text.to_owned()))
}

/// Compares what the kernel printed with the listing; how many instructions were compared.
fn compare(program: &[Insn], printed: &BTreeMap<usize, String>, seen: &mut HashSet<Insn>) -> usize {
    let mut slot = 0;
    let mut compared = 0;
    for insn in program {
        if let Some(kernels) = printed.get(&slot) {
            let ours = listing::line(slot, insn, listing::Names::default()).to_string();
            let (ours, kernels) = comparable(insn, &ours, &format!("{slot}: {kernels}"));
            assert_eq!(ours, kernels, "{insn:?}");
            seen.insert(form(insn));
            compared += 1;
        }
        slot += insn.slots();
    }
    compared
}

/// The lines as they must agree: the listing names what the kernel has only the number of.
fn comparable(insn: &Insn, ours: &str, kernels: &str) -> (String, String) {
    let Insn::LoadImm64 { value, .. } = insn else {
        return (ours.to_owned(), kernels.to_owned());
    };
    let (start, _) = ours.split_once(" = ").expect("a load has a source");
    match value {
        Imm64::Value(_) => (ours.to_owned(), kernels.to_owned()),
        Imm64::Func { offset } => (format!("{start} = 0x{offset:x}"), kernels.to_owned()),
        // An address in the kernel.
        _ => {
            let (kernels, address) = kernels.split_once(" = 0xffff").expect("a kernel address");
            assert_eq!(address.len(), 12);
            (start.to_owned(), kernels.to_owned())
        }
    }
}

// Programs.

/// What a program is put together from, before it is known where things lie.
#[derive(Clone, Debug)]
enum Piece {
    Insn(Insn),
    /// A jump to the start of the step so many steps on (or back), or to the last step.
    Jump(Insn, isize),
    /// A call, or a load of the address, of the function behind the program.
    Function(Insn),
}

type Step = Vec<Piece>;

fn plain(insns: impl IntoIterator<Item = Insn>) -> Step {
    insns.into_iter().map(Piece::Insn).collect()
}

/// The steps, an exit, and a function for those that call one.
fn assemble(start: Vec<Insn>, steps: Vec<Step>) -> Vec<Insn> {
    let end = plain([mov(r0, 0), Insn::Exit]);
    // The function is reachable in any case.
    let call = vec![Piece::Function(Insn::Call(Callee::Local { offset: 0 }))];
    let mut all = vec![plain(start)];
    all.extend(steps);
    all.extend([call, end.clone(), end]);
    let slots = |step: &Step| step.iter().map(|piece| piece.insn().slots()).sum::<usize>();
    let starts: Vec<usize> = all
        .iter()
        .scan(0, |next, step| {
            let start = *next;
            *next += slots(step);
            Some(start)
        })
        .collect();
    let (last, function) = (all.len() - 2, starts[all.len() - 1]);
    let mut insns = vec![];
    let mut slot = 0;
    for (index, step) in all.iter().enumerate() {
        for piece in step {
            let insn = piece.insn();
            let to = match *piece {
                Piece::Insn(_) => None,
                Piece::Jump(_, steps) => {
                    Some(starts[index.saturating_add_signed(steps).clamp(1, last)])
                }
                Piece::Function(_) => Some(function),
            };
            // Jumps count from the next slot; a function's address from the load's second one.
            let distance = to.map(|to| to as i32 - slot as i32 - 1);
            insns.push(distance.map_or(insn, |distance| with_distance(insn, distance)));
            slot += insn.slots();
        }
    }
    insns
}

impl Piece {
    fn insn(&self) -> Insn {
        match *self {
            Piece::Insn(insn) | Piece::Jump(insn, _) | Piece::Function(insn) => insn,
        }
    }
}

fn with_distance(insn: Insn, distance: i32) -> Insn {
    let offset = distance as i16;
    match insn {
        Insn::Goto { .. } => Insn::Goto { offset },
        Insn::Gotol { .. } => Insn::Gotol { offset: distance },
        Insn::MayGoto { .. } => Insn::MayGoto { offset },
        Insn::JumpIf { width, cond, dst, src, .. } => {
            Insn::JumpIf { width, cond, dst, src, offset }
        }
        Insn::Call(_) => Insn::Call(Callee::Local { offset: distance }),
        Insn::LoadImm64 { dst, .. } => {
            Insn::LoadImm64 { dst, value: Imm64::Func { offset: distance } }
        }
        other => unreachable!("{other} has no distance"),
    }
}

/// Jumps where r8 is zero, so that what lies behind an unconditional jump or an exit is reached.
fn unless_zero(steps: isize) -> Piece {
    let (width, dst) = (Width::W64, Reg::from(r8));
    Piece::Jump(Insn::JumpIf { width, cond: Cond::Eq, dst, src: Operand::Imm(0), offset: 0 }, steps)
}

/// Any instruction with any operands, so far as the kernel lists it before it looks closer.
fn any_step(array: &OwnedFd) -> impl Strategy<Value = Step> + use<> {
    let fd = array.as_raw_fd();
    let insn = any_insn().prop_filter("left out", |insn| !is_one_of(&LEFT_OUT, insn));
    (insn, -30..30_isize).prop_map(move |(insn, steps)| match insn {
        Insn::Goto { .. } | Insn::Gotol { .. } => vec![unless_zero(1), Piece::Jump(insn, steps)],
        Insn::Exit => vec![unless_zero(1), Piece::Insn(insn)],
        Insn::MayGoto { .. } | Insn::JumpIf { .. } => vec![Piece::Jump(insn, steps)],
        Insn::Call(Callee::Local { .. }) | Insn::LoadImm64 { value: Imm64::Func { .. }, .. } => {
            vec![Piece::Function(insn)]
        }
        // A number that is no helper's: those the crate knows have a test of their own.
        Insn::Call(Callee::Helper(id)) => plain([Insn::Call(Callee::Helper(id | 0x10000))]),
        Insn::LoadImm64 { .. } => plain([with_map(insn, fd)]),
        _ => plain([insn]),
    })
}

/// Loads of a map load the one there is.
fn with_map(insn: Insn, fd: i32) -> Insn {
    let Insn::LoadImm64 { dst, value } = insn else { return insn };
    let value = match value {
        Imm64::MapFd(_) => Imm64::MapFd(fd),
        Imm64::MapIndex(_) => Imm64::MapIndex(0),
        Imm64::MapFdValue { offset, .. } => Imm64::MapFdValue { fd, offset: offset % VALUE_SIZE },
        Imm64::MapIndexValue { offset, .. } => {
            Imm64::MapIndexValue { index: 0, offset: offset % VALUE_SIZE }
        }
        Imm64::Value(_) | Imm64::BtfId { .. } | Imm64::Func { .. } => value,
    };
    Insn::LoadImm64 { dst, value }
}

// Programs that load: r6 holds the context and r7 an address on the stack, of which the lower
// half is written; all other registers hold numbers.

const STACK: i16 = 256;

fn alu(op: Alu, dst: R, src: Operand) -> Insn {
    Insn::Alu { width: Width::W64, op, dst: dst.into(), src }
}

fn mov(dst: R, imm: i32) -> Insn {
    alu(Alu::Mov, dst, Operand::Imm(imm))
}

fn accepted_start() -> Vec<Insn> {
    let frame = Operand::Reg(fp.into());
    let mut start = vec![
        alu(Alu::Mov, r6, Operand::Reg(r1.into())),
        alu(Alu::Mov, r7, frame),
        alu(Alu::Add, r7, Operand::Imm(-STACK as i32 / 2)),
    ];
    start.extend((1..=STACK / 8).map(|n| Insn::Store {
        size: Size::U64,
        base: fp.into(),
        offset: -8 * n,
        src: Operand::Imm(n.into()),
    }));
    start.extend([r0, r1, r2, r3, r4, r5, r8, r9].map(|r| mov(r, 1)));
    start
}

/// Something that is called wipes r1 to r5.
fn then_wiped(call: impl IntoIterator<Item = Piece>) -> Step {
    call.into_iter().chain(plain([r1, r2, r3, r4, r5].map(|r| mov(r, 5)))).collect()
}

/// Any instruction with operands that the verifier accepts.
fn accepted_step(array: &OwnedFd) -> impl Strategy<Value = Step> + use<> {
    let fd = array.as_raw_fd();
    let insn = any_insn().prop_filter("left out", |insn| !is_one_of(&LEFT_OUT_OF_WALK, insn));
    let number = || prop::sample::select([r0, r1, r2, r3, r4, r5, r8, r9].map(Reg::from).to_vec());
    let base = prop::sample::select(vec![Reg::from(fp), Reg::from(r7)]);
    let memory = (base, 0..STACK / 16).prop_map(|(base, slot)| match base {
        _ if base == fp.into() => (base, 8 * slot - STACK),
        _ => (base, 8 * slot - STACK / 2),
    });
    (insn, number(), number(), memory, any::<i32>(), 1..6_isize).prop_map(
        move |(insn, dst, src, (base, offset), imm, steps)| {
            let numbers = Operands { dst, src, offset, imm, high: 0 };
            let filled = fill(insn, numbers);
            match insn {
                Insn::Alu { op: Alu::Lsh | Alu::Rsh | Alu::Arsh, .. } => {
                    plain([fill(insn, Operands { imm: imm & 31, ..numbers })])
                }
                Insn::Alu { .. } => plain([fill(insn, Operands { imm: imm | 1, ..numbers })]),
                Insn::Movsx { .. } | Insn::Neg { .. } => plain([filled]),
                Insn::ToEndian { .. } | Insn::Bswap { .. } => plain([filled]),
                Insn::Load { .. } | Insn::LoadAcquire { .. } => {
                    plain([fill(insn, Operands { src: base, ..numbers })])
                }
                Insn::Store { .. } | Insn::Atomic { .. } | Insn::StoreRelease { .. } => {
                    plain([fill(insn, Operands { dst: base, ..numbers })])
                }
                Insn::Raw(_) => unreachable!("it is no instruction"),
                Insn::LoadPacket { .. } => then_wiped([Piece::Insn(filled)]),
                Insn::LoadImm64 { .. } => {
                    let then =
                        Insn::Alu { width: Width::W32, op: Alu::Mov, dst, src: Operand::Imm(2) };
                    plain([with_map(filled, fd), then])
                }
                Insn::Goto { .. } | Insn::Gotol { .. } => {
                    vec![unless_zero(1), Piece::Jump(insn, steps)]
                }
                Insn::MayGoto { .. } | Insn::JumpIf { .. } => vec![Piece::Jump(filled, steps)],
                Insn::Call(Callee::Local { .. }) => then_wiped([Piece::Function(insn)]),
                // bpf_probe_read_kernel(fp - 8, 8, 5)
                Insn::Call(_) => then_wiped(plain([
                    alu(Alu::Mov, r1, Operand::Reg(fp.into())),
                    alu(Alu::Add, r1, Operand::Imm(-8)),
                    mov(r2, 8),
                    mov(r3, 5),
                    Insn::Call(Callee::Helper(113)),
                ])),
                Insn::Exit => {
                    let exit = plain([mov(r0, 0), insn]);
                    [unless_zero(1)].into_iter().chain(exit).collect()
                }
            }
        },
    )
}

// The kernel.

/// An array map of one large value.
fn array_map() -> OwnedFd {
    let mut attr = Attr::default();
    for (at, value) in [2, 4, VALUE_SIZE, 1].into_iter().enumerate() {
        attr.u32(4 * at, value);
    }
    attr.bpf(0).expect("an array map")
}

/// Loads a socket filter, the one type that takes packet loads. The log either way.
fn load(program: &[Insn], array: &OwnedFd) -> Result<String, String> {
    let bytes = encode(program, Endian::HOST);
    let maps = [array.as_raw_fd()];
    let mut log = vec![0_u8; 16 << 20];
    let mut attr = Attr::default();
    attr.u32(0, 1);
    attr.u32(4, bytes.len() as u32 / 8);
    attr.address(8, bytes.as_ptr());
    attr.address(16, c"GPL".as_ptr());
    attr.u32(24, 2);
    attr.u32(28, log.len() as u32);
    attr.address(32, log.as_mut_ptr());
    attr.address(120, maps.as_ptr());
    // EAGAIN: the kernel wanted the thread for something else; seen several times on end.
    let mut loaded = attr.bpf(5);
    for _ in 0..1000 {
        match &loaded {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                sleep(Duration::from_millis(1));
                loaded = attr.bpf(5);
            }
            _ => break,
        }
    }
    let end = log.iter().position(|byte| *byte == 0).unwrap_or(log.len());
    let log = String::from_utf8_lossy(&log[..end]).into_owned();
    match loaded {
        Ok(_) => Ok(log),
        Err(error) => Err(format!("{log}\n{error}")),
    }
}

/// `union bpf_attr`.
struct Attr([u8; 168]);

impl Default for Attr {
    fn default() -> Attr {
        Attr([0; 168])
    }
}

impl Attr {
    fn u32(&mut self, at: usize, value: u32) {
        self.0[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    }

    fn address<T>(&mut self, at: usize, pointer: *const T) {
        self.0[at..at + 8].copy_from_slice(&(pointer as u64).to_ne_bytes());
    }

    fn bpf(&mut self, command: i32) -> io::Result<OwnedFd> {
        // SAFETY: the attribute lives through the call, and so does what its addresses point to.
        let fd =
            unsafe { libc::syscall(libc::SYS_bpf, command, self.0.as_mut_ptr(), self.0.len()) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: both commands used here return a new file descriptor.
        Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
    }
}
