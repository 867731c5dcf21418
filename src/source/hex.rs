//! Instructions that are written as bytes, or as hexadecimal text.

use crate::error::Error;

/// The bytes in `input`: those written in it, where it is text and not a program itself.
///
/// # Errors
/// It is text, and not hexadecimal.
pub fn read(input: Vec<u8>) -> Result<Vec<u8>, Error> {
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    match std::str::from_utf8(&input) {
        Ok(text) if input.iter().all(is_text) => from_hex(text),
        _ => Ok(input),
    }
}

/// Pairs of digits, with any spaces and commas between them and `0x` before them. One digit that
/// stands alone is a byte too: `0x4, 0x0`.
fn from_hex(text: &str) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    for (line, written) in text.lines().enumerate() {
        let words = written.split([' ', '\t', '\r', '\x0c', ',']);
        for word in words.filter(|word| !word.is_empty()) {
            let digits = word.strip_prefix("0x").or(word.strip_prefix("0X")).unwrap_or(word);
            let column = word.as_ptr() as usize - written.as_ptr() as usize + 1;
            let wrong = |why: &str| {
                let word: String = word.chars().take(20).collect();
                Error::usage(format!("line {}, column {column}: {word:?} {why}", line + 1))
                    .hint("instructions are raw bytes, hexadecimal text or an ELF object")
            };
            let value = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
            let Some(values) = digits.bytes().map(value).collect::<Option<Vec<u8>>>() else {
                return Err(wrong("is not hexadecimal"));
            };
            match (&values[..], values.as_chunks::<2>()) {
                ([], _) => return Err(wrong("is not hexadecimal")),
                ([alone], _) => bytes.push(*alone),
                (_, (pairs, [])) => bytes.extend(pairs.iter().map(|[high, low]| high << 4 | low)),
                _ => return Err(wrong("has an odd number of digits")),
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_as_people_write_it() {
        for text in [
            "0400000001000000",
            "04 00 00 00 01 00 00 00\n",
            "0x04, 0x00, 0x00, 0x00,\r\n\t0x01, 0x00, 0x00, 0x00,",
            "0x4,0x0,0,0,1,0X0 0 0",
            "04000000 01000000",
        ] {
            assert_eq!(read(text.into()).unwrap(), [4, 0, 0, 0, 1, 0, 0, 0], "{text}");
        }
    }

    #[test]
    fn what_is_not_text_is_taken_as_it_is() {
        let exit = [0x95, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(read(exit.to_vec()).unwrap(), exit);
    }

    #[test]
    fn text_that_is_not_hexadecimal_says_where() {
        for (text, says) in [
            ("04 00\n00 xy", "line 2, column 4: \"xy\" is not hexadecimal"),
            ("040", "line 1, column 1: \"040\" has an odd number of digits"),
            ("0x", "\"0x\" is not"),
        ] {
            let error = read(text.into()).unwrap_err();
            assert!(error.what.contains(says), "{error}");
        }
    }
}
