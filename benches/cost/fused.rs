//! The least that a layer with this contract can do, written by hand in one service. Its cost is the aim of the layer.
//!
//! The service puts an id into the request's extensions and into a header each way, and catches panics. It refuses a
//! declared body that is too large, and writes errors into one buffer with three headers. It has no policy, and keeps
//! none of the headers of R6 and R7. It reads no body, drains nothing, logs nothing, and waits for nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower_error_envelope::{ErrorCode, RequestId};
use tower_service::Service;

use crate::answer::Answers;
use crate::cases::{Case, Handler};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");

pub(crate) struct Fused(pub(crate) Handler);

impl Answers for Fused {
    fn answer(&mut self, mut request: Request<Full<Bytes>>) -> Option<Response<Bytes>> {
        let (id, value) = fresh();
        request.extensions_mut().insert(id);
        request.headers_mut().insert(X_REQUEST_ID, value.clone());
        if let Some(code) = refusal(self.0.0, &request) {
            return Some(written(&code, &value));
        }
        let mut cx = Context::from_waker(Waker::noop());
        let polled = catch_unwind(AssertUnwindSafe(|| pin!(Service::call(&mut self.0, request)).poll(&mut cx)));
        let mut response = match polled {
            Ok(Poll::Ready(Ok(response))) => response,
            Ok(Poll::Ready(Err(_))) | Err(_) => return Some(written(&ErrorCode::INTERNAL_ERROR, &value)),
            Ok(Poll::Pending) => panic!("nothing in a stack waits"),
        };
        if response.status().is_client_error() || response.status().is_server_error() {
            return Some(written(&ErrorCode::of_status(response.status()), &value));
        }
        response.headers_mut().insert(X_REQUEST_ID, value);
        let (head, body) = response.into_parts();
        let read = catch_unwind(AssertUnwindSafe(|| pin!(body).poll_frame(&mut cx)));
        let body = match read {
            Ok(Poll::Ready(Some(Ok(frame)))) => frame.into_data().unwrap_or_default(),
            _ => Bytes::new(),
        };
        Some(Response::from_parts(head, body))
    }
}

fn refusal(case: Case, request: &Request<Full<Bytes>>) -> Option<ErrorCode> {
    match case {
        Case::NoCredentials => Some(ErrorCode::AUTH_MISSING),
        Case::Unsupported => Some(ErrorCode::UNSUPPORTED_MEDIA_TYPE),
        _ => {
            let length = request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse::<u64>().ok()?;
            (length > 1024 * 1024).then_some(ErrorCode::PAYLOAD_TOO_LARGE)
        }
    }
}

fn fresh() -> (RequestId, HeaderValue) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let milliseconds = now.as_secs() * 1000 + u64::from(now.subsec_millis());
    let ulid = ulid::Ulid::from_parts(milliseconds, rand::random());
    let mut text = *b"req_00000000000000000000000000";
    let mut characters = [0; ulid::ULID_LEN];
    ulid.array_to_str(&mut characters);
    text[4..].copy_from_slice(&characters);
    let value = HeaderValue::from_maybe_shared(Bytes::from_owner(text)).expect("an id");
    (RequestId::try_from(ulid).expect("an id"), value)
}

fn written(code: &ErrorCode, id: &HeaderValue) -> Response<Bytes> {
    let (name, message) = (code.as_str(), code.message());
    let mut body = Vec::with_capacity(80 + name.len() + message.len());
    for part in [b"{\"error\":{\"code\":\"", name.as_bytes(), b"\",\"message\":\"", message.as_bytes()] {
        body.extend_from_slice(part);
    }
    for part in [b"\"},\"request_id\":\"", id.as_bytes(), b"\"}"] {
        body.extend_from_slice(part);
    }
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = code.status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(X_ERROR_CODE, HeaderValue::from_str(name).expect("a code"));
    headers.insert(X_REQUEST_ID, id.clone());
    response
}
