//! Forwards upgrades. After a 101, the connections of client and service are joined, and all bytes pass unchanged.
//!
//! Requests inside an upgraded connection bypass every guard. So an upgrade is forwarded only if the client requests
//! exactly one protocol, and this protocol is allowed. The service must switch to exactly that protocol. Any other
//! request is forwarded without the upgrade, because services trim and split the header in more ways than can be
//! listed.

use std::io;
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll};

use error_envelope_core::session::{ProxyError, ProxyFailure};
use http::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use http::{HeaderName, Request, Response, StatusCode, Version};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tower_error_envelope::{ErrorCode, Fault};

use super::access::AccessRecord;
use super::error::Error;
use super::headers::has_token;
use super::pace::Permit;
use super::pool::UpstreamBody;

const LOG: &str = "error_envelope::gateway::upgrade";

/// The name of a protocol to which a client's connection may be upgraded, such as `websocket`, in any letter case.
///
/// ```
/// use error_envelope_gateway::UpgradeProtocol;
///
/// assert!("spdy/3.1".parse::<UpgradeProtocol>().is_ok());
/// assert!("h2c".parse::<UpgradeProtocol>().is_err());
/// ```
#[derive(Clone, Debug)]
pub struct UpgradeProtocol(HeaderValue);

impl UpgradeProtocol {
    /// The only protocol that is allowed by default (RFC 6455).
    pub(crate) const WEBSOCKET: Self = Self(HeaderValue::from_static("websocket"));

    fn is_same(&self, requested: &HeaderValue) -> bool {
        self.0.as_bytes().eq_ignore_ascii_case(requested.as_bytes())
    }
}

/// Parses the name of one protocol, with or without a version (RFC 9110 §7.8). HTTP and TLS are refused, because a
/// connection with one of these protocols would carry further requests that bypass the guards.
impl FromStr for UpgradeProtocol {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let is_token = |part: &str| HeaderName::from_str(part).is_ok();
        let (protocol, version) = name.split_once('/').unwrap_or((name, "1"));
        let begins = |with: &str| protocol.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
        if ["h2", "http", "tls"].into_iter().any(begins) {
            let text = format!("an upgrade to {name} would let requests bypass every guard");
            return Err(
                Error::invalid(text).with_advice("allow only protocols other than HTTP and TLS, such as websocket")
            );
        }
        match HeaderValue::from_str(name) {
            Ok(value) if is_token(protocol) && is_token(version) => Ok(Self(value)),
            _ => Err(Error::invalid(format!("{name:?} is not the name of a protocol")).with_advice("write one name")),
        }
    }
}

/// A client's request to switch to another protocol, and the handle with which the gateway gets the client's side of
/// the upgraded connection.
pub(crate) struct UpgradeRequest {
    protocol: HeaderValue,
    client: OnUpgrade,
}

impl UpgradeRequest {
    /// Takes the requested upgrade from a request. Returns `None` in HTTP/1.0, which has no upgrades (RFC 9110 §7.8),
    /// and in HTTP/2. Also returns `None` unless the request names exactly one protocol, and that protocol is allowed.
    pub(crate) fn take_from<B>(request: &mut Request<B>, allowed: &[UpgradeProtocol]) -> Option<Self> {
        if request.version() != Version::HTTP_11 || !has_token(request.headers(), &CONNECTION, "upgrade") {
            return None;
        }
        let requested = only_line(request.headers())?;
        let protocol = allowed.iter().any(|protocol| protocol.is_same(requested)).then(|| requested.clone())?;
        Some(Self { protocol, client: hyper::upgrade::on(request) })
    }

    /// Adds the headers for the upgrade to the request that is sent to the service.
    pub(crate) fn forward(&self, headers: &mut HeaderMap) {
        set_upgrade(headers, self.protocol.clone());
    }
}

/// Returns the fault for a response that breaks HTTP, or that the gateway cannot forward.
pub(crate) fn protocol_error(text: &str) -> Fault {
    Fault::new(ErrorCode::OTHER).with_source(ProxyFailure::new(ProxyError::HttpProtocolError, text))
}

