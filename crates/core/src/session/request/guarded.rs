//! Runs the guards in their order, except for the credentials (G0, G1, G3, G4).

use std::sync::Arc;

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, CONNECTION, CONTENT_TYPE, HeaderValue, ORIGIN};
use http::request::Parts;
use http::{Method, Version};

use super::sent::HeaderFlags;
use super::view::{BodyFacts, RequestView};
use crate::dialect::rpc::Rpc;
use crate::fault::Fault;
use crate::fields::{self, list};
use crate::guard::body_limit::ObservedLimit;
use crate::guard::call_path::names_method;
use crate::guard::content_type::Declared;
use crate::policy::{BodyLimitPer, Matched, Mode, Policy, Preflight, RouteSettings};

/// Returns the smallest body limit of all readings, where the route of each reading has its own mode (G0).
fn body_limit(matched: &Matched) -> Option<u64> {
    let enforcing = guarded_readings(matched).filter(|settings| settings.mode != Mode::Observe);
    enforcing.filter_map(|settings| settings.body_limit).min()
}

/// The decisions of all guards except the check of the credentials.
#[derive(Debug, Default)]
pub(in crate::session) struct GuardOutcome {
    /// The fault that refuses the request before its credentials are checked (G1).
    pub(in crate::session) unmet: Option<Fault>,
    /// The fault that refuses the request after its credentials were checked (G3, G4).
    pub(in crate::session) refusal: Option<Fault>,
    /// The fault that refuses the request if its body has a first byte (G3).
    pub(in crate::session) peek: Option<Fault>,
    /// The fault with which a route in mode `observe` would have refused the request before its credentials are checked
    /// (M1).
    pub(in crate::session) observed_unmet: Option<Fault>,
    pub(in crate::session) observed: ObservedGuards,
    /// The facts of the body. The next field, `limit`, is the smallest limit of all readings (G0). A longer body is cut
    /// off.
    pub(in crate::session) body: BodyFacts,
    pub(in crate::session) limit: Option<u64>,
}

/// Runs the guards in their order.
pub(in crate::session) fn guard(policy: &Policy, matched: &Matched, view: &RequestView<'_>) -> GuardOutcome {
    let limit = body_limit(matched);
    let mut guarded = GuardOutcome { limit, body: view.body, ..GuardOutcome::default() };
    guarded.unmet = check_headers(matched, view, &mut guarded.observed).err();
    guarded.observed_unmet = guarded.observed.refusal.take();
    if guarded.unmet.is_none() {
        let observing = guarded_readings(matched).filter(|settings| settings.mode == Mode::Observe);
        let media_type = || fields::first(&view.head.headers, &CONTENT_TYPE);
        let routes = settings_that_apply(matched, view);
        match check_body(policy, routes, observing, limit, view, media_type, &mut guarded.observed) {
            Ok(peek) => guarded.peek = peek,
            Err(fault) => guarded.refusal = Some(fault),
        }
    }
    guarded
}

fn check_headers(matched: &Matched, view: &RequestView<'_>, observed: &mut ObservedGuards) -> Result<(), Fault> {
    for settings in settings_that_apply(matched, view) {
        for header in settings.require_headers.iter() {
            header.check(&view.head.headers).or_else(|fault| observed.note_refusal(settings, fault))?;
        }
    }
    Ok(())
}

/// The faults with which routes in mode `observe` would have refused the request (M1).
#[derive(Debug, Default)]
pub(in crate::session) struct ObservedGuards {
    pub(in crate::session) refusal: Option<Fault>,
    /// The fault with which a route in mode `observe` would have refused the request because of its declared length
    /// (G4).
    pub(in crate::session) too_large: Option<Fault>,
    /// The fault with which a route in mode `observe` would refuse the request if its body has a first byte (G3).
    pub(in crate::session) peek: Option<Fault>,
    pub(in crate::session) limit: ObservedLimit,
}

impl ObservedGuards {
    /// Returns the fault as an error, unless the route is in mode `observe`. In mode `observe`, only notes the fault,
    /// unless another fault is already noted.
    fn note_refusal(&mut self, settings: &RouteSettings, fault: Fault) -> Result<(), Fault> {
        if settings.mode != Mode::Observe {
            return Err(fault);
        }
        self.refusal.get_or_insert(fault);
        Ok(())
    }
}

