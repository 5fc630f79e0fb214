//! Event streams that end with an error event if they are cut off (F6).

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::response;

use crate::dialect;
use crate::dialect::charset;
use crate::dialect::event_stream::{EVENT_STREAM, EventScanner, TypedEventScanner};
use crate::policy::EventStreams;
use crate::session::answer::body::ErrorForm;
use crate::session::answer::outcome::{Failure, FinalFrame};
use crate::session::request::state::RequestState;
use crate::session::request::view::BodyFacts;

/// An event stream on a route that ends a broken stream with an error event.
///
/// An adapter passes the body to this value. If the body is cut off, the adapter sends the result of
/// [`EventStream::failed`].
#[derive(Debug)]
pub(in crate::session) struct EventStream {
    pub(in crate::session) state: RequestState,
    scanner: EventScanner,
    /// The reader of the events' numbers, if events of this dialect have a type.
    typed: Option<TypedEventScanner>,
    /// True if trailers have passed, so that nothing else can follow.
    pub(in crate::session) ended: bool,
}

impl EventStream {
    /// Sets the layer's headers in the head of the response, and follows its body.
    pub(in crate::session) fn boxed(mut state: RequestState, head: &mut response::Parts) -> Box<Self> {
        state.mark_head(&mut head.headers);
        let typed = ErrorForm::new(&state).stream_form().typed_event.map(|_| TypedEventScanner::default());
        Box::new(Self { state, scanner: EventScanner::default(), typed, ended: false })
    }

    /// Inspects a piece of the body. Returned bytes replace the piece. In the returned bytes, the error event of an
    /// inner layer has the id of this request (E7).
    #[must_use]
    pub(in crate::session) fn response_data(&mut self, data: &[u8]) -> Option<Bytes> {
        let readdressed = self.with_our_id(data);
        self.scanner.read(data);
        if let Some(typed) = &mut self.typed {
            typed.read(data);
        }
        readdressed
    }

    fn with_our_id(&self, data: &[u8]) -> Option<Bytes> {
        let (theirs, ours) = self.state.ids_of_layers()?;
        let event = self.scanner.last_error(ErrorForm::new(&self.state).stream_form().error_event, data)?;
        let id = data[event..].windows(theirs.len()).position(|part| part == theirs.as_bytes())? + event;
        let mut data = data.to_vec();
        data[id..id + ours.len()].copy_from_slice(ours.as_bytes());
        Some(data.into())
    }

    /// Called when the body was cut off. If the stream is between two events, the last frame is an event that reports
    /// the failure.
    pub(in crate::session) fn failed(&mut self, failure: &Failure) -> FinalFrame {
        if self.ended || !self.scanner.is_between_events() {
            FinalFrame::BrokenOff
        } else {
            let fault = self.state.with_policy_settings(failure.fault.clone(), failure.origin);
            let number = self.typed.take().and_then(|typed| typed.next_number());
            FinalFrame::Data(ErrorForm::new(&self.state).stream_event(fault, number).into())
        }
    }
}

/// Returns true if the route adds an error event to a response that is cut off, and an event can follow this body.
#[inline(always)]
pub(in crate::session) fn appends_error(
    state: &RequestState,
    head: &response::Parts,
    body: impl FnOnce() -> BodyFacts,
) -> bool {
    state.settings.event_streams == EventStreams::AppendError && may_append(state, head, body())
}

fn may_append(state: &RequestState, head: &response::Parts, body: BodyFacts) -> bool {
    let headers = &head.headers;
    let is_stream = || dialect::essence(headers).is_some_and(|it| it.eq_ignore_ascii_case(EVENT_STREAM.as_bytes()));
    // If the length is declared, no event can follow the body.
    let has_length = || headers.contains_key(CONTENT_LENGTH) || body.upper == Some(body.lower);
    let is_bodiless = matches!(head.status.as_u16(), 101 | 204 | 205 | 304) || state.request.is_head() || body.ended;
    state.changes_responses()
        && state.request.rpc.is_none()
        && !is_bodiless
        && is_stream()
        && !has_length()
        && headers.get_all(CONTENT_ENCODING).iter().all(|name| name.to_str().is_ok_and(charset::is_charset))
}
