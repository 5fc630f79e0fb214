//! Filters a protocol's JSON (R10). On a 5xx, only its structure passes. On a 4xx, everything except stack traces
//! passes.
//!
//! If a value must not pass, its name is left out as well.

use http::StatusCode;

use super::oauth;
use crate::details;
use crate::dialect::field_names::is_text_name;
use crate::dialect::json::push_string;
use crate::dialect::tree::{MAX_DEPTH, Node, Tree};
use crate::message;

/// Fields whose strings clients compare with known values. Such a string passes if it is short and plain.
const NAMES_OF_SIGNS: [&str; 6] = ["id", "jsonrpc", "schemas", "resourceType", "severity", "scimType"];

/// The names of texts in FHIR. Filters also use the names of texts in every shape (R2).
const TEXTS_OF_FHIR: [&str; 2] = ["diagnostics", "text"];

/// What a protocol's JSON contains besides its error.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    /// True if `id` is the id of a call, which the client chose (JSON-RPC).
    pub(super) id_of_call: bool,
    /// True if `data` at the top is no part of the error (GraphQL).
    pub(super) data: bool,
}

/// Returns a protocol's valid JSON text as the client gets it, with this message in place of each text that must not pass.
/// Returns `None` if a 4xx contains no stack trace, or if a 5xx has no place for a message.
pub(super) fn filtered(json: &str, parts: Parts, status: StatusCode, message: &str) -> Option<Vec<u8>> {
    let written = Vec::with_capacity(json.len());
    Filter { parts, is_5xx: status.is_server_error(), message, written, counted: 0 }.run(json)
}

struct Filter<'m> {
    parts: Parts,
    is_5xx: bool,
    /// The message that replaces texts.
    message: &'m str,
    written: Vec<u8>,
    /// On a 5xx, the number of messages that were written. On a 4xx, the number of stack traces that were left out.
    counted: usize,
}

/// The position of a value.
#[derive(Clone, Copy)]
struct Place<'n> {
    /// The name of the field that contains the value. An element of a list has the name of the list.
    name: &'n str,
    /// True if the value is the body or an element of a list, and so has no name of its own.
    is_element: bool,
    /// True if the value is inside an error.
    in_error: bool,
    depth: usize,
}

/// The decision about a value.
enum Verdict {
    Pass,
    /// Write the value, which identifies the error to clients.
    Tell,
    Message,
    /// Write this part of the text, which a stack trace follows.
    Cut(String),
    Drop,
}

