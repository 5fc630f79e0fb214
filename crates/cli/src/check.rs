//! `error-envelope check`: reads policy files as the layer would, and reports errors and likely
//! mistakes.
//!
//! 1. Each file is a policy by itself, with all that it includes. All errors are reported at once, in the order of the
//!    lines; errors that only follow from another error are not.
//! 2. A valid policy is linted: a warning is likely to be a mistake, a note may well be intended.
//! 3. Secrets that the environment does not have are noted: they could not be checked.
//! 4. Or, with `--effective`, it prints the settings that apply to one request, and the line of each.
//!
//! Each finding begins with `FILE:LINE: KEY: what is wrong`, for editors and for grep, and shows the line; or all are
//! written by [`report`](crate::report) for programs.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Value, json};
use tower_error_envelope::PolicyError;
use tower_error_envelope::policy::{Effective, PathReading};

use crate::failure::{CommandError, print_unless_closed};
use crate::finding::{Finding, Kind};
use crate::policy::{self, LoadedPolicy};
use crate::report::{Format, Report};

/// Check policy files for errors
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Check these policy files, each a whole policy with the files that it includes
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Exit with 1 also if there are warnings; notes never change the exit code
    #[arg(long)]
    deny_warnings: bool,
    /// Set the output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: Format,
    /// Show instead the settings that apply to a request, and the policy line of each
    #[arg(long, num_args = 2, value_names = ["METHOD", "URL"])]
    effective: Option<Vec<String>>,
}

/// Writes to standard output; an exit code of 0 or 1, or why there is no result.
pub(crate) fn run(args: &Args) -> Result<u8, CommandError> {
    let mut tally = Tally::default();
    let mut report = Report::new(args.format);
    let mut answers = Vec::new();
    for file in &args.files {
        match policy::read(file) {
            Ok(read) => match args.effective.as_deref() {
                Some([method, url]) => {
                    let effective = effective(&read, method, url)?;
                    match args.format {
                        Format::Json => answers.push(effective_json(file, &effective)),
                        Format::Human | Format::Github => print_unless_closed(&effective.to_string())?,
                    }
                }
                _ => findings(&read, file, |finding| tally.report_file(&mut report, finding))?,
            },
            Err(errors) => tally.report_errors(&mut report, &errors)?,
        }
    }
    match report.format() {
        Format::Json if args.effective.is_some() => {
            let mut object = tally.counts(args.files.len());
            object["effective"] = answers.into();
            print_unless_closed(&report.into_json(object))?;
        }
        _ if args.effective.is_some() => {}
        Format::Human => print_unless_closed(&format!("{}\n", tally.summary(args.files.len())))?,
        Format::Github => {}
        Format::Json => print_unless_closed(&report.into_json(tally.counts(args.files.len())))?,
    }
    match tally.unreadable {
        0 => Ok(u8::from(tally.errors > 0 || args.deny_warnings && tally.warnings > 0)),
        _ => Err(CommandError::Told),
    }
}

/// The lints, and the secrets that could not be checked.
fn findings(
    read: &LoadedPolicy,
    file: &Path,
    mut tell: impl FnMut(&Finding<'_>) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    // The lints take the time as an argument, so that they can be tested.
    let now = SystemTime::now();
    for lint in read.file.lints(now) {
        tell(&Finding::of_lint(&lint))?;
    }
    for (name, at) in read.missing() {
        let wrong = format!("there is no environment variable {name:?}, so the secret was not checked");
        tell(&Finding::of_missing(file, at.as_ref(), &wrong))?;
    }
    Ok(())
}

fn effective(read: &LoadedPolicy, method: &str, url: &str) -> Result<Effective, CommandError> {
    read.file.effective(method, url).map_err(|error| CommandError::Io(error.to_string()))
}

fn effective_json(file: &Path, effective: &Effective) -> Value {
    let mut object = reading_json(effective.reading());
    object["policy"] = Value::from(file.display().to_string());
    object["refused"] = Value::from(effective.is_refused());
    object["others"] = effective.others().iter().map(reading_json).collect();
    object
}

fn reading_json(reading: &PathReading) -> Value {
    let routes: Vec<_> = reading.routes().map(|(pattern, from)| json!({ "match": pattern, "from": from })).collect();
    // Values in the file are JSON, too.
    let value = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    let settings: Vec<_> = reading
        .settings()
        .iter()
        .map(|it| json!({ "key": it.key(), "value": value(it.value()), "from": it.from() }))
        .collect();
    json!({ "method": reading.method().as_str(), "path": reading.path(), "routes": routes, "settings": settings })
}

/// How many findings of each kind there are, and how many files could not be read.
#[derive(Default)]
struct Tally {
    unreadable: usize,
    errors: usize,
    warnings: usize,
    notes: usize,
}

impl Tally {
    fn report_file(&mut self, report: &mut Report, finding: &Finding<'_>) -> Result<(), CommandError> {
        *match finding.kind() {
            Kind::Error => &mut self.errors,
            Kind::Warning => &mut self.warnings,
            Kind::Note => &mut self.notes,
        } += 1;
        print_unless_closed(&report.add(finding))
    }

    fn report_errors(&mut self, report: &mut Report, errors: &[PolicyError]) -> Result<(), CommandError> {
        for error in errors {
            match CommandError::from_error(error) {
                CommandError::Refused(_) => self.report_file(report, &Finding::of_error(error))?,
                failure => {
                    failure.print();
                    self.unreadable += 1;
                }
            }
        }
        Ok(())
    }

    fn summary(&self, files: usize) -> String {
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

    fn counts(&self, files: usize) -> Value {
        let Self { unreadable, errors, warnings, notes } = *self;
        json!({ "files": files, "unreadable": unreadable, "errors": errors, "warnings": warnings, "notes": notes })
    }
}
