//! A table of at most 100 columns.

use std::io::IsTerminal;

const WIDTHS: [usize; 3] = [17, 37, 44];

/// Writes rows; in colour on a terminal alone, and not where `NO_COLOR` asks for none.
pub(super) struct Table {
    colour: bool,
}

impl Table {
    pub(super) fn of_terminal() -> Self {
        Self { colour: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() }
    }

    pub(super) fn head(&self, cells: [&str; 3]) -> String {
        let rule = WIDTHS.map(|width| "─".repeat(width)).join("─");
        format!("{}\n{rule}", self.paint("1", &line(cells)))
    }

    /// A row is plain when all is well.
    pub(super) fn row(&self, cells: [&str; 3], well: bool) -> String {
        if well { line(cells) } else { self.paint("31", &line(cells)) }
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

fn line(cells: [&str; 3]) -> String {
    let cells: Vec<_> = cells.iter().zip(WIDTHS).map(|(cell, width)| fit(cell, width)).collect();
    cells.join(" ").trim_end().to_owned()
}

/// Cut with `…`, or filled up with spaces; on one line.
fn fit(cell: &str, width: usize) -> String {
    let cell: Vec<char> = cell.chars().map(|each| if each.is_control() { ' ' } else { each }).collect();
    if cell.len() > width {
        return cell.iter().take(width - 1).chain(['…'].iter()).collect();
    }
    format!("{:<width$}", cell.iter().collect::<String>())
}
