//! The response: what passes, what is read first, what is written anew (R1–R14, E5, V2, V3).

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use error_envelope_core::exchange::{BoxError, Collected, CollectedAction, Exchange, ResponsePlan, RpcResponse};
use error_envelope_runtime as runtime;
use http::{HeaderValue, StatusCode, response};

use super::{BodyStatus, Collecting, EnvoyLocalReply, Filter, HeadStatus, State, TeeState, Wait};
use crate::abi::{Body, Head, HeaderList, Stream};
use crate::heads::{self, HeaderMutations};

impl Filter {
    pub(crate) fn response_head(&self, stream: &Stream<'_>, end: bool) -> HeadStatus {
        self.inject(stream, "response_headers");
        let local = self.local.take();
        match self.leave(State::Answered) {
            State::New => {
                let exchange = self.unread(stream);
                self.answered_by(stream, ReplyOrigin::Exchange(exchange), local, end)
            }
            State::Peeking(pending) => self.answered_by(stream, ReplyOrigin::Pending(*pending), local, end),
            State::Called(exchange) => self.answered_by(stream, ReplyOrigin::Exchange(*exchange), local, end),
            State::Draining(draining) => self.answered_by(stream, ReplyOrigin::Exchange(draining.exchange), local, end),
            // V3. No Envoy that is known does this: its own answer goes past the filters then.
            State::Collecting(collecting) => {
                let local = local.or_else(|| Some(EnvoyLocalReply { status: 0, details: "a second head".to_owned() }));
                self.answered_by(stream, ReplyOrigin::Exchange(collecting.exchange), local, end)
            }
            State::Deferred(deferred) => {
                self.stop_waiting();
                let (head, body) = deferred.reply.into_parts();
                self.replace(stream, head, body, end)
            }
            // Ours comes by here as well.
            state => {
                self.leave(state);
                HeadStatus::Continue
            }
        }
    }

    /// A head came: the service's, or Envoy's own where it has said so.
    fn answered_by(
        &self,
        stream: &Stream<'_>,
        by: ReplyOrigin,
        local: Option<EnvoyLocalReply>,
        end: bool,
    ) -> HeadStatus {
        self.stop_waiting();
        self.response_ended.set(end);
        match (by, local) {
            (ReplyOrigin::Exchange(exchange), None) => {
                match stream.lines(Head::Response, |lines| decide(exchange, lines, end)) {
                    Ok((plan, head, changes)) => self.carry_out(stream, plan, head, end, false, changes),
                    Err(exchange) => self.failed_by_itself(stream, ReplyOrigin::Exchange(*exchange), None, end),
                }
            }
            (by, local) => self.failed_by_itself(stream, by, local, end),
        }
    }

    /// Envoy's own head, or none that can be read.
    fn failed_by_itself(
        &self,
        stream: &Stream<'_>,
        by: ReplyOrigin,
        local: Option<EnvoyLocalReply>,
        end: bool,
    ) -> HeadStatus {
        let head = stream.lines(Head::Response, heads::response);
        let failure = local.and_then(|EnvoyLocalReply { status, details }| {
            let told = StatusCode::from_u16(u16::try_from(status).unwrap_or_default()).ok();
            let status = told.or(head.as_ref().map(|head| head.status)).filter(|it| it.as_u16() >= 400)?;
            Some((status, BoxError::from(details)))
        });
        let is_local = failure.is_some();
        let (mut head, failure) = match (head, failure) {
            (Some(head), failure) => (head, failure),
            (None, failure) => {
                let failure = failure.or_else(|| Some((StatusCode::BAD_GATEWAY, "no proper head".into())));
                (http::Response::new(()).into_parts().0, failure)
            }
        };
        let plan = match (by, failure) {
            (ReplyOrigin::Exchange(exchange), Some((status, cause))) => {
                head.status = status;
                exchange.proxy_failed(&mut head, cause)
            }
            (ReplyOrigin::Pending(pending), Some((status, cause))) => {
                head.status = status;
                pending.proxy_failed(&mut head, cause)
            }
            (ReplyOrigin::Exchange(exchange), None) => {
                let facts = heads::response_facts(&head, end);
                exchange.response_head(&mut head, || facts)
            }
            // A request that was not forwarded: a redirect of Envoy's own, which keeps its shape.
            (ReplyOrigin::Pending(pending), None) => {
                let id = pending.request_id();
                drop(pending);
                if let Ok(id) = HeaderValue::try_from(id.to_string()) {
                    head.headers.insert("x-request-id", id);
                }
                heads::tell_response(stream, &head);
                return HeadStatus::Continue;
            }
        };
        self.carry_out(stream, plan, head, end, is_local, None)
    }

