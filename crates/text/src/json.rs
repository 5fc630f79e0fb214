//! Reads JSON only as far as necessary, and keeps the values of an object's fields as raw text.
//!
//! Because values stay raw text, the bytes of details (E1) and the digits of numbers do not change. A body that is
//! nested a thousand levels deep needs neither stack nor a tree.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::message::{has_byte, has_escape, trimmed};

/// The fields of a JSON object, in order. If several fields have the same name, the last one is used, as in ECMAScript.
pub struct Object<'a> {
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// The [bits](bit_of) of all names. The bits make a search for a missing name cheap. The parser of each shape
    /// searches for such names.
    names: u32,
    /// The text of the object, as received.
    text: &'a str,
}

/// Returns one of 32 bits for each name. Two names may have the same bit.
#[inline]
const fn bit_of(name: &str) -> u32 {
    let first = if name.is_empty() { 0 } else { name.as_bytes()[0] as usize };
    1 << ((first + name.len()) % 32)
}

impl<'a> Object<'a> {
    #[inline]
    pub fn parse(text: &'a str) -> Option<Self> {
        // Creating a parser error costs more than parsing a short text, so other texts than objects are refused before
        // the parser runs.
        let begins = text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{');
        if begins { serde_json::from_str(text).ok().map(|object| Self { text, ..object }) } else { None }
    }

    /// Returns the JSON text from which the object was parsed.
    #[inline]
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// Returns the object, if a body is one JSON object.
    #[inline]
    pub fn of_body(body: &'a [u8]) -> Option<Self> {
        Self::parse(utf8_text(body)?)
    }

    #[inline]
    pub fn raw(&self, name: &str) -> Option<&'a RawValue> {
        let is_missing = self.names & bit_of(name) == 0;
        let last = || self.members.iter().rev().find(|(member, _)| member == name).map(|(_, value)| *value);
        if is_missing { None } else { last() }
    }

    #[inline]
    pub fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// Returns the text of a field, if it is a JSON string.
    #[inline]
    pub fn string(&self, name: &str) -> Option<Cow<'a, str>> {
        string(self.raw(name)?)
    }

    /// Returns the text of a field, if it is a JSON string that is not blank.
    #[inline]
    pub fn words(&self, name: &str) -> Option<Cow<'a, str>> {
        self.string(name).filter(|text| !text.trim().is_empty())
    }

    /// Returns the value of a field as a name. The name is the text of a string, or the digits of a number, because
    /// some services use numbers as codes.
    #[inline]
    pub fn name(&self, name: &str) -> Option<Cow<'a, str>> {
        self.words(name).or_else(|| self.number(name).map(Cow::Borrowed))
    }

    /// Returns the value of a field, if it is an object.
    #[inline]
    pub fn object(&self, name: &str) -> Option<Self> {
        Self::parse(self.raw(name)?.get())
    }

    /// Returns the JSON text of a field, unless the field is missing or `null`.
    #[inline]
    pub fn json(&self, name: &str) -> Option<Cow<'a, str>> {
        self.raw(name).map(|raw| Cow::Borrowed(raw.get())).filter(|text| text != "null")
    }

    /// Returns the digits of a field, if it is a JSON number.
    #[inline]
    pub fn number(&self, name: &str) -> Option<&'a str> {
        self.raw(name).filter(|raw| is_number(raw)).map(RawValue::get)
    }

    /// Returns the elements of an array as fields, whose names are their indices.
    pub fn of_elements(elements: &[&'a RawValue]) -> Self {
        let mut object = Self { members: Vec::with_capacity(elements.len()), names: 0, text: "" };
        for (at, element) in elements.iter().enumerate() {
            let name = at.to_string();
            object.names |= bit_of(&name);
            object.members.push((Cow::Owned(name), element));
        }
        object
    }

    pub fn members(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.members.iter().map(|(name, value)| (&**name, *value))
    }
}

/// Returns the body as text, without white space and other characters that may surround JSON.
#[inline]
pub fn utf8_text(body: &[u8]) -> Option<&str> {
    Some(trimmed(str::from_utf8(body).ok()?.trim_start_matches('\u{feff}')))
}

