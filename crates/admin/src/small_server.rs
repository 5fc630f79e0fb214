//! A small HTTP/1.1 server for probes. Clients that send nothing cannot block other clients.
//!
//! 1. The number of connections is limited. Each connection occupies one place.
//! 2. A connection that has not sent the whole head of its first request within 5 seconds is closed.
//! 3. If a client connects while all places are taken, the server closes the connection that has waited longest for a
//!    request head. This may be an idle connection that was kept open.
//! 4. A connection is not closed for another connection while its request is handled. If the requests of all
//!    connections are being handled, new clients wait.
//!
//! A client that stops reading its response is disconnected. This server does not limit the time for handling a
//! request.

use std::borrow::Borrow;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_io_timeout::TimeoutStream;

/// The time limit for the head of a connection's first request.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// The time for which a connection may wait for a head before it can be closed for another connection. Without this
/// time, clients that reconnect at once would use a whole processor. They would also displace a probe whose head needs
/// some milliseconds to arrive.
const HEAD_GRACE: Duration = Duration::from_millis(20);
/// The number of clients that may wait in the kernel's queue. Tokio's default of 128 is too small. If the queue is
/// full, the system ignores a client, and the client tries again only after a second. With 64 places, a queue of 1,024
/// is empty after a third of a second.
const QUEUE: i32 = 1024;
/// A client that reads nothing of its response for this time is disconnected.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// The pause after a failed accept. The pause is long enough for a descriptor to become free, and too short for clients
/// to notice.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// A server for requests with short responses.
#[derive(Clone, Copy, Debug)]
pub struct SmallServer {
    most_connections: usize,
    most_head: usize,
    stop_within: Duration,
    idle: Option<Duration>,
}

impl SmallServer {
    /// Creates a server that sends one response per connection. When it is stopped, it ends after at most
    /// `stop_within`. `most_head` is the largest size of a request head, in bytes.
    #[must_use]
    pub const fn new(most_connections: usize, most_head: usize, stop_within: Duration) -> Self {
        Self { most_connections, most_head, stop_within, idle: None }
    }

    /// Keeps connections open for further requests. The whole head of the next request must arrive within `idle` after
    /// the last response.
    #[must_use]
    pub const fn keep_alive(self, idle: Duration) -> Self {
        Self { idle: Some(idle), ..self }
    }

    /// Serves until `stop` is ready, and then finishes the requests in flight. If `handshake` is set, each connection
    /// begins with it.
    pub async fn serve<A, F, B>(
        self,
        listener: impl Borrow<TcpListener>,
        handshake: Option<Handshake>,
        answer: A,
        stop: impl Future<Output = ()>,
    ) where
        A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        // If the system refuses this, the queue keeps its length.
        let _ = SockRef::from(listener.borrow()).listen(QUEUE);
        let (places, (stopping, stopped)) = (Places::new(self.most_connections), watch::channel(()));
        let accepting = async {
            loop {
                let stream = accept(listener.borrow()).await;
                let (place, answer, mut stopped) = (places.take().await, answer.clone(), stopped.clone());
                let handshake = handshake.clone();
                spawn(async move {
                    let peer = stream.peer_addr().map(|peer| Peer(peer.ip().to_canonical())).ok();
                    let mut stream = TimeoutStream::new(stream);
                    stream.set_write_timeout(Some(WRITE_WITHIN));
                    let stream = Box::new(Box::pin(stream));
                    let shaken = async {
                        match handshake {
                            None => Ok(stream as Box<dyn Connection>),
                            Some(handshake) => handshake(stream).await,
                        }
                    };
                    let shaken = tokio::select! {
                        biased;
                        shaken = shaken => shaken,
                        () = place.lost() => return,
                        _ = stopped.changed() => return,
                    };
                    match shaken {
                        Ok(stream) => self.answer_on(stream, peer, place, answer, stopped).await,
                        Err(error) => tracing::debug!(%error, "a handshake failed"),
                    }
                });
            }
        };
        tokio::select! {
            () = stop => {}
            () = accepting => {}
        }
        drop((listener, stopped));
        stopping.send_replace(());
        let _ = timeout(self.stop_within, stopping.closed()).await;
    }

    async fn answer_on<A, F, B>(
        self,
        stream: Box<dyn Connection>,
        peer: Option<Peer>,
        place: Place,
        answer: A,
        mut stopped: watch::Receiver<()>,
    ) where
        A: Fn(Request<Incoming>) -> F,
        F: Future<Output = Result<Response<B>, Infallible>>,
        B: Body<Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
    {
        let place = &place;
        let service = service_fn(move |mut request: Request<Incoming>| {
            place.answers();
            peer.map(|peer| request.extensions_mut().insert(peer));
            let answer = answer(request);
            async move {
                let response = answer.await;
                // hyper writes a short response before `lost` is polled. A long response may be cut off if its client
                // reads slowly and no other connection has waited longer.
                if self.idle.is_some() {
                    place.waits();
                }
                response
            }
        });
        let connection = http1::Builder::new()
            .keep_alive(self.idle.is_some())
            .timer(TokioTimer::new())
            .header_read_timeout(self.idle)
            .max_buf_size(self.most_head)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = place.lost() => Ok(()),
            _ = stopped.changed() => {
                connection.as_mut().graceful_shutdown();
                // A response may be a stream that does not end by itself, so it gets only a part of the time.
                timeout(self.stop_within / 2, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "connection ended with an error");
        }
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset};

    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // The client left before it was accepted, so nothing is wrong with the system.
            Err(error) if matches!(error.kind(), ConnectionAborted | ConnectionReset) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection; retrying");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "a server may spawn tasks; the ban is for the library")]
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}

