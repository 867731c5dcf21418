//! Files with verifiers' logs: those that `rawbpf verify --verifier-log` writes, the output of libbpf,
//! bpftool and veristat, or a log alone.

use super::log::{LogEvent, Statistic, events};

/// A verifier's verdict on a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The program may run.
    Accepted,
    /// The program may not run.
    Refused,
    /// The log's end is missing, and the verdict with it.
    Unknown,
}

impl Verdict {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Accepted => "accepted",
            Verdict::Refused => "refused",
            Verdict::Unknown => "unknown",
        }
    }

    /// The verdict in a log: the program is refused if the walk ends with a message.
    pub fn of(log: &str) -> Verdict {
        let (mut refused, mut told) = (false, false);
        for event in events(log) {
            match event {
                LogEvent::Insn { .. } => refused = false,
                LogEvent::Message(_) | LogEvent::Report(_) => refused = true,
                // At the limit it is refused, whether the log says so or not.
                LogEvent::Statistic(Statistic::Processed(all)) => told |= all.insns <= all.limit,
                LogEvent::Pass(line) => told |= line.starts_with("processed "),
                _ => {}
            }
        }
        match (refused, told) {
            (true, _) => Verdict::Refused,
            (false, true) => Verdict::Accepted,
            (false, false) => Verdict::Unknown,
        }
    }
}

/// The log of one program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recording<'a> {
    /// The program's name, if the file has it.
    pub program: Option<&'a str>,
    /// How and where it is attached, if the file has it: `kprobe blk_mq_start_request`.
    pub attach: Option<&'a str>,
    /// The kernel's release, if the file has it.
    pub kernel: Option<&'a str>,
    /// The verdict.
    pub verdict: Verdict,
    /// The log.
    pub log: &'a str,
}

const LOG: &str = ".log ";
const VERDICT: &str = ".verdict ";
const BY: &str = " by Linux ";

/// The heading of a program's log in the files that [`recordings`] reads. No line of a kernel's begins
/// like this.
pub fn head(program: &str, attach: &str, verdict: Verdict, kernel: &str) -> String {
    let line = format!("{LOG}{program} {attach}");
    format!("{}\n{VERDICT}{}{BY}{kernel}\n", line.trim_end(), verdict.word())
}

/// The largest number of programs in a file.
const MOST: usize = 10_000;

/// The recordings in a file, program by program, at most the first 10,000. Text that is not a log is skipped.
pub fn recordings(text: &str) -> Vec<Recording<'_>> {
    let mut all: Vec<Recording> = vec![];
    // Where the current log began, and the form that it ends in.
    let mut open: Option<(usize, Form)> = None;
    let mut refused = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let (begins, ends) = (at, at + line.len());
        at = ends;
        let line = line.trim_end();
        if let Some((start, form)) = open
            && let Some(last) = all.last_mut()
        {
            let told = match form {
                Form::Ours => ours(line).then_some(begins),
                // Its end is marked.
                Form::Libbpf => line.contains("-- END ").then_some(begins),
                // A table may follow.
                Form::Veristat => line.starts_with("processed ").then_some(ends),
            };
            if form == Form::Ours && start == begins && line.starts_with(VERDICT) {
                (last.verdict, last.kernel) = verdict(line);
                open = Some((ends, form));
                continue;
            }
            let Some(end) = told else { continue };
            last.log = &text[start..end];
            open = None;
            if form != Form::Ours {
                continue;
            }
        }
        let mut begun = Recording {
            program: None,
            attach: None,
            kernel: None,
            verdict: Verdict::Unknown,
            log: "",
        };
        let form = if let Some(of) = line.strip_prefix(LOG) {
            let (name, attach) = of.split_once(' ').unwrap_or((of, ""));
            (begun.program, begun.attach) = (Some(name), Some(attach));
            Form::Ours
        } else if line.contains("-- BEGIN PROG LOAD LOG --")
            || line.contains("-- BEGIN DUMP LOG --")
        {
            begun.program = quoted(line);
            if std::mem::take(&mut refused) {
                begun.verdict = Verdict::Refused;
            }
            Form::Libbpf
        } else if let Some((of, rest)) = veristat(line) {
            begun.program = of.rsplit('/').next();
            begun.verdict = match rest.starts_with("success") {
                true => Verdict::Accepted,
                false => Verdict::Refused,
            };
            Form::Veristat
        } else {
            refused |= line.contains("load failed: ") || line.contains("load bpf program failed");
            continue;
        };
        if all.len() == MOST {
            break;
        }
        open = Some((ends, form));
        all.push(begun);
    }
    if let (Some((start, _)), Some(last)) = (open, all.last_mut()) {
        last.log = &text[start..];
    }
    let is_log = |event| {
        matches!(event, LogEvent::Insn { .. } | LogEvent::Statistic(_) | LogEvent::Report(_))
    };
    if all.is_empty() && events(text).any(is_log) {
        let verdict = Verdict::Unknown;
        all.push(Recording { program: None, attach: None, kernel: None, verdict, log: text });
    }
    for one in &mut all {
        if one.verdict == Verdict::Unknown {
            one.verdict = Verdict::of(one.log);
        }
    }
    all
}

/// The program that wrote a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Ours,
    Libbpf,
    Veristat,
}

fn ours(line: &str) -> bool {
    line.starts_with(LOG)
}

/// `.verdict accepted by Linux 6.12.1`
fn verdict(line: &str) -> (Verdict, Option<&str>) {
    let Some((word, kernel)) = line[VERDICT.len()..].split_once(BY) else {
        return (Verdict::Unknown, None);
    };
    let all = [Verdict::Accepted, Verdict::Refused];
    let verdict = all.into_iter().find(|verdict| verdict.word() == word);
    (verdict.unwrap_or(Verdict::Unknown), Some(kernel))
}

/// `libbpf: prog 'count': -- BEGIN PROG LOAD LOG --`
fn quoted(line: &str) -> Option<&str> {
    line.split('\'').nth(1).filter(|_| line.contains("prog '"))
}

/// `PROCESSING file.o/count, DURATION US: 12, VERDICT: success, VERIFIER LOG:`
fn veristat(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("PROCESSING ")?.strip_suffix(", VERIFIER LOG:")?;
    let (of, rest) = line.split_once(", DURATION US: ")?;
    Some((of, rest.split_once("VERDICT: ")?.1))
}
