//! A client of HTTP/2 with prior knowledge, which sends each frame through `h2`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Ping, SendStream};
use http::{Method, Request, Uri, Version as HttpVersion};
use tokio::sync::Notify;
use tokio::time::{timeout, timeout_at};

use super::format::{Case, RequestFraming};
use super::http1::{SHORT_PATIENCE, patience};
use super::script::headers_of;
use super::seen::{End, Exchanged, Response};
use crate::wait::TOO_LONG;

pub(super) fn exchanges(address: SocketAddr, case: &Case) -> Vec<Exchanged> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (connections, times) = if case.request.fresh { (case.request.times, 1) } else { (1, case.request.times) };
    (0..connections).flat_map(|_| runtime.block_on(connected(address, case, times))).collect()
}

async fn connected(address: SocketAddr, case: &Case, times: usize) -> Vec<Exchanged> {
    let stream = tokio::net::TcpStream::connect(address).await.expect("the gateway listens");
    stream.set_nodelay(true).expect("a socket option");
    let (client, mut connection) = h2::client::handshake(stream).await.expect("a handshake");
    let mut pings = connection.ping_pong().expect("the first to ask for it");
    tokio::spawn(connection);
    let one = || exchange(client.clone(), case);
    let mut exchanges = Vec::new();
    if case.request.pipelined {
        // All streams at once.
        let mut streams = tokio::task::JoinSet::new();
        (0..times).for_each(|_| drop(streams.spawn(exchange_of(client.clone(), case.clone()))));
        exchanges = streams.join_all().await;
    } else {
        for _ in 0..times {
            exchanges.push(one().await);
        }
    }
    // G5: a stream ends, and the connection does not.
    let alive = timeout(TOO_LONG, pings.ping(Ping::opaque())).await;
    if !matches!(alive, Ok(Ok(_))) {
        exchanges.iter_mut().for_each(|exchanged| exchanged.reset = true);
    }
    exchanges
}

async fn exchange_of(client: SendRequest<Bytes>, case: Case) -> Exchanged {
    exchange(client, &case).await
}

async fn exchange(client: SendRequest<Bytes>, case: &Case) -> Exchanged {
    let response = answered(client, case).await;
    let reset = response.as_ref().is_err_and(|(_, reset)| *reset);
    Exchanged { response: response.map_err(|(why, _)| why), reset }
}

async fn answered(client: SendRequest<Bytes>, case: &Case) -> Result<Response, (String, bool)> {
    let failed = |error: h2::Error| (format!("{error}"), error.is_io() || error.is_go_away());
    let (request, body) = request(case).expect("looked at before the run");
    let mut client = client.ready().await.map_err(failed)?;
    let start = Instant::now();
    let (answer, stream) = client.send_request(request, body.is_none()).map_err(failed)?;
    let pieces = if body.is_some() { case.request.pieces(usize::MAX) } else { Vec::new() };
    let begun = Arc::new(Notify::new());
    let sending = send(stream, pieces, case.inner.answers_first.then(|| begun.clone()));
    let sender = if case.request.reads_late {
        // The client sends as much as the server's windows allow. A server that accepts no more must not block it for
        // ever.
        let _ = timeout(SHORT_PATIENCE, sending).await;
        None
    } else {
        Some(tokio::spawn(sending))
    };
    let deadline = start + patience(case);
    let received = receive(answer, start, deadline, &begun).await;
    sender.inspect(|sender| sender.abort());
    received.map_err(failed)?.map_err(|why| (why, false))
}

/// Sends a frame for each piece, or more where the peer's window requires it. The last one ends the stream. If the
/// service `answers_first`, the second one waits for the beginning of the response.
async fn send(mut stream: SendStream<Bytes>, pieces: Vec<Vec<u8>>, mut begun: Option<Arc<Notify>>) {
    let mut pieces = pieces.into_iter().map(Bytes::from).filter(|piece| !piece.is_empty()).enumerate().peekable();
    while let Some((index, piece)) = pieces.next() {
        if index > 0
            && let Some(begun) = begun.take()
        {
            begun.notified().await;
        }
        if !send_piece(&mut stream, piece, pieces.peek().is_none()).await {
            return;
        }
    }
    // If there was nothing to send, nothing has ended the stream yet.
    let _ = stream.send_data(Bytes::new(), true);
}

