//! `error-envelope check` reads policy files as the layer would, and reports errors and likely mistakes.
//!
//! 1. Each file is checked as a policy with all the files that it includes. If the file is a part of another policy,
//!    that whole policy is checked. Warnings and notes about the other files of that policy are then left out. All
//!    errors are reported at once, in the order of the lines. Errors that are only consequences of another error are
//!    not reported.
//! 2. If the policy is valid, likely mistakes in it are reported. A warning is probably a mistake; the setting that a
//!    note reports may be intended.
//! 3. If the environment lacks a secret, a note reports that the secret could not be checked.
//! 4. With `--effective`, the command instead prints the settings that apply to one request, each with its line in the
//!    policy.
//!
//! Each finding begins with `FILE:LINE: KEY: what is wrong`, which editors and grep can use, and shows the line. For
//! programs, [`report`](crate::report) writes all findings.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};

use error_envelope_core::loader::{Effective, PathReading};
use serde_json::{Value, json};
use tower_error_envelope::PolicyError;
use tower_error_envelope::policy::PolicyLoader;

use crate::failure::{CommandError, FOUND, print_unless_closed};
use crate::finding::{Finding, Kind};
use crate::policy::{self, LoadedPolicy};
use crate::report::{Format, Report, counted, json_value};
use crate::stdin;

/// Check policy files for errors
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Check these policy files, or standard input with -, each with the files that it includes; a file with a scope
    /// is checked as a part of the policy that includes it
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Check the files as parts of this policy [default: the policy in the file's folder or above that includes the
    /// file]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Also exit with 1 if there are warnings; notes never change the exit code
    #[arg(long)]
    deny_warnings: bool,
    /// Set the output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: Format,
    /// Show the settings that apply to a request, each with its policy line, instead of checking
    #[arg(long, num_args = 2, value_names = ["METHOD", "URL"])]
    effective: Option<Vec<String>>,
}

/// Writes the findings to standard output. Returns the exit code, or an error if no policy could be checked.
pub(crate) fn run(args: &Args) -> Result<u8, CommandError> {
    stdin::keep_policy(args.files.iter().map(PathBuf::as_path)).map_err(CommandError::Io)?;
    let (mut report, mut effective, mut unreadable) = (Report::new(args.format), Vec::new(), 0);
    let (mut files, mut wrong) = (BTreeSet::new(), BTreeSet::new());
    let checked = args.files.iter().map(|file| CheckedFile::find(file, args.policy.as_deref()));
    let checked = checked.collect::<Result<Vec<_>, _>>()?;
    for file in &checked {
        files.insert(file.policy.clone());
        match (policy::read(&file.policy), args.effective.as_deref()) {
            (Ok(read), Some([method, url])) => {
                let settings = read.file.effective(method, url).map_err(|error| CommandError::Io(error.to_string()))?;
                match args.format {
                    Format::Json => effective.push(effective_json(&file.policy, &settings)),
                    Format::Human | Format::Github => print_unless_closed(&settings.to_string())?,
                }
            }
            (Ok(read), _) => {
                files.extend(read.file.files().map(Path::to_owned));
                add_findings(&mut report, &read, file)?;
            }
            (Err(errors), _) => {
                wrong
                    .extend(errors.iter().map(|error| error.file().map_or_else(|| file.policy.clone(), PathBuf::from)));
                unreadable += add_errors(&mut report, &errors)?;
            }
        }
        if file.is_alone && args.effective.is_none() {
            report.add(&Finding::for_lone_scope(&file.policy))?;
        }
    }
    let failed = report.count(Kind::Error) > 0 || args.deny_warnings && report.count(Kind::Warning) > 0;
    match (args.format, &args.effective) {
        (Format::Json, is_effective) => {
            let parts: Vec<_> = checked.iter().filter_map(part_json).collect();
            let mut object =
                json!({ "files": files.union(&wrong).count(), "unreadable": unreadable, "part_of": parts });
            if is_effective.is_some() {
                object["effective"] = effective.into();
            }
            print_unless_closed(&report.into_json(object))?;
        }
        (Format::Human, None) => {
            let parts: String = checked.iter().filter_map(part_text).collect();
            print_unless_closed(&(parts + &summary(&report, [files.len(), wrong.len()], unreadable)))?;
        }
        (Format::Human | Format::Github, _) => {}
    }
    if unreadable == 0 { Ok(u8::from(failed)) } else { Err(CommandError::Reported) }
}

/// Adds the likely mistakes, and the secrets that could not be checked.
fn add_findings(report: &mut Report, read: &LoadedPolicy, file: &CheckedFile) -> Result<(), CommandError> {
    for lint in read.file.lints().iter().filter(|lint| lint.finding.file().is_some_and(|name| file.covers(name))) {
        report.add(&Finding::of_lint(lint))?;
    }
    for (name, at) in read.missing() {
        let wrong = format!("the environment variable {name:?} is not set, so the secret was not checked");
        let finding = Finding::for_missing_secret(&file.policy, at.as_ref(), &wrong);
        if finding.file.as_deref().is_none_or(|at| file.covers(at)) {
            report.add(&finding)?;
        }
    }
    Ok(())
}

fn part_text(CheckedFile { policy, part, .. }: &CheckedFile) -> Option<String> {
    Some(format!("{}: checked as a part of {}\n", part.as_ref()?.display(), policy.display()))
}

fn part_json(CheckedFile { policy, part, .. }: &CheckedFile) -> Option<Value> {
    let part = part.as_ref()?.display().to_string();
    Some(json!({ "file": part, "policy": policy.display().to_string() }))
}

