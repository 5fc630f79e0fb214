//! Sends one request through a service: makes it ready, calls it, polls it, and reads the response to its end.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower_service::Service;

/// A service with any types, so that all stacks are driven by the same code.
pub(crate) trait Answers {
    /// Returns the response with its whole body, or `None` if the service failed.
    fn answer(&mut self, request: Request<Full<Bytes>>) -> Option<Response<Bytes>>;
}

impl<S, B> Answers for S
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>>,
    B: Body<Data = Bytes>,
{
    fn answer(&mut self, request: Request<Full<Bytes>>) -> Option<Response<Bytes>> {
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(())) = self.poll_ready(&mut cx) else { panic!("the service is not ready") };
        let response = match pin!(self.call(request)).poll(&mut cx) {
            Poll::Ready(response) => response.ok()?,
            Poll::Pending => panic!("nothing in a stack waits"),
        };
        let (head, body) = response.into_parts();
        Some(Response::from_parts(head, read(body, &mut cx)))
    }
}

/// Returns a body of at most one chunk, as all bodies here are. Joining more chunks would also be measured.
fn read<B: Body<Data = Bytes>>(body: B, cx: &mut Context<'_>) -> Bytes {
    let mut body = pin!(body);
    let mut whole = None;
    while !body.is_end_stream() {
        match body.as_mut().poll_frame(cx) {
            Poll::Ready(None) => break,
            Poll::Ready(Some(Ok(frame))) => {
                let second = frame.into_data().ok().and_then(|data| whole.replace(data));
                assert!(second.is_none(), "a body came in two chunks");
            }
            Poll::Ready(Some(Err(_))) => panic!("a body broke off"),
            Poll::Pending => panic!("no body waits"),
        }
    }
    whole.unwrap_or_default()
}
