//! The service that the demo wraps. For most faults, the service writes to raw sockets, because no HTTP library lets
//! its user send a wrong length. The other faults are handlers that fail inside the layer's own process.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use error_envelope_gateway::{Forward, Upstream, UpstreamLimits};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{StreamExt, stream};
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceExt, service_fn};

use super::acts::HandlerBehaviour::{Errs, Panics, PanicsInBody, Refused};
use super::acts::UpstreamBehaviour::{self, Inside};
use super::acts::{ACTS, DemoCase};

type Header = (&'static str, &'static str);

/// The header that announces the end of the connection. Without this header, the gateway could send the next request
/// over the connection, even a request that must not be repeated.
const CLOSES: [Header; 1] = [("connection", "close")];

/// Serves each client that connects.
pub(crate) async fn play(listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(perform(stream))),
            // No descriptor is free, so the loop tries again after a pause.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Responds to requests on one connection, until a case breaks the connection.
async fn perform(mut stream: TcpStream) -> io::Result<()> {
    let mut read = Vec::new();
    while let Some(end) = head(&mut stream, &mut read).await? {
        let rest = read.split_off(end);
        let head = String::from_utf8_lossy(&std::mem::replace(&mut read, rest)).into_owned();
        let path = head.split(' ').nth(1).unwrap_or_default();
        match DemoCase::by_path(path.split('?').next().unwrap_or_default()) {
            // An unread part of a request's body would look like the next request on this connection.
            Some(act) if is_whole(&act.play) && !read.is_empty() => return answer(&mut stream, act, &CLOSES).await,
            Some(act) if is_whole(&act.play) => answer(&mut stream, act, &[]).await?,
            Some(act) => return misbehave(stream, act, read).await,
            None => stream.write_all(&list_or_not_found(path)).await?,
        }
    }
    Ok(())
}

/// Reads until the end of the request's head, and returns the length of the head. Returns `None` if the client closes
/// the connection before the end of the head.
async fn head(stream: &mut TcpStream, read: &mut Vec<u8>) -> io::Result<Option<usize>> {
    loop {
        if let Some(at) = read.windows(4).position(|end| end == b"\r\n\r\n") {
            return Ok(Some(at + 4));
        }
        if read.len() > 64 * 1024 || stream.read_buf(read).await? == 0 {
            return Ok(None);
        }
    }
}

/// Returns true if the service sends a complete response. The connection can then serve another request.
fn is_whole(play: &UpstreamBehaviour) -> bool {
    matches!(play, UpstreamBehaviour::Responds(..) | UpstreamBehaviour::Gzip(..))
}

async fn answer(stream: &mut TcpStream, act: &DemoCase, further: &[Header]) -> io::Result<()> {
    let response = match &act.play {
        UpstreamBehaviour::Responds(status, headers, kind, body) => {
            response(*status, &[headers, further].concat(), kind, body.as_bytes())
        }
        UpstreamBehaviour::Gzip(status, kind, text) => {
            response(*status, &[&[("content-encoding", "gzip")], further].concat(), kind, &gzip(text)?)
        }
        _ => return Ok(()),
    };
    stream.write_all(&response).await
}

async fn misbehave(mut stream: TcpStream, act: &DemoCase, read: Vec<u8>) -> io::Result<()> {
    match act.play {
        UpstreamBehaviour::Raw(_, bytes) => stream.write_all(bytes.as_bytes()).await,
        UpstreamBehaviour::Goes(head, chunk, interval_ms) => repeat_body(stream, head, chunk, interval_ms).await,
        UpstreamBehaviour::Resets => stream.set_zero_linger(),
        UpstreamBehaviour::Sleeps(time) => {
            tokio::time::sleep(Duration::from_millis(time)).await;
            stream.write_all(&response(200, &CLOSES, "text/plain", b"good morning")).await
        }
        UpstreamBehaviour::Switches => echo(stream).await,
        UpstreamBehaviour::Reads => read_all(stream, read).await,
        _ => Ok(()),
    }
}