struct Places {
    free: Arc<Semaphore>,
    /// The open connections. The connections that wait for a head are in the order in which they began to wait.
    open: Mutex<VecDeque<(Instant, watch::Sender<Phase>)>>,
}

#[derive(PartialEq)]
enum Phase {
    New,
    Answering,
    /// The connection waits for the head of a further request.
    Kept,
    Lost,
}

impl Places {
    fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { free: Arc::new(Semaphore::new(most)), open: Mutex::default() })
    }

    /// Returns a free place. If no place is free, closes other connections until a place becomes free.
    async fn take(self: &Arc<Self>) -> Place {
        let mut free = Arc::clone(&self.free).try_acquire_owned().ok();
        while free.is_none() {
            self.evict();
            // If the head of the evicted connection still arrives in time, the connection stays open, and its place
            // does not become free.
            free = timeout(HEAD_GRACE, Arc::clone(&self.free).acquire_owned()).await.ok().and_then(Result::ok);
        }
        let (phase, since) = (watch::Sender::new(Phase::New), Instant::now());
        self.open().push_back((since, phase.clone()));
        Place { places: Arc::clone(self), since, phase, _free: free }
    }

    fn evict(&self) {
        let lose = |phase: &mut Phase| {
            let is_silent = matches!(phase, Phase::New | Phase::Kept);
            if is_silent {
                *phase = Phase::Lost;
            }
            is_silent
        };
        let open = self.open();
        let _ = (open.iter().take_while(|(since, _)| since.elapsed() >= HEAD_GRACE))
            .any(|(_, phase)| phase.send_if_modified(lose));
    }

    fn open(&self) -> MutexGuard<'_, VecDeque<(Instant, watch::Sender<Phase>)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the server's limited places. A connection keeps its place until it is closed. It starts in [`Phase::New`], in
/// which it waits for the head of its first request.
struct Place {
    places: Arc<Places>,
    /// The time at which the connection was accepted. A handshake and the first head have one time limit.
    since: Instant,
    phase: watch::Sender<Phase>,
    _free: Option<OwnedSemaphorePermit>,
}

impl Place {
    fn answers(&self) {
        self.phase.send_replace(Phase::Answering);
    }

    fn waits(&self) {
        let mut open = self.places.open();
        self.phase.send_replace(Phase::Kept);
        open.retain(|(_, phase)| !phase.same_channel(&self.phase));
        open.push_back((Instant::now(), self.phase.clone()));
    }

