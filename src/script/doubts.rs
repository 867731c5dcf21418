//! What is allowed and may not be meant: the warnings that bpftrace has, too, at the same places.

use std::collections::{BTreeMap, BTreeSet};

use super::ast::{
    Argument, Binary, Block, Expr, ExprKind, Iterated, Place, Probe, Span, Statement, StatementKind,
};
use super::cursor::Cursor;
use super::infer::Types;
use super::types::{Aggregate, Int, Type};
use crate::insn::parse::Mistake;

/// The doubts about a script whose types are known, in the order of its text.
pub(super) fn doubts<'a>(
    cursor: &Cursor,
    types: &Types,
    longest: u64,
    probes: impl Iterator<Item = &'a Probe>,
) -> Vec<Mistake> {
    let mut look = Look {
        cursor,
        types,
        longest,
        unset: BTreeMap::new(),
        set: BTreeSet::new(),
        found: vec![],
    };
    for probe in probes {
        if let Some(predicate) = &probe.predicate {
            look.expr(predicate);
        }
        look.block(&probe.block);
        if let Some(value) = probe.block.value.as_deref().filter(|value| has_value(value)) {
            look.doubt(value.span, "nobody uses this value");
        }
    }
    for (variable, span) in std::mem::take(&mut look.unset) {
        if !look.set.contains(&variable) {
            look.doubt(span, "this variable never gets a value");
        }
    }
    look.found.sort_by_key(|doubt| (doubt.span.line, doubt.span.start));
    look.found
}

struct Look<'a> {
    cursor: &'a Cursor<'a>,
    types: &'a Types,
    /// The setting max_strlen.
    longest: u64,
    /// The variables that were declared without a value, and where.
    unset: BTreeMap<usize, Span>,
    /// The variables that got one so far.
    set: BTreeSet<usize>,
    found: Vec<Mistake>,
}

