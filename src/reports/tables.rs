//! What all reports in text have in common: tables of one width, moments, and words that steer no terminal.

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use jiff::Timestamp;

/// What fits a usual terminal and a mail.
const WIDTH: u16 = 100;

/// Rows of one line need no lines between them.
pub(super) fn plain() -> TableStyle {
    NOTHING.header_separator(LineStyle::new('─', '─', '─', '─'))
}

/// An empty table; `numbers` are the columns that stand to the right.
pub(super) fn table(style: TableStyle, header: &[&str], numbers: &[usize]) -> Table {
    let mut table = Table::new();
    table
        .load_style(style)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(header.iter().enumerate().map(|(index, name)| {
            let cell = Cell::new(name);
            if numbers.contains(&index) {
                cell.set_alignment(CellAlignment::Right)
            } else {
                cell
            }
        }));
    for index in numbers {
        if let Some(column) = table.column_mut(*index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

pub(super) fn utc(at: Timestamp) -> String {
    at.strftime("%F %H:%M UTC").to_string()
}

/// Reasons may quote what came off the wire: nothing in them may steer a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_off_the_wire_cannot_steer_a_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\r\nc"), "a [2Jb  c");
    }
}
