//! Decides what the body limit counts, for a request that claims to be a stream of RPC messages (rule P1).

use std::sync::Arc;

use http::request::Parts;
use http::{Method, Version};

use super::HeaderFlags;
use crate::dialect::rpc::Rpc;
use crate::guard::call_path::names_method;
use crate::guard::method;
use crate::policy::{BodyLimitPer, Mode, RouteSettings};
use crate::session::BodyFacts;

/// `Message` or `Body` if the content type claims a stream of messages; `None` for all other requests, of which the
/// whole body counts. If several routes match, the strictest value wins.
#[inline]
pub(in crate::session) fn stream_limit_per<'s, R>(
    head: &Parts,
    sent: &HeaderFlags,
    body: BodyFacts,
    routes: impl FnOnce() -> R,
) -> Option<BodyLimitPer>
where
    R: Iterator<Item = &'s Arc<RouteSettings>> + Clone,
{
    match sent.call {
        Some(call) if call.rpc.is_framed() && !body.is_empty() => Some(decide(head, sent, call.rpc, routes())),
        _ => None,
    }
}

/// Decides whether messages are counted. A content type is only a claim: if it were accepted for any request, it would
/// remove the limit from every upload (G4).
#[inline(never)]
fn decide<'s>(
    head: &Parts,
    sent: &HeaderFlags,
    rpc: Rpc,
    routes: impl Iterator<Item = &'s Arc<RouteSettings>> + Clone,
) -> BodyLimitPer {
    // A service may see another method in the request, and an upload in its body (G0).
    let is_post = head.method == Method::POST && !sent.overrides_method() && method::is_plain(head);
    let over_its_http = !matches!(rpc, Rpc::Grpc(_)) || head.version >= Version::HTTP_2;
    let is_call = is_post && over_its_http && names_method(head.uri.path());
    let counts_whole = |settings: &Arc<RouteSettings>| match settings.body_limit_per {
        BodyLimitPer::Auto => !is_call,
        BodyLimitPer::Message => !is_post,
        BodyLimitPer::Body => true,
    };
    let mut limiting = routes.filter(|settings| settings.body_limit.is_some());
    // A route in mode `observe` must not change anything for a route that refuses (M1).
    let is_enforced = |settings: &&Arc<RouteSettings>| settings.mode != Mode::Observe;
    let whole = match limiting.clone().any(|settings| is_enforced(&settings)) {
        true => limiting.filter(is_enforced).any(counts_whole),
        false => limiting.any(counts_whole),
    };
    if whole { BodyLimitPer::Body } else { BodyLimitPer::Message }
}
