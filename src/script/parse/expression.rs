//! Values.

use super::Parser;
use super::types::{is_cast, is_type, type_name};
use crate::script::ast::{Argument, Binary, Block, Expr, ExprKind, Place, Span, Unary, Variable};
use crate::script::cursor::{Read, begins_name, continues_name};
use crate::script::literal::{number, string};

impl Parser<'_> {
    /// Reads a value.
    pub(super) fn expression(&mut self) -> Read<Expr> {
        self.deeper(|parser| {
            let condition = parser.binary(1)?;
            parser.choice(condition)
        })
    }

    /// Reads one level deeper.
    pub(super) fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        self.cursor.enter()?;
        let result = read(self);
        self.cursor.leave();
        result
    }

    /// `? a : b` after a condition, if it is next.
    fn choice(&mut self, condition: Expr) -> Read<Expr> {
        if !self.cursor.eat("?")? {
            return Ok(condition);
        }
        let then = match self.cursor.next_is(b':')? {
            true => None,
            false => Some(Box::new(self.expression()?)),
        };
        self.cursor.expect(":")?;
        let otherwise = self.expression()?;
        let span = condition.span.to(otherwise.span);
        let kind = ExprKind::Choice(Box::new(condition), then, Box::new(otherwise));
        Ok(Expr::new(kind, span))
    }

    /// Reads operands and the operators between them, from this level on.
    pub(super) fn binary(&mut self, level: u8) -> Read<Expr> {
        let mut left = self.unary()?;
        while let Some((operator, at)) = self.binary_operator(level)? {
            self.cursor.operator()?;
            let right = self.deeper(|parser| parser.binary(at + 1))?;
            let span = left.span.to(right.span);
            left = Expr::new(ExprKind::Binary(operator, Box::new(left), Box::new(right)), span);
        }
        Ok(left)
    }

    /// Reads an operator of this level or a higher one, if one is next.
    fn binary_operator(&mut self, level: u8) -> Read<Option<(Binary, u8)>> {
        self.cursor.skip()?;
        let rest = self.cursor.rest();
        // The longer ones first.
        let matching = Binary::ALL.into_iter().filter(|(_, text, _)| rest.starts_with(text));
        let Some((operator, text, at)) = matching.max_by_key(|(_, text, _)| text.len()) else {
            return Ok(None);
        };
        let assigns = rest[text.len()..].starts_with('=') && !matches!(at, 6 | 7);
        let ends_predicate = operator == Binary::Divide
            && self.cursor.look_ahead(|cursor| {
                cursor.at += 1;
                cursor.next_is(b'{').unwrap_or(false)
            });
        if at < level || assigns || ends_predicate {
            return Ok(None);
        }
        self.cursor.at += text.len();
        Ok(Some((operator, at)))
    }

    /// Reads an operand with the operators before it.
    pub(super) fn unary(&mut self) -> Read<Expr> {
        self.cursor.skip()?;
        let start = self.cursor.at;
        let up = self.cursor.rest().starts_with("++");
        if up || self.cursor.rest().starts_with("--") {
            let sign = Span { start, end: start + 2 };
            self.cursor.at += 2;
            let operand = self.deeper(Parser::unary)?;
            return self.step(operand, up, true, sign, start);
        }
        let operator = match self.cursor.byte() {
            b'-' => Unary::Negate,
            b'!' => Unary::Not,
            b'~' => Unary::Invert,
            b'*' => Unary::Dereference,
            b'&' => Unary::Address,
            b'(' if is_cast(&mut self.cursor) => {
                self.cursor.at += 1;
                let of = type_name(&mut self.cursor)?;
                self.cursor.expect(")")?;
                let value = self.deeper(Parser::unary)?;
                let span = self.cursor.since(start);
                return Ok(Expr::new(ExprKind::Cast(of, Box::new(value)), span));
            }
            _ => return self.postfix(),
        };
        self.cursor.at += 1;
        let operand = self.deeper(Parser::unary)?;
        if operator == Unary::Address && !matches!(operand.kind, ExprKind::Place(_)) {
            return Err(self
                .cursor
                .mistake(operand.span, "only a variable or a map has an address"));
        }
        let span = self.cursor.since(start);
        Ok(Expr::new(ExprKind::Unary(operator, Box::new(operand)), span))
    }

    /// `++` or `--` at what must be a variable or an element of a map.
    fn step(&self, operand: Expr, up: bool, before: bool, sign: Span, start: usize) -> Read<Expr> {
        let ExprKind::Place(place) = operand.kind else {
            let what = "only a variable or a map can be counted up or down";
            return Err(self.cursor.mistake(sign, what));
        };
        let kind = ExprKind::Step { place, up, before };
        Ok(Expr::new(kind, self.cursor.since(start)))
    }

    /// Reads an operand and what follows it: fields, elements, steps.
    fn postfix(&mut self) -> Read<Expr> {
        self.cursor.skip()?;
        let start = self.cursor.at;
        let mut value = self.primary()?;
        loop {
            self.cursor.skip()?;
            let rest = self.cursor.rest();
            let sign = Span { start: self.cursor.at, end: self.cursor.at + 2 };
            let kind = if rest.starts_with("->") || rest.starts_with('.') && !rest.starts_with("..")
            {
                let arrow = !rest.starts_with('.');
                self.cursor.at += 1 + usize::from(arrow);
                self.cursor.skip()?;
                if !arrow && self.cursor.byte().is_ascii_digit() {
                    ExprKind::Element(Box::new(value), number(&mut self.cursor)?)
                } else {
                    let field = self.cursor.name("a field's name")?;
                    ExprKind::Field { object: Box::new(value), field, arrow }
                }
            } else if rest.starts_with('[') {
                self.cursor.at += 1;
                let index = self.expression()?;
                self.cursor.expect("]")?;
                ExprKind::Index(Box::new(value), Box::new(index))
            } else if rest.starts_with("++") || rest.starts_with("--") {
                let up = rest.starts_with("++");
                self.cursor.at += 2;
                self.cursor.end = self.cursor.at;
                return self.step(value, up, false, sign, start);
            } else {
                return Ok(value);
            };
            self.cursor.operator()?;
            value = Expr::new(kind, self.cursor.since(start));
        }
    }

    /// Reads an operand by itself.
    pub(super) fn primary(&mut self) -> Read<Expr> {
        self.cursor.skip()?;
        let start = self.cursor.at;
        let kind = match self.cursor.byte() {
            b'0'..=b'9' => ExprKind::Int(number(&mut self.cursor)?.into()),
            b'"' => ExprKind::Text(string(&mut self.cursor)?),
            b'$' if self.cursor.byte_after(1) == b'#' => {
                self.cursor.at += 2;
                self.cursor.end = self.cursor.at;
                ExprKind::ParameterCount
            }
            b'$' if self.cursor.byte_after(1).is_ascii_digit() => self.parameter()?,
            b'$' => ExprKind::Place(Place::Variable(self.variable()?)),
            b'@' => ExprKind::Place(self.map()?),
            b'(' => return self.parenthesis(),
            b'{' => ExprKind::Block(self.block_in_expression()?),
            byte if begins_name(byte) => self.named()?,
            _ => return Err(self.cursor.expected("a value")),
        };
        Ok(Expr::new(kind, self.cursor.since(start)))
    }

    /// `$1`
    fn parameter(&mut self) -> Read<ExprKind> {
        let start = self.cursor.at;
        self.cursor.at += 1;
        let length = self.cursor.rest().bytes().take_while(|byte| continues_name(*byte)).count();
        let number = self.cursor.rest()[..length].parse().ok();
        self.cursor.at += length;
        self.cursor.end = self.cursor.at;
        match number.filter(|number| (1..=i64::MAX as u64).contains(number)) {
            Some(number) => Ok(ExprKind::Parameter(number)),
            None => {
                let mistake =
                    self.cursor.mistake(self.cursor.since(start), "there is no such parameter");
                Err(mistake.help(
                    "the parameters after the script are $1, $2 and so on, and $# is their number",
                ))
            }
        }
    }

    /// `$v`
    pub(super) fn variable(&mut self) -> Read<Variable> {
        self.cursor.skip()?;
        if self.cursor.byte() != b'$' {
            return Err(self.cursor.expected("a variable, such as `$v`,"));
        }
        let name = self.cursor.name_after_sign();
        match name.text.is_empty() {
            true => Err(self.cursor.mistake(name.span, "a name is missing after `$`")),
            false => Ok(Variable { name, index: 0 }),
        }
    }

    /// `@m`, `@m[key]`
    fn map(&mut self) -> Read<Place> {
        let map = self.cursor.name_after_sign();
        if !self.cursor.eat("[")? {
            return Ok(Place::Map(map, None));
        }
        let start = self.cursor.at;
        let mut keys = vec![self.expression()?];
        while self.cursor.eat(",")? {
            keys.push(self.expression()?);
        }
        let span = self.cursor.since(start);
        self.cursor.expect("]")?;
        let key = match <[Expr; 1]>::try_from(keys) {
            Ok([key]) => key,
            Err(keys) => Expr::new(ExprKind::Tuple(keys), span),
        };
        Ok(Place::Map(map, Some(Box::new(key))))
    }

    /// A value, a tuple or a record in parentheses.
    fn parenthesis(&mut self) -> Read<Expr> {
        let start = self.cursor.at;
        self.cursor.at += 1;
        if self.record_ahead() {
            let mut fields = vec![];
            while !self.cursor.next_is(b')')? {
                let name = self.cursor.name("a field's name")?;
                self.cursor.expect("=")?;
                fields.push((name, self.expression()?));
                if !self.cursor.eat(",")? {
                    break;
                }
            }
            self.cursor.expect(")")?;
            return Ok(Expr::new(ExprKind::Record(fields), self.cursor.since(start)));
        }
        let first = self.expression()?;
        if self.cursor.eat(")")? {
            return Ok(first);
        }
        let mut all = vec![first];
        while self.cursor.eat(",")? {
            if self.cursor.next_is(b')')? {
                break;
            }
            all.push(self.expression()?);
        }
        self.cursor.expect(")")?;
        Ok(Expr::new(ExprKind::Tuple(all), self.cursor.since(start)))
    }

    /// Whether a name and a single `=` are next.
    fn record_ahead(&mut self) -> bool {
        self.cursor.look_ahead(|cursor| {
            let named = cursor.name("a name").is_ok() && cursor.eat("=").unwrap_or(false);
            named && cursor.byte() != b'='
        })
    }

    /// What begins with a name: a call, an `if` with a value, a constant, a builtin.
    fn named(&mut self) -> Read<ExprKind> {
        if self.cursor.eat_word("if")? {
            return self.if_arms();
        }
        let name = self.cursor.name("a name")?;
        if !self.cursor.next_is(b'(')? {
            return Ok(match (&*name.text, self.numbers.get(&name.text)) {
                (_, Some(number)) => ExprKind::Int((*number).into()),
                ("true", _) => ExprKind::Bool(true),
                ("false", _) => ExprKind::Bool(false),
                _ => ExprKind::Name(name.text),
            });
        }
        self.cursor.at += 1;
        let mut arguments = vec![];
        while !self.cursor.next_is(b')')? {
            arguments.push(match is_type(&mut self.cursor) {
                true => Argument::Type(type_name(&mut self.cursor)?),
                false => Argument::Value(self.expression()?),
            });
            if !self.cursor.eat(",")? {
                break;
            }
            if self.cursor.next_is(b')')? {
                return Err(self.cursor.expected("an argument"));
            }
        }
        self.cursor.expect(")")?;
        Ok(ExprKind::Call { name, arguments })
    }

    fn block_in_expression(&mut self) -> Read<Block> {
        self.within_expression += 1;
        let block = self.block();
        self.within_expression -= 1;
        block
    }

    /// What follows an `if`. Many of them in a row are one level.
    fn if_arms(&mut self) -> Read<ExprKind> {
        let mut arms = vec![];
        loop {
            self.cursor.operator()?;
            let condition = self.deeper(Parser::unary)?;
            arms.push((condition, self.block_in_expression()?));
            if !self.cursor.eat_word("else")? {
                return Ok(ExprKind::If { arms, otherwise: None });
            }
            if !self.cursor.eat_word("if")? {
                let otherwise = Some(self.block_in_expression()?);
                return Ok(ExprKind::If { arms, otherwise });
            }
        }
    }
}
