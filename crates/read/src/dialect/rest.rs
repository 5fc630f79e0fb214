//! Finds the sentences and codes of a 4xx that no rule has read. These sentences and codes stay in the details, under
//! their own names and in their own structure (E9).
//!
//! Lists of names choose the message of an error well, but values under other names would be lost. So the form of a
//! value decides whether it is kept. Names only exclude values: traces, queries, credentials, and values that the
//! client sent.

use std::borrow::Cow;

use http::StatusCode;

use super::codes::{
    is_address_or_id, is_bare_code, is_catalogue_code, is_code, is_code_of_words, is_in_capitals, means_bad_input,
    repeats_status,
};
use super::field_names::{
    CodeName, ISSUE_TEXTS, Meaning, PLACES, Ranks, VALUES, is_any, is_error_field, is_sure_place, is_text_name, meaning,
};
use super::issues::{tells_of_input, written};
use super::json::{Writer, array, quoted, string};
use super::name_words::{ends_like_a_code, is_label, is_message_id, is_never_kept, words};
use super::outgoing::is_upstream_code;
use super::parsed_error::{ParsedError, is_within};
use super::phrases::is_phrase;
use super::sent_values::{values_of, without_sent};
use super::tree::Node;
use crate::message;
#[cfg(feature = "redact")]
use crate::redact::value as redacted;

/// The maximum number of values that are kept.
const MAX_VALUES: usize = 8;

/// The maximum number of values that are checked. Any further values are treated as data.
const MAX_TRIED: usize = 256;

/// The minimum length of an issue's text, in bytes, for a search of this text in longer texts.
const MIN_ISSUE: usize = 4;

/// The maximum number of names that lead to a value, including its own name. Positions in lists are not counted.
const MAX_NAMES: usize = 4;

/// The name in the details for the rest of a body that is a list.
const LIST: &str = "errors";

/// The facts that decide whether a value may be kept, in addition to its name and its form.
pub struct RestContext<'c> {
    pub status: StatusCode,
    /// The target of the request. The client sent all of its parts.
    pub target: Option<&'c str>,
    /// The texts that the response already contains, in small letters.
    pub said: Vec<String>,
    /// The parts of the body that rules have read as a whole.
    pub read: Vec<&'c str>,
    /// The part of the body that contains the message, unless an issue has the place of this part. If the name of the
    /// part is a path, the name states which field the message is about.
    pub message: Option<&'c str>,
    /// The texts that were read, but are not sent unchanged.
    pub withheld: Vec<&'c str>,
    /// The part of the body whose issues the response contains (R13).
    pub issues: Option<&'c str>,
    /// The texts of the issues that the response contains, in small letters.
    pub issue_texts: Vec<String>,
    /// The places of these issues.
    pub paths: Vec<Node<'c, 'c>>,
    /// Returns true for names that are left out at the top of the details, because the details already have them.
    pub taken: &'c dyn Fn(&str) -> bool,
}

/// Returns the rest of a body as JSON, which is the part that no rule has read. The members of the object with the error
/// (`error`) come first.
pub fn kept<'t>(body: Node<'t, '_>, error: Option<&str>, context: &RestContext<'_>) -> Vec<(&'t str, String)> {
    let (members, _, is_full) = kept_with(body, error, context, MAX_VALUES);
    if !is_full {
        return members;
    }
    // Sentences state more than codes, so codes get the room that the sentences leave.
    let (_, sentences, _) = kept_with(body, error, context, 0);
    kept_with(body, error, context, MAX_VALUES - sentences).0
}

