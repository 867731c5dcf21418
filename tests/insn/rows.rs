//! The rows of RFC 9669: operands and what comes of them, of every instruction. What is expected was written by hand,
//! that of memory and byte order for a little-endian host.

use rawbpf::insn::Endian;

/// What is in the map if the program ends before it writes there.
pub const ENDED: u64 = 0xdead_dead_dead_dead;

/// Most negative numbers.
const MIN64: u64 = 1 << 63;
const MIN32: u64 = 1 << 31;
const NONE: u64 = u64::MAX;
/// As a second operand beyond what an immediate holds: only of a register.
const fn neg(value: u64) -> u64 {
    value.wrapping_neg()
}

/// Operator, operands, result; groups base64 and divmul64. Also with the second operand as a constant,
/// where the kernel takes it: a divisor of 0 and a shift of all bits it does not.
#[rustfmt::skip]
const ALU64: &[(&str, u64, u64, u64)] = &[
    ("+=", 0, 0, 0), ("+=", 1, 2, 3), ("+=", NONE, 1, 0), ("+=", 0x7fff_ffff_ffff_ffff, 1, MIN64),
    ("+=", 0xffff_ffff, 1, 0x1_0000_0000), ("+=", 5, neg(7), neg(2)), ("+=", MIN64, MIN64, 0),
    ("+=", 0x1234_5678_9abc_def0, 0x0fed_cba9_8765_4321, 0x2222_2222_2222_2211),
    ("-=", 0, 1, NONE), ("-=", 5, 7, neg(2)), ("-=", MIN64, 1, 0x7fff_ffff_ffff_ffff),
    ("-=", 0x1_0000_0000, 1, 0xffff_ffff), ("-=", 7, 7, 0), ("-=", 1, NONE, 2), ("-=", 0, MIN64, MIN64),
    ("*=", 0, 5, 0), ("*=", 3, 5, 15), ("*=", NONE, NONE, 1), ("*=", 0x1_0000_0000, 0x1_0000_0000, 0),
    ("*=", 0xffff_ffff, 0xffff_ffff, 0xffff_fffe_0000_0001), ("*=", 0x7fff_ffff_ffff_ffff, 2, neg(2)),
    ("*=", neg(3), 7, neg(21)), ("*=", MIN64, NONE, MIN64),
    ("/=", 7, 2, 3), ("/=", 7, 0, 0), ("/=", NONE, 1, NONE), ("/=", NONE, 2, 0x7fff_ffff_ffff_ffff),
    ("/=", MIN64, NONE, 0), ("/=", 1, 2, 0), ("/=", 0x1234_5678_9abc_def0, 16, 0x0123_4567_89ab_cdef),
    ("/=", NONE, NONE, 1), ("/=", 0, 3, 0),
    ("s/=", neg(7), 2, neg(3)), ("s/=", 7, neg(2), neg(3)), ("s/=", neg(7), neg(2), 3), ("s/=", 7, 0, 0),
    ("s/=", MIN64, NONE, MIN64), ("s/=", 1, 2, 0), ("s/=", NONE, 2, 0), ("s/=", MIN64, 2, 0xc000_0000_0000_0000),
    ("|=", 0xf0, 0x0f, 0xff), ("|=", 0, NONE, NONE), ("|=", 0x5555_5555_5555_5555, 0xaaaa_aaaa_aaaa_aaaa, NONE),
    ("|=", MIN64, 1, 0x8000_0000_0000_0001), ("|=", 0, 0, 0), ("|=", 0, neg(0x8000_0000), 0xffff_ffff_8000_0000),
    ("&=", 0xff, 0x0f, 0x0f), ("&=", NONE, 0, 0), ("&=", NONE, NONE, NONE),
    ("&=", 0x1234_5678_9abc_def0, 0xffff, 0xdef0), ("&=", 0x8000_0000_0000_0001, neg(0x8000_0000), MIN64),
    ("^=", 0xff, 0x0f, 0xf0), ("^=", NONE, NONE, 0), ("^=", 0, NONE, NONE),
    ("^=", 0x5555_5555_5555_5555, NONE, 0xaaaa_aaaa_aaaa_aaaa), ("^=", MIN64, 1, 0x8000_0000_0000_0001),
    ("<<=", 1, 0, 1), ("<<=", 1, 63, MIN64), ("<<=", 1, 31, 0x8000_0000), ("<<=", 1, 32, 0x1_0000_0000),
    ("<<=", NONE, 4, 0xffff_ffff_ffff_fff0), ("<<=", 1, 64, 1), ("<<=", 1, 65, 2), ("<<=", 3, 63, MIN64),
    (">>=", MIN64, 63, 1), (">>=", NONE, 4, 0x0fff_ffff_ffff_ffff), (">>=", NONE, 32, 0xffff_ffff),
    (">>=", 1, 1, 0), (">>=", 5, 0, 5), (">>=", 16, 68, 1),
    ("s>>=", MIN64, 63, NONE), ("s>>=", MIN64, 1, 0xc000_0000_0000_0000), ("s>>=", neg(16), 2, neg(4)),
    ("s>>=", 0x7fff_ffff_ffff_ffff, 62, 1), ("s>>=", 5, 0, 5), ("s>>=", 0x4000_0000_0000_0000, 66, 0x1000_0000_0000_0000),
    ("%=", 7, 3, 1), ("%=", 7, 0, 7), ("%=", NONE, 10, 5), ("%=", MIN64, NONE, MIN64), ("%=", 5, 7, 5),
    ("%=", 6, 3, 0), ("%=", NONE, 0, NONE), ("%=", 0, 9, 0),
    ("s%=", neg(7), 3, NONE), ("s%=", 7, neg(3), 1), ("s%=", neg(7), neg(3), NONE), ("s%=", 7, 0, 7),
    ("s%=", MIN64, NONE, 0), ("s%=", neg(8), 4, 0),
    ("=", 5, 0, 0), ("=", 5, 1, 1), ("=", 5, NONE, NONE), ("=", 5, 0x7fff_ffff, 0x7fff_ffff),
    ("=", 5, neg(0x8000_0000), 0xffff_ffff_8000_0000), ("=", 5, 0x1234_5678_9abc_def0, 0x1234_5678_9abc_def0),
];

