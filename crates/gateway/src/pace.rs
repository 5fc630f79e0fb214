//! Limits the time until a service's response head, and the number of requests that the service handles.
//!
//! If a service sends no head in time, the client gets 504. The clock stops while the request waits for the client,
//! because a slow upload is not the service's fault.

use std::pin::pin;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tower::BoxError;
use tower::timeout::error::Elapsed;

/// Waits for `head` until `limit` has passed. Then returns tower's [`Elapsed`], which the layer turns into 504
/// `gateway_timeout`. The time does not count while `pace` shows that the request waits for the client.
pub(crate) async fn limit_head<T>(
    head: impl Future<Output = Result<T, BoxError>>,
    limit: Duration,
    pace: Option<&Pace>,
) -> Result<T, BoxError> {
    let (mut head, mut began) = (pin!(head), Instant::now());
    loop {
        if let Ok(head) = timeout_at(began + limit, head.as_mut()).await {
            return head;
        }
        match pace.map(Pace::waited_since) {
            Some(since) if since > began => began = since,
            _ => return Err(Elapsed::new().into()),
        }
    }
}

/// Stores when the body of a request last made progress, and whether the request waits for the client.
#[derive(Clone)]
pub(crate) struct Pace(Arc<Mutex<LastMove>>);

struct LastMove {
    at: Instant,
    waits_for_client: bool,
    ended: bool,
}

/// A response extension that marks a response that came before the request's body was completely sent.
#[derive(Clone, Copy)]
pub(crate) struct UnsentBody;

impl Pace {
    pub(crate) fn start() -> Self {
        Self(Arc::new(Mutex::new(LastMove { at: Instant::now(), waits_for_client: false, ended: false })))
    }

    /// Returns the time since which the request waits for the service. While the request waits for the client, this is
    /// the current time.
    pub(crate) fn waited_since(&self) -> Instant {
        let last = self.last();
        if last.waits_for_client { Instant::now() } else { last.at }
    }

    /// Records that the request made progress just now, or that it waits for the client.
    pub(crate) fn note(&self, waits_for_client: bool) {
        let mut last = self.last();
        (last.at, last.waits_for_client) = (Instant::now(), waits_for_client);
    }

    /// Records that the request body was sent to its end.
    pub(crate) fn end(&self) {
        self.last().ended = true;
    }

    /// Returns true if the request body was sent to its end.
    pub(crate) fn has_ended(&self) -> bool {
        self.last().ended
    }

    fn last(&self) -> MutexGuard<'_, LastMove> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Limits the number of requests that a service handles at once.
///
/// The limit on clients does not limit their requests. Over HTTP/2, a client sends many requests at once, and each of
/// them needs a connection to an HTTP/1.1 service. A request keeps its permit until both its bodies, or its upgraded
/// connection, have ended. (tower's own limit would release the permit at the response head.)
pub(crate) struct Capacity(Arc<AtomicU32>);

/// The permit of one request. It is released when its last clone is dropped.
#[derive(Clone)]
pub(crate) struct Permit(#[expect(dead_code, reason = "it is only held, and never read")] Arc<Room>);

/// The permit itself, which is released when this value is dropped.
struct Room(Arc<AtomicU32>);

impl Capacity {
    pub(crate) fn new(requests: u32) -> Self {
        Self(Arc::new(AtomicU32::new(requests)))
    }

    /// Takes a permit without waiting, or returns `None` if no permit is free. A request that waited would keep its body
    /// in memory.
    pub(crate) fn take(&self) -> Option<Permit> {
        let taken = self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        taken.map(|_| Permit(Arc::new(Room(Arc::clone(&self.0))))).ok()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::sleep;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);
    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn the_time_of_an_upload_stands_still_while_its_client_pauses() {
        let (pace, began) = (Pace::start(), Instant::now());
        let service = limit_head(pending::<Result<(), BoxError>>(), LIMIT, Some(&pace));
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
        let time = began.elapsed() - 5 * (3 * LIMIT - SECOND);
        assert!((SECOND..SECOND + SECOND / 100).contains(&time), "{time:?}");
    }
}
