//! Responses that pass, with their ids and the headers that scripts of other origins may read (I3, E4). These responses
//! pass unchanged, or are errors that keep their shape (R9, R10).

use http::header::{CACHE_CONTROL, HeaderMap};
use http::response;

use super::event_stream::{EventStream, appends_error};
use super::follow::Follow;
use super::step::ResponseStep;
use crate::classify;
use crate::code::ErrorCode;
use crate::dialect::{self, protocol};
use crate::fault::Fault;
use crate::fields;
use crate::policy::{Mode, NoTransform, UnknownCodes};
use crate::session::answer::head;
use crate::session::answer::observe::{as_unread, observed_refusal};
use crate::session::record::body_capture::CapturedBody;
use crate::session::record::delivery::SentStatus;
use crate::session::record::notes::Origin;
use crate::session::record::request_record::{Cause, RequestRecord};
use crate::session::request::state::RequestState;
use crate::session::request::view::BodyFacts;

impl RequestState {
    /// Lets the response of a request pass.
    pub(in crate::session) fn pass(
        &mut self,
        head: &mut response::Parts,
        body: impl FnOnce() -> BodyFacts,
    ) -> ResponseStep {
        if appends_error(self, head, body) {
            let refusal = observed_refusal(self, head.status);
            return ResponseStep::Pass(Follow::events(EventStream::boxed(self.take(), head), refusal));
        }
        if !head.extensions.is_empty()
            && let Some(fault) = fault_of_success(head)
        {
            return self.pass_fault(head, fault);
        }
        if let Some(record) = observed_refusal(self, head.status) {
            self.mark_head(&mut head.headers);
            return ResponseStep::Pass(Follow::decided(record));
        }
        self.finish_head(&mut head.headers);
        ResponseStep::Pass(Follow::tail(self.take_body_context()))
    }

    /// Passes a fault that the service sent with a status of success, such as `(StatusCode::OK, fault)` (E5). The
    /// response is still logged as an error.
    #[cold]
    fn pass_fault(&mut self, head: &mut response::Parts, fault: Fault) -> ResponseStep {
        self.mark_head(&mut head.headers);
        let fault = self.with_policy_settings(fault, Origin::Fault);
        let record = RequestRecord {
            sent: Some(SentStatus { code: Some(fault.code().clone()), ..SentStatus::new(head.status) }),
            cause: Some(Cause::Fault(fault)),
            ..self.record(Origin::Fault)
        };
        ResponseStep::Pass(Follow::decided(record))
    }

    /// Passes an error that keeps its shape. The content of the error's record depends only on the error's head (L1).
    pub(in crate::session) fn pass_error(&mut self, head: &mut response::Parts, body: BodyFacts) -> ResponseStep {
        if appends_error(self, head, || body) {
            let stream = EventStream::boxed(self.take(), head);
            let record = stream.state.record_by_head(head);
            return ResponseStep::Pass(Follow::events(stream, Some(record)));
        }
        ResponseStep::Pass(Follow::decided(self.preserve(head)))
    }

    /// Does the same as [`RequestState::pass_error`], for an error that is not an event stream.
    pub(in crate::session) fn preserve(&mut self, head: &mut response::Parts) -> RequestRecord {
        self.mark_head(&mut head.headers);
        self.record_by_head(head)
    }

    /// Does the same as [`RequestState::preserve`], for an error whose code is known (R10). `read` is the decoded body,
    /// or `None` if it is not known.
    pub(in crate::session) fn preserve_protocol(
        &mut self,
        head: &mut response::Parts,
        code: &ErrorCode,
        read: Option<&[u8]>,
    ) -> RequestRecord {
        head::mark_kept(&mut head.headers, head.status, code);
        let body = self.captures_bodies().then(|| CapturedBody::new(head.status, &head.headers, read));
        self.mark_head(&mut head.headers);
        let mut record = self.record(Origin::Inner).preserved(head.status, code.clone());
        record.note_bodies(body.clone(), body);
        record
    }

    /// Returns the record of an error whose body does not change. The record's code is the code in the head (E7). In
    /// `own` and `fill`, the record predicts what `enforce` would have sent, unless the error keeps its shape there, too.
    fn record_by_head(&self, head: &response::Parts) -> RequestRecord {
        if matches!(self.settings.mode, Mode::Own | Mode::Fill) && !self.keeps_shape(&head.headers) {
            return as_unread(self, head.status, &head.headers);
        }
        let named = classify::envelope_in_head(&head.headers, self.policy().codes())
            .filter(|it| it.known || self.settings.unknown_codes != UnknownCodes::ByStatus);
        let grpc = self.service.and_then(|service| service.grpc);
        let sent = SentStatus { status: head.status, grpc, code: named.map(|named| named.code) };
        RequestRecord { sent: Some(sent), ..self.record(Origin::Inner) }
    }

    /// Returns true if the head shows that the response keeps its shape (R9, P1).
    pub(in crate::session) fn keeps_shape(&self, headers: &HeaderMap) -> bool {
        let no_transform = || {
            let lines = headers.get_all(CACHE_CONTROL);
            lines.iter().flat_map(fields::list).any(|directive| directive.eq_ignore_ascii_case("no-transform"))
        };
        let is_grpc = || dialect::essence(headers).is_some_and(protocol::names_grpc);
        !headers.is_empty()
            && (self.request.rpc.is_none() && is_grpc()
                || self.settings.no_transform == NoTransform::Respect
                    && fields::has(headers, &CACHE_CONTROL)
                    && no_transform())
    }
}

/// Returns the fault of a response that has a status of success.
#[cold]
fn fault_of_success(head: &response::Parts) -> Option<Fault> {
    let is_error = head.status.is_client_error() || head.status.is_server_error();
    Fault::in_extensions(&head.extensions).filter(|_| !is_error).cloned()
}
