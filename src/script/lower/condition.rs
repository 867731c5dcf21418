//! Conditions: jumps without a value in between.

use super::Lower;
use crate::insn::Cond::{self, Eq, Ge, Gt, Le, Lt, Ne, Sge, Sgt, Sle, Slt};
use crate::insn::{Label, r1, r8};
use crate::script::ast::{Binary, Expr, ExprKind, Unary};
use crate::script::cursor::Read;
use crate::script::types::Type;

impl Lower<'_> {
    /// Goes on at `target` unless the condition is true.
    pub(super) fn jump_unless(&mut self, expr: &Expr, target: &Label) -> Read<()> {
        self.jump(expr, false, target)
    }

    /// Goes on at `target` if the condition is `wanted`.
    pub(super) fn jump(&mut self, expr: &Expr, wanted: bool, target: &Label) -> Read<()> {
        match &expr.kind {
            ExprKind::Bool(flag) => {
                if *flag == wanted {
                    self.a.goto(target);
                }
                Ok(())
            }
            ExprKind::Unary(Unary::Not, operand) => self.jump(operand, !wanted, target),
            ExprKind::Binary(operator @ (Binary::And | Binary::Or), left, right) => {
                // The first operand decides alone if it is false for `&&`, true for `||`.
                let decides = *operator == Binary::Or;
                if decides == wanted {
                    self.jump(left, wanted, target)?;
                    return self.jump(right, wanted, target);
                }
                let decided = self.a.label();
                self.jump(left, decides, &decided)?;
                self.jump(right, wanted, target)?;
                self.a.place(decided);
                Ok(())
            }
            ExprKind::Binary(operator, left, right) => {
                match condition(*operator, &left.of, &right.of) {
                    Some(condition)
                        if left.of.words() == 1 && !matches!(left.of, Type::Text(_)) =>
                    {
                        self.operands(left, right)?;
                        let condition = if wanted { condition } else { opposite(condition) };
                        match small(right) {
                            Some(number) => self.a.jump_if(r8, condition, number, target),
                            None => self.a.jump_if(r8, condition, r1, target),
                        }
                        Ok(())
                    }
                    _ => self.jump_if_nonzero(expr, wanted, target),
                }
            }
            _ => self.jump_if_nonzero(expr, wanted, target),
        }
    }

    fn jump_if_nonzero(&mut self, expr: &Expr, wanted: bool, target: &Label) -> Read<()> {
        self.scalar(expr)?;
        self.a.jump_if(r8, if wanted { Ne } else { Eq }, 0, target);
        Ok(())
    }
}

/// The number that an expression is, if an instruction can hold it.
pub(super) fn small(expr: &Expr) -> Option<i32> {
    match expr.kind {
        ExprKind::Int(number) | ExprKind::Enumerator(number, _) => i32::try_from(number).ok(),
        ExprKind::Bool(flag) => Some(flag.into()),
        _ => None,
    }
}

/// What an operator compares, if it does.
pub(super) fn condition(operator: Binary, left: &Type, right: &Type) -> Option<Cond> {
    let signed = left.signed_with(right);
    Some(match (operator, signed) {
        (Binary::Equal, _) => Eq,
        (Binary::NotEqual, _) => Ne,
        (Binary::Less, true) => Slt,
        (Binary::Less, false) => Lt,
        (Binary::Greater, true) => Sgt,
        (Binary::Greater, false) => Gt,
        (Binary::AtMost, true) => Sle,
        (Binary::AtMost, false) => Le,
        (Binary::AtLeast, true) => Sge,
        (Binary::AtLeast, false) => Ge,
        _ => return None,
    })
}

fn opposite(condition: Cond) -> Cond {
    match condition {
        Eq => Ne,
        Ne => Eq,
        Lt => Ge,
        Ge => Lt,
        Gt => Le,
        Le => Gt,
        Slt => Sge,
        Sge => Slt,
        Sgt => Sle,
        Sle => Sgt,
        other => other,
    }
}
