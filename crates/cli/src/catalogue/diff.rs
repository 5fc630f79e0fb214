//! `catalogue --diff OLD` lists the changes since the JSON export OLD was written, and shows which of them break
//! clients.
//!
//! 1. A client matches on codes, reads statuses, follows the advice to retry and reads details. A change breaks clients
//!    if it removes or changes a code, status, advice or details. A new version of the contract also breaks clients.
//! 2. A new code breaks no client, because the set of codes is open (E2). A changed message breaks no client, because
//!    only people read messages.
//! 3. Details are compared as JSON Schemas if a code has a schema in both exports. Keywords that only describe a value
//!    are ignored. If a code gets its first schema, the new export promises more than the old one, so no client breaks.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::details::compared;
use crate::failure::CommandError;
use crate::report::{counted, json_text};
use crate::stdin;
use crate::text::{one_line, printable};

/// The size of the largest file to read. Every catalogue is smaller.
const LARGEST_MIB: u64 = 64;

/// Keywords of JSON Schema that only describe a value, and restrict nothing.
const DESCRIBE: [&str; 7] = ["title", "description", "$comment", "examples", "default", "deprecated", "$id"];
/// Keywords whose value is a list in which the order does not matter.
const SETS: [&str; 3] = ["required", "enum", "type"];
/// An export in JSON. Changes of other fields than these are not reported.
#[derive(Deserialize)]
struct Export {
    contract: String,
    unknown_code: Unknown,
    codes: Vec<Code>,
}

#[derive(Deserialize)]
struct Unknown {
    retry: String,
}

#[derive(Deserialize)]
struct Code {
    code: String,
    status: u16,
    #[serde(default)]
    grpc: Option<u16>,
    retry: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    details: Option<Value>,
}

/// The differences between two exports.
pub(super) struct Diff(Vec<CatalogueChange>);

#[derive(Serialize)]
struct CatalogueChange {
    breaks: bool,
    /// The code, or `None` for a change of the contract as a whole.
    code: Option<String>,
    #[serde(rename = "change")]
    what: &'static str,
    old: Value,
    new: Value,
}

/// Compares the export in the file `old` with the new export.
///
/// # Errors
///
/// Fails if the file cannot be read, or is not an export.
pub(super) fn diff(old: &Path, new: &str) -> Result<Diff, CommandError> {
    let old = read(old)?;
    let new = parsed(new.as_bytes()).map_err(|error| CommandError::Io(format!("the current catalogue: {error}")))?;
    Ok(Diff::new(&old, &new))
}

fn read(path: &Path) -> Result<Export, CommandError> {
    let failure = |what: String, advice: &str| CommandError::Io(format!("{}{what}\n = help: {advice}", path.display()));
    let text = stdin::read(path, LARGEST_MIB).map_err(|error| {
        failure(format!(": cannot be read: {error}"), "name a file that `catalogue --format json` wrote")
    })?;
    parsed(&text).map_err(|error| {
        failure(not_an_export(&error), "create the old export with `catalogue --format json`, run before your change")
    })
}

fn not_an_export(error: &serde_json::Error) -> String {
    let what = error.to_string();
    let what = what.split(" at line ").next().unwrap_or_default();
    // An error that concerns the whole file has no line.
    let place = match error.line() {
        0 => String::new(),
        line => format!(":{line}:{}", error.column()),
    };
    format!("{place}: not an export of the catalogue: {what}")
}

/// Parses an export. It is refused if it lists a code twice.
fn parsed(text: &[u8]) -> Result<Export, serde_json::Error> {
    let export: Export = serde_json::from_slice(text)?;
    let mut seen = std::collections::BTreeSet::new();
    match export.codes.iter().find(|code| !seen.insert(&code.code)) {
        Some(twice) => Err(serde::de::Error::custom(format!("the code {:?} is listed twice", twice.code))),
        None => Ok(export),
    }
}

impl Export {
    fn find(&self, name: &str) -> Option<&Code> {
        self.codes.iter().find(|code| code.code == name)
    }
}

