//! Where the service is, and how to reach it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use http::uri::{Authority, Scheme};
use http::{HeaderValue, Uri};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use super::answer::ProbeError;
use super::table::Wire;
use crate::failure::CommandError;
use crate::roots::roots;

/// A connection to the service.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}
pub(super) type Stream = Box<dyn Io>;

/// A service's address.
pub(super) struct Target {
    authority: Authority,
    port: u16,
    tls: Option<Tls>,
}

struct Tls {
    name: ServerName<'static>,
    roots: Arc<RootCertStore>,
}

impl Tls {
    fn new(
        authority: &Authority,
        ca: Option<&Path>,
        wrong: impl Fn(&str) -> CommandError,
    ) -> Result<Self, CommandError> {
        let name = ServerName::try_from(host_of(authority).to_owned());
        let name = name.map_err(|_| wrong("not a valid server name for a certificate"))?;
        Ok(Self { name, roots: Arc::new(roots(ca, "--ca")?) })
    }

    fn connector(&self, wire: Wire) -> io::Result<TlsConnector> {
        let provider = Arc::new(crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(io::Error::other)?.with_root_certificates(Arc::clone(&self.roots));
        let mut config = config.with_no_client_auth();
        config.alpn_protocols = match wire {
            Wire::Http1 => vec![b"http/1.1".to_vec()],
            Wire::Http2 => vec![b"h2".to_vec()],
        };
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

/// The host of an authority, without the brackets of an IPv6 address.
fn host_of(authority: &Authority) -> &str {
    authority.host().trim_matches(['[', ']'])
}

impl Target {
    /// Parses a URL; `ca` has the certificates to trust instead of the platform's.
    pub(super) fn new(url: &str, ca: Option<&Path>) -> Result<Self, CommandError> {
        if url.contains('@') {
            // The error does not repeat the URL: the part before the `@` is a secret.
            return Err(CommandError::Io(
                "the URL has credentials: pass them with --header-env NAME=VARIABLE".to_owned(),
            ));
        }
        // A query may contain a key.
        let shown = url.split(['?', '#']).next().unwrap_or_default();
        let wrong =
            |what: &str| CommandError::Io(format!("{shown:?}: {what}; write one such as https://api.example.com"));
        let uri: Uri = url.parse().map_err(|_| wrong("not a valid URL"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority().cloned()) else {
            return Err(wrong("not a URL with a scheme and a host"));
        };
        if uri.query().is_some() {
            return Err(wrong("the URL has a query"));
        }
        if uri.path().len() > 1 {
            return Err(wrong("the URL has a path; remove it, since the policy and the flags have full paths"));
        }
        let is_https = *scheme == Scheme::HTTPS;
        if !is_https && *scheme != Scheme::HTTP {
            return Err(wrong("the scheme is neither http nor https"));
        }
        let tls = match ca {
            Some(_) if !is_https => return Err(wrong("--ca needs an https URL")),
            ca => is_https.then(|| Tls::new(&authority, ca, wrong)).transpose()?,
        };
        let port = match authority.port_u16() {
            None if authority.as_str() != authority.host() => {
                return Err(wrong("the port is not a number from 0 to 65535"));
            }
            port => port.unwrap_or(if is_https { 443 } else { 80 }),
        };
        Ok(Self { authority, port, tls })
    }

    pub(super) fn scheme(&self) -> Scheme {
        if self.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP }
    }

    pub(super) fn authority(&self) -> Authority {
        self.authority.clone()
    }

    /// `https://api.example.com`.
    pub(super) fn origin(&self) -> String {
        format!("{}://{}", self.scheme(), self.authority)
    }

    pub(super) fn host_header(&self) -> Result<HeaderValue, CommandError> {
        HeaderValue::try_from(self.authority.as_str())
            .map_err(|error| CommandError::Io(format!("the URL's host: {error}")))
    }

    pub(super) async fn connect(&self, wire: Wire) -> Result<Stream, ProbeError> {
        let unreachable = |error: io::Error| ProbeError::Unreachable(format!("{}: {error}", self.authority));
        let stream = TcpStream::connect((host_of(&self.authority), self.port)).await.map_err(unreachable)?;
        // Without this, a head would wait until the server has acknowledged earlier bytes.
        stream.set_nodelay(true).map_err(unreachable)?;
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let connected = tls.connector(wire).map_err(unreachable)?.connect(tls.name.clone(), stream).await;
        let is_http1 = wire == Wire::Http1;
        match connected {
            Ok(stream) if is_http1 || stream.get_ref().1.alpn_protocol() == Some(b"h2") => Ok(Box::new(stream)),
            Err(error) if is_http1 || !error.to_string().contains("NoApplicationProtocol") => {
                Err(ProbeError::Unreachable(format!("{}: TLS: {error}", self.authority)))
            }
            Ok(_) | Err(_) => Err(ProbeError::NoHttp2),
        }
    }
}
