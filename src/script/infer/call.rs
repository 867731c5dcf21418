//! The types of calls, and what functions take.

use super::Infer;
use super::statement::constant;
use crate::sample::StackForm;
use crate::script::ast::{Argument, Expr, ExprKind, Name, Place, Span};
use crate::script::cursor::Read;
use crate::script::functions::{FUNCTIONS, MOST_FRAMES, is_unsupported};
use crate::script::types::{Aggregate, Type};
use crate::view::script::printf::Format;

impl Infer<'_> {
    /// What a map counts, if this is a call such as `count()`.
    pub(super) fn aggregate(&mut self, expr: &mut Expr) -> Read<Option<Aggregate>> {
        let span = expr.span;
        let ExprKind::Call { name, arguments } = &mut expr.kind else { return Ok(None) };
        let name = name.text.clone();
        let values = |least: usize, most: usize, arguments: &[Argument]| match arguments.len() {
            0 if least == 0 => Ok(()),
            given if (least..=most).contains(&given) => Ok(()),
            given => Err(counted(&name, least, most, given)),
        };
        let signed = |infer: &mut Self, arguments: &mut [Argument]| -> Read<bool> {
            let of = infer.number(&mut arguments[0], span)?;
            match of {
                Type::Unknown => Ok(false),
                of if of.is_int() => Ok(of.is_signed()),
                of => infer.mistake(span, format!("{name}() takes a number, and this is {of}")),
            }
        };
        let checked = match &*name {
            "count" => values(0, 0, arguments),
            "sum" | "min" | "max" | "avg" | "stats" => values(1, 1, arguments),
            "hist" => values(1, 2, arguments),
            "lhist" => values(4, 4, arguments),
            _ => return Ok(None),
        };
        if let Err(what) = checked {
            return self.mistake(span, what);
        }
        Ok(Some(match &*name {
            "count" => Aggregate::Count,
            "sum" => Aggregate::Sum(signed(self, arguments)?),
            "min" => Aggregate::Min(signed(self, arguments)?),
            "max" => Aggregate::Max(signed(self, arguments)?),
            "avg" => Aggregate::Average(signed(self, arguments)?),
            "stats" => Aggregate::Stats(signed(self, arguments)?),
            "hist" => {
                signed(self, arguments)?;
                match self.constants(&mut arguments[1..])?.as_deref() {
                    Some([]) => Aggregate::Histogram(0),
                    Some([bits @ 0..=5]) => Aggregate::Histogram(*bits as u8),
                    _ => {
                        return self.mistake(
                            span,
                            "the second argument of hist() is a number from 0 to 5",
                        );
                    }
                }
            }
            _ => {
                signed(self, arguments)?;
                let Some(constants) = self.constants(&mut arguments[1..])? else {
                    return self
                        .mistake(span, "the ranges of lhist() must be known before the run");
                };
                match linear(&constants) {
                    Ok(aggregate) => aggregate,
                    Err(what) => return self.mistake(span, what),
                }
            }
        }))
    }

    /// The type of an argument that is a value.
    fn argument(&mut self, argument: &mut Argument) -> Read<Type> {
        match argument {
            Argument::Value(value) => self.value(value),
            Argument::Type(of) => {
                let span = of.span;
                self.mistake(span, "a value is expected here, and this is a type")
            }
        }
    }

    /// The type of an argument that may be a number, but not what a map counts.
    pub(super) fn number(&mut self, argument: &mut Argument, span: Span) -> Read<Type> {
        let of = self.argument(argument)?;
        match argument {
            Argument::Value(value) => self.no_aggregate(value, span).map(|()| of),
            Argument::Type(_) => Ok(of),
        }
    }

    /// The numbers that these arguments are, if all are known.
    pub(super) fn constants(&mut self, arguments: &mut [Argument]) -> Read<Option<Vec<u64>>> {
        let mut numbers = vec![];
        for argument in arguments {
            self.argument(argument)?;
            numbers.push(match argument {
                Argument::Value(value) => {
                    constant(value).and_then(|number| u64::try_from(number).ok())
                }
                Argument::Type(_) => None,
            });
        }
        Ok(numbers.into_iter().collect())
    }

    /// The type of a call's value.
    pub(super) fn call(&mut self, expr: &mut Expr) -> Read<Type> {
        let span = expr.span;
        let ExprKind::Call { name, arguments } = &mut expr.kind else { return Ok(Type::Unknown) };
        let function = name.text.clone();
        let given = arguments.len();
        let (least, most) = match &*function {
            "count" | "sum" | "min" | "max" | "avg" | "stats" | "hist" | "lhist" => {
                return self.mistake(
                    span,
                    format!("{function}() must be assigned to a map: `@ = {function}(..)`"),
                );
            }
            "printf" | "warnf" | "errorf" => (1, usize::MAX),
            "print" => (1, 3),
            "clear" | "zero" | "sizeof" | "len" => (1, 1),
            "delete" | "str" => (1, 2),
            "has_key" | "strftime" | "offsetof" => (2, 2),
            "strncmp" => (3, 3),
            "exit" | "time" | "nsecs" | "pid" | "tid" => (0, 1),
            "kstack" | "ustack" => (0, 2),
            "comm" if given > 0 => {
                return self
                    .mistake(span, "the name of another process, comm(PID), is not supported");
            }
            "comm" => (0, 0),
            other => {
                let other = other.to_owned();
                if let Some(of) = self.library(expr)? {
                    return Ok(of);
                }
                let other = &*other;
                // `pid()` is `pid`.
                if given == 0
                    && let Some(of) = self.builtin_type(other, span)?
                {
                    expr.kind = ExprKind::Name(function);
                    return Ok(of);
                }
                return self.unknown(&function, span);
            }
        };
        if !(least..=most).contains(&given) {
            return self.mistake(span, counted(&function, least, most, given));
        }
        match &*function {
            "printf" | "warnf" | "errorf" => self.printf(&function, arguments, span),
            "print" => self.print(arguments, span),
            "clear" | "zero" => self.whole_map(&function, &arguments[0]).map(|_| Type::Nothing),
            "len" => {
                let Argument::Value(Expr { kind: ExprKind::Place(Place::Map(map, None)), .. }) =
                    &arguments[0]
                else {
                    return self.mistake(span, "len() takes a map");
                };
                let index = self.map(map);
                match self.types.maps[index].keyed {
                    Some(false) if self.last => self.mistake(span, "len() takes a map with keys"),
                    _ => Ok(Type::INT64),
                }
            }
            "delete" | "has_key" => self.element(&function, arguments, span),
            "offsetof" => {
                let offset = self.offset(arguments, span)? as i128;
                if self.last {
                    expr.kind = ExprKind::Int(offset);
                }
                Ok(Type::of_number(offset))
            }
            "sizeof" => {
                let named = self.type_by_word(&arguments[0])?;
                let size = match &mut arguments[0] {
                    _ if named.is_some() => named.unwrap_or_default().size(),
                    Argument::Value(value) => self.value(value)?.size(),
                    Argument::Type(of) => self.named_type(of)?.size(),
                } as i128;
                if self.last {
                    expr.kind = ExprKind::Int(size);
                }
                Ok(Type::of_number(size))
            }
            "str" => self.text(arguments, span),
            "strncmp" => {
                for text in &mut arguments[..2] {
                    match self.argument(text)? {
                        Type::Text(_) | Type::Unknown => {}
                        of => {
                            return self.mistake(
                                span,
                                format!("strncmp() compares strings, and this is {of}"),
                            );
                        }
                    }
                }
                match self.constants(&mut arguments[2..])?.as_deref() {
                    Some([_]) => Ok(Type::INT64),
                    _ => self.mistake(
                        span,
                        "how many bytes strncmp() compares must be known before the run",
                    ),
                }
            }
            "strftime" => {
                self.time_format(&function, &arguments[0], span)?;
                match self.number(&mut arguments[1], span)? {
                    Type::Int(_) | Type::Unknown => Ok(Type::Timestamp),
                    of => self
                        .mistake(span, format!("strftime() takes nanoseconds, and this is {of}")),
                }
            }
            "time" => {
                if let Some(format) = arguments.first() {
                    self.time_format(&function, format, span)?;
                }
                Ok(Type::Nothing)
            }
            "exit" => {
                match arguments.first_mut().map(|code| self.number(code, span)).transpose()? {
                    _ if self.loops > 0 => self.mistake(span, "exit() cannot be called in a loop"),
                    None | Some(Type::Int(_) | Type::Unknown) => Ok(Type::Nothing),
                    Some(of) => {
                        self.mistake(span, format!("exit() takes a number, and this is {of}"))
                    }
                }
            }
            "nsecs" => self
                .mode(arguments, &["monotonic", "boot", "tai", "sw_tai"], span)
                .map(|_| Type::UINT64),
            "pid" | "tid" => self.mode(arguments, &["curr_ns", "init"], span).map(|_| Type::UINT32),
            "kstack" | "ustack" => self.stack(arguments, function == "ustack", span),
            _ => Ok(Type::Text(16)),
        }
    }

    fn unknown(&mut self, function: &str, span: Span) -> Read<Type> {
        if is_unsupported(function) {
            return self.mistake(span, format!("{function}() is not supported"));
        }
        let mistake = self.cursor.mistake(span, format!("there is no function {function}()"));
        Err(mistake.meant(function, &mut FUNCTIONS.into_iter()))
    }

    /// A string that must stand in the script.
    pub(super) fn literal<'a>(
        &mut self,
        function: &str,
        what: &str,
        argument: &'a Argument,
        span: Span,
    ) -> Read<&'a [u8]> {
        match argument {
            Argument::Value(Expr { kind: ExprKind::Text(text), .. }) => Ok(text),
            _ => self.mistake(
                span,
                format!("the {what} of {function}() must be a string in the script"),
            ),
        }
    }

    /// A format of strftime(3), which is a string like any other.
    fn time_format(&mut self, function: &str, format: &Argument, span: Span) -> Read<()> {
        let length = self.literal(function, "format", format, span)?.len();
        let most = self.settings.max_strlen as usize;
        match format {
            Argument::Value(format) if length >= most => self.too_long(length, format.span),
            _ => Ok(()),
        }
    }

    fn printf(&mut self, function: &str, arguments: &mut [Argument], span: Span) -> Read<Type> {
        let (format, arguments) = arguments.split_at_mut(1);
        let format = match Format::parse(self.literal(function, "format", &format[0], span)?) {
            Ok(format) => format,
            Err(part) => {
                return self.mistake(span, format!("`{part}` in this format is too wide"));
            }
        };
        let expected = format.conversions().count();
        if expected != arguments.len() {
            let what =
                format!("this format takes {expected} values, and {} are given", arguments.len());
            let known =
                "what takes a value is %d %i %u %x %X %o %c %p %s %r; a % otherwise is text";
            return Err(self.cursor.mistake(span, what).help(known));
        }
        for (conversion, argument) in format.conversions().zip(arguments) {
            if let Argument::Value(value) = &*argument {
                self.has_single_value(value, span)?;
            }
            let of = self.argument(argument)?;
            if let Argument::Value(value) = &*argument
                && conversion.kind != "s"
            {
                self.no_aggregate(value, span)?;
            }
            let fits = match &of {
                Type::Unknown => true,
                Type::Int(_) | Type::Bool | Type::Pointer(_) => {
                    conversion.kind == "s" || conversion.is_numeric()
                }
                Type::Aggregate(_) | Type::Nothing => false,
                Type::Buffer(_) => matches!(&*conversion.kind, "s" | "r" | "rx" | "rh"),
                _ => conversion.kind == "s",
            };
            if !fits {
                return self.mistake(span, format!("`%{}` does not write {of}", conversion.kind));
            }
        }
        Ok(Type::Nothing)
    }

    fn print(&mut self, arguments: &mut [Argument], span: Span) -> Read<Type> {
        let (first, rest) = arguments.split_at_mut(1);
        if let Argument::Value(Expr { kind: ExprKind::Place(Place::Map(map, None)), .. }) =
            &first[0]
        {
            let index = self.map(map);
            if self.last && self.types.maps[index].value == Type::Unknown {
                return self.mistake(map.span, format!("`@{}` never gets a value", map.text));
            }
            return match self.constants(rest)? {
                Some(_) => Ok(Type::Nothing),
                None => {
                    self.mistake(span, "how many rows print() shows must be known before the run")
                }
            };
        }
        if !rest.is_empty() {
            return self.mistake(span, "only a whole map is printed with more arguments");
        }
        if let Argument::Value(value) = &first[0] {
            self.has_single_value(value, span)?;
        }
        self.argument(&mut first[0])?;
        Ok(Type::Nothing)
    }

    /// A histogram or statistics are no single value: the mistake is that of who asks for one.
    pub(super) fn has_single_value(&mut self, value: &Expr, span: Span) -> Read<()> {
        if let ExprKind::Place(Place::Map(map, _)) = &value.kind {
            let index = self.map(map);
            if let Type::Aggregate(
                of @ (Aggregate::Histogram(_) | Aggregate::Linear { .. } | Aggregate::Stats(_)),
            ) = self.types.maps[index].value
            {
                let what = format!("{}() has no single value; print the whole map", of.function());
                return self.mistake(span, what);
            }
        }
        Ok(())
    }

    /// The map that is given as a whole.
    fn whole_map(&mut self, function: &str, argument: &Argument) -> Read<usize> {
        match argument {
            Argument::Value(Expr { kind: ExprKind::Place(Place::Map(map, None)), .. }) => {
                Ok(self.map(map))
            }
            Argument::Value(Expr { span, .. }) => {
                let span = *span;
                self.mistake(span, format!("{function}() takes a map"))
            }
            Argument::Type(of) => {
                let span = of.span;
                self.mistake(span, format!("{function}() takes a map"))
            }
        }
    }

    /// `delete(@m, key)`, `has_key(@m, key)`, and the older `delete(@m[key])`.
    fn element(&mut self, function: &str, arguments: &mut [Argument], span: Span) -> Read<Type> {
        let (map, key) = match arguments {
            [
                Argument::Value(Expr { kind: ExprKind::Place(Place::Map(map, None)), .. }),
                key @ ..,
            ] => {
                let map: Name = map.clone();
                match key {
                    [Argument::Value(key)] => (map, Some(key)),
                    [] => (map, None),
                    _ => return self.mistake(span, format!("{function}() takes a map and a key")),
                }
            }
            [Argument::Value(Expr { kind: ExprKind::Place(Place::Map(map, Some(key))), .. })] => {
                (map.clone(), Some(&mut **key))
            }
            _ => return self.mistake(span, format!("{function}() takes a map and a key")),
        };
        let index = self.use_map(&map, key)?;
        self.types.maps[index].deleted |= function == "delete";
        Ok(Type::Bool)
    }

    /// `str(address)`, `str(address, length)`
    fn text(&mut self, arguments: &mut [Argument], span: Span) -> Read<Type> {
        let of = self.number(&mut arguments[0], span)?;
        let most = self.settings.max_strlen as usize;
        let known = self.constants(&mut arguments[1..])?;
        if let Some(Argument::Value(length)) = arguments.get(1)
            && constant(length).is_some_and(|length| length < 0)
        {
            return self.mistake(span, "the length of a string is not negative");
        }
        let size = match known.as_deref() {
            Some([]) => most,
            Some([length]) => usize::try_from(*length).unwrap_or(most).saturating_add(1).min(most),
            // A length that is known at run time only.
            _ => most,
        };
        match of {
            Type::Text(_) if arguments.len() > 1 && known.is_none() => self.mistake(
                span,
                "how many bytes str() takes of a string must be known before the run",
            ),
            Type::Text(room) => Ok(Type::Text(room.min(size))),
            Type::Unknown | Type::Int(_) | Type::Pointer(_) => Ok(Type::Text(size)),
            of => self.mistake(span, format!("str() takes an address, and this is {of}")),
        }
    }

    /// A word that chooses what a function means.
    fn mode(&mut self, arguments: &[Argument], known: &[&str], span: Span) -> Read<()> {
        match arguments {
            [] => Ok(()),
            [Argument::Value(Expr { kind: ExprKind::Name(mode), .. })]
                if known.contains(&&**mode) =>
            {
                Ok(())
            }
            _ => self.mistake(span, format!("the argument is one of {}", known.join(", "))),
        }
    }

    /// `kstack(mode, frames)`
    fn stack(&mut self, arguments: &mut [Argument], of_process: bool, span: Span) -> Read<Type> {
        let form = match &arguments {
            [Argument::Value(Expr { kind: ExprKind::Name(mode), .. }), ..] => match &**mode {
                "bpftrace" => Some(StackForm::Bpftrace),
                "perf" => Some(StackForm::Perf),
                "raw" => Some(StackForm::Raw),
                _ => None,
            },
            _ => None,
        };
        let frames = match self.constants(&mut arguments[usize::from(form.is_some())..])?.as_deref()
        {
            Some([]) => MOST_FRAMES,
            Some([frames @ 1..=127]) => *frames as usize,
            _ => {
                let what = format!("a stack has from 1 to {MOST_FRAMES} frames");
                return self.mistake(span, what);
            }
        };
        Ok(Type::Stack(frames, form.unwrap_or(self.settings.stack_mode), of_process))
    }
}

