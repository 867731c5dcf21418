//! Nothing that a file or another process is called reaches a terminal as a command to it.

use std::fs;
use std::process::Command;

use rawbpf::plain::steers;

use super::folder::Folder;
use super::tool::{Ended, RAWBPF};

const OBJECT: &[u8] = include_bytes!("../dump/objects/all.o");

/// What is put into names: a title for the window, a newline, a mark that turns the text.
const EVIL: [&str; 3] = ["\x1b]0;x\x07", "\nnew\r", "\u{202e}\u{200b}"];

/// The object with all of that in each of its texts in turn.
fn evil() -> impl Iterator<Item = Vec<u8>> {
    let is_text = |byte: &u8| matches!(byte, b' '..=b'~');
    let runs = OBJECT.chunk_by(move |one, next| is_text(one) && is_text(next));
    let mut at = 0;
    runs.filter_map(move |run| {
        let start = at;
        at += run.len();
        let with = ["\x1b\n\u{202e}", "\x1b\n"].into_iter().find(|with| run.len() > with.len());
        with.map(|with| {
            let mut object = OBJECT.to_vec();
            object[start + 1..start + 1 + with.len()].copy_from_slice(with.as_bytes());
            object
        })
    })
}

#[track_caller]
fn assert_clean(ended: &Ended, what: &str) {
    for text in [&ended.stdout, &ended.stderr] {
        let found = text.find(|c| steers(c) && !matches!(c, '\n' | '\t'));
        assert!(found.is_none(), "{what}: {:?}", &text[found.unwrap_or(0)..]);
        assert!(ended.stderr.lines().count() <= 60, "{what}: {}", ended.stderr);
    }
}

fn run(args: &[&str]) -> Ended {
    Command::new(RAWBPF).args(args).output().unwrap().into()
}

#[test]
fn names_in_an_object_do_not_steer_the_terminal_in_any_format() {
    let folder = Folder::new("evil");
    let file = folder.file("evil.o");
    for (number, object) in evil().enumerate() {
        fs::write(&file, object).unwrap();
        let format = ["dot", "visual"][number % 2];
        for format in ["linum", "json", format] {
            assert_clean(&run(&["dump", &file, "--format", format]), &number.to_string());
        }
        assert_clean(&run(&["asm", &file]), &number.to_string());
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn names_in_an_object_do_not_steer_the_terminal_when_it_is_loaded() {
    let folder = Folder::new("loaded");
    let file = folder.file("evil.o");
    for (number, object) in evil().enumerate() {
        fs::write(&file, object).unwrap();
        assert_clean(&run(&["verify", &file]), &number.to_string());
    }
}

#[test]
fn names_of_files_and_words_of_texts_do_not_steer_the_terminal() {
    let folder = Folder::new("names");
    for with in EVIL {
        let file = folder.file(&format!("a{with}b"));
        for args in [
            &["dump", &file] as &[&str],
            &["asm", &file],
            &["run", &file],
            &["verify", &file],
            &["asm", "-", "-o", &format!("{file}/x")],
            &["bioheat", "--svg", &format!("{file}/x")],
            &["bitehist", "--btf", &file],
            &["bitehist", "-d", with],
            &["bitehist", with],
            &["bitehist", &format!("--{with}")],
            &["bitehist", "--attach", with],
            &["funclatency", &file],
            &["funclatency", &format!("c:{with}")],
            &["funccount", &format!("{with}:{with}")],
            &["argdist", with, with],
            &["lesson", with],
            &["list", with],
            &[with],
        ] {
            let ended = run(args);
            assert_clean(&ended, &format!("{args:?}"));
            // What clap prints has more lines; the words in it are of the command line itself.
            let is_clap = ended.stderr.starts_with("error: ");
            assert!(is_clap || !ended.stderr.contains("\nnew"), "{args:?}: {}", ended.stderr);
        }
        fs::write(&file, format!("r0 = {with}\n.program {with}\ncall {with}{with}\nexit\n"))
            .unwrap();
        for args in [&["asm", &file] as &[&str], &["dump", &file], &["run", &file]] {
            assert_clean(&run(args), &format!("{args:?}"));
        }
        fs::write(&file, format!(".program x kprobe {with}\n; {with}\nr0 = 0 ; {with}\nexit\n"))
            .unwrap();
        for format in ["listing", "linum", "json", "dot", "visual"] {
            assert_clean(&run(&["asm", &file, "--emit", format]), &format!("{format} {with:?}"));
        }
    }
}