/// Sends a piece, and returns true if there is more to do.
async fn send_piece(stream: &mut SendStream<Bytes>, mut piece: Bytes, last: bool) -> bool {
    while !piece.is_empty() {
        stream.reserve_capacity(piece.len());
        let Some(Ok(capacity)) = std::future::poll_fn(|context| stream.poll_capacity(context)).await else {
            return false;
        };
        let part = piece.split_to(capacity.min(piece.len()));
        if stream.send_data(part, last && piece.is_empty()).is_err() {
            return false;
        }
    }
    !last
}

async fn receive(
    mut answer: ResponseFuture,
    start: Instant,
    deadline: Instant,
    begun: &Notify,
) -> Result<Result<Response, String>, h2::Error> {
    let mut interim = Vec::new();
    let head = std::future::poll_fn(|context| {
        while let std::task::Poll::Ready(Some(Ok(head))) = answer.poll_informational(context) {
            interim.push(head.status().as_u16());
        }
        std::pin::Pin::new(&mut answer).poll(context)
    });
    let Ok(head) = timeout_at(deadline.into(), head).await else { return Ok(Err("no head in time".into())) };
    let (parts, mut body) = head?.into_parts();
    let mut response = Response {
        interim,
        status: parts.status.as_u16(),
        headers: headers_of(&parts.headers),
        head_at: start.elapsed(),
        ..Response::default()
    };
    let read = async {
        while let Some(data) = body.data().await {
            let data = data?;
            begun.notify_one();
            let _ = body.flow_control().release_capacity(data.len());
            if !data.is_empty() {
                response.first_at.get_or_insert_with(|| start.elapsed());
            }
            response.body.extend_from_slice(&data);
        }
        body.trailers().await
    };
    match timeout_at(deadline.into(), read).await {
        Ok(Ok(trailers)) => response.trailers = trailers.map(|map| headers_of(&map)).unwrap_or_default(),
        Ok(Err(error)) => response.end = End::Aborted(error.to_string()),
        Err(_) => response.end = End::Unfinished,
    }
    response.whole_at = start.elapsed();
    Ok(Ok(response))
}

/// Returns the request and, unless its head ends the stream, its body. Returns `None` if HTTP/2 cannot express it.
pub(super) fn request(case: &Case) -> Option<(Request<()>, Option<Bytes>)> {
    const FORBIDDEN: [&str; 5] = ["connection", "transfer-encoding", "upgrade", "keep-alive", "proxy-connection"];
    let request_script = &case.request;
    if request_script.raw().is_some()
        || FORBIDDEN.iter().any(|name| request_script.has_header(name))
        || request_script.method() == "CONNECT"
    {
        return None;
    }
    let host = request_script.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
    let host = host.map_or(super::HOST, |(_, host)| host);
    let target = if request_script.path().starts_with('/') {
        format!("http://{host}{}", request_script.path())
    } else {
        request_script.path().into()
    };
    let target: Uri = target.parse().ok()?;
    target.scheme()?;
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(request_script.method().as_bytes()).ok()?;
    *request.uri_mut() = target;
    *request.version_mut() = HttpVersion::HTTP_2;
    for (name, value) in request_script.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("host")) {
        let name = http::HeaderName::from_bytes(name.as_bytes()).ok()?;
        request.headers_mut().append(name, http::HeaderValue::from_bytes(value.as_bytes()).ok()?);
    }
    let body = request_script.body();
    if request_script.framed() == RequestFraming::Length && !request_script.has_header("content-length") {
        let length = body.as_ref().map_or(0, Vec::len);
        request.headers_mut().append("content-length", length.into());
    }
    let body = match request_script.framed() {
        RequestFraming::Chunked => Some(body.unwrap_or_default().into()),
        _ => body.map(Bytes::from),
    };
    Some((request, body))
}
