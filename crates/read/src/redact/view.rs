//! A view of a text as its reader understands it. A secret may be written with escapes, no-break spaces or full-width
//! letters.
//!
//! The rules search this view. The parts that the rules keep are returned in the original spelling, so that XML stays
//! XML, and a line stays a line.

use super::rules::TAKEN;
use super::words;
use crate::message;

/// A text in the form that the rules search.
pub(super) struct View<'t> {
    spelling: &'t str,
    pub(super) text: String,
    /// The position at which the spelling of each byte of `text` begins.
    starts: Vec<usize>,
}

impl<'t> View<'t> {
    /// Returns the text with letters, digits and characters outside ASCII decoded from their escapes, because such
    /// characters never separate anything. References of XML and HTML are decoded for other characters as well, because no
    /// reader of the text leaves them as they are. Returns `None` if the text has no such escapes.
    pub(super) fn folded(text: &'t str) -> Option<Self> {
        let is_folded = |(at, it): (usize, char)| !it.is_ascii() && fold(it, &text[at + it.len_utf8()..]) != Some(it);
        let may_differ = message::has_any(text.as_bytes(), [b'%', b'\\', b'&'])
            || !text.is_ascii() && text.char_indices().any(is_folded);
        let is_letter = |it: char| !it.is_ascii() || it.is_ascii_alphanumeric() || "-._~".contains(it);
        let view = may_differ.then(|| Self::new(text, is_letter))?;
        (view.text != text).then_some(view)
    }

    /// Returns the text with each percent-encoding decoded one time.
    pub(super) fn decoded(text: &'t str) -> Self {
        Self::new(text, |_| true)
    }

    fn new(spelling: &'t str, is_decoded: impl Fn(char) -> bool) -> Self {
        let mut view = Self {
            spelling,
            text: String::with_capacity(spelling.len()),
            starts: Vec::with_capacity(spelling.len() + 1),
        };
        let mut rest = spelling;
        while let Some(first) = rest.chars().next() {
            let escaped = match first {
                '%' => percent(rest).filter(|(read, _)| is_decoded(*read)),
                '\\' => backslash(rest),
                '&' => reference(rest),
                _ => None,
            };
            let (read, length) = escaped.unwrap_or((first, first.len_utf8()));
            view.text.extend(fold(read, &rest[length..]));
            view.starts.resize(view.text.len(), spelling.len() - rest.len());
            rest = &rest[length..];
        }
        view.starts.push(spelling.len());
        view
    }

    /// Returns the redacted view in the original spelling of the text.
    pub(super) fn spelled(&self, redacted: &str) -> String {
        let mut spelled = String::with_capacity(self.spelling.len());
        let mut end = 0;
        for (at, kept) in redacted.split(TAKEN).enumerate() {
            if at > 0 {
                spelled.push_str(TAKEN);
            }
            // The kept parts are still in their order. If a part also occurs earlier, inside a secret, both are the
            // same text.
            if let Some(found) = self.text[end..].find(kept) {
                let start = end + found;
                end = start + kept.len();
                spelled.push_str(&self.spelling[self.starts[start]..self.starts[end]]);
            }
        }
        spelled
    }
}

/// Returns true if a character has no width, or sets the direction of text.
pub(super) fn is_hidden(it: char) -> bool {
    matches!(it, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{feff}')
        || matches!(it, '\u{2060}'..='\u{2069}')
}

/// Returns the character that is percent-encoded at the beginning of a text, and the length of its encoding.
fn percent(text: &str) -> Option<(char, usize)> {
    const LONGEST: usize = 4;

    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = Vec::with_capacity(LONGEST);
    for escape in text.as_bytes().chunks_exact(3).take(LONGEST) {
        let &[b'%', high, low] = escape else { return None };
        bytes.push(u8::try_from(digit(high)? * 16 + digit(low)?).ok()?);
        match str::from_utf8(&bytes) {
            Ok(read) => return Some((read.chars().next()?, bytes.len() * 3)),
            Err(error) if error.error_len().is_some() => return None,
            Err(_) => {}
        }
    }
    None
}

/// Returns the character that `\u00…` or `\x…` means. A quote is not decoded, because an escaped quote must not end a
/// value.
fn backslash(text: &str) -> Option<(char, usize)> {
    /// The maximum number of backslashes before the `u`. This number is enough for four levels of JSON, each in a
    /// string of the next level.
    const MOST: usize = 15;

    let slashes = text.bytes().take(MOST).take_while(|byte| *byte == b'\\').count();
    let digits = text[slashes..].strip_prefix("u00").or_else(|| text[slashes..].strip_prefix('x'))?;
    let read = char::from(u8::from_str_radix(digits.get(..2)?, 16).ok()?);
    // Go writes `&` with such an escape, and Gson writes `=` with one.
    let is_decoded = read.is_ascii_alphanumeric() || "-_&=?\u{a0}".contains(read);
    is_decoded.then(|| (read, text.len() - digits.len() + 2))
}

/// Returns the character that a numeric reference of XML or HTML means, as in `&#64;` and `&#x40;`. Brackets, quotes and
/// semicolons are not decoded, because they end a value.
fn reference(text: &str) -> Option<(char, usize)> {
    /// The maximum length of a reference to a character of ASCII, with leading zeros.
    const LONGEST: usize = 10;

    let end = text.bytes().take(LONGEST).position(|byte| byte == b';')?;
    let read = message::character_of_number(text[..end].strip_prefix("&#")?)?;
    (read.is_ascii_alphanumeric() || "-._~@:/=?+%".contains(read)).then_some((read, end + 1))
}

/// Returns the ordinary character that the rules use instead of this character. `behind` is the text after it.
fn fold(read: char, behind: &str) -> Option<char> {
    match read {
        // Chinese and Japanese use this colon before sentences, which the rules cannot distinguish from a secret.
        '：' if !is_value(behind) => Some(read),
        '！'..='～' => char::from_u32(u32::from(read) - u32::from('！') + u32::from('!')),
        '\u{85}' | '\u{2028}' | '\u{2029}' => Some(read),
        _ if read.is_whitespace() && !read.is_ascii() => Some(' '),
        _ => Some(read).filter(|read| !is_hidden(*read)),
    }
}

/// Returns true if a text begins with a word in ASCII (or in full width) that is not about a credential.
fn is_value(text: &str) -> bool {
    let is_ascii = |it: char| it.is_ascii_graphic() || matches!(it, '！'..='～') && it.is_alphanumeric();
    let text = text.trim_start();
    let (word, behind) = text.split_at(text.find(|it| !is_ascii(it)).unwrap_or(text.len()));
    !words::is_about_value(word) && !behind.starts_with(char::is_alphanumeric)
}
