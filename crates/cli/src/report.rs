//! Writes findings for people, for programs, and for the annotations of GitHub's workflows.

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::failure::{CommandError, print_styled, print_unless_closed};
use crate::finding::{Finding, Kind};
use crate::text::{json_escaped, printable};

#[derive(Clone, Copy, Default, ValueEnum)]
pub(crate) enum Format {
    /// Print each finding with its line and advice
    #[default]
    Human,
    /// Print one JSON object with the findings and the number of each kind
    Json,
    /// Print GitHub workflow commands, which GitHub shows beside the changed lines
    Github,
}

/// The formats of commands whose output does not refer to lines of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// Print text for people
    #[default]
    Human,
    /// Print one JSON object; manual/exit-codes.md lists its fields
    Json,
}

impl OutputFormat {
    /// Returns the text or the JSON, as the format requires.
    pub(crate) fn text(self, human: impl FnOnce() -> String, json: impl FnOnce() -> Value) -> String {
        match self {
            Self::Human => human(),
            Self::Json => json_text(&json()),
        }
    }
}

/// Returns a JSON object in the layout that all commands print.
pub(crate) fn json_text(object: &Value) -> String {
    json_escaped(&format!("{object:#}\n"))
}

/// Converts the text of a value from a policy file to JSON. A text that is not JSON becomes a string.
pub(crate) fn json_value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

/// Writes findings in one format, and counts them.
pub(crate) struct Report {
    pub(crate) format: Format,
    findings: Vec<Value>,
    counts: [usize; 3],
}

impl Report {
    pub(crate) fn new(format: Format) -> Self {
        Self { format, findings: Vec::new(), counts: [0; 3] }
    }

    /// Counts a finding. It is printed at once, except in JSON, where all findings are printed at the end.
    pub(crate) fn add(&mut self, finding: &Finding<'_>) -> Result<(), CommandError> {
        self.counts[finding.kind as usize] += 1;
        match self.format {
            Format::Human => print_styled(&(finding.render() + "\n\n")),
            Format::Github => print_unless_closed(&annotation(finding)),
            Format::Json => {
                self.findings.push(object(finding));
                Ok(())
            }
        }
    }

    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.counts[kind as usize]
    }

    /// Adds all findings and their counts to `object`, and returns the text of this object.
    pub(crate) fn into_json(self, mut object: Value) -> String {
        for kind in [Kind::Error, Kind::Warning, Kind::Note] {
            object[format!("{}s", kind.as_str())] = self.count(kind).into();
        }
        object["findings"] = Value::Array(self.findings);
        json_text(&object)
    }
}

/// Returns a finding as a JSON object. Lines and columns count from 1. Columns are counted in characters.
fn object(finding: &Finding<'_>) -> Value {
    let columns = finding.columns();
    json!({
        "level": finding.kind.as_str(),
        "file": finding.file,
        "line": finding.line,
        "column": columns.as_ref().map(|columns| columns.start),
        "end_column": columns.as_ref().map(|columns| columns.end),
        "key": finding.key,
        "message": finding.wrong,
        "help": finding.advice,
        "lint": finding.lint,
    })
}

/// Returns GitHub's command for a finding: `::error file=F,line=L,col=C,endColumn=E,title=KEY::what is wrong; what
/// would be right`.
fn annotation(finding: &Finding<'_>) -> String {
    let command = if finding.kind == Kind::Note { "notice" } else { finding.kind.as_str() };
    let columns = finding.columns();
    let properties = [
        ("file", finding.file.as_deref().map(str::to_owned)),
        ("line", finding.line.map(|line| line.to_string())),
        ("col", columns.as_ref().map(|columns| columns.start.to_string())),
        ("endColumn", columns.as_ref().map(|columns| columns.end.to_string())),
        ("title", finding.key.map(str::to_owned)),
    ];
    let properties = properties.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", property(&value?))));
    let properties = properties.collect::<Vec<_>>().join(",");
    let space = if properties.is_empty() { "" } else { " " };
    // The command `error` already shows the level, so the text omits it.
    let text = if finding.kind == Kind::Error { finding.wrong.to_owned() } else { finding.to_text() };
    let text = escaped(&format!("{text}; {}", finding.advice));
    format!("::{command}{space}{properties}::{text}\n")
}

/// Escapes `%` and line breaks in a text, because GitHub reads one command from each line.
fn escaped(text: &str) -> String {
    printable(text).replace('%', "%25").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    escaped(text).replace(':', "%3A").replace(',', "%2C")
}

/// Returns a count with its noun, such as `1 answer` or `2 answers`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
