//! The checksum of blocks: CRC-32, as Ethernet and zip files have it.

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut value, mut bit) = (byte as u32, 0);
        while bit < 8 {
            value = (value >> 1) ^ ((value & 1) * 0xedb8_8320);
            bit += 1;
        }
        table[byte] = value;
        byte += 1;
    }
    table
};

/// The checksum of a part's bytes. Those of another part's number have another one, so that what a new part has
/// not overwritten yet is not taken for its own.
pub fn of(part: u64, bytes: &[u8]) -> u32 {
    let all = part.to_le_bytes();
    let all = all.iter().chain(bytes);
    !all.fold(!0, |sum, byte| sum >> 8 ^ TABLE[usize::from(sum as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        // The check value of CRC-32 is that of "123456789".
        assert_eq!(of(u64::from_le_bytes(*b"12345678"), b"9"), 0xcbf4_3926);
        assert_ne!(of(1, b"row"), of(2, b"row"));
    }
}
