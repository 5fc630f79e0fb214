//! The time limit for a service's response head. One clock serves all requests of a runtime.
//!
//! With a timer for each request, tokio would insert and remove each one, though hardly any fires. The requests of a
//! service have the same limit, so a request that begins while the clock sleeps is not due before the clock wakes. Each
//! wake-up checks all requests. It happens at most a hundred times within the limit, however many requests are late.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pin_project_lite::pin_project;
use slab::Slab;
use tokio::runtime::{self, Handle};
use tokio::time::{Instant, sleep_until};
use tower::BoxError;
use tower::timeout::error::Elapsed;

use super::pace::Pace;

/// How many times a clock checks the requests within the limit, at most. So a 504 may be late by this fraction of the
/// limit.
const LOOKS: u32 = 100;

/// How long one service may take to send its response head. Clones share one list of waiting requests.
#[derive(Clone)]
pub(crate) struct HeadLimit(Arc<Shared>);

struct Shared {
    limit: Duration,
    waiting: Mutex<WaitingRequests>,
}

#[derive(Default)]
struct WaitingRequests {
    requests: Slab<WaitingRequest>,
    /// The runtimes that have a clock: each runtime with requests has its own, since another runtime may be blocked, or
    /// end.
    clocks: Vec<runtime::Id>,
}

/// A request that waits for the head of its response.
struct WaitingRequest {
    began: Instant,
    /// The pace of the request's body, if it has one.
    pace: Option<Pace>,
    task: Waker,
    is_late: bool,
}

impl HeadLimit {
    pub(crate) fn new(limit: Duration) -> Self {
        Self(Arc::new(Shared { limit, waiting: Mutex::default() }))
    }

    /// Limits the time for `head`: after that it fails with tower's [`Elapsed`], which the layer turns into 504
    /// `gateway_timeout`. The time begins with the first poll, and stops while `pace` shows that the client is slow.
    pub(crate) fn apply<F>(&self, head: F, pace: Option<Pace>) -> LimitedHead<'_, F> {
        LimitedHead { head, pace, guard: WaitGuard { shared: &self.0, key: None } }
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, WaitingRequests> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the requests that are late. Returns the time of the next check, or `None` if no request waits. In that
    /// case the clock of `runtime` must end.
    fn wake_late(&self, runtime: runtime::Id) -> Option<Instant> {
        let mut late = Vec::new();
        let mut waiting = self.waiting();
        let now = Instant::now();
        let mut next = now + self.limit;
        for (_, request) in waiting.requests.iter_mut().filter(|(_, request)| !request.is_late) {
            let due = request.began.max(request.pace.as_ref().map_or(request.began, Pace::waited_since)) + self.limit;
            if due <= now {
                request.is_late = true;
                late.push(request.task.clone());
            } else {
                next = next.min(due);
            }
        }
        let is_needed = !waiting.requests.is_empty();
        if !is_needed {
            waiting.clocks.retain(|clock| *clock != runtime);
        }
        drop(waiting);
        late.into_iter().for_each(Waker::wake);
        is_needed.then_some(next.max(now + self.limit / LOOKS))
    }
}

/// The clock of one runtime: runs until no request waits, or the runtime ends.
struct Clock {
    shared: Arc<Shared>,
    runtime: runtime::Id,
    has_ended: bool,
}

impl Clock {
    async fn run(mut self) {
        while let Some(next) = self.shared.wake_late(self.runtime) {
            sleep_until(next).await;
        }
        self.has_ended = true;
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        if !self.has_ended {
            self.shared.waiting().clocks.retain(|clock| *clock != self.runtime);
        }
    }
}

/// Removes a request from the list of waiting requests when this is dropped.
struct WaitGuard<'a> {
    shared: &'a Arc<Shared>,
    /// The key in the list of waiting requests; `None` before the first poll.
    key: Option<usize>,
}

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        let request = self.key.map(|key| self.shared.waiting().requests.remove(key));
        drop(request);
    }
}

pin_project! {
    /// The future of [`HeadLimit::apply`].
    pub(crate) struct LimitedHead<'a, F> {
        #[pin]
        head: F,
        pace: Option<Pace>,
        guard: WaitGuard<'a>,
    }
}

