//! Validators' sentences that quote what the client sent, without it (rule R13).
//!
//! A row is a sentence by what stands before and behind the value. A value may hold anything, what stands behind it in
//! the sentence as well: it ends where that stands for the last time.

use std::borrow::Cow;

/// A sentence with a value in it.
struct Quoting {
    /// The framework and the version that it was seen in.
    #[cfg_attr(not(test), allow(dead_code, reason = "for whoever reads the table"))]
    seen: &'static str,
    /// Where the sentence begins with this.
    starts: bool,
    before: &'static str,
    /// Nothing: to the end.
    behind: &'static str,
    /// What stands there instead of all three.
    says: &'static str,
}

const fn within(seen: &'static str, before: &'static str, behind: &'static str, says: &'static str) -> Quoting {
    Quoting { seen, starts: false, before, behind, says }
}

const fn starting(seen: &'static str, before: &'static str, behind: &'static str, says: &'static str) -> Quoting {
    Quoting { starts: true, ..within(seen, before, behind, says) }
}

const SENTENCES: [Quoting; 23] = [
    within("Joi 17.13", "\" with value \"", "\" fails to match", "\" fails to match"),
    within("Joi 17.13", "\" with value \"", "\" matches the inverted", "\" matches the inverted"),
    within("Zod 3.25", ", received '", "'", ""),
    within("Valibot 1.1", " but received \"", "\"", ""),
    starting("Django REST framework 3.18", "\"", "\" is not a valid ", "Not a valid "),
    starting("Django REST framework 3.18", "Invalid pk \"", "\" - ", "Invalid pk - "),
    starting("Django REST framework 3.18", "Object with ", " does not exist.", "Object does not exist."),
    starting("Django 5.2", "“", "” is not a valid ", "Not a valid "),
    starting("Django 5.2", "“", "” value ", "Value "),
    starting("Django 5.2", "Value '", "' is not a valid choice", "Not a valid choice"),
    starting(
        "Django 5.2",
        "Select a valid choice. ",
        " is not one of the available choices.",
        "Select a valid choice.",
    ),
    starting("msgspec 0.22", "Invalid enum value ", "", "Invalid enum value"),
    starting("msgspec 0.22", "Invalid value ", "", "Invalid value"),
    within("Micronaut 4.9", " for value [", "", ""),
    within("Spring 6.2", "; nested exception is ", "", ""),
    within("Spring 6.2", "; For input string: ", "", ""),
    within("Spring 6.2", "; No enum constant ", "", ""),
    within("java.lang 21", "For input string: ", "", "Not a number"),
    within("java.time 21", "Text '", "' could not be parsed", "Text could not be parsed"),
    starting("ASP.NET 9", "The value '", "' is ", "The value is "),
    starting("ASP.NET 9", "The JSON value could not be converted to ", "", "The JSON value could not be converted."),
    within("Mongoose 8.19", " failed for value \"", "\" (type ", " failed (type "),
    starting("Mongoose 8.19", "`", "` is not a valid enum value ", "Not a valid enum value "),
];

/// The sentence without the value that it quotes.
///
/// A value may hold what other sentences have around theirs: whatever any row takes for a value goes, and all between.
pub(in crate::dialect) fn without_values(text: &str) -> Cow<'_, str> {
    let found = SENTENCES.iter().filter_map(|row| row.find(text).map(|(from, end)| (from, end, row.says)));
    let widest = found.reduce(|one, other| {
        let (from, _, says) = if other.0 < one.0 { other } else { one };
        (from, one.1.max(other.1), says)
    });
    match widest {
        Some((from, end, says)) => Cow::Owned([&text[..from], says, &text[end..]].concat()),
        None => Cow::Borrowed(text),
    }
}

impl Quoting {
    /// From where to where it is a sentence with a value.
    fn find(&self, text: &str) -> Option<(usize, usize)> {
        let from = if self.starts { text.starts_with(self.before).then_some(0) } else { text.find(self.before) }?;
        let value = from + self.before.len();
        let end = match self.behind {
            "" => text.len(),
            behind => value + text[value..].rfind(behind)? + behind.len(),
        };
        Some((from, end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r13_a_sentence_says_the_same_without_the_value() {
        for (sentence, told) in [
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
            ("Input should be 'a' or 'b'", "Input should be 'a' or 'b'"),
            ("\"email\" is required", "\"email\" is required"),
        ] {
            assert_eq!(without_values(sentence), told);
        }
    }

    #[test]
    fn each_sentence_was_seen_somewhere() {
        for row in SENTENCES {
            let version = row.seen.rsplit_once(' ').map(|(_, version)| version).unwrap_or_default();
            assert!(version.starts_with(|digit: char| digit.is_ascii_digit()), "{}", row.seen);
        }
    }

    proptest::proptest! {
        /// Whatever the client sent, parts of these sentences among it.
        #[test]
        fn r13_no_value_stays(
            value in "[0-9#@\"'`“” \n]{0,12}",
            parts in proptest::collection::vec((0..SENTENCES.len(), proptest::bool::ANY), 0..3),
        ) {
            let around = |parts: &[(usize, bool)]| {
                let text = |(row, before): &(usize, bool)| if *before { SENTENCES[*row].before } else { SENTENCES[*row].behind };
                parts.iter().map(text).collect::<String>()
            };
            let value = format!("{value}s3cret{}s3cret{value}", around(&parts));
            for row in SENTENCES {
                let sentence = format!("{}{value}{}", row.before, row.behind);
                proptest::prop_assert!(!without_values(&sentence).contains("s3cret"), "{sentence}");
            }
        }
    }
}
