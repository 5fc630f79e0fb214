//! Fills the templates of the modules in other languages, which are in the folder `template`.

use error_envelope_core::openapi::form::CONTRACT_VERSION;
use error_envelope_core::openapi::{Codes, Listed};

/// The first lines of a module, as a comment; `sign` begins a comment in its language, and `format` is the value of
/// `--format` for it.
pub(super) fn head(sign: &str, format: &str) -> String {
    format!(
        "{sign} The error contract, version {CONTRACT_VERSION}.\n\
         {sign} Written by `error-envelope catalogue --format {format}`: do not edit.\n"
    )
}

/// The template with each of these marks replaced by its text. The marks are in the template's order. Inserted text is
/// not searched for marks.
pub(super) fn filled(template: &str, parts: &[(&str, String)]) -> String {
    let (mut text, mut rest) = (String::new(), template);
    for (mark, part) in parts {
        let (before, after) = rest.split_once(mark).unwrap_or((rest, ""));
        text.extend([before, part]);
        rest = after;
    }
    text + rest
}

/// A row for each code.
pub(super) fn rows(codes: &Codes, row: impl Fn(&Listed) -> String) -> String {
    codes.iter().map(row).collect()
}

/// A string literal of JSON, which is also one of ECMAScript.
pub(super) fn json_literal(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
