//! The user's editor.

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use crate::error::Error;

/// Opens the editor on a file and waits for its end. As for git(1), `$VISUAL` or `$EDITOR` is a text for the
/// shell, in which a path may be quoted and options may follow.
///
/// # Errors
/// The editor is not there, or failed.
pub fn edit(file: &Path) -> Result<(), Error> {
    let named = ["VISUAL", "EDITOR"].into_iter().filter_map(|name| Some((name, wanted(name)?)));
    let (variable, editor) = named.into_iter().next().unwrap_or(("EDITOR", "vi".into()));
    let mut script = editor.clone();
    script.push(" \"$@\"");
    // `sh` becomes the name of the script in the shell's own messages, the file its first argument.
    let ended = Command::new("sh").arg("-c").arg(&script).arg(&editor).arg(file).status();
    let shown = editor.to_string_lossy();
    let status = ended.map_err(|error| {
        Error::failed(format!("the editor {shown} does not start: sh: {error}"))
    })?;
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        // The shell has said which word is not there.
        (Some(126 | 127), _) => Err(Error::failed(format!("the editor {shown} does not start"))
            .hint(format!("try: {variable}=nano, or another editor that is installed"))),
        (Some(code), _) => {
            Err(Error::failed(format!("the editor {shown} ended with exit code {code}")))
        }
        (None, signal) => Err(Error::failed(format!(
            "the editor {shown} was ended by signal {}",
            signal.unwrap_or_default()
        ))),
    }
}

/// What a variable holds, unless that is blank.
fn wanted(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.as_bytes().trim_ascii().is_empty())
}
