//! Polls one inner call, and makes the reply from its response.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Extensions, Request, Response, StatusCode, response};
use http_body::Body;
use tower_service::Service;
use tracing::Span;

use super::broken::ResumedBody;
use super::caught::{facts, inspected, size_hint};
use super::collecting::{CollectJob, Collecting, Decided};
use super::deadline::Deadline;
use super::extensions::remove_reason;
use super::future::{CallContext, State, StateProj};
use super::logged::log_once;
use super::request_body::RequestBody;
use super::response_body::{Kind, PolledReply, ResponseBody, polled, reply_of};
use error_envelope_core::session::{
    BoxError, Ending, EventFields, Follow, LocalReply, Note, ResponseStep, Rest, Session,
};
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
        let Some(call) = call.as_mut() else { return Poll::Pending };
        let mut context = call.context.take();
        let (span, deadline) = context.as_deref_mut().map_or((None, None), CallContext::parts);
        // The event of an error is also logged inside the span (L1).
        let fails = !matches!(&outcome, Some(Ok((head, _))) if head.status.as_u16() < 400);
        let _inside = span.filter(|_| fails).map(Span::enter);
        // Borrowed until it is decided about, because moving a head is dear.
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
            return self.carry_out(step, outcome, panic, span, deadline, cx);
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
        call.session.end(ending).map_or(Poll::Pending, replied)
    }

    /// Polls the inner call. It is ready once the call has ended, or the client's time limit has passed; the future is
    /// then dropped.
    #[inline]
    fn poll_call(self: Pin<&mut Self>, outcome: &mut Option<Outcome<R, S::Error>>, cx: &mut Context<'_>) -> Poll<()> {
        let StateProj::Calling { mut future, call: Some(call) } = self.project() else { return Poll::Pending };
        let polled = {
            let Some(running) = future.as_mut().as_pin_mut() else { return Poll::Pending };
            let _inside = call.context.as_deref().and_then(CallContext::span).map(Span::enter);
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

    /// Carries out what the session decided by the head of a response, and reads its body first if the session requires it.
    #[inline(always)]
    fn carry_out(
        mut self: Pin<&mut Self>,
        step: ResponseStep,
        outcome: Option<Outcome<R, S::Error>>,
        panic: Option<Box<str>>,
        span: Option<&Span>,
        deadline: Option<&mut Option<Deadline>>,
        cx: &mut Context<'_>,
    ) -> PolledReply<R, B> {
        let Some(Ok((mut head, body))) = outcome else { return Poll::Pending };
        match step {
            ResponseStep::Pass(follow, note) => {
                span.into_iter().for_each(|span| runtime::record_status(span, head.status));
                log(&follow, note, &mut head.extensions);
                polled(head, ResponseBody::follow(body, follow, deadline))
            }
            mut step @ (ResponseStep::Write(_) | ResponseStep::Send(_)) => {
                step.note_panic(catch(|| drop(body)).err().or(panic));
                written(step, head)
            }
            ResponseStep::Strip(follow, note) => {
                span.into_iter().for_each(|span| runtime::record_status(span, head.status));
                log(&follow, note, &mut head.extensions);
                let body = strip(head.status, body, follow);
                polled(head, body)
            }
            ResponseStep::Read(reading) => {
                let StateProj::Calling { call: Some(call), .. } = self.as_mut().project() else { return Poll::Pending };
                let session = std::mem::take(&mut call.session);
                let keeps = reading.keeps;
                let job = CollectJob::new(session, head, reading, deadline.and_then(Option::take), panic);
                let decided = if keeps {
                    let mut keeping = Box::pin(Collecting::new(body));
                    let decided = keeping.as_mut().begin(job, span, cx);
                    self.set(Self::Keeping { keeping: Some(keeping) });
                    decided
                } else {
                    self.set(Self::Collecting { collecting: Collecting::new(body) });
                    let StateProj::Collecting { collecting } = self.as_mut().project() else { return Poll::Pending };
                    collecting.begin(job, span, cx)
                };
                self.reply_after_reading(ready!(decided))
            }
            ResponseStep::Resume(..) | ResponseStep::Broken => Poll::Pending,
        }
    }

    /// The reply to an error whose body was read. The unread rest is dropped, or becomes a part of the reply.
    #[inline]
    pub(super) fn reply_after_reading(mut self: Pin<&mut Self>, decided: Decided) -> PolledReply<R, B> {
        let Decided { step, mut head, error, span } = decided;
        let _inside = span.as_ref().map(Span::enter);
        let kept = if let StateProj::Keeping { keeping } = self.as_mut().project() { keeping.take() } else { None };
        let _ = catch(|| self.set(State::Done));
        match (step, kept) {
            (ResponseStep::Resume(read, Rest::Body(follow), event), Some(rest)) => {
                log_once(event, &mut head.extensions);
                let body = Box::new(ResumedBody::new(read, error, rest));
                polled(head, ResponseBody::new(Kind::Resume { body }, Some(follow)))
            }
            (step, kept) => {
                let _ = catch(|| drop(error));
                let _ = catch(|| drop(kept));
                written(step, head)
            }
        }
    }
}

/// Sends an error that the session wrote, or read to its end and keeps.
#[inline(always)]
fn written<R, B>(step: ResponseStep, mut head: response::Parts) -> PolledReply<R, B> {
    match step {
        ResponseStep::Write(mut written) => {
            remove_reason(&mut head);
            log_once(&mut written.event, &mut head.extensions);
            polled(head, ResponseBody::reply(written.body))
        }
        ResponseStep::Send(answered) => {
            let _ = catch(|| drop(head));
            replied(*answered)
        }
        ResponseStep::Resume(body, Rest::Trailers(trailers), event) => {
            log_once(event, &mut head.extensions);
            polled(head, ResponseBody::new(Kind::Replay { body, trailers }, None))
        }
        _ => Poll::Pending,
    }
}

/// Logs what the session has noted about a response that passes.
#[inline(always)]
fn log(follow: &Follow, note: Note, extensions: &mut Extensions) {
    match note {
        Note::Nothing => {}
        Note::Fields(fields) => log_fields(follow, fields),
        Note::Event(event) => log_once(event, extensions),
    }
}

#[cold]
fn log_fields(follow: &Follow, fields: Box<EventFields>) {
    if let Some(id) = follow.request_id() {
        runtime::log_notes(id, Some(fields));
    }
}

/// Removes the body of a response that must have none (E5).
fn strip<R: Body, B>(status: StatusCode, body: R, follow: Follow) -> ResponseBody<R, B> {
    let length = size_hint(&body);
    drop(ResponseBody::<R, B>::follow(body, follow, None));
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
    log_once(&mut answered.event, answered.reply.extensions_mut());
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

fn failed(session: &Session, error: impl Into<BoxError>) -> Ending {
    match catch(|| error.into()).and_then(|error| inspected(error, |error| session.classify(error))) {
        Ok((failure, error)) => Ending::Failed(failure, error),
        Err(panic) => Ending::Panicked(panic),
    }
}
