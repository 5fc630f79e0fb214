//! What a client gets for an error, for documents: there is no real request.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;

use super::request::{self, HeaderFlags, RequestView};
use super::{BodyFacts, Exchange, ExchangeConfig, Failure, Origin};
use crate::fault::Fault;
use crate::request_id::RequestId;

impl Exchange {
    /// The answer of a service that fails with `fault`, on the route of `head`. No guard runs.
    pub(crate) fn example(config: Arc<ExchangeConfig>, head: &Parts, fault: Fault, id: RequestId) -> Response<Bytes> {
        let policy = &**config.policy();
        let (sent, _) = HeaderFlags::scan(head, policy.key_headers());
        let given = request::identify(policy.ids(), head, &sent, || id);
        let response_settings = policy.matched(head).unwrap_or_else(|_| policy.of_no_host()).normal.response_settings();
        let view = RequestView { head, sent: &sent, body: BodyFacts::default(), claimed: None };
        let exchange = Self::new(config, &view, given, response_settings);
        let cause = Box::new(fault.clone());
        exchange.failed(Failure::new(fault, Origin::Fault), cause).reply
    }
}
