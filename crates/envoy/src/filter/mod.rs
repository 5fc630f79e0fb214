//! Handles one stream. The stream's session decides, and a phase shows which hook is due.
//!
//! | phase | meaning |
//! |---|---|
//! | `New` | no head has come yet, so a response head in this phase is Envoy's own (V2) |
//! | `Peeking` | the request's first body byte decides (G3) |
//! | `Called` | the request is on its way to the service |
//! | `Draining` | the request's body is over its limit, and its rest is dropped before the response is sent (G5) |
//! | `Collecting` | an error's body is read, within its budget (R4) |
//! | `Replacing`, `Dropping` | our body replaces Envoy's own, or a body that no client may see is dropped (E5) |
//! | `Passing` | the response's head has been sent, and its body passes |
//! | `Lingering` | our response is sent or ready, and the rest of the request is dropped (G5) |
//! | `Answered` | our reply was sent, or another filter or Envoy ends the response |
//!
//! A hook takes the phase, and stores the next phase before it sends anything, because a sent reply passes through the
//! hooks again.

mod redirect;
mod request;
mod response;
mod sending;
mod state;

use error_envelope_core::session::{BoxError, End, Ending, Failure, FinalFrame, Follow};
use error_envelope_runtime::envoy::EnvoyReply;
use http::StatusCode;

pub(crate) use self::state::{BodyStatus, Filter, HeadStatus};
use self::state::{Phase, Wait};
use crate::abi::{Attribute, Stream};

impl Filter {
    /// Called when Envoy itself makes a reply. The head of this reply comes to this filter next. If the filter already
    /// holds another head back, Envoy's head bypasses the filters.
    pub(crate) fn local_reply(&self, stream: &Stream<'_>, status: u32, details: &[u8]) {
        let details = String::from_utf8_lossy(details).into_owned();
        match self.replace_phase(Phase::Answered) {
            Phase::Passing if !self.response_ended.get() => {
                let last = self.break_off(stream, None, details.into());
                // Envoy resets the stream as soon as the hook returns. So the client gets the last event of an event
                // stream, but no proper end (F6).
                if let FinalFrame::Data(data) = last {
                    self.count_sent(data.len());
                    stream.send_data(&data, false);
                }
            }
            phase => {
                let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
                let own = EnvoyReply { status, details };
                if let Phase::Collecting(_) = phase {
                    return self.held_response_failed(stream, own);
                }
                self.replace_phase(phase);
                *self.own.borrow_mut() = Some(own);
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

    /// Runs when the stream has ended, with or without an error. The record of the stream's request is closed (F2, F4,
    /// L5).
    pub(crate) fn completed(&self, stream: &Stream<'_>) {
        self.stop_timers();
        let (phase, mut session) = (self.replace_phase(Phase::Answered), self.session.take());
        if !self.response_ended.get() && redirect::is_followed(stream, self.id.get()) {
            return;
        }
        if let Some(record) = session.abandon() {
            self.follow.replace(Follow::decided(record));
        }
        let end = self.end_of_delivery(stream, &phase);
        self.close(stream, end);
    }

    fn end_of_delivery(&self, stream: &Stream<'_>, phase: &Phase) -> End {
        if self.broke_off.get() {
            return End::ServiceBrokeOff;
        }
        if self.response_ended.get() {
            return End::Complete;
        }
        if let (Phase::Passing, Some(cause)) = (phase, upstream_broke(stream)) {
            // The result is not used, because nothing can be sent any more.
            let _ = self.break_off(stream, None, cause);
            return End::ServiceBrokeOff;
        }
        let is_bodiless = self.is_head_sent.get() && self.follow.borrow().is_bodiless();
        // Either side may end a tunnel, so any end of it is complete.
        if is_bodiless || self.tunnels.get() { End::Complete } else { End::ClientLeft }
    }

    /// Called when a hook panicked. The client gets 500. If the head has been sent, the stream ends as an error (F2,
    /// F4, V4).
    pub(crate) fn panicked(&self, stream: &Stream<'_>, text: Box<str>) {
        self.replace_phase(Phase::Answered);
        if self.is_head_sent.get() {
            let last = self.break_off(stream, Some(Failure::panicked()), String::from(text).into());
            return self.end_body(stream, last, "error_envelope_panicked");
        }
        self.unread(stream);
        self.end(stream, Ending::UnreadyPanicked(text));
    }
}

/// Returns the reason why a response was cut off after its head was sent, or `None` if its client disconnected.
fn upstream_broke(stream: &Stream<'_>) -> Option<BoxError> {
    stream.attribute(Attribute::CodeDetails, |details| {
        let details = String::from_utf8_lossy(details?).into_owned();
        (details.starts_with("upstream") || details.contains("timeout")).then(|| details.into())
    })
}
