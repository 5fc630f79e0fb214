//! `error-envelope check`: reads policy files as the layer would, says what is wrong with them, and what should be
//! looked at.
//!
//! 1. Each file is a policy by itself, with all that it includes. The first thing that is wrong is told, since what
//!    follows from it would be guessed.
//! 2. A policy that is right is linted: a warning is likely to be a mistake, a note may well be meant.
//! 3. Secrets that the environment does not have are noted: they could not be looked at.
//! 4. Or, with `--effective`, it is told what holds for one request, and which line says it.
//!
//! Each finding begins with `FILE:LINE: KEY: what is wrong`, for editors and for grep, and shows the line.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tower_error_envelope::Lint;

use crate::failure::{Failure, print};
use crate::finding::Finding;
use crate::policy::{self, Read};

/// Say what is wrong with policy files
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Policy files, each a whole policy with all that it includes
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Exit with 1 where there are warnings, too; notes never do
    #[arg(long)]
    deny_warnings: bool,
    /// Show instead what holds for a request, and which line says it
    #[arg(long, num_args = 2, value_names = ["METHOD", "URL"])]
    effective: Option<Vec<String>>,
}

/// Writes to standard output; an exit code of 0 or 1, or why it could not be told.
pub(crate) fn run(args: &Args) -> Result<u8, Failure> {
    let mut tally = Tally::default();
    for file in &args.files {
        let text = match policy::read(file) {
            Ok(read) => match args.effective.as_deref() {
                Some([method, url]) => effective(&read, method, url)?,
                _ => findings(&read, file, &mut tally),
            },
            Err(error) => match Failure::from(error) {
                Failure::Refused(finding) => {
                    tally.errors += 1;
                    finding + "\n\n"
                }
                failure => {
                    failure.tell();
                    tally.unreadable += 1;
                    continue;
                }
            },
        };
        show(&text)?;
    }
    if args.effective.is_none() {
        show(&format!("{}\n", tally.told(args.files.len())))?;
    }
    match tally.unreadable {
        0 => Ok(u8::from(tally.errors > 0 || args.deny_warnings && tally.warnings > 0)),
        _ => Err(Failure::Told),
    }
}

/// Who reads no further is not told that all is well: the other files are looked at, and the exit code is theirs, too.
fn show(text: &str) -> Result<(), Failure> {
    match print(text) {
        Err(Failure::Closed) => Ok(()),
        shown => shown,
    }
}

/// The lints, and what could not be looked at.
fn findings(read: &Read, file: &Path, tally: &mut Tally) -> String {
    // The lints take the time as an argument, so that they can be tested.
    #[allow(clippy::disallowed_methods, reason = "a program has a clock; the ban is for the library")]
    let now = SystemTime::now();
    let mut text = String::new();
    for lint in read.file.lints(now) {
        *if lint.is_note() { &mut tally.notes } else { &mut tally.warnings } += 1;
        let _ = writeln!(text, "{}\n", Finding::of_lint(&lint, &wrong(&lint)).render());
    }
    for (name, at) in read.missing() {
        tally.notes += 1;
        let wrong = format!("note: the environment has no variable {name:?}, so the secret was not looked at");
        let _ = writeln!(text, "{}\n", Finding::of_missing(file, at.as_ref(), &wrong).render());
    }
    text
}

fn wrong(lint: &Lint) -> String {
    let level = if lint.is_note() { "note" } else { "warning" };
    format!("{level}: {} [{}]", lint.wrong(), lint.name())
}

fn effective(read: &Read, method: &str, url: &str) -> Result<String, Failure> {
    let told = read.file.effective(method, url).map_err(|error| Failure::Io(error.to_string()))?;
    Ok(told.to_string())
}

/// How many findings of each kind there are, and files that could not be asked.
#[derive(Default)]
struct Tally {
    unreadable: usize,
    errors: usize,
    warnings: usize,
    notes: usize,
}

impl Tally {
    fn told(&self, files: usize) -> String {
        let counted = |count: usize, what: &str| match count {
            0 => format!("no {what}s"),
            1 => format!("1 {what}"),
            _ => format!("{count} {what}s"),
        };
        let Self { unreadable, errors, warnings, notes } = *self;
        let found = [counted(errors, "error"), counted(warnings, "warning"), counted(notes, "note")].join(", ");
        let unreadable = if unreadable == 0 { String::new() } else { format!(", {unreadable} unreadable") };
        format!("{}: {found}{unreadable}", counted(files, "file"))
    }
}