/// The same on low halves; groups base32 and divmul32. The high half of a result is zero.
#[rustfmt::skip]
const ALU32: &[(&str, u64, u64, u64)] = &[
    ("+=", 0xffff_ffff, 1, 0), ("+=", 0x7fff_ffff, 1, MIN32), ("+=", 0xdead_beef_0000_0001, 0xcafe_0000_0000_0002, 3),
    ("+=", 5, neg(7), 0xffff_fffe), ("+=", NONE, NONE, 0xffff_fffe), ("+=", MIN32, MIN32, 0),
    ("-=", 0, 1, 0xffff_ffff), ("-=", MIN32, 1, 0x7fff_ffff), ("-=", 0x1_0000_0005, 7, 0xffff_fffe), ("-=", 7, 7, 0),
    ("*=", 0xffff_ffff, 0xffff_ffff, 1), ("*=", 0x1_0000, 0x1_0000, 0), ("*=", 0x1_0000_0003, 5, 15),
    ("*=", neg(3), 7, 0xffff_ffeb), ("*=", MIN32, NONE, MIN32),
    ("/=", 0xffff_ffff, 2, 0x7fff_ffff), ("/=", 0x1_0000_0007, 2, 3), ("/=", 7, 0, 0), ("/=", MIN32, NONE, 0),
    ("/=", 0xffff_ffff, 16, 0x0fff_ffff), ("/=", 7, 0x1_0000_0000, 0), ("/=", 7, 0x1_0000_0002, 3),
    ("s/=", neg(7), 2, 0xffff_fffd), ("s/=", 7, neg(2), 0xffff_fffd), ("s/=", neg(7), neg(2), 3),
    ("s/=", MIN32, NONE, MIN32), ("s/=", 7, 0, 0), ("s/=", 0xdead_0000_0007, 2, 3),
    ("|=", 0xf0, 0x0f, 0xff), ("|=", 0xffff_ffff_0000_0000, 1, 1), ("|=", 0, NONE, 0xffff_ffff),
    ("&=", NONE, NONE, 0xffff_ffff), ("&=", 0xff00_ff00_ff00_ff00, 0x0ff0_0ff0, 0x0f00_0f00), ("&=", NONE, 0, 0),
    ("^=", NONE, NONE, 0), ("^=", 0, NONE, 0xffff_ffff), ("^=", 0xffff_ffff_0000_00ff, 0x0f, 0xf0),
    ("<<=", 1, 31, MIN32), ("<<=", 0xffff_ffff, 4, 0xffff_fff0), ("<<=", 0xffff_ffff_8000_0001, 1, 2),
    ("<<=", 1, 32, 1), ("<<=", 1, 33, 2), ("<<=", 0xff_0000_0001, 0, 1),
    (">>=", MIN32, 31, 1), (">>=", 0xffff_ffff_0000_0000, 4, 0), (">>=", NONE, 4, 0x0fff_ffff), (">>=", 16, 36, 1),
    ("s>>=", MIN32, 31, 0xffff_ffff), ("s>>=", MIN32, 1, 0xc000_0000), ("s>>=", 0x7fff_ffff, 30, 1),
    ("s>>=", neg(16), 2, 0xffff_fffc), ("s>>=", MIN32, 33, 0xc000_0000), ("s>>=", 0xffff_ffff_0000_0010, 4, 1),
    ("%=", 7, 3, 1), ("%=", 0xffff_ffff, 10, 5), ("%=", 0x1_0000_0007, 3, 1), ("%=", 7, 0, 7),
    ("%=", 0xdead_beef_0000_0007, 0, 7), ("%=", MIN32, NONE, MIN32),
    ("s%=", neg(7), 3, 0xffff_ffff), ("s%=", 7, neg(3), 1), ("s%=", neg(7), neg(3), 0xffff_ffff),
    ("s%=", MIN32, NONE, 0), ("s%=", 7, 0, 7), ("s%=", 0xdead_beef_0000_0007, 0, 7),
    ("=", 5, NONE, 0xffff_ffff), ("=", NONE, 0, 0), ("=", 5, 0x7fff_ffff, 0x7fff_ffff),
    ("=", 5, 0x1234_5678_9abc_def0, 0x9abc_def0),
];

