//! Sends one request on a connection of its own, within limits of time and of bytes.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{Method, Request, Response, Uri, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, crypto};

use crate::failure::CommandError;
use crate::roots::roots;
use crate::text::with_causes;

/// Every error is shorter.
const MAX_BODY: usize = 256 * 1024;

pub(super) enum NoAnswer {
    Unreachable(String),
    /// The rule that is broken, and how.
    Broken(&'static str, String),
}

/// The service's address.
pub(super) struct Target {
    pub(super) authority: Authority,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    patience: Duration,
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

impl Target {
    pub(super) fn new(url: &str, ca: Option<&Path>, patience: Duration) -> Result<Self, CommandError> {
        // The error does not repeat the URL: what stands before an `@` is a secret, and a query may have a key.
        let wrong = |what: &str| CommandError::Io(format!("the URL {what}; write one such as https://api.example.com"));
        let uri: Uri = url.parse().map_err(|_| wrong("is not valid"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority().cloned()) else {
            return Err(wrong("has no scheme"));
        };
        if url.contains('@') || uri.path_and_query().is_some_and(|path| path != "/") {
            return Err(wrong("has credentials, a path or a query"));
        }
        let has_port = authority.as_str() != authority.host();
        let is_https = *scheme == Scheme::HTTPS;
        if has_port && authority.port_u16().is_none() || !is_https && *scheme != Scheme::HTTP {
            return Err(wrong("has a scheme other than http and https, or an invalid port"));
        }
        let tls = match ca {
            Some(_) if !is_https => return Err(wrong("must begin with https for --ca")),
            _ if !is_https => None,
            ca => {
                let name = ServerName::try_from(host_of(&authority).to_owned());
                Some((connector(ca)?, name.map_err(|_| wrong("has no valid name for a certificate"))?))
            }
        };
        Ok(Self { authority, tls, patience })
    }

    pub(super) async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoAnswer> {
        let late = |_| Err(NoAnswer::Broken("F1", format!("no response within {} s", self.patience.as_secs_f32())));
        timeout(self.patience, self.exchange(request)).await.unwrap_or_else(late)
    }

    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoAnswer> {
        let broken = |error: hyper::Error| NoAnswer::Broken("F1", with_causes(&error));
        let stream = TokioIo::new(self.connect().await?);
        let (mut sender, connection) = http1::handshake(stream).await.map_err(broken)?;
        let connection = tokio::spawn(connection);
        let (head, body) = sender.send_request(outgoing(request.clone())).await.map_err(broken)?.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await;
        let body = body.map_err(|error| NoAnswer::Broken("F4", format!("the body was cut off: {error}")))?;
        let closes = head.headers.contains_key(header::CONNECTION);
        // hyper reads no body of a response to HEAD: bytes that follow it break the next response on the connection.
        if request.method() == Method::HEAD && !closes {
            let is_ready = sender.ready().await;
            let again =
                if is_ready.is_ok() { sender.send_request(outgoing(request)).await.map(drop) } else { is_ready };
            let followed = |error: &hyper::Error| error.is_parse() || error.to_string().contains("unexpected message");
            if let Err(error) = again
                && (followed(&error) || matches!(connection.await, Ok(Err(error)) if followed(&error)))
            {
                return Err(NoAnswer::Broken("E5", "bytes follow the response to HEAD".to_owned()));
            }
            return Ok(Response::from_parts(head, body.to_bytes()));
        }
        connection.abort();
        Ok(Response::from_parts(head, body.to_bytes()))
    }

    fn url(&self) -> String {
        format!("{}://{}", if self.tls.is_some() { "https" } else { "http" }, self.authority)
    }

    async fn connect(&self) -> Result<Box<dyn Io>, NoAnswer> {
        let unreachable = |what: String| NoAnswer::Unreachable(format!("{}: {what}", self.url()));
        let port = self.authority.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let stream = TcpStream::connect((host_of(&self.authority), port)).await;
        let stream = stream.map_err(|error| unreachable(error.to_string()))?;
        let Some((tls, name)) = &self.tls else { return Ok(Box::new(stream)) };
        let stream = tls.connect(name.clone(), stream).await;
        Ok(Box::new(stream.map_err(|error| unreachable(format!("TLS: {error}")))?))
    }
}

/// hyper sends a body of unknown length in chunks.
fn outgoing(request: Request<Bytes>) -> Request<UnsyncBoxBody<Bytes, Infallible>> {
    let chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    request.map(|body| match chunked {
        true => StreamBody::new(futures_util::stream::iter([Ok(Frame::data(body))])).boxed_unsync(),
        false => Full::new(body).boxed_unsync(),
    })
}

fn connector(ca: Option<&Path>) -> Result<TlsConnector, CommandError> {
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| CommandError::Io(format!("TLS: {error}")))?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots(ca, "--ca")?).with_no_client_auth())))
}

/// The host of an authority, without the brackets of an IPv6 address.
fn host_of(authority: &Authority) -> &str {
    authority.host().trim_matches(['[', ']'])
}
