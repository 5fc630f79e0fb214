//! Reads the content of a whole response. The module `dialect` parses the shapes, as in the layer.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::time::{Duration, SystemTime};

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::error::{ClientError, ErrorParts, Pushback};
use crate::classify::{details, envelope_in_head, rpc};
use crate::code::{CodeSet, ErrorCode};
use crate::dialect::grpc::{self, ReportedStatus};
use crate::dialect::outgoing::is_identifier;
use crate::dialect::rich::DOMAIN;
use crate::dialect::rpc::Rpc;
use crate::dialect::status::Status;
use crate::dialect::{
    self, CustomShape, Dialect, DialectCode, Foreign, ParsedBody, Readable, Shape, coding, connect, standard,
};
use crate::fault::Advice;
use crate::fields::X_REQUEST_ID;
use crate::grpc_messages::{self, DecodedItem, MessageDecoder};
use crate::json::Object;
use crate::message;
use crate::request_id::is_of_layer;

/// The headers that may contain a request id: the contract's header, and Anthropic's (R12).
const IDS: [HeaderName; 2] = [X_REQUEST_ID, HeaderName::from_static("request-id")];
const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// The longest id that is read. A longer id would fill the log.
const MAX_ID: usize = 128;

/// The available parts of a response.
#[derive(Clone, Copy)]
pub struct ResponseView<'a> {
    /// The HTTP status.
    pub status: StatusCode,
    /// The header fields of the response's head.
    pub headers: &'a HeaderMap,
    /// The whole body, or `None` if it could not be read completely.
    pub body: Option<&'a [u8]>,
    /// The trailers.
    pub trailers: Option<&'a HeaderMap>,
    /// The services' own shapes of error bodies, in the order in which they are tried (R15).
    pub shapes: &'a [CustomShape],
    /// The maximum number of bytes that the body may have after decoding.
    pub limit: usize,
}

/// Returns true if a response's head shows that it is an error.
pub fn fails(status: StatusCode, headers: &HeaderMap) -> bool {
    is_error(status) || grpc::read(headers).is_some_and(|reported| reported.status != Status::OK)
}

fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// Returns the content of a response, or `None` if it is not an error.
pub fn read(answer: &ResponseView<'_>, codes: &CodeSet, now: fn() -> SystemTime) -> Option<ClientError> {
    let fails = |reported: ReportedStatus<'_>| reported.status != Status::OK;
    let is_failed_call =
        || status_of_call(answer, decoded_body(answer).as_deref().unwrap_or_default()).is_some_and(fails);
    (is_error(answer.status) || is_failed_call()).then(|| read_failed(answer, codes, now))
}

/// Returns the content of a response that is certainly an error.
pub fn read_failed(answer: &ResponseView<'_>, codes: &CodeSet, now: fn() -> SystemTime) -> ClientError {
    let body = decoded_body(answer);
    let body = body.as_deref().unwrap_or_default();
    let reported = status_of_call(answer, body).filter(|reported| reported.status != Status::OK);
    ClientError(Box::new(match reported {
        Some(reported) => parts_of_status(&reported, answer, codes, now),
        None => parts_of_body(body, answer, codes, now),
    }))
}

fn decoded_body<'a>(answer: &ResponseView<'a>) -> Option<Cow<'a, [u8]>> {
    let body = answer.body?;
    let codings = coding::codings(answer.headers)?;
    if codings.is_empty() {
        return Some(Cow::Borrowed(body));
    }
    coding::decoded(&codings, body, answer.limit as u64).map(Cow::Owned)
}

/// Returns the status of an RPC call. The protocol puts the status into the head, the trailers, the last frame or a
/// unary body.
fn status_of_call<'a>(answer: &ResponseView<'a>, body: &'a [u8]) -> Option<ReportedStatus<'a>> {
    if let Some(reported) = grpc::read(answer.headers).or_else(|| grpc::read(answer.trailers?)) {
        return Some(reported);
    }
    match rpc_of(answer.headers) {
        Some(rpc @ (Rpc::Web(_) | Rpc::WebText(_))) => {
            let payload = last_payload(rpc, answer, body, grpc_messages::TRAILERS)?;
            grpc::read_trailer_frame(&payload).map(into_static)
        }
        Some(rpc @ Rpc::ConnectStream(_)) => {
            let payload = last_payload(rpc, answer, body, grpc_messages::END_STREAM)?;
            connect::read_end_stream(&payload)?.map(into_static)
        }
        None if is_error(answer.status) => connect::read(body),
        Some(Rpc::Grpc(_) | Rpc::ConnectUnary) | None => None,
    }
}

fn rpc_of(headers: &HeaderMap) -> Option<Rpc> {
    Rpc::of_media_type(headers.get(CONTENT_TYPE)?.as_bytes())
}

