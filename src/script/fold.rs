//! Constants: parameters of the command line, and expressions of numbers and strings that are known.

use super::ast::{
    Argument, Binary, Block, Expr, ExprKind, Iterated, Place, Probe, StatementKind, Unary,
};
use super::cursor::{Cursor, Read};

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
                Some(match (text, text.parse()) {
                    ("", _) => ExprKind::Int(0),
                    (_, Ok(number)) if fits(number) => ExprKind::Int(number),
                    _ => ExprKind::Text(text.as_bytes().to_vec()),
                })
            }
            ExprKind::ParameterCount => Some(ExprKind::Int(self.parameters.len() as i128)),
            ExprKind::Unary(operator, operand) => unary(*operator, &operand.kind),
            ExprKind::Binary(operator, left, right) => match (&left.kind, &right.kind) {
                (ExprKind::Int(left), ExprKind::Int(right)) => of_numbers(*operator, *left, *right),
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

/// Whether a number can be one of 64 bits.
fn fits(number: i128) -> bool {
    (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&number)
}

fn unary(operator: Unary, operand: &ExprKind) -> Option<ExprKind> {
    match (operator, operand) {
        (Unary::Negate, ExprKind::Int(number)) if fits(-number) => Some(ExprKind::Int(-number)),
        (Unary::Not, ExprKind::Int(number)) => Some(ExprKind::Bool(*number == 0)),
        (Unary::Not, ExprKind::Bool(flag)) => Some(ExprKind::Bool(!flag)),
        _ => None,
    }
}

/// What comes of two numbers; nothing where it would not fit 64 bits, or has no value.
fn of_numbers(operator: Binary, left: i128, right: i128) -> Option<ExprKind> {
    let shift = u32::try_from(right).ok().filter(|shift| *shift < 64);
    let number = match operator {
        Binary::Or => return Some(ExprKind::Bool(left != 0 || right != 0)),
        Binary::And => return Some(ExprKind::Bool(left != 0 && right != 0)),
        Binary::Equal => return Some(ExprKind::Bool(left == right)),
        Binary::NotEqual => return Some(ExprKind::Bool(left != right)),
        Binary::Less => return Some(ExprKind::Bool(left < right)),
        Binary::Greater => return Some(ExprKind::Bool(left > right)),
        Binary::AtMost => return Some(ExprKind::Bool(left <= right)),
        Binary::AtLeast => return Some(ExprKind::Bool(left >= right)),
        Binary::BitOr => Some(left | right),
        Binary::BitXor => Some(left ^ right),
        Binary::BitAnd => Some(left & right),
        Binary::ShiftLeft => shift.and_then(|shift| left.checked_shl(shift)),
        Binary::ShiftRight => shift.filter(|_| left >= 0).map(|shift| left >> shift),
        Binary::Add => left.checked_add(right),
        Binary::Subtract => left.checked_sub(right),
        Binary::Multiply => left.checked_mul(right),
        Binary::Divide => left.checked_div(right),
        Binary::Remainder => left.checked_rem(right),
    };
    number.filter(|number| fits(*number)).map(ExprKind::Int)
}
