//! The costs of programs on the terminal's screen.

use std::time::Instant;

use super::costs::Costs;
use super::meter::{Meter, table};
use super::options::Sort;
use crate::cli::schedule::Schedule;
use crate::cli::stop::Stop;
use crate::cli::terminal::{Pressed, RawTerminal};
use crate::error::Error;
use crate::verifier::draw::stepper::{KeyPress, ScreenLine, StyledText, TextStyle};

/// The keys that sort, in the order of the last line.
const SORTS: [(char, Sort, &str); 6] = [
    ('t', Sort::Time, "time"),
    ('r', Sort::Runs, "runs"),
    ('a', Sort::Average, "average"),
    ('m', Sort::Misses, "misses"),
    ('n', Sort::Name, "name"),
    ('i', Sort::Id, "id"),
];

/// What is on the screen.
pub struct Screen<'a> {
    meter: Meter<'a>,
    top: usize,
    /// The last interval's costs, once there is one.
    costs: Option<Costs>,
    /// The number of rows above the first that is shown.
    above: usize,
}

impl<'a> Screen<'a> {
    /// A screen with at most `top` rows.
    pub fn new(meter: Meter<'a>, top: usize) -> Screen<'a> {
        Screen { meter, top, costs: None, above: 0 }
    }

    /// Draws each interval, until q is pressed, or for as many as the schedule has.
    ///
    /// # Errors
    /// The terminal cannot be used, or the kernel does not say what programs cost.
    pub fn run(mut self, terminal: &RawTerminal, schedule: &Schedule) -> Result<(), Stop> {
        let unusable = |error| Error::failed(format!("the terminal cannot be used: {error}"));
        let mut left = schedule.count;
        let mut next = Instant::now() + schedule.interval();
        loop {
            let (width, height) = terminal.size();
            terminal.draw(&self.lines(width, height)).map_err(unusable)?;
            let keys = match terminal.wait(Some(next)).map_err(unusable)? {
                Pressed::End => return Ok(()),
                Pressed::Keys(keys) => keys,
            };
            if !keys.into_iter().all(|key| self.press(key, height)) {
                return Ok(());
            }
            let now = Instant::now();
            if now >= next {
                // After a stop, one interval takes the place of those that were missed.
                next += schedule.interval();
                if next <= now {
                    next = now + schedule.interval();
                }
                self.costs = Some(self.meter.read()?);
                left = left.map(|left| left - 1);
                if left == Some(0) {
                    return Ok(());
                }
            }
        }
    }

    /// Does what a key asks for. Returns false if it is for the end.
    fn press(&mut self, key: KeyPress, height: usize) -> bool {
        let rows = self.rows();
        match key {
            KeyPress::Char('q') | KeyPress::Escape => return false,
            KeyPress::Up => self.above = self.above.saturating_sub(1),
            KeyPress::Down => self.above += 1,
            KeyPress::PageUp => self.above = self.above.saturating_sub(height),
            KeyPress::PageDown => self.above += height,
            KeyPress::Home => self.above = 0,
            KeyPress::End => self.above = rows,
            KeyPress::Char(key) => {
                if let Some((_, sort, _)) = SORTS.iter().find(|(sort, ..)| *sort == key) {
                    (self.meter.sort, self.above) = (*sort, 0);
                    self.costs.iter_mut().for_each(|costs| costs.sort(*sort));
                }
            }
            _ => {}
        }
        true
    }

    fn rows(&self) -> usize {
        self.costs.as_ref().map_or(0, |costs| costs.programs.len().min(self.top))
    }

    /// A bar, the header, the rows, and the keys.
    fn lines(&mut self, width: usize, height: usize) -> Vec<ScreenLine> {
        let room = height.saturating_sub(3);
        self.above = self.above.min(self.rows().saturating_sub(room));
        let (title, table) = match &self.costs {
            None => ("counting the runs of programs".into(), String::new()),
            Some(costs) => (costs.sentence(), table(costs, self.top, Some(width))),
        };
        let mut rows = table.lines();
        let header = rows.next().unwrap_or_default();
        let rows: Vec<_> = rows.skip(self.above).take(room).collect();
        let hidden = self.rows() - rows.len();
        let more =
            if hidden > 0 { format!("{hidden} more rows: up, down   ") } else { String::new() };
        let sorts = SORTS.map(|(key, sort, name)| {
            let mark = if sort == self.meter.sort { "*" } else { "" };
            format!("{key} {name}{mark}")
        });
        let keys = format!(" sort by: {}   {more}q quit", sorts.join("  "));
        let line = |style, text: &str| {
            let text: String = text.chars().take(width).collect();
            let fill = width - text.chars().count();
            let text = text + &" ".repeat(if style == TextStyle::Bar { fill } else { 0 });
            ScreenLine(vec![StyledText { style, text }])
        };
        let mut lines = vec![
            line(TextStyle::Bar, &format!(" rawbpf list --live   {title}")),
            line(TextStyle::Bold, header),
        ];
        lines.extend(rows.iter().map(|row| line(TextStyle::Plain, row)));
        lines.resize_with(height.saturating_sub(1), ScreenLine::default);
        lines.push(line(TextStyle::Bar, &keys));
        lines.truncate(height);
        lines
    }
}
