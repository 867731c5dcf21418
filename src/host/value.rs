//! Numbers that a program finds through its context: an argument, a result, a field of a record, and
//! fields that pointers lead to from there.

use std::fmt;
use std::str::FromStr;

use super::probe::{Attach, AttachKind, Fentry, Kprobe, RawTp, TpBtf, Tracepoint};
use super::symbol::UserFunction;
use super::types::KernelTypes;
use super::{refusal, registers};
use crate::btf::{Btf, BtfError, Number, Parameter, Signature, Type, TypeKind};
use crate::error::Error;
use crate::sys::link::At;
use crate::sys::{Errno, Tracefs, kallsyms};

/// An expression for a number: `arg0`, `retval`, `bytes`, `rq->q->nr_requests`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expression {
    root: Root,
    /// For each field: whether a pointer is followed to it, and its name.
    path: Vec<(bool, String)>,
}

/// The first name of an expression.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Root {
    /// `arg0` is the first.
    Argument(usize),
    Result,
    /// An argument's name, or that of a record's field.
    Name(String),
}

impl Expression {
    /// Whether the expression begins with a call's result.
    pub fn is_of_result(&self) -> bool {
        self.root == Root::Result
    }

    /// Whether the expression begins with an argument's number.
    pub fn is_of_argument(&self) -> bool {
        matches!(self.root, Root::Argument(_))
    }

    /// The last name in the expression: `nr_requests`.
    pub fn last(&self) -> String {
        self.path.last().map_or_else(|| self.root.to_string(), |(_, name)| name.clone())
    }
}

impl FromStr for Expression {
    type Err = String;

    fn from_str(text: &str) -> Result<Expression, String> {
        let (root, mut rest) = identifier(text)?;
        let root = match (root, root.strip_prefix("arg").map(str::parse)) {
            ("retval", _) => Root::Result,
            (_, Some(Ok(number))) if number < 6 => Root::Argument(number),
            (_, Some(Ok(_))) => return Err("the arguments are arg0 to arg5".into()),
            (name, _) => Root::Name(name.into()),
        };
        let mut path = vec![];
        while !rest.is_empty() {
            let (pointer, field) = match (rest.strip_prefix("->"), rest.strip_prefix('.')) {
                (Some(field), _) => (true, field),
                (_, Some(field)) => (false, field),
                _ => return Err(format!("a -> or a . is missing before {rest:?}")),
            };
            let (name, after) = identifier(field)?;
            path.push((pointer, name.into()));
            rest = after;
        }
        Ok(Expression { root, path })
    }
}

/// The name that a text begins with, and the rest after it.
fn identifier(text: &str) -> Result<(&str, &str), String> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = text.find(|c| !part(c)).unwrap_or(text.len());
    match text.split_at(end) {
        (name, rest) if !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) => {
            Ok((name, rest))
        }
        _ if text.is_empty() => Err("a name is missing".into()),
        _ => Err(format!("{text:?} does not begin with a name")),
    }
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Root::Argument(number) => write!(f, "arg{number}"),
            Root::Result => f.write_str("retval"),
            Root::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)?;
        let mut path = self.path.iter();
        path.try_for_each(|(pointer, name)| write!(f, "{}{name}", through(*pointer)))
    }
}

fn through(pointer: bool) -> &'static str {
    if pointer { "->" } else { "." }
}

/// The place of a number: how a program finds and reads it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TracedValue {
    /// The place in the context of the number, or of the first pointer to it.
    pub origin: ContextPlace,
    /// The offsets of the pointers from there on, and at last of the number.
    pub path: Vec<i32>,
    /// How it is stored.
    pub number: Number,
}

/// A place in a program's context, in bytes from its beginning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContextPlace {
    /// A register or an argument of 64 bits; the number is in the lowest bits.
    Word(i32),
    /// A field of a tracepoint's record, of the number's own size.
    Field(i32),
}

/// An untyped, register-sized number.
const WORD: Number = Number { size: 8, signed: false, pointer: false };

