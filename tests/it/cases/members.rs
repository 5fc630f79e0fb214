//! Checks the code, the message and the members of a body, in each shape.

use super::check::{Problems, allowed};
use super::envelope;
use super::format::{Case, Expect};
use super::rpc::{self, Protocol};
use super::seen::Response;
use super::value::{self, missing};

pub(super) fn code(expect: &Expect, response: &Response, problems: &mut Problems) {
    let Some(wanted) = &expect.code else { return };
    let have = response.lines("x-error-code");
    if have.len() != 1 || !allowed(wanted, &have[0]) {
        problems.push(("E4", format!("x-error-code {have:?} instead of {wanted:?}")));
    }
}

pub(super) fn message(case: &Case, expect: &Expect, kind: &str, response: &Response, problems: &mut Problems) {
    let silent = expect.message.is_none() && expect.message_has.is_empty() && expect.message_lacks.is_empty();
    if silent || case.request.method() == "HEAD" {
        return;
    }
    let Some(have) = message_of(case, kind, response) else {
        return problems.push(("R3", "no message where one is wanted".into()));
    };
    if expect.message.as_ref().is_some_and(|wanted| !allowed(wanted, &have)) {
        problems.push(("R3", format!("message {have:?} instead of {:?}", expect.message)));
    }
    for text in expect.message_has.iter().filter(|text| !have.contains(text.as_str())) {
        problems.push(("R3", format!("the message {have:?} has no {text:?}")));
    }
    for text in expect.message_lacks.iter().filter(|text| have.contains(text.as_str())) {
        problems.push(("R3", format!("the message {have:?} has {text:?}")));
    }
}

/// Returns the text of a body, from the place that its shape has for it.
fn message_of(case: &Case, kind: &str, response: &Response) -> Option<String> {
    if kind == "envelope" {
        return envelope::read(&response.body).ok().map(|envelope| envelope.message);
    }
    if let Some(protocol) = Protocol::from_case(case) {
        return rpc::read(protocol, response).ok()??.message;
    }
    let text = std::str::from_utf8(&response.body).ok()?;
    let between = |before, after| Some(text.split_once(before)?.1.split_once(after)?.0.to_owned());
    match response.header("content-type").as_deref() {
        Some("text/html; charset=utf-8") => return between("<p>", "</p>"),
        Some("text/markdown; charset=utf-8") => return between("# ", "\n"),
        _ => {}
    }
    let body = value::json(text).ok()?;
    let places: &[&str] = match kind {
        "problem" => &["/detail"],
        "success_flag" => &["/error"],
        _ => &["/error/message", "/message", "/detail", "/error"],
    };
    places.iter().find_map(|place| body.pointer(place)?.as_str().map(str::to_owned))
}

pub(super) fn members(expect: &Expect, response: &Response, problems: &mut Problems) {
    if expect.json.is_none() && expect.wire_code.is_none() {
        return;
    }
    let body = std::str::from_utf8(&response.body).ok().and_then(|text| value::json(text).ok());
    let Some(body) = body else { return problems.push(("R2", "the body is not JSON".into())) };
    if let Some(wanted) = &expect.json {
        let wanted = value::json(wanted).expect("the case's json is JSON");
        let id = response.header("x-request-id").unwrap_or_default();
        problems.extend(missing(&wanted, &body, &id, "").map(|what| ("R2", format!("in the body {what}"))));
    }
    if let Some(wanted) = &expect.wire_code {
        let places = ["/error/code", "/error/type", "/code"];
        let have = places.iter().find_map(|place| body.pointer(place)?.as_str());
        if have != Some(wanted.as_str()) {
            problems.push(("R12", format!("the dialect's code is {have:?} instead of {wanted:?}")));
        }
    }
}
