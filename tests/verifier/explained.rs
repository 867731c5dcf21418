//! Logs without their programs.

use rawbpf::verifier::diagnose::diagnose;
use rawbpf::verifier::explain::explain;
use rawbpf::verifier::path::Code;
use rawbpf::verifier::rebuild::rebuild;
use rawbpf::verifier::verified::Verified;

use crate::{Recorded, recorded};

#[test]
fn figures() {
    for wanted in [1, 2, 4] {
        let (mut all, mut class, mut place, mut sentence) = (0, 0, 0, 0);
        for Recorded { kernel, name, insns, logs, .. } in recorded() {
            let code = Code::from_bytes(insns);
            for (level, log) in
                logs.iter().filter(|(level, log)| *level == wanted && !log.contains("=cut="))
            {
                let Some(with) = diagnose(&code, log) else { continue };
                let rebuilt = rebuild(log.clone());
                let without = rebuilt.diagnose().unwrap();
                let has =
                    (0..rebuilt.code.slots().len() as u32).any(|at| rebuilt.code.is_known(at));
                if !has && wanted != 4 {
                    if with.at != without.at {
                        println!(
                            "no insn {kernel} {name} {level}: {:?} {:?} {}",
                            with.at, without.at, with.said[0]
                        );
                    }
                    continue;
                }
                all += 1;
                class += usize::from(with.class == without.class);
                place += usize::from((with.class, with.at) == (without.class, without.at));
                sentence += usize::from(with.sentence == without.sentence);
                if (with.class, with.at, &with.sentence)
                    != (without.class, without.at, &without.sentence)
                    && wanted != 4
                {
                    println!(
                        "{kernel} {name} {level}\n  {:?} {}\n  {:?} {}",
                        with.at, with.sentence, without.at, without.sentence
                    );
                }
            }
        }
        println!("level {wanted}: {all} {class} {place} {sentence}");
    }
}

