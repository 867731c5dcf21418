//! Man pages and completions, as `examples/pages.rs` writes them.

#[allow(dead_code)] // Its main is not ours.
#[path = "../examples/pages.rs"]
mod pages;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder with all pages, made anew for each test.
fn written(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages").join(test);
    let _ = fs::remove_dir_all(&folder);
    pages::write(&folder).unwrap();
    folder
}

fn subcommands() -> Vec<String> {
    let command = rawbpf::cli::command();
    command.get_subcommands().map(|subcommand| subcommand.get_name().to_owned()).collect()
}

#[test]
fn each_subcommand_has_a_page_with_its_examples_its_overhead_and_its_exit_status() {
    let folder = written("sections");
    for name in subcommands() {
        let page = fs::read_to_string(folder.join(format!("rawbpf-{name}.1"))).expect(&name);
        for section in ["NAME", "SYNOPSIS", "OPTIONS", "EXAMPLES", "OVERHEAD", "EXIT STATUS"] {
            let heading = [format!(".SH {section}\n"), format!(".SH \"{section}\"\n")];
            assert!(heading.iter().any(|it| page.contains(it)), "{name} lacks {section}:\n{page}");
        }
        assert!(page.contains("\n\\&77 "), "{name}");
        let called = format!("rawbpf {name}");
        let examples = page.split("EXAMPLES").nth(1).unwrap().split(".SH").next().unwrap();
        let examples = examples.lines().filter(|line| line.contains(&called)).count();
        assert!(examples >= 3, "{name} has {examples} examples");
    }
    let page = fs::read_to_string(folder.join("rawbpf.1")).unwrap();
    for name in subcommands() {
        assert!(page.contains(&name), "rawbpf.1 does not name {name}");
    }
}

#[test]
fn the_examples_are_those_of_the_help() {
    let folder = written("examples");
    let page = fs::read_to_string(folder.join("rawbpf-bitehist.1")).unwrap();
    let page = page.replace("\\-", "-").replace("\\&", "");
    let mut command = rawbpf::cli::command();
    command.build();
    let help = command.find_subcommand("bitehist").unwrap().get_after_help().cloned();
    let (_, examples) = help.unwrap().to_string().split_once("Examples:\n").map(own).unwrap();
    assert!(page.contains(&examples), "{page}");
}

fn own((one, two): (&str, &str)) -> (String, String) {
    (one.to_owned(), two.to_owned())
}

/// What the pages say must be true of each: only doctor attaches where hardly anything happens.
#[test]
fn what_attaches_nothing_does_not_claim_to() {
    let folder = written("overhead");
    for name in ["asm", "completions", "dump", "lesson", "list", "verify"] {
        let page = fs::read_to_string(folder.join(format!("rawbpf-{name}.1"))).unwrap();
        assert!(!page.contains("It attaches"), "{name}");
    }
}

/// A terminal cuts or breaks what is wider.
#[test]
fn lines_that_stay_as_they_are_fit() {
    let folder = written("lines");
    for name in subcommands() {
        let page = fs::read_to_string(folder.join(format!("rawbpf-{name}.1"))).unwrap();
        for part in page.split("\n.nf\n").skip(1) {
            let kept = part.split(".fi\n").next().unwrap().replace("\\-", "-");
            let longest = kept.lines().map(|line| line.trim_start_matches("\\&").len()).max();
            assert!(longest <= Some(110), "{name}: {longest:?}\n{kept}");
        }
    }
}

#[test]
fn bash_takes_the_completions() {
    let script = written("bash").join("rawbpf.bash");
    let check = Command::new("bash").arg("-n").arg(&script).output().unwrap();
    assert!(check.status.success() && check.stderr.is_empty(), "{check:?}");
    let printed = Command::new(env!("CARGO_BIN_EXE_rawbpf")).args(["completions", "bash"]).output();
    assert_eq!(printed.unwrap().stdout, fs::read(&script).unwrap());
}

/// As one has typed them, the cursor being in the last word.
fn offered(words: &[&str]) -> Vec<String> {
    let script = "source <(\"$RAWBPF\" completions bash); COMP_WORDS=(\"$@\"); \
                  COMP_CWORD=$(($# - 1)); _rawbpf; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let output = Command::new("bash")
        .args(["-c", script, "bash"])
        .args(words)
        .env("RAWBPF", env!("CARGO_BIN_EXE_rawbpf"))
        .output()
        .unwrap();
    assert!(output.stderr.is_empty(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn commands_options_and_values_are_completed() {
    assert_eq!(offered(&["rawbpf", "biteh"]), ["bitehist"]);
    assert_eq!(offered(&["rawbpf", "bitehist", "--sum"]), ["--summary"]);
    assert_eq!(offered(&["rawbpf", "bitehist", "--attach", "tp"]), ["tp_btf"]);
    assert_eq!(offered(&["rawbpf", "list", "pro"]), ["programs"]);
    assert_eq!(offered(&["rawbpf", "list", "--sort", "me"]), ["memory"]);
    assert_eq!(offered(&["rawbpf", "completions", "z"]), ["zsh"]);
    assert_eq!(offered(&["rawbpf", "help", "doc"]), ["doctor"]);
    // A file, which bash itself completes.
    assert_eq!(offered(&["rawbpf", "bitehist", "--btf", "x"]), [""]);
    assert!(offered(&["rawbpf", ""]).len() >= subcommands().len());
}

#[test]
fn every_shell_is_offered_every_subcommand() {
    let folder = written("shells");
    for file in ["rawbpf.bash", "_rawbpf", "rawbpf.fish"] {
        let script = fs::read_to_string(folder.join(file)).unwrap();
        for name in subcommands() {
            assert!(script.contains(&name), "{file} does not know {name}");
        }
    }
}
