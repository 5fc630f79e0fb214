//! Compares the figures of costs on pages with their source, the table of `benches/README.md`.

use std::fs;
use std::path::Path;

/// The cases of the first table, with their names in the bench.
const CASES: [&str; 6] = ["happy GET", "empty 404", "JSON 404", "inner Err", "401", "413 for JSON"];

/// One row of the bench's table.
struct Row<'t> {
    instructions: u64,
    above_bare: u64,
    allocations: u64,
    stack: &'t str,
}

#[test]
fn the_first_table_of_the_benches_is_that_of_their_rows() {
    let page = page("benches/README.md");
    for (name, stack) in [("tower-http's layers (**today**)", "today"), ("this layer (**envelope**)", "envelope")] {
        let cells = CASES.map(|case| {
            let (row, bare) = (row(&page, case, stack), row(&page, case, "bare"));
            format!("{} · {}", with_comma(row.above_bare), row.allocations - bare.allocations)
        });
        let line = format!("| {name} | {} |", cells.join(" | "));
        assert!(page.contains(&line), "benches/README.md should have this line:\n{line}");
    }
}

#[test]
fn other_pages_quote_the_row_of_a_successful_request() {
    let benches = page("benches/README.md");
    let (layer, bare) = (row(&benches, "happy GET", "envelope"), row(&benches, "happy GET", "bare"));
    let readme = format!(
        "about {} instructions and {} allocations per successful request",
        with_comma((layer.above_bare + 250) / 500 * 500),
        layer.allocations - bare.allocations
    );
    assert!(page("README.md").contains(&readme), "README.md should have: {readme}");
    let choosing = format!(
        "{} instructions and {} allocations per success, {} per empty 404",
        with_comma(layer.above_bare),
        layer.allocations - bare.allocations,
        with_comma(row(&benches, "empty 404", "envelope").above_bare)
    );
    assert!(page("manual/choosing.md").contains(&choosing), "manual/choosing.md should have: {choosing}");
    let tenths = (layer.above_bare * 10 + bare.instructions / 2) / bare.instructions;
    let ratio = format!("about {}.{} times the instructions of a bare handler", tenths / 10, tenths % 10);
    assert!(page("manual/comparison.md").contains(&ratio), "manual/comparison.md should have: {ratio}");
}

/// Returns the row of a stack in a case. Only the first row of a case has its name.
fn row<'t>(page: &'t str, case: &str, stack: &str) -> Row<'t> {
    let (_, table) = page.split_once("\ncase         stack").expect("the bench's table");
    let rows = table.lines().skip(1).take_while(|line| !line.starts_with("```"));
    let behind = rows.skip_while(|line| !line.starts_with(&format!("{case:<13}")));
    let mut own = behind.enumerate().take_while(|(at, line)| *at == 0 || line.starts_with(' '));
    let found = own.find_map(|(_, line)| Some(parsed(line.get(13..)?)).filter(|row| row.stack == stack));
    found.unwrap_or_else(|| panic!("no row {stack} of {case}"))
}

fn parsed(line: &str) -> Row<'_> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    let number = |at: usize| columns[at].parse().unwrap_or_else(|_| panic!("column {at} of {line:?}"));
    Row { stack: columns[0], instructions: number(1), above_bare: number(2), allocations: number(5) }
}

fn with_comma(number: u64) -> String {
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", number / 1_000, number % 1_000) }
}

fn page(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
