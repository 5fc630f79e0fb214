//! The part of a protocol's JSON that may pass (rule R10): on a 5xx its structure, on a 4xx all but stacks.
//!
//! One pass over the text, without a tree: what is open is a stack of at most [`MAX_DEPTH`] containers. A value that
//! may not pass takes its name with it, and its contents are skipped.

use std::borrow::Cow;

use super::oauth;
use crate::dialect::field_names::TEXTS;
use crate::dialect::json;
use crate::syntax::end_of_quoted;

/// The deepest nesting that passes: no error is deeper, and some parsers accept no more.
const MAX_DEPTH: usize = 64;

/// Fields whose strings clients go by, as far as they are short and plain.
const NAMES_OF_SIGNS: [&str; 6] = ["id", "jsonrpc", "schemas", "resourceType", "severity", "scimType"];

/// FHIR's names of texts, besides R2's.
const TEXTS_OF_FHIR: [&str; 2] = ["diagnostics", "text"];

/// The structure of a valid JSON text, with this message in place of each text; `None` if there is no such place.
pub(super) fn structure(json: &str, message: &str, json_rpc: bool) -> Option<Vec<u8>> {
    let (written, counted) = Filter { json_rpc, ..Filter::new(json, Some(message)) }.run();
    (counted > 0 && !written.is_empty()).then_some(written)
}

/// A valid JSON text without the stacks of its errors; `None` where it has none.
pub(super) fn without_stacks(json: &str) -> Option<Vec<u8>> {
    let (written, counted) = Filter::new(json, None).run();
    (counted > 0).then_some(written)
}

struct Filter<'t, 'm> {
    json: &'t str,
    at: usize,
    written: Vec<u8>,
    open: Vec<Container<'t>>,
    /// The name of the next value, and how it was written.
    name: Option<(Cow<'t, str>, &'t str)>,
    /// The message, on a 5xx.
    message: Option<&'m str>,
    /// How many messages are written, or stacks left out.
    counted: usize,
    /// It is JSON-RPC.
    json_rpc: bool,
}

/// An object or a list that is not closed yet.
struct Container<'t> {
    is_list: bool,
    /// The name of its field. A list has it for its elements.
    name: Cow<'t, str>,
    /// Whether it is part of an error.
    in_error: bool,
    /// Where it, or its name, begins in the output, and what was counted before.
    before: (usize, usize),
    has_values: bool,
    /// A string that had to go was in the list: it goes with its field.
    is_spoilt: bool,
}

/// How to treat a value.
enum Verdict {
    Pass,
    /// The value passes, and identifies the error.
    Tell,
    Message,
    Drop,
}

impl<'t, 'm> Filter<'t, 'm> {
    fn new(json: &'t str, message: Option<&'m str>) -> Self {
        let written = Vec::with_capacity(json.len());
        Self { json, at: 0, written, open: Vec::new(), name: None, message, counted: 0, json_rpc: false }
    }

