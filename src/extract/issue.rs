//! Converts a deserializer error into an issue (rule E8), which consists of a path, a message and a code.
//!
//! serde's errors are text, in the forms of `serde::de::Error`'s own constructors. The issue keeps the part of the text
//! that the program wrote, and omits the client's data. A text in any other form may quote the client's data, so its
//! message is "Not valid.".

use serde::Serialize;
use serde_path_to_error::{Path, Segment};

use super::expected;
use error_envelope_core::code::ErrorCode;
use error_envelope_core::fault::Fault;

/// The most characters of a field's name in a path. The limit exists because the client chooses the names in a map.
const MAX_NAME_CHARS: usize = 128;
const MAX_STEPS: usize = 32;

const UNKNOWN: &str = "unknown";
/// The text for an array with more elements than its type, for which serde has no form.
pub(super) const TOO_LONG: &str = "invalid length: too many elements";

/// One invalid value, in the shape of a Zod issue.
#[derive(Debug, Serialize)]
pub(super) struct Issue {
    path: Vec<Step>,
    message: String,
    code: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Step {
    Index(usize),
    Name(String),
}

/// Makes the issue for data that is well-formed but does not fit the type. `text` is serde's error text.
pub(super) fn of_data(path: &Path, text: &str) -> Issue {
    let steps = path.iter().map_while(|segment| match segment {
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Map { key } => Some(Step::Name(key.clone())),
        Segment::Enum { variant } => Some(Step::Name(variant.clone())),
        Segment::Unknown => None,
    });
    of_text(steps, text)
}

pub(super) fn of_text(path: impl IntoIterator<Item = Step>, text: &str) -> Issue {
    let (message, code, name) = parse_text(text);
    let mut path: Vec<Step> = path.into_iter().collect();
    // The path ends at the object whose field is missing or unknown. If serde had to read ahead, the path already ends
    // with the unknown field.
    let has_it = |name: &&str| code == UNKNOWN && matches!(path.last(), Some(Step::Name(last)) if last == name);
    let name = name.filter(|name| !has_it(name)).map(|name| Step::Name(name.to_owned()));
    path.extend(name);
    Issue::new(path, message, code)
}

impl Issue {
    pub(super) fn expected(path: impl IntoIterator<Item = Step>, type_name: &str) -> Self {
        Self::new(path, format!("Expected {}.", expected::in_words(type_name)), "invalid_type")
    }

    fn new(path: impl IntoIterator<Item = Step>, message: String, code: &'static str) -> Self {
        Self { path: path.into_iter().take(MAX_STEPS).map(Step::truncated).collect(), message, code }
    }
}

impl Step {
    fn truncated(self) -> Self {
        match self {
            Self::Name(mut name) => {
                if let Some((end, _)) = name.char_indices().nth(MAX_NAME_CHARS) {
                    name.truncate(end);
                    name.push('…');
                }
                Self::Name(name)
            }
            index => index,
        }
    }
}

impl From<Issue> for Fault {
    fn from(issue: Issue) -> Self {
        #[derive(Serialize)]
        struct Details {
            issues: [Issue; 1],
        }

        Self::new(ErrorCode::INVALID_REQUEST).with_details(Details { issues: [issue] })
    }
}

/// Returns the message, the issue's code, and the name of a field that is missing, unknown or repeated.
fn parse_text(text: &str) -> (String, &'static str, Option<&str>) {
    if let Some(name) = quoted(text, "missing field ") {
        ("Required.".to_owned(), "missing", Some(name))
    } else if let Some(name) = quoted(text, "duplicate field ") {
        ("Given more than once.".to_owned(), "duplicate", Some(name))
    } else if let Some(rest) = text.strip_prefix("unknown field ") {
        let (name, known) = split_unknown(rest);
        (known.map_or("Unknown.".to_owned(), |known| format!("Unknown; expected {known}.")), UNKNOWN, name)
    } else if let Some(rest) = text.strip_prefix("unknown variant ") {
        let known = split_unknown(rest).1;
        (known.map_or("Not valid.".to_owned(), |known| format!("Expected {known}.")), "invalid_value", None)
    } else if text == TOO_LONG {
        ("The array has too many elements.".to_owned(), "invalid_length", None)
    } else if let Some((got, wanted)) = split(text, "invalid type: ")
        .filter(|(got, wanted)| expected::is_huge(got) && expected::in_words(wanted).starts_with("a whole number"))
    {
        (expected::of_value(got, wanted), "invalid_value", None)
    } else if let Some((got, wanted)) = split(text, "invalid type: ") {
        let wanted = expected::in_words(wanted);
        // "Expected a whole number, got a number" would not help. The number has a fraction.
        let got = expected::kind_of(got).filter(|kind| *kind != "a number" || !wanted.starts_with("a whole number"));
        let got = got.map_or(String::new(), |kind| format!(", got {kind}"));
        (format!("Expected {wanted}{got}."), "invalid_type", None)
    } else if let Some((got, wanted)) = split(text, "invalid value: ") {
        (expected::of_value(got, wanted), "invalid_value", None)
    } else if let Some((_, wanted)) = split(text, "invalid length ").filter(|(_, wanted)| wanted.starts_with("struct "))
    {
        // serde also reads a struct from a list, so it reports the wrong length instead of the wrong type.
        (format!("Expected {}, got an array.", expected::in_words(wanted)), "invalid_type", None)
    } else if let Some((_, wanted)) = split(text, "invalid length ") {
        (format!("Expected {}.", expected::in_words(wanted)), "invalid_length", None)
    } else {
        (expected::of_parsing(text).unwrap_or("Not valid.").to_owned(), "invalid_value", None)
    }
}

/// Splits at the last ", expected ". The text before this separator comes from the client, and may also contain the
/// separator.
fn split<'a>(text: &'a str, form: &str) -> Option<(&'a str, &'a str)> {
    text.strip_prefix(form)?.rsplit_once(", expected ")
}

fn quoted<'a>(text: &'a str, form: &str) -> Option<&'a str> {
    text.strip_prefix(form)?.strip_prefix('`')?.strip_suffix('`')
}

/// Returns the unknown name, and the rest of serde's text, which lists the known names.
fn split_unknown(rest: &str) -> (Option<&str>, Option<&str>) {
    let none = rest.strip_suffix(", there are no fields").or_else(|| rest.strip_suffix(", there are no variants"));
    let (name, known) = match none {
        Some(name) => (name, None),
        None => rest.rsplit_once(", expected ").map_or((rest, None), |(name, known)| (name, Some(known))),
    };
    (quoted(name, ""), known)
}

#[cfg(test)]
mod tests;
