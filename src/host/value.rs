//! Values that a program finds through its context: an argument, a result, a field of a record, and
//! fields that pointers lead to from there.

use super::expression::{Expression, Form, Memory, Root, through};
use super::probe::{Attach, AttachKind, Fentry, Kprobe, RawTp, TpBtf, Tracepoint};
use super::registers::ARGUMENTS;
use super::symbol::UserFunction;
use super::types::{KernelTypes, TypedFunction};
use super::{refusal, registers};
use crate::btf::{Btf, BtfError, Characters, Number, Parameter, Signature, Type, TypeKind};
use crate::error::Error;
use crate::sys::link::At;
use crate::sys::tracefs::FormatField;
use crate::sys::{Errno, Tracefs};

/// A value that a program can find and read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TracedValue {
    /// The place in the context of the value, or of the first pointer to it.
    pub origin: ContextPlace,
    /// The offsets of the pointers from there on, and at last of the value.
    pub path: Vec<i32>,
    /// What is there.
    pub content: Content,
}

/// What a value is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content {
    /// A number.
    Number(TracedNumber),
    /// A string.
    Text(TracedText),
}

/// A number in memory or in a register.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TracedNumber {
    /// How it is stored.
    pub stored: Number,
    /// Of a bitfield, how many bits are below it, and its own.
    pub bits: Option<(u32, u32)>,
    /// The type that it is converted to, as a cast does it in C.
    pub cast: Option<Number>,
    /// The names of the values of an enumeration, in the order of the values.
    pub names: Vec<(u64, String)>,
}

impl TracedNumber {
    /// A number that is stored like this.
    pub fn stored(stored: Number) -> TracedNumber {
        TracedNumber { stored, bits: None, cast: None, names: vec![] }
    }

    /// Whether it can be below 0.
    pub fn is_signed(&self) -> bool {
        self.cast.unwrap_or(self.stored).signed
    }
}

/// A string.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TracedText {
    /// Where its characters are.
    pub at: TextPlace,
    /// The memory that has them.
    pub memory: Memory,
    /// The bytes of the array that holds it; `None` if it ends at its first zero.
    pub array: Option<u32>,
}

/// Where the characters of a string are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextPlace {
    /// At the value's place.
    Here,
    /// Where the address says that is at the value's place.
    Pointer,
    /// In the record, as many bytes after this offset as the lower half of the u32 at the value's place says.
    Record(i32),
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

/// Whether an address says whose it is: the kernel's own are those with the highest bit. On s390x each process has the
/// same addresses as the kernel.
const SAYS_WHOSE: bool = !cfg!(target_arch = "s390x");

/// The memory that an address at `place` is of, which a function or tracepoint of the kernel has.
fn memory_at(place: &str, said: Option<Memory>) -> Result<Memory, Error> {
    match said {
        Some(memory) => Ok(memory),
        None if SAYS_WHOSE => Ok(Memory::ByAddress),
        None => {
            let what = format!(
                "{place} may be an address of the process or of the kernel: here both have the same addresses"
            );
            Err(Error::usage(what)
                .hint(format!("for the process's memory: 'str(uptr({place}))'; for the kernel's: 'str(kptr({place}))'")))
        }
    }
}

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
        let found = types.function(function)?;
        let attach = match kind {
            AttachKind::Fentry => Fentry::of(function, &found, expression.at(), types)?.into(),
            _ => Kprobe::new(function, expression.at()).into(),
        };
        let TypedFunction { btf, signature, module, .. } = found;
        if signature.is_none() && (kind == AttachKind::Fentry || expression.needs_types()) {
            return Err(match module {
                Some(module) => refusal::no_types(function, Some(&module)),
                None if btf.is_some() => refusal::no_types(function, None),
                None => no_btf(function, expression),
            });
        }
        let (types, arguments) = (Some(types), None);
        let mut of = Typed { name: function, types, btf, id: None, signature, arguments };
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
        let mut of = Typed::look_up(name, &typedef, types)?;
        match &mut of.signature {
            // The first parameter is not the program's.
            Some(signature) => drop(signature.parameters.drain(..1)),
            None if of.btf.is_some() => return Err(refusal::no_tracepoint(category, name)),
            None if expression.needs_types() => return Err(no_btf(name, expression)),
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
                _ => refusal::file(&error),
            })?;
        let asked = expression.place();
        // Programs may not read the fields before.
        let mut fields = format.fields.iter().filter(|field| field.offset >= 8);
        let field = fields.clone().find(|field| field.name == asked).ok_or_else(|| {
            let what = format!("{category}:{name} has no field {asked}");
            refusal::misspelt(what, &asked, fields.by_ref().map(|field| &*field.name))
        })?;
        let content = content_of_field(category, field, &expression.form)?;
        let origin = ContextPlace::Field(field.offset as i32);
        let attach = Tracepoint::new(category, name);
        Ok((attach.into(), TracedValue { origin, path: vec![], content }))
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
                "{expression}: only {ARGUMENTS} and retval of a user function can be read"
            )));
        }
        let arguments = match expression.at() {
            At::Entry => Some(function.arguments()?),
            At::Return => function.check_return().map(|()| None)?,
        };
        let mut of = Typed {
            name: &function.symbol,
            btf: None,
            id: None,
            signature: None,
            types: None,
            arguments,
        };
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
    /// Where a user function has its arguments, which may be elsewhere than those of the kernel's functions.
    arguments: Option<&'static [i32]>,
}