/// Adds the errors of a refused policy. Errors for files that cannot be read are printed at once. Returns the number of
/// these files.
fn add_errors(report: &mut Report, errors: &[PolicyError]) -> Result<usize, CommandError> {
    let mut unreadable = 0;
    for error in errors {
        match CommandError::from_error(error) {
            CommandError::Policy(_, FOUND) => report.add(&Finding::of_error(error))?,
            failure => {
                failure.print();
                unreadable += 1;
            }
        }
    }
    Ok(unreadable)
}

/// Returns the summary, such as `1 file: no errors, 2 warnings, no notes`. If there are errors, the summary is `2
/// errors in 1 file; …`, because some files of a refused policy may not have been read.
fn summary(report: &Report, [files, wrong]: [usize; 2], unreadable: usize) -> String {
    let kinds = [Kind::Error, Kind::Warning, Kind::Note];
    let has_errors = report.count(Kind::Error) > 0;
    let found = kinds.into_iter().filter_map(|kind| match report.count(kind) {
        0 if has_errors => None,
        0 => Some(format!("no {}s", kind.as_str())),
        count => Some(counted(count, kind.as_str())),
    });
    let found = found.collect::<Vec<_>>().join(", ");
    let mut text = match has_errors {
        true => format!("{found} in {}", counted(wrong, "file")),
        false => format!("{}: {found}", counted(files, "file")),
    };
    if unreadable > 0 {
        text += &format!(", {unreadable} unreadable");
    }
    text + if has_errors { "; files with errors are not checked for warnings\n" } else { "\n" }
}

fn effective_json(file: &Path, effective: &Effective) -> Value {
    let mut object = reading_json(&effective.reading);
    object["policy"] = Value::from(file.display().to_string());
    object["refused"] = Value::from(effective.refused.is_some());
    object["others"] = effective.others.iter().map(reading_json).collect();
    object
}

fn reading_json(PathReading { method, path, routes, settings, .. }: &PathReading) -> Value {
    let routes: Vec<_> = routes.iter().map(|(pattern, from)| json!({ "match": pattern, "from": from })).collect();
    let settings = settings.iter();
    let settings: Vec<_> =
        settings.map(|(key, set)| json!({ "key": key, "value": json_value(&set.value), "from": set.from })).collect();
    json!({ "method": method.as_str(), "path": path, "routes": routes, "settings": settings })
}

/// The policy to check for a file that the user named.
///
/// A file of a team can be a part of another policy. The names and locks of that policy apply to it.
pub(crate) struct CheckedFile {
    /// The whole policy.
    pub(crate) policy: PathBuf,
    /// The file, if it is only a part of the policy.
    pub(crate) part: Option<PathBuf>,
    /// True if the file has a `[scope]`, but no policy was found that includes it.
    pub(crate) is_alone: bool,
}

impl CheckedFile {
    /// Finds the policy to which this file belongs. `named` is the policy that the user named, if any.
    ///
    /// # Errors
    ///
    /// Fails if the named policy does not include the file, or if several policies include it and the user named no
    /// policy.
    pub(crate) fn find(file: &Path, named: Option<&Path>) -> Result<Self, CommandError> {
        let loader = PolicyLoader::new().any_verifier();
        let part_of = |policy: PathBuf| Self { policy, part: Some(file.to_owned()), is_alone: false };
        if let Some(policy) = named {
            return match loader.includes(policy, file) {
                true => Ok(part_of(policy.to_owned())),
                false => Err(not_included_error(file, policy)),
            };
        }
        let has_scope = file != Path::new(stdin::NAME) && loader.has_scope(file);
        let mut found = if has_scope { loader.policies_including(file) } else { Vec::new() };
        match found.len() {
            0 => Ok(Self { policy: file.to_owned(), part: None, is_alone: has_scope }),
            1 => Ok(part_of(from_here(&found.remove(0)))),
            _ => Err(several_policies_error(file, &found)),
        }
    }

    /// Returns true if warnings and notes in this file are reported. For the policy's other files, only errors are
    /// reported.
    pub(crate) fn covers(&self, file: &str) -> bool {
        let is = |part: &PathBuf| part.canonicalize().ok() == Path::new(file).canonicalize().ok();
        self.part.as_ref().is_none_or(is)
    }
}

fn not_included_error(file: &Path, policy: &Path) -> CommandError {
    let (file, policy) = (file.display(), policy.display());
    CommandError::Io(format!(
        "{file}: {policy} does not include this file\n = help: add it to `include` in {policy}, or name the policy that includes it"
    ))
}

fn several_policies_error(file: &Path, policies: &[PathBuf]) -> CommandError {
    let names: Vec<_> = policies.iter().map(|policy| from_here(policy).display().to_string()).collect();
    let (file, first) = (file.display(), &names[0]);
    CommandError::Io(format!(
        "{file}: {} include this file\n = help: name one of them: --policy {first}",
        names.join(" and ")
    ))
}

/// Returns an absolute path. A path below the current folder becomes relative to the current folder.
fn from_here(path: &Path) -> PathBuf {
    let Ok(here) = env::current_dir().and_then(|here| here.canonicalize()) else { return path.to_owned() };
    let relative = |(up, folder): (usize, &Path)| {
        let below = path.strip_prefix(folder).ok()?;
        Some(std::iter::repeat_n("..", up).collect::<PathBuf>().join(below))
    };
    here.ancestors().enumerate().find_map(relative).unwrap_or_else(|| path.to_owned())
}