/// Returns the rest of a body with at most this number of codes, the number of values in it, and true if there was no
/// room for further values.
fn kept_with<'t>(
    body: Node<'t, '_>,
    error: Option<&str>,
    context: &RestContext<'_>,
    codes: usize,
) -> (Vec<(&'t str, String)>, usize, bool) {
    let mut pruner =
        Pruner { context, error, around: Around::new(body), decoded: None, values: 0, codes, is_full: false, tried: 0 };
    let mut members = Vec::new();
    if let Some(error) = error.and_then(|error| at(body, error)) {
        pruner.error = None;
        pruner.members(error, &mut members);
        pruner.error = Some(error.raw());
    }
    if body.is_array() {
        members.extend(pruner.value(body, LIST, 0, false).map(|list| (LIST, list)));
    } else if error.is_none_or(|error| !std::ptr::eq(error, body.raw())) {
        pruner.members(body, &mut members);
    }
    (members, pruner.values, pruner.is_full)
}

/// Returns the value that has these bytes. The result may be `value` itself or any value inside it.
fn at<'t, 'a>(value: Node<'t, 'a>, raw: &str) -> Option<Node<'t, 'a>> {
    if std::ptr::eq(value.raw(), raw) {
        return Some(value);
    }
    value.children().find(|child| is_within(raw, child.raw())).and_then(|child| at(child, raw))
}

struct Pruner<'c, 'r, 't, 'a> {
    context: &'c RestContext<'c>,
    around: Around<'t, 'a>,
    /// The object with the error, whose members have already been added at the top.
    error: Option<&'r str>,
    /// The request's target, decoded as a form.
    decoded: Option<String>,
    values: usize,
    /// The number of codes for which there is still room.
    codes: usize,
    /// True if a value was passed over because there was no room.
    is_full: bool,
    tried: usize,
}

/// The object around a value.
struct Around<'t, 'a> {
    object: Node<'t, 'a>,
    /// The values in the object that the client sent.
    sent: Vec<Cow<'a, str>>,
}

impl<'t, 'a> Around<'t, 'a> {
    fn new(object: Node<'t, 'a>) -> Self {
        Self { object, sent: values_of(object) }
    }
}

impl<'t, 'a> Pruner<'_, '_, 't, 'a> {
    fn members(&mut self, object: Node<'t, 'a>, members: &mut Vec<(&'t str, String)>) {
        self.around = Around::new(object);
        for field in object.children().take(MAX_TRIED) {
            let name = field.name();
            let is_taken = (self.context.taken)(name) || members.iter().any(|(other, _)| *other == name);
            let is_message = self.context.message.is_some_and(|message| std::ptr::eq(message, field.raw()));
            let json = match is_message && name.contains(['.', '[']) && !is_never_kept(name) {
                _ if is_taken || self.repeats_request(field) => None,
                true => field.text().and_then(|text| String::from_utf8(quoted(&sentence(&text)?)).ok()),
                false => self.field(field, 1, false),
            };
            members.extend(json.map(|json| (name, json)));
        }
    }

    /// Returns true if an object under a name such as `body` has a value at the place of an issue. Such an object repeats
    /// what the client sent.
    fn repeats_request(&self, field: Node<'_, '_>) -> bool {
        let is_value = |value: Node<'_, '_>| !value.is_object() && !value.is_array() && !value.is_null();
        let is_elsewhere = || self.context.issues.is_none_or(|issues| !is_within(issues, field.raw()));
        let at = |path: &Node<'_, '_>| {
            let mut steps = path.children();
            steps.try_fold(field, |value, step| match step.text() {
                Some(name) => value.field(&name),
                None => value.elements()?.nth(step.raw().parse().ok()?),
            })
        };
        let is_named = || {
            let words = words(field.name());
            let is_of_request = |word: &str| {
                matches!(
                    word,
                    "body" | "data" | "payload" | "original" | "form" | "params" | "value" | "values" | "target"
                )
            };
            words.last().is_some_and(|last| is_of_request(last))
        };
        !self.context.paths.is_empty()
            && field.is_object()
            && is_elsewhere()
            && is_named()
            && self.context.paths.iter().any(|path| path.children().next().is_some() && at(path).is_some_and(is_value))
    }

    /// Returns the rest of a field, as JSON. `is_in_issue` is true if the field is inside an issue that was read, in a
    /// part that was not read.
    fn field(&mut self, field: Node<'t, 'a>, names: usize, is_in_issue: bool) -> Option<String> {
        let name = field.name();
        self.tried += 1;
        self.is_full |= self.values == MAX_VALUES;
        let is_sent = is_any(&VALUES, name) && names_place(self.around.object);
        if self.tried > MAX_TRIED || self.is_full || is_sent {
            return None;
        }
        if field.is_object() || field.is_array() {
            return if is_never_kept(name) { None } else { self.value(field, name, names, is_in_issue) };
        }
        // Most values are neither sentences nor codes. The check of the form is faster than the check of the name.
        let text = field.word_or_digits()?;
        let kept = kept_text(field, &text, name, names == 1, self.context.status)?;
        if is_never_kept(name) || self.is_passed_over(field) {
            return None;
        }
        self.leaf(field, name, &text, &kept)
    }

    fn value(&mut self, value: Node<'t, 'a>, name: &str, names: usize, is_in_issue: bool) -> Option<String> {
        if self.is_passed_over(value) {
            return None;
        }
        if value.is_array() {
            // The texts in a list of issues, or in a map from fields to texts, are the texts of the issues.
            let is_of_issues = self.context.issues.is_some_and(|issues| is_within(value.raw(), issues));
            let is_unread = |element: &Node<'_, '_>| !is_of_issues || is_in_issue || !element.is_text();
            let elements =
                value.children().filter(is_unread).filter_map(|element| self.value(element, name, names, is_in_issue));
            let list: Vec<String> = elements.collect();
            return (!list.is_empty()).then(|| format!("[{}]", list.join(",")));
        }
        if value.is_object() {
            let mut object = Writer::new(64);
            let outer = std::mem::replace(&mut self.around, Around::new(value));
            let is_issue = self.context.issues.is_some_and(|issues| is_within(value.raw(), issues));
            let is_entry = is_issue && is_entry(value);
            let is_unread = |field: &Node<'_, '_>| {
                let is_code = || field.text().is_some_and(|value| is_in_capitals(&value));
                !is_issue
                    || is_unread_of_issue(*field, is_entry)
                    || field.name() == "name" && names_place(value) && is_code()
            };
            let fields = value.children().take(MAX_TRIED).filter(|field| names < MAX_NAMES && is_unread(field));
            for field in fields.filter(|field| !is_sent_with_errors(*field, value)) {
                if let Some(json) = self.field(field, names + 1, is_in_issue || is_entry) {
                    object = object.raw(field.name(), json);
                }
            }
            self.around = outer;
            return (!object.is_empty()).then(|| object.into_string());
        }
        let text = value.word_or_digits()?;
        let kept = kept_text(value, &text, name, names == 1, self.context.status)?;
        self.leaf(value, name, &text, &kept)
    }

    /// Returns true if a value was read, is the error itself, or comes after the last value that is checked.
    fn is_passed_over(&mut self, value: Node<'t, 'a>) -> bool {
        let is_read = |part: &&str| is_within(value.raw(), part);
        let is_error = self.error.is_some_and(|error| std::ptr::eq(error, value.raw()));
        self.tried += 1;
        self.is_full |= self.values == MAX_VALUES;
        self.is_full || self.tried > MAX_TRIED || is_error || self.context.read.iter().any(is_read)
    }

    /// Returns a text or a number as the client gets it, as JSON. `kept` is the part of `text` that may reach the
    /// client.
    fn leaf(&mut self, value: Node<'t, 'a>, name: &str, text: &str, kept: &str) -> Option<String> {
        if self.context.withheld.contains(&text) || self.is_said(kept) || self.is_sent(text) {
            return None;
        }
        let quoted = self.quoted(name, kept)?;
        let json = if value.is_text() { quoted } else { value.raw().to_owned() };
        // Only a text that is one word of ASCII can be a code.
        if kept.bytes().all(|byte| byte.is_ascii_graphic()) {
            self.codes = self.codes.checked_sub(1)?;
        }
        self.values += 1;
        Some(json)
    }

    fn quoted(&self, name: &str, kept: &str) -> Option<String> {
        let left = without_sent(&self.around.sent, kept);
        let left = redacted(name, left)?;
        let is_repeated = *left != *kept && self.is_said(&left);
        if is_repeated { None } else { String::from_utf8(quoted(&left)).ok() }
    }

    /// Returns true if the response already contains this text.
    fn is_said(&self, text: &str) -> bool {
        // Most texts are longer than the ones that the response contains.
        let may_have = |said: &String| !text.is_ascii() || text.trim().len() <= said.len();
        if self.context.issue_texts.is_empty() && !self.context.said.iter().any(may_have) {
            return false;
        }
        let text = text.to_lowercase();
        let has_issue = |issue: &String| issue.len() >= MIN_ISSUE && text.contains(&**issue);
        self.context.said.iter().any(|said| said.contains(text.trim()))
            || self.context.issue_texts.iter().any(|issue| issue.contains(text.trim()) || has_issue(issue))
    }

    /// Returns true if the client sent this text in the target of its request.
    fn is_sent(&mut self, text: &str) -> bool {
        let Some(target) = self.context.target else { return false };
        let decoded = self.decoded.get_or_insert_with(|| decoded(target));
        target.contains(text) || decoded.contains(text)
    }
}

/// Returns true if an object names a place, so that its value is what the client sent there.
fn names_place(object: Node<'_, '_>) -> bool {
    // A path that begins with a slash may be the request's own.
    let is_place = |field: Node<'_, '_>| match field.name() {
        "path" => !field.raw().starts_with("\"/"),
        "location" | "source" => false,
        name => is_sure_place(name),
    };
    object.children().any(|field| is_place(field) && !field.is_null())
}

/// Returns true if an object or a list is a part of what the client sent. Such a part is next to a list of errors, in an
/// element of a list (Xero).
fn is_sent_with_errors(field: Node<'_, '_>, element: Node<'_, '_>) -> bool {
    let is_list_of_errors = |list: Node<'_, '_>| list.is_array() && meaning(list, element) == Meaning::Errors;
    (field.is_object() || field.is_array())
        && element.name().is_empty()
        && !is_error_field(field, element)
        && !field.name().to_ascii_lowercase().contains("warning")
        && element.children().any(is_list_of_errors)
}

/// Returns the text, because a build without the feature `redact` removes no credentials (R17).
#[cfg(not(feature = "redact"))]
#[allow(clippy::unnecessary_wraps, reason = "it stands in for the function with the feature")]
fn redacted(_: &str, text: String) -> Option<String> {
    Some(text)
}

/// Returns true if an object is an issue, and not a map from fields to texts.
fn is_entry(object: Node<'_, '_>) -> bool {
    let is_of_issue = |name| is_text_name(name) || is_any(&ISSUE_TEXTS, name) || is_any(&PLACES, name);
    object.children().any(|field| is_of_issue(field.name()))
}

/// Returns true if a field of an issue was not read with the issue. The place and values that the client sent are read.
/// The text and the code of an issue are already in the response. A map from fields to texts has no such field.
fn is_unread_of_issue(field: Node<'_, '_>, is_in_entry: bool) -> bool {
    let name = field.name();
    // In express-validator, this value is the kind of the entry.
    let is_kind = || name == "type" && field.raw() == "\"field\"";
    let is_read = || is_any(&PLACES, name) || is_any(&VALUES, name) || is_kind();
    field.is_object() || if is_in_entry { !is_read() } else { field.is_array() }
}

/// Returns a text or a code as the client gets it, or `None` if a value is neither a sentence nor a code.
fn kept_text<'a>(
    value: Node<'_, '_>,
    text: &'a str,
    name: &str,
    is_top: bool,
    status: StatusCode,
) -> Option<Cow<'a, str>> {
    let sentence = if value.is_text() { sentence(text) } else { None };
    sentence.or_else(|| code(name, text, is_top, status))
}

