//! Checks what a case states about a status and the messages before it.

use super::super::check::{Problems, header};
use super::super::format::{Case, Expect};
use super::super::seen::{Response, lines};
use super::super::value::{self, missing};
use super::super::wire::Headers;
use super::details::{self, Detail};
use super::protocol::Protocol;
use super::reported::{self, Place, ReportedStatus};

pub(in super::super) fn check(case: &Case, expect: &Expect, response: &Response, problems: &mut Problems) {
    details_bin(expect, response, problems);
    fields(&expect.trailers, &response.trailers, response, "trailer", problems);
    if let Some(wanted) = &expect.messages {
        messages(wanted, response, problems);
    }
    let asks = expect.rpc_code.is_some() || expect.rpc_at.is_some() || !expect.rpc_details.is_empty();
    if !asks && expect.trailer_frame.is_empty() && expect.end_stream.is_none() {
        return;
    }
    let protocol =
        Protocol::from_case(case).unwrap_or_else(|| panic!("{}: the request speaks no RPC protocol", case.name));
    match reported::read(protocol, response) {
        Ok(Some(reported)) => status(expect, &reported, response, problems),
        Ok(None) => problems.push(("P", "there is no status".into())),
        Err(why) => problems.push(("P", why)),
    }
}

fn status(expect: &Expect, reported: &ReportedStatus, response: &Response, problems: &mut Problems) {
    if expect.rpc_code.as_ref().is_some_and(|wanted| !wanted.all().contains(&reported.name)) {
        problems.push(("P", format!("the code is {:?} instead of {:?}", reported.name, expect.rpc_code)));
    }
    if expect.rpc_at.is_some_and(|wanted| wanted != reported.place) {
        problems.push(("P", format!("the status is in {:?} instead of {:?}", reported.place, expect.rpc_at)));
    }
    let id = response.header("x-request-id").unwrap_or_default();
    for (name, wanted) in &expect.rpc_details {
        detail(name, wanted, &reported.details, &id, problems);
    }
    if !expect.trailer_frame.is_empty() {
        let have = if reported.place == Place::TrailerFrame { reported.fields.clone() } else { Headers::new() };
        fields(&expect.trailer_frame, &have, response, "in the trailer frame", problems);
    }
    if let Some(wanted) = &expect.end_stream {
        let wanted = value::json(wanted).expect("the case's end_stream is JSON");
        let at = reported.place == Place::EndStream;
        let what = if at { missing(&wanted, &reported.json, &id, "") } else { Some("it is not there".into()) };
        problems.extend(what.map(|what| ("P3", format!("in the end-stream message {what}"))));
    }
}

fn detail(name: &str, wanted: &toml::Value, have: &[Detail], id: &str, problems: &mut Problems) {
    let same = || have.iter().filter(|(have, _)| have == name);
    if wanted.as_str() == Some("absent") {
        return problems.extend(same().map(|(_, value)| ("P1", format!("there is a {name}: {value}"))));
    }
    let wanted = serde_json::to_value(wanted).expect("a table is JSON");
    let wrong: Vec<_> = same().map(|(_, value)| missing(&wanted, value, id, name)).collect();
    if wrong.is_empty() {
        problems.push(("P1", format!("there is no {name}")));
    } else if wrong.iter().all(Option::is_some) {
        problems.push(("P1", format!("in the details {:?}", wrong)));
    }
}

fn fields(
    wanted: &std::collections::BTreeMap<String, String>,
    have: &Headers,
    response: &Response,
    what: &str,
    problems: &mut Problems,
) {
    let id = response.header("x-request-id").unwrap_or_default();
    for (name, wanted) in wanted {
        header(name, wanted, &lines(have, &name.to_ascii_lowercase()), &id, what, problems);
    }
}

/// Checks the complete messages, without the one that ends the stream in the body.
fn messages(wanted: &[String], response: &Response, problems: &mut Problems) {
    let Some(read) = reported::messages(response) else { return problems.push(("P2", "the body is no base64".into())) };
    let have = read.whole.iter().filter(|(flags, _)| flags & !1 == 0);
    let have: Vec<_> = have.map(|(_, data)| String::from_utf8_lossy(data)).collect();
    if have != *wanted {
        problems.push(("F4", format!("messages {have:?} instead of {wanted:?}")));
    }
}

fn details_bin(expect: &Expect, response: &Response, problems: &mut Problems) {
    if expect.details_bin_has.is_empty() {
        return;
    }
    let value = response.header("grpc-status-details-bin").unwrap_or_default();
    let raw = details::of_header(&value).map(|status| status.raw).unwrap_or_default();
    let text = String::from_utf8_lossy(&raw);
    let id = response.header("x-request-id").unwrap_or_default();
    for wanted in expect.details_bin_has.iter().filter(|wanted| !text.contains(&value::with_id(wanted, &id))) {
        problems.push(("P1", format!("grpc-status-details-bin has no {wanted:?}: {text:?}")));
    }
}