/// A way in which people have a log.
type Wrapping = (&'static str, fn(&str) -> String);

fn each(log: &str, line: impl Fn(&str) -> String) -> String {
    log.lines().map(|text| line(text) + "\n").collect()
}

const WRAPPINGS: &[Wrapping] = &[
    ("alone", str::to_owned),
    ("libbpf", |log| {
        format!(
            "libbpf: prog 'count': BPF program load failed: Permission denied\nlibbpf: prog 'count': \
             -- BEGIN PROG LOAD LOG --\n{log}-- END PROG LOAD LOG --\nlibbpf: prog 'count': failed to load: -13\n\
             libbpf: failed to load object 'count.o'\n"
        )
    }),
    ("libbpf, each line", |log| {
        let log = each(log, |line| format!("libbpf: {line}"));
        format!("libbpf: -- BEGIN PROG LOAD LOG --\n{log}libbpf: -- END PROG LOAD LOG --\n")
    }),
    ("bpftool", |log| {
        format!(
            "libbpf: load bpf program failed: Permission denied\nlibbpf: -- BEGIN DUMP LOG ---\nlibbpf: \n{log}\n\
             libbpf: -- END LOG --\nError: failed to load object file\n"
        )
    }),
    ("veristat", |log| {
        format!(
            "PROCESSING a.o/count, DURATION US: 12, VERDICT: failure, VERIFIER LOG:\n{log}\n\
             File  Program  Verdict  Duration (us)\n----  -------  -------  ----\na.o  count  failure  12\n"
        )
    }),
    ("aya", |log| {
        format!(
            "Error: the BPF_PROG_LOAD syscall returned Permission denied (os error 13). Verifier output: {log}"
        )
    }),
    ("aya, with its causes", |log| {
        let again = each(log, |line| format!("       {line}"));
        format!(
            "Error: the BPF_PROG_LOAD syscall failed. Verifier output: {log}\n\nCaused by:\n    0: the BPF_PROG_LOAD \
             syscall failed. Verifier output: {}\n    1: Permission denied (os error 13)\n",
            again.trim_start()
        )
    }),
    ("Rust's Debug", |log| {
        format!(
            "Err(LoadError {{ io_error: Os {{ code: 13 }}, verifier_log: VerifierLog({log:?}) }})\n"
        )
    }),
    ("JSON", |log| serde_json::json!({"level": "error", "msg": log, "subsys": "bpf"}).to_string()),
    ("JSON in JSON", |log| {
        let inner = serde_json::json!({"msg": log}).to_string();
        serde_json::json!({"log": inner, "stream": "stderr"}).to_string()
    }),
    ("a line of JSON each", |log| {
        each(log, |line| {
            serde_json::json!({"log": format!("{line}\n"), "stream": "stderr"}).to_string()
        })
    }),
    ("an array of strings", |log| {
        serde_json::to_string_pretty(&log.lines().collect::<Vec<_>>()).unwrap()
    }),
    ("an array in a line", |log| serde_json::to_string(&log.lines().collect::<Vec<_>>()).unwrap()),
    ("logfmt", |log| {
        each(log, |line| {
            format!(
                "level=warning msg=\"{}\" subsys=datapath-loader",
                line.replace('\t', "\\t").replace('"', "\\\"")
            )
        })
    }),
    ("cilium/ebpf", |log| {
        let lines = each(log, |line| format!("\t{line}"));
        format!("field Count: program count: load program: permission denied:\n{lines}")
    }),
    ("dmesg", |log| {
        let mut at = 9_999_000;
        log.lines().fold(String::new(), |all, line| {
            at += 700;
            all + &format!("[{:5}.{:06}] {line}\n", at / 1_000_000, at % 1_000_000)
        })
    }),
    ("GitHub's actions", |log| {
        let mut at = 0;
        log.lines().fold(
            "2026-11-30T23:06:29.0000000Z ##[group]Run make test\n".to_owned(),
            |all, line| {
                at += 1;
                all + &format!("2026-11-30T23:06:30.{at:07}Z {line}\n")
            },
        ) + "2026-11-30T23:06:31.0000000Z ##[error]Process completed with exit code 2.\n"
    }),
    ("journald", |log| {
        each(log, |line| format!("Nov 30 23:06:30 host.example agent[1234]: {line}"))
    }),
    ("CRLF", |log| log.replace('\n', "\r\n")),
    ("indented", |log| each(log, |line| format!("    {line}"))),
    ("indented by a tab", |log| each(log, |line| format!("\t{line}"))),
    ("fenced", |log| format!("The error is:\n\n```\n{log}```\n\nWhat can I do?\n")),
    ("quoted in a mail", |log| each(log, |line| format!("> {line}"))),
    ("quoted twice", |log| each(log, |line| format!("> > {line}"))),
    ("coloured", |log| each(log, |line| format!("\x1b[31m{line}\x1b[0m"))),
    ("without trailing spaces", |log| each(log, |line| line.trim_end().to_owned())),
    ("in a container", |log| each(log, |line| format!("agent-1  | {line}"))),
    ("after a prompt", |log| {
        format!(
            "$ sudo ./load\nbpf: Failed to load program: Permission denied\n{log}\nTraceback (most recent call last):\n  File \"a.py\", line 3\n"
        )
    }),
];

#[test]
fn a_log_means_the_same_whatever_is_around_it() {
    let mut wrong = vec![];
    for (what, wrap) in WRAPPINGS {
        let mut bad = 0;
        let mut example = String::new();
        for Recorded { kernel, name, logs, .. } in recorded().iter().step_by(7) {
            for (level, log) in
                logs.iter().filter(|(_, log)| !log.contains("=cut=") && log.contains("processed "))
            {
                let alone = rebuild(log.clone());
                let text = wrap(log);
                let found = explain(&text);
                let is = |one: &Verified| {
                    one.program.diagnose().map_or(String::new(), |_| one.program.render(false))
                };
                let same = found.len() == 1
                    && is(&found[0])
                        == alone.diagnose().map_or(String::new(), |_| alone.render(false));
                if !same {
                    bad += 1;
                    if example.is_empty() {
                        example = format!(
                            "{kernel} {name} {level}: {}\n{:.600}\n----\n{:.400}",
                            found.len(),
                            found.iter().map(is).collect::<String>(),
                            alone.render(false)
                        );
                    }
                }
            }
        }
        if bad > 0 {
            wrong.push(format!("{what}: {bad} wrong: {example}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
