//! Hand-overs while threads are blocked, by the library: a service of its own may block one.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use error_envelope_gateway::{Gateway, GatewayConfig, ListeningSockets, SocketPurpose, Takeover};
use http::{Request, Response};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower::service_fn;
use tower_error_envelope::ErrorEnvelopeLayer;

use crate::holds::gateway::Folder;
use crate::holds::service::full;
use crate::wait::{TOO_LONG, until, when};

const WORKERS: usize = 2;

/// A gateway whose service blocks the thread that asks it for `/block` while `gate` is locked.
struct Blocks {
    runtime: Runtime,
    address: SocketAddr,
    gate: Arc<Mutex<()>>,
    blocked: Arc<AtomicUsize>,
    /// All requests, those of `/block` among them.
    requests: Arc<AtomicUsize>,
    stop: oneshot::Sender<()>,
    serves: JoinHandle<()>,
}

impl Blocks {
    fn new(socket: &Path) -> Self {
        let runtime = Runtime::new().unwrap();
        let (gate, blocked, requests): (Arc<Mutex<()>>, Arc<AtomicUsize>, Arc<AtomicUsize>) = Default::default();
        let given = (Arc::clone(&gate), Arc::clone(&blocked), Arc::clone(&requests));
        let service = service_fn(move |request: Request<_>| {
            given.2.fetch_add(1, Ordering::SeqCst);
            if request.uri().path() == "/block" {
                given.1.fetch_add(1, Ordering::SeqCst);
                drop(given.0.lock().unwrap());
            }
            std::future::ready(Ok::<_, std::convert::Infallible>(Response::new(full("done"))))
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let (address, serves) = runtime.block_on(async {
            let layer = ErrorEnvelopeLayer::new();
            let (takeover, mut sockets) = Takeover::begin(socket, ListeningSockets::default()).await.unwrap();
            let socket = takeover.prepare(&layer).await.unwrap();
            let config = GatewayConfig::new(layer).workers(WORKERS).upgrade_socket(socket);
            let listener = sockets.listen(SocketPurpose::Clients, None, "127.0.0.1:0").await.unwrap();
            let mut gateway = Gateway::listening(listener, config).unwrap();
            gateway.take_over().await.unwrap();
            (gateway.local_addr(), tokio::spawn(gateway.serve(service, async { drop(stopped.await) })))
        });
        Self { runtime, address, gate, blocked, requests, stop, serves }
    }

    /// Blocks so many of its threads, each by a client, until `gate` is unlocked.
    fn block(&self, threads: usize) -> Vec<TcpStream> {
        let before = self.blocked.load(Ordering::SeqCst);
        let blocked = || self.blocked.load(Ordering::SeqCst) - before;
        let block = |number| {
            let client = start(self.address, "/block");
            until("one more thread is blocked", || when(blocked() == number, blocked()));
            client
        };
        (1..=threads).map(block).collect()
    }

    fn stopped(self) {
        drop(self.stop);
        self.runtime.block_on(self.serves).unwrap();
    }
}

fn start(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(TOO_LONG)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: test.example\r\nconnection: close\r\n\r\n").unwrap();
    stream
}

fn is_answered(mut stream: TcpStream) {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("done"), "{answer}");
}

fn socket(name: &str) -> (Folder, PathBuf) {
    let folder = Folder::new(name);
    let socket = folder.path("upgrade.sock");
    (folder, socket)
}

/// One that is begun. It tries again while another one is taking over.
async fn begun(socket: &Path) -> Takeover {
    let (takeover, _) = loop {
        if let Ok(begun) = Takeover::begin(socket, ListeningSockets::default()).await {
            break begun;
        }
    };
    assert!(takeover.has_predecessor());
    takeover
}

#[test]
fn they_are_waited_for_and_accept_nobody_when_they_come_back() {
    let (_folder, socket) = socket("blocked");
    let old = Blocks::new(&socket);
    let locked = old.gate.lock().unwrap();
    let blocked = old.block(WORKERS);
    let began = Instant::now();
    let new = Blocks::new(&socket);
    assert!(began.elapsed() >= Duration::from_secs(1), "it was told while threads could still accept");
    let waiting: Vec<_> = (0..16).map(|_| start(old.address, "/")).collect();
    drop(locked);
    blocked.into_iter().for_each(is_answered);
    waiting.into_iter().for_each(is_answered);
    assert_eq!((old.requests.load(Ordering::SeqCst), new.requests.load(Ordering::SeqCst)), (WORKERS, 16));
    old.runtime.block_on(old.serves).unwrap();
    new.stopped();
}

#[test]
fn they_and_the_others_accept_again_where_the_new_process_is_gone() {
    for threads in 1..=WORKERS {
        let (_folder, socket) = socket("blocked-gone");
        let old = Blocks::new(&socket);
        let locked = old.gate.lock().unwrap();
        let blocked = old.block(threads);
        let mut gone = UnixStream::connect(&socket).unwrap();
        assert!(gone.read(&mut [0; 64]).unwrap() > 0);
        gone.shutdown(Shutdown::Read).unwrap();
        gone.write_all(b"ready\n").unwrap();
        // The next one hears nothing before that is over. It leaves.
        drop(old.runtime.block_on(begun(&socket)));
        if threads < WORKERS {
            is_answered(start(old.address, "/"));
        }
        drop(locked);
        blocked.into_iter().for_each(is_answered);
        let locked = old.gate.lock().unwrap();
        let blocked = old.block(WORKERS);
        drop(locked);
        blocked.into_iter().for_each(is_answered);
        old.stopped();
    }
}
