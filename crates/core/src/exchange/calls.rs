//! Inner responses in the call's own protocol (section P): they are left as they are, and logged.

use bytes::Bytes;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, StatusCode, response};

use super::{
    BodyFacts, Collected, CollectedAction, Event, Exchange, Origin, ResponsePlan, RewrittenBody, RpcResponse, head,
};
use crate::classify;
use crate::dialect::Shape;
use crate::dialect::connect;
use crate::dialect::grpc::{self, GRPC_STATUS, GRPC_STATUS_DETAILS_BIN, ReportedStatus};
use crate::dialect::rpc::Rpc;
use crate::dialect::status::Status;
use crate::fault::Fault;
use crate::policy::Mode;

/// The headers of a response that matter to a call: one pass over its names is cheaper than four look-ups.
#[derive(Default)]
pub(super) struct RpcHeaderFlags {
    status: bool,
    length: bool,
    /// It is readable across origins (E4).
    origin: bool,
}

impl RpcHeaderFlags {
    /// With the first `content-type`.
    fn scan(headers: &HeaderMap) -> (Self, Option<&HeaderValue>) {
        let (mut names, mut content_type) = (Self::default(), None);
        for (name, value) in headers {
            if *name == CONTENT_TYPE {
                content_type = content_type.or(Some(value));
            } else if *name == GRPC_STATUS {
                names.status = true;
            } else if *name == CONTENT_LENGTH {
                names.length = true;
            } else if *name == ACCESS_CONTROL_ALLOW_ORIGIN {
                names.origin = true;
            }
        }
        (names, content_type)
    }
}

impl Exchange {
    /// Whether a response is in the call's own protocol. An HTTP error without a gRPC status is not.
    #[inline]
    pub(super) fn answered_call(&self, head: &response::Parts) -> Option<(Rpc, RpcHeaderFlags)> {
        self.answered_by(self.request.rpc?, head)
    }

    fn answered_by(&self, rpc: Rpc, head: &response::Parts) -> Option<(Rpc, RpcHeaderFlags)> {
        let (names, content_type) = RpcHeaderFlags::scan(&head.headers);
        let rpc = rpc.answered_by(content_type)?;
        let reported = || grpc::read(&head.headers).is_some_and(|reported| reported.status != Status::OK);
        // A final status that is no error's is corrected, whatever body it has (E6).
        let speaks = |status: u16| match self.settings.mode {
            Mode::Off => false,
            Mode::Own => (400..600).contains(&status),
            _ => status >= 400,
        };
        let own_error = || speaks(head.status.as_u16()) && rpc.is_grpc() && reported();
        (head.status == StatusCode::OK || own_error()).then_some((rpc, names))
    }

    pub(super) fn call_head(
        self,
        rpc: Rpc,
        names: &RpcHeaderFlags,
        head: &mut response::Parts,
        body: BodyFacts,
    ) -> ResponsePlan {
        // Nearly every call is observed, and an exchange is large: it is moved once.
        let mut watch = RpcResponse::boxed(self, rpc);
        let exchange = watch.exchange_mut();
        if names.origin {
            exchange.expose(&mut head.headers);
        }
        exchange.identify_response(&mut head.headers);
        if let Some(event) = exchange.observed_refusal(head.status) {
            return exchange.keep_with(event);
        }
        if names.status
            && let Some(fault) = exchange.redefined_fault(head)
        {
            head.status = fault.status_code();
            return ResponsePlan::Rewrite(watch.into_exchange().write(head, fault, Origin::Fault));
        }
        if names.status
            && let Some(event) = exchange.head_status(rpc, head)
        {
            return if head.status.is_success() {
                exchange.keep_with(event)
            } else if exchange.rewrites() {
                under_success(head, event)
            } else {
                exchange.keep_with(exchange.passing(event, head.status))
            };
        }
        if body.is_empty() {
            return watch.into_exchange().pass(head, || body);
        }
        exchange.announce_trailers(rpc, head);
        let has_length = names.length || body.upper == Some(body.lower);
        watch.begin(&head.headers, !has_length);
        ResponsePlan::Watch(watch)
    }

    /// The fault that a status in the head came from, where the policy redefines its code. The service in this process does
    /// not have that definition.
    fn redefined_fault(&self, head: &response::Parts) -> Option<Fault> {
        let fault = if self.rewrites() { classify::fault_in(&head.extensions) } else { None }?;
        self.policy().codes().defined(fault.code()).map(|_| fault.clone())
    }

    /// A status in the head, as it is but for the id that a layer inside put there (E7).
    fn head_status(&self, rpc: Rpc, head: &mut response::Parts) -> Option<Event> {
        let reported = if rpc.is_grpc() { grpc::read(&head.headers) } else { None }?;
        let event = self.inner_status(&reported)?;
        drop(reported);
        self.replace_layer_id(&mut head.headers);
        Some(event)
    }