/// Returns the last message that has this flag.
fn last_payload(rpc: Rpc, answer: &ResponseView<'_>, body: &[u8], flag: u8) -> Option<Vec<u8>> {
    let mut found: Option<(u8, Vec<u8>)> = None;
    let mut wanted = false;
    let _ = MessageDecoder::new(rpc.is_text()).read(body, &mut |piece| {
        match piece {
            DecodedItem::Prefix(prefix) => {
                wanted = prefix.flags & flag != 0;
                if wanted {
                    found = Some((prefix.flags, Vec::new()));
                }
            }
            DecodedItem::Payload(payload) if wanted => {
                if let Some((_, message)) = &mut found {
                    message.extend_from_slice(payload);
                }
            }
            DecodedItem::Payload(_) => {}
        }
        ControlFlow::Continue(())
    });
    let (flags, message) = found?;
    if flags & grpc_messages::COMPRESSED == 0 {
        return Some(message);
    }
    let coding = coding::of_messages(answer.headers, &rpc.encoding_header())?;
    coding::decoded(&[coding], &message, answer.limit as u64)
}

fn into_static(reported: ReportedStatus<'_>) -> ReportedStatus<'static> {
    ReportedStatus { status: reported.status, message: Cow::Owned(reported.message.into_owned()), rich: reported.rich }
}

fn parts_of_status(
    reported: &ReportedStatus<'_>,
    answer: &ResponseView<'_>,
    codes: &CodeSet,
    now: fn() -> SystemTime,
) -> ErrorParts {
    let rich = reported.rich.as_ref();
    // A domain defines the meaning of a reason. If no layer wrote the error, its domain is not ours.
    let domain = rich.filter(|rich| is_of_layer(&rich.request_id)).map_or(DOMAIN, |rich| &rich.domain);
    let code = code_of_head(answer, codes).unwrap_or_else(|| rpc::code_of(reported, codes, domain));
    let status = if is_error(answer.status) { answer.status } else { reported.status.http() };
    let is_grpc = rpc_of(answer.headers).is_some_and(Rpc::is_grpc) || grpc::read(answer.headers).is_some();
    let delay = rich.and_then(|rich| rich.retry_delay);
    ErrorParts {
        grpc: Some(reported.status.number()),
        raw_code: rich.and_then(|rich| raw(&rich.reason, &code)),
        message: text(Some(&reported.message), &code, status),
        details: rich.and_then(|rich| rich.to_json(None)),
        request_id: request_id_from(answer, || rich.map(|rich| Cow::Borrowed(&*rich.request_id))),
        retry_after: rpc::retry_after(answer.headers, now).or(delay),
        shape: Some(if is_grpc { Shape::Grpc } else { Shape::Connect }),
        ..parts_of_head(status, code, answer)
    }
}

fn parts_of_body(body: &[u8], answer: &ResponseView<'_>, codes: &CodeSet, now: fn() -> SystemTime) -> ErrorParts {
    let status = answer.status;
    let rest = |code, id: Option<&str>| ErrorParts {
        advice: advice_in(body),
        request_id: request_id_from(answer, || id.map(Cow::Borrowed)),
        retry_after: rpc::retry_after(answer.headers, now),
        ..parts_of_head(status, code, answer)
    };
    let id = || id_in(body, answer.shapes);
    let known = Readable {
        codes,
        shapes: answer.shapes,
        dialect: Dialect::default(),
        target: &crate::target::UNKNOWN,
        headers: answer.headers,
    };
    let foreign = match dialect::read(dialect::declared_type(answer.headers), body, &known, status) {
        ParsedBody::Envelope(envelope) => {
            return ErrorParts {
                message: text(Some(&envelope.message), &envelope.code, status),
                details: envelope.details.map(ToOwned::to_owned),
                shape: Some(Shape::Standard),
                ..rest(envelope.code, id().as_deref())
            };
        }
        ParsedBody::Foreign(foreign) => Some(foreign),
        ParsedBody::Protocol(_) => dialect::read_rewritten(body, &known, status),
        ParsedBody::Unread(_) | ParsedBody::Nothing => None,
    };
    let Some(foreign) = foreign else {
        let code = code_of_head(answer, codes).unwrap_or_else(|| ErrorCode::of_status(status));
        return ErrorParts { message: text(None, &code, status), ..rest(code, None) };
    };
    let parsed = &foreign.parsed;
    let in_data = || standard::parse_code(&layers_data(body)?.string("code")?, codes).map(|(code, _)| code);
    let code = code_of_head(answer, codes).or_else(in_data);
    let code = code.unwrap_or_else(|| code_of_foreign(&foreign, codes, status));
    ErrorParts {
        raw_code: parsed.code.as_deref().and_then(|name| raw(name, &code)),
        message: text(parsed.message.as_deref().filter(|text| is_message(text)), &code, status),
        details: details::compose(parsed.details.clone(), &[], parsed.issues.as_deref(), None),
        shape: Some(foreign.shape),
        ..rest(code, id().as_deref())
    }
}

/// Returns the advice that a layer wrote. The advice is in the error object, or in the data of JSON-RPC (E10).
fn advice_in(body: &[u8]) -> Advice {
    let error = Object::of_body(body).and_then(|body| body.object("error"));
    layers_data(body).or(error).map(|error| standard::read_advice(&error)).unwrap_or_default()
}

/// Returns the data of a JSON-RPC error, if a layer wrote them (R10).
fn layers_data(body: &[u8]) -> Option<Object<'_>> {
    let body = Object::of_body(body).filter(|body| body.string("jsonrpc").is_some_and(|version| version == "2.0"))?;
    body.object("error")?.object("data").filter(|data| data.has("request_id") && data.string("code").is_some())
}