impl<F, T> Future for LimitedHead<'_, F>
where
    F: Future<Output = Result<T, BoxError>>,
{
    type Output = Result<T, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(head) = this.head.poll(cx) {
            return Poll::Ready(head);
        }
        let WaitGuard { shared, key } = this.guard;
        let (runtime, mut waiting) = (Handle::current(), shared.waiting());
        if let Some(key) = *key {
            let request = &mut waiting.requests[key];
            request.task.clone_from(cx.waker());
            if request.is_late {
                return Poll::Ready(Err(Elapsed::new().into()));
            }
        } else {
            let (began, pace, task) = (Instant::now(), this.pace.take(), cx.waker().clone());
            *key = Some(waiting.requests.insert(WaitingRequest { began, pace, task, is_late: false }));
        }
        let needs_clock = !waiting.clocks.contains(&runtime.id());
        if needs_clock {
            waiting.clocks.push(runtime.id());
        }
        // If the runtime is ending, it drops the clock at once, and that takes the lock.
        drop(waiting);
        if needs_clock {
            runtime.spawn(Clock { shared: Arc::clone(shared), runtime: runtime.id(), has_ended: false }.run());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::future::{pending, poll_fn, ready};
    use std::pin::pin;
    use std::sync::mpsc;

    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::workers::Workers;

    const LIMIT: Duration = Duration::from_secs(30);
    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn each_request_has_its_time_and_at_most_a_hundredth_more() {
        let limit = Arc::new(HeadLimit::new(LIMIT));
        let mut random = 7_u64;
        let mut milliseconds = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            Duration::from_millis((random >> 33) % 60_000)
        };
        let requests = (0..2_000).map(|_| {
            let (limit, starts, takes) = (Arc::clone(&limit), milliseconds(), milliseconds());
            tokio::spawn(async move {
                sleep(starts).await;
                let head = async {
                    sleep(takes).await;
                    Ok(())
                };
                let (began, is_in_time) = (Instant::now(), limit.apply(head, None).await.is_ok());
                let (took, late) = (began.elapsed(), LIMIT + LIMIT / LOOKS);
                if is_in_time {
                    assert!(took == takes && took < late, "{starts:?} {takes:?} {took:?}");
                } else {
                    assert!(takes > LIMIT && (LIMIT..=late).contains(&took), "{starts:?} {takes:?} {took:?}");
                }
                (!is_in_time).then(Instant::now)
            })
        });
        let mut ends = HashSet::new();
        for request in requests.collect::<Vec<_>>() {
            ends.extend(request.await.unwrap());
        }
        // They end over three times the limit at most.
        assert!((LOOKS as usize / 2..=3 * LOOKS as usize).contains(&ends.len()), "{}", ends.len());
        assert!(limit.0.waiting().requests.is_empty());
        sleep(2 * LIMIT).await;
        assert!(limit.0.waiting().clocks.is_empty(), "it ran on for nobody");
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_an_upload_stands_still_while_its_client_pauses() {
        let (limit, pace, began) = (HeadLimit::new(LIMIT), Pace::start(), Instant::now());
        let service = limit.apply(pending::<Result<(), BoxError>>(), Some(pace.clone()));
        let client = async {
            for _ in 0..5 {
                pace.note(true);
                sleep(2 * LIMIT).await;
                pace.note(false);
                sleep(LIMIT - SECOND).await;
            }
            pending().await
        };
        tokio::select! {
            late = service => assert!(late.unwrap_err().is::<Elapsed>()),
            () = client => {}
        }
        assert_eq!(began.elapsed(), 5 * (3 * LIMIT - SECOND) + SECOND);
    }

    #[test]
    fn the_end_of_a_runtime_leaves_a_request_a_clock() {
        let limit = HeadLimit::new(Duration::from_millis(1));
        let runtime =
            || tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let mut head = pin!(limit.apply(pending::<Result<(), BoxError>>(), None));
        runtime().block_on(async {
            tokio::select! {
                biased;
                _ = head.as_mut() => panic!("too early"),
                () = ready(()) => {}
            }
        });
        assert!(limit.0.waiting().clocks.is_empty());
        runtime().block_on(async { timeout(LIMIT, head).await.unwrap().unwrap_err() });
    }

    #[test]
    fn a_request_that_begins_while_its_runtime_ends_is_dropped_with_it() {
        struct AtTheEnd(Arc<HeadLimit>);

        impl Drop for AtTheEnd {
            fn drop(&mut self) {
                let head = pin!(self.0.apply(pending::<Result<(), BoxError>>(), None));
                assert!(head.poll(&mut Context::from_waker(Waker::noop())).is_pending());
            }
        }

        let limit = Arc::new(HeadLimit::new(LIMIT));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let at_the_end = AtTheEnd(Arc::clone(&limit));
        runtime.spawn(async move {
            pending::<()>().await;
            drop(at_the_end);
        });
        drop(runtime);
        let waiting = limit.0.waiting();
        assert!(waiting.requests.is_empty() && waiting.clocks.is_empty());
    }

    #[test]
    fn a_thread_that_is_blocked_keeps_no_other_ones_clock() {
        let mut workers = Workers::start(2).unwrap();
        let limit = Arc::new(HeadLimit::new(Duration::from_millis(1)));
        let ((waits, is_blocked), (late, outcome), (release, blocked)) =
            (mpsc::channel(), mpsc::channel(), mpsc::channel::<()>());
        let (first, second) = (Arc::clone(&limit), limit);
        let blocked = async move {
            let mut head = pin!(first.apply(pending::<Result<(), BoxError>>(), None));
            poll_fn(|cx| Poll::Ready(head.as_mut().poll(cx))).await.is_pending().then_some(()).unwrap();
            waits.send(()).unwrap();
            blocked.recv().unwrap_err();
        };
        let other = async move {
            is_blocked.recv().unwrap();
            late.send(second.apply(pending::<Result<(), BoxError>>(), None).await.is_err()).unwrap();
        };
        let tasks: [Pin<Box<dyn Future<Output = ()> + Send>>; 2] = [Box::pin(blocked), Box::pin(other)];
        workers.run(tasks.into_iter().map(|task| move || drop(tokio::spawn(task))));
        assert!(outcome.recv_timeout(LIMIT).unwrap());
        drop(release);
    }
}
