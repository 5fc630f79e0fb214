//! One HTTP/2 connection to the service, by prior knowledge, made again when it is gone.
//!
//! hyper-util's pool keeps a connection for each authority, and in HTTP/2 the authority is what the client asked for:
//! strangers would open as many as they can think of names.

use bytes::Bytes;
use http::header::HOST;
use http::uri::Authority;
use http::{Request, Response, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Mutex;

use crate::connect::connect;
use crate::{BoxError, headers};

pub(crate) struct Http2<B> {
    upstream: Authority,
    /// Held while connecting, so that a burst of requests makes one connection.
    sender: Mutex<Option<SendRequest<B>>>,
}

impl<B> Http2<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    pub(crate) fn new(upstream: Authority) -> Self {
        Self { upstream, sender: Mutex::new(None) }
    }

    pub(crate) async fn send(&self, mut request: Request<B>) -> Result<Response<Incoming>, BoxError> {
        *request.version_mut() = Version::HTTP_2;
        self.say_authority(&mut request);
        loop {
            let (mut sender, fresh) = self.sender().await?;
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(response),
                Err(mut error) => match error.take_message() {
                    // Not a byte of it was written: the connection was on its way out.
                    Some(unsent) if !fresh => request = unsent,
                    _ => return Err(error.into_error().into()),
                },
            }
        }
    }

    /// The connection, and whether it is a new one.
    async fn sender(&self) -> Result<(SendRequest<B>, bool), BoxError> {
        let mut current = self.sender.lock().await;
        if let Some(sender) = current.as_mut()
            && sender.ready().await.is_ok()
        {
            return Ok((sender.clone(), false));
        }
        Ok((current.insert(handshake(&self.upstream).await?).clone(), true))
    }

    /// `:authority` is what `host` said (RFC 9113 §8.3.1).
    fn say_authority(&self, request: &mut Request<B>) {
        let host = request.headers_mut().remove(HOST);
        let asked = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
        let authority = asked.as_ref().unwrap_or(&self.upstream);
        *request.uri_mut() = headers::target(authority, request.uri().path_and_query());
    }
}

async fn handshake<B>(upstream: &Authority) -> Result<SendRequest<B>, BoxError>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    let stream = connect(upstream).await?;
    let (sender, connection) = Builder::new(TokioExecutor::new()).timer(TokioTimer::new()).handshake(stream).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the HTTP/2 connection to the service ended");
        }
    });
    Ok(sender)
}
