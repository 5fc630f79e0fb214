//! Reads sentences that name the wrong field, or that quote data of the client (R13).
//!
//! The file `table.rs` contains a table of sentences. Each row has a pattern, the message that a client may get instead
//! of the sentence, and the framework in which the sentence was seen.

mod jackson;
mod jsonschema;
mod pattern;
mod pydantic;
mod quoted;
mod reading;
mod screen;
mod serde;
mod table;

use self::pattern::Captures;
pub use self::quoted::without_values;
pub use self::reading::Reading;
use self::screen::BytePairs;
use self::table::{Sentence, When};
use crate::message::has_any;
use crate::tree::Node;

/// The longest text that is read as a list of sentences.
const MAX_JOINED_BYTES: usize = 8 * 1024;

/// The place where a text was found.
#[derive(Clone, Copy, Default)]
pub struct Context<'c> {
    pub in_list: bool,
    /// The JSON body that contains the text.
    pub body: Option<Node<'c, 'c>>,
}

impl Context<'_> {
    /// Returns true if the body has NestJS's own form, with a list of class-validator's sentences.
    fn is_of_nest(&self) -> bool {
        self.body.is_some_and(|body| body.has("statusCode") && body.field("message").is_some_and(Node::is_array))
    }
}

/// Returns true if a text may name a field, or quote a value. The check is quick, because it only searches for a quote,
/// or for a text behind a colon.
pub fn may_name_field(text: &str) -> bool {
    has_any(text.as_bytes(), [b'`', b'"', b'\'', b':', b'=']) || !text.is_ascii()
}

/// Returns the sentences in a text, each with the field that it names. Returns `None` if a sentence names no field.
pub fn read(text: &str, context: Context<'_>) -> Option<Vec<Reading>> {
    let text = text.trim();
    pydantic::read(text)
        .or_else(|| Some(vec![jackson::read(text)?]))
        .or_else(|| read_jsonschema(text))
        .or_else(|| read_by_rows(text, context))
        .filter(|readings| readings.iter().any(|reading| reading.place.has_name() || reading.names_parameter()))
}

fn read_by_rows(text: &str, context: Context<'_>) -> Option<Vec<Reading>> {
    let pairs = BytePairs::of(text);
    read_several(text, &pairs, context).or_else(|| Some(vec![read_single(text, &pairs, context)?]))
}

fn read_jsonschema(text: &str) -> Option<Vec<Reading>> {
    let (first, mut place) = (jsonschema::first_line(text)?, jsonschema::place(text)?);
    if let Some(name) = missing_name(first) {
        place.end_with(&name);
    }
    Some(vec![Reading { place, text: without_values(first).into_owned() }])
}

/// Returns the name of the missing field that a sentence names. The place of the object around the field is already
/// known.
pub fn missing_name(text: &str) -> Option<String> {
    let of_row = BytePairs::of(text).rows().find_map(|row| match &pattern::match_pattern(row.pattern, text)?[..] {
        [("name", name)] => Some(name.strip_prefix('.').unwrap_or(name).to_owned()),
        _ => None,
    });
    of_row.or_else(|| serde::parse_text(text).filter(|_| serde::is_form(text))?.1.map(str::to_owned))
}

/// Reads a text with several sentences. `pairs` are the byte pairs of the whole text, which include the pairs of each
/// sentence.
fn read_several(text: &str, pairs: &BytePairs, context: Context<'_>) -> Option<Vec<Reading>> {
    if text.len() > MAX_JOINED_BYTES {
        return None;
    }
    ["\n", ", ", ". "].into_iter().filter(|joined| text.contains(joined)).find_map(|joined| {
        let pieces = split_into_sentences(text, joined, pairs, context);
        let is_joined = pieces.len() > 1;
        is_joined.then(|| pieces.into_iter().map(|piece| read_piece(piece, joined, pairs, context)).collect()).flatten()
    })
}

/// Splits a text into sentences that are separated by `joined`.
fn split_into_sentences<'t>(text: &'t str, joined: &str, pairs: &BytePairs, context: Context<'_>) -> Vec<&'t str> {
    const MOST: usize = 64;

    let (mut pieces, mut start) = (Vec::new(), 0);
    for (at, _) in text.match_indices(joined).take(MOST) {
        let rest = &text[at + joined.len()..];
        let first = rest.split(joined).next().unwrap_or_default();
        if [rest, first].into_iter().any(|it| read_piece(it, joined, pairs, context).is_some()) {
            pieces.push(text[start..at].trim_end());
            start = at + joined.len();
        }
    }
    pieces.push(&text[start..]);
    pieces
}

/// Reads one of several issues that are separated by `joined`.
fn read_piece(text: &str, joined: &str, pairs: &BytePairs, context: Context<'_>) -> Option<Reading> {
    let text = if joined == "\n" { text.trim() } else { text };
    pairs.rows().filter(|row| row.joined == joined).find_map(|row| row.read(text, context))
}

/// Reads a text that is a single issue. Such a text matches a row of the table, or is a message of serde.
fn read_single(text: &str, pairs: &BytePairs, context: Context<'_>) -> Option<Reading> {
    let of_row = pairs.rows().find_map(|row| row.read(text, context));
    of_row.or_else(|| serde::parse_text(text).filter(|_| is_bare(text)).map(|(reading, _)| reading))
}

/// Returns true if a text consists only of a message of serde, as poem reports it for a query. If the text is in
/// quotes, the client sent it, and the result is false.
fn is_bare(text: &str) -> bool {
    let within = |path: usize| quoted::quotes_before(text, path);
    quoted::behind_a_framework(text).is_none() && serde::path_length(text).is_some_and(|path| !within(path))
}

impl Sentence {
    fn read(&self, text: &str, context: Context<'_>) -> Option<Reading> {
        let holds = match self.when {
            When::Always => true,
            When::InList => context.in_list,
            When::Beside(field) => context.body.is_some_and(|body| body.has(field)),
        };
        let captures = if holds { pattern::match_pattern(self.pattern, text)? } else { return None };
        if self.when == When::InList && !context.is_of_nest() && !pattern::shows_field(self.pattern, &captures) {
            return None;
        }
        let serde = captures.last().filter(|(kind, _)| *kind == "serde").map(|(_, text)| *text);
        match serde {
            Some(text) if self.message.is_empty() => serde::parse_text(text).map(|(reading, _)| reading),
            _ => Some(self.reading_of(&captures, text)),
        }
    }

    fn reading_of(&self, captures: &Captures<'_>, text: &str) -> Reading {
        let sentence = pattern::message_of(self.message, captures, text);
        Reading { place: pattern::place_of(captures), text: without_values(&sentence).into_owned() }
    }
}

/// Returns the text of the error that salvo 1.1.0 prints as a cause in debug builds: `SerdeJson(Error("missing field
/// `sku`", line: 1, column: 2))`.
pub fn in_debug(cause: &str) -> Option<String> {
    let inside = cause.split_once("Error(")?.1.trim_start().strip_prefix('"')?;
    serde_json::from_str(&format!("\"{}\"", &inside[..serde::closing_quote(inside)?])).ok()
}
