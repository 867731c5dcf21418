//! From a state and a size to a screen.

use super::line::{ScreenLine, StyledText, TextStyle};
use super::{Mode, Overlay, SteppedProgram, Stepper};
use crate::verifier::draw::wording;
use crate::verifier::verification::SourceLine;
use crate::verifier::walk::Entry;

/// A screen narrower than this shows the panel below the walk, not beside it.
const NARROW: usize = 100;

impl Stepper<'_> {
    /// The screen, line by line, each as wide as the screen.
    pub fn screen(&mut self, width: usize, height: usize) -> Vec<ScreenLine> {
        let (bars, inside) = match height {
            0 => return vec![],
            1..5 => (1, height - 1),
            _ => (2, height - 2),
        };
        self.page = inside.saturating_sub(1).max(1);
        let mut lines = vec![];
        if bars == 2 {
            lines.push(self.title(width));
        }
        match self.mode {
            Mode::Page(page, top) => lines.extend(self.over(page, top, width, inside)),
            _ => lines.extend(self.walk_and_panel(width, inside)),
        }
        lines.resize(height - 1, ScreenLine::default());
        lines.push(self.status());
        lines.into_iter().map(|line| line.fit(width)).collect()
    }

    fn title(&self, width: usize) -> ScreenLine {
        let walked = self.walked();
        let left = format!(" {}: {}", walked.title, walked.verdict());
        let right = match self.programs.len() {
            1 => String::new(),
            count => format!("program {} of {count} (Tab) ", self.current + 1),
        };
        let between = width.saturating_sub(left.chars().count() + right.len());
        ScreenLine::of(TextStyle::Bar, &format!("{left}{}{right}", " ".repeat(between)))
    }

    fn status(&self) -> ScreenLine {
        let text = match (&self.mode, self.message.as_str()) {
            (Mode::Register, _) => " follow which register? 0 to 9".into(),
            (Mode::Search(text), _) => format!(" /{text}_"),
            (Mode::Page(..), _) => " Up and Down scroll, any other key goes back".into(),
            (Mode::Walk, "") => format!(" {}   {}", self.walked().position(), self.walked().keys()),
            (Mode::Walk, message) => format!(" {}   {message}", self.walked().position()),
        };
        ScreenLine::of(TextStyle::Bar, &text)
    }

    /// A page over the walk.
    fn over(&mut self, page: Overlay, top: usize, width: usize, height: usize) -> Vec<ScreenLine> {
        let lines = self.walked().page(page, width);
        let top = top.min(lines.len().saturating_sub(height));
        self.mode = Mode::Page(page, top);
        lines.into_iter().skip(top).take(height).collect()
    }

    fn walk_and_panel(&mut self, width: usize, height: usize) -> Vec<ScreenLine> {
        let walked = &mut self.programs[self.current];
        if width >= NARROW {
            let right = (width * 2 / 5).min(70);
            let left = width - right - 3;
            let panel = cut(walked.panel(right, false), height);
            let mut rows = walked.rows(left, height);
            rows.resize(height, ScreenLine::default());
            let mut panel = panel.into_iter();
            let beside = rows.into_iter().map(|row| {
                let mut line = row.fit(left);
                line.0.push(StyledText { style: TextStyle::Dim, text: " | ".into() });
                line.0.extend(panel.next().unwrap_or_default().0);
                line
            });
            return beside.collect();
        }
        if height < 8 {
            return walked.rows(width, height);
        }
        let panel = walked.panel(width, false);
        // The panel has the same height everywhere, but at a refusal as much as leaves a few rows.
        let below = if walked.fails_here() {
            panel.len().min(height - 5).max(height / 2)
        } else {
            height / 2
        };
        let mut lines = walked.rows(width, height - below - 1);
        lines.resize(height - below - 1, ScreenLine::default());
        lines.push(ScreenLine::of(TextStyle::Dim, &"-".repeat(width)));
        lines.extend(cut(panel, below));
        lines
    }
}

/// The first lines, and in place of the last how many are left out.
fn cut(mut lines: Vec<ScreenLine>, height: usize) -> Vec<ScreenLine> {
    if lines.len() > height && height > 0 {
        let more = lines.len() - (height - 1);
        lines.truncate(height - 1);
        lines.push(ScreenLine::of(TextStyle::Dim, &format!("  and {more} more lines: i")));
    }
    lines
}