/// Turns the service's 101 into a 101 of the gateway. Returns an error if the service switches protocols without a
/// request, or to another protocol. The service's connection is then closed, because the response is dropped.
pub(crate) fn switch(
    upgrade_request: Option<UpgradeRequest>,
    mut response: Response<UpstreamBody>,
    permit: Permit,
    record: Option<AccessRecord>,
) -> Result<Response<UpstreamBody>, Fault> {
    let Some(upgrade_request) = upgrade_request else {
        return Err(protocol_error("the service switched protocols without a request for it"));
    };
    let requested = UpgradeProtocol(upgrade_request.protocol);
    let Some(protocol) = only_line(response.headers()).filter(|protocol| requested.is_same(protocol)).cloned() else {
        return Err(protocol_error("the service switched to another protocol than the client requested"));
    };
    let joined = join(upgrade_request.client, hyper::upgrade::on(&mut response), record.clone());
    let of_connections = permit.clone();
    // When the gateway stops, it drops the task below. The record then shows that the connection was cut off.
    if let Some(record) = &record {
        record.set_lost(true);
    }
    tokio::spawn(async move {
        let failure = joined.await;
        record.into_iter().for_each(|record| match failure {
            None => record.set_lost(false),
            Some(kind) => record.lost(kind == io::ErrorKind::TimedOut, false),
        });
        drop(of_connections);
    });
    let (mut head, body) = response.into_parts();
    super::headers::towards_client(&mut head);
    set_upgrade(&mut head.headers, protocol);
    debug_assert_eq!(head.status, StatusCode::SWITCHING_PROTOCOLS);
    Ok(Response::from_parts(head, body.hold(permit)))
}

/// Returns the value of the header `upgrade`, if the header has exactly one line.
fn only_line(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut lines = headers.get_all(UPGRADE).iter();
    lines.next().filter(|_| lines.next().is_none())
}

fn set_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

/// Copies bytes between the two connections until both have ended. Bytes are counted once they are written, because a
/// connection may fail before it ends.
///
/// Returns the kind of error with which the client's side failed: the client left, or read nothing for too long.
async fn join(client: OnUpgrade, service: OnUpgrade, record: Option<AccessRecord>) -> Option<io::ErrorKind> {
    let (client, service) = match tokio::try_join!(client, service) {
        Ok(sides) => sides,
        Err(error) => {
            tracing::debug!(target: LOG, %error, "upgrade failed");
            return None;
        }
    };
    let (sends, receives) = (record.clone(), record);
    let mut client = Noted::new(TokioIo::new(client), move |bytes| sends.iter().for_each(|record| record.sent(bytes)));
    let mut service =
        Noted::new(TokioIo::new(service), move |bytes| receives.iter().for_each(|record| record.received(bytes)));
    if let Err(error) = tokio::io::copy_bidirectional(&mut client, &mut service).await {
        tracing::debug!(target: LOG, %error, "upgraded connection failed");
    }
    client.failure
}

/// A connection that reports how many bytes are written to it, and stores how it failed.
struct Noted<S, N> {
    stream: S,
    note: N,
    failure: Option<io::ErrorKind>,
}

impl<S, N> Noted<S, N> {
    fn new(stream: S, note: N) -> Self {
        Self { stream, note, failure: None }
    }

    fn noting<T>(&mut self, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &done {
            self.failure.get_or_insert(error.kind());
        }
        done
    }
}

impl<S: AsyncRead + Unpin, N: Unpin> AsyncRead for Noted<S, N> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, read: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_read(cx, read);
        self.noting(done)
    }
}

impl<S: AsyncWrite + Unpin, N: Fn(u64) + Unpin> AsyncWrite for Noted<S, N> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(bytes)) = &written {
            (self.note)(*bytes as u64);
        }
        self.noting(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_flush(cx);
        self.noting(done)
    }

    /// A shutdown also fails if the other side has already closed, so its error is not stored.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
