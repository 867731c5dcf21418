//! Statements.

use super::Parser;
use super::types::{is_cast, type_name};
use crate::script::ast::{
    Binary, Block, Expr, ExprKind, Iterated, Place, Span, Statement, StatementKind,
};
use crate::script::cursor::Read;

impl Parser<'_> {
    /// Reads statements in braces.
    pub(super) fn block(&mut self) -> Read<Block> {
        self.cursor.expect("{")?;
        let start = self.cursor.end - 1;
        self.deeper(|parser| {
            let mut block = Block::default();
            while !parser.cursor.eat("}")? {
                if parser.cursor.rest().is_empty() {
                    return Err(parser.cursor.expected("`}`"));
                }
                parser.statement(&mut block)?;
            }
            block.span = parser.cursor.since(start);
            Ok(block)
        })
    }

    /// Reads a statement into this block, or the value at its end.
    fn statement(&mut self, block: &mut Block) -> Read<()> {
        self.cursor.begin_statement(self.within_expression > 0);
        let start = self.cursor.at;
        let kind = self.statement_kind()?;
        let span = self.cursor.since(start);
        let ends_itself = match &kind {
            StatementKind::For { .. }
            | StatementKind::While { .. }
            | StatementKind::Unroll { .. } => true,
            StatementKind::Expr(value) => {
                matches!(value.kind, ExprKind::If { .. } | ExprKind::Block(_))
            }
            _ => false,
        };
        let semicolon = self.cursor.eat(";")?;
        let last = self.cursor.next_is(b'}')?;
        if !semicolon && !last && !ends_itself {
            return Err(self.missing_semicolon(&kind));
        }
        match kind {
            StatementKind::Expr(value) if last && !semicolon => block.value = Some(Box::new(value)),
            kind => block.statements.push(Statement { kind, span }),
        }
        Ok(())
    }

    fn missing_semicolon(&self, kind: &StatementKind) -> Box<crate::insn::parse::Mistake> {
        let mistake = self.cursor.expected("`;`");
        match (kind, self.cursor.byte()) {
            (StatementKind::Expr(_), b'?') => mistake.help(
                "a statement that begins with a variable or a map cannot go on with `?`: put it in parentheses, or write an if",
            ),
            (StatementKind::Expr(_), b'=') => mistake.help("only variables and maps can be assigned to"),
            _ => mistake,
        }
    }

    fn statement_kind(&mut self) -> Read<StatementKind> {
        match self.cursor.name_ahead()? {
            "let" => self.declaration(),
            "for" => self.for_loop(),
            "while" => {
                let (condition, block) = self.loop_head("while")?;
                Ok(StatementKind::While { condition, block })
            }
            "unroll" => {
                let (count, block) = self.loop_head("unroll")?;
                Ok(StatementKind::Unroll { count, block })
            }
            "break" => self.cursor.eat_word("break").map(|_| StatementKind::Break),
            "continue" => self.cursor.eat_word("continue").map(|_| StatementKind::Continue),
            "return" => {
                self.cursor.eat_word("return")?;
                self.cursor.skip()?;
                let value = match self.cursor.byte() {
                    b';' | b'}' => None,
                    _ => Some(self.expression()?),
                };
                Ok(StatementKind::Return(value))
            }
            "_" => self.discard(),
            _ if matches!(self.cursor.byte(), b'$' | b'@') => self.assignment(),
            _ => Ok(StatementKind::Expr(self.expression()?)),
        }
    }

    /// `let $v: type = value`
    fn declaration(&mut self) -> Read<StatementKind> {
        self.cursor.eat_word("let")?;
        let variable = self.variable()?;
        let of = self.cursor.eat(":")?.then(|| type_name(&mut self.cursor)).transpose()?;
        let value = self.cursor.eat("=")?.then(|| self.expression()).transpose()?;
        Ok(StatementKind::Let { variable, of, value })
    }

    /// `_ = value`
    fn discard(&mut self) -> Read<StatementKind> {
        self.cursor.eat_word("_")?;
        self.cursor.expect("=")?;
        Ok(StatementKind::Discard(self.expression()?))
    }

    /// What begins with a variable or a map: it is assigned to, or its value is the statement.
    fn assignment(&mut self) -> Read<StatementKind> {
        let value = self.binary(1)?;
        let span = value.span;
        let Some(operator) = self.assignment_operator()? else {
            return Ok(StatementKind::Expr(value));
        };
        match value.kind {
            ExprKind::Place(place) => {
                let value = self.expression()?;
                Ok(StatementKind::Assign { place, operator, value })
            }
            ExprKind::Element(..) | ExprKind::Field { .. } => {
                let value = self.expression()?;
                let whole = span.to(value.span);
                let mistake = self.cursor.mistake(whole, "a part of a value cannot be assigned to");
                Err(mistake.help("assign a new tuple or record instead"))
            }
            _ => {
                let sign = Span { start: self.cursor.end - 1, end: self.cursor.end };
                let mistake = self.cursor.mistake(sign, "`;` is expected here");
                Err(mistake.help("only variables and maps can be assigned to"))
            }
        }
    }

    /// Reads `=`, `+=` and their like, if one is next: the operator before the `=`, if there is one.
    fn assignment_operator(&mut self) -> Read<Option<Option<Binary>>> {
        self.cursor.skip()?;
        let rest = self.cursor.rest();
        if rest.starts_with('=') && !rest.starts_with("==") {
            self.cursor.eat("=")?;
            return Ok(Some(None));
        }
        for (operator, text, level) in Binary::ALL {
            let assigns = rest.strip_prefix(text).is_some_and(|rest| rest.starts_with('='));
            // `<=` and `!=` compare, and `||=` does not exist.
            if assigns && !matches!(level, 1 | 2 | 6 | 7) {
                self.cursor.at += text.len();
                self.cursor.eat("=")?;
                return Ok(Some(Some(operator)));
            }
        }
        Ok(None)
    }

    /// `for $v : @m { .. }`, `for ($v : 0..5) { .. }`
    fn for_loop(&mut self) -> Read<StatementKind> {
        self.cursor.eat_word("for")?;
        let parentheses = self.cursor.eat("(")?;
        let variable = self.variable()?;
        self.cursor.expect(":")?;
        let first = self.bound()?;
        let over = match (self.cursor.eat("..")?, first) {
            (true, first) => Iterated::Range(Box::new((first, self.bound()?))),
            (false, Expr { kind: ExprKind::Place(Place::Map(map, None)), .. }) => {
                Iterated::Map(map)
            }
            (false, first) => {
                let what = "a for goes through a map or a range";
                return Err(self.cursor.mistake(first.span, what).help("`@m` or `0..5`"));
            }
        };
        if parentheses {
            self.cursor.expect(")")?;
        }
        Ok(StatementKind::For { variable, over, block: self.block()? })
    }

    /// One end of a range: an operand, or a cast of one.
    fn bound(&mut self) -> Read<Expr> {
        self.cursor.skip()?;
        match self.cursor.byte() == b'(' && is_cast(&mut self.cursor) {
            true => self.deeper(Parser::unary),
            false => self.primary(),
        }
    }

    /// The condition or count of a loop, and its block.
    fn loop_head(&mut self, word: &str) -> Read<(Expr, Block)> {
        self.cursor.eat_word(word)?;
        let head = self.deeper(Parser::unary)?;
        Ok((head, self.block()?))
    }
}
