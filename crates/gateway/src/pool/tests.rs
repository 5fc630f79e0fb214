//! Tests the pool with simulated connections, in simulated time.

mod bound;
mod exchange;
mod line;
mod shared;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, yield_now};
use tower::BoxError;

use super::reply::{GiveBack, Lease};
use super::{Bounds, Connection, Pool, PoolSlot};
use crate::count::UpstreamMetrics;

const QUEUE_TIME: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(4);

/// A simulated service that records how its connections are used.
#[derive(Default)]
struct Service {
    opened: AtomicUsize,
    open: AtomicUsize,
    /// A semaphore on which opening a connection waits, if it is set.
    gate: Option<Semaphore>,
    refuses: bool,
    room: usize,
    closed: Mutex<Vec<usize>>,
}

impl Service {
    fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }

    fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    fn close(&self, number: usize) {
        self.closed.lock().unwrap().push(number);
    }
}

/// A simulated socket, with its slot in the pool.
struct Socket {
    service: Arc<Service>,
    _place: PoolSlot,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.service.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A simulated connection. If `SHARED` is true, it accepts several requests at once, like HTTP/2.
struct Simulated<const SHARED: bool> {
    number: usize,
    socket: Arc<Socket>,
}

impl<const SHARED: bool> Connection for Simulated<SHARED> {
    const IS_SHARED: bool = SHARED;

    fn is_fit(&self) -> bool {
        !self.socket.service.closed.lock().unwrap().contains(&self.number)
    }

    fn has_ended(&self) -> bool {
        !self.is_fit()
    }

    fn room(&self) -> usize {
        self.socket.service.room.max(1)
    }

    fn share(&self) -> Option<Self> {
        SHARED.then(|| Self { number: self.number, socket: Arc::clone(&self.socket) })
    }

    fn is_same(&self, other: &Self) -> bool {
        SHARED && self.number == other.number
    }

    fn poll_reusable(&mut self, _: &mut Context<'_>) -> Poll<bool> {
        Poll::Ready(self.is_fit())
    }
}

fn pool<const SHARED: bool>(service: Service, connections: usize) -> (Pool<Simulated<SHARED>>, Arc<Service>) {
    pool_with(QUEUE_TIME, service, connections)
}

fn pool_with<const SHARED: bool>(
    queue_time: Duration,
    service: Service,
    connections: usize,
) -> (Pool<Simulated<SHARED>>, Arc<Service>) {
    let service = Arc::new(service);
    let shared = Arc::clone(&service);
    let bounds = Bounds { connections, queue_time, idle_timeout: IDLE, open_timeout: 30 * QUEUE_TIME };
    let open = move |place| open(Arc::clone(&shared), place);
    (Pool::new(bounds, UpstreamMetrics::new(String::new(), bounds.connections), open), service)
}

async fn open<const SHARED: bool>(service: Arc<Service>, place: PoolSlot) -> Result<Simulated<SHARED>, BoxError> {
    let number = service.opened.fetch_add(1, Ordering::SeqCst);
    service.open.fetch_add(1, Ordering::SeqCst);
    let socket = Arc::new(Socket { service: Arc::clone(&service), _place: place });
    if let Some(gate) = &service.gate {
        gate.acquire().await?.forget();
    }
    if service.refuses {
        return Err("refused".into());
    }
    Ok(Simulated { number, socket })
}

impl<C: Connection> Pool<C> {
    async fn take(&self) -> Result<Lease<C>, BoxError> {
        self.take_within(&mut { self.0.bounds.queue_time }).await
    }

