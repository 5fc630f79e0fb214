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
use hyper::client::conn::TrySendError;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};
use tower_error_envelope::{ErrorCode, Fault};

use crate::pace::{Pace, Paced};
use crate::upgrade::{self, Wish};
use crate::{BoxError, headers, http1, http2};

/// A service that is another one, over the network.
pub(crate) struct Proxy<B>(Arc<Inner<B>>);

struct Inner<B> {
    upstream: Authority,
    timeout: Duration,
    link: Link<Paced<B>>,
    upgrades: bool,
}

/// The connections to the service, whatever they speak.
pub(crate) type Link<B> = BoxCloneSyncService<Request<B>, Response<Incoming>, BoxError>;

pub(crate) type Answer<E> = Pin<Box<dyn Future<Output = Result<Response<Incoming>, E>> + Send>>;

/// Why a connection gave no answer, and the request where not a byte of it was written.
pub(crate) struct Lost<B> {
    pub(crate) error: hyper::Error,
    pub(crate) unsent: Option<Request<B>>,
}

impl<B> From<TrySendError<Request<B>>> for Lost<B> {
    fn from(mut error: TrySendError<Request<B>>) -> Self {
        let unsent = error.take_message();
        Self { error: error.into_error(), unsent }
    }
}

impl<B> Proxy<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    /// Over a pool of HTTP/1.1 connections; `timeout` is to the response head.
    pub(crate) fn http1(upstream: Authority, timeout: Duration) -> Self {
        let link = http1::link(upstream.clone());
        Self(Arc::new(Inner { upstream, timeout, link, upgrades: true }))
    }

    /// Over one HTTP/2 connection, by prior knowledge.
    pub(crate) fn http2(upstream: Authority, timeout: Duration) -> Self {
        let link = http2::link(upstream.clone());
        Self(Arc::new(Inner { upstream, timeout, link, upgrades: false }))
    }
}

impl<B> Service<Request<B>> for Proxy<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Incoming>;
    type Error = BoxError;
    type Future = Answer<BoxError>;

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
        let wish = self.upgrades.then(|| Wish::of(&mut request)).flatten();
        let (mut head, body) = request.into_parts();
        headers::towards_service(&mut head, &self.upstream);
        if let Some(wish) = &wish {
            wish.forward(&mut head.headers);
        }
        let pace = Pace::start();
        let request = Request::from_parts(head, Paced::new(body, pace.clone()));
        let response = pace.head_within(self.timeout, self.link.clone().oneshot(request)).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(upgrade::switch(wish, response)?);
        }
        let (mut head, body) = response.into_parts();
        headers::towards_client(&mut head);
        Ok(Response::from_parts(head, body))
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
