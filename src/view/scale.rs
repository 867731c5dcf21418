//! The scale of latencies that all rows of a heat map share.

/// Columns of nanoseconds, and the first column that is drawn; those left of it are drawn as one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scale {
    /// The smallest number of nanoseconds in each column, from 1 on; at the end, the first number that is
    /// right of all columns.
    bounds: &'static [u64],
    /// The number of columns from a power of two to the next, all of the same width; a power of two itself. Below so
    /// many nanoseconds, each has a column of its own.
    per_doubling: u32,
    /// The first column that is drawn.
    pub(crate) first: usize,
}

impl Scale {
    /// All columns between these bounds; `per_doubling` of them reach from a power of two to the next.
    pub const fn new(bounds: &'static [u64], per_doubling: u32) -> Scale {
        Scale { bounds, per_doubling, first: 0 }
    }

    /// The scale that begins at the column of this many nanoseconds.
    pub fn from(self, ns: u64) -> Scale {
        Scale { first: self.column(ns), ..self }
    }

    /// The number of columns.
    pub fn columns(self) -> usize {
        self.bounds.len().saturating_sub(1)
    }

    /// The number of columns that are drawn one by one.
    pub(crate) fn drawn(self) -> usize {
        self.columns().saturating_sub(self.first)
    }

    /// The column of this many nanoseconds; the number of columns if it is right of all.
    pub fn column(self, ns: u64) -> usize {
        self.bounds.partition_point(|bound| *bound <= ns).saturating_sub(1)
    }

    /// The smallest number of nanoseconds in this column or a later one.
    pub(crate) fn lower(self, column: usize) -> u64 {
        self.bounds.get(column).copied().unwrap_or(u64::MAX)
    }

    /// Where the last column ends.
    pub(crate) fn end(self) -> u64 {
        self.lower(self.columns())
    }

    /// All bounds.
    pub(crate) fn bounds(self) -> &'static [u64] {
        self.bounds
    }

    /// The position of this many nanoseconds, in columns from the left.
    pub(crate) fn position(self, ns: u64) -> f64 {
        let ns = ns.max(1);
        if ns < self.per_doubling.into() {
            return ns as f64 - 1.0;
        }
        // Between two powers of two, the columns have the same width.
        let log2 = ns.ilog2();
        let part = ns as f64 / (1u64 << log2) as f64;
        let doublings = f64::from(log2 - self.per_doubling.ilog2()) + part;
        f64::from(self.per_doubling) * doublings - 1.0
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// From a nanosecond to seventeen seconds, four columns to a power of two.
    pub const SCALE: Scale = Scale::new(&BOUNDS, 4);

    static BOUNDS: [u64; 132] = {
        let (mut bounds, mut column) = ([1; 132], 1);
        while column < bounds.len() {
            let before: u64 = bounds[column - 1];
            let doubling = 1 << before.ilog2();
            bounds[column] = before + if doubling < 4 { 1 } else { doubling / 4 };
            column += 1;
        }
        bounds
    };

    #[test]
    fn a_column_begins_where_the_one_before_ends() {
        for column in 1..=SCALE.columns() {
            let ns = SCALE.lower(column);
            assert!(SCALE.column(ns) >= column && SCALE.column(ns - 1) < column, "{column}: {ns}");
        }
        assert_eq!([0, 1, 8, u64::MAX].map(|ns| SCALE.column(ns)), [0, 0, 7, 131]);
        assert_eq!(SCALE.end(), 1 << 34);
    }

    #[test]
    fn a_position_lies_in_its_column() {
        for ns in [1, 3, 4, 8, 11, 100, 1_000, 1024, 65_535, 1_000_000, 1 << 29] {
            let (column, position) = (SCALE.column(ns) as f64, SCALE.position(ns));
            assert!(column <= position && position < column + 1.0, "{ns}: {column} {position}");
        }
    }
}