/// Returns the position behind the quoted string at the beginning of a JSON text or of a header's value. Returns `None`
/// if the string is not closed.
#[inline]
pub fn end_of_quoted(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Returns the position behind the JSON value at the beginning of a text. Returns `None` if the value may continue
/// behind the text, because a bracket or a quote is still open, or because nothing follows a number or a word.
pub fn end_of_value(text: &[u8]) -> Option<usize> {
    let is_end = |byte: &u8| matches!(byte, b',' | b':' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
    let (mut at, mut depth) = (0, 0_usize);
    loop {
        match text.get(at)? {
            b'"' => at += end_of_quoted(&text[at..])?,
            b'{' | b'[' => (at, depth) = (at + 1, depth + 1),
            b'}' | b']' => (at, depth) = (at + 1, depth.checked_sub(1)?),
            _ if depth > 0 => at += 1,
            _ => at += text[at..].iter().position(is_end)?,
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

/// Returns the elements of a JSON array as raw text.
#[inline]
pub fn array(text: &str) -> Option<Vec<&RawValue>> {
    if text.starts_with('[') { serde_json::from_str(text).ok() } else { None }
}

/// Returns true if a text is a JSON number, `true`, `false` or `null`.
#[inline]
pub fn is_scalar(text: &str) -> bool {
    matches!(text, "null" | "true" | "false") || serde_json::from_str::<f64>(text).is_ok()
}

/// Returns the text of a JSON string.
#[inline]
pub fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    text(raw.get())
}

/// Returns the text of a JSON string. A parser must have accepted the JSON before.
#[inline]
pub fn text(json: &str) -> Option<Cow<'_, str>> {
    exact_text(json).or_else(|| with_lone_surrogates(json).map(Cow::Owned))
}

/// Returns the text of a JSON string, or `None` if an escape in it is not valid Unicode.
#[inline]
pub fn exact(raw: &RawValue) -> Option<Cow<'_, str>> {
    exact_text(raw.get())
}

fn exact_text(json: &str) -> Option<Cow<'_, str>> {
    let inside = json.strip_prefix('"')?.strip_suffix('"')?;
    if !has_byte(inside.as_bytes(), b'\\') {
        // The parser that accepted the JSON has already checked everything except escapes.
        return Some(Cow::Borrowed(inside));
    }
    serde_json::from_str(json).ok().map(Cow::Owned)
}

/// Returns the text of a JSON string that contains half a character as an escape, as `JSON.stringify` writes it.
/// Languages with UTF-16 strings can cut a text in the middle of a character. The result has a replacement character
/// instead of the half.
fn with_lone_surrogates(json: &str) -> Option<String> {
    if !json.starts_with('"') {
        return None;
    }
    let bytes = serde_json::Deserializer::from_str(json).deserialize_bytes(Bytes).ok()?;
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        // Half a character is three bytes, each of which is a separate chunk. Only the first chunk is replaced.
        if chunk.invalid().first() == Some(&0xed) {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    Some(text)
}

struct Bytes;

impl Visitor<'_> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON string")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(bytes.to_vec())
    }
}

