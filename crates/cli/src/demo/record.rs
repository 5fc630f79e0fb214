//! Writes the demo's exchanges for other programs: the responses as JSON lines, or all as a HAR 1.2 file, as a browser's network
//! panel writes it.
//!
//! The tests of the contract's exports read the lines: there a body is the received text, which the reader of the line
//! parses. A HAR has decoded bodies, binary ones in base64.

use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use http::HeaderMap;
use serde_json::{Value, json};
use tower::BoxError;

use super::acts::{DemoCase, DemoRequest};
use super::visit::DemoResponse;
use crate::report::json_text;

/// Writes a line for each response. A request without a response gets no line, and its row counts as wrong.
pub(super) fn record_lines<'a>(
    file: &Path,
    rows: impl Iterator<Item = (&'a DemoCase, &'a Result<DemoResponse, String>)>,
) -> Result<(), BoxError> {
    let lines: String = rows.filter_map(|(act, got)| Some(format!("{}\n", line(act, got.as_ref().ok()?)))).collect();
    write("--tour-json", file, &lines)
}

fn line(act: &DemoCase, got: &DemoResponse) -> Value {
    let headers: Vec<_> = got
        .headers
        .iter()
        .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
        .collect();
    let body = String::from_utf8_lossy(&got.body);
    json!({ "name": act.path, "status": got.status.as_u16(), "headers": headers, "body": body })
}

/// Writes an entry for each response. A request without a response gets no entry.
pub(super) fn record_har<'a>(
    file: &Path,
    address: SocketAddr,
    rows: impl Iterator<Item = (&'a DemoCase, &'a Result<DemoResponse, String>)>,
) -> Result<(), BoxError> {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let entries: Vec<Value> =
        rows.filter_map(|(act, got)| Some(entry(act, got.as_ref().ok()?, address, &now))).collect();
    let creator = json!({ "name": "error-envelope demo", "version": env!("CARGO_PKG_VERSION") });
    let har = json!({ "log": { "version": "1.2", "creator": creator, "entries": entries } });
    write("--tour-har", file, &json_text(&har))
}

fn write(flag: &str, file: &Path, text: &str) -> Result<(), BoxError> {
    let refused = |error| format!("{flag} {}: {error}; name a file that can be written", file.display());
    Ok(std::fs::write(file, text).map_err(refused)?)
}

fn entry(act: &DemoCase, got: &DemoResponse, address: SocketAddr, now: &str) -> Value {
    json!({
        "startedDateTime": now,
        "time": 0,
        "request": request(act, address),
        "response": response(got),
        "cache": {},
        "timings": { "send": 0, "wait": 0, "receive": 0 },
    })
}

fn request(act: &DemoCase, address: SocketAddr) -> Value {
    let (method, more, size) = head_of(&act.request);
    let headers = [("host", address.to_string())].into_iter().chain(more);
    json!({
        "method": method,
        "url": format!("http://{address}{}", act.path),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers.map(|(name, value)| header(name, &value)).collect::<Vec<_>>(),
        "queryString": [],
        "headersSize": -1,
        "bodySize": size,
    })
}

/// The method of a request, the header that the demo adds, and the length of the body.
fn head_of(request: &DemoRequest) -> (&'static str, Option<(&'static str, String)>, usize) {
    match *request {
        DemoRequest::Get => ("GET", None, 0),
        DemoRequest::Head => ("HEAD", None, 0),
        DemoRequest::Upgrade => ("GET", Some(("upgrade", "websocket".to_owned())), 0),
        DemoRequest::Declared(size) => ("POST", Some(("content-length", size.to_string())), size),
        DemoRequest::Chunked(size) => ("POST", Some(("transfer-encoding", "chunked".to_owned())), size),
    }
}

fn response(got: &DemoResponse) -> Value {
    let headers = got.headers.iter();
    let headers = headers.map(|(name, value)| header(name.as_str(), &String::from_utf8_lossy(value.as_bytes())));
    json!({
        "status": got.status.as_u16(),
        "statusText": got.status.canonical_reason().unwrap_or_default(),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers.collect::<Vec<_>>(),
        "content": content(got),
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": got.body.len(),
    })
}

fn header(name: &str, value: &str) -> Value {
    json!({ "name": name, "value": value })
}

fn content(got: &DemoResponse) -> Value {
    let body = decoded(&got.headers, &got.body);
    let (size, kind) = (body.len(), got.header("content-type"));
    match String::from_utf8(body) {
        Ok(text) => json!({ "size": size, "mimeType": kind, "text": text }),
        Err(bytes) => {
            let text = STANDARD.encode(bytes.as_bytes());
            json!({ "size": size, "mimeType": kind, "text": text, "encoding": "base64" })
        }
    }
}

fn decoded(headers: &HeaderMap, body: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let is_gzip = headers.get("content-encoding").is_some_and(|coding| coding == "gzip");
    if is_gzip && GzDecoder::new(body).read_to_end(&mut plain).is_ok() { plain } else { body.to_vec() }
}