/// Returns the target of a request with its percent-encoding decoded, and with a space for each plus sign.
fn decoded(target: &str) -> String {
    let plain = target.replace('+', " ");
    percent_encoding::percent_decode_str(&plain).decode_utf8_lossy().into_owned()
}

/// Chooses another message if no field has the name of a message, or if the text states no more than the status or a
/// single word. The new message is a sentence from any place of the body (R2). A single word under `message` stays.
pub(super) fn prefer_sentence<'a>(
    parsed: &mut ParsedError<'a>,
    body: Node<'_, 'a>,
    name: &str,
    (target, status): (Option<&str>, StatusCode),
) {
    if !says_nothing(parsed.message.as_deref(), name) {
        return;
    }
    if parsed.issues.is_some() {
        // If the response has no list, the first issue states more than this text.
        let first = || written::first_message(parsed.issues.as_deref()?);
        if !tells_of_input(status) && first().is_some_and(|text| sentence(&text).is_some()) {
            parsed.message = None;
        }
        return;
    }
    let Some(found) = first_sentence(body, target) else { return };
    if let Some(word) = parsed.message.take()
        && parsed.code.is_none()
        && is_code(&word, status)
    {
        parsed.code = Some(word);
    }
    (parsed.message, parsed.message_source) = (found.text(), Some(found.raw()));
}

