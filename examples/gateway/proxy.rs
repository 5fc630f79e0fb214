//! Forwards a request to the service and gives back its response.
//!
//! It never answers by itself: what goes wrong is returned as an error, and the layer around it makes the answer.
//! Nothing that may have reached the service is sent twice.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, HeaderValue};
use http::uri::Authority;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use tower::Service;
use tower_error_envelope::{ErrorCode, Fault};

use crate::http1::Http1;
use crate::http2::Http2;
use crate::pace::{Pace, Paced};
use crate::upgrade::{self, Wish};
use crate::{BoxError, headers};

/// A service that is another one, over the network.
pub(crate) struct Proxy<B>(Arc<Inner<B>>);

struct Inner<B> {
    upstream: Authority,
    timeout: Duration,
    link: Link<B>,
}

enum Link<B> {
    Http1(Http1<Paced<B>>),
    Http2(Http2<Paced<B>>),
}

impl<B> Proxy<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    /// Over a pool of HTTP/1.1 connections; `timeout` is to the response head.
    pub(crate) fn http1(upstream: Authority, timeout: Duration) -> Self {
        let link = Link::Http1(Http1::new(upstream.clone()));
        Self(Arc::new(Inner { upstream, timeout, link }))
    }

    /// Over one HTTP/2 connection, by prior knowledge.
    pub(crate) fn http2(upstream: Authority, timeout: Duration) -> Self {
        let link = Link::Http2(Http2::new(upstream.clone()));
        Self(Arc::new(Inner { upstream, timeout, link }))
    }
}

impl<B> Service<Request<B>> for Proxy<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Incoming>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Incoming>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.forward(request).await })
    }
}

impl<B> Inner<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    async fn forward(&self, mut request: Request<B>) -> Result<Response<Incoming>, BoxError> {
        refuse(&request)?;
        let wish = self.link.can_upgrade().then(|| Wish::of(&mut request)).flatten();
        let (mut head, body) = request.into_parts();
        headers::towards_service(&mut head, &self.upstream);
        if let Some(wish) = &wish {
            wish.forward(&mut head.headers);
        }
        let pace = Pace::start();
        let request = Request::from_parts(head, Paced::new(body, pace.clone()));
        let response = pace.head_within(self.timeout, self.link.send(request)).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(upgrade::switch(wish, response)?);
        }
        let (mut head, body) = response.into_parts();
        headers::towards_client(&mut head);
        Ok(Response::from_parts(head, body))
    }
}

impl<B> Link<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    fn can_upgrade(&self) -> bool {
        matches!(self, Self::Http1(_))
    }

    async fn send(&self, request: Request<Paced<B>>) -> Result<Response<Incoming>, BoxError> {
        match self {
            Self::Http1(pool) => pool.send(request).await,
            Self::Http2(connection) => connection.send(request).await,
        }
    }
}

/// What is not for forwarding: CONNECT asks for a tunnel past every guard (405: the method is known and not for here),
/// and a target that is neither a path, a URI nor `*` names nothing.
fn refuse<B>(request: &Request<B>) -> Result<(), Fault> {
    let uri = request.uri();
    if request.method() == Method::CONNECT {
        let allow = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        return Err(Fault::new(ErrorCode::METHOD_NOT_ALLOWED).header(ALLOW, allow));
    }
    if uri.scheme().is_none() && uri.authority().is_some() {
        return Err(Fault::new(ErrorCode::BAD_REQUEST).message("The request target is neither a path nor a URI."));
    }
    Ok(())
}

impl<B> Clone for Proxy<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
