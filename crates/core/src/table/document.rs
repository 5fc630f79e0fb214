//! Parses a file as TOML. If some lines of the file are not TOML, the other lines are still parsed.

use toml::Spanned;
use toml::de::{DeTable, Error};

use super::error::{Kind, PolicyError, line_of};
use super::reading::{MAX_MISTAKES, is_word};

/// A parsed file.
pub(crate) struct Document<'a> {
    file: &'a str,
    text: &'a str,
    /// The tables that could be parsed.
    pub(crate) root: DeTable<'a>,
    /// The errors of invalid TOML, with their lines. A line has at most one error.
    syntax: Vec<(usize, Error)>,
}

impl<'a> Document<'a> {
    pub(crate) fn parse(file: &'a str, text: &'a str) -> Self {
        let (root, errors) = match DeTable::parse(text) {
            Err(first) if text.len() > MAX_RECOVERED => (Spanned::new(0..0, DeTable::new()), vec![first]),
            Err(_) => DeTable::parse_recoverable(text),
            Ok(root) => (root, Vec::new()),
        };
        let mut syntax: Vec<(usize, Error)> = Vec::new();
        for error in errors.into_iter().take(MAX_MISTAKES) {
            let line = line_of(text.as_bytes(), error.span().map_or(0, |span| span.start));
            if syntax.iter().all(|(other, _)| *other != line) {
                syntax.push((line, error));
            }
        }
        Self { file, text, root: root.into_inner(), syntax }
    }

    pub(crate) fn is_toml(&self) -> bool {
        self.syntax.is_empty()
    }

    /// Returns the errors of lines that are not TOML.
    pub(crate) fn syntax_errors(&self) -> impl Iterator<Item = PolicyError> {
        self.syntax.iter().map(|(line, error)| self.syntax_error(*line, error))
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

    /// Returns true if a mistake only follows from a line that is not TOML. The mistake is in that line, or in a table
    /// whose head is that line, or its table seems to lack a key because of that line.
    pub(crate) fn explains(&self, mistake: &PolicyError) -> bool {
        if self.is_toml() || self.root.is_empty() {
            return !self.is_toml();
        }
        let lacks = mistake.span().is_some_and(|span| span.is_empty()) && mistake.key() != Some("version");
        let line = mistake.line().unwrap_or_default();
        let head_of = |line: usize| {
            let is_head = |(_, text): &(usize, &str)| text.trim_start().starts_with('[');
            self.text.lines().enumerate().take(line).filter(is_head).last().map(|(at, _)| at + 1)
        };
        self.syntax
            .iter()
            .any(|(wrong, _)| (lacks || head_of(*wrong) == Some(*wrong)) && head_of(*wrong) == head_of(line))
    }
}

/// The maximum number of bytes of a text of which all errors are reported. Of a longer text, only the first error is
/// reported. The parser stores each of its errors, which takes some 600 bytes for every two wrong bytes.
const MAX_RECOVERED: usize = 64 * 1024;

/// Returns an earlier line with the same key in the same table, or with the same table header.
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

/// Returns true if the next line is in a table that has a name, but no keys yet.
fn is_outside_of_keys(above: &str) -> bool {
    let head = above.lines().rev().map(str::trim_start).find(|line| line.starts_with('['));
    head.is_some_and(|head| {
        !["auth", "keys"].contains(&head.trim_start_matches('[').split(['.', ']']).next().unwrap_or(""))
    })
}

const CLOSE_TEXT: &str = "close the text with the quote that opens it";
const REAL_TIME: &str = "write a date and a time that exist, as in 2027-01-01T00:00:00Z";

/// Returns how to correct a line that is not TOML, according to the parser's message.
fn right_syntax(message: &str) -> &'static str {
    let advice = [
        ("duplicate key", "write each key and each table once; tables of a list have two brackets, as in [[route]]"),
        ("key with no value", "write a key, = and a value, as in mode = \"own\""),
        ("must be quoted", "write a text in straight quotes, as in \"own\""),
        ("escape", "write \\\\ for a backslash, or put the text into single quotes"),
        ("unclosed", "close it on the line where it begins"),
        ("literal string, expected `'`", CLOSE_TEXT),
        ("basic string, expected `\"`", CLOSE_TEXT),
        ("invalid date", REAL_TIME),
        ("invalid time", REAL_TIME),
        ("invalid offset", REAL_TIME),
    ];
    let found = advice.iter().find(|(part, _)| message.contains(part));
    found
        .map_or("write lines such as mode = \"own\" and [defaults]; https://toml.io has the syntax", |(_, right)| right)
}
