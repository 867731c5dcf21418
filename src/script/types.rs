//! The types of values, and what comes of two that meet in one variable.

use std::fmt;

use crate::sample::StackForm;

/// The type of a value.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Type {
    /// Not known yet.
    #[default]
    Unknown,
    /// No value at all: that of a call which is only done for its effect.
    Nothing,
    /// A whole number.
    Int(Int),
    /// `true` or `false`.
    Bool,
    /// A string with room for N bytes, a 0 at the end included.
    Text(usize),
    /// An address of something.
    Pointer(Pointer),
    /// A struct or a union of the kernel.
    Struct(Struct),
    /// So many values of one type, as C lays them out.
    Array(Box<Type>, usize),
    /// Several values in their order.
    Tuple(Vec<Type>),
    /// Several values by name.
    Record(Vec<(String, Type)>),
    /// A point in time with the format in which it is printed.
    Timestamp,
    /// A stack of up to N frames, its form, and whether it is that of the process.
    Stack(usize, StackForm, bool),
    /// A number that is printed by a name.
    Named(Naming),
    /// An address in a process, which is printed as a function.
    UserSymbol,
    /// An address of the network.
    Inet,
    /// At most N bytes that are no text.
    Buffer(usize),
    /// What a function such as `count()` counts, which only a map can hold.
    Aggregate(Aggregate),
}

/// What a number is the name of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Naming {
    /// A function of the kernel, of its address.
    KernelSymbol,
    /// An error.
    Error,
    /// A signal.
    Signal,
    /// A system call.
    SystemCall,
    /// A control group.
    Cgroup,
}

/// What an address is of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pointer {
    /// What is there; [`Type::Nothing`] if that is not known.
    pub to: Box<Type>,
    /// Whether it is an address of the process that runs, and not of the kernel.
    pub of_process: bool,
}

/// A struct or a union of the kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Struct {
    /// What C calls it: `struct task_struct`.
    pub name: String,
    /// Which one it is.
    pub id: TypeId,
    /// Its size.
    pub bytes: usize,
}

/// A type of the kernel or of a module, as the [`Host`](super::Host) numbers them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TypeId {
    /// Whose it is: 0 is the kernel.
    pub module: u32,
    /// Its number there.
    pub id: u32,
}

/// A whole number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Int {
    /// Its size in bytes: 1, 2, 4 or 8.
    pub bytes: u8,
    /// Whether it can be negative.
    pub signed: bool,
    /// Whether it is a number of the script that is not negative, so that it can have either sign.
    pub literal: bool,
    /// The enumeration that has names for its values.
    pub names: Option<TypeId>,
}

/// What a map counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Aggregate {
    /// `count()`
    Count,
    /// `sum()`, and whether its numbers have signs
    Sum(bool),
    /// `min()`
    Min(bool),
    /// `max()`
    Max(bool),
    /// `avg()`
    Average(bool),
    /// `stats()`
    Stats(bool),
    /// `hist()`: each power of two has 2^N ranges
    Histogram(u8),
    /// `lhist()`
    Linear {
        /// The lowest number of the first range.
        low: u64,
        /// The number after the last range.
        high: u64,
        /// The width of a range.
        step: u64,
    },
}

/// The bytes that bpftrace has for a name.
const NAME: usize = 64;

impl Type {
    /// A number of 8 bytes with a sign.
    pub const INT64: Type = Type::int(8, true);
    /// A number of 8 bytes without a sign.
    pub const UINT64: Type = Type::int(8, false);
    /// A number of 4 bytes without a sign.
    pub const UINT32: Type = Type::int(4, false);

    /// A number.
    pub const fn int(bytes: u8, signed: bool) -> Type {
        Type::Int(Int { bytes, signed, literal: false, names: None })
    }

    /// An address of something that is not known.
    pub fn address(of_process: bool) -> Type {
        Type::Nothing.pointer(of_process)
    }

    /// An address of this type.
    pub fn pointer(self, of_process: bool) -> Type {
        Type::Pointer(Pointer { to: Box::new(self), of_process })
    }

    /// The same, where what it has of addresses is of the process or of the kernel.
    pub fn in_memory(self, of_process: bool) -> Type {
        match self {
            Type::Pointer(Pointer { to, .. }) => to.in_memory(of_process).pointer(of_process),
            Type::Array(of, count) => Type::Array(Box::new(of.in_memory(of_process)), count),
            of => of,
        }
    }

