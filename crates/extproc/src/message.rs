//! Builds the messages for Envoy, and reads the lines in messages from Envoy.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use error_envelope_core::request_id::RequestId;
use error_envelope_core::session::RequestRecord;
use error_envelope_runtime::envoy::{HeaderLines, changed_status, error_fields, grpc_status, mutations};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Response, request, response};

use crate::mode::Mode;
use crate::proto::body_mutation::Mutation;
use crate::proto::header_value_option::HeaderAppendAction;
use crate::proto::processing_response::Response as Verdict;
use crate::proto::value::Kind;
use crate::proto::{
    BodyMutation, BodyResponse, BoolValue, CommonResponse, Duration as EnvoyDuration, GrpcStatus,
    HeaderMap as EnvoyHeaders, HeaderMutation, HeaderValue as EnvoyLine, HeaderValueOption, HeadersResponse,
    HttpStatus, ImmediateResponse, ProcessingResponse, Struct, TrailersResponse, Value,
};

/// The key of the filter's attributes in a message, and the namespace of the metadata that the processor writes.
const FILTER: &str = "envoy.filters.http.ext_proc";
const METADATA: &str = "error_envelope";

/// The lines of a head as Envoy sends them.
#[derive(Clone, Copy)]
pub(crate) struct Lines<'l>(&'l [EnvoyLine]);

impl<'l> Lines<'l> {
    pub(crate) fn new(headers: Option<&'l EnvoyHeaders>) -> Self {
        Self(headers.map_or(&[], |headers| &headers.headers))
    }
}

impl<'l> HeaderLines<'l> for Lines<'l> {
    fn count(self) -> usize {
        self.0.len()
    }

    fn iter(self) -> impl Iterator<Item = (&'l [u8], &'l [u8])> + Clone {
        // Envoy sets only one of the two fields.
        let value =
            |line: &'l EnvoyLine| if line.raw_value.is_empty() { line.value.as_bytes() } else { &line.raw_value };
        self.0.iter().map(move |line| (line.key.as_bytes(), value(line)))
    }
}

/// Returns the value of a request attribute, or `None` if Envoy sent no text for it. The filter's configuration lists
/// the attributes to send.
pub(crate) fn attribute<'a>(attributes: &'a HashMap<String, Struct>, name: &str) -> Option<&'a str> {
    match attributes.get(FILTER)?.fields.get(name)?.kind.as_ref()? {
        Kind::StringValue(text) => Some(text),
        _ => None,
    }
}

/// Returns the changes that turn these header lines into the headers `after`.
pub(crate) fn changes(lines: Lines<'_>, after: &HeaderMap) -> HeaderMutation {
    let mut mutation = HeaderMutation::default();
    for changed in mutations(lines, after) {
        set(&mut mutation, &changed.name, changed.values());
    }
    mutation
}

/// Returns the [`changes`] of a response head, with its status.
pub(crate) fn response_changes(lines: Lines<'_>, after: &response::Parts) -> HeaderMutation {
    let mut mutation = changes(lines, &after.headers);
    if let Some(status) = changed_status(lines, after) {
        mutation.set_headers.push(line(":status", status.as_str().as_bytes(), true));
    }
    mutation
}

/// Sets the request id, and changes nothing else.
pub(crate) fn only_request_id(id: &[u8]) -> HeaderMutation {
    HeaderMutation { set_headers: vec![line("x-request-id", id, true)], ..HeaderMutation::default() }
}

/// Replaces the lines of this name. Without values, the lines are removed.
fn set<'v>(mutation: &mut HeaderMutation, name: &HeaderName, values: impl Iterator<Item = &'v HeaderValue>) {
    let mut values = values.enumerate().peekable();
    if values.peek().is_none() {
        mutation.remove_headers.push(name.as_str().to_owned());
    }
    mutation.set_headers.extend(values.map(|(index, value)| line(name.as_str(), value.as_bytes(), index == 0)));
}

/// Returns a header line for Envoy. The line replaces the existing lines of its name, or is added to them. A line is
/// added with the deprecated field `append`. The action APPEND_IF_EXISTS_OR_ADD is a default value, which is not
/// written on the wire. With this action alone, Envoy would replace the existing line.
fn line(name: &str, value: &[u8], replaces: bool) -> HeaderValueOption {
    // Envoy ignores `value` if `raw_value` is set, and sends an empty line if only `value` is set.
    let header = EnvoyLine { key: name.to_owned(), value: String::new(), raw_value: value.to_vec() };
    HeaderValueOption {
        header: Some(header),
        append: (!replaces).then_some(BoolValue { value: true }),
        append_action: if replaces { HeaderAppendAction::OverwriteIfExistsOrAdd.into() } else { 0 },
        keep_empty_value: value.is_empty(),
    }
}

/// Lets the request head pass with these changes. `mode` sets which messages Envoy sends next.
pub(crate) fn request_head(changes: HeaderMutation, mode: Mode) -> ProcessingResponse {
    let verdict = Verdict::RequestHeaders(HeadersResponse { response: Some(common(changes)) });
    ProcessingResponse { mode_override: Some(mode.message()), ..message(verdict) }
}

/// Lets the response head pass with these changes. If the body is buffered in this `mode`, Envoy holds the head back
/// until it has the body.
pub(crate) fn response_head(changes: HeaderMutation, mode: Option<Mode>) -> ProcessingResponse {
    let verdict = Verdict::ResponseHeaders(HeadersResponse { response: Some(common(changes)) });
    ProcessingResponse { mode_override: mode.map(Mode::message), ..message(verdict) }
}

