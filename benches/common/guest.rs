//! Emulated machines with the kernels of the tests, whose clock goes on by a nanosecond with each
//! instruction (QEMU's -icount): all times there are numbers of instructions.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::machine::{self, Machine, X86_64};
use super::{RAWBPF, Result, text};

/// Where our tool is in a machine.
pub const RUN: &str = "/bin/rawbpf";

/// The kernels that the tests boot.
pub fn kernels() -> impl Iterator<Item = &'static str> {
    let lines = include_str!("../../tests/vm/kernels").lines();
    lines.filter_map(|line| line.split_once(' ')).filter_map(|(name, rest)| {
        // The benchmark itself runs there.
        (name != "#" && rest.trim_start().starts_with("amd64 ")).then_some(name)
    })
}

/// Runs this benchmark with the arguments in a machine with one CPU and so many possible ones, and
/// gives what it printed. The files are put in the root folder.
pub fn run(kernel: &str, possible_cpus: u32, files: &[PathBuf], arguments: &str) -> Result<String> {
    let cached = machine::cache().map_err(text)?.join("kernels").join(kernel);
    if !cached.join("vmlinuz").exists() {
        return Err(format!("no kernel in {}: run tests/run", cached.display()));
    }
    let work = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guest");
    let _ = fs::remove_dir_all(&work);
    let root = work.join("files");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["bin", "guest/tools"] {
        fs::create_dir_all(root.join(folder)).map_err(text)?;
    }
    let copy = |from: &Path, to: &str| fs::copy(from, root.join(to)).map_err(text);
    copy(Path::new(*RAWBPF), "bin/rawbpf")?;
    copy(&std::env::current_exe().map_err(text)?, "bin/benchmark")?;
    copy(&here.join("tests/vm/guest/init.sh"), "init")?;
    fs::set_permissions(root.join("init"), PermissionsExt::from_mode(0o755)).map_err(text)?;
    copy(&here.join("tests/vm/guest/case.sh"), "guest/case.sh")?;
    copy(&here.join("benches/common/guest.sh"), "guest/tools/benchmark.sh")?;
    for file in files {
        let name = file.file_name().ok_or("no name")?;
        fs::copy(file, root.join(name)).map_err(text)?;
    }
    fs::write(root.join("guest/cases"), format!("run benchmark {arguments}\n")).map_err(text)?;
    fs::write(root.join("guest/machine"), "nvme=true\nprepare() { true; }\n").map_err(text)?;
    machine::write_initramfs(&cached.join("base.cpio.gz"), &root, &work.join("initramfs"))
        .map_err(text)?;
    let processors = format!(
        "-cpu max,la57=off,cx16=off,rdrand=off,rdseed=off -smp 1,maxcpus={possible_cpus} \
         -icount shift=0,sleep=off -rtc base=2026-01-01,clock=vm -seed 42"
    );
    let machine = Machine {
        processors: &processors.split(' ').collect::<Vec<_>>(),
        append: "no_timer_check nokaslr tsc=reliable",
        ..X86_64
    };
    let ending = machine::run(&cached.join("vmlinuz"), &work, &machine).map_err(text)?;
    machine::unpack_results(&work).map_err(text)?;
    let said = |file: &str| fs::read_to_string(work.join("run").join(file)).unwrap_or_default();
    let output = said("stdout");
    match output.is_empty() {
        true => Err(format!("{} {}", ending.trim_end(), said("stderr"))),
        false => Ok(output.trim_end().into()),
    }
}
