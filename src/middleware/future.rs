//! The future of one request.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::request_body::RequestBody;
use super::response_body::{Kind, PolledReply, Reply, ResponseBody, polled, reply_of};
use super::state::{State, StateProj};
use error_envelope_core::session::BoxError;
use error_envelope_runtime as runtime;
use error_envelope_runtime::{RequestTimer, catch};

pin_project! {
    /// Calls the inner service, reads an error's body if the session requires it, and returns the response.
    ///
    /// If it is dropped before its response, it logs the request as abandoned, once (rule F2). If it is polled after
    /// its response, it stays pending instead of panicking.
    pub struct ResponseFuture<S, F, B, R> {
        #[pin]
        pub(super) state: State<S, F, B, R>,
        // Measures the request; later it moves into the response's body.
        pub(super) timer: Option<RequestTimer>,
    }

    impl<S, F, B, R> PinnedDrop for ResponseFuture<S, F, B, R> {
        fn drop(this: Pin<&mut Self>) {
            abandon(this.project().state);
        }
    }
}

impl<S, B, R> Future for ResponseFuture<S, S::Future, B, R>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>, Error: Into<BoxError>>,
    B: Body<Error: Into<BoxError>>,
    R: Body<Error: Into<BoxError>>,
{
    type Output = Result<Reply<R, B>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.timer.is_none() {
            // The reply is returned from here without a move, because it is large.
            return poll_reply(this.state, cx);
        }
        let mut polled = poll_reply(this.state, cx);
        if let Poll::Ready(Ok(reply)) = &mut polled
            && let Some(mut timer) = this.timer.take()
        {
            timer.head(reply.status());
            reply.body_mut().time(timer);
        }
        polled
    }
}

fn poll_reply<S, B, R>(mut state: Pin<&mut State<S, S::Future, B, R>>, cx: &mut Context<'_>) -> PolledReply<R, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>, Error: Into<BoxError>>,
    B: Body<Error: Into<BoxError>>,
    R: Body<Error: Into<BoxError>>,
{
    loop {
        let next = match state.as_mut().project() {
            StateProj::Calling { .. } => return state.poll_calling(cx),
            StateProj::Collecting { collecting } => {
                let decided = ready!(collecting.poll(cx));
                return Poll::Ready(Ok(state.read(decided)));
            }
            StateProj::Keeping { keeping } => {
                let Some(reading) = keeping else { return Poll::Pending };
                let decided = ready!(reading.as_mut().poll(cx));
                return Poll::Ready(Ok(state.read(decided)));
            }
            StateProj::Peeking { peeking } => ready!(peeking.poll(cx)),
            StateProj::Verifying { verifying } => ready!(verifying.poll(cx)),
            StateProj::Answered { answered } => {
                let Some(answered) = answered.take() else { return Poll::Pending };
                state.set(State::Done);
                return reply_of(answered.reply);
            }
            StateProj::Draining { draining } => {
                let Some(mut request) = draining.take() else { return Poll::Pending };
                state.set(State::Done);
                let ended = request.as_mut().drain_at_once(cx);
                let Some(answered) = request.as_mut().reply() else { return Poll::Pending };
                if ended {
                    let _ = catch(|| drop(request));
                    return reply_of(answered.reply);
                }
                let (head, body) = answered.reply.into_parts();
                return polled(head, ResponseBody::new(Kind::Drain { request, body }, None));
            }
            StateProj::Done => return Poll::Pending,
        };
        let _ = catch(|| state.set(next));
    }
}

/// Logs a request whose future is dropped before its response, once, and catches a panic (F2).
fn abandon<S, F, B, R>(mut state: Pin<&mut State<S, F, B, R>>) {
    let event = match state.as_mut().project() {
        // A call that has ended no longer has a future.
        StateProj::Done | StateProj::Calling { call: None, .. } => return,
        StateProj::Calling { call: Some(call), .. } if call.session.has_ended() => return,
        StateProj::Calling { call, .. } => call.take().and_then(|mut call| call.session.abandon()),
        StateProj::Collecting { collecting } => collecting.abandoned(),
        StateProj::Keeping { keeping } => keeping.as_mut().and_then(|it| it.as_mut().abandoned()),
        StateProj::Peeking { peeking } => peeking.abandoned(),
        StateProj::Verifying { verifying } => verifying.abandoned(),
        StateProj::Answered { .. } | StateProj::Draining { .. } => None,
    };
    let _ = catch(|| state.set(State::Done));
    if let Some(mut event) = event {
        // The event is not logged inside the request's span: the code that drops the future may have a span that shows
        // the reason.
        runtime::log_event(&mut event);
    }
}

impl<S, F, B, R> fmt::Debug for ResponseFuture<S, F, B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
