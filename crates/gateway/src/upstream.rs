//! The configuration of a service behind the gateway, and the lookup of the service's host name.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use error_envelope_core::policy::UpstreamUrl;
use error_envelope_core::session::{ProxyError, ProxyFailure};
use http::Version;
use tokio::net::TcpStream;
use tokio::sync::watch::{self, Receiver};
use tokio::time::Instant;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::sign::SingleCertAndKey;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::config::{UP_TO_A_YEAR, UpstreamLimits};
use super::error::Error;
use super::tls::pair::Pair;
use super::upgrade::UpgradeProtocol;

/// The service behind a gateway, parsed from a URL such as `http://127.0.0.1:3000`.
#[derive(Clone, Debug)]
#[must_use]
pub struct Upstream {
    pub(crate) url: UpstreamUrl,
    pub(crate) resolver: Resolver,
    pub(crate) tls: Option<UpstreamTls>,
    pub(crate) version: Version,
    pub(crate) response_timeout: Duration,
    pub(crate) limits: UpstreamLimits,
    pub(crate) upgrades: Vec<UpgradeProtocol>,
}

impl Upstream {
    /// Sets the trusted certificates, and the name that the service's certificate must contain. This is required for an
    /// `https` URL.
    ///
    /// # Errors
    /// Returns an error if the TLS library refuses its own default versions.
    pub fn tls(mut self, roots: RootCertStore, name: ServerName<'static>) -> Result<Self, Error> {
        let failed = |error| Error::unreadable(format!("cannot configure TLS to the service: {error}"));
        let config = Arc::new(error_envelope_runtime::tls_client(roots).map_err(failed)?);
        self.tls = Some(UpstreamTls { name, config });
        Ok(self)
    }

    /// Sets the certificate that the gateway presents to the service, and its key, as PEM files. Call this method after
    /// [`Upstream::tls`], for an `https` URL. The files are read only once, by this call.
    ///
    /// # Errors
    /// Returns an error if a file cannot be read, or if the key does not match the certificate.
    pub fn client_certificate(
        mut self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, Error> {
        let pair = Pair { certificate: certificate.into(), key: key.into(), clients: None };
        let shown = Arc::new(SingleCertAndKey::from(pair.certified()?));
        if let Some(tls) = &mut self.tls {
            Arc::make_mut(&mut tls.config).client_auth_cert_resolver = shown;
        }
        Ok(self)
    }

    /// Uses HTTP/2 instead of HTTP/1.1. Over TLS, the service must offer HTTP/2 by ALPN. Without TLS, the gateway
    /// assumes that the service supports HTTP/2.
    pub fn http2(mut self) -> Self {
        self.version = Version::HTTP_2;
        self
    }

    /// Sets the time limit for the service's response head. The default is 30 seconds, and the maximum is 365 days.
    /// After this time the client gets 504.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout.clamp(*UP_TO_A_YEAR.start(), *UP_TO_A_YEAR.end());
        self
    }

    /// Sets the limits for connections and requests to the service.
    pub fn limits(mut self, limits: UpstreamLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Also forwards upgrades to this protocol, in addition to `websocket`. Any other upgrade is removed from a
    /// request, because the guards cannot check the bytes after a 101.
    pub fn upgrade(mut self, protocol: UpgradeProtocol) -> Self {
        self.upgrades.push(protocol);
        self
    }

    /// Returns the service's URL, for example to compare it with a URL in a policy.
    #[must_use]
    pub fn url(&self) -> &UpstreamUrl {
        &self.url
    }
}

/// Creates an upstream that uses HTTP/1.1 and the default limits. For an `https` URL, also call [`Upstream::tls`].
impl From<UpstreamUrl> for Upstream {
    fn from(url: UpstreamUrl) -> Self {
        Self {
            url,
            resolver: Resolver::default(),
            tls: None,
            version: Version::HTTP_11,
            response_timeout: Duration::from_secs(30),
            limits: UpstreamLimits::default(),
            upgrades: vec![UpgradeProtocol::WEBSOCKET],
        }
    }
}

/// Parses a URL without a path. For an `https` URL, also call [`Upstream::tls`].
impl FromStr for Upstream {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self, Error> {
        let parsed = url.parse::<UpstreamUrl>().map_err(|error| {
            let refused = if url.contains('@') { Error::credentials } else { Error::invalid };
            refused(error.wrong().to_owned()).with_advice(error.advice())
        });
        parsed.map(Self::from)
    }
}

/// The TLS settings for connections to a service.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamTls {
    pub(crate) name: ServerName<'static>,
    pub(crate) config: Arc<ClientConfig>,
}

impl UpstreamTls {
    /// Offers this HTTP version to the service by ALPN.
    pub(crate) fn offer(&mut self, version: Version) {
        let protocol = if version == Version::HTTP_2 { "h2" } else { "http/1.1" };
        Arc::make_mut(&mut self.config).alpn_protocols = vec![protocol.into()];
    }
}

/// The time limit for a connection attempt to one address, unless it is the last address. Operating systems repeat an
/// unanswered attempt after half of this time.
const PATIENCE: Duration = Duration::from_secs(2);

type Addresses = Arc<[SocketAddr]>;
type Outcome = Option<Result<Addresses, Arc<io::Error>>>;

/// Looks up the host name of one service. Clones share a running lookup.
///
/// 1. The name is looked up for each new connection, so that its current addresses are used. Only one lookup of a name
///    runs at a time, and all waiting connections share its result. The reason is that a lookup occupies a thread while
///    the system's resolver hangs, and lookups for other services also need threads.
/// 2. The addresses are tried in order. If an address refuses the connection, or does not respond within its share of
///    the time, the next address is tried.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resolver(Arc<Mutex<Option<Receiver<Outcome>>>>);

