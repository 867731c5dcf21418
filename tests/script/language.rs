//! docs/language.md: each of its examples is run.

use std::process::Command;
use std::{env, fs};

const PAGE: &str = include_str!("../../docs/language.md");

/// The scripts of the page, and what follows them as their output.
fn examples() -> Vec<(&'static str, Option<&'static str>)> {
    let blocks = PAGE.split("\n```bt\n").skip(1);
    blocks
        .map(|block| {
            let (script, rest) = block.split_once("\n```\n").unwrap();
            let output =
                rest.strip_prefix("```text\n").map(|rest| rest.split_once("\n```").unwrap().0);
            (script, output)
        })
        .collect()
}

#[test]
#[ignore = "needs root"]
fn each_example_of_the_page_runs_and_prints_what_the_page_shows() {
    let examples = examples();
    assert!(examples.len() > 15, "{}", examples.len());
    assert!(examples.iter().filter(|(_, output)| output.is_some()).count() > 7);
    let has_kprobes = fs::exists("/sys/bus/event_source/devices/kprobe").unwrap();
    let file = env::temp_dir().join(format!("rawbpf-language-{}.bt", std::process::id()));
    for (script, output) in examples {
        let probes_functions = script.contains("kprobe:") || script.contains("fentry:");
        if probes_functions && !has_kprobes {
            continue;
        }
        fs::write(&file, script).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_rawbpf"));
        command.args(["trace", "-q", "--no-warnings"]).arg(&file);
        if output.is_none() {
            command.arg("--dry-run");
        }
        let ran = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success() && stderr.is_empty(), "{script}\n{stderr}");
        if let Some(output) = output {
            assert_eq!(
                String::from_utf8_lossy(&ran.stdout).trim_end(),
                output.trim_end(),
                "{script}"
            );
        }
    }
    fs::remove_file(&file).unwrap();
}

#[test]
#[ignore = "needs root"]
fn each_example_script_is_attached() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/scripts");
    let has_kprobes = fs::exists("/sys/bus/event_source/devices/kprobe").unwrap();
    let mut count = 0;
    for file in fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("// ") && text.ends_with('\n'), "{}", file.display());
        // Where functions cannot be probed, the verifier still accepts their programs.
        let probes_functions = text.contains("kprobe:") || text.contains("kretprobe:");
        let words: &[&str] = match probes_functions && !has_kprobes {
            true => &["verify"],
            false => &["trace", "-q", "--dry-run"],
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_rawbpf"));
        command.args(words).arg(&file);
        if words[0] == "trace" {
            command.arg("1");
        }
        let ran = command.output().unwrap();
        assert!(
            ran.status.success(),
            "{}: {}",
            file.display(),
            String::from_utf8_lossy(&ran.stderr)
        );
        count += 1;
    }
    assert_eq!(count, 27);
}
