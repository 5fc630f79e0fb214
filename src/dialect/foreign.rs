//! The shapes of rule R2, read: those that are read alone here, the others beside their writing.
//!
//! The first shape that fits, from the most telling to the least: a success flag, an error object (Anthropic's,
//! Google's, with meta, with a status, OpenAI's, JSON-RPC's where it is rewritten), RFC 9457, FastAPI, Spring, a list of
//! field errors, and last `{"error":"…"}` and `{"message":"…"}`.

use super::json::{self, Object};
use super::{Said, Shape, error_object, issues, problem, status_in_error, success_flag};

/// What a JSON object says; `None` where it has no known shape.
pub(crate) fn read<'a>(media_type: Option<&str>, body: &Object<'a>) -> Option<Said<'a>> {
    success_flag::read(body)
        .or_else(|| error_object::read(body))
        .or_else(|| problem::read(media_type, body))
        .or_else(|| fastapi(body))
        .or_else(|| spring(body))
        .or_else(|| oauth(body))
        .or_else(|| error_text(body))
        .or_else(|| status_in_error::read_list(body))
        .or_else(|| message(body))
        .map(|said| with_issues(said, body))
}

/// `{"detail":…}`: a text, a list of field errors, or an object that a handler gave to `HTTPException`.
fn fastapi<'a>(body: &Object<'a>) -> Option<Said<'a>> {
    let detail = body.raw("detail")?;
    let mut said = Said::new(Shape::FastApi).code(body.name("code"));
    if let Some(text) = json::string(detail) {
        return Some(said.message(Some(text)));
    }
    if let Some(object) = Object::parse(detail.get()) {
        said.code = object.name("code").or(said.code);
        said.message = object.words("message");
    }
    said.issues = if detail.get().starts_with('[') { issues::read(detail) } else { None };
    if said.issues.is_none() {
        said.details = body.json("detail");
    }
    Some(said)
}

/// `{timestamp,status,error,path}`: `error` is the status's phrase, a `message` says more.
fn spring<'a>(body: &Object<'a>) -> Option<Said<'a>> {
    if !["timestamp", "status", "path"].into_iter().all(|name| body.has(name)) {
        return None;
    }
    let error = body.words("error")?;
    Some(Said::new(Shape::Spring).code(body.name("code")).message(body.words("message").or(Some(error))))
}

/// An OAuth error where `protocols = "rewrite"` (R10): its `error` is a code, its description the text.
fn oauth<'a>(body: &Object<'a>) -> Option<Said<'a>> {
    let description = body.words("error_description")?;
    super::protocol::of(body)?;
    Some(Said::new(Shape::ErrorText).code(body.words("error")).message(Some(description)))
}

/// `{"error":"…"}`, whose text is a code where a `message` stands beside it and it is not the status's phrase.
fn error_text<'a>(body: &Object<'a>) -> Option<Said<'a>> {
    let error = body.words("error")?;
    let mut said = Said::new(Shape::ErrorText).code(body.name("code"));
    said.details = body.json("details");
    Some(match body.words("message") {
        Some(message) if body.has("code") || is_phrase(&error) => said.message(Some(message)),
        Some(message) => said.code(Some(error)).message(Some(message)),
        None => said.message(Some(error)),
    })
}

fn is_phrase(text: &str) -> bool {
    text.contains(' ')
        || (400..600)
            .filter_map(|status| http::StatusCode::from_u16(status).ok()?.canonical_reason())
            .any(|it| it == text)
}

/// `{"message":"…"}`.
fn message<'a>(body: &Object<'a>) -> Option<Said<'a>> {
    let mut said = Said::new(Shape::Message).code(body.name("code")).message(Some(body.words("message")?));
    said.details = body.json("details");
    Some(said)
}

/// Lists of field errors stand beside the shapes (E8).
fn with_issues<'a>(mut said: Said<'a>, body: &Object<'a>) -> Said<'a> {
    if said.issues.is_none() {
        said.issues = issues::beside(body);
    }
    said
}
