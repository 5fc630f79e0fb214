//! Writes the demo's responses as JSON lines. The tests of the contract's exports read them: there a body is the received
//! text, which the reader of the line parses.

use std::path::Path;

use serde_json::{Value, json};

use super::acts::DemoCase;
use super::visit::DemoResponse;
use crate::failure::CommandError;

/// Writes a line for each response. A request without a response gets no line, and its row counts as wrong.
pub(super) fn record_lines<'a>(
    file: &Path,
    rows: impl Iterator<Item = (&'a DemoCase, &'a Result<DemoResponse, String>)>,
) -> Result<(), CommandError> {
    let lines: String = rows.filter_map(|(act, got)| Some(format!("{}\n", line(act, got.as_ref().ok()?)))).collect();
    std::fs::write(file, lines).map_err(|error| {
        CommandError::Io(format!("--tour-json {}: {error}; name a file that can be written", file.display()))
    })
}

fn line(act: &DemoCase, got: &DemoResponse) -> Value {
    let headers: Vec<_> = got
        .headers
        .iter()
        .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
        .collect();
    let body = String::from_utf8_lossy(&got.body);
    json!({ "name": act.path, "status": got.status.as_u16(), "headers": headers, "body": body })
}