impl<'a> Typed<'a> {
    fn look_up(name: &'a str, typedef: &str, types: &'a KernelTypes) -> Result<Typed<'a>, Error> {
        let mut of = Typed {
            name,
            types: Some(types),
            btf: types.btf()?,
            id: None,
            signature: None,
            arguments: None,
        };
        if let Some(btf) = &mut of.btf {
            let found = btf
                .find_all(&[(TypeKind::Typedef, typedef)])
                .map_err(|error| types.error(&error))?;
            if let Some((id, record)) = found[0] {
                of.id = Some(id);
                of.signature = btf.signature(&record).map_err(|error| types.error(&error))?;
            }
        }
        Ok(of)
    }

    fn value(&mut self, kind: AttachKind, expression: &Expression) -> Result<TracedValue, Error> {
        let index = self.index(&expression.root)?;
        let parameters = self.signature.iter().flat_map(|signature| &signature.parameters);
        // A big struct has the place of several arguments.
        let before: Vec<_> = match self.signature {
            Some(_) => parameters.take(index).map(|one| one.words).collect(),
            None => vec![1; index],
        };
        let word = match (kind, expression.is_of_result()) {
            (AttachKind::Kprobe | AttachKind::Uprobe, result) => {
                let registers = registers::host().ok_or_else(|| {
                    let arch = std::env::consts::ARCH;
                    Error::lacking(format!(
                        "the registers of a function's arguments on {arch} are unknown"
                    ))
                })?;
                let register = match (result, self.arguments) {
                    (true, _) => Some(registers.result),
                    (false, Some(arguments)) => arguments.get(index).copied(),
                    (false, None) => {
                        let result = self.words_of_result()?;
                        registers.argument(&mut before.into_iter(), result)
                    }
                };
                register.ok_or_else(|| {
                    Error::failed(format!(
                        "{} of {} is not in a register",
                        expression.root, self.name
                    ))
                })?
            }
            // The result comes after the arguments.
            _ => 8 * before.iter().sum::<u32>() as i32,
        };
        let (path, content) = match (&mut self.btf, &self.signature, self.types) {
            (Some(btf), Some(signature), Some(types)) => {
                let type_id = match signature.parameters.get(index) {
                    Some(parameter) => parameter.type_id,
                    None => signature.returns,
                };
                follow(btf, type_id, expression)
                    .map_err(|error| error.explained(|error| types.error(error)))?
            }
            _ => {
                let of_process = (kind == AttachKind::Uprobe).then_some(Memory::User);
                (vec![], untyped(expression, of_process)?)
            }
        };
        Ok(TracedValue { origin: ContextPlace::Word(word), path, content })
    }

    /// How many words of memory the struct has that the function returns, if it does.
    fn words_of_result(&mut self) -> Result<Option<u32>, Error> {
        let (Some(btf), Some(signature), Some(types)) =
            (&mut self.btf, &self.signature, self.types)
        else {
            return Ok(None);
        };
        let record = btf.record_of(signature.returns).map_err(|error| types.error(&error))?;
        Ok(record.map(|record| record.size_or_type().div_ceil(8)))
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

/// The error for a function or tracepoint whose types are needed on a kernel without BTF.
fn no_btf(name: &str, expression: &Expression) -> Error {
    refusal::no_btf(&format!("{expression} of {name}")).hint(format!(
        "try: --btf FILE with this kernel's types; or {ARGUMENTS} or retval of a function \
         alone, with --attach kprobe"
    ))
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

/// A value of which only the size is known, which is that of a register. An address is of this memory, if that is
/// known.
fn untyped(expression: &Expression, memory: Option<Memory>) -> Result<Content, Error> {
    Ok(match &expression.form {
        Form::Text(said) => {
            let memory = memory_at(&expression.place(), said.or(memory))?;
            Content::Text(TracedText { at: TextPlace::Pointer, memory, array: None })
        }
        Form::Plain => Content::Number(TracedNumber::stored(WORD)),
        Form::Cast { number, .. } => {
            Content::Number(TracedNumber { cast: Some(*number), ..TracedNumber::stored(WORD) })
        }
    })
}

/// The content of a tracepoint's field.
fn content_of_field(category: &str, field: &FormatField, form: &Form) -> Result<Content, Error> {
    let FormatField { name, declaration, size, signed, .. } = field;
    let is_array = declaration.contains('[');
    let of_char = declaration.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let of_char = of_char.into_iter().any(|word| word == "char");
    // "unsigned char" and "u8" are numbers, unless somebody says that they are a string.
    let of_char = of_char && !declaration.contains("signed");
    let of_byte = of_char || ["unsigned char", "u8"].iter().any(|word| declaration.contains(word));
    let text = |at, memory, array| Content::Text(TracedText { at, memory, array });
    let number = matches!(size, 1 | 2 | 4 | 8) && !is_array;
    match form {
        Form::Plain | Form::Text(None)
            if is_array && (of_char || *form == Form::Text(None) && of_byte) =>
        {
            Ok(match field.data_location() {
                Some(base) => text(TextPlace::Record(base as i32), Memory::Kernel, None),
                None => text(TextPlace::Here, Memory::Kernel, Some(*size)),
            })
        }
        Form::Text(said) if number && *size == 8 => {
            // What a process hands over is its own.
            let said = said.or((category == "syscalls").then_some(Memory::User));
            Ok(text(TextPlace::Pointer, memory_at(name, said)?, None))
        }
        Form::Text(_) => Err(Error::failed(format!("{name} is not a string: {declaration}"))),
        Form::Cast { .. } if is_array && of_char => {
            Err(Error::failed(format!("{name} is a string, not a number: {declaration}"))
                .hint(format!("try: {name}")))
        }
        _ if !number => {
            let error = Error::failed(format!("{name} is not a number: {declaration}"));
            Err(if is_array && of_byte { error.hint(format!("try: str({name})")) } else { error })
        }
        _ => {
            let stored = Number { size: *size, signed: *signed, pointer: false };
            let cast = cast(form);
            Ok(Content::Number(TracedNumber { cast, ..TracedNumber::stored(stored) }))
        }
    }
}

fn cast(form: &Form) -> Option<Number> {
    match form {
        Form::Cast { number, .. } => Some(*number),
        Form::Plain | Form::Text(_) => None,
    }
}

/// The offsets from a value of this type to what the expression is for.
fn follow(
    btf: &mut Btf<'_>,
    mut type_id: u32,
    expression: &Expression,
) -> Result<(Vec<i32>, Content), PathError> {
    let mut offsets = vec![];
    let mut bits = None;
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
        let (offset, found) = match btf.placement_in(&record, field) {
            Err(BtfError::Bitfield(_)) if cfg!(target_endian = "little") => {
                let found =
                    btf.bits_in(&record, field)?.ok_or(BtfError::Bitfield(field.clone()))?;
                bits = Some((found.shift, found.bits));
                (found.offset, found.type_id)
            }
            found => match found? {
                Some(found) => (found.offset, found.type_id),
                None => {
                    let what = format!("{} has no field {field}", name(&record)?);
                    return Err(PathError::Said(misspelt_field(btf, &record, what, field)?));
                }
            },
        };
        if let (Some(last), Ok(offset)) = (offsets.last_mut(), i32::try_from(offset)) {
            *last += offset;
        }
        type_id = found;
        place = format!("{place}{}{field}", through(*pointer));
    }
    if let Some(content) = content(btf, type_id, expression, bits, !offsets.is_empty())? {
        return Ok((offsets, content));
    }
    Err(PathError::Said(match btf.record_of(type_id)? {
        Some(record) => {
            let what = format!("{place} is a {}: name one of its fields", name(&record)?);
            misspelt_field(btf, &record, what, "")?
        }
        None => unsuitable(btf, type_id, &place, &expression.form)?,
    }))
}

/// The content of a value of this type, if it is of the form that is asked for. An array can only be read in
/// memory that a pointer led to.
fn content(
    btf: &mut Btf<'_>,
    type_id: u32,
    expression: &Expression,
    bits: Option<(u32, u32)>,
    in_memory: bool,
) -> Result<Option<Content>, PathError> {
    let form = &expression.form;
    let characters = btf.characters(type_id)?;
    // Where an address does not tell, what a pointer of the kernel leads to has mostly pointers of the kernel.
    let memory = |said: Option<Memory>| {
        let of_kernel = (in_memory && !SAYS_WHOSE).then_some(Memory::Kernel);
        memory_at(&expression.place(), said.or(of_kernel)).map_err(PathError::Said)
    };
    let text = |at, memory, array| Content::Text(TracedText { at, memory, array });
    match (form, characters) {
        (Form::Plain, Some(Characters::Array(bytes, true)))
        | (Form::Text(None), Some(Characters::Array(bytes, _)))
            if in_memory =>
        {
            let array = Some(bytes).filter(|bytes| *bytes > 0);
            return Ok(Some(text(TextPlace::Here, Memory::Kernel, array)));
        }
        (Form::Text(said), Some(Characters::Pointer)) => {
            return Ok(Some(text(TextPlace::Pointer, memory(*said)?, None)));
        }
        _ => {}
    }
    let Some(mut stored) = btf.number(type_id)? else {
        return Ok(None);
    };
    // A number of 64 bits may be an address, a pointer to something else has no characters.
    if let Form::Text(said) = form {
        if stored.size == 8 && !stored.pointer && bits.is_none() {
            return Ok(Some(text(TextPlace::Pointer, memory(*said)?, None)));
        }
        return Ok(None);
    }
    let cast = cast(form);
    let names = if cast.is_none() { btf.names_of_values(type_id)? } else { vec![] };
    if let Some((shift, bits)) = bits {
        stored.size = (shift + bits).div_ceil(8).next_power_of_two();
        if stored.size > 8 {
            return Ok(None);
        }
    }
    Ok(Some(Content::Number(TracedNumber { stored, bits, cast, names })))
}

/// The error for a value that has no fields and is not of the form that was asked for.
fn unsuitable(
    btf: &mut Btf<'_>,
    type_id: u32,
    place: &str,
    form: &Form,
) -> Result<Error, PathError> {
    let characters = btf.characters(type_id)?;
    Ok(match (form, characters) {
        (Form::Text(_), _) => {
            Error::failed(format!("{place} is not a string and does not point to one"))
        }
        (Form::Cast { .. }, Some(Characters::Array(_, true))) => {
            Error::failed(format!("{place} is a string, not a number"))
                .hint(format!("try: {place}"))
        }
        (_, Some(Characters::Array(..))) => {
            Error::failed(format!("{place} is an array of bytes, not a number"))
                .hint(format!("try: str({place})"))
        }
        _ => Error::failed(format!("{place} is not a number")),
    })
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
