//! The service, its future and its bodies. They play a state, and fail where the trap is.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tower::buffer::Buffer;
use tower::{Service, service_fn};
use tower_error_envelope::middleware::RequestBody;
use tower_error_envelope::session::BoxError;

use super::state::{NEXT, State, next_response, trailers};
use super::trap::{Trap, Tricky, What, Where};
use crate::kit::SECRET;

/// A service that plays one state for the first request, and then serves normally.
pub(super) struct Faulty {
    pub(super) state: State,
    pub(super) trap: Trap,
    pub(super) unready: bool,
}

impl Clone for Faulty {
    fn clone(&self) -> Self {
        self.trap.strike(Where::Clone);
        // The error of one service is not that of its clones.
        Self { state: self.state, trap: self.trap.clone(), unready: false }
    }
}

impl Service<Request<RequestBody<Act>>> for Faulty {
    type Response = Response<Act>;
    type Error = BoxError;
    type Future = Played;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let unready = std::mem::take(&mut self.unready);
        match self.trap.strike(Where::Ready) {
            Some(What::Hang) => Poll::Pending,
            Some(What::Disappear) => without_its_worker(cx),
            Some(_) => Poll::Ready(Err(SECRET.into())),
            None if unready => Poll::Ready(Err(Tricky(self.trap.clone()).into())),
            None => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, request: Request<RequestBody<Act>>) -> Played {
        if request.uri().path() == NEXT {
            return Played { trap: Trap::new(None), polls: 0, play: Box::pin(async { Ok(next_response()) }) };
        }
        self.trap.strike(Where::Call);
        let play = Box::pin(play(self.state, self.trap.clone(), request));
        Played { trap: self.trap.clone(), polls: 0, play }
    }
}

/// Returns the error of a buffer whose worker is gone.
fn without_its_worker(cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
    let behind = service_fn(|(): ()| std::future::ready(Ok::<_, BoxError>(())));
    let (mut buffer, worker) = Buffer::pair(behind, 1);
    drop(worker);
    Service::<()>::poll_ready(&mut buffer, cx)
}

async fn play(state: State, trap: Trap, request: Request<RequestBody<Act>>) -> Result<Response<Act>, BoxError> {
    // Each part is dropped separately: a drop that panics while a value is returned leaks that value
    // (rust-lang/rust#47949).
    let (head, mut body) = request.into_parts();
    drop(head);
    let read = (&mut body).collect().await;
    drop(body);
    read?;
    tokio::task::yield_now().await;
    state.response(&trap).ok_or_else(|| Tricky(trap).into())
}

/// The service's future.
pub(super) struct Played {
    trap: Trap,
    polls: usize,
    play: Pin<Box<dyn Future<Output = Result<Response<Act>, BoxError>>>>,
}

impl Future for Played {
    type Output = Result<Response<Act>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let before = self.polls;
        self.polls += 1;
        match self.trap.strike_after(Where::FuturePoll, before) {
            Some(What::Hang) => Poll::Pending,
            Some(What::Disappear) => Poll::Ready(Err(io::Error::from(io::ErrorKind::ConnectionReset).into())),
            Some(_) => Poll::Ready(Err(SECRET.into())),
            None => self.play.as_mut().poll(cx),
        }
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        self.trap.strike(Where::FutureDrop);
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Side {
    Request,
    Response,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// The body is pending once.
    Wait,
    Data(&'static str),
    Trailers,
    /// The body fails with the error whose parts may be trapped.
    Break,
}

/// The body of a request or of a response.
#[derive(Debug)]
pub(super) struct Act {
    side: Side,
    steps: VecDeque<Step>,
    given: usize,
    trap: Trap,
}

impl Act {
    pub(super) fn new(side: Side, steps: Vec<Step>, trap: &Trap) -> Self {
        Self { side, steps: steps.into(), given: 0, trap: trap.clone() }
    }

    /// Returns one of the four places of the body's side: where it is polled, asked for its size or its end, or
    /// dropped.
    fn at(&self, of: [Where; 2]) -> Where {
        of[usize::from(self.side == Side::Response)]
    }
}

impl Body for Act {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.trap.strike_after(self.at([Where::RequestPoll, Where::ResponsePoll]), self.given) {
            Some(What::Hang) => return Poll::Pending,
            Some(What::Disappear) => return Poll::Ready(None),
            Some(_) => return Poll::Ready(Some(Err(SECRET.into()))),
            None => {}
        }
        let Some(step) = self.steps.pop_front() else { return Poll::Ready(None) };
        self.given += usize::from(!matches!(step, Step::Wait));
        let frame = match step {
            Step::Wait => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Step::Data(data) => Ok(Frame::data(Bytes::from_static(data.as_bytes()))),
            Step::Trailers => Ok(Frame::trailers(trailers())),
            Step::Break => {
                if self.side == Side::Response {
                    self.trap.breaks();
                }
                Err(Tricky(self.trap.clone()).into())
            }
        };
        Poll::Ready(Some(frame))
    }

    fn is_end_stream(&self) -> bool {
        self.trap.strike(self.at([Where::RequestEnd, Where::ResponseEnd]));
        self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.trap.strike(self.at([Where::RequestSize, Where::ResponseSize]));
        SizeHint::default()
    }
}

impl Drop for Act {
    fn drop(&mut self) {
        self.trap.strike(self.at([Where::RequestDrop, Where::ResponseDrop]));
    }
}
