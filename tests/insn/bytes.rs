//! Literal bytes of every form, put together by hand from RFC 9669 and the kernel's headers.
//!
//! A slot is `code`, the registers, a 16-bit offset and a 32-bit immediate. In little endian the
//! source register is the high half of its byte, in big endian the destination is.

use rawbpf::insn::Cond::*;
use rawbpf::insn::helper::MAP_LOOKUP_ELEM;
use rawbpf::insn::mem::{U8, U16, U32};
use rawbpf::insn::*;

use super::forms::missing;

/// The verifier's text, the bytes in little endian and in big endian, and how it is written.
/// The label given to the builder is placed two slots behind the instruction.
type Row = (&'static str, &'static str, &'static str, fn(&mut Asm, &Label));

#[rustfmt::skip] // A table.
const ROWS: &[Row] = &[
    // Arithmetic of 64 bits: code = operation << 4 | class 7, | 8 if the source is a register;
    // sdiv and smod are div and mod with offset 1.
    ("r1 += 7",                                     "07 01 0000 07000000", "07 10 0000 00000007", |a, _| a.add(r1, 7)),
    ("r2 += r7",                                    "0f 72 0000 00000000", "0f 27 0000 00000000", |a, _| a.add(r2, r7)),
    ("r3 -= -2",                                    "17 03 0000 feffffff", "17 30 0000 fffffffe", |a, _| a.sub(r3, -2)),
    ("r4 -= r3",                                    "1f 34 0000 00000000", "1f 43 0000 00000000", |a, _| a.sub(r4, r3)),
    ("r5 *= 287454020",                             "27 05 0000 44332211", "27 50 0000 11223344", |a, _| a.mul(r5, 287454020)),
    ("r6 *= r9",                                    "2f 96 0000 00000000", "2f 69 0000 00000000", |a, _| a.mul(r6, r9)),
    ("r7 /= -2147483648",                           "37 07 0000 00000080", "37 70 0000 80000000", |a, _| a.div(r7, i32::MIN)),
    ("r8 /= r5",                                    "3f 58 0000 00000000", "3f 85 0000 00000000", |a, _| a.div(r8, r5)),
    ("r9 s/= 2147483647",                           "37 09 0100 ffffff7f", "37 90 0001 7fffffff", |a, _| a.sdiv(r9, 2147483647)),
    ("r0 s/= r1",                                   "3f 10 0100 00000000", "3f 01 0001 00000000", |a, _| a.sdiv(r0, r1)),
    ("r1 |= 1",                                     "47 01 0000 01000000", "47 10 0000 00000001", |a, _| a.or(r1, 1)),
    ("r2 |= r7",                                    "4f 72 0000 00000000", "4f 27 0000 00000000", |a, _| a.or(r2, r7)),
    ("r3 &= 7",                                     "57 03 0000 07000000", "57 30 0000 00000007", |a, _| a.and(r3, 7)),
    ("r4 &= r3",                                    "5f 34 0000 00000000", "5f 43 0000 00000000", |a, _| a.and(r4, r3)),
    ("r5 <<= 63",                                   "67 05 0000 3f000000", "67 50 0000 0000003f", |a, _| a.lsh(r5, 63)),
    ("r6 <<= r9",                                   "6f 96 0000 00000000", "6f 69 0000 00000000", |a, _| a.lsh(r6, r9)),
    ("r7 >>= 63",                                   "77 07 0000 3f000000", "77 70 0000 0000003f", |a, _| a.rsh(r7, 63)),
    ("r8 >>= r5",                                   "7f 58 0000 00000000", "7f 85 0000 00000000", |a, _| a.rsh(r8, r5)),
    ("r9 %= -2147483648",                           "97 09 0000 00000080", "97 90 0000 80000000", |a, _| a.modulo(r9, i32::MIN)),
    ("r0 %= r1",                                    "9f 10 0000 00000000", "9f 01 0000 00000000", |a, _| a.modulo(r0, r1)),
    ("r1 s%= 2147483647",                           "97 01 0100 ffffff7f", "97 10 0001 7fffffff", |a, _| a.smod(r1, 2147483647)),
    ("r2 s%= r7",                                   "9f 72 0100 00000000", "9f 27 0001 00000000", |a, _| a.smod(r2, r7)),
    ("r3 ^= 1",                                     "a7 03 0000 01000000", "a7 30 0000 00000001", |a, _| a.xor(r3, 1)),
    ("r4 ^= r3",                                    "af 34 0000 00000000", "af 43 0000 00000000", |a, _| a.xor(r4, r3)),
    ("r5 = 7",                                      "b7 05 0000 07000000", "b7 50 0000 00000007", |a, _| a.mov(r5, 7)),
    ("r6 = r9",                                     "bf 96 0000 00000000", "bf 69 0000 00000000", |a, _| a.mov(r6, r9)),
    ("r7 s>>= 63",                                  "c7 07 0000 3f000000", "c7 70 0000 0000003f", |a, _| a.arsh(r7, 63)),
    ("r8 s>>= r5",                                  "cf 58 0000 00000000", "cf 85 0000 00000000", |a, _| a.arsh(r8, r5)),
    ("r9 = -r9",                                    "87 09 0000 00000000", "87 90 0000 00000000", |a, _| a.neg(r9)),

    // Arithmetic of 32 bits, the same with class 4.
    ("w0 += 287454020",                             "04 00 0000 44332211", "04 00 0000 11223344", |a, _| a.add(w0, 287454020)),
    ("w1 += w4",                                    "0c 41 0000 00000000", "0c 14 0000 00000000", |a, _| a.add(w1, w4)),
    ("w2 -= -2147483648",                           "14 02 0000 00000080", "14 20 0000 80000000", |a, _| a.sub(w2, i32::MIN)),
    ("w3 -= w0",                                    "1c 03 0000 00000000", "1c 30 0000 00000000", |a, _| a.sub(w3, w0)),
    ("w4 *= 2147483647",                            "24 04 0000 ffffff7f", "24 40 0000 7fffffff", |a, _| a.mul(w4, 2147483647)),
    ("w5 *= w6",                                    "2c 65 0000 00000000", "2c 56 0000 00000000", |a, _| a.mul(w5, w6)),
    ("w6 /= 1",                                     "34 06 0000 01000000", "34 60 0000 00000001", |a, _| a.div(w6, 1)),
    ("w7 /= w2",                                    "3c 27 0000 00000000", "3c 72 0000 00000000", |a, _| a.div(w7, w2)),
    ("w8 s/= 7",                                    "34 08 0100 07000000", "34 80 0001 00000007", |a, _| a.sdiv(w8, 7)),
    ("w9 s/= w8",                                   "3c 89 0100 00000000", "3c 98 0001 00000000", |a, _| a.sdiv(w9, w8)),
    ("w0 |= -2",                                    "44 00 0000 feffffff", "44 00 0000 fffffffe", |a, _| a.or(w0, -2)),
    ("w1 |= w4",                                    "4c 41 0000 00000000", "4c 14 0000 00000000", |a, _| a.or(w1, w4)),
    ("w2 &= 287454020",                             "54 02 0000 44332211", "54 20 0000 11223344", |a, _| a.and(w2, 287454020)),
    ("w3 &= w0",                                    "5c 03 0000 00000000", "5c 30 0000 00000000", |a, _| a.and(w3, w0)),
    ("w4 <<= 31",                                   "64 04 0000 1f000000", "64 40 0000 0000001f", |a, _| a.lsh(w4, 31)),
    ("w5 <<= w6",                                   "6c 65 0000 00000000", "6c 56 0000 00000000", |a, _| a.lsh(w5, w6)),
    ("w6 >>= 31",                                   "74 06 0000 1f000000", "74 60 0000 0000001f", |a, _| a.rsh(w6, 31)),
    ("w7 >>= w2",                                   "7c 27 0000 00000000", "7c 72 0000 00000000", |a, _| a.rsh(w7, w2)),
    ("w8 %= 1",                                     "94 08 0000 01000000", "94 80 0000 00000001", |a, _| a.modulo(w8, 1)),
    ("w9 %= w8",                                    "9c 89 0000 00000000", "9c 98 0000 00000000", |a, _| a.modulo(w9, w8)),
    ("w0 s%= 7",                                    "94 00 0100 07000000", "94 00 0001 00000007", |a, _| a.smod(w0, 7)),
    ("w1 s%= w4",                                   "9c 41 0100 00000000", "9c 14 0001 00000000", |a, _| a.smod(w1, w4)),
    ("w2 ^= -2",                                    "a4 02 0000 feffffff", "a4 20 0000 fffffffe", |a, _| a.xor(w2, -2)),
    ("w3 ^= w0",                                    "ac 03 0000 00000000", "ac 30 0000 00000000", |a, _| a.xor(w3, w0)),
    ("w4 = 287454020",                              "b4 04 0000 44332211", "b4 40 0000 11223344", |a, _| a.mov(w4, 287454020)),
    ("w5 = w6",                                     "bc 65 0000 00000000", "bc 56 0000 00000000", |a, _| a.mov(w5, w6)),
    ("w6 s>>= 31",                                  "c4 06 0000 1f000000", "c4 60 0000 0000001f", |a, _| a.arsh(w6, 31)),
    ("w7 s>>= w2",                                  "cc 27 0000 00000000", "cc 72 0000 00000000", |a, _| a.arsh(w7, w2)),
    ("w8 = -w8",                                    "84 08 0000 00000000", "84 80 0000 00000000", |a, _| a.neg(w8)),

    // The frame pointer, register 10, where it may be read.
    ("r2 = r10",                                    "bf a2 0000 00000000", "bf 2a 0000 00000000", |a, _| a.mov(r2, fp)),

    // Sign extension: mov from a register, the bits that count in the offset.
    ("r9 = (s8)r8",                                 "bf 89 0800 00000000", "bf 98 0008 00000000", |a, _| a.movsx8(r9, r8)),
    ("r0 = (s16)r1",                                "bf 10 1000 00000000", "bf 01 0010 00000000", |a, _| a.movsx16(r0, r1)),
    ("r1 = (s32)r4",                                "bf 41 2000 00000000", "bf 14 0020 00000000", |a, _| a.movsx32(r1, r4)),
    ("w2 = (s8)w7",                                 "bc 72 0800 00000000", "bc 27 0008 00000000", |a, _| a.movsx8(w2, w7)),
    ("w3 = (s16)w0",                                "bc 03 1000 00000000", "bc 30 0010 00000000", |a, _| a.movsx16(w3, w0)),

    // Byte order: d4 to little endian, dc to big endian, d7 unconditional; the bits in the
    // immediate.
    ("r4 = le16 r4",                                "d4 04 0000 10000000", "d4 40 0000 00000010", |a, _| a.to_le16(r4)),
    ("r5 = le32 r5",                                "d4 05 0000 20000000", "d4 50 0000 00000020", |a, _| a.to_le32(r5)),
    ("r6 = le64 r6",                                "d4 06 0000 40000000", "d4 60 0000 00000040", |a, _| a.to_le64(r6)),
    ("r7 = be16 r7",                                "dc 07 0000 10000000", "dc 70 0000 00000010", |a, _| a.to_be16(r7)),
    ("r8 = be32 r8",                                "dc 08 0000 20000000", "dc 80 0000 00000020", |a, _| a.to_be32(r8)),
    ("r9 = be64 r9",                                "dc 09 0000 40000000", "dc 90 0000 00000040", |a, _| a.to_be64(r9)),
    ("r0 = bswap16 r0",                             "d7 00 0000 10000000", "d7 00 0000 00000010", |a, _| a.bswap16(r0)),
    ("r1 = bswap32 r1",                             "d7 01 0000 20000000", "d7 10 0000 00000020", |a, _| a.bswap32(r1)),
    ("r2 = bswap64 r2",                             "d7 02 0000 40000000", "d7 20 0000 00000040", |a, _| a.bswap64(r2)),

    // Loads: 61 with the size (0 u32, 8 u16, 10 u8, 18 u64), 81 sign-extended.
    ("r3 = *(u8 *)(r0 -8)",                         "71 03 f8ff 00000000", "71 30 fff8 00000000", |a, _| a.load(r3, u8_at(r0 - 8))),
    ("r4 = *(u16 *)(r3 +0)",                        "69 34 0000 00000000", "69 43 0000 00000000", |a, _| a.load(r4, u16_at(r3 + 0))),
    ("r5 = *(u32 *)(r6 +32767)",                    "61 65 ff7f 00000000", "61 56 7fff 00000000", |a, _| a.load(r5, u32_at(r6 + 32767))),
    ("r6 = *(u64 *)(r10 -32768)",                   "79 a6 0080 00000000", "79 6a 8000 00000000", |a, _| a.load(r6, u64_at(fp - 32768))),
    ("r7 = *(s8 *)(r2 +258)",                       "91 27 0201 00000000", "91 72 0102 00000000", |a, _| a.load(r7, s8_at(r2 + 258))),
    ("r8 = *(s16 *)(r5 -1)",                        "89 58 ffff 00000000", "89 85 ffff 00000000", |a, _| a.load(r8, s16_at(r5 - 1))),
    ("r9 = *(s32 *)(r8 +4)",                        "81 89 0400 00000000", "81 98 0004 00000000", |a, _| a.load(r9, s32_at(r8 + 4))),

    // Stores: 62 of a constant, 63 of a register.
    ("*(u8 *)(r0 -8) = 2147483647",                 "72 00 f8ff ffffff7f", "72 00 fff8 7fffffff", |a, _| a.store(u8_at(r0 - 8), 2147483647)),
    ("*(u8 *)(r1 +0) = r4",                         "73 41 0000 00000000", "73 14 0000 00000000", |a, _| a.store(u8_at(r1 + 0), r4)),
    ("*(u16 *)(r2 +32767) = 1",                     "6a 02 ff7f 01000000", "6a 20 7fff 00000001", |a, _| a.store(u16_at(r2 + 32767), 1)),
    ("*(u16 *)(r3 -32768) = r0",                    "6b 03 0080 00000000", "6b 30 8000 00000000", |a, _| a.store(u16_at(r3 - 32768), r0)),
    ("*(u32 *)(r4 +258) = 7",                       "62 04 0201 07000000", "62 40 0102 00000007", |a, _| a.store(u32_at(r4 + 258), 7)),
    ("*(u32 *)(r5 -1) = r6",                        "63 65 ffff 00000000", "63 56 ffff 00000000", |a, _| a.store(u32_at(r5 - 1), r6)),
    ("*(u64 *)(r10 +4) = -2",                       "7a 0a 0400 feffffff", "7a a0 0004 fffffffe", |a, _| a.store(u64_at(fp + 4), -2)),
    ("*(u64 *)(r7 -8) = r2",                        "7b 27 f8ff 00000000", "7b 72 fff8 00000000", |a, _| a.store(u64_at(r7 - 8), r2)),
    ("*(u64 *)(r9 +24) = r10",                      "7b a9 1800 00000000", "7b 9a 0018 00000000", |a, _| a.store(u64_at(r9 + 24), fp)),

    // Packet loads: 20 at a constant, 40 with an index.
    ("r0 = *(u8 *)skb[12]",                         "30 00 0000 0c000000", "30 00 0000 0000000c", |a, _| a.load_packet::<U8>(12)),
    ("r0 = *(u8 *)skb[r5 + 12]",                    "50 50 0000 0c000000", "50 05 0000 0000000c", |a, _| a.load_packet_at::<U8>(r5, 12)),
    ("r0 = *(u16 *)skb[-4096]",                     "28 00 0000 00f0ffff", "28 00 0000 fffff000", |a, _| a.load_packet::<U16>(-4096)),
    ("r0 = *(u16 *)skb[r8 + -4096]",                "48 80 0000 00f0ffff", "48 08 0000 fffff000", |a, _| a.load_packet_at::<U16>(r8, -4096)),
    ("r0 = *(u32 *)skb[65535]",                     "20 00 0000 ffff0000", "20 00 0000 0000ffff", |a, _| a.load_packet::<U32>(65535)),
    ("r0 = *(u32 *)skb[r1 + 65535]",                "40 10 0000 ffff0000", "40 01 0000 0000ffff", |a, _| a.load_packet_at::<U32>(r1, 65535)),

    // Atomics: c3 for 32 bits, db for 64; the operation in the immediate, fetch its lowest bit.
    ("lock *(u64 *)(r1 +0) += r4",                  "db 41 0000 00000000", "db 14 0000 00000000", |a, _| a.lock_add(u64_at(r1 + 0), r4)),
    ("r7 = atomic64_fetch_add((u64 *)(r2 +32767), r7)", "db 72 ff7f 01000000", "db 27 7fff 00000001", |a, _| a.fetch_add(u64_at(r2 + 32767), r7)),
    ("lock *(u64 *)(r3 -32768) |= r0",              "db 03 0080 40000000", "db 30 8000 00000040", |a, _| a.lock_or(u64_at(r3 - 32768), r0)),
    ("r3 = atomic64_fetch_or((u64 *)(r4 +258), r3)", "db 34 0201 41000000", "db 43 0102 00000041", |a, _| a.fetch_or(u64_at(r4 + 258), r3)),
    ("lock *(u64 *)(r5 -1) &= r6",                  "db 65 ffff 50000000", "db 56 ffff 00000050", |a, _| a.lock_and(u64_at(r5 - 1), r6)),
    ("r9 = atomic64_fetch_and((u64 *)(r6 +4), r9)", "db 96 0400 51000000", "db 69 0004 00000051", |a, _| a.fetch_and(u64_at(r6 + 4), r9)),
    ("lock *(u64 *)(r7 -8) ^= r2",                  "db 27 f8ff a0000000", "db 72 fff8 000000a0", |a, _| a.lock_xor(u64_at(r7 - 8), r2)),
    ("r5 = atomic64_fetch_xor((u64 *)(r8 +0), r5)", "db 58 0000 a1000000", "db 85 0000 000000a1", |a, _| a.fetch_xor(u64_at(r8 + 0), r5)),
    ("r8 = atomic64_xchg((u64 *)(r9 +32767), r8)",  "db 89 ff7f e1000000", "db 98 7fff 000000e1", |a, _| a.xchg(u64_at(r9 + 32767), r8)),
    ("r0 = atomic64_cmpxchg((u64 *)(r0 -32768), r0, r1)", "db 10 0080 f1000000", "db 01 8000 000000f1", |a, _| a.cmpxchg(u64_at(r0 - 32768), r1)),
    ("lock *(u32 *)(r1 +258) += r4",                "c3 41 0201 00000000", "c3 14 0102 00000000", |a, _| a.lock_add(u32_at(r1 + 258), r4)),
    ("r7 = atomic_fetch_add((u32 *)(r2 -1), r7)",   "c3 72 ffff 01000000", "c3 27 ffff 00000001", |a, _| a.fetch_add(u32_at(r2 - 1), r7)),
    ("lock *(u32 *)(r3 +4) |= r0",                  "c3 03 0400 40000000", "c3 30 0004 00000040", |a, _| a.lock_or(u32_at(r3 + 4), r0)),
    ("r3 = atomic_fetch_or((u32 *)(r4 -8), r3)",    "c3 34 f8ff 41000000", "c3 43 fff8 00000041", |a, _| a.fetch_or(u32_at(r4 - 8), r3)),
    ("lock *(u32 *)(r5 +0) &= r6",                  "c3 65 0000 50000000", "c3 56 0000 00000050", |a, _| a.lock_and(u32_at(r5 + 0), r6)),
    ("r9 = atomic_fetch_and((u32 *)(r6 +32767), r9)", "c3 96 ff7f 51000000", "c3 69 7fff 00000051", |a, _| a.fetch_and(u32_at(r6 + 32767), r9)),
    ("lock *(u32 *)(r7 -32768) ^= r2",              "c3 27 0080 a0000000", "c3 72 8000 000000a0", |a, _| a.lock_xor(u32_at(r7 - 32768), r2)),
    ("r5 = atomic_fetch_xor((u32 *)(r8 +258), r5)", "c3 58 0201 a1000000", "c3 85 0102 000000a1", |a, _| a.fetch_xor(u32_at(r8 + 258), r5)),
    ("r8 = atomic_xchg((u32 *)(r9 -1), r8)",        "c3 89 ffff e1000000", "c3 98 ffff 000000e1", |a, _| a.xchg(u32_at(r9 - 1), r8)),
    ("r0 = atomic_cmpxchg((u32 *)(r0 +4), r0, r1)", "c3 10 0400 f1000000", "c3 01 0004 000000f1", |a, _| a.cmpxchg(u32_at(r0 + 4), r1)),

    // Acquire and release: atomics 100 and 110, all four sizes.
    ("r1 = load_acquire((u8 *)(r4 -8))",            "d3 41 f8ff 00010000", "d3 14 fff8 00000100", |a, _| a.load_acquire(r1, u8_at(r4 - 8))),
    ("store_release((u8 *)(r2 +0), r7)",            "d3 72 0000 10010000", "d3 27 0000 00000110", |a, _| a.store_release(u8_at(r2 + 0), r7)),
    ("r3 = load_acquire((u16 *)(r0 +32767))",       "cb 03 ff7f 00010000", "cb 30 7fff 00000100", |a, _| a.load_acquire(r3, u16_at(r0 + 32767))),
    ("store_release((u16 *)(r4 -32768), r3)",       "cb 34 0080 10010000", "cb 43 8000 00000110", |a, _| a.store_release(u16_at(r4 - 32768), r3)),
    ("r5 = load_acquire((u32 *)(r6 +258))",         "c3 65 0201 00010000", "c3 56 0102 00000100", |a, _| a.load_acquire(r5, u32_at(r6 + 258))),
    ("store_release((u32 *)(r6 -1), r9)",           "c3 96 ffff 10010000", "c3 69 ffff 00000110", |a, _| a.store_release(u32_at(r6 - 1), r9)),
    ("r7 = load_acquire((u64 *)(r2 +4))",           "db 27 0400 00010000", "db 72 0004 00000100", |a, _| a.load_acquire(r7, u64_at(r2 + 4))),
    ("store_release((u64 *)(r8 -8), r5)",           "db 58 f8ff 10010000", "db 85 fff8 00000110", |a, _| a.store_release(u64_at(r8 - 8), r5)),

    // Two slots: what the number means in the source register, its high half in the second slot.
    ("r9 = 0x1122334455667788",
        "18 09 0000 88776655  00 00 0000 44332211",
        "18 90 0000 55667788  00 00 0000 11223344",
        |a, _| a.load_imm64(r9, 0x1122_3344_5566_7788)),
    ("r0 = 0xffffffff",
        "18 00 0000 ffffffff  00 00 0000 00000000",
        "18 00 0000 ffffffff  00 00 0000 00000000",
        |a, _| a.load_imm64(r0, 0xffff_ffff)),
    ("r1 = 0xfffffffffffffffe",
        "18 01 0000 feffffff  00 00 0000 ffffffff",
        "18 10 0000 fffffffe  00 00 0000 ffffffff",
        |a, _| a.load_imm64(r1, u64::MAX - 1)),
    ("r2 = map[fd:5]",
        "18 12 0000 05000000  00 00 0000 00000000",
        "18 21 0000 00000005  00 00 0000 00000000",
        |a, _| a.load_pseudo(r2, Imm64::MapFd(5))),
    ("r3 = map[fd:5][0]+258",
        "18 23 0000 05000000  00 00 0000 02010000",
        "18 32 0000 00000005  00 00 0000 00000102",
        |a, _| a.load_pseudo(r3, Imm64::MapFdValue { fd: 5, offset: 258 })),
    ("r4 = btf[4660]",
        "18 34 0000 34120000  00 00 0000 00000000",
        "18 43 0000 00001234  00 00 0000 00000000",
        |a, _| a.load_btf_id(r4, 4660)),
    ("r5 = btf[4660, fd:7]",
        "18 35 0000 34120000  00 00 0000 07000000",
        "18 53 0000 00001234  00 00 0000 00000007",
        |a, _| a.load_pseudo(r5, Imm64::BtfId { id: 4660, module_fd: 7 })),
    ("r6 = func[pc+3]",
        "18 46 0000 03000000  00 00 0000 00000000",
        "18 64 0000 00000003  00 00 0000 00000000",
        |a, to| a.load_func(r6, to)),
    ("r7 = map[idx:1]",
        "18 57 0000 01000000  00 00 0000 00000000",
        "18 75 0000 00000001  00 00 0000 00000000",
        |a, _| a.load_map(r7, MapRef(1))),
    ("r8 = map[idx:1][0]+16",
        "18 68 0000 01000000  00 00 0000 10000000",
        "18 86 0000 00000001  00 00 0000 00000010",
        |a, _| a.load_map_value(r8, MapRef(1), 16)),

    // Jumps, two slots ahead: gotol counts in the immediate.
    ("goto pc+2",                                   "05 00 0200 00000000", "05 00 0002 00000000", |a, to| a.goto(to)),
    ("gotol pc+2",                                  "06 00 0000 02000000", "06 00 0000 00000002", |a, to| a.gotol(to)),
    ("may_goto pc+2",                               "e5 00 0200 00000000", "e5 00 0002 00000000", |a, to| a.may_goto(to)),
    ("goto pc-2",                                   "05 00 feff 00000000", "05 00 fffe 00000000", |a, _| a.push(Insn::Goto { offset: -2 })),
    ("gotol pc-65536",                              "06 00 0000 0000ffff", "06 00 0000 ffff0000", |a, _| a.push(Insn::Gotol { offset: -65536 })),

    // Conditions on 64 bits: code = condition << 4 | class 5, | 8 if the source is a register.
    ("if r9 == 0x11223344 goto pc+2",               "15 09 0200 44332211", "15 90 0002 11223344", |a, to| a.jump_if(r9, Eq, 287454020, to)),
    ("if r0 == r1 goto pc+2",                       "1d 10 0200 00000000", "1d 01 0002 00000000", |a, to| a.jump_if(r0, Eq, r1, to)),
    ("if r1 != 0x80000000 goto pc+2",               "55 01 0200 00000080", "55 10 0002 80000000", |a, to| a.jump_if(r1, Ne, i32::MIN, to)),
    ("if r2 != r7 goto pc+2",                       "5d 72 0200 00000000", "5d 27 0002 00000000", |a, to| a.jump_if(r2, Ne, r7, to)),
    ("if r3 > 0x7fffffff goto pc+2",                "25 03 0200 ffffff7f", "25 30 0002 7fffffff", |a, to| a.jump_if(r3, Gt, 2147483647, to)),
    ("if r4 > r3 goto pc+2",                        "2d 34 0200 00000000", "2d 43 0002 00000000", |a, to| a.jump_if(r4, Gt, r3, to)),
    ("if r5 >= 0x1 goto pc+2",                      "35 05 0200 01000000", "35 50 0002 00000001", |a, to| a.jump_if(r5, Ge, 1, to)),
    ("if r6 >= r9 goto pc+2",                       "3d 96 0200 00000000", "3d 69 0002 00000000", |a, to| a.jump_if(r6, Ge, r9, to)),
    ("if r7 < 0x7 goto pc+2",                       "a5 07 0200 07000000", "a5 70 0002 00000007", |a, to| a.jump_if(r7, Lt, 7, to)),
    ("if r8 < r5 goto pc+2",                        "ad 58 0200 00000000", "ad 85 0002 00000000", |a, to| a.jump_if(r8, Lt, r5, to)),
    ("if r9 <= 0xfffffffe goto pc+2",               "b5 09 0200 feffffff", "b5 90 0002 fffffffe", |a, to| a.jump_if(r9, Le, -2, to)),
    ("if r0 <= r1 goto pc+2",                       "bd 10 0200 00000000", "bd 01 0002 00000000", |a, to| a.jump_if(r0, Le, r1, to)),
    ("if r1 s> 0x11223344 goto pc+2",               "65 01 0200 44332211", "65 10 0002 11223344", |a, to| a.jump_if(r1, Sgt, 287454020, to)),
    ("if r2 s> r7 goto pc+2",                       "6d 72 0200 00000000", "6d 27 0002 00000000", |a, to| a.jump_if(r2, Sgt, r7, to)),
    ("if r3 s>= 0x80000000 goto pc+2",              "75 03 0200 00000080", "75 30 0002 80000000", |a, to| a.jump_if(r3, Sge, i32::MIN, to)),
    ("if r4 s>= r3 goto pc+2",                      "7d 34 0200 00000000", "7d 43 0002 00000000", |a, to| a.jump_if(r4, Sge, r3, to)),
    ("if r5 s< 0x7fffffff goto pc+2",               "c5 05 0200 ffffff7f", "c5 50 0002 7fffffff", |a, to| a.jump_if(r5, Slt, 2147483647, to)),
    ("if r6 s< r9 goto pc+2",                       "cd 96 0200 00000000", "cd 69 0002 00000000", |a, to| a.jump_if(r6, Slt, r9, to)),
    ("if r7 s<= 0x1 goto pc+2",                     "d5 07 0200 01000000", "d5 70 0002 00000001", |a, to| a.jump_if(r7, Sle, 1, to)),
    ("if r8 s<= r5 goto pc+2",                      "dd 58 0200 00000000", "dd 85 0002 00000000", |a, to| a.jump_if(r8, Sle, r5, to)),
    ("if r9 & 0x7 goto pc+2",                       "45 09 0200 07000000", "45 90 0002 00000007", |a, to| a.jump_if(r9, Set, 7, to)),
    ("if r0 & r1 goto pc+2",                        "4d 10 0200 00000000", "4d 01 0002 00000000", |a, to| a.jump_if(r0, Set, r1, to)),

    // Conditions on 32 bits, the same with class 6.
    ("if w1 == 0xfffffffe goto pc+2",               "16 01 0200 feffffff", "16 10 0002 fffffffe", |a, to| a.jump_if(w1, Eq, -2, to)),
    ("if w2 == w7 goto pc+2",                       "1e 72 0200 00000000", "1e 27 0002 00000000", |a, to| a.jump_if(w2, Eq, w7, to)),
    ("if w3 != 0x11223344 goto pc+2",               "56 03 0200 44332211", "56 30 0002 11223344", |a, to| a.jump_if(w3, Ne, 287454020, to)),
    ("if w4 != w3 goto pc+2",                       "5e 34 0200 00000000", "5e 43 0002 00000000", |a, to| a.jump_if(w4, Ne, w3, to)),
    ("if w5 > 0x80000000 goto pc+2",                "26 05 0200 00000080", "26 50 0002 80000000", |a, to| a.jump_if(w5, Gt, i32::MIN, to)),
    ("if w6 > w9 goto pc+2",                        "2e 96 0200 00000000", "2e 69 0002 00000000", |a, to| a.jump_if(w6, Gt, w9, to)),
    ("if w7 >= 0x7fffffff goto pc+2",               "36 07 0200 ffffff7f", "36 70 0002 7fffffff", |a, to| a.jump_if(w7, Ge, 2147483647, to)),
    ("if w8 >= w5 goto pc+2",                       "3e 58 0200 00000000", "3e 85 0002 00000000", |a, to| a.jump_if(w8, Ge, w5, to)),
    ("if w9 < 0x1 goto pc+2",                       "a6 09 0200 01000000", "a6 90 0002 00000001", |a, to| a.jump_if(w9, Lt, 1, to)),
    ("if w0 < w1 goto pc+2",                        "ae 10 0200 00000000", "ae 01 0002 00000000", |a, to| a.jump_if(w0, Lt, w1, to)),
    ("if w1 <= 0x7 goto pc+2",                      "b6 01 0200 07000000", "b6 10 0002 00000007", |a, to| a.jump_if(w1, Le, 7, to)),
    ("if w2 <= w7 goto pc+2",                       "be 72 0200 00000000", "be 27 0002 00000000", |a, to| a.jump_if(w2, Le, w7, to)),
    ("if w3 s> 0xfffffffe goto pc+2",               "66 03 0200 feffffff", "66 30 0002 fffffffe", |a, to| a.jump_if(w3, Sgt, -2, to)),
    ("if w4 s> w3 goto pc+2",                       "6e 34 0200 00000000", "6e 43 0002 00000000", |a, to| a.jump_if(w4, Sgt, w3, to)),
    ("if w5 s>= 0x11223344 goto pc+2",              "76 05 0200 44332211", "76 50 0002 11223344", |a, to| a.jump_if(w5, Sge, 287454020, to)),
    ("if w6 s>= w9 goto pc+2",                      "7e 96 0200 00000000", "7e 69 0002 00000000", |a, to| a.jump_if(w6, Sge, w9, to)),
    ("if w7 s< 0x80000000 goto pc+2",               "c6 07 0200 00000080", "c6 70 0002 80000000", |a, to| a.jump_if(w7, Slt, i32::MIN, to)),
    ("if w8 s< w5 goto pc+2",                       "ce 58 0200 00000000", "ce 85 0002 00000000", |a, to| a.jump_if(w8, Slt, w5, to)),
    ("if w9 s<= 0x7fffffff goto pc+2",              "d6 09 0200 ffffff7f", "d6 90 0002 7fffffff", |a, to| a.jump_if(w9, Sle, 2147483647, to)),
    ("if w0 s<= w1 goto pc+2",                      "de 10 0200 00000000", "de 01 0002 00000000", |a, to| a.jump_if(w0, Sle, w1, to)),
    ("if w1 & 0x1 goto pc+2",                       "46 01 0200 01000000", "46 10 0002 00000001", |a, to| a.jump_if(w1, Set, 1, to)),
    ("if w2 & w7 goto pc+2",                        "4e 72 0200 00000000", "4e 27 0002 00000000", |a, to| a.jump_if(w2, Set, w7, to)),

    // Calls: of whom in the source register.
    ("call bpf_map_lookup_elem#1",                  "85 00 0000 01000000", "85 00 0000 00000001", |a, _| a.call(MAP_LOOKUP_ELEM)),
    ("call unknown#-2",                             "85 00 0000 feffffff", "85 00 0000 fffffffe", |a, _| a.push(Insn::Call(Callee::Helper(-2)))),
    ("call pc+2",                                   "85 10 0000 02000000", "85 01 0000 00000002", |a, to| a.call_local(to)),
    ("call kernel-function#4660",                   "85 20 0000 34120000", "85 02 0000 00001234", |a, _| a.call_kfunc(4660)),
    ("call kernel-function#4660[3]",                "85 20 0300 34120000", "85 02 0003 00001234", |a, _| a.push(Insn::Call(Callee::Kfunc { id: 4660, fd_index: 3 }))),
    ("exit",                                        "95 00 0000 00000000", "95 00 0000 00000000", |a, _| a.exit()),
];

/// A row of the table, its bytes as numbers.
pub struct Known {
    pub insn: Insn,
    pub text: &'static str,
    pub little: Vec<u8>,
    pub big: Vec<u8>,
    /// Of this file.
    pub line: u32,
}

/// The whole table.
pub fn known() -> impl Iterator<Item = Known> {
    ROWS.iter().map(|&(text, little, big, write)| {
        let mut a = Asm::new();
        let target = a.label();
        write(&mut a, &target);
        a.exit();
        a.exit();
        a.place(target);
        a.exit();
        let program = a.finish().unwrap_or_else(|error| panic!("{text}: {error}"));
        let (_, &insn, line) = program.lines().next().expect("an instruction");
        assert_eq!(line.file, file!(), "{text}");
        Known { insn, text, little: hex(little), big: hex(big), line: line.line }
    })
}

fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u32> = digits.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

#[test]
fn every_instruction_encodes_to_the_bytes_of_the_rfc() {
    for row in known() {
        assert_eq!(encode(&[row.insn], Endian::Little), row.little, "{}, little", row.text);
        assert_eq!(encode(&[row.insn], Endian::Big), row.big, "{}, big", row.text);
    }
}

#[test]
fn the_bytes_of_the_rfc_decode_to_the_instruction_that_was_built() {
    for row in known() {
        assert_eq!(decode(&row.little, Endian::Little), Ok(vec![row.insn]), "{}", row.text);
        assert_eq!(decode(&row.big, Endian::Big), Ok(vec![row.insn]), "{}", row.text);
    }
}

#[test]
fn every_instruction_is_listed_in_the_words_of_the_verifier() {
    for row in known() {
        assert_eq!(row.insn.to_string(), row.text);
        let line = listing::line(7, &row.insn, listing::Names::default()).to_string();
        assert_eq!(line, format!("7: ({:02x}) {}", row.little[0], row.text));
    }
}

#[test]
fn the_table_has_a_row_for_every_form() {
    assert_eq!(missing(known().map(|row| row.insn)), Vec::<String>::new());
}

/// A method without `#[track_caller]` would name itself.
#[test]
fn every_method_of_the_builder_remembers_the_line_that_called_it() {
    let mut last = 0;
    for row in known() {
        let line = row.line;
        assert!(line > last, "{}: {}", row.text, row.line);
        last = line;
    }
}
