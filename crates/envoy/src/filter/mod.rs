//! One stream: which hooks have come, and what was decided.
//!
//! | state | its answer |
//! |---|---|
//! | `New` | nothing has come; a head that comes of itself is Envoy's own (V2) |
//! | `Peeking` | the request's first body byte decides (G3) |
//! | `Called` | the request is on its way to the service |
//! | `Draining` | the request ran over its limit: the rest of it is dropped before its answer is sent (G5) |
//! | `Collecting` | an error's body is read, within its budget (R4) |
//! | `Replacing`, `Dropping` | our body replaces Envoy's own; a body that no client may see is dropped (E5) |
//! | `Passing`, `Copying`, `Watching`, `Streaming` | the response's head has been sent, its body passes |
//! | `Lingering` | our answer is sent or ready, the rest of the request is dropped (G5) |
//! | `LocalReply` | our reply, or one that another filter or Envoy ends |
//!
//! A hook takes the state and leaves another one, before it sends anything: a sent reply passes through the hooks again.

mod collecting;
mod failed;
mod redirect;
mod request;
mod response;
mod sending;
mod state;

use error_envelope_core::session::{BodyContext, BoxError, Collected, Event, Origin};
use error_envelope_runtime as runtime;

pub(crate) use self::state::{BodyStatus, Filter, HeadStatus};
use self::state::{EnvoyLocalReply, State, TeeState, Wait};
use crate::abi::{Attribute, Stream};

impl Filter {
    /// Envoy makes the reply itself. Its head comes to this filter next; but if a head is already held back, Envoy's
    /// head bypasses the filters.
    pub(crate) fn local_reply(&self, stream: &Stream<'_>, status: u32, details: &[u8]) {
        let details = String::from_utf8_lossy(details).into_owned();
        match self.replace_state(State::Answered) {
            State::Collecting(collecting) => {
                self.held_response_failed(stream, collecting.exchange, EnvoyLocalReply { status, details })
            }
            State::Streaming(events) => self.broke_off(stream, *events, details.into()),
            state => {
                self.replace_state(state);
                *self.local.borrow_mut() = Some(EnvoyLocalReply { status, details });
            }
        }
    }

    pub(crate) fn scheduled(&self, stream: &Stream<'_>, event: u64) {
        match event {
            it if it == Wait::Peek as u64 => self.peek_timed_out(stream),
            it if it == Wait::Collect as u64 => self.collected_too_late(stream),
            it if it == Wait::Linger as u64 => self.lingered_enough(stream),
            it if it == Wait::Deadline as u64 => self.end_at_call_deadline(stream),
            _ => {}
        }
    }

    /// Runs when the stream has ended, with or without an error. A request whose end is not logged yet is logged now
    /// (F2, F4).
    pub(crate) fn completed(&self, stream: &Stream<'_>) {
        self.stop_timers();
        let event = match self.replace_state(State::Answered) {
            State::Peeking(pending) => Some(pending.abandoned()),
            State::Called(_) | State::Passing(_) | State::Streaming(_)
                if !self.response_ended.get() && redirect::is_followed(stream, self.id.get()) =>
            {
                None
            }
            State::Called(exchange) => Some(exchange.abandoned()),
            State::Draining(draining) => Some(draining.exchange.abandoned()),
            State::Collecting(collecting) => Some(collecting.exchange.abandoned()),
            State::Copying(copying) => {
                let TeeState { observed, copy, .. } = *copying;
                Some(observed.finish(Collected::Unreadable(&copy)))
            }
            State::Passing(tail) if !self.response_ended.get() => broke_off(stream, tail),
            State::Watching(watch) if !self.response_ended.get() && !watch.has_ended() => {
                match upstream_broke(stream) {
                    Some(cause) => Some(watch.into_body_context().broke_off(Origin::Error, cause)),
                    None => Some(watch.abandoned()),
                }
            }
            State::Streaming(events) if !self.response_ended.get() => broke_off(stream, events.into_body_context()),
            State::New
            | State::Passing(_)
            | State::Streaming(_)
            | State::Watching(_)
            | State::Replacing(_)
            | State::Dropping
            | State::Lingering(_)
            | State::Answered => None,
        };
        if let Some(event) = event {
            self.log(stream, event);
        }
    }

    /// Envoy destroys the stream: its callbacks must not be used any more.
    pub(crate) fn destroyed(&self) {
        self.stop_timers();
    }

    /// A hook panicked: the client gets 500, or, if the head has been sent, the stream ends as an error (F2, F4, V4).
    pub(crate) fn panicked(&self, stream: &Stream<'_>, text: Box<str>) {
        let state = self.replace_state(State::Answered);
        if let State::Streaming(events) = state {
            return self.end_broken(stream, *events, text);
        }
        let _ = runtime::catch(|| drop(state));
        let exchange = self.unread(stream);
        if self.is_head_sent.get() {
            self.log(stream, exchange.panicked(text).event);
            stream.reset("error_envelope_panicked");
        } else {
            self.answer(stream, exchange.unready_panicked(text));
        }
    }
}

/// The reason why a response was cut off after its head was sent; `None` if its client disconnected.
fn upstream_broke(stream: &Stream<'_>) -> Option<BoxError> {
    stream.attribute(Attribute::CodeDetails, |details| {
        let details = String::from_utf8_lossy(details?).into_owned();
        (details.starts_with("upstream") || details.contains("timeout")).then(|| details.into())
    })
}

fn broke_off(stream: &Stream<'_>, tail: BodyContext) -> Option<Event> {
    upstream_broke(stream).map(|cause| tail.broke_off(Origin::Error, cause))
}