/// How many arguments a function takes, and how many were given.
pub(super) fn counted(function: &str, least: usize, most: usize, given: usize) -> String {
    let takes = match (least, most) {
        (0, 0) => "no arguments".into(),
        (1, 1) => "one argument".into(),
        (least, usize::MAX) => format!("at least {least} argument"),
        (least, most) if least == most => format!("{least} arguments"),
        (least, most) => format!("{least} to {most} arguments"),
    };
    format!("{function}() takes {takes}, and {given} are given")
}

/// The ranges of `lhist()`: lowest number, number after the last range, width.
fn linear(constants: &[u64]) -> Result<Aggregate, String> {
    let &[low, high, step] = constants else { return Err("lhist() takes 4 arguments".into()) };
    if step == 0 {
        return Err("the ranges of lhist() are at least 1 wide".into());
    }
    if low >= high {
        return Err(format!(
            "the lowest number of lhist(), {low}, must be less than the highest, {high}"
        ));
    }
    if step > high - low {
        return Err(format!(
            "the ranges of lhist() are {step} wide, and all of them together {}",
            high - low
        ));
    }
    let ranges = (high - low) / step;
    match ranges {
        0..=1000 => Ok(Aggregate::Linear { low, high, step }),
        _ => Err(format!("lhist() has at most 1000 ranges, and these would be {ranges}")),
    }
}