    /// The type of a number in a script: the smallest with a sign that holds it.
    pub fn of_number(number: i128) -> Type {
        let bytes = [1, 2, 4, 8].into_iter().find(|bytes| {
            let bits = 8 * u32::from(*bytes) - 1;
            (-(1_i128 << bits)..1 << bits).contains(&number)
        });
        let (bytes, signed) = bytes.map_or((8, false), |bytes| (bytes, true));
        Type::Int(Int { bytes, signed, literal: signed && number >= 0, names: None })
    }

    /// Its name in a script: `uint64`.
    pub fn by_name(name: &str) -> Option<Type> {
        Some(match name {
            "bool" => Type::Bool,
            "int8" => Type::int(1, true),
            "int16" => Type::int(2, true),
            "int32" | "int" => Type::int(4, true),
            "int64" => Type::INT64,
            "uint8" => Type::int(1, false),
            "uint16" => Type::int(2, false),
            "uint32" => Type::UINT32,
            "uint64" => Type::UINT64,
            _ => return None,
        })
    }

    /// Its size in bytes, as `sizeof()` gives it: tuples are laid out like structs of C.
    pub fn size(&self) -> usize {
        let struct_of = |all: &mut dyn Iterator<Item = &Type>| {
            let mut most = 1;
            let end = all.fold(0_usize, |end, of| {
                most = most.max(of.alignment());
                end.next_multiple_of(of.alignment()) + of.size()
            });
            end.next_multiple_of(most)
        };
        match self {
            Type::Unknown | Type::Nothing => 0,
            Type::Int(int) => int.bytes.into(),
            Type::Bool => 1,
            Type::Text(size) => *size,
            Type::Tuple(all) => struct_of(&mut all.iter()),
            Type::Record(all) => struct_of(&mut all.iter().map(|(_, of)| of)),
            Type::Pointer(_) | Type::Timestamp | Type::Aggregate(_) => 8,
            Type::Struct(of) => of.bytes,
            Type::Array(of, count) => of.size() * count,
            Type::Stack(..) => 8 * self.words(),
            Type::Named(Naming::KernelSymbol | Naming::Cgroup) => 8,
            Type::Named(_) => NAME,
            Type::UserSymbol => 16,
            Type::Inet => 24,
            Type::Buffer(most) => 4 + most,
        }
    }

    /// What its address in a struct of C is a multiple of.
    fn alignment(&self) -> usize {
        match self {
            Type::Text(_) | Type::Unknown | Type::Nothing => 1,
            Type::Tuple(all) => all.iter().map(Type::alignment).max().unwrap_or(1),
            Type::Record(all) => all.iter().map(|(_, of)| of.alignment()).max().unwrap_or(1),
            Type::Array(of, _) => of.alignment(),
            of => of.size().min(8),
        }
    }

    /// The words of 8 bytes that a value takes in the kernel. Numbers have one each, whatever their size,
    /// and strings are filled up with zeros: so equal values have equal bytes.
    pub fn words(&self) -> usize {
        match self {
            Type::Unknown | Type::Nothing => 0,
            Type::Int(_) | Type::Bool | Type::Pointer(_) => 1,
            Type::Text(_) | Type::Struct(_) | Type::Array(..) => self.size().div_ceil(8),
            Type::Tuple(all) => all.iter().map(Type::words).sum(),
            Type::Record(all) => all.iter().map(|(_, of)| of.words()).sum(),
            // The format's number, and the time.
            Type::Timestamp => 2,
            // The number of frames, the process, and their addresses.
            Type::Stack(frames, _, of_process) => 1 + usize::from(*of_process) + frames,
            Type::Named(_) => 1,
            // The address, and the process.
            Type::UserSymbol => 2,
            // The family, and up to 16 bytes.
            Type::Inet => 3,
            // How many bytes there are, and these.
            Type::Buffer(most) => 1 + most.div_ceil(8),
            Type::Aggregate(aggregate) => aggregate.words(),
        }
    }

    /// Whether its values have stacks in them.
    pub fn has_stack(&self) -> bool {
        self.has(&|of| matches!(of, Type::Stack(..)))
    }

    /// Whether it is of this kind, or has elements that are.
    pub fn has(&self, kind: &dyn Fn(&Type) -> bool) -> bool {
        match self {
            Type::Tuple(all) => all.iter().any(|of| of.has(kind)),
            Type::Record(all) => all.iter().any(|(_, of)| of.has(kind)),
            of => kind(of),
        }
    }

