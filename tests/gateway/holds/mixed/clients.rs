//! The clients of the mixed load. Some keep their connection, and others are slow, rude, or both.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::service::Seen;

/// The paths of every second client.
const POLITE: [&str; 14] = [
    "/",
    "/missing",
    "/broken",
    "/late",
    "/gone",
    "/broken?grpc",
    "/says/problem",
    "/says/success_flag",
    "/says/openai",
    "/says/google",
    "/says/fastapi",
    "/says/spring",
    "/says/zod",
    "/says/plain",
];
const RUDE: [Way; 7] = [
    Way::LeaveBeforeHead,
    Way::LeaveWithinBody,
    Way::LeaveWithinUpload,
    Way::ReadSlowly,
    Way::WriteSlowly,
    Way::SendTooMuch,
    Way::CloseBeforeHead,
];
const PAUSE: Duration = Duration::from_millis(5);

#[derive(Clone, Copy)]
enum Way {
    LeaveBeforeHead,
    LeaveWithinBody,
    LeaveWithinUpload,
    ReadSlowly,
    WriteSlowly,
    SendTooMuch,
    CloseBeforeHead,
}

/// How a request ended, for its client.
#[derive(Debug)]
pub(crate) enum Ended {
    Answered {
        id: String,
        code: Option<String>,
    },
    /// The client got the head, and left within the body.
    LeftWithin {
        id: String,
    },
    Left {
        uploading: bool,
    },
}

pub(crate) struct Client {
    address: SocketAddr,
    seen: Arc<Seen>,
    /// The client that keeps its connection. Without it, each request has its own connection.
    polite: Option<legacy::Client<HttpConnector, Full<Bytes>>>,
}

impl Client {
    pub(crate) fn new(worker: u64, address: SocketAddr, seen: Arc<Seen>) -> Self {
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder.http2_only(worker.is_multiple_of(8)).retry_canceled_requests(false);
        let polite = worker.is_multiple_of(2).then(|| builder.build_http());
        Self { address, seen, polite }
    }

    pub(crate) async fn ask(&mut self, number: u64) -> Ended {
        let exchange = timeout(Duration::from_secs(60), async {
            match &self.polite {
                Some(client) => self.politely(client, number).await,
                None => self.rudely(RUDE[number as usize % RUDE.len()], number).await.expect("the gateway answers"),
            }
        });
        exchange.await.unwrap_or_else(|_| panic!("request {number} has no answer"))
    }

    async fn politely(&self, client: &legacy::Client<HttpConnector, Full<Bytes>>, number: u64) -> Ended {
        let path = POLITE[number as usize % POLITE.len()];
        let mut request = Request::get(format!("http://{}{path}", self.address)).header("x-number", number);
        if path.ends_with("?grpc") {
            request = request.method("POST").header("content-type", "application/grpc").header("te", "trailers");
        }
        let response = client.request(request.body(Full::default()).unwrap()).await.expect("the gateway answers");
        let text = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let ended = Ended::Answered { id: text("x-request-id").expect("an id"), code: text("x-error-code") };
        response.into_body().collect().await.expect("a whole body");
        ended
    }

    async fn rudely(&self, way: Way, number: u64) -> io::Result<Ended> {
        let mut stream = TcpStream::connect(self.address).await?;
        let (line, more) = way.head();
        let head = format!("{line} HTTP/1.1\r\nhost: t\r\nconnection: close\r\nx-number: {number}\r\n{more}\r\n");
        stream.write_all(head.as_bytes()).await?;
        match way {
            Way::LeaveBeforeHead | Way::CloseBeforeHead => {
                self.seen.has(number).await;
                return leave(stream, matches!(way, Way::LeaveBeforeHead), false);
            }
            Way::LeaveWithinUpload => {
                stream.write_all(&[b'x'; 10_000]).await?;
                self.seen.has(number).await;
                return leave(stream, true, true);
            }
            Way::WriteSlowly => {
                for _ in 0..20 {
                    stream.write_all(&[b'x'; 500]).await?;
                    sleep(PAUSE).await;
                }
            }
            Way::SendTooMuch => stream.write_all(&[b'x'; 100_000]).await?,
            Way::LeaveWithinBody | Way::ReadSlowly => {}
        }
        let ended = head_of(&mut stream).await?;
        match way {
            Way::LeaveWithinBody => {
                leave(stream, true, false)?;
                let Ended::Answered { id, .. } = ended else { unreachable!("it has a head") };
                return Ok(Ended::LeftWithin { id });
            }
            Way::ReadSlowly => assert!(read_slowly(stream).await?.ends_with(b"\r\n0\r\n\r\n"), "a whole body"),
            _ => drop(stream.read_to_end(&mut Vec::new()).await?),
        }
        Ok(ended)
    }
}

impl Way {
    fn head(self) -> (&'static str, &'static str) {
        match self {
            Self::LeaveBeforeHead | Self::CloseBeforeHead => ("GET /hang", ""),
            Self::LeaveWithinBody => ("GET /endless", ""),
            Self::LeaveWithinUpload => ("POST /count", "content-length: 20000\r\n"),
            Self::ReadSlowly => ("GET /large", ""),
            Self::WriteSlowly => ("POST /count", "content-length: 10000\r\n"),
            Self::SendTooMuch => ("POST /count", "content-length: 2000000\r\n"),
        }
    }
}

fn leave(stream: TcpStream, resets: bool, uploading: bool) -> io::Result<Ended> {
    if resets {
        stream.set_zero_linger()?;
    }
    Ok(Ended::Left { uploading })
}

async fn head_of(stream: &mut TcpStream) -> io::Result<Ended> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).expect("text");
    let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    Ok(Ended::Answered { id: value("x-request-id: ").expect("an id"), code: value("x-error-code: ") })
}

/// Reads a piece, and pauses, again and again.
async fn read_slowly(mut stream: TcpStream) -> io::Result<Vec<u8>> {
    let mut read = Vec::new();
    loop {
        sleep(PAUSE).await;
        let piece = (&mut stream).take(16 * 1024).read_to_end(&mut read).await?;
        if piece == 0 {
            return Ok(read);
        }
    }
}