    async fn take_fresh(&self) -> Result<Lease<C>, BoxError> {
        self.take_fresh_within(&mut { self.0.bounds.queue_time }).await
    }
}

type Taking<C> = JoinHandle<Result<Lease<C>, BoxError>>;

/// Starts `count` requests that take a connection, one after the other.
async fn take<C: Connection + Sync>(pool: &Pool<C>, count: usize) -> Vec<Taking<C>> {
    let mut taking = Vec::new();
    for _ in 0..count {
        let pool = pool.clone();
        taking.push(tokio::spawn(async move { pool.take().await }));
        run().await;
    }
    taking
}

/// Lets every task run as far as it can.
async fn run() {
    for _ in 0..20 {
        yield_now().await;
    }
}

fn number<const SHARED: bool>(lease: &mut Lease<Simulated<SHARED>>) -> usize {
    lease.connection.as_ref().expect("it is taken").number
}

async fn give_back<C: Connection>(mut lease: Lease<C>) {
    std::future::poll_fn(|cx| lease.poll_give_back(cx)).await;
    run().await;
}

#[tokio::test(start_paused = true)]
async fn the_newest_idle_connection_that_is_fit_is_taken() {
    let (pool, service) = pool::<false>(Service::default(), 9);
    let mut leases = Vec::new();
    for _ in 0..3 {
        leases.push(pool.take().await.unwrap());
    }
    for lease in leases {
        give_back(lease).await;
    }
    service.close(2);
    let mut taken = pool.take().await.unwrap();
    assert_eq!((number(&mut taken), taken.is_used, service.opened()), (1, true, 3));
}

#[tokio::test(start_paused = true)]
async fn who_waits_gets_the_connection_that_comes_back_and_none_is_opened_beyond_what_waits() {
    let gate = Some(Semaphore::new(1));
    let (pool, service) = pool::<false>(Service { gate, ..Service::default() }, 9);
    let first = pool.take().await.unwrap();
    let mut waiting = take(&pool, 2).await;
    assert_eq!(service.opened(), 3);
    give_back(first).await;
    let mut second = waiting.remove(0).await.unwrap().unwrap();
    assert_eq!((number(&mut second), second.is_used), (0, true));
    // No request waits for the connection that is being opened. So the next request waits for this connection, and none
    // is opened.
    let more = take(&pool, 1).await;
    assert_eq!(service.opened(), 3);
    service.gate.as_ref().unwrap().add_permits(2);
    run().await;
    assert!(waiting.remove(0).is_finished() && more[0].is_finished());
}

#[tokio::test(start_paused = true)]
async fn at_the_bound_requests_wait_in_order() {
    let (pool, service) = pool::<false>(Service::default(), 1);
    let first = pool.take().await.unwrap();
    let mut waiting = take(&pool, 3).await;
    let mut lease = first;
    while !waiting.is_empty() {
        give_back(lease).await;
        assert!(waiting.iter().skip(1).all(|later| !later.is_finished()), "in order");
        lease = waiting.remove(0).await.unwrap().unwrap();
    }
    assert_eq!(service.opened(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_cannot_be_opened_fails_one_request() {
    let (pool, service) = pool::<false>(Service { refuses: true, ..Service::default() }, 9);
    for waiting in take(&pool, 2).await {
        assert_eq!(waiting.await.unwrap().err().expect("refused").to_string(), "refused");
    }
    assert_eq!((service.opened(), service.open()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_gives_up_takes_its_connection_with_it() {
    let gate = Some(Semaphore::new(0));
    let (pool, service) = pool::<false>(Service { gate, ..Service::default() }, 9);
    let waiting = take(&pool, 2).await;
    waiting[0].abort();
    run().await;
    assert_eq!(service.open(), 1, "one is still being opened, for the other");
    service.gate.as_ref().unwrap().add_permits(1);
    run().await;
    assert!(waiting[1].is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_closed_makes_room_for_the_next_in_line() {
    let (pool, service) = pool::<false>(Service::default(), 1);
    let first = pool.take().await.unwrap();
    let mut waiting = take(&pool, 1).await;
    drop(first);
    let mut second = waiting.remove(0).await.unwrap().unwrap();
    assert_eq!((number(&mut second), second.is_used, service.open()), (1, false, 1));
}

#[tokio::test(start_paused = true)]
async fn a_fresh_connection_is_opened_beside_idle_ones_and_in_their_place() {
    for bound in [1, 9] {
        let (pool, service) = pool::<false>(Service::default(), bound);
        give_back(pool.take().await.unwrap()).await;
        let mut fresh = pool.take_fresh().await.unwrap();
        assert_eq!((number(&mut fresh), fresh.is_used), (1, false));
        assert_eq!(service.open(), bound.min(2));
    }
}

#[tokio::test(start_paused = true)]
async fn at_the_bound_a_connection_that_comes_back_makes_room_for_a_fresh_one() {
    let (pool, service) = pool::<false>(Service::default(), 1);
    let first = pool.take().await.unwrap();
    let fresh = tokio::spawn({
        let pool = pool.clone();
        async move { pool.take_fresh().await }
    });
    run().await;
    give_back(first).await;
    let fresh = fresh.await.unwrap().unwrap();
    assert!(!fresh.is_used);
    assert_eq!((service.opened(), service.open()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_idle_too_long_is_closed_and_what_is_used_is_not() {
    let (pool, service) = pool::<false>(Service::default(), 9);
    let (used, unused) = (pool.take().await.unwrap(), pool.take().await.unwrap());
    give_back(unused).await;
    give_back(used).await;
    for _ in 0..8 {
        tokio::time::sleep(IDLE / 4).await;
        give_back(pool.take().await.unwrap()).await;
    }
    assert_eq!((service.opened(), service.open()), (2, 1));
    tokio::time::sleep(IDLE).await;
    assert_eq!(service.open(), 0);
}
