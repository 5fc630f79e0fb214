//! The response: passed on, read first, or rewritten (R1–R14, E5, V2, V3).

use bytes::Bytes;
use error_envelope_core::session::{Exchange, ResponsePlan};
use error_envelope_runtime as runtime;
use http::response;

use super::failed::{OwnHead, ReplyOrigin};
use super::state::{BodyStatus, Collecting, EnvoyLocalReply, Filter, HeadStatus, State, TeeState};
use crate::abi::{Body, Head, HeaderList, Stream};
use crate::heads::{self, HeaderMutations};

impl Filter {
    pub(crate) fn response_head(&self, stream: &Stream<'_>, end: bool) -> HeadStatus {
        self.inject(stream, "response_headers");
        let mut local = self.local.take();
        let by = match self.replace_state(State::Answered) {
            State::New => ReplyOrigin::Exchange(self.unread(stream)),
            State::Peeking(pending) => ReplyOrigin::Pending(*pending),
            State::Called(exchange) => ReplyOrigin::Exchange(*exchange),
            State::Draining(draining) => ReplyOrigin::Exchange(draining.exchange),
            // V3: a reply of Envoy's own comes while a body is collected. No known Envoy version does this: then its
            // reply bypasses the filters.
            State::Collecting(collecting) => {
                local = local.or_else(|| Some(EnvoyLocalReply { status: 0, details: "a second head".to_owned() }));
                ReplyOrigin::Exchange(collecting.exchange)
            }
            state => return self.later_head(stream, state, end),
        };
        self.answered_by(stream, by, local, end)
    }

    /// A head came while our answer is ready or sent: our own answer passes through the hooks, too.
    fn later_head(&self, stream: &Stream<'_>, state: State, end: bool) -> HeadStatus {
        match state {
            State::Lingering(lingering) if !self.is_head_sent.get() => {
                self.stop_timer();
                let (head, body) = lingering.reply.into_parts();
                self.write(stream, head, body, end, true)
            }
            state => {
                self.replace_state(state);
                HeadStatus::Continue
            }
        }
    }

    /// A head came: the service's, or Envoy's own if Envoy has announced a local reply.
    fn answered_by(
        &self,
        stream: &Stream<'_>,
        by: ReplyOrigin,
        local: Option<EnvoyLocalReply>,
        end: bool,
    ) -> HeadStatus {
        self.stop_timer();
        self.response_ended.set(end);
        let by = match by {
            ReplyOrigin::Exchange(exchange) if local.is_none() => {
                match stream.lines(Head::Response, |lines| plan_response(exchange, lines, end)) {
                    Ok((plan, head, changes)) => return self.carry_out(stream, plan, head, end, false, changes),
                    Err(exchange) => ReplyOrigin::Exchange(*exchange),
                }
            }
            by => by,
        };
        let OwnHead { plan, head, is_local } = OwnHead::new(stream, by, local, end);
        match plan {
            Some(plan) => self.carry_out(stream, plan, head, end, is_local, None),
            None => {
                heads::apply_response(stream, &head);
                HeadStatus::Continue
            }
        }
    }

    /// Does what the session has planned. `is_local` means that Envoy itself wrote the head.
    fn carry_out(
        &self,
        stream: &Stream<'_>,
        plan: ResponsePlan,
        head: response::Parts,
        end: bool,
        is_local: bool,
        changes: Option<HeaderMutations>,
    ) -> HeadStatus {
        if !matches!(plan, ResponsePlan::Watch(_) | ResponsePlan::Collect(..)) {
            self.deadline.take();
        }
        let log_notes = |notes| self.id.get().map(|id| runtime::log_notes(id, notes));
        let pass = |next| self.pass(stream, &head, next, changes.as_ref());
        match plan {
            ResponsePlan::Pass(tail, notes) => {
                log_notes(notes);
                pass(State::Passing(tail))
            }
            ResponsePlan::Keep(tail, event) => {
                self.log(stream, *event);
                pass(State::Passing(tail))
            }
            ResponsePlan::Strip(_, notes) => {
                log_notes(notes);
                if end { pass(State::Dropping) } else { self.write(stream, head, Bytes::new(), false, false) }
            }
            ResponsePlan::Rewrite(written) => {
                self.log(stream, written.event);
                self.write(stream, head, written.body, end, is_local)
            }
            ResponsePlan::Replace(answered) => {
                let (head, body) = self.logged_parts(stream, *answered);
                self.write(stream, head, body, end, is_local)
            }
            ResponsePlan::Collect(exchange, max_bytes, timeout) => {
                let collecting = Collecting { exchange, head, read: Vec::new(), max_bytes };
                self.begin_collecting(stream, collecting, timeout, end)
            }
            ResponsePlan::Tee(tail, observed, max_bytes, timeout) => {
                pass(State::Copying(Box::new(TeeState::new(tail, observed, max_bytes, timeout))));
                if end {
                    self.copied(stream, true);
                }
                HeadStatus::Continue
            }
            ResponsePlan::Watch(watch) => {
                log_notes(watch.notes());
                pass(State::Watching(watch))
            }
            ResponsePlan::Stream(events, event) => {
                match event {
                    Some(event) => self.log(stream, *event),
                    None => drop(log_notes(events.notes())),
                }
                pass(State::Streaming(events))
            }
        }
    }

