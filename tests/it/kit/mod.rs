//! Values that the wiring tests check: a response and its envelope, and the lines that the layer logged.

mod answer;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use serde_json::Value;
use tower::{Layer, ServiceExt};
use tower_error_envelope::ErrorEnvelopeLayer;

use crate::cases::logs::captured;
pub(crate) use answer::{Answer, answer};

/// The text of panics and causes, which no response may contain.
pub(crate) const SECRET: &str = "s3cr3t";

/// The line that the layer logs once, when it first wraps a service.
pub(crate) const STARTED: &str = "error envelopes are active";

/// A line that the layer logged, as the `fmt` subscriber writes it.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) level: String,
    pub(crate) text: String,
}

/// Runs a future with time paused. Returns what the layer logged on its thread: errors and abandonments, without notes.
/// The lines of its remaining tasks are included, because the runtime ends before the log is read.
pub(crate) fn logged<T>(work: impl Future<Output = T>) -> (T, Vec<Line>) {
    let (value, log) = captured(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(work)
    });
    (value, log.lines().filter_map(Line::read).collect())
}

/// Returns the status of the response, and true if the inner service was called.
pub(crate) fn ask(layer: &ErrorEnvelopeLayer, request: Request<Full<Bytes>>) -> (u16, bool) {
    let called = Arc::new(AtomicBool::new(false));
    let calls = called.clone();
    let inner = tower::service_fn(move |_| {
        calls.store(true, Ordering::Relaxed);
        std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let Ok(response) = runtime.block_on(layer.layer(inner).oneshot(request));
    (response.status().as_u16(), called.load(Ordering::Relaxed))
}

impl Answer {
    /// Asserts that the layer wrote this error, and returns its `error` member (E1–E4).
    #[track_caller]
    pub(crate) fn expect_envelope(&self, status: u16, code: &str) -> Value {
        let text = str::from_utf8(&self.body).unwrap();
        assert_eq!(self.head.status, status, "{text}");
        assert_eq!(self.header("x-error-code"), Some(code), "{text}");
        self.expect_headers();
        let opening = format!(r#"{{"error":{{"code":"{code}","message":""#);
        let closing = format!(r#"}},"request_id":"{}"}}"#, self.id());
        assert!(text.starts_with(&opening) && text.ends_with(&closing), "E1: {text}");
        if let Some(length) = self.header("content-length") {
            assert_eq!(length, self.body.len().to_string());
        }
        let error = serde_json::from_str::<Value>(text).unwrap()["error"].take();
        assert!(!error["message"].as_str().unwrap().is_empty(), "E2: {text}");
        error
    }

    #[track_caller]
    fn expect_headers(&self) {
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"));
    }
}

/// A response body that begins, and then panics or fails.
#[derive(Debug)]
pub(crate) struct Breaking {
    begun: bool,
    panics: bool,
}

impl Breaking {
    pub(crate) fn new(panics: bool) -> Self {
        Self { begun: false, panics }
    }
}

impl Body for Breaking {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if !std::mem::replace(&mut self.begun, true) {
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"begun")))));
        }
        assert!(!self.panics, "{SECRET}");
        Poll::Ready(Some(Err(io::Error::other(SECRET))))
    }
}

impl Line {
    /// Reads a line about a request. The line at the start is about none.
    fn read(line: &str) -> Option<Self> {
        let (before, after) = line.split_once("tower_error_envelope: ")?;
        if after.starts_with(STARTED) {
            return None;
        }
        let level = ["ERROR", "WARN", "INFO"].into_iter().find(|level| before.contains(&format!(" {level} ")))?;
        Some(Self { level: level.to_owned(), text: line.to_owned() })
    }

    /// Returns the value of a field, without its quotes.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.text.split_once(&format!(" {name}="))?;
        match rest.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next(),
            None => rest.split(' ').next(),
        }
    }
}

/// Asserts that exactly one line was logged, and returns it.
#[track_caller]
pub(crate) fn only(lines: &[Line]) -> &Line {
    assert_eq!(lines.len(), 1, "one error, one line: {lines:#?}");
    &lines[0]
}
