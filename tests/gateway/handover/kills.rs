//! `kill -9` of either process at any moment of a hand-over, while clients send requests.
//!
//! One process serves afterwards, and only a kill loses requests: those that the killed process had accepted, and those that come
//! before the new process has the sockets of an old one that is killed. `HANDOVER_KILLS=300` kills as often.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use http::Response;

use super::process::Place;
use crate::holds::gateway::setting;
use crate::holds::service::{Service, full};
use crate::wait::{TOO_LONG, until, when};

const CLIENTS: usize = 4;
/// Less than an old process stands by for its successor, and longer than the rest of a hand-over takes.
const MOMENTS: Duration = Duration::from_millis(400);
const BEFORE_CLIENTS: Duration = Duration::from_millis(40);
const STANDS_BY: Duration = Duration::from_secs(2);

#[test]
fn one_of_two_serves_whichever_is_killed_and_when() {
    let kills = usize::try_from(setting("HANDOVER_KILLS", 16)).unwrap();
    let service = Service::new(|_| std::future::ready(Response::new(full("done"))));
    let place = Place::new("kills", &service);
    let address = free_address();
    let start = || place.start_by(place.command_at(address, &[]));
    let mut serving = start();
    until("it serves", || ask(address));
    let load = Load::start(address);
    let mut random = Random(setting("HANDOVER_SEED", 1));
    let mut seen = Seen::default();
    for number in 0..kills {
        let what = format!("kill {number}");
        load.answers_more();
        let mut new = start();
        let began = Instant::now();
        let has_sockets = || !new.sockets().is_disjoint(&serving.sockets());
        // Every second kill falls between the sockets and the first clients, which is a short time; most of the rest is soon over.
        let (most, since) = if number % 2 == 0 {
            (MOMENTS, began)
        } else {
            pass_until(|| has_sockets() || began.elapsed() > MOMENTS);
            (BEFORE_CLIENTS, Instant::now())
        };
        let moment = most.mul_f64(random.share().powi(4));
        pass_until(|| since.elapsed() >= moment);
        let (has_sockets, kills_new) = (has_sockets(), random.share() < 0.5);
        let took_over = new.log().contains("took over from another gateway");
        let from = Instant::now();
        if kills_new {
            new.kill();
            assert!(began.elapsed() < STANDS_BY, "{what} came too late: the hand-over is over");
            load.killed(from, Instant::now());
        } else {
            serving.kill();
            if has_sockets {
                load.killed(from, Instant::now());
            }
            std::mem::swap(&mut serving, &mut new);
            until(&what, || ask(address).map_err(|error| (error, serving.log(), new.log())));
            if !has_sockets {
                load.killed(from, Instant::now());
            }
        }
        seen.count(kills_new, has_sockets, took_over);
        // Whoever connects from here on meets the one that is left.
        for _ in 0..4 {
            ask(address).unwrap_or_else(|error| panic!("{what}: {error} {} {}", serving.log(), new.log()));
        }
        assert!(serving.exit().is_none(), "{what}: {}", serving.log());
        load.check(&what);
    }
    let (answered, lost) = load.stop();
    println!("{kills} kills, {answered} requests answered, {lost} lost by the kills; {seen:?}");
}

/// A moment is shorter than the pauses of `until`.
fn pass_until(mut has_come: impl FnMut() -> bool) {
    while !has_come() {
        std::thread::yield_now();
    }
}

/// How many kills met each state: all of them are to be met in a long run.
#[derive(Debug, Default)]
struct Seen {
    new_without_sockets: usize,
    new_with_sockets: usize,
    new_took_over: usize,
    old_without_sockets: usize,
    old_with_sockets: usize,
    old_replaced: usize,
}

impl Seen {
    fn count(&mut self, kills_new: bool, has_sockets: bool, took_over: bool) {
        let met = match (kills_new, took_over, has_sockets) {
            (true, true, _) => &mut self.new_took_over,
            (true, false, true) => &mut self.new_with_sockets,
            (true, false, false) => &mut self.new_without_sockets,
            (false, true, _) => &mut self.old_replaced,
            (false, false, true) => &mut self.old_with_sockets,
            (false, false, false) => &mut self.old_without_sockets,
        };
        *met += 1;
    }
}

/// Clients that send one request after the other, each on a connection of its own.
struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
    /// When each kill began, and when no client could lose anything by it any more.
    kills: Mutex<Vec<(Instant, Instant)>>,
}

#[derive(Default)]
struct Shared {
    answered: AtomicUsize,
    stops: AtomicBool,
    /// When each request that was lost began and ended, and why.
    lost: Mutex<Vec<(Instant, Instant, String)>>,
}

impl Load {
    fn start(address: SocketAddr) -> Self {
        let shared = Arc::<Shared>::default();
        let client = |_| {
            let shared = Arc::clone(&shared);
            spawn(move || {
                while !shared.stops.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    match ask(address) {
                        Ok(()) => drop(shared.answered.fetch_add(1, Ordering::Relaxed)),
                        Err(error) => shared.lost.lock().unwrap().push((began, Instant::now(), error.to_string())),
                    }
                }
            })
        };
        let clients = (0..CLIENTS).map(client).collect();
        Self { shared, clients, kills: Mutex::default() }
    }

    fn killed(&self, from: Instant, to: Instant) {
        self.kills.lock().unwrap().push((from, to));
    }

    /// Waits for some answers: the load is there whenever another process starts.
    fn answers_more(&self) {
        let before = self.shared.answered.load(Ordering::Relaxed);
        let answered = || self.shared.answered.load(Ordering::Relaxed) - before;
        until("clients are answered", || when(answered() > 2 * CLIENTS, answered()));
    }

    #[track_caller]
    fn check(&self, what: &str) {
        let kills = self.kills.lock().unwrap();
        let by_a_kill = |began, ended| kills.iter().any(|(from, to)| began <= *to && ended >= *from);
        let lost = self.shared.lost.lock().unwrap();
        let otherwise: Vec<_> = lost.iter().filter(|(began, ended, _)| !by_a_kill(*began, *ended)).collect();
        assert!(otherwise.is_empty(), "{what}: {otherwise:?}");
    }

    fn stop(mut self) -> (usize, usize) {
        self.shared.stops.store(true, Ordering::Relaxed);
        self.clients.drain(..).for_each(|client| client.join().unwrap());
        self.check("at the end");
        (self.shared.answered.load(Ordering::Relaxed), self.shared.lost.lock().unwrap().len())
    }
}

fn ask(address: SocketAddr) -> Result<(), String> {
    let requests = || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(TOO_LONG))?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: test.example\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    };
    match requests() {
        Ok(answer) if answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("done") => Ok(()),
        Ok(answer) => Err(format!("{answer:?}")),
        Err(error) => Err(error.to_string()),
    }
}

/// Nobody else gets it: the tests bind port 0, and the kernel gives each such port out again late.
fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The same moments in each run with the same seed.
struct Random(u64);

impl Random {
    /// From 0 to 1 (xorshift64).
    fn share(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        f64::from(u32::try_from(self.0 >> 32).unwrap()) / f64::from(u32::MAX)
    }
}