/// What happens to r0 (or from r1), its value before, and after.
#[rustfmt::skip]
const UNARY: &[(&str, u64, u64)] = &[
    ("r0 = -r0", 1, NONE), ("r0 = -r0", 0, 0), ("r0 = -r0", MIN64, MIN64), ("r0 = -r0", neg(5), 5),
    ("w0 = -w0", 1, 0xffff_ffff), ("w0 = -w0", 0, 0), ("w0 = -w0", MIN32, MIN32), ("w0 = -w0", 0x1_0000_0001, 0xffff_ffff),
    ("r0 = (s8)r1", 0x7f, 0x7f), ("r0 = (s8)r1", 0x80, neg(0x80)), ("r0 = (s8)r1", 0x1234, 0x34), ("r0 = (s8)r1", neg(0xff), 1),
    ("r0 = (s16)r1", 0x7fff, 0x7fff), ("r0 = (s16)r1", 0x8000, neg(0x8000)), ("r0 = (s16)r1", 0x1234_5678, 0x5678),
    ("r0 = (s32)r1", 0x7fff_ffff, 0x7fff_ffff), ("r0 = (s32)r1", MIN32, neg(MIN32)),
    ("r0 = (s32)r1", 0x1234_5678_9abc_def0, 0xffff_ffff_9abc_def0),
    ("w0 = (s8)w1", 0x80, 0xffff_ff80), ("w0 = (s8)w1", 0xff_ffff_ff7f, 0x7f), ("w0 = (s16)w1", 0x8000, 0xffff_8000),
    ("w0 = (s16)w1", 0xffff_ffff_0000_7fff, 0x7fff),
    ("r0 = le16 r0", 0x1122_3344_5566_7788, 0x7788), ("r0 = le32 r0", 0x1122_3344_5566_7788, 0x5566_7788),
    ("r0 = le64 r0", 0x1122_3344_5566_7788, 0x1122_3344_5566_7788),
    ("r0 = be16 r0", 0x1122_3344_5566_7788, 0x8877), ("r0 = be32 r0", 0x1122_3344_5566_7788, 0x8877_6655),
    ("r0 = be64 r0", 0x1122_3344_5566_7788, 0x8877_6655_4433_2211),
    ("r0 = bswap16 r0", 0x1122_3344_5566_7788, 0x8877), ("r0 = bswap32 r0", 0x1122_3344_5566_7788, 0x8877_6655),
    ("r0 = bswap64 r0", 0x1122_3344_5566_7788, 0x8877_6655_4433_2211),
];