/// Returns true if a raw value is a JSON number.
#[inline]
pub fn is_number(raw: &RawValue) -> bool {
    raw.get().starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

/// Returns true if a raw value is a whole number that is not negative, and so may be an index.
pub fn is_index(raw: &RawValue) -> bool {
    raw.get().bytes().all(|byte| byte.is_ascii_digit())
}

/// Appends `text` as a JSON string.
pub fn push_string(json: &mut Vec<u8>, text: &str) {
    // Nearly all texts contain nothing to escape.
    if has_escape(text.as_bytes()) {
        // Writing a str to a Vec cannot fail.
        let _ = serde_json::to_writer(json, text);
    } else {
        json.push(b'"');
        json.extend_from_slice(text.as_bytes());
        json.push(b'"');
    }
}

/// Writes a JSON object field by field.
pub struct Writer(Vec<u8>);

impl Writer {
    /// Creates a writer that can write this many bytes without growing.
    pub fn new(capacity: usize) -> Self {
        let mut json = Vec::with_capacity(capacity);
        json.push(b'{');
        Self(json)
    }

    /// Adds a field whose value is already JSON.
    pub fn raw(mut self, name: &str, json: impl AsRef<[u8]>) -> Self {
        self.name(name);
        self.0.extend_from_slice(json.as_ref());
        self
    }

    /// Adds a field whose value is a text.
    #[inline]
    pub fn text(mut self, name: &str, text: &str) -> Self {
        self.name(name);
        push_string(&mut self.0, text);
        self
    }

    pub fn is_empty(&self) -> bool {
        self.0.len() == 1
    }

    pub fn close(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }

    pub fn into_string(self) -> String {
        String::from_utf8(self.close()).unwrap_or_default()
    }

    fn name(&mut self, name: &str) {
        if !self.is_empty() {
            self.0.push(b',');
        }
        push_string(&mut self.0, name);
        self.0.push(b':');
    }
}

/// Returns a text as a JSON string.
pub fn quoted(text: &str) -> Vec<u8> {
    let mut json = Vec::with_capacity(text.len() + 2);
    push_string(&mut json, text);
    json
}

/// Writes these values as a JSON array.
pub fn list(values: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Vec<u8> {
    list_with(values, |json, value| json.extend_from_slice(value.as_ref()))
}

/// Writes a JSON array, to which `push` adds each value.
pub fn list_with<T>(values: impl IntoIterator<Item = T>, push: impl Fn(&mut Vec<u8>, T)) -> Vec<u8> {
    let mut json = vec![b'['];
    for value in values {
        if json.len() > 1 {
            json.push(b',');
        }
        push(&mut json, value);
    }
    json.push(b']');
    json
}

/// Returns the fields of an object for which `keep` returns true. Returns `None` if the object has no such field.
pub fn some_fields(object: &Object<'_>, keep: impl Fn(&str, &RawValue) -> bool) -> Option<String> {
    let mut kept = object.members().filter(|(name, value)| keep(name, value)).peekable();
    kept.peek()?;
    let json = kept.fold(Writer::new(object.text.len()), |json, (name, value)| json.raw(name, value.get()));
    Some(json.into_string())
}

/// Returns `object` with the fields of `set`. Each field of `set` replaces the field with the same name, or is added at
/// the end. Other fields of the object stay unchanged if `keep` returns true for them, and are left out if not.
pub fn with_fields(object: &Object<'_>, set: &[(&str, Vec<u8>)], keep: &dyn Fn(&str, &RawValue) -> bool) -> Vec<u8> {
    let mut json = Writer::new(128);
    let mut written = vec![false; set.len()];
    for (name, value) in object.members() {
        match set.iter().position(|(other, _)| *other == name) {
            Some(at) if !written[at] => {
                json = json.raw(name, &set[at].1);
                written[at] = true;
            }
            None if keep(name, value) => json = json.raw(name, value.get()),
            _ => {}
        }
    }
    for ((name, value), _) in set.iter().zip(written).filter(|(_, written)| !written) {
        json = json.raw(name, value);
    }
    json.close()
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        // Enough room for the fields of most errors.
        let mut object = Object { members: Vec::with_capacity(8), names: 0, text: "" };
        while let Some(name) = map.next_key_seed(Name)? {
            object.names |= bit_of(&name);
            object.members.push((name, map.next_value()?));
        }
        Ok(object)
    }
}

/// Reads the name of a field.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_bytes_and_the_last_of_a_name_counts() {
        let object = Object::parse(r#"{"a":1.10,"b":"x\ny","a":12345678901234567890,"c\u0041":null}"#).unwrap();
        assert_eq!(object.raw("a").unwrap().get(), "12345678901234567890");
        assert_eq!(object.string("b").as_deref(), Some("x\ny"));
        assert!(object.has("cA") && object.json("cA").is_none());
    }

    #[test]
    fn what_utf16_left_of_a_character_is_one_that_is_lost() {
        let object = Object::parse(r#"{"a":"x\ud83dy\udc00","b":"\ud83d\ude00\u00ed","c":"\ud800\ud800\n"}"#).unwrap();
        assert_eq!(object.string("a").as_deref(), Some("x\u{fffd}y\u{fffd}"));
        assert_eq!(object.string("b").as_deref(), Some("\u{1f600}\u{ed}"));
        assert_eq!(object.string("c").as_deref(), Some("\u{fffd}\u{fffd}\n"));
    }

    #[test]
    fn deep_nesting_costs_no_stack() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(30_000), "]".repeat(30_000));
        let object = Object::parse(&deep).unwrap();
        assert_eq!(object.raw("a").unwrap().get().len(), 60_000);
        assert_eq!(array(object.raw("a").unwrap().get()).unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_object_is_none() {
        for text in ["", "[]", "\"x\"", "{", "{\"a\":1}x", "{\"\\ud800\":1}", "{a:1}", "{\"a\":NaN}"] {
            assert!(Object::parse(text).is_none(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_pushed_string_is_the_same_string(text: String) {
            let mut json = Vec::new();
            push_string(&mut json, &text);
            proptest::prop_assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), text);
        }
    }
}
