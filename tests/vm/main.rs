//! The tools on real kernels: each kernel is booted once under QEMU and runs every case of its table.
//!
//! `tests/run` fetches what this needs. A case is one row in `cases.rs` and one function of a script
//! in `guest/tools/`: the row makes the test, tells the guest what to run and checks what came of it.

mod argdist;
mod attach;
mod bed;
mod bioheat;
mod biolatency;
mod bitehist;
mod bitesize;
mod boot;
mod funccount;
#[macro_use]
mod cases;
mod confined;
mod conformance;
mod costs;
mod doctor;
mod dump;
mod emitted;
mod funclatency;
mod hosts;
mod lacks;
mod lesson;
#[path = "../host/lines.rs"]
mod lines;
mod list;
mod machine;
mod refusal;
mod run;
mod trace;
mod user;
mod verify;
mod whose;

use bed::{Case, Kernel};
use machine::{
    ARM64, INTERPRETED, LOCKED, RISCV64, RISCV64_WITH_JIT, S390X, WITHOUT_TYPES, X86_64,
};
use std::collections::BTreeSet;
use std::process::Command;

/// A module with the tests of one kernel: `kernel! { MODULE "NAME" (MACHINE) ROW... }`, rows as in `cases.rs`.
macro_rules! kernel {
    ($module:ident $name:literal ($machine:expr) $($case:ident: $guest:literal => $check:path;)*) => {
        mod $module {
            use super::*;

            pub static KERNEL: Kernel = Kernel::new($name, stringify!($module), $machine, &[$(Case {
                name: stringify!($case),
                guest: $guest,
                check: $check,
            }),*]);

            $(
                #[test]
                #[ignore = "needs qemu and kernels: run tests/run"]
                fn $case() {
                    KERNEL.passes(&KERNELS, stringify!($case));
                }
            )*

            #[test]
            #[ignore = "needs qemu and kernels: run tests/run"]
            fn ran_every_case_and_no_other() {
                KERNEL.ran_every_case_and_no_other(&KERNELS);
            }
        }
    };
}

// A line for each kernel: what it has besides what all have, what it does not have, its name and its machine.
everywhere!(with_nvme with_jit with_kretprobe with_fentry with_costs without_kprobe_multi
    kernel vm_5_10 "5.10" (X86_64));
everywhere!(with_nvme with_jit with_kretprobe with_fentry with_costs without_kprobe_multi with_types_of_modules
    kernel vm_6_1 "6.1" (X86_64));
everywhere!(with_nvme with_jit with_kretprobe with_fentry with_costs with_kprobe_multi with_types_of_modules
    kernel vm_6_12 "6.12" (X86_64));
everywhere!(with_nvme with_jit with_kretprobe with_fentry with_costs with_kprobe_multi with_types_of_modules
    kernel vm_6_18 "6.18" (X86_64));
everywhere!(with_nvme with_jit with_kretprobe with_fentry with_costs with_kprobe_multi with_types_of_modules
    with_little_endian kernel vm_7 "7" (X86_64));
everywhere!(with_nvme with_jit with_kretprobe with_fentry without_kprobe_multi with_types_of_modules
    kernel arm64_6_12 "arm64-6.12" (ARM64));
everywhere!(with_nvme with_jit with_kretprobe with_fentry with_kprobe_multi with_types_of_modules with_little_endian
    kernel arm64_7 "arm64-7" (ARM64));
everywhere!(without_nvme without_jit without_kretprobe with_fentry without_kprobe_multi with_types_of_modules
    with_little_endian kernel riscv64_6_12 "riscv64-6.12" (RISCV64));
everywhere!(without_nvme with_jit with_kretprobe with_fentry with_kprobe_multi with_types_of_modules with_little_endian
    kernel riscv64_7 "riscv64-7" (RISCV64_WITH_JIT));
everywhere!(without_nvme without_jit with_kretprobe without_fentry with_same_addresses with_big_endian
    kernel s390x_6_12 "s390x-6.12" (S390X));

// Hosts whose kernel was built or started in another way: a few cases each.
on_any_host!(not_locked without_types kernel vm_5_10_without_types "5.10" (WITHOUT_TYPES));
on_any_host!(not_locked without_types kernel vm_6_12_without_types "6.12" (WITHOUT_TYPES));
on_any_host!(with_types locked kernel vm_6_12_locked "6.12" (LOCKED));
on_any_host!(not_locked with_types with_copies interpreted kernel vm_6_12_interpreted "6.12" (INTERPRETED));
on_any_host!(not_locked with_types with_copies kernel rt_6_12 "rt-6.12" (X86_64));
on_any_host!(not_locked with_types with_copies with_ext4 kernel generic_6_12 "generic-6.12" (X86_64));