impl Look<'_> {
    fn doubt(&mut self, span: Span, what: impl Into<String>) {
        self.found.push(*self.cursor.mistake(span, what));
    }

    fn block(&mut self, block: &Block) {
        let mut over = false;
        for statement in &block.statements {
            if over {
                self.doubt(statement.span, "this is never reached");
            }
            self.statement(statement);
            over = ends(statement);
        }
        if let Some(value) = &block.value {
            self.expr(value);
        }
    }

    fn statement(&mut self, statement: &Statement) {
        let span = statement.span;
        match &statement.kind {
            StatementKind::Let { variable, value: None, .. } => {
                let declared = Span { start: span.start, end: variable.name.span.end };
                self.unset.insert(variable.index, declared);
            }
            StatementKind::Let { variable, value: Some(value), .. } => {
                self.expr(value);
                self.stored(value, &self.types.variables[variable.index]);
                self.set.insert(variable.index);
            }
            StatementKind::Assign { place, operator, value } => {
                if let (Some(_), Place::Variable(variable)) = (operator, place) {
                    self.is_read(variable.index, variable.name.span);
                }
                self.place(place);
                self.expr(value);
                let of = self.held(place).clone();
                match operator {
                    None => self.stored(value, &of),
                    Some(operator) => self.changed(*operator, place, &of, value),
                }
                if let Place::Variable(variable) = place {
                    self.set.insert(variable.index);
                }
            }
            StatementKind::Expr(value) => {
                self.expr(value);
                if has_value(value) {
                    self.doubt(
                        span,
                        "nobody uses this value; `_ = VALUE` says that it is meant so",
                    );
                }
            }
            StatementKind::Discard(value) | StatementKind::Return(Some(value)) => self.expr(value),
            StatementKind::For { variable, over, block } => {
                if let Iterated::Range(range) = over {
                    self.expr(&range.0);
                    self.expr(&range.1);
                }
                self.set.insert(variable.index);
                self.block(block);
            }
            StatementKind::While { condition, block } => {
                self.doubt(span, "bpftrace may give up `while`; a `for` has a bound");
                self.expr(condition);
                self.block(block);
            }
            StatementKind::Unroll { count, block } => {
                self.expr(count);
                self.block(block);
            }
            StatementKind::Return(None) | StatementKind::Break | StatementKind::Continue => {}
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Place(place) => {
                if let Place::Variable(variable) = place {
                    self.is_read(variable.index, variable.name.span);
                }
                self.place(place);
            }
            ExprKind::Step { place, .. } => {
                if let Place::Variable(variable) = place {
                    self.is_read(variable.index, variable.name.span);
                }
                self.place(place);
            }
            ExprKind::If { arms, otherwise } => {
                for (condition, block) in arms {
                    self.expr(condition);
                    self.block(block);
                }
                if let Some(block) = otherwise {
                    self.block(block);
                }
            }
            ExprKind::Block(block) => self.block(block),
            ExprKind::Call { name, arguments } => {
                for argument in arguments {
                    if let Argument::Value(value) = argument {
                        self.expr(value);
                    }
                }
                self.call(&name.text, arguments, expr.span);
            }
            ExprKind::Cast(_, value) => {
                self.expr(value);
                let same = match (&expr.of, &value.of) {
                    (Type::Int(to), Type::Int(from)) => {
                        (to.bytes, to.signed, to.names) == (from.bytes, from.signed, from.names)
                            && self.counted(value).is_none()
                    }
                    (to, from) => matches!(to, Type::Pointer(_)) && to == from,
                };
                if same {
                    let of = &value.of;
                    self.doubt(expr.span, format!("this cast does nothing: the value is {of}"));
                }
            }
            ExprKind::Binary(operator, left, right) => {
                self.expr(left);
                self.expr(right);
                self.mixed(*operator, left, right);
                if matches!(operator, Binary::Divide | Binary::Remainder)
                    && divides_signed(&left.of, &right.of)
                {
                    self.unsigned(*operator, expr.span);
                }
            }
            ExprKind::Choice(condition, then, otherwise) => {
                self.expr(condition);
                for value in [then.as_deref(), Some(otherwise)].into_iter().flatten() {
                    self.expr(value);
                    self.stored(value, &expr.of);
                }
            }
            ExprKind::Unary(_, value)
            | ExprKind::Element(value, _)
            | ExprKind::Field { object: value, .. } => self.expr(value),
            ExprKind::Tuple(all) => all.iter().for_each(|value| self.expr(value)),
            _ => {}
        }
    }

    /// The key of a map, which is cut to the type of all its keys.
    fn place(&mut self, place: &Place) {
        if let Place::Map(map, Some(key)) = place {
            self.expr(key);
            let of = self.types.maps[self.types.index(&map.text)].key.clone();
            self.stored(key, &of);
        }
    }

    fn call(&mut self, name: &str, arguments: &[Argument], span: Span) {
        match (name, arguments) {
            ("print", [Argument::Value(map), _, ..])
                if matches!(self.counted(map), Some(Aggregate::Stats(_))) =>
            {
                self.doubt(span, "bpftrace's documents say that stats() has no rows to choose");
            }
            ("str", [Argument::Value(address), Argument::Value(length)]) => {
                if let ExprKind::Int(length) = length.kind
                    && length >= i128::from(self.longest)
                    && !matches!(address.of, Type::Text(_))
                    && !is_constant(address)
                {
                    let longest = self.longest;
                    self.doubt(span, format!("a string has at most {longest} bytes: max_strlen"));
                }
            }
            _ => {}
        }
    }

    /// A variable that has no value yet.
    fn is_read(&mut self, variable: usize, span: Span) {
        if self.unset.contains_key(&variable) && !self.set.contains(&variable) {
            self.doubt(span, "this variable has no value yet");
        }
    }

    /// A value that becomes one of another type, which cannot hold all of its own.
    fn stored(&mut self, value: &Expr, to: &Type) {
        if let (ExprKind::Tuple(values), Type::Tuple(all)) = (&value.kind, to) {
            values.iter().zip(all).for_each(|(value, to)| self.stored(value, to));
        } else if value.of.is_int() && !to.includes(&value.of) && !is_constant(value) {
            self.cut(value.span, &value.of, to);
        }
    }

    fn cut(&mut self, span: Span, from: &Type, to: &Type) {
        self.doubt(span, format!("this {from} becomes {to}; a cast says that it is meant so"));
    }

    /// Numbers of 64 bits without a sign that are computed with as if they had one.
    fn mixed(&mut self, operator: Binary, left: &Expr, right: &Expr) {
        for (one, other) in [(left, right), (right, left)] {
            let signed = matches!(other.of, Type::Int(Int { signed: true, literal: false, .. }));
            if (signed || operator == Binary::Subtract)
                && one.of == Type::UINT64
                && !is_constant(one)
                && self.counted(one).is_none()
            {
                self.cut(one.span, &Type::UINT64, &Type::INT64);
            }
        }
    }

    /// `place += value`
    fn changed(&mut self, operator: Binary, place: &Place, of: &Type, value: &Expr) {
        let start = place.span().end;
        let between = &self.cursor.text[start..value.span.start];
        let start = start + between.find(operator.text()).unwrap_or_default();
        let at = Span { start, end: value.span.end };
        let before =
            Expr { kind: ExprKind::Place(place.clone()), span: place.span(), of: of.clone() };
        if matches!(operator, Binary::Divide | Binary::Remainder) && divides_signed(of, &value.of) {
            self.unsigned(operator, at);
        }
        self.mixed(operator, &before, value);
        let signed = operator == Binary::Subtract || of.signed_with(&value.of);
        let result = Type::int(8, signed);
        if of.is_int() && !of.includes(&result) {
            self.cut(at, &result, of);
        }
    }

    fn unsigned(&mut self, operator: Binary, span: Span) {
        let text = operator.text();
        self.doubt(span, format!("`{text}` has no sign, and this may be negative; a cast to uint64 says that it is meant so"));
    }

    /// What a place holds.
    fn held(&self, place: &Place) -> &Type {
        match place {
            Place::Variable(variable) => &self.types.variables[variable.index],
            Place::Map(map, _) => &self.types.maps[self.types.index(&map.text)].value,
        }
    }

    /// What is counted in a map, if that is read here.
    fn counted(&self, value: &Expr) -> Option<Aggregate> {
        match &value.kind {
            ExprKind::Place(place @ Place::Map(..)) => match self.held(place) {
                Type::Aggregate(aggregate) => Some(*aggregate),
                _ => None,
            },
            _ => None,
        }
    }
}

