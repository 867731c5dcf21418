//! A learner's files: copies of programs, and the list of finished lessons.

use std::fs;
use std::path::{Path, PathBuf};

use super::editor;
use crate::cli::output_file::{OutputFile, unwritable};
use crate::cli::stop::Stop;
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
pub fn remember(lesson: &Lesson) -> Result<(), Stop> {
    if done().lines().any(|name| name == lesson.name) {
        return Ok(());
    }
    let folder = folder().ok_or_else(|| Error::failed(HOMELESS))?;
    write(&folder.join(DONE), &format!("{}{}\n", done(), lesson.name))
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
pub fn edit(lesson: &Lesson) -> Result<PathBuf, Stop> {
    let path = path(lesson)?;
    if !path.exists() {
        write(&path, lesson.broken()).map_err(|stop| match stop {
            Stop::Error(error) => error.hint("try: XDG_STATE_HOME=/tmp rawbpf lesson ...").into(),
            stop => stop,
        })?;
    }
    say!("lesson: {}", path.display());
    editor::edit(&path)?;
    Ok(path)
}

/// Writes a file, and makes its folder.
fn write(path: &Path, text: &str) -> Result<(), Stop> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| unwritable(path, &error))?;
    }
    OutputFile::open(path)?.write(text.as_bytes())
}