    /// A response that was held back fails, and Envoy writes to the client itself (V3): what it is to write is noted for
    /// its `local_reply_config`, which the generated configuration has.
    pub(super) fn failed_past(&self, stream: &Stream<'_>, exchange: Exchange, local: EnvoyLocalReply) {
        self.stop_waiting();
        self.deadline.take();
        self.head_left.set(true);
        let mut head = http::Response::new(()).into_parts().0;
        let status = u16::try_from(local.status).unwrap_or_default();
        head.status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        let body = match exchange.proxy_failed(&mut head, local.details.into()) {
            ResponsePlan::Rewrite(written) => {
                self.log(stream, written.event);
                written.body
            }
            ResponsePlan::Replace(mut answered) => {
                self.tell_answered(stream, &mut answered);
                let (answer, body) = answered.reply.into_parts();
                head = answer;
                body
            }
            // What fails is never collected, nor passed.
            ResponsePlan::Pass(..)
            | ResponsePlan::Keep(..)
            | ResponsePlan::Strip(..)
            | ResponsePlan::Collect(..)
            | ResponsePlan::Tee(..)
            | ResponsePlan::Watch(_) => return,
        };
        let line = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // Of a gRPC call Envoy makes the body the message, and encodes it.
        let message = percent_decoded(line("grpc-message"));
        let text = if body.is_empty() { message } else { String::from_utf8_lossy(&body).into_owned() };
        let pairs = [
            ("local_reply", "error_envelope"),
            ("body", &text),
            ("content_type", line("content-type")),
            ("vary", line("vary")),
            ("content_security_policy", line("content-security-policy")),
            ("grpc_details", line("grpc-status-details-bin")),
        ];
        stream.note("error_envelope", &pairs);
    }

    fn carry_out(
        &self,
        stream: &Stream<'_>,
        plan: ResponsePlan,
        head: response::Parts,
        end: bool,
        is_local: bool,
        changes: Option<HeaderMutations>,
    ) -> HeadStatus {
        let changes = changes.as_ref();
        if !matches!(plan, ResponsePlan::Watch(_) | ResponsePlan::Collect(..)) {
            self.deadline.take();
        }
        let log_notes = |notes| {
            if let Some(id) = self.id.get() {
                runtime::log_notes(id, notes);
            }
        };
        match plan {
            ResponsePlan::Pass(tail, notes) => {
                log_notes(notes);
                self.pass(stream, &head, State::Passing(tail), changes)
            }
            ResponsePlan::Keep(tail, event) => {
                self.log(stream, *event);
                self.pass(stream, &head, State::Passing(tail), changes)
            }
            ResponsePlan::Strip(_, notes) => {
                log_notes(notes);
                if end {
                    return self.pass(stream, &head, State::Dropping, changes);
                }
                // What is left is not waited for.
                self.send(stream, http::Response::from_parts(head, Bytes::new()));
                HeadStatus::Stop
            }
            ResponsePlan::Rewrite(written) => {
                self.log(stream, written.event);
                if is_local {
                    self.replace(stream, head, written.body, end)
                } else {
                    self.write(stream, head, written.body, end)
                }
            }
            ResponsePlan::Replace(mut answered) => {
                self.tell_answered(stream, &mut answered);
                let (head, body) = answered.reply.into_parts();
                if is_local { self.replace(stream, head, body, end) } else { self.write(stream, head, body, end) }
            }
            ResponsePlan::Collect(exchange, max_bytes, timeout) => {
                let collecting = Collecting { exchange, head, read: Vec::new(), max_bytes };
                self.begin_collecting(stream, collecting, timeout, end)
            }
            ResponsePlan::Tee(tail, observed, max_bytes, timeout) => {
                let until = now() + timeout;
                let copying = TeeState { tail, observed, copy: Vec::new(), passed: 0, max_bytes, until };
                self.pass(stream, &head, State::Copying(Box::new(copying)), changes);
                if end {
                    self.copied(stream, true);
                }
                HeadStatus::Continue
            }
            ResponsePlan::Watch(watch) => {
                log_notes(watch.notes());
                self.pass(stream, &head, State::Watching(watch), changes)
            }
        }
    }

