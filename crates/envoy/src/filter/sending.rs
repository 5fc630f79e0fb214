//! Sends the module's own responses, and drops the rest of a request so that its client can read the response (G5).

use bytes::Bytes;
use error_envelope_core::session::{BoxError, DrainBudget, Ending, Failure, FinalFrame, Follow, LocalReply};
use error_envelope_runtime::envoy;
use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderValue, Response, Version, response};

use super::state::{BodyStatus, Filter, Lingering, Phase, Wait, now};
use crate::abi::{Body, Head, Stream};
use crate::heads;

impl Filter {
    /// Responds in place of the service, from any hook. A part of the service's response is dropped.
    pub(super) fn answer(&self, stream: &Stream<'_>, LocalReply { reply, drain, record }: LocalReply) {
        self.stop_timers();
        self.keep(stream, Follow::decided(record));
        // On HTTP/2, a stream ends without its connection, and its rest is reset.
        let over_http1 = self.version.get() < Version::HTTP_2 && !self.request_ended.get();
        match drain.filter(|drain| over_http1 && drain.max_bytes > 0) {
            // This response keeps the connection open. Envoy would close it if the response were sent before the
            // request is complete.
            Some(drain) if !reply.headers().contains_key(CONNECTION) => {
                self.start_timer(stream, Wait::Linger, drain.timeout);
                let lingering = Lingering { reply, left: drain.max_bytes };
                self.replace_phase(Phase::Lingering(Box::new(lingering)));
            }
            Some(drain) => self.send_head_first(stream, reply, drain),
            None => self.send(stream, reply),
        }
    }

    /// Sends the head now, and sends the body once the rest of the request is dropped. Even if there is no body, Envoy
    /// does not close the connection before the rest is dropped.
    fn send_head_first(&self, stream: &Stream<'_>, reply: Response<Bytes>, drain: DrainBudget) {
        self.start_timer(stream, Wait::Linger, drain.timeout);
        let (mut head, body) = reply.into_parts();
        self.set_framing(&mut head, &body);
        self.replace_phase(Phase::Lingering(Box::new(Lingering { reply: Response::new(body), left: drain.max_bytes })));
        self.is_head_sent.set(true);
        send_head(stream, &head, false);
    }

    /// Keeps the record of a reply, and writes the reply.
    pub(super) fn reply(&self, stream: &Stream<'_>, reply: LocalReply, place: Place) -> BodyStatus {
        if let Place::Metadata = place {
            note_reply(stream, &reply);
        }
        self.keep(stream, Follow::decided(reply.record));
        self.put(stream, reply.reply, place)
    }

    pub(super) fn put(&self, stream: &Stream<'_>, reply: Response<Bytes>, place: Place) -> BodyStatus {
        self.stop_timers();
        let (mut head, body) = reply.into_parts();
        match place {
            // After a head has left its hook, Envoy sends it as the head of a response with a body, in which a gRPC
            // status is ignored (P1). Sending another head is also cheaper, because one call passes all its lines.
            // Finding the changes that Envoy would need takes longer.
            Place::Response { into: Body::KeptResponse, ended: true } => {
                self.write_body(stream, head, &body, Body::KeptResponse);
                self.response_ended.set(true);
                BodyStatus::Continue
            }
            Place::Response { .. } => {
                self.send(stream, Response::from_parts(head, body));
                BodyStatus::Stop
            }
            Place::Local => {
                self.set_framing(&mut head, &body);
                self.pass_head(stream, &head, None, Phase::Replacing(body))
            }
            Place::Metadata => BodyStatus::Stop,
        }
    }

    /// Passes on a head with its changes. If there is an `id`, the id is the only change.
    pub(super) fn pass_head(
        &self,
        stream: &Stream<'_>,
        head: &response::Parts,
        id: Option<HeaderValue>,
        next: Phase,
    ) -> BodyStatus {
        self.replace_phase(next);
        self.is_head_sent.set(true);
        match id {
            Some(id) => heads::set_request_id(stream, Head::Response, &id, true),
            None => heads::apply_response(stream, head),
        }
        BodyStatus::Continue
    }

    /// Sends a complete response. The stream must not be used after that.
    pub(super) fn send(&self, stream: &Stream<'_>, reply: Response<Bytes>) {
        self.stop_timers();
        self.replace_phase(Phase::Answered);
        self.is_head_sent.set(true);
        let (mut head, body) = reply.into_parts();
        self.set_framing(&mut head, &body);
        self.response_ended.set(body.is_empty());
        send_head(stream, &head, body.is_empty());
        if !body.is_empty() {
            self.send_last(stream, &body);
        }
    }

    /// Drops data of a request that is not needed any more.
    pub(super) fn drop_request(&self, stream: &Stream<'_>, end: bool) {
        let count = stream.chunks(Body::Request, |chunks| chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>());
        let enough = match &mut *self.phase.borrow_mut() {
            Phase::Lingering(lingering) => deduct(&mut lingering.left, count),
            Phase::Draining(_, left) => deduct(left, count),
            _ => return,
        };
        if enough || end {
            self.lingered_enough(stream);
        }
    }

