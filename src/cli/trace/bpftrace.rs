//! The command line of bpftrace 0.27, for scripts that begin with `#!/usr/bin/env bpftrace`.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::error::{Error, Failure};

/// The name under which the program is linked to be used like bpftrace.
pub const NAME: &str = "bpftrace";

/// What becomes of an option.
#[derive(Clone, Copy)]
enum Fate {
    /// `rawbpf trace` has it.
    Same,
    /// It changes nothing here.
    Nothing,
    /// Another command does it.
    Command(&'static str),
    /// It is refused, and why.
    Refused(&'static str),
}

/// Why options that have to do with LLVM and C are refused.
const NO_COMPILER: &str = "there is no compiler here";
/// Why those of bpftrace's own tests are refused.
const DEVELOPERS: &str = "it is for bpftrace's developers";
/// Why those of user probes are refused.
const NO_USER_PROBES: &str = "probes of user space are not supported";

use Fate::{Command, Nothing, Refused, Same};

/// The options of bpftrace 0.27: the letter, the long name, whether a value follows, and what becomes of it.
const OPTIONS: [(&str, &str, bool, Fate); 34] = [
    ("e", "", true, Same),
    ("l", "list", false, Same),
    ("v", "verbose", false, Same),
    ("h", "help", false, Same),
    ("V", "version", false, Same),
    ("", "info", false, Command("doctor")),
    ("p", "pid", true, Same),
    ("c", "cmd", true, Same),
    ("", "dwarf-pid", true, Refused(NO_USER_PROBES)),
    ("", "usdt-file-activation", false, Refused(NO_USER_PROBES)),
    ("o", "output", true, Same),
    ("f", "", true, Same),
    // What is printed is written when it is printed.
    ("B", "", true, Nothing),
    ("q", "quiet", false, Same),
    ("k", "warnings", false, Refused("a failed read of memory is not reported")),
    ("", "no-warnings", false, Same),
    ("I", "", true, Refused(NO_COMPILER)),
    ("", "include", true, Refused(NO_COMPILER)),
    ("", "debuginfo", true, Refused(NO_COMPILER)),
    ("", "traceable-functions", true, Refused("the kernel's own list is used")),
    // Functions that need it are refused by their names.
    ("", "unsafe", false, Nothing),
    // The result is the same without any of them.
    ("", "no-feature", true, Nothing),
    ("", "mode", true, Refused(DEVELOPERS)),
    ("", "test", false, Refused(DEVELOPERS)),
    ("", "bench", false, Refused(DEVELOPERS)),
    ("", "probe-filter", true, Refused(DEVELOPERS)),
    ("", "fmt", false, Refused(DEVELOPERS)),
    ("", "dry-run", false, Same),
    ("", "verify-llvm-ir", false, Refused(NO_COMPILER)),
    ("d", "debug", true, Same),
    (
        "",
        "emit-elf",
        true,
        Refused("programs are never in an object here; --dump-insns prints them"),
    ),
    ("", "emit-llvm", true, Refused(NO_COMPILER)),
    ("", "aot", true, Refused(NO_COMPILER)),
    ("b", "btf", false, Nothing),
];

/// The exit code that bpftrace has for a failure: 1 for a wrong command line, 255 where a program cannot be
/// loaded or attached.
pub fn failure_code(failure: Failure) -> u8 {
    if failure == Failure::Usage { 1 } else { 255 }
}

/// The arguments of `rawbpf` that do what these arguments of bpftrace do.
///
/// # Errors
/// An option is refused: which, and why.
pub fn translated(args: Vec<OsString>) -> Result<Vec<OsString>, Error> {
    let mut words = args.into_iter();
    let mut out: Vec<OsString> = words.next().into_iter().collect();
    out.push("trace".into());
    while let Some(word) = words.next() {
        let bytes = word.as_bytes();
        if bytes == b"--" {
            out.push(word);
            out.extend(words.by_ref());
            break;
        }
        if let Some(long) = bytes.strip_prefix(b"--") {
            let (name, value) = match long.iter().position(|byte| *byte == b'=') {
                Some(at) => (&long[..at], Some(&long[at + 1..])),
                None => (long, None),
            };
            let known = OPTIONS.iter().find(|(_, long, ..)| long.as_bytes() == name);
            let Some((_, _, takes_value, fate)) = known else {
                out.push(word);
                continue;
            };
            let value = match (takes_value, value) {
                (true, Some(value)) => Some(OsString::from_vec(value.to_vec())),
                (true, None) => words.next(),
                (false, _) => None,
            };
            apply(&mut out, *fate, &format!("--{}", String::from_utf8_lossy(name)), value)?;
            if let Command(_) = fate {
                return Ok(out);
            }
        } else if bytes.len() > 1 && bytes[0] == b'-' {
            let mut letters = &bytes[1..];
            while let [letter, rest @ ..] = letters {
                letters = rest;
                let known = OPTIONS.iter().find(|(short, ..)| short.as_bytes() == [*letter]);
                let name = format!("-{}", char::from(*letter));
                let (takes_value, fate) =
                    known.map_or((false, Same), |(_, _, takes, fate)| (*takes, *fate));
                let value = match (takes_value, rest) {
                    (false, _) => None,
                    (true, []) => words.next(),
                    (true, rest) => Some(OsString::from_vec(rest.to_vec())),
                };
                apply(&mut out, fate, &name, value)?;
                if takes_value {
                    break;
                }
            }
        } else {
            out.push(word);
        }
    }
    Ok(out)
}

fn apply(
    out: &mut Vec<OsString>,
    fate: Fate,
    name: &str,
    value: Option<OsString>,
) -> Result<(), Error> {
    match fate {
        Same => {
            out.push(name.into());
            out.extend(value);
        }
        Nothing => {}
        Command(command) => {
            out.truncate(1);
            out.push(command.into());
        }
        Refused(why) => {
            return Err(Error::usage(format!("{name} is not supported: {why}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Args;

    use super::super::Options;
    use super::*;

    /// What `bpftrace --help` of 0.27 has, and what only its source has: `--aot`, `-b`.
    const OF_BPFTRACE: &str = "-e -l --list -v --verbose -h --help -V --version --info -p --pid -c --cmd \
        --dwarf-pid --usdt-file-activation -o --output -f -B -q --quiet -k --warnings --no-warnings -I \
        --include --debuginfo --traceable-functions --unsafe --no-feature --mode --test --bench \
        --probe-filter --fmt --dry-run --verify-llvm-ir -d --debug --emit-elf --emit-llvm --aot -b --btf";

    fn translate(line: &str) -> Result<String, String> {
        let args = line.split(' ').map(OsString::from).collect();
        let words = translated(args).map_err(|error| error.what)?;
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        Ok(words.join(" "))
    }

    #[test]
    fn each_option_of_bpftrace_is_accepted_or_refused_by_its_name() {
        for option in OF_BPFTRACE.split_whitespace() {
            let name = option.trim_start_matches('-');
            let known = OPTIONS.iter().find(|(short, long, ..)| *short == name || *long == name);
            let (_, _, takes_value, fate) = known.unwrap_or_else(|| panic!("{option}"));
            let value = if *takes_value { " 5" } else { "" };
            match (fate, translate(&format!("bpftrace {option}{value}"))) {
                (Refused(_), Err(what)) => {
                    assert!(what.starts_with(&format!("{option} is not supported: ")))
                }
                (Nothing, Ok(line)) => assert_eq!(line, "bpftrace trace"),
                (Command(other), Ok(line)) => assert_eq!(line, format!("bpftrace {other}")),
                (Same, Ok(line)) => {
                    assert_eq!(line, format!("bpftrace trace {option}{value}"));
                    let command = Options::augment_args(clap::Command::new("trace"));
                    let ours = command.get_arguments().any(|arg| {
                        arg.get_long() == Some(name) || arg.get_short() == name.chars().next()
                    });
                    assert!(ours || ["h", "help", "V", "version"].contains(&name), "{option}");
                }
                (_, other) => panic!("{option}: {other:?}"),
            }
        }
        for (short, long, ..) in OPTIONS {
            let of_theirs = |name: &str, dashes: &str| {
                name.is_empty()
                    || OF_BPFTRACE
                        .split_whitespace()
                        .any(|option| option == format!("{dashes}{name}"))
            };
            assert!(of_theirs(short, "-") && of_theirs(long, "--"), "{short} {long}");
        }
    }

    #[test]
    fn a_script_with_a_first_line_for_bpftrace_is_called_as_it_expects() {
        assert_eq!(translate("bpftrace ./a.bt 1 2").unwrap(), "bpftrace trace ./a.bt 1 2");
        assert_eq!(translate("bpftrace -lv t:*").unwrap(), "bpftrace trace -l -v t:*");
        assert_eq!(
            translate("bpftrace -qBnone -eX -- -k").unwrap(),
            "bpftrace trace -q -e X -- -k"
        );
        assert_eq!(
            translate("bpftrace --pid=7 --output x a").unwrap(),
            "bpftrace trace --pid 7 --output x a"
        );
        assert_eq!(translate("bpftrace -").unwrap(), "bpftrace trace -");
    }
}
