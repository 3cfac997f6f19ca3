//! Tables as kubectl prints them: columns padded with three blanks, nothing else.

use unicode_width::UnicodeWidthStr as _;

use super::on_one_line;

/// A table: its headers, and rows of as many cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    headers: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new(headers: Vec<&'static str>) -> Self {
        Self {
            headers,
            rows: Vec::new(),
        }
    }

    /// Adds a row; line breaks and control characters in it become blanks and U+FFFD.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows
            .push(cells.iter().map(|cell| on_one_line(cell)).collect());
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines, each ended by LF; the last column isn't padded.
    pub fn render(&self, with_headers: bool) -> String {
        self.render_below(with_headers, &mut Vec::new())
    }

    /// The same below lines that were printed before: columns are as wide as `widths` or wider, which it then holds.
    pub fn render_below(&self, with_headers: bool, widths: &mut Vec<usize>) -> String {
        let headers: Vec<String> = self.headers.iter().map(|text| (*text).to_owned()).collect();
        let lines: Vec<&Vec<String>> = with_headers
            .then_some(&headers)
            .into_iter()
            .chain(&self.rows)
            .collect();
        widths.resize(self.headers.len(), 0);
        for (column, width) in widths.iter_mut().enumerate() {
            let cells = lines.iter().filter_map(|line| line.get(column));
            let widest = cells.map(|cell| cell.width()).max().unwrap_or_default();
            *width = widest.max(*width);
        }
        let mut out = String::new();
        for line in lines {
            let mut text = String::new();
            for (cell, width) in line.iter().zip(&*widths) {
                text.push_str(cell);
                text.push_str(&" ".repeat(width - cell.width() + 3));
            }
            out.push_str(text.trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(vec!["NAME", "READY", "MESSAGE"]);
        assert!(table.is_empty());
        table.row(vec!["a".into(), "True".into(), "fine\nindeed\u{1b}".into()]);
        table.row(vec!["löng-name".into(), "False".into(), String::new()]);
        assert_eq!(
            table.render(true),
            "NAME        READY   MESSAGE\na           True    fine indeed\u{fffd}\nlöng-name   False\n"
        );
        assert_eq!(
            table.render(false),
            "a           True    fine indeed\u{fffd}\nlöng-name   False\n"
        );
    }
}
