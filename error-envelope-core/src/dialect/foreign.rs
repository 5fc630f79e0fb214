//! The shapes of rule R2 that are read alone, from the most telling to the least.

use http::StatusCode;

use super::json::{self, Object};
use super::parsed_error::{Body, ParsedError};
use super::{issues, protocol};

/// `{"detail":…}`: a text, a list of field errors, or an object that a handler gave to `HTTPException`.
pub(super) fn fastapi<'a>(body: &Body<'a, '_>) -> Option<ParsedError<'a>> {
    let body = &body.object;
    let detail = body.raw("detail")?;
    let mut said = ParsedError::new(body.name("code"), None);
    if let Some(text) = json::string(detail) {
        said.message = Some(text);
        return Some(said);
    }
    if let Some(object) = Object::parse(detail.get()) {
        said.code = object.name("code").or(said.code);
        said.message = object.words("message").or_else(|| body.words("message"));
    }
    said.issues = if detail.get().starts_with('[') { issues::read(detail) } else { None };
    if said.issues.is_none() {
        said.details = body.json("detail");
    }
    Some(said)
}

/// `{timestamp,status,error,path}`: `error` is the status's phrase, a `message` says more.
pub(super) fn spring<'a>(body: &Body<'a, '_>) -> Option<ParsedError<'a>> {
    let body = &body.object;
    if !["timestamp", "status", "path"].into_iter().all(|name| body.has(name)) {
        return None;
    }
    let error = body.words("error")?;
    Some(ParsedError::new(body.name("code"), body.words("message").or(Some(error))))
}

/// An OAuth error where `protocols = "rewrite"` (R10): its `error` is a code, its description the text.
pub(super) fn oauth<'a>(body: &Body<'a, '_>) -> Option<ParsedError<'a>> {
    let body = &body.object;
    let description = body.words("error_description")?;
    protocol::is_oauth(body).then_some(())?;
    Some(ParsedError::new(body.words("error"), Some(description)))
}

/// `{"error":"…"}`, whose text is a code where a `message` stands beside it and it is not the status's phrase.
pub(super) fn error_text<'a>(body: &Body<'a, '_>) -> Option<ParsedError<'a>> {
    let body = &body.object;
    let error = body.words("error")?;
    let (code, message) = match body.words("message") {
        Some(message) if body.has("code") || is_phrase(&error) => (body.name("code"), message),
        Some(message) => (Some(error), message),
        None => (body.name("code"), error),
    };
    Some(ParsedError { details: body.json("details"), ..ParsedError::new(code, Some(message)) })
}

fn is_phrase(text: &str) -> bool {
    text.contains(' ')
        || (400..600).filter_map(|status| StatusCode::from_u16(status).ok()?.canonical_reason()).any(|it| it == text)
}

/// `{"message":"…"}`, or a list of issues, beside a message or alone.
pub(super) fn message<'a>(body: &Body<'a, '_>) -> Option<ParsedError<'a>> {
    let body = &body.object;
    let message = body.words("message");
    if message.is_none() {
        issues::parse_beside(body)?;
    }
    Some(ParsedError { details: body.json("details"), ..ParsedError::new(body.name("code"), message) })
}

/// A text by another name, or the message of a single error (R3).
pub(super) fn other_text<'a>(body: &Body<'a, '_>) -> Option<ParsedError<'a>> {
    let body = &body.object;
    let named = ["msg", "statusMessage", "description", "title"].iter().find_map(|name| body.words(name));
    let of_single = || match &json::array(body.raw("errors")?.get())?[..] {
        [error] => Object::parse(error.get())?.words("message"),
        _ => None,
    };
    Some(ParsedError::new(body.name("code"), Some(named.or_else(of_single)?)))
}
