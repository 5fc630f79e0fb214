//! Forwards a request to the service and returns its response.
//!
//! It never creates a response itself: it returns failures as errors, and the layer around it creates the response.
//! [`pool`](super::pool) decides what is sent twice, and over which connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use error_envelope_core::session::{ProxyError, ProxyFailure, has_clear_host};
use http::header::{ALLOW, HOST, HeaderValue};
use http::uri::Scheme;
use http::{Method, Request, Response, StatusCode, Version};
use tower::BoxError;
use tower_error_envelope::auth::Identity;
use tower_error_envelope::policy::{UpstreamTimeouts, UpstreamUrl};
use tower_error_envelope::{ErrorCode, Fault};

use super::access::AccessRecord;
use super::capacity::{Capacity, Permit};
use super::count::UpstreamMetrics;
use super::error::Error;
use super::head_limit::HeadLimit;
use super::headers::HopHeaders;
use super::http1::Http1;
use super::http2::Http2;
use super::pace::{Pace, UnsentBody};
use super::pool::{Binding, Bounds, ForwardBody, Outgoing, PendingRequest, Pool, UpstreamBody};
use super::upgrade::{self, UpgradeProtocol, UpgradeRequest};
use super::upstream::Upstream;
use super::{headers, http1, http2, pool};

/// Forwards requests to one service.
pub(crate) struct Proxy<B: Send + 'static> {
    connections: Connections<B>,
    url: Arc<str>,
    head_limit: HeadLimit,
    /// The time limits that scopes set for response heads, by duration.
    scope_limits: Mutex<HashMap<Duration, HeadLimit>>,
    capacity: Capacity,
    upgrades: Vec<UpgradeProtocol>,
}

enum Connections<B: Send + 'static> {
    Http1 { pool: Pool<Http1<B>>, host: Option<HeaderValue> },
    Http2 { pool: Pool<Http2<B>>, service: UpstreamUrl },
}

/// A request in the form for its service, and what else is needed to send it.
pub(crate) struct Prepared<B> {
    request: PendingRequest<B>,
    pace: Option<Pace>,
    share: Option<Permit>,
    upgrade_request: Option<UpgradeRequest>,
    record: Option<AccessRecord>,
    binding: Option<Binding>,
    timeouts: UpstreamTimeouts,
}

impl<B: ForwardBody> Proxy<B> {
    pub(crate) fn new(mut upstream: Upstream) -> Result<Self, Error> {
        match (&mut upstream.tls, *upstream.url.scheme() == Scheme::HTTPS) {
            (Some(tls), true) => tls.offer(upstream.version),
            (None, false) => {}
            (None, true) => return Err(Error::invalid("an https URL needs trusted certificates: call Upstream::tls")),
            (Some(_), false) => return Err(Error::invalid("an http URL has no TLS: remove the call of Upstream::tls")),
        }
        let (limits, timeout) = (upstream.limits, upstream.response_timeout);
        let bounds = Bounds {
            connections: limits.connections as usize,
            queue_time: limits.queue_time,
            idle_timeout: limits.idle_timeout,
            open_timeout: timeout,
        };
        let (service, capacity) = (upstream.url.clone(), Capacity::new(limits.requests));
        let upgrades = upstream.upgrades.clone();
        let metrics = UpstreamMetrics::new(service.to_string(), bounds.connections);
        let url = service.to_string().into();
        let connections = match upstream.version {
            Version::HTTP_2 => {
                let pool = Pool::new(bounds, metrics, move |slot| http2::open(upstream.clone(), slot));
                Connections::Http2 { pool, service }
            }
            _ => {
                let pool = Pool::new(bounds, metrics, move |slot| http1::open(upstream.clone(), slot));
                Connections::Http1 { pool, host: HeaderValue::from_str(service.authority().as_str()).ok() }
            }
        };
        Ok(Self {
            connections,
            url,
            head_limit: HeadLimit::new(timeout),
            scope_limits: Mutex::default(),
            capacity,
            upgrades,
        })
    }

