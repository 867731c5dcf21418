//! A map's elements, of which only the sizes are known.

use std::fmt::{self, Write};

use serde_json::{Value, json};

/// Bytes of a map as numbers where their length is that of a number or of several.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Data {
    /// One number of 1, 2, 4 or 8 bytes, or several of 8.
    Numbers(Vec<u64>),
    /// Anything else.
    Bytes(Vec<u8>),
}

impl Data {
    /// What bytes in this host's order may be.
    pub fn new(bytes: &[u8]) -> Data {
        match (bytes, bytes.as_chunks()) {
            (&[one], _) => Data::Numbers(vec![one.into()]),
            (&[a, b], _) => Data::Numbers(vec![u16::from_ne_bytes([a, b]).into()]),
            (&[a, b, c, d], _) => Data::Numbers(vec![u32::from_ne_bytes([a, b, c, d]).into()]),
            (_, (words, [])) if !words.is_empty() => {
                Data::Numbers(words.iter().map(|word| u64::from_ne_bytes(*word)).collect())
            }
            _ => Data::Bytes(bytes.to_vec()),
        }
    }

    /// What several CPUs have: the sum of numbers, or the bytes of one CPU after the other.
    pub fn of_cpus<'a>(values: impl Iterator<Item = &'a [u8]>) -> Data {
        let all = values.map(Data::new).reduce(|all, one| match (all, one) {
            (Data::Numbers(all), Data::Numbers(one)) => {
                let sums = all.iter().zip(one).map(|(all, one)| all.wrapping_add(one));
                Data::Numbers(sums.collect())
            }
            (Data::Bytes(all), Data::Bytes(one)) => Data::Bytes([all, one].concat()),
            (all, _) => all,
        });
        all.unwrap_or(Data::Bytes(vec![]))
    }

    /// Whether all of it is zero.
    pub fn is_zero(&self) -> bool {
        match self {
            Data::Numbers(numbers) => numbers.iter().all(|number| *number == 0),
            Data::Bytes(bytes) => bytes.iter().all(|byte| *byte == 0),
        }
    }

    /// A number, an array of numbers, or bytes in hexadecimal.
    pub fn to_json(&self) -> Value {
        match self {
            Data::Numbers(numbers) => match &numbers[..] {
                [number] => json!(number),
                numbers => json!(numbers),
            },
            Data::Bytes(_) => json!(self.to_string()),
        }
    }
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        match self {
            Data::Numbers(numbers) => {
                numbers.iter().try_for_each(|number| write!(text, "{number} "))?;
            }
            Data::Bytes(bytes) => bytes.iter().try_for_each(|byte| write!(text, "{byte:02x} "))?,
        }
        f.pad(text.trim_end())
    }
}

/// A map and its elements, by key.
#[derive(Clone, Debug, Default)]
pub struct Elements {
    /// The map's name.
    pub name: String,
    /// Its type.
    pub kind: &'static str,
    /// Key and value of each.
    pub elements: Vec<(Data, Data)>,
}

impl Elements {
    /// An array of objects.
    pub fn to_json(&self) -> Value {
        let element =
            |(key, value): &(Data, Data)| json!({"key": key.to_json(), "value": value.to_json()});
        self.elements.iter().map(element).collect()
    }
}

/// The map's name, then a line an element.
impl fmt::Display for Elements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Elements { name, kind, elements } = self;
        let nothing = match (elements.is_empty(), kind.contains("array")) {
            (false, _) => "",
            (true, true) => ": all zero",
            (true, false) => ": empty",
        };
        writeln!(f, "{name} ({kind}){nothing}")?;
        let keys: Vec<String> = elements.iter().map(|(key, _)| key.to_string()).collect();
        let width = keys.iter().map(String::len).max().unwrap_or(0);
        let lines = keys.iter().zip(elements);
        lines.into_iter().try_for_each(|(key, (_, value))| writeln!(f, "  {key:>width$}: {value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_the_size_of_a_number_is_one() {
        let shown = |bytes: &[u8]| Data::new(bytes).to_string();
        assert_eq!(shown(&[7]), "7");
        assert_eq!(shown(&513_u16.to_ne_bytes()), "513");
        assert_eq!(shown(&70000_u32.to_ne_bytes()), "70000");
        assert_eq!(shown(&u64::MAX.to_ne_bytes()), "18446744073709551615");
        assert_eq!(shown(&[[1_u64, 2].map(u64::to_ne_bytes).concat()].concat()), "1 2");
        assert_eq!(shown(&[1, 2, 255]), "01 02 ff");
        assert_eq!(shown(&[]), "");
    }

    #[test]
    fn cpus_are_added_up() {
        let cpus = [3_u64.to_ne_bytes(), 4_u64.to_ne_bytes()];
        assert_eq!(Data::of_cpus(cpus.iter().map(|cpu| &cpu[..])), Data::Numbers(vec![7]));
        let bytes = [[1, 2, 3], [4, 5, 6]];
        let bytes = Data::of_cpus(bytes.iter().map(|cpu| &cpu[..]));
        assert_eq!(bytes, Data::Bytes(vec![1, 2, 3, 4, 5, 6]));
    }

    #[test]
    fn keys_stand_one_below_the_other() {
        let number = |number| Data::Numbers(vec![number]);
        let elements = vec![(number(9), number(1)), (number(10), number(20))];
        let map = Elements { name: "seen".into(), kind: "hash", elements };
        assert_eq!(map.to_string(), "seen (hash)\n   9: 1\n  10: 20\n");
        let empty = Elements { name: "seen".into(), kind: "array", elements: vec![] };
        assert_eq!(empty.to_string(), "seen (array): all zero\n");
        assert_eq!(map.to_json().to_string(), r#"[{"key":9,"value":1},{"key":10,"value":20}]"#);
    }
}
