//! JSON without credentials, in one pass: what is no credential stays byte for byte, and a text that breaks off is read as
//! far as it goes.

use std::borrow::Cow;
use std::ops::Range;

use super::rules::TAKEN;
use super::tokens::{Literal, Stop, Tokens};
use super::{Strictness, card, name, text, words};
use crate::field_names::{CODES, PLACES, PLACES_OF_DATA, is_text_or_code};

/// Fields that name a value in another field of the same object (`{"header": "Cookie", "value": …}`), in addition to the
/// names of places.
const NAMES_OF_PAIRS: [&str; 4] = ["k", "header", "headerName", "label"];

/// A JSON text without credentials.
#[derive(Debug)]
pub struct RedactedJson {
    text: String,
    taken: Vec<String>,
    is_changed: bool,
    is_cut: bool,
}

impl RedactedJson {
    /// The text, as far as its last whole token.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The values that were taken out of it.
    #[must_use]
    pub fn taken(&self) -> &[String] {
        &self.taken
    }

    /// Whether anything was taken out.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// Whether it breaks off before its end.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// Redacts an object or an array; `None` if the text is neither, or stops being one before its end. Unless it is `whole`, it
/// may break off.
///
/// ```
/// use error_envelope_core::redact::{Strictness, json};
///
/// let left = json(r#"{"n":1.0,"token":"tok_4711"}"#, true, Strictness::Strict).unwrap();
/// assert_eq!(left.text(), r#"{"n":1.0,"token":"[redacted]"}"#);
/// assert_eq!(left.taken(), ["tok_4711"]);
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
    Some(RedactedJson { text: edited(&text[..end], reader.edits), taken: reader.taken, is_changed, is_cut })
}

type Edit = (Range<usize>, String);

/// Of edits within each other the outer one counts, of two of the same value the later one.
fn edited(text: &str, mut edits: Vec<Edit>) -> String {
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
    levels: Vec<Level<'a>>,
    /// Texts of issues whose place may still follow.
    texts: Vec<(Range<usize>, Cow<'a, str>)>,
    edits: Vec<Edit>,
    taken: Vec<String>,
}

/// The object or list that a `{` or `[` began.
struct Level<'a> {
    start: usize,
    is_object: bool,
    /// Whether it is a credential's value, or within one.
    in_credential: bool,
    /// Whether its texts may be messages.
    has_messages: bool,
    /// The name of the next value of an object.
    name: Cow<'a, str>,
    /// Of the same name, or that of the list.
    meaning: Meaning,
    /// The text before in a list, if it is the name of a credential.
    before: Option<Cow<'a, str>>,
    /// A field names a credential: what was sent is its value.
    names_credential: bool,
    sent: Vec<Range<usize>>,
    /// Its texts are those of an issue, whatever their names: class-validator's constraints.
    has_texts: bool,
    /// The last step of a path names a credential.
    ends_with_step: bool,
    /// A field names the place of an issue.
    has_place: bool,
    /// The place is a credential's.
    has_telling_place: bool,
    /// How many texts of issues stood before.
    first_text: usize,
}

/// What a name means for its values. A list has it from its own: a name may be long, and its list as well.
#[derive(Clone, Copy, Default)]
struct Meaning {
    /// Numbers are no credentials.
    is_measure: bool,
    /// Texts below are messages.
    is_error: bool,
    /// Texts are those of an issue.
    is_text: bool,
}

impl Meaning {
    fn new(name: &str) -> Self {
        let is_error = is_error(name);
        let is_text = !CODES.contains(&name) && (is_error || is_text_or_code(name) || is_message(name));
        Self { is_measure: name::is_measure(name), is_error, is_text }
    }
}

enum Step {
    /// A value is next.
    Value,
    /// A value has ended.
    Up,
}

impl<'a> Reader<'a> {
    /// A value with its contents, without recursion: the sender controls the depth.
    fn read(&mut self) -> Result<(), Stop> {
        loop {
            let mut step = self.one_value()?;
            while let Step::Up = step {
                if self.levels.is_empty() {
                    return Ok(());
                }
                step = self.behind_value()?;
            }
        }
    }