/// Returns the first text of a JSON list of texts that is itself a text, and the number of the other texts (R3).
pub(super) fn text_of_list(text: &str) -> Option<(String, usize)> {
    let list = array(text.trim())?;
    let texts: Vec<_> = list.into_iter().map(string).collect::<Option<_>>()?;
    let (first, others) = texts.split_first()?;
    Some((first.clone().into_owned(), others.len()))
}

/// Returns true if there is no text, or if the text under this name states no more than the status or a single word.
pub(super) fn says_nothing(text: Option<&str>, name: &str) -> bool {
    let is_word = |text: &str| !text.trim().contains(char::is_whitespace) && sentence(text).is_none();
    text.is_none_or(|text| is_phrase(text.trim()) || name != "message" && is_word(text))
}

/// Returns the first sentence of a body, which is the message if no field has the name of a message (R2). The least
/// deep sentence comes first, then a sentence inside an error, then the order of the body.
pub(crate) fn first_sentence<'t, 'a>(body: Node<'t, 'a>, target: Option<&str>) -> Option<Node<'t, 'a>> {
    let decoded = target.map(decoded);
    let is_sent = |text: &str| {
        target.is_some_and(|target| target.contains(text)) || decoded.as_deref().is_some_and(|it| it.contains(text))
    };
    let mut found = Vec::new();
    let mut tried = 0;
    collect((body, 0, false), &mut tried, &mut found);
    found.sort_by_key(|(depth, is_in_error, _)| (*depth, !is_in_error));
    found.into_iter().map(|(.., text)| text).find(|text| text.text().is_some_and(|text| !is_sent(&text)))
}

