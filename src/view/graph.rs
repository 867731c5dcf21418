//! A program's control flow graph: boxes from top to bottom, with the jumps between them as lines on the
//! left; or in the language of graphviz.

use std::fmt;

use crate::order::PutInOrder;
use crate::plain::steers;

/// A graph to draw.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// The program's name.
    pub name: String,
    /// Its boxes from top to bottom.
    pub nodes: Vec<Node>,
}

/// A box.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// The text in its upper edge; may be empty.
    pub title: String,
    /// The lines of text in it, at least one.
    pub lines: Vec<String>,
    /// Whether its last line continues in the next box.
    pub falls: bool,
    /// The box that its last line jumps to, if it jumps.
    pub jump: Option<usize>,
}

/// The graph in 80 columns.
///
/// ```
/// use rawbpf::view::graph::{Drawing, Graph, Node};
/// let node = |line: &str| Node { lines: vec![line.into()], ..Node::default() };
/// let graph = Graph {
///     name: "drop".into(),
///     nodes: vec![
///         Node { falls: true, jump: Some(2), ..node("0: if r1 == 0 goto pc+1") },
///         Node { falls: true, ..node("1: r1 = 0") },
///         node("2: exit"),
///     ],
/// };
/// assert_eq!(Drawing(&graph).to_string(), "\
/// drop
///     ┌─────────────────────────┐
///  ┌──┤ 0: if r1 == 0 goto pc+1 │
///  │  └────────────┬────────────┘
///  │  ┌────────────▼────────────┐
///  │  │ 1: r1 = 0               │
///  │  └────────────┬────────────┘
///  └─►┌────────────▼────────────┐
///     │ 2: exit                 │
///     └─────────────────────────┘
/// ");
/// ```
pub struct Drawing<'a>(pub &'a Graph);

const COLUMNS: usize = 80;
/// The number of lines that fit to the left of the boxes.
const LANES: usize = 16;
/// The length of the longest line that is drawn, in rows: nobody can follow a longer one.
const LONGEST: usize = 1000;

/// The lines to the left of the boxes, row by row. A bit is a lane, the lowest next to the boxes.
struct Gutter {
    lanes: usize,
    /// The lanes that go up from a row, and those that go down.
    up: Vec<u16>,
    down: Vec<u16>,
    /// The lane that ends at the row's box.
    joined: Vec<Option<usize>>,
}

impl Gutter {
    /// Gives each box that is jumped to a lane, which all jumps to it share; short lanes are next to the
    /// boxes. `rows` has for each box its first row and the row that it jumps from.
    fn new(nodes: &[Node], rows: &[(usize, usize)], height: usize) -> Gutter {
        let mut spans: Vec<Option<(usize, usize)>> = vec![None; nodes.len()];
        for (node, (_, from)) in nodes.iter().zip(rows) {
            let Some((span, (to, _))) =
                node.jump.and_then(|jump| Some((spans.get_mut(jump)?, rows[jump])))
            else {
                continue;
            };
            let (low, high) = span.unwrap_or((to, to));
            *span = Some((low.min(*from), high.max(*from)));
        }
        let lengths = spans.iter().enumerate().map(|(node, span)| {
            let (low, high) = (*span)?;
            Some((high - low, node))
        });
        let mut order: Vec<(usize, usize)> = lengths.flatten().collect();
        order.order();
        let (up, down, joined) = (vec![0; height], vec![0; height], vec![None; height]);
        let mut gutter = Gutter { lanes: 0, up, down, joined };
        let mut lane_of = vec![None; nodes.len()];
        for (length, node) in order {
            let Some((low, high)) = spans[node].filter(|_| length < LONGEST) else {
                continue;
            };
            let taken =
                (low..=high).fold(0, |taken, row| taken | gutter.up[row] | gutter.down[row]);
            let lane = taken.trailing_ones() as usize;
            if lane < LANES {
                (low..high).for_each(|row| gutter.down[row] |= 1 << lane);
                (low + 1..=high).for_each(|row| gutter.up[row] |= 1 << lane);
                gutter.joined[rows[node].0] = Some(lane);
                gutter.lanes = gutter.lanes.max(lane + 1);
                lane_of[node] = Some(lane);
            }
        }
        for (node, (_, from)) in nodes.iter().zip(rows) {
            gutter.joined[*from] = node.jump.and_then(|jump| *lane_of.get(jump)?);
        }
        gutter
    }

