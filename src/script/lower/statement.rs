//! Statements, from a probe's first instruction to its last.

use std::ops::Range;

use super::action::WarningKind;
use super::places::SCRATCH;
use super::spot::Spot;
use super::{Loop, Lower};
use crate::insn::Cond::{Lt, Ne, Slt};
use crate::insn::{Label, Program, fp, r0, r1, r2, r6, r7, r8, u64_at, w0};
use crate::script::ast::{
    Block, Expr, ExprKind, Iterated, Place, Probe, Span, Statement, StatementKind, Variable,
};
use crate::script::cursor::Read;
use crate::script::probes::Event;
use crate::script::types::Type;

/// So many turns of a loop run at most: the verifier walks each, up to a million instructions in all.
const TURNS: i32 = 1024;

impl Lower<'_> {
    pub(super) fn program(&mut self, probe: &Probe, variables: Range<usize>) -> Read<Program> {
        for index in variables {
            let words = self.checked.types.variables[index].words();
            let offset = self.scratch(8 * words as i32);
            self.variables.push(Spot::Scratch(offset));
        }
        let out = self.a.label();
        self.at(probe.span);
        self.a.mov(r6, r1);
        let context = self.a.len();
        let mark = self.mark();
        let index = self.spot(1);
        self.a.lookup_first(self.scratch, index.at(0), &out);
        self.a.mov(r7, r0);
        self.release(mark);
        let setup = context..self.a.len();
        let everywhere =
            |event: &Event| matches!(event, Event::Begin | Event::End | Event::Interval(_));
        if let Some(process) = self.host.only_process()
            && !self.events.iter().any(everywhere)
        {
            self.task_numbers(process.namespace);
            self.a.rsh(r0, 32);
            self.constant(r1, process.pid.into());
            self.a.jump_if(r0, Ne, r1, &out);
        }
        self.loops.push(Loop { next: self.a.label(), end: out });
        if let Some(predicate) = &probe.predicate {
            self.at(predicate.span);
            let skip = self.a.label();
            self.jump_unless(predicate, &skip)?;
            self.block(&probe.block)?;
            self.a.place(skip);
        } else {
            self.block(&probe.block)?;
        }
        if let Some(Loop { next, end }) = self.loops.pop() {
            self.a.place(next);
            self.a.place(end);
        }
        self.a.mov(w0, 0);
        self.a.exit();
        self.callbacks()?;
        if let Some(callback) = self.callback.take() {
            self.a.place(callback);
            self.a.mov(w0, 0);
            self.a.exit();
        }
        if self.scratch_most > SCRATCH {
            return self.mistake(
                probe.points[0].span,
                format!(
                    "the values of this probe need {} bytes, and may need {SCRATCH}",
                    self.scratch_most
                ),
            );
        }
        if self.scratch_most == 0 {
            // Most one-liners need no scratch value.
            self.a.leave_out(setup);
        }
        if !self.a.reads(context..self.a.len(), r6) {
            self.a.leave_out(0..context);
        }
        self.a.drop_unreachable();
        std::mem::take(&mut self.a).finish().or_else(|error| {
            self.mistake(
                probe.points[0].span,
                format!("the program for this probe cannot be made: {error}"),
            )
        })
    }

    pub(super) fn block(&mut self, block: &Block) -> Read<()> {
        for statement in &block.statements {
            self.statement(statement)?;
        }
        match &block.value {
            Some(value) => {
                self.at(value.span);
                self.effect(value)
            }
            None => Ok(()),
        }
    }

    fn statement(&mut self, statement: &Statement) -> Read<()> {
        let span = statement.span;
        self.at(span);
        let mark = self.mark();
        match &statement.kind {
            StatementKind::Let { variable, value, .. } => match value {
                Some(value) => self.assign_variable(variable, value)?,
                None => {
                    let spot = self.variable(variable);
                    let words = self.variable_type(variable).words();
                    self.zero(spot, words);
                }
            },
            StatementKind::Assign { place, operator: None, value } => match place {
                Place::Variable(variable) => self.assign_variable(variable, value)?,
                Place::Map(name, key) => self.assign_map(name, key.as_deref(), value, span)?,
            },
            StatementKind::Assign { place, operator: Some(operator), value } => {
                self.change(place, *operator, value, span)?;
            }
            StatementKind::Discard(value) | StatementKind::Return(Some(value)) => {
                self.effect(value)?;
                if matches!(statement.kind, StatementKind::Return(_)) {
                    self.a.goto(&self.loops[0].end);
                }
            }
            StatementKind::Expr(value) => self.effect(value)?,
            StatementKind::Return(None) => self.a.goto(&self.loops[0].end),
            StatementKind::Break => {
                if let Some(Loop { end, .. }) = self.loops.last() {
                    self.a.goto(end);
                }
            }
            StatementKind::Continue => {
                if let Some(Loop { next, .. }) = self.loops.last() {
                    self.a.goto(next);
                }
            }
            StatementKind::Unroll { count, block } => self.unroll(count, block)?,
            StatementKind::While { condition, block } => {
                self.turns(
                    span,
                    None,
                    |lower, end| lower.jump_unless(condition, end),
                    block,
                    |_| {},
                )?;
            }
            StatementKind::For { variable, over: Iterated::Range(range), block } => {
                self.range(variable, &range.0, &range.1, block, span)?;
            }
            StatementKind::For { variable, over: Iterated::Map(map), block } => {
                self.elements(variable, map, block, span)?;
            }
        }
        self.release(mark);
        Ok(())
    }

    /// An expression whose value nobody reads.
    pub(super) fn effect(&mut self, expr: &Expr) -> Read<()> {
        match &expr.kind {
            ExprKind::If { arms, otherwise } => {
                let done = self.a.label();
                for (condition, block) in arms {
                    let next = self.a.label();
                    self.at(condition.span);
                    self.jump_unless(condition, &next)?;
                    self.block(block)?;
                    self.a.goto(&done);
                    self.a.place(next);
                }
                if let Some(block) = otherwise {
                    self.block(block)?;
                }
                self.a.place(done);
                Ok(())
            }
            ExprKind::Block(block) => self.block(block),
            ExprKind::Choice(condition, Some(then), otherwise) => {
                let (other, done) = (self.a.label(), self.a.label());
                self.jump_unless(condition, &other)?;
                self.effect(then)?;
                self.a.goto(&done);
                self.a.place(other);
                self.effect(otherwise)?;
                self.a.place(done);
                Ok(())
            }
            ExprKind::Step { place, up, .. } => self.step(place, *up, expr.span),
            ExprKind::Call { name, arguments } if expr.of == Type::Nothing => {
                self.action(&name.text, arguments, expr.span)
            }
            _ if expr.of.is_scalar() => self.scalar(expr),
            _ => {
                let mark = self.mark();
                let spot = self.spot(expr.of.words());
                self.store(expr, &expr.of, spot)?;
                self.release(mark);
                Ok(())
            }
        }
    }

    /// What is done with the value of a block or of an `if`, once it is known which one.
    pub(super) fn branches(
        &mut self,
        expr: &Expr,
        then: &mut dyn FnMut(&mut Self, &Expr) -> Read<()>,
    ) -> Read<()> {
        match &expr.kind {
            ExprKind::If { arms, otherwise } => {
                let done = self.a.label();
                for (condition, block) in arms {
                    let next = self.a.label();
                    self.jump_unless(condition, &next)?;
                    self.block_value(block, then)?;
                    self.a.goto(&done);
                    self.a.place(next);
                }
                if let Some(block) = otherwise {
                    self.block_value(block, then)?;
                }
                self.a.place(done);
                Ok(())
            }
            ExprKind::Block(block) => self.block_value(block, then),
            _ => self.mistake(expr.span, "this value is not supported here"),
        }
    }

    fn block_value(
        &mut self,
        block: &Block,
        then: &mut dyn FnMut(&mut Self, &Expr) -> Read<()>,
    ) -> Read<()> {
        for statement in &block.statements {
            self.statement(statement)?;
        }
        block.value.as_deref().map_or(Ok(()), |value| then(self, value))
    }

    pub(super) fn variable_type(&self, variable: &Variable) -> Type {
        self.checked.types.variables[variable.index].clone()
    }

    /// Where a variable is.
    pub(super) fn variable(&self, variable: &Variable) -> Spot {
        self.variables[variable.index - self.first_variable]
    }

    fn assign_variable(&mut self, variable: &Variable, value: &Expr) -> Read<()> {
        let spot = self.variable(variable);
        let of = self.variable_type(variable);
        if matches!(value.kind, ExprKind::Int(_)) || of.includes(&value.of) {
            return self.store(value, &of, spot);
        }
        self.scalar(value)?;
        self.truncate(&of);
        self.a.store(u64_at(spot.word(0)), r8);
        Ok(())
    }

    fn unroll(&mut self, count: &Expr, block: &Block) -> Read<()> {
        let ExprKind::Int(count) = count.kind else { return Ok(()) };
        for _ in 0..count {
            self.block(block)?;
        }
        Ok(())
    }

    /// `for $v : first..end { .. }`: both bounds are evaluated once.
    fn range(
        &mut self,
        variable: &Variable,
        first: &Expr,
        end: &Expr,
        block: &Block,
        span: Span,
    ) -> Read<()> {
        let spot = self.variable(variable);
        let (next, last) = (Spot::Scratch(self.scratch(8)), Spot::Scratch(self.scratch(8)));
        self.store(first, &Type::INT64, next)?;
        self.store(end, &Type::INT64, last)?;
        let turns = match (&first.kind, &end.kind) {
            (ExprKind::Int(first), ExprKind::Int(end)) => {
                i32::try_from(end - first).ok().map(|n| n.max(0))
            }
            _ => None,
        };
        let enter = |lower: &mut Self, end: &Label| {
            lower.a.load(r8, u64_at(next.word(0)));
            lower.a.load(r1, u64_at(last.word(0)));
            let inside = lower.a.label();
            // The loop's end is the way that goes straight on: few such ways can wait for the verifier.
            lower.a.jump_if(r8, Slt, r1, &inside);
            lower.a.goto(end);
            lower.a.place(inside);
            lower.a.store(u64_at(spot.word(0)), r8);
            Ok(())
        };
        let leave = |lower: &mut Self| {
            lower.a.load(r8, u64_at(next.word(0)));
            lower.a.add(r8, 1);
            lower.a.store(u64_at(next.word(0)), r8);
        };
        self.turns(span, turns, enter, block, leave)
    }

    /// A loop of at most so many turns, counted on the stack where the verifier sees the end.
    fn turns(
        &mut self,
        span: Span,
        most: Option<i32>,
        enter: impl FnOnce(&mut Self, &Label) -> Read<()>,
        block: &Block,
        leave: impl FnOnce(&mut Self),
    ) -> Read<()> {
        self.stack_used += 8;
        let counter = fp + -self.stack_used;
        self.a.store(u64_at(counter), 0);
        let end = self.a.label();
        let again = self.a.here();
        self.loops.push(Loop { next: self.a.label(), end });
        let (within, beyond) = (self.a.label(), self.a.label());
        self.a.load(r2, u64_at(counter));
        self.a.jump_if(r2, Lt, most.unwrap_or(TURNS), &within);
        self.a.goto(&beyond);
        self.a.place(within);
        self.a.add(r2, 1);
        self.a.store(u64_at(counter), r2);
        let ends = self.a.label();
        enter(self, &ends)?;
        self.block(block)?;
        if let Some(Loop { next, end }) = self.loops.pop() {
            self.a.place(next);
            leave(self);
            self.a.goto(&again);
            self.a.place(beyond);
            if most.is_none() {
                self.warn(span, WarningKind::LoopTooLong(TURNS as u32))?;
            }
            self.a.place(ends);
            self.a.place(end);
        }
        Ok(())
    }
}