    pub(super) fn lingered_enough(&self, stream: &Stream<'_>) {
        match self.replace_phase(Phase::Answered) {
            Phase::Lingering(lingering) => {
                self.stop_timer();
                if self.is_head_sent.get() {
                    self.send_last(stream, lingering.reply.body());
                } else {
                    self.send(stream, lingering.reply);
                }
            }
            Phase::Draining(mut meter, _) => {
                if self.request_ended.get() {
                    meter.body_ended();
                }
                let reply = self.session.borrow_mut().end(Ending::Overran);
                if let Some(reply) = reply {
                    // No more of the request is dropped, because the budget is used up.
                    self.answer(stream, LocalReply { drain: None, ..reply });
                }
            }
            phase => drop(self.replace_phase(phase)),
        }
    }

    /// Replaces a response whose body has ended or never began. Changes the head of the response in place, and sets
    /// `body`.
    pub(super) fn write_body(&self, stream: &Stream<'_>, mut head: response::Parts, body: &[u8], into: Body) {
        self.replace_phase(Phase::Answered);
        self.is_head_sent.set(true);
        self.set_framing(&mut head, body);
        heads::apply_response(stream, &head);
        if into == Body::Response {
            stream.drain(Body::Response);
        }
        self.count_sent(body.len());
        stream.append(into, body);
    }

    /// Sends the last part of a body. The stream must not be used after that.
    fn send_last(&self, stream: &Stream<'_>, data: &[u8]) {
        self.count_sent(data.len());
        self.response_ended.set(true);
        stream.send_data(data, true);
    }

    /// Called when the body of a response fails after its head. Returns how the response should end for the client.
    pub(super) fn break_off(&self, stream: &Stream<'_>, failure: Option<Failure>, cause: BoxError) -> FinalFrame {
        self.broke_off.set(true);
        let last = self.follow.borrow_mut().failed(failure, cause, now);
        self.note_decided(stream);
        last
    }

    /// Sets a length of 0 if a response over HTTP/1 has an empty body. Without a length, Envoy would send the body in
    /// chunks.
    pub(super) fn set_framing(&self, head: &mut response::Parts, body: &[u8]) {
        let has_body = !matches!(head.status.as_u16(), 100..200 | 204 | 304);
        let unframed = self.version.get() < Version::HTTP_2 && body.is_empty() && has_body;
        if unframed && !head.headers.contains_key(CONTENT_LENGTH) {
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
    }

    /// Ends a response that has begun, as its protocol requires, or breaks it off (F4, F6). If the stream must be
    /// reset, Envoy gets these `details`.
    pub(super) fn end_body(&self, stream: &Stream<'_>, last: FinalFrame, details: &str) {
        self.stop_timers();
        self.replace_phase(Phase::Answered);
        self.note_decided(stream);
        match last {
            FinalFrame::Trailers(trailers) => {
                self.response_ended.set(true);
                stream.send_trailers(heads::lines_of(&trailers));
            }
            FinalFrame::Data(data) => self.send_last(stream, &data),
            FinalFrame::BrokenOff => {
                self.broke_off.set(true);
                stream.reset(details);
            }
        }
    }
}

/// The place where a reply is written.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// The reply replaces this part of the service's response. If `ended` is true, no other part of the response
    /// follows.
    Response { into: Body, ended: bool },
    /// Envoy itself wrote the head, and its body follows at once. The module's body replaces Envoy's body.
    Local,
    /// The reply is written only to the metadata, since Envoy itself writes to the client.
    Metadata,
}

impl Place {
    /// Returns the place in Envoy's own response, whose body follows unless the response has `ended`.
    pub(super) fn local(ended: bool) -> Self {
        if ended { Self::Response { into: Body::KeptResponse, ended } } else { Self::Local }
    }

    /// Returns true if no other part of the response follows.
    pub(super) fn is_end(self) -> bool {
        matches!(self, Self::Response { ended: true, .. })
    }

    pub(super) fn body(self) -> Body {
        if let Self::Response { into, .. } = self { into } else { Body::KeptResponse }
    }
}

/// Subtracts bytes from the rest of a budget. Returns true if there were more bytes than the budget allows.
fn deduct(left: &mut u64, count: u64) -> bool {
    let over = count > *left;
    *left = left.saturating_sub(count);
    over
}

fn send_head(stream: &Stream<'_>, head: &response::Parts, end: bool) {
    let status = (&b":status"[..], head.status.as_str().as_bytes());
    stream.send_head(std::iter::once(status).chain(heads::lines_of(&head.headers)), end);
}

/// Writes a reply to the metadata, for Envoy to send. For a gRPC call, Envoy uses the body as the status message, and
/// encodes it.
fn note_reply(stream: &Stream<'_>, LocalReply { reply, record, .. }: &LocalReply) {
    let (headers, body) = (reply.headers(), reply.body());
    let line = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let grpc_message = percent_encoding::percent_decode_str(line("grpc-message")).decode_utf8_lossy();
    let text = if body.is_empty() { grpc_message } else { String::from_utf8_lossy(body) };
    let id = record.request_id().text();
    let pairs = [
        ("local_reply", "error_envelope"),
        ("request_id", str::from_utf8(&id).unwrap_or_default()),
        ("code", envoy::code_of(record.sent())),
        ("body", &text),
        ("content_type", line("content-type")),
        ("content_security_policy", line("content-security-policy")),
        ("vary", line("vary")),
        ("grpc_details", line("grpc-status-details-bin")),
    ];
    stream.note("error_envelope", &pairs);
}
