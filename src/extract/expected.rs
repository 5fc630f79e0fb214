//! Turns serde's descriptions of an expected value into words for clients, whose authors may not know Rust.

use std::borrow::Cow;

use error_envelope_core::message;

/// The most bytes of a custom visitor's description that a message for clients may contain. A longer description is
/// replaced.
const MAX_BYTES: usize = 128;

/// Turns the text of `serde::de::Expected`, or the name of a primitive type, into words for clients.
pub(super) fn in_words(expected: &str) -> Cow<'static, str> {
    let words = number(expected).or_else(|| words_for(expected).map(Into::into));
    let array = || elements(expected).map(|count| format!("an array of {count} elements").into());
    if let Some(words) = words.or_else(array) {
        return words;
    }
    // A client gets no names of Rust types. They mean nothing to it, and they are internal to the program.
    match expected.split(' ').next().unwrap_or_default() {
        "struct" | "internally" | "adjacently" => "an object".into(),
        "tuple" => "an array".into(),
        "enum" | "variant" | "untagged" => "one of the known variants".into(),
        "unit" => "null".into(),
        _ => custom_text(expected),
    }
}

fn custom_text(expected: &str) -> Cow<'static, str> {
    let text = message::clean(expected).filter(|text| text.len() <= MAX_BYTES);
    text.map_or("another value".into(), |text| text.into_owned().into())
}

/// Returns the message for a value of the right type that is still not valid. `unexpected` is the text of
/// `serde::de::Unexpected`.
pub(super) fn of_value(unexpected: &str, expected: &str) -> String {
    let number = unexpected.strip_prefix("integer `").or_else(|| unexpected.strip_prefix("floating point `"));
    match (in_words(expected), number) {
        (words, Some(number)) if words == WHOLE && number.starts_with('-') => "The number is too small.".to_owned(),
        (words, Some(_)) if words == WHOLE => "The number is too large.".to_owned(),
        (words, Some(number)) if words == NATURAL && !number.starts_with('-') => "The number is too large.".to_owned(),
        (words, _) => format!("Expected {words}."),
    }
}

/// Returns true if `unexpected`, the text of `serde::de::Unexpected`, is a number beyond the integers of most types.
/// serde's data formats report such an integer as a floating point number.
pub(super) fn is_huge(unexpected: &str) -> bool {
    const LIMIT: f64 = 9e18;

    let number = unexpected.strip_prefix("floating point `").and_then(|it| it.strip_suffix('`')?.parse::<f64>().ok());
    number.is_some_and(|number| number.abs() > LIMIT)
}

/// Returns the kind of the value that serde got instead of the expected value. `unexpected` is the text of
/// `serde::de::Unexpected`. The kind does not contain the value.
pub(super) fn kind_of(unexpected: &str) -> Option<&'static str> {
    let end = unexpected.find(['`', '"']).unwrap_or(unexpected.len());
    Some(match unexpected[..end].trim_end() {
        "boolean" => "a boolean",
        "integer" | "floating point" | "number" => "a number",
        "character" | "string" => "a string",
        "null" | "unit value" | "Option value" => "null",
        "sequence" => "an array",
        "map" => "an object",
        _ => return None,
    })
}

/// Returns the message for an error of `FromStr`, if its text comes from `std` or from one of the crates in `CRATES`.
pub(super) fn of_parsing(text: &str) -> Option<&'static str> {
    let of_crate = || CRATES.iter().find(|(begin, _)| text.starts_with(begin)).map(|(_, message)| *message);
    // Errors of the crate `time`.
    let is_component = || text.starts_with("the '") && text.ends_with("' component could not be parsed");
    message_of_std(text).or_else(of_crate).or_else(|| is_component().then_some(DATE))
}

/// The words for types whose limits are too large to help people.
const WHOLE: &str = "a whole number";
const NATURAL: &str = "a whole number of 0 or more";
const DATE: &str = "Expected a valid date or time.";
const URL: &str = "Expected a URL.";
const BASE64: &str = "Expected base64.";
const HEX: &str = "Expected hexadecimal digits.";

/// The beginnings of error texts of uuid, url, chrono, time, base64 and hex, and their messages. After the beginning,
/// most of these texts quote the client's data.
const CRATES: [(&str, &str); 24] = [
    ("UUID parsing failed: ", "Expected a UUID."),
    ("relative URL without a base", URL),
    ("relative URL with a cannot-be-a-base base", URL),
    ("empty host", URL),
    ("invalid international domain name", URL),
    ("invalid port number", URL),
    ("invalid IPv4 address: ", URL),
    ("invalid IPv6 address: ", URL),
    ("invalid domain character", URL),
    ("premature end of input", DATE),
    ("trailing input", DATE),
    ("input contains invalid characters", DATE),
    ("input is out of range", DATE),
    ("input is not enough for unique date and time", DATE),
    ("no possible date and time matching input", DATE),
    ("a character literal was not valid", DATE),
    ("unexpected trailing characters; the end of input was expected", DATE),
    ("Invalid symbol ", BASE64),
    ("Invalid last symbol ", BASE64),
    ("Invalid input length: ", BASE64),
    ("Invalid padding", BASE64),
    ("Invalid character '", HEX),
    ("Odd number of digits", HEX),
    ("Invalid string length", HEX),
];

