//! Polls one inner call, and makes the reply from its response.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode, response};
use http_body::Body;
use tower_service::Service;
use tracing::Span;

use super::budget::Deadline;
use super::collecting::{BodyOutcome, Collecting, Reading};

use super::caught::{facts, inspected, size_hint};
use super::reason::remove_reason;
use super::request_body::RequestBody;
use super::response_body::{Kind, PolledReply, Reply, ResponseBody, polled, reply_of};
use super::resumed_body::ResumedBody;
use super::rpc_body::RpcBody;
use super::span;
use super::state::{Call, CallContext, State, StateProj};
use super::tee::Tee;
use error_envelope_core::exchange::{BodyContext, BoxError, Exchange, LocalReply, ResponsePlan};
use error_envelope_runtime as runtime;
use error_envelope_runtime::catch;

/// A response in parts, since it is large to move, or the service's error.
type Outcome<R, E> = Result<(response::Parts, R), E>;

impl<S, B, R> State<S, S::Future, B, R>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>, Error: Into<BoxError>>,
    B: Body<Error: Into<BoxError>>,
    R: Body<Error: Into<BoxError>>,
{
    /// Polls the inner call, and handles its outcome.
    #[inline]
    pub(super) fn poll_calling(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> PolledReply<R, B> {
        let mut outcome = None;
        // The future is dropped before its response is used, because the drop may panic, too (F2).
        let polled = catch(|| self.as_mut().poll_call(&mut outcome, cx));
        if let Ok(Poll::Pending) = polled {
            return Poll::Pending;
        }
        let StateProj::Calling { mut future, call } = self.as_mut().project() else { return Poll::Pending };
        if polled.is_err() {
            let _ = catch(|| future.set(None));
        }
        let Some(Call { exchange, mut context }) = call.take() else { return Poll::Pending };
        let (span, deadline) = context.as_deref_mut().map_or((None, None), CallContext::parts);
        // The event of an error is also logged inside the span (L1).
        let fails = !matches!(&outcome, Some(Ok((head, _))) if head.status.as_u16() < 400);
        let _inside = if fails { span::enter(span) } else { None };
        replied(match polled {
            Ok(_) => match outcome {
                Some(Ok((head, body))) => return self.answer(exchange, head, body, span, deadline, cx),
                Some(Err(error)) => failed(exchange, error),
                None => exchange.timed_out(),
            },
            Err(panic) => {
                discard(outcome);
                exchange.panicked(panic)
            }
        })
    }

    /// Polls the inner call. It is ready once the call has ended, or the client's time limit has passed; the future is
    /// then dropped.
    #[inline]
    fn poll_call(self: Pin<&mut Self>, outcome: &mut Option<Outcome<R, S::Error>>, cx: &mut Context<'_>) -> Poll<()> {
        let StateProj::Calling { mut future, call: Some(call) } = self.project() else { return Poll::Pending };
        let polled = {
            let Some(running) = future.as_mut().as_pin_mut() else { return Poll::Pending };
            let _inside = span::enter(call.context.as_deref().and_then(CallContext::span));
            running.poll(cx)
        };
        match polled {
            Poll::Ready(ready) => *outcome = Some(ready.map(Response::into_parts)),
            Poll::Pending if !call.has_run_out(cx) => return Poll::Pending,
            Poll::Pending => {}
        }
        future.set(None);
        Poll::Ready(())
    }

    /// Decides by the head of a response, and reads its body first if the exchange requires it.
    #[inline(always)]
    fn answer(
        self: Pin<&mut Self>,
        exchange: Exchange,
        mut head: response::Parts,
        body: R,
        span: Option<&Span>,
        deadline: Option<&mut Option<Deadline>>,
        cx: &mut Context<'_>,
    ) -> PolledReply<R, B> {
        let id = exchange.request_id();
        // A panic of an error's body is logged with the error (F2).
        let mut panic = None;
        let facts = || {
            let (facts, panicked) = facts(&body);
            panic = panicked;
            facts
        };
        match exchange.response_head(&mut head, facts) {
            ResponsePlan::Pass(tail, notes) => {
                runtime::log_notes(id, notes);
                polled(head, ResponseBody::pass(body, tail))
            }
            ResponsePlan::Rewrite(mut written) => {
                written.event.note_panic(catch(|| drop(body)).err().or(panic));
                remove_reason(&mut head);
                runtime::log_unenforced(written.unenforced.take());
                runtime::log_event(&mut written.event);
                polled(head, ResponseBody::reply(written.body))
            }
            ResponsePlan::Keep(tail, mut event) => {
                runtime::log_event(&mut *event);
                polled(head, ResponseBody::pass(body, tail))
            }
            ResponsePlan::Strip(tail, notes) => {
                runtime::log_notes(id, notes);
                let body = strip(head.status, body, tail);
                polled(head, body)
            }
            ResponsePlan::Replace(mut answered) => {
                answered.event.note_panic(catch(|| drop(body)).err().or(panic));
                let _ = catch(|| drop(head));
                replied(*answered)
            }
            ResponsePlan::Tee(tail, observed, max_bytes, timeout) => {
                let size = size_hint(&body);
                let tee = Box::new(Tee::new(observed, max_bytes, timeout, size));
                polled(head, ResponseBody::new(Kind::Tee { body, tee }, Some(tail)))
            }
            ResponsePlan::Watch(watch) => {
                runtime::log_notes(id, watch.notes());
                let watching = RpcBody::new(watch, deadline.and_then(Option::take));
                polled(head, ResponseBody::new(Kind::Watch { body, watching }, None))
            }
            ResponsePlan::Stream(stream, event) => {
                match event {
                    Some(event) => runtime::log_event(*event),
                    None => runtime::log_notes(id, stream.notes()),
                }
                polled(head, ResponseBody::new(Kind::Events { body, events: Some(stream) }, None))
            }
            ResponsePlan::Collect(exchange, max_bytes, timeout) => {
                let reading = Reading::new(max_bytes, timeout, deadline.and_then(Option::take), panic);
                self.collect(exchange, head, reading, body, span, cx)
            }
        }
    }

    /// Reads an error's body. The body is not moved if the rest of it may have to be sent.
    #[inline]
    fn collect(
        mut self: Pin<&mut Self>,
        exchange: Exchange,
        head: response::Parts,
        reading: Reading,
        body: R,
        span: Option<&Span>,
        cx: &mut Context<'_>,
    ) -> PolledReply<R, B> {
        let decided = if exchange.may_restore() {
            let mut keeping = Box::pin(Collecting::new(body));
            let decided = keeping.as_mut().begin(exchange, head, reading, span, cx);
            self.set(Self::Keeping { keeping: Some(keeping) });
            decided
        } else {
            self.set(Self::Collecting { collecting: Collecting::new(body) });
            let StateProj::Collecting { collecting } = self.as_mut().project() else { return Poll::Pending };
            collecting.begin(exchange, head, reading, span, cx)
        };
        decided.map(|decided| Ok(self.read(decided)))
    }

    /// The reply to an error whose body was read. The unread rest is dropped, or becomes a part of the reply.
    #[inline]
    pub(super) fn read(mut self: Pin<&mut Self>, decided: BodyOutcome) -> Reply<R, B> {
        let kept = if let StateProj::Keeping { keeping } = self.as_mut().project() { keeping.take() } else { None };
        let _ = catch(|| self.set(State::Done));
        match (decided, kept) {
            (BodyOutcome::Resume(reply, error, tail), Some(rest)) => {
                let resumed = |read| Kind::Resume { body: Box::new(ResumedBody::new(read, error, rest)) };
                reply.map(|read| ResponseBody::new(resumed(read), Some(tail)))
            }
            // Without the kept rest, the body cannot be resumed.
            (BodyOutcome::Resume(reply, ..), None) => reply.map(|_| ResponseBody::default()),
            (BodyOutcome::Replay(reply, trailers), kept) => {
                let _ = catch(|| drop(kept));
                reply.map(|body| ResponseBody::new(Kind::Replay { body, trailers }, None))
            }
            (BodyOutcome::Reply(reply), kept) => {
                let _ = catch(|| drop(kept));
                reply.map(ResponseBody::reply)
            }
        }
    }
}

/// Removes the body of a response that must have none (E5).
fn strip<R: Body, B>(status: StatusCode, body: R, tail: BodyContext) -> ResponseBody<R, B> {
    let length = size_hint(&body);
    drop(ResponseBody::<R, B>::pass(body, tail));
    // The head of a 205 has length 0; a 204 and a 304 keep the service's length.
    if status == StatusCode::RESET_CONTENT {
        ResponseBody::default()
    } else {
        ResponseBody::new(Kind::Stripped { length }, None)
    }
}

/// Logs a reply of the layer itself, and returns it.
#[inline(always)]
fn replied<R, B>(mut answered: LocalReply) -> PolledReply<R, B> {
    runtime::log_reply(&mut answered);
    reply_of(answered.reply)
}

/// Drops unused values one by one: a second panic while the first unwinds would abort.
fn discard<R, E>(outcome: Option<Outcome<R, E>>) {
    match outcome {
        None => {}
        Some(Err(error)) => drop(catch(|| drop(error))),
        Some(Ok((head, body))) => {
            let _ = catch(|| drop(head));
            let _ = catch(|| drop(body));
        }
    }
}

fn failed(exchange: Exchange, error: impl Into<BoxError>) -> LocalReply {
    let error = match catch(|| error.into()) {
        Ok(error) => error,
        Err(panic) => return exchange.panicked(panic),
    };
    match inspected(error, |error| exchange.failure_of(error)) {
        Ok((failure, error)) => exchange.failed(failure, error),
        Err(panic) => exchange.panicked(panic),
    }
}
