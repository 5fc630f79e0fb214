//! The constants for clients of other languages than ECMAScript: Python (3.11 or later), Go, Java (8 or later) and C# (6 or later),
//! all without dependencies.
//!
//! In Java and C# the codes are not an `enum`, because the set of codes is open. In Java a policy's own text is written
//! only into literals: in a comment, `\u` is an escape, and the escaped character may end the comment.

use std::fmt::Write;

use error_envelope_core::openapi::form::{DOCS, MAX_DOCS};
use error_envelope_core::openapi::{Codes, Listed};

use super::template::{filled, head, json_literal, rows};

/// The Python module: a `StrEnum` of the codes, and an exception with a code.
pub(super) fn python(codes: &Codes) -> String {
    let constant = |it: &Listed| format!("    #: {}\n    {} = \"{}\"\n", it.summary(), upper(it.name()), it.name());
    let about = |it: &Listed| {
        let (name, retry, message) = (upper(it.name()), upper(it.retry()), utf8_literal(&it.message()));
        format!("    ErrorCode.{name}: ({}, Retry.{retry}, {message}),\n", it.status())
    };
    let parts = [
        ("@codes@\n", rows(codes, constant)),
        ("@about@\n", rows(codes, about)),
        ("@MAX_DOCS@", MAX_DOCS.to_string()),
        ("@DOCS@", DOCS.to_owned()),
    ];
    head("#", "python") + &filled(include_str!("templates/errors.py"), &parts)
}

pub(super) fn go(codes: &Codes) -> String {
    // The prefix keeps the names of codes apart from those of types.
    let name = |it: &Listed| format!("Code{}", pascal(it.name()));
    let constant = |it: &Listed| format!("\t// {}\n\t{} ErrorCode = \"{}\"\n", it.summary(), name(it), it.name());
    let about = |it: &Listed| {
        let (name, retry, message) = (name(it), pascal(it.retry()), utf8_literal(&it.message()));
        format!("\tcase {name}:\n\t\treturn about{{{}, Retry{retry}, {message}}}, true\n", it.status())
    };
    let parts = [("@codes@\n", rows(codes, constant)), ("@about@\n", rows(codes, about))];
    head("//", "go") + &filled(include_str!("templates/errors.go"), &parts)
}

pub(super) fn java(codes: &Codes) -> String {
    let constant = |it: &Listed| {
        let (code, status, retry) = (it.name(), it.status(), it.retry());
        let (name, kind, message) = (upper(code), upper(retry), utf16_literal(&it.message()));
        format!(
            "    /** {status}, retry: {retry}. */\n    public static final ErrorCode {name} =\n        \
             known(\"{code}\", {status}, Retry.{kind}, {message});\n"
        )
    };
    head("//", "java") + &filled(include_str!("templates/ErrorCode.java"), &[("@codes@\n", rows(codes, constant))])
}

pub(super) fn csharp(codes: &Codes) -> String {
    let constant = |it: &Listed| {
        let (code, status, retry) = (it.name(), it.status(), it.retry());
        let (name, kind, message) = (csharp_name(code), pascal(retry), utf16_literal(&it.message()));
        format!(
            "        /// <summary>{status}, retry: {retry}.</summary>\n        public static readonly ErrorCode {name} =\n            \
             Add(\"{code}\", {status}, Retry.{kind}, {message});\n"
        )
    };
    head("//", "csharp") + &filled(include_str!("templates/ErrorCode.cs"), &[("@codes@\n", rows(codes, constant))])
}

/// The name of a code's constant in C#. A name that C# does not allow gets an underscore at its end. A name that
/// already ends with underscores gets one more, so that two codes never share a name.
fn csharp_name(code: &str) -> String {
    /// Names that a constant cannot have: members of every class, the class's own name, and the type of its constants.
    const TAKEN: [&str; 11] = [
        "ErrorCodes",
        "Retry",
        "Add",
        "Known",
        "Equals",
        "Finalize",
        "GetHashCode",
        "GetType",
        "MemberwiseClone",
        "ReferenceEquals",
        "ToString",
    ];

    let name = pascal(code);
    let taken = TAKEN.contains(&name.trim_end_matches('_'));
    if taken { name + "_" } else { name }
}

/// `auth_missing` as `AUTH_MISSING`.
fn upper(code: &str) -> String {
    code.to_ascii_uppercase()
}

/// `auth_missing` as `AuthMissing`. An underscore stays if no letter follows it, so that two codes never get the same
/// name.
fn pascal(code: &str) -> String {
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

/// A string literal of Python and Go: for a line without control characters, it is the same as in JSON. Go refuses a
/// byte order mark within a file.
fn utf8_literal(text: &str) -> String {
    json_literal(text).replace('\u{feff}', r"\ufeff")
}

/// A string literal of Java and C#, in ASCII: there a compiler option decides the encoding of a file.
fn utf16_literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    for character in json_literal(text).chars() {
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

    #[test]
    fn no_code_is_called_as_something_else_is() {
        let names = ["equals", "equals_", "error_codes", "to_string", "known", "retry", "not_found"].map(csharp_name);
        assert_eq!(names, ["Equals_", "Equals__", "ErrorCodes_", "ToString_", "Known_", "Retry_", "NotFound"]);
    }
}
