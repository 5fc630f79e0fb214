//! An OpenAPI document from a file, in JSON or YAML, of version 3.0 or 3.1.

use std::fs;
use std::path::Path;

use error_envelope_core::openapi::{Document, Operation};
use serde_json::Value;

use crate::failure::CommandError;
use crate::recorded::unreadable;
use crate::text::{cut, one_line};

/// The largest document to read: no API needs a larger document.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// A document that was read.
pub(crate) struct DocumentFile(Value);

impl DocumentFile {
    pub(crate) fn read(path: &Path) -> Result<Self, CommandError> {
        let failure = |what: String| CommandError::Io(format!("{}{what}", path.display()));
        let size = fs::metadata(path).map_err(|error| unreadable(path, &error))?.len();
        if size > MOST_BYTES {
            return Err(failure(format!(": the file has {size} bytes; at most 64 MiB are read")));
        }
        let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
        let text =
            String::from_utf8(bytes).map_err(|_| failure(": the file is not UTF-8; save it as UTF-8".to_owned()))?;
        let value = parsed(text.trim_start_matches('\u{feff}')).map_err(failure)?;
        supported(&value).map_err(|why| failure(format!(": {why}")))?;
        Ok(Self(value))
    }

    pub(crate) fn title(&self) -> Option<String> {
        let title = self.0.pointer("/info/title")?.as_str()?;
        Some(cut(&one_line(title), 80)).filter(|title| !title.is_empty())
    }

    /// The operations, in the order of the paths.
    pub(crate) fn operations(&self) -> Vec<Operation<'_>> {
        Document(&self.0).operations()
    }
}

/// Parses JSON or YAML. An error begins with its place in the file, if that is known.
fn parsed(text: &str) -> Result<Value, String> {
    if !text.trim_start().starts_with('{') {
        return serde_saphyr::from_str(text).map_err(|error| format!(": not valid YAML: {error}"));
    }
    serde_json::from_str(text).map_err(|error| {
        let (line, column, what) = (error.line(), error.column(), without_place(&error));
        format!(":{line}:{column}: not valid JSON: {what}; correct it, or export it again")
    })
}

/// Checks that the document is of a supported version.
fn supported(document: &Value) -> Result<(), String> {
    match document.get("openapi") {
        Some(Value::String(version)) if is_supported(version) => Ok(()),
        Some(Value::String(version)) => {
            let version = cut(&one_line(version), 20);
            Err(format!("openapi: version {version:?} is not supported; use 3.0 or 3.1"))
        }
        Some(_) => Err("openapi: the version is not a string; write `openapi: \"3.1.0\"`".to_owned()),
        None if document.get("swagger").is_some() => {
            Err("swagger: version 2.0 is not supported; convert it to OpenAPI 3 first".to_owned())
        }
        None => Err("the key `openapi` is missing: write `openapi: 3.1.0`, or name another file".to_owned()),
    }
}

/// Whether this is 3.0 or 3.1, with or without a patch number.
fn is_supported(version: &str) -> bool {
    let behind = version.strip_prefix("3.0").or_else(|| version.strip_prefix("3.1"));
    behind.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
}

/// The error's text without the place at its end, which is printed before the text.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(what, _)| what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_supported_as_a_whole_and_written_as_a_string() {
        let refusal = |text: &str| supported(&parsed(text).unwrap()).err().unwrap_or_default();
        for version in ["3.0.3", "3.1.0", "\"3.0\"", "\"3.1\"", "3.1.0-rc1"] {
            assert_eq!(refusal(&format!("openapi: {version}")), "");
        }
        let number = "openapi: the version is not a string; write `openapi: \"3.1.0\"`";
        assert_eq!(refusal("openapi: 3.1"), number);
        assert_eq!(refusal("openapi: 3"), number);
        for version in ["3.10.0", "3.2.0", "2.0.0"] {
            assert_eq!(
                refusal(&format!("openapi: {version}")),
                format!("openapi: version {version:?} is not supported; use 3.0 or 3.1")
            );
        }
    }
}
