//! One run of a guest: what goes in, QEMU, and what comes out.

use crate::bed::{Case, Kernel, Outcome};
use crate::machine::{self, Machine, X86_64};
use crate::{conformance, emitted};
use rawbpf::insn::Endian;
use std::collections::BTreeMap;
use std::io::{self, Error};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// What a guest left behind.
pub struct Boot {
    /// What `uname -r` had to say.
    pub expected_release: String,
    /// What it said, if the guest came that far.
    pub release: Option<String>,
    pub outcomes: BTreeMap<String, Outcome>,
    /// Whether the guest came to the end of its list.
    pub ended: bool,
    /// For whoever misses something: how it ended, and the last lines of the console.
    pub ending: String,
}

/// Boots the kernel and runs these of its cases, in a folder of that name. That it could not is told in the boot's
/// `ending`.
pub fn boot(kernel: &Kernel, cases: &[Case], folder: &str) -> Boot {
    try_boot(kernel, cases, folder).unwrap_or_else(|error| Boot {
        expected_release: String::new(),
        release: None,
        outcomes: BTreeMap::new(),
        ended: false,
        ending: format!("cannot boot: {error}"),
    })
}

fn try_boot(kernel: &Kernel, cases: &[Case], folder: &str) -> io::Result<Boot> {
    let cached = machine::cache()?.join("kernels").join(kernel.name);
    let expected_release = fs::read_to_string(cached.join("release"))
        .map_err(|_| Error::other(format!("no kernel in {}: run tests/run", cached.display())))?;
    let work = Path::new(env!("CARGO_TARGET_TMPDIR")).join("vm").join(folder);
    let mut boot = run(kernel, cases, &cached, &work)?;
    for _ in 0..2 {
        // An emulated machine that does not come up says nothing about the tool.
        if boot.release.is_none() {
            boot = run(kernel, cases, &cached, &work)?;
        }
    }
    boot.expected_release = expected_release.trim().to_owned();
    Ok(boot)
}

/// The tool to test, and these tests, which have symbols and a function that is called there. On a machine like
/// this host the tool is the one that `tests/run` built for release, or else the one built with the tests; for the
/// others `tests/run` put both into a folder.
fn programs(machine: &Machine<'_>) -> io::Result<[PathBuf; 2]> {
    if machine.target == X86_64.target {
        let tool = env::var_os("RAWBPF_TEST_BINARY");
        let tool = tool.unwrap_or_else(|| env!("CARGO_BIN_EXE_rawbpf").into());
        return Ok([tool.into(), env::current_exe()?]);
    }
    let folder = env::var_os("RAWBPF_TEST_PROGRAMS")
        .ok_or_else(|| Error::other("RAWBPF_TEST_PROGRAMS is not set: run tests/run"))?;
    let folder = Path::new(&folder).join(machine.target);
    Ok(["rawbpf", "vm-tests"].map(|name| folder.join(name)))
}

fn run(kernel: &Kernel, cases: &[Case], cached: &Path, work: &Path) -> io::Result<Boot> {
    if work.exists() {
        fs::remove_dir_all(work)?;
    }
    fs::create_dir_all(work)?;
    write_initramfs(kernel, cases, &cached.join("base.cpio.gz"), work)?;
    let how_it_ended = machine::run(&cached.join("vmlinuz"), work, &kernel.machine)?;
    read_results(work, &how_it_ended)
}

