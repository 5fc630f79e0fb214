//! `error-envelope diff`: compares the settings of two policies, with those of their bases and included files.
//!
//! The core compares ([`PolicyFile::changes_to`](tower_error_envelope::policy::PolicyFile::changes_to)); this prints,
//! weaker guards first.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tower_error_envelope::policy::{ChangeKind, PlacedValue, PolicyChange, PolicyFile};

use crate::failure::CommandError;
use crate::policy;
use crate::policy_source::PolicySource;
use crate::report::{OutputFormat, json_value};
use crate::stdin;
use crate::text::{counted, cut, one_line};

/// Show how settings differ between two policies
///
/// Compares all settings, including those of bases and included files. Lists weaker guards first, then changed schemes,
/// headers and scopes, then the rest. Exits with 1 if a guard is weaker.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Compare with this policy: a file, - for standard input, or REVISION:FILE of Git, as in main:policy.toml
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// Use this policy as the new one: a file, - or REVISION:FILE
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Set the output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: OutputFormat,
}

/// The most characters of a value in a line of the text output.
const LONGEST: usize = 80;
const KINDS: [(ChangeKind, &str, &str); 3] = [
    (ChangeKind::Weaker, "weaker", "weaker guard"),
    (ChangeKind::Guard, "guard", "changed definition"),
    (ChangeKind::Other, "other", "other change"),
];

/// Writes the changes to standard output. Returns the exit code: 1 if a guard is weaker, else 0.
pub(crate) fn run(args: &Args) -> Result<u8, CommandError> {
    stdin::keep_policy([&*args.old, &*args.new].into_iter()).map_err(CommandError::Io)?;
    let ((old_source, old), (new_source, new)) = (read(&args.old)?, read(&args.new)?);
    let changes = Changes { old: old_source, new: new_source, all: old.changes_to(&new) };
    args.format.print(|| changes.to_text(), || changes.to_json())?;
    Ok(u8::from(changes.count(ChangeKind::Weaker) > 0))
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
        self.all.iter().filter(|change| change.kind() == kind).count()
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
            let from = source.named(value.from().unwrap_or("default"));
            format!("{} ({from})", cut(&one_line(value.value()), LONGEST))
        };
        let (old, new) = (text(&self.old, change.old()), text(&self.new, change.new_value()));
        format!("{:<8}{}: {old} -> {new}\n", kind_of(change), one_line(change.key()))
    }

    fn to_json(&self) -> Value {
        let value = |source: &PolicySource, value: Option<&PlacedValue>| {
            value.map(|it| json!({ "value": json_value(it.value()), "from": it.from().map(|from| source.named(from)) }))
        };
        let change = |change: &PolicyChange| {
            json!({
                "kind": kind_of(change),
                "key": change.key(),
                "old": value(&self.old, change.old()),
                "new": value(&self.new, change.new_value()),
            })
        };
        json!({
            "weaker": self.count(ChangeKind::Weaker),
            "guards": self.count(ChangeKind::Guard),
            "others": self.count(ChangeKind::Other),
            "changes": self.all.iter().map(change).collect::<Vec<_>>(),
        })
    }
}

fn kind_of(change: &PolicyChange) -> &'static str {
    KINDS.iter().find(|(kind, ..)| *kind == change.kind()).map_or("other", |(_, word, _)| word)
}