    /// The text is valid: a token is known by its first byte.
    fn run(mut self) -> (Vec<u8>, usize) {
        while let Some(byte) = self.json.as_bytes().get(self.at) {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' => self.at += 1,
                b'}' | b']' => self.close(*byte),
                b'"' if self.name.is_none() && self.open.last().is_some_and(|it| !it.is_list) => self.read_name(),
                _ => self.value(*byte),
            }
        }
        (self.written, self.counted)
    }

    fn read_name(&mut self) {
        let raw = self.skip();
        self.name = Some((decoded(raw), raw));
    }

    fn value(&mut self, first: u8) {
        let before = (self.written.len(), self.counted);
        let (list, in_error) =
            self.open.last().map_or((None, false), |it| (it.is_list.then_some(&it.name), it.in_error));
        let (name, raw_name) = match (list, self.name.take()) {
            (Some(name), _) => (name.clone(), None),
            (None, Some((name, raw))) => (name, Some(raw)),
            (None, None) => (Cow::Borrowed(""), None),
        };
        let is_container = matches!(first, b'{' | b'[');
        let start = self.at;
        // A container that is not entered is skipped at once.
        let enters = is_container && self.open.len() < MAX_DEPTH;
        let raw = if enters { "" } else { self.skip() };
        match self.judge(&name, raw_name.is_some(), first, raw, in_error) {
            // A response of JSON-RPC without an id answers no call.
            Verdict::Drop if first == b'"' && &*name == "id" && self.json_rpc => {
                self.scalar(raw_name, "null", &Verdict::Pass)
            }
            Verdict::Drop => {
                self.at = if enters { end_of(self.json, start) } else { self.at };
                self.spoil(first);
            }
            Verdict::Pass if enters => {
                self.begin(raw_name);
                self.written.push(first);
                self.at += 1;
                let in_error = in_error || matches!(&*name, "error" | "errors");
                let (is_list, has_values, is_spoilt) = (first == b'[', false, false);
                self.open.push(Container { is_list, name, in_error, before, has_values, is_spoilt });
            }
            verdict => self.scalar(raw_name, raw, &verdict),
        }
    }

    fn scalar(&mut self, raw_name: Option<&str>, raw: &str, verdict: &Verdict) {
        self.begin(raw_name);
        match (verdict, self.message) {
            (Verdict::Message, Some(message)) => json::push_string(&mut self.written, message),
            _ => self.written.extend_from_slice(raw.as_bytes()),
        }
        self.counted += usize::from(matches!(verdict, Verdict::Message | Verdict::Tell));
        if let Some(around) = self.open.last_mut() {
            around.has_values = true;
        }
    }

    fn judge(&mut self, name: &str, is_named: bool, first: u8, raw: &str, in_error: bool) -> Verdict {
        let is_stack = in_error && is_named && is_stack(name, first);
        match self.message {
            None => {
                self.counted += usize::from(is_stack);
                if is_stack { Verdict::Drop } else { Verdict::Pass }
            }
            Some(_) if is_stack || is_named && !is_word(name) => Verdict::Drop,
            Some(_) if first == b'"' => judge_string(name, &decoded(raw)),
            // A value that is too deep is not read.
            Some(_) if matches!(first, b'{' | b'[') && !raw.is_empty() => Verdict::Drop,
            Some(_) => Verdict::Pass,
        }
    }

    /// Writes the comma and the name before a value.
    fn begin(&mut self, raw_name: Option<&str>) {
        if self.open.last().is_some_and(|it| it.has_values) {
            self.written.push(b',');
        }
        if let Some(name) = raw_name {
            self.written.extend_from_slice(name.as_bytes());
            self.written.push(b':');
        }
    }

    /// A value of the container goes.
    fn spoil(&mut self, first: u8) {
        if let Some(around) = self.open.last_mut() {
            around.is_spoilt |= around.is_list && first == b'"';
        }
    }

    fn close(&mut self, byte: u8) {
        self.at += 1;
        let Some(closed) = self.open.pop() else { return };
        if closed.is_spoilt {
            self.written.truncate(closed.before.0);
            self.counted = closed.before.1;
            return;
        }
        self.written.push(byte);
        if let Some(around) = self.open.last_mut() {
            around.has_values = true;
        }
    }

    /// Skips the value that begins here, and returns it.
    fn skip(&mut self) -> &'t str {
        let start = self.at;
        self.at = end_of(self.json, start);
        &self.json[start..self.at]
    }
}

fn judge_string(name: &str, text: &str) -> Verdict {
    let passes = |most: usize, more: &[u8]| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || more.contains(&byte);
        if (1..=most).contains(&text.len()) && text.bytes().all(is_plain) { Verdict::Pass } else { Verdict::Drop }
    };
    match name {
        "code" | "status" => passes(64, b"_-"),
        "error" if oauth::is_registered(text) => Verdict::Tell,
        _ if NAMES_OF_SIGNS.contains(&name) => passes(128, b"_.:/-"),
        _ if TEXTS.iter().chain(&TEXTS_OF_FHIR).any(|it| it.eq_ignore_ascii_case(name)) => Verdict::Message,
        _ => Verdict::Drop,
    }
}

/// Whether a field has a stack, as tRPC, Apollo, graphql-php and others write theirs.
fn is_stack(name: &str, first: u8) -> bool {
    matches!(name, "stack" | "stacktrace" | "stackTrace" | "exception" | "debugMessage")
        || name == "trace" && first == b'['
}

/// Whether a name is one that a program gives: in some bodies names are data, with digits or punctuation.
fn is_word(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-' | b'@' | b'$');
    (1..=32).contains(&name.len()) && name.bytes().all(is_plain)
}

/// The text of a JSON string, as far as it is Unicode.
fn decoded(raw: &str) -> Cow<'_, str> {
    let inside = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    if inside.contains('\\') { serde_json::from_str(raw).unwrap_or_default() } else { Cow::Borrowed(inside) }
}

/// The end of the value that begins there.
fn end_of(json: &str, start: usize) -> usize {
    let bytes = json.as_bytes();
    let (mut at, mut depth) = (start, 0usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_quoted(&bytes[at..]).map_or(bytes.len(), |length| at + length),
            b'{' | b'[' => (at, depth) = (at + 1, depth + 1),
            b'}' | b']' => (at, depth) = (at + 1, depth.saturating_sub(1)),
            _ if depth > 0 => at += 1,
            _ => at = end_of_literal(bytes, at),
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn end_of_literal(bytes: &[u8], start: usize) -> usize {
    let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
    bytes[start..].iter().position(is_end).map_or(bytes.len(), |length| start + length.max(1))
}