impl TracedValue {
    /// A value of a kernel function: at its entry or, for a result, at its return.
    ///
    /// # Errors
    /// The function has no such argument, or there is no such field; or the types that are needed are
    /// not known.
    pub fn of_function(
        function: &str,
        kind: AttachKind,
        expression: &Expression,
        types: &KernelTypes,
    ) -> Result<(Attach, TracedValue), Error> {
        let mut of = Typed::look_up(function, TypeKind::Func, function, types)?;
        if of.signature.is_none() && (kind == AttachKind::Fentry || expression.needs_types()) {
            return Err(of.unknown(expression));
        }
        let id = of.id.filter(|_| !types.are_from_file());
        let attach = match kind {
            AttachKind::Fentry => Fentry::new(function, id, expression.at()).into(),
            _ => Kprobe::new(function, expression.at()).into(),
        };
        Ok((attach, of.value(kind, expression)?))
    }

    /// A value of a tracepoint's arguments, which are numbered: `arg0->__data_len`.
    ///
    /// # Errors
    /// As [`TracedValue::of_function`].
    pub fn of_tracepoint(
        category: &str,
        name: &str,
        kind: AttachKind,
        expression: &Expression,
        types: &KernelTypes,
    ) -> Result<(Attach, TracedValue), Error> {
        let typedef = format!("btf_trace_{name}");
        let mut of = Typed::look_up(name, TypeKind::Typedef, &typedef, types)?;
        match &mut of.signature {
            // The first parameter is not the program's.
            Some(signature) => drop(signature.parameters.drain(..1)),
            None if of.btf.is_some() => return Err(refusal::no_tracepoint(category, name)),
            None if expression.needs_types() => return Err(of.unknown(expression)),
            None => {}
        }
        let attach = match kind {
            AttachKind::TpBtf => TpBtf::new(name, of.id.filter(|_| !types.are_from_file())).into(),
            _ => RawTp::new(name).into(),
        };
        Ok((attach, of.value(kind, expression)?))
    }

    /// A field of a tracepoint's record.
    ///
    /// # Errors
    /// There is no such tracepoint, or its record has no such field or no number there; or tracefs
    /// cannot be read.
    pub fn of_record(
        category: &str,
        name: &str,
        expression: &Expression,
    ) -> Result<(Attach, TracedValue), Error> {
        let tracefs = Tracefs::find().ok_or_else(refusal::no_tracefs)?;
        let format =
            tracefs.tracepoint_format(category, name).map_err(|error| match error.errno() {
                Errno::ENOENT => refusal::no_tracepoint(category, name),
                _ => Error::failed(error.to_string()),
            })?;
        let asked = expression.to_string();
        // Programs may not read the fields before.
        let mut fields = format.fields.iter().filter(|field| field.offset >= 8);
        let field = fields.clone().find(|field| field.name == asked).ok_or_else(|| {
            let what = format!("{category}:{name} has no field {asked}");
            refusal::misspelt(what, &asked, fields.by_ref().map(|field| &*field.name))
        })?;
        let number = Number { size: field.size, signed: field.signed, pointer: false };
        if !matches!(field.size, 1 | 2 | 4 | 8)
            || field.is_data_location()
            || field.declaration.contains('[')
        {
            return Err(Error::failed(format!("{asked} is not a number: {}", field.declaration)));
        }
        let origin = ContextPlace::Field(field.offset as i32);
        let attach = Tracepoint::new(category, name);
        Ok((attach.into(), TracedValue { origin, path: vec![], number }))
    }

    /// A register of a user function, whose types are not known.
    ///
    /// # Errors
    /// The expression is more than an argument's number or the result.
    pub fn of_user_function(
        function: &UserFunction,
        expression: &Expression,
    ) -> Result<TracedValue, Error> {
        if expression.needs_types() {
            return Err(Error::usage(format!(
                "{expression}: only arg0 to arg5 and retval of a user function can be read"
            )));
        }
        let mut of =
            Typed { name: &function.symbol, btf: None, id: None, signature: None, types: None };
        of.value(AttachKind::Uprobe, expression)
    }
}

impl Expression {
    /// Whether the value is read at its function's entry or return.
    pub fn at(&self) -> At {
        if self.is_of_result() { At::Return } else { At::Entry }
    }

    fn needs_types(&self) -> bool {
        !self.path.is_empty() || matches!(self.root, Root::Name(_))
    }
}

/// A function or tracepoint, with its types if the kernel's BTF has them.
struct Typed<'a> {
    name: &'a str,
    types: Option<&'a KernelTypes>,
    btf: Option<Btf<'a>>,
    id: Option<u32>,
    signature: Option<Signature>,
}

