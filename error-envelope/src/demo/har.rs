//! What the demo sent and received as a HAR 1.2 file, as a browser's network panel would have written it: bodies decoded, those that are no text in
//! base64.

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

/// Writes an entry for each answer; a request without one has none.
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
    let refused = |error| format!("--tour-har {}: {error}; name a file that can be written", file.display());
    Ok(std::fs::write(file, serde_json::to_string_pretty(&har)? + "\n").map_err(refused)?)
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
    let host = json!({ "name": "host", "value": address.to_string() });
    let (method, more, size) = match act.ask {
        DemoRequest::Get => ("GET", None, 0),
        DemoRequest::Head => ("HEAD", None, 0),
        DemoRequest::Upgrade => ("GET", Some(("upgrade", "echo".to_owned())), 0),
        DemoRequest::Declared(size) => ("POST", Some(("content-length", size.to_string())), size),
        DemoRequest::Chunked(size) => ("POST", Some(("transfer-encoding", "chunked".to_owned())), size),
    };
    let more = more.map(|(name, value)| json!({ "name": name, "value": value }));
    let headers: Vec<Value> = [host].into_iter().chain(more).collect();
    json!({
        "method": method,
        "url": format!("http://{address}{}", act.path),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers,
        "queryString": [],
        "headersSize": -1,
        "bodySize": size,
    })
}

fn response(got: &DemoResponse) -> Value {
    let headers: Vec<_> = got
        .headers
        .iter()
        .map(|(name, value)| json!({ "name": name.as_str(), "value": String::from_utf8_lossy(value.as_bytes()) }))
        .collect();
    let body = decoded(&got.headers, &got.body);
    let mut content = json!({ "size": body.len(), "mimeType": got.header("content-type") });
    match String::from_utf8(body) {
        Ok(text) => content["text"] = text.into(),
        Err(bytes) => {
            content["text"] = STANDARD.encode(bytes.as_bytes()).into();
            content["encoding"] = "base64".into();
        }
    }
    json!({
        "status": got.status.as_u16(),
        "statusText": got.status.canonical_reason().unwrap_or_default(),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers,
        "content": content,
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": got.body.len(),
    })
}

fn decoded(headers: &HeaderMap, body: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let is_gzip = headers.get("content-encoding").is_some_and(|coding| coding == "gzip");
    if is_gzip && GzDecoder::new(body).read_to_end(&mut plain).is_ok() { plain } else { body.to_vec() }
}
