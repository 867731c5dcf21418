//! The verifier's logs in a text as people have it: the output of libbpf, aya, cilium/ebpf, bcc or bpftool, the
//! transcript of a build, a quotation. [`found_logs`] takes off what others have put around the lines, and finds
//! where each log begins and ends.

mod lines;
mod quoted;
mod split;
mod starts;
mod wrapped;

use std::borrow::Cow;

use super::recording::{Verdict, recordings};
pub use split::FoundLog;

/// The logs in a text, in its order; of those that say the same the longest.
///
/// ```
/// use rawbpf::verifier::pasted::found_logs;
///
/// let line = r#"level=error msg="0: R1=ctx() R10=fp0\n0: (95) exit\nR0 !read_ok\n" subsys=bpf"#;
/// assert_eq!(found_logs(line)[0].log, "0: R1=ctx() R10=fp0\n0: (95) exit\nR0 !read_ok\n");
/// ```
pub fn found_logs(text: &str) -> Vec<FoundLog> {
    let text = lines::without_prefixes(&wrapped::joined(&quoted::unquoted(text)));
    let mut found = vec![];
    for one in recordings(&text) {
        // A text without marks is one recording, whatever is in it.
        let own = |name: Option<&str>| name.filter(|name| !name.is_empty()).map(str::to_owned);
        let (program, attach) = (own(one.program), own(one.attach));
        for log in split::logs(one.log, one.program.is_some() || one.log.len() < text.len()) {
            let (program, attach) = (program.clone().or(log.program), attach.clone());
            found.push(FoundLog { program, attach, log: log.text });
        }
    }
    if found.is_empty() {
        let unmarked = split::logs(&text, false).into_iter();
        found.extend(unmarked.map(|log| FoundLog {
            program: log.program,
            attach: None,
            log: log.text,
        }));
    }
    if found.is_empty() {
        found.extend(split::message(&text).map(|log| FoundLog {
            program: None,
            attach: None,
            log,
        }));
    }
    split::without_repetitions(found)
}

/// Whether a text is a verifier's log, or has one in it, rather than a program: it has states, or totals.
pub fn is_log(text: &str) -> bool {
    // A text may be large, and a log begins early.
    let start = text.get(..1 << 16).map_or(Cow::Borrowed(text), Cow::Borrowed);
    let is_of_log = |found: FoundLog| {
        let state = |line: &str| line.contains("R1=ctx") || line.contains("R10=fp");
        found.log.lines().any(|line| state(line) || line.starts_with("processed "))
            || Verdict::of(&found.log) == Verdict::Refused && found.program.is_some()
    };
    found_logs(&start).into_iter().any(is_of_log)
}
