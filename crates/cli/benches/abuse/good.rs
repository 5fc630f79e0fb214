//! Good clients: they keep their connections, send requests at a steady pace, and must get each response.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Half of the clients use HTTP/2.
const CLIENTS: usize = 8;
const PAUSE: Duration = Duration::from_millis(10);
/// A time longer than any attack may delay a request.
const TOO_LONG: Duration = Duration::from_secs(20);

/// The responses that the clients got.
#[derive(Default)]
pub(crate) struct Good {
    times: Vec<Duration>,
    pub(crate) ids: Vec<String>,
    pub(crate) lost: Vec<String>,
}

impl Good {
    /// Sends requests for this time.
    pub(crate) async fn ask(address: SocketAddr, time: Duration) -> Self {
        let end = Instant::now() + time;
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            clients.spawn(async move {
                let mut good = Self::default();
                let mut connection = None;
                while Instant::now() < end {
                    let began = Instant::now();
                    let asked = timeout(TOO_LONG, ask(&mut connection, address, number.is_multiple_of(2)));
                    match asked.await.unwrap_or_else(|_| Err("no answer".into())) {
                        Ok(id) => {
                            good.times.push(began.elapsed());
                            good.ids.push(id);
                        }
                        Err(error) => {
                            connection = None;
                            good.lost.push(error.to_string());
                        }
                    }
                    sleep(PAUSE).await;
                }
                good
            });
        }
        let mut all = Self::default();
        for good in clients.join_all().await {
            all.add(good);
        }
        all
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.times.extend(other.times);
        self.ids.extend(other.ids);
        self.lost.extend(other.lost);
    }

    /// Returns the time that one in a hundred requests exceeds.
    pub(crate) fn p99(&self) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        times.get(times.len() * 99 / 100).copied().unwrap_or(TOO_LONG)
    }
}

enum Connection {
    Old(http1::SendRequest<Empty<Bytes>>),
    New(http2::SendRequest<Empty<Bytes>>),
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

async fn ask(connection: &mut Option<Connection>, address: SocketAddr, new: bool) -> Result<String, BoxError> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(connect(address, new).await?),
    };
    let request =
        Request::get(format!("http://good.example{PATH}")).header("host", "good.example").body(Empty::new())?;
    let response = match connection {
        Connection::Old(sender) => {
            sender.ready().await?;
            sender.send_request(request).await?
        }
        Connection::New(sender) => sender.send_request(request).await?,
    };
    read(response).await
}

/// The path to which the service responds with [`BODY`].
pub(crate) const PATH: &str = "/good";
pub(crate) const BODY: &str = "fine";

async fn read(response: Response<Incoming>) -> Result<String, BoxError> {
    let (head, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    let id = head.headers.get("x-request-id").and_then(|id| id.to_str().ok()).ok_or("no id")?.to_owned();
    if head.status != 200 || body != BODY {
        return Err(format!("{}: {}", head.status, String::from_utf8_lossy(&body)).into());
    }
    Ok(id)
}

async fn connect(address: SocketAddr, new: bool) -> Result<Connection, BoxError> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let stream = TokioIo::new(stream);
    if new {
        let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
        tokio::spawn(connection);
        return Ok(Connection::New(sender));
    }
    let (sender, connection) = http1::handshake(stream).await?;
    tokio::spawn(connection);
    Ok(Connection::Old(sender))
}
