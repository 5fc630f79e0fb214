//! Handles the response, which is passed on, read first, or rewritten (R1–R14, E5, V2, V3).

use bytes::{Bytes, BytesMut};
use error_envelope_core::session::{Follow, Needs, Read, Reading, ResponseStep, Rest, UnreadReason};
use error_envelope_runtime::envoy::{self, EnvoyReply, HeadDecision};
use http::{HeaderValue, Response, StatusCode, response};

use super::sending::Place;
use super::state::{BodyStatus, Collecting, Filter, HeadStatus, Phase, Wait, now};
use crate::abi::{Body, Head, Stream};
use crate::heads;

impl Filter {
    /// Called when the head of a response came. The response is the service's, or Envoy's own if Envoy has announced a
    /// reply.
    pub(crate) fn response_head(&self, stream: &Stream<'_>, end: bool) -> HeadStatus {
        self.inject(stream, "response_headers");
        let own = self.own.take();
        let own = match self.replace_phase(Phase::Answered) {
            Phase::New => {
                self.unread(stream);
                own
            }
            Phase::Called | Phase::Draining(..) => own,
            Phase::Peeking => {
                own.or_else(|| Some(EnvoyReply::new("a response arrived before the guards had finished")))
            }
            // Envoy's own reply comes while a body is collected (V3). No known Envoy version calls this hook then,
            // because the reply bypasses the filters.
            Phase::Collecting(_) => own.or_else(|| Some(EnvoyReply::new("a second head"))),
            Phase::Lingering(lingering) if !self.is_head_sent.get() => {
                return self.put(stream, lingering.reply, Place::local(end)).into();
            }
            // The module's own response also passes through the hooks.
            phase => {
                self.replace_phase(phase);
                return HeadStatus::Continue;
            }
        };
        self.stop_timer();
        let place =
            if own.is_some() { Place::local(end) } else { Place::Response { into: Body::KeptResponse, ended: end } };
        let decision =
            stream.lines(Head::Response, |lines| envoy::respond(&mut self.session.borrow_mut(), lines, end, own));
        self.carry_out(stream, decision, place).into()
    }

    /// Called when a response that was held back fails, and Envoy writes to the client itself (V3). The reply is
    /// written to the metadata for Envoy's `local_reply_config`, which the generated configuration contains.
    pub(super) fn held_response_failed(&self, stream: &Stream<'_>, own: EnvoyReply) {
        self.is_head_sent.set(true);
        let mut head = http::Response::new(()).into_parts().0;
        let status = own.status.unwrap_or(StatusCode::BAD_GATEWAY);
        let step = own.fail(&mut self.session.borrow_mut(), &mut head, status);
        self.carry_out(stream, HeadDecision { step, head, id: None }, Place::Metadata);
        self.sent.set(None);
        self.response_ended.set(true);
    }

    /// Carries out what the session has decided.
    fn carry_out(&self, stream: &Stream<'_>, decision: HeadDecision, place: Place) -> BodyStatus {
        let HeadDecision { step, head, id } = decision;
        match step {
            ResponseStep::Pass(follow) => self.pass(stream, &head, id, follow, place.is_end()),
            ResponseStep::Strip(follow) => {
                self.stop_timers();
                self.keep(stream, follow);
                if place.is_end() {
                    self.response_ended.set(true);
                    return self.pass_head(stream, &head, None, Phase::Dropping);
                }
                self.send(stream, Response::from_parts(head, Bytes::new()));
                BodyStatus::Stop
            }
            ResponseStep::Write(written) => self.reply(stream, written.into_reply(head), place),
            ResponseStep::Send(reply) => self.reply(stream, *reply, place),
            ResponseStep::Read(reading) => self.begin_collecting(stream, reading, head, place),
            ResponseStep::Resume(bytes, rest, follow) => {
                self.keep(stream, follow);
                self.write_body(stream, head, &bytes, place.body());
                self.response_ended.set(place.is_end() || matches!(rest, Rest::Trailers(_)));
                self.replace_phase(Phase::Passing);
                BodyStatus::Continue
            }
            ResponseStep::Broken => {
                stream.reset("error_envelope_ended");
                BodyStatus::Stop
            }
        }
    }

    fn pass(
        &self,
        stream: &Stream<'_>,
        head: &response::Parts,
        id: Option<HeaderValue>,
        mut follow: Follow,
        end: bool,
    ) -> BodyStatus {
        if !follow.can_time_out() {
            drop(self.deadline.take());
        }
        follow.begin(|| None, now);
        if end {
            follow.end(now);
        }
        self.keep(stream, follow);
        self.response_ended.set(end);
        let status = head.status;
        self.tunnels.set(status == StatusCode::SWITCHING_PROTOCOLS || self.tunnels.get() && status.is_success());
        self.pass_head(stream, head, id, Phase::Passing)
    }

