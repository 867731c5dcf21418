//! Data of which only the length is known.

use std::fmt::{self, Write};

/// Bytes of a map, read as numbers if their length is that of one number or of several.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Data {
    /// One number of 1, 2, 4 or 8 bytes, or several of 8.
    Numbers(Vec<u64>),
    /// Bytes of any other length.
    Bytes(Vec<u8>),
}

impl Data {
    /// The data in these bytes, in this host's byte order.
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

    /// The data of several CPUs: the sums of numbers, or the bytes of all CPUs one after the other.
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

    /// Whether all bytes are zero.
    pub fn is_zero(&self) -> bool {
        match self {
            Data::Numbers(numbers) => numbers.iter().all(|number| *number == 0),
            Data::Bytes(bytes) => bytes.iter().all(|byte| *byte == 0),
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
}
