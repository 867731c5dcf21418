//! Numbers and texts as bytes.

/// Why bytes are not what a writer wrote.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wrong;

/// Appends a number: seven bits a byte, the lowest first.
pub fn number(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Appends a number near 0, above or below it, in the two's complement of 64 bits.
pub fn difference(bytes: &mut Vec<u8>, value: u64) {
    number(bytes, value << 1 ^ ((value as i64) >> 63) as u64);
}

/// The longest text, in bytes.
const LONGEST: usize = 1 << 16;

/// Appends a text and its length. What is too long is cut.
pub fn text(bytes: &mut Vec<u8>, text: &str) {
    let text = &text[..text.floor_char_boundary(LONGEST)];
    number(bytes, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}

/// What is left to read.
pub struct Rest<'a>(pub &'a [u8]);

impl<'a> Rest<'a> {
    pub fn byte(&mut self) -> Result<u8, Wrong> {
        let (first, rest) = self.0.split_first().ok_or(Wrong)?;
        self.0 = rest;
        Ok(*first)
    }

    pub fn number(&mut self) -> Result<u64, Wrong> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Wrong)
    }

    pub fn difference(&mut self) -> Result<u64, Wrong> {
        let value = self.number()?;
        Ok(value >> 1 ^ (value & 1).wrapping_neg())
    }

    /// A number of things that take at least a byte each.
    pub fn count(&mut self) -> Result<usize, Wrong> {
        let count = usize::try_from(self.number()?).map_err(|_| Wrong)?;
        if count <= self.0.len() { Ok(count) } else { Err(Wrong) }
    }

    /// A number below `limit`.
    pub fn index(&mut self, limit: usize) -> Result<usize, Wrong> {
        let index = usize::try_from(self.number()?).map_err(|_| Wrong)?;
        if index < limit { Ok(index) } else { Err(Wrong) }
    }

    pub fn bytes(&mut self) -> Result<&'a [u8], Wrong> {
        let length = self.count()?;
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        Ok(bytes)
    }

    pub fn text(&mut self) -> Result<String, Wrong> {
        match self.bytes()? {
            bytes if bytes.len() <= LONGEST => String::from_utf8(bytes.to_vec()).map_err(|_| Wrong),
            _ => Err(Wrong),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for value in [0, 1, 127, 128, 300, u64::MAX - 1, u64::MAX, 1 << 63] {
            let mut bytes = vec![];
            number(&mut bytes, value);
            difference(&mut bytes, value);
            let mut rest = Rest(&bytes);
            assert_eq!((rest.number(), rest.difference()), (Ok(value), Ok(value)));
            assert_eq!(rest.byte(), Err(Wrong));
        }
        let mut near = vec![];
        difference(&mut near, u64::MAX);
        assert_eq!(near, [1]);
    }

    #[test]
    fn a_length_beyond_the_end_is_wrong() {
        assert_eq!(Rest(&[3, b'a', b'b']).bytes(), Err(Wrong));
        assert_eq!(Rest(&[0xff; 20]).number(), Err(Wrong));
        assert_eq!(Rest(&[1, 0xff]).text(), Err(Wrong));
    }
}