    /// Over HTTP/1 hyper sends the trailers that the head names (RFC 9110 §6.6.2) and drops all others: a call that failed
    /// would end like a success. The service may name fewer trailers than its failure needs.
    fn announce_trailers(&self, rpc: Rpc, head: &mut response::Parts) {
        let (is_http1, takes_trailers) = (self.request.is_http1(), self.request.takes_trailers());
        if is_http1 && takes_trailers && matches!(rpc, Rpc::Grpc(_)) && self.settings.mode != Mode::Observe {
            head::announce(&mut head.headers, TRAILERS);
        }
    }

    /// Puts the outermost id into the details of a status, where a layer inside has put its own (E7).
    pub(super) fn replace_layer_id(&self, headers: &mut HeaderMap) {
        let Some((theirs, ours)) = self.ids_of_layers() else { return };
        let details = headers.get_mut(GRPC_STATUS_DETAILS_BIN);
        if let Some(details) = details
            && let Some(replaced) = grpc::readdressed(details.as_bytes(), theirs, ours)
        {
            *details = replaced;
        }
    }

    /// The id of a layer inside, and the one that takes its place, where errors are rewritten at all.
    pub(super) fn ids_of_layers(&self) -> Option<(&str, &str)> {
        let theirs = self.cold.as_ref()?.notes.as_ref()?.upstream_request_id.as_deref()?;
        let is_layers = theirs.starts_with("req_") && theirs.len() == self.id_header.len();
        if is_layers && self.rewrites() { Some((theirs, self.id_header.to_str().ok()?)) } else { None }
    }

    /// An inner error in Connect's own form: it stays, except for the id of a layer inside (E7).
    pub(super) fn unary_error(
        mut self,
        head: &mut response::Parts,
        reported: &ReportedStatus<'_>,
        read: Collected<'_>,
    ) -> CollectedAction {
        self.expose(&mut head.headers);
        self.identify_response(&mut head.headers);
        let event = self.reported_status(reported);
        if let Collected::Whole(body) = read
            && let Some((theirs, ours)) = self.ids_of_layers()
            && let Some(body) = connect::readdressed(body, theirs, ours)
        {
            return CollectedAction::Rewrite(RewrittenBody { body: body.into(), event, unenforced: None });
        }
        CollectedAction::Restore(self.body_context(), Box::new(event))
    }

    /// An inner status for the log; in `off` nothing that passes is logged (L1).
    pub(super) fn inner_status(&self, reported: &ReportedStatus<'_>) -> Option<Event> {
        if reported.status == Status::OK || self.settings.mode == Mode::Off {
            None
        } else {
            Some(self.reported_status(reported))
        }
    }

    /// A gRPC status under an HTTP error that its route's mode lets pass (M1).
    fn passing(&self, event: Event, status: StatusCode) -> Event {
        let would_be = event.status.filter(|_| self.settings.mode == Mode::Observe);
        Event { would_be, status: Some(status), ..event }
    }

    /// An inner error in Connect's own form, which is the body of a unary call.
    pub(super) fn connect_status<'b>(&self, body: Option<&'b [u8]>) -> Option<ReportedStatus<'b>> {
        if self.request.rpc == Some(Rpc::ConnectUnary) { connect::read(body?) } else { None }
    }

    /// The status that an inner service sent in its protocol's own form.
    pub(super) fn reported_status(&self, reported: &ReportedStatus<'_>) -> Event {
        let code = classify::rpc::code_of(reported, self.policy().codes(), self.policy().rpc_domain());
        Event {
            status: Some(if code.is_foreign() { reported.status.http() } else { code.status() }),
            code: Some(code),
            grpc: Some(reported.status),
            dialect: Some(if self.request.rpc.is_some_and(Rpc::is_grpc) { Shape::Grpc } else { Shape::Connect }),
            ..self.event_of(Origin::Inner)
        }
    }

    pub(super) fn rewrites(&self) -> bool {
        matches!(self.settings.mode, Mode::Fill | Mode::Enforce)
    }
}

/// A gRPC status under an HTTP error: its head is the whole answer, over 200 (P1).
fn under_success(head: &mut response::Parts, event: Event) -> ResponsePlan {
    head.status = StatusCode::OK;
    head.headers.remove(CONTENT_LENGTH);
    head.headers.remove(TRANSFER_ENCODING);
    ResponsePlan::Rewrite(RewrittenBody { body: Bytes::new(), event, unenforced: None })
}

/// The trailers that a call may end with.
const TRAILERS: &str = "grpc-status, grpc-message, grpc-status-details-bin, x-error-code";
