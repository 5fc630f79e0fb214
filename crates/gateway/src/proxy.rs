//! Forwards a request to the service and returns its response.
//!
//! The proxy never creates a response itself. It returns failures as errors, and the layer around the proxy creates the
//! response. [`pool`](super::pool) decides which requests are sent twice, and over which connection.

use std::error::Error as StdError;
use std::io;
use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use error_envelope_admin::Outage;
use error_envelope_core::cause;
use error_envelope_core::policy::{UpstreamTimeouts, UpstreamUrl};
use error_envelope_core::session::{NotCalled, ProxyError, ProxyFailure, has_clear_host};
use http::header::{ALLOW, HOST, HeaderValue};
use http::uri::Scheme;
use http::{Method, Request, Response, StatusCode, Version};
use tower::BoxError;
use tower::load_shed::error::Overloaded;
use tower::timeout::error::Elapsed;
use tower_error_envelope::{ErrorCode, Fault};

use super::access::AccessRecord;
use super::count::UpstreamMetrics;
use super::error::Error;
use super::headers;
use super::http1::{self, Http1};
use super::http2::{self, Http2};
use super::pace::{Capacity, Pace, UnsentBody, limit_head};
use super::pool::{self, Binding, Bounds, ForwardBody, Outgoing, Pool, UpstreamBody};
use super::requests::ADDED;
use super::upgrade::{self, UpgradeProtocol, UpgradeRequest};
use super::upstream::Upstream;

/// The most header lines of a request. Clients of HTTP/2 may send each cookie as a line, so hyper's limit for HTTP/1,
/// which is 100, is too low.
const MAX_HEADER_LINES: usize = 256;

/// Forwards requests to one service.
pub(crate) struct Proxy<B: Send + 'static> {
    connections: Connections<B>,
    url: Arc<str>,
    response_timeout: Duration,
    capacity: Capacity,
    upgrades: Vec<UpgradeProtocol>,
    pub(crate) reachability: Reachability,
}

enum Connections<B: Send + 'static> {
    Http1 { pool: Pool<Http1<B>>, host: Option<HeaderValue> },
    Http2 { pool: Pool<Http2<B>>, service: UpstreamUrl },
}

