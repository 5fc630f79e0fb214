//! A future that is polled when it is woken, and not each time its task is.
//!
//! Beside a connection that is polled with each request wait clocks and signals that seldom come to anything: a poll of a
//! clock of tokio's costs a hundred instructions and more.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use pin_project_lite::pin_project;

pin_project! {
    /// `F`, polled when it asks for it.
    pub(crate) struct Rarely<F> {
        #[pin]
        future: F,
        asks: Arc<Asks>,
        waker: Waker,
    }
}

struct Asks {
    to_be_polled: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl<F> Rarely<F> {
    pub(crate) fn new(future: F) -> Self {
        let asks = Arc::new(Asks { to_be_polled: AtomicBool::new(true), task: Mutex::default() });
        Self { future, waker: Waker::from(Arc::clone(&asks)), asks }
    }
}

impl<F: Future> Future for Rarely<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        // First the task, then the look: who asks between the two wakes it.
        this.asks.is_on(cx.waker());
        if !this.asks.to_be_polled.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        this.future.poll(&mut Context::from_waker(this.waker))
    }
}

impl Asks {
    fn is_on(&self, task: &Waker) {
        let mut known = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.as_ref().is_some_and(|known| known.will_wake(task)) {
            *known = Some(task.clone());
        }
    }
}

impl Wake for Asks {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.to_be_polled.store(true, Ordering::Release);
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
        let mut rarely = Box::pin(Rarely::new(poll_fn(|cx| {
            polls.fetch_add(1, Ordering::Relaxed);
            clock.as_mut().poll(cx)
        })));
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
        let mut rarely = Box::pin(Rarely::new(sleep(Duration::from_secs(2))));
        tokio::select! {
            () = &mut rarely => panic!("too early"),
            () = sleep(Duration::from_secs(1)) => {}
        }
        tokio::time::timeout(Duration::from_secs(2), tokio::spawn(rarely)).await.unwrap().unwrap();
    }
}
