//! A message as it was on the wire: `HTTP/1.1 404 Not Found`, the headers, an empty line, the body.
//!
//! The output of `curl -i` is accepted: a status line such as `HTTP/2 404`, earlier heads before the last one, and a
//! body whose chunks and codings are already undone.

use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};

use super::exchange::{self, insert_header, insert_host, undo_stale_coding};
use super::reader::{self, Reader, unreadable};
use crate::failure::CommandError;

/// The most header lines: servers accept no head with more.
const MOST_HEADERS: usize = 256;

/// The largest file to read: a larger one is not a recorded error.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// A response to a request of this method.
pub(super) fn response(path: &Path, reader: Reader, method: &Method) -> Result<Response<Option<Bytes>>, CommandError> {
    let text = read(path, reader)?;
    let (mut rest, mut line): (&[u8], usize) = (&text, 1);
    loop {
        let Head { first: (status, version, is_followed), mut headers, length, lines } =
            head_of(path, line, rest, status_line)?;
        rest = &rest[length..];
        if rest.starts_with(b"HTTP/") && is_followed {
            line += lines;
            continue;
        }
        let body = if *method == Method::HEAD { Bytes::new() } else { body_of(&mut headers, rest) };
        return Ok(exchange::response(status, version, headers, Some(body)));
    }
}

/// A request.
pub(super) fn request(path: &Path) -> Result<Request<Bytes>, CommandError> {
    let text = read(path, reader::open(path)?)?;
    let Head { first: (method, uri, version), mut headers, length, .. } = head_of(path, 1, &text, request_line)?;
    insert_host(&mut headers, &uri).map_err(|wrong| error(path, 1, &wrong))?;
    let declared = headers.get(CONTENT_LENGTH).cloned();
    let body = body_of(&mut headers, &text[length..]);
    // A recording of an upload seldom has its body, but its declared length is checked all the same (G4).
    if let Some(declared) = declared.filter(|_| body.is_empty()) {
        headers.insert(CONTENT_LENGTH, declared);
    }
    Ok(exchange::request(method, uri, version, headers, body))
}

fn read(path: &Path, reader: Reader) -> Result<Vec<u8>, CommandError> {
    let mut text = Vec::new();
    reader.take(MOST_BYTES + 1).read_to_end(&mut text).map_err(|error| unreadable(path, &error))?;
    if text.len() as u64 > MOST_BYTES {
        let wrong = format!("{}: the file is too long; at most 64 MiB are read", path.display());
        return Err(CommandError::Io(wrong));
    }
    Ok(text)
}

fn error(path: &Path, line: usize, wrong: &str) -> CommandError {
    CommandError::Io(format!("{}:{line}: {wrong}", path.display()))
}

/// The head of a message, and its length in bytes with the empty line.
struct Head<T> {
    first: T,
    headers: HeaderMap,
    length: usize,
    lines: usize,
}

const NO_HEAD: &str = "not an HTTP message: a response begins with a line such as `HTTP/1.1 404 Not Found`, a request with one \
                       such as `GET /orders HTTP/1.1`; `curl -i` writes such files";

