//! The verifier's knowledge at one point: of registers and of the stack.

use super::words::Words;

/// The known values of registers and stack slots.
///
/// At levels 1 and 2 Linux 5.18 and later print only what an instruction changed or looked at;
/// earlier kernels everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct State<'a> {
    /// How many calls of the program's own functions deep.
    pub frame: u32,
    text: &'a str,
}

/// Where a value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// A register.
    Register(u8),
    /// Eight bytes of the stack from this offset to r10 on.
    Stack(i32),
}

/// A value, as far as it is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KnownValue<'a> {
    /// Whether its exact value matters for the verdict.
    pub precise: bool,
    /// Its type, as the kernel prints it: `fp` for an address on the stack, `ctx`, `map_value_or_null`;
    /// but `scalar` for a number on every kernel. Empty for [`KnownValue::bytes`].
    pub type_: &'a str,
    /// The value of a number that is known; an offset to r10.
    pub known: Option<i64>,
    /// The kind of each byte of a stack slot, the highest address first: `?` never written, `0`
    /// zero, `m` anything, `r` `d` `i` `f` of an object, `p` poisoned.
    pub bytes: Option<&'a str>,
    attributes: &'a str,
}

/// A place in a log of at most 4 GB, which needs less memory than what is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::verifier) struct TextAt(u32);

impl TextAt {
    /// Where a part of a log begins.
    fn of(log: &str, part: &str) -> TextAt {
        let at = part.as_ptr().addr().wrapping_sub(log.as_ptr().addr());
        TextAt(u32::try_from(at).unwrap_or(u32::MAX))
    }

    /// The value there.
    pub(in crate::verifier) fn value(self, log: &str) -> Option<(Place, KnownValue<'_>)> {
        place_and_value(&mut Words(log.get(self.0 as usize..)?))
    }
}

/// Where a state stands in a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::verifier) struct StateAt {
    /// Its frame; the kernel has at most 8.
    frame: u8,
    text: TextAt,
}

/// The bounds of a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // As the kernel has them.
pub struct Bounds {
    pub smin: i64,
    pub smax: i64,
    pub umin: u64,
    pub umax: u64,
}

impl Bounds {
    /// Nothing is known.
    pub const UNKNOWN: Bounds = Bounds { smin: i64::MIN, smax: i64::MAX, umin: 0, umax: u64::MAX };
}

impl Place {
    /// A bit for each place that a function can have: its registers, and 512 bytes of stack. None for
    /// any other, which no kernel prints.
    pub(in crate::verifier) fn bit(self) -> Option<u128> {
        match self {
            Place::Register(number @ 0..=15) => Some(1 << number),
            Place::Stack(offset @ -512..0) if offset % 8 == 0 => Some(1 << (15 - offset / 8)),
            _ => None,
        }
    }
}

impl<'a> State<'a> {
    /// Where in this log it stands.
    pub(in crate::verifier) fn in_log(&self, log: &str) -> StateAt {
        StateAt { frame: self.frame.min(255) as u8, text: TextAt::of(log, self.text) }
    }

    /// The state that stands there in a log: each goes to the end of its line.
    pub(in crate::verifier) fn of_log(log: &'a str, at: StateAt) -> State<'a> {
        let rest = log.get(at.text.0 as usize..).unwrap_or_default();
        let line = rest.split('\n').next().unwrap_or_default();
        State { frame: at.frame.into(), text: line.strip_suffix('\r').unwrap_or(line) }
    }

    /// Whether a state begins with this text.
    pub(in crate::verifier) fn begins(text: &str) -> bool {
        match text.as_bytes() {
            [b'R', digit, ..] => digit.is_ascii_digit(),
            [b'f', b'p', b'-', ..] => true,
            _ => text.starts_with("frame") || text.starts_with("refs="),
        }
    }

    /// A state and nothing else. An empty one says that nothing has changed.
    pub(in crate::verifier) fn parse(text: &'a str) -> Option<State<'a>> {
        let mut words = Words(text.trim_start());
        let mut frame = 0;
        if words.skip("frame").is_some() {
            frame = words.number()?;
            words.skip(":")?;
        }
        let text = words.0;
        let mut all = Values(text);
        while all.step().ok()?.is_some() {}
        Some(State { frame, text })
    }

    /// The values, place by place.
    pub fn values(&self) -> Values<'a> {
        Values(self.text)
    }

    /// The value of a register, if the state has it.
    pub fn register(&self, number: u8) -> Option<KnownValue<'a>> {
        let found = self.values().find(|(place, _)| *place == Place::Register(number));
        found.map(|(_, value)| value)
    }

