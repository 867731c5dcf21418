//! A script as it was understood: its tree, and the types in it.

use super::ast::{
    Argument, Block, Expr, ExprKind, Iterated, Place, Probe, Script, Statement, StatementKind,
    Unary,
};
use super::check::Checked;
use super::types::Type;

/// The tree of a script as it was written.
pub fn tree(script: &Script) -> String {
    let mut outline = Outline { text: String::new(), depth: 0 };
    script.probes.iter().for_each(|probe| outline.probe(probe));
    outline.text
}

/// The types of a script's maps, and its tree with the type of each value, in which constants stand for
/// what has one value.
pub fn types(checked: &Checked) -> String {
    let mut outline = Outline { text: String::new(), depth: 0 };
    for map in &checked.types.maps {
        let key = if map.keyed == Some(true) { format!("[{}]", map.key) } else { String::new() };
        outline.line(&format!("@{}{key}: {}", map.name, map.value));
    }
    checked.probes.iter().for_each(|checked| outline.probe(&checked.probe));
    outline.text
}

struct Outline {
    text: String,
    depth: usize,
}

impl Outline {
    fn line(&mut self, line: &str) {
        self.text.extend(std::iter::repeat_n("  ", self.depth));
        self.text += line;
        self.text.push('\n');
    }

    /// A line, and below it what belongs to it.
    fn node(&mut self, line: &str, below: impl FnOnce(&mut Outline)) {
        self.line(line);
        self.depth += 1;
        below(self);
        self.depth -= 1;
    }

    fn probe(&mut self, probe: &Probe) {
        let points: Vec<_> = probe.points.iter().map(|point| point.parts.join(":")).collect();
        self.node(&points.join(", "), |outline| {
            if let Some(predicate) = &probe.predicate {
                outline.node("predicate", |outline| outline.expr(predicate));
            }
            outline.block(&probe.block);
        });
    }

    fn block(&mut self, block: &Block) {
        block.statements.iter().for_each(|statement| self.statement(statement));
        if let Some(value) = &block.value {
            self.expr(value);
        }
    }

    fn statement(&mut self, statement: &Statement) {
        match &statement.kind {
            StatementKind::Let { variable, value, .. } => {
                self.node(&format!("let ${}", variable.name.text), |outline| {
                    value.iter().for_each(|value| outline.expr(value));
                });
            }
            StatementKind::Assign { place, operator, value } => {
                let operator = operator.map_or("", |operator| operator.text());
                self.node(&format!("{operator}="), |outline| {
                    outline.place(place, &Type::Unknown);
                    outline.expr(value);
                });
            }
            StatementKind::Discard(value) => self.node("_ =", |outline| outline.expr(value)),
            StatementKind::Expr(value) => self.expr(value),
            StatementKind::For { variable, over, block } => {
                self.node(&format!("for ${}", variable.name.text), |outline| {
                    match over {
                        Iterated::Map(map) => outline.line(&format!("@{}", map.text)),
                        Iterated::Range(range) => {
                            outline.expr(&range.0);
                            outline.expr(&range.1);
                        }
                    }
                    outline.block(block);
                });
            }
            StatementKind::While { condition: head, block } => self.head("while", head, block),
            StatementKind::Unroll { count: head, block } => self.head("unroll", head, block),
            StatementKind::Break => self.line("break"),
            StatementKind::Continue => self.line("continue"),
            StatementKind::Return(value) => self.node("return", |outline| {
                value.iter().for_each(|value| outline.expr(value));
            }),
        }
    }

    fn head(&mut self, word: &str, head: &Expr, block: &Block) {
        self.node(word, |outline| {
            outline.expr(head);
            outline.node("do", |outline| outline.block(block));
        });
    }

    fn place(&mut self, place: &Place, of: &Type) {
        match place {
            Place::Variable(variable) => self.line(&typed(&format!("${}", variable.name.text), of)),
            Place::Map(map, key) => self.node(&typed(&format!("@{}", map.text), of), |outline| {
                key.iter().for_each(|key| outline.expr(key));
            }),
        }
    }

    fn expr(&mut self, expr: &Expr) {
        let (word, below): (String, Vec<&Expr>) = match &expr.kind {
            ExprKind::Int(number) | ExprKind::Enumerator(number, _) => (number.to_string(), vec![]),
            ExprKind::Text(text) => (format!("\"{}\"", text.escape_ascii()), vec![]),
            ExprKind::Bool(flag) => (flag.to_string(), vec![]),
            ExprKind::Parameter(number) => (format!("${number}"), vec![]),
            ExprKind::ParameterCount => ("$#".into(), vec![]),
            ExprKind::Place(place) => return self.place(place, &expr.of),
            ExprKind::Name(name) => (name.clone(), vec![]),
            ExprKind::Call { name, arguments } => {
                let values = arguments.iter().filter_map(|argument| match argument {
                    Argument::Value(value) => Some(value),
                    Argument::Type(_) => None,
                });
                (format!("{}()", name.text), values.collect())
            }
            ExprKind::Unary(operator, one) => {
                let word = match operator {
                    Unary::Negate => "negate",
                    Unary::Not => "not",
                    Unary::Invert => "invert",
                    Unary::Dereference => "dereference",
                    Unary::Address => "address of",
                };
                (word.into(), vec![one])
            }
            ExprKind::Step { place, up, before } => {
                let word = match (up, before) {
                    (true, true) => "++ before",
                    (true, false) => "++ after",
                    (false, true) => "-- before",
                    (false, false) => "-- after",
                };
                return self.node(word, |outline| outline.place(place, &expr.of));
            }
            ExprKind::Binary(operator, one, other) => (operator.text().into(), vec![one, other]),
            ExprKind::Choice(condition, then, otherwise) => {
                let all = [Some(&**condition), then.as_deref(), Some(&**otherwise)];
                ("?:".into(), all.into_iter().flatten().collect())
            }
            ExprKind::If { arms, otherwise } => {
                for (condition, block) in arms {
                    self.head("if", condition, block);
                }
                if let Some(block) = otherwise {
                    self.node("else", |outline| outline.block(block));
                }
                return;
            }
            ExprKind::Cast(name, one) => (format!("cast to {}", name.name), vec![one]),
            ExprKind::Field { object, field, .. } => {
                (format!("field {}", field.text), vec![object])
            }
            ExprKind::Element(one, index) => (format!("element {index}"), vec![one]),
            ExprKind::Index(one, other) => ("index".into(), vec![one, other]),
            ExprKind::Tuple(all) => ("tuple".into(), all.iter().collect()),
            ExprKind::Record(all) => {
                ("record".into(), all.iter().map(|(_, value)| value).collect())
            }
            ExprKind::Block(block) => return self.node("block", |outline| outline.block(block)),
        };
        self.node(&typed(&word, &expr.of), |outline| {
            below.into_iter().for_each(|one| outline.expr(one));
        });
    }
}

/// A word, and its type once that is known.
fn typed(word: &str, of: &Type) -> String {
    match of {
        Type::Unknown | Type::Nothing => word.to_owned(),
        of => format!("{word} :: {of}"),
    }
}
