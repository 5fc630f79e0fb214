//! Splits a JSON text into tokens, one after the other. An incomplete token may be half of a credential.

use std::borrow::Cow;

use crate::json::{end_of_quoted, end_of_value};

/// The reason why no token can be read.
pub(super) enum Stop {
    /// The text is not JSON.
    Malformed,
    /// The text ends in the token, or before it.
    BrokeOff,
}

/// A JSON text and the position of its next token.
pub(super) struct Tokens<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, rest: text }
    }

    /// Returns the position of the next token, or of white space before it.
    pub(super) const fn at(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.trim().is_empty()
    }

    /// Returns the first character of the next token.
    pub(super) fn next(&mut self) -> Result<char, Stop> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next().ok_or(Stop::BrokeOff)
    }

    /// Skips this character, if it is the next token.
    pub(super) fn push(&mut self, character: char) -> Result<(), Stop> {
        self.rest = self.rest.strip_prefix(character).ok_or(Stop::Malformed)?;
        Ok(())
    }

    /// Reads a string.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, Stop> {
        if !self.rest.starts_with('"') {
            return Err(Stop::Malformed);
        }
        let end = end_of_quoted(self.rest.as_bytes()).ok_or(Stop::BrokeOff)?;
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        if !token.contains('\\') {
            return Ok(Cow::Borrowed(&token[1..end - 1]));
        }
        // A token that is not a valid JSON string is used as it is.
        Ok(serde_json::from_str(token).map_or(Cow::Borrowed(&token[1..end - 1]), Cow::Owned))
    }

    /// Reads a number, `true`, `false` or `null`. The flag is true for a number.
    pub(super) fn literal(&mut self) -> Result<(&'a str, bool), Stop> {
        let end = self.rest.find(|it: char| !it.is_ascii_alphanumeric() && !matches!(it, '+' | '-' | '.'));
        let (text, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let is_name = matches!(text, "null" | "true" | "false");
        let is_number = text.starts_with(|it: char| it.is_ascii_digit() || it == '-');
        if !is_name && !is_number {
            return Err(Stop::Malformed);
        }
        self.rest = rest;
        Ok((text, is_number))
    }

    /// Reads an object or an array as a whole.
    pub(super) fn brackets(&mut self) -> Result<&'a str, Stop> {
        let end = end_of_value(self.rest.as_bytes()).ok_or(Stop::BrokeOff)?;
        let (value, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(value)
    }
}

/// Returns the length of the JSON string at the beginning of a text, with its quotes. If the string breaks off, returns
/// the length of the whole text.
#[must_use]
pub fn end_of_string(text: &str) -> usize {
    end_of_quoted(text.as_bytes()).unwrap_or(text.len())
}
