//! A guest: what it boots with, QEMU, and what it sends back.

use std::io::{self, Error};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// How long a guest may take from power on to power off; ordinary is a tenth of it.
const LIMIT: Duration = Duration::from_secs(900);

/// What of a machine differs.
pub struct Machine<'a> {
    /// QEMU's options for its processors and its clock.
    pub processors: &'a [&'a str],
    /// More for the kernel's command line.
    pub append: &'a str,
}

impl Default for Machine<'_> {
    /// Two processors. It is emulation throughout, so that the tests are the same on every machine.
    /// What is switched off is broken in the emulators of some distributions (cx16, several threads)
    /// or by a busy host (the timer check).
    fn default() -> Self {
        let processors = &["-cpu", "max,la57=off,cx16=off", "-smp", "2"];
        Machine { processors, append: "no_timer_check" }
    }
}

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
    for disk in ["virtio.img", "nvme.img", "paths.img"] {
        fs::File::create(work.join(disk))?.set_len(64 << 20)?;
    }
    // QEMU ends with the thread that waits for it.
    let mut qemu = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "qemu-system-x86_64"])
        .args(["-accel", "tcg,thread=single", "-machine", "q35", "-m", "1024"])
        .args(machine.processors)
        .args(["-nodefaults", "-no-user-config", "-no-reboot"])
        .args(["-display", "none", "-serial", "file:console"])
        .arg("-kernel")
        .arg(vmlinuz)
        .args(["-initrd", "initramfs", "-append"])
        .arg(format!("console=ttyS0 panic=-1 loglevel=4 {}", machine.append))
        .args(["-drive", "if=none,id=virtio,format=raw,cache=unsafe,file=virtio.img"])
        .args(["-device", "virtio-blk-pci,drive=virtio"])
        .args(["-drive", "if=none,id=nvme,format=raw,cache=unsafe,file=nvme.img"])
        .args(["-device", "nvme,drive=nvme,serial=nvme"])
        // A disk that may have several paths: its requests go to a hidden disk.
        .args(["-drive", "if=none,id=paths,format=raw,cache=unsafe,file=paths.img"])
        .args(["-device", "nvme-subsys,id=paths"])
        .args(["-device", "nvme,serial=paths,subsys=paths,id=path"])
        .args(["-device", "nvme-ns,drive=paths,bus=path,shared=on"])
        .args(["-chardev", "file,id=results,path=results.tar"])
        .args(["-device", "virtio-serial-pci"])
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
        if start.elapsed() > LIMIT {
            qemu.kill()?;
            qemu.wait()?;
            return Ok(format!("killed after {} s", LIMIT.as_secs()));
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
