//! The types that statements give to variables and maps.

use super::Infer;
use crate::script::ast::{
    Binary, Block, Expr, ExprKind, Iterated, Name, Place, Probe, Span, Statement, StatementKind,
    TypeName,
};
use crate::script::cursor::Read;
use crate::script::types::Type;

impl Infer<'_> {
    pub(super) fn probe(&mut self, probe: &mut Probe) -> Read<()> {
        let predicate = probe.predicate.as_mut().map_or(Ok(()), |predicate| {
            let text = &self.cursor.text[..predicate.span.start];
            let start = text.rfind('/').unwrap_or(predicate.span.start);
            let at = Span { start, end: predicate.span.end };
            self.condition(predicate, at)
        });
        let block = self.block(&mut probe.block);
        predicate.and(block)
    }

    pub(super) fn block(&mut self, block: &mut Block) -> Read<()> {
        let mut first = Ok(());
        for statement in &mut block.statements {
            // A mistake in one statement hides no types of the next.
            let result = self.statement(statement);
            first = first.and(result);
        }
        match &mut block.value {
            Some(value) => first.and(self.effect(value)),
            None => first,
        }
    }

    pub(super) fn statement(&mut self, statement: &mut Statement) -> Read<()> {
        let span = statement.span;
        match &mut statement.kind {
            StatementKind::Let { variable, of, value } => {
                if let Some(name) = of {
                    let declared = self.declared_type(name)?;
                    self.types.variables[variable.index] = declared.clone();
                    self.declared[variable.index] = Some(declared);
                }
                match value {
                    Some(value) => {
                        let of = self.value(value)?;
                        self.join_variable(variable.index, &of, constant(value), span)
                    }
                    None => Ok(()),
                }
            }
            StatementKind::Assign { place, operator, value } => match operator {
                None => self.assign(place, value, span),
                Some(operator) => self.change(place, *operator, value, span),
            },
            StatementKind::Discard(value) => self.value(value).map(|_| ()),
            StatementKind::Expr(value) => self.effect(value),
            StatementKind::For { variable, over, block } => {
                self.iterated(variable.index, over, span)?;
                self.in_loop(block)
            }
            StatementKind::While { condition, block } => {
                self.truth(condition, condition.span)?;
                let always = constant(condition).is_some_and(|value| value != 0);
                if self.last && always && !can_be_left(block) {
                    return self.mistake(span, "this loop does not end");
                }
                self.in_loop(block)
            }
            StatementKind::Unroll { count, block } => {
                self.value(count)?;
                match constant(count) {
                    Some(1..=100) => self.block(block),
                    Some(_) => self.mistake(span, "a block is unrolled from 1 to 100 times"),
                    None => self.mistake(
                        span,
                        "how often a block is unrolled must be known before the run",
                    ),
                }
            }
            StatementKind::Break | StatementKind::Continue if self.loops == 0 => {
                self.mistake(span, "only a loop can be left or continued")
            }
            StatementKind::Break | StatementKind::Continue | StatementKind::Return(None) => Ok(()),
            StatementKind::Return(Some(value)) => {
                let of = self.value(value)?;
                self.no_aggregate(value, span)?;
                match of {
                    Type::Unknown | Type::Int(_) => Ok(()),
                    of => self.mistake(span, format!("a probe returns a number, and this is {of}")),
                }
            }
        }
    }

    fn in_loop(&mut self, block: &mut Block) -> Read<()> {
        self.loops += 1;
        let result = self.block(block);
        self.loops -= 1;
        result
    }

    fn iterated(&mut self, variable: usize, over: &mut Iterated, span: Span) -> Read<()> {
        match over {
            Iterated::Map(map) => {
                let index = self.map(map);
                match self.types.maps[index].keyed {
                    Some(false) => {
                        self.mistake(map.span, format!("`@{}` has no keys to go through", map.text))
                    }
                    _ => self.elements(variable, index, map, span),
                }
            }
            Iterated::Range(range) => {
                let (first, end) = &mut **range;
                for bound in [first, end] {
                    let of = self.value(bound)?;
                    self.no_aggregate(bound, span)?;
                    if !of.is_int() && of != Type::Unknown {
                        let what = format!("a range has numbers, and one end of this is {of}");
                        return self.mistake(span, what);
                    }
                    self.join_variable(variable, &of, None, span)?;
                }
                Ok(())
            }
        }
    }

    /// What a loop over a map gives: its keys with their values.
    fn elements(&mut self, variable: usize, map: usize, name: &Name, span: Span) -> Read<()> {
        let held = &mut self.types.maps[map];
        // A program reads what is in the kernel: what is cleared must be gone there.
        held.deleted = true;
        let value = match &held.value {
            Type::Aggregate(aggregate) => match aggregate.number() {
                Some(number) => number,
                None => {
                    let what = format!("a loop over {}() is not supported", aggregate.function());
                    return self.mistake(name.span, what);
                }
            },
            of => of.clone(),
        };
        if self.last && value == Type::Unknown {
            return self.mistake(name.span, format!("`@{}` never gets a value", name.text));
        }
        let of = Type::Tuple(vec![held.key.clone(), value]);
        self.join_variable(variable, &of, None, span)
    }

    /// `place = value`
    fn assign(&mut self, place: &mut Place, value: &mut Expr, span: Span) -> Read<()> {
        if let (Place::Map(name, key), Some(aggregate)) = (&mut *place, self.aggregate(value)?) {
            let index = self.use_map(name, key.as_deref_mut())?;
            let value_span = value.span;
            return self.join_value(index, &Type::Aggregate(aggregate), value_span);
        }
        if let (Place::Map(..), ExprKind::Place(Place::Map(from, _))) = (&*place, &value.kind) {
            let from = self.map(from);
            if let Type::Aggregate(aggregate) = &self.types.maps[from].value {
                let what = format!(
                    "what {}() counts cannot be copied to another map",
                    aggregate.function()
                );
                return self.mistake(span, what);
            }
        }
        let of = self.value(value)?;
        match place {
            Place::Variable(variable) => {
                self.join_variable(variable.index, &of, constant(value), span)
            }
            Place::Map(name, key) => {
                let index = self.use_map(name, key.as_deref_mut())?;
                self.join_value(index, &of, span)
            }
        }
    }

    /// `place += value`: a number of 64 bits is stored.
    fn change(
        &mut self,
        place: &mut Place,
        operator: Binary,
        value: &mut Expr,
        span: Span,
    ) -> Read<()> {
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
        let of = self.value(value)?;
        if let Type::Pointer(_) = before {
            return self.mistake(span, "counting an address up or down is not supported");
        }
        let result = self.arithmetic(operator, &before, &of, span)?;
        self.store_number(place, &result, span)
    }

    /// What a number of 64 bits does to the type of a place, unless that was declared.
    pub(super) fn store_number(&mut self, place: &Place, of: &Type, span: Span) -> Read<()> {
        match place {
            Place::Variable(variable) if self.declared[variable.index].is_some() => Ok(()),
            Place::Variable(variable) => self.join_variable(variable.index, of, None, span),
            Place::Map(name, _) => {
                let index = self.map(name);
                self.join_value(index, of, span)
            }
        }
    }

    /// The type of `let $v: type`.
    fn declared_type(&mut self, name: &TypeName) -> Read<Type> {
        let plain = name.keyword.is_none() && name.pointers == 0 && name.arrays.is_empty();
        if name.name == "string" && plain {
            let size = name.size.unwrap_or(self.settings.max_strlen);
            let size = usize::try_from(size).ok().filter(|size| (1..=1 << 16).contains(size));
            return match size {
                Some(size) => Ok(Type::Text(size)),
                None => self.mistake(name.span, "a variable of this type is not supported"),
            };
        }
        self.named_type(name)
    }
}

/// Whether there is a `break` or a `return` in a loop's block, outside of loops in it.
fn can_be_left(block: &Block) -> bool {
    let within = |expr: &Expr| match &expr.kind {
        ExprKind::If { arms, otherwise } => {
            arms.iter().map(|(_, block)| block).chain(otherwise).any(can_be_left)
        }
        ExprKind::Block(block) => can_be_left(block),
        _ => false,
    };
    block.value.as_deref().is_some_and(within)
        || block.statements.iter().any(|statement| match &statement.kind {
            StatementKind::Break | StatementKind::Return(_) => true,
            StatementKind::Expr(value) => within(value),
            StatementKind::Unroll { block, .. } => can_be_left(block),
            _ => false,
        })
}

/// The number that an expression is, if it is one.
pub(super) fn constant(expr: &Expr) -> Option<i128> {
    match expr.kind {
        ExprKind::Int(number) | ExprKind::Enumerator(number, _) => Some(number),
        ExprKind::Bool(flag) => Some(flag.into()),
        _ => None,
    }
}
