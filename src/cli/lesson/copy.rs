//! A learner's files: copies of programs, and the list of finished lessons.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::lessons::Lesson;

/// The folder of a learner's files; `None` for a user without a home.
fn folder() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|at| at.is_absolute());
    let state = || Some(absolute("HOME")?.join(".local/state"));
    Some(absolute("XDG_STATE_HOME").or_else(state)?.join("rawbpf"))
}

const HOMELESS: &str = "neither XDG_STATE_HOME nor HOME names a folder";
const DONE: &str = "lessons-done";

/// The names of the finished lessons, one a line.
pub fn done() -> String {
    folder().and_then(|folder| fs::read_to_string(folder.join(DONE)).ok()).unwrap_or_default()
}

/// Adds a lesson to the finished ones.
///
/// # Errors
/// The list cannot be written.
pub fn remember(lesson: &Lesson) -> io::Result<()> {
    if done().lines().any(|name| name == lesson.name) {
        return Ok(());
    }
    let folder = folder().ok_or_else(|| io::Error::new(ErrorKind::NotFound, HOMELESS))?;
    fs::create_dir_all(&folder)?;
    let mut file = OpenOptions::new().append(true).create(true).open(folder.join(DONE))?;
    writeln!(file, "{}", lesson.name)
}

fn path(lesson: &Lesson) -> Result<PathBuf, Error> {
    let folder = folder().ok_or_else(|| {
        Error::failed(format!("there is no place for a copy: {HOMELESS}"))
            .hint("try: XDG_STATE_HOME=/tmp rawbpf lesson ...")
    })?;
    Ok(folder.join(format!("{}.bpf", lesson.name)))
}

/// The copy that an earlier `--edit` made.
///
/// # Errors
/// There is no copy.
pub fn made(lesson: &Lesson, number: usize) -> Result<PathBuf, Error> {
    let path = path(lesson)?;
    if path.exists() {
        return Ok(path);
    }
    Err(Error::usage(format!("there is no copy of lesson {number}'s program yet"))
        .hint(format!("try: rawbpf lesson {number} --edit, or --check FILE")))
}

/// Makes a copy of a lesson's program, unless there is one, and opens the editor on it.
///
/// # Errors
/// There is no place for the copy, or no editor.
pub fn edit(lesson: &Lesson) -> Result<PathBuf, Error> {
    let path = path(lesson)?;
    write_new(&path, lesson.broken()).map_err(|error| {
        Error::failed(format!("{}: {error}", path.display()))
            .hint("try: XDG_STATE_HOME=/tmp rawbpf lesson ...")
    })?;
    say!("lesson: {}", path.display());
    let variable = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = variable("VISUAL").or_else(|| variable("EDITOR")).unwrap_or("vi".into());
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or_default();
    let ended = Command::new(program).args(words).arg(&path).status();
    match ended {
        Ok(status) if status.success() => Ok(path),
        Ok(status) => Err(Error::failed(format!("{editor} ended with {status}"))),
        Err(error) => Err(Error::failed(format!("the editor {editor} does not start: {error}"))
            .hint("try: EDITOR=nano, or another editor that is installed")),
    }
}

/// Writes a file unless it exists.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}
