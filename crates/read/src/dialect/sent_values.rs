//! Removes from a text the value that the client sent (R13, E9). Many errors repeat this value in a field next to the
//! text.

use std::borrow::Cow;

use crate::dialect::field_names::VALUES;
use crate::dialect::sentences::without_values;
use crate::dialect::tree::Node;

/// The characters that validators put around a quoted value.
const QUOTES: [(char, char); 8] =
    [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’'), ('«', '»'), ('[', ']'), ('(', ')')];

/// The text that replaces a value while the sentence around it is parsed. Without such a mask, the value might look
/// like a part of the sentence.
const MASK: &str = "\u{fffd}";

/// Returns the part of a text that may reach the client. `values` are the values next to the text that the client sent.
/// If the text quotes such a value, or begins with it, the value is removed. Values in quotes that only the sentence
/// contains are removed, too.
pub(in crate::dialect) fn without_sent(values: &[Cow<'_, str>], text: &str) -> String {
    let is_plain = |value: &str| value.chars().all(|char| char.is_alphanumeric() || matches!(char, '_' | '-' | '.'));
    let mut masked = Cow::Borrowed(text);
    for value in values {
        if is_plain(value) || !text.contains(&**value) {
            continue;
        }
        for (open, close) in QUOTES {
            masked = masked.replace(&format!("{open}{value}{close}"), &format!("{open}{MASK}{close}")).into();
        }
    }
    let mut left = without_values(&masked).into_owned();
    let mask = matches!(masked, Cow::Owned(_)).then_some(MASK);
    for value in values.iter().map(|value| &**value).chain(mask) {
        if value.len() < left.len() && left.contains(value) {
            left = without_quoted(&left, value);
        }
    }
    left
}

/// Returns the values in an entry that repeat what the client sent. Each value is returned as a text and as its JSON.
pub(in crate::dialect) fn values_of<'a>(entry: Node<'_, 'a>) -> Vec<Cow<'a, str>> {
    let of_context = entry.field("context").and_then(|context| context.field("value"));
    let fields = VALUES.into_iter().filter_map(|name| entry.field(name)).chain(of_context);
    let texts = fields.flat_map(|value| {
        [value.text().unwrap_or(Cow::Borrowed(value.raw())), Cow::Borrowed(value.raw().trim_matches('"'))]
    });
    texts.filter(|text| !text.is_empty()).collect()
}

fn without_quoted(text: &str, value: &str) -> String {
    let mut left = text.to_owned();
    for (open, close) in QUOTES {
        left = left.replace(&format!("{open}{value}{close}"), " ");
    }
    if let Some(rest) = left.strip_prefix(value).and_then(|rest| rest.strip_prefix(' ')) {
        left = rest.to_owned();
    }
    if left == text { left } else { left.split_whitespace().collect::<Vec<_>>().join(" ") }
}