fn contract_changes(old: &Export, new: &Export) -> Vec<CatalogueChange> {
    let facts = [
        ("the version of the contract", &old.contract, &new.contract),
        ("the advice for codes that are not listed", &old.unknown_code.retry, &new.unknown_code.retry),
    ];
    let changed = facts.into_iter().filter(|(_, old, new)| old != new);
    changed
        .map(|(what, old, new)| CatalogueChange { breaks: true, code: None, what, old: json!(old), new: json!(new) })
        .collect()
}

impl Diff {
    fn new(old: &Export, new: &Export) -> Self {
        let mut changes = contract_changes(old, new);
        for code in &old.codes {
            match new.find(&code.code) {
                None => changes.push(CatalogueChange::new(true, code, "removed", json!(code.status), Value::Null)),
                Some(now) => compare(code, now, &mut changes),
            }
        }
        for code in new.codes.iter().filter(|code| old.find(&code.code).is_none()) {
            changes.push(CatalogueChange::new(false, code, "added", Value::Null, json!(code.status)));
        }
        changes.sort_by_key(|change| !change.breaks);
        Self(changes)
    }

    /// Returns true if at least one change breaks clients.
    pub(super) fn breaks(&self) -> bool {
        self.0.iter().any(|change| change.breaks)
    }

    /// Returns the report for people, with one line for each change. The changes that break clients come first.
    pub(super) fn human(&self) -> String {
        let lines: String = self.0.iter().map(CatalogueChange::line).collect();
        let breaking = self.0.iter().filter(|change| change.breaks).count();
        let sum = match (breaking, self.0.len()) {
            (_, 0) => "nothing has changed".to_owned(),
            (0, all) => format!("{}: none breaks clients", counted(all, "change")),
            (breaking, all) => format!("{}: {breaking} would break clients", counted(all, "change")),
        };
        format!("{lines}{sum}\n")
    }

    /// Returns the report for programs, as JSON.
    pub(super) fn json(&self) -> String {
        json_text(&json!({ "breaks": self.breaks(), "changes": self.0 }))
    }
}

fn compare(old: &Code, new: &Code, changes: &mut Vec<CatalogueChange>) {
    let mut changed = |breaks: bool, what: &'static str, before: Value, now: Value| {
        if before != now {
            changes.push(CatalogueChange::new(breaks, old, what, before, now));
        }
    };
    changed(true, "status", json!(old.status), json!(new.status));
    if old.grpc.is_some() {
        changed(true, "grpc", json!(old.grpc), json!(new.grpc));
    }
    changed(true, "retry", json!(old.retry), json!(new.retry));
    let schema = |details: &Option<Value>| details.as_ref().map_or(Value::Null, meaning);
    changed(old.details.is_some(), "details", schema(&old.details), schema(&new.details));
    changed(false, "message", json!(old.message), json!(new.message));
}

/// Returns a JSON Schema without its descriptions, and with sorted sets.
fn meaning(schema: &Value) -> Value {
    compared(schema, &DESCRIBE, &SETS)
}

impl CatalogueChange {
    fn new(breaks: bool, code: &Code, what: &'static str, old: Value, new: Value) -> Self {
        Self { breaks, code: Some(code.code.clone()), what, old, new }
    }

    fn line(&self) -> String {
        let Self { what, old, new, .. } = self;
        let mark = if self.breaks { "breaks" } else { "keeps" };
        let subject = self.code.as_deref().map(|code| format!("{}: ", one_line(code))).unwrap_or_default();
        printable(&match (old, new) {
            (_, Value::Null) if *what == "removed" => format!("{mark:<7} {subject}removed, was {old}\n"),
            (Value::Null, _) if *what == "added" => format!("{mark:<7} {subject}added, {new}\n"),
            (Value::Null, new) => format!("{mark:<7} {subject}{what} is new: {new}\n"),
            (old, Value::Null) => format!("{mark:<7} {subject}{what} removed, was {old}\n"),
            (old, new) => format!("{mark:<7} {subject}{what} was {old}, is {new}\n"),
        })
    }
}

#[cfg(test)]
mod tests;
