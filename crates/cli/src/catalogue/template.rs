//! Fills the templates of the modules in other languages, which lie in the folder of that name.

use error_envelope_core::openapi::form::CONTRACT_VERSION;
use error_envelope_core::openapi::{Codes, Listed};

/// The first lines, after the language's own sign of a comment; `format` is the command's name for the module.
pub(super) fn head(sign: &str, format: &str) -> String {
    format!(
        "{sign} The error contract, version {CONTRACT_VERSION}.\n\
         {sign} Written by `error-envelope catalogue --format {format}`: do not edit.\n"
    )
}

/// The template with these marks replaced, in the order in which it has them. A text that was filled in is not searched for marks.
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

/// A text between quotes, which is one of ECMAScript too.
pub(super) fn json_literal(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
