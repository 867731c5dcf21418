//! A table that fits a width: columns that have no room are left out, and long cells are cut.

use super::table::{Align, table};

/// A column of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Column<'a> {
    /// Its header.
    pub name: &'a str,
    /// Its alignment.
    pub align: Align,
    /// The columns with the highest rank are left out first; those of rank 0 stay.
    pub rank: u8,
}

impl<'a> Column<'a> {
    /// A column.
    pub const fn new(name: &'a str, align: Align, rank: u8) -> Column<'a> {
        Column { name, align, rank }
    }
}

/// The width that the last column of a table keeps, before another is left out for it.
const LAST_MIN: usize = 24;

/// Between two columns.
const GAP: usize = 2;

/// The table as text, no line wider than `width`. In a cell that is too wide, parts of a list (`a, b, c`) give
/// way to their number (`a +2`), and other texts end in `...`. A cell without a value is `-`.
pub fn fitted(columns: &[Column], rows: &[Vec<String>], width: Option<usize>) -> String {
    let width = width.unwrap_or(usize::MAX);
    let wide = |index: usize| {
        let cells = rows.iter().map(|row| row[index].chars().count());
        cells.chain([columns[index].name.len()]).max().unwrap_or(0)
    };
    let mut kept: Vec<(usize, usize)> = (0..columns.len()).map(|at| (at, wide(at))).collect();
    loop {
        let last = kept.len().saturating_sub(1);
        let least = |(at, (_, wide)): (usize, &(usize, usize))| {
            GAP + if at == last { *wide.min(&LAST_MIN) } else { *wide }
        };
        let needed: usize = kept.iter().enumerate().map(least).sum();
        let is_empty = |index: usize| rows.iter().all(|row| row[index] == "-");
        let next = kept
            .iter()
            .enumerate()
            .filter(|(_, (index, _))| columns[*index].rank > 0)
            .max_by_key(|(_, (index, _))| (is_empty(*index), columns[*index].rank));
        match next {
            Some((at, _)) if needed > width.saturating_add(GAP) => _ = kept.remove(at),
            _ => break,
        }
    }
    // What is still too wide is cut from the right.
    let mut left = width;
    for (_, wide) in &mut kept {
        *wide = (*wide).min(left);
        left = left.saturating_sub(*wide + GAP);
    }
    kept.retain(|(_, wide)| *wide > 0);
    let header: Vec<_> = kept
        .iter()
        .map(|(index, wide)| {
            let Column { name, align, .. } = columns[*index];
            (name.get(..*wide).unwrap_or(name), align)
        })
        .collect();
    let shown = |row: &Vec<String>| {
        kept.iter().map(|(index, wide)| shortened(&row[*index], *wide)).collect()
    };
    table(&header, &rows.iter().map(shown).collect::<Vec<_>>())
}

/// A cell in at most this many columns.
fn shortened(cell: &str, width: usize) -> String {
    if cell.chars().count() <= width {
        return cell.to_owned();
    }
    let parts: Vec<_> = cell.split(", ").collect();
    for count in (1..parts.len()).rev() {
        let text = format!("{} +{}", parts[..count].join(", "), parts.len() - count);
        if text.chars().count() <= width {
            return text;
        }
    }
    let dots = width.min(3);
    cell.chars().take(width - dots).chain("...".chars().take(dots)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::table::Align::{Left, Right};
    use super::*;

    const COLUMNS: [Column; 4] = [
        Column::new("ID", Right, 0),
        Column::new("TAG", Left, 2),
        Column::new("SIZE", Right, 1),
        Column::new("HELD BY", Left, 0),
    ];

    fn rows() -> Vec<Vec<String>> {
        let rows = [
            ["7", "aaaaaaaaaaaaaaaa", "4096", "rawbpf 77, systemd 1, link 3, link 4"],
            ["12", "bbbbbbbbbbbbbbbb", "-", "/sys/fs/bpf/a/very/long/path/to/a/file"],
        ];
        rows.map(|row| row.map(str::to_owned).to_vec()).to_vec()
    }

    #[test]
    fn what_fits_is_shown_whole() {
        let text = fitted(&COLUMNS, &rows(), None);
        assert_eq!(text, fitted(&COLUMNS, &rows(), Some(66)));
        assert!(text.contains("systemd 1, link 3, link 4\n"), "{text}");
    }

    #[test]
    fn columns_give_way_by_their_rank_and_lists_end_in_a_number() {
        assert_eq!(
            fitted(&COLUMNS, &rows(), Some(40)),
            "ID  SIZE  HELD BY\n\
             \x207  4096  rawbpf 77, systemd 1 +2\n\
             12     -  /sys/fs/bpf/a/very/long/pat...\n"
        );
        assert_eq!(
            fitted(&COLUMNS, &rows(), Some(20)),
            "ID  HELD BY\n 7  rawbpf 77 +3\n12  /sys/fs/bpf/a...\n"
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_however_narrow() {
        for width in 1..80 {
            for line in fitted(&COLUMNS, &rows(), Some(width)).lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn a_column_without_a_value_gives_way_first() {
        let rows = vec![["7", "t", "-", "rawbpf 77, systemd 1"].map(str::to_owned).to_vec()];
        assert_eq!(
            fitted(&COLUMNS, &rows, Some(29)),
            "ID  TAG  HELD BY\n 7  t    rawbpf 77, systemd 1\n"
        );
    }
}
