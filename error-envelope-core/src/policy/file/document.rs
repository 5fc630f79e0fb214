//! A TOML document that says of each of its bytes where it stands.

use std::ops::Range;

use toml::de::DeTable;

use super::sources::line_of;
use crate::policy::error::PolicyError;

/// A parsed file.
pub(super) struct Document<'a> {
    file: &'a str,
    text: &'a str,
    pub(super) root: DeTable<'a>,
}

impl<'a> Document<'a> {
    pub(super) fn parse(file: &'a str, text: &'a str) -> Result<Self, PolicyError> {
        match DeTable::parse(text) {
            Ok(root) => Ok(Self { file, text, root: root.into_inner() }),
            Err(error) => {
                let span = error.span().unwrap_or_default();
                let line = error.span().map(|span| line_of(text.as_bytes(), span.start));
                let wrong = format!("this is no TOML: {}", error.message());
                // A key that stands twice is the one fault of syntax that has a name.
                let twice = error.message() == "duplicate key";
                let told = |name: &str, at| is_word(name) || is_outside_of_keys(&text[..at]);
                let name = error.span().filter(|_| twice).and_then(|span| Some((text.get(span.clone())?, span.start)));
                let key = name.filter(|(name, at)| told(name, *at)).map(|(name, _)| name.to_owned());
                Err(PolicyError::new(key, wrong, "see https://toml.io for the syntax")
                    .in_file(file, line)
                    .spanning(span))
            }
        }
    }

    pub(super) fn error_at(&self, span: Range<usize>, key: &str, wrong: String, right: String) -> PolicyError {
        let line = line_of(self.text.as_bytes(), span.start);
        let key = Some(key.to_owned()).filter(|key| !key.is_empty());
        PolicyError::new(key, wrong, right).in_file(self.file, Some(line)).spanning(span)
    }
}

/// Whether a name is as short and plain as the policy's own are. Any other may be a credential in clear text that stands
/// where a name should, and is never quoted (L3).
pub(super) fn is_word(name: &str) -> bool {
    const LONGEST: usize = 16;
    const DIGITS: usize = 3;
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    name.len() <= LONGEST && digits <= DIGITS && name.bytes().all(is_plain)
}

/// Whether what follows stands in a table that has a name and no keys.
fn is_outside_of_keys(above: &str) -> bool {
    let head = above.lines().rev().map(str::trim_start).find(|line| line.starts_with('['));
    head.is_some_and(|head| {
        !["auth", "keys"].contains(&head.trim_start_matches('[').split(['.', ']']).next().unwrap_or(""))
    })
}
