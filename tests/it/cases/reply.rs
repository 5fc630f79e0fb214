//! A response as one layer of the core hands it to the next: its head, and the behaviour of its body.

use bytes::Bytes;
use error_envelope_core::session::{BodyFacts, BoxError, Failure, FinalFrame, Follow, Origin, RequestRecord};
use http::{HeaderMap, response};

use super::failures::body_failure;
use super::format::{Fails, Inner};
use super::in_memory::monotonic;
use super::script::map_of;
use super::seen::{End, Sent};

pub(super) struct Reply {
    pub(super) head: response::Parts,
    pub(super) body: Vec<u8>,
    pub(super) trailers: HeaderMap,
    pub(super) end: End,
    /// The side that makes the body break off.
    pub(super) origin: Origin,
    /// The reason, if the service states one.
    pub(super) cause: Option<BoxError>,
    /// The length that the next layer knows before it reads.
    pub(super) length: Option<u64>,
}

/// The size of the pieces of a body if the case does not state it.
const PIECE: usize = 16 * 1024;

impl Reply {
    pub(super) fn new(head: response::Parts, body: Vec<u8>) -> Self {
        let length = Some(body.len() as u64);
        Self { head, body, trailers: HeaderMap::new(), end: End::Whole, origin: Origin::Error, cause: None, length }
    }

    /// Makes the reply of the service's response, as far as its body arrives.
    pub(super) fn of_service(inner: &Inner, head: response::Parts, sent: Sent) -> Self {
        let cut = inner.cut_after.unwrap_or(sent.body.len()).min(sent.body.len());
        let origin = if inner.fails == Some(Fails::PanicInBody) { Origin::Panic } else { Origin::Error };
        let fails = matches!(inner.fails, Some(Fails::PanicInBody | Fails::ErrorInBody)) || inner.cut_after.is_some();
        let end = match (fails, inner.stalls) {
            (true, _) => End::Aborted("the service's body failed".into()),
            (false, true) => End::Unfinished,
            (false, false) => End::Whole,
        };
        let trailers = if end == End::Whole { map_of(&inner.trailers()) } else { HeaderMap::new() };
        let cause = fails.then(|| body_failure(inner));
        Self { trailers, end, origin, cause, ..Self::new(head, sent.body[..cut].to_vec()) }
    }

    pub(super) fn facts(&self) -> BodyFacts {
        BodyFacts { ended: self.length == Some(0), lower: self.length.unwrap_or(0), upper: self.length }
    }

    pub(super) fn fails(&self) -> bool {
        matches!(self.end, End::Aborted(_))
    }

    /// Passes the reply while the layer follows it: to its end, until it breaks off (F4, F6), or until the client of a
    /// call waits no longer (P1).
    pub(super) fn followed(
        mut self,
        mut follow: Follow,
        out_of_time: bool,
        piece: Option<usize>,
    ) -> (Self, Option<RequestRecord>) {
        follow.begin(|| self.length, monotonic);
        let mut body = Vec::new();
        for piece in self.body.chunks(piece.unwrap_or(PIECE).max(1)) {
            let mut data = Bytes::copy_from_slice(piece);
            follow.data(&mut data, false, monotonic);
            body.extend_from_slice(&data);
        }
        self.body = body;
        let last = match &self.end {
            End::Aborted(text) => {
                let cause = self.cause.take().unwrap_or_else(|| text.clone().into());
                let is_panic = self.origin == Origin::Panic;
                let failure = if is_panic { Some(Failure::panicked()) } else { follow.classify(&*cause) };
                Some(follow.failed(failure, cause, monotonic))
            }
            End::Unfinished if out_of_time => follow.timed_out(),
            End::Unfinished => {
                if follow.is_copy() {
                    follow.unreadable();
                }
                None
            }
            End::Whole => {
                if !self.trailers.is_empty() {
                    follow.trailers(&mut self.trailers, monotonic);
                }
                follow.end(monotonic);
                None
            }
        };
        let reply = if let Some(last) = last { self.ended(last) } else { self };
        (Self { origin: Origin::Error, ..reply }, follow.into_decided())
    }

    fn ended(mut self, last: FinalFrame) -> Self {
        self.end = End::Whole;
        match last {
            FinalFrame::Trailers(trailers) => self.trailers = trailers,
            FinalFrame::Data(data) => self.body.extend_from_slice(&data),
            FinalFrame::BrokenOff => self.end = End::Aborted("the layer broke it off".into()),
        }
        Self { origin: Origin::Error, ..self }
    }
}
