//! Assertions on envelopes, for the tests of services (feature `testing`). A failed assertion shows the differences.
//!
//! [`Envelope::of`] takes a response. [`Envelope::parse`] takes headers and bytes from any framework. Both panic unless
//! the response is exactly the envelope (E1–E4), or an error in another built-in dialect, gRPC or Connect. Of an error
//! in these dialects, they parse the body, and check only the headers `x-error-code`, `x-content-type-options`,
//! `x-request-id` and `content-length`. [`Envelope::parse_for`] also reads the shapes of a policy.
//! [`Envelope::of_head`] reads the response to a HEAD request, and [`Envelope::of_event_stream`] reads the error at the
//! end of an event stream. The same assertions work for all dialects, because the assertions compare the content. A
//! failed assertion prints the whole response, with `-` at expected lines and `+` at actual lines:
//!
//! ```text
//! the code is not "not_found" (- expected, + got):
//!
//!  x-error-code: gone
//!  …
//!  {
//!    "error": {
//! -    "code": "not_found",
//! +    "code": "gone",
//!      "message": "The resource is gone."
//! ```
//!
//! This module is a feature instead of a separate crate, because it checks the output of exactly this version of the
//! layer. Enable the feature in `[dev-dependencies]`: `tower-error-envelope = { version = "0.1", features = ["testing"]
//! }`.

mod dialects;
mod fits;
mod forms;
mod wrong;

