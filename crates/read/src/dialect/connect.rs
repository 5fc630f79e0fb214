//! Connect's errors, as the JSON body of a unary response and at the end of a stream (P3).

use std::borrow::Cow;

use base64::Engine;
use serde_json::value::RawValue;

use super::grpc::{BASE64, ReportedStatus};
use super::json::{self, Object, Writer, list, quoted};
use super::rich::{self, PackedDetail, RpcDetails, RpcError};
use super::status::Status;
use crate::grpc_messages::END_STREAM;

/// The maximum number of bytes of details. With details of this length in base64, the body stays within the 64 KiB that
/// an outer layer reads by default (R4).
const MAX_DETAILS: usize = 40 * 1024;

/// Returns the body of a unary error.
pub fn unary_body(error: &RpcError<'_>) -> Vec<u8> {
    let json = Writer::new(512).text("code", error.status.connect_name()).text("message", error.message);
    match details(error) {
        Some(details) => json.raw("details", details),
        None => json,
    }
    .close()
}

/// Returns the envelope that ends a stream with an error. Clients add the metadata of the envelope to the metadata of
/// the head, so the envelope contains the code only if the head does not.
pub fn end_stream(error: &RpcError<'_>, with_code: bool) -> Vec<u8> {
    let mut json = Writer::new(512).raw("error", unary_body(error));
    if with_code {
        let metadata = Writer::new(64).raw("x-error-code", list([quoted(error.code)]));
        json = json.raw("metadata", metadata.close());
    }
    let json = json.close();
    let length = u32::try_from(json.len()).unwrap_or(u32::MAX);
    [&[END_STREAM][..], &length.to_be_bytes(), &json].concat()
}

/// Returns the text of an error with another id in its `RequestInfo`. The text is a unary body or the end of a stream.
/// Returns `None` if the text does not contain the old id.
pub fn with_other_id(text: &[u8], theirs: &str, ours: &str) -> Option<Vec<u8>> {
    let [theirs, ours] = [theirs, ours].map(|id| rich::request_info(id).map(|info| BASE64.encode(info)));
    let (theirs, ours) = theirs.zip(ours)?;
    rich::replaced(text, theirs.as_bytes(), ours.as_bytes())
}

fn details(error: &RpcError<'_>) -> Option<Vec<u8>> {
    let detail =
        |PackedDetail { name, value }| Writer::new(128).text("type", name).text("value", &BASE64.encode(value)).close();
    Some(list(error.details(MAX_DETAILS)?.into_iter().map(detail)))
}

/// Parses the body of a unary error. Returns `None` for the body of another protocol. Such a body has a field that no
/// Connect error has, or a code that is not one of Connect's names.
pub fn read(body: &[u8]) -> Option<ReportedStatus<'_>> {
    let error = Object::of_body(body)?;
    if error.members().any(|(name, _)| !matches!(name, "code" | "message" | "details")) {
        return None;
    }
    let status = Status::of_connect_name(&error.string("code")?)?;
    let text = error.raw("message").is_none_or(|message| json::string(message).is_some());
    let list = error.raw("details").is_none_or(|details| json::array(details.get()).is_some());
    if text && list { Some(reported_status(status, &error)) } else { None }
}

/// Parses the message that ends a stream. Returns `None` if the payload is another message. The inner option is `None`
/// if the stream ended without an error.
pub fn read_end_stream(payload: &[u8]) -> Option<Option<ReportedStatus<'_>>> {
    let message = Object::of_body(payload)?;
    let Some(error) = message.raw("error") else { return Some(None) };
    let error = Object::parse(error.get())?;
    // An error at the end of a stream is always Connect's. Clients read an undefined code as `unknown`.
    let status = Status::of_connect_name(&error.string("code")?).unwrap_or(Status::UNKNOWN);
    Some(Some(reported_status(status, &error)))
}

fn reported_status<'a>(status: Status, error: &Object<'a>) -> ReportedStatus<'a> {
    let message = error.string("message").unwrap_or(Cow::Borrowed(""));
    let details = error.raw("details").and_then(|details| json::array(details.get()));
    let rich = details.filter(|list| !list.is_empty()).map(|list| {
        let mut rich = RpcDetails::new(status, message.to_string());
        list.into_iter().for_each(|detail| add(&mut rich, detail));
        rich
    });
    ReportedStatus { status, message, rich }
}