    fn begin_collecting(
        &self,
        stream: &Stream<'_>,
        collecting: Collecting,
        timeout: Duration,
        end: bool,
    ) -> HeadStatus {
        if end {
            return match self.decide(stream, collecting, true, Body::KeptResponse) {
                BodyStatus::Continue => HeadStatus::Continue,
                BodyStatus::Stop => HeadStatus::Stop,
            };
        }
        self.leave(State::Collecting(Box::new(collecting)));
        self.wait(stream, Wait::Collect, timeout);
        HeadStatus::Stop
    }

    fn pass(
        &self,
        stream: &Stream<'_>,
        head: &response::Parts,
        next: State,
        changes: Option<&HeaderMutations>,
    ) -> HeadStatus {
        self.leave(next);
        self.head_left.set(true);
        match changes {
            Some(changes) => changes.apply(stream, Head::Response),
            None => heads::tell_response(stream, head),
        }
        HeadStatus::Continue
    }

    /// Envoy's own head and body give way to these: what it says is whole, and comes at once.
    fn replace(&self, stream: &Stream<'_>, mut head: response::Parts, body: Bytes, end: bool) -> HeadStatus {
        if end {
            self.write_body(stream, head, &body, Body::KeptResponse);
        } else {
            self.frame(&mut head, &body);
            self.pass(stream, &head, State::Replacing(body), None);
        }
        HeadStatus::Continue
    }

    /// The service's head was written anew. What comes of its body is not waited for.
    fn write(&self, stream: &Stream<'_>, head: response::Parts, body: Bytes, end: bool) -> HeadStatus {
        if end {
            self.write_body(stream, head, &body, Body::KeptResponse);
            return HeadStatus::Continue;
        }
        self.send(stream, http::Response::from_parts(head, body));
        HeadStatus::Stop
    }

    pub(crate) fn response_body(&self, stream: &Stream<'_>, end: bool) -> BodyStatus {
        self.inject(stream, "response_body");
        match self.leave(State::Answered) {
            State::Collecting(collecting) => {
                self.response_ended.set(end);
                self.collect(stream, collecting, end)
            }
            State::Replacing(body) => {
                stream.drain(Body::Response);
                if end {
                    stream.append(Body::Response, &body);
                } else {
                    self.leave(State::Replacing(body));
                }
                BodyStatus::Continue
            }
            State::Dropping => {
                stream.drain(Body::Response);
                self.leave(State::Dropping);
                BodyStatus::Continue
            }
            State::Copying(copying) => {
                self.response_ended.set(end);
                self.copy(stream, copying);
                if end {
                    self.copied(stream, true);
                }
                BodyStatus::Continue
            }
            State::Watching(watch) => {
                self.response_ended.set(end);
                self.watch(stream, watch);
                BodyStatus::Continue
            }
            state => {
                self.response_ended.set(end);
                self.leave(state);
                BodyStatus::Continue
            }
        }
    }