    /// Turns a client's request that was not [refused](refuse) into one for the service. This does all steps that need
    /// no wait, because a future would have to move the request.
    pub(crate) fn prepare(&self, mut request: Request<B>, hop: HopHeaders) -> Result<Prepared<B>, BoxError> {
        let record = AccessRecord::take_from(&mut request);
        let binding = Binding::take_from(request.extensions_mut());
        let timeouts = request.extensions().get().copied().unwrap_or_default();
        let share = self.capacity.take()?;
        if let Some(record) = &record {
            record.forwarded(&self.url);
            let caller = request.extensions().get::<Identity>().and_then(Identity::id);
            caller.into_iter().for_each(|id| record.authenticated(id));
        }
        let upgrades = matches!(self.connections, Connections::Http1 { .. });
        let upgrade_request = upgrades.then(|| UpgradeRequest::take_from(&mut request, hop, &self.upgrades)).flatten();
        let (mut head, body) = request.into_parts();
        headers::towards_service(&mut head, hop);
        if let Some(upgrade_request) = &upgrade_request {
            upgrade_request.forward(&mut head.headers);
        }
        let (body, share, pace) = if body.is_end_stream() {
            (Outgoing::empty(), share, None)
        } else {
            let (pace, (share, of_body)) = (Pace::start(), share.share());
            (Outgoing::new(body, pace.clone(), of_body), share, Some(pace))
        };
        match &self.connections {
            Connections::Http1 { host, .. } => http1::prepare(&mut head, &body, host.as_ref()),
            Connections::Http2 { service, .. } => http2::prepare(&mut head, service),
        }
        Ok(Prepared {
            request: PendingRequest::Unsent(Request::from_parts(head, body)),
            pace,
            share: Some(share),
            upgrade_request,
            record,
            binding,
            timeouts,
        })
    }

    /// The time limit of a scope. A policy has few different ones, so each is kept as long as the service.
    fn scope_limit(&self, limit: Duration) -> HeadLimit {
        let mut limits = self.scope_limits.lock().unwrap_or_else(PoisonError::into_inner);
        limits.entry(limit).or_insert_with(|| HeadLimit::new(limit)).clone()
    }

    /// Sends the request; the future is the service's response.
    #[expect(clippy::manual_async_fn, reason = "an async function has room for its arguments twice")]
    pub(crate) fn send(
        self: Arc<Self>,
        mut prepared: Prepared<B>,
    ) -> impl Future<Output = Result<Response<UpstreamBody>, BoxError>> + Send {
        async move {
            let Prepared { request, pace, share, upgrade_request, record, binding, timeouts } = &mut prepared;
            let response = async {
                match &self.connections {
                    Connections::Http1 { pool, .. } => pool::send(pool, request, binding.take()).await,
                    Connections::Http2 { pool, .. } => pool::send(pool, request, None).await,
                }
            };
            let sent = pace.clone();
            let response = match timeouts.head() {
                None => self.head_limit.apply(response, pace.take()).await?,
                Some(limit) => self.scope_limit(limit).apply(response, pace.take()).await?,
            };
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                return Ok(upgrade::switch(upgrade_request.take(), response, share.take(), record.take())?);
            }
            let hop = HopHeaders::from_headers(response.headers());
            if !headers::is_coded_at_most_in_chunks(response.headers(), hop) {
                // Otherwise the body would reach the client still coded, but without the name of its coding.
                let text = "the service's response has a transfer coding besides chunked";
                let cause = ProxyFailure::new(ProxyError::HttpProtocolError, text);
                return Err(Fault::new(ErrorCode::OTHER).caused_by(cause).into());
            }
            let (mut head, body) = response.into_parts();
            headers::towards_client(&mut head, hop);
            if sent.is_some_and(|sent| !sent.has_ended()) {
                head.extensions.insert(UnsentBody);
            }
            Ok(Response::from_parts(head, body.hold(share.take()).limit_pauses(timeouts.stall())))
        }
    }
}

/// Refuses requests that are not for forwarding. CONNECT would open a tunnel past every guard (405: the method is
/// known, but not supported here). A target must be a path, a URI or `*`, and without exactly one host a request has no
/// route (RFC 9112 §3.2). If a body has a transfer coding that is not removed here, it would reach the service without
/// the name of its coding (RFC 9112 §6.1).
pub(crate) fn refuse<B>(request: &Request<B>, hop: HopHeaders) -> Result<(), Fault> {
    let uri = request.uri();
    let failure = |text: &str| ProxyFailure::new(ProxyError::HttpRequestError, text);
    let bad = |message| Err(Fault::new(ErrorCode::BAD_REQUEST).message(message).caused_by(failure(message)));
    if request.method() == Method::CONNECT {
        let allow = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        let fault = Fault::new(ErrorCode::METHOD_NOT_ALLOWED).header(ALLOW, allow);
        return Err(fault.caused_by(failure("CONNECT is not supported")));
    }
    if uri.scheme().is_none() && uri.authority().is_some() {
        return bad("The request target is neither a path nor a URI.");
    }
    let names_none = || uri.authority().is_none() && !request.headers().contains_key(HOST);
    if !has_clear_host(uri, request.headers()) || request.version() >= Version::HTTP_11 && names_none() {
        return bad("The request does not name one host.");
    }
    if !headers::is_coded_at_most_in_chunks(request.headers(), hop) {
        return bad("The only supported transfer coding is chunked.");
    }
    Ok(())
}
