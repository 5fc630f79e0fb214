//! Reads an error's body before anything is sent (R4), or copies one that passes (M1).

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use error_envelope_core::session::{BodyContext, Collected, CollectedAction, ObservedError, RpcResponse};
use http::response;

use super::state::{BodyStatus, Collecting, Filter, HeadStatus, State, TeeState, Wait};
use crate::abi::{Body, Head, Stream};
use crate::heads::{self, HeaderMutations};

impl Filter {
    pub(super) fn begin_collecting(
        &self,
        stream: &Stream<'_>,
        collecting: Collecting,
        timeout: Duration,
        end: bool,
    ) -> HeadStatus {
        if end {
            return self.collected(stream, collecting, true, true, Body::KeptResponse).into();
        }
        self.replace_state(State::Collecting(Box::new(collecting)));
        self.start_timer(stream, Wait::Collect, timeout);
        HeadStatus::Stop
    }

    /// Reads a part of an error's body. Envoy keeps none of it, so that none of it can reach the client (V3).
    pub(super) fn collect(&self, stream: &Stream<'_>, mut collecting: Box<Collecting>, end: bool) -> BodyStatus {
        let is_over = stream.chunks(Body::Response, |chunks| collecting.add(chunks));
        if is_over || end {
            return self.collected(stream, *collecting, !is_over, end, Body::Response);
        }
        self.replace_state(State::Collecting(collecting));
        BodyStatus::Stop
    }

    pub(super) fn collected_too_late(&self, stream: &Stream<'_>) {
        match self.replace_state(State::Answered) {
            State::Collecting(collecting) => {
                if self.collected(stream, *collecting, false, false, Body::KeptResponse) == BodyStatus::Continue {
                    stream.continue_encoding();
                }
            }
            state => drop(self.replace_state(state)),
        }
    }

    /// Finishes an error whose body was read, completely or in part: returns the client's response. `ended` means that
    /// nothing follows the body.
    pub(super) fn collected(
        &self,
        stream: &Stream<'_>,
        collecting: Collecting,
        whole: bool,
        ended: bool,
        into: Body,
    ) -> BodyStatus {
        self.stop_timers();
        let Collecting { exchange, mut head, read, .. } = collecting;
        let collected = if whole { Collected::Whole(&read) } else { Collected::Unreadable(&read) };
        let (head, body) = match exchange.response_body(&mut head, collected) {
            CollectedAction::Rewrite(written) => {
                self.log(stream, written.event);
                (head, written.body)
            }
            CollectedAction::Replace(answered) => self.logged_parts(stream, *answered),
            CollectedAction::Restore(tail, event) => {
                self.log(stream, *event);
                self.write_body(stream, head, &read, into);
                self.replace_state(State::Passing(tail));
                return BodyStatus::Continue;
            }
        };
        self.put_or_send(stream, head, body, ended, into)
    }

    /// Writes the response in place of the service's, or sends it as a reply.
    pub(super) fn put_or_send(
        &self,
        stream: &Stream<'_>,
        head: response::Parts,
        body: Bytes,
        ended: bool,
        into: Body,
    ) -> BodyStatus {
        // If a head has left its hook, Envoy sends it as the head of a response with a body, in which a gRPC status
        // does not count (P1). Sending another head is also cheaper: one call passes all its lines, while finding the
        // changes that Envoy would need takes longer.
        if ended && into == Body::KeptResponse {
            self.write_body(stream, head, &body, into);
            return BodyStatus::Continue;
        }
        self.send(stream, http::Response::from_parts(head, body));
        BodyStatus::Stop
    }

    /// Copies a body that passes, up to the limit for reading it (M1).
    pub(super) fn copy(&self, stream: &Stream<'_>, mut copying: Box<TeeState>, end: bool) {
        stream.chunks(Body::Response, |chunks| {
            for chunk in chunks {
                copying.passed = copying.passed.saturating_add(chunk.len() as u64);
                if copying.passed <= copying.max_bytes {
                    copying.copy.extend_from_slice(chunk);
                }
            }
        });
        self.replace_state(State::Copying(copying));
        if end {
            self.copied(stream, true);
        }
    }

    /// Logs the error whose body was copied, if there is one.
    pub(super) fn copied(&self, stream: &Stream<'_>, whole: bool) {
        match self.replace_state(State::Answered) {
            State::Copying(copying) => {
                let TeeState { tail, observed, copy, passed, max_bytes, until } = *copying;
                let readable = whole && passed <= max_bytes && now() < until;
                let collected = if readable { Collected::Whole(&copy) } else { Collected::Unreadable(&copy) };
                self.replace_state(State::Passing(tail));
                self.log(stream, observed.finish(collected));
            }
            state => drop(self.replace_state(state)),
        }
    }

    /// Passes a call's body to its session, which may replace its end (section P).
    pub(super) fn watch(&self, stream: &Stream<'_>, mut watch: Box<RpcResponse>) {
        if !watch.reads_data() {
            self.replace_state(State::Watching(watch));
            return;
        }
        let before = stream.chunks(Body::Response, joined);
        let mut data = before.clone();
        let event = watch.response_data(&mut data);
        self.replace_state(State::Watching(watch));
        if data != before {
            stream.drain(Body::Response);
            stream.append(Body::Response, &data);
        }
        event.into_iter().for_each(|event| self.log(stream, event));
    }

    pub(super) fn watch_trailers(&self, stream: &Stream<'_>, mut watch: Box<RpcResponse>) {
        if let Some(mut trailers) = stream.lines(Head::ResponseTrailers, |lines| heads::trailers(lines)) {
            let event = watch.response_trailers(&mut trailers);
            let changes = stream.lines(Head::ResponseTrailers, |lines| HeaderMutations::from_lines(lines, &trailers));
            changes.apply(stream, Head::ResponseTrailers);
            if let Some(event) = event {
                self.log(stream, event);
            }
        }
        self.replace_state(State::Watching(watch));
    }
}

impl Collecting {
    /// Adds chunks. Returns whether the body has more bytes than the limit. A body that may have to be sent unchanged
    /// is kept completely (M1).
    fn add(&mut self, chunks: &[&[u8]]) -> bool {
        let most = usize::try_from(self.max_bytes).unwrap_or(usize::MAX);
        for chunk in chunks {
            self.read.extend_from_slice(chunk);
            if self.read.len() > most && !self.exchange.may_restore() {
                self.read.truncate(most);
                return true;
            }
        }
        self.read.len() > most
    }
}

impl TeeState {
    pub(super) fn new(tail: BodyContext, observed: Box<ObservedError>, max_bytes: u64, timeout: Duration) -> Self {
        Self { tail, observed, copy: Vec::new(), passed: 0, max_bytes, until: now() + timeout }
    }
}

fn joined(chunks: &[&[u8]]) -> Bytes {
    let mut data = BytesMut::with_capacity(chunks.iter().map(|chunk| chunk.len()).sum());
    chunks.iter().for_each(|chunk| data.extend_from_slice(chunk));
    data.freeze()
}

#[allow(clippy::disallowed_methods, reason = "an adapter has a clock")]
fn now() -> Instant {
    Instant::now()
}
