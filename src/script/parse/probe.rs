//! Probes: where they are attached.

use super::Parser;
use crate::script::ast::{AttachPoint, Probe};
use crate::script::cursor::Read;
use crate::script::literal::string;

impl Parser<'_> {
    /// Reads attach points, a predicate and a block.
    pub(super) fn probe(&mut self) -> Read<Probe> {
        self.cursor.begin_statement(false);
        let start = self.cursor.at;
        let mut points = vec![self.attach_point()?];
        while self.cursor.eat(",")? {
            self.cursor.skip()?;
            if matches!(self.cursor.byte(), b'{' | b'/') {
                break;
            }
            points.push(self.attach_point()?);
        }
        let predicate = match self.cursor.eat("/")? {
            true => {
                let predicate = self.expression()?;
                self.cursor.expect("/")?;
                Some(predicate)
            }
            false => None,
        };
        let block = self.block()?;
        Ok(Probe { points, predicate, block, span: self.cursor.since(start) })
    }

    /// Reads an attach point. White space ends it, and so does a slash before the first colon; after
    /// that, a slash belongs to a path.
    fn attach_point(&mut self) -> Read<AttachPoint> {
        self.cursor.skip()?;
        let start = self.cursor.at;
        let mut parts = vec![String::new()];
        loop {
            let last = parts.len() - 1;
            match self.cursor.byte() {
                b':' => {
                    parts.push(String::new());
                    self.cursor.at += 1;
                }
                b'"' => {
                    let quoted = string(&mut self.cursor)?;
                    parts[last].push_str(&String::from_utf8_lossy(&quoted));
                }
                b'$' if matches!(self.cursor.byte_after(1), b'1'..=b'9') => {
                    let text = self.part_of_name();
                    let mut more = text.split(':');
                    parts[last].push_str(more.next().unwrap_or_default());
                    parts.extend(more.map(str::to_owned));
                }
                b',' | b'{' => break,
                b'/' if parts.len() == 1 => break,
                byte if byte.is_ascii_whitespace() || self.cursor.rest().is_empty() => break,
                _ => {
                    let rest = self.cursor.rest();
                    let length =
                        rest.find(|c: char| c.is_ascii_whitespace() || ":\",{/$".contains(c));
                    // At least one character, which may be the slash of a path.
                    let first = rest.chars().next().map_or(0, char::len_utf8);
                    let length = length.unwrap_or(rest.len()).max(first);
                    parts[last].push_str(&rest[..length]);
                    self.cursor.at += length;
                }
            }
        }
        self.cursor.end = self.cursor.at;
        match self.cursor.at == start {
            true if self.cursor.rest().is_empty() => Err(self.cursor.expected("a probe")),
            true => {
                let mistake = self.cursor.expected("a probe");
                Err(mistake.help("a probe is a place and a block: `tracepoint:sched:sched_switch { @ = count(); }`"))
            }
            false => Ok(AttachPoint { parts, span: self.cursor.since(start) }),
        }
    }
    /// Reads `$1`, which is next: the parameter of this number, empty if there is none.
    fn part_of_name(&mut self) -> String {
        let digits = self.cursor.rest()[1..].bytes().take_while(u8::is_ascii_digit).count();
        let number = self.cursor.rest()[1..=digits].parse::<usize>().ok();
        self.cursor.at += 1 + digits;
        number.and_then(|number| self.parameters.get(number - 1)).cloned().unwrap_or_default()
    }
}
