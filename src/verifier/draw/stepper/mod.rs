//! Steps through a walk as a debugger steps through a program: from keys to a state, from the state and a
//! size to a screen, and from the screen to a terminal's escape sequences. The terminal's input is decoded
//! elsewhere.

mod escapes;
mod line;
mod panel;
mod screen;

use super::wording;
use crate::verifier::totals::Totals;
use crate::verifier::trail::{Made, Trail};
use crate::verifier::verification::Verification;
use crate::verifier::walk::Entry;
pub use escapes::escapes;
pub use line::{ScreenLine, StyledText, TextStyle};

/// A key that was pressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // Named like the keys' labels.
pub enum KeyPress {
    Char(char),
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Tab,
    BackTab,
    Backspace,
    Escape,
}

/// A program whose walk is stepped through.
pub struct SteppedProgram<'a> {
    /// The program's name, and how and where it is attached.
    pub title: String,
    /// Whether it is refused.
    pub refused: bool,
    program: &'a Verification,
    totals: Totals<'a>,
    trail: Trail<'a>,
    /// The row where it is refused.
    failure: Option<usize>,
    /// The reasons that are shown there.
    why: Vec<(&'static str, String)>,
    cursor: usize,
    /// The row at the top of the screen.
    top: usize,
    follow: Option<Follow>,
}

/// A register whose history is followed.
struct Follow {
    register: u8,
    made: Vec<Made>,
}

impl<'a> SteppedProgram<'a> {
    /// The walk in the log of this program. At most `most` parts are kept.
    pub fn new(
        title: String,
        refused: bool,
        program: &'a Verification,
        most: usize,
    ) -> SteppedProgram<'a> {
        let trail = Trail::of(&program.code, &program.log, most);
        let (mut failure, mut why) = (None, vec![]);
        if refused {
            let rows = trail.rows();
            let diagnosis = program.diagnose();
            let at = diagnosis.as_ref().and_then(|diagnosis| diagnosis.at);
            failure = rows.iter().rposition(|row| at.is_some() && row.insn() == at);
            failure = failure.or_else(|| rows.iter().rposition(|row| row.insn().is_some()));
            if let Some(diagnosis) = diagnosis {
                why.push(("refused", diagnosis.sentence));
                why.push(("demanded", diagnosis.demand));
                why.push(("change", diagnosis.remedy));
                why.retain(|(_, text)| !text.is_empty());
            }
        }
        let totals = Totals::of(&program.log);
        let (cursor, top, follow) = (0, 0, None);
        SteppedProgram { title, refused, program, totals, trail, failure, why, cursor, top, follow }
    }

    /// Whether the program is refused at this row, or not at any row.
    fn fails_here(&self) -> bool {
        self.refused && self.failure.is_none_or(|row| row == self.cursor)
    }

    fn verdict(&self) -> &'static str {
        if self.refused { "refused" } else { "accepted" }
    }

    /// The text that `/` searches.
    fn text(&self, row: usize) -> String {
        let Some(found) = self.trail.rows().get(row) else { return String::new() };
        let line = wording::line(self.program, &found.entry, false);
        let mut text = format!("{} {}", line.text, line.after);
        if let Some(source) = found.insn().and_then(|at| self.program.source(at)) {
            text.push_str(&format!(" {}", source.placed_text()));
        }
        text.make_ascii_lowercase();
        text
    }
}

/// The meaning of the next key.
enum Mode {
    Walk,
    /// It is a register's number.
    Register,
    /// It belongs to this text to search for.
    Search(String),
    /// It scrolls a page over the walk, whose first line is this.
    Page(Overlay, usize),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Overlay {
    Help,
    /// Everything about the row.
    Row,
}

/// The state of the screen.
pub struct Stepper<'a> {
    programs: Vec<SteppedProgram<'a>>,
    current: usize,
    mode: Mode,
    /// The text of the last search.
    searched: String,
    /// The answer to the last key.
    message: String,
    /// How many rows of the walk the screen showed last.
    page: usize,
}

impl<'a> Stepper<'a> {
    /// At the beginning of the first program. There is at least one.
    pub fn new(programs: Vec<SteppedProgram<'a>>) -> Stepper<'a> {
        let (mode, searched, message) = (Mode::Walk, String::new(), String::new());
        Stepper { programs, current: 0, mode, searched, message, page: 10 }
    }

    fn walked(&self) -> &SteppedProgram<'a> {
        &self.programs[self.current]
    }

