//! Services behind the gateway. Some are well-behaved services of hyper, and others write raw bytes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::wait::{until, when};

pub(crate) type Body = BoxBody<Bytes, Infallible>;

/// A service that runs until it is dropped.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    /// The peers that connected, in order.
    accepted: Arc<Mutex<Vec<SocketAddr>>>,
    /// Each active connection holds a clone of this.
    talking: Arc<()>,
    _runtime: Runtime,
}

impl Service {
    /// Responds to each request with `answer`.
    pub(crate) fn new<F>(answer: impl Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        Self::raw(move |stream| {
            let answer = answer.clone();
            async move {
                let service = hyper::service::service_fn(move |request| {
                    let answer = answer(request);
                    async move { Ok::<_, Infallible>(answer.await) }
                });
                let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
            }
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Handles each connection with `talk`.
    pub(crate) fn raw<F>(talk: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("a listener");
        let accepted = Arc::<Mutex<Vec<SocketAddr>>>::default();
        let talking = Arc::new(());
        let (noted, talks) = (Arc::clone(&accepted), Arc::downgrade(&talking));
        runtime.spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                let talking = talks.upgrade();
                noted.lock().expect("no panic under the lock").push(peer);
                let _ = stream.set_nodelay(true);
                let talk = talk(stream);
                tokio::spawn(async move {
                    talk.await;
                    drop(talking);
                });
            }
        });
        Self { address, accepted, talking, _runtime: runtime }
    }

    /// Returns the number of accepted connections.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.lock().expect("no panic under the lock").len()
    }

    /// Waits until it has read everything that was sent to it. All peers must be gone.
    pub(crate) fn read_to_the_end(&self) {
        // Connections are accepted in their order. So all that still wait are accepted before this one.
        let last = std::net::TcpStream::connect(self.address).expect("the service accepts");
        let ours = last.local_addr().expect("a socket");
        until("the service accepts each connection", || {
            let accepted = self.accepted.lock().expect("no panic under the lock");
            when(accepted.contains(&ours), accepted.clone())
        });
        drop(last);
        until("the service's connections end", || {
            let talking = Arc::strong_count(&self.talking) - 1;
            when(talking == 0, talking)
        });
    }
}

/// Reads the head of a request from a raw connection. Bytes after it are lost. Returns `None` at the end of the
/// connection.
pub(crate) async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

/// Reads a request's body, and returns its length, or `None` if it broke off.
pub(crate) async fn count(mut body: Incoming) -> Option<u64> {
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame.ok()?.data_ref().map_or(0, Bytes::len) as u64;
    }
    Some(bytes)
}

pub(crate) fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).boxed()
}

/// Returns a body of this many zeros, as fast as they are read.
pub(crate) fn zeros(bytes: u64) -> Body {
    static PIECE: [u8; 64 * 1024] = [0; 64 * 1024];
    let (pieces, rest) = (bytes / PIECE.len() as u64, bytes % PIECE.len() as u64);
    streamed(move |send| async move {
        for _ in 0..pieces {
            if send.send(Bytes::from_static(&PIECE)).await.is_err() {
                return;
            }
        }
        let _ = send.send(Bytes::from_static(&PIECE[..rest as usize])).await;
    })
}

/// Returns a body with the bytes that `write` sends.
pub(crate) fn streamed<F>(write: impl FnOnce(mpsc::Sender<Bytes>) -> F) -> Body
where
    F: Future<Output = ()> + Send + 'static,
{
    let (send, receive) = mpsc::channel(1);
    tokio::spawn(write(send));
    Sent(receive).boxed()
}

struct Sent(mpsc::Receiver<Bytes>);

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}
