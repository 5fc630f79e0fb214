//! The service, and how it is reached.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http::Version;
use http::uri::{Authority, Scheme, Uri};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::error::Error;
use super::limits::{UP_TO_A_YEAR, UpstreamLimits};

const URLS: &str = "say http://HOST:PORT or https://HOST:PORT";

/// The service behind a gateway, parsed from a URL such as `http://127.0.0.1:3000`.
#[derive(Clone, Debug)]
#[must_use]
pub struct Upstream {
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
    pub(crate) tls: Option<UpstreamTls>,
    pub(crate) version: Version,
    pub(crate) response_timeout: Duration,
    pub(crate) limits: UpstreamLimits,
}

impl Upstream {
    /// For an `https` URL: the certificates that are trusted, and the name that the service's certificate has to have.
    ///
    /// # Errors
    /// The TLS library refuses its own default versions.
    pub fn tls(mut self, roots: RootCertStore, name: ServerName<'static>) -> Result<Self, Error> {
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::unreadable(format!("TLS: {error}")))?;
        let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
        self.tls = Some(UpstreamTls { name, config });
        Ok(self)
    }

    /// HTTP/2 instead of HTTP/1.1: by prior knowledge, over TLS by ALPN.
    pub fn http2(mut self) -> Self {
        self.version = Version::HTTP_2;
        self
    }

    /// How long the service may take to its response head, by default 30 seconds and at most 365 days; then its client gets
    /// 504.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout.clamp(*UP_TO_A_YEAR.start(), *UP_TO_A_YEAR.end());
        self
    }

    /// What the way to the service may take.
    pub fn limits(mut self, limits: UpstreamLimits) -> Self {
        self.limits = limits;
        self
    }

    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme.clone()
    }

    /// The host of the URL, an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.authority.host().trim_matches(['[', ']'])
    }

    /// Scheme, host and port, as the log and the metrics name it.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    pub(crate) fn port(&self) -> u16 {
        let usual = if self.scheme == Scheme::HTTPS { 443 } else { 80 };
        self.authority.port_u16().unwrap_or(usual)
    }
}

/// Parses a URL without a path; the service of an `https` one needs [`Upstream::tls`].
impl FromStr for Upstream {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self, Error> {
        let uri: Uri = url.parse().map_err(|error| Error::invalid(format!("{error}")).with_advice(URLS))?;
        let bare = matches!(uri.path_and_query().map(|path| path.as_str()), None | Some("" | "/"));
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else { return Err(Error::invalid(URLS)) };
        if ![Scheme::HTTP, Scheme::HTTPS].contains(scheme) {
            return Err(Error::invalid(format!("{scheme} is not spoken here")).with_advice(URLS));
        }
        if !bare {
            return Err(
                Error::invalid("paths are forwarded as they come").with_advice(format!("{URLS} without a path"))
            );
        }
        let host = authority.as_str().rsplit('@').next().unwrap_or_default();
        if host != authority.host() && authority.port_u16().is_none() {
            return Err(Error::invalid("the port is not a number of 0 to 65535").with_advice(URLS));
        }
        if host != authority.as_str() {
            let problem = "the URL has credentials, and nothing would send them";
            return Err(Error::credentials(problem).with_advice("leave them out"));
        }
        Ok(Self {
            scheme: scheme.clone(),
            authority: authority.clone(),
            tls: None,
            version: Version::HTTP_11,
            response_timeout: Duration::from_secs(30),
            limits: UpstreamLimits::default(),
        })
    }
}

/// How the service is known for the right one.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamTls {
    pub(crate) name: ServerName<'static>,
    config: Arc<ClientConfig>,
}

impl UpstreamTls {
    /// Says to the service which version comes.
    pub(crate) fn offer(&mut self, version: Version) {
        let protocol = if version == Version::HTTP_2 { "h2" } else { "http/1.1" };
        Arc::make_mut(&mut self.config).alpn_protocols = vec![protocol.into()];
    }

    pub(crate) fn connector(&self) -> TlsConnector {
        Arc::clone(&self.config).into()
    }

    /// Whether HTTP/2 is asked for.
    pub(crate) fn wants_http2(&self) -> bool {
        self.config.alpn_protocols.iter().any(|protocol| protocol == b"h2")
    }
}