/// Returns the message for an error text of `std`. Error texts of `std` do not quote the client's data.
fn message_of_std(text: &str) -> Option<&'static str> {
    Some(match text {
        "invalid digit found in string" | "cannot parse integer from empty string" => "Expected a whole number.",
        "number too large to fit in target type" => "The number is too large.",
        "number too small to fit in target type" => "The number is too small.",
        "number would be zero for non-zero type" => "The number must not be 0.",
        "invalid float literal" | "cannot parse float from empty string" => "Expected a number.",
        "provided string was not `true` or `false`" => "Expected `true` or `false`.",
        "too many characters in string" | "cannot parse char from empty string" => "Expected a single character.",
        "invalid IP address syntax" => "Expected an IP address.",
        "invalid IPv4 address syntax" => "Expected an IPv4 address.",
        "invalid IPv6 address syntax" => "Expected an IPv6 address.",
        "invalid socket address syntax" => "Expected an IP address and a port.",
        _ => return None,
    })
}

fn number(name: &str) -> Option<Cow<'static, str>> {
    macro_rules! range {
        ($($whole:ident)*) => {
            match name {
                $(stringify!($whole) => {
                    format!("a whole number from {} to {}", $whole::MIN, $whole::MAX).into()
                })*
                "i64" | "i128" | "isize" => WHOLE.into(),
                "u64" | "u128" | "usize" => NATURAL.into(),
                "a nonzero u64" | "a nonzero u128" | "a nonzero usize" => "a whole number of 1 or more".into(),
                "f32" | "f64" => "a number".into(),
                _ => format!("{} other than 0", number(name.strip_prefix("a nonzero ")?)?).into(),
            }
        };
    }

    Some(range!(u8 u16 u32 i8 i16 i32))
}

fn words_for(expected: &str) -> Option<&'static str> {
    Some(match expected {
        "bool" => "`true` or `false`",
        "a boolean" => "a boolean",
        "char" | "a character" => "a single character",
        "String" | "&str" | "a string" | "a borrowed string" | "str" => "a string",
        "unit" => "null",
        "a map" => "an object",
        "a sequence" => "an array",
        "any valid JSON value" => "a value",
        _ => return None,
    })
}

/// Returns the number of elements in "a tuple of size 2", "an array of length 2" and "tuple struct Point with 2
/// elements". The text of a struct with named fields is not matched. Although serde also reads such a struct from an
/// array, no client sends it as an array.
fn elements(expected: &str) -> Option<&str> {
    let count = ["a tuple of size ", "an array of length "].iter().find_map(|form| expected.strip_prefix(form));
    let of_struct = || expected.strip_prefix("tuple ")?.strip_suffix(" elements")?.rsplit_once(" with ");
    let count = count.or_else(|| of_struct().map(|(_, count)| count))?;
    count.bytes().all(|byte| byte.is_ascii_digit()).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rust_expected_is_put_in_words() {
        for (expected, words) in [
            ("u8", "a whole number from 0 to 255"),
            ("f64", "a number"),
            ("a nonzero u8", "a whole number from 0 to 255 other than 0"),
            ("bool", "`true` or `false`"),
            ("a string", "a string"),
            ("struct Confidential", "an object"),
            ("struct Confidential with 3 elements", "an object"),
            ("tuple struct Confidential with 3 elements", "an array of 3 elements"),
            ("tuple struct Confidential", "an array"),
            ("enum Confidential", "one of the known variants"),
            ("unit struct Confidential", "null"),
            ("an array of length 4", "an array of 4 elements"),
            ("an RFC 3339 date", "an RFC 3339 date"),
            ("", "another value"),
        ] {
            assert_eq!(in_words(expected), words, "{expected}");
        }
        assert_eq!(in_words(&"x".repeat(129)), "another value");
    }

    #[test]
    fn the_errors_of_std_for_a_text_that_does_not_parse_have_words() {
        fn why<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Option<&'static str> {
            text.parse::<T>().err().and_then(|error| of_parsing(&error.to_string()))
        }

        assert_eq!([why::<u8>("x"), why::<u8>("")], [Some("Expected a whole number."); 2]);
        assert_eq!(why::<u8>("256"), Some("The number is too large."));
        assert_eq!(why::<i8>("-129"), Some("The number is too small."));
        assert_eq!(why::<std::num::NonZeroU8>("0"), Some("The number must not be 0."));
        assert_eq!([why::<f32>("x"), why::<f32>("")], [Some("Expected a number."); 2]);
        assert_eq!(why::<bool>("yes"), Some("Expected `true` or `false`."));
        assert_eq!([why::<char>("xy"), why::<char>("")], [Some("Expected a single character."); 2]);
        assert_eq!(why::<std::net::IpAddr>("x"), Some("Expected an IP address."));
        assert_eq!(why::<std::net::Ipv4Addr>("x"), Some("Expected an IPv4 address."));
        assert_eq!(why::<std::net::Ipv6Addr>("x"), Some("Expected an IPv6 address."));
        assert_eq!(why::<std::net::SocketAddr>("x"), Some("Expected an IP address and a port."));
    }

    #[test]
    fn e8_the_errors_of_crates_that_parse_texts_have_words_and_no_value() {
        for (text, words) in [
            ("UUID parsing failed: invalid length: expected length 32 for simple format, found 3", "Expected a UUID."),
            ("UUID parsing failed: invalid character: found `s` at 0", "Expected a UUID."),
            ("relative URL without a base: \"s3cr3t\"", URL),
            ("empty host: \"http://\"", URL),
            ("invalid IPv6 address: \"http://[s3cr3t]\"", URL),
            ("premature end of input", DATE),
            ("the 'month' component could not be parsed", DATE),
            ("Invalid symbol 33, offset 2.", BASE64),
            ("Invalid character 's' at position 0", HEX),
            ("Odd number of digits", HEX),
        ] {
            assert_eq!(of_parsing(text), Some(words), "{text}");
        }
        for own in ["the seat is taken by s3cr3t", "invalid character", "s3cr3t: UUID parsing failed: "] {
            assert_eq!(of_parsing(own), None, "{own}");
        }
    }
}
