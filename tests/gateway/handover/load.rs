//! 500 requests a second while one process takes the place of another, and back.
//!
//! GOAWAY meets requests that a client of HTTP/2 has not sent yet: hyper's lets them fail, where Go's and browsers' send them
//! elsewhere (RFC 9113 §6.8). The one here sends them again as well, those alone that never reached the service; and at the end
//! the service has seen each request once.
//!
//! `HANDOVER_SECONDS=20` makes each part as long as that.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::process::Place;
use crate::holds::gateway::{Gateway, setting};
use crate::holds::service::{Service, full};
use crate::wait::TOO_LONG;

const EVERY: Duration = Duration::from_millis(2);
/// Every fourth request's service takes so long: some are in flight whenever another process takes over.
const SLOW: Duration = Duration::from_millis(50);

/// One of each kind: connections that are kept, in HTTP/1 and HTTP/2, and a new one for each request.
struct Clients {
    address: SocketAddr,
    kinds: [Client<HttpConnector, Full<Bytes>>; 3],
    next: AtomicUsize,
    /// How often the service saw each request.
    seen: RequestCounts,
    sent_again: AtomicUsize,
}

type RequestCounts = Arc<Mutex<HashMap<String, usize>>>;

const HTTP2: usize = 1;

impl Clients {
    fn new(address: SocketAddr, seen: RequestCounts) -> Self {
        let builder = || {
            let mut builder = Client::builder(TokioExecutor::new());
            // What was lost on the way is not sent again: it is seen.
            builder.retry_canceled_requests(false);
            builder
        };
        let kinds = [
            builder().build_http(),
            builder().http2_only(true).build_http(),
            builder().pool_max_idle_per_host(0).build_http(),
        ];
        let (next, sent_again) = Default::default();
        Self { address, kinds, next, seen, sent_again }
    }

    async fn ask(&self) -> Result<Duration, String> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (kind, slow) = (number % self.kinds.len(), number.is_multiple_of(4));
        let path = format!("/{}/{number}", if slow { "slow" } else { "quick" });
        let began = Instant::now();
        let mut answered = self.send(kind, &path).await;
        while answered.is_err() && kind == HTTP2 && !self.seen.lock().unwrap().contains_key(&path) {
            self.sent_again.fetch_add(1, Ordering::Relaxed);
            answered = self.send(kind, &path).await;
        }
        answered?;
        Ok(began.elapsed().saturating_sub(if slow { SLOW } else { Duration::ZERO }))
    }

    async fn send(&self, kind: usize, path: &str) -> Result<(), String> {
        let request = Request::get(format!("http://{}{path}", self.address)).body(Full::default()).unwrap();
        let answered = async {
            let response = self.kinds[kind].request(request).await.map_err(|error| format!("{kind}: {error:?}"))?;
            let status = response.status();
            let body = response.into_body().collect().await.map_err(|error| format!("{kind}: {error:?}"))?;
            if status == 200 && body.to_bytes() == "done" { Ok(()) } else { Err(format!("{kind}: {status}")) }
        };
        timeout(TOO_LONG, answered).await.unwrap_or_else(|_| Err(format!("{kind}: no answer")))
    }
}

#[test]
fn an_upgrade_and_a_step_back_under_500_requests_a_second_fail_none() {
    let seen = RequestCounts::default();
    let sees = Arc::clone(&seen);
    let service = Service::new(move |request| {
        let path = request.uri().path().to_owned();
        let slow = path.starts_with("/slow/");
        *sees.lock().unwrap().entry(path).or_default() += 1;
        async move {
            if slow {
                sleep(SLOW).await;
            }
            Response::new(full("done"))
        }
    });
    let place = Arc::new(Place::new("load", &service));
    let first = place.gateway(&[]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ended = runtime.block_on(async {
        let clients = Arc::new(Clients::new(first.address, Arc::clone(&seen)));
        let (alone, failed) = load(&clients, std::future::ready(())).await;
        report("no hand-over", &alone, &failed);
        let (upgrade, second) = handed_over(&clients, &place, "an upgrade").await;
        let (back, third) = handed_over(&clients, &place, "a step back").await;
        println!("{} over HTTP/2 were sent again: GOAWAY came first", clients.sent_again.load(Ordering::Relaxed));
        (alone.len() + upgrade + back, [first, second, third])
    });
    drop(runtime);
    let (answered, [first, second, third]) = ended;
    let seen = seen.lock().unwrap();
    let twice: Vec<_> = seen.iter().filter(|(_, times)| **times != 1).collect();
    assert!(
        answered > 1000 && seen.len() == answered && twice.is_empty(),
        "{answered}, {} seen, {twice:?}",
        seen.len()
    );
    for (gateway, stops) in [(first, false), (second, false), (third, true)] {
        if stops {
            gateway.signal("TERM");
        }
        let (status, log) = gateway.ended();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(!log.contains("\"WARN\"") && !log.contains("abandoned"), "{log}");
    }
}

/// Requests while another process takes over; how many, and that process.
async fn handed_over(clients: &Arc<Clients>, place: &Arc<Place>, what: &str) -> (usize, Gateway) {
    let place = Arc::clone(place);
    let (started, taken) = tokio::sync::oneshot::channel();
    let takes = async {
        let gateway = spawn_blocking(move || place.gateway(&[])).await.unwrap();
        let _ = started.send(gateway);
    };
    let (times, failed) = load(clients, takes).await;
    report(what, &times, &failed);
    assert!(failed.is_empty(), "{what}: {} failed: {:#?}", failed.len(), &failed[..failed.len().min(10)]);
    (times.len(), taken.await.unwrap())
}

/// For so long, and until `meanwhile` is done, which begins in the middle; the times of what succeeded, and why others did not.
async fn load(clients: &Arc<Clients>, meanwhile: impl Future<Output = ()>) -> (Vec<Duration>, Vec<String>) {
    let half = usize::try_from(setting("HANDOVER_SECONDS", 2) * 250).unwrap();
    let mut requests = JoinSet::new();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut meanwhile, mut done) = (std::pin::pin!(meanwhile), false);
    let (mut number, mut end) = (0, 2 * half);
    while number < end {
        tokio::select! {
            biased;
            () = &mut meanwhile, if number >= half && !done => done = true,
            _ = ticks.tick() => {
                let clients = Arc::clone(clients);
                requests.spawn(async move { clients.ask().await });
                number += 1;
                if !done && number == end {
                    end += half;
                }
            }
        }
    }
    let (times, failed): (Vec<_>, Vec<_>) = requests.join_all().await.into_iter().partition(Result::is_ok);
    (times.into_iter().flatten().collect(), failed.into_iter().filter_map(Result::err).collect())
}

fn report(what: &str, times: &[Duration], failed: &[String]) {
    let mut times = times.to_vec();
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    println!(
        "{what}: {} requests, {} failed; p50 {:.2?}, p99 {:.2?}, most {:.2?}",
        times.len() + failed.len(),
        failed.len(),
        at(50),
        at(99),
        at(100)
    );
}
