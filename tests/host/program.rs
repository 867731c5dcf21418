//! Small programs in C, whose functions are called a known number of times.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::tool;

/// A folder of this test's own, which goes with it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        let folder = PathBuf::from(tool::name());
        std::fs::create_dir(&folder).unwrap();
        Folder(folder)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// Compiles a text of tests/host/programs with `args` to a file of this name, whose path it returns.
    #[track_caller]
    pub fn compile(&self, source: &str, name: &str, args: &[&str]) -> String {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/host/programs").join(source);
        let mut clang = Command::new("clang-19");
        clang.args(["-O1", "-o", &self.path(name)]).arg(source).args(args).current_dir(&self.0);
        assert!(clang.status().expect("clang-19 is installed").success());
        self.path(name)
    }

    /// Runs a command in the folder.
    #[track_caller]
    pub fn run(&self, command: &str) {
        let status = Command::new("sh").args(["-ec", command]).current_dir(&self.0).status();
        assert!(status.unwrap().success(), "{command}");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Compiles `NAME.c` of this text in a folder, with `args`, to the object `NAME.o` for BPF, whose path it returns.
#[track_caller]
pub fn bpf_object(folder: &Path, name: &str, text: &str, args: &[&str]) -> PathBuf {
    let (source, object) = (format!("{name}.c"), folder.join(format!("{name}.o")));
    std::fs::write(folder.join(&source), text).unwrap();
    let clang = Command::new("clang-19")
        .current_dir(folder)
        .args(["-O2", "--target=bpf"])
        .args(args)
        .args(["-c", &source, "-o"])
        .arg(&object)
        .output()
        .unwrap();
    assert!(clang.status.success(), "{clang:?}");
    object
}

/// A process that does its work each time that it gets a byte, and says when it is done.
pub struct Worker(Child);

impl Worker {
    pub fn new(program: &str) -> Worker {
        Worker::from(&mut Command::new(program))
    }

    pub fn from(command: &mut Command) -> Worker {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        Worker(child.unwrap())
    }

    pub fn pid(&self) -> String {
        self.0.id().to_string()
    }

    pub fn work(&mut self) {
        self.0.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        self.0.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