impl Resolver {
    /// Opens a connection to a host. `within` is the time limit for the lookup and all attempts together.
    pub(crate) async fn connect(&self, host: &str, port: u16, within: Duration) -> io::Result<TcpStream> {
        let deadline = Instant::now() + within;
        match host.parse::<IpAddr>() {
            Ok(address) => TcpStream::connect((address, port)).await,
            Err(_) => {
                let name = (host.to_owned(), port);
                let looked_up = async move { Ok(tokio::net::lookup_host(name).await?.collect()) };
                connect_any(&self.share(looked_up).await?, deadline).await
            }
        }
    }

    /// Waits for the lookup that is already running. If no lookup is running, starts `lookup`.
    async fn share(
        &self,
        lookup: impl Future<Output = io::Result<Addresses>> + Send + 'static,
    ) -> io::Result<Addresses> {
        let mut running = self.join_or_start(lookup);
        let found = running.wait_for(Option::is_some).await.ok().and_then(|found| found.clone());
        match found {
            Some(Ok(addresses)) => Ok(addresses),
            Some(Err(error)) => Err(unresolved(error.kind(), error.to_string())),
            None => Err(io::Error::other("the lookup of the service's host name was cancelled")),
        }
    }

    fn join_or_start(&self, lookup: impl Future<Output = io::Result<Addresses>> + Send + 'static) -> Receiver<Outcome> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_under_way = |running: &&Receiver<Outcome>| running.borrow().is_none() && running.has_changed().is_ok();
        if let Some(running) = running.as_ref().filter(is_under_way) {
            return running.clone();
        }
        let (found, waiting) = watch::channel(None);
        // The lookup runs on a separate task, so that it continues even if the request that started it is dropped.
        tokio::spawn(async move { found.send_replace(Some(lookup.await.map_err(Arc::new))) });
        *running = Some(waiting.clone());
        waiting
    }
}

/// Connects to the first address that accepts the connection. If no address accepts it, returns the error of the last
/// address.
async fn connect_any(addresses: &[SocketAddr], deadline: Instant) -> io::Result<TcpStream> {
    let Some((last, others)) = addresses.split_last() else {
        return Err(unresolved(io::ErrorKind::NotFound, "the service's host name has no address"));
    };
    for (at, address) in others.iter().enumerate() {
        let left = u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        let share = (deadline.saturating_duration_since(Instant::now()) / left).min(PATIENCE);
        match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => {
                tracing::debug!(target: "error_envelope::gateway::resolve", %address, %error, "trying the next address");
            }
            Err(_) => {
                tracing::debug!(target: "error_envelope::gateway::resolve", %address, "no answer; trying the next address");
            }
        }
    }
    TcpStream::connect(last).await
}

fn unresolved(kind: io::ErrorKind, text: impl Into<String>) -> io::Error {
    let error = if kind == io::ErrorKind::TimedOut { ProxyError::DnsTimeout } else { ProxyError::DnsError };
    io::Error::new(kind, ProxyFailure::new(error, text))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::net::TcpListener;
    use tokio::sync::Notify;

    use super::*;

    async fn refusing(address: &str) -> SocketAddr {
        TcpListener::bind(address).await.unwrap().local_addr().unwrap()
    }

    #[tokio::test]
    async fn f7_the_next_address_is_tried_where_one_refuses() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        let addresses = [refusing("127.0.0.1:0").await, refusing("127.0.0.1:0").await, address];
        assert_eq!(connect_any(&addresses, deadline).await.unwrap().peer_addr().unwrap(), address);
        let error = connect_any(&addresses[..2], deadline).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(connect_any(&[], deadline).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test(start_paused = true)]
    async fn f7_an_address_that_does_not_answer_leaves_time_for_the_next_one() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // RFC 5737: no host has this address. A machine without a route to it fails at once.
        let silent: SocketAddr = "192.0.2.1:9".parse().unwrap();
        let began = Instant::now();
        let connected = connect_any(&[silent, address], began + Duration::from_secs(1)).await.unwrap();
        assert_eq!(connected.peer_addr().unwrap(), address);
        assert!(began.elapsed() < Duration::from_secs(1));
    }

    #[tokio::test]
    async fn f7_those_who_wait_for_a_name_share_one_lookup() {
        let (lookups, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let resolver = Resolver::default();
        let find = |found: io::Result<Addresses>| {
            let (resolver, lookups, answer) = (resolver.clone(), Arc::clone(&lookups), Arc::clone(&answer));
            async move {
                let lookup = async move {
                    lookups.fetch_add(1, Ordering::Relaxed);
                    answer.notified().await;
                    found
                };
                resolver.share(lookup).await
            }
        };
        let here: Addresses = ["127.0.0.1:1".parse().unwrap()].into();
        let refused = || Err(io::Error::other("no such name"));
        // The first request is dropped, and its lookup continues.
        let (left, first, second) = (tokio::spawn(find(refused())), find(Ok(here.clone())), find(Ok(here.clone())));
        while lookups.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        left.abort();
        answer.notify_one();
        let (first, second) = tokio::join!(first, second);
        assert_eq!([first, second].map(|it| it.unwrap_err().to_string()), ["no such name", "no such name"]);
        assert_eq!(lookups.load(Ordering::Relaxed), 1);
        answer.notify_one();
        assert_eq!(find(Ok(here.clone())).await.unwrap(), here);
        assert_eq!(lookups.load(Ordering::Relaxed), 2);
        // If a name no longer exists, new connections fail, because no result is cached.
        answer.notify_one();
        assert_eq!(find(refused()).await.unwrap_err().to_string(), "no such name");
        assert_eq!(lookups.load(Ordering::Relaxed), 3);
    }
}
