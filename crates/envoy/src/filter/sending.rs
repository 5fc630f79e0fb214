//! Sends our answers, and drops the rest of a request so that its client can read the answer (G5).

use bytes::Bytes;
use error_envelope_core::session::{
    BodyFailure, BoxError, DrainBudget, EventStream, Failure, FinalFrame, LocalReply, RpcResponse,
};
use error_envelope_runtime as runtime;
use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderValue, Response, Version, response};

use super::state::{Draining, Filter, Lingering, State, Wait};
use crate::abi::{Body, Stream};
use crate::heads;

impl Filter {
    /// Answers in place of the service, from any hook. A part of the service's response is dropped.
    pub(super) fn answer(&self, stream: &Stream<'_>, mut answered: LocalReply) {
        self.stop_timers();
        let drain = answered.drain;
        self.log_reply(stream, &mut answered);
        // A stream of HTTP/2 ends by itself, and the rest of it is reset.
        let over_http1 = self.version.get() < Version::HTTP_2 && !self.request_ended.get();
        match drain.filter(|drain| over_http1 && drain.max_bytes > 0) {
            // This answer keeps the connection open. Envoy would close it if the answer were sent before the request is
            // complete.
            Some(drain) if !answered.reply.headers().contains_key(CONNECTION) => {
                self.start_timer(stream, Wait::Linger, drain.timeout);
                let lingering = Lingering { reply: answered.reply, left: drain.max_bytes };
                self.replace_state(State::Lingering(Box::new(lingering)));
            }
            Some(drain) => self.send_head_first(stream, answered.reply, drain),
            None => self.send(stream, answered.reply),
        }
    }

    /// Sends the head now, and the body once the rest of the request is dropped. Even if there is no body, Envoy does
    /// not close the connection before that.
    fn send_head_first(&self, stream: &Stream<'_>, reply: Response<Bytes>, drain: DrainBudget) {
        self.start_timer(stream, Wait::Linger, drain.timeout);
        let (mut head, body) = reply.into_parts();
        self.set_framing(&mut head, &body);
        self.replace_state(State::Lingering(Box::new(Lingering { reply: Response::new(body), left: drain.max_bytes })));
        self.is_head_sent.set(true);
        send_head(stream, &head, false);
    }

    fn log_reply(&self, stream: &Stream<'_>, answered: &mut LocalReply) {
        self.note_event(stream, &answered.event);
        runtime::log_reply(answered);
    }

    /// Logs a reply, and returns its head and its body.
    pub(super) fn logged_parts(&self, stream: &Stream<'_>, mut answered: LocalReply) -> (response::Parts, Bytes) {
        self.log_reply(stream, &mut answered);
        answered.reply.into_parts()
    }

    /// Sends a complete answer. The stream must not be used after that.
    pub(super) fn send(&self, stream: &Stream<'_>, reply: Response<Bytes>) {
        self.replace_state(State::Answered);
        self.is_head_sent.set(true);
        let (mut head, body) = reply.into_parts();
        self.set_framing(&mut head, &body);
        send_head(stream, &head, body.is_empty());
        if !body.is_empty() {
            stream.send_data(&body, true);
        }
    }

    /// Drops data of a request that is not needed any more.
    pub(super) fn drop_request(&self, stream: &Stream<'_>, end: bool) {
        let count = stream.chunks(Body::Request, |chunks| chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>());
        let enough = match &mut *self.state.borrow_mut() {
            State::Lingering(lingering) => deduct(&mut lingering.left, count),
            State::Draining(draining) => deduct(&mut draining.left, count),
            _ => return,
        };
        if enough || end {
            self.lingered_enough(stream);
        }
    }

    pub(super) fn lingered_enough(&self, stream: &Stream<'_>) {
        match self.replace_state(State::Answered) {
            State::Lingering(lingering) => {
                self.stop_timer();
                if self.is_head_sent.get() {
                    stream.send_data(lingering.reply.body(), true);
                } else {
                    self.send(stream, lingering.reply);
                }
            }
            State::Draining(draining) => {
                let Draining { exchange, mut meter, .. } = *draining;
                if self.request_ended.get() {
                    meter.body_ended();
                }
                // No more of the request is dropped: the budget is used up.
                self.answer(stream, LocalReply { drain: None, ..exchange.overran() });
            }
            state => drop(self.replace_state(state)),
        }
    }

