//! Responses that Envoy makes itself instead of the service's (V2, V3).

use error_envelope_core::session::{BoxError, Event, Exchange, PendingPeek, ResponsePlan};
use error_envelope_runtime::envoy;
use http::{HeaderMap, HeaderValue, StatusCode, response};

use super::state::{EnvoyLocalReply, Filter, code_of};
use crate::abi::{Head, Stream};
use crate::heads;

/// The source of the reply.
pub(super) enum ReplyOrigin {
    Exchange(Exchange),
    Pending(PendingPeek),
}

impl Filter {
    /// A response that was held back fails, and Envoy writes to the client itself (V3). The reply is noted for Envoy's
    /// `local_reply_config`, which the generated configuration has.
    pub(super) fn held_response_failed(&self, stream: &Stream<'_>, exchange: Exchange, local: EnvoyLocalReply) {
        self.stop_timers();
        self.is_head_sent.set(true);
        let mut head = http::Response::new(()).into_parts().0;
        head.status = local.status().unwrap_or(StatusCode::BAD_GATEWAY);
        match exchange.proxy_failed(&mut head, local.cause()) {
            ResponsePlan::Rewrite(written) => {
                note_reply(stream, &written.event, &head.headers, &written.body);
                self.log(stream, written.event);
            }
            ResponsePlan::Replace(answered) => {
                note_reply(stream, &answered.event, answered.reply.headers(), answered.reply.body());
                drop(self.logged_parts(stream, *answered));
            }
            // The session never collects or passes a failure.
            ResponsePlan::Pass(..)
            | ResponsePlan::Keep(..)
            | ResponsePlan::Strip(..)
            | ResponsePlan::Collect(..)
            | ResponsePlan::Tee(..)
            | ResponsePlan::Stream(..)
            | ResponsePlan::Watch(_) => {}
        }
    }
}

/// The plan for a head that Envoy wrote itself (`is_local`), or for a head that cannot be parsed.
pub(super) struct OwnHead {
    /// The plan; `None` for a head that keeps its shape.
    pub(super) plan: Option<ResponsePlan>,
    pub(super) head: response::Parts,
    pub(super) is_local: bool,
}

impl OwnHead {
    pub(super) fn new(stream: &Stream<'_>, by: ReplyOrigin, local: Option<EnvoyLocalReply>, end: bool) -> Self {
        let head = stream.lines(Head::Response, |lines| heads::response(lines));
        let failure = local.and_then(|local| local.failure(head.as_ref()));
        let is_local = failure.is_some();
        let failure = failure.or_else(|| head.is_none().then(|| (StatusCode::BAD_GATEWAY, "no proper head".into())));
        let mut head = head.unwrap_or_else(|| http::Response::new(()).into_parts().0);
        Self { plan: plan(by, &mut head, failure, end), head, is_local }
    }
}

impl EnvoyLocalReply {
    fn status(&self) -> Option<StatusCode> {
        StatusCode::from_u16(u16::try_from(self.status).unwrap_or_default()).ok()
    }

    /// The status and the cause, if Envoy's reply is an error. The reply's own status decides that, or else the status
    /// of its head.
    fn failure(self, head: Option<&response::Parts>) -> Option<(StatusCode, BoxError)> {
        let status = self.status().or(head.map(|head| head.status)).filter(|it| it.as_u16() >= 400)?;
        Some((status, self.cause()))
    }

    /// Envoy's details as the cause, with the type of the failure if the details name one (L4).
    fn cause(self) -> BoxError {
        envoy::local_reply_cause(self.status(), self.details)
    }
}

/// Plans Envoy's own reply. `None` for a redirect to a request that was not forwarded: it keeps its shape.
fn plan(
    by: ReplyOrigin,
    head: &mut response::Parts,
    failure: Option<(StatusCode, BoxError)>,
    end: bool,
) -> Option<ResponsePlan> {
    if let Some((status, cause)) = failure {
        head.status = status;
        return Some(match by {
            ReplyOrigin::Exchange(exchange) => exchange.proxy_failed(head, cause),
            ReplyOrigin::Pending(pending) => pending.proxy_failed(head, cause),
        });
    }
    let facts = heads::facts(&head.headers, end);
    match by {
        ReplyOrigin::Exchange(exchange) => Some(exchange.response_head(head, || facts)),
        ReplyOrigin::Pending(pending) => {
            if let Ok(id) = HeaderValue::try_from(pending.request_id().to_string()) {
                head.headers.insert("x-request-id", id);
            }
            None
        }
    }
}

/// Notes a reply for Envoy to write. For a gRPC call, Envoy uses the body as the status message, and encodes it.
fn note_reply(stream: &Stream<'_>, event: &Event, headers: &HeaderMap, body: &[u8]) {
    let line = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let grpc_message = percent_encoding::percent_decode_str(line("grpc-message")).decode_utf8_lossy();
    let text = if body.is_empty() { grpc_message } else { String::from_utf8_lossy(body) };
    let id = event.request_id().text();
    let pairs = [
        ("local_reply", "error_envelope"),
        ("request_id", str::from_utf8(&id).unwrap_or_default()),
        ("code", code_of(event)),
        ("body", &text),
        ("content_type", line("content-type")),
        ("content_security_policy", line("content-security-policy")),
        ("vary", line("vary")),
        ("grpc_details", line("grpc-status-details-bin")),
    ];
    stream.note("error_envelope", &pairs);
}
