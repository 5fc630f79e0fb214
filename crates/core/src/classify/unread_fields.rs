//! Fields of a foreign 4xx body that no rule reads. The policy may keep some by name; the others are dropped, and their
//! names are logged (rules R14, L3).

use serde_json::value::RawValue;

use super::details;
use crate::dialect::json::Writer;
use crate::dialect::{Members, ParsedError};
use crate::message;

/// The most names to log for one body. If there are more, they are probably data.
const MAX_NAMES: usize = 16;

/// The most characters to log of one name.
const MAX_NAME_CHARS: usize = 64;

#[derive(Default)]
pub(super) struct UnreadFields<'a> {
    /// The kept fields in the order of the body, each name once.
    pub(super) kept: Vec<(&'a str, &'a RawValue)>,
    /// The names of the fields that are dropped.
    pub(super) dropped: Option<Box<str>>,
}

impl UnreadFields<'_> {
    /// The kept fields as a JSON object.
    pub(super) fn as_object(&self) -> Box<str> {
        let fields = self.kept.iter().fold(Writer::new(64), |json, (name, value)| json.raw(name, value.get()));
        fields.into_string().into()
    }
}

/// Sorts the fields into kept and dropped ones. `kept` are the names of the fields to keep, if the details have room
/// for them.
#[cold]
pub(super) fn sort<'a>(
    members: &'a Members<'_>,
    parsed: Option<&ParsedError<'_>>,
    kept: &[Box<str>],
) -> UnreadFields<'a> {
    let mut left = UnreadFields::default();
    let mut dropped = Vec::new();
    let has_room = parsed.is_none_or(|parsed| details::has_room(parsed.details.as_deref()));
    members.visit_unread(parsed, &mut |name, value| {
        if has_room && kept.iter().any(|it| **it == *name) {
            if left.kept.iter().all(|(other, _)| *other != name) {
                left.kept.push((name, value));
            }
        } else if dropped.len() <= MAX_NAMES && !dropped.contains(&name) {
            dropped.push(name);
        }
    });
    left.dropped = (!dropped.is_empty()).then(|| line(&dropped));
    left
}

fn line(names: &[&str]) -> Box<str> {
    let mut line = String::new();
    for (at, name) in names.iter().enumerate() {
        if at > 0 {
            line.push(',');
        }
        if at == MAX_NAMES {
            line.push('…');
            break;
        }
        line.extend(name.chars().filter(|character| !message::is_unprintable(*character)).take(MAX_NAME_CHARS));
    }
    line.into()
}