    /// Replaces a response whose body has ended or never began: changes its head in place, and sets this body.
    pub(super) fn write_body(&self, stream: &Stream<'_>, mut head: response::Parts, body: &[u8], into: Body) {
        self.replace_state(State::Answered);
        self.is_head_sent.set(true);
        self.set_framing(&mut head, body);
        heads::apply_response(stream, &head);
        if into == Body::Response {
            stream.drain(Body::Response);
        }
        stream.append(into, body);
    }

    /// Over HTTP/1 Envoy chunks a response without a length, even if it is empty.
    pub(super) fn set_framing(&self, head: &mut response::Parts, body: &[u8]) {
        let has_body = !matches!(head.status.as_u16(), 100..200 | 204 | 304);
        let unframed = self.version.get() < Version::HTTP_2 && body.is_empty() && has_body;
        if unframed && !head.headers.contains_key(CONTENT_LENGTH) {
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
    }

    /// Ends an event stream that broke off after its head (F6). Envoy resets the stream as soon as the hook returns:
    /// the client gets the last event, but no proper end.
    pub(super) fn broke_off(&self, stream: &Stream<'_>, events: EventStream, cause: BoxError) {
        let BodyFailure { last, event } = events.upstream_failed(cause);
        self.log(stream, event);
        if let FinalFrame::Data(data) = last {
            stream.send_data(&data, false);
        }
    }

    /// Passes chunks to their event stream, which may replace one (E7).
    pub(super) fn pass_events(&self, stream: &Stream<'_>, mut events: Box<EventStream>) {
        let changed = stream.chunks(Body::Response, |chunks| with_replacement(&mut events, chunks));
        if let Some(data) = changed {
            stream.drain(Body::Response);
            stream.append(Body::Response, &data);
        }
        self.replace_state(State::Streaming(events));
    }

    /// Ends an event stream after a hook panicked (F2, F6).
    pub(super) fn end_broken(&self, stream: &Stream<'_>, events: EventStream, panic: Box<str>) {
        let BodyFailure { last, event } = events.failed(Failure::panicked(), String::from(panic).into());
        self.log(stream, event);
        send_last(stream, last, "error_envelope_panicked");
    }

    /// Ends a call as its protocol requires, or breaks it off (F4).
    pub(super) fn end_watch(&self, stream: &Stream<'_>, watch: RpcResponse, end: fn(RpcResponse) -> BodyFailure) {
        self.stop_timers();
        let BodyFailure { last, event } = end(watch);
        self.replace_state(State::Answered);
        self.log(stream, event);
        send_last(stream, last, "error_envelope_broken_off");
    }
}

/// Ends a response that has begun. If it must be reset, Envoy gets these `details`.
fn send_last(stream: &Stream<'_>, last: FinalFrame, details: &str) {
    match last {
        FinalFrame::Trailers(trailers) => stream.send_trailers(heads::lines_of(&trailers)),
        FinalFrame::Data(data) => stream.send_data(&data, true),
        FinalFrame::BrokenOff => stream.reset(details),
    }
}

/// Subtracts bytes from the rest of a budget. Returns whether there were more than the budget allows.
fn deduct(left: &mut u64, count: u64) -> bool {
    let over = count > *left;
    *left = left.saturating_sub(count);
    over
}

fn send_head(stream: &Stream<'_>, head: &response::Parts, end: bool) {
    let status = (&b":status"[..], head.status.as_str().as_bytes());
    stream.send_head(std::iter::once(status).chain(heads::lines_of(&head.headers)), end);
}

/// The bytes to send in place of an event stream's chunks; `None` if the chunks pass unchanged.
fn with_replacement(events: &mut EventStream, chunks: &[&[u8]]) -> Option<Vec<u8>> {
    let mut changed = None;
    for (at, chunk) in chunks.iter().enumerate() {
        changed = events.response_data(chunk).map(|data| (at, data)).or(changed);
    }
    let (at, data) = changed?;
    Some([chunks[..at].concat(), data.to_vec(), chunks[at + 1..].concat()].concat())
}
