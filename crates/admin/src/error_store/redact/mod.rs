//! Takes credentials out of a body before it is stored.
//!
//! 1. Values of fields and headers whose names mark them as credentials, and what a client sent if an
//!    error repeats it (`input`, `value`, `received`, `rejectedValue`), a database's error too.
//! 2. What looks like a credential, whatever its name: `Bearer` and `Basic`, JSON web tokens, keys by their makers'
//!    prefixes, private keys, passwords in URLs and command lines, numbers of cards.
//!
//! It takes out too much rather than too little: a page for operators shows shapes, not values.

mod card;
mod json;
mod name;
mod rules;
mod text;
mod tokens;

pub(super) use self::rules::MOST;
use self::rules::TAKEN;
pub(super) use self::text::{is_suspect, redacted as text};

/// A body as it may be shown; `None` where it is no text.
pub(super) fn body(content_type: Option<&str>, body: &[u8], whole: bool) -> Option<String> {
    let text = readable(body, whole)?;
    let text = match content_type {
        Some(kind) if kind.to_ascii_lowercase().contains("x-www-form-urlencoded") => form(text.as_bytes()),
        _ => json::laid_out(&text, whole).unwrap_or_else(|| text::redacted(&text)),
    };
    Some(truncated(text))
}

/// UTF-8, except for a character that is cut at the end of a part. Without NULs: every other byte of UTF-16 is one, and hides
/// the text between them.
fn readable(body: &[u8], whole: bool) -> Option<String> {
    let text = match str::from_utf8(body) {
        Ok(text) => text,
        Err(error) if !whole && error.error_len().is_none() => str::from_utf8(&body[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    Some(text.replace('\0', ""))
}

fn form(body: &[u8]) -> String {
    let fields = form_urlencoded::parse(body).map(|(name, value)| {
        let value = if name::is_telling(&name) { TAKEN.to_owned() } else { text::redacted(&value) };
        format!("{} = {value}", text::redacted(&name))
    });
    fields.collect::<Vec<_>>().join("\n")
}

fn truncated(mut text: String) -> String {
    if text.len() > MOST {
        let end = (0..=MOST).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests;
