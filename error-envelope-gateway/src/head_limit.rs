//! How long a service may think before the head of its response, with one clock for all of its requests.
//!
//! A timer for each request goes into tokio's wheel and out of it again, and hardly one ever fires. The requests of a service have
//! the same limit: none that begins while the clock sleeps is due before it wakes. Each time that it wakes it looks at all of them:
//! not more often than a hundred times within the limit, however many are late one after the other.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pin_project_lite::pin_project;
use slab::Slab;
use tokio::time::{Instant, sleep_until};
use tower::BoxError;
use tower::timeout::error::Elapsed;

use super::pace::Pace;
use super::workers::{self, WorkerId};

/// Within the limit. A request that is due a moment after another one waits for so much longer.
const LOOKS: u32 = 100;

/// The limit of one service.
pub(crate) struct HeadLimit(Arc<Shared>);

struct Shared {
    limit: Duration,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    requests: Slab<WaitingRequest>,
    /// Where a clock runs: each worker that has requests has its own, and no other's thread is relied on.
    clocks: Vec<WorkerId>,
}

/// A request that waits for the head of its response.
struct WaitingRequest {
    began: Instant,
    /// Of its body. A request without one has none.
    pace: Option<Pace>,
    task: Waker,
    is_late: bool,
}

impl HeadLimit {
    pub(crate) fn new(limit: Duration) -> Self {
        Self(Arc::new(Shared { limit, waiting: Mutex::default() }))
    }

    /// `head`, or tower's [`Elapsed`], from which the layer makes 504 `gateway_timeout`. Its time begins with its first poll, and
    /// stands still while the client is the one who is slow, by `pace`.
    pub(crate) fn apply<F>(&self, head: F, pace: Option<Pace>) -> LimitedHead<'_, F> {
        LimitedHead { head, pace, place: Place { shared: &self.0, key: None } }
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the requests that are late. Returns when to look again; none if nothing waits: then this worker's clock has ended.
    fn wake_late(&self, worker: WorkerId) -> Option<Instant> {
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
            waiting.clocks.retain(|clock| *clock != worker);
        }
        drop(waiting);
        late.into_iter().for_each(Waker::wake);
        is_needed.then_some(next.max(now + self.limit / LOOKS))
    }
}

/// Runs until nothing waits, or its runtime ends.
struct Clock {
    shared: Arc<Shared>,
    worker: WorkerId,
    has_ended: bool,
}

impl Clock {
    async fn run(mut self) {
        while let Some(next) = self.shared.wake_late(self.worker) {
            sleep_until(next).await;
        }
        self.has_ended = true;
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        if !self.has_ended {
            self.shared.waiting().clocks.retain(|clock| *clock != self.worker);
        }
    }
}

/// A place among the requests that wait, until this is dropped.
struct Place<'a> {
    shared: &'a Arc<Shared>,
    key: Option<usize>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let request = self.key.map(|key| self.shared.waiting().requests.remove(key));
        drop(request);
    }
}

pin_project! {
    /// See [`HeadLimit::apply`].
    pub(crate) struct LimitedHead<'a, F> {
        #[pin]
        head: F,
        pace: Option<Pace>,
        place: Place<'a>,
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
        let Place { shared, key } = this.place;
        let mut waiting = shared.waiting();
        if let Some(key) = *key {
            let request = &mut waiting.requests[key];
            request.task.clone_from(cx.waker());
            return if request.is_late { Poll::Ready(Err(Elapsed::new().into())) } else { Poll::Pending };
        }
        let (began, pace, task) = (Instant::now(), this.pace.take(), cx.waker().clone());
        *key = Some(waiting.requests.insert(WaitingRequest { began, pace, task, is_late: false }));
        let worker = workers::here();
        if !waiting.clocks.contains(&worker) {
            waiting.clocks.push(worker);
            tokio::spawn(Clock { shared: Arc::clone(shared), worker, has_ended: false }.run());
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
                pace.moves(true);
                sleep(2 * LIMIT).await;
                pace.moves(false);
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
    fn the_end_of_a_runtime_leaves_later_requests_a_clock() {
        let limit = HeadLimit::new(Duration::from_millis(1));
        let runtime =
            || tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime().block_on(async {
            let head = limit.apply(pending::<Result<(), BoxError>>(), None);
            tokio::select! {
                biased;
                _ = head => panic!("too early"),
                () = ready(()) => {}
            }
        });
        let head = limit.apply(pending::<Result<(), BoxError>>(), None);
        runtime().block_on(async { timeout(LIMIT, head).await.unwrap().unwrap_err() });
    }

    #[test]
    fn a_thread_that_is_blocked_keeps_no_other_ones_clock() {
        let mut workers = Workers::start(2).unwrap();
        let limit = Arc::new(HeadLimit::new(Duration::from_millis(1)));
        let ((waits, is_blocked), (late, told), (release, held)) =
            (mpsc::channel(), mpsc::channel(), mpsc::channel::<()>());
        let (first, second) = (Arc::clone(&limit), limit);
        let blocked = async move {
            let mut head = pin!(first.apply(pending::<Result<(), BoxError>>(), None));
            poll_fn(|cx| Poll::Ready(head.as_mut().poll(cx))).await.is_pending().then_some(()).unwrap();
            waits.send(()).unwrap();
            held.recv().unwrap_err();
        };
        let other = async move {
            is_blocked.recv().unwrap();
            late.send(second.apply(pending::<Result<(), BoxError>>(), None).await.is_err()).unwrap();
        };
        let tasks: [Pin<Box<dyn Future<Output = ()> + Send>>; 2] = [Box::pin(blocked), Box::pin(other)];
        workers.run(tasks.into_iter().map(|task| move || drop(tokio::spawn(task))));
        assert!(told.recv_timeout(LIMIT).unwrap());
        drop(release);
    }
}