/// Comparison, operands, whether it holds: of whole registers.
#[rustfmt::skip]
const JUMPS64: &[(&str, u64, u64, bool)] = &[
    ("==", 5, 5, true), ("==", 5, 6, false), ("==", NONE, NONE, true), ("==", 0x1_0000_0005, 5, false),
    ("!=", 5, 5, false), ("!=", 5, 6, true), ("!=", NONE, NONE, false), ("!=", 0x1_0000_0005, 5, true),
    (">", 1, 0, true), (">", 0, 1, false), (">", 5, 5, false), (">", NONE, 1, true), (">", MIN64, 0x7fff_ffff_ffff_ffff, true),
    (">=", 5, 5, true), (">=", NONE, 1, true), (">=", 0, 1, false), (">=", 1, NONE, false),
    ("<", 0, 1, true), ("<", 5, 5, false), ("<", 1, NONE, true), ("<", 0x7fff_ffff_ffff_ffff, MIN64, true), ("<", NONE, 0, false),
    ("<=", 5, 5, true), ("<=", 1, NONE, true), ("<=", 1, 0, false), ("<=", NONE, 0, false),
    ("s>", 1, NONE, true), ("s>", NONE, 1, false), ("s>", 5, 5, false), ("s>", 0x7fff_ffff_ffff_ffff, MIN64, true),
    ("s>=", 5, 5, true), ("s>=", 1, NONE, true), ("s>=", NONE, 1, false), ("s>=", MIN64, 0, false),
    ("s<", NONE, 1, true), ("s<", 1, NONE, false), ("s<", 5, 5, false), ("s<", MIN64, 0, true),
    ("s<=", 5, 5, true), ("s<=", NONE, 1, true), ("s<=", 1, NONE, false), ("s<=", MIN64, 0, true),
    ("&", 6, 2, true), ("&", 6, 1, false), ("&", MIN64, neg(0x8000_0000), true), ("&", 0, NONE, false),
    ("&", 0x1_0000_0000, 0x7fff_ffff, false),
];

/// Of low halves.
#[rustfmt::skip]
const JUMPS32: &[(&str, u64, u64, bool)] = &[
    ("==", 0x1_0000_0005, 5, true), ("==", 5, 6, false), ("==", NONE, 0xffff_ffff, true), ("==", 0, 0x1_0000_0000, true),
    ("!=", 0x1_0000_0005, 5, false), ("!=", 5, 6, true), ("!=", 0, 0x1_0000_0000, false),
    (">", 1, 0, true), (">", 0xffff_ffff, 1, true), (">", 0x1_0000_0000, 1, false), (">", 5, 5, false),
    (">=", 5, 5, true), (">=", 0x1_0000_0000, 1, false), (">=", MIN32, 0x7fff_ffff, true),
    ("<", 0x1_0000_0000, 1, true), ("<", 5, 5, false), ("<", 1, NONE, true),
    ("<=", 5, 5, true), ("<=", 0xff_0000_0001, 1, true), ("<=", NONE, 0, false),
    ("s>", 1, 0xffff_ffff, true), ("s>", MIN32, 0, false), ("s>", 0x7fff_ffff, MIN32, true), ("s>", 5, 5, false),
    ("s>=", 5, 5, true), ("s>=", MIN32, 0, false), ("s>=", 0, NONE, true),
    ("s<", MIN32, 0, true), ("s<", 0, NONE, false), ("s<", 0xffff_ffff, 1, true), ("s<", 5, 5, false),
    ("s<=", 5, 5, true), ("s<=", MIN32, 0, true), ("s<=", 0x7fff_ffff, MIN32, false),
    ("&", 6, 2, true), ("&", 6, 1, false), ("&", 0x1_0000_0000, NONE, false), ("&", MIN32, MIN32, true),
];