fn collect<'t, 'a>(
    (value, names, is_in_error): (Node<'t, 'a>, usize, bool),
    tried: &mut usize,
    found: &mut Vec<(usize, bool, Node<'t, 'a>)>,
) {
    for child in value.children().take(MAX_TRIED) {
        *tried += 1;
        if *tried > MAX_TRIED {
            return;
        }
        if value.is_object() && (names == MAX_NAMES || is_never_kept(child.name())) {
            continue;
        }
        let names = names + usize::from(value.is_object());
        if child.is_text() {
            if child
                .text()
                .is_some_and(|text| sentence(&text).is_some() && redacted(child.name(), text.into_owned()).is_some())
            {
                found.push((names, is_in_error, child));
            }
        } else {
            let is_error = is_error_field(child, value) || child.name() == "messages";
            collect((child, names, is_in_error || is_error), tried, found);
        }
    }
}

/// Returns the text in the form that a client gets, if it is a sentence. R3 must let the text pass. The text must have
/// two words, or four letters of a script that is written without spaces.
pub(crate) fn sentence(text: &str) -> Option<Cow<'_, str>> {
    let text = message::from_json_text(text)?;
    let words = text.split_whitespace().filter(|part| is_word(part)).take(2).count();
    let is_sentence = words == 2 || text.chars().filter(|letter| is_of_script_without_spaces(*letter)).count() >= 4;
    (is_sentence && !is_phrase(text.trim()) && !has_credentials(&text)).then_some(text)
}

