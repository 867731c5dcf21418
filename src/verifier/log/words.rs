//! Reading a line from its left.

/// The rest of a line.
#[derive(Clone, Copy)]
pub(super) struct Words<'a>(pub &'a str);

impl<'a> Words<'a> {
    /// Goes over `text`, if the line goes on so.
    pub fn skip(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    /// The bytes in front that are `wanted`.
    pub fn take(&mut self, wanted: fn(u8) -> bool) -> &'a str {
        let end = self.0.bytes().position(|byte| !wanted(byte)).unwrap_or(self.0.len());
        // A byte that ends ASCII is where a character begins.
        let (taken, rest) = self.0.split_at_checked(end).unwrap_or((self.0, ""));
        self.0 = rest;
        taken
    }

    /// A number in decimal.
    pub fn number(&mut self) -> Option<u32> {
        self.take(|byte| byte.is_ascii_digit()).parse().ok()
    }

    /// A number as the kernel prints those that may be large or negative: `-8`, `0xffff0000`. 64 bits
    /// in hexadecimal may stand for a negative number.
    pub fn long(&mut self) -> Option<i64> {
        if self.skip("0x").is_some() {
            let digits = self.take(|byte| byte.is_ascii_hexdigit());
            return u64::from_str_radix(digits, 16).ok().map(|bits| bits as i64);
        }
        let negative = self.skip("-").is_some();
        // Of an unsigned number the highest bit may be set.
        let digits = self.take(|byte| byte.is_ascii_digit());
        let number = digits.parse::<u64>().ok()? as i64;
        Some(if negative { number.wrapping_neg() } else { number })
    }
}

/// ` (25) if r1 > 0x7`: the opcode and the text after it.
pub(super) fn opcode(text: &str) -> Option<(u8, &str)> {
    let text = text.strip_prefix(" (")?;
    let code = u8::from_str_radix(text.get(..2)?, 16).ok()?;
    Some((code, text.get(2..)?.strip_prefix(") ")?))
}
