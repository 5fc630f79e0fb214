//! Sends a `GET` request over https. It follows no redirect, uses no proxy, and closes the connection afterwards.

use std::fmt::Display;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use http::uri::{PathAndQuery, Uri};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// The largest key set to read, in bytes. Most sets have a few KiB.
const MAX_BYTES: usize = 1024 * 1024;
/// The time limit for a fetch, from the lookup of the host name to the last byte. A request that waits for the fetch
/// waits no longer than this, unless its scheme sets another time limit.
const TIMEOUT: Duration = Duration::from_secs(5);

/// An https client, with its trusted root certificates.
#[derive(Clone, Default)]
pub(super) struct Https {
    /// The trusted root certificates. If the value is `None`, those of the platform are read when they are first
    /// needed.
    roots: Option<Arc<RootCertStore>>,
    config: Arc<OnceLock<Arc<ClientConfig>>>,
}

/// The parsed address of a key set.
#[derive(Clone, Debug)]
pub(super) struct Target {
    name: ServerName<'static>,
    authority: Box<str>,
    host: Box<str>,
    port: u16,
    path: PathAndQuery,
}

/// A provider's response.
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Target {
    /// Parses the URL of a key set. Returns `None` if it is not an https URL.
    pub(super) fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let host = authority.host().trim_matches(['[', ']']);
        let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        (uri.scheme_str() == Some("https")).then_some(())?;
        Some(Self {
            name: ServerName::try_from(host.to_owned()).ok()?,
            authority: authority.as_str().into(),
            host: host.into(),
            port: authority.port_u16().unwrap_or(443),
            path,
        })
    }
}

impl Https {
    pub(super) fn trusting(pem: &[u8]) -> io::Result<Self> {
        let roots = roots_of_pem(pem).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
        Ok(Self { roots: Some(Arc::new(roots)), config: Arc::default() })
    }

    /// Sends one request. The error is a text for the log, and contains no part of the response's body.
    pub(super) async fn get(&self, target: &Target) -> Result<Answer, String> {
        let answer = tokio::time::timeout(TIMEOUT, self.exchange(target)).await;
        answer.unwrap_or_else(|_| Err(format!("the key server took longer than {} s", TIMEOUT.as_secs())))
    }

    async fn exchange(&self, target: &Target) -> Result<Answer, String> {
        let stream = self.connect(target).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
        let answer = async {
            let response = sender.send_request(request(target)?).await.map_err(failed)?;
            let status = response.status();
            if status != StatusCode::OK {
                let hint = if status.is_redirection() { ", and redirects are not followed" } else { "" };
                return Err(format!("the key server returned {}{hint}", status.as_u16()));
            }
            let (head, body) = response.into_parts();
            Ok(Answer { headers: head.headers, body: collect(body).await? })
        };
        tokio::select! {
            answer = answer => answer,
            // The connection may end before the last bytes of the response are read, so the end of the connection does
            // not end the request.
            () = async { let _ = connection.await; std::future::pending().await } => Err(String::new()),
        }
    }

    async fn connect(&self, target: &Target) -> Result<TlsStream<TcpStream>, String> {
        let stream = TcpStream::connect((&*target.host, target.port))
            .await
            .map_err(|error| format!("cannot connect: {error}"))?;
        let connector = TlsConnector::from(self.config()?);
        connector.connect(target.name.clone(), stream).await.map_err(|error| format!("TLS: {error}"))
    }

    fn config(&self) -> Result<Arc<ClientConfig>, String> {
        if let Some(config) = self.config.get() {
            return Ok(config.clone());
        }
        let roots = match &self.roots {
            Some(roots) => Arc::clone(roots),
            // If reading them fails, nothing is stored, so that the next fetch tries again.
            None => {
                Arc::new(system_roots().map_err(|why| format!("{why}; install ca-certificates or set SSL_CERT_FILE"))?)
            }
        };
        let mut config = tls_client(roots)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(self.config.get_or_init(|| Arc::new(config)).clone())
    }
}

/// Returns the trusted root certificates of the system, or those in the file that the environment variable
/// `SSL_CERT_FILE` names.
///
/// # Errors
///
/// Returns an error if no certificates are found.
pub fn system_roots() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map_or_else(|| "none found".to_owned(), ToString::to_string);
        return Err(format!("cannot load the system's trusted root certificates: {why}"));
    }
    Ok(roots)
}

/// Returns the certificates of a PEM text as trusted root certificates.
///
/// # Errors
///
/// Returns an error if the text contains no certificate, or a wrong one.
pub fn roots_of_pem(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.map_err(failed)?).map_err(failed)?;
    }
    if roots.is_empty() { Err("has no certificate".to_owned()) } else { Ok(roots) }
}

/// Returns a TLS configuration for clients that trust these root certificates.
///
/// # Errors
///
/// Returns an error if the TLS library supports no version of TLS.
pub fn tls_client(roots: impl Into<Arc<RootCertStore>>) -> Result<ClientConfig, String> {
    let config =
        ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
    let config = config.map_err(|error| format!("TLS: {error}"))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn request(target: &Target) -> Result<Request<Empty<Bytes>>, String> {
    Request::get(target.path.as_str())
        .header(HOST, &*target.authority)
        .header(ACCEPT, "application/jwk-set+json, application/json")
        .header(USER_AGENT, concat!("error-envelope/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close")
        .body(Empty::new())
        .map_err(failed)
}

async fn collect(body: Incoming) -> Result<String, String> {
    let collected = Limited::new(body, MAX_BYTES).collect().await;
    let bytes = collected.map_err(|error| match error.is::<LengthLimitError>() {
        true => "the key set is larger than 1 MiB".to_owned(),
        false => failed(error),
    })?;
    String::from_utf8(bytes.to_bytes().into()).map_err(|_| "the key set is not UTF-8".to_owned())
}

fn failed(error: impl Display) -> String {
    error.to_string()
}
