//! Tests 256 clients at once, many of them slow or rude. Nothing is lost, doubled or kept.
//!
//! Each request ends in one of two ways: its client gets the head of a response, or it leaves, and the log has a line
//! for it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::gateway::{Gateway, events, setting};
use crate::wait::{until, when};
use load::{Load, judge};
use service::Seen;

mod clients;
#[allow(dead_code, reason = "shared with the command's benches, which ask for more")]
mod load;
mod service;

const CLIENTS: u64 = 256;
/// The memory that may be left after a load of any length. In two minutes, 200 bytes for each request would be more.
const GROWTH_KIB: u64 = 8 * 1024;

#[test]
fn every_request_of_a_mixed_load_is_answered_or_logged_and_nothing_is_kept() {
    let seen = Arc::<Seen>::default();
    let service = service::recording(&seen);
    let gateway = Gateway::start(service.address, &[]);
    let runtime = Runtime::new().unwrap();
    let load =
        Load { clients: CLIENTS, pause: Duration::ZERO, seen: Arc::clone(&seen), numbers: Arc::new(AtomicU64::new(0)) };
    let load = |seconds| runtime.block_on(load.on(gateway.address, Duration::from_secs(seconds)));

    let descriptors = gateway.descriptors();
    let mut ended = load(3);
    let warm = quiet(&gateway, descriptors);
    ended.extend(load(setting("HOLDS_SECONDS", 5)));
    quiet(&gateway, descriptors);
    let after = until(&format!("at most {GROWTH_KIB} KiB more are held than {warm}"), || {
        let resident = gateway.resident_kib();
        when(resident < warm + GROWTH_KIB, resident)
    });

    let peak = gateway.peak_kib();
    println!("{} requests; {warm} KiB held before, {after} KiB after, at most {peak} KiB", ended.len());
    let verdict = judge(&ended, &seen.ids.lock().unwrap(), &events(&gateway.stopped()));
    println!("{} answers and {} that left", verdict.answers, verdict.left);
    verdict.assert();
}

/// Waits until every connection is closed and its memory is returned, and returns the memory in use.
fn quiet(gateway: &Gateway, descriptors: usize) -> u64 {
    until("descriptors are back where they began", || {
        let open = gateway.descriptors();
        when(open <= descriptors, (open, descriptors))
    });
    let mut before = u64::MAX;
    until("no more memory is given back", || {
        let last = std::mem::replace(&mut before, gateway.resident_kib());
        when(before >= last, before)
    })
}