    pub(crate) fn response_trailers(&self, stream: &Stream<'_>) -> HeadStatus {
        self.inject(stream, "response_trailers");
        self.response_ended.set(true);
        match self.leave(State::Answered) {
            // An answer of ours has no trailers, and is sent by itself.
            State::Collecting(collecting) => match self.decide(stream, *collecting, false, Body::KeptResponse) {
                BodyStatus::Continue => HeadStatus::Continue,
                BodyStatus::Stop => HeadStatus::Stop,
            },
            State::Copying(copying) => {
                self.leave(State::Copying(copying));
                self.copied(stream, true);
                HeadStatus::Continue
            }
            State::Watching(mut watch) => {
                let trailers = stream.lines(Head::ResponseTrailers, heads::trailers);
                if let Some(mut trailers) = trailers {
                    let event = watch.response_trailers(&mut trailers);
                    let changes =
                        stream.lines(Head::ResponseTrailers, |lines| HeaderMutations::from_lines(lines, &trailers));
                    changes.apply(stream, Head::ResponseTrailers);
                    if let Some(event) = event {
                        self.log(stream, event);
                    }
                }
                self.leave(State::Watching(watch));
                HeadStatus::Continue
            }
            state => {
                self.leave(state);
                HeadStatus::Continue
            }
        }
    }

    /// Reads some of an error's body. Envoy keeps nothing of it, so that nothing of it can leave (V3).
    fn collect(&self, stream: &Stream<'_>, mut collecting: Box<Collecting>, end: bool) -> BodyStatus {
        let room = usize::try_from(collecting.max_bytes).unwrap_or(usize::MAX);
        let over = stream.chunks(Body::Response, |chunks| {
            let mut over = false;
            for chunk in chunks {
                let left = room - collecting.read.len();
                over |= chunk.len() > left;
                // What may be given back is kept whole (M1).
                let kept = if collecting.exchange.may_restore() { chunk } else { &chunk[..chunk.len().min(left)] };
                collecting.read.extend_from_slice(kept);
                if over && !collecting.exchange.may_restore() {
                    break;
                }
            }
            over
        });
        if over {
            return self.decide_of(stream, *collecting, false, end, Body::Response);
        }
        if end {
            return self.decide_of(stream, *collecting, true, true, Body::Response);
        }
        self.leave(State::Collecting(collecting));
        BodyStatus::Stop
    }

    pub(super) fn collected_too_late(&self, stream: &Stream<'_>) {
        match self.leave(State::Answered) {
            State::Collecting(collecting) => {
                if self.decide_of(stream, *collecting, false, false, Body::KeptResponse) == BodyStatus::Continue {
                    stream.continue_encoding();
                }
            }
            state => drop(self.leave(state)),
        }
    }

    fn decide(&self, stream: &Stream<'_>, collecting: Collecting, ended: bool, into: Body) -> BodyStatus {
        self.decide_of(stream, collecting, true, ended, into)
    }

    /// An error's body was read, whole or not: what the client gets. `ended` says that nothing follows it.
    fn decide_of(
        &self,
        stream: &Stream<'_>,
        collecting: Collecting,
        whole: bool,
        ended: bool,
        into: Body,
    ) -> BodyStatus {
        self.stop_waiting();
        self.deadline.take();
        let Collecting { exchange, mut head, read, .. } = collecting;
        let collected = if whole { Collected::Whole(&read) } else { Collected::Unreadable(&read) };
        match exchange.response_body(&mut head, collected) {
            CollectedAction::Rewrite(written) => {
                self.log(stream, written.event);
                self.put_or_send(stream, head, written.body, ended, into)
            }
            CollectedAction::Replace(mut answered) => {
                self.tell_answered(stream, &mut answered);
                let (head, body) = answered.reply.into_parts();
                self.put_or_send(stream, head, body, ended, into)
            }
            CollectedAction::Restore(tail, event) => {
                self.log(stream, *event);
                self.write_body(stream, head, &read, into);
                self.leave(State::Passing(tail));
                BodyStatus::Continue
            }
        }
    }

