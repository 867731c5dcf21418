//! Values of one word, in r8.

use super::Lower;
use super::action::WarningKind;
use super::condition::{condition, small};
use super::spot::Spot;
use crate::insn::Cond::Eq;
use crate::insn::helper::{
    GET_CURRENT_CGROUP_ID, GET_CURRENT_PID_TGID, GET_CURRENT_TASK, GET_CURRENT_UID_GID,
    GET_NS_CURRENT_PID_TGID, GET_NUMA_NODE_ID, GET_PRANDOM_U32, GET_SMP_PROCESSOR_ID, JIFFIES64,
    KTIME_GET_BOOT_NS, KTIME_GET_NS, KTIME_GET_TAI_NS,
};
use crate::insn::{
    Addr, Alu, R, r0, r1, r3, r6, r8, u8_at, u16_at, u32_at, u64_at, w0, w1, w2, w4, w8,
};
use crate::script::ast::{Argument, Binary, Expr, ExprKind, Place, Span, Unary};
use crate::script::cursor::Read;
use crate::script::host::{FieldForm, Namespace};
use crate::script::types::{Int, Pointer, Type};

impl Lower<'_> {
    /// `r8 = ` a value of one word. Clobbers r0 to r5 and r9.
    pub(super) fn scalar(&mut self, expr: &Expr) -> Read<()> {
        if self.leaf(expr, r8)? {
            return Ok(());
        }
        match &expr.kind {
            _ if expr.container().is_some() => self.load_memory(expr),
            ExprKind::Place(Place::Map(name, key)) => self.read_map(name, key.as_deref()),
            ExprKind::Name(name) => self.builtin(name, expr.span),
            ExprKind::Call { name, arguments } => self.call(&name.text, arguments, expr),
            ExprKind::Unary(operator, operand) => self.unary(*operator, operand),
            ExprKind::Binary(operator, left, right) => {
                self.binary(*operator, left, right, expr.span)
            }
            ExprKind::Step { place, up, before } => self.step_value(place, *up, *before, expr.span),
            ExprKind::Choice(condition, then, otherwise) => {
                let (other, done) = (self.a.label(), self.a.label());
                match then {
                    Some(then) => {
                        self.jump_unless(condition, &other)?;
                        self.scalar(then)?;
                    }
                    None => {
                        self.scalar(condition)?;
                        self.a.jump_if(r8, Eq, 0, &other);
                    }
                }
                self.a.goto(&done);
                self.a.place(other);
                self.scalar(otherwise)?;
                self.a.place(done);
                Ok(())
            }
            // The bytes of an array as a number.
            ExprKind::Cast(_, value) if matches!(value.of, Type::Array(..)) => {
                let mark = self.mark();
                let spot = self.spot(value.of.words());
                self.store(value, &value.of, spot)?;
                self.load_sized(spot, expr.of.size());
                self.truncate(&expr.of);
                self.release(mark);
                Ok(())
            }
            ExprKind::Cast(_, value) => {
                self.scalar(value)?;
                self.truncate(&expr.of);
                Ok(())
            }
            ExprKind::Element(object, index) => {
                let mark = self.mark();
                let spot = self.element_of(object, *index)?;
                self.a.load(r8, u64_at(spot.word(0)));
                self.release(mark);
                Ok(())
            }
            _ => self.branches(expr, &mut |lower, value| lower.scalar(value)),
        }
    }

    /// `register = ` a value that needs no other register; whether it is one.
    pub(super) fn leaf(&mut self, expr: &Expr, register: R) -> Read<bool> {
        match &expr.kind {
            ExprKind::Int(number) | ExprKind::Enumerator(number, _) => {
                self.constant(register, *number);
            }
            ExprKind::Bool(flag) => self.a.mov(register, i32::from(*flag)),
            ExprKind::Place(Place::Variable(variable)) => {
                let spot = self.variable(variable);
                self.a.load(register, u64_at(spot.word(0)));
            }
            ExprKind::Field { .. } if expr.of.is_scalar() => {
                let Some(field) = expr.field_of_args() else { return Ok(false) };
                let field = self.field(field, expr.span)?;
                let address = r6 + field.offset;
                let (bytes, signed) = match (field.form, &field.of) {
                    (FieldForm::Number { bytes, signed }, _) => (bytes, signed),
                    (FieldForm::Word, of) => {
                        self.load_word(register, address, of);
                        return Ok(true);
                    }
                    (FieldForm::Location, _) => {
                        // The string is in the record, as far from its start as the low half says.
                        self.a.load(register, u32_at(address));
                        self.a.and(register, 0xffff);
                        self.a.add(register, r6);
                        return Ok(true);
                    }
                    (FieldForm::Bytes(_), _) => return Ok(false),
                };
                match bytes {
                    1 => self.a.load(register, u8_at(address)),
                    2 => self.a.load(register, u16_at(address)),
                    4 => self.a.load(register, u32_at(address)),
                    _ => self.a.load(register, u64_at(address)),
                }
                if signed {
                    self.extend(register, bytes, true);
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// `r8 = ` the number of so many bytes at a place.
    pub(super) fn load_sized(&mut self, spot: Spot, bytes: usize) {
        match bytes {
            1 => self.a.load(r8, u8_at(spot.at(0))),
            2 => self.a.load(r8, u16_at(spot.at(0))),
            4 => self.a.load(r8, u32_at(spot.at(0))),
            _ => self.a.load(r8, u64_at(spot.at(0))),
        }
    }

    /// `register = number`
    pub(super) fn constant(&mut self, register: R, number: i128) {
        match i32::try_from(number) {
            Ok(number) => self.a.mov(register, number),
            Err(_) => self.a.load_imm64(register, number as u64),
        }
    }

    /// Cuts r8 to the size of its new type.
    pub(super) fn truncate(&mut self, of: &Type) {
        match of {
            Type::Int(Int { bytes, signed, .. }) => self.extend(r8, *bytes, *signed),
            Type::Bool => self.as_bool(),
            _ => {}
        }
    }

    /// Makes a register of its lowest bytes.
    pub(super) fn extend(&mut self, register: R, bytes: u8, signed: bool) {
        let bits = 64 - 8 * i32::from(bytes);
        if bits > 0 {
            self.a.lsh(register, bits);
            match signed {
                true => self.a.arsh(register, bits),
                false => self.a.rsh(register, bits),
            }
        }
    }

    /// `register = ` the value of this type in the low bytes of 8: nobody says what is in the others.
    fn load_word(&mut self, register: R, address: Addr, of: &Type) {
        self.a.load(register, u64_at(address));
        match of {
            Type::Int(Int { bytes, signed, .. }) => self.extend(register, *bytes, *signed),
            Type::Bool => self.extend(register, 1, false),
            _ => {}
        }
    }

    /// `r8 = r8 != 0`, without a branch: the verifier would follow both ways.
    pub(super) fn as_bool(&mut self) {
        self.a.mov(r1, r8);
        self.a.neg(r1);
        self.a.or(r8, r1);
        self.a.rsh(r8, 63);
    }

    /// `r8 = left; r1 = right`; a right that an instruction can hold is left to it.
    pub(super) fn operands(&mut self, left: &Expr, right: &Expr) -> Read<()> {
        if small(right).is_some() {
            return self.scalar(left);
        }
        if is_leaf(right) {
            self.scalar(left)?;
            self.leaf(right, r1)?;
            return Ok(());
        }
        if is_leaf(left) && !changes(right) {
            self.scalar(right)?;
            self.a.mov(r1, r8);
            self.leaf(left, r8)?;
            return Ok(());
        }
        let mark = self.mark();
        self.scalar(left)?;
        let kept = self.spot(1);
        self.a.store(u64_at(kept.word(0)), r8);
        self.scalar(right)?;
        self.a.mov(r1, r8);
        self.a.load(r8, u64_at(kept.word(0)));
        self.release(mark);
        Ok(())
    }

    fn unary(&mut self, operator: Unary, operand: &Expr) -> Read<()> {
        self.scalar(operand)?;
        match operator {
            Unary::Negate => {
                self.a.neg(r8);
                if !operand.of.is_signed() {
                    self.truncate(&operand.of);
                }
            }
            Unary::Not => {
                self.as_bool();
                self.a.xor(r8, 1);
            }
            Unary::Invert => {
                self.a.xor(r8, -1);
                let bytes = operand.of.size() as u8;
                self.extend(r8, bytes, false);
            }
            Unary::Dereference | Unary::Address => {}
        }
        Ok(())
    }

    fn binary(&mut self, operator: Binary, left: &Expr, right: &Expr, span: Span) -> Read<()> {
        if matches!(operator, Binary::Equal | Binary::NotEqual) {
            match left.of {
                Type::Text(_) | Type::Tuple(_) | Type::Array(..) => self.difference(left, right)?,
                _ => {
                    self.operands(left, right)?;
                    self.alu(Alu::Xor, small(right));
                }
            }
            self.as_bool();
            if operator == Binary::Equal {
                self.a.xor(r8, 1);
            }
            return Ok(());
        }
        let orders = condition(operator, &left.of, &right.of).is_some();
        if orders || matches!(operator, Binary::And | Binary::Or) {
            let (wrong, done) = (self.a.label(), self.a.label());
            let whole = Expr {
                kind: ExprKind::Binary(operator, Box::new(left.clone()), Box::new(right.clone())),
                span,
                of: Type::Bool,
            };
            self.jump_unless(&whole, &wrong)?;
            self.a.mov(r8, 1);
            self.a.goto(&done);
            self.a.place(wrong);
            self.a.mov(r8, 0);
            self.a.place(done);
            return Ok(());
        }
        // A number is added to an address in what is there.
        let size = |of: &Type| match of {
            Type::Pointer(Pointer { to, .. }) => to.size().max(1) as i128,
            _ => 1,
        };
        match (size(&left.of), size(&right.of)) {
            (1, 1) => self.operands(left, right)?,
            (1, size) => self.operands(&times(left, size), right)?,
            (size, _) => {
                let right = times(right, size);
                self.operands(left, &right)?;
                return self.compute(operator, small(&right), span);
            }
        }
        self.compute(operator, small(right), span)
    }

    /// `r8 op= right`, which is in r1 unless an instruction can hold it.
    pub(super) fn compute(&mut self, operator: Binary, right: Option<i32>, span: Span) -> Read<()> {
        let operation = match operator {
            Binary::Add => Alu::Add,
            Binary::Subtract => Alu::Sub,
            Binary::Multiply => Alu::Mul,
            Binary::BitAnd => Alu::And,
            Binary::BitOr => Alu::Or,
            Binary::BitXor => Alu::Xor,
            Binary::ShiftLeft => Alu::Lsh,
            Binary::ShiftRight => Alu::Rsh,
            Binary::Divide | Binary::Remainder => return self.divide(operator, right, span),
            _ => return self.mistake(span, "this operator is not supported here"),
        };
        self.alu(operation, right);
        Ok(())
    }

    fn alu(&mut self, operation: Alu, right: Option<i32>) {
        let shifts = matches!(operation, Alu::Lsh | Alu::Rsh);
        match right {
            Some(number) if !shifts || (0..64).contains(&number) => {
                self.a.alu(operation, r8, number)
            }
            Some(number) => {
                self.a.mov(r1, number);
                self.a.alu(operation, r8, r1);
            }
            None => self.a.alu(operation, r8, r1),
        }
    }

    /// Division and remainder have no sign; by zero they give 1, and a warning.
    fn divide(&mut self, operator: Binary, right: Option<i32>, span: Span) -> Read<()> {
        let operation = if operator == Binary::Divide { Alu::Div } else { Alu::Mod };
        if let Some(number) = right.filter(|number| *number > 0) {
            self.a.alu(operation, r8, number);
            return Ok(());
        }
        if let Some(number) = right {
            self.a.mov(r1, number);
        }
        // As for a map that is full, what is seldom is not the way that goes straight on.
        let (zero, done) = (self.a.label(), self.a.label());
        self.a.jump_if(r1, Eq, 0, &zero);
        self.a.alu(operation, r8, r1);
        self.a.goto(&done);
        self.a.place(zero);
        self.warn(span, WarningKind::DivisionByZero)?;
        self.a.mov(r8, 1);
        self.a.place(done);
        Ok(())
    }

    /// `r8 = ` the `pid` or the `tid` of the task in a PID namespace.
    pub(super) fn task_number(&mut self, name: &str, namespace: Option<Namespace>) {
        self.task_numbers(namespace);
        match name {
            "pid" => {
                self.a.mov(r8, r0);
                self.a.rsh(r8, 32);
            }
            _ => self.a.mov(w8, w0),
        }
    }

    /// `r0 = ` the process and the thread that run, in the high and the low half, as a PID namespace numbers
    /// them; 0 if it does not.
    pub(super) fn task_numbers(&mut self, namespace: Option<Namespace>) {
        let Some(Namespace { device, inode }) = namespace else {
            return self.a.call(GET_CURRENT_PID_TGID);
        };
        let mark = self.mark();
        let numbers = self.spot(1);
        self.a.mov(w1, device as i32);
        self.a.mov(w2, inode as i32);
        self.a.load_address(r3, numbers.at(0));
        self.a.mov(w4, 8);
        // It clears the place if it fails.
        self.a.call(GET_NS_CURRENT_PID_TGID);
        self.a.load(r0, u32_at(numbers.at(4)));
        self.a.load(r1, u32_at(numbers.at(0)));
        self.a.lsh(r0, 32);
        self.a.or(r0, r1);
        self.release(mark);
    }

    pub(super) fn builtin(&mut self, name: &str, span: Span) -> Read<()> {
        match name {
            "pid" | "tid" => {
                let namespace = self.host.namespace();
                self.task_number(name, namespace);
            }
            "uid" | "gid" => {
                self.a.call(GET_CURRENT_UID_GID);
                match name {
                    "gid" => {
                        self.a.mov(r8, r0);
                        self.a.rsh(r8, 32);
                    }
                    _ => self.a.mov(w8, w0),
                }
            }
            "curtask" => {
                self.a.call(GET_CURRENT_TASK);
                self.a.mov(r8, r0);
            }
            "cpu" | "numaid" | "cgroup" | "jiffies" => {
                self.a.call(match name {
                    "cpu" => GET_SMP_PROCESSOR_ID,
                    "numaid" => GET_NUMA_NODE_ID,
                    "cgroup" => GET_CURRENT_CGROUP_ID,
                    _ => JIFFIES64,
                });
                self.a.mov(r8, r0);
            }
            "rand" => {
                self.a.call(GET_PRANDOM_U32);
                self.a.mov(w8, w0);
            }
            "nsecs" => {
                self.a.call(KTIME_GET_BOOT_NS);
                self.a.mov(r8, r0);
            }
            "elapsed" => {
                self.a.call(KTIME_GET_BOOT_NS);
                self.a.mov(r8, r0);
                self.constant(r1, self.host.started().into());
                self.a.sub(r8, r1);
            }
            "ncpus" => self.constant(r8, self.host.cpus().into()),
            "cpid" => self.constant(r8, self.host.child().into()),
            "retval" => {
                let event = &self.events[0];
                match (self.host.result(event), self.host.result_type(event)) {
                    (Ok(offset), Ok(of)) => self.load_word(r8, r6 + offset, &of),
                    (Err(why), _) | (_, Err(why)) => return self.mistake(span, why),
                }
            }
            _ => {
                let number = name.strip_prefix("arg").and_then(|number| number.parse().ok());
                match self.host.argument(&self.events[0], number.unwrap_or_default()) {
                    Ok(offset) => self.a.load(r8, u64_at(r6 + offset)),
                    Err(why) => return self.mistake(span, why),
                }
            }
        }
        Ok(())
    }

    /// `nsecs(mode)`
    pub(super) fn clock(&mut self, arguments: &[Argument], span: Span) -> Read<()> {
        let helper = match arguments {
            [Argument::Value(Expr { kind: ExprKind::Name(mode), .. })] => match &**mode {
                "monotonic" => KTIME_GET_NS,
                "tai" => KTIME_GET_TAI_NS,
                "sw_tai" => return self.mistake(span, "nsecs(sw_tai) is not supported"),
                _ => KTIME_GET_BOOT_NS,
            },
            _ => KTIME_GET_BOOT_NS,
        };
        self.a.call(helper);
        self.a.mov(r8, r0);
        Ok(())
    }
}

/// A number that is multiplied by another.
fn times(expr: &Expr, factor: i128) -> Expr {
    let kind = match expr.kind {
        ExprKind::Int(number) => ExprKind::Int(number.saturating_mul(factor)),
        _ => {
            let factor =
                Expr { kind: ExprKind::Int(factor), span: expr.span, of: Type::of_number(factor) };
            ExprKind::Binary(Binary::Multiply, Box::new(expr.clone()), Box::new(factor))
        }
    };
    Expr { kind, span: expr.span, of: Type::INT64 }
}

/// Whether a value can be loaded into any register without another.
pub(super) fn is_leaf(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Int(_) | ExprKind::Bool(_) | ExprKind::Place(Place::Variable(_)) => true,
        ExprKind::Field { .. } => expr.of.is_int() && expr.field_of_args().is_some(),
        ExprKind::Enumerator(..) => true,
        _ => false,
    }
}

/// Whether evaluating an expression may change a variable.
fn changes(expr: &Expr) -> bool {
    let mut found = false;
    expr.visit(&mut |expr| {
        found |=
            matches!(expr.kind, ExprKind::Step { .. } | ExprKind::Block(_) | ExprKind::If { .. })
    });
    found
}
