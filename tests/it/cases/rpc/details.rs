//! Reads the details of a status: `google.rpc` messages as JSON, from `grpc-status-details-bin` or from Connect's JSON.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Value, json};

use super::proto::{self, Field, all, fields, number, text};

/// Peers send binary metadata with or without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A detail's type without its host, and its fields.
pub(in super::super) type Detail = (String, Value);

/// A `google.rpc.Status`.
#[derive(Debug)]
pub(in super::super) struct Status {
    pub(in super::super) code: u64,
    pub(in super::super) message: String,
    pub(in super::super) details: Vec<Detail>,
    pub(in super::super) raw: Vec<u8>,
}

/// Reads `grpc-status-details-bin`.
pub(in super::super) fn of_header(value: &str) -> Result<Status, String> {
    let raw = undone(value).ok_or("grpc-status-details-bin is no base64")?;
    let status = fields(&raw).ok_or("grpc-status-details-bin is no message")?;
    let message = text(&status, 2).ok_or("the message in grpc-status-details-bin is not UTF-8")?;
    let details = all(&status, 3).map(|any| of_any(any).ok_or("a detail is no Any")).collect::<Result<_, _>>()?;
    Ok(Status { code: number(&status, 1), message, details, raw })
}

/// Reads `[{"type":"google.rpc.ErrorInfo","value":"…"}]`, with values that are not padded.
pub(in super::super) fn of_connect(details: &Value) -> Result<Vec<Detail>, String> {
    let list = details.as_array().ok_or("`details` is no list")?;
    list.iter().map(|detail| one_of_connect(detail).ok_or_else(|| format!("{detail} is no detail"))).collect()
}

fn one_of_connect(detail: &Value) -> Option<Detail> {
    let (name, value) = (detail.get("type")?.as_str()?, detail.get("value")?.as_str()?);
    let known = ["type", "value", "debug"];
    let fits = detail.as_object()?.keys().all(|key| known.contains(&key.as_str())) && !name.contains('/');
    decoded(name, &undone(value)?).filter(|_| fits && !value.ends_with('='))
}

fn undone(value: &str) -> Option<Vec<u8>> {
    LENIENT.decode(value).ok()
}

fn of_any(any: &[u8]) -> Option<Detail> {
    let any = fields(any)?;
    let url = text(&any, 1)?;
    let (_, name) = url.rsplit_once('/')?;
    decoded(name, all(&any, 2).last().unwrap_or_default())
}

/// Decodes a detail, or returns `None` if a type that is known here does not parse.
fn decoded(name: &str, bytes: &[u8]) -> Option<Detail> {
    let message = fields(bytes)?;
    let value = match name {
        "google.rpc.ErrorInfo" => error_info(&message)?,
        "google.rpc.RequestInfo" => json!({ "request_id": text(&message, 1)?, "serving_data": text(&message, 2)? }),
        "google.rpc.RetryInfo" => json!({ "retry_delay": duration(all(&message, 1).last()?)? }),
        "google.rpc.BadRequest" => {
            let violations = all(&message, 1).map(violation).collect::<Option<Vec<_>>>()?;
            json!({ "field_violations": violations })
        }
        _ => json!(LENIENT.encode(bytes)),
    };
    Some((name.to_owned(), value))
}

fn error_info(message: &[Field]) -> Option<Value> {
    let entry = |entry| {
        let entry = fields(entry)?;
        Some((text(&entry, 1)?, Value::from(text(&entry, 2)?)))
    };
    let metadata = all(message, 3).map(entry).collect::<Option<serde_json::Map<_, _>>>()?;
    Some(json!({ "reason": text(message, 1)?, "domain": text(message, 2)?, "metadata": metadata }))
}

fn violation(bytes: &[u8]) -> Option<Value> {
    let message = proto::fields(bytes)?;
    Some(json!({ "field": text(&message, 1)?, "description": text(&message, 2)?, "reason": text(&message, 3)? }))
}

/// Writes a duration as protobuf's JSON does: the seconds, a fraction if there is one, and `s`.
fn duration(bytes: &[u8]) -> Option<String> {
    let message = fields(bytes)?;
    let (seconds, nanos) = (number(&message, 1).cast_signed(), number(&message, 2));
    let fraction = if nanos == 0 { String::new() } else { format!(".{nanos:09}") };
    (seconds >= 0 && nanos < 1_000_000_000).then(|| format!("{seconds}{fraction}s"))
}
