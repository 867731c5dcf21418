//! The lengths of x86-64 instructions, since a breakpoint in the middle of one would destroy it; and where a
//! function returns.

use std::ops::Range;

/// Whether an instruction begins at `offset` of this code, which itself begins with an instruction. Not if
/// there are bytes before it that nobody knows as an instruction.
pub fn begins_at(code: &[u8], offset: usize) -> bool {
    let mut at = 0;
    while at < offset {
        match code.get(at..).and_then(decode) {
            Some(instruction) => at += instruction.length,
            None => return false,
        }
    }
    at == offset
}

/// The addresses at which a function returns, whose parts these are: addresses and their code. None if it may
/// be left in another way than by a return, or has bytes that nobody knows as an instruction.
pub fn returns(parts: &[(u64, Vec<u8>)]) -> Option<Vec<u64>> {
    let ranges: Vec<Range<u64>> =
        parts.iter().map(|(start, code)| *start..start.saturating_add(code.len() as u64)).collect();
    let mut returns = vec![];
    for (start, code) in parts {
        let mut at = 0;
        while at < code.len() {
            let instruction = decode(&code[at..])?;
            let end = start.wrapping_add((at + instruction.length) as u64);
            match instruction.flow {
                Flow::Next => {}
                Flow::Return => returns.push(start.wrapping_add(at as u64)),
                Flow::Jump(distance) => {
                    let target = end.wrapping_add_signed(distance);
                    if !ranges.iter().any(|range| range.contains(&target)) {
                        return None;
                    }
                }
                Flow::Anywhere => return None,
            }
            at += instruction.length;
        }
    }
    Some(returns)
}

/// Whether kernels (Linux 6.18 among them) misread the first instruction of this code, so that a process that
/// meets a breakpoint there goes wrong. Of an instruction of AVX they take the opcode for that of one without:
/// 70 to 7f, e8, e9 and eb for jumps and calls, which they then do instead. Others of these rows they refuse.
pub fn is_misread(code: &[u8]) -> bool {
    // Address size and segment may come before it.
    let prefixes = code.iter().take_while(|byte| matches!(byte, 0x64 | 0x65 | 0x67)).count();
    let opcode = match code[prefixes..] {
        [0xc5, _, opcode, ..] | [0xc4, _, _, opcode, ..] | [0x62, _, _, _, opcode, ..] => opcode,
        _ => return false,
    };
    matches!(opcode, 0x6c..=0x7f | 0xe4..=0xef)
}

/// An instruction, as far as it is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Instruction {
    /// Its bytes.
    length: usize,
    flow: Flow,
}

/// What runs after an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Flow {
    /// The next one, at last.
    Next,
    /// The caller.
    Return,
    /// The one so far after the next, or the next.
    Jump(i64),
    /// Nobody knows.
    Anywhere,
}

/// What follows an opcode.
#[derive(Clone, Copy)]
struct Form {
    modrm: bool,
    /// Bytes of the immediate.
    immediate: usize,
}

