//! The panel about a row: why it is refused, the state after it, the path to it.

use super::line::{ScreenLine, TextStyle, wrap};
use super::{Overlay, SteppedProgram};
use crate::verifier::draw::wording;
use crate::verifier::log::Place;
use crate::verifier::walk::{Entry, name};

impl SteppedProgram<'_> {
    /// Everything about the row, in lines of this width. On a `page` the whole diagnosis comes after it.
    pub(super) fn panel(&self, width: usize, page: bool) -> Vec<ScreenLine> {
        let mut panel = Panel { width, lines: vec![] };
        let Some(row) = self.trail.rows().get(self.cursor) else {
            if !page {
                self.refusal(&mut panel);
            }
            panel.say(TextStyle::Plain, "", &format!("{}: {}", self.verdict(), self.totals));
            return panel.lines;
        };
        let step = if let Entry::Step(step) = &row.entry { Some(step) } else { None };
        if self.fails_here() && !page {
            self.refusal(&mut panel);
        }
        if let Some(source) = step.and_then(|step| self.program.source(step.at)) {
            panel.say(TextStyle::Source, "  ", &source.placed_text());
        }
        self.followed(&mut panel);
        self.known(&mut panel);
        for exact in step.iter().flat_map(|step| &step.exact) {
            panel.say(TextStyle::Plain, "  ", &wording::exact(exact));
        }
        if let Some(at) = row.exact_for.and_then(|row| self.trail.rows()[row].insn()) {
            let text = format!("an exact value that matters at {at} was traced back over this");
            panel.say(TextStyle::Plain, "  ", &text);
        }
        for (deep, branch) in self.trail.branches(self.cursor).into_iter().enumerate().rev() {
            if let Entry::Branch { from, to, .. } = self.trail.rows()[branch].entry {
                let held = self.program.code.target(from) == Some(to);
                let way = if held { "holds" } else { "does not hold" };
                let insn = self.program.text(from);
                let insn = insn.split_once(' ').map_or("", |(_, insn)| insn);
                let text = format!("branch {}: at {from} {insn} {way}", deep + 1);
                panel.say(TextStyle::Dim, "  ", &text);
            }
        }
        panel.lines
    }

    fn refusal(&self, panel: &mut Panel) {
        for (what, text) in &self.why {
            let style = if *what == "refused" { TextStyle::Error } else { TextStyle::Bold };
            panel.say(style, "  ", &format!("{what}: {text}"));
        }
    }

    fn followed(&self, panel: &mut Panel) {
        let Some(follow) = &self.follow else { return };
        panel.say(TextStyle::Bold, "", &format!("how r{} came about", follow.register));
        for made in &follow.made {
            let here = if made.row == self.cursor { '>' } else { ' ' };
            let at = self.trail.rows()[made.row].insn().unwrap_or(0);
            panel.say(TextStyle::Chain, "        ", &format!("{here} {at:>4}: {}", made.what));
        }
    }

    fn known(&self, panel: &mut Panel) {
        let Some(row) = self.trail.rows().get(self.cursor) else { return };
        let (frame, known) = self.trail.after(self.cursor);
        // The log of a long walk has only its last messages.
        if known.is_empty() && matches!(row.entry, Entry::Said(_)) {
            return;
        }
        let changes = match &row.entry {
            Entry::Step(step) => &step.changes[..],
            Entry::Begin { changes, .. } | Entry::Branch { changes, .. } => changes,
            Entry::Safe { .. } | Entry::Said(_) | Entry::Cut => &[],
        };
        let place = match row.entry {
            Entry::Step(ref step) => format!("after {}", step.at),
            Entry::Begin { at, .. } => format!("at {at}, the beginning"),
            Entry::Branch { to, .. } => format!("at {to}"),
            Entry::Safe { at, .. } => format!("at {at}, known to be safe"),
            Entry::Said(_) | Entry::Cut => "before".into(),
        };
        let inside = match frame {
            0 => String::new(),
            1 => ", in a function".into(),
            _ => format!(", {frame} calls deep"),
        };
        panel.say(TextStyle::Bold, "", &format!("state {place}{inside}"));
        for (place, value) in &known {
            let new = changes.iter().any(|(other, _)| other == place);
            let (mark, style) =
                if new { ('*', TextStyle::Changed) } else { (' ', TextStyle::Plain) };
            panel.say(
                style,
                "      ",
                &format!("{mark} {} = {}", named(*place), wording::is(*value)),
            );
        }
        let gone = changes.iter().filter(|(_, value)| value.is_none());
        let gone: Vec<_> = gone.map(|(place, _)| name(*place)).collect();
        if !gone.is_empty() {
            panel.say(TextStyle::Changed, "  ", &format!("* {} gone", gone.join(" ")));
        }
    }

    /// A page that is shown over the walk.
    pub(super) fn page(&self, page: Overlay, width: usize) -> Vec<ScreenLine> {
        let mut panel = Panel { width, lines: vec![] };
        if page == Overlay::Row {
            panel.lines = self.panel(width, true);
            if self.fails_here() {
                panel.lines.push(ScreenLine::default());
                for line in self.program.render(false).lines().take(1000) {
                    panel.say(TextStyle::Plain, "      ", line);
                }
            }
            return panel.lines;
        }
        for (keys, what) in KEYS {
            panel.say(TextStyle::Plain, &" ".repeat(22), &format!("{keys:<21} {what}"));
        }
        panel.lines
    }
}

const KEYS: [(&str, &str); 20] = [
    ("n  j  Down  Space", "next step"),
    ("p  k  Up", "previous step"),
    ("PageDown  PageUp", "one screen forward, back"),
    ("g  Home,  G  End", "first step, last step"),
    ("!  e", "the refusal; pressed there again: everything about it"),
    ("b  B", "next / previous branch"),
    ("f  Enter", "the other side of this condition, and back to the condition"),
    ("]  [", "next / previous visit of this instruction"),
    ("r and a digit", "the step that made this register's value"),
    ("Left  Right  h  l", "further back in the register's history, and forward again"),
    ("/ text Enter", "next line with this text; / Enter repeats the search"),
    ("i", "everything about this step, on a page"),
    ("Tab  Shift-Tab", "next / previous program"),
    ("?", "this list of keys"),
    ("q  Escape  Ctrl-C", "quit; Escape first stops following a register"),
    ("", ""),
    ("*", "mark: this step made the value of the followed register"),
    ("=", "mark: an exact value that matters at the current step was traced back over this"),
    ("!", "mark: the program is refused here"),
    ("* r6 = 7", "in the state: this step changed the value"),
];

fn named(place: Place) -> String {
    format!("{:<3}", name(place))
}

struct Panel {
    width: usize,
    lines: Vec<ScreenLine>,
}

impl Panel {
    /// Adds a paragraph, with its further lines indented.
    fn say(&mut self, style: TextStyle, indent: &str, text: &str) {
        let lines = wrap(text, self.width, indent);
        self.lines.extend(lines.into_iter().map(|line| ScreenLine::of(style, &line)));
    }
}
