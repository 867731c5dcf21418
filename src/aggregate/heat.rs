//! The scale of a heat map: columns of nanoseconds, three to a power of two, as the kernel's tracex3 has
//! them.

use crate::insn::Cond::Le;
use crate::insn::{Asm, R, Regs};

/// The number of columns: the first is a nanosecond, the last ends at eleven seconds.
pub const COLUMNS: u32 = 100;
/// The number of columns from a power of two to the next. They are of one width.
pub const PER_DOUBLING: u32 = 3;

/// The least number of nanoseconds in each column, and after the last in none of them. Between 1 and 8
/// there are fewer whole numbers than columns, so that some begin where the next does.
pub static BOUNDS: [u64; COLUMNS as usize + 1] = {
    let (mut bounds, mut column) = ([0; COLUMNS as usize + 1], 0);
    while column < bounds.len() {
        // In 64ths of the way to the next power of two, which is what the program sees.
        let parts = (column as u64 * 64).div_ceil(PER_DOUBLING as u64);
        let (log2, part) = (parts / 64, parts % 64);
        bounds[column] = (1 << log2) + (part << log2).div_ceil(64);
        column += 1;
    }
    bounds
};

/// `dst = ` the column of `ns` nanoseconds, or [`COLUMNS`] for all above the last. Clobbers `ns` and the
/// scratch registers.
#[track_caller]
pub fn column(a: &mut Asm, dst: R, ns: R, scratch: [R; 2]) {
    let [copy, more] = scratch;
    a.mov(copy, ns);
    a.log2_u64(dst, copy, more);
    // The six bits below the highest: how far it is to the next power of two, in 64ths.
    a.mov(copy, 63);
    a.sub(copy, dst);
    a.lsh(ns, copy);
    a.lsh(ns, 1);
    a.rsh(ns, 58);
    a.lsh(dst, 6);
    a.add(dst, ns);
    a.mul(dst, PER_DOUBLING as i32);
    a.rsh(dst, 6);
    let last = a.label();
    a.jump_if(dst, Le, COLUMNS as i32, &last);
    a.mov(dst, COLUMNS as i32);
    a.place(last);
}

/// The registers that [`column()`] overwrites beside `dst`.
pub const fn clobbers(ns: R, [copy, more]: [R; 2]) -> Regs {
    Regs::of([ns, copy, more])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_tracex3() {
        let column = |ns| BOUNDS.partition_point(|bound| *bound <= ns) - 1;
        for (ns, expected) in
            [(1, 0), (1_000, 29), (10_000, 39), (1_000_000, 59), (1_000_000_000, 89)]
        {
            assert_eq!(column(ns), expected, "{ns}");
        }
        assert_eq!([column(11_542_724_607), column(11_542_724_608)], [99, 100]);
        assert!(BOUNDS.is_sorted());
    }
}