    fn put_or_send(
        &self,
        stream: &Stream<'_>,
        head: response::Parts,
        body: Bytes,
        ended: bool,
        into: Body,
    ) -> BodyStatus {
        // A head that has left its hook is sent as one with a body, and a gRPC status in one is no status (P1); to send
        // another is cheaper, too, than to change it line by line.
        if ended && into == Body::KeptResponse {
            self.write_body(stream, head, &body, into);
            return BodyStatus::Continue;
        }
        self.send(stream, http::Response::from_parts(head, body));
        BodyStatus::Stop
    }

    /// Copies what passes, as far as it is read (M1).
    fn copy(&self, stream: &Stream<'_>, mut copying: Box<TeeState>) {
        stream.chunks(Body::Response, |chunks| {
            for chunk in chunks {
                copying.passed = copying.passed.saturating_add(chunk.len() as u64);
                if copying.passed <= copying.max_bytes {
                    copying.copy.extend_from_slice(chunk);
                }
            }
        });
        self.leave(State::Copying(copying));
    }

    /// What was copied is told.
    fn copied(&self, stream: &Stream<'_>, whole: bool) {
        match self.leave(State::Answered) {
            State::Copying(copying) => {
                let TeeState { tail, observed, copy, passed, max_bytes, until } = *copying;
                let readable = whole && passed <= max_bytes && now() < until;
                let collected = if readable { Collected::Whole(&copy) } else { Collected::Unreadable(&copy) };
                self.leave(State::Passing(tail));
                self.log(stream, observed.finish(collected));
            }
            state => drop(self.leave(state)),
        }
    }

    /// Shows a call's body to its watch, which may put another end in the place of its own (section P).
    fn watch(&self, stream: &Stream<'_>, mut watch: Box<RpcResponse>) {
        if !watch.reads_data() {
            self.leave(State::Watching(watch));
            return;
        }
        let mut data = stream.chunks(Body::Response, |chunks| {
            let mut data = BytesMut::with_capacity(chunks.iter().map(|chunk| chunk.len()).sum());
            chunks.iter().for_each(|chunk| data.extend_from_slice(chunk));
            data.freeze()
        });
        let before = data.clone();
        let event = watch.response_data(&mut data);
        self.leave(State::Watching(watch));
        if data != before {
            stream.drain(Body::Response);
            stream.append(Body::Response, &data);
        }
        if let Some(event) = event {
            self.log(stream, event);
        }
    }
}

/// What was decided by a head of the service's, and what became of it where it passes.
type HeadOutcome = (ResponsePlan, response::Parts, Option<HeaderMutations>);

/// The exchange comes back where there is no proper head.
fn decide(exchange: Exchange, lines: HeaderList<'_>, end: bool) -> Result<HeadOutcome, Box<Exchange>> {
    if heads::pass_unread(lines, |status| exchange.passes_unread(status)) {
        let changes = HeaderMutations::id_alone(exchange.id_header().clone(), false);
        let (tail, notes) = exchange.passed_unread();
        let unread = http::Response::new(()).into_parts().0;
        return Ok((ResponsePlan::Pass(tail, notes), unread, Some(changes)));
    }
    let Some(mut head) = heads::response(lines) else { return Err(Box::new(exchange)) };
    let facts = heads::response_facts(&head, end);
    let plan = exchange.response_head(&mut head, || facts);
    let passes = match &plan {
        ResponsePlan::Pass(..)
        | ResponsePlan::Keep(..)
        | ResponsePlan::Strip(..)
        | ResponsePlan::Tee(..)
        | ResponsePlan::Watch(_) => true,
        ResponsePlan::Rewrite(_) | ResponsePlan::Replace(_) | ResponsePlan::Collect(..) => false,
    };
    let changes = passes.then(|| HeaderMutations::of_response(lines, &head));
    Ok((plan, head, changes))
}

/// The text of a `grpc-message`.
fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Whose answer comes.
enum ReplyOrigin {
    Exchange(Exchange),
    Pending(error_envelope_core::exchange::PendingPeek),
}

#[allow(clippy::disallowed_methods, reason = "an adapter has a clock")]
fn now() -> Instant {
    Instant::now()
}