/// Returns true if a text can be a message (R3). A text that contains a whole error, such as JSON, is not a message.
fn is_message(text: &str) -> bool {
    message::from_json_text(text).is_some()
}

/// Returns the code in the head of a layer's response. A layer sends this code even if the body's dialect has no field
/// for a code (E4).
fn code_of_head(answer: &ResponseView<'_>, codes: &CodeSet) -> Option<ErrorCode> {
    let named = |headers| envelope_in_head(headers, codes).map(|head| head.code);
    named(answer.headers).or_else(|| named(answer.trailers?))
}

fn code_of_foreign(foreign: &Foreign<'_>, codes: &CodeSet, status: StatusCode) -> ErrorCode {
    let parsed = &foreign.parsed;
    let canonical = |name: &str| standard::parse_code(name, codes).map(|(code, _)| code);
    let of_shape = match &parsed.meaning {
        DialectCode::Named(name) => canonical(name),
        DialectCode::Canonical => parsed.code.as_deref().and_then(canonical),
        _ => None,
    };
    if let Some(code) = of_shape.or_else(|| parsed.names().find_map(|name| codes.find(name))) {
        return code;
    }
    match &parsed.meaning {
        DialectCode::Code(code) => code.clone(),
        _ if matches!(status.as_u16(), 400 | 422) && parsed.has_issues() => ErrorCode::INVALID_REQUEST,
        _ => ErrorCode::of_status(status),
    }
}

/// Returns the name of the code in the body, if it differs from the canonical code.
fn raw(name: &str, code: &ErrorCode) -> Option<Box<str>> {
    (is_identifier(name) && !code.as_str().eq_ignore_ascii_case(name)).then(|| name.into())
}

/// Returns the parts of an error that can be read from the head alone.
fn parts_of_head(status: StatusCode, code: ErrorCode, answer: &ResponseView<'_>) -> ErrorParts {
    ErrorParts {
        advice: Advice::default(),
        status,
        grpc: None,
        code,
        raw_code: None,
        message: Box::default(),
        details: None,
        request_id: None,
        retry_after: None,
        pushback: parse_pushback(answer),
        shape: None,
    }
}

/// Returns the text as one printable line (E2), or else the message of the code or of its status.
fn text(parsed: Option<&str>, code: &ErrorCode, status: StatusCode) -> Box<str> {
    let stock =
        || if code.is_foreign() { ErrorCode::of_status(status).default_message() } else { code.message() }.into();
    parsed.and_then(message::clean).map_or_else(stock, |text| text.into())
}

fn request_id_from<'a>(
    answer: &ResponseView<'_>,
    otherwise: impl FnOnce() -> Option<Cow<'a, str>>,
) -> Option<Box<str>> {
    let fits = |id: &str| (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    let fields = [Some(answer.headers), answer.trailers];
    let values = fields.into_iter().flatten().flat_map(|fields| IDS.map(|name| fields.get(name)).into_iter().flatten());
    let in_head = values.filter_map(|id| id.to_str().ok()).find(|id| fits(id)).map(Box::from);
    in_head.or_else(|| otherwise().filter(|id| fits(id)).map(|id| id.into_owned().into()))
}

/// Returns the id in the body. This id is needed if a proxy in front of browsers, or a log, has lost the header with
/// the id.
fn id_in(text: &[u8], shapes: &[CustomShape]) -> Option<String> {
    let body = Object::of_body(text)?;
    let of_shape = || shapes.iter().find_map(|shape| shape.request_id(&body));
    let id = of_shape().or_else(|| body.string("request_id"));
    let id = id.or_else(|| body.object("meta")?.string("request_id")).map(Cow::into_owned);
    id.or_else(|| layers_data(text)?.string("request_id").map(Cow::into_owned))
}

/// Parses a gRPC server's instruction about another attempt. In gRPC's proposal A6, any value except a number of
/// milliseconds forbids another attempt.
fn parse_pushback(answer: &ResponseView<'_>) -> Pushback {
    let value = answer.headers.get(PUSHBACK).or_else(|| answer.trailers?.get(PUSHBACK));
    let millis = |value: &HeaderValue| value.to_str().ok()?.trim().parse::<u32>().ok();
    match value {
        None => Pushback::NotSent,
        Some(value) => {
            millis(value).map_or(Pushback::Never, |millis| Pushback::After(Duration::from_millis(millis.into())))
        }
    }
}