impl Filter<'_> {
    fn run(mut self, json: &str) -> Option<Vec<u8>> {
        let is_kept =
            self.value(Tree::parse(json).root()?, Place { name: "", is_element: true, in_error: false, depth: 0 });
        (is_kept && self.counted > 0).then_some(self.written)
    }

    /// Writes a value. Returns `false` if the value is left out.
    fn value(&mut self, value: Node<'_, '_>, place: Place<'_>) -> bool {
        let is_container = value.is_object() || value.is_array();
        let verdict = match self.is_5xx {
            true => on_5xx(value, place),
            // The client chose this id, and compares it.
            false if self.is_id_of_call(place) => Verdict::Pass,
            false => on_4xx(value, place),
        };
        self.counted += usize::from(match verdict {
            Verdict::Pass => false,
            Verdict::Drop => !self.is_5xx,
            Verdict::Tell | Verdict::Message | Verdict::Cut(_) => true,
        });
        match verdict {
            // A client could not assign a JSON-RPC response without an id to any call.
            Verdict::Drop if value.is_text() && self.is_id_of_call(place) => {
                self.written.extend_from_slice(b"null");
            }
            Verdict::Drop => return false,
            Verdict::Message => push_string(&mut self.written, self.message),
            Verdict::Cut(text) => push_string(&mut self.written, &text),
            _ if is_container && place.depth < MAX_DEPTH && !self.is_data(place) => {
                return self.container(value, place);
            }
            _ => self.written.extend_from_slice(value.raw().as_bytes()),
        }
        true
    }

    /// Returns true for the `id` of a call or of an element of a batch.
    fn is_id_of_call(&self, place: Place<'_>) -> bool {
        self.parts.id_of_call && place.name == "id" && place.depth <= 2 && !place.in_error
    }

    /// Returns true for the member `data` of a GraphQL response on a 4xx. It is no part of the error.
    fn is_data(&self, place: Place<'_>) -> bool {
        !self.is_5xx && self.parts.data && place.depth == 1 && place.name == "data" && !place.is_element
    }

    /// Writes the values in an object or a list. Returns `false` if a string in the list must not pass. The whole field
    /// is then left out.
    fn container(&mut self, container: Node<'_, '_>, place: Place<'_>) -> bool {
        let (is_list, counted) = (container.is_array(), self.counted);
        let in_error = place.in_error || matches!(place.name, "error" | "errors");
        self.written.push(if is_list { b'[' } else { b'{' });
        let start = self.written.len();
        for value in container.children() {
            let before = self.written.len();
            if before > start {
                self.written.push(b',');
            }
            let name = if is_list { place.name } else { value.name() };
            if !is_list {
                push_string(&mut self.written, name);
                self.written.push(b':');
            }
            if !self.value(value, Place { name, is_element: is_list, in_error, depth: place.depth + 1 }) {
                self.written.truncate(before);
                if is_list && value.is_text() {
                    if self.is_5xx {
                        self.counted = counted;
                    }
                    return false;
                }
            }
        }
        self.written.push(if is_list { b']' } else { b'}' });
        true
    }
}

fn on_4xx(value: Node<'_, '_>, place: Place<'_>) -> Verdict {
    if is_stack(value, place) {
        return Verdict::Drop;
    }
    let Some(text) = value.text() else { return Verdict::Pass };
    match message::before_trace(&text) {
        None => Verdict::Pass,
        // Clients require the text of an error.
        Some("") if is_text(place.name) => Verdict::Message,
        Some("") => Verdict::Drop,
        Some(before) => Verdict::Cut(before.to_owned()),
    }
}

fn on_5xx(value: Node<'_, '_>, place: Place<'_>) -> Verdict {
    let Place { name, is_element, depth, .. } = place;
    let is_container = value.is_object() || value.is_array();
    match value {
        _ if is_stack(value, place) || !is_element && !is_word(name) => Verdict::Drop,
        _ if value.is_text() => verdict_on_string(name, &value.text().unwrap_or_default()),
        // A value that is nested too deeply is left out with its content.
        _ if is_container && depth == MAX_DEPTH => Verdict::Drop,
        _ => Verdict::Pass,
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
        _ if is_text(name) => Verdict::Message,
        _ => Verdict::Drop,
    }
}

fn is_text(name: &str) -> bool {
    is_text_name(name) || TEXTS_OF_FHIR.iter().any(|it| it.eq_ignore_ascii_case(name))
}

/// Returns true if a field is a stack trace, as tRPC, Apollo, graphql-php and others write it.
fn is_stack(value: Node<'_, '_>, place: Place<'_>) -> bool {
    const OF_ERRORS: [&str; 7] =
        ["stack", "stacktrace", "traceback", "backtrace", "callstack", "exception", "debugmessage"];

    let Place { name, is_element, in_error, .. } = place;
    let is_named = || {
        let name = name.replace(['_', '-'], "").to_ascii_lowercase();
        OF_ERRORS.contains(&&*name) && (in_error || value.text().is_some_and(|text| message::has_trace(&text)))
    };
    !is_element && (details::is_trace(name, value.raw()) || is_named())
}

/// Returns true if a name looks like a name that a program uses. In some bodies, the names are data, and contain digits
/// or punctuation.
fn is_word(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-' | b'@' | b'$');
    (1..=32).contains(&name.len()) && name.bytes().all(is_plain)
}