    /// This type with less room for strings and stacks, so that a value takes at most so many words.
    pub(super) fn within(&self, most: usize) -> Type {
        let mut of = self.clone();
        while of.words() > most {
            let Some(largest) = of.largest() else { break };
            match largest {
                Type::Text(size) => *size = 8 * (size.div_ceil(8) - 1),
                Type::Stack(frames, ..) => *frames -= 1,
                _ => break,
            }
        }
        of
    }

    /// The largest string or stack in it, if it can be made smaller.
    fn largest(&mut self) -> Option<&mut Type> {
        match self {
            Type::Text(9..) | Type::Stack(2.., ..) => Some(self),
            Type::Tuple(all) => {
                all.iter_mut().filter_map(Type::largest).max_by_key(|of| of.words())
            }
            _ => None,
        }
    }

    /// Whether a register holds its values.
    pub fn is_scalar(&self) -> bool {
        matches!(self, Type::Int(_) | Type::Bool | Type::Pointer(_) | Type::Named(_))
    }

    /// Whether it is a number.
    pub fn is_int(&self) -> bool {
        matches!(self, Type::Int(_))
    }

    /// Whether it is a number with a sign.
    pub fn is_signed(&self) -> bool {
        matches!(self, Type::Int(Int { signed: true, .. }))
    }

    /// What comes of a number that is used with this one: a literal takes the other's sign.
    pub fn signed_with(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::Int(one), Type::Int(other)) if one.literal != other.literal => {
                if one.literal {
                    other.signed
                } else {
                    one.signed
                }
            }
            _ => self.is_signed() || other.is_signed(),
        }
    }

    /// The type that holds both; `None` if there is none.
    pub fn join(&self, other: &Type) -> Option<Type> {
        Some(match (self, other) {
            (Type::Unknown, known) | (known, Type::Unknown) => known.clone(),
            (Type::Int(one), Type::Int(other)) => Type::Int(one.join(*other)),
            (Type::Text(one), Type::Text(other)) => Type::Text(*one.max(other)),
            (Type::Tuple(one), Type::Tuple(other)) if one.len() == other.len() => {
                let joined = one.iter().zip(other).map(|(one, other)| one.join(other));
                Type::Tuple(joined.collect::<Option<_>>()?)
            }
            (Type::Record(one), Type::Record(other)) if one.len() == other.len() => {
                // Fields are found by name: their order is that of the first.
                let joined = one.iter().map(|(name, of)| {
                    let (_, other) = other.iter().find(|(other, _)| other == name)?;
                    Some((name.clone(), of.join(other)?))
                });
                Type::Record(joined.collect::<Option<_>>()?)
            }
            (Type::Stack(one, form, of), Type::Stack(other, _, same)) if of == same => {
                Type::Stack(*one.max(other), *form, *of)
            }
            (Type::Buffer(one), Type::Buffer(other)) => Type::Buffer(*one.max(other)),
            (Type::Aggregate(one), Type::Aggregate(other)) => Type::Aggregate(one.join(*other)?),
            _ if self == other => self.clone(),
            _ => return None,
        })
    }

    /// Whether every number of `other` is one of this type.
    pub fn includes(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::Int(one), Type::Int(other)) => {
                other.bytes <= one.bytes && one.signed == other.signed
                    || one.signed && other.bytes < one.bytes
            }
            _ => true,
        }
    }

    /// Whether a value of `other` can be stored as this; `value` is it if it is known.
    pub fn holds(&self, other: &Type, value: Option<i128>) -> bool {
        match (self, other) {
            (Type::Int(int), Type::Int(_)) if value.is_some() => {
                let bits = 8 * u32::from(int.bytes);
                let (low, high) = match int.signed {
                    true => (-(1_i128 << (bits - 1)), 1_i128 << (bits - 1)),
                    false => (0, 1_i128 << bits),
                };
                value.is_some_and(|value| (low..high).contains(&value))
            }
            // A number that is not known yet is cut.
            (Type::Int(_), Type::Int(_)) => true,
            (Type::Text(one), Type::Text(other)) => other <= one,
            _ => self.join(other).as_ref() == Some(self),
        }
    }
}

