//! The units of numbers.

/// A unit. Its name is the same in text and in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Unit {
    /// Events, one by one.
    Count,
    /// A number of unknown unit.
    Number,
    /// Bytes of which only the length is known.
    Data,
    /// Bytes.
    Bytes,
    /// 1024 bytes.
    Kibibytes,
    /// Nanoseconds.
    Nanoseconds,
    /// 1000 nanoseconds.
    Microseconds,
    /// 1,000,000 nanoseconds.
    Milliseconds,
}

impl Unit {
    /// All units.
    pub const ALL: [Unit; 8] = [
        Unit::Count,
        Unit::Number,
        Unit::Data,
        Unit::Bytes,
        Unit::Kibibytes,
        Unit::Nanoseconds,
        Unit::Microseconds,
        Unit::Milliseconds,
    ];

    /// `kbytes`, `usecs`: the words that these tools have printed since 2015.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Count => "count",
            Unit::Number => "number",
            Unit::Data => "data",
            Unit::Bytes => "bytes",
            Unit::Kibibytes => "kbytes",
            Unit::Nanoseconds => "nsecs",
            Unit::Microseconds => "usecs",
            Unit::Milliseconds => "msecs",
        }
    }

    /// The number of base units in it: bytes for sizes, nanoseconds for times.
    pub fn in_base(self) -> u64 {
        match self {
            Unit::Count | Unit::Number | Unit::Data | Unit::Bytes | Unit::Nanoseconds => 1,
            Unit::Kibibytes => 1 << 10,
            Unit::Microseconds => 1_000,
            Unit::Milliseconds => 1_000_000,
        }
    }
}
