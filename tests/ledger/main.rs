//! Tests by a ledger (rule L5): requests of every kind, in each mode, go through the gateway and through a layer. The
//! ledger records what their clients and services saw, and each number and statement of each view is compared with it.
//!
//! `LEDGER_ROUNDS` states how often each kind is sent in each mode.
#![allow(clippy::disallowed_methods, reason = "tests measure real time and start their own tasks")]

mod client;
#[path = "../it/command.rs"]
mod command;
mod compare;
mod entry;
mod envoy;
mod frames;
mod gateway;
mod layer;

mod plan;
mod plants;
mod process;
mod service;
mod views;
#[allow(dead_code, reason = "shared with another integration binary, which asks for more")]
#[path = "../it/wait.rs"]
mod wait;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use entry::Entry;
use plan::{Kind, Upload};
use service::Service;

/// The number of parallel clients.
const AT_ONCE: usize = 16;

/// The number of the next request.
static NUMBER: AtomicU64 = AtomicU64::new(1);

fn rounds(default: usize) -> usize {
    std::env::var("LEDGER_ROUNDS").map_or(default, |rounds| rounds.parse().expect("LEDGER_ROUNDS is a whole number"))
}

/// Sends each kind this number of times in each mode, and records what was seen.
async fn send(
    front: SocketAddr,
    service: &Service,
    kinds: &[Kind],
    modes: &[&'static str],
    rounds: usize,
    is_switched: bool,
) -> Vec<Entry> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut asking = JoinSet::new();
    for _ in 0..rounds {
        for mode in modes.iter().copied() {
            for kind in kinds.iter().cloned() {
                let (service, places) = (service.clone(), places.clone());
                asking.spawn(async move {
                    let _place = places.acquire_owned().await.expect("it stays open");
                    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                    // A service's own error of Connect passes only if the path names a method (P3).
                    let service_name = if kind.headers.contains(&plan::CONNECT) { "shop.v1.Users/" } else { "" };
                    let path = format!("/{mode}/{}/{service_name}{}", kind.place, kind.name);
                    let mut got = client::ask(front, &service, &kind, &path, number).await;
                    if kind.http2 && got.is_broken && !matches!(kind.upload, Upload::Contradicts(..)) {
                        // A reset may arrive before the head, and then no client sees the head.
                        got.status.get_or_insert(kind.answer.status);
                    }
                    (number, Entry { kind, mode, path, got, served: service::Served::default(), is_switched })
                });
            }
        }
    }
    let mut ledger = Vec::new();
    while let Some(asked) = asking.join_next().await {
        let (number, entry) = asked.expect("no panic");
        ledger.push((number, entry));
    }
    // A service may see its part later than its client.
    ledger.into_iter().map(|(number, entry)| Entry { served: service.served(number), ..entry }).collect()
}

/// Fails if anything was found, with the first findings and their number.
#[track_caller]
fn expect_none(found: &[String], of: usize) {
    let shown = found.iter().take(60).map(|one| format!("  {one}\n")).collect::<String>();
    assert!(found.is_empty(), "{} false statements about {of} requests:\n{shown}", found.len());
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}