/// The kernel's own initramfs with the tool, the guest's scripts and the list of cases behind it.
fn write_initramfs(kernel: &Kernel, cases: &[Case], base: &Path, work: &Path) -> io::Result<()> {
    let files = work.join("files");
    fs::create_dir_all(files.join("guest"))?;
    fs::create_dir_all(files.join("bin"))?;
    let [tool, tests] = programs(&kernel.machine)?;
    fs::copy(tool, files.join("bin/rawbpf"))?;
    fs::copy(tests, files.join("bin/vm-tests"))?;
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vm/guest");
    fs::copy(scripts.join("init.sh"), files.join("init"))?;
    fs::set_permissions(files.join("init"), PermissionsExt::from_mode(0o755))?;
    fs::copy(scripts.join("case.sh"), files.join("guest/case.sh"))?;
    let of_scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/script");
    for name in ["run.cases", "deviations.txt"] {
        fs::copy(of_scripts.join(name), files.join("guest").join(name))?;
    }
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/scripts");
    copy_all(&examples, &files.join("guest/scripts"))?;
    fs::copy(scripts.join("branches.bpf"), files.join("guest/branches.bpf"))?;
    copy_all(&scripts.join("tools"), &files.join("guest/tools"))?;
    let lessons = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/lessons");
    copy_all(&lessons, &files.join("guest/lessons"))?;
    compile_all(&scripts.join("objects"), &files.join("guest/objects"), kernel.machine.order)?;
    emitted::write(&files.join("guest/emitted"), &scripts.join("emitted.bpf"))?;
    conformance::write(&files.join("guest/rfc9669"), kernel.machine.order)?;
    let list: String = cases.iter().map(|case| format!("{} {}\n", case.name, case.guest)).collect();
    fs::write(files.join("guest/cases"), list)?;
    let Machine { nvme, prepare, .. } = kernel.machine;
    let machine = format!("nvme={nvme}\nprepare() {{ true; {prepare}\n}}\n");
    fs::write(files.join("guest/machine"), machine)?;

    machine::write_initramfs(base, &files, &work.join("initramfs"))
}

/// Compiles the programs of a folder to objects of this byte order, in one that is made for them.
fn compile_all(from: &Path, to: &Path, order: Endian) -> io::Result<()> {
    fs::create_dir_all(to)?;
    let target = if order == Endian::Big { "--target=bpfeb" } else { "--target=bpfel" };
    for file in fs::read_dir(from)? {
        let source = file?.path();
        if source.extension().is_some_and(|extension| extension == "c") {
            let object = to.join(source.with_extension("o").file_name().unwrap());
            let clang = Command::new("clang-19")
                .args(["-O2", "-g", target, "-mcpu=v3"])
                .arg("-I/usr/include/x86_64-linux-gnu")
                .args([Path::new("-c"), &source, Path::new("-o"), &object])
                .status()?;
            if !clang.success() {
                return Err(io::Error::other(format!("{}: clang-19 failed", source.display())));
            }
        }
    }
    Ok(())
}

/// Copies the files of a folder to one that is made for them.
fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for file in fs::read_dir(from)? {
        let file = file?;
        fs::copy(file.path(), to.join(file.file_name()))?;
    }
    Ok(())
}

fn read_results(work: &Path, how_it_ended: &str) -> io::Result<Boot> {
    machine::unpack_results(work)?;
    let console = fs::read(work.join("console")).unwrap_or_default();
    let console = String::from_utf8_lossy(&console);
    let lines: Vec<&str> = console.lines().collect();
    let tail = lines[lines.len().saturating_sub(40)..].join("\n");
    let read = |path: PathBuf| fs::read(path).ok().map(|bytes| text(&bytes));

    let mut outcomes = BTreeMap::new();
    for entry in fs::read_dir(work)? {
        let folder = entry?.path();
        // Sent last: with a status, the case is complete.
        if let Some(status) = read(folder.join("status")) {
            let name = folder.file_name().unwrap_or_default();
            outcomes.insert(
                name.to_string_lossy().into_owned(),
                Outcome {
                    status: status.trim().to_owned(),
                    stdout: read(folder.join("stdout")).unwrap_or_default(),
                    stderr: read(folder.join("stderr")).unwrap_or_default(),
                },
            );
        }
    }
    Ok(Boot {
        expected_release: String::new(),
        release: read(work.join("release")).map(|release| release.trim().to_owned()),
        outcomes,
        ended: work.join("end").exists(),
        ending: format!("{how_it_ended}; the console's last lines:\n{tail}"),
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