/// Checks the content type (G3) and the length (G4) that the head declares. `routes` may require a type. `observing`
/// are the routes in mode `observe`, and `limit` is the smallest limit of the other routes. A fault in `Ok` refuses the
/// request only if the body has a first byte.
#[inline]
pub(in crate::session) fn check_body<'s, 'h>(
    policy: &Policy,
    routes: impl Iterator<Item = &'s Arc<RouteSettings>>,
    observing: impl Iterator<Item = &'s Arc<RouteSettings>>,
    limit: Option<u64>,
    view: &RequestView<'_>,
    media_type: impl Fn() -> Option<&'h HeaderValue>,
    observed: &mut ObservedGuards,
) -> Result<Option<Fault>, Fault> {
    let mut peek = None;
    if view.body.is_empty() {
        return Ok(peek);
    }
    for settings in routes {
        let Some(types) = settings.content_types.get() else { continue };
        let declared = types.declared(media_type(), view.sent.has(HeaderFlags::TWO_TYPES));
        if declared == Declared::Accepted {
            continue;
        }
        match (carries_body(view), declared) {
            (BodyPresence::No, _) => {}
            (BodyPresence::Unknown, Declared::Missing) if settings.mode == Mode::Observe => {
                observed.limit.first_byte = true;
                observed.peek = Some(types.refusal.clone());
            }
            (BodyPresence::Unknown, Declared::Missing) => peek = Some(types.refusal.clone()),
            _ => observed.note_refusal(settings, types.refusal.clone())?,
        }
    }
    for settings in observing {
        match settings.body_limit {
            Some(limit) if view.is_over(limit) => {
                observed.too_large.get_or_insert(policy.faults.too_large(limit));
            }
            limit => observed.limit.limit = observed.limit.limit.into_iter().chain(limit).min(),
        }
    }
    match limit {
        Some(limit) if view.is_over(limit) => Err(policy.faults.too_large(limit)),
        _ => Ok(peek),
    }
}

/// Returns the settings of those readings of the request that have guards.
pub(in crate::session) fn guarded_readings(matched: &Matched) -> impl Iterator<Item = &Arc<RouteSettings>> + Clone {
    matched.guards().filter(|settings| settings.mode != Mode::Off)
}

/// Returns the settings whose guards apply to this request.
fn settings_that_apply<'m>(
    matched: &'m Matched,
    view: &RequestView<'_>,
) -> impl Iterator<Item = &'m Arc<RouteSettings>> {
    let preflight = is_preflight(view);
    guarded_readings(matched).filter(move |settings| !preflight || settings.preflight == Preflight::Guard)
}

/// Returns true if a request is a CORS preflight, which browsers send without credentials (G0).
pub(in crate::session) fn is_preflight(view: &RequestView<'_>) -> bool {
    let RequestView { head, sent, .. } = *view;
    head.method == Method::OPTIONS
        && head.headers.contains_key(ORIGIN)
        && head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        // A preflight of a browser has no upgrade, no body and no method override. A service may answer any upgrade
        // with 101, or run the overriding method, which it reads in more ways than the guards do.
        && !sent.has(HeaderFlags::UPGRADE)
        && matches!(carries_body(view), BodyPresence::No)
        && !sent.names_other_method(head)
}

/// The presence of a request body, on which the guard of the content type depends (G3).
#[derive(Clone, Copy)]
enum BodyPresence {
    Yes,
    No,
    /// The body has not ended, and its length is not known, so the first byte decides.
    Unknown,
}

fn carries_body(view: &RequestView<'_>) -> BodyPresence {
    if view.body.is_empty() || view.head.method == Method::CONNECT || is_bodyless_upgrade(view) {
        return BodyPresence::No;
    }
    match view.declared() {
        Some(0) => BodyPresence::No,
        Some(_) => BodyPresence::Yes,
        None => BodyPresence::Unknown,
    }
}

fn is_bodyless_upgrade(RequestView { head, sent, .. }: &RequestView<'_>) -> bool {
    let unframed = || !sent.has(HeaderFlags::LENGTH | HeaderFlags::TRANSFER_CODING);
    let is_named =
        || head.headers.get_all(CONNECTION).iter().flat_map(list).any(|it| it.eq_ignore_ascii_case("upgrade"));
    head.version == Version::HTTP_11 && sent.has(HeaderFlags::UPGRADE) && is_named() && unframed()
}

/// Returns `Message` or `Body` if the content type claims a stream of messages. Returns `None` for all other requests,
/// whose limit applies to the whole body. If several routes match, the strictest value applies.
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

/// Decides whether the limit counts each message. A content type is only a claim. If the claim were accepted for any
/// request, every upload could escape its limit (G4).
#[inline(never)]
fn decide<'s>(
    head: &Parts,
    sent: &HeaderFlags,
    rpc: Rpc,
    routes: impl Iterator<Item = &'s Arc<RouteSettings>> + Clone,
) -> BodyLimitPer {
    // A service may see another method in the request, and an upload in its body (G0).
    let is_post = head.method == Method::POST && !sent.names_other_method(head);
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
