//! What is in memory: fields, elements of arrays, and what addresses lead to. It is copied, since an address
//! may be wrong.

use super::Lower;
use super::spot::Spot;
use crate::insn::Cond::Lt;
use crate::insn::helper::{
    PROBE_READ_KERNEL, PROBE_READ_KERNEL_STR, PROBE_READ_USER, PROBE_READ_USER_STR,
};
use crate::insn::{r1, r3, r6, r8, u64_at, w2};
use crate::script::ast::{Expr, ExprKind, Place};
use crate::script::cursor::Read;
use crate::script::host::Member;
use crate::script::types::{Int, Pointer, Type};

impl Lower<'_> {
    /// `r8 + ` the result `= ` where a value is, of which the bits may be a part of the bytes there.
    fn address(&mut self, expr: &Expr) -> Read<(i32, Option<(u32, u32)>)> {
        if let Some(field) = expr.field_of_args() {
            let field = self.field(field, expr.span)?;
            self.a.load_address(r8, r6 + field.offset);
            return Ok((0, None));
        }
        let Some(container) = expr.container() else {
            let spot = match &expr.kind {
                ExprKind::Place(Place::Variable(variable)) => self.variable(variable),
                _ => self.spot_of(expr)?,
            };
            self.a.load_address(r8, spot.at(0));
            return Ok((0, None));
        };
        let leads = matches!(container.of, Type::Pointer(_) | Type::Int(_));
        let (offset, bits) = match &expr.kind {
            ExprKind::Field { field, .. } => {
                let Member { offset, bits, .. } = self.member(&container.of, &field.text, expr)?;
                (offset as i128, bits)
            }
            ExprKind::Index(_, index) => match index.kind {
                ExprKind::Int(number) | ExprKind::Enumerator(number, _) => {
                    (number.saturating_mul(expr.of.size() as i128), None)
                }
                _ => {
                    self.element_address(container, index, expr.of.size(), leads)?;
                    return Ok((0, None));
                }
            },
            _ => (0, None),
        };
        let before = match leads {
            true => self.scalar(container).map(|()| 0)?,
            false => self.container_address(container)?,
        };
        match i32::try_from(offset + i128::from(before)) {
            Ok(offset) => Ok((offset, bits)),
            Err(_) => self.mistake(expr.span, "this is too far from the address"),
        }
    }

    /// `r8 + ` the result `= ` where a struct or an array is.
    fn container_address(&mut self, container: &Expr) -> Read<i32> {
        if container.field_of_args().is_none() {
            return Ok(self.address(container)?.0);
        }
        // The context's address cannot be computed with.
        let spot = self.spot_of(container)?;
        self.a.load_address(r8, spot.at(0));
        Ok(0)
    }

    /// `r8 = ` the address of an element whose index is known at run time only.
    fn element_address(
        &mut self,
        container: &Expr,
        index: &Expr,
        size: usize,
        leads: bool,
    ) -> Read<()> {
        let mark = self.mark();
        let kept = self.spot(1);
        match leads {
            true => self.scalar(container)?,
            false => {
                let offset = self.container_address(container)?;
                self.a.add(r8, offset);
            }
        }
        self.a.store(u64_at(kept.word(0)), r8);
        self.scalar(index)?;
        let mut whole = container;
        while let (Some(outer), Type::Array(..) | Type::Struct(_)) = (whole.container(), &whole.of)
        {
            whole = outer;
        }
        if !matches!(whole.of, Type::Pointer(_) | Type::Int(_)) {
            // It is in our own memory, of which the verifier wants to see that it is not left.
            let within = self.a.label();
            let count = container.of.size() / size.max(1);
            self.a.jump_if(r8, Lt, count as i32, &within);
            self.a.mov(r8, 0);
            self.a.place(within);
        }
        self.a.mul(r8, size as i32);
        self.a.load(r1, u64_at(kept.word(0)));
        self.a.add(r8, r1);
        self.release(mark);
        Ok(())
    }

    /// A member of a struct, or of the struct at an address.
    fn member(&self, of: &Type, name: &str, expr: &Expr) -> Read<Member> {
        let record = match of {
            Type::Pointer(Pointer { to, .. }) => to,
            of => of,
        };
        let found = match record {
            Type::Struct(record) => self.host.member(record, name),
            of => Err(format!("{of} has no field `{name}`")),
        };
        found.or_else(|why| self.mistake(expr.span, why))
    }

    /// `r8 = ` a number or an address in memory; 0 if it cannot be read.
    pub(super) fn load_memory(&mut self, expr: &Expr) -> Read<()> {
        let mark = self.mark();
        let (offset, bits) = self.address(expr)?;
        let bytes = match bits {
            Some((before, bits)) => (before + bits).div_ceil(8).min(8) as usize,
            None => expr.of.size(),
        };
        let kept = self.spot(1);
        if bits.is_some() {
            self.a.store(u64_at(kept.word(0)), 0);
        }
        self.read_memory(expr, offset, bytes, kept);
        match bits {
            Some((before, bits)) => {
                self.a.load(r8, u64_at(kept.at(0)));
                // In the order of memory, the bits before it are the low ones of a small end.
                let above = match cfg!(target_endian = "little") {
                    true => 64 - before - bits,
                    false => before,
                };
                self.a.lsh(r8, above as i32);
                match expr.of.is_signed() {
                    true => self.a.arsh(r8, 64 - bits as i32),
                    false => self.a.rsh(r8, 64 - bits as i32),
                }
            }
            None => self.load_sized(kept, bytes),
        }
        if let (Type::Int(Int { bytes, signed: true, .. }), None) = (&expr.of, bits) {
            self.extend(r8, *bytes, true);
        }
        self.release(mark);
        Ok(())
    }

    /// Writes an array, a struct or a string in memory to a place of so many words.
    pub(super) fn copy_memory(&mut self, expr: &Expr, words: usize, spot: Spot) -> Read<()> {
        let mark = self.mark();
        let (offset, _) = self.address(expr)?;
        let bytes = expr.of.size().min(8 * words);
        // Clearing it may take calls.
        let kept = self.spot(1);
        self.a.store(u64_at(kept.word(0)), r8);
        self.zero(spot, words);
        self.a.load(r8, u64_at(kept.word(0)));
        self.read_memory(expr, offset, bytes, spot);
        self.release(mark);
        Ok(())
    }

    /// Copies so many bytes from `r8 + offset` to a place, of a string those up to its end.
    fn read_memory(&mut self, expr: &Expr, offset: i32, bytes: usize, spot: Spot) {
        self.a.load_address(r1, spot.at(0));
        self.a.mov(w2, bytes as i32);
        self.a.mov(r3, r8);
        self.a.add(r3, offset);
        self.a.call(match (&expr.of, expr.is_of_process()) {
            (Type::Text(_), true) => PROBE_READ_USER_STR,
            (Type::Text(_), false) => PROBE_READ_KERNEL_STR,
            (_, true) => PROBE_READ_USER,
            (_, false) => PROBE_READ_KERNEL,
        });
    }
}