impl<B: ForwardBody> Proxy<B> {
    pub(crate) fn new(mut upstream: Upstream) -> Result<Self, Error> {
        match (&mut upstream.tls, *upstream.url.scheme() == Scheme::HTTPS) {
            (Some(tls), true) => tls.offer(upstream.version),
            (None, false) => {}
            (None, true) => return Err(Error::invalid("an https URL needs trusted certificates: call Upstream::tls")),
            (Some(_), false) => return Err(Error::invalid("an http URL has no TLS: remove the call of Upstream::tls")),
        }
        let (limits, response_timeout) = (upstream.limits, upstream.response_timeout);
        let bounds = Bounds {
            connections: limits.connections as usize,
            queue_time: limits.queue_time,
            idle_timeout: limits.idle_timeout,
            open_timeout: response_timeout,
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
        Ok(Self { connections, url, response_timeout, capacity, upgrades, reachability: Reachability::default() })
    }

    /// Forwards a client's request that was not [refused](refuse), and returns the service's response.
    pub(crate) async fn send(
        self: Arc<Self>,
        record: Option<AccessRecord>,
        mut request: Request<B>,
    ) -> Result<Response<UpstreamBody>, BoxError> {
        let binding = Binding::take_from(request.extensions_mut());
        let timeouts: UpstreamTimeouts = request.extensions().get().copied().unwrap_or_default();
        let permit = self.capacity.take().ok_or_else(|| {
            no_room(format!("{} already handles as many requests as --upstream-requests allows", self.url))
        })?;
        if let Some(record) = &record {
            record.forwarded(&self.url, request.headers_mut());
        }
        let upgrades = matches!(self.connections, Connections::Http1 { .. });
        let upgrade_request = upgrades.then(|| UpgradeRequest::take_from(&mut request, &self.upgrades)).flatten();
        let (mut head, body) = request.into_parts();
        headers::towards_service(&mut head);
        if let Some(upgrade_request) = &upgrade_request {
            upgrade_request.forward(&mut head.headers);
        }
        let pace = (!body.is_end_stream()).then(Pace::start);
        let body = match &pace {
            Some(pace) => Outgoing::new(body, pace.clone(), permit.clone()),
            None => Outgoing::empty(),
        };
        match &self.connections {
            Connections::Http1 { host, .. } => http1::prepare(&mut head, &body, host.as_ref()),
            Connections::Http2 { service, .. } => http2::prepare(&mut head, service),
        }
        let request = Request::from_parts(head, body);
        // The future is pinned here, because moving it is expensive.
        let response = pin!(async {
            match &self.connections {
                Connections::Http1 { pool, .. } => pool::send(pool, request, binding, record.as_deref()).await,
                Connections::Http2 { pool, .. } => pool::send(pool, request, None, record.as_deref()).await,
            }
        });
        let limit = timeouts.head().unwrap_or(self.response_timeout);
        let mut response = limit_head(response, limit, pace.as_ref()).await;
        if let Err(error) = &mut response
            && error.is::<NotCalled>()
        {
            *error = no_room(format!("no connection to {} within --upstream-queue-time", self.url)).into();
        }
        if let (Some(record), Err(error)) = (record.as_ref().filter(|record| record.is_waiting()), &mut response) {
            if error.is::<Elapsed>() {
                let text = format!("no connection to {} within the time limit for its response", self.url);
                let failure = ProxyFailure::new(ProxyError::ConnectionTimeout, text);
                *error = NotCalled::new(io::Error::new(io::ErrorKind::TimedOut, failure)).into();
            }
            // A service to which no connection could be opened is the one that failed.
            record.set_waiting(error.is::<NotCalled>());
        }
        self.reachability.note(&self.url, response.as_ref().map_err(|error| &**error as &(dyn StdError + 'static)));
        let response = response?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(upgrade::switch(upgrade_request, response, permit, record.clone())?);
        }
        if !headers::is_coded_at_most_in_chunks(response.headers()) {
            // Such a body would reach the client still encoded, but without the name of its coding.
            let text = "the service's response has a transfer coding other than chunked";
            return Err(upgrade::protocol_error(text).into());
        }
        let (mut head, body) = response.into_parts();
        headers::towards_client(&mut head);
        if pace.is_some_and(|pace| !pace.has_ended()) {
            head.extensions.insert(UnsentBody);
        }
        Ok(Response::from_parts(head, body.hold(permit).limit_pauses(timeouts.stall())))
    }
}

/// Returns the error of a request that a limit of the gateway ended. The layer turns tower's `Overloaded` into 503
/// `worker_at_capacity` (F1).
#[cold]
fn no_room(text: String) -> NotCalled {
    NotCalled::new(ProxyFailure::new(ProxyError::ConnectionLimitReached, text).with_source(Overloaded::new()))
}

/// Refuses these requests, because they cannot be forwarded:
///
/// - CONNECT, which would open a tunnel that bypasses every guard. The client gets 405, because the method is known but
///   not supported.
/// - A request whose target is neither a path nor a URI nor `*`.
/// - A request that does not name exactly one host, because it has no route (RFC 9112 §3.2).
/// - A request with a transfer coding other than chunked. Its body would reach the service still encoded, but without
///   the name of its coding (RFC 9112 §6.1).
/// - A request with more than 256 header lines, which only HTTP/2 lets pass. In memory, an empty line takes many times
///   the two bytes with which a client can send it.
pub(crate) fn refuse<B>(request: &Request<B>) -> Result<(), Fault> {
    let uri = request.uri();
    let failure = |text: &str| ProxyFailure::new(ProxyError::HttpRequestError, text);
    let bad = |message| Err(Fault::new(ErrorCode::BAD_REQUEST).with_message(message).with_source(failure(message)));
    if request.method() == Method::CONNECT {
        let allow = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        let fault = Fault::new(ErrorCode::METHOD_NOT_ALLOWED).with_header(ALLOW, allow);
        return Err(fault.with_source(failure("CONNECT is not supported")));
    }
    if uri.scheme().is_none() && uri.authority().is_some() {
        return bad("The request target is neither a path nor a URI.");
    }
    let names_none = || uri.authority().is_none() && !request.headers().contains_key(HOST);
    if !has_clear_host(uri, request.headers()) || request.version() >= Version::HTTP_11 && names_none() {
        return bad("The request does not name one host.");
    }
    if !headers::is_coded_at_most_in_chunks(request.headers()) {
        return bad("The only supported transfer coding is chunked.");
    }
    if request.headers().len() > MAX_HEADER_LINES + ADDED {
        let text = format!("the request has more than {MAX_HEADER_LINES} header lines");
        return Err(Fault::new(ErrorCode::HEADERS_TOO_LARGE).with_source(failure(&text)));
    }
    Ok(())
}

/// Stores whether one service can be reached.
///
/// While the service cannot be reached, this type stores the beginning of the outage, its reason, and the number of
/// failed requests. One line is logged at the beginning and at the end of an outage. The admin page shows current
/// outages.
///
/// An outage begins when no connection can be opened for a request, and ends with the next response.
#[derive(Debug, Default)]
pub(crate) struct Reachability {
    /// True during an outage. Each request reads this flag, so that no lock is needed while the service can be reached.
    is_out: AtomicBool,
    outage: Mutex<Option<Outage>>,
}

impl Reachability {
    /// Records the outcome of a request to this service.
    pub(crate) fn note<T>(&self, service: &str, outcome: Result<&T, &(dyn StdError + 'static)>) {
        match outcome {
            Ok(_) if self.is_out.load(Relaxed) => self.end(),
            Ok(_) => {}
            Err(error) => unreachable_because(error).into_iter().for_each(|reason| self.add(service, reason)),
        }
    }

    /// Returns the current outage, if there is one.
    pub(crate) fn outage(&self) -> Option<Outage> {
        self.lock().clone()
    }

    fn add(&self, service: &str, reason: &str) {
        let (mut outage, now) = (self.lock(), SystemTime::now());
        let begins = outage.is_none();
        let known = outage.get_or_insert_with(|| Outage {
            service: service.to_owned(),
            since: now,
            last: now,
            reason: String::new(),
            requests: 0,
        });
        known.requests += 1;
        known.last = now;
        reason.clone_into(&mut known.reason);
        self.is_out.store(true, Relaxed);
        drop(outage);
        if begins {
            tracing::warn!(target: "error_envelope::gateway::outage", upstream = service, reason, "cannot reach the service");
        }
    }

    fn end(&self) {
        let ended = self.lock().take();
        self.is_out.store(false, Relaxed);
        if let Some(Outage { service, since, requests, .. }) = ended {
            let seconds = since.elapsed().unwrap_or_default().as_secs();
            tracing::info!(
                target: "error_envelope::gateway::outage",
                upstream = service, requests, seconds, "the service can be reached again"
            );
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Outage>> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the reason why no connection could be opened, or `None` for any other error.
fn unreachable_because<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a str> {
    let failure = cause::find::<ProxyFailure>(error)?;
    let is_unreachable = matches!(
        failure.kind(),
        ProxyError::DnsTimeout
            | ProxyError::DnsError
            | ProxyError::DestinationUnavailable
            | ProxyError::ConnectionRefused
            | ProxyError::ConnectionTimeout
            | ProxyError::TlsCertificateError
            | ProxyError::TlsProtocolError
    );
    // The service's address is removed from the reason, because the log line has it as a separate field.
    let text = failure.text();
    let reason = text.strip_prefix("cannot connect to ").and_then(|rest| rest.split_once(": ")).map_or(text, |it| it.1);
    is_unreachable.then_some(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_with_very_many_header_lines_is_refused() {
        let with = |lines: usize| {
            let request = (0..lines).fold(Request::builder().header(HOST, "a"), |it, _| it.header("x", ""));
            refuse(&request.uri("/").body(()).unwrap())
        };
        assert!(with(MAX_HEADER_LINES + ADDED - 1).is_ok());
        assert_eq!(with(MAX_HEADER_LINES + ADDED).unwrap_err().code(), &ErrorCode::HEADERS_TOO_LARGE);
    }
}
