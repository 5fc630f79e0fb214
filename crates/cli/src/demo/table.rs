//! A table of at most 100 columns.

use crate::text::cut;

const WIDTHS: [usize; 3] = [17, 37, 44];

const BOLD: &str = "1";
const GREEN: &str = "32";
const RED: &str = "31";

pub(super) fn head(cells: [&str; 3]) -> String {
    let rule = WIDTHS.map(|width| "─".repeat(width)).join("─");
    format!("{}\n{rule}", paint(BOLD, fit(cells).join(" ").trim_end()))
}

/// One row; its last cell is red unless `well` is set.
pub(super) fn row(cells: [&str; 3], well: bool) -> String {
    let [path, upstream, got] = fit(cells);
    format!("{path} {upstream} {}", paint(if well { GREEN } else { RED }, got.trim_end()))
}

fn paint(colour: &str, text: &str) -> String {
    format!("\u{1b}[{colour}m{text}\u{1b}[0m")
}

/// Each cell on one line, filled up with spaces, or cut with `…` if it is too long.
fn fit(cells: [&str; 3]) -> [String; 3] {
    std::array::from_fn(|column| {
        let width = WIDTHS[column];
        let cell = cells[column].replace(char::is_control, " ");
        format!("{:<width$}", cut(&cell, width))
    })
}