    /// Handles a key. Returns false if the key ends the stepping.
    pub fn press(&mut self, key: KeyPress) -> bool {
        self.message.clear();
        match &mut self.mode {
            Mode::Walk => return self.walk(key),
            Mode::Register => {
                self.mode = Mode::Walk;
                match key {
                    KeyPress::Char(digit @ '0'..='9') => self.follow(digit as u8 - b'0'),
                    KeyPress::Escape => {}
                    _ => self.say("a register is a digit: r6"),
                }
            }
            Mode::Search(text) => match key {
                KeyPress::Char(c) => text.push(c),
                KeyPress::Backspace if text.is_empty() => self.mode = Mode::Walk,
                KeyPress::Backspace => {
                    text.pop();
                }
                KeyPress::Enter => {
                    let text = std::mem::take(text);
                    self.mode = Mode::Walk;
                    self.search(text);
                }
                KeyPress::Escape => self.mode = Mode::Walk,
                _ => {}
            },
            Mode::Page(_, top) => match key {
                KeyPress::Down | KeyPress::Char('j' | 'n') | KeyPress::Enter => {
                    *top = top.saturating_add(1)
                }
                KeyPress::Up | KeyPress::Char('k' | 'p') => *top = top.saturating_sub(1),
                KeyPress::PageDown | KeyPress::Char(' ') => *top = top.saturating_add(self.page),
                KeyPress::PageUp => *top = top.saturating_sub(self.page),
                KeyPress::Home | KeyPress::Char('g') => *top = 0,
                KeyPress::End | KeyPress::Char('G') => *top = usize::MAX,
                _ => self.mode = Mode::Walk,
            },
        }
        true
    }

    fn walk(&mut self, key: KeyPress) -> bool {
        let walked = self.walked();
        let (cursor, last) = (walked.cursor, walked.trail.rows().len().saturating_sub(1));
        match key {
            KeyPress::Down | KeyPress::Char('n' | 'j' | ' ') if cursor < last => {
                self.go(cursor + 1)
            }
            KeyPress::Down | KeyPress::Char('n' | 'j' | ' ') => {
                self.message = format!("{}: {}", walked.verdict(), walked.totals);
            }
            KeyPress::Up | KeyPress::Char('p' | 'k') => match cursor.checked_sub(1) {
                Some(row) => self.go(row),
                None => self.say("this is the beginning"),
            },
            KeyPress::PageDown => self.go(last.min(cursor + self.page)),
            KeyPress::PageUp => self.go(cursor.saturating_sub(self.page)),
            KeyPress::Home | KeyPress::Char('g') => self.go(0),
            KeyPress::End | KeyPress::Char('G') => self.go(last),
            KeyPress::Char('b') => self.find(true, "no branch begins later", &is_branch),
            KeyPress::Char('B') => self.find(false, "no branch begins before", &is_branch),
            KeyPress::Char('f') | KeyPress::Enter => self.other_side(),
            KeyPress::Char(']') => self.again(true),
            KeyPress::Char('[') => self.again(false),
            KeyPress::Char('!' | 'e') => self.failure(),
            KeyPress::Char('r') => self.mode = Mode::Register,
            KeyPress::Left | KeyPress::Char('h') => self.chain(false),
            KeyPress::Right | KeyPress::Char('l') => self.chain(true),
            KeyPress::Char('/') => self.mode = Mode::Search(String::new()),
            KeyPress::Char('i') => self.mode = Mode::Page(Overlay::Row, 0),
            KeyPress::Char('?') => self.mode = Mode::Page(Overlay::Help, 0),
            KeyPress::Tab => self.program(self.current + 1),
            KeyPress::BackTab => self.program(self.current + self.programs.len() - 1),
            KeyPress::Escape if self.walked().follow.is_some() => {
                self.programs[self.current].follow = None;
            }
            KeyPress::Char('q') | KeyPress::Escape => return false,
            KeyPress::Char(_) | KeyPress::Backspace => self.say("? shows the keys"),
        }
        true
    }

    fn say(&mut self, message: &str) {
        self.message = message.to_owned();
    }

    fn go(&mut self, row: usize) {
        self.programs[self.current].cursor = row;
    }

