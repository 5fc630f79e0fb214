//! Responses that pass, with their ids and the headers that scripts of other origins may read (I3, E4). They pass
//! unchanged, or are errors that keep their shape (R9, R10).

use http::response;

use super::event_stream::{EventStream, appends_error};
use super::observe::observed_refusal;
use super::state::RequestState;
use super::{BodyContext, BodyFacts, CapturedBody, Cause, Event, Follow, Note, Origin, ResponseStep, head};
use crate::classify;
use crate::code::ErrorCode;
use crate::fault::Fault;

/// What to log for an error that keeps its shape, now and if its body fails later.
pub(super) type KeptError = (BodyContext, Box<Event>);

/// Lets the response of a request pass.
pub(super) struct PassingResponse {
    pub(super) state: RequestState,
}

impl PassingResponse {
    pub(super) fn pass(mut self, head: &mut response::Parts, body: impl FnOnce() -> BodyFacts) -> ResponseStep {
        if appends_error(&self.state, head, body) {
            let refusal = observed_refusal(&mut self.state, head.status);
            let stream = EventStream::boxed(self.state, head);
            let note = refusal.map_or_else(|| stream.notes().into(), |event| Note::Event(Box::new(event)));
            return ResponseStep::pass(Follow::events(stream), note);
        }
        if !head.extensions.is_empty()
            && let Some(fault) = fault_of_success(head)
        {
            return self.pass_fault(head, fault);
        }
        if let Some(event) = observed_refusal(&mut self.state, head.status) {
            self.state.mark_head(&mut head.headers);
            return pass_and_log(&self.state, event);
        }
        self.state.finish_head(&mut head.headers);
        let (body_context, notes) = self.state.into_context_and_fields();
        ResponseStep::Pass(Follow::tail(body_context), notes.into())
    }

    /// Passes a fault that the service sent with a status of success, such as `(StatusCode::OK, fault)` (E5). It is
    /// still logged as an error.
    #[cold]
    fn pass_fault(mut self, head: &mut response::Parts, fault: Fault) -> ResponseStep {
        self.state.mark_head(&mut head.headers);
        let fault = self.state.with_policy_settings(fault, Origin::Fault);
        let event = Event {
            status: Some(head.status),
            code: Some(fault.code().clone()),
            cause: Some(Cause::Fault(fault)),
            ..self.state.event(Origin::Fault)
        };
        pass_and_log(&self.state, event)
    }

    /// Passes an error that keeps its shape, and logs it by its status (L1).
    pub(super) fn pass_error(self, head: &mut response::Parts, body: BodyFacts) -> ResponseStep {
        if appends_error(&self.state, head, || body) {
            let stream = EventStream::boxed(self.state, head);
            let event = stream.preserved(head.status);
            return ResponseStep::pass(Follow::events(stream), Note::Event(Box::new(event)));
        }
        let (body_context, event) = self.preserve(head);
        ResponseStep::pass(Follow::tail(body_context), Note::Event(event))
    }

    /// Like [`PassingResponse::pass_error`], for an error that is not an event stream.
    pub(super) fn preserve(mut self, head: &mut response::Parts) -> KeptError {
        self.state.mark_head(&mut head.headers);
        let body_context = self.state.body_context();
        (body_context, Box::new(self.state.into_event(Origin::Inner).preserved(head.status)))
    }

    /// Like [`PassingResponse::preserve`], for an error whose code is known (R10). `read` is the part of the body that
    /// was read.
    pub(super) fn preserve_protocol(self, head: &mut response::Parts, code: &ErrorCode, read: &[u8]) -> KeptError {
        head::mark_kept(&mut head.headers, head.status, code);
        let body = self.state.captures_bodies().then(|| CapturedBody::new(head.status, &head.headers, read));
        let (body_context, mut event) = self.preserve(head);
        event.note_bodies(body.clone(), body);
        event.code = Some(code.clone());
        (body_context, event)
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
