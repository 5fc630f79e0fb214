//! A future that is polled only when it was woken itself, and not each time its task is polled.
//!
//! Clocks and signals that seldom resolve share a task with a connection, which is polled at each request, and polling
//! one of tokio's clocks costs a hundred instructions or more.

use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Polls `F` at first and after each wake-up of its own. After `F` has resolved, it is polled again at once, since it
/// may resolve again.
pub(crate) struct PollOnWake<F> {
    wakes: Arc<Wakes>,
    /// The number of wake-ups when the future was last polled.
    seen: u32,
    /// The task that polled this last: the same task need not be stored again, which takes a lock.
    task: Option<Waker>,
    future: F,
}

#[derive(Default)]
struct Wakes {
    count: AtomicU32,
    task: Mutex<Option<Waker>>,
}

impl<F> PollOnWake<F> {
    pub(crate) fn new(future: F) -> Self {
        Self { wakes: Arc::default(), seen: u32::MAX, task: None, future }
    }

    /// The future. The caller may change it, so the next poll reaches it.
    pub(crate) fn get_mut(&mut self) -> &mut F {
        self.seen = self.wakes.count.load(Ordering::Acquire).wrapping_sub(1);
        &mut self.future
    }
}

impl<F: Future + Unpin> Future for PollOnWake<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        // The task is stored before the wake-ups are read, so that a wake-up between the two wakes this task.
        if !this.task.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            this.task = Some(cx.waker().clone());
            *this.wakes.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        }
        let count = this.wakes.count.load(Ordering::Acquire);
        if this.seen == count {
            return Poll::Pending;
        }
        let waker = Waker::from(Arc::clone(&this.wakes));
        let polled = Pin::new(&mut this.future).poll(&mut Context::from_waker(&waker));
        this.seen = if polled.is_ready() { count.wrapping_sub(1) } else { count };
        polled
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.count.fetch_add(1, Ordering::AcqRel);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_polled_as_often_as_it_is_woken() {
        let (polls, wakes) = (AtomicUsize::new(0), Instant::now() + Duration::from_secs(9));
        let mut clock = Box::pin(tokio::time::sleep_until(wakes));
        let mut polled = PollOnWake::new(poll_fn(|cx| {
            polls.fetch_add(1, Ordering::Relaxed);
            clock.as_mut().poll(cx)
        }));
        for _ in 0..5 {
            tokio::select! {
                () = &mut polled => panic!("too early"),
                () = sleep(Duration::from_secs(1)) => {}
            }
        }
        polled.await;
        assert_eq!((polls.into_inner(), Instant::now()), (2, wakes));
    }

    #[tokio::test(start_paused = true)]
    async fn it_wakes_the_task_that_polls_it_last() {
        let mut polled = PollOnWake::new(Box::pin(sleep(Duration::from_secs(2))));
        tokio::select! {
            () = &mut polled => panic!("too early"),
            () = sleep(Duration::from_secs(1)) => {}
        }
        tokio::time::timeout(Duration::from_secs(2), tokio::spawn(polled)).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn what_has_resolved_or_changed_is_polled_again() {
        let mut polled = PollOnWake::new(std::future::ready(1));
        assert_eq!(poll_fn(|cx| Pin::new(&mut polled).poll(cx)).await, 1);
        *polled.get_mut() = std::future::ready(2);
        assert_eq!(poll_fn(|cx| Pin::new(&mut polled).poll(cx)).await, 2);

        let mut turns = [Poll::Ready("a"), Poll::Ready("b"), Poll::Pending].into_iter();
        let mut polled = PollOnWake::new(poll_fn(|_| turns.next().expect("it is not polled without a wake")));
        for expected in [Poll::Ready("a"), Poll::Ready("b"), Poll::Pending, Poll::Pending] {
            assert_eq!(poll_fn(|cx| Poll::Ready(Pin::new(&mut polled).poll(cx))).await, expected);
        }
    }
}
