//! The foreign shapes of rule R2, read.
//!
//! The first shape that fits, from the most telling to the least: a success flag, an error object (with meta, with a
//! status, Google's, JSON-RPC's where it is rewritten), RFC 9457, FastAPI, Spring, a list of field errors, and last
//! `{"error":"…"}` and `{"message":"…"}`.

use std::borrow::Cow;

use super::json::{self, Object, push_string};
use super::{Dialect, Said, issues};

/// What a JSON object says; `None` where it has no known shape.
pub(crate) fn read<'a>(media_type: Option<&str>, body: &Object<'a>) -> Option<Said<'a>> {
    success_flag(body)
        .or_else(|| error_object(body))
        .or_else(|| problem(media_type, body))
        .or_else(|| fastapi(body))
        .or_else(|| spring(body))
        .or_else(|| oauth(body))
        .or_else(|| error_text(body))
        .or_else(|| message(body))
        .map(|said| with_issues(said, body))
}

/// `{"success":false,"error":"…"}`: further members are the details.
fn success_flag<'a>(body: &Object<'a>) -> Option<Said<'a>> {
    if body.raw("success")?.get() != "false" {
        return None;
    }
    let error = body.string("error")?;
    let mut said = Said::new(Dialect::SuccessFlag).message(Some(error));
    said.details = further_members(body);
    Some(said)
}

fn further_members<'a>(body: &Object<'a>) -> Option<Cow<'a, str>> {
    let mut details = vec![b'{'];
    for (name, value) in body.members().filter(|(name, _)| !matches!(*name, "success" | "error")) {
        if details.len() > 1 {
            details.push(b',');
        }
        push_string(&mut details, name);
        details.push(b':');
        details.extend_from_slice(value.get().as_bytes());
    }
    details.push(b'}');
    if details.len() > 2 { String::from_utf8(details).ok().map(Cow::Owned) } else { None }
}

/// `{"error":{…}}` in its several forms.
fn error_object<'a>(body: &Object<'a>) -> Option<Said<'a>> {
    let error = body.object("error")?;
    let number = error.raw("code").filter(|code| json::is_number(code));
    let status = error.raw("status").filter(|status| json::is_number(status));
    let google = error.string("status").filter(|_| number.is_some());
    let dialect = match () {
        () if google.is_some() => Dialect::Google,
        () if body.object("meta").is_some() => Dialect::ErrorWithMeta,
        () if status.is_some() => Dialect::StatusInError,
        () => Dialect::ErrorObject,
    };
    let code = google.or_else(|| error.words("code")).or_else(|| number.map(|number| Cow::Borrowed(number.get())));
    let mut said = Said::new(dialect).code(code).message(error.words("message"));
    said.details = error.json("details").or_else(|| error.json("data").filter(|_| body.has("jsonrpc")));
    said.issues = error.raw("errors").and_then(issues::read);
    Some(said)
}

/// RFC 9457 by its media type, or by its members where the type is lost.
fn problem<'a>(media_type: Option<&str>, body: &Object<'a>) -> Option<Said<'a>> {
    let typed = media_type.is_some_and(|it| it.eq_ignore_ascii_case("application/problem+json"));
    let shaped = body.string("title").is_some() && ["type", "status", "detail"].into_iter().any(|name| body.has(name));
    if !typed && !shaped {
        return None;
    }
    let message = body.words("detail").or_else(|| body.words("title"));
    let mut said = Said::new(Dialect::Problem).code(body.words("code")).message(message);
    said.details = body.json("details");
    Some(said)
}

/// `{"detail":…}`: a text, a list of field errors, or an object that a handler gave to `HTTPException`.
fn fastapi<'a>(body: &Object<'a>) -> Option<Said<'a>> {
    let detail = body.raw("detail")?;
    let mut said = Said::new(Dialect::FastApi);
    if let Some(text) = json::string(detail) {
        return Some(said.message(Some(text)));
    }
    if let Some(object) = Object::parse(detail.get()) {
        said = said.code(object.words("code")).message(object.words("message"));
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
    Some(Said::new(Dialect::Spring).message(body.words("message").or(Some(error))))
}

/// An OAuth error where `protocols = "rewrite"` (R10): its `error` is a code, its description the text.
fn oauth<'a>(body: &Object<'a>) -> Option<Said<'a>> {
    let description = body.words("error_description")?;
    super::protocol::of(body)?;
    Some(Said::new(Dialect::ErrorText).code(body.words("error")).message(Some(description)))
}

/// `{"error":"…"}`, whose text is a code where a `message` stands beside it and it is not the status's phrase.
fn error_text<'a>(body: &Object<'a>) -> Option<Said<'a>> {
    let error = body.words("error")?;
    let said = Said::new(Dialect::ErrorText).code(body.words("code"));
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

/// `{"message":"…"}`, or nothing but a list of field errors.
fn message<'a>(body: &Object<'a>) -> Option<Said<'a>> {
    let message = body.words("message");
    let listed = ["errors", "issues"].into_iter().any(|name| body.raw(name).and_then(issues::read).is_some());
    if message.is_none() && !listed {
        return None;
    }
    let dialect = if listed { Dialect::StatusInError } else { Dialect::Message };
    let mut said = Said::new(dialect).code(body.words("code")).message(message);
    said.details = body.json("details");
    Some(said)
}

/// Lists of field errors stand beside the shapes: `errors` of Laravel and ASP.NET, `issues` of Zod (E8).
fn with_issues<'a>(mut said: Said<'a>, body: &Object<'a>) -> Said<'a> {
    if said.issues.is_none() {
        said.issues = ["errors", "issues"].into_iter().find_map(|name| body.raw(name).and_then(issues::read));
    }
    said
}