/// Type, bytes from the end of the stack, what is loaded where 0x8877665544332211 was stored at -8.
#[rustfmt::skip]
const LOADS: &[(&str, i32, u64)] = &[
    ("u8", 8, 0x11), ("u8", 1, 0x88), ("u8", 5, 0x44), ("u16", 8, 0x2211), ("u16", 2, 0x8877),
    ("u32", 8, 0x4433_2211), ("u32", 4, 0x8877_6655), ("u64", 8, 0x8877_6655_4433_2211),
    ("s8", 8, 0x11), ("s8", 1, 0xffff_ffff_ffff_ff88), ("s16", 8, 0x2211), ("s16", 2, 0xffff_ffff_ffff_8877),
    ("s32", 8, 0x4433_2211), ("s32", 4, 0xffff_ffff_8877_6655),
];

/// Type, bytes from the end of the stack, what is stored, what the eight bytes at -8 then are; all were
/// ones.
#[rustfmt::skip]
const STORES: &[(&str, i32, u64, u64)] = &[
    ("u8", 8, 0x12, 0xffff_ffff_ffff_ff12), ("u8", 1, 0x12, 0x12ff_ffff_ffff_ffff), ("u8", 8, 0, 0xffff_ffff_ffff_ff00),
    ("u16", 8, 0x1234, 0xffff_ffff_ffff_1234), ("u16", 2, 0x1234, 0x1234_ffff_ffff_ffff),
    ("u32", 8, 0x1234_5678, 0xffff_ffff_1234_5678), ("u32", 4, 0x1234_5678, 0x1234_5678_ffff_ffff),
    ("u64", 8, 0x1234_5678, 0x1234_5678), ("u64", 8, neg(2), neg(2)), ("u64", 8, 0x1122_3344_5566_7788, 0x1122_3344_5566_7788),
    ("u8", 8, neg(0x1ff), 0xffff_ffff_ffff_ff01), ("u16", 8, neg(0x1_ffff), 0xffff_ffff_ffff_0001),
];

