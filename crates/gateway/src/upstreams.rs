//! The services behind a gateway: one service for each scope that has an upstream URL, and one for all other requests.
//!
//! 1. The layer adds the upstream URL of the request's scope to the request. The URL comes from the same policy whose
//!    guards checked the request (G0, M3).
//! 2. Each URL has its own connections, queue, limits and TLS. So a slow or missing service does not use the resources
//!    of another service. Scopes with the same URL share these resources.
//! 3. The resources for the URLs in the first policy are created at the start, and those for other URLs at the first
//!    request. They are dropped once the active policy no longer contains the URL, and all requests in flight have
//!    ended.
//! 4. A request for which no service is set gets `not_found`.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use std::{fmt, future};

use bytes::Bytes;
use error_envelope_admin::Outage;
use error_envelope_core::policy::UpstreamUrl;
use error_envelope_core::session::{NotCalled, ProxyError, ProxyFailure};
use http::{Request, Response};
use http_body::Body;
use tower::{BoxError, Service};
use tower_error_envelope::{ErrorCode, ErrorEnvelopeLayer, Fault};

use super::access::Exchanged;
use super::error::Error;
use super::pool::{ForwardBody, UpstreamBody};
use super::proxy::{Proxy, refuse};
use super::upstream::Upstream;

/// The interval between checks for services that the active policy no longer names. Until the next check, idle
/// connections to a removed service stay open.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// The services behind a gateway: the services of the policy's scopes (`[scope] upstream`), and one service for all
/// other requests.
///
/// ```no_run
/// use error_envelope_gateway::{Gateway, GatewayConfig, Upstreams};
/// use tower_error_envelope::ErrorEnvelopeLayer;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let layer = ErrorEnvelopeLayer::watch("policy.toml")?;
/// let upstreams = Upstreams::new(layer.clone()).rest("http://127.0.0.1:3000".parse()?);
/// let gateway = Gateway::bind("127.0.0.1:0", GatewayConfig::new(layer)).await?;
/// gateway.serve(upstreams.service()?, std::future::pending()).await;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct Upstreams {
    layer: Option<ErrorEnvelopeLayer>,
    rest: Option<Upstream>,
    prepare: Prepare,
}

type Prepare = Box<dyn Fn(Upstream) -> Result<Upstream, BoxError> + Send + Sync>;

impl Upstreams {
    /// Uses the services in the policy of `layer`, and in each policy that replaces it. `layer` must be the gateway's
    /// layer.
    pub fn new(layer: ErrorEnvelopeLayer) -> Self {
        Self { layer: Some(layer), rest: None, prepare: Box::new(Ok) }
    }

    /// Sets the service for requests whose scope has no service. If no such service is set, these requests get 404
    /// `not_found`.
    pub fn rest(mut self, upstream: Upstream) -> Self {
        self.rest = Some(upstream);
        self
    }

    /// Sets a function that configures the limits, TLS and HTTP version of each scope's service. If the function
    /// returns an error at the start, [`Upstreams::service`] returns it. If it returns an error after a reload,
    /// requests for that service get 502.
    pub fn prepare<E: Into<BoxError>>(
        mut self,
        prepare: impl Fn(Upstream) -> Result<Upstream, E> + Send + Sync + 'static,
    ) -> Self {
        self.prepare = Box::new(move |upstream| prepare(upstream).map_err(Into::into));
        self
    }

    /// Combines all services into one Tower service, for [`Gateway::serve`](crate::Gateway::serve).
    ///
    /// # Errors
    /// Returns an error if `prepare` fails for a service, if an `https` URL has no TLS, or if an `http` URL has TLS.
    ///
    /// # Panics
    /// Panics if there is no Tokio runtime.
    pub fn service<B>(self) -> Result<Forward<B>, Error>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        let proxies = Arc::new(Proxies::new(self)?);
        tokio::spawn(watch_removed_services(Arc::downgrade(&proxies)));
        Ok(Forward(proxies))
    }
}

impl Upstream {
    /// Makes a Tower service that calls this service over the network. It works with or without a gateway. All requests
    /// are sent to this service, even if their scopes name other services. For scopes, see [`Upstreams`].
    ///
    /// # Errors
    /// Returns an error if [`Upstream::tls`] was not called for an `https` URL, or was called for an `http` URL.
    ///
    /// # Panics
    /// Panics if there is no Tokio runtime.
    pub fn service<B>(self) -> Result<Forward<B>, Error>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        Upstreams { layer: None, rest: Some(self), prepare: Box::new(Ok) }.service()
    }
}

/// A Tower service that calls other services over the network, and limits the concurrent requests. It is always ready.
pub struct Forward<B: Send + 'static>(Arc<Proxies<B>>);

