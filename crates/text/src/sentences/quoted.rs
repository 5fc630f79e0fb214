//! Removes from sentences the values that they quote (R13).
//!
//! Many rows of the table name no field. Such a row matches a sentence by the text before and behind the value. In
//! these texts, `…` matches any text. A value may contain anything, even the text that follows it. So the value ends
//! before the last occurrence of that text.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem;

use super::jsonschema::first_line;
use super::pattern::{is_of_kind, may_be_field_name};
use super::screen::{BytePairs, NeededPairs, needed_by};
use super::serde;
use super::table::{SENTENCES, Sentence};
use crate::message::has_byte;

/// Returns the sentence without the values that it quotes.
///
/// A value may contain the text of other sentences. Therefore everything that any row reads as a value is removed, and
/// also the text between such values.
pub fn without_values(text: &str) -> Cow<'_, str> {
    if let Some(first) = first_line(text) {
        return Cow::Owned(without_values(first).into_owned());
    }
    let pairs = BytePairs::of(text);
    let found = rows_that_may_quote(&pairs)
        .filter_map(|row| row.find(text).map(|(from, end)| (from, end, row.without_value(&text[from..end]))));
    let widest = found.reduce(|one, other| {
        let end = one.1.max(other.1);
        let (from, _, message) = if other.0 < one.0 { other } else { one };
        (from, end, message)
    });
    match widest {
        Some((from, end, message)) => {
            let left = [&text[..from], &*message, &text[end..]].concat();
            Cow::Owned(without_serde_values(&left).unwrap_or(left))
        }
        None => without_serde_values(text).map_or(Cow::Borrowed(text), Cow::Owned),
    }
}

/// The rows of the table that quote values. The rows are parsed only once, because each text of a list is compared with
/// all of them.
static QUOTING: LazyLock<Vec<Quoting>> =
    LazyLock::new(|| SENTENCES.iter().filter(|row| !row.names_field()).filter_map(Quoting::new).collect());

fn rows_that_may_quote(pairs: &BytePairs) -> impl Iterator<Item = &'static Quoting> {
    QUOTING.iter().filter(|row| row.needs.is_none_or(|needed| pairs.contain_all(needed)))
}

/// Returns true if a sentence that quotes a value begins before the byte at this position.
pub(super) fn quotes_before(text: &str, at: usize) -> bool {
    rows_that_may_quote(&BytePairs::of(text)).any(|row| row.find(text).is_some_and(|(from, _)| from < at))
}

/// The texts that frameworks put before and behind a message of serde.
static BEGINNINGS: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
    let split = SENTENCES.iter().filter_map(|row| row.pattern.split_once("{serde}"));
    split.filter(|(begins, _)| !begins.contains('{')).collect()
});

/// Returns the text without the values that serde quotes. The text is a message of serde, with or without the words of
/// a framework around it.
fn without_serde_values(text: &str) -> Option<String> {
    let (begins, rest) = match behind_a_framework(text) {
        Some(rest) => rest,
        None => serde::is_form(text).then_some(("", text))?,
    };
    Some([begins, &serde::without_values(rest)].concat()).filter(|left| left != text)
}

/// Returns the words of a framework before a message of serde, and that message.
pub(super) fn behind_a_framework(text: &str) -> Option<(&'static str, &str)> {
    // All of them end with a colon, and most texts have none.
    if !has_byte(text.as_bytes(), b':') {
        return None;
    }
    BEGINNINGS.iter().find_map(|(begins, ends)| Some((*begins, text.strip_prefix(begins)?.strip_suffix(ends)?)))
}

/// A row of the table, split into the texts around its value.
struct Quoting {
    /// True if the sentence must begin with `before`.
    starts: bool,
    /// The text before the value. `before` may contain `{text}`, which is the part of the sentence that stays.
    before: &'static str,
    /// The placeholder for the value.
    kind: &'static str,
    /// The text behind the value. If `behind` is empty, the value extends to the end of the sentence.
    behind: &'static str,
    message: &'static str,
    needs: Option<NeededPairs>,
}

impl Quoting {
    fn new(row: &Sentence) -> Option<Self> {
        let (before, behind, kind) = ["value", "quoted", "repr", "subject"].into_iter().find_map(|kind| {
            let (before, behind) = row.pattern.split_once(&format!("{{{kind}}}"))?;
            Some((before, behind, kind))
        })?;
        Some(Self {
            starts: !before.starts_with('…'),
            before: before.trim_start_matches('…'),
            kind,
            behind: behind.trim_end_matches('…'),
            message: row.message,
            needs: needed_by(row),
        })
    }

    /// Returns the positions at which the sentence with the value begins and ends.
    fn find(&self, text: &str) -> Option<(usize, usize)> {
        let (first, last) = self.before.split_once("{text}").unwrap_or((self.before, ""));
        let from = if self.starts {
            text.starts_with(first).then_some(0)
        } else {
            memmem::find(text.as_bytes(), first.as_bytes())
        }?;
        let before = from + first.len();
        let value = before + memmem::find(&text.as_bytes()[before..], last.as_bytes())? + last.len();
        let end = match self.behind {
            "" => text.len(),
            behind => value + memmem::rfind(&text.as_bytes()[value..], behind.as_bytes())?,
        };
        if !is_of_kind(self.kind, &text[value..end]) {
            return None;
        }
        Some((from, end + self.behind.len()))
    }

