//! Compares what a client gets of twelve failures, and the cost of a request, with this layer and with four things that
//! people use instead. `cargo bench -p benches --bench compare` prints a table.
//!
//! - `UPDATE_MANUAL=1` writes it into `manual/comparison.md`.
//! - `-- --check` (and a run without `--bench`, as in `cargo test`) compares the page with the table, but not the
//!   costs.
//!
//! 1. The service is the same source in each (`service.rs`). Only its `anyhow` error is returned in the way that the stack's
//!    documentation shows (`stacks.rs`).
//! 2. A hyper client and server are at the ends of a connection in memory, so that a broken connection is noticed.
//! 3. Instructions are counted by callgrind, with the counter of the bench `cost`, in a separate process for each
//!    figure.
#![allow(clippy::disallowed_methods, reason = "the benchmark is its own executor")]

#[path = "../cost/answer.rs"]
mod answer;
mod by_hand;
#[path = "../cost/counter.rs"]
mod counter;
mod failures;
mod service;
mod stacks;

use std::hint::black_box;
use std::process::ExitCode;

use bytes::Bytes;
use failures::COUNTED;
use http::Request;
use http_body_util::Full;
use stacks::Stack;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../manual/comparison.md");
const LOCK: &str = include_str!("../../Cargo.lock");
const OPENS: &str = "<!-- written by UPDATE_MANUAL=1 cargo bench -p benches --bench compare -->\n";
const CLOSES: &str = "<!-- end -->\n";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    if let ["--count", stack, path, requests] = args[..] {
        count(Stack::named(stack), path, requests.parse().expect("a number"));
        return ExitCode::SUCCESS;
    }
    let seen = seen();
    print!("{seen}");
    let page = std::fs::read_to_string(PAGE).expect("manual/comparison.md");
    let (before, rest) = page.split_once(OPENS).expect("the page has a place for the table");
    let (old, after) = rest.split_once(CLOSES).expect("the table has an end");
    if args.contains(&"--check") || !args.contains(&"--bench") {
        let is_fresh = old.starts_with(&seen);
        if !is_fresh {
            println!("manual/comparison.md has another table: {OPENS}");
        }
        return if is_fresh { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    if !counter::has_valgrind() {
        println!("valgrind is not installed: no instruction counts. Install it (apt install valgrind) to have them.");
        return ExitCode::SUCCESS;
    }
    let costs = costs();
    print!("{costs}");
    if std::env::var_os("UPDATE_MANUAL").is_some() {
        std::fs::write(PAGE, format!("{before}{OPENS}{seen}{costs}{CLOSES}{after}")).expect("the page is written");
    }
    ExitCode::SUCCESS
}

fn seen() -> String {
    // One failure is a panic.
    std::panic::set_hook(Box::new(|_| {}));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let names = Stack::COMPARED.map(|stack| format!("{}{}", stack.name(), locked_version(stack.name()))).join(" | ");
    let mut table = format!("| | {names} |\n|---|---|---|---|---|---|\n");
    for failure in failures::failures() {
        let cells = Stack::COMPARED.map(|stack| runtime.block_on(failure.seen(stack)));
        table += &format!("| {} {} | {} |\n", failure.status, failure.name, cells.join(" | "));
    }
    let _ = std::panic::take_hook();
    table
}

/// Returns the newest version with a space before it, or an empty text if the name is not a crate.
fn locked_version(name: &str) -> String {
    let locked = LOCK.rsplit_once(&format!("\nname = \"{name}\"\nversion = \""));
    locked.and_then(|(_, rest)| rest.split_once('"')).map_or(String::new(), |(version, _)| format!(" {version}"))
}

/// Formats a number in hundreds. Builds of the same source differ by less.
fn in_hundreds(number: f64) -> String {
    let hundreds = (number / 100.0).round() as i64;
    if hundreds < 10 { format!("{}", hundreds * 100) } else { format!("{},{}00", hundreds / 10, hundreds % 10) }
}

/// Returns the last rows of the same table: instructions above the service alone.
fn costs() -> String {
    let rows = COUNTED.map(|(name, path, _)| {
        let counted = |stack: Stack| counter::instructions(&["--count", stack.name(), path], 3);
        let cells = Stack::COMPARED.map(|stack| in_hundreds(counted(stack) - counted(stack.bare())));
        format!("| cost: {name} | {} |\n", cells.join(" | "))
    });
    rows.concat()
}

fn count(stack: Stack, path: &str, requests: u64) {
    counter::with_runtime(|| {
        let mut service = stack.service().answers();
        let request = || Request::get(path).body(Full::<Bytes>::default()).expect("a request");
        let (_, _, status) = COUNTED.iter().find(|(_, it, _)| *it == path).expect("a path");
        assert_eq!(service.answer(request()).map(|it| it.status()), Some(*status));
        counter::twice(|| (0..requests).for_each(|_| drop(black_box(service.answer(request())))));
    });
}