/// Sends the head, then the chunk again and again, until the client disconnects.
async fn repeat_body(mut stream: TcpStream, head: &str, chunk: &str, interval_ms: u64) -> io::Result<()> {
    stream.write_all(head.as_bytes()).await?;
    loop {
        stream.write_all(chunk.as_bytes()).await?;
        if interval_ms > 0 {
            tokio::time::sleep(Duration::from_millis(interval_ms)).await;
        }
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n").await?;
    let (mut from, mut to) = stream.split();
    tokio::io::copy(&mut from, &mut to).await.map(drop)
}

async fn read_all(mut stream: TcpStream, mut read: Vec<u8>) -> io::Result<()> {
    while !read.ends_with(b"0\r\n\r\n") {
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
    }
    stream.write_all(&response(200, &CLOSES, "text/plain", b"thank you")).await
}

fn list_or_not_found(path: &str) -> Vec<u8> {
    match path {
        "/" => {
            let lines: Vec<_> = ACTS.iter().map(|act| format!("{:<18}{}\n", act.path, act.upstream_body())).collect();
            response(200, &[], "text/plain; charset=utf-8", lines.concat().as_bytes())
        }
        _ => response(404, &[], "text/plain", b"this path does not exist; / lists the paths"),
    }
}

fn response(status: u16, headers: &[Header], kind: &str, body: &[u8]) -> Vec<u8> {
    // Any other reason phrase would become the message of an error without a body (R3).
    let phrase = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    let mut head = format!("HTTP/1.1 {status} {phrase}\r\ncontent-length: {}\r\n", body.len());
    let kind = (!kind.is_empty()).then_some(("content-type", kind));
    for (name, value) in headers.iter().copied().chain(kind) {
        head += &format!("{name}: {value}\r\n");
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

fn gzip(text: &str) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes())?;
    encoder.finish()
}

/// The service that the layer wraps in the demo.
pub(crate) type Backstage<B> = BoxCloneSyncService<Request<B>, Response<Acted>, BoxError>;

type Acted = UnsyncBoxBody<Bytes, BoxError>;

/// Starts the service. Returns the Tower service that calls it, which the layer wraps, and the address at which it can
/// be called without the layer.
pub(crate) async fn start<B>(timeout: Duration, limits: UpstreamLimits) -> Result<(Backstage<B>, SocketAddr), BoxError>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let (listener, address) = bind().await?;
    let to = |address: SocketAddr| {
        let upstream: Upstream = format!("http://{address}").parse()?;
        Ok::<_, BoxError>(upstream.response_timeout(timeout).limits(limits).service()?)
    };
    let stage = to(address)?;
    tokio::spawn(play(listener));
    // This listener is dropped, so its port refuses connections.
    let (_, gone) = bind().await?;
    let gone = to(gone)?;
    Ok((Backstage::new(service_fn(move |request| handle(request, stage.clone(), gone.clone()))), address))
}

async fn bind() -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Handles a request. `stage` forwards it to the raw sockets, and `gone` to a port without a listener.
async fn handle<B>(request: Request<B>, stage: Forward<B>, gone: Forward<B>) -> Result<Response<Acted>, BoxError>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let response = match DemoCase::by_path(request.uri().path()).map(|act| &act.play) {
        Some(Inside(Panics)) => panic!("the handler of /panic panicked, as it always does"),
        Some(Inside(Errs)) => return Err("cannot reach db: password `hunter2` was refused".into()),
        Some(Inside(PanicsInBody)) => return Ok(Response::new(panicking_body())),
        Some(Inside(Refused)) => gone.oneshot(request).await?,
        _ => stage.oneshot(request).await?,
    };
    Ok(response.map(|body| body.map_err(Into::into).boxed_unsync()))
}

/// Returns the response of a handler whose body sends some bytes and then panics.
fn panicking_body() -> Acted {
    let begins = stream::once(async { Ok(Frame::data(Bytes::from_static(b"so far, so good"))) });
    let panics = stream::once(async {
        tokio::task::yield_now().await;
        panic!("the body of /panic-in-body panicked, as it always does")
    });
    StreamBody::new(begins.chain(panics)).boxed_unsync()
}