fn is_constant(value: &Expr) -> bool {
    matches!(value.kind, ExprKind::Int(_) | ExprKind::Bool(_))
}

/// Whether numbers of two types are divided as if they had a sign: bpftrace asks only where one is converted.
fn divides_signed(left: &Type, right: &Type) -> bool {
    match (left, right) {
        (Type::Int(one), Type::Int(other)) => {
            left.signed_with(right) && (one.bytes, one.signed) != (other.bytes, other.signed)
        }
        _ => false,
    }
}

/// Whether an expression that stands alone has a value.
fn has_value(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Step { .. } | ExprKind::If { .. } | ExprKind::Block(_) => false,
        ExprKind::Choice(_, _, otherwise) => has_value(otherwise),
        _ => !matches!(expr.of, Type::Nothing | Type::Unknown),
    }
}

/// Whether what follows a statement is never reached.
fn ends(statement: &Statement) -> bool {
    match &statement.kind {
        StatementKind::Return(_) | StatementKind::Break | StatementKind::Continue => true,
        StatementKind::Unroll { block, .. } => block_ends(block),
        StatementKind::Expr(value) => match &value.kind {
            ExprKind::Call { name, .. } => name.text == "exit",
            ExprKind::Block(block) => block_ends(block),
            ExprKind::If { arms, otherwise: Some(otherwise) } => {
                block_ends(otherwise) && arms.iter().all(|(_, block)| block_ends(block))
            }
            _ => false,
        },
        _ => false,
    }
}

fn block_ends(block: &Block) -> bool {
    block.value.is_none() && block.statements.last().is_some_and(ends)
}
