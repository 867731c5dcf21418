//! Constants: parameters of the command line, and expressions of numbers and strings that are known.

use super::ast::{
    Argument, Binary, Block, Expr, ExprKind, Iterated, Place, Probe, StatementKind, Unary,
};
use super::cursor::{Cursor, Read};
use super::literal::{fits, signed_number};

/// Puts constants in the place of all expressions that have one value.
pub(super) fn fold(
    cursor: &Cursor,
    probes: &mut [Probe],
    parameters: &[String],
    max_text: usize,
) -> Read<()> {
    let fold = Fold { cursor, parameters, max_text };
    for probe in probes {
        if let Some(predicate) = &mut probe.predicate {
            fold.expr(predicate)?;
        }
        fold.block(&mut probe.block)?;
    }
    Ok(())
}

struct Fold<'a> {
    cursor: &'a Cursor<'a>,
    parameters: &'a [String],
    /// The most bytes of a string.
    max_text: usize,
}

impl Fold<'_> {
    fn block(&self, block: &mut Block) -> Read<()> {
        for statement in &mut block.statements {
            match &mut statement.kind {
                StatementKind::Let { value: Some(value), .. }
                | StatementKind::Discard(value)
                | StatementKind::Expr(value)
                | StatementKind::Return(Some(value)) => self.expr(value)?,
                StatementKind::Assign { place, value, .. } => {
                    self.place(place)?;
                    self.expr(value)?;
                }
                StatementKind::For { over, block, .. } => {
                    if let Iterated::Range(range) = over {
                        let (first, end) = &mut **range;
                        self.expr(first)?;
                        self.expr(end)?;
                    }
                    self.block(block)?;
                }
                StatementKind::While { condition: head, block }
                | StatementKind::Unroll { count: head, block } => {
                    self.expr(head)?;
                    self.block(block)?;
                }
                _ => {}
            }
        }
        block.value.as_deref_mut().map_or(Ok(()), |value| self.expr(value))
    }

    fn place(&self, place: &mut Place) -> Read<()> {
        match place {
            Place::Map(_, Some(key)) => self.expr(key),
            _ => Ok(()),
        }
    }

    fn expr(&self, expr: &mut Expr) -> Read<()> {
        match &mut expr.kind {
            ExprKind::Place(place) | ExprKind::Step { place, .. } => return self.place(place),
            ExprKind::If { arms, otherwise } => {
                for (condition, block) in arms {
                    self.expr(condition)?;
                    self.block(block)?;
                }
                return otherwise.as_mut().map_or(Ok(()), |block| self.block(block));
            }
            ExprKind::Block(block) => return self.block(block),
            ExprKind::Call { name, arguments } if name.text == "str" => {
                if let Some(text) = self.text_of_parameter(arguments)? {
                    expr.kind = ExprKind::Text(text);
                    return Ok(());
                }
            }
            _ => {}
        }
        for operand in expr.kind.operands_mut() {
            self.expr(operand)?;
        }
        if let Some(constant) = self.constant(expr)? {
            expr.kind = constant;
        }
        Ok(())
    }

    /// The parameter of this number, from 1; an empty string if there is none.
    fn parameter(&self, number: u64) -> &str {
        let index = usize::try_from(number - 1).ok();
        index.and_then(|index| self.parameters.get(index)).map_or("", |text| text)
    }

    /// `str($1)`, `str($1 + 2)`, `str($1, 4)`: a string that is known.
    fn text_of_parameter(&self, arguments: &mut [Argument]) -> Read<Option<Vec<u8>>> {
        let [Argument::Value(first), rest @ ..] = arguments else { return Ok(None) };
        let (number, skipped) = match &first.kind {
            ExprKind::Parameter(number) => (*number, 0),
            ExprKind::Binary(Binary::Add, left, right) => match (&left.kind, &right.kind) {
                (ExprKind::Parameter(number), ExprKind::Int(skipped)) => (*number, *skipped),
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        let text = self.parameter(number);
        let rest_of_text = usize::try_from(skipped).ok().and_then(|skipped| text.get(skipped..));
        let Some(text) = rest_of_text else {
            let what = format!("`${number}` has only {} bytes", text.len());
            return Err(self.cursor.mistake(first.span, what));
        };
        let most = match rest {
            [] => None,
            [Argument::Value(length)] => {
                self.expr(length)?;
                match length.kind {
                    ExprKind::Int(length) => usize::try_from(length).ok(),
                    _ => return Ok(None),
                }
            }
            _ => return Ok(None),
        };
        if most.is_none() && text.len() > self.max_text {
            let what = format!("`${number}` is longer than max_strlen, which is {}", self.max_text);
            return Err(self.cursor.mistake(first.span, what));
        }
        let length = most.unwrap_or(text.len()).min(text.len()).min(self.max_text);
        Ok(Some(text.as_bytes()[..length].to_vec()))
    }

    /// The one value that this expression has, if it is known.
    fn constant(&self, expr: &Expr) -> Read<Option<ExprKind>> {
        Ok(match &expr.kind {
            ExprKind::Parameter(number) => {
                let text = self.parameter(*number);
                Some(match signed_number(text) {
                    _ if text.is_empty() => ExprKind::Int(0),
                    Some(number) => ExprKind::Int(number),
                    None => ExprKind::Text(text.as_bytes().to_vec()),
                })
            }
            ExprKind::ParameterCount => Some(ExprKind::Int(self.parameters.len() as i128)),
            ExprKind::Unary(Unary::Negate, operand) => match operand.kind {
                ExprKind::Int(number) if fits(-number) => Some(ExprKind::Int(-number)),
                ExprKind::Int(_) => {
                    let what = format!("the lowest number is {}", i64::MIN);
                    return Err(self.cursor.mistake(expr.span, what));
                }
                _ => None,
            },
            ExprKind::Unary(operator, operand) => unary(*operator, &operand.kind),
            ExprKind::Choice(condition, Some(then), otherwise) => {
                let known = |expr: &Expr| match expr.kind {
                    ExprKind::Int(_) | ExprKind::Bool(_) | ExprKind::Text(_) => {
                        Some(expr.kind.clone())
                    }
                    _ => None,
                };
                let chosen = match condition.kind {
                    ExprKind::Int(0) | ExprKind::Bool(false) => otherwise,
                    ExprKind::Int(_) | ExprKind::Bool(true) => then,
                    _ => return Ok(None),
                };
                known(then).and(known(otherwise)).and(known(chosen))
            }
            ExprKind::Binary(operator, left, right) => match (&left.kind, &right.kind) {
                (ExprKind::Int(left), ExprKind::Int(right)) => {
                    match of_numbers(*operator, *left, *right) {
                        Ok(known) => known,
                        Err(what) => return Err(self.cursor.mistake(expr.span, what)),
                    }
                }
                (ExprKind::Text(left), ExprKind::Text(right)) => match operator {
                    Binary::Equal => Some(ExprKind::Bool(left == right)),
                    Binary::NotEqual => Some(ExprKind::Bool(left != right)),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        })
    }
}

fn unary(operator: Unary, operand: &ExprKind) -> Option<ExprKind> {
    match (operator, operand) {
        // A number that is written out has 64 bits here.
        (Unary::Invert, ExprKind::Int(number)) => Some(ExprKind::Int((!(*number as u64)).into())),
        (Unary::Not, ExprKind::Int(number)) => Some(ExprKind::Bool(*number == 0)),
        (Unary::Not, ExprKind::Bool(flag)) => Some(ExprKind::Bool(!flag)),
        _ => None,
    }
}

/// What comes of two numbers; nothing if only the run shows it.
///
/// # Errors
/// It has no value, or not one of 64 bits: what is wrong.
fn of_numbers(operator: Binary, left: i128, right: i128) -> Result<Option<ExprKind>, String> {
    let signed = left < 0 || right < 0;
    if signed && left.max(right) > i64::MAX.into() {
        return Err("no type of 64 bits has both of these numbers".into());
    }
    let flag = |flag| Ok(Some(ExprKind::Bool(flag)));
    let shift = u32::try_from(right).ok().filter(|shift| *shift < 64);
    let number = match operator {
        Binary::Or => return flag(left != 0 || right != 0),
        Binary::And => return flag(left != 0 && right != 0),
        Binary::Equal => return flag(left == right),
        Binary::NotEqual => return flag(left != right),
        Binary::Less => return flag(left < right),
        Binary::Greater => return flag(left > right),
        Binary::AtMost => return flag(left <= right),
        Binary::AtLeast => return flag(left >= right),
        Binary::Divide | Binary::Remainder if right == 0 => {
            return Err("this is a division by zero".into());
        }
        Binary::ShiftLeft | Binary::ShiftRight if shift.is_none() => {
            return Err("a number of 64 bits is shifted by 0 to 63 of them".into());
        }
        Binary::BitOr => left | right,
        Binary::BitXor => left ^ right,
        Binary::BitAnd => left & right,
        // What is shifted out is lost.
        Binary::ShiftLeft if left < 0 => ((left as i64) << right).into(),
        Binary::ShiftLeft => ((left as u64) << right).into(),
        Binary::ShiftRight => left >> right,
        Binary::Add => left + right,
        Binary::Subtract => left - right,
        Binary::Multiply => left.saturating_mul(right),
        Binary::Divide => left / right,
        Binary::Remainder => left % right,
    };
    match fits(number) {
        true => Ok(Some(ExprKind::Int(number))),
        false => Err("the result has more than 64 bits".into()),
    }
}
