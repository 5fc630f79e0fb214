//! HTTP/1.1 connections to the service.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::{CONTENT_LENGTH, Entry, HOST, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use http::uri::PathAndQuery;
use http::{Request, Response, StatusCode, Version, request};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tower::BoxError;

use super::config::HEADERS;
use super::connect::{Probe, connect};
use super::pool::{Connection, Exchange, ForwardBody, Observed, Outgoing, PoolSlot, Reached, Sends, Unanswered};
use super::read_size::{ReadSize, large};
use super::upstream::Upstream;

/// Prepares a head for hyper's client. hyper expects a target in origin form, and a host. A body of unknown length
/// needs `transfer-encoding`, without which hyper would drop the body of a GET.
pub(crate) fn prepare<B: ForwardBody>(head: &mut request::Parts, body: &Outgoing<B>, host: Option<&HeaderValue>) {
    if head.uri.authority().is_some() || head.uri.path_and_query().is_none() {
        let path = head.uri.path_and_query().cloned();
        head.uri = path.unwrap_or(PathAndQuery::from_static("/")).into();
    }
    head.version = Version::HTTP_11;
    if !body.is_end_stream() && body.size_hint().exact().is_none() && !head.headers.contains_key(CONTENT_LENGTH) {
        head.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    if let (Some(host), Entry::Vacant(missing)) = (host, head.headers.entry(HOST)) {
        missing.insert(host.clone());
    }
}

/// Opens a connection to the service.
pub(crate) async fn open<B: ForwardBody>(upstream: Upstream, slot: PoolSlot) -> Result<Http1<B>, BoxError> {
    let limits = upstream.limits;
    let exchange = Arc::<Exchange>::default();
    let (stream, probe) = connect(&upstream).await?;
    let stream = Observed::new(stream, Arc::clone(&exchange), slot, ReadSize::new(limits.buffer));
    let mut client = Builder::new();
    client.max_header_size(limits.buffer as usize).max_buf_size(large(limits.buffer));
    // The limit is not set if it is hyper's default. If it is set, hyper fills a list for each response, which costs
    // 1,072 instructions.
    if limits.headers != HEADERS {
        client.max_headers(limits.headers as usize);
    }
    let (mut sender, connection) = client.handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(target: "error_envelope::gateway::http1", %error, "connection to the service ended with an error");
        }
    });
    // hyper's task polls for the first request when it first runs. Without this wait, the poll could come later, and
    // would then look like the end of a response.
    sender.ready().await?;
    Ok(Http1 { sender, exchange, probe })
}

/// Returns true if a response without a body declares a body. A response to HEAD and a 304 may do so.
fn declares_body_of_none<B: Body>(response: &Response<B>) -> bool {
    let headers = response.headers();
    let has_length = || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    response.body().is_end_stream() && (has_length() || headers.contains_key(TRANSFER_ENCODING))
}

/// A connection to the service.
pub(crate) struct Http1<B> {
    sender: SendRequest<Outgoing<B>>,
    exchange: Arc<Exchange>,
    probe: Probe,
}

impl<B: Send + 'static> Connection for Http1<B> {
    const IS_SHARED: bool = false;

    fn is_fit(&self) -> bool {
        self.sender.is_ready()
    }

    fn has_ended(&self) -> bool {
        self.probe.has_ended()
    }

    fn poll_reusable(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        // After an early response, hyper becomes ready only once it has sent the rest of the request. The pool does not
        // wait for that.
        if self.exchange.was_answered_early() {
            return Poll::Ready(false);
        }
        let is_open = ready!(self.sender.poll_ready(cx)).is_ok();
        Poll::Ready(is_open && !self.exchange.was_answered_early())
    }
}

impl<B: ForwardBody> Sends<B> for Http1<B> {
    fn send(
        &mut self,
        mut request: Request<Outgoing<B>>,
    ) -> impl Future<Output = Result<Response<Incoming>, Unanswered<B>>> + Send {
        request.body_mut().begin(&self.exchange);
        // A service that refuses an upgrade may not parse further requests on the connection. In Node, for example, the
        // socket has no parser after the `upgrade` event (F7). The header is present only if the gateway forwards the
        // upgrade.
        if request.headers().contains_key(UPGRADE) {
            self.exchange.refuse_reuse();
        }
        self.sender.try_send_request(request)
    }

    fn exchange(&self) -> Option<Arc<Exchange>> {
        Some(Arc::clone(&self.exchange))
    }

    fn received(&self, response: &Response<Incoming>) {
        // A service that refuses a body may never read it, even if all of it was sent. A service that declares a body
        // in a response to HEAD or in a 304 may also send this body. The next client would then get it (F7).
        if response.status() == StatusCode::PAYLOAD_TOO_LARGE || declares_body_of_none(response) {
            self.exchange.refuse_reuse();
        }
    }

    fn reached(&self, _: &hyper::Error) -> Reached {
        if self.exchange.is_answered() { Reached::Response } else { Reached::Service }
    }
}