    /// Resolves once the connection must be closed.
    async fn lost(&self) {
        let mut phase = self.phase.subscribe();
        let begun = phase.wait_for(|phase| *phase != Phase::New);
        if timeout_at(self.since + HEAD_WITHIN, begun).await.is_ok() {
            drop(phase.wait_for(|phase| *phase == Phase::Lost).await);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.open().retain(|(_, phase)| !phase.same_channel(&self.phase));
    }
}

/// The address of the client's connection.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// A stream of bytes from and to a client.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<C: AsyncRead + AsyncWrite + Send + Unpin> Connection for C {}

/// The future of a handshake, which returns the connection once the handshake has succeeded.
pub type Shaken = Pin<Box<dyn Future<Output = io::Result<Box<dyn Connection>>> + Send>>;

/// A handshake before HTTP/1.1, such as a TLS handshake.
pub type Handshake = Arc<dyn Fn(Box<dyn Connection>) -> Shaken + Send + Sync>;

#[cfg(test)]
mod tests {
    use std::future::Future;

    use super::*;

    /// Returns the output of `waits`, and the simulated time that it takes.
    async fn time_of<T>(waits: impl Future<Output = T>) -> (T, Duration) {
        let began = Instant::now();
        (waits.await, began.elapsed())
    }

    fn is_lost(place: &Place) -> bool {
        *place.phase.borrow() == Phase::Lost
    }

    #[tokio::test(start_paused = true)]
    async fn where_places_run_out_the_longest_silent_connection_gives_its_own() {
        let places = Places::new(4);
        let [answering, kept, silent, next] =
            [places.take().await, places.take().await, places.take().await, places.take().await];
        answering.answers();
        kept.answers();
        tokio::time::advance(HEAD_GRACE).await;
        kept.waits();
        let newcomer = places.take();
        let silent_closes = async move {
            silent.lost().await;
            drop(silent);
        };
        let ((newcomer, ()), waited) = time_of(async { tokio::join!(newcomer, silent_closes) }).await;
        assert_eq!(waited, Duration::ZERO);
        assert!([&answering, &kept, &next, &newcomer].iter().all(|place| !is_lost(place)));
        places.evict();
        places.evict();
        assert!(is_lost(&next) && !is_lost(&kept) && !is_lost(&newcomer), "what is young keeps its place");
        tokio::time::advance(HEAD_GRACE).await;
        places.evict();
        assert!(is_lost(&kept) && !is_lost(&newcomer));
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_arrives_in_time_keeps_its_place_and_another_one_is_taken() {
        let places = Places::new(2);
        let (hasty, silent) = (places.take().await, places.take().await);
        tokio::time::advance(HEAD_GRACE).await;
        places.evict();
        assert!(is_lost(&hasty));
        hasty.answers();
        let silent_closes = async move {
            silent.lost().await;
            drop(silent);
        };
        let ((newcomer, ()), waited) = time_of(async { tokio::join!(places.take(), silent_closes) }).await;
        assert_eq!(waited, Duration::ZERO);
        assert!(!is_lost(&hasty) && !is_lost(&newcomer));
        assert_eq!(places.open().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn clients_wait_while_all_connections_are_answered() {
        let places = Places::new(1);
        let only = places.take().await;
        only.answers();
        let answer = async move {
            tokio::time::sleep(10 * HEAD_WITHIN).await;
            assert!(!is_lost(&only));
            drop(only);
        };
        let (_, waited) = time_of(async { tokio::join!(places.take(), answer) }).await;
        assert_eq!(waited, 10 * HEAD_WITHIN);
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_first_head_must_be_whole_within_its_time() {
        let places = Places::new(2);
        let (silent, kept) = (places.take().await, places.take().await);
        kept.answers();
        kept.waits();
        assert_eq!(time_of(silent.lost()).await.1, HEAD_WITHIN);
        assert!(timeout(100 * HEAD_WITHIN, kept.lost()).await.is_err());
    }
}