impl<'a> Typed<'a> {
    fn look_up(
        name: &'a str,
        kind: TypeKind,
        of_type: &str,
        types: &'a KernelTypes,
    ) -> Result<Typed<'a>, Error> {
        let mut of =
            Typed { name, types: Some(types), btf: types.btf()?, id: None, signature: None };
        if let Some(btf) = &mut of.btf {
            let found = btf.find_all(&[(kind, of_type)]).map_err(|error| types.error(&error))?;
            if let Some((id, record)) = found[0] {
                of.id = Some(id);
                of.signature = btf.signature(&record).map_err(|error| types.error(&error))?;
            }
        }
        Ok(of)
    }

    /// The error for a function or tracepoint whose types are needed but not known.
    fn unknown(&self, expression: &Expression) -> Error {
        let name = self.name;
        if self.btf.is_none() {
            return refusal::no_btf(&format!("{expression} of {name}"));
        }
        match kallsyms::count_functions(name) {
            Ok(0) => refusal::no_function(name),
            _ => Error::failed(format!("the kernel's BTF does not have the arguments of {name}"))
                .hint("try: arg0 to arg5 or retval alone, with --attach kprobe"),
        }
    }

    fn value(&mut self, kind: AttachKind, expression: &Expression) -> Result<TracedValue, Error> {
        let index = self.index(&expression.root)?;
        let parameters = self.signature.iter().flat_map(|signature| &signature.parameters);
        // A big struct has the place of several arguments.
        let words = match self.signature {
            Some(_) => parameters.take(index).map(|one| one.words as usize).sum(),
            None => index,
        };
        let word = match (kind, expression.is_of_result()) {
            (AttachKind::Kprobe | AttachKind::Uprobe, result) => {
                let registers = registers::host().ok_or_else(|| {
                    let arch = std::env::consts::ARCH;
                    Error::lacking(format!(
                        "the registers of a function's arguments on {arch} are unknown"
                    ))
                })?;
                let argument = registers.arguments.get(words).copied();
                let register = if result { Some(registers.result) } else { argument };
                register.ok_or_else(|| {
                    Error::failed(format!(
                        "{} of {} is not in a register",
                        expression.root, self.name
                    ))
                })?
            }
            // The result comes after the arguments.
            _ => 8 * words as i32,
        };
        let (path, number) = match (&mut self.btf, &self.signature, self.types) {
            (Some(btf), Some(signature), Some(types)) => {
                let type_id = match signature.parameters.get(index) {
                    Some(parameter) => parameter.type_id,
                    None => signature.returns,
                };
                follow(btf, type_id, expression)
                    .map_err(|error| error.explained(|error| types.error(error)))?
            }
            _ => (vec![], WORD),
        };
        Ok(TracedValue { origin: ContextPlace::Word(word), path, number })
    }

    /// The argument's index; for the result, the number of arguments.
    fn index(&self, root: &Root) -> Result<usize, Error> {
        let Some(Signature { parameters, returns }) = &self.signature else {
            return Ok(if let Root::Argument(number) = root { *number } else { 0 });
        };
        let index = match root {
            Root::Argument(number) => Some(*number).filter(|number| *number < parameters.len()),
            Root::Name(name) => parameters.iter().position(|one| one.name == *name),
            Root::Result if *returns == 0 => {
                return Err(Error::failed(format!("{} returns nothing", self.name)));
            }
            Root::Result => Some(parameters.len()),
        };
        index.ok_or_else(|| {
            let what = format!("{} has no argument {root}", self.name);
            let numbered = |(number, one): (usize, &Parameter)| match &*one.name {
                "" => format!("arg{number}"),
                name => format!("arg{number} ({name})"),
            };
            let numbered: Vec<_> = parameters.iter().enumerate().map(numbered).collect();
            match root {
                // No number is more similar than another.
                Root::Argument(_) => refusal::misspelt(what, "", numbered.iter().map(|one| &**one)),
                _ => {
                    let names = parameters.iter().map(|one| &*one.name);
                    refusal::misspelt(what, &root.to_string(), names)
                }
            }
        })
    }
}

/// Why a path could not be followed.
enum PathError {
    Said(Error),
    Malformed(BtfError),
}

