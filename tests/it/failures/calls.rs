//! Tests F2 and L1: a failure of the body of a call is one line, whatever its drop does.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty};
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::ErrorEnvelopeLayer;
use tower_error_envelope::middleware::RequestBody;

use super::scripted::TEXT;
use crate::kit::{Line, logged, only};

/// A body with a message, and then nothing or an error. It panics when it is dropped.
struct Dropped {
    begun: bool,
    fails: bool,
}

impl Body for Dropped {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if !std::mem::replace(&mut self.begun, true) {
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"\0\0\0\0\0")))));
        }
        if self.fails { Poll::Ready(Some(Err(io::Error::other(TEXT)))) } else { Poll::Pending }
    }
}

impl Drop for Dropped {
    fn drop(&mut self) {
        panic!("{TEXT}");
    }
}

/// Reads this number of frames of the response, and drops it.
fn call(media_type: &'static str, fails: bool, frames: usize) -> Vec<Line> {
    let service = service_fn(move |_: Request<RequestBody<Empty<Bytes>>>| async move {
        let body = Dropped { begun: false, fails };
        Ok::<_, Infallible>(Response::builder().header("content-type", media_type).body(body).unwrap())
    });
    let request = Request::post("/pkg.Svc/Do").version(Version::HTTP_2).header("content-type", media_type);
    let ((), lines) = logged(async {
        let service = ErrorEnvelopeLayer::new().layer(service);
        let mut answer = service.oneshot(request.body(Empty::new()).unwrap()).await.unwrap().into_body();
        for _ in 0..frames {
            answer.frame().await.unwrap().unwrap();
        }
    });
    lines
}

#[test]
fn f2_a_call_whose_body_panics_as_it_is_dropped_is_one_line() {
    for media_type in ["application/grpc", "application/grpc-web", "application/connect+proto"] {
        for (fails, frames, origin) in [(true, 2, "error"), (false, 1, "abandoned")] {
            let lines = call(media_type, fails, frames);
            assert_eq!(only(&lines).field("origin"), Some(origin), "{media_type}");
        }
    }
}
