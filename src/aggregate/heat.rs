//! The scale of a heat map: columns of nanoseconds, four to a power of two. Each is the sum of four of the buckets of a
//! distribution.

use super::buckets::log_linear_start;
use crate::insn::Cond::Le;
use crate::insn::blocks::clobbers::log_linear;
use crate::insn::{Asm, R, Regs};

/// The number of columns: the first is a nanosecond, the last ends at seventeen seconds.
pub const COLUMNS: u32 = 131;
/// The number of columns from a power of two to the next, all of one width. Below so many nanoseconds, each has a column
/// of its own.
pub const PER_DOUBLING: u32 = 1 << BITS;
const BITS: u32 = 2;

/// The least number of nanoseconds in each column, and after the last in none of them.
pub static BOUNDS: [u64; COLUMNS as usize + 1] = {
    let (mut bounds, mut column) = ([0; COLUMNS as usize + 1], 0);
    while column < bounds.len() {
        bounds[column] = log_linear_start(column + 1, BITS) as u64;
        column += 1;
    }
    bounds
};

/// `dst = ` one more than the column of `ns` nanoseconds: 0 if there are none, `COLUMNS + 1` for all above the last.
/// Clobbers `ns` and the scratch registers.
#[track_caller]
pub fn column(a: &mut Asm, dst: R, ns: R, scratch: [R; 2]) {
    a.log_linear(dst, ns, BITS as i32, scratch);
    let last = a.label();
    a.jump_if(dst, Le, COLUMNS as i32, &last);
    a.mov(dst, COLUMNS as i32 + 1);
    a.place(last);
}

/// The registers that [`column()`] overwrites beside `dst`.
pub const fn clobbers(ns: R, scratch: [R; 2]) -> Regs {
    log_linear(ns, scratch)
}

#[cfg(test)]
mod tests {
    use super::super::Buckets;
    use super::*;

    #[test]
    fn a_column_is_four_buckets_of_a_distribution() {
        let fine: Vec<_> =
            (0..Buckets::LOG2.len()).map(|index| Buckets::LOG2.range(index).0).collect();
        for ends in BOUNDS[8..].windows(2) {
            let inside = fine.iter().filter(|low| (ends[0]..ends[1]).contains(low)).count();
            assert!(inside <= 4 && fine.contains(&ends[0]), "{ends:?}");
            assert!(inside == 4 || ends[1] < 64, "{ends:?}");
        }
        assert_eq!(BOUNDS[..9], [1, 2, 3, 4, 5, 6, 7, 8, 10]);
        assert_eq!(BOUNDS[COLUMNS as usize], 1 << 34);
    }
}
