//! Removes credentials from JSON in one pass. All other bytes stay. An incomplete text is processed up to its end.

use std::borrow::Cow;
use std::ops::Range;

use super::level::{Level, Meaning, is_code, is_place};
use super::rules::TAKEN;
use super::tokens::{Stop, Tokens};
use super::view::View;
use super::{Strictness, card, name, text, words};
use crate::field_names::is_text_or_code;

/// Fields that contain a name, and have the value of this name next to them. Fields for places are treated in the same
/// way.
const NAMES_OF_PAIRS: [&str; 4] = ["k", "header", "headerName", "label"];

/// A JSON text without credentials.
#[derive(Debug)]
pub struct RedactedJson {
    /// The text, up to its last complete token.
    pub text: String,
    /// The values that were removed.
    pub taken: Vec<String>,
    /// True if anything was removed.
    pub is_changed: bool,
    /// True if the text is incomplete.
    pub is_cut: bool,
}

/// Removes credentials from an object or an array. Returns `None` if the text is neither an object nor an array, or
/// becomes invalid before its end. If `whole` is false, the text may be incomplete.
///
/// ```
/// use error_envelope_core::redact::{Strictness, json};
///
/// let left = json(r#"{"n":1.0,"token":"tok_4711"}"#, true, Strictness::Strict).unwrap();
/// assert_eq!(left.text, r#"{"n":1.0,"token":"[redacted]"}"#);
/// assert_eq!(left.taken, ["tok_4711"]);
/// ```
#[must_use]
pub fn json(text: &str, whole: bool, strictness: Strictness) -> Option<RedactedJson> {
    let text = text.trim();
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let mut reader = Reader {
        tokens: Tokens::new(text),
        strictness,
        is_rpc: strictness == Strictness::Readable && text.contains("\"jsonrpc\""),
        levels: Vec::new(),
        texts: Vec::new(),
        edits: Vec::new(),
        taken: Vec::new(),
    };
    let is_cut = match reader.read() {
        Ok(()) if reader.tokens.is_at_end() => false,
        Err(Stop::BrokeOff) if !whole => {
            reader.redact_open_issues();
            true
        }
        _ => return None,
    };
    let end = if is_cut { reader.tokens.at() } else { text.len() };
    let is_changed = !reader.edits.is_empty();
    Some(RedactedJson { text: apply_edits(&text[..end], reader.edits), taken: reader.taken, is_changed, is_cut })
}

type Edit = (Range<usize>, String);

/// Applies the edits. If one edit is inside another, only the outer one is applied. If two edits are for the same
/// value, only the later one is applied.
fn apply_edits(text: &str, mut edits: Vec<Edit>) -> String {
    edits.reverse();
    edits.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
    let mut edited = String::with_capacity(text.len());
    let mut at = 0;
    for (range, with) in edits {
        if range.start >= at && range.end <= text.len() {
            edited.push_str(&text[at..range.start]);
            edited.push_str(&with);
            at = range.end;
        }
    }
    edited.push_str(&text[at..]);
    edited
}

struct Reader<'a> {
    tokens: Tokens<'a>,
    strictness: Strictness,
    is_rpc: bool,
    levels: Vec<Level<'a>>,
    /// Texts of issues whose place has not been read yet.
    texts: Vec<(Range<usize>, Cow<'a, str>)>,
    edits: Vec<Edit>,
    taken: Vec<String>,
}

enum Step {
    /// A value follows.
    Value,
    /// The value has ended.
    Up,
}

impl<'a> Reader<'a> {
    /// Reads a value and everything in it. The function does not recurse, because the sender of the text controls how
    /// deeply values are nested.
    fn read(&mut self) -> Result<(), Stop> {
        loop {
            let mut step = self.one_value()?;
            while let Step::Up = step {
                if self.levels.is_empty() {
                    return Ok(());
                }
                step = self.step_after_value()?;
            }
        }
    }

    /// Reads a text, a literal, a value that is removed as a whole, or the beginning of an object or array.
    fn one_value(&mut self) -> Result<Step, Stop> {
        let is_taken = self.is_credential();
        let first = self.tokens.next()?;
        let start = self.tokens.at();
        match first {
            '{' | '[' if is_taken && self.strictness == Strictness::Strict => {
                let inside = self.tokens.brackets()?;
                self.note_texts(inside);
                self.take(start);
                Ok(self.after_value(start))
            }
            bracket @ ('{' | '[') => self.enter(bracket, start, is_taken),
            '"' => {
                let text = self.tokens.string()?;
                if self.is_call_id() {
                    return Ok(self.after_value(start));
                }
                self.put_text(start, &text, is_taken);
                if !is_taken && self.is_of_issue() {
                    self.texts.push((start..self.tokens.at(), text.clone()));
                }
                self.note_credential_name(text);
                Ok(self.after_value(start))
            }
            _ => {
                self.put_literal(start, is_taken)?;
                Ok(self.after_value(start))
            }
        }
    }

