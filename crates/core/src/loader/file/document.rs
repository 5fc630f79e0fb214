//! A TOML document with the file and line of each of its bytes.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, Error};

use super::misplaced::right_syntax;
use super::mistakes::{KnownMistakes, MAX_MISTAKES, Mistakes};
use super::sources::line_of;
use crate::policy::error::PolicyError;

/// A parsed file.
pub(super) struct Document<'a> {
    file: &'a str,
    text: &'a str,
    pub(super) root: DeTable<'a>,
    mistakes: &'a Mistakes,
    /// Keys that were found to be wrong before: the rest of their tables is read as if they were missing.
    known: &'a KnownMistakes,
    /// The errors of invalid TOML, by line. After an error, `root` has the tables that could be parsed.
    syntax: Vec<(usize, Error)>,
}

impl<'a> Document<'a> {
    pub(super) fn parse(file: &'a str, text: &'a str, mistakes: &'a Mistakes, known: &'a KnownMistakes) -> Self {
        let (root, errors) = match DeTable::parse(text) {
            Err(first) if text.len() > MAX_RECOVERED => (Spanned::new(0..0, DeTable::new()), vec![first]),
            Err(_) => DeTable::parse_recoverable(text),
            Ok(root) => (root, Vec::new()),
        };
        let mut syntax: Vec<(usize, Error)> = Vec::new();
        for error in errors.into_iter().take(MAX_MISTAKES) {
            let line = line_of(text.as_bytes(), error.span().map_or(0, |span| span.start));
            // A mistake in a line is reported once.
            if syntax.iter().all(|(other, _)| *other != line) {
                syntax.push((line, error));
            }
        }
        Self { file, text, root: root.into_inner(), mistakes, known, syntax }
    }

    pub(super) fn is_toml(&self) -> bool {
        self.syntax.is_empty()
    }

    pub(super) fn report_syntax(&self) {
        for (line, error) in &self.syntax {
            self.mistakes.add(self.syntax_error(*line, error));
        }
    }

    fn syntax_error(&self, line: usize, error: &Error) -> PolicyError {
        let span = error.span().unwrap_or_default();
        // A duplicate key is the one syntax error that has a name.
        let twice = error.message() == "duplicate key";
        let first = twice.then(|| first_definition(self.text, line)).flatten();
        let first = first.map_or_else(String::new, |first| format!(" (line {first})"));
        let wrong = format!("this is not TOML: {}{first}", error.message());
        let name = self.text.get(span.clone()).filter(|_| twice);
        let key = name.filter(|name| is_word(name) || is_outside_of_keys(&self.text[..span.start]));
        PolicyError::new(key.map(str::to_owned), wrong, right_syntax(error.message()))
            .in_file(self.file, Some(line))
            .spanning(span)
    }

    /// Notes a mistake that is not there only because of the syntax.
    pub(super) fn add(&self, error: PolicyError) {
        if !self.follows_from_syntax(&error) {
            self.mistakes.add(error);
        }
    }

    pub(super) fn keep<T>(&self, read: Result<T, PolicyError>) -> Option<T> {
        read.map_err(|error| self.add(error)).ok()
    }

    pub(super) fn text_at(&self, span: Range<usize>) -> &'a str {
        self.text.get(span).unwrap_or_default()
    }

    /// The `FILE:LINE` of a byte.
    pub(super) fn location(&self, at: usize) -> String {
        format!("{}:{}", self.file, line_of(self.text.as_bytes(), at))
    }

    pub(super) fn mistakes(&self) -> &'a Mistakes {
        self.mistakes
    }

    pub(super) fn known(&self) -> &'a KnownMistakes {
        self.known
    }

    pub(super) fn is_known(&self, key: &str) -> bool {
        self.known.has(self.file, key)
    }

    pub(super) fn is_called(&self, file: &str) -> bool {
        self.file == file
    }

    /// Whether invalid TOML causes this error: on the error's line, or in a table that lacks a key for it.
    pub(super) fn follows_from_syntax(&self, error: &PolicyError) -> bool {
        if self.is_toml() || self.mistakes.is_full() {
            return false;
        }
        if self.root.is_empty() {
            return true;
        }
        let first = error.line().unwrap_or_default();
        let lacks = error.span().is_some_and(|span| span.is_empty()) && error.key() != Some("version");
        let is_own = |line: &&str| lacks && !line.trim_start().starts_with('[');
        let last = first + self.text.lines().skip(first).take_while(is_own).count();
        self.syntax.iter().any(|(line, _)| (first..=last).contains(line))
    }

    pub(super) fn error_at(&self, span: Range<usize>, key: &str, wrong: String, right: String) -> PolicyError {
        // A mistake that is not kept needs no line, which costs a look at the whole text.
        let line = if self.mistakes.is_full() { 1 } else { line_of(self.text.as_bytes(), span.start) };
        let key = Some(key.to_owned()).filter(|key| !key.is_empty());
        PolicyError::new(key, wrong, right).in_file(self.file, Some(line)).spanning(span)
    }
}

/// The parser stores each of its errors, some 600 bytes for two that are wrong: of a longer text the first one is enough.
const MAX_RECOVERED: usize = 64 * 1024;

/// Whether a name is as short and plain as the policy's own are. Any other may be a credential in clear text that stands
/// where a name should, and is never quoted (L3).
pub(super) fn is_word(name: &str) -> bool {
    const LONGEST: usize = 16;
    const DIGITS: usize = 3;
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    name.len() <= LONGEST && digits <= DIGITS && name.bytes().all(is_plain)
}

/// The line above this one that has the same key in the same table, or the same head of a table.
fn first_definition(text: &str, line: usize) -> Option<usize> {
    let name_of = |line: &'_ str| line.split(['=', '#']).next().unwrap_or_default().trim().to_owned();
    let is_head = |line: &str| line.trim_start().starts_with('[');
    let lines: Vec<&str> = text.lines().take(line).collect();
    let (twice, above) = lines.split_last()?;
    let name = name_of(twice);
    let mut of_table = above.iter().enumerate().rev().take_while(|(_, line)| is_head(twice) || !is_head(line));
    let first = of_table.find(|(_, line)| name_of(line) == name && !name.contains(['{', ',']));
    first.map(|(at, _)| at + 1)
}

/// Whether what follows stands in a table that has a name and no keys.
fn is_outside_of_keys(above: &str) -> bool {
    let head = above.lines().rev().map(str::trim_start).find(|line| line.starts_with('['));
    head.is_some_and(|head| {
        !["auth", "keys"].contains(&head.trim_start_matches('[').split(['.', ']']).next().unwrap_or(""))
    })
}
