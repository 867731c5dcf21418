//! The types of what is in memory: fields, elements of arrays, what addresses lead to; and casts, which say
//! what that is.

use super::Infer;
use crate::script::ast::{Argument, Expr, ExprKind, Span, TypeName};
use crate::script::cursor::Read;
use crate::script::probes::Event;
use crate::script::types::{Int, Pointer, Type};

impl Infer<'_> {
    /// The type of a struct's field, or of that of the struct at an address. `of_process` says whose memory
    /// has a struct that is no address.
    pub(super) fn member(
        &mut self,
        of: &Type,
        field: &str,
        of_process: bool,
        span: Span,
    ) -> Read<Type> {
        let (record, of_process) = match of {
            Type::Pointer(Pointer { to, of_process }) => (&**to, *of_process),
            of => (of, of_process),
        };
        match record {
            Type::Unknown => Ok(Type::Unknown),
            Type::Struct(record) => match self.host.member(record, field) {
                Ok(member) => Ok(member.of.in_memory(of_process)),
                Err(why) => self.mistake(span, why),
            },
            _ => self.mistake(span, format!("{of} has no field `{field}`")),
        }
    }

    /// The type of an element of an array, or of what is so many of them after an address.
    pub(super) fn indexed(&mut self, of: Type, index: Option<i128>, span: Span) -> Read<Type> {
        match of {
            Type::Unknown => Ok(Type::Unknown),
            Type::Array(of, count) => match index {
                // An array at the end of a struct may have any number of elements.
                Some(index) if count > 0 && !(0..count as i128).contains(&index) => {
                    self.mistake(span, format!("this array has {count} elements, from 0"))
                }
                _ => Ok(*of),
            },
            Type::Text(size) => match index {
                Some(index) if !(0..size as i128).contains(&index) => {
                    self.mistake(span, format!("this string has {size} bytes, from 0"))
                }
                _ => Ok(Type::int(1, true)),
            },
            Type::Pointer(_) => self.dereferenced(of, span),
            of => self.mistake(span, format!("{of} has no elements")),
        }
    }

    /// The type of what an address leads to. A number is that of 8 bytes without a sign.
    pub(super) fn dereferenced(&mut self, of: Type, span: Span) -> Read<Type> {
        match of {
            Type::Int(_) => Ok(Type::UINT64),
            Type::Pointer(Pointer { to, .. }) if *to != Type::Nothing => Ok(*to),
            of => {
                self.mistake(span, format!("what {of} leads to has no type; a cast gives it one"))
            }
        }
    }

    /// `(to)value`
    pub(super) fn cast(&mut self, to: &TypeName, from: &Type, span: Span) -> Read<Type> {
        let of = self.named_type(to)?;
        let bytes = |of: &Type| matches!(of, Type::Int(Int { bytes, .. }) if *bytes == 1);
        match (&of, from) {
            (
                Type::Int(_) | Type::Bool,
                Type::Unknown | Type::Int(_) | Type::Bool | Type::Pointer(_),
            ) => Ok(of),
            // An address stays one of the kernel or of the process.
            (Type::Pointer(_), Type::Pointer(Pointer { of_process, .. })) => {
                Ok(of.in_memory(*of_process))
            }
            (Type::Pointer(_), Type::Unknown | Type::Int(_)) => Ok(of),
            (Type::Array(element, count), Type::Text(size)) if bytes(element) => {
                Ok(Type::Array(element.clone(), if *count == 0 { *size } else { *count }))
            }
            (Type::Array(element, 0), Type::Int(int)) if element.size() > 0 => {
                Ok(Type::Array(element.clone(), usize::from(int.bytes).div_ceil(element.size())))
            }
            (Type::Array(..), Type::Int(_)) if of.size() <= 8 => Ok(of),
            (Type::Int(int), Type::Array(..)) if from.size() == usize::from(int.bytes) => Ok(of),
            _ => self.mistake(span, format!("{from} cannot become {of}")),
        }
    }

    /// A type by its name: one of the language, or of the kernel.
    pub(super) fn named_type(&mut self, name: &TypeName) -> Read<Type> {
        let own = if name.keyword.is_none() { Type::by_name(&name.name) } else { None };
        let mut of = match own {
            Some(of) => of,
            None if name.name == "void" => Type::Nothing,
            None if matches!(&*name.name, "string" | "buffer" | "inet") => {
                return self.mistake(name.span, format!("{} is not supported here", name.name));
            }
            None => match self.host.kernel_type(name.keyword, &name.name) {
                Ok(of) => of,
                Err(why) => return self.mistake(name.span, why),
            },
        };
        let of_process = self.addresses_are_of_process();
        for _ in 0..name.pointers {
            of = of.pointer(of_process);
        }
        for count in name.arrays.iter().rev() {
            let count = count.map_or(Some(0), |count| usize::try_from(count).ok());
            match count.filter(|count| count.saturating_mul(of.size()) <= MOST) {
                Some(count) => of = Type::Array(Box::new(of), count),
                None => return self.mistake(name.span, "this array is too large"),
            }
        }
        Ok(of)
    }

    /// `offsetof(struct x, field.of_it)`
    pub(super) fn offset(&mut self, arguments: &mut [Argument], span: Span) -> Read<usize> {
        let mut of = match &mut arguments[0] {
            Argument::Type(of) => self.named_type(of)?,
            Argument::Value(value) => self.value(value)?,
        };
        let mut fields = vec![];
        let found = match &arguments[1] {
            Argument::Value(value) => path(value, &mut fields),
            Argument::Type(_) => None,
        };
        if found.is_none() {
            return self.mistake(span, "offsetof() takes a struct and one of its fields");
        }
        let mut offset = 0;
        for field in fields {
            let member = match &of {
                Type::Struct(record) => self.host.member(record, field),
                of => Err(format!("{of} has no field `{field}`")),
            };
            match member {
                Ok(member) => {
                    offset += member.offset;
                    of = member.of;
                }
                Err(why) => return self.mistake(span, why),
            }
        }
        Ok(offset)
    }

    /// The type that an argument names, of which the parser could not see that it is one: `sizeof(pid_t)`.
    pub(super) fn type_by_word(&mut self, argument: &Argument) -> Read<Option<Type>> {
        let Argument::Value(Expr { kind: ExprKind::Name(name), span, .. }) = argument else {
            return Ok(None);
        };
        match self.builtin_type(name, *span) {
            Ok(None) => Ok(self.host.kernel_type(None, name).ok()),
            _ => Ok(None),
        }
    }

    /// Whether addresses that are numbers are those of the process that runs.
    pub(super) fn addresses_are_of_process(&self) -> bool {
        self.events.iter().all(Event::is_of_process)
    }
}

/// The fields of `a.b.c`, from the first on.
fn path<'a>(expr: &'a Expr, fields: &mut Vec<&'a str>) -> Option<()> {
    match &expr.kind {
        ExprKind::Name(name) => fields.push(name),
        ExprKind::Field { object, field, .. } => {
            path(object, fields)?;
            fields.push(&field.text);
        }
        _ => return None,
    }
    Some(())
}

/// The largest array of a script, in bytes.
const MOST: usize = 1 << 16;
