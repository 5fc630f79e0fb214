//! The service, and how it is reached.

use std::sync::Arc;

use http::uri::{Authority, Scheme};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

/// One service.
#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) authority: Authority,
    pub(crate) tls: Option<Secured>,
}

/// How the service is known for the right one.
#[derive(Clone)]
pub(crate) struct Secured {
    pub(crate) name: ServerName<'static>,
    pub(crate) config: Arc<ClientConfig>,
}

impl Upstream {
    /// Over TCP alone.
    pub(crate) fn plain(authority: Authority) -> Self {
        Self { authority, tls: None }
    }

    pub(crate) fn scheme(&self) -> Scheme {
        if self.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP }
    }

    pub(super) fn host(&self) -> &str {
        self.authority.host().trim_matches(['[', ']'])
    }

    pub(super) fn port(&self) -> u16 {
        let usual = if self.tls.is_some() { 443 } else { 80 };
        self.authority.port_u16().unwrap_or(usual)
    }
}

impl Secured {
    pub(super) fn connector(&self) -> TlsConnector {
        Arc::clone(&self.config).into()
    }

    /// Whether HTTP/2 is asked for.
    pub(super) fn wants_http2(&self) -> bool {
        self.config.alpn_protocols.iter().any(|protocol| protocol == b"h2")
    }
}