/// The first instruction of this code; none if it is cut off, or not known.
fn decode(code: &[u8]) -> Option<Instruction> {
    let mut at = 0;
    let (mut short, mut near, mut table) = (false, false, false);
    loop {
        match *code.get(at)? {
            0x66 => short = true,
            0x67 => near = true,
            // Before a jump by a register: to a place of a switch, without an endbr64.
            0x3e => table = true,
            0xf2 | 0xf3 | 0xf0 | 0x2e | 0x36 | 0x26 | 0x64 | 0x65 => {}
            _ => break,
        }
        at += 1;
    }
    let wide = match *code.get(at)? {
        rex @ 0x40..=0x4f => {
            at += 1;
            rex & 8 != 0
        }
        _ => false,
    };
    let opcode = *code.get(at)?;
    at += 1;
    let first = at;
    // An immediate of the operand's size, which is never 8 bytes.
    let sized = if short && !wide { 2 } else { 4 };
    let next = |at: usize| code.get(at).copied();
    let form = match opcode {
        0x0f => {
            let second = next(at)?;
            at += 1;
            match second {
                0x38 | 0x3a => {
                    at += 1;
                    Form { modrm: true, immediate: usize::from(second == 0x3a) }
                }
                _ => two_bytes(second)?,
            }
        }
        // VEX and EVEX: bits that say which table the opcode is of.
        0xc4 | 0xc5 | 0x62 => {
            let (table, opcode) = match opcode {
                0xc5 => (1, at + 1),
                0xc4 => (next(at)? & 0x1f, at + 2),
                _ => (next(at)? & 7, at + 3),
            };
            at = opcode + 1;
            match (table, next(opcode)?) {
                (1, 0x77) => Form { modrm: false, immediate: 0 },
                (1, second) => Form { modrm: true, immediate: two_bytes(second)?.immediate.min(1) },
                (2 | 5 | 6, _) => Form { modrm: true, immediate: 0 },
                (3, _) => Form { modrm: true, immediate: 1 },
                _ => return None,
            }
        }
        _ => one_byte(opcode, next(at), sized, wide, near)?,
    };
    if form.modrm {
        at += operand(next(at)?, next(at + 1));
    }
    at += form.immediate;
    // No instruction is longer.
    if at > code.len() || at > 15 {
        return None;
    }
    let near_by = || i64::from(code[at - 1] as i8);
    let far = || code[..at].last_chunk().map_or(0, |it| i64::from(i32::from_le_bytes(*it)));
    let flow = match (opcode, next(first).unwrap_or(0)) {
        (0xc2 | 0xc3, _) => Flow::Return,
        (0x70..=0x7f | 0xe0..=0xe3 | 0xeb, _) => Flow::Jump(near_by()),
        // Processors do not agree on how far a short one goes.
        (0xe9, _) | (0x0f, 0x80..=0x8f) if !short => Flow::Jump(far()),
        (0xff, modrm) if modrm & 0x38 == 0x20 && table => Flow::Next,
        (0xff, modrm) if matches!(modrm & 0x38, 0x20 | 0x28) => Flow::Anywhere,
        (0xe9 | 0xca | 0xcb | 0xcf, _) | (0x0f, 0x80..=0x8f) => Flow::Anywhere,
        _ => Flow::Next,
    };
    Some(Instruction { length: at, flow })
}

fn one_byte(opcode: u8, modrm: Option<u8>, sized: usize, wide: bool, near: bool) -> Option<Form> {
    let (modrm, immediate) = match opcode {
        0x00..=0x3f => match opcode & 7 {
            0..=3 => (true, 0),
            4 => (false, 1),
            5 => (false, sized),
            _ => return None,
        },
        0x50..=0x5f | 0x6c..=0x6f | 0x90..=0x99 | 0x9b..=0x9f | 0xa4..=0xa7 | 0xaa..=0xaf => {
            (false, 0)
        }
        0x63 | 0x84..=0x8e | 0xd0..=0xd3 | 0xd8..=0xdf | 0xfe | 0xff => (true, 0),
        // With another operation it is an instruction of AMD's XOP.
        0x8f if modrm? & 0x38 == 0 => (true, 0),
        0x68 | 0xa9 => (false, sized),
        0x69 | 0x81 | 0xc7 => (true, sized),
        0x6a | 0x70..=0x7f | 0xa8 | 0xb0..=0xb7 | 0xcd | 0xe0..=0xe7 | 0xeb => (false, 1),
        0x6b | 0x80 | 0x83 | 0xc0 | 0xc1 | 0xc6 => (true, 1),
        0xa0..=0xa3 => (false, if near { 4 } else { 8 }),
        0xb8..=0xbf => (false, if wide { 8 } else { sized }),
        0xc2 | 0xca => (false, 2),
        0xc8 => (false, 3),
        0xe8 | 0xe9 => (false, 4),
        0xc3
        | 0xc9
        | 0xcb
        | 0xcc
        | 0xcf
        | 0xd7
        | 0xec..=0xef
        | 0xf1
        | 0xf4
        | 0xf5
        | 0xf8..=0xfd => (false, 0),
        // Of these, only the first two operations have an immediate.
        0xf6 => (true, usize::from(modrm? & 0x30 == 0)),
        0xf7 => (true, if modrm? & 0x30 == 0 { sized } else { 0 }),
        _ => return None,
    };
    Some(Form { modrm, immediate })
}

