//! Sends requests that client libraries do not support: with a declared length but no body, or with reading on after a
//! response to HEAD.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::answer::{ProbeError, ProbeResponse, ProbeResult};
use super::request::ProbeRequest;
use super::target::Stream;

/// The most bytes to read of a response: every head and every error is shorter.
const MOST: usize = 256 * 1024;

/// How long to read on after a response to HEAD, but at most a quarter of the patience. Later bytes are ignored.
const LINGER: Duration = Duration::from_secs(1);

/// Sends the head, with `Expect: 100-continue` if it declares a length, and reads the response.
pub(super) async fn send_request(mut stream: Stream, request: &ProbeRequest, patience: Duration) -> ProbeResult {
    stream.write_all(&head_of(request)).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let mut read = Vec::new();
    loop {
        match parse(&read)? {
            // The server now waits for the body, and this client for the response: neither would end.
            Some((head, _)) if head.status == StatusCode::CONTINUE => {
                return Ok(ProbeResponse { requested_body: true, ..head });
            }
            Some((head, length)) if head.status.is_informational() => drop(read.drain(..length)),
            Some((head, length)) => {
                let read = read.split_off(length);
                return Ok(match request.method {
                    Method::HEAD => behind_head(stream, head, read, LINGER.min(patience / 4)).await,
                    _ => rest(stream, head, read).await,
                });
            }
            None if read.len() > MOST => return Err(ProbeError::Broken("a head of more than 256 KiB".to_owned())),
            None if stream.read_buf(&mut read).await.map_err(broken)? == 0 => return Err(closed_early(&read)),
            None => {}
        }
    }
}

fn broken(error: std::io::Error) -> ProbeError {
    ProbeError::Broken(error.to_string())
}

fn closed_early(read: &[u8]) -> ProbeError {
    let response = if read.is_empty() { "without a response" } else { "within a response head" };
    ProbeError::Broken(format!("connection closed {response}"))
}

fn head_of(request: &ProbeRequest) -> Vec<u8> {
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.path).into_bytes();
    for (name, value) in &request.headers {
        head.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    head.extend(match request.method {
        Method::HEAD => b"connection: close\r\n\r\n".to_vec(),
        _ => format!("content-length: {}\r\nexpect: 100-continue\r\n\r\n", request.body.length()).into_bytes(),
    });
    head
}

/// A head, and where it ends; `None` if more bytes must come.
fn parse(read: &[u8]) -> Result<Option<(ProbeResponse, usize)>, ProbeError> {
    let mut lines = [httparse::EMPTY_HEADER; 256];
    let mut head = httparse::Response::new(&mut lines);
    let no_http = |what: String| ProbeError::Broken(format!("no HTTP: {what}"));
    let httparse::Status::Complete(length) = head.parse(read).map_err(|error| no_http(error.to_string()))? else {
        return Ok(None);
    };
    let status = head.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or_else(|| no_http("an invalid status".to_owned()))?;
    let headers = head
        .headers
        .iter()
        .filter_map(|line| Some((HeaderName::try_from(line.name).ok()?, HeaderValue::from_bytes(line.value).ok()?)));
    Ok(Some((ProbeResponse::new(status, headers.collect()), length)))
}

/// Reads what follows the head of a response to HEAD. A body must not follow, whatever length is declared (RFC 9110
/// §9.3.2).
async fn behind_head(mut stream: Stream, mut got: ProbeResponse, mut read: Vec<u8>, linger: Duration) -> ProbeResponse {
    let to_the_end = async { while read.len() < MOST && more(&mut stream, &mut read).await {} };
    let _ = timeout(linger, to_the_end).await;
    got.body = read.into();
    got
}

async fn rest(mut stream: Stream, mut got: ProbeResponse, mut read: Vec<u8>) -> ProbeResponse {
    let text = |name: HeaderName| got.headers.get(name).and_then(|value| value.to_str().ok());
    let is_chunked = text(TRANSFER_ENCODING).is_some_and(|coding| coding.to_ascii_lowercase().ends_with("chunked"));
    let length: Option<usize> = text(CONTENT_LENGTH).and_then(|length| length.parse().ok());
    got.whole = loop {
        let (body, end) = if is_chunked { unchunked(&read) } else { counted(&read, length) };
        got.body = body;
        match end {
            Some(whole) => break whole,
            None if read.len() >= MOST => break true,
            None if more(&mut stream, &mut read).await => {}
            None => break !is_chunked && length.is_none(),
        }
    };
    got
}

/// Reads once, and returns whether any bytes came.
async fn more(stream: &mut Stream, read: &mut Vec<u8>) -> bool {
    stream.read_buf(read).await.is_ok_and(|length| length > 0)
}

/// A body of this length, and whether it is complete. Without a length, the body ends with the connection.
fn counted(read: &[u8], length: Option<usize>) -> (Bytes, Option<bool>) {
    match length.and_then(|length| read.get(..length)) {
        Some(body) => (Bytes::copy_from_slice(body), Some(true)),
        None => (Bytes::copy_from_slice(read), None),
    }
}

/// The data of a chunked body, and whether it is complete; `None` if more bytes must come.
fn unchunked(mut read: &[u8]) -> (Bytes, Option<bool>) {
    const LINE_END: usize = 2;

    let mut body = Vec::new();
    let end = loop {
        let (at, size) = match httparse::parse_chunk_size(read) {
            Err(_) => break Some(false),
            Ok(httparse::Status::Partial) => break None,
            Ok(httparse::Status::Complete((_, 0))) => break Some(true),
            Ok(httparse::Status::Complete((at, size))) => (at, usize::try_from(size).unwrap_or(usize::MAX)),
        };
        let data = &read[at..];
        body.extend_from_slice(&data[..size.min(data.len())]);
        match data.get(size.saturating_add(LINE_END)..) {
            Some(next) => read = next,
            None => break None,
        }
    };
    (body.into(), end)
}
