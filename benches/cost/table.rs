//! Writes the table, at most 100 columns wide.

use std::fmt::Write;

use crate::Named;
use crate::cases::Case;
use crate::measure::Cost;
use crate::stacks::Stack;

pub(crate) struct Row {
    pub(crate) case: Case,
    pub(crate) stack: Stack,
    pub(crate) cost: Cost,
}

/// Writes the rows. `+bare` is the cost of a stack above the handler alone. `/bare` and `/today` are ratios.
pub(crate) fn write(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<12} {:<15} {:>7} {:>7} {:>6} {:>6} {:>7} {:>6} {:>7} {:>6} {:>6}\n",
        "case", "stack", "instr", "+bare", "/bare", "/today", "allocs", "bytes", "ns", "/bare", "/today"
    );
    for row in rows {
        let cost_of = |stack: Stack| rows.iter().find(|it| it.stack == stack && it.case == row.case).map(|it| it.cost);
        if let (Some(bare), Some(today)) = (cost_of(Stack::Bare), cost_of(Stack::Today)) {
            let _ = writeln!(text, "{}", line(row, &bare, &today));
        }
    }
    text
}

fn line(Row { case, stack, cost }: &Row, bare: &Cost, today: &Cost) -> String {
    let instructions = |cost: &Cost| cost.instructions.unwrap_or(f64::NAN);
    let (counted, counted_bare) = (instructions(cost), instructions(bare));
    let name = if *stack == Stack::Bare { case.name() } else { "" };
    let columns = [
        (7, whole(counted)),
        (7, whole(counted - counted_bare)),
        (6, ratio(counted / counted_bare)),
        (6, ratio(counted / instructions(today))),
        (7, whole(cost.allocations)),
        (6, whole(cost.bytes)),
        (7, whole(cost.nanoseconds)),
        (6, ratio(cost.nanoseconds / bare.nanoseconds)),
        (6, ratio(cost.nanoseconds / today.nanoseconds)),
    ];
    let columns = columns.map(|(width, text)| format!(" {text:>width$}")).concat();
    format!("{name:<12} {:<15}{columns}", stack.name())
}

fn whole(number: f64) -> String {
    if number.is_nan() { "-".to_owned() } else { format!("{number:.0}") }
}

fn ratio(number: f64) -> String {
    if number.is_nan() { "-".to_owned() } else { format!("{number:.2}") }
}