/// Groups atomic32 and atomic64: the instruction on 8 bytes of memory, what is there, what is in r1, then
/// what is in memory, and what is in r1.
#[rustfmt::skip]
const ATOMICS: &[(&str, u64, u64, u64, u64)] = &[
    ("lock *(u64 *)(fp - 8) += r1", 5, 7, 12, 7), ("lock *(u64 *)(fp - 8) += r1", NONE, 1, 0, 1),
    ("lock *(u64 *)(fp - 8) |= r1", 0xf0, 0x0f, 0xff, 0x0f), ("lock *(u64 *)(fp - 8) &= r1", 0xff, 0x0f, 0x0f, 0x0f),
    ("lock *(u64 *)(fp - 8) ^= r1", NONE, 0x0f, 0xffff_ffff_ffff_fff0, 0x0f),
    ("r1 = atomic64_fetch_add((u64 *)(fp - 8), r1)", MIN64, MIN64, 0, MIN64),
    ("r1 = atomic64_fetch_add((u64 *)(fp - 8), r1)", 5, neg(6), NONE, 5),
    ("r1 = atomic64_fetch_or((u64 *)(fp - 8), r1)", 0xf0, 0x0f, 0xff, 0xf0),
    ("r1 = atomic64_fetch_and((u64 *)(fp - 8), r1)", 0xff, 0x0f, 0x0f, 0xff),
    ("r1 = atomic64_fetch_xor((u64 *)(fp - 8), r1)", NONE, NONE, 0, NONE),
    ("r1 = atomic64_xchg((u64 *)(fp - 8), r1)", 0x1122_3344_5566_7788, 7, 7, 0x1122_3344_5566_7788),
    ("lock *(u32 *)(fp - 8) += r1", 0x1111_1111_ffff_ffff, 0xdead_0000_0001, 0x1111_1111_0000_0000, 0xdead_0000_0001),
    ("lock *(u32 *)(fp - 8) |= r1", 0x1111_1111_0000_00f0, 0xf, 0x1111_1111_0000_00ff, 0xf),
    ("lock *(u32 *)(fp - 8) &= r1", 0x1111_1111_ffff_ffff, 0xf, 0x1111_1111_0000_000f, 0xf),
    ("lock *(u32 *)(fp - 8) ^= r1", 0x1111_1111_ffff_ffff, NONE, 0x1111_1111_0000_0000, NONE),
    ("r1 = atomic_fetch_add((u32 *)(fp - 8), r1)", 0x1111_1111_2222_2222, 0xff_0000_0001, 0x1111_1111_2222_2223, 0x2222_2222),
    ("r1 = atomic_fetch_or((u32 *)(fp - 8), r1)", 0x1111_1111_8000_0000, 1, 0x1111_1111_8000_0001, 0x8000_0000),
    ("r1 = atomic_fetch_and((u32 *)(fp - 8), r1)", 0x1111_1111_ffff_ffff, 3, 0x1111_1111_0000_0003, 0xffff_ffff),
    ("r1 = atomic_fetch_xor((u32 *)(fp - 8), r1)", 0x1111_1111_0000_000f, 0xff, 0x1111_1111_0000_00f0, 0xf),
    ("r1 = atomic_xchg((u32 *)(fp - 8), r1)", 0x1111_1111_2222_2222, neg(1), 0x1111_1111_ffff_ffff, 0x2222_2222),
];

/// The instruction, what is in memory, in r0 and in r1, then what is in memory, and what is in r0.
#[rustfmt::skip]
const CMPXCHG: &[(&str, u64, u64, u64, u64, u64)] = &[
    ("r0 = atomic64_cmpxchg((u64 *)(fp - 8), r0, r1)", 5, 5, 7, 7, 5),
    ("r0 = atomic64_cmpxchg((u64 *)(fp - 8), r0, r1)", 5, 6, 7, 5, 5),
    ("r0 = atomic64_cmpxchg((u64 *)(fp - 8), r0, r1)", 0x1_0000_0005, 5, 7, 0x1_0000_0005, 0x1_0000_0005),
    ("r0 = atomic_cmpxchg((u32 *)(fp - 8), r0, r1)", 0x1111_1111_0000_0005, 5, 7, 0x1111_1111_0000_0007, 5),
    ("r0 = atomic_cmpxchg((u32 *)(fp - 8), r0, r1)", 0x1111_1111_0000_0005, 6, 7, 0x1111_1111_0000_0005, 5),
    ("r0 = atomic_cmpxchg((u32 *)(fp - 8), r0, r1)", 0x1111_1111_ffff_ffff, 0xffff_ffff, 7, 0x1111_1111_0000_0007, 0xffff_ffff),
];

