//! Measures how the gateway withstands attacks.
//!
//! `cargo bench -p error-envelope-cli --bench abuse` starts the built command with a separate service, once for each
//! [attack](attacks). For each attack it prints a row: the attack, the responses, the resources that the gateway used,
//! and the times of good requests during the attack. [`trial`] describes the procedure, and [`row`] defines when a row
//! fails. Then the benchmark sends [shapes](shapes) of requests that could smuggle a request past the gateway, and
//! prints what the service received.
//!
//! - `-- --check`: the exit code is 1 if a row fails.
//! - `-- --quick`: each attack is small and short, several run at once, and no times are measured, because the machine
//!   is shared.
//! - `-- --write`: the tables, or the requested rows, are written into `crates/cli/benches/abuse/abuse.md`.
//! - `-- --gateway FILE`: this binary is used instead of the one that cargo has just built.
//! - `-- --before FILE`: each attack also runs against another binary, right before, and the times of both are shown
//!   together.
//! - `-- NAME…`: only rows with one of these texts in their names run.
#![allow(clippy::disallowed_methods, reason = "a benchmark measures real time and spawns tasks")]

mod attacks;
#[path = "../../../../tests/it/command.rs"]
mod command;
mod front;
#[allow(dead_code, reason = "the gateway's tests use more of this module")]
#[path = "../../../../tests/gateway/holds/gateway.rs"]
mod gateway;
mod good;
mod row;
#[allow(dead_code, reason = "the gateway's tests use more of this module")]
#[path = "../../../../tests/gateway/holds/service.rs"]
mod service;
mod shapes;
mod table;
mod target;
mod trial;
#[allow(dead_code, reason = "the tests use more of this module")]
#[path = "../../../../tests/it/wait.rs"]
mod wait;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Parser;

use attacks::ATTACKS;
use row::Row;

/// Measure how the gateway withstands attacks
#[derive(Parser)]
pub(crate) struct Args {
    /// Exit with 1 if a row fails
    #[arg(long)]
    check: bool,
    /// Run small and short attacks, several at once, and measure no times
    #[arg(long)]
    quick: bool,
    /// Write the tables, or the rows that were requested, into crates/cli/benches/abuse/abuse.md
    #[arg(long)]
    write: bool,
    /// Start this command instead of the one that cargo has just built
    #[arg(long, value_name = "FILE")]
    gateway: Option<PathBuf>,
    /// Also run each attack against this command, right before, and print a table that compares the times
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
    /// Run only rows whose names contain one of these texts [default: all rows]
    names: Vec<String>,
    /// Ignored, because cargo passes this flag
    #[arg(long, hide = true)]
    bench: bool,
}

/// The number of parallel attacks if no times are measured. An attack mostly waits.
const AT_ONCE: usize = 4;

fn main() -> ExitCode {
    let args = Args::parse();
    if !args.bench && !args.quick && !args.check {
        // `cargo test --benches` also runs this program, and only checks that it starts.
        return ExitCode::SUCCESS;
    }
    if args.asks_for("bombs") {
        // The bombs are made before the attack, because in a debug build on a busy machine this takes longer than the
        // attack.
        target::make_bombs();
    }
    let (before, rows): (Vec<_>, Vec<_>) = rows(&args).into_iter().unzip();
    let shapes = if args.asks_for("shapes") { shapes::run(&args.binary()) } else { Vec::new() };
    let (attacks, shaped) = (table::attacks(&rows, args.quick), table::shapes(&shapes));
    print!("\n{attacks}\n{shaped}{}", table::compared(&before, &rows));
    if args.write {
        table::write(&[("attacks", &attacks), ("shapes", &shaped)], !args.names.is_empty());
    }
    let failed = rows.iter().flat_map(Row::failures).chain(shapes.iter().flat_map(shapes::Shaped::failures));
    let failed: Vec<_> = failed.collect();
    for failure in &failed {
        println!("FAILED {failure}");
    }
    if args.check && !failed.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Returns for each attack its row. If another command was given, the row of that command comes first.
fn rows(args: &Args) -> Vec<(Option<Row>, Row)> {
    let asked: Vec<_> = ATTACKS.iter().filter(|attack| args.asks_for(attack.name)).collect();
    let (next, rows) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..if args.quick { AT_ONCE } else { 1 } {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(attack) = asked.get(place) else { return };
                    let before = args.before.as_ref().map(|binary| trial::run(attack, binary, args.quick));
                    let row = trial::run(attack, &args.binary(), args.quick);
                    eprintln!("{}", table::line(&row));
                    rows.lock().expect("no panic under the lock").push((place, (before, row)));
                }
            });
        }
    });
    let mut rows = rows.into_inner().expect("no panic under the lock");
    rows.sort_by_key(|(place, _)| *place);
    rows.into_iter().map(|(_, row)| row).collect()
}

impl Args {
    fn asks_for(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|part| name.contains(part.as_str()))
    }

    fn binary(&self) -> PathBuf {
        self.gateway.clone().unwrap_or_else(command::binary)
    }
}