/// Those that begin with 0f.
fn two_bytes(opcode: u8) -> Option<Form> {
    let (modrm, immediate) = match opcode {
        0x05..=0x09
        | 0x0b
        | 0x0e
        | 0x30..=0x37
        | 0x77
        | 0xa0..=0xa2
        | 0xa8..=0xaa
        | 0xc8..=0xcf => (false, 0),
        0x04 | 0x0a | 0x0c | 0x24..=0x27 | 0x36..=0x3f | 0xa6 | 0xa7 => return None,
        0x80..=0x8f => (false, 4),
        0x0f | 0x70..=0x73 | 0xa4 | 0xac | 0xba | 0xc2 | 0xc4..=0xc6 => (true, 1),
        _ => (true, 0),
    };
    Some(Form { modrm, immediate })
}

/// The bytes of an operand, from its ModRM byte and what may be its SIB byte.
fn operand(modrm: u8, sib: Option<u8>) -> usize {
    let (mode, register) = (modrm >> 6, modrm & 7);
    let has_sib = mode != 3 && register == 4;
    let displacement = match mode {
        0 if register == 5 || (has_sib && sib.is_some_and(|sib| sib & 7 == 5)) => 4,
        1 => 1,
        2 => 4,
        _ => 0,
    };
    1 + usize::from(has_sib) + displacement
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(code: &[u8]) -> Option<usize> {
        decode(code).map(|instruction| instruction.length)
    }

    #[test]
    fn an_opcode_of_avx_that_looks_like_a_jump_is_misread() {
        // vpbroadcastb %esi,%ymm17; vpor %xmm0,%xmm1,%xmm2; vpcmpeqb %fs:(%rax),%xmm1,%xmm2
        assert!(is_misread(&[0x62, 0xe2, 0x7d, 0x28, 0x7a, 0xce]));
        assert!(is_misread(&[0xc5, 0xf1, 0xeb, 0xd0]));
        assert!(is_misread(&[0x64, 0xc5, 0xf1, 0x74, 0x10]));
        // vzeroupper; vxorps %xmm0,%xmm0,%xmm0; jmp; pcmpeqb %xmm0,%xmm1; endbr64; nothing
        assert!(is_misread(&[0xc5, 0xf8, 0x77]));
        assert!(!is_misread(&[0xc5, 0xf8, 0x57, 0xc0]));
        assert!(!is_misread(&[0xeb, 0x10]));
        assert!(!is_misread(&[0x66, 0x0f, 0x74, 0xc8]));
        assert!(!is_misread(&[0xf3, 0x0f, 0x1e, 0xfa]));
        assert!(!is_misread(&[0x64]) && !is_misread(&[]));
    }

    #[test]
    fn a_function_that_is_left_by_returns_alone_is_known() {
        // test %edi,%edi; je 1f; ret; 1: jmp 2f; nop; 2: rep ret
        let code = [0x85, 0xff, 0x74, 1, 0xc3, 0xeb, 1, 0x90, 0xf3, 0xc3];
        assert_eq!(returns(&[(0x1000, code.to_vec())]).unwrap(), [0x1004, 0x1008]);
        // To another part of it, and back.
        let (hot, cold) = (vec![0xe9, 0xfb, 0x0f, 0, 0, 0xc3], vec![0xe9, 0, 0xf0, 0xff, 0xff]);
        assert_eq!(returns(&[(0x1000, hot.clone()), (0x2000, cold)]).unwrap(), [0x1005]);
        assert_eq!(returns(&[(0x1000, hot)]), None);
        // jmp *%rax: to another function, unless it is marked as a switch.
        assert_eq!(returns(&[(0, vec![0xff, 0xe0, 0xc3])]), None);
        assert_eq!(returns(&[(0, vec![0x3e, 0xff, 0xe0, 0xc3])]).unwrap(), [3]);
        // call *%rax
        assert_eq!(returns(&[(0, vec![0xff, 0xd0, 0xc3])]).unwrap(), [2]);
        assert_eq!(returns(&[(0, vec![0x06, 0xc3])]), None);
        assert_eq!(returns(&[(u64::MAX, vec![0xc3, 0xc3])]).unwrap(), [u64::MAX, 0]);
    }

    #[test]
    fn instructions_of_each_form_have_their_length() {
        for code in [
            &[0xf3, 0x0f, 0x1e, 0xfa][..],                  // endbr64
            &[0x55],                                        // push %rbp
            &[0x41, 0x57],                                  // push %r15
            &[0x48, 0x89, 0xe5],                            // mov %rsp,%rbp
            &[0x48, 0x83, 0xec, 0x08],                      // sub $8,%rsp
            &[0x48, 0x81, 0xec, 0, 1, 0, 0],                // sub $256,%rsp
            &[0x66, 0x81, 0xc1, 0, 1],                      // add $256,%cx
            &[0x8b, 0x04, 0x25, 0, 0, 0, 0],                // mov 0,%eax
            &[0x8b, 0x44, 0x24, 0x08],                      // mov 8(%rsp),%eax
            &[0x8b, 0x05, 0, 0, 0, 0],                      // mov 0(%rip),%eax
            &[0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8],          // movabs
            &[0xf6, 0xc1, 0x01],                            // test $1,%cl
            &[0xf7, 0xd8],                                  // neg %eax
            &[0xf7, 0xc1, 0, 0, 1, 0],                      // test $65536,%ecx
            &[0x66, 0x66, 0x48, 0xe8, 0, 0, 0, 0],          // call, for a variable of a thread
            &[0x0f, 0x84, 0, 0, 0, 0],                      // je
            &[0x0f, 0xb6, 0x06],                            // movzbl (%rsi),%eax
            &[0x66, 0x0f, 0x3a, 0x0f, 0xc1, 0x08],          // palignr
            &[0xc5, 0xf8, 0x77],                            // vzeroupper
            &[0xc5, 0xfd, 0x6f, 0x06],                      // vmovdqa (%rsi),%ymm0
            &[0xc4, 0xe3, 0x7d, 0x39, 0xc1, 0x01],          // vextracti128
            &[0x62, 0xf1, 0xfe, 0x48, 0x6f, 0x46, 1],       // vmovdqu64 64(%rsi),%zmm0
            &[0x64, 0x48, 0x8b, 0x04, 0x25, 40, 0, 0, 0],   // mov %fs:40,%rax
            &[0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0], // nopw
        ] {
            assert_eq!(length(code), Some(code.len()), "{code:x?}");
            assert!((0..code.len()).all(|end| length(&code[..end]).is_none()));
        }
        for code in [&[0x06][..], &[0x62, 0xf8, 0, 0, 0, 0xc0], &[0xd5, 0, 0xc0], &[0x66; 20]] {
            assert_eq!(length(code), None, "{code:x?}");
        }
        let code = [0x55, 0x48, 0x89, 0xe5, 0x06, 0x90];
        let begin: Vec<_> = (0..8).filter(|offset| begins_at(&code, *offset)).collect();
        assert_eq!(begin, [0, 1, 4]);
    }

    /// Each instruction of the C library, as objdump sees them.
    #[test]
    #[ignore = "needs objdump: run tests/run"]
    fn lengths_are_those_that_a_disassembler_knows() {
        let library = "/lib/x86_64-linux-gnu/libc.so.6";
        let objdump = std::process::Command::new("objdump").args(["-d", "-w", library]).output();
        let text = String::from_utf8(objdump.unwrap().stdout).unwrap();
        let mut compared = 0;
        for line in text.lines().filter(|line| !line.contains("(bad)")) {
            let Some((_, rest)) = line.split_once(":\t") else { continue };
            let hex = rest.split('\t').next().unwrap().split_whitespace();
            let code: Vec<_> = hex.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
            // Shown as an instruction of its own, though it belongs to the next.
            if code == [0x9b] || (code.len() == 1 && (0x40..=0x4f).contains(&code[0])) {
                continue;
            }
            assert_eq!(length(&code), Some(code.len()), "{line}");
            compared += 1;
        }
        assert!(compared > 100_000, "{compared}");
    }
}