    /// Returns true if the next value must be removed, because it belongs to the name of a credential.
    fn is_credential(&self) -> bool {
        let Some(level) = self.levels.last() else { return false };
        let is_strict = self.strictness == Strictness::Strict;
        if level.is_object {
            name::is_telling(&level.name)
                || is_strict && name::is_sent(&level.name)
                || level.is_in_credential && !is_text_or_code(&level.name) && !is_place(&level.name)
        } else {
            level.is_in_credential || is_strict && level.previous_name.is_some()
        }
    }

    /// Returns true if the next value is the `id` of a JSON-RPC response. The client needs this id to find its request.
    fn is_call_id(&self) -> bool {
        let is_outermost = match &*self.levels {
            [response] => response.is_object,
            [batch, response] => !batch.is_object && response.is_object,
            _ => false,
        };
        self.is_rpc && is_outermost && self.levels.last().is_some_and(|level| level.name == "id")
    }

    fn put_text(&mut self, start: usize, text: &str, is_taken: bool) {
        let level = self.levels.last();
        let is_code = level.is_some_and(|level| level.is_object && is_code(&level.name, text));
        let previous_name = level.and_then(|level| level.previous_name.as_deref());
        let follows_name = previous_name.is_some_and(|name| is_value_of(name, text));
        let has_messages = level.is_some_and(|level| level.has_messages);
        let about = match self.strictness {
            Strictness::Readable if is_taken => words::words_about(text, has_messages),
            _ if is_taken || follows_name => None,
            _ => Some(Cow::Borrowed(text)),
        };
        let Some(about) = about.filter(|_| !is_taken || self.strictness == Strictness::Readable) else {
            self.taken.push(text.to_owned());
            return self.take(start);
        };
        if is_code && self.strictness == Strictness::Readable {
            return;
        }
        let redacted = self.redact_text(&about);
        if *redacted != *text {
            self.edits.push((start..self.tokens.at(), quoted(&redacted)));
        }
    }

