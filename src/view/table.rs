//! A table: rows under a header, each column as wide as its widest text.

use std::fmt::Write;

use crate::plain;

/// The alignment of a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Align {
    /// Words are aligned left.
    Left,
    /// Numbers are aligned right.
    Right,
}

/// The table as text. Characters that steer a terminal are shown as `?`.
pub fn table(columns: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let header = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    let rows = [&header].into_iter().chain(rows);
    let printable = |row: &Vec<String>| -> Vec<String> {
        row.iter().map(|text| plain::line(text).into_owned()).collect()
    };
    let rows: Vec<Vec<String>> = rows.map(printable).collect();
    let widths: Vec<usize> = (0..columns.len())
        .map(|index| rows.iter().map(|row| row[index].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for ((cell, width), (_, side)) in row.iter().zip(&widths).zip(columns) {
            let _ = match side {
                Align::Left => write!(line, "{cell:<width$}  "),
                Align::Right => write!(line, "{cell:>width$}  "),
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [(&str, Align); 3] =
        [("ID", Align::Right), ("NAME", Align::Left), ("HELD BY", Align::Left)];

    #[test]
    fn columns_are_as_wide_as_their_widest_text() {
        let rows = [
            ["7", "bitehist", "-"].map(str::to_owned).to_vec(),
            ["42", "é", "a\x1b[2Jb\n 3"].map(str::to_owned).to_vec(),
        ];
        let text = "ID  NAME      HELD BY\n 7  bitehist  -\n42  é         a?[2Jb? 3\n";
        assert_eq!(table(&COLUMNS, &rows), text);
    }

    #[test]
    fn no_rows_are_a_header() {
        assert_eq!(table(&COLUMNS, &[]), "ID  NAME  HELD BY\n");
    }
}
