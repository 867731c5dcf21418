//! Calls with a value of one word.

use super::Lower;
use crate::insn::{r1, r2, r8, u64_at};
use crate::script::ast::{Argument, Expr, ExprKind, Place};
use crate::script::cursor::Read;

impl Lower<'_> {
    /// `r8 = ` the value of a call.
    pub(super) fn call(&mut self, name: &str, arguments: &[Argument], expr: &Expr) -> Read<()> {
        match name {
            "delete" | "has_key" => self.remove_or_find(name == "delete", arguments),
            "len" => {
                if let [
                    Argument::Value(Expr { kind: ExprKind::Place(Place::Map(map, None)), .. }),
                ] = arguments
                {
                    self.count_elements(map);
                }
                Ok(())
            }
            "nsecs" => self.clock(arguments, expr.span),
            "pid" | "tid" => {
                let first = matches!(arguments, [Argument::Value(Expr { kind: ExprKind::Name(mode), .. })]
                    if mode == "init");
                let namespace = if first { None } else { self.host.namespace() };
                self.task_number(name, namespace);
                Ok(())
            }
            "strncmp" => self.compare_start(arguments),
            _ => self.library(name, arguments, expr),
        }
    }

    /// `strncmp(a, b, n)`: `r8 = ` 0 if the first bytes are equal, else 1.
    fn compare_start(&mut self, arguments: &[Argument]) -> Read<()> {
        let [Argument::Value(left), Argument::Value(right), Argument::Value(length)] = arguments
        else {
            return Ok(());
        };
        let ExprKind::Int(length) = length.kind else { return Ok(()) };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let mark = self.mark();
        let of = left.of.join(&right.of).unwrap_or_default();
        let [left, right] = [self.spot_as(left, &of)?, self.spot_as(right, &of)?];
        self.a.mov(r8, 0);
        for index in 0..of.words().min(length.div_ceil(8)) {
            self.a.load(r1, u64_at(left.word(index)));
            self.a.load(r2, u64_at(right.word(index)));
            self.a.xor(r1, r2);
            let beyond = (8 * (index + 1)).saturating_sub(length);
            if beyond > 0 {
                // Only the first bytes in memory count.
                match cfg!(target_endian = "little") {
                    true => self.a.lsh(r1, 8 * beyond as i32),
                    false => self.a.rsh(r1, 8 * beyond as i32),
                }
            }
            self.a.or(r8, r1);
        }
        self.as_bool();
        self.release(mark);
        Ok(())
    }
}