/// Adds a detail to `rich`. A detail that cannot be read is left out.
fn add(rich: &mut RpcDetails, detail: &RawValue) {
    let Some(detail) = Object::parse(detail.get()) else { return };
    let value = detail.string("value").and_then(|value| BASE64.decode(&*value).ok());
    if let (Some(name), Some(value)) = (detail.string("type"), value) {
        rich.add(&name, &value);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn error() -> RpcError<'static> {
        RpcError {
            status: Status::NOT_FOUND,
            code: "gone",
            message: "No \"é\".",
            details: None,
            request_id: Some("r"),
            domain: "d",
            retry_after: None,
        }
    }

    #[test]
    fn p3_a_unary_error_is_compact_json() {
        assert_eq!(
            String::from_utf8(unary_body(&error())).unwrap(),
            r#"{"code":"not_found","message":"No \"é\".","details":[{"type":"google.rpc.ErrorInfo","value":"CgRHT05FEgFk"},{"type":"google.rpc.RequestInfo","value":"CgFy"}]}"#
        );
    }

    #[test]
    fn p3_details_stand_in_their_order() {
        let details = r#"{"issues":[{"path":["a"],"message":"m"}],"n":1}"#;
        let body =
            unary_body(&RpcError { details: Some(details), retry_after: Some(Duration::from_secs(30)), ..error() });
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let types: Vec<_> = body["details"].as_array().unwrap().iter().map(|it| it["type"].as_str().unwrap()).collect();
        assert_eq!(types, ["ErrorInfo", "RequestInfo", "RetryInfo", "BadRequest"].map(|it| format!("google.rpc.{it}")));
        assert_eq!(body["details"][2]["value"], "CgIIHg");
    }

    #[test]
    fn p3_the_end_of_a_stream_is_an_envelope() {
        let text = |with_code| String::from_utf8(end_stream(&error(), with_code)[5..].to_vec()).unwrap();
        assert!(text(false).ends_with("]}}"), "{}", text(false));
        let envelope = end_stream(&error(), true);
        assert_eq!((envelope[0], &envelope[1..5]), (2, &u32::try_from(envelope.len() - 5).unwrap().to_be_bytes()[..]));
        let text = str::from_utf8(&envelope[5..]).unwrap();
        assert!(text.starts_with(r#"{"error":{"code":"not_found","#), "{text}");
        assert!(text.ends_with(r#"]},"metadata":{"x-error-code":["gone"]}}"#), "{text}");
        let reported = read_end_stream(&envelope[5..]).unwrap().unwrap();
        assert_eq!((reported.status, &*reported.message), (Status::NOT_FOUND, "No \"é\"."));
        assert_eq!(reported.rich.unwrap().reason, "GONE");
    }

    #[test]
    fn r4_a_body_is_no_longer_than_another_layer_reads() {
        let issues = vec![r#"{"path":["some","field"],"message":"Wrong."}"#; 10_000].join(",");
        let body = unary_body(&RpcError { details: Some(&format!(r#"{{"issues":[{issues}]}}"#)), ..error() });
        assert!(body.len() < 64 * 1024, "{}", body.len());
        assert!(read(&body).unwrap().rich.unwrap().violations.len() > 1000);
    }

    #[test]
    fn p3_a_body_of_connects_is_told_from_others() {
        for (body, expected) in [
            (r#"{"code":"not_found"}"#, Some((5, ""))),
            (r#" {"message":"m","code":"canceled","details":[]} "#, Some((1, "m"))),
            (
                r#"{"code":"not_found","message":"m","details":[1,{"type":"x"},{"type":"google.rpc.ErrorInfo","value":"!"}]}"#,
                Some((5, "m")),
            ),
            (r#"{"code":"ok"}"#, None),
            (r#"{"code":"NOT_FOUND"}"#, None),
            (r#"{"code":5}"#, None),
            (r#"{"code":null}"#, None),
            (r#"{"code":"not_found","message":1}"#, None),
            (r#"{"code":"not_found","details":{}}"#, None),
            (r#"{"code":"not_found","request_id":"r"}"#, None),
            (r#"[{"code":"not_found"}]"#, None),
            ("{}", None),
            ("", None),
        ] {
            let reported =
                read(body.as_bytes()).map(|reported| (reported.status.number(), reported.message.into_owned()));
            assert_eq!(reported, expected.map(|(number, text): (u8, &str)| (number, text.to_owned())), "{body}");
        }
    }

    #[test]
    fn p3_the_end_of_a_stream_is_good_bad_or_nothing() {
        for (payload, expected) in [
            ("{}", Some(None)),
            (r#"{"metadata":{"a":["b"]}}"#, Some(None)),
            (r#"{"error":{"code":"unavailable"},"more":1}"#, Some(Some(14))),
            (r#"{"error":{"code":"strange","message":"m","more":1}}"#, Some(Some(2))),
            (r#"{"error":{}}"#, None),
            (r#"{"error":{"code":null}}"#, None),
            (r#"{"error":null}"#, None),
            ("", None),
        ] {
            let read =
                read_end_stream(payload.as_bytes()).map(|reported| reported.map(|reported| reported.status.number()));
            assert_eq!(read, expected, "{payload}");
        }
    }

    #[test]
    fn p3_details_are_read_with_padding_and_without() {
        for value in ["CgRHT05FEgJkYQ", "CgRHT05FEgJkYQ=="] {
            let body = format!(
                r#"{{"code":"aborted","details":[{{"type":"google.rpc.ErrorInfo","value":"{value}","debug":{{}}}}]}}"#
            );
            let rich = read(body.as_bytes()).unwrap().rich.unwrap();
            assert_eq!((&*rich.reason, &*rich.domain), ("GONE", "da"), "{value}");
        }
    }

    proptest::proptest! {
        #[test]
        fn p3_no_body_panics(body: Vec<u8>, text in "\\{\"(error|code|details)\":\\PC{0,40}\\}") {
            let _ = (read(&body), read_end_stream(&body));
            let _ = (read(text.as_bytes()), read_end_stream(text.as_bytes()));
        }

        #[test]
        fn p3_any_message_is_read_as_it_was_written(message in "\\PC{0,300}") {
            let body = unary_body(&RpcError { message: &message, ..error() });
            let reported = read(&body).unwrap();
            proptest::prop_assert_eq!(&*reported.message, &*message);
            proptest::prop_assert_eq!(&*reported.rich.unwrap().request_id, "r");
        }
    }
}
