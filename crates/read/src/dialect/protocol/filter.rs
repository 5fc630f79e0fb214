//! Filters a protocol's JSON (R10). On a 5xx, only its structure passes. On a 4xx, everything except stack traces
//! passes.
//!
//! One pass over the text writes the output, without building a tree. A stack of at most [`MAX_DEPTH`] entries stores
//! the open objects and lists. If a value must not pass, its name is left out as well, and the content of the value is
//! skipped.

use std::borrow::Cow;

use super::oauth;
use crate::dialect::field_names::is_text_name;
use crate::dialect::json;
use crate::json::end_of_value;

/// The maximum depth of nested values that pass. No real error is deeper, and some parsers refuse deeper values.
const MAX_DEPTH: usize = 64;

/// Fields whose strings clients compare with known values. Such a string passes if it is short and plain.
const NAMES_OF_SIGNS: [&str; 6] = ["id", "jsonrpc", "schemas", "resourceType", "severity", "scimType"];

/// The names of texts in FHIR. Filters also use the names of texts in every shape (R2).
const TEXTS_OF_FHIR: [&str; 2] = ["diagnostics", "text"];

/// Returns the structure of a valid JSON text, with this message in place of each text. Returns `None` if the JSON has
/// no place for a message.
pub(super) fn structure(json: &str, message: &str, json_rpc: bool) -> Option<Vec<u8>> {
    let (written, counted) = Filter { json_rpc, ..Filter::new(json, Some(message)) }.run();
    (counted > 0 && !written.is_empty()).then_some(written)
}

/// Returns a valid JSON text without the stack traces of its errors, or `None` if it contains no stack traces.
pub(super) fn without_stacks(json: &str) -> Option<Vec<u8>> {
    let (written, counted) = Filter::new(json, None).run();
    (counted > 0).then_some(written)
}

struct Filter<'t, 'm> {
    json: &'t str,
    at: usize,
    written: Vec<u8>,
    open: Vec<Container<'t>>,
    /// The name of the next value: the decoded name, and the name as spelled in the text.
    name: Option<(Cow<'t, str>, &'t str)>,
    /// The message that replaces texts, or `None` on a 4xx.
    message: Option<&'m str>,
    /// On a 5xx, the number of messages that were written. On a 4xx, the number of stack traces that were left out.
    counted: usize,
    /// True if the body is JSON-RPC.
    json_rpc: bool,
}

/// An object or a list whose end has not been read yet.
struct Container<'t> {
    is_list: bool,
    /// The name of the field that contains this object or list. An element of a list has the name of the list.
    name: Cow<'t, str>,
    /// True if the container is inside an error.
    in_error: bool,
    /// The length of the output before this object or list and its name, and the value of `counted` at that point.
    before: (usize, usize),
    has_values: bool,
    /// True if a string in this list must not pass. The whole field is then left out.
    is_spoilt: bool,
}

/// The decision about a value.
enum Verdict {
    Pass,
    /// Write the value, which identifies the error to clients.
    Tell,
    Message,
    Drop,
}

impl<'t, 'm> Filter<'t, 'm> {
    fn new(json: &'t str, message: Option<&'m str>) -> Self {
        let written = Vec::with_capacity(json.len());
        Self { json, at: 0, written, open: Vec::new(), name: None, message, counted: 0, json_rpc: false }
    }

    /// Filters the text, which is valid JSON. The first byte of a token shows the kind of the token.
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
        // A container that is nested too deeply is skipped at once.
        let enters = is_container && self.open.len() < MAX_DEPTH;
        let raw = if enters { "" } else { self.skip() };
        match self.verdict(&name, raw_name.is_some(), first, raw, in_error) {
            // A client could not assign a JSON-RPC response without an id to any call.
            Verdict::Drop if first == b'"' && &*name == "id" && self.json_rpc => {
                self.scalar(raw_name, "null", &Verdict::Pass)
            }
            Verdict::Drop => {
                self.at = if enters { end_of(self.json, start) } else { self.at };
                self.note_dropped(first);
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

    fn verdict(&mut self, name: &str, is_named: bool, first: u8, raw: &str, in_error: bool) -> Verdict {
        let is_stack = in_error && is_named && is_stack(name, first);
        match self.message {
            None => {
                self.counted += usize::from(is_stack);
                if is_stack { Verdict::Drop } else { Verdict::Pass }
            }
            Some(_) if is_stack || is_named && !is_word(name) => Verdict::Drop,
            Some(_) if first == b'"' => verdict_on_string(name, &decoded(raw)),
            // A value that is nested too deeply is left out with its content.
            Some(_) if matches!(first, b'{' | b'[') && !raw.is_empty() => Verdict::Drop,
            Some(_) => Verdict::Pass,
        }
    }

    /// Writes the comma before a value, and the value's name.
    fn begin(&mut self, raw_name: Option<&str>) {
        if self.open.last().is_some_and(|it| it.has_values) {
            self.written.push(b',');
        }
        if let Some(name) = raw_name {
            self.written.extend_from_slice(name.as_bytes());
            self.written.push(b':');
        }
    }

    /// Records that a value of the current object or list is left out.
    fn note_dropped(&mut self, first: u8) {
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

    /// Skips the value that begins here, and returns its text.
    fn skip(&mut self) -> &'t str {
        let start = self.at;
        self.at = end_of(self.json, start);
        &self.json[start..self.at]
    }
}

fn verdict_on_string(name: &str, text: &str) -> Verdict {
    let passes = |most: usize, more: &[u8]| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || more.contains(&byte);
        if (1..=most).contains(&text.len()) && text.bytes().all(is_plain) { Verdict::Pass } else { Verdict::Drop }
    };
    match name {
        "code" | "status" => passes(64, b"_-"),
        "error" if oauth::is_registered(text) => Verdict::Tell,
        _ if NAMES_OF_SIGNS.contains(&name) => passes(128, b"_.:/-"),
        // SDKs recognise their own form by these names.
        "kind" | "apiVersion" | "__type" => passes(128, b"_.:/#-"),
        _ if is_text_name(name) || TEXTS_OF_FHIR.iter().any(|it| it.eq_ignore_ascii_case(name)) => Verdict::Message,
        _ => Verdict::Drop,
    }
}

/// Returns true if a field is a stack trace, as tRPC, Apollo, graphql-php and others write it.
fn is_stack(name: &str, first: u8) -> bool {
    matches!(name, "stack" | "stacktrace" | "stackTrace" | "exception" | "debugMessage")
        || name == "trace" && first == b'['
}

/// Returns true if a name looks like a name that a program uses. In some bodies, the names are data, and contain digits
/// or punctuation.
fn is_word(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-' | b'@' | b'$');
    (1..=32).contains(&name.len()) && name.bytes().all(is_plain)
}

/// Returns the text of a JSON string. Replacement characters stand in for parts that are not Unicode.
fn decoded(raw: &str) -> Cow<'_, str> {
    let inside = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    if inside.contains('\\') { serde_json::from_str(raw).unwrap_or_default() } else { Cow::Borrowed(inside) }
}

/// Returns the position of the end of the value that begins at `start`.
fn end_of(json: &str, start: usize) -> usize {
    end_of_value(&json.as_bytes()[start..]).map_or(json.len(), |length| start + length.max(1))
}
