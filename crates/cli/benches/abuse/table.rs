//! Writes the tables of the manual.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::front::Tally;
use crate::row::Row;
use crate::shapes::Shaped;
use crate::trial::PAIRS;

/// The most kinds of answers to report.
const TOLD: usize = 4;

pub(crate) fn attacks(rows: &[Row], quick: bool) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut table = String::from(
        "| attack | what was done | what was answered | what limits it | peak memory | descriptors before, most, after | \
         threads | good p99 quiet, beside |\n|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let _ = writeln!(table, "{}", line(row));
    }
    if quick {
        table.push_str("\nA quick run: a tenth of each, and no times.\n");
    }
    table
}

pub(crate) fn line(row: &Row) -> String {
    let Row { name, done, sent, limit, answered, peak_kib, descriptors, threads, .. } = row;
    let p99 = times(row);
    let sent = if *sent > 0 { format!("; {sent} frames in all") } else { String::new() };
    let peak = *peak_kib as f64 / 1024.0;
    let open = format!("{}, {}, {}", descriptors.before, descriptors.most, descriptors.after);
    format!("| {name} | {done}{sent} | {} | {limit} | {peak:.0} MiB | {open} | {threads} | {p99} |", describe(answered))
}

/// Returns a table that compares the p99 of good requests with the other command and with this command. The other
/// command runs right before each row.
pub(crate) fn compared(before: &[Option<Row>], rows: &[Row]) -> String {
    if before.iter().all(Option::is_none) {
        return String::new();
    }
    let mut table =
        String::from("\n| attack | before: good p99 quiet, beside | now | beside, to before |\n|---|---|---|---|\n");
    for (before, row) in before.iter().flatten().zip(rows) {
        let beside = |row: &Row| row.p99.map_or(f64::NAN, |p99| p99.beside.as_secs_f64());
        let to_before = beside(row) / beside(before);
        let _ = writeln!(table, "| {} | {} | {} | {to_before:.2} |", row.name, times(before), times(row));
    }
    table
}

fn times(row: &Row) -> String {
    row.p99.map_or("-".to_owned(), |p99| {
        let millis = |time: std::time::Duration| time.as_secs_f64() * 1e3;
        let of = if p99.pairs == PAIRS { String::new() } else { format!(" of {} pairs", p99.pairs) };
        format!("{:.1} ms, {:.1} ms (×{:.2}{of})", millis(p99.quiet), millis(p99.beside), p99.times)
    })
}

fn describe(answered: &Tally) -> String {
    let mut answers: Vec<_> = answered.iter().collect();
    answers.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let others: u64 = answers.iter().skip(TOLD).map(|(_, count)| **count).sum();
    let mut told: Vec<_> = answers.iter().take(TOLD).map(|(answer, count)| format!("{count} × {answer}")).collect();
    if others > 0 {
        told.push(format!("{others} × others"));
    }
    if told.is_empty() { "nothing".to_owned() } else { told.join(", ") }
}

pub(crate) fn shapes(shapes: &[Shaped]) -> String {
    if shapes.is_empty() {
        return String::new();
    }
    let mut table = String::from("| shape | over | answered | the service saw |\n|---|---|---|---|\n");
    for shaped in shapes {
        let _ = writeln!(table, "| {} | {} | {} | {} |", shaped.name, shaped.over, shaped.answered, shaped.saw());
    }
    table
}

fn with_rows(old: &str, new: &str) -> String {
    let name = |line: &str| line.split('|').nth(1).map(str::to_owned);
    let is_of = |line: &str, other: &str| name(line).is_some() && name(line) == name(other);
    let lines = old.lines().map(|line| new.lines().find(|other| is_of(line, other)).unwrap_or(line));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Puts each table between its markers in `abuse.md`.
///
/// If only some rows were requested, they replace the rows with the same names, and the other rows stay.
pub(crate) fn write(tables: &[(&str, &str)], some: bool) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/abuse/abuse.md");
    let mut text = fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    for (name, table) in tables.iter().filter(|(_, table)| !table.is_empty()) {
        let (begin, end) = (format!("<!-- {name}: written by the harness -->\n"), format!("<!-- {name} end -->"));
        let from = text.find(&begin).unwrap_or_else(|| panic!("{}: no line {begin}", page.display())) + begin.len();
        let to = from + text[from..].find(&end).unwrap_or_else(|| panic!("{}: no line {end}", page.display()));
        let table = if some { with_rows(&text[from..to], table) } else { (*table).to_owned() };
        text.replace_range(from..to, &table);
    }
    let beside = page.with_extension("md.new");
    fs::write(&beside, text).and_then(|()| fs::rename(&beside, &page)).expect("the page is written");
}