    /// Returns the sentence with its value removed.
    fn without_value(&self, sentence: &str) -> Cow<'static, str> {
        // A `=` that pads base64 is not an assignment.
        let assigned = sentence.split_once('=').filter(|(_, rest)| *rest != self.behind && !rest.starts_with('='));
        if let ("subject", Some((name, _))) = (self.kind, assigned.filter(|(name, _)| may_be_field_name(name))) {
            return Cow::Owned([name, self.behind].concat());
        }
        let Some((before, _)) = self.before.split_once("{text}") else { return Cow::Borrowed(self.message) };
        let last = self.before.rsplit('}').next().unwrap_or_default();
        let text = sentence[before.len()..].split(last).next().unwrap_or_default();
        Cow::Owned(self.message.replace("{text}", text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r13_a_sentence_says_the_same_without_the_value() {
        for (sentence, expected) in [
            (
                "\"email\" with value \"s3cret\" fails to match the required pattern: /^a+$/",
                "\"email\" fails to match the required pattern: /^a+$/",
            ),
            ("Invalid enum value. Expected 'a' | 'b', received 's3'cret'", "Invalid enum value. Expected 'a' | 'b'"),
            ("\"s3cret\" is not a valid choice.", "Not a valid choice."),
            ("\"a\" is not a valid \" is not a valid choice.", "Not a valid choice."),
            ("Invalid pk \"s3cret\" - object does not exist.", "Invalid pk - object does not exist."),
            ("Object with slug=s3cret does not exist.", "Object does not exist."),
            ("“s3cret” is not a valid UUID.", "Not a valid UUID."),
            ("“s3cret” value must be an integer.", "Value must be an integer."),
            ("Value 's3cret' is not a valid choice.", "Not a valid choice."),
            ("Invalid enum value 's3cret'", "Invalid enum value"),
            (
                "Failed to convert argument [n] for value [s3cret] due to: For input string: \"s3cret\"",
                "Failed to convert argument [n]",
            ),
            (
                "Failed to convert property value of type 'String' to required type 'int' for property 'age'; \
                 For input string: \"s3cret\"",
                "Failed to convert property value of type 'String' to required type 'int' for property 'age'",
            ),
            ("Failed to convert; For input string: \"s3cret for value [x\"", "Failed to convert"),
            ("Text 's3cret' could not be parsed at index 0", "Text could not be parsed at index 0"),
            ("The value 's3cret' is not valid for Age.", "The value is not valid for Age."),
            (
                "Cast to Number failed for value \"s3cret\" (type string) at path \"age\"",
                "Cast to Number failed (type string) at path \"age\"",
            ),
            ("s3cret is not a valid URL", "Not a valid URL"),
            ("https://x.test/s3cret is not a valid callback", "Not a valid callback"),
            ("a@s3cret.test is invalid", "Is invalid"),
            ("2024-13-01 is not an ISO 8601 date", "Not an ISO 8601 date"),
            ("17 is not allowed", "Not allowed"),
            ("limit=0 is invalid", "limit is invalid"),
            ("margin_pct=120.0 is invalid (must be < 100%)", "margin_pct is invalid (must be < 100%)"),
            ("dXNlcjpwYXNz= is invalid", "Is invalid"),
            ("dXNlcjpwYXNz== is invalid", "Is invalid"),
            ("Invalid data {\"a\":\"s3cret\"} for parameter \"page\".", "Invalid data for parameter \"page\"."),
            ("The callback is not a valid URL", "The callback is not a valid URL"),
            ("callback is not a valid URL", "callback is not a valid URL"),
            ("address2 is not a valid address", "address2 is not a valid address"),
            ("items[0].urls.1 is not a valid URL", "items[0].urls.1 is not a valid URL"),
            ("/items/0/url is not a valid URL", "/items/0/url is not a valid URL"),
            ("The order 7 is not allowed", "The order 7 is not allowed"),
            ("Input should be 'a' or 'b'", "Input should be 'a' or 'b'"),
            ("\"email\" is required", "\"email\" is required"),
        ] {
            assert_eq!(without_values(sentence), expected);
        }
    }

    proptest::proptest! {
        /// Checks sentences with arbitrary values, because a client may send any value, even parts of such sentences.
        #[test]
        fn r13_no_value_stays(
            value in "[0-9#@\"'`“” \n]{0,12}",
            parts in proptest::collection::vec((0..SENTENCES.len(), proptest::bool::ANY), 0..3),
        ) {
            let rows = || SENTENCES.iter().filter(|row| !row.names_field()).filter_map(Quoting::new);
            let around = |parts: &[(usize, bool)]| {
                let rows: Vec<_> = rows().collect();
                let text = |(row, before): &(usize, bool)| {
                    let row = &rows[*row % rows.len()];
                    if *before { row.before.replace("{text}", " ") } else { row.behind.to_owned() }
                };
                parts.iter().map(text).collect::<String>()
            };
            let value = format!("{value}s3cret{}s3cret{value}", around(&parts));
            for row in rows() {
                let value = match row.kind {
                    "quoted" => format!("\"{value}\""),
                    "repr" => format!("'{value}'"),
                    "subject" => value.split_whitespace().collect(),
                    _ => value.clone(),
                };
                let sentence = format!("{}{value}{}", row.before.replace("{text}", "x"), row.behind);
                proptest::prop_assert!(!without_values(&sentence).contains("s3cret"), "{sentence}");
            }
        }
    }
}
