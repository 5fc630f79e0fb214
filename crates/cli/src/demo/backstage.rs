//! The complete service. It adds the faults that a socket cannot show: handlers that fail in the layer's own process.
//! All other paths go to the stage.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use error_envelope_gateway::{Forward, Upstream, UpstreamLimits};
use futures_util::{StreamExt, stream};
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use tokio::net::TcpListener;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceExt, service_fn};

use super::acts::DemoCase;
use super::acts::HandlerBehaviour::{Errs, Panics, PanicsInBody, Refused};
use super::acts::UpstreamBehaviour::Inside;
use super::stage;

/// The service that the layer wraps in the demo.
pub(crate) type Backstage<B> = BoxCloneSyncService<Request<B>, Response<Acted>, BoxError>;

type Acted = UnsyncBoxBody<Bytes, BoxError>;

/// Starts the service. Returns the Tower service that calls it, for the layer to wrap, and the address at which it can
/// be called without the layer.
pub(crate) async fn start<B>(timeout: Duration, limits: UpstreamLimits) -> Result<(Backstage<B>, SocketAddr), BoxError>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    let (listener, address) = bind().await?;
    let to = |address: SocketAddr| {
        let upstream: Upstream = format!("http://{address}").parse()?;
        Ok::<_, BoxError>(upstream.response_timeout(timeout).limits(limits).service()?)
    };
    let stage = to(address)?;
    tokio::spawn(stage::play(listener));
    // A port that was free a moment ago refuses connections.
    let (_, gone) = bind().await?;
    Ok((open(stage, to(gone)?), address))
}

async fn bind() -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// `stage` forwards to the stage, `gone` to a port without a listener.
fn open<B>(stage: Forward<B>, gone: Forward<B>) -> Backstage<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    Backstage::new(service_fn(move |request| answer(request, stage.clone(), gone.clone())))
}

async fn answer<B>(request: Request<B>, stage: Forward<B>, gone: Forward<B>) -> Result<Response<Acted>, BoxError>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let response = match DemoCase::by_path(request.uri().path()).map(|act| &act.play) {
        Some(Inside(Panics)) => panic!("the handler of /panic panicked, as it always does"),
        Some(Inside(Errs)) => return Err("cannot reach db: password `hunter2` was refused".into()),
        Some(Inside(PanicsInBody)) => return Ok(Response::new(panicking_body())),
        Some(Inside(Refused)) => gone.oneshot(request).await?,
        _ => stage.oneshot(request).await?,
    };
    Ok(response.map(|body| body.map_err(Into::into).boxed_unsync()))
}

/// A body that begins well, lets its first bytes leave, and panics.
fn panicking_body() -> Acted {
    let begins = stream::once(async { Ok(Frame::data(Bytes::from_static(b"so far, so good"))) });
    let panics = stream::once(async {
        tokio::task::yield_now().await;
        panic!("the body of /panic-in-body panicked, as it always does")
    });
    StreamBody::new(begins.chain(panics)).boxed_unsync()
}
