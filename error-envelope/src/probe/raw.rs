//! A head whose body never comes: no client library says a length and waits for ever.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::client::{Got, NoAnswer};
use super::request::Asked;
use super::target::Stream;

/// No head and no error is as long.
const MOST: usize = 256 * 1024;

/// Says the length with `Expect: 100-continue`, and reads the answer.
pub(super) async fn ask(mut stream: Stream, asked: &Asked) -> Result<Got, NoAnswer> {
    let broken = |error: std::io::Error| NoAnswer::Broken(error.to_string());
    let mut head = format!("{} {} HTTP/1.1\r\n", asked.method, asked.path).into_bytes();
    for (name, value) in &asked.headers {
        head.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    head.extend(format!("content-length: {}\r\nexpect: 100-continue\r\n\r\n", asked.body.length()).into_bytes());
    stream.write_all(&head).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let mut read = Vec::new();
    let mut asked_for_body = false;
    loop {
        match parse(&read)? {
            Some((head, length)) if head.status.is_informational() => {
                asked_for_body |= head.status == StatusCode::CONTINUE;
                read.drain(..length);
                // It waits for the body now, and so would we for its answer.
                if asked_for_body {
                    return Ok(Got { asked_for_body, ..head });
                }
            }
            Some((head, length)) => return rest(stream, head, read.split_off(length)).await,
            None if read.len() > MOST => return Err(NoAnswer::Broken("a head of more than 256 KiB".to_owned())),
            None if stream.read_buf(&mut read).await.map_err(broken)? == 0 => {
                let what = if read.is_empty() { "closed without an answer" } else { "closed within a head" };
                return Err(NoAnswer::Broken(what.to_owned()));
            }
            None => {}
        }
    }
}

/// A head, and where it ends; none where there is more to come.
fn parse(read: &[u8]) -> Result<Option<(Got, usize)>, NoAnswer> {
    let mut lines = [httparse::EMPTY_HEADER; 256];
    let mut head = httparse::Response::new(&mut lines);
    let no_http = |what: String| NoAnswer::Broken(format!("no HTTP: {what}"));
    let httparse::Status::Complete(length) = head.parse(read).map_err(|error| no_http(error.to_string()))? else {
        return Ok(None);
    };
    let status = head.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or_else(|| no_http("a status that is none".to_owned()))?;
    let mut headers = HeaderMap::new();
    for line in head.headers.iter() {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(line.name), HeaderValue::from_bytes(line.value)) {
            headers.append(name, value);
        }
    }
    let got = Got { status, headers, body: Bytes::new(), trailers: None, whole: true, asked_for_body: false };
    Ok(Some((got, length)))
}

async fn rest(mut stream: Stream, mut got: Got, mut body: Vec<u8>) -> Result<Got, NoAnswer> {
    let length = got.headers.get(http::header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let length: usize = length.unwrap_or(MOST).min(MOST);
    while body.len() < length {
        match stream.read_buf(&mut body).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    body.truncate(length);
    got.whole = got.headers.get(http::header::CONTENT_LENGTH).is_none() || body.len() == length;
    got.body = body.into();
    Ok(got)
}
