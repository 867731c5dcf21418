//! Why each lesson's program is refused, in the words of the kernels from 5.10 on.

/// For each lesson, the messages of which the log must contain one.
pub const REASONS: [&[&str]; 30] = [
    &["R0 !read_ok"],
    &["last insn is not an exit or jmp"],
    &["unreachable insn 3"],
    &["jump into the middle of ldimm64 insn 2", "invalid BPF_LD_IMM insn"],
    &["R1 !read_ok"],
    &["R6 !read_ok"],
    &["invalid write to stack R10 off=-520 size=8"],
    &["misaligned stack access off"],
    &["invalid bpf_context access off=0 size=8"],
    &["dereference of modified ctx ptr R1 off=16 disallowed"],
    // riscv64 looks at the alignment first.
    &[
        "R2 invalid mem access 'scalar'",
        "R2 invalid mem access 'inv'",
        "misaligned access off (0x0;",
    ],
    &["R1 32-bit pointer arithmetic prohibited"],
    &["R1 type=ctx expected=map_ptr"],
    &[
        "program of this type cannot use helper bpf_skb_load_bytes#26",
        "unknown func bpf_skb_load_bytes#26",
    ],
    &["R0 invalid mem access 'map_value_or_null'"],
    &["invalid access to map value, value_size=16 off=16 size=8"],
    &["math between map_value pointer and register with unbounded min value is not allowed"],
    &["R2 min value is negative, either use unsigned or 'var &= const'"],
    &["infinite loop detected at insn 3"],
    &["invalid access to map value, value_size=8 off=8 size=1"],
    &["invalid access to packet, off=12 size=2, R2("],
    &["R7 invalid mem access 'scalar'", "R7 invalid mem access 'inv'"],
    &["combined stack size of 2 calls is 6"],
    &["Unreleased reference id="],
    &[
        "R6 invalid mem access 'scalar'",
        "R6 invalid mem access 'inv'",
        "misaligned access off (0x0;",
    ],
    &["function calls are not allowed while holding a lock"],
    &["At program exit the register R0 has"],
    &["R6 leaks addr into map"],
    &["The sequence of 8193 jumps is too complex"],
    &["BPF program is too large. Processed 1000001 insn"],
];
