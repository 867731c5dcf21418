//! How many CPUs this host could have: a per-CPU map has a value for each of them.

use std::path::Path;
use std::sync::OnceLock;

use super::{FileError, file};

const POSSIBLE: &str = "/sys/devices/system/cpu/possible";

/// The number of possible CPUs, read once. Not the number that is online: a per-CPU map also has
/// values for CPUs that may be plugged in later.
pub fn possible() -> Result<usize, FileError> {
    static COUNT: OnceLock<usize> = OnceLock::new();
    if let Some(&count) = COUNT.get() {
        return Ok(count);
    }
    let path = Path::new(POSSIBLE);
    let text = file::read_text(path)?;
    let count = count(text.trim())
        .ok_or_else(|| FileError::nonsense(path, format!("not a list of CPUs: {text:?}")))?;
    Ok(*COUNT.get_or_init(|| count))
}

/// Counts the CPUs in a list such as "0-3,8-11".
fn count(list: &str) -> Option<usize> {
    let number = |text: &str| text.parse::<u16>().ok().map(usize::from);
    list.split(',')
        .map(|range| match range.split_once('-') {
            None => number(range).map(|_| 1),
            Some((first, last)) => {
                (number(last)? + 1).checked_sub(number(first)?).filter(|&cpus| cpus > 0)
            }
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn cpu_lists_are_counted() {
        assert_eq!(count("0"), Some(1));
        assert_eq!(count("0-1"), Some(2));
        assert_eq!(count("0-3,8,10-11"), Some(7));
        for bad in ["", "-", "3-1", "0-", "x", "0,", "0-70000"] {
            assert_eq!(count(bad), None, "{bad:?}");
        }
    }
}