impl From<BtfError> for PathError {
    fn from(error: BtfError) -> PathError {
        match error {
            BtfError::Bitfield(field) => PathError::Said(Error::failed(format!(
                "{field} is a bitfield, which cannot be read"
            ))),
            error => PathError::Malformed(error),
        }
    }
}

impl PathError {
    fn explained(self, explain: impl FnOnce(&BtfError) -> Error) -> Error {
        match self {
            PathError::Said(error) => error,
            PathError::Malformed(error) => explain(&error),
        }
    }
}

/// The offsets from a value of this type to the number of the expression.
fn follow(
    btf: &mut Btf<'_>,
    mut type_id: u32,
    expression: &Expression,
) -> Result<(Vec<i32>, Number), PathError> {
    let mut offsets = vec![];
    let mut place = expression.root.to_string();
    for (pointer, field) in &expression.path {
        let pointee = btf.pointee(type_id)?;
        let record = btf.record_of(type_id)?;
        let record = match (pointer, pointee, record) {
            (true, Some(pointee), _) => {
                offsets.push(0);
                pointee
            }
            (false, _, Some(record)) if !offsets.is_empty() => record,
            (false, Some(_), _) | (true, _, Some(_)) => {
                let other = through(!pointer);
                let error = Error::failed(match pointer {
                    true => format!("{place} is not a pointer"),
                    false => format!("{place} is a pointer"),
                });
                return Err(PathError::Said(error.hint(format!("try: {place}{other}{field}"))));
            }
            _ => {
                let what = format!("{place} does not point to a struct: it has no {field}");
                return Err(PathError::Said(Error::failed(what)));
            }
        };
        let Some(found) = btf.placement_in(&record, field)? else {
            let what = format!("{} has no field {field}", name(&record)?);
            return Err(PathError::Said(misspelt_field(btf, &record, what, field)?));
        };
        if let (Some(last), Ok(offset)) = (offsets.last_mut(), i32::try_from(found.offset)) {
            *last += offset;
        }
        type_id = found.type_id;
        place = format!("{place}{}{field}", through(*pointer));
    }
    if let Some(number) = btf.number(type_id)? {
        return Ok((offsets, number));
    }
    Err(PathError::Said(match btf.record_of(type_id)? {
        Some(record) => {
            let what = format!("{place} is a {}: name one of its fields", name(&record)?);
            misspelt_field(btf, &record, what, "")?
        }
        None => Error::failed(format!("{place} is not a number")),
    }))
}

/// `struct request`
fn name(record: &Type<'_>) -> Result<String, BtfError> {
    let keyword = if record.kind() == TypeKind::Union { "union" } else { "struct" };
    let name = String::from_utf8_lossy(record.name()?).into_owned();
    Ok(if name.is_empty() { keyword.to_owned() } else { format!("{keyword} {name}") })
}

fn misspelt_field<'a>(
    btf: &mut Btf<'a>,
    record: &Type<'a>,
    what: String,
    field: &str,
) -> Result<Error, BtfError> {
    let names = btf.member_names(record)?;
    let names: Vec<_> = names.into_iter().map(String::from_utf8_lossy).collect();
    Ok(refusal::misspelt(what, field, names.iter().map(|name| &**name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read_as_in_c() {
        let path = |path: &[(bool, &str)]| -> Vec<(bool, String)> {
            path.iter().map(|(pointer, name)| (*pointer, (*name).to_owned())).collect()
        };
        for (text, root, fields) in [
            ("arg0", Root::Argument(0), &[][..]),
            ("arg5", Root::Argument(5), &[]),
            ("retval", Root::Result, &[]),
            ("argument", Root::Name("argument".into()), &[]),
            ("rq->q->nr_requests", Root::Name("rq".into()), &[(true, "q"), (true, "nr_requests")]),
            ("arg0->bi_iter.bi_size", Root::Argument(0), &[(true, "bi_iter"), (false, "bi_size")]),
        ] {
            let expression: Expression = text.parse().unwrap();
            assert_eq!(expression, Expression { root, path: path(fields) });
            assert_eq!(expression.to_string(), text);
        }
    }

    #[test]
    fn nonsense_is_an_error() {
        for text in
            ["", "0", "arg6", "arg0-", "arg0->", "arg0->->q", "a b", "a->b[0]", "->q", "é", "a.é"]
        {
            assert!(text.parse::<Expression>().is_err(), "{text}");
        }
    }
}