    fn width(&self) -> usize {
        if self.lanes == 0 { 1 } else { 2 * self.lanes + 2 }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, row: usize, arrives: bool) -> fmt::Result {
        let joined = self.joined[row];
        for lane in (0..self.lanes).rev() {
            let up = self.up[row] >> lane & 1 == 1;
            let down = self.down[row] >> lane & 1 == 1;
            let passed = joined.is_some_and(|joined| joined > lane);
            let before = if passed { '─' } else { ' ' };
            let here = match (up, down, passed, joined == Some(lane)) {
                (true, true, true, _) => '┼',
                (_, _, true, _) => '─',
                (true, true, _, true) => '├',
                (true, false, _, true) => '└',
                (false, true, _, true) => '┌',
                (false, false, ..) => ' ',
                _ => '│',
            };
            write!(f, "{before}{here}")?;
        }
        match (joined, arrives) {
            (Some(_), true) => f.write_str("─►"),
            (Some(_), false) => f.write_str("──"),
            (None, _) if self.lanes == 0 => f.write_str(" "),
            (None, _) => f.write_str("  "),
        }
    }
}

impl fmt::Display for Drawing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = &self.0.nodes;
        let mut height = 0;
        let rows = nodes.iter().map(|node| {
            let top = height;
            height += node.lines.len() + 2;
            (top, height - 2)
        });
        let rows: Vec<_> = rows.collect();
        let gutter = Gutter::new(nodes, &rows, height);
        let most = COLUMNS - gutter.width() - 4;
        let beyond = nodes.iter().zip(&rows).map(|(node, (_, from))| match node.jump {
            Some(jump) if gutter.joined[*from].is_none() => self.far(jump),
            _ => String::new(),
        });
        let beyond: Vec<_> = beyond.collect();
        let texts = nodes.iter().zip(&beyond).flat_map(|(node, beyond)| {
            let more = beyond.chars().count();
            node.lines.iter().map(move |line| line.chars().count() + more)
        });
        let width = texts.max().unwrap_or_default().clamp(20, most);
        let middle = width / 2 + 1;
        let right = width + 1 - middle;
        writeln!(f, "{}", self.0.name)?;
        let mut falls = false;
        for ((node, (top, from)), beyond) in nodes.iter().zip(&rows).zip(&beyond) {
            gutter.write(f, *top, true)?;
            let title: String = node.title.chars().take(middle.saturating_sub(4)).collect();
            let title = if title.is_empty() { title } else { format!("─ {title} ") };
            let arrow = if falls { '▼' } else { '─' };
            let left = middle - title.chars().count();
            writeln!(f, "┌{title}{0:─<left$}{arrow}{0:─<right$}┐", "")?;
            for (index, line) in node.lines.iter().enumerate() {
                let row = top + 1 + index;
                gutter.write(f, row, false)?;
                let edge = if gutter.joined[row].is_some() { '┤' } else { '│' };
                let beyond = if row == *from { beyond.as_str() } else { "" };
                let room = width - beyond.chars().count();
                let mut text: String = line.chars().take(room).collect();
                if line.chars().count() > room {
                    text.pop();
                    text.push('…');
                }
                writeln!(f, "{edge} {text:<room$}{beyond} │")?;
            }
            gutter.write(f, top + node.lines.len() + 1, false)?;
            falls = node.falls;
            let down = if falls { '┬' } else { '─' };
            writeln!(f, "└{0:─<middle$}{down}{0:─<right$}┘", "")?;
        }
        Ok(())
    }
}

impl Drawing<'_> {
    /// The name of a jump's target without a line: the first word of that box.
    fn far(&self, jump: usize) -> String {
        let line = self.0.nodes.get(jump).and_then(|node| node.lines.first());
        let word = line.and_then(|line| line.split(':').next()).unwrap_or("nowhere");
        format!(" → {word}")
    }
}

/// The graph in graphviz's language.
pub struct Dot<'a>(pub &'a Graph);

impl fmt::Display for Dot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "digraph {} {{", Quoted(&self.0.name))?;
        writeln!(f, "\tnode [shape=box, fontname=monospace];")?;
        for (index, node) in self.0.nodes.iter().enumerate() {
            write!(f, "\tb{index} [label=\"")?;
            let title = Some(&node.title).filter(|title| !title.is_empty());
            for line in title.into_iter().chain(&node.lines) {
                escape(f, line)?;
                f.write_str("\\l")?;
            }
            writeln!(f, "\"];")?;
            if let Some(jump) = node.jump.filter(|jump| *jump < self.0.nodes.len()) {
                let label = if node.falls { " [label=taken]" } else { "" };
                writeln!(f, "\tb{index} -> b{jump}{label};")?;
            }
            if node.falls {
                writeln!(f, "\tb{index} -> b{};", index + 1)?;
            }
        }
        writeln!(f, "}}")
    }
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        escape(f, self.0)?;
        f.write_str("\"")
    }
}

fn escape(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    use fmt::Write;
    text.chars().try_for_each(|c| match c {
        '"' | '\\' => write!(f, "\\{c}"),
        c if steers(c) => f.write_char('?'),
        c => f.write_char(c),
    })
}