/// Returns true if a part of a text contains only letters, except for punctuation at its ends.
fn is_word(part: &str) -> bool {
    if part.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return true;
    }
    let is_mark = |it: char| matches!(it, '\u{300}'..='\u{36f}' | '\u{900}'..='\u{109f}');
    let part = part.trim_matches(|it: char| !it.is_alphanumeric() && !is_mark(it));
    !part.is_empty() && part.chars().all(|it| it.is_alphabetic() || is_mark(it))
}

/// Returns true if a letter belongs to Han, kana, Thai, Lao, Khmer or Burmese.
fn is_of_script_without_spaces(letter: char) -> bool {
    letter.is_alphabetic()
        && matches!(letter,
            '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3005}'..='\u{30ff}'
            | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
            | '\u{ff66}'..='\u{ff9d}' | '\u{20000}'..='\u{323af}')
}

/// Returns true if a text is the name of an authentication scheme, followed by credentials. If a word in small letters
/// follows the name, the text is a sentence instead: `Bearer tokens are required.`
fn has_credentials(text: &str) -> bool {
    let mut parts = text.split_whitespace();
    let is_scheme =
        |part: &str| ["basic", "bearer", "digest", "negotiate"].iter().any(|it| it.eq_ignore_ascii_case(part));
    let is_small = |part: &str| part.bytes().all(|it| it.is_ascii_lowercase());
    parts.next().is_some_and(is_scheme) && (!parts.next().is_some_and(is_small) || parts.next().is_none())
}

/// Returns the code in the form that a client gets. The field's name must be a name of codes (R2), and the value must
/// state more than the status. A value that does not have the form of a code is returned as a text.
fn code<'a>(name: &str, value: &'a str, is_top: bool, status: StatusCode) -> Option<Cow<'a, str>> {
    let ranks = Ranks::new(name);
    let is_sure = ranks.code(CodeName::Sure).is_some() || ends_like_a_code(name);
    let is_led = ranks.code(CodeName::Led).is_some();
    let is_bare = ranks.code(CodeName::Bare).is_some() && is_bare_code(name, value, is_top);
    // Of a list of codes, only the first one counts (R2).
    let is_number = || value.bytes().all(|byte| byte.is_ascii_digit());
    let is_led = is_led && (is_number() || is_bare_code(name, value, false)) && !name.ends_with("codes");
    let is_word = (is_top && name == "error" || name == "message") && is_bare_code(name, value, false);
    let is_of_catalogue = is_message_id(name) && is_catalogue_code(value)
        || is_code_of_words(value) && is_label(name, is_in_capitals(value));
    if !(is_sure || is_led || is_bare || is_word || is_of_catalogue) || means_bad_input(value) {
        return None;
    }
    if is_code(value, status) {
        return Some(Cow::Borrowed(value));
    }
    let is_odd = is_sure && !is_upstream_code(value) && !repeats_status(value, status) && !is_address_or_id(value);
    if is_odd { message::from_json_text(value) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e9_sentences() {
        for (text, is) in [
            ("note no. 1", true),
            ("berth 7-b (taken)", true),
            ("2026 GMT", false),
            ("3 tons", false),
            ("Not Found", false),
            ("请稍后再", true),
            ("请稍候", false),
            ("पास समाप्त हो गया", true),
            ("Bearer abc", false),
            ("Bearer aGk9 of the crew", false),
            ("Bearer tokens are required.", true),
            ("{\"a\":\"b c\"}", false),
        ] {
            assert_eq!(sentence(text).is_some(), is, "{text}");
        }
    }
}
