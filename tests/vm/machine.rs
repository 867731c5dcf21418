//! A guest: what it boots with, QEMU, and what it sends back.

use rawbpf::insn::Endian;
use std::io::{self, Error};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// How long a guest may take from power on to power off; ordinary is a fifth of it.
const LIMIT: Duration = Duration::from_secs(1800);

/// How long until its first word; ordinary is a tenth of it.
const UNTIL_UP: Duration = Duration::from_secs(60);

/// An emulated NVMe disk may lose an interrupt, which its driver finds out after 30 s unless it is told to look
/// sooner.
const NVME_TIMEOUT: &str = "nvme_core.io_timeout=5";

/// A computer that QEMU emulates. It is emulation throughout, so that the tests are the same on every host.
#[derive(Clone, Copy)]
pub struct Machine<'a> {
    /// The target of Rust for what runs there.
    pub target: &'a str,
    /// The end of the name of QEMU's command.
    pub qemu: &'a str,
    /// QEMU's options for the board.
    pub board: &'a [&'a str],
    /// QEMU's options for the processors and the clock.
    pub processors: &'a [&'a str],
    /// In which order it has a number's bytes.
    pub order: Endian,
    /// Where the kernel prints.
    pub console: &'a str,
    /// What virtio devices are on: pci or ccw.
    pub bus: &'a str,
    /// Whether it has NVMe disks.
    pub nvme: bool,
    /// More for the kernel's command line.
    pub append: &'a str,
    /// What the guest's shell does before the first case.
    pub prepare: &'a str,
}

/// What is switched off is broken in the emulators of some distributions (cx16, several threads) or by a
/// busy host (the timer check).
pub const X86_64: Machine<'static> = Machine {
    target: "x86_64-unknown-linux-musl",
    qemu: "x86_64",
    board: &["-accel", "tcg,thread=single", "-machine", "q35"],
    processors: &["-cpu", "max,la57=off,cx16=off", "-smp", "2"],
    order: Endian::Little,
    console: "ttyS0",
    bus: "pci",
    nvme: true,
    append: "no_timer_check",
    prepare: "",
};

pub const ARM64: Machine<'static> = Machine {
    target: "aarch64-unknown-linux-musl",
    qemu: "aarch64",
    // Each processor on a thread of its own, two guests would take turns on the host's two.
    board: &["-accel", "tcg,thread=single", "-machine", "virt,gic-version=3"],
    processors: &["-cpu", "cortex-a57", "-smp", "2"],
    console: "ttyAMA0",
    append: "",
    ..X86_64
};

/// Its NVMe disks stand still in some emulators, which lose interrupts of theirs.
pub const RISCV64: Machine<'static> = Machine {
    target: "riscv64gc-unknown-linux-musl",
    qemu: "riscv64",
    board: &["-machine", "virt"],
    processors: &["-cpu", "rv64", "-smp", "2"],
    nvme: false,
    append: "",
    ..X86_64
};

/// The byte order is big-endian; it has no NVMe disks, and its kernel has no JIT in this emulator.
pub const S390X: Machine<'static> = Machine {
    target: "s390x-unknown-linux-musl",
    qemu: "s390x",
    board: &["-machine", "s390-ccw-virtio"],
    processors: &["-smp", "2"],
    order: Endian::Big,
    console: "ttysclp0",
    bus: "ccw",
    nvme: false,
    append: "",
    ..X86_64
};

/// Its kernel has no description of its types.
pub const WITHOUT_TYPES: Machine<'static> =
    Machine { prepare: "mkdir /tmp/none; mount --bind /tmp/none /sys/kernel/btf", ..X86_64 };

/// Its kernel lets nobody read its memory, not even root.
pub const LOCKED: Machine<'static> =
    Machine { append: "no_timer_check lockdown=confidentiality", ..X86_64 };

/// Its kernel compiles programs and lists them, as others do: that of Linux 7 has no interpreter for some helpers'
/// instructions.
pub const RISCV64_WITH_JIT: Machine<'static> = Machine {
    prepare: "for it in enable kallsyms; do echo 1 >/proc/sys/net/core/bpf_jit_$it; done",
    ..RISCV64
};

/// Its kernel interprets programs.
pub const INTERPRETED: Machine<'static> =
    Machine { prepare: "echo 0 >/proc/sys/net/core/bpf_jit_enable", ..X86_64 };

