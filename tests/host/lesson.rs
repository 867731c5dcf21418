//! lesson: the course on this host's kernel.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rawbpf::lessons::{LESSONS, Lesson, RECORDED};

use super::tool::Ended;

#[path = "../lessons/reasons.rs"]
mod reasons;

const RAWBPF: &str = env!("CARGO_BIN_EXE_rawbpf");

/// A learner with a folder of their own, which is removed at the end.
struct Learner(PathBuf);

impl Learner {
    fn new(name: &str) -> Learner {
        let folder = std::env::temp_dir().join(format!("rawbpf-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Learner(folder)
    }

    fn lesson(&self, args: &[&str]) -> Ended {
        self.with("EDITOR", "true", args)
    }

    fn with(&self, variable: &str, value: &str, args: &[&str]) -> Ended {
        let mut command = Command::new(RAWBPF);
        command.arg("lesson").args(args);
        command.env_remove("VISUAL").env("XDG_STATE_HOME", &self.0).env(variable, value);
        command.output().unwrap().into()
    }

    /// Checks a program of theirs.
    fn check(&self, number: usize, program: &str) -> Ended {
        let file = self.0.join("my.bpf");
        fs::write(&file, program).unwrap();
        self.lesson(&[&number.to_string(), "--check", file.to_str().unwrap()])
    }

    /// The log that this kernel writes for a lesson's refused program.
    fn log(&self, number: usize) -> String {
        let file = self.0.join("log");
        let file = file.to_str().unwrap();
        let ended = self.lesson(&[&number.to_string(), "--verifier-log", file]);
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{number}");
        assert!(ended.stdout.contains("The verdict of this kernel, Linux "), "{}", ended.stdout);
        fs::read_to_string(file).unwrap()
    }
}

impl Drop for Learner {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn lessons() -> impl Iterator<Item = (usize, &'static Lesson)> {
    (1..).zip(LESSONS)
}

/// A log without the parts that differ between two loads, and without the many lines about
/// precision. Of a log too long to read, only the reason at its end.
fn lasting(log: &str) -> String {
    let reason = || log.rmatch_indices('\n').nth(2).map_or(0, |(at, _)| at + 1);
    let log = if log.len() > 1 << 20 { &log[reason()..] } else { log };
    let mut lasting = String::new();
    let left_out = ["mark_precise", "verification time"];
    let lines = log.lines().filter(|line| !left_out.iter().any(|start| line.starts_with(start)));
    for line in lines {
        let mut rest = line;
        while let Some((before, address)) = rest.split_once("0xffff") {
            lasting += &format!("{before}0x0");
            rest = address.trim_start_matches(|digit: char| digit.is_ascii_hexdigit());
        }
        lasting += &format!("{rest}\n");
    }
    lasting
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn each_program_is_refused_for_its_reason_and_each_solution_passes() {
    let learner = Learner::new("course");
    for ((number, lesson), reasons) in lessons().zip(reasons::REASONS) {
        let log = learner.log(number);
        assert!(reasons.iter().any(|reason| log.contains(reason)), "{}: {log}", lesson.name);
        let ended = learner.check(number, lesson.broken());
        assert_eq!((ended.code, &*ended.stdout), (Some(1), ""), "{}", lesson.name);
        let refused = "not passed: the verifier refused the program: ";
        assert!(ended.stderr.contains(refused), "{}", ended.stderr);
        assert!(ended.stderr.contains(" = change: "), "{}", ended.stderr);
        let solution = learner.lesson(&[&number.to_string(), "--solution"]);
        let ended = learner.check(number, &solution.stdout);
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{}", lesson.name);
        assert!(ended.stdout.contains(" is passed: "), "{}", ended.stdout);
    }
    let list = learner.lesson(&[]).stdout;
    assert!(list.ends_with("\n30 of 30 done\n"), "{list}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn an_accepted_program_that_does_not_do_the_task_does_not_pass() {
    let learner = Learner::new("lazy");
    for (number, lesson) in lessons() {
        let directives = lesson.solution().lines().filter(|line| line.starts_with('.'));
        let directives: String = directives.map(|line| format!("{line}\n")).collect();
        let returns = lesson.runs.iter().map(|run| run.returns).chain([0]);
        for constant in returns.filter(|constant| (number, *constant) != (1, 42)) {
            let program = format!("{directives}r0 = {constant}\nexit\n");
            let ended = learner.check(number, &program);
            assert_eq!((ended.code, &*ended.stdout), (Some(1), ""), "{} {constant}", lesson.name);
            // Some constants are no result of the type.
            let accepted = "not passed: the verifier accepts the program, but ";
            assert!(
                ended.stderr.contains(accepted),
                "{} {constant}: {}",
                lesson.name,
                ended.stderr
            );
        }
    }
    assert!(learner.lesson(&[]).stdout.contains("\n0 of 30 done; next: rawbpf lesson 1\n"));
    for (number, program, why) in [
        (7, ".program x xdp\nr0 = 7\nexit", "its type is xdp; the lesson asks for raw_tracepoint"),
        (1, ".program x kprobe vfs_read\nr0 = 42\nexit", "keep the lesson's .program line"),
        (15, ".program x raw_tracepoint\nr0 = 0\nexit", "map ages is missing"),
        (
            16,
            ".program x raw_tracepoint\n.map disks hash key 4 value 24 entries 16\nr0 = 0\nexit",
            "map disks is missing or was changed",
        ),
        (1, ".program x xdp\nr0 = 1\nexit\n.program y xdp\nr0 = 1\nexit", "this text has several"),
        (1, "r0 = \nexit", "error: "),
        (
            13,
            ".program x raw_tracepoint\n.map ages hash key 4 value 8 entries 16\n*(u32 *)(fp - 4) = 0\n\
             *(u64 *)(fp - 16) = 0\nr1 = map[ages]\nr2 = fp\nr2 += -4\nr3 = fp\nr3 += -16\nr4 = 0\n\
             call bpf_map_update_elem\nr0 = 0\nexit",
            "with the arguments 7, 61 the map has no key 7 afterwards",
        ),
    ] {
        let ended = learner.check(number, program);
        assert_eq!(ended.code, Some(1), "{program}: {}", ended.stderr);
        assert!(ended.stderr.contains(why), "{program}: {}", ended.stderr);
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_copy_is_edited_checked_and_kept() {
    let learner = Learner::new("editor");
    let ended = learner.lesson(&["1", "--check"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("rawbpf lesson 1 --edit"), "{}", ended.stderr);
    // As it is it does not pass.
    let ended = learner.lesson(&["1", "--edit"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let ended = learner.with("VISUAL", "sed -i s/r1.=/r0=/", &["1", "--edit"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.ends_with("Next: rawbpf lesson 2\n"), "{}", ended.stdout);
    assert_eq!(learner.lesson(&["1", "--check"]).code, Some(0));
    let copy = fs::read_to_string(learner.0.join("rawbpf/01-result.bpf")).unwrap();
    assert_eq!(copy, LESSONS[0].broken().replace("r1 =", "r0="));
    let list = learner.lesson(&[]).stdout;
    assert!(list.starts_with("done   1  ") && list.contains("1 of 30 done; next: rawbpf lesson 2"));
    for (editor, why) in [
        ("nosuch -x", "the editor nosuch -x does not start"),
        ("false", "the editor false ended with exit code 1"),
        ("kill -9 $$; :", "was ended by signal 9"),
    ] {
        let ended = learner.with("EDITOR", editor, &["2", "--edit"]);
        assert_eq!((ended.code, &*ended.stdout), (Some(1), ""), "{}", ended.stderr);
        assert!(ended.stderr.contains(why), "{}", ended.stderr);
    }
    // Nowhere to write is no reason not to learn.
    let ended = learner.with("XDG_STATE_HOME", "/proc/nosuch", &[]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    let solution = learner.0.join("my.bpf");
    fs::write(&solution, LESSONS[0].solution()).unwrap();
    let args = ["1", "--check", solution.to_str().unwrap()];
    let ended = learner.with("XDG_STATE_HOME", "/proc/nosuch", &args);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("could not be written"), "{}", ended.stderr);
}

/// As git(1) runs it: a text for the shell, with quotes, options and variables.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn the_editor_may_be_any_words_of_the_shell() {
    use std::os::unix::fs::PermissionsExt;

    let learner = Learner::new("words");
    let spaced = learner.0.join("my editor");
    fs::write(&spaced, "#!/bin/sh\nprintf '%s\\n' \"$@\" > \"$SEEN\"\n").unwrap();
    fs::set_permissions(&spaced, fs::Permissions::from_mode(0o755)).unwrap();
    let (seen, spaced) = (learner.0.join("seen"), spaced.display());
    let copy = learner.0.join("rawbpf/01-result.bpf");
    for editor in [
        format!("\"{spaced}\" --wait 'two words'"),
        format!("env 'E={spaced}' sh -c '\"$E\" \"$@\"' -"),
    ] {
        let mut command = Command::new(RAWBPF);
        command.args(["lesson", "1", "--edit"]).env("XDG_STATE_HOME", &learner.0);
        // A blank variable counts as none.
        command.env("VISUAL", " ").env("EDITOR", &editor).env("SEEN", &seen);
        let ended: Ended = command.output().unwrap().into();
        let words = fs::read_to_string(&seen).unwrap();
        assert!(words.ends_with(&format!("{}\n", copy.display())), "{words}{}", ended.stderr);
        assert!(words.contains("--wait\ntwo words\n") || editor.starts_with("env"), "{words}");
        fs::remove_file(&seen).unwrap();
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn without_privileges_a_recorded_verdict_is_shown_and_nothing_is_checked() {
    let nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all";
    let lesson = |args: &[&str]| -> Ended {
        let mut command = Command::new("setpriv");
        command.args(nobody.split(' ').skip(1)).args([RAWBPF, "lesson"]).args(args);
        command.env("XDG_STATE_HOME", "/nosuch").output().unwrap().into()
    };
    for (number, lesson_) in lessons() {
        let ended = lesson(&[&number.to_string()]);
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{}", lesson_.name);
        let recorded = format!("The verdict of Linux {RECORDED}, recorded (not permitted: ");
        assert!(ended.stdout.contains(&recorded), "{}", ended.stdout);
        assert!(ended.stdout.contains(" = change: "), "{}", ended.stdout);
    }
    let ended = lesson(&["1", "--check", "-"]);
    assert_eq!((ended.code, &*ended.stdout), (Some(77), ""));
    assert!(ended.stderr.contains("CAP_BPF"), "{}", ended.stderr);
}

/// With BLESS=1 they are recorded.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn the_recorded_verdicts_are_this_kernels_where_it_is_that_one() {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    if !release.starts_with(&format!("{RECORDED}.")) {
        eprintln!("skipped: this is Linux {release}");
        return;
    }
    let learner = Learner::new("record");
    for (number, lesson) in lessons() {
        let log = lasting(&learner.log(number));
        if std::env::var_os("BLESS").is_some() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/lessons");
            fs::write(folder.join(format!("{}.log", lesson.name)), log).unwrap();
        } else {
            assert_eq!(log, lesson.log(), "{}", lesson.name);
        }
    }
}
