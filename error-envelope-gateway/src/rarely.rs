//! A future that is polled when it is woken, and not each time its task is.
//!
//! Beside a connection that is polled with each request wait clocks and signals that seldom come to anything: a poll of a
//! clock of tokio's costs a hundred instructions and more.

use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use pin_project_lite::pin_project;

pin_project! {
    /// `F`, polled when it asks for it, or another one that shares its wakes does.
    pub(crate) struct Rarely<F> {
        #[pin]
        future: F,
        wakes: Arc<Wakes>,
        // Of `wakes`.
        waker: Waker,
        // How many there had been when it was polled last.
        seen: u32,
        // The task that polled it last: one that is known asks for no lock.
        task: Option<Waker>,
    }
}

/// The wakes of all that is polled so in one task.
#[derive(Default)]
pub(crate) struct Wakes {
    count: AtomicU32,
    task: Mutex<Option<Waker>>,
}

impl<F> Rarely<F> {
    pub(crate) fn new(future: F, wakes: Arc<Wakes>) -> Self {
        let seen = wakes.count.load(Ordering::Acquire).wrapping_sub(1);
        Self { future, waker: Waker::from(Arc::clone(&wakes)), wakes, seen, task: None }
    }
}

impl<F: Future> Future for Rarely<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        // First the task, then the look: a wake between the two wakes it.
        if !this.task.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            *this.task = Some(cx.waker().clone());
            *this.wakes.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        }
        let count = this.wakes.count.load(Ordering::Acquire);
        if *this.seen == count {
            return Poll::Pending;
        }
        *this.seen = count;
        this.future.poll(&mut Context::from_waker(this.waker))
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
        let mut rarely = Box::pin(Rarely::new(
            poll_fn(|cx| {
                polls.fetch_add(1, Ordering::Relaxed);
                clock.as_mut().poll(cx)
            }),
            Arc::default(),
        ));
        for _ in 0..5 {
            tokio::select! {
                () = &mut rarely => panic!("too early"),
                () = sleep(Duration::from_secs(1)) => {}
            }
        }
        rarely.await;
        assert_eq!((polls.into_inner(), Instant::now()), (2, wakes));
    }

    #[tokio::test(start_paused = true)]
    async fn it_wakes_the_task_that_polls_it_last() {
        let mut rarely = Box::pin(Rarely::new(sleep(Duration::from_secs(2)), Arc::default()));
        tokio::select! {
            () = &mut rarely => panic!("too early"),
            () = sleep(Duration::from_secs(1)) => {}
        }
        tokio::time::timeout(Duration::from_secs(2), tokio::spawn(rarely)).await.unwrap().unwrap();
    }
}