/// Lets the response head pass with these changes, and leaves the mode unchanged.
pub(crate) fn passed_head(changes: HeaderMutation) -> ProcessingResponse {
    response_head(changes, None)
}

/// Makes Envoy wait this long for the next reply, instead of its own time limit.
pub(crate) fn wait_for(time: Duration) -> ProcessingResponse {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let time = EnvoyDuration { seconds, nanos: time.subsec_nanos().cast_signed() };
    ProcessingResponse { override_message_timeout: Some(time), ..ProcessingResponse::default() }
}

/// Lets a piece of the request body pass.
pub(crate) fn request_body() -> ProcessingResponse {
    message(Verdict::RequestBody(BodyResponse::default()))
}

pub(crate) fn request_trailers(changes: HeaderMutation) -> ProcessingResponse {
    message(Verdict::RequestTrailers(TrailersResponse { header_mutation: Some(changes) }))
}

/// Lets a piece of the response body pass, or replaces it with these bytes.
pub(crate) fn response_body(data: Option<Bytes>) -> ProcessingResponse {
    let replaced = data.map(|data| BodyMutation { mutation: Some(Mutation::Body(data.to_vec())) });
    let common = CommonResponse { body_mutation: replaced, ..CommonResponse::default() };
    message(Verdict::ResponseBody(BodyResponse { response: Some(common) }))
}

/// Lets a buffered response pass with these changes of its head.
pub(crate) fn buffered_response(changes: HeaderMutation) -> ProcessingResponse {
    message(Verdict::ResponseBody(BodyResponse { response: Some(common(changes)) }))
}

pub(crate) fn response_trailers(changes: HeaderMutation) -> ProcessingResponse {
    message(Verdict::ResponseTrailers(TrailersResponse { header_mutation: Some(changes) }))
}

/// Returns the message that makes Envoy send this reply instead of the service's response.
pub(crate) fn immediate(reply: Response<Bytes>, code: &str, request: &request::Parts) -> ProcessingResponse {
    let (head, body) = reply.into_parts();
    let mut changes = HeaderMutation::default();
    // Envoy itself sets the headers that frame the reply.
    for name in head.headers.keys().filter(|name| **name != CONTENT_LENGTH) {
        set(&mut changes, name, head.headers.get_all(name).iter());
    }
    let status = grpc_status(&head.headers).filter(|_| is_grpc(&request.headers));
    let body = match status {
        Some(_) => grpc_message(&head.headers),
        None if request.method == Method::HEAD => unsent_body(&head.headers),
        None => body.to_vec(),
    };
    message(Verdict::ImmediateResponse(ImmediateResponse {
        status: Some(HttpStatus { code: i32::from(head.status.as_u16()) }),
        headers: Some(changes),
        body,
        grpc_status: status.map(|status| GrpcStatus { status }),
        // Envoy's log shows these details. For other replies, the log shows Envoy's own details.
        details: format!("tee_{code}"),
    }))
}

/// Returns a body of the declared length for a reply to HEAD. Envoy takes the length from the body, but does not send
/// the body (E5).
fn unsent_body(headers: &HeaderMap) -> Vec<u8> {
    const MOST: u32 = 1024 * 1024;

    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u32>().ok());
    vec![b' '; length.unwrap_or(0).min(MOST) as usize]
}

/// Returns the decoded message of a gRPC reply, because Envoy itself encodes it.
fn grpc_message(headers: &HeaderMap) -> Vec<u8> {
    let text = headers.get("grpc-message").map_or(&b""[..], HeaderValue::as_bytes);
    percent_encoding::percent_decode(text).collect()
}

/// Returns true if Envoy treats a request as gRPC. Envoy treats a content type in capitals, with a parameter, or of
/// gRPC-Web as plain HTTP.
fn is_grpc(headers: &HeaderMap) -> bool {
    let rest = headers.get(CONTENT_TYPE).and_then(|value| value.as_bytes().strip_prefix(b"application/grpc"));
    rest.is_some_and(|rest| matches!(rest, [] | [b'+', ..]))
}

/// Adds metadata to a message: the id for Envoy's own replies, and an error for access logs.
pub(crate) fn with_note(
    message: ProcessingResponse,
    id: RequestId,
    record: Option<&RequestRecord>,
) -> ProcessingResponse {
    let id = id.to_string();
    let mut noted = vec![("request_id", &*id)];
    if matches!(message.response, Some(Verdict::ImmediateResponse(_))) {
        noted.push(("local_reply", METADATA));
    }
    noted.extend(record.into_iter().flat_map(error_fields));
    let text = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
    let noted = noted.into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect();
    let noted = Value { kind: Some(Kind::StructValue(Struct { fields: noted })) };
    let fields = HashMap::from([(METADATA.to_owned(), noted)]);
    ProcessingResponse { dynamic_metadata: Some(Struct { fields }), ..message }
}

fn common(changes: HeaderMutation) -> CommonResponse {
    CommonResponse { header_mutation: Some(changes), ..CommonResponse::default() }
}

fn message(verdict: Verdict) -> ProcessingResponse {
    ProcessingResponse { response: Some(verdict), ..ProcessingResponse::default() }
}
