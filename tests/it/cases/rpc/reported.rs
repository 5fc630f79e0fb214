//! Reads the status that ends a response, from each place that a protocol has for it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::super::framed;
use super::super::seen::{End, Response, lines};
use super::super::value;
use super::super::wire::Headers;
use super::details::{self, Detail, Status};
use super::protocol::{self, Protocol};

/// The place of the status in the response.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Place {
    Head,
    Trailers,
    /// gRPC-Web's trailer frame.
    TrailerFrame,
    /// Connect's JSON.
    Body,
    /// Connect's last message.
    EndStream,
}

#[derive(Debug)]
pub(in super::super) struct ReportedStatus {
    pub(in super::super) place: Place,
    /// The code as Connect names it.
    pub(in super::super) name: String,
    pub(in super::super) message: Option<String>,
    pub(in super::super) details: Vec<Detail>,
    /// The content of `grpc-status-details-bin`, and then the fields around it.
    pub(in super::super) status: Option<Status>,
    pub(in super::super) fields: Headers,
    /// The whole JSON of Connect's body or last message.
    pub(in super::super) json: Value,
}

/// Reads the status, or returns `None` if there is none. A malformed status is an error.
pub(in super::super) fn read(protocol: Protocol, response: &Response) -> Result<Option<ReportedStatus>, String> {
    let in_head = !response.lines("grpc-status").is_empty();
    match protocol {
        Protocol::Grpc | Protocol::Web if in_head => of_fields(Place::Head, &response.headers).map(Some),
        Protocol::Grpc if lines(&response.trailers, "grpc-status").is_empty() => Ok(None),
        Protocol::Grpc => of_fields(Place::Trailers, &response.trailers).map(Some),
        Protocol::Web => match trailer_frame(response)? {
            Some(fields) => of_fields(Place::TrailerFrame, &fields).map(Some),
            None => Ok(None),
        },
        Protocol::Unary if response.status == 200 => Ok(None),
        Protocol::Unary => of_error(Place::Body, json(&response.body)?).map(Some),
        Protocol::Stream => match end_stream(response)? {
            Some(json) => of_end(json).map(Some),
            None => Ok(None),
        },
    }
}

/// Returns the messages of a body with gRPC-Web's text decoded, or `None` if it is no base64.
pub(in super::super) fn messages(response: &Response) -> Option<framed::Read> {
    let media_type = response.header("content-type").unwrap_or_default();
    match media_type.starts_with("application/grpc-web-text") {
        true => framed::untexted(&response.body).map(|bytes| framed::read(&bytes)),
        false => Some(framed::read(&response.body)),
    }
}

fn of_fields(place: Place, fields: &Headers) -> Result<ReportedStatus, String> {
    let one = |name: &str| match &lines(fields, name)[..] {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        more => Err(format!("{name} is there more than once: {more:?}")),
    };
    let number = one("grpc-status")?.unwrap_or_default();
    let name = protocol::name_of(&number).ok_or_else(|| format!("grpc-status is {number:?}"))?;
    let message = one("grpc-message")?.map(|text| percent_decoded(&text)).transpose()?;
    let status = one("grpc-status-details-bin")?.map(|value| details::of_header(&value)).transpose()?;
    let details = status.as_ref().map(|status| status.details.clone()).unwrap_or_default();
    Ok(ReportedStatus {
        place,
        name: name.to_owned(),
        message,
        details,
        status,
        fields: fields.clone(),
        json: Value::Null,
    })
}

/// Decodes gRPC's percent-encoding. An unencoded byte may be any byte except a stray `%`.
fn percent_decoded(text: &str) -> Result<String, String> {
    let stray = value::matches("(?s).*%(?![0-9A-Fa-f]{2}).*", text);
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(text).collect();
    match String::from_utf8(bytes) {
        Ok(text) if !stray => Ok(text),
        _ => Err(format!("grpc-message {text:?} is not percent-encoded UTF-8")),
    }
}

fn trailer_frame(response: &Response) -> Result<Option<Headers>, String> {
    let read = messages(response).ok_or("the body is no base64")?;
    let Some(at) = read.whole.iter().position(|(flags, _)| flags & 0x80 != 0) else { return Ok(None) };
    if at + 1 < read.whole.len() || read.rest > 0 {
        return Err("there are bytes behind the trailer frame".into());
    }
    let (flags, block) = &read.whole[at];
    let text = std::str::from_utf8(block).ok().filter(|_| *flags == 0x80).ok_or("the trailer frame is no text")?;
    let field = |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().into()));
    let fields = text.split_terminator("\r\n").map(field).collect::<Option<Headers>>();
    let proper = |fields: &Headers| fields.iter().all(|(name, _)| *name == name.to_ascii_lowercase());
    fields.filter(|fields| proper(fields) && text.ends_with("\r\n")).map(Some).ok_or(format!("trailer frame {text:?}"))
}

fn end_stream(response: &Response) -> Result<Option<Value>, String> {
    let read = messages(response).unwrap_or_default();
    let Some(at) = read.whole.iter().position(|(flags, _)| flags & 2 != 0) else { return Ok(None) };
    if at + 1 < read.whole.len() || read.rest > 0 || response.end != End::Whole {
        return Err("the end-stream message is not the last of the body".into());
    }
    json(&read.whole[at].1).map(Some)
}

fn json(bytes: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    value::json(text).map_err(|error| format!("{text:?}: {error}"))
}

fn of_end(json: Value) -> Result<ReportedStatus, String> {
    only(&json, &["error", "metadata"])?;
    let error = json.get("error").cloned().unwrap_or_else(|| serde_json::json!({ "code": "ok" }));
    of_error(Place::EndStream, error).map(|reported| ReportedStatus { json, ..reported })
}

fn of_error(place: Place, json: Value) -> Result<ReportedStatus, String> {
    only(&json, &["code", "message", "details"])?;
    let name = json.get("code").and_then(Value::as_str).ok_or_else(|| format!("{json} has no code"))?;
    let message = json.get("message").map(|text| text.as_str().map(str::to_owned).ok_or("`message` is no text"));
    let details = json.get("details").map(details::of_connect).transpose()?.unwrap_or_default();
    let (name, message) = (name.to_owned(), message.transpose()?);
    Ok(ReportedStatus { place, name, message, details, status: None, fields: Headers::new(), json })
}

fn only(json: &Value, known: &[&str]) -> Result<(), String> {
    let members = json.as_object().ok_or_else(|| format!("{json} is no object"))?;
    let unknown: BTreeMap<_, _> = members.iter().filter(|(key, _)| !known.contains(&key.as_str())).collect();
    if unknown.is_empty() { Ok(()) } else { Err(format!("unknown members: {unknown:?}")) }
}
