//! Responses that pass, with their ids and the headers that scripts of other origins may read (I3, E4). They pass
//! unchanged, or are errors that keep their shape (R9, R10).

use http::response;

use super::event_stream::{EventStream, appends_error};
use super::observe::observed_refusal;
use super::state::RequestState;
use super::{BodyContext, BodyFacts, CapturedBody, Cause, Event, Follow, Note, Origin, ResponseStep, head};
use crate::classify;
use crate::classify::decide::DecidedBy;
use crate::code::ErrorCode;
use crate::fault::Fault;
use crate::policy::{Mode, UnknownCodes};

/// What to log for an error that keeps its shape, now and if its body fails later.
pub(super) type KeptError = (BodyContext, Box<Event>);

impl RequestState {
    /// Lets the response of a request pass.
    pub(super) fn pass(mut self, head: &mut response::Parts, body: impl FnOnce() -> BodyFacts) -> ResponseStep {
        if appends_error(&self, head, body) {
            let refusal = observed_refusal(&mut self, head.status);
            let stream = EventStream::boxed(self, head);
            let note = refusal.map_or_else(|| stream.notes().into(), |event| Note::Event(Box::new(event)));
            return ResponseStep::pass(Follow::events(stream), note);
        }
        if !head.extensions.is_empty()
            && let Some(fault) = fault_of_success(head)
        {
            return self.pass_fault(head, fault);
        }
        if let Some(event) = observed_refusal(&mut self, head.status) {
            self.mark_head(&mut head.headers);
            return pass_and_log(&self, event);
        }
        self.finish_head(&mut head.headers);
        let (body_context, notes) = self.into_context_and_fields();
        ResponseStep::Pass(Follow::tail(body_context), notes.into())
    }

    /// Passes a fault that the service sent with a status of success, such as `(StatusCode::OK, fault)` (E5). It is
    /// still logged as an error.
    #[cold]
    fn pass_fault(mut self, head: &mut response::Parts, fault: Fault) -> ResponseStep {
        self.mark_head(&mut head.headers);
        let fault = self.with_policy_settings(fault, Origin::Fault);
        let event = Event {
            status: Some(head.status),
            code: Some(fault.code().clone()),
            cause: Some(Cause::Fault(fault)),
            ..self.event(Origin::Fault)
        };
        pass_and_log(&self, event)
    }

    /// Passes an error that keeps its shape, and logs it by its head (L1).
    pub(super) fn pass_error(self, head: &mut response::Parts, body: BodyFacts) -> ResponseStep {
        if appends_error(&self, head, || body) {
            let stream = EventStream::boxed(self, head);
            let event = Box::new(stream.state.event_by_head(head));
            return ResponseStep::pass(Follow::events(stream), Note::Event(event));
        }
        let (body_context, event) = self.preserve(head);
        ResponseStep::pass(Follow::tail(body_context), Note::Event(event))
    }

    /// Like [`RequestState::pass_error`], for an error that is not an event stream.
    pub(super) fn preserve(mut self, head: &mut response::Parts) -> KeptError {
        self.mark_head(&mut head.headers);
        (self.body_context(), Box::new(self.event_by_head(head)))
    }

    /// Like [`RequestState::preserve`], for an error whose code is known (R10). `read` is the part of the body that
    /// was read.
    pub(super) fn preserve_protocol(mut self, head: &mut response::Parts, code: &ErrorCode, read: &[u8]) -> KeptError {
        head::mark_kept(&mut head.headers, head.status, code);
        let body = self.captures_bodies().then(|| CapturedBody::new(head.status, &head.headers, read));
        self.mark_head(&mut head.headers);
        let mut event = self.event(Origin::Inner).preserved(head.status, code.clone());
        event.note_bodies(body.clone(), body);
        (self.body_context(), Box::new(event))
    }

    /// The event of an error whose body stays: the code is the one in the head (E7), or else that of the status.
    fn event_by_head(&self, head: &response::Parts) -> Event {
        let named = classify::envelope_in_head(&head.headers, self.policy().codes())
            .filter(|it| it.known || self.settings.unknown_codes != UnknownCodes::ByStatus);
        let by = if named.is_some() { DecidedBy::Layer } else { DecidedBy::Status };
        let code = named.map_or_else(|| ErrorCode::of_status(head.status), |named| named.code);
        let by = matches!(self.settings.mode, Mode::Own | Mode::Fill).then_some(by);
        Event { by, ..self.event(Origin::Inner).preserved(head.status, code) }
    }
}

/// The fault of a response that has a status of success.
#[cold]
fn fault_of_success(head: &response::Parts) -> Option<Fault> {
    let is_error = head.status.is_client_error() || head.status.is_server_error();
    classify::fault_in(&head.extensions).filter(|_| !is_error).cloned()
}

/// Passes a response unchanged, and logs this event for it.
pub(super) fn pass_and_log(state: &RequestState, event: Event) -> ResponseStep {
    ResponseStep::pass(Follow::tail(state.body_context()), Note::Event(Box::new(event)))
}
