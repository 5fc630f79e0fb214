//! The mixed load, and the conditions after it.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::clients::{Client, Ended};
use super::service::Seen;
use crate::holds::gateway::Event;

pub(crate) struct Load {
    pub(crate) clients: u64,
    /// The pause of each client between two requests.
    pub(crate) pause: Duration,
    pub(crate) seen: Arc<Seen>,
    /// The number of requests so far.
    pub(crate) numbers: Arc<AtomicU64>,
}

/// One request.
pub(crate) struct Request {
    number: u64,
    ended: Ended,
}

impl Load {
    pub(crate) async fn on(&self, address: SocketAddr, time: Duration) -> Vec<Request> {
        let end = Instant::now() + time;
        let mut workers = JoinSet::new();
        for worker in 0..self.clients {
            let (seen, numbers, pause) = (Arc::clone(&self.seen), Arc::clone(&self.numbers), self.pause);
            workers.spawn(async move {
                let mut client = Client::new(worker, address, seen);
                let mut requests = Vec::new();
                while Instant::now() < end {
                    let number = numbers.fetch_add(1, Ordering::Relaxed);
                    requests.push(Request { number, ended: client.ask(number).await });
                    if !pause.is_zero() {
                        tokio::time::sleep(pause).await;
                    }
                }
                requests
            });
        }
        workers.join_all().await.into_iter().flatten().collect()
    }
}

/// The results of all requests.
pub(crate) struct Verdict {
    pub(crate) requests: usize,
    pub(crate) answers: usize,
    /// The number of clients that left before their response.
    pub(crate) left: usize,
    /// The number of those that were logged as abandoned. For the others, the gateway noticed the service first, and
    /// wrote a response that nobody read.
    pub(crate) abandoned: usize,
    pub(crate) ids: usize,
    pub(crate) wrong: Vec<String>,
}

pub(crate) fn judge(requests: &[Request], seen: &HashMap<u64, String>, events: &[Event]) -> Verdict {
    let mut logged = HashMap::<&str, Vec<&Event>>::new();
    for event in events {
        logged.entry(&event.id).or_default().push(event);
    }
    let (mut ids, mut wrong, mut left, mut abandoned) = (HashSet::new(), Vec::new(), 0, 0);
    for Request { number, ended } in requests {
        let id = match ended {
            Ended::Answered { id, .. } | Ended::LeftWithin { id } => Some(id),
            Ended::Left { .. } => seen.get(number),
        };
        let Some(id) = id else {
            wrong.push(format!("{number} {ended:?}: it never came to the service"));
            continue;
        };
        ids.insert(id);
        let events = logged.remove(&**id).unwrap_or_default();
        if matches!(ended, Ended::Left { .. }) {
            left += 1;
            abandoned += usize::from(events.iter().any(|event| event.origin == "abandoned"));
        }
        if !is_logged(ended, &events) {
            wrong.push(format!("{number} {ended:?} {id}: the log says {events:?}"));
        }
    }
    if ids.len() != requests.len() {
        wrong.push(format!("{} ids for {} requests", ids.len(), requests.len()));
    }
    wrong.extend(logged.into_iter().map(|(id, events)| format!("logged for no request: {id} {events:?}")));
    Verdict { requests: requests.len(), answers: requests.len() - left, left, abandoned, ids: ids.len(), wrong }
}

impl Verdict {
    #[track_caller]
    pub(crate) fn assert(&self) {
        let Self { requests, left, wrong, .. } = self;
        assert!(wrong.is_empty(), "{} of {requests}: {:#?}", wrong.len(), &wrong[..wrong.len().min(10)]);
        assert!(left * 20 > *requests, "too few left to prove anything: {left} of {requests}");
    }
}

/// Returns true if the log has the right lines for this request.
fn is_logged(ended: &Ended, events: &[&Event]) -> bool {
    match (ended, events) {
        (Ended::Answered { code: None, .. }, []) => true,
        (Ended::Answered { code: Some(code), .. }, [event]) => event.code.as_ref() == Some(code),
        (Ended::LeftWithin { .. } | Ended::Left { uploading: false }, [event]) => event.origin == "abandoned",
        // The side of the service may notice it first. A response is then written that nobody reads.
        (Ended::Left { uploading: true }, [event]) => {
            event.origin == "abandoned" || event.code.as_deref().is_none_or(|code| code == "bad_request")
        }
        _ => false,
    }
}
