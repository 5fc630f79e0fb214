//! Settings for reading error responses: the known codes, and the limits.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, Response, response};
use http_body::Body;

use super::bodies::{BodyReader, ReadBody, RemainingBytes};
use error_envelope_core::client::{self, ClientError, ResponseView};
use error_envelope_core::code::{CodeSet, ErrorCode};
use error_envelope_core::dialect::CustomShape;
use error_envelope_core::policy::Policy;
use error_envelope_runtime::now;

/// The most bytes to read of an error's body. The layer has the same limit (R4).
const LIMIT: usize = 64 * 1024;

/// The time limit for an error's body. Such a body is small, so a server that takes longer is stuck. Without the body,
/// the head still contains the most important facts.
const TIME: Duration = Duration::from_secs(5);

/// Turns error responses into [`ClientError`]s. Cheap to clone.
///
/// ```
/// use tower_error_envelope::ErrorCode;
/// use tower_error_envelope::client::ErrorReader;
///
/// const SEAT_TAKEN: ErrorCode = ErrorCode::custom("seat_taken", 409);
///
/// let reader = ErrorReader::new().codes([SEAT_TAKEN]).limit(16 * 1024);
/// let response = http::Response::builder().status(409).header("x-error-code", "seat_taken").body("")?;
/// assert!(!reader.read(&response).expect("409 is an error").is_retryable());
/// # Ok::<_, http::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ErrorReader {
    codes: Arc<CodeSet>,
    shapes: Arc<[CustomShape]>,
    limit: usize,
    time: Duration,
    clock: fn() -> SystemTime,
}

/// A complete response.
#[derive(Clone, Copy, Debug)]
pub struct BufferedResponse<'a> {
    /// The head.
    pub head: &'a response::Parts,
    /// All bytes of the body, unchanged.
    pub body: &'a [u8],
    /// The trailers, which in gRPC contain the result of a call.
    pub trailers: Option<&'a HeaderMap>,
}

impl ErrorReader {
    /// Creates a reader that knows the catalogue's codes. It reads at most 64 KiB of an error's body, for at most 5 s.
    /// The layer has the same size limit (R4).
    pub fn new() -> Self {
        Self { codes: Arc::default(), shapes: Arc::default(), limit: LIMIT, time: TIME, clock: now }
    }

    /// Adds an organisation's own codes ([`ErrorCode::custom`]) with their advice. Codes of the catalogue with changed
    /// advice are also allowed. If two codes have the same name, the last one is used. If a canonical code is neither
    /// in the catalogue nor added here, the reader knows only its name and treats it as transient.
    pub fn codes(self, own: impl IntoIterator<Item = ErrorCode>) -> Self {
        let mut codes: Vec<ErrorCode> = self.codes.defined_codes().cloned().collect();
        for code in own {
            codes.retain(|other| *other != code);
            codes.push(code);
        }
        Self { codes: Arc::new(CodeSet::new(codes)), ..self }
    }

