//! Compares the cost of the layer with a bare handler and with the stack that users have today, for the same requests.
//!
//! `cargo bench -p benches --bench cost` prints one table:
//!
//! 1. Each stack and case runs in a separate process of this binary, so that no subscriber, branch history or heap
//!    affects another one.
//! 2. Instructions come from callgrind. They are the instructions of the second N of 2N requests, divided by N. They do
//!    not depend on other load of the machine. Without valgrind their columns show `-`, and a line reports it.
//! 3. Allocations and bytes come from a counting allocator. Its two additions per call are in every row.
//! 4. Time is the median of several batches, and is only approximate.
//!
//! Below the table, the bench prints the costs of a policy with many routes (`scale.rs`), of a policy's own shape
//! (`shape.rs`), of the log (`log_line.rs`), and of the longest error bodies (`long_body.rs`). It also prints the cost
//! of the readings of a path (`reading.rs`), and of a gRPC call (`call.rs`).
//!
//! In every stack, the measured part makes a request, handles it, reads the response to its end and drops it. Before it
//! measures, each process checks the response. Without `--bench` (as `cargo test` runs it) only this check is done.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod answer;
mod call;
mod cases;
mod check;
mod counter;
mod fused;
mod log_line;
mod long_body;
mod measure;
mod reading;
mod scale;
mod shape;
mod stacks;
mod table;
mod today;

use std::process::ExitCode;

use call::Around;
use cases::Case;
use log_line::{Format, Writer};
use long_body::Repeated;
use measure::Cost;
use reading::{Long, Written};
use scale::{Lookup, Size};
use shape::{Form, Inner};
use stacks::Stack;
use table::Row;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["--count", stack, case, requests] => {
            measure::run(named(stack), named(case), requests.parse().expect("a number"))
        }
        ["--scale", size, lookup, requests] => {
            scale::run(named(size), named(lookup), requests.parse().expect("a number"))
        }
        [kind @ ("--reading" | "--plain"), written, requests] => {
            reading::run(named(written), kind == "--plain", requests.parse().expect("a number"));
        }
        ["--long", size, long, requests] => {
            reading::run_long(named(size), named(long), requests.parse().expect("a number"));
        }
        ["--long-body", shape, requests] => {
            long_body::run(named(shape), requests.parse().expect("a number"));
        }
        ["--shape", form, inner, requests] => {
            shape::run(named(form), named(inner), requests.parse().expect("a number"));
        }
        ["--log", format, writer, case, requests] => {
            log_line::run(named(format), named(writer), named(case), requests.parse().expect("a number"));
        }
        ["--call", around, calls] => call::run(named(around), calls.parse().expect("a number")),
        ["--measure", stack, case] => println!("{}", measure::allocations_and_time(named(stack), named(case))),
        _ if args.contains(&"--bench") => {
            let is_check = args.contains(&"--check");
            let rows = rows(is_check);
            print!("{}", table::write(&rows));
            let mut risen = Vec::new();
            if counter::has_valgrind() {
                let tables = [
                    scale::table(),
                    shape::table(),
                    log_line::table(),
                    long_body::table(),
                    reading::table(),
                    call::table(is_check),
                ];
                for (table, more) in tables {
                    print!("\n{table}");
                    risen.extend(more);
                }
            }
            if is_check {
                risen.extend(check::risen(&rows));
                return checked(&risen);
            }
        }
        _ => {
            pairs().for_each(|(case, stack)| measure::run(stack, case, 1));
            Around::ALL.iter().for_each(|around| call::run(*around, 1));
            scale::write();
            Writer::ALL.iter().for_each(|writer| log_line::run(Format::None, *writer, Case::Empty404, 1));
            Inner::ALL.iter().for_each(|inner| Form::ALL.iter().for_each(|form| shape::run(*form, *inner, 1)));
            Repeated::ALL.iter().for_each(|shape| long_body::run(*shape, 1));
            Written::ALL.iter().for_each(|written| reading::run(*written, false, 1));
            Long::ALL.iter().for_each(|long| Size::ALL.iter().for_each(|size| reading::run_long(*size, *long, 1)));
            Lookup::ALL.iter().for_each(|lookup| Size::ALL.iter().for_each(|size| scale::run(*size, *lookup, 1)));
        }
    }
    ExitCode::SUCCESS
}

fn checked(risen: &[String]) -> ExitCode {
    risen.iter().for_each(|line| println!("{line}"));
    if risen.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns the rows of the stacks that are examined.
fn rows(is_check: bool) -> Vec<Row> {
    let valgrind = counter::has_valgrind();
    if !valgrind {
        println!("valgrind is not installed: no instruction counts. Install it (apt install valgrind) to have them.");
    }
    let lookup = pairs().filter(|(_, stack)| !is_check || *stack != Stack::Fused);
    lookup.map(|(case, stack)| Row { case, stack, cost: Cost::measure(stack, case, valgrind) }).collect()
}

fn pairs() -> impl Iterator<Item = (Case, Stack)> {
    let pairs = Case::ALL.iter().flat_map(|case| Stack::ALL.iter().map(|stack| (*case, *stack)));
    pairs.filter(|(case, stack)| stack.fits(*case))
}

/// A case or a stack that has a name on the command line and in the table.
trait Named: Copy + 'static {
    const ALL: &'static [Self];

    fn name(self) -> &'static str;
}

fn named<T: Named>(name: &str) -> T {
    *T::ALL.iter().find(|it| it.name() == name).unwrap_or_else(|| panic!("nothing is called {name:?}"))
}
