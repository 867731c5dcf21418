//! A disk that nobody else uses.

use std::fs::File;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::libc::O_DIRECT;

/// A loop device on a file in memory; gone when dropped.
pub struct LoopDisk {
    file: PathBuf,
    device: String,
}

impl LoopDisk {
    /// In bytes.
    pub const SIZE: u64 = 256 << 20;

    pub fn new() -> LoopDisk {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("rawbpf-test-{}-{number}.img", std::process::id());
        let file = PathBuf::from("/dev/shm").join(name);
        std::fs::File::create(&file).unwrap().set_len(LoopDisk::SIZE).unwrap();
        let output =
            Command::new("losetup").args(["--find", "--show"]).arg(&file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let device = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        let disk = LoopDisk { file, device };
        // Whoever looks at new disks has looked by then.
        let _ = Command::new("udevadm").arg("settle").status();
        disk
    }

    /// Such as loop0.
    pub fn name(&self) -> &str {
        self.device.strip_prefix("/dev/").unwrap()
    }

    /// Reads so many blocks of so many KiB past the page cache: a request each.
    pub fn read(&self, kbytes: u32, count: u32) {
        self.dd(kbytes, count, [&format!("if={}", self.device), "of=/dev/null", "iflag=direct"]);
    }

    /// Writes so many blocks of so many KiB past the page cache: a request each.
    pub fn write(&self, kbytes: u32, count: u32) {
        self.dd(kbytes, count, ["if=/dev/zero", &format!("of={}", self.device), "oflag=direct"]);
    }

    /// Reads the first block of 4 KiB so often past the page cache.
    pub fn read_one_place(&self, count: u64) {
        let file = File::options().read(true).custom_flags(O_DIRECT).open(&self.device).unwrap();
        let mut buffer = vec![0; 2 * 4096];
        let aligned = buffer.as_ptr().align_offset(4096);
        for _ in 0..count {
            assert_eq!(file.read_at(&mut buffer[aligned..aligned + 4096], 0).unwrap(), 4096);
        }
    }

    fn dd(&self, kbytes: u32, count: u32, args: [&str; 3]) {
        let blocks = (LoopDisk::SIZE >> 10) as u32 / kbytes;
        let mut left = count;
        while left > 0 {
            let now = left.min(blocks);
            let status = Command::new("dd")
                .args(args)
                .args([format!("bs={kbytes}k"), format!("count={now}")])
                .stderr(std::process::Stdio::null())
                .status()
                .unwrap();
            assert!(status.success());
            left -= now;
        }
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["--detach", &self.device]).status();
        let _ = std::fs::remove_file(&self.file);
    }
}

/// Makes a run on a disk of its own that gives how many of its requests' ends were not counted, and makes
/// it again, twice at most, until none is missing. Some kernels run no programs while process 1 does, and
/// so hide an end that interrupts it.
#[track_caller]
pub fn with_all_ends(mut run: impl FnMut(&LoopDisk) -> u64) {
    let mut missing = 0;
    for _ in 0..3 {
        missing = run(&LoopDisk::new());
        if missing == 0 {
            return;
        }
        assert!(missing < 20, "{missing} ends are missing");
    }
    panic!("{missing} ends are missing, and some were in two runs before");
}
