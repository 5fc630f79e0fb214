//! The service, and how to reach it.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use error_envelope_core::policy::UpstreamUrl;
use http::Version;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::sign::SingleCertAndKey;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::error::Error;
use super::limits::{UP_TO_A_YEAR, UpstreamLimits};
use super::resolve::Resolver;
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
    /// For an `https` URL: sets the trusted certificates, and the name that the service's certificate must have.
    ///
    /// # Errors
    /// If the TLS library refuses its own default versions.
    pub fn tls(mut self, roots: RootCertStore, name: ServerName<'static>) -> Result<Self, Error> {
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::unreadable(format!("cannot configure TLS to the service: {error}")))?;
        let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
        self.tls = Some(UpstreamTls { name, config });
        Ok(self)
    }

    /// For an `https` URL, after [`Upstream::tls`]: sets the gateway's certificate for the service and its key, both
    /// PEM files. They are read only once, by this call.
    ///
    /// # Errors
    /// If a file cannot be read, or if the key does not match the certificate.
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

    /// Uses HTTP/2 instead of HTTP/1.1: over TLS by ALPN, otherwise by prior knowledge.
    pub fn http2(mut self) -> Self {
        self.version = Version::HTTP_2;
        self
    }

    /// Sets the time limit for the service's response head: 30 seconds by default, at most 365 days. After that the
    /// client gets 504.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout.clamp(*UP_TO_A_YEAR.start(), *UP_TO_A_YEAR.end());
        self
    }

    /// Sets the limits on connections and requests to the service.
    pub fn limits(mut self, limits: UpstreamLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Also forwards upgrades to this protocol, in addition to `websocket`. Any other upgrade is removed from a request,
    /// because the guards do not see what follows a 101.
    pub fn upgrade(mut self, protocol: UpgradeProtocol) -> Self {
        self.upgrades.push(protocol);
        self
    }

    /// The URL, for comparison with one in a policy.
    #[must_use]
    pub fn url(&self) -> &UpstreamUrl {
        &self.url
    }
}

/// An upstream over HTTP/1.1 with the default limits. An `https` URL also needs [`Upstream::tls`].
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

/// Parses a URL without a path; the service of an `https` one needs [`Upstream::tls`].
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

/// How the service is verified.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamTls {
    pub(crate) name: ServerName<'static>,
    config: Arc<ClientConfig>,
}

impl UpstreamTls {
    /// Offers this version to the service.
    pub(crate) fn offer(&mut self, version: Version) {
        let protocol = if version == Version::HTTP_2 { "h2" } else { "http/1.1" };
        Arc::make_mut(&mut self.config).alpn_protocols = vec![protocol.into()];
    }

    pub(crate) fn connector(&self) -> TlsConnector {
        Arc::clone(&self.config).into()
    }

    /// Whether HTTP/2 is configured.
    pub(crate) fn wants_http2(&self) -> bool {
        self.config.alpn_protocols.iter().any(|protocol| protocol == b"h2")
    }
}