impl Int {
    fn join(self, other: Int) -> Int {
        let larger = self.bytes.max(other.bytes);
        match (self.literal, other.literal) {
            _ if self.signed == other.signed => Int {
                bytes: larger,
                signed: self.signed,
                literal: self.literal && other.literal,
                names: self.names.filter(|names| other.names == Some(*names)),
            },
            (true, false) => Int { bytes: larger, ..other },
            (false, true) => Int { bytes: larger, ..self },
            _ => {
                let unsigned = if self.signed { other.bytes } else { self.bytes };
                let bytes = larger.max((2 * unsigned).min(8));
                Int { bytes, signed: true, literal: false, names: None }
            }
        }
    }
}

impl Aggregate {
    /// What holds the numbers of both; kinds do not mix.
    fn join(self, other: Aggregate) -> Option<Aggregate> {
        Some(match (self, other) {
            (Aggregate::Sum(one), Aggregate::Sum(other)) => Aggregate::Sum(one || other),
            (Aggregate::Min(one), Aggregate::Min(other)) => Aggregate::Min(one || other),
            (Aggregate::Max(one), Aggregate::Max(other)) => Aggregate::Max(one || other),
            (Aggregate::Average(one), Aggregate::Average(other)) => {
                Aggregate::Average(one || other)
            }
            (Aggregate::Stats(one), Aggregate::Stats(other)) => Aggregate::Stats(one || other),
            _ if self == other => self,
            _ => return None,
        })
    }

    /// The words of 8 bytes of its value: see [`lower`](super::lower).
    pub fn words(self) -> usize {
        match self {
            Aggregate::Count => 1,
            Aggregate::Histogram(bits) => 1 + ((65 - usize::from(bits)) << bits),
            Aggregate::Linear { low, high, step } => 2 + ((high - low) / step) as usize,
            _ => 2,
        }
    }

    /// Whether each CPU has a part of the value for itself: extremes cannot be changed by one atomic
    /// operation.
    pub fn is_per_cpu(self) -> bool {
        matches!(self, Aggregate::Min(_) | Aggregate::Max(_))
    }

    /// The function that makes it.
    pub fn function(self) -> &'static str {
        match self {
            Aggregate::Count => "count",
            Aggregate::Sum(_) => "sum",
            Aggregate::Min(_) => "min",
            Aggregate::Max(_) => "max",
            Aggregate::Average(_) => "avg",
            Aggregate::Stats(_) => "stats",
            Aggregate::Histogram(_) => "hist",
            Aggregate::Linear { .. } => "lhist",
        }
    }

    /// Its number, if it can be read as one.
    pub fn number(self) -> Option<Type> {
        match self {
            Aggregate::Count => Some(Type::UINT64),
            Aggregate::Sum(signed)
            | Aggregate::Min(signed)
            | Aggregate::Max(signed)
            | Aggregate::Average(signed) => Some(Type::int(8, signed)),
            Aggregate::Stats(_) | Aggregate::Histogram(_) | Aggregate::Linear { .. } => None,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Unknown => f.write_str("an unknown type"),
            Type::Nothing => f.write_str("no value"),
            Type::Int(Int { bytes, signed, .. }) => {
                write!(f, "{}int{}", if *signed { "" } else { "u" }, 8 * bytes)
            }
            Type::Bool => f.write_str("bool"),
            Type::Text(size) => write!(f, "string[{size}]"),
            Type::Pointer(Pointer { to, .. }) => match **to {
                Type::Nothing => f.write_str("void *"),
                Type::Pointer(_) => write!(f, "{to}*"),
                _ => write!(f, "{to} *"),
            },
            Type::Struct(of) => f.write_str(&of.name),
            Type::Array(of, count) => write!(f, "{of}[{count}]"),
            Type::Tuple(all) => {
                let all: Vec<_> = all.iter().map(Type::to_string).collect();
                write!(f, "({})", all.join(", "))
            }
            Type::Record(all) => {
                let all: Vec<_> = all.iter().map(|(name, of)| format!("{name}: {of}")).collect();
                write!(f, "({})", all.join(", "))
            }
            Type::Timestamp => f.write_str("timestamp"),
            Type::Stack(_, _, of_process) => {
                f.write_str(if *of_process { "ustack" } else { "kstack" })
            }
            Type::Named(naming) => f.write_str(match naming {
                Naming::KernelSymbol => "ksym",
                Naming::Error | Naming::Signal | Naming::SystemCall | Naming::Cgroup => "a name",
            }),
            Type::UserSymbol => f.write_str("usym"),
            Type::Inet => f.write_str("inet"),
            Type::Buffer(most) => write!(f, "buffer[{most}]"),
            Type::Aggregate(aggregate) => write!(f, "{}()", aggregate.function()),
        }
    }
}