/// Where `tests/run` keeps the kernels.
pub fn cache() -> io::Result<PathBuf> {
    if let Some(cache) = env::var_os("RAWBPF_TEST_CACHE") {
        return Ok(cache.into());
    }
    let home = env::var_os("HOME").ok_or_else(|| Error::other("HOME is not set"))?;
    Ok(PathBuf::from(home).join(".cache/rawbpf-tests"))
}

/// The kernel's own initramfs with this folder's content behind it.
pub fn write_initramfs(base: &Path, files: &Path, into: &Path) -> io::Result<()> {
    let archive = Command::new("sh")
        .args(["-c", "find . -mindepth 1 | cpio --quiet -o -H newc -R 0:0"])
        .current_dir(files)
        .output()?;
    if !archive.status.success() {
        return Err(Error::other(String::from_utf8_lossy(&archive.stderr)));
    }
    let mut initramfs = fs::read(base)?;
    // A second archive that does not begin at a multiple of 4 is silently ignored.
    initramfs.resize(initramfs.len().next_multiple_of(4), 0);
    initramfs.extend(archive.stdout);
    fs::write(into, initramfs)?;
    fs::remove_dir_all(files)
}

/// Runs the guest that has its initramfs in the folder `work` to its end or to the limit, and says
/// which it was.
pub fn run(vmlinuz: &Path, work: &Path, machine: &Machine<'_>) -> io::Result<String> {
    let nvme: &[&str] = if machine.nvme { &["nvme", "paths"] } else { &[] };
    let mut drives = vec![];
    for disk in ["virtio"].iter().chain(nvme) {
        fs::File::create(work.join(format!("{disk}.img")))?.set_len(64 << 20)?;
        let drive = format!("if=none,id={disk},format=raw,cache=unsafe,file={disk}.img");
        drives.extend(["-drive".to_owned(), drive]);
    }
    let nvme: &[&str] = match machine.nvme {
        true => &[
            "nvme,drive=nvme,serial=nvme",
            // A disk that may have several paths: its requests go to a hidden disk.
            "nvme-subsys,id=paths",
            "nvme,serial=paths,subsys=paths,id=path",
            "nvme-ns,drive=paths,bus=path,shared=on",
        ],
        false => &[],
    };
    // QEMU ends with the thread that waits for it.
    let mut qemu = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", &format!("qemu-system-{}", machine.qemu)])
        .args(machine.board)
        .args(["-m", "1024"])
        .args(machine.processors)
        .args(["-nodefaults", "-no-user-config", "-no-reboot"])
        .args(["-display", "none", "-serial", "file:console"])
        .arg("-kernel")
        .arg(vmlinuz)
        .args(["-initrd", "initramfs", "-append"])
        .arg(format!(
            "console={} panic=-1 loglevel=4 {NVME_TIMEOUT} {}",
            machine.console, machine.append
        ))
        .args(drives)
        .args(["-device", &format!("virtio-blk-{},drive=virtio", machine.bus)])
        .args(nvme.iter().flat_map(|device| ["-device", device]))
        .args(["-chardev", "file,id=results,path=results.tar"])
        .args(["-device", &format!("virtio-serial-{}", machine.bus)])
        .args(["-device", "virtserialport,chardev=results,name=results"])
        .current_dir(work)
        .stdin(Stdio::null())
        .stdout(fs::File::create(work.join("qemu.log"))?)
        .stderr(fs::File::create(work.join("qemu.err"))?)
        .spawn()?;
    let start = Instant::now();
    loop {
        if let Some(status) = qemu.try_wait()? {
            return Ok(match status.success() {
                true => format!("off after {} s", start.elapsed().as_secs()),
                false => fs::read_to_string(work.join("qemu.err"))?,
            });
        }
        // The first that a guest sends is its release.
        let is_up = fs::metadata(work.join("results.tar")).is_ok_and(|results| results.len() > 0);
        let limit = if is_up { LIMIT } else { UNTIL_UP };
        if start.elapsed() > limit {
            qemu.kill()?;
            qemu.wait()?;
            return Ok(format!("killed after {} s", limit.as_secs()));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Unpacks what the guest sent: a folder for each case.
pub fn unpack_results(work: &Path) -> io::Result<()> {
    // A guest that stopped midway leaves a torn last archive, of which tar complains.
    let tar = &mut Command::new("tar");
    let tar = tar.args(["--ignore-zeros", "-xf", "results.tar"]).current_dir(work);
    tar.stderr(Stdio::null()).status().map(|_| ())
}
