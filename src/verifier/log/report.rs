//! The report with which Linux 7.3 explains about half of its refusals.

/// The report's first words.
pub(super) const START: &str = "Verification failed:";

/// The kernel's own explanation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Report<'a> {
    text: &'a str,
}

/// An event on the way to the refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReportStep<'a> {
    /// The slot of the instruction, where the report shows it.
    pub at: Option<u32>,
    /// Its kind: `update`, `branch`, `invalidated`, `error`.
    pub kind: &'a str,
    /// Its description.
    pub what: &'a str,
}

const SECTIONS: [&str; 5] = ["Reason:", "At:", "Causal path:", "Active lock:", "Suggestion:"];

impl<'a> Report<'a> {
    /// Splits a log that begins with a report after the report.
    pub(super) fn split(log: &'a str) -> (Report<'a>, &'a str) {
        let mut end = 0;
        for line in log.split_inclusive('\n') {
            let text = line.trim_end();
            let part =
                end == 0 || text.is_empty() || text.starts_with(' ') || SECTIONS.contains(&text);
            if !part {
                break;
            }
            end += line.len();
        }
        let (text, rest) = log.split_at(end);
        (Report { text: text.trim_end() }, rest)
    }

    /// The first line: `Memory Safety: Access outside bounds`.
    pub fn title(&self) -> &'a str {
        self.text.lines().next().unwrap_or("").trim_start_matches(START).trim()
    }

    /// The whole report as the kernel printed it.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The lines of a section, as one.
    pub fn section(&self, name: &str) -> Option<String> {
        let words: Vec<&str> = self.lines_of(name).flat_map(str::split_whitespace).collect();
        (!words.is_empty()).then(|| words.join(" "))
    }

    fn lines_of(&self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let name = SECTIONS.iter().find(|section| section.strip_suffix(':') == Some(name));
        let mut lines = self.text.lines().map(str::trim_end);
        let found = name.is_some_and(|name| lines.any(|line| line == *name));
        lines.take_while(move |line| found && !SECTIONS.contains(line))
    }

    /// The slot of the refused instruction.
    pub fn at(&self) -> Option<u32> {
        self.steps("At").find_map(|step| step.at)
    }

    /// The events on the way, as far as the kernel kept them.
    pub fn path(&self) -> impl Iterator<Item = ReportStep<'a>> + use<'a> {
        self.steps("Causal path")
    }

    fn steps(&self, name: &str) -> impl Iterator<Item = ReportStep<'a>> + use<'a> {
        let mut lines = self.lines_of(name).peekable();
        let mut step: Option<ReportStep<'a>> = None;
        std::iter::from_fn(move || {
            loop {
                let Some(line) = lines.next() else { return step.take() };
                let text = line.trim_start();
                if let Some(said) = text.strip_prefix("| ^-- ") {
                    let (kind, what) = said.split_once(": ").unwrap_or(("", said));
                    step = Some(ReportStep { at: None, kind, what });
                } else if let (Some(current), Some(shown)) = (&mut step, text.strip_prefix(">>>"))
                    && let Some((at, insn)) = shown.split_once('|')
                    && insn.starts_with(" (")
                {
                    current.at = at.trim().parse().ok();
                }
                let next = lines.peek().is_some_and(|line| heading(line));
                if next && let Some(done) = step.take() {
                    return Some(done);
                }
            }
        })
    }
}

/// `  insn 5` or `  name @ file.rs:44:5`: the line of a new step.
fn heading(line: &str) -> bool {
    let text = line.trim_start();
    line.len() - text.len() == 2
        && !text.starts_with(">>>")
        && !matches!(text, "Instruction context:" | "Source context:")
}