    /// Redacts a text, which may itself contain JSON.
    fn redact_text<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        match json(text, true, self.strictness) {
            Some(inner) => {
                self.taken.extend_from_slice(&inner.taken);
                if inner.is_changed { Cow::Owned(inner.text) } else { Cow::Borrowed(text) }
            }
            None => text::text_noting(text, self.strictness, &mut |taken| self.taken.push(taken.to_owned())),
        }
    }

    fn put_literal(&mut self, start: usize, is_taken: bool) -> Result<(), Stop> {
        let (text, is_number) = self.tokens.literal()?;
        let is_measure = || self.levels.last().is_some_and(|level| level.meaning.is_measure);
        if is_number && (is_taken && !is_measure() || self.is_card(text)) {
            self.taken.push(text.to_owned());
            self.take(start);
        }
        Ok(())
    }

    /// Returns true if a number may be the number of a card. In a text for a client, the number stays, because a time
    /// or an id may look like the number of a card.
    fn is_card(&self, number: &str) -> bool {
        let is_strict = self.strictness == Strictness::Strict;
        is_strict && number.bytes().all(|it| it.is_ascii_digit()) && card::is_in(number)
    }

    fn enter(&mut self, bracket: char, start: usize, is_taken: bool) -> Result<Step, Stop> {
        let is_object = bracket == '{';
        let around = self.levels.last();
        let meaning = around.map(|level| level.meaning).unwrap_or_default();
        let has_messages = !is_object
            || meaning.is_error
            || around.is_some_and(|level| level.is_object && level.has_messages && is_taken);
        let has_texts = around.is_some_and(|level| level.is_object && level.name == "constraints");
        self.tokens.push(bracket)?;
        self.levels.push(Level {
            start,
            is_object,
            is_in_credential: is_taken,
            has_messages,
            meaning,
            has_texts,
            first_text: self.texts.len(),
            ..Level::default()
        });
        match self.tokens.next()? {
            '}' | ']' => self.close(),
            _ => self.next_member(),
        }
    }

    fn step_after_value(&mut self) -> Result<Step, Stop> {
        match self.tokens.next()? {
            '}' | ']' => self.close(),
            _ => {
                self.tokens.push(',')?;
                self.next_member()
            }
        }
    }

    fn next_member(&mut self) -> Result<Step, Stop> {
        if self.levels.last().is_some_and(|level| level.is_object) {
            self.tokens.next()?;
            let start = self.tokens.at();
            let name = self.tokens.string()?;
            let redacted = self.redact_text(&name);
            if *redacted != *name {
                self.edits.push((start..self.tokens.at(), quoted(&redacted)));
            }
            self.tokens.next()?;
            self.tokens.push(':')?;
            let level = self.levels.last_mut().ok_or(Stop::Malformed)?;
            level.name = View::folded(&name).map(|view| Cow::Owned(view.text)).unwrap_or(name);
            level.meaning = Meaning::new(&level.name);
        }
        Ok(Step::Value)
    }

    fn close(&mut self) -> Result<Step, Stop> {
        let mut level = self.levels.pop().ok_or(Stop::Malformed)?;
        self.tokens.push(if level.is_object { '}' } else { ']' })?;
        if level.names_credential {
            let values = std::mem::take(&mut level.sent);
            self.edits.extend(values.into_iter().map(|range| (range, quoted(TAKEN))));
        }
        if level.has_credential_place {
            self.redact_issue(level.first_text);
        } else if level.has_place {
            self.texts.truncate(level.first_text);
        }
        // An array that is the path of an issue may end with the name of a credential: `{"loc": ["body", "password"],
        // "input": …}`.
        let ends_with_name = if level.is_object {
            level.names_credential
        } else {
            level.previous_name.is_some() || level.ends_with_credential
        };
        if let Some(around) = self.levels.last_mut() {
            if around.is_object && is_place(&around.name) {
                around.note_place(ends_with_name, !level.is_object);
                around.names_credential |= ends_with_name;
                self.texts.truncate(level.first_text);
            }
            around.previous_name = None;
            around.ends_with_credential = level.is_object && ends_with_name;
        }
        Ok(self.after_value(level.start))
    }

    /// Returns true if the next text belongs to an issue, whose path may name a credential.
    fn is_of_issue(&self) -> bool {
        self.levels.last().is_some_and(|level| level.meaning.is_text || level.has_texts)
    }

    /// Redacts the texts of an issue whose place is a credential. The texts are messages about this credential.
    fn redact_issue(&mut self, first_text: usize) {
        for (range, text) in self.texts.split_off(first_text) {
            let about = words::words_about_in_message(&text);
            let redacted = self.redact_text(&about);
            if *redacted != *text {
                self.edits.push((range, quoted(&redacted)));
            }
        }
    }

    /// Redacts the texts of issues that are incomplete because the JSON text breaks off.
    fn redact_open_issues(&mut self) {
        while let Some(level) = self.levels.pop() {
            if level.has_credential_place {
                self.redact_issue(level.first_text);
            }
        }
    }

    /// Records a text that names a credential, because the value of the credential may follow the text or be next to
    /// it.
    fn note_credential_name(&mut self, text: Cow<'a, str>) {
        let Some(level) = self.levels.last_mut() else { return };
        let is_name = name::is_credential_name(&text);
        if level.is_object {
            let is_place = is_place(&level.name);
            if is_place {
                level.note_place(is_name, false);
            }
            level.names_credential |= is_name && (is_place || NAMES_OF_PAIRS.contains(&&*level.name));
        } else {
            let is_value = self.strictness == Strictness::Strict && level.previous_name.is_some();
            let announces_value = !is_value && (is_name || name::is_flag(&text));
            level.previous_name = if announces_value { Some(text) } else { None };
            level.ends_with_credential = false;
        }
    }

    fn after_value(&mut self, start: usize) -> Step {
        let end = self.tokens.at();
        if let Some(level) = self.levels.last_mut()
            && level.is_object
            && (name::is_sent(&level.name) || level.name == "v")
        {
            level.sent.push(start..end);
        }
        Step::Up
    }

    fn take(&mut self, start: usize) {
        self.edits.push((start..self.tokens.at(), quoted(TAKEN)));
    }

    /// Records the texts in a value that is removed as a whole.
    fn note_texts(&mut self, value: &str) {
        let mut tokens = Tokens::new(value);
        while let Ok(first) = tokens.next() {
            match (first, tokens.string()) {
                ('"', Ok(text)) if !tokens.next().is_ok_and(|next| next == ':') => self.taken.push(text.into_owned()),
                ('"', Ok(_)) => {}
                ('"', Err(_)) => return,
                _ => drop(tokens.push(first)),
            }
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Returns true if a text in a list is the value of the credential that the previous text names. In a list of names,
/// the text is another name instead.
fn is_value_of(name: &str, text: &str) -> bool {
    if name::is_flag(name) {
        return text.contains(':');
    }
    let is_numbered = text.ends_with(|it: char| it.is_ascii_digit());
    if name::is_header(name) {
        !name::is_credential_name(text) || is_numbered
    } else {
        !name::is_credential_name(text) && !words::is_plain(text)
    }
}

#[cfg(test)]
mod tests;