use std::fmt::{Debug, Display};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE};
use http::response::Parts;
use http::{HeaderMap, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use serde::Serialize;
use serde_json::{Value, json};
use similar::TextDiff;

use self::dialects::ReadForm;
use self::fits::misfits;
use self::wrong::wrong_parts;
use error_envelope_core::dialect::Dialect;
use error_envelope_core::policy::Policy;

/// Returns all differences between a response and the envelope that it should be. Each text begins with the rule that
/// the response violates: `"E1: …"`. The list is empty if the response is exactly the envelope. Use this function in
/// programs that report the differences, and [`Envelope`] in tests.
///
/// ```
/// use http::{HeaderMap, StatusCode};
///
/// let wrong = tower_error_envelope::testing::wrong(StatusCode::NOT_FOUND, &HeaderMap::new(), b"not here");
/// assert!(wrong[0].starts_with("E1: "));
/// ```
#[must_use]
pub fn wrong(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Vec<String> {
    wrong_parts(Some(status), headers, body)
}

/// An error response that the layer wrote: the envelope, or the same content in another dialect.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use axum::{Router, body::Body, extract::Request};
/// use tower::ServiceExt;
/// use tower_error_envelope::ErrorEnvelopeLayer;
/// use tower_error_envelope::testing::Envelope;
///
/// let app: Router = Router::new().layer(ErrorEnvelopeLayer::new());
/// let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
///
/// Envelope::of(response).await.assert_code("not_found").assert_message("Not found.").assert_no_details();
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct Envelope {
    status: Option<StatusCode>,
    headers: HeaderMap,
    /// The body of the response. If the response is in another dialect, this is the envelope with the same content.
    body: Value,
    /// The dialect of a response that is not an envelope, and the response's body as it was received.
    other: Option<(&'static str, String)>,
}

impl Envelope {
    /// Parses the envelope from the headers and the whole body of a response.
    ///
    /// # Panics
    ///
    /// Panics if headers and body are not exactly the envelope, and are not an error in another dialect either. The
    /// [module](crate::testing) describes what is checked. The panic's text lists all differences, and shows the
    /// response.
    #[must_use]
    #[track_caller]
    pub fn parse(headers: &HeaderMap, body: impl AsRef<[u8]>) -> Self {
        Self::read(&Policy::default(), None, headers.clone(), body.as_ref())
    }

    /// Like [`Envelope::parse`], but also accepts the shapes and codes of a policy (R15).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use std::sync::Arc;
    ///
    /// use axum::{Router, body::Body, extract::Request};
    /// use http_body_util::BodyExt;
    /// use tower::ServiceExt;
    /// use tower_error_envelope::policy::{BodyShape, Expected};
    /// use tower_error_envelope::testing::Envelope;
    /// use tower_error_envelope::{ErrorEnvelopeLayer, Policy};
    ///
    /// let acme = BodyShape::new("acme")
    ///     .when("/fault/code", Expected::String)
    ///     .code("/fault/code")
    ///     .message("/fault/text")
    ///     .write(r#"{"fault":{"code":{{code}},"text":{{message}}}}"#);
    /// let policy = Arc::new(Policy::builder().shape(acme).dialect("acme").build().unwrap());
    ///
    /// let app: Router = Router::new().layer(ErrorEnvelopeLayer::new().policy(Arc::clone(&policy)));
    /// let (head, body) = app.oneshot(Request::new(Body::empty())).await.unwrap().into_parts();
    /// let body = body.collect().await.unwrap().to_bytes();
    ///
    /// Envelope::parse_for(&policy, &head.headers, &body).assert_dialect("acme").assert_code("not_found");
    /// # });
    /// ```
    ///
    /// # Panics
    ///
    /// Panics for the same reasons as [`Envelope::parse`].
    #[must_use]
    #[track_caller]
    pub fn parse_for(policy: &Policy, headers: &HeaderMap, body: impl AsRef<[u8]>) -> Self {
        Self::read(policy, None, headers.clone(), body.as_ref())
    }

    /// Parses the envelope from a response of a router or service. Unlike with [`Envelope::parse`], the status of the
    /// result can also be asserted.
    ///
    /// For a response to HEAD, use [`Envelope::of_head`]. For an error in an event stream, use
    /// [`Envelope::of_event_stream`].
    ///
    /// # Panics
    ///
    /// Panics for the same reasons as [`Envelope::parse`]. Also panics if the status is not an error status, or if the
    /// body fails.
    pub async fn of<B: Body<Error: Debug>>(response: Response<B>) -> Self {
        let (head, bytes) = collected(response).await;
        Self::read(&Policy::default(), Some(head.status), head.headers, &bytes)
    }

    /// Like [`Envelope::of`], for the response to a HEAD request, which has no body. Its status, code and request id
    /// come from its head. The message is empty, and there are no details.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use axum::{Router, body::Body, extract::Request};
    /// use tower::ServiceExt;
    /// use tower_error_envelope::ErrorEnvelopeLayer;
    /// use tower_error_envelope::testing::Envelope;
    ///
    /// let app: Router = Router::new().layer(ErrorEnvelopeLayer::new());
    /// let response = app.oneshot(Request::head("/nothing").body(Body::empty()).unwrap()).await.unwrap();
    ///
    /// Envelope::of_head(response).await.assert_status(404).assert_code("not_found");
    /// # });
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if the head is not that of an error of the layer, or if the response has a body.
    pub async fn of_head<B: Body<Error: Debug>>(response: Response<B>) -> Self {
        let (head, bytes) = collected(response).await;
        let form = ReadForm::of_head(head.status, &head.headers, &bytes);
        Self::of_form(form, Some(head.status), head.headers, &bytes)
    }

    /// Reads the error event at the end of an event stream (F6), in any built-in dialect. The status of the stream
    /// cannot be asserted, because it was sent before the error.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use axum::response::sse::{Event, Sse};
    /// use axum::{Router, body::Body, extract::Request, routing::get};
    /// use futures_util::stream;
    /// use tower::ServiceExt;
    /// use tower_error_envelope::policy::EventStreams;
    /// use tower_error_envelope::testing::Envelope;
    /// use tower_error_envelope::{ErrorCode, ErrorEnvelopeLayer, Fault, Policy};
    ///
    /// let events = || async {
    ///     Sse::new(stream::iter([Ok(Event::default().data("1")), Err(Fault::new(ErrorCode::RATE_LIMITED))]))
    /// };
    /// let policy = Policy::builder().event_streams(EventStreams::AppendError).build().unwrap();
    /// let app: Router = Router::new().route("/events", get(events)).layer(ErrorEnvelopeLayer::new().policy(policy));
    /// let response = app.oneshot(Request::get("/events").body(Body::empty()).unwrap()).await.unwrap();
    ///
    /// Envelope::of_event_stream(response).await.assert_code("rate_limited").assert_no_details();
    /// # });
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if the response is no event stream, if its body fails, or if its last event is not an error that the
    /// layer wrote.
    pub async fn of_event_stream<B: Body<Error: Debug>>(response: Response<B>) -> Self {
        let (head, bytes) = collected(response).await;
        let kind = head.headers.get(CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or_default());
        assert!(
            kind.is_some_and(|kind| kind.starts_with("text/event-stream")),
            "the response is no event stream, but has the content type {kind:?}; for an error response, use \
             `Envelope::of`"
        );
        let (text, id) = (String::from_utf8_lossy(&bytes), head.headers.get("x-request-id"));
        let id = id.map(|id| id.to_str().unwrap_or_default());
        let last = text.trim_end().rsplit("\n\n").next().unwrap_or_default();
        Self::of_form(ReadForm::of_event(&Policy::default(), last, id), None, head.headers, &bytes)
    }

    #[track_caller]
    fn of_form(form: ReadForm, status: Option<StatusCode>, headers: HeaderMap, bytes: &[u8]) -> Self {
        let ReadForm { name, body, wrong } = form;
        let text = serde_json::from_slice(bytes).map(|body| pretty(&body));
        let text = text.unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned());
        if !wrong.is_empty() {
            let wrong = wrong.join("\n  ");
            panic!("this is not an error that the layer wrote:\n  {wrong}\n\n{}{text}\n", head(status, &headers))
        }
        Self { status, headers, body, other: name.map(|name| (name, text)) }
    }

    #[track_caller]
    fn read(policy: &Policy, status: Option<StatusCode>, headers: HeaderMap, bytes: &[u8]) -> Self {
        Self::of_form(ReadForm::of_response(policy, status, &headers, bytes), status, headers, bytes)
    }

    /// Asserts the status of an envelope that was parsed from a whole response.
    ///
    /// # Panics
    ///
    /// Panics if the status differs, or if the envelope was parsed without a status.
    #[track_caller]
    pub fn assert_status(&self, status: impl TryInto<StatusCode, Error: Debug>) -> &Self {
        let status = status.try_into().unwrap_or_else(|error| panic!("what is expected is no status: {error:?}"));
        let expected = Self { status: Some(status), ..self.clone() };
        self.assert(&expected, format_args!("the status is not {}", status.as_u16()))
    }

    /// Asserts the dialect, by its name in the policy: `"standard"` for the envelope, `"grpc"` for gRPC and gRPC-Web,
    /// `"connect"` for Connect.
    ///
    /// # Panics
    ///
    /// Panics if the dialect differs.
    #[track_caller]
    pub fn assert_dialect(&self, dialect: &str) -> &Self {
        let found = self.dialect();
        assert!(found == dialect, "the dialect is {found:?}, not {dialect:?}\n\n{}", self.text());
        self
    }

    /// Asserts the code, by its name or as an [`ErrorCode`](crate::ErrorCode).
    ///
    /// # Panics
    ///
    /// Panics if the code differs.
    #[track_caller]
    pub fn assert_code(&self, code: impl Display) -> &Self {
        let code = code.to_string();
        self.assert(&self.with("code", (&*code).into()), format_args!("the code is not {code:?}"))
    }

    /// Asserts the message.
    ///
    /// # Panics
    ///
    /// Panics if the message differs.
    #[track_caller]
    pub fn assert_message(&self, message: &str) -> &Self {
        self.assert(&self.with("message", message.into()), format_args!("the message differs"))
    }

    /// Asserts the details. They are compared as JSON values, so the order of fields does not matter.
    ///
    /// # Panics
    ///
    /// Panics if the details differ or are absent, or if `details` cannot be converted to JSON.
    #[track_caller]
    pub fn assert_details(&self, details: impl Serialize) -> &Self {
        self.assert(&self.with("details", value(details)), format_args!("the details differ"))
    }

    /// Asserts that the details fit the schema of their code. The catalogue or the policy
    /// ([`ErrorCode::with_details`](crate::ErrorCode::with_details)) defines this schema. Absent details always fit.
    /// The keyword `format` is not checked.
    ///
    /// ```
    /// # use http::HeaderMap;
    /// # let body = r#"{"error":{"code":"payload_too_large","message":"Too large.","details":{"limit_bytes":64}},"request_id":"req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D"}"#;
    /// # let headers: HeaderMap = [("content-type", "application/json"), ("x-error-code", "payload_too_large"),
    /// #     ("x-request-id", "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D"), ("x-content-type-options", "nosniff")]
    /// #     .into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    /// use tower_error_envelope::{Policy, testing::Envelope};
    ///
    /// let policy = Policy::builder().build().unwrap();
    /// Envelope::parse(&headers, body).assert_code("payload_too_large").assert_details_fit(&policy);
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if the details do not fit, or if the code has no schema. The panic's text names each wrong field.
    #[track_caller]
    pub fn assert_details_fit(&self, policy: &Policy) -> &Self {
        let code = policy.codes().iter().find(|code| *code == self.code());
        let Some(schema) = code.and_then(|code| code.details_schema()) else {
            panic!(
                "the code {:?} has no schema of its details; add one to the policy, with `[code.details]` or \
                 `Policy::builder().code(code.with_details(…))`\n\n{}",
                self.code(),
                self.text()
            )
        };
        // The policy was built, so its schema is valid JSON.
        let schema = serde_json::from_str(schema).unwrap_or_default();
        let wrong = self.details().map_or_else(Vec::new, |details| misfits(&schema, details, "details"));
        if !wrong.is_empty() {
            let wrong = wrong.join("\n  ");
            panic!("the details do not fit the schema of the code:\n  {wrong}\n\n{}", self.text());
        }
        self
    }

    /// Asserts that the error has no details.
    ///
    /// # Panics
    ///
    /// Panics if the error has details.
    #[track_caller]
    pub fn assert_no_details(&self) -> &Self {
        let mut expected = self.clone();
        if let Some(error) = expected.body["error"].as_object_mut() {
            error.remove("details");
        }
        self.assert(&expected, format_args!("there are details"))
    }

    /// Asserts that the issue list (E8) has an issue with this path and this message, as in `assert_issue(("items", 0,
    /// "name"), "Required.")`. The assertion ignores the issue's code. An empty path is `[(); 0]`.
    ///
    /// # Panics
    ///
    /// Panics if the list has no such issue, or if `path` cannot be converted to JSON.
    #[track_caller]
    pub fn assert_issue(&self, path: impl Serialize, message: &str) -> &Self {
        let path = value(path);
        let mut issues = self.issues().to_vec();
        if issues.iter().any(|issue| issue["path"] == path && issue["message"] == message) {
            return self;
        }
        let what = format!("no issue at {path} has the message {message:?}");
        issues.push(json!({ "path": path, "message": message }));
        let mut details = self.details().cloned().filter(Value::is_object).unwrap_or_else(|| json!({}));
        details["issues"] = issues.into();
        self.assert(&self.with("details", details), format_args!("{what}"))
    }

    /// Asserts a header of the response by its name and its value, such as `assert_header("retry-after", "30")`.
    ///
    /// # Panics
    ///
    /// Panics if the header is absent, occurs more than once, or has another value.
    #[track_caller]
    pub fn assert_header(&self, name: &str, value: &str) -> &Self {
        let lines: Vec<_> = self.headers.get_all(name).iter().collect();
        assert!(lines == [value], "the header {name} should be {value:?}, but is {lines:?}\n\n{}", self.text());
        self
    }

    /// Returns the status, or `None` after [`Envelope::parse`] and for an event stream.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// Returns the headers of the response.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the dialect's name, which is `"standard"` for the envelope.
    #[must_use]
    pub fn dialect(&self) -> &str {
        self.other.as_ref().map_or(Dialect::Standard.as_str(), |(name, _)| name)
    }

    /// Returns the code's name.
    #[must_use]
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    /// Returns the message.
    #[must_use]
    pub fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }

    /// Returns the details, if there are any.
    #[must_use]
    pub fn details(&self) -> Option<&Value> {
        self.body["error"].get("details")
    }

    /// Returns the issues of the details. The slice is empty if the details have no issue list.
    #[must_use]
    pub fn issues(&self) -> &[Value] {
        self.body["error"]["details"]["issues"].as_array().map_or(&[], Vec::as_slice)
    }

    /// Returns the request's id, `req_…`, which is the same in the body and in the header.
    #[must_use]
    pub fn request_id(&self) -> &str {
        self.body["request_id"].as_str().unwrap_or_default()
    }

    /// Returns the response as a text that is the same in each run, for snapshot tests: status, headers without `date`,
    /// and the body as indented JSON. The request id is `req_00000000000000000000000000` wherever it occurs.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use axum::{Router, body::Body, extract::Request};
    /// use tower::ServiceExt;
    /// use tower_error_envelope::ErrorEnvelopeLayer;
    /// use tower_error_envelope::testing::Envelope;
    ///
    /// let app: Router = Router::new().layer(ErrorEnvelopeLayer::new());
    /// let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
    ///
    /// let snapshot = Envelope::of(response).await.snapshot();
    /// assert!(snapshot.starts_with("404 Not Found\n"));
    /// assert!(snapshot.ends_with("\"request_id\": \"req_00000000000000000000000000\"\n}\n"));
    /// # });
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> String {
        let mut same = self.clone();
        same.headers.remove(DATE);
        match self.request_id() {
            "" => same.text(),
            id => same.text().replace(id, "req_00000000000000000000000000"),
        }
    }

    fn with(&self, member: &str, value: Value) -> Self {
        let mut expected = self.clone();
        expected.body["error"][member] = value;
        expected
    }

    #[track_caller]
    fn assert(&self, expected: &Self, what: std::fmt::Arguments<'_>) -> &Self {
        if (self.status, &self.body) != (expected.status, &expected.body) {
            let difference = difference(&expected.text(), &self.text());
            panic!("{what} (- expected, + got):\n\n{difference}");
        }
        self
    }

    fn text(&self) -> String {
        let from = self
            .other
            .as_ref()
            .map_or_else(String::new, |(name, text)| format!("\nread as the dialect {name:?} from\n{text}\n"));
        format!("{}{}\n{from}", head(self.status, &self.headers), pretty(&self.body))
    }
}

/// Returns the parts of a response.
async fn collected<B: Body<Error: Debug>>(response: Response<B>) -> (Parts, Bytes) {
    let (head, body) = response.into_parts();
    match body.collect().await {
        Ok(body) => (head, body.to_bytes()),
        Err(error) => panic!("the body failed: {error:?}"),
    }
}

#[track_caller]
fn value(value: impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_else(|error| panic!("the expected value cannot be written as JSON: {error}"))
}

fn difference(expected: &str, got: &str) -> String {
    let difference = TextDiff::from_lines(expected, got);
    difference.iter_all_changes().map(|change| format!("{}{change}", change.tag())).collect()
}

fn pretty(body: &Value) -> String {
    serde_json::to_string_pretty(body).unwrap_or_default()
}

fn head(status: Option<StatusCode>, headers: &HeaderMap) -> String {
    let status = status.map(|status| format!("{status}\n"));
    let lines = headers.iter().map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
    status.into_iter().chain(lines).chain(["\n".to_owned()]).collect()
}

#[cfg(test)]
mod tests;
