//! `error-envelope diff` compares the settings of two policies, including the settings of their bases and included
//! files.
//!
//! The core compares the policies ([`PolicyFile::changes_to`](error_envelope_core::loader::PolicyFile::changes_to)).
//! This module prints the changes. Changes that may refuse more requests ("close a door") come first.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use error_envelope_core::loader::{ChangeKind, PlacedValue, PolicyChange, PolicyFile};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower_error_envelope::PolicyError;

use crate::failure::{CommandError, print};
use crate::report::{OutputFormat, counted, json_value};
use crate::text::{cut, one_line};
use crate::{policy, stdin};

/// Show how settings differ between two policies
///
/// Compares all settings, including those of bases and included files. Lists first the changes that close a door (the
/// policy may refuse more requests), then those that open a door (it may let more requests in), then those that change
/// answers, then the rest.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Compare with this policy: a file, - for standard input, or REVISION:FILE of Git, as in main:policy.toml
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// Use this policy as the new one: a file, - or REVISION:FILE
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Exit with 1 if a change closes a door, opens one, or changes answers
    #[arg(long)]
    exit_code: bool,
    /// Set the output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: OutputFormat,
}

/// The most characters of a value in a line of the text output.
const LONGEST: usize = 80;
const KINDS: [(ChangeKind, &str, &str); 4] = [
    (ChangeKind::Closes, "closes", "closed door"),
    (ChangeKind::Opens, "opens", "open door"),
    (ChangeKind::Answers, "answers", "changed answer"),
    (ChangeKind::Neither, "neither", "other change"),
];

/// Writes the changes to standard output. Returns the exit code.
pub(crate) fn run(args: &Args) -> Result<u8, CommandError> {
    stdin::keep_policy([&*args.old, &*args.new].into_iter()).map_err(CommandError::Io)?;
    let ((old_source, old), (new_source, new)) = (read(&args.old)?, read(&args.new)?);
    // Whether an API key has expired depends on the time of the comparison.
    let all = old.changes_to(&new, SystemTime::now());
    let changes = Changes { old: old_source, new: new_source, all };
    print(&args.format.text(|| changes.to_text(), || changes.to_json()))?;
    Ok(u8::from(args.exit_code && changes.count(ChangeKind::Neither) < changes.all.len()))
}

fn read(name: &Path) -> Result<(PolicySource, PolicyFile), CommandError> {
    let source = PolicySource::find(name)?;
    let read = policy::read(&source.path).map_err(|errors| source.failure(errors))?;
    Ok((source, read.file))
}

struct Changes {
    old: PolicySource,
    new: PolicySource,
    all: Vec<PolicyChange>,
}

impl Changes {
    fn count(&self, kind: ChangeKind) -> usize {
        self.all.iter().filter(|change| change.kind == kind).count()
    }

    fn to_text(&self) -> String {
        let lines: String = self.all.iter().map(|change| self.line(change)).collect();
        let sums = KINDS.iter().map(|(kind, _, name)| (self.count(*kind), name)).filter(|(count, _)| *count > 0);
        let sums: Vec<_> = sums.map(|(count, name)| counted(count, name)).collect();
        let sum = if sums.is_empty() { "no settings changed".to_owned() } else { sums.join(", ") };
        format!("{lines}{sum}\n")
    }

    fn line(&self, change: &PolicyChange) -> String {
        let text = |source: &PolicySource, value: Option<&PlacedValue>| {
            let Some(value) = value else { return "nothing".to_owned() };
            let from = source.named(value.from.as_deref().unwrap_or("default"));
            format!("{} ({})", cut(&one_line(&value.value), LONGEST), one_line(&from))
        };
        let (old, new) = (text(&self.old, change.old.as_ref()), text(&self.new, change.new.as_ref()));
        format!("{:<8}{}: {old} -> {new}\n", kind_of(change), one_line(&change.key))
    }

