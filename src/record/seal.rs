//! Checksums made right, so that a test can change what they are of.

use super::{BEFORE_BLOCK, HEAD, checksum};

/// Makes the checksums of a recording right, whatever is in it: for tests of what a reader does with foreign
/// bytes. Blocks whose length leads beyond the end stay as they are.
pub fn seal(file: &mut [u8]) {
    let Some(size) = file.get(12..16).map(|bytes| bytes.iter().rev().fold(0, add)) else { return };
    for part in file.chunks_mut(usize::try_from(size).unwrap_or(usize::MAX).max(HEAD)) {
        let Some((head, mut rest)) = part.split_at_mut_checked(HEAD) else { return };
        let number = head[16..24].iter().rev().fold(0, add);
        let sum = checksum::of(0, &head[..32]).to_le_bytes();
        head[32..].copy_from_slice(&sum);
        while let Some((before, after)) = rest.split_at_mut_checked(BEFORE_BLOCK) {
            let length = before[..4].iter().rev().fold(0, add) as usize;
            let Some((block, others)) = after.split_at_mut_checked(length) else { break };
            before[4..].copy_from_slice(&checksum::of(number, block).to_le_bytes());
            rest = others;
        }
    }
}

fn add(number: u64, byte: &u8) -> u64 {
    number << 8 | u64::from(*byte)
}