/// Instructions that take more than one line to show. r0 and r1 are 0x10 and 0x20, r6 the context;
/// functions stand behind an exit.
#[rustfmt::skip]
const WHOLE: &[(&str, u64)] = &[
    ("r0 = 0x1122334455667788", 0x1122_3344_5566_7788),
    ("r0 = 5 ll", 5),
    ("r0 = -1 ll", NONE),
    ("r0 = 0xffffffff ll", 0xffff_ffff),
    ("if r1 == 0 goto one\n goto out\n one: r0 = 1\n out:", 0x10),
    ("goto +0\n r0 = 1", 1),
    ("if r1 == 0 goto one\n gotol out\n one: r0 = 1\n out:", 0x10),
    // A loop: 32 + 31 + .. + 1.
    ("r0 = 0\n r1 &= 63\n again: r0 += r1\n r1 -= 1\n if r1 s> 0 goto again", 528),
    ("r0 = 0\n again: may_goto out\n r0 += r1\n r1 -= 1\n if r1 != 0 goto again\n out:", 528),
    ("call double\n ---\n double: r0 = r1\n r0 += r0\n exit", 0x40),
    ("r0 = *(u32 *)(r6 + 0)", 50),
    // Arguments and frame of a function are its own.
    ("r9 = 1\n *(u64 *)(fp - 8) = 7\n r2 = 5\n call f\n r0 += r9\n r1 = *(u64 *)(fp - 8)\n r0 += r1\n ---\n\
      f: *(u64 *)(fp - 8) = 100\n r9 = 50\n r0 = r1\n r0 += r2\n exit", 0x20 + 5 + 1 + 7),
    // The helper calls back five times; each adds its index to what lies on our stack.
    ("*(u64 *)(fp - 8) = 0\n r1 = 5\n r2 = func[each]\n r3 = fp\n r3 += -8\n r4 = 0\n call bpf_loop\n\
      r1 = *(u64 *)(fp - 8)\n r0 += r1\n ---\n\
      each: r3 = *(u64 *)(r2 + 0)\n r3 += r1\n *(u64 *)(r2 + 0) = r3\n r0 = 0\n exit", 5 + 10),
    ("*(u32 *)(fp - 4) = 0\n r1 = map[in]\n r2 = fp\n r2 += -4\n call bpf_map_lookup_elem\n\
      if r0 == 0 goto none\n r0 = *(u64 *)(r0 + 8)\n goto end\n none: r0 = -1\n end:", 0x20),
    ("r1 = map[in][0]+8\n r0 = *(u64 *)(r1 + 0)", 0x20),
    // Group packet: behind the 14 bytes of the link layer, in network order.
    ("r0 = *(u8 *)skb[0]", 0x0e), ("r0 = *(u8 *)skb[1]", 0x0f), ("r0 = *(u16 *)skb[2]", 0x1011),
    ("r0 = *(u32 *)skb[4]", 0x1213_1415),
    ("r7 = 4\n r0 = *(u8 *)skb[r7 + 1]", 0x13), ("r7 = 4\n r0 = *(u16 *)skb[r7 - 2]", 0x1011),
    ("r7 = 0\n r0 = *(u32 *)skb[r7 + 8]", 0x1617_1819),
    // What is not there ends the program.
    ("r0 = *(u32 *)skb[4000]", ENDED),
];

/// Sizes of load_acquire and store_release (Linux 6.15).
const ORDERED: &[(&str, u64)] =
    &[("u8", 0x88), ("u16", 0x7788), ("u32", 0x5566_7788), ("u64", 0x1122_3344_5566_7788)];

/// A program, what r0 and r1 are before, what r0 is then.
pub struct Case {
    pub text: String,
    pub a: u64,
    pub b: u64,
    pub expected: u64,
}

