//! Takes credentials out of a body before it is stored, by the core's [rules](error_envelope_core::redact).
//!
//! It removes too much rather than too little: a page for operators shows shapes, not values. A value that is removed
//! from the service's body is also removed from the client's body, where it may have no name that marks it as a
//! credential.

mod hidden;
mod layout;

use std::borrow::Cow;

use error_envelope_core::redact::{self, Strictness, TAKEN, is_telling_parameter, json};

pub(crate) use self::hidden::Hidden;

/// The most bytes of a body's text on the page.
pub(crate) const MOST: usize = 8 * 1024;

/// A text without credentials, for the page.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    redact::text(text, Strictness::Strict)
}

/// A body without credentials, for the page; `None` if it is not text. The values in `hidden` are removed too, and each
/// value that is removed is added to `hidden`.
pub(super) fn body(content_type: Option<&str>, body: &[u8], whole: bool, hidden: &mut Hidden) -> Option<String> {
    let text = readable(body, whole)?;
    let text = match content_type {
        Some(kind) if kind.to_ascii_lowercase().contains("x-www-form-urlencoded") => form(text.as_bytes(), hidden),
        _ => redacted_json(&text, whole, hidden).unwrap_or_else(|| of_text(&text, hidden)),
    };
    Some(truncated(text))
}

/// The text of a body; `None` if it is not UTF-8. An incomplete character at the end is left out. So are NULs: in
/// UTF-16 every other byte is a NUL, and the rules would find no credential between them.
fn readable(body: &[u8], whole: bool) -> Option<String> {
    let text = match str::from_utf8(body) {
        Ok(text) => text,
        Err(error) if !whole && error.error_len().is_none() => str::from_utf8(&body[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    Some(text.replace('\0', ""))
}

/// Formats JSON for people; `None` if the text is not JSON.
fn redacted_json(text: &str, whole: bool, hidden: &mut Hidden) -> Option<String> {
    let json = json(text, whole, Strictness::Strict)?;
    let laid = hidden.without(layout::format_json(&json.text, MOST));
    hidden.extend(&json.taken);
    // A JSON text that breaks off is redacted again as plain text, in case it never was JSON.
    Some(if json.is_cut { self::text(&laid).into_owned() + " …" } else { laid })
}

fn of_text(text: &str, hidden: &mut Hidden) -> String {
    let mut taken = Vec::new();
    let redacted = redact::text_noting(text, Strictness::Strict, &mut |value| taken.push(value.to_owned()));
    let redacted = hidden.without(redacted.into_owned());
    hidden.extend(&taken);
    redacted
}

fn form(body: &[u8], hidden: &mut Hidden) -> String {
    let fields = form_urlencoded::parse(body).map(|(name, value)| {
        let value = if is_telling_parameter(&name) {
            hidden.extend(&[value.into_owned()]);
            TAKEN.to_owned()
        } else {
            of_text(&value, hidden)
        };
        format!("{} = {value}", text(&name))
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
