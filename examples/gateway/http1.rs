//! A pool of HTTP/1.1 connections to the service.
//!
//! A service may close a connection right after its response without having said so, and a request that crosses with the
//! close is lost: it may have arrived, so that nobody may send it again. hyper-util's pool gives a connection out the
//! moment its response ends, which is when that happens (1 in 200 back to back in a test). Here it first shows for a
//! moment that it stays open. Only a request of which not a byte was written goes to another connection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, HeaderValue, TRANSFER_ENCODING};
use http::uri::{Authority, Uri};
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};

use crate::BoxError;
use crate::connect::connect;

/// Longer than a close takes to arrive, short enough that connections stay few.
const SETTLES: Duration = Duration::from_millis(5);
/// Shorter than what services usually wait (5 s in Node, 75 s in nginx): they seldom close under a request.
const IDLE: Duration = Duration::from_secs(4);
/// hyper's 100 is fewer than a service with many cookies sends.
const MAX_HEADERS: usize = 512;

pub(crate) struct Http1<B> {
    upstream: Authority,
    idle: Arc<Mutex<Vec<Idle<B>>>>,
}

struct Idle<B> {
    sender: SendRequest<B>,
    since: Instant,
}

impl<B> Http1<B>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    pub(crate) fn new(upstream: Authority) -> Self {
        Self { upstream, idle: Arc::default() }
    }

    pub(crate) async fn send(&self, mut request: Request<B>) -> Result<Response<Incoming>, BoxError> {
        self.prepare(&mut request);
        while let Some(mut sender) = self.take() {
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(self.keep(sender, response)),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
        }
        let mut sender = self.connect().await?;
        let response = sender.send_request(request).await?;
        Ok(self.keep(sender, response))
    }

    /// What hyper's client expects of its user: the origin form, a host, and a word about a body of unknown length,
    /// without which it would drop that of a GET.
    fn prepare(&self, request: &mut Request<B>) {
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
        let (body, unknown) = (request.body(), request.body().size_hint().exact().is_none());
        let chunked = unknown && !body.is_end_stream() && !request.headers().contains_key(CONTENT_LENGTH);
        let headers = request.headers_mut();
        if chunked {
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        if !headers.contains_key(HOST)
            && let Ok(host) = HeaderValue::from_str(self.upstream.as_str())
        {
            headers.insert(HOST, host);
        }
    }

    async fn connect(&self) -> Result<SendRequest<B>, BoxError> {
        let stream = connect(&self.upstream).await?;
        let (sender, connection) = Builder::new().max_headers(MAX_HEADERS).handshake(stream).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "a connection to the service ended");
            }
        });
        Ok(sender)
    }

    fn take(&self) -> Option<SendRequest<B>> {
        let mut idle = lock(&self.idle);
        idle.retain(|each| each.sender.is_ready() && each.since.elapsed() < IDLE);
        idle.pop().map(|each| each.sender)
    }

    /// Puts the connection back once the response is through.
    fn keep(&self, mut sender: SendRequest<B>, response: Response<Incoming>) -> Response<Incoming> {
        let idle = Arc::clone(&self.idle);
        tokio::spawn(async move {
            if sender.ready().await.is_ok() {
                tokio::time::sleep(SETTLES).await;
                lock(&idle).push(Idle { sender, since: Instant::now() });
            }
        });
        response
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
