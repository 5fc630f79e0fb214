//! Polls one inner call, and makes the reply from its response.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response, StatusCode, response};
use http_body::Body;
use tower_service::Service;
use tracing::Span;

use super::broken::ResumedBody;
use super::caught::{facts, inspected, size_hint};
use super::collecting::{CollectJob, Collecting, Decided};
use super::context::CallContext;
use super::extensions::remove_reason;
use super::future::{State, StateProj, answered_at_once};
use super::logged;
use super::request_body::RequestBody;
use super::response_body::{Kind, PolledReply, ResponseBody, decided, polled};
use error_envelope_core::session::{BoxError, Ending, Follow, ResponseStep, Rest, Session};
use error_envelope_runtime::{self as runtime, catch};

/// The parts of the inner service's response, or the service's error. The response is taken apart at once, because
/// moving a whole response is expensive.
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
        let Some(call) = call.as_mut() else { return Poll::Pending };
        let context = call.context.take();
        // A log line of a user's error classifier is also inside the request's span (L1).
        let fails = !matches!(&outcome, Some(Ok(_)));
        let span = context.as_deref().and_then(|context| context.span.as_ref()).filter(|_| fails).cloned();
        let _inside = span.as_ref().map(Span::enter);
        // The session borrows the response for its decision, because moving a head is expensive.
        if polled.is_ok()
            && let Some(Ok((head, body))) = &mut outcome
        {
            let mut panic = None;
            let facts = || {
                let (facts, panicked) = facts(body);
                panic = panicked;
                facts
            };
            let step = call.session.respond(head, facts);
            return self.carry_out(step, &mut outcome, panic, context, cx);
        }
        let ending = match polled {
            Ok(_) => match outcome {
                Some(Err(error)) => failed(&call.session, error),
                Some(Ok(_)) | None => Ending::TimedOut,
            },
            Err(panic) => {
                discard(outcome);
                Ending::Panicked(panic)
            }
        };
        let mut reply = call.session.end(ending);
        reply.iter_mut().for_each(logged::mark_reply);
        reply.map_or(Poll::Pending, |reply| answered_at_once(reply, context))
    }

    /// Polls the inner call. Returns `Ready` once the call has ended or the client's time limit has passed. Before
    /// that, it drops the call's future.
    #[inline]
    fn poll_call(self: Pin<&mut Self>, outcome: &mut Option<Outcome<R, S::Error>>, cx: &mut Context<'_>) -> Poll<()> {
        let StateProj::Calling { mut future, call: Some(call) } = self.project() else { return Poll::Pending };
        let polled = {
            let Some(running) = future.as_mut().as_pin_mut() else { return Poll::Pending };
            let _inside = call.context.as_deref().and_then(|context| context.span.as_ref()).map(Span::enter);
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

    /// Carries out what the session decided from the head of a response. If the session needs the body for its
    /// decision, the body is read first.
    #[inline(always)]
    fn carry_out(
        mut self: Pin<&mut Self>,
        mut step: ResponseStep,
        outcome: &mut Option<Outcome<R, S::Error>>,
        panic: Option<Box<str>>,
        context: Option<Box<CallContext>>,
        cx: &mut Context<'_>,
    ) -> PolledReply<R, B> {
        // The head is changed before it is moved to its place, because each further move is expensive.
        if let Some(Ok((head, _))) = outcome {
            note_head(&context, &mut step, head);
        }
        let Some(Ok((head, body))) = outcome.take() else { return Poll::Pending };
        if let ResponseStep::Write(_) | ResponseStep::Send(_) = step {
            step.note_panic(catch(|| drop(body)).err().or(panic));
            return written(step, head, context);
        }
        match step {
            ResponseStep::Pass(follow) => {
                let body = ResponseBody::follow(body, follow, context);
                polled(head, body)
            }
            ResponseStep::Strip(follow) => {
                let body = strip(head.status, body, follow, context);
                polled(head, body)
            }
            ResponseStep::Read(reading) => {
                let StateProj::Calling { call: Some(call), .. } = self.as_mut().project() else { return Poll::Pending };
                let session = std::mem::take(&mut call.session);
                let keeps = reading.keeps;
                let job = CollectJob::new(session, head, reading, context, panic);
                let decided = if keeps {
                    let mut keeping = Box::pin(Collecting::new(body));
                    let decided = keeping.as_mut().begin(job, cx);
                    self.set(Self::Keeping { keeping: Some(keeping) });
                    decided
                } else {
                    self.set(Self::Collecting { collecting: Collecting::new(body) });
                    let StateProj::Collecting { collecting } = self.as_mut().project() else { return Poll::Pending };
                    collecting.begin(job, cx)
                };
                self.reply_after_reading(ready!(decided))
            }
            _ => Poll::Pending,
        }
    }

    /// Makes the reply from an inner error whose body was read. The unread rest of the body is dropped, or becomes a
    /// part of the reply.
    #[inline]
    pub(super) fn reply_after_reading(mut self: Pin<&mut Self>, decided: Decided) -> PolledReply<R, B> {
        let Decided { mut step, mut head, error, context } = decided;
        note_head(&context, &mut step, &mut head);
        let kept = if let StateProj::Keeping { keeping } = self.as_mut().project() { keeping.take() } else { None };
        let _ = catch(|| self.set(State::Done));
        match (step, kept) {
            (ResponseStep::Resume(read, Rest::Body, follow), Some(rest)) => {
                let body = Box::new(ResumedBody::new(read, error, rest));
                polled(head, ResponseBody::new(Kind::Resume { body }, follow, context))
            }
            (step, kept) => {
                let _ = catch(|| drop(error));
                let _ = catch(|| drop(kept));
                written(step, head, context)
            }
        }
    }
}

/// Makes the reply for an error that the session wrote, or for an inner error that passes after its whole body was
/// read.
#[inline(always)]
fn written<R, B>(step: ResponseStep, head: response::Parts, context: Option<Box<CallContext>>) -> PolledReply<R, B> {
    match step {
        ResponseStep::Write(written) => {
            polled(head, ResponseBody::reply(written.body, decided(written.record), context))
        }
        ResponseStep::Send(mut answered) => {
            logged::mark_reply(&mut answered);
            let _ = catch(|| drop(head));
            answered_at_once(*answered, context)
        }
        ResponseStep::Resume(body, Rest::Trailers(trailers), follow) => {
            polled(head, ResponseBody::new(Kind::Replay { body, trailers }, follow, context))
        }
        _ => Poll::Pending,
    }
}

/// Records in the request's span the status of a response that passes, and removes the reason phrase of an error that is
/// written. Notes in the request's record which layer writes the error.
#[inline(always)]
fn note_head(context: &Option<Box<CallContext>>, step: &mut ResponseStep, head: &mut response::Parts) {
    let follow = match step {
        ResponseStep::Pass(follow) | ResponseStep::Strip(follow) | ResponseStep::Resume(_, _, follow) => follow,
        ResponseStep::Write(written) => {
            remove_reason(head);
            return logged::mark(&mut written.record, &mut head.extensions);
        }
        _ => return,
    };
    if let Some(span) = context.as_deref().and_then(|context| context.span.as_ref()) {
        runtime::record_status(span, head.status);
    }
    if let Some(record) = follow.record_mut() {
        logged::mark(record, &mut head.extensions);
    }
}

/// Removes the body of a response that must have no body (E5).
fn strip<R: Body, B>(
    status: StatusCode,
    body: R,
    mut follow: Follow,
    context: Option<Box<CallContext>>,
) -> ResponseBody<R, B> {
    let length = size_hint(&body);
    follow.note_panic(catch(|| drop(body)).err());
    // The head of a 205 has length 0. A 204 and a 304 keep the service's length.
    let kind = if status == StatusCode::RESET_CONTENT { Kind::Empty } else { Kind::Stripped { length } };
    ResponseBody::new(kind, follow, context)
}

/// Drops the parts of an unused outcome one by one. If two drops panicked at once, the second panic would abort the
/// process.
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

fn failed(session: &Session, error: impl Into<BoxError>) -> Ending {
    match catch(|| error.into()).and_then(|error| inspected(error, |error| session.classify(error))) {
        Ok((failure, error)) => Ending::Failed(failure, error),
        Err(panic) => Ending::Panicked(panic),
    }
}
