//! A TOML document that has the file and line of each of its bytes.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, Error};

use super::misplaced::right_syntax;
use super::mistakes::{KnownMistakes, MAX_MISTAKES, Mistakes};
use super::sources::line_of;
use crate::guard::mistake::Kind;
use crate::policy::error::PolicyError;

/// A parsed file.
pub(super) struct Document<'a> {
    file: &'a str,
    text: &'a str,
    pub(super) root: DeTable<'a>,
    mistakes: &'a Mistakes,
    /// Keys that are already known to be wrong: the rest of their tables is read as if they were missing.
    known: &'a KnownMistakes,
    /// The errors of invalid TOML, with their lines. If there are any, `root` has the tables that could still be
    /// parsed.
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
            // At most one mistake is reported for a line.
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
        // A duplicate key is the only syntax error that concerns a name.
        let twice = error.message() == "duplicate key";
        let first = twice.then(|| first_definition(self.text, line)).flatten();
        let first = first.map_or_else(String::new, |first| format!(" (line {first})"));
        let wrong = format!("this is not TOML: {}{first}", error.message());
        let name = self.text.get(span.clone()).filter(|_| twice);
        let key = name.filter(|name| is_word(name) || is_outside_of_keys(&self.text[..span.start]));
        PolicyError::new(key.map(str::to_owned), wrong, right_syntax(error.message()))
            .of_kind(Kind::Syntax)
            .in_file(self.file, Some(line))
            .with_span(span)
    }

    /// Notes a mistake, unless it only follows from invalid TOML.
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

    pub(super) fn has_name(&self, file: &str) -> bool {
        self.file == file
    }

    /// Whether an error only follows from invalid TOML: it is in the same line, or in a table that seems to lack a key
    /// because of it.
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
        // If the mistake will not be stored, its line does not matter; finding it would require a search through the
        // whole text.
        let line = if self.mistakes.is_full() { 1 } else { line_of(self.text.as_bytes(), span.start) };
        let key = Some(key.to_owned()).filter(|key| !key.is_empty());
        PolicyError::new(key, wrong, right).in_file(self.file, Some(line)).with_span(span)
    }
}

/// In longer texts, only the first error is reported. The parser stores each of its errors, which takes some 600 bytes
/// for every two wrong bytes.
const MAX_RECOVERED: usize = 64 * 1024;

/// Whether a name is short and plain, as the policy's own names are. Any other text may be a credential in the wrong
/// place, so it is never quoted (L3).
pub(super) fn is_word(name: &str) -> bool {
    const LONGEST: usize = 16;
    const DIGITS: usize = 3;
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    name.len() <= LONGEST && digits <= DIGITS && name.bytes().all(is_plain)
}

/// An earlier line with the same key in the same table, or with the same table header.
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

/// Whether the next line is in a table that has a name, but no keys yet.
fn is_outside_of_keys(above: &str) -> bool {
    let head = above.lines().rev().map(str::trim_start).find(|line| line.starts_with('['));
    head.is_some_and(|head| {
        !["auth", "keys"].contains(&head.trim_start_matches('[').split(['.', ']']).next().unwrap_or(""))
    })
}