    /// A text, a literal, a value to redact as a whole, or the beginning of nested values.
    fn one_value(&mut self) -> Result<Step, Stop> {
        let is_taken = self.is_taken();
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
                self.put_text(start, &text, is_taken);
                if !is_taken && self.is_of_issue() {
                    self.texts.push((start..self.tokens.at(), text.clone()));
                }
                self.note_name(text);
                Ok(self.after_value(start))
            }
            _ => {
                self.put_literal(start, is_taken)?;
                Ok(self.after_value(start))
            }
        }
    }

    /// Whether the next value is a credential's.
    fn is_taken(&self) -> bool {
        let Some(level) = self.levels.last() else { return false };
        let is_strict = self.strictness == Strictness::Strict;
        if level.is_object {
            name::is_telling(&level.name)
                || is_strict && name::is_sent(&level.name)
                || level.in_credential && !is_text_or_code(&level.name) && !is_place(&level.name)
        } else {
            level.in_credential || is_strict && level.before.is_some()
        }
    }

    fn put_text(&mut self, start: usize, text: &str, is_taken: bool) {
        let level = self.levels.last();
        let is_code = level.is_some_and(|level| level.is_object && is_code(&level.name, text));
        let follows_name = level.and_then(|level| level.before.as_deref()).is_some_and(|name| is_value_of(name, text));
        let has_messages = level.is_some_and(|level| level.has_messages);
        let about = match self.strictness {
            Strictness::Readable if is_taken => words::about(text, has_messages),
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
        let less = self.redacted(&about);
        if *less != *text {
            self.edits.push((start..self.tokens.at(), quoted(&less)));
        }
    }

    /// A text within the text, which may be JSON itself.
    fn redacted<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        match json(text, true, self.strictness) {
            Some(inner) => {
                self.taken.extend_from_slice(inner.taken());
                if inner.is_changed() { Cow::Owned(inner.into_text()) } else { Cow::Borrowed(text) }
            }
            None => text::text_noting(text, self.strictness, &mut |taken| self.taken.push(taken.to_owned())),
        }
    }

    fn put_literal(&mut self, start: usize, is_taken: bool) -> Result<(), Stop> {
        let Literal { text, is_number } = self.tokens.literal()?;
        let digits = text.trim_start_matches('-');
        let is_card = digits.bytes().all(|it| it.is_ascii_digit()) && card::is_in(digits);
        let is_measure = || self.levels.last().is_some_and(|level| level.meaning.is_measure);
        if is_number && (is_card || is_taken && !is_measure()) {
            self.taken.push(text.to_owned());
            self.take(start);
        }
        Ok(())
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
            in_credential: is_taken,
            has_messages,
            name: Cow::Borrowed(""),
            meaning,
            before: None,
            names_credential: false,
            sent: Vec::new(),
            has_texts,
            ends_with_step: false,
            has_place: false,
            has_telling_place: false,
            first_text: self.texts.len(),
        });
        match self.tokens.next()? {
            '}' | ']' => self.close(),
            _ => self.next_member(),
        }
    }

    fn behind_value(&mut self) -> Result<Step, Stop> {
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
            let less = self.redacted(&name);
            if *less != *name {
                self.edits.push((start..self.tokens.at(), quoted(&less)));
            }
            self.tokens.next()?;
            self.tokens.push(':')?;
            let level = self.levels.last_mut().ok_or(Stop::Malformed)?;
            level.meaning = Meaning::new(&name);
            level.name = name;
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
        if level.has_telling_place {
            self.redact_issue(level.first_text);
        } else if level.has_place {
            self.texts.truncate(level.first_text);
        }
        // {"loc": ["body", "password"], "input": …}
        let ends_with_name =
            if level.is_object { level.names_credential } else { level.before.is_some() || level.ends_with_step };
        if let Some(around) = self.levels.last_mut() {
            if around.is_object && is_place(&around.name) {
                around.note_place(ends_with_name, !level.is_object);
                around.names_credential |= ends_with_name;
                self.texts.truncate(level.first_text);
            }
            around.before = None;
            around.ends_with_step = level.is_object && ends_with_name;
        }
        Ok(self.after_value(level.start))
    }

    /// Whether the next text is an issue's: its place may be a credential's.
    fn is_of_issue(&self) -> bool {
        self.levels.last().is_some_and(|level| level.meaning.is_text || level.has_texts)
    }

    /// The texts of an issue with a credential, which are messages about it.
    fn redact_issue(&mut self, first_text: usize) {
        for (range, text) in self.texts.split_off(first_text) {
            let about = words::about_in_message(&text);
            let less = self.redacted(&about);
            if *less != *text {
                self.edits.push((range, quoted(&less)));
            }
        }
    }

    /// The same for those that break off.
    fn redact_open_issues(&mut self) {
        while let Some(level) = self.levels.pop() {
            if level.has_telling_place {
                self.redact_issue(level.first_text);
            }
        }
    }

    /// A text that names a credential: the value may stand behind it, or beside it.
    fn note_name(&mut self, text: Cow<'a, str>) {
        let Some(level) = self.levels.last_mut() else { return };
        let is_name = name::is_just(&text);
        if level.is_object {
            if is_place(&level.name) {
                level.note_place(is_name, false);
            }
            level.names_credential |= is_name && (is_place(&level.name) || NAMES_OF_PAIRS.contains(&&*level.name));
        } else {
            let is_behind_name = self.strictness == Strictness::Strict && level.before.is_some();
            level.ends_with_step = false;
            level.before = Some(text).filter(|_| is_name && !is_behind_name);
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

    /// The texts of a value that is taken out as a whole.
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

impl Level<'_> {
    /// The place of an issue. Names that data has as well are places under an error field, and so is a path that is a list.
    fn note_place(&mut self, is_telling: bool, is_list: bool) {
        let is_of_data = PLACES_OF_DATA.contains(&&*self.name) && !(is_list && self.name == "path");
        self.has_place |= !is_of_data || self.has_messages;
        self.has_telling_place |= is_telling && (!is_of_data || self.has_messages);
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Whether the text behind the name of a credential in a list is its value. Lists of names have words.
fn is_value_of(name: &str, text: &str) -> bool {
    !name::is_just(text) && (name::is_header(name) || !words::is_plain(text))
}

fn is_place(name: &str) -> bool {
    PLACES.contains(&name)
}

/// Whether a text is a code (E9), which stays.
fn is_code(name: &str, text: &str) -> bool {
    const LONGEST: usize = 64;

    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:/-".contains(&byte);
    name != "key" && CODES.contains(&name) && text.len() <= LONGEST && text.bytes().all(is_fit)
}

/// Whether the texts of a field are those of an issue, besides the names of a single text.
fn is_message(name: &str) -> bool {
    const LONGEST: usize = 64;

    name.len() <= LONGEST && name.to_ascii_lowercase().contains("message")
}

/// Whether a field has errors, so that the texts below are messages.
fn is_error(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["error", "violation", "issue", "problem", "invalid"].iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::{Strictness, json};

    fn redacted(text: &str, strictness: Strictness) -> String {
        json(text, true, strictness).unwrap_or_else(|| panic!("{text} is JSON")).into_text()
    }

    #[test]
    fn what_must_not_be_seen_is_taken_out() {
        for (text, secret) in [
            (r#"{"password":"hunter2"}"#, "hunter2"),
            (r#"{"pass\u0077ord":"hunter2"}"#, "hunter2"),
            (r#"{"token":{"a":["hunter2"]},"b":1}"#, "hunter2"),
            (r#"{"api_key":4711471147}"#, "4711"),
            (r#"["Authorization","hunter2"]"#, "hunter2"),
            (r#"[["Authorization","hunter"],["Host","y"]]"#, "hunter"),
            (r#"{"rawHeaders":["Host","y","X-Api-Key","hunter"]}"#, "hunter"),
            (r#"{"loc":["body","password"],"input":"hunter2"}"#, "hunter2"),
            (r#"{"input":{"a":"hunter"},"loc":["body","password"]}"#, "hunter"),
            (r#"{"message":"Bearer hunter2hunter2"}"#, "hunter2"),
            (r#"{"m":"{\"password\":\"hunter2\"}"}"#, "hunter2"),
            (r#"{"name":"Authorization","val":"hunter2"}"#, "hunter2"),
            (r#"{"val":["hunter2"],"key":"Authorization"}"#, "hunter2"),
            (r#"{"k":"password","v":"hunter"}"#, "hunter"),
            (r#"{"header":"cookie","value":"hunter"}"#, "hunter"),
            (r#"{"m":"{\"pass\\u0077ord\":\"hunter2\"}"}"#, "hunter2"),
            (r#"{"hunter2":{"password":"x"},"n":4111111111111111}"#, "4111111"),
            (r#"{"ada@example.com":["is taken"]}"#, "ada@"),
            (r#"{"password":"hunter2 is too short"}"#, "hunter2"),
            (r#"{"password":"hunter is too short"}"#, "hunter"),
            (r#"{"errors":{"password":["hunter2 is too short"]}}"#, "hunter2"),
            (r#"{"type":"missing","loc":["body","email"],"input":{"password":"hunter"}}"#, "hunter"),
            (r#"{"name":"Authorization","val":"hunter token=x"}"#, "hunter"),
            (r#"{"detail":[{"loc":["body","password"],"msg":"too short: hunter2pw9"}]}"#, "hunter2"),
            (r#"{"errors":[{"message":"Invalid value hunter2pw9","path":["password"]}]}"#, "hunter2"),
            (r#"{"field":"password","message":"hunter2pw9"}"#, "hunter2"),
            (r#"{"invalid-params":[{"name":"password","reason":"'hunter2' is too short"}]}"#, "hunter2"),
            (r#"{"errors":[{"source":{"pointer":"/password"},"detail":"hunter2pw9 is too short"}]}"#, "hunter2"),
            (r#"[{"property":"password","constraints":{"min":"hunter2pw9 is too short"}}]"#, "hunter2"),
            (r#"{"issues":[{"path":[{"key":"password"}],"message":"got hunter2pw9"}]}"#, "hunter2"),
            (r#"{"field":"password","messages":["hunter2pw9 is too short"]}"#, "hunter2"),
            (r#"{"errors":[{"field":"a","message":"Bad"},{"message":"got hunter2pw9","field":"token"}]}"#, "hunter2"),
        ] {
            for strictness in [Strictness::Strict, Strictness::Readable] {
                let left = redacted(text, strictness);
                assert!(!left.contains(secret), "{text}: {left}");
                assert!(left.contains("[redacted]"), "{left}");
                assert!(serde_json::from_str::<serde_json::Value>(&left).is_ok(), "{left}");
            }
        }
        for text in [r#"{"received":"hunter2","expected":"a"}"#, r#"{"m":"{\"got\":\"hunter2\"}"}"#] {
            let left = redacted(text, Strictness::Strict);
            assert!(!left.contains("hunter2"), "{left}");
        }
    }

    #[test]
    fn no_nesting_is_too_deep() {
        let text = format!("{}{{\"token\":\"hunter2\"}}{}", "[{\"a\":".repeat(1000), "}]".repeat(1000));
        for strictness in [Strictness::Strict, Strictness::Readable] {
            assert_eq!(redacted(&text, strictness), text.replace("hunter2", "[redacted]"));
        }
    }

    #[test]
    fn an_issue_that_breaks_off_has_no_secret() {
        let text = r#"{"errors":[{"path":["password"],"message":"got hunter2pw9","then":"#;
        for strictness in [Strictness::Strict, Strictness::Readable] {
            let left = json(text, false, strictness).expect("JSON that breaks off");
            assert_eq!(left.text(), text.replace("hunter2pw9", "[redacted]"));
        }
    }

    #[test]
    fn what_is_no_secret_stays_byte_for_byte() {
        for text in [
            r#"{ "z":1.50,"a":[1, {"b":null},[],{}],"\u00e9":"\u00e9\n" }"#,
            r#"{"errors":{"password":["The password must be at least 8 characters."],"email":["is taken"]}}"#,
            r#"{"password":["Das Passwort ist zu kurz."]}"#,
            r#"{"password":"is required","token":"expired","secret":null,"cookie":true}"#,
            r#"{"errors":{"password":{"message":"Path `password` is required.","kind":"required","path":"password"}}}"#,
            r#"{"issues":[{"path":["user","password"],"message":"Too short"},{"path":["token","kind"]}]}"#,
            r#"{"missing":["password","username"],"required":["token","name"]}"#,
            r#"{"error":{"code":"auth:bad-token","type":"invalid_token","max_tokens":4096,"token_type":"Bearer"}}"#,
            r#"{"value":30,"limit":{"value":"x"},"received":"string"}"#,
            r#"{"loc":["body","email"],"input":"x"}"#,
            r#"{"detail":[{"loc":["body","password"],"msg":"Field required","type":"value_error.missing"}]}"#,
            r#"{"errors":[{"path":["password"],"message":"This value is too short.","code":"too_small"}]}"#,
            r#"{"field":"password","message":"must be at least 8 characters","rejected":"a1b2c3"}"#,
            r#"{"field":"password","message":"Obligatorio"}"#,
            r#"{"errors":[{"field":"password","message":"Bad"},{"field":"id","message":"no order a4711b"}]}"#,
            r#"{"field":"token","errors":[{"field":"id","message":"no order a4711b"}]}"#,
            r#"{"issues":[{"path":[{"key":"token"},{"key":"id"}],"message":"no order a4711b"}]}"#,
            r#"{"name":"TokenExpiredError","message":"expired at 2026-01-01T00:00:00Z"}"#,
        ] {
            let left = json(text, true, Strictness::Readable).expect("JSON");
            assert_eq!((left.text(), left.is_changed()), (text, false), "{:?}", left.taken());
        }
    }

    #[test]
    fn what_is_no_json_is_left_to_others() {
        for text in ["", "hello", "{\"a\":}", "{\"a\" 1}", "[1,2", "{]", "[1] 2", "{\"a\":1,}x", "[nul]", "[}"] {
            assert!(json(text, true, Strictness::Strict).is_none(), "{text}");
        }
    }

    #[test]
    fn what_breaks_off_is_read_as_far_as_it_goes() {
        for (text, left) in [
            (r#"{"a":1,"b":"half a str"#, r#"{"a":1,"b":"#),
            (r#"{"token":{"x":"hunter2","#, r#"{"token":"#),
            (r#"{"a":["#, r#"{"a":["#),
        ] {
            let read = json(text, false, Strictness::Strict).expect("JSON that breaks off");
            assert!(read.is_cut());
            assert_eq!(read.text(), left, "{text}");
        }
    }
}
