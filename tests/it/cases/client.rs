//! Reads the layer's responses with the library's own client, in every case and for every driver.

use http::response::Parts;
use tower_error_envelope::client::{BufferedResponse, ClientError, ErrorReader};

use super::always::Seen;
use super::check::Problems;
use super::envelope;
use super::rpc::{self, Protocol};
use super::script::map_of;
use super::seen::End;
use super::value;

pub(super) fn check(seen: &Seen<'_>, problems: &mut Problems) {
    let Some(error) = read(seen) else { return problems.push(("C", "the client takes an error for none".into())) };
    let response = seen.response;
    if response.header("x-error-code").is_some_and(|code| *error.code() != *code) {
        problems.push(("C", format!("the client reads the code {}", error.code())));
    }
    if error.request_id() != response.header("x-request-id").as_deref() {
        problems.push(("C", format!("the client reads the id {:?}", error.request_id())));
    }
    if seen.case.request.method() == "HEAD" || response.end != End::Whole {
        return;
    }
    match Protocol::from_case(seen.case) {
        Some(protocol) => call(protocol, seen, &error, problems),
        None => plain(seen, &error, problems),
    }
}

fn read(seen: &Seen<'_>) -> Option<ClientError> {
    let response = seen.response;
    let mut head = http::Response::new(()).into_parts().0;
    head.status = http::StatusCode::from_u16(response.status).ok()?;
    head.headers = map_of(&response.headers);
    let trailers = map_of(&response.trailers);
    whole(&head, &response.body, &trailers)
}

fn whole(head: &Parts, body: &[u8], trailers: &http::HeaderMap) -> Option<ClientError> {
    // The limit leaves room for the longest messages and details of the cases, and for their base64.
    ErrorReader::new().limit(1 << 24).read_whole(BufferedResponse { head, body, trailers: Some(trailers) })
}

fn plain(seen: &Seen<'_>, error: &ClientError, problems: &mut Problems) {
    if error.status().as_u16() != seen.response.status {
        problems.push(("C", format!("the client reads the status {}", error.status())));
    }
    let Ok(envelope) = envelope::read(&seen.response.body) else { return text(seen, error, problems) };
    if error.message() != envelope.message {
        problems.push(("C", format!("the client reads the message {:?}", error.message())));
    }
    if error.details_json() != envelope.details.as_deref() {
        problems.push(("C", format!("the client reads the details {:?}", error.details_json())));
    }
    let details = envelope.details.as_deref();
    let listed = details.is_some_and(|it| value::json(it).is_ok()) && envelope::issues_wrong(details).is_none();
    if listed == error.issues().is_empty() {
        problems.push(("C", format!("the client reads the issues {:?}", error.issues())));
    }
}

/// Every dialect has the text in one of these places (R2), and each of them is JSON. Any other body was not written
/// here.
fn text(seen: &Seen<'_>, error: &ClientError, problems: &mut Problems) {
    let body = str::from_utf8(&seen.response.body).ok().and_then(|text| value::json(text).ok());
    let Some(body) = body else { return };
    // A client does not know the policy.
    let is_described = seen.case.policy.as_deref().is_some_and(|policy| policy.contains("[shape."));
    // A client also does not know every protocol that keeps its shape.
    let is_protocols = seen.case.rules.iter().any(|rule| rule == "R10");
    if error.shape().is_none() && !is_described && !is_protocols {
        return problems.push(("C", "the client reads nothing of the body".into()));
    }
    let places = ["/error/message", "/detail", "/message", "/error_description", "/error"];
    let reported = places.iter().find_map(|place| body.pointer(place)?.as_str());
    if reported.is_some_and(|reported| reported != error.message()) {
        problems.push(("C", format!("the client reads the message {:?} instead of {reported:?}", error.message())));
    }
}

fn call(protocol: Protocol, seen: &Seen<'_>, error: &ClientError, problems: &mut Problems) {
    let Ok(Some(reported)) = rpc::read(protocol, seen.response) else { return };
    if Some(error.message()) != reported.message.as_deref() {
        problems.push(("C", format!("the client reads the message {:?}", error.message())));
    }
    if error.grpc().is_none() {
        problems.push(("C", "the client reads no status of gRPC's".into()));
    }
    let has = |name: &str| reported.details.iter().any(|(have, _)| have == name);
    if has("google.rpc.BadRequest") && error.issues().is_empty() {
        problems.push(("C", "the client reads no issues".into()));
    }
    if has("google.rpc.RetryInfo") && error.retry_after().is_none() {
        problems.push(("C", "the client reads no wait".into()));
    }
    let info = reported.details.iter().find(|(have, _)| have == "google.rpc.ErrorInfo");
    let metadata = info.and_then(|(_, info)| info["metadata"].as_object()).filter(|metadata| !metadata.is_empty());
    let read = error.details_json().and_then(|details| value::json(details).ok());
    for (name, text) in metadata.into_iter().flatten() {
        if read.as_ref().and_then(|read| read.get(name)) != Some(text) {
            problems.push(("C", format!("the client reads {:?} without {name}", error.details_json())));
        }
    }
}