    fn to_json(&self) -> Value {
        let value = |source: &PolicySource, value: Option<&PlacedValue>| {
            value.map(|it| json!({ "value": json_value(&it.value), "from": it.from.as_deref().map(|from| source.named(from)) }))
        };
        let change = |change: &PolicyChange| {
            json!({
                "kind": kind_of(change),
                "key": change.key,
                "old": value(&self.old, change.old.as_ref()),
                "new": value(&self.new, change.new.as_ref()),
            })
        };
        json!({
            "closes": self.count(ChangeKind::Closes),
            "opens": self.count(ChangeKind::Opens),
            "answers": self.count(ChangeKind::Answers),
            "neither": self.count(ChangeKind::Neither),
            "changes": self.all.iter().map(change).collect::<Vec<_>>(),
        })
    }
}

fn kind_of(change: &PolicyChange) -> &'static str {
    KINDS.iter().find(|(kind, ..)| *kind == change.kind).map_or("neither", |(_, word, _)| word)
}

/// The policy that an argument names: a file, standard input, or a file in a revision of Git.
///
/// The files of a revision are written to a temporary folder, through a separate Git index. The work tree and its own
/// index remain unchanged. Reports show the names that the files have in the revision.
pub(crate) struct PolicySource {
    pub(crate) path: PathBuf,
    revision: Option<WrittenTree>,
}

/// A temporary folder with the files of a revision. Dropping it removes them.
struct WrittenTree {
    name: String,
    folder: TempDir,
}

impl PolicySource {
    /// Finds the policy, and writes the files of a revision to a temporary folder.
    ///
    /// # Errors
    ///
    /// Fails if Git cannot be run, or if the revision does not exist. A missing file is not an error here; reading it
    /// fails later.
    pub(crate) fn find(name: &Path) -> Result<Self, CommandError> {
        let text = name.to_string_lossy();
        match text.split_once(':').filter(|(revision, _)| !revision.is_empty() && !name.exists()) {
            Some((revision, file)) => Self::at_revision(revision, file),
            None => Ok(Self { path: name.to_owned(), revision: None }),
        }
    }

    fn at_revision(revision: &str, file: &str) -> Result<Self, CommandError> {
        let object = format!("{revision}^{{tree}}");
        let tree = git(&["rev-parse", "--verify", "--quiet", "--end-of-options", &object], None, revision)?;
        let root = git(&["rev-parse", "--show-toplevel"], None, revision)?;
        // As in `git show`, a path is relative to the root of the repository, unless it begins with a dot.
        let below =
            if file.starts_with('.') { git(&["rev-parse", "--show-prefix"], None, revision)? } else { String::new() };
        let folder = tempfile::tempdir().map_err(|error| failed(revision, &format!("no temporary folder: {error}")))?;
        let index = folder.path().join("index");
        let files = folder.path().join("tree");
        let prefix = format!("--prefix={}/", files.display());
        git(&["-C", &root, "read-tree", &tree], Some(&index), revision)?;
        git(&["-C", &root, "checkout-index", "--all", &prefix], Some(&index), revision)?;
        let path = files.join(below).join(file);
        Ok(Self { path, revision: Some(WrittenTree { name: revision.to_owned(), folder }) })
    }

    /// Returns the text, with the name of the temporary folder replaced by the revision.
    pub(crate) fn named(&self, text: &str) -> String {
        let Some(WrittenTree { name, folder }) = &self.revision else { return text.to_owned() };
        text.replace(&format!("{}/", folder.path().join("tree").display()), &format!("{name}:"))
    }

    /// Makes the command's error from the errors that were found when this policy was read.
    pub(crate) fn failure(&self, errors: Vec<PolicyError>) -> CommandError {
        match CommandError::from(errors) {
            CommandError::Policy(findings, code) => CommandError::Policy(self.named(&findings), code),
            other => other,
        }
    }
}

/// Returns the output of Git, without its last newline.
fn git(args: &[&str], index: Option<&Path>, revision: &str) -> Result<String, CommandError> {
    let mut command = Command::new("git");
    command.args(args).envs(index.map(|index| ("GIT_INDEX_FILE", index)));
    let output = command.output().map_err(|error| failed(revision, &format!("git cannot be run: {error}")))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(failed(revision, if why.is_empty() { "Git does not find this revision here" } else { &why }));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

fn failed(revision: &str, why: &str) -> CommandError {
    let help = "name a file, or REVISION:FILE inside a Git work tree, as in main:policy.toml";
    CommandError::Io(format!("{revision}: cannot be read: {why}\n = help: {help}"))
}
