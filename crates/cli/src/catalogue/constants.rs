//! Shared by the modules of constants: how a code and a text are written in languages other than ECMAScript.

use std::fmt::Write;

use error_envelope_core::openapi::form::CONTRACT_VERSION;

/// The first lines, after the language's own sign of a comment; `format` is the command's name for the module.
pub(super) fn head(sign: &str, format: &str) -> String {
    format!(
        "{sign} The error contract, version {CONTRACT_VERSION}.\n\
         {sign} Written by `error-envelope catalogue --format {format}`: do not edit.\n"
    )
}

/// `auth_missing` as `AUTH_MISSING`.
pub(super) fn upper(code: &str) -> String {
    code.to_ascii_uppercase()
}

/// `auth_missing` as `AuthMissing`. An underscore that no letter follows stays, so that two codes never get one name.
pub(super) fn pascal(code: &str) -> String {
    let mut name = String::with_capacity(code.len());
    let mut rest = code.chars().peekable();
    let mut begins = true;
    while let Some(character) = rest.next() {
        match character {
            '_' if rest.peek().is_some_and(char::is_ascii_lowercase) => begins = true,
            _ if std::mem::take(&mut begins) => name.push(character.to_ascii_uppercase()),
            _ => name.push(character),
        }
    }
    name
}

/// A text between quotes for Python and Go: for a line without control characters, JSON's form is theirs. Go refuses a
/// byte order mark within a file.
pub(super) fn utf8_literal(text: &str) -> String {
    quoted(text).replace('\u{feff}', r"\ufeff")
}

/// A text between quotes for Java and C#, in ASCII: there the encoding of a file is the compiler's option.
pub(super) fn utf16_literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    for character in quoted(text).chars() {
        if character.is_ascii() {
            literal.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = write!(literal, "\\u{unit:04x}");
        }
    }
    literal
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_stay_different() {
        let codes = ["ab", "a_b", "a__b", "a1", "a_1", "ab_", "a_b_", "a1b", "a1_b"];
        let mut names: Vec<_> = codes.map(pascal).into();
        assert_eq!(names, ["Ab", "AB", "A_B", "A1", "A_1", "Ab_", "AB_", "A1b", "A1B"]);
        names.sort();
        names.dedup();
        assert_eq!(names.len(), codes.len());
        assert_eq!((pascal("auth_no_email"), upper("auth_no_email")), ("AuthNoEmail".into(), "AUTH_NO_EMAIL".into()));
    }

    #[test]
    fn texts_are_whole_in_each_alphabet() {
        assert_eq!(utf8_literal("a \"b\" \\u é\u{feff}"), r#""a \"b\" \\u é\ufeff""#);
        assert_eq!(utf16_literal("a \"b\" \\u é😀"), r#""a \"b\" \\u \u00e9\ud83d\ude00""#);
    }
}
