//! Runs one request of one client, and the next request after it, on a simulated clock.

use std::cell::RefCell;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tokio::task::yield_now;
use tokio::time::timeout;
use tower::{Layer, Service, ServiceExt};
use tower_error_envelope::{ErrorEnvelopeLayer, ErrorEnvelopeService, Mode, Policy, RouteRule};

use super::faulty::Faulty;
use super::state::{State, next_request};
use super::trap::{Fault, Trap, Where};
use crate::kit::{Answer, Line, answer, logged};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Client {
    /// The client waits for an hour.
    Waits,
    /// The client leaves after this number of polls, of the future and then of the body.
    LeavesAfter(usize),
}

/// The observations of the client, the log and the next client.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// True if the service was ready, and was called.
    pub(super) called: bool,
    pub(super) heads: usize,
    pub(super) answer: Option<Answer>,
    pub(super) trailers: Option<HeaderMap>,
    /// How the body ended, or `None` if the client left before that.
    pub(super) ended: Option<Result<(), String>>,
    /// True if a frame came after an error.
    pub(super) after_error: bool,
    pub(super) left: bool,
    pub(super) struck: bool,
    pub(super) doubled: bool,
    /// True if the response's body has failed or panicked.
    pub(super) broke: bool,
    /// The number of holders of parts of the request.
    pub(super) kept: usize,
    pub(super) lines: Vec<Line>,
    pub(super) next: Option<(u16, Bytes)>,
    pub(super) next_lines: Vec<Line>,
}

pub(super) fn run(state: State, fault: Option<Fault>, client: Client) -> Seen {
    let trap = Trap::new(fault);
    let classifies = trap.clone();
    let classify = move |_: &(dyn Error + 'static)| {
        classifies.strike(Where::Classifier);
        None
    };
    let off = RouteRule::new("/off").mode(Mode::Off).no_body_limit();
    let policy = Policy::builder().body_limit(8).route(RouteRule::new("/json").json(true)).route(off).build().unwrap();
    let layer = ErrorEnvelopeLayer::new().policy(policy).classify(classify);
    let faulty = Faulty { state, trap: trap.clone(), unready: state == State::Unready };
    let mut service = layer.layer(faulty);
    let seen = RefCell::new(Seen::default());
    let ((), lines) = logged(ask(&mut service, state, &trap, client, &seen));
    let (next, next_lines) = logged(async { timeout(HOUR, next(&mut service)).await });
    drop((service, layer));
    let mut seen = seen.into_inner();
    seen.struck = trap.struck() > 0;
    seen.doubled = trap.doubled();
    seen.broke = trap.broke();
    seen.kept = trap.holders() - 1;
    Seen { lines, next: next.ok(), next_lines, ..seen }
}

const HOUR: Duration = Duration::from_secs(3600);

async fn ask(
    service: &mut ErrorEnvelopeService<Faulty>,
    state: State,
    trap: &Trap,
    client: Client,
    seen: &RefCell<Seen>,
) {
    let request = state.request(trap);
    let Ok(ready) = timeout(HOUR, service.ready()).await else {
        // No request was made, so this value is still the client's, and the layer has no part in its drop.
        trap.disarm();
        return;
    };
    let call = ready.unwrap().call(request);
    seen.borrow_mut().called = true;
    let reads = Box::pin(async {
        let Ok(response) = call.await;
        reads(response, trap, seen).await;
    });
    let polls = match client {
        Client::Waits => usize::MAX,
        Client::LeavesAfter(polls) => polls,
    };
    // The hour only ends if something hangs.
    seen.borrow_mut().left = timeout(HOUR, Leaving { polls, work: Some(reads) }).await == Ok(true);
}

async fn reads<B>(response: Response<B>, trap: &Trap, seen: &RefCell<Seen>)
where
    B: Body<Data = Bytes, Error: Error> + Unpin,
{
    let (head, mut body) = response.into_parts();
    got(head, trap, seen);
    loop {
        yield_now().await;
        let _ = (body.size_hint(), body.is_end_stream());
        let ended = match body.frame().await {
            None => Ok(()),
            Some(Err(error)) => Err(format!("{error} {error:?}")),
            Some(Ok(frame)) => {
                seen.borrow_mut().takes(frame);
                continue;
            }
        };
        let failed = ended.is_err();
        seen.borrow_mut().ended = Some(ended);
        let more = failed && body.frame().await.is_some();
        seen.borrow_mut().after_error = more;
        return;
    }
}

impl Seen {
    fn takes(&mut self, frame: Frame<Bytes>) {
        match frame.into_data() {
            Ok(data) => {
                let answer = self.answer.as_mut().unwrap();
                answer.body = [&answer.body[..], &data].concat().into();
            }
            Err(frame) => self.trailers = frame.into_trailers().ok(),
        }
    }
}

fn got(mut head: Parts, trap: &Trap, seen: &RefCell<Seen>) {
    let seen = &mut *seen.borrow_mut();
    seen.heads += 1;
    // The layer has no part in what the client drops.
    trap.disarm_at(Where::ResponseExtension);
    head.extensions.clear();
    seen.answer = Some(Answer { head, body: Bytes::new() });
}

async fn next(service: &mut ErrorEnvelopeService<Faulty>) -> (u16, Bytes) {
    let Ok(response) = service.ready().await.unwrap().call(next_request()).await;
    let answer = answer(response).await;
    (answer.head.status.as_u16(), answer.body)
}

/// A client that leaves. The result is true if it left before the end.
struct Leaving<F> {
    polls: usize,
    work: Option<Pin<Box<F>>>,
}

impl<F: Future<Output = ()>> Future for Leaving<F> {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        if self.polls == 0 {
            self.work = None;
            return Poll::Ready(true);
        }
        self.polls -= 1;
        let Some(work) = &mut self.work else { return Poll::Ready(true) };
        work.as_mut().poll(cx).map(|()| false)
    }
}
