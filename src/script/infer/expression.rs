//! The types of expressions.

use super::Infer;
use super::statement::constant;
use crate::script::ast::{Binary, Block, Expr, ExprKind, Place, Span, Unary};
use crate::script::cursor::Read;
use crate::script::types::{Int, Type};

impl Infer<'_> {
    /// The type of an expression that must have a value.
    pub(super) fn value(&mut self, expr: &mut Expr) -> Read<Type> {
        let of = self.expr(expr)?;
        expr.of = of.clone();
        match of {
            Type::Nothing => self.mistake(expr.span, "this has no value"),
            of => Ok(of),
        }
    }

    /// An expression that stands as a statement.
    pub(super) fn effect(&mut self, expr: &mut Expr) -> Read<()> {
        match &mut expr.kind {
            ExprKind::If { arms, otherwise } => {
                let mut first = Ok(());
                for (condition, block) in arms {
                    let end = condition.span.end;
                    let before = &self.cursor.text[..condition.span.start];
                    let start = before.rfind("if").unwrap_or(condition.span.start);
                    let condition = self.condition(condition, Span { start, end });
                    let block = self.block(block);
                    first = first.and(condition).and(block);
                }
                match otherwise {
                    Some(block) => first.and(self.block(block)),
                    None => first,
                }
            }
            ExprKind::Block(block) => self.block(block),
            ExprKind::Choice(condition, Some(then), otherwise) => {
                self.condition(condition, expr.span)?;
                self.effect(then)?;
                self.effect(otherwise)
            }
            _ => {
                expr.of = self.expr(expr)?;
                Ok(())
            }
        }
    }

    /// A string of so many bytes has no room.
    pub(super) fn too_long<T>(&self, length: usize, span: Span) -> Read<T> {
        let most = self.settings.max_strlen;
        self.mistake(
            span,
            format!("this string has {length} bytes; max_strlen is {most}, with its end"),
        )
    }

    /// What must be true or false; mistakes are those of `at`.
    pub(super) fn condition(&mut self, expr: &mut Expr, at: Span) -> Read<()> {
        self.truth(expr, at)?;
        self.no_aggregate(expr, at)
    }

    /// The same, and what counts may stand there, too.
    pub(super) fn truth(&mut self, expr: &mut Expr, at: Span) -> Read<()> {
        let of = self.value(expr)?;
        match of {
            Type::Unknown | Type::Int(_) | Type::Bool | Type::Pointer(_) => Ok(()),
            of => self.mistake(at, format!("{of} is neither true nor false")),
        }
    }

    fn expr(&mut self, expr: &mut Expr) -> Read<Type> {
        let span = expr.span;
        match &mut expr.kind {
            ExprKind::Int(number) => Ok(Type::of_number(*number)),
            ExprKind::Enumerator(_, of) => Ok(Type::Int(*of)),
            ExprKind::Text(text) => {
                let most = self.settings.max_strlen as usize;
                match text.len() < most {
                    true => Ok(Type::Text(text.len() + 1)),
                    false => self.too_long(text.len(), span),
                }
            }
            ExprKind::Bool(_) => Ok(Type::Bool),
            ExprKind::Place(place) => self.read(place),
            ExprKind::Name(_) => self.builtin(expr),
            ExprKind::Call { .. } => self.call(expr),
            ExprKind::Unary(operator, operand) => {
                let operator = *operator;
                let of = self.value(operand)?;
                self.no_aggregate(operand, span)?;
                self.unary(operator, of, span)
            }
            ExprKind::Step { place, up, .. } => {
                let up = *up;
                self.step(place, up, span)
            }
            ExprKind::Binary(operator, left, right) => {
                let operator = *operator;
                if matches!(operator, Binary::And | Binary::Or) {
                    self.truth(left, span)?;
                    self.truth(right, span)?;
                    return Ok(Type::Bool);
                }
                let [left, right] = [self.value(left)?, self.value(right)?];
                self.arithmetic(operator, &left, &right, span)
            }
            ExprKind::Choice(condition, then, otherwise) => {
                let first = match then {
                    Some(then) => {
                        self.condition(condition, span)?;
                        self.value(then)?
                    }
                    None => {
                        self.condition(condition, span)?;
                        condition.of.clone()
                    }
                };
                let second = self.value(otherwise)?;
                match first.join(&second) {
                    Some(joined) => Ok(joined),
                    None => self.mistake(
                        span,
                        format!("this is {first} or {second}, and must be of one type"),
                    ),
                }
            }
            ExprKind::If { arms, otherwise } => {
                let Some(otherwise) = otherwise else {
                    return self.mistake(span, "this has no value where no condition is true");
                };
                let mut found = Type::Unknown;
                for (condition, _) in &mut *arms {
                    self.condition(condition, span)?;
                }
                for block in arms.iter_mut().map(|(_, block)| block).chain([otherwise]) {
                    let of = self.block_value(block)?;
                    found = match found.join(&of) {
                        Some(joined) => joined,
                        None => {
                            let what = format!("this is {found} or {of}, and must be of one type");
                            return self.mistake(span, what);
                        }
                    };
                }
                Ok(found)
            }
            ExprKind::Block(block) => self.block_value(block),
            ExprKind::Cast(of, value) => {
                self.has_single_value(value, span)?;
                let from = self.value(value)?;
                let of = of.clone();
                self.cast(&of, &from, span)
            }
            ExprKind::Field { object, field, .. } => {
                let field = field.text.clone();
                if matches!(&object.kind, ExprKind::Name(name) if name == "args") {
                    let object_span = object.span;
                    return self.field(&field, span, object_span);
                }
                let of = self.value(object)?;
                let of_process = object.is_of_process();
                self.member(&of, &field, of_process, span)
            }
            ExprKind::Element(object, index) => {
                let index = *index;
                match self.value(object)? {
                    Type::Unknown => Ok(Type::Unknown),
                    Type::Tuple(all) => {
                        match usize::try_from(index).ok().and_then(|index| all.get(index)) {
                            Some(of) => Ok(of.clone()),
                            None => {
                                let what = format!("this tuple has {} elements, from 0", all.len());
                                self.mistake(span, what)
                            }
                        }
                    }
                    of => self.mistake(span, format!("{of} has no elements")),
                }
            }
            ExprKind::Index(object, index) => {
                let of = self.value(object)?;
                let number = self.value(index)?;
                self.no_aggregate(index, span)?;
                if !number.is_int() && number != Type::Unknown {
                    return self
                        .mistake(span, format!("an index is a number, and this is {number}"));
                }
                self.indexed(of, constant(index), span)
            }
            ExprKind::Record(_) => self.mistake(span, "records are not supported"),
            ExprKind::Tuple(all) => {
                let all: Vec<_> = all.iter_mut().map(|one| self.value(one)).collect::<Read<_>>()?;
                Ok(Type::Tuple(all))
            }
            // Constants stand in their places by now.
            ExprKind::Parameter(_) | ExprKind::ParameterCount => Ok(Type::INT64),
        }
    }

    /// The type of the value at the end of a block.
    fn block_value(&mut self, block: &mut Block) -> Read<Type> {
        for statement in &mut block.statements {
            self.statement(statement)?;
        }
        match &mut block.value {
            Some(value) => self.value(value),
            None => self.mistake(block.span, "this block has no value at its end"),
        }
    }

    fn unary(&mut self, operator: Unary, of: Type, span: Span) -> Read<Type> {
        match (operator, &of) {
            (_, Type::Unknown) => Ok(Type::Unknown),
            (Unary::Negate, Type::Int(Int { signed: false, .. })) => Ok(of.clone()),
            (Unary::Negate, Type::Int(_)) => Ok(Type::INT64),
            (Unary::Not, Type::Int(_) | Type::Bool) => Ok(Type::Bool),
            (Unary::Invert, Type::Int(int)) => Ok(Type::int(int.bytes, false)),
            (Unary::Dereference, _) => self.dereferenced(of, span),
            (Unary::Address, _) => self.mistake(span, "`&` is not supported"),
            (Unary::Negate, of) => self.mistake(span, format!("{of} has no negative")),
            (Unary::Not, of) => self.mistake(span, format!("{of} is neither true nor false")),
            (Unary::Invert, of) => self.mistake(span, format!("{of} has no bits to invert")),
        }
    }

    /// `++` and `--`: a variable or an element of a map gets a number of 64 bits.
    fn step(&mut self, place: &mut Place, up: bool, span: Span) -> Read<Type> {
        let before = match place {
            Place::Map(name, key) => {
                let index = self.use_map(name, key.as_deref_mut())?;
                match &self.types.maps[index].value {
                    Type::Unknown => Type::INT64,
                    of => of.clone(),
                }
            }
            Place::Variable(_) => self.read(place)?,
        };
        if let Type::Pointer(_) = before {
            return self.mistake(span, "counting an address up or down is not supported");
        }
        let operator = if up { Binary::Add } else { Binary::Subtract };
        let after = self.arithmetic(operator, &before, &Type::of_number(1), span)?;
        self.store_number(place, &after, span)?;
        Ok(after)
    }

    /// What comes of two values.
    pub(super) fn arithmetic(
        &mut self,
        operator: Binary,
        left: &Type,
        right: &Type,
        span: Span,
    ) -> Read<Type> {
        let compares = matches!(operator, Binary::Equal | Binary::NotEqual);
        let orders =
            matches!(operator, Binary::Less | Binary::Greater | Binary::AtMost | Binary::AtLeast);
        match (left, right) {
            (Type::Unknown, _) | (_, Type::Unknown) => {
                Ok(if compares || orders { Type::Bool } else { Type::Unknown })
            }
            (Type::Int(_) | Type::Pointer(_), Type::Int(_) | Type::Pointer(_))
                if compares || orders =>
            {
                Ok(Type::Bool)
            }
            (Type::Int(_) | Type::Bool, Type::Int(_) | Type::Bool) if compares => Ok(Type::Bool),
            (Type::Bool, Type::Bool) if orders => Ok(Type::Bool),
            (Type::Text(_), Type::Text(_)) if compares => Ok(Type::Bool),
            (Type::Tuple(_), Type::Tuple(_)) if compares && left.join(right).is_some() => {
                Ok(Type::Bool)
            }
            (Type::Int(_) | Type::Bool, Type::Int(_) | Type::Bool) => Ok(match operator {
                Binary::Subtract => Type::INT64,
                Binary::ShiftLeft | Binary::ShiftRight => {
                    Type::int(8, left.is_signed() || *left == Type::Bool)
                }
                _ if [left, right].contains(&&Type::Bool) => Type::INT64,
                _ => Type::int(8, left.signed_with(right)),
            }),
            (Type::Pointer(_), Type::Int(_))
                if matches!(operator, Binary::Add | Binary::Subtract) =>
            {
                Ok(left.clone())
            }
            (Type::Int(_), Type::Pointer(_)) if operator == Binary::Add => Ok(right.clone()),
            _ => {
                let text = operator.text();
                self.mistake(span, format!("`{text}` does not take {left} and {right}"))
            }
        }
    }
}
