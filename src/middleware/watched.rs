//! Follows the delivery of a response to the client, if the log, an observer, a metric or an adapter wants the request's
//! record (rule L5).

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};
use http_body::Frame;
use tracing::Span;

use super::deadline::now;
use error_envelope_core::session::{Delivery, End, Follow, RequestRecord};
use error_envelope_runtime::{self as runtime, Watch};

/// The facts about the delivery of a response until the request's record is closed. If nobody wants the record, this
/// value does not exist.
pub(super) struct Watched {
    pub(super) watch: Watch,
    sent: u64,
    /// The length of the body, as the body itself or the head declares it.
    declared: Option<u64>,
    /// True if the body has ended. A server that learns this from `is_end_stream` does not poll again.
    ended: AtomicBool,
    broken: bool,
}

impl Watched {
    pub(super) fn new(watch: Watch) -> Self {
        Self { watch, sent: 0, declared: None, ended: AtomicBool::new(false), broken: false }
    }

    /// Called when the head is sent. `exact` is the length that the body reports.
    pub(super) fn head_leaves(&mut self, status: StatusCode, headers: &HeaderMap, exact: Option<u64>) {
        self.watch.head();
        let named = || headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
        self.declared = exact.or_else(named);
        // A server does not poll the body of a response with these statuses (RFC 9112 §6.3).
        *self.ended.get_mut() |= matches!(status.as_u16(), 100..200 | 204 | 304);
    }

    /// Called when the server gets this frame. `None` is the end of the body.
    pub(super) fn takes(&mut self, frame: Option<&Frame<Bytes>>) {
        self.sent += frame.and_then(Frame::data_ref).map_or(0, Bytes::len) as u64;
        // Trailers are the last frame, and not every server polls again after them.
        *self.ended.get_mut() |= frame.is_none_or(Frame::is_trailers);
    }

    /// Called when the body has reported its end.
    pub(super) fn note_end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    pub(super) fn note_broken(&mut self) {
        self.broken = true;
    }

    /// Closes the record of a request whose response is dropped. If the request is logged, it is logged inside its span
    /// (L1). `is_empty` is true if no part of the body was left to send, and `is_replaced` if an outer layer may have
    /// replaced the body.
    pub(super) fn close(mut self, follow: Follow, (is_empty, is_replaced): (bool, bool), span: Option<&Span>) {
        let is_whole = *self.ended.get_mut() || is_empty || self.declared == Some(self.sent) || follow.is_bodiless();
        let end = match self.broken {
            true => End::ServiceBrokeOff,
            false if is_whole => End::Complete,
            false if is_replaced => End::Unknown,
            false => End::ClientLeft,
        };
        let is_silent = end == End::Complete && follow.plain_status().is_some();
        let _inside = span.filter(|_| !is_silent).map(Span::enter);
        let (request_bytes, response_bytes) = (Some(0), Some(self.sent));
        runtime::end(follow, self.watch, Delivery { head_sent: true, request_bytes, response_bytes, end }, now);
    }

    /// Closes the record of a request whose client left before the head of a response was sent.
    pub(super) fn close_unsent(self, record: RequestRecord) {
        let end = End::ClientLeft;
        let delivery = Delivery { head_sent: false, request_bytes: Some(0), response_bytes: Some(0), end };
        runtime::end(Follow::decided(record), self.watch, delivery, now);
    }
}