    fn find(&mut self, forward: bool, none: &str, is: &dyn Fn(&SteppedProgram, usize) -> bool) {
        let walked = self.walked();
        let (cursor, count) = (walked.cursor, walked.trail.rows().len());
        let found = match forward {
            true => (cursor + 1..count).find(|row| is(walked, *row)),
            false => (0..cursor).rev().find(|row| is(walked, *row)),
        };
        match found {
            Some(row) => self.go(row),
            None => self.message = none.into(),
        }
    }

    fn other_side(&mut self) {
        let walked = self.walked();
        let Some(row) = walked.trail.rows().get(walked.cursor) else { return };
        if let Some(other) = row.other {
            return self.go(other);
        }
        let condition = row.insn().is_some_and(|at| walked.program.code.is_condition(at));
        self.message = match condition {
            true => "the other side of this condition was not followed".into(),
            false => "not a condition or a branch: b goes to the next branch".into(),
        };
    }

    /// Goes to the next or previous visit of this instruction.
    fn again(&mut self, forward: bool) {
        let walked = self.walked();
        let Some(at) = walked.trail.rows().get(walked.cursor).and_then(|row| row.insn()) else {
            self.say("this is not an instruction");
            return;
        };
        let way = if forward { "later" } else { "before" };
        let none = format!("instruction {at} is not visited {way}");
        self.find(forward, &none, &|walked, row| walked.trail.rows()[row].insn() == Some(at));
    }

    fn failure(&mut self) {
        match (self.walked().failure, self.walked().refused) {
            (Some(row), _) => {
                // At the row already: show more about it.
                if self.walked().cursor == row {
                    self.mode = Mode::Page(Overlay::Row, 0);
                }
                self.go(row);
            }
            (None, true) => self.say("the refused instruction is not among the steps shown"),
            (None, false) => self.say("the program is accepted: nothing failed"),
        }
    }

    fn follow(&mut self, register: u8) {
        let walked = &mut self.programs[self.current];
        let following = walked.follow.as_ref().is_some_and(|follow| {
            let here = follow.made.iter().any(|made| made.row == walked.cursor);
            follow.register == register && here
        });
        if following {
            return self.chain(false);
        }
        let made = walked.trail.history(walked.cursor, register).unwrap_or_default();
        let Some(last) = made.last() else {
            walked.follow = None;
            self.message = format!("nothing on the path to here made r{register}");
            return;
        };
        let here = last.row == walked.cursor;
        walked.cursor = last.row;
        walked.follow = Some(Follow { register, made });
        self.message = match here {
            true => format!("r{register} is made here; Left goes further back"),
            false => {
                format!("r{register} was made here; Left goes further back, Right forward again")
            }
        };
    }

    /// Goes along the history of the followed register.
    fn chain(&mut self, forward: bool) {
        let walked = self.walked();
        let Some(follow) = &walked.follow else {
            self.say("r and a digit follow a register; Left and Right go along its history");
            return;
        };
        let rows = || follow.made.iter().map(|made| made.row);
        let next = match forward {
            true => rows().filter(|row| *row > walked.cursor).min(),
            false => rows().filter(|row| *row < walked.cursor).max(),
        };
        let register = follow.register;
        match next {
            Some(row) => self.go(row),
            None if forward => self.message = format!("the history of r{register} ends here"),
            None => self.message = format!("the history of r{register} begins here"),
        }
    }

    fn search(&mut self, text: String) {
        if !text.is_empty() {
            self.searched = text.to_ascii_lowercase();
        }
        if self.searched.is_empty() {
            return;
        }
        let walked = self.walked();
        let (cursor, count) = (walked.cursor, walked.trail.rows().len());
        let order = (cursor + 1..count).chain(0..(cursor + 1).min(count));
        let found = order.into_iter().find(|row| walked.text(*row).contains(&self.searched));
        match found {
            Some(row) => {
                if row <= cursor {
                    self.say("found from the top again");
                }
                self.go(row);
            }
            None => self.message = format!("{:?} was not found", self.searched),
        }
    }

    fn program(&mut self, index: usize) {
        if self.programs.len() == 1 {
            self.say("there is only one program");
        }
        self.current = index % self.programs.len();
    }
}

fn is_branch(walked: &SteppedProgram, row: usize) -> bool {
    matches!(walked.trail.rows()[row].entry, Entry::Branch { .. })
}
