//! Which variable a name means.

use std::collections::HashMap;
use std::ops::Range;

use super::ast::{
    Argument, Block, Expr, ExprKind, Iterated, Place, Probe, Span, StatementKind, Variable,
};
use super::cursor::{Cursor, Read};

/// Resolves the variables of all probes: each assignment to a new name declares one in its block.
/// Returns the indices of each probe's variables.
pub(super) fn resolve(cursor: &Cursor, probes: &mut [Probe]) -> Read<Vec<Range<usize>>> {
    let mut names = Names { cursor, scopes: vec![], count: 0 };
    let mut ranges = vec![];
    for probe in probes {
        let first = names.count;
        if let Some(predicate) = &mut probe.predicate {
            names.expr(predicate)?;
        }
        names.block(&mut probe.block)?;
        ranges.push(first..names.count);
    }
    Ok(ranges)
}

struct Names<'a> {
    cursor: &'a Cursor<'a>,
    /// The variables of the blocks around, by name.
    scopes: Vec<HashMap<String, usize>>,
    /// How many variables there are.
    count: usize,
}

impl Names<'_> {
    fn find(&self, name: &str) -> Option<usize> {
        self.scopes.iter().rev().find_map(|scope| scope.get(name)).copied()
    }

    fn declare(&mut self, variable: &mut Variable) {
        variable.index = self.count;
        self.count += 1;
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(variable.name.text.clone(), variable.index);
        }
    }

    /// Declares one that must be new.
    fn declare_new(&mut self, variable: &mut Variable, span: Span) -> Read<()> {
        let name = &variable.name.text;
        if self.find(name).is_some() {
            let mistake =
                self.cursor.mistake(span, format!("there is a variable `${name}` already"));
            return Err(
                mistake.help("a variable of an inner block cannot have the name of an outer one")
            );
        }
        self.declare(variable);
        Ok(())
    }

    /// The one that this name means, which must have been declared.
    fn known(&self, variable: &mut Variable) -> Read<()> {
        let name = &variable.name.text;
        match self.find(name) {
            Some(index) => variable.index = index,
            None => {
                let mistake = self
                    .cursor
                    .mistake(variable.name.span, format!("there is no variable `${name}` here"));
                let mut names = self.scopes.iter().flat_map(HashMap::keys).map(String::as_str);
                return Err(mistake.meant(name, &mut names));
            }
        }
        Ok(())
    }

    fn block(&mut self, block: &mut Block) -> Read<()> {
        self.block_with(block, |_| Ok(()))
    }

    /// A block, with what is declared in front of it.
    fn block_with(
        &mut self,
        block: &mut Block,
        declare: impl FnOnce(&mut Self) -> Read<()>,
    ) -> Read<()> {
        self.scopes.push(HashMap::new());
        declare(self)?;
        for statement in &mut block.statements {
            self.statement(&mut statement.kind, statement.span)?;
        }
        if let Some(value) = &mut block.value {
            self.expr(value)?;
        }
        self.scopes.pop();
        Ok(())
    }

    fn statement(&mut self, kind: &mut StatementKind, span: Span) -> Read<()> {
        match kind {
            StatementKind::Let { variable, value, .. } => {
                if let Some(value) = value {
                    self.expr(value)?;
                }
                self.declare_new(variable, span)
            }
            StatementKind::Assign { place: Place::Variable(variable), operator: None, value } => {
                self.expr(value)?;
                match self.find(&variable.name.text) {
                    Some(index) => variable.index = index,
                    None => self.declare(variable),
                }
                Ok(())
            }
            StatementKind::Assign { place, value, .. } => {
                self.place(place)?;
                self.expr(value)
            }
            StatementKind::Discard(value)
            | StatementKind::Expr(value)
            | StatementKind::Return(Some(value)) => self.expr(value),
            StatementKind::For { variable, over, block } => {
                if let Iterated::Range(range) = over {
                    let (first, end) = &mut **range;
                    self.expr(first)?;
                    self.expr(end)?;
                }
                let span = variable.name.span;
                self.block_with(block, |names| names.declare_new(variable, span))
            }
            StatementKind::While { condition: head, block }
            | StatementKind::Unroll { count: head, block } => {
                self.expr(head)?;
                self.block(block)
            }
            StatementKind::Break | StatementKind::Continue | StatementKind::Return(None) => Ok(()),
        }
    }

    fn place(&mut self, place: &mut Place) -> Read<()> {
        match place {
            Place::Variable(variable) => self.known(variable),
            Place::Map(_, Some(key)) => self.expr(key),
            Place::Map(_, None) => Ok(()),
        }
    }

    fn expr(&mut self, expr: &mut Expr) -> Read<()> {
        match &mut expr.kind {
            ExprKind::Place(place) | ExprKind::Step { place, .. } => self.place(place),
            ExprKind::If { arms, otherwise } => {
                for (condition, block) in arms {
                    self.expr(condition)?;
                    self.block(block)?;
                }
                otherwise.as_mut().map_or(Ok(()), |block| self.block(block))
            }
            ExprKind::Block(block) => self.block(block),
            kind => kind.operands_mut().into_iter().try_for_each(|operand| self.expr(operand)),
        }
    }
}

impl ExprKind {
    /// The expressions that this one is made of, without those in blocks and places.
    pub(super) fn operands_mut(&mut self) -> Vec<&mut Expr> {
        match self {
            ExprKind::Call { arguments, .. } => arguments
                .iter_mut()
                .filter_map(|argument| match argument {
                    Argument::Value(value) => Some(value),
                    Argument::Type(_) => None,
                })
                .collect(),
            ExprKind::Unary(_, one) | ExprKind::Cast(_, one) | ExprKind::Element(one, _) => {
                vec![one]
            }
            ExprKind::Field { object, .. } => vec![object],
            ExprKind::Binary(_, one, other) | ExprKind::Index(one, other) => vec![one, other],
            ExprKind::Choice(condition, then, otherwise) => {
                let then = then.as_deref_mut();
                [Some(&mut **condition), then, Some(&mut **otherwise)]
                    .into_iter()
                    .flatten()
                    .collect()
            }
            ExprKind::Tuple(all) => all.iter_mut().collect(),
            ExprKind::Record(all) => all.iter_mut().map(|(_, value)| value).collect(),
            _ => vec![],
        }
    }
}
