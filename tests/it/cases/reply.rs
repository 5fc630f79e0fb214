//! A response as one layer of the core hands it to the next: its head, and what its body will do.

use bytes::Bytes;
use error_envelope_core::exchange::{
    BodyContext, BodyFacts, BodyFailure, BoxError, Collected, Event, EventStream, Failure, FinalFrame, Origin,
    RpcResponse,
};
use http::{HeaderMap, response};

use super::failures::body_failure;
use super::format::{Fails, Inner};
use super::script::map_of;
use super::seen::{End, Sent};

pub(super) struct Reply {
    pub(super) head: response::Parts,
    pub(super) body: Vec<u8>,
    pub(super) trailers: HeaderMap,
    pub(super) end: End,
    /// Whose fault it is that the body breaks off.
    pub(super) origin: Origin,
    /// Why, where the service states it.
    pub(super) cause: Option<BoxError>,
    /// What the next layer knows before reading.
    pub(super) length: Option<u64>,
}

/// How much of a body comes at once where the case does not say.
const PIECE: usize = 16 * 1024;

impl Reply {
    pub(super) fn new(head: response::Parts, body: Vec<u8>) -> Self {
        let length = Some(body.len() as u64);
        Self { head, body, trailers: HeaderMap::new(), end: End::Whole, origin: Origin::Error, cause: None, length }
    }

    /// What the service sends, as far as its body comes.
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

    /// What a reader with this budget gets of it.
    pub(super) fn collected(&self, bytes: u64, late: bool) -> Collected<'_> {
        let whole = !late && self.end == End::Whole && self.body.len() as u64 <= bytes;
        if whole { Collected::Whole(&self.body) } else { Collected::Unreadable(&self.body) }
    }

    /// It passes; where it breaks off, that is logged (F4).
    pub(super) fn passed(self, tail: BodyContext) -> (Self, Option<Event>) {
        let event = self.fails().then(|| tail.broke_off(self.origin, "the body failed".into()));
        (Self { origin: Origin::Error, ..self }, event)
    }

    /// It passes before the eyes of a watch, whose client may wait no longer than for its end (P1).
    pub(super) fn watched(
        mut self,
        mut watch: RpcResponse,
        out_of_time: bool,
        piece: Option<usize>,
    ) -> (Self, Vec<Event>) {
        let mut events = Vec::new();
        let mut body = Vec::new();
        for piece in self.body.chunks(piece.unwrap_or(PIECE).max(1)) {
            let mut data = Bytes::copy_from_slice(piece);
            events.extend(watch.response_data(&mut data));
            body.extend_from_slice(&data);
        }
        self.body = body;
        let ended = match &self.end {
            End::Aborted(_) if self.origin == Origin::Panic => watch.panicked("the body".into()),
            End::Aborted(text) => {
                let cause = self.cause.take().unwrap_or_else(|| text.clone().into());
                let failure = watch.failure_of(&*cause);
                watch.failed(failure, cause)
            }
            End::Unfinished if out_of_time && !watch.has_ended() => watch.timed_out(),
            _ => {
                if !self.trailers.is_empty() {
                    events.extend(watch.response_trailers(&mut self.trailers));
                }
                return (self, events);
            }
        };
        let BodyFailure { last, event } = ended;
        events.push(event);
        (self.ended(last), events)
    }

    /// It passes, and ends with an event where it breaks off between two (F6).
    pub(super) fn streamed(mut self, mut stream: EventStream, piece: Option<usize>) -> (Self, Option<Event>) {
        let pieces = self
            .body
            .chunks(piece.unwrap_or(PIECE).max(1))
            .map(|piece| stream.response_data(piece).unwrap_or_else(|| Bytes::copy_from_slice(piece)));
        self.body = pieces.collect::<Vec<_>>().concat();
        if !self.fails() {
            return (self, None);
        }
        let cause = self.cause.take().unwrap_or_else(|| "the body failed".into());
        let is_panic = self.origin == Origin::Panic;
        let failure = if is_panic { Failure::panicked() } else { stream.failure_of(&*cause) };
        let BodyFailure { last, event } = stream.failed(failure, cause);
        (self.ended(last), Some(event))
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