fn head_of<T>(
    path: &Path,
    line: usize,
    text: &[u8],
    first: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Head<T>, CommandError> {
    if text.trim_ascii().is_empty() {
        return Err(error(path, line, &format!("the file is empty: {NO_HEAD}")));
    }
    let mut all = text.split_inclusive(|byte| *byte == b'\n');
    let first_line = all.next().unwrap_or_default();
    let parsed = str::from_utf8(first_line.trim_ascii_end()).map_err(|_| NO_HEAD.to_owned()).and_then(first);
    let first = parsed.map_err(|wrong| error(path, line, &wrong))?;
    let mut head = Head { first, headers: HeaderMap::new(), length: first_line.len(), lines: 1 };
    // A file from an editor has line feeds without carriage returns, and may end after the last header.
    for text in all {
        let is_end = text.trim_ascii().is_empty();
        if !is_end {
            read_header(&mut head.headers, text).map_err(|wrong| error(path, line + head.lines, &wrong))?;
        }
        head.length += text.len();
        head.lines += 1;
        if is_end {
            break;
        }
    }
    Ok(head)
}

fn read_header(headers: &mut HeaderMap, line: &[u8]) -> Result<(), String> {
    let text = [line.trim_ascii_end(), b"\r\n\r\n"].concat();
    let mut slots = [httparse::EMPTY_HEADER; 1];
    let Ok(httparse::Status::Complete((_, [header]))) = httparse::parse_headers(&text, &mut slots) else {
        return Err("not a header: write `name: value`, and an empty line before the body".to_owned());
    };
    insert_header(headers, header.name, header.value)?;
    if headers.len() > MOST_HEADERS { Err("too many headers".to_owned()) } else { Ok(()) }
}

/// The status, the version, and whether curl writes more heads behind this one: an interim response, a redirection that it
/// followed, a proxy's answer.
fn status_line(line: &str) -> Result<(StatusCode, Version, bool), String> {
    let (version, rest) = line.split_once(' ').unwrap_or((line, ""));
    let version = version_of(version)?;
    let status = rest.split(' ').next().unwrap_or_default();
    let status: StatusCode =
        status.parse().map_err(|_| format!("{status:?} is not a valid status: write one such as 404"))?;
    let is_interim = status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS;
    let is_of_proxy = status == StatusCode::OK && line.to_ascii_lowercase().ends_with(" connection established");
    Ok((status, version, is_interim || status.is_redirection() || is_of_proxy))
}

fn request_line(line: &str) -> Result<(Method, Uri, Version), String> {
    let parts: Vec<&str> = line.split(' ').collect();
    let (method, target, version) = match parts[..] {
        [method, target, version] => (method, target, version_of(version)?),
        [method, target] => (method, target, Version::HTTP_11),
        _ => return Err(NO_HEAD.to_owned()),
    };
    let method = method.parse().map_err(|_| format!("{method:?} is not a valid method: write one such as GET"))?;
    let uri: Uri = target
        .parse()
        .map_err(|error| format!("{:?} is not a valid request target: {error}", without_query(target)))?;
    match uri.path().starts_with('/') || uri.path() == "*" || method == Method::CONNECT {
        true => Ok((method, uri, version)),
        false => Err(format!(
            "{:?} is not a valid request target: write a path such as /orders, or a URL",
            without_query(target)
        )),
    }
}

/// The target without its query, which may contain a key (L3).
fn without_query(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}

fn version_of(word: &str) -> Result<Version, String> {
    match word {
        "HTTP/1.0" => Ok(Version::HTTP_10),
        "HTTP/1.1" => Ok(Version::HTTP_11),
        "HTTP/2" | "HTTP/2.0" => Ok(Version::HTTP_2),
        "HTTP/3" | "HTTP/3.0" => Ok(Version::HTTP_3),
        _ => Err(NO_HEAD.to_owned()),
    }
}

/// The body without its chunk lines, if it still has them. Also removes the headers of codings that were undone.
fn body_of(headers: &mut HeaderMap, body: &[u8]) -> Bytes {
    let chunked = headers.remove(TRANSFER_ENCODING).is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"chunked"));
    let unchunked = if chunked { without_chunks(body) } else { None };
    let body = unchunked.map_or_else(|| Bytes::copy_from_slice(body), Bytes::from);
    undo_stale_coding(headers, &body);
    let declared = headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse::<usize>().ok());
    match declared {
        // Editors add a newline at the end, which is not part of the body.
        Some(length) if length < body.len() && body[length..].trim_ascii().is_empty() => body.slice(..length),
        Some(length) if length != body.len() => {
            headers.remove(CONTENT_LENGTH);
            body
        }
        _ => body,
    }
}

/// The data of a chunked body; `None` if it is not chunked to its end.
fn without_chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    loop {
        let httparse::Status::Complete((start, length)) = httparse::parse_chunk_size(rest).ok()? else { return None };
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        if length == 0 {
            return Some(data);
        }
        data.extend_from_slice(rest.get(start..end)?);
        rest = rest.get(end..)?.strip_prefix(b"\r\n")?;
    }
}