/// All of them, for a host of this byte order: where the parts of a number in memory are depends on it.
pub fn cases(order: Endian) -> Vec<Case> {
    // Of a number of 8 bytes at the stack's end: where its lowest bytes are, so many.
    let lowest = |bytes: i32| if order == Endian::Big { bytes } else { 8 };
    // How many bytes from the stack's end a part of that number is, which is of this type.
    let part = |type_: &str, from: i32| match order {
        Endian::Big => 8 - from + size(type_),
        Endian::Little => from,
    };
    let mut cases = vec![];
    let mut add =
        |text: String, a: u64, b: u64, expected: u64| cases.push(Case { text, a, b, expected });
    for (rows, letter, bits) in [(ALU64, 'r', 64), (ALU32, 'w', 32)] {
        for &(op, a, b, expected) in rows {
            add(format!("{letter}0 {op} {letter}1"), a, b, expected);
            let shift = op.contains("<<") || op.contains(">>");
            if (op.contains(['/', '%']) && b == 0) || (shift && b >= bits) {
                continue;
            }
            if let Ok(imm) = i32::try_from(b as i64) {
                add(format!("{letter}0 {op} {imm}"), a, 0, expected);
            }
        }
    }
    for &(text, before, expected) in UNARY {
        // What swaps bytes on the one host leaves them in place on the other.
        let text = match (order, text.split_once(" le"), text.split_once(" be")) {
            (Endian::Big, Some((before, after)), _) => format!("{before} be{after}"),
            (Endian::Big, _, Some((before, after))) => format!("{before} le{after}"),
            _ => text.into(),
        };
        add(text, before, before, expected);
    }
    for (rows, letter) in [(JUMPS64, 'r'), (JUMPS32, 'w')] {
        for &(cond, a, b, holds) in rows {
            let jump = |second: String| {
                format!(
                    "r7 = 0\n if {letter}0 {cond} {second} goto yes\n goto end\n yes: r7 = 1\n end: r0 = r7"
                )
            };
            add(jump(format!("{letter}1")), a, b, holds.into());
            let wide = if letter == 'w' { i64::from(b as u32 as i32) } else { b as i64 };
            let imm = i32::try_from(wide);
            if let Ok(imm) = imm {
                add(jump(imm.to_string()), a, 0, holds.into());
            }
        }
    }
    for &(type_, from, expected) in LOADS {
        let from = part(type_, from);
        let text = format!("*(u64 *)(fp - 8) = r1\n r0 = *({type_} *)(fp - {from})");
        add(text, 0, 0x8877_6655_4433_2211, expected);
    }
    for &(type_, from, value, expected) in STORES {
        let from = part(type_, from);
        let stored = |value: String| {
            format!(
                "*(u64 *)(fp - 8) = -1\n *({type_} *)(fp - {from}) = {value}\n r0 = *(u64 *)(fp - 8)"
            )
        };
        add(stored("r1".into()), 0, value, expected);
        if let Ok(imm) = i32::try_from(value as i64) {
            add(stored(imm.to_string()), 0, 0, expected);
        }
    }
    // Those of 4 bytes are on the low half.
    let low = |insn: &str| insn.replace("(u32 *)(fp - 8)", &format!("(u32 *)(fp - {})", lowest(4)));
    for &(insn, memory, b, then, then_b) in ATOMICS {
        let insn = low(insn);
        let text = format!("*(u64 *)(fp - 8) = r0\n {insn}\n r0 = ");
        add(format!("{text}*(u64 *)(fp - 8)"), memory, b, then);
        add(format!("{text}r1"), memory, b, then_b);
    }
    for &(insn, memory, a, b, then, then_a) in CMPXCHG {
        let insn = low(insn);
        let text = format!("r2 = {memory} ll\n *(u64 *)(fp - 8) = r2\n {insn}");
        add(format!("{text}\n r0 = *(u64 *)(fp - 8)"), a, b, then);
        add(text, a, b, then_a);
    }
    for &(type_, value) in ORDERED {
        let all = 0x1122_3344_5566_7788;
        let from = lowest(size(type_));
        let load = format!(
            "*(u64 *)(fp - 8) = r1\n r2 = fp\n r0 = load_acquire(({type_} *)(r2 - {from}))"
        );
        add(load, 0, all, value);
        let store = format!(
            "*(u64 *)(fp - 8) = 0\n store_release(({type_} *)(fp - {from}), r1)\n r0 = *(u64 *)(fp - 8)"
        );
        add(store, 0, all, value);
    }
    for &(text, expected) in WHOLE {
        add(text.into(), 0x10, 0x20, expected);
    }
    cases
}

/// The bytes of a type.
fn size(type_: &str) -> i32 {
    type_[1..].parse::<i32>().unwrap() / 8
}