impl<B: Send + 'static> Forward<B> {
    /// Returns a function that lists the services that cannot be reached now, for
    /// [`Admin::show_outages`](error_envelope_admin::Admin::show_outages). The function does not keep the connections
    /// to the services alive.
    pub fn outages(&self) -> impl Fn() -> Vec<Outage> + Send + Sync + use<B> {
        let proxies = Arc::downgrade(&self.0);
        move || {
            let Some(proxies) = proxies.upgrade() else { return Vec::new() };
            let by_url = proxies.by_url.read().unwrap_or_else(PoisonError::into_inner);
            by_url.values().filter_map(|proxy| proxy.reachability.outage()).collect()
        }
    }
}

impl<B: Send + 'static> Clone for Forward<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B: Send + 'static> fmt::Debug for Forward<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forward").finish_non_exhaustive()
    }
}

impl<B: ForwardBody> Service<Request<B>> for Forward<B> {
    type Response = Response<UpstreamBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<UpstreamBody>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.0.choose(&request) {
            Ok(proxy) => Box::pin(proxy.send(Exchanged::take_from(&mut request), request)),
            Err(error) => Box::pin(future::ready(Err(error))),
        }
    }
}

/// The proxies for all services.
struct Proxies<B: Send + 'static> {
    layer: Option<ErrorEnvelopeLayer>,
    prepare: Prepare,
    rest: Option<(UpstreamUrl, Arc<Proxy<B>>)>,
    by_url: RwLock<HashMap<UpstreamUrl, Arc<Proxy<B>>>>,
}

impl<B: ForwardBody> Proxies<B> {
    fn new(Upstreams { layer, rest, prepare }: Upstreams) -> Result<Self, Error> {
        let rest = rest.map(|rest| Ok::<_, Error>((rest.url.clone(), Arc::new(Proxy::new(rest)?)))).transpose()?;
        let by_url = RwLock::new(rest.iter().cloned().collect());
        let proxies = Self { layer, prepare, rest, by_url };
        if let Some(layer) = &proxies.layer {
            layer.policy_status().policy.upstreams().try_for_each(|url| proxies.get_or_create(url).map(drop))?;
        }
        Ok(proxies)
    }

    /// Chooses the service of a request.
    fn choose(&self, request: &Request<B>) -> Result<Arc<Proxy<B>>, BoxError> {
        refuse(request).map_err(NotCalled::new)?;
        let named = request.extensions().get::<UpstreamUrl>().filter(|_| self.layer.is_some());
        match (named, &self.rest) {
            (Some(url), _) => Ok(self.get_or_create(url).map_err(|it| Fault::new(ErrorCode::OTHER).with_source(it))?),
            (None, Some((_, rest))) => Ok(Arc::clone(rest)),
            (None, None) => {
                let text = "no scope has a service for the request";
                let cause = ProxyFailure::new(ProxyError::DestinationNotFound, text);
                Err(Fault::new(ErrorCode::NOT_FOUND).with_source(cause).into())
            }
        }
    }

    /// Returns the proxy for this URL, and creates the proxy if it does not exist.
    fn get_or_create(&self, url: &UpstreamUrl) -> Result<Arc<Proxy<B>>, Error> {
        if let Some(known) = self.by_url.read().unwrap_or_else(PoisonError::into_inner).get(url) {
            return Ok(Arc::clone(known));
        }
        let upstream =
            (self.prepare)(url.clone().into()).map_err(|error| Error::unreadable(format!("{url}: {error}")))?;
        let fresh = Arc::new(Proxy::new(upstream)?);
        let mut by_url = self.by_url.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(by_url.entry(url.clone()).or_insert(fresh)))
    }

    /// Drops the proxies of services that the policy no longer names. A request keeps its proxy until the request ends.
    /// A request that began under an older policy may create such a proxy again. The next check then drops that proxy.
    fn drop_removed_services(&self, layer: &ErrorEnvelopeLayer) {
        // The policy is read while the map is locked. So it names every service that requests under a newer policy have
        // added to the map.
        let mut by_url = self.by_url.write().unwrap_or_else(PoisonError::into_inner);
        let policy = layer.policy_status().policy;
        let named: HashSet<_> = policy.upstreams().chain(self.rest.iter().map(|(url, _)| url)).collect();
        let ended: Vec<_> = by_url.extract_if(|url, _| !named.contains(url)).collect();
        drop(by_url);
        for (url, _) in &ended {
            tracing::info!(
                target: "error_envelope::gateway::upstreams", upstream = %url,
                "the policy no longer uses this service; its connections close once they are idle"
            );
        }
    }
}

async fn watch_removed_services<B: ForwardBody>(proxies: Weak<Proxies<B>>) {
    loop {
        tokio::time::sleep(CHECK_EVERY).await;
        let Some(proxies) = proxies.upgrade() else { return };
        let Some(layer) = &proxies.layer else { return };
        proxies.drop_removed_services(layer);
    }
}
