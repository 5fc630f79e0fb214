//! Answers of a proxy around the service itself (rules V2, V3), requests whose head could not be read (V4), and bodies
//! that ran over their limit (G4).

use std::sync::Arc;

use http::request::Parts;
use http::response;

use super::request::{self, HeaderFlags, RequestView};
use super::{BodyFacts, BoxError, Cause, Exchange, ExchangeConfig, Failure, LocalReply, Origin, ResponsePlan};
use crate::classify::{self, Rewrite};
use crate::code::ErrorCode;
use crate::fault::Fault;
use crate::request_id::RequestId;

impl Exchange {
    /// A request that must not be forwarded: its head never came, or could not be read (V4).
    ///
    /// It has no route and passed no guard. What `head` has of it decides the protocol of the answer; of one that
    /// never came it is the empty head. It ends with [`Exchange::malformed`], [`Exchange::unready_panicked`] or
    /// [`Exchange::proxy_failed`].
    pub fn unread(config: Arc<ExchangeConfig>, head: &Parts, body: BodyFacts, id: impl FnOnce() -> RequestId) -> Self {
        let policy = &**config.policy();
        let (sent, _) = HeaderFlags::scan(head, policy.key_headers());
        let given = request::identify(policy.ids(), head, &sent, id);
        let response_settings = policy.of_no_host().normal.response_settings();
        Self::new(config, &RequestView { head, sent: &sent, body, claimed: None }, given, response_settings)
    }

    /// The head of the request cannot be read: 400, whatever the mode, since no guard could run (V4).
    pub fn malformed(self, cause: BoxError) -> LocalReply {
        self.refuse(Fault::new(ErrorCode::BAD_REQUEST), Some(cause))
    }

    /// The request's body ran over its limit, as its meter has reported ([`MeterAction::Over`](super::MeterAction::Over)), and no
    /// response has begun (G4): the answer, for an adapter that need not wait for the inner service's own.
    pub fn overran(self) -> LocalReply {
        let drain = self.drain();
        let failure = self.body_fault_or(Failure::new(Fault::new(ErrorCode::INTERNAL_ERROR), Origin::Error));
        self.answer(failure, None, drain)
    }

    /// The proxy around the service answers by itself with this head, whose status is that of its failure (V2). It is
    /// written anew in every mode, as any failure is (F1): as a [`ResponsePlan::Rewrite`]. Where the request was cut, that
    /// answer (G4) is a [`ResponsePlan::Replace`].
    ///
    /// The status is kept, the code is the status's, and `cause` is for the log alone. So it ends an exchange whose
    /// response was being collected, too (V3).
    pub fn proxy_failed(self, head: &mut response::Parts, cause: BoxError) -> ResponsePlan {
        if let Some(fault) = self.body_fault() {
            return ResponsePlan::Replace(Box::new(self.answer(Failure::new(fault, Origin::Guard), Some(cause), None)));
        }
        let fault = Fault::new(ErrorCode::of_status(head.status)).status(head.status);
        let mut rewrite = Rewrite::unchanged(classify::listed(fault, self.writer().dialect()));
        rewrite.named = false;
        let mut written = self.write_read(head, rewrite, Origin::Proxy, &[]);
        written.event.cause = Some(Cause::Error(cause));
        ResponsePlan::Rewrite(written)
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use http::header::{CONTENT_TYPE, RETRY_AFTER};
    use http::{HeaderValue, Request, Response, StatusCode};

    use super::super::{Admission, MeterAction, RewrittenBody};
    use super::*;
    use crate::policy::Policy;

    fn parts(lines: &[(&'static str, &'static str)]) -> Parts {
        let builder = lines.iter().fold(Request::builder(), |builder, (name, value)| builder.header(*name, *value));
        builder.body(()).unwrap().into_parts().0
    }

    fn config() -> Arc<ExchangeConfig> {
        Arc::new(ExchangeConfig::new(Policy::default(), || SystemTime::UNIX_EPOCH))
    }

    fn failed(request: &[(&'static str, &'static str)], status: u16) -> (response::Parts, RewrittenBody) {
        let exchange =
            Exchange::unread(config(), &parts(request), BodyFacts::default(), || RequestId::from_parts(1, 2));
        let mut head = Response::new(()).into_parts().0;
        head.status = StatusCode::from_u16(status).unwrap();
        head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        head.headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        match exchange.proxy_failed(&mut head, "upstream_reset".into()) {
            ResponsePlan::Rewrite(written) => (head, written),
            plan => unreachable!("{plan:?}"),
        }
    }

    #[test]
    fn v2_a_proxy_s_failure_has_its_status_and_says_nothing_else_of_it() {
        let (head, written) = failed(&[], 426);
        assert_eq!((head.status.as_u16(), head.headers["x-error-code"].to_str().unwrap()), (426, "upgrade_required"));
        assert_eq!(head.headers["retry-after"], "7");
        assert_eq!(written.event.origin(), Origin::Proxy);
        assert_eq!(written.event.cause().unwrap().to_string(), "upstream_reset");
        assert!(!String::from_utf8_lossy(&written.body).contains("upstream"));
    }

    #[test]
    fn v2_a_grpc_client_gets_the_status_of_grpc_s_table() {
        let (head, written) = failed(&[("content-type", "application/grpc"), ("te", "trailers")], 404);
        assert_eq!((head.status.as_u16(), head.headers["grpc-status"].to_str().unwrap()), (200, "12"));
        assert!(written.body.is_empty());
    }

    #[test]
    fn v4_what_was_not_read_is_refused_in_its_own_protocol() {
        let exchange = Exchange::unread(config(), &parts(&[]), BodyFacts::default(), || RequestId::from_parts(1, 2));
        let answered = exchange.malformed("a header".into());
        assert_eq!(answered.reply.status(), StatusCode::BAD_REQUEST);
        assert_eq!(answered.event.origin(), Origin::Guard);
    }

    #[test]
    fn g4_what_ran_over_is_answered_by_one_call() {
        let mut head = parts(&[]);
        head.method = http::Method::POST;
        let policy = Policy::builder().body_limit(4).build().unwrap();
        let config = Arc::new(ExchangeConfig::new(policy, || SystemTime::UNIX_EPOCH));
        let begun = Exchange::begin(config, &mut head, BodyFacts::default(), || RequestId::from_parts(1, 2));
        let Admission::Forward(exchange, Some(mut meter), _) = begun else { unreachable!() };
        assert!(matches!(meter.request_data(b"12345"), MeterAction::Over(_)));
        assert_eq!(exchange.overran().reply.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}