impl SteppedProgram<'_> {
    fn position(&self) -> String {
        let rows = self.trail.rows();
        let Some(row) = rows.get(self.cursor) else { return "no steps to show".into() };
        let step = format!("step {}/{}", self.cursor + 1, rows.len());
        match &row.entry {
            Entry::Step(it) => {
                let time =
                    if it.times > 1 { format!(", visit {}", it.times) } else { String::new() };
                format!("{step}, instruction {}, depth {}{time}", it.at, it.depth)
            }
            Entry::Branch { depth, .. } | Entry::Safe { depth, .. } => {
                format!("{step}, depth {depth}")
            }
            _ => step,
        }
    }

    fn keys(&self) -> String {
        let failure = if self.refused { "! failure  " } else { "" };
        let other = self.trail.rows().get(self.cursor).is_some_and(|row| row.other.is_some());
        let other = if other { "f other side  " } else { "" };
        format!("? help  q quit  {failure}{other}n p step  b branch  r register  / search")
    }

    /// The rows around the current one, in `height` lines of this width.
    fn rows(&mut self, width: usize, height: usize) -> Vec<ScreenLine> {
        if height == 0 {
            return vec![];
        }
        if self.cursor < self.top {
            self.top = self.cursor.saturating_sub(height / 3);
        }
        if let Some(lines) = self.from(self.top, width, height) {
            return lines;
        }
        // Rows before it may have lines of source above them.
        let last = self.cursor.saturating_sub(height * 2 / 3);
        for top in last..=self.cursor {
            if let Some(lines) = self.from(top, width, height) {
                self.top = top;
                return lines;
            }
        }
        self.top = self.cursor;
        vec![self.row(self.cursor, width)]
    }

    /// The rows from `top` on; `None` if the current row would not be among them.
    fn from(&self, top: usize, width: usize, height: usize) -> Option<Vec<ScreenLine>> {
        let count = self.trail.rows().len();
        if count > 0 && self.cursor >= top + height {
            return None;
        }
        let mut lines = vec![];
        let mut shown = count == 0;
        if top == 0 && self.trail.left_out() > 0 {
            let text = format!("  ; the first {} steps are left out", self.trail.left_out());
            lines.push(ScreenLine::of(TextStyle::Dim, &text));
        }
        for row in top..count {
            if let Some(source) = self.source_above(row, row == top) {
                let text = format!("  {}{}", self.indent(row, width), source.as_in_log());
                lines.push(ScreenLine::of(TextStyle::Source, &text));
            }
            if lines.len() >= height {
                break;
            }
            shown |= row == self.cursor;
            lines.push(self.row(row, width));
        }
        lines.truncate(height);
        shown.then_some(lines)
    }

    /// The line of source that begins at a row.
    fn source_above(&self, row: usize, first: bool) -> Option<&SourceLine> {
        let rows = self.trail.rows();
        let source = self.program.source_beside(rows[row].insn()?)?;
        let before = row.checked_sub(1).filter(|_| !first).and_then(|row| rows[row].insn());
        let shown = before.and_then(|at| self.program.source(at));
        shown.is_none_or(|it| it.place() != source.place()).then_some(source)
    }

    fn indent(&self, row: usize, width: usize) -> String {
        wording::indent(self.trail.rows()[row].entry.depth().min(width / 8))
    }

    fn row(&self, row: usize, width: usize) -> ScreenLine {
        let found = &self.trail.rows()[row];
        let line = wording::line(self.program, &found.entry, false);
        let made = |row: usize| {
            let follow = self.follow.as_ref();
            follow.is_some_and(|follow| follow.made.iter().any(|made| made.row == row))
        };
        let here = row == self.cursor;
        let exact = found.exact_for == Some(self.cursor);
        let (mark, style) = match (self.failure == Some(row), made(row), &found.entry) {
            (true, ..) => ('!', TextStyle::Error),
            (_, true, _) => ('*', TextStyle::Chain),
            _ if exact => ('=', TextStyle::Plain),
            (_, _, Entry::Branch { .. } | Entry::Begin { .. }) => (' ', TextStyle::Bold),
            (_, _, Entry::Step(_)) => (' ', TextStyle::Plain),
            _ => (' ', TextStyle::Dim),
        };
        let cursor = if here { '>' } else { ' ' };
        let text = format!("{cursor}{mark}{}{}", self.indent(row, width), line.text);
        // The panel has the whole state; here there is as much as fits.
        let column = (width * 3 / 5).clamp(30, 50);
        let mut spans = ScreenLine::of(if here { TextStyle::Current } else { style }, &text).0;
        if !line.after.is_empty() {
            let style = if here { TextStyle::Current } else { TextStyle::Dim };
            let text = format!(
                "{} ; {}",
                " ".repeat(column.saturating_sub(text.chars().count())),
                line.after
            );
            spans.extend(ScreenLine::of(style, &text).0);
        }
        ScreenLine(spans)
    }
}