    /// The numbers of objects that must be released: `2,4`.
    pub fn references(&self) -> Option<&'a str> {
        let (_, refs) = self.text.split_once("refs=")?;
        refs.split(' ').next()
    }

    /// The state as the kernel prints it, without its frame.
    pub fn text(&self) -> &'a str {
        self.text.trim()
    }
}

/// See [`State::values`].
#[derive(Clone, Debug)]
pub struct Values<'a>(&'a str);

impl<'a> Iterator for Values<'a> {
    type Item = (Place, KnownValue<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (_, place, value) = self.step().ok().flatten()?;
        Some((place, value))
    }
}

struct NotAState;

impl<'a> Values<'a> {
    /// The next place, where in this log it stands, and its value.
    pub(in crate::verifier) fn next_at(
        &mut self,
        log: &str,
    ) -> Option<(TextAt, Place, KnownValue<'a>)> {
        let (text, place, value) = self.step().ok().flatten()?;
        Some((TextAt::of(log, text), place, value))
    }

    /// The text that begins with the next value, its place, and the value. Places that no function has
    /// are left out.
    fn step(&mut self) -> Result<Option<(&'a str, Place, KnownValue<'a>)>, NotAState> {
        loop {
            let mut words = Words(self.0.trim_start());
            if words.0.is_empty() {
                return Ok(None);
            }
            if words.skip("refs=").is_some() {
                words.take(|byte| byte == b',' || byte.is_ascii_digit());
            } else if words.skip("async_cb").is_none() && words.skip("cb").is_none() {
                let text = words.0;
                let (place, value) = place_and_value(&mut words).ok_or(NotAState)?;
                // Linux before 5.0: `R10=fp0,call_-1`, `R7=inv,min_value=0,max_value=7`.
                if words.0.starts_with(',') {
                    words.take(|byte| byte != b' ');
                }
                self.0 = words.0;
                if place.bit().is_some() {
                    return Ok(Some((text, place, value)));
                }
                continue;
            }
            self.0 = words.0;
        }
    }
}

fn place_and_value<'a>(words: &mut Words<'a>) -> Option<(Place, KnownValue<'a>)> {
    let place = if words.skip("R").is_some() {
        Place::Register(u8::try_from(words.number()?).ok()?)
    } else {
        words.skip("fp")?;
        Place::Stack(i32::try_from(words.long()?).ok()?)
    };
    // Kernels before 6.18 mark who read and wrote it.
    if words.skip("_").is_some() {
        words.take(|byte| matches!(byte, b'r' | b'w' | b'D'));
    }
    words.skip("=")?;
    if matches!(place, Place::Stack(_))
        && let Some(bytes) = words.0.get(..8)
        && bytes.bytes().all(|byte| b"?0mrdifp".contains(&byte))
    {
        words.skip(bytes)?;
        let value = KnownValue {
            precise: false,
            type_: "",
            known: None,
            bytes: Some(bytes),
            attributes: "",
        };
        return Some((place, value));
    }
    if matches!(place, Place::Stack(_)) {
        words.0 = above(words.0);
    }
    Some((place, value(words)?))
}

/// `????scalar()`, `mmmm7`: a number that fills the lower bytes of a slot, without the kinds of the
/// bytes above it (Linux 6.8 and later).
fn above(text: &str) -> &str {
    let number = |rest: &str| rest.starts_with("scalar") || rest.starts_with(is_number);
    let split = [7, 6, 4].into_iter().filter_map(|count| text.split_at_checked(count));
    let mut split = split.filter(|(kinds, _)| kinds.bytes().all(|byte| b"?0mp".contains(&byte)));
    split.find(|(_, rest)| number(rest)).map_or(text, |(_, rest)| rest)
}

fn is_number(c: char) -> bool {
    c == '-' || c == 'P' || c.is_ascii_digit()
}

fn value<'a>(words: &mut Words<'a>) -> Option<KnownValue<'a>> {
    let mut value =
        KnownValue { precise: false, type_: "scalar", known: None, bytes: None, attributes: "" };
    // Linux 5.10 prints inv for a number, and the mark after that: invP0.
    let old = words.0.strip_prefix("inv").filter(|rest| !rest.starts_with(is_name));
    let old = old.or_else(|| {
        let rest = words.0.strip_prefix("inv")?;
        (rest.starts_with('P') || rest.starts_with(|c: char| c.is_ascii_digit())).then_some(rest)
    });
    if let Some(rest) = old {
        words.0 = rest;
    }
    value.precise = words.skip("P").is_some();
    if words.0.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        value.known = Some(words.long()?);
        return Some(value);
    }
    if old.is_none() {
        value.type_ = words.take(|byte| is_name(char::from(byte)));
        if let Some(offset) = value.type_.strip_prefix("fp") {
            // fp0, fp-8; fp[1]-8 is a caller's.
            let mut behind = Words(words.0);
            if offset.is_empty() && behind.skip("[").is_some() {
                behind.number()?;
                behind.skip("]")?;
                words.0 = behind.0;
            }
            if !offset.is_empty() {
                value.known = offset.parse().ok();
            } else if words.0.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
                value.known = Some(words.long()?);
            }
            if value.known.is_some() {
                value.type_ = "fp";
                return Some(value);
            }
        }
        if value.type_.is_empty() {
            return None;
        }
    }
    if words.skip("(").is_some() {
        let end = closing(words.0)?;
        value.attributes = &words.0[..end];
        words.0 = &words.0[end + 1..];
        value.attributes().all(|(key, _)| !key.is_empty()).then_some(())?;
    }
    Some(value)
}

