//! The types of the functions that name, search and convert values.

use std::net::IpAddr;

use super::Infer;
use super::call::counted;
use crate::script::ast::{Argument, Expr, ExprKind, Span};
use crate::script::cursor::Read;
use crate::script::types::{Int, Naming, Type};

/// The most strings that `join()` prints.
pub const JOINED: usize = 16;

impl Infer<'_> {
    /// The type of a call's value; `None` if it is another function.
    pub(super) fn library(&mut self, expr: &mut Expr) -> Read<Option<Type>> {
        let span = expr.span;
        let ExprKind::Call { name, arguments } = &mut expr.kind else { return Ok(None) };
        let function = name.text.clone();
        let (least, most) = match &*function {
            "bswap" | "cgroup_path" | "kaddr" | "kptr" | "ksym" | "pton" | "signal_name"
            | "strerror" | "strlen" | "syscall_name" | "uptr" | "usym" => (1, 1),
            "buf" | "join" | "ntop" => (1, 2),
            "strcontains" | "strstr" => (2, 2),
            _ => return Ok(None),
        };
        if !(least..=most).contains(&arguments.len()) {
            return self.mistake(span, counted(&function, least, most, arguments.len()));
        }
        Ok(Some(match &*function {
            "ksym" => self.named(arguments, Naming::KernelSymbol, span)?,
            "strerror" => self.named(arguments, Naming::Error, span)?,
            "signal_name" => self.named(arguments, Naming::Signal, span)?,
            "syscall_name" => self.named(arguments, Naming::SystemCall, span)?,
            "cgroup_path" => self.named(arguments, Naming::Cgroup, span)?,
            "usym" => self.address(&function, &mut arguments[0], span).map(|_| Type::UserSymbol)?,
            "kptr" | "uptr" => {
                self.address(&function, &mut arguments[0], span)?.in_memory(function == "uptr")
            }
            "bswap" => match self.number(&mut arguments[0], span)? {
                Type::Int(Int { bytes, .. }) => Type::int(bytes, false),
                Type::Unknown => Type::Unknown,
                of => {
                    return self.mistake(span, format!("bswap() takes a number, and this is {of}"));
                }
            },
            "kaddr" => {
                let symbol = self.literal(&function, "name", &arguments[0], span)?;
                let symbol = String::from_utf8_lossy(symbol).into_owned();
                let Some(address) = self.host.kernel_address(&symbol) else {
                    return self.mistake(span, format!("the kernel has no symbol {symbol}"));
                };
                if self.last {
                    expr.kind = ExprKind::Int(address.into());
                }
                Type::UINT64
            }
            "strlen" => self.string(&function, &mut arguments[0], span).map(|()| Type::UINT64)?,
            "strcontains" | "strstr" => {
                self.string(&function, &mut arguments[0], span)?;
                self.literal(&function, "text", &arguments[1], span)?;
                if function == "strstr" { Type::INT64 } else { Type::Bool }
            }
            "pton" => {
                let text = self.literal(&function, "address", &arguments[0], span)?;
                let address = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
                let bytes = match address {
                    Some(IpAddr::V4(_)) => 4,
                    Some(IpAddr::V6(_)) => 16,
                    None => return self.mistake(span, "pton() takes an address of IPv4 or IPv6"),
                };
                Type::Array(Box::new(Type::int(1, false)), bytes)
            }
            "ntop" => {
                for argument in &mut arguments[..] {
                    self.number(argument, span)?;
                }
                match arguments.last() {
                    Some(Argument::Value(address)) => match &address.of {
                        Type::Int(_) | Type::Unknown => Type::Inet,
                        of if is_bytes(of) && matches!(of.size(), 4 | 16) => Type::Inet,
                        _ => return self.mistake(span, "ntop() takes 4 or 16 bytes"),
                    },
                    _ => return self.mistake(span, "ntop() takes 4 or 16 bytes"),
                }
            }
            "buf" => self.buffer(arguments, span)?,
            _ => {
                self.address(&function, &mut arguments[0], span)?;
                if let Some(between) = arguments.get(1) {
                    self.literal(&function, "text between", between, span)?;
                }
                Type::Nothing
            }
        }))
    }

    fn named(&mut self, arguments: &mut [Argument], naming: Naming, span: Span) -> Read<Type> {
        match (naming, self.number(&mut arguments[0], span)?) {
            (_, Type::Int(_) | Type::Unknown) | (Naming::KernelSymbol, Type::Pointer(_)) => {
                Ok(Type::Named(naming))
            }
            (_, of) => self.mistake(span, format!("a number is named here, and this is {of}")),
        }
    }

    /// The type of an argument that must be an address.
    fn address(&mut self, function: &str, argument: &mut Argument, span: Span) -> Read<Type> {
        match self.number(argument, span)? {
            Type::Int(_) | Type::Unknown => Ok(Type::address(self.addresses_are_of_process())),
            of @ Type::Pointer(_) => Ok(of),
            of => self.mistake(span, format!("{function}() takes an address, and this is {of}")),
        }
    }

    fn string(&mut self, function: &str, argument: &mut Argument, span: Span) -> Read<()> {
        match self.number(argument, span)? {
            Type::Text(_) | Type::Unknown => Ok(()),
            of => self.mistake(span, format!("{function}() takes a string, and this is {of}")),
        }
    }

    /// `buf(data, length)`
    fn buffer(&mut self, arguments: &mut [Argument], span: Span) -> Read<Type> {
        let of = self.number(&mut arguments[0], span)?;
        let known = self.constants(&mut arguments[1..])?;
        let most = self.settings.max_strlen as usize;
        let wanted = match known.as_deref() {
            Some([length]) => usize::try_from(*length).unwrap_or(most),
            Some(_) => match &of {
                Type::Array(..) => of.size(),
                Type::Unknown => most,
                of => {
                    let what = format!("buf() needs a length for {of}");
                    return self.mistake(span, what);
                }
            },
            None => most,
        };
        let size = match &of {
            Type::Int(_) | Type::Pointer(_) | Type::Unknown => wanted,
            of if is_bytes(of) => wanted.min(of.size()),
            of => {
                return self.mistake(
                    span,
                    format!("buf() takes an address or an array, and this is {of}"),
                );
            }
        };
        Ok(Type::Buffer(size.min(most)))
    }
}

/// Whether it is in memory as bytes: an array or a string.
fn is_bytes(of: &Type) -> bool {
    matches!(of, Type::Array(..) | Type::Text(_))
}
