//! What a socket cannot show: a handler that fails in the very process of the layer. All other paths go to the stage.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use tower::Service;

use super::acts::{Act, Inside, Play};
use crate::BoxError;
use crate::proxy::Proxy;

/// The service that the layer wraps in the demo.
pub(crate) struct Backstage<B> {
    stage: Proxy<B>,
    gone: Proxy<B>,
}

impl<B> Backstage<B> {
    /// `gone` leads to a port where nobody listens.
    pub(crate) fn new(stage: Proxy<B>, gone: Proxy<B>) -> Self {
        Self { stage, gone }
    }
}

impl<B> Service<Request<B>> for Backstage<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<UnsyncBoxBody<Bytes, BoxError>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.stage.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let inside = match Act::at(request.uri().path()).map(|act| &act.play) {
            Some(Play::Inside(inside)) => Some(*inside),
            _ => None,
        };
        let (mut stage, mut gone) = (self.stage.clone(), self.gone.clone());
        Box::pin(async move {
            let response = match inside {
                None => stage.call(request).await?,
                Some(Inside::Refused) => gone.call(request).await?,
                Some(Inside::Panics) => panic!("the handler of /panic panicked, as it always does"),
                Some(Inside::Errs) => return Err("cannot reach db: password `hunter2` was refused".into()),
                Some(Inside::PanicsInBody) => return Ok(Response::new(Falls::Begins.boxed_unsync())),
            };
            Ok(response.map(|body| body.map_err(Into::into).boxed_unsync()))
        })
    }
}

impl<B> Clone for Backstage<B> {
    fn clone(&self) -> Self {
        Self { stage: self.stage.clone(), gone: self.gone.clone() }
    }
}

/// A body that begins well, lets its beginning leave, and panics.
enum Falls {
    Begins,
    Waits,
    Panics,
}

impl Body for Falls {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match *self {
            Self::Begins => {
                *self = Self::Waits;
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"so far, so good")))))
            }
            Self::Waits => {
                *self = Self::Panics;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Self::Panics => panic!("the body of /panic-in-body panicked, as it always does"),
        }
    }
}
