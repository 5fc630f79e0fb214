//! Compares a run with the recorded table (`benches/README.md`): `cargo bench -p benches --bench cost -- --check`.
//!
//! The check fails if a figure of the layer rose by more than 2 %. Instructions are scaled by the change of the handler
//! alone or of today's stack, whichever rose more, because another libc or processor changes all three.

use std::collections::HashMap;

use crate::Named;
use crate::stacks::Stack;
use crate::table::Row;

const RECORDED: &str = include_str!("../README.md");
const MOST: f64 = 1.02;

/// Returns a line for each figure that rose.
pub(crate) fn risen(rows: &[Row]) -> Vec<String> {
    let recorded = recorded();
    let figures = |row: &Row| recorded.get(&(row.case.name(), row.stack.name())).copied();
    let mut risen = Vec::new();
    for row in rows.iter().filter(|row| !matches!(row.stack, Stack::Bare | Stack::Today | Stack::Fused)) {
        let compared = rows.iter().filter(|it| it.case == row.case && matches!(it.stack, Stack::Bare | Stack::Today));
        let scales = compared.filter_map(|it| Some(it.cost.instructions? / figures(it)?.0));
        let scale = scales.max_by(f64::total_cmp);
        let (Some((instructions, allocations)), Some(scale), Some(now)) = (figures(row), scale, row.cost.instructions)
        else {
            risen.push(format!("{} {}: not recorded, or not counted", row.case.name(), row.stack.name()));
            continue;
        };
        for (what, was, is) in
            [("instructions", instructions * scale, now), ("allocations", allocations, row.cost.allocations)]
        {
            if is > was * MOST {
                let (case, stack) = (row.case.name(), row.stack.name());
                risen.push(format!("{case} {stack}: {is:.0} {what}, and {was:.0} recorded"));
            }
        }
    }
    risen
}

/// Returns the recorded instructions and allocations, by case and stack.
fn recorded() -> HashMap<(&'static str, &'static str), (f64, f64)> {
    let table = RECORDED.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap_or_default();
    let mut case = "";
    let rows = table.lines().skip(1).filter_map(|line| {
        let (name, columns) = line.split_at_checked(12)?;
        case = if name.trim().is_empty() { case } else { name.trim() };
        let columns: Vec<&str> = columns.split_whitespace().collect();
        Some(((case, *columns.first()?), (columns.get(1)?.parse().ok()?, columns.get(5)?.parse().ok()?)))
    });
    rows.collect()
}
