//! Tests G3: a body that ends while its first byte is awaited is no body, and is not polled again, because some bodies
//! would panic then (F2).

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::middleware::RequestBody;
use tower_error_envelope::session::BoxError;

use super::super::layer;
use super::super::scripted::{Scene, TEXT};
use crate::kit::{answer, logged};

/// A body without data and with an unknown length. It ends at its first poll, like a stream made of a future.
struct Once {
    trailers: Option<HeaderMap>,
    over: bool,
}

impl Body for Once {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        assert!(!std::mem::replace(&mut self.over, true), "{TEXT}");
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }
}

/// What the service saw of its body: before it read, while it read, and afterwards.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    ended: bool,
    exact: Option<u64>,
    data: Bytes,
    trailers: Option<HeaderMap>,
}

async fn reads(request: Request<RequestBody<Once>>) -> Result<Response<Scene>, BoxError> {
    let mut body = request.into_body();
    let (ended, exact) = (body.is_end_stream(), body.size_hint().exact());
    let read = (&mut body).collect().await?;
    assert!(body.is_end_stream() && body.size_hint().exact() == Some(0) && body.frame().await.is_none());
    let trailers = read.trailers().cloned();
    let mut response = Response::new(Scene::empty());
    response.extensions_mut().insert(Seen { ended, exact, data: read.to_bytes(), trailers });
    Ok(response)
}

#[test]
fn g3_a_body_that_ended_during_the_peek_is_not_polled_again() {
    let line = |name| HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static("1"))]);
    // Only checksums reach the service (R6).
    for (sent, trailers) in [
        (None, None),
        (Some(line("content-digest")), Some(line("content-digest"))),
        (Some(line("authorization")), None),
    ] {
        let (answer, lines) = logged(async {
            let body = Once { trailers: sent.clone(), over: false };
            let request = Request::post("/json").body(body).unwrap();
            let Ok(response) = layer().layer(service_fn(reads)).oneshot(request).await;
            answer(response).await
        });
        assert_eq!(answer.head.status, 200, "{lines:?}");
        let seen = answer.head.extensions.get::<Seen>();
        // Trailers would still follow.
        let ended = trailers.is_none();
        assert_eq!(seen, Some(&Seen { ended, exact: Some(0), data: Bytes::new(), trailers }));
        assert!(lines.is_empty(), "{lines:?}");
    }
}