    /// Adds the codes and shapes of a policy, such as the policy of the gateway in front of the services (R15). The
    /// reader then parses bodies in the policy's custom shapes as the layer does. The shapes of all scopes of the
    /// policy apply, in the order of the file.
    ///
    /// ```
    /// use tower_error_envelope::client::ErrorReader;
    /// use tower_error_envelope::policy::{BodyShape, Expected};
    /// use tower_error_envelope::{ErrorCode, Policy};
    ///
    /// let acme = BodyShape::new("acme")
    ///     .when("/fault/code", Expected::String)
    ///     .code("/fault/code")
    ///     .message("/fault/text")
    ///     .name("Throttled", ErrorCode::RATE_LIMITED);
    /// let reader = ErrorReader::new().policy(&Policy::builder().shape(acme).build()?);
    ///
    /// let body = r#"{"fault":{"code":"Throttled","text":"Slow down."}}"#;
    /// let error = reader.read(&http::Response::builder().status(429).body(body)?).expect("429 is an error");
    /// assert_eq!((error.code(), error.message()), (&ErrorCode::RATE_LIMITED, "Slow down."));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn policy(self, policy: &Policy) -> Self {
        let shapes = policy.own_shapes().iter().chain(self.shapes.iter()).copied().collect();
        Self { shapes, ..self }.codes(policy.codes().defined_codes().cloned())
    }

    /// Sets the most bytes to read of an error's body. The same limit applies to the decoded bytes of a compressed
    /// body. If a body is longer, the error is read only from the head.
    pub fn limit(self, bytes: usize) -> Self {
        Self { limit: bytes, ..self }
    }

    /// Sets the time limit for an error's body. If a body takes longer, the error is read only from the head.
    pub fn time(self, time: Duration) -> Self {
        Self { time, ..self }
    }

    /// Sets the clock for a date in `retry-after`. The reader compares that date with this clock if the response has no
    /// `date` header. By default, the reader uses the system's clock.
    pub fn clock(self, clock: fn() -> SystemTime) -> Self {
        Self { clock, ..self }
    }

    /// Reads the error of a complete response. Returns `None` if the response is not an error.
    #[must_use]
    pub fn read<B: AsRef<[u8]>>(&self, response: &Response<B>) -> Option<ClientError> {
        let body = Some(response.body().as_ref());
        client::read(&self.answer(response.status(), response.headers(), body, None), &self.codes, self.clock)
    }

    /// Reads the error of a complete response with its trailers. gRPC, and streams of Connect and gRPC-Web, report
    /// errors after their messages. Returns `None` if the response is not an error.
    #[must_use]
    pub fn read_whole(&self, whole: BufferedResponse<'_>) -> Option<ClientError> {
        let BufferedResponse { head, body, trailers } = whole;
        client::read(&self.answer(head.status, &head.headers, Some(body), trailers), &self.codes, self.clock)
    }

    /// Reads the error only from the head. In the layer's responses, the head contains the code (E4). Returns `None` if
    /// the response is not an error.
    #[must_use]
    pub fn read_head<B>(&self, response: &Response<B>) -> Option<ClientError> {
        client::read(&self.answer(response.status(), response.headers(), None, None), &self.codes, self.clock)
    }

    /// Reads the body of an error within the limits. A response that is not an error is returned unchanged.
    ///
    /// In gRPC, and in streams of Connect and gRPC-Web, the head does not show yet whether the call failed. Such a
    /// response is also returned unchanged. Read its body to the end, then call [`ErrorReader::read_whole`].
    ///
    /// # Errors
    ///
    /// Returns the [`ClientError`] if the response is an error. A body that is cut off, too long or too late is treated
    /// as missing.
    ///
    /// # Panics
    ///
    /// Panics if an error's body is read outside a `tokio` runtime with time enabled.
    pub async fn check<B: Body>(&self, response: Response<B>) -> Result<Response<B>, ClientError> {
        if !self.fails(&response) {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        let mut reading = self.reading(head, body);
        Err(self.error_of(&poll_fn(|cx| reading.poll(cx)).await))
    }

    pub(super) fn fails<B>(&self, response: &Response<B>) -> bool {
        client::fails(response.status(), response.headers())
    }

    pub(super) fn reading<B: Body>(&self, head: response::Parts, body: B) -> BodyReader<B> {
        BodyReader::new(head, body, self.limit, self.time)
    }

    /// Reads the error from a response and the part of its body that was read.
    pub(super) fn error_of<B: Body>(&self, read: &ReadBody<B>) -> ClientError {
        let (body, trailers) = match &read.rest {
            RemainingBytes::Trailers(trailers) => (Some(&*read.data), trailers.as_ref()),
            RemainingBytes::Body(_) | RemainingBytes::Failed(_) => (None, None),
        };
        let answer = self.answer(read.head.status, &read.head.headers, body, trailers);
        client::read_failed(&answer, &self.codes, self.clock)
    }

    fn answer<'a>(
        &'a self,
        status: http::StatusCode,
        headers: &'a HeaderMap,
        body: Option<&'a [u8]>,
        trailers: Option<&'a HeaderMap>,
    ) -> ResponseView<'a> {
        ResponseView { status, headers, body, trailers, shapes: &self.shapes, limit: self.limit }
    }
}

impl Default for ErrorReader {
    fn default() -> Self {
        Self::new()
    }
}