    fn pass(
        &self,
        stream: &Stream<'_>,
        head: &response::Parts,
        next: State,
        changes: Option<&HeaderMutations>,
    ) -> HeadStatus {
        self.replace_state(next);
        self.is_head_sent.set(true);
        match changes {
            Some(changes) => changes.apply(stream, Head::Response),
            None => heads::apply_response(stream, head),
        }
        HeadStatus::Continue
    }

    /// With `is_local`, Envoy itself wrote the head, and its body follows at once. The rest of a service's body is not
    /// waited for.
    fn write(
        &self,
        stream: &Stream<'_>,
        mut head: response::Parts,
        body: Bytes,
        end: bool,
        is_local: bool,
    ) -> HeadStatus {
        if end || !is_local {
            return self.put_or_send(stream, head, body, end, Body::KeptResponse).into();
        }
        self.set_framing(&mut head, &body);
        self.pass(stream, &head, State::Replacing(body), None)
    }

    pub(crate) fn response_body(&self, stream: &Stream<'_>, end: bool) -> BodyStatus {
        self.inject(stream, "response_body");
        let state = self.replace_state(State::Answered);
        if !matches!(state, State::Replacing(_) | State::Dropping) {
            self.response_ended.set(end);
        }
        match state {
            State::Collecting(collecting) => return self.collect(stream, collecting, end),
            State::Replacing(body) => {
                stream.drain(Body::Response);
                if end {
                    stream.append(Body::Response, &body);
                } else {
                    self.replace_state(State::Replacing(body));
                }
            }
            State::Dropping => {
                stream.drain(Body::Response);
                self.replace_state(State::Dropping);
            }
            State::Copying(copying) => self.copy(stream, copying, end),
            State::Watching(watch) => self.watch(stream, watch),
            State::Streaming(events) => self.pass_events(stream, events),
            state => drop(self.replace_state(state)),
        }
        BodyStatus::Continue
    }

    pub(crate) fn response_trailers(&self, stream: &Stream<'_>) -> HeadStatus {
        self.inject(stream, "response_trailers");
        self.response_ended.set(true);
        match self.replace_state(State::Answered) {
            // Our answer has no trailers, and is sent separately.
            State::Collecting(collecting) => {
                return self.collected(stream, *collecting, true, false, Body::KeptResponse).into();
            }
            State::Watching(watch) => self.watch_trailers(stream, watch),
            State::Streaming(mut events) => {
                events.response_trailers();
                self.replace_state(State::Streaming(events));
            }
            state => {
                self.replace_state(state);
                self.copied(stream, true);
            }
        }
        HeadStatus::Continue
    }
}

/// The plan for a response, its head, and the header changes if it passes.
type HeadOutcome = (ResponsePlan, response::Parts, Option<HeaderMutations>);

/// Plans a response by its head. Returns the session if the head is invalid.
fn plan_response(exchange: Exchange, lines: HeaderList<'_>, end_of_stream: bool) -> Result<HeadOutcome, Box<Exchange>> {
    if heads::can_pass_unparsed(lines, |status| exchange.passes_unparsed(status)) {
        let changes = HeaderMutations::only_request_id(exchange.id_header().clone(), false);
        let (body_context, event_fields) = exchange.finish_unparsed();
        let unparsed = http::Response::new(()).into_parts().0;
        return Ok((ResponsePlan::Pass(body_context, event_fields), unparsed, Some(changes)));
    }
    let Some(mut head) = heads::response(lines) else { return Err(Box::new(exchange)) };
    let facts = heads::facts(&head.headers, end_of_stream);
    let plan = exchange.response_head(&mut head, || facts);
    let passes = !matches!(plan, ResponsePlan::Rewrite(_) | ResponsePlan::Replace(_) | ResponsePlan::Collect(..));
    let changes = passes.then(|| HeaderMutations::of_response(lines, &head));
    Ok((plan, head, changes))
}