    /// Reads an error's body before anything is sent (R4).
    fn begin_collecting(
        &self,
        stream: &Stream<'_>,
        mut reading: Reading,
        head: response::Parts,
        place: Place,
    ) -> BodyStatus {
        let until = reading.waits(now);
        let collecting = Box::new(Collecting { reading, head });
        if place.is_end() {
            return self.collected(stream, collecting, Reading::end, place);
        }
        self.replace_phase(Phase::Collecting(collecting));
        self.start_timer(stream, Wait::Collect, until.saturating_duration_since(now()));
        BodyStatus::Stop
    }

    /// Reads a part of an error's body. Envoy keeps no part of the body, so that no part can reach the client (V3).
    fn collect(&self, stream: &Stream<'_>, mut collecting: Box<Collecting>, end: bool) -> BodyStatus {
        let place = Place::Response { into: Body::Response, ended: end };
        match collecting.reading.data(stream.chunks(Body::Response, joined), now) {
            Err(why) => self.collected(stream, collecting, |reading| reading.stop(why), place),
            Ok(()) if end => self.collected(stream, collecting, Reading::end, place),
            Ok(()) => {
                self.replace_phase(Phase::Collecting(collecting));
                BodyStatus::Stop
            }
        }
    }

    pub(super) fn collected_too_late(&self, stream: &Stream<'_>) {
        match self.replace_phase(Phase::Answered) {
            Phase::Collecting(collecting) => {
                let place = Place::Response { into: Body::KeptResponse, ended: false };
                let stop = |reading: Reading| reading.stop(UnreadReason::TooLate);
                if self.collected(stream, collecting, stop, place) == BodyStatus::Continue {
                    stream.continue_encoding();
                }
            }
            phase => drop(self.replace_phase(phase)),
        }
    }

    /// Finishes an error whose body was read, completely or in part.
    fn collected(
        &self,
        stream: &Stream<'_>,
        collecting: Box<Collecting>,
        read: impl FnOnce(Reading) -> Read,
        place: Place,
    ) -> BodyStatus {
        self.stop_timers();
        let Collecting { reading, mut head } = *collecting;
        let step = self.session.borrow_mut().decide(&mut head, read(reading));
        self.carry_out(stream, HeadDecision { step, head, id: None }, place)
    }

    pub(crate) fn response_body(&self, stream: &Stream<'_>, end: bool) -> BodyStatus {
        self.inject(stream, "response_body");
        match self.replace_phase(Phase::Answered) {
            Phase::Collecting(collecting) => return self.collect(stream, collecting, end),
            Phase::Replacing(body) => {
                stream.drain(Body::Response);
                if end {
                    self.count_sent(body.len());
                    self.response_ended.set(true);
                    stream.append(Body::Response, &body);
                } else {
                    self.replace_phase(Phase::Replacing(body));
                }
            }
            Phase::Dropping => {
                stream.drain(Body::Response);
                self.replace_phase(Phase::Dropping);
            }
            Phase::Passing => {
                self.replace_phase(Phase::Passing);
                self.pass_data(stream, end);
            }
            phase => drop(self.replace_phase(phase)),
        }
        BodyStatus::Continue
    }

    /// Passes a part of a body on. If the session follows the response, the session may change the part.
    fn pass_data(&self, stream: &Stream<'_>, end: bool) {
        if end {
            self.response_ended.set(true);
        }
        if self.follow.borrow().needs() != Needs::Data {
            return self.count_sent(stream.length(Body::Response));
        }
        let before = stream.chunks(Body::Response, joined);
        let mut data = before.clone();
        self.follow.borrow_mut().data(&mut data, end, now);
        self.count_sent(data.len());
        if data != before {
            stream.drain(Body::Response);
            stream.append(Body::Response, &data);
        }
        self.note_decided(stream);
    }

    pub(crate) fn response_trailers(&self, stream: &Stream<'_>) -> HeadStatus {
        self.inject(stream, "response_trailers");
        match self.replace_phase(Phase::Answered) {
            // The module's own response has no trailers, and is sent separately.
            Phase::Collecting(collecting) => {
                let place = Place::Response { into: Body::KeptResponse, ended: false };
                return self.collected(stream, collecting, Reading::end, place).into();
            }
            Phase::Passing => {
                self.replace_phase(Phase::Passing);
                self.response_ended.set(true);
                self.pass_trailers(stream);
            }
            phase => drop(self.replace_phase(phase)),
        }
        HeadStatus::Continue
    }

    /// Passes the trailers on. If the session follows the response, the session may change the trailers.
    fn pass_trailers(&self, stream: &Stream<'_>) {
        if self.follow.borrow().needs() == Needs::Nothing {
            return;
        }
        match stream.lines(Head::ResponseTrailers, |lines| envoy::trailers(lines)) {
            Some(mut trailers) => {
                self.follow.borrow_mut().trailers(&mut trailers, now);
                heads::apply(stream, Head::ResponseTrailers, &trailers);
            }
            None => self.follow.borrow_mut().end(now),
        }
        self.note_decided(stream);
    }
}

fn joined(chunks: &[&[u8]]) -> Bytes {
    let mut data = BytesMut::with_capacity(chunks.iter().map(|chunk| chunk.len()).sum());
    chunks.iter().for_each(|chunk| data.extend_from_slice(chunk));
    data.freeze()
}
