//! Everything at once: 256 clients, many of them slow or rude, and nothing is lost, doubled or kept.
//!
//! Each request ends in one of two ways: its client has the head of an answer, or it left, and the log has a line for it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::gateway::{Event, Gateway, setting};
use crate::wait::{until, when};
use clients::Ended;
use service::Seen;

mod clients;
mod service;

const CLIENTS: u64 = 256;
/// What may be left of the load, however long it is: in two minutes, 200 bytes that each request left behind are more.
const GROWTH_KIB: u64 = 8 * 1024;

#[test]
fn every_request_of_a_mixed_load_is_answered_or_logged_and_nothing_is_kept() {
    let seen = Arc::<Seen>::default();
    let service = service::of(&seen);
    let gateway = Gateway::start(service.address, &[]);
    let runtime = Runtime::new().unwrap();
    let numbers = Arc::new(AtomicU64::new(0));
    let load = |seconds| runtime.block_on(load(&gateway, &seen, &numbers, Duration::from_secs(seconds)));

    let descriptors = gateway.descriptors();
    let mut ended = load(3);
    let warm = quiet(&gateway, descriptors);
    ended.extend(load(setting("HOLDS_SECONDS", 5)));
    quiet(&gateway, descriptors);
    let after = until(&format!("at most {GROWTH_KIB} KiB more are held than {warm}"), || {
        let held = gateway.held_kib();
        when(held < warm + GROWTH_KIB, held)
    });

    let peak = gateway.peak_kib();
    println!("{} requests; {warm} KiB held before, {after} KiB after, at most {peak} KiB", ended.len());
    judge(&ended, &seen.ids.lock().unwrap(), &super::gateway::events(&gateway.stopped()));
}

/// One request.
struct Request {
    number: u64,
    ended: Ended,
}

async fn load(gateway: &Gateway, seen: &Arc<Seen>, numbers: &Arc<AtomicU64>, time: Duration) -> Vec<Request> {
    let end = Instant::now() + time;
    let mut workers = JoinSet::new();
    for worker in 0..CLIENTS {
        let (address, seen, numbers) = (gateway.address, Arc::clone(seen), Arc::clone(numbers));
        workers.spawn(async move {
            let mut client = clients::Client::new(worker, address, seen);
            let mut requests = Vec::new();
            while Instant::now() < end {
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                requests.push(Request { number, ended: client.ask(number).await });
            }
            requests
        });
    }
    workers.join_all().await.into_iter().flatten().collect()
}

/// The memory that is held once every connection is gone, and what they held has been given back.
fn quiet(gateway: &Gateway, descriptors: usize) -> u64 {
    until("descriptors are back where they began", || {
        let open = gateway.descriptors();
        when(open <= descriptors, (open, descriptors))
    });
    let mut before = u64::MAX;
    until("no more memory is given back", || {
        let last = std::mem::replace(&mut before, gateway.held_kib());
        when(before >= last, before)
    })
}

fn judge(requests: &[Request], seen: &HashMap<u64, String>, events: &[Event]) {
    let mut logged = HashMap::<&str, Vec<&Event>>::new();
    for event in events {
        logged.entry(&event.id).or_default().push(event);
    }
    let (mut ids, mut wrong, mut left) = (HashSet::new(), Vec::new(), 0);
    for Request { number, ended } in requests {
        let id = match ended {
            Ended::Answered { id, .. } => Some(id),
            Ended::Left { .. } => seen.get(number),
        };
        let Some(id) = id else {
            wrong.push(format!("{number} {ended:?}: it never came to the service"));
            continue;
        };
        ids.insert(id);
        left += usize::from(matches!(ended, Ended::Left { .. }));
        let events = logged.remove(&**id).unwrap_or_default();
        if !is_told(ended, &events) {
            wrong.push(format!("{number} {ended:?} {id}: the log says {events:?}"));
        }
    }
    println!("{} answers and {left} that left", requests.len() - left);
    assert!(wrong.is_empty(), "{} of {}: {:#?}", wrong.len(), requests.len(), &wrong[..wrong.len().min(10)]);
    assert_eq!(ids.len(), requests.len(), "each request has an id of its own");
    assert!(logged.is_empty(), "logged for no request: {logged:?}");
    assert!(left * 20 > requests.len(), "too few left to prove anything: {left} of {}", requests.len());
}

/// Whether the log has of this request what it should have.
fn is_told(ended: &Ended, events: &[&Event]) -> bool {
    match (ended, events) {
        (Ended::Answered { code: None, .. }, []) => true,
        (Ended::Answered { code: Some(code), .. }, [event]) => event.code.as_ref() == Some(code),
        (Ended::Left { uploading: false }, [event]) => event.origin == "abandoned",
        // The service's side may hear of it first: then an answer was made that nobody read.
        (Ended::Left { uploading: true }, [event]) => {
            event.origin == "abandoned" || event.code.as_deref() == Some("bad_request")
        }
        _ => false,
    }
}