/// The first ones run all cases.
static KERNELS: [&Kernel; WHOLE + 6] = [
    &vm_5_10::KERNEL,
    &vm_6_1::KERNEL,
    &vm_6_12::KERNEL,
    &vm_6_18::KERNEL,
    &vm_7::KERNEL,
    &arm64_6_12::KERNEL,
    &arm64_7::KERNEL,
    &riscv64_6_12::KERNEL,
    &riscv64_7::KERNEL,
    &s390x_6_12::KERNEL,
    &vm_5_10_without_types::KERNEL,
    &vm_6_12_without_types::KERNEL,
    &vm_6_12_locked::KERNEL,
    &vm_6_12_interpreted::KERNEL,
    &rt_6_12::KERNEL,
    &generic_6_12::KERNEL,
];

const WHOLE: usize = 10;

/// A kernel that is fetched but not tested, or tested but never fetched, would go unnoticed.
#[test]
fn every_kernel_that_is_fetched_is_tested() {
    let fetched: BTreeSet<&str> = include_str!("kernels")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(fetched, BTreeSet::from(KERNELS.map(|kernel| kernel.name)));
}

/// What a kernel or its machine does not have, by a part of the names of cases, and the case that shows it.
const LACKS: [(&str, &str, &str); 4] = [
    // The emulator's lose interrupts.
    ("riscv64-6.12", "nvme", "lacks_nvme"),
    ("riscv64-7", "nvme", "lacks_nvme"),
    // QEMU has no NVMe disks for it.
    ("s390x-6.12", "nvme", "lacks_nvme"),
    // Its kernel interprets programs, and a trampoline needs a JIT.
    ("s390x-6.12", "fentry", "lacks_fentry"),
];

/// Whether the kernel does not have what the case is about, which another case of it shows.
fn lacks(kernel: &Kernel, case: &str) -> bool {
    LACKS.iter().any(|(name, part, shown)| {
        let lacks = *name == kernel.name && case.contains(part);
        assert!(!lacks || kernel.cases.iter().any(|case| case.name == *shown), "{name}: {shown}");
        lacks
    })
}

/// Rows and kernels that vanish take their tests with them: what must be there is said again here.
#[test]
fn no_kernel_and_no_promise_is_missing() {
    let names = KERNELS.map(|kernel| kernel.name);
    assert_eq!(names[..5], ["5.10", "6.1", "6.12", "6.18", "7"]);
    let others = ["arm64-6.12", "arm64-7", "riscv64-6.12", "riscv64-7", "s390x-6.12"];
    assert_eq!(names[5..WHOLE], others);
    assert_eq!(names[WHOLE..], ["5.10", "6.12", "6.12", "6.12", "rt-6.12", "generic-6.12"]);
    for kernel in &KERNELS[..WHOLE] {
        for case in [
            "bitehist_auto_virtio",
            "bitehist_all_disks",
            "bitehist_sum_over_intervals",
            "bitehist_ctrl_c",
            "bitehist_three_tables",
            "bitehist_kprobe_leaves_nothing",
            "bitehist_fentry_leaves_nothing",
            "bitehist_tp_btf_leaves_nothing",
            "bitehist_raw_tp_leaves_nothing",
            "bitehist_tracepoint_leaves_nothing",
        ] {
            let has = kernel.cases.iter().any(|known| known.name == case);
            assert_ne!(has, lacks(kernel, case), "{}: {case}", kernel.name);
        }
    }
}

/// The harness is asked what it would run, so a row that makes no test shows here.
#[test]
fn every_case_is_a_test() {
    let list = Command::new(std::env::current_exe().unwrap())
        .args(["--list", "--ignored", "--format", "terse"])
        .output()
        .unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let tests: BTreeSet<String> = list
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .filter(|name| !name.ends_with("::ran_every_case_and_no_other"))
        .map(str::to_owned)
        .collect();
    let cases: BTreeSet<String> = KERNELS
        .iter()
        .flat_map(|kernel| kernel.cases.iter().map(|case| kernel.test_name(case.name)))
        .collect();
    assert_eq!(tests, cases);
}

/// Every kind of probe is tried on every kind of disk, since a driver decides which of the kernel's
/// functions its requests pass through.
#[test]
fn every_kind_of_probe_meets_every_disk() {
    for kernel in &KERNELS[..WHOLE] {
        for kind in ["kprobe", "fentry", "tp_btf", "raw_tp", "tracepoint"] {
            for disk in ["virtio", "null_blk", "nvme"] {
                let name = format!("bitehist_{kind}_{disk}");
                let has = kernel.cases.iter().any(|case| case.name == name);
                assert_ne!(has, lacks(kernel, &name), "{}: {name}", kernel.name);
            }
        }
    }
}
