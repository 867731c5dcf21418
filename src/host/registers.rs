//! Where a kprobe's context holds the probed function's arguments, per architecture.
//!
//! The context is `struct pt_regs` on x86_64 and its user-visible form elsewhere
//! (`bpf_user_pt_regs_t` in the kernel's `asm/bpf_perf_event.h`).

/// Offsets in bytes.
pub struct Registers {
    /// The architecture as Rust names it.
    pub arch: &'static str,
    /// Where the first arguments are at a function's entry; others are on the stack.
    pub arguments: &'static [i32],
    /// How many registers a struct may take.
    struct_words: u32,
    /// How a bigger struct is passed: by its address, or on the stack.
    by_address: bool,
    /// The words of the largest struct that a function can return without being given an address for it as its
    /// first argument.
    result_words: u32,
    /// The same for functions of Go 1.17 and later, if that is known and not as in C.
    pub of_go: Option<&'static [i32]>,
    /// Where the result is at its return.
    pub result: i32,
    /// Where the stack pointer is.
    pub stack_pointer: i32,
    /// How many bytes further it is when the function has returned than at its entry: the return
    /// address, where that lies on the stack.
    pub popped: i32,
}

/// The architectures whose layout is known. The tests run on each.
pub const REGISTERS: [Registers; 4] = [
    Registers {
        arch: "x86_64",
        arguments: &[112, 104, 96, 88, 72, 64], // di, si, dx, cx, r8, r9
        struct_words: 2,
        by_address: false,
        result_words: 2,
        of_go: Some(&[80, 40, 88, 112, 104, 72, 64, 56, 48]), // ax, bx, cx, di, si, r8 to r11
        result: 80,                                           // ax
        stack_pointer: 152,
        popped: 8,
    },
    Registers {
        arch: "aarch64",
        arguments: &[0, 8, 16, 24, 32, 40], // x0 to x5
        struct_words: 2,
        by_address: true,
        result_words: u32::MAX,
        of_go: Some(&[0, 8, 16, 24, 32, 40]),
        result: 0,
        stack_pointer: 248,
        popped: 0,
    },
    Registers {
        arch: "riscv64",
        // a0 to a5, after pc, ra, sp, gp, tp, t0-t2, s0, s1
        arguments: &[80, 88, 96, 104, 112, 120],
        struct_words: 2,
        by_address: true,
        result_words: 2,
        of_go: Some(&[80, 88, 96, 104, 112, 120]),
        result: 80,
        stack_pointer: 16,
        popped: 0,
    },
    Registers {
        arch: "s390x",
        // gprs[2] to gprs[6], after args[1] and the two words of the psw
        arguments: &[40, 48, 56, 64, 72],
        struct_words: 1,
        by_address: true,
        result_words: 0,
        of_go: None,
        result: 40,
        stack_pointer: 144,
        popped: 0,
    },
];

impl Registers {
    /// Where a function of C has an argument at its entry, in bytes; None if that is on the stack. `before` are the
    /// words of the arguments before it, and `result` those of the struct that the function returns, if it does.
    pub fn argument(
        &self,
        before: &mut dyn Iterator<Item = u32>,
        result: Option<u32>,
    ) -> Option<i32> {
        let mut next = u32::from(result.is_some_and(|words| words > self.result_words)) as usize;
        for words in before {
            let words = match words <= self.struct_words {
                true => words as usize,
                false => self.by_address.into(),
            };
            // On x86_64 what does not fit is on the stack, and the next may still fit.
            if self.by_address || next + words <= self.arguments.len() {
                next += words;
            }
        }
        self.arguments.get(next).copied()
    }
}

/// The arguments of a function that are in registers, as users name them.
pub const ARGUMENTS: &str =
    if cfg!(target_arch = "s390x") { "arg0 to arg4" } else { "arg0 to arg5" };

/// This host's; None on an architecture nobody has checked.
pub fn host() -> Option<&'static Registers> {
    REGISTERS.iter().find(|registers| registers.arch == std::env::consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_arguments_is_their_number() {
        let count = host().map_or(6, |registers| registers.arguments.len());
        assert_eq!(ARGUMENTS, format!("arg0 to arg{}", count - 1));
    }

    /// As the ABI of each architecture has it.
    #[test]
    fn a_struct_before_an_argument_may_take_its_register() {
        let argument = |arch: &str, before: &[u32], result| {
            let registers = REGISTERS.iter().find(|registers| registers.arch == arch).unwrap();
            let place = registers.argument(&mut before.iter().copied(), result)?;
            registers.arguments.iter().position(|known| *known == place)
        };
        for (before, result, expected) in [
            (&[][..], None, [Some(0); 4]),
            (&[1, 1], None, [Some(2); 4]),
            (&[1, 2], None, [Some(3), Some(3), Some(3), Some(2)]),
            (&[1, 3], None, [Some(1), Some(2), Some(2), Some(2)]),
            (&[1, 1, 1, 1, 1, 2], None, [Some(5), None, None, None]),
            (&[1], Some(1), [Some(1), Some(1), Some(1), Some(2)]),
            (&[1], Some(3), [Some(2), Some(1), Some(2), Some(2)]),
        ] {
            let found = ["x86_64", "aarch64", "riscv64", "s390x"]
                .map(|arch| argument(arch, before, result));
            assert_eq!(found, expected, "{before:?}, {result:?}");
        }
    }
}