fn is_name(c: char) -> bool {
    c == '_' || c == '.' || c.is_ascii_alphanumeric()
}

/// Where the parenthesis closes that is open in front of this text.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1;
    text.bytes().position(|byte| {
        depth += match byte {
            b'(' => 1,
            b')' => -1,
            _ => 0,
        };
        depth == 0
    })
}

impl<'a> KnownValue<'a> {
    /// A number that is known.
    pub(in crate::verifier) fn constant(number: i64) -> KnownValue<'a> {
        KnownValue {
            precise: false,
            type_: "scalar",
            known: Some(number),
            bytes: None,
            attributes: "",
        }
    }

    /// It as a recent kernel prints it.
    pub fn text(&self) -> String {
        let exact = if self.precise { "P" } else { "" };
        match (self.bytes, self.known) {
            (Some(bytes), _) => bytes.to_owned(),
            (_, Some(known)) if self.is_scalar() => format!("{exact}{known}"),
            (_, Some(known)) => format!("{}{known}", self.type_),
            _ => format!("{exact}{}({})", self.type_, self.attributes),
        }
    }

    /// The pairs in the parentheses: `off` and `4`. Bounds that are equal share one number:
    /// `smin=umin=1` has two keys with `1`.
    pub fn attributes(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut rest = self.attributes;
        let mut waiting = "";
        std::iter::from_fn(move || {
            if waiting.is_empty() {
                if rest.is_empty() {
                    return None;
                }
                // Only var_off has a parenthesis, with no comma in it.
                (waiting, rest) = rest.split_once(',').unwrap_or((rest, ""));
            }
            match waiting.split_once('=') {
                None => Some((std::mem::take(&mut waiting), "")),
                Some((key, others)) => {
                    let number = others.rsplit('=').next().unwrap_or(others);
                    waiting = if others.contains('=') { others } else { "" };
                    Some((key, number))
                }
            }
        })
    }

    /// One of the attributes.
    pub fn attribute(&self, key: &str) -> Option<&'a str> {
        self.attributes().find(|(found, _)| *found == key).map(|(_, value)| value)
    }

    /// One of the attributes that is a number.
    pub fn number(&self, key: &str) -> Option<i64> {
        Words(self.attribute(key)?).long()
    }

    /// Whether it is a number, not a pointer.
    pub fn is_scalar(&self) -> bool {
        self.type_ == "scalar"
    }

    /// Whether it may be NULL.
    pub fn may_be_null(&self) -> bool {
        self.type_.contains("_or_null")
    }

    /// The bounds of a number, or of the part of a pointer's offset that is not constant.
    pub fn bounds(&self) -> Bounds {
        if let Some(known) = self.known {
            return Bounds { smin: known, smax: known, umin: known as u64, umax: known as u64 };
        }
        let mut bounds = Bounds::UNKNOWN;
        for (key, text) in self.attributes() {
            let Some(number) = Words(text).long() else { continue };
            match key.strip_suffix("_value").unwrap_or(key) {
                "smin" => bounds.smin = number,
                "smax" => bounds.smax = number,
                "umin" => bounds.umin = number as u64,
                "umax" => bounds.umax = number as u64,
                _ => {}
            }
        }
        // Bounds of one kind that follow from those of the other are not always printed.
        let has_one_sign = bounds.umax <= i64::MAX as u64 || bounds.umin > i64::MAX as u64;
        if has_one_sign {
            bounds.smin = bounds.smin.max(bounds.umin as i64);
            bounds.smax = bounds.smax.min(bounds.umax as i64);
        }
        if (bounds.smin < 0) == (bounds.smax < 0) {
            bounds.umin = bounds.umin.max(bounds.smin as u64);
            bounds.umax = bounds.umax.min(bounds.smax as u64);
        }
        bounds
    }
}
