//! Reads a recorded response of a service, in the form that `curl -i` writes, and the request for this response. The
//! request for the response `NAME.http` is in the file `NAME.request.http` next to it.
//!
//! Special forms of curl are accepted: a status line such as `HTTP/2 404`, further heads before the last head, and a
//! body whose chunks and codings are already decoded.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};

use crate::failure::CommandError;
use crate::stdin;

/// The most header lines in a head. Servers accept no head with more lines.
const MOST_HEADERS: usize = 256;

/// The size of the largest file to read. A larger file is not a recorded error.
const MOST_MIB: u64 = 64;

/// A client's request, and a service's response.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// The file of the response.
    pub(crate) place: String,
    pub(crate) request: Request<Bytes>,
    /// The length of the request's whole body. The recording may contain only a part of the body.
    pub(crate) request_bytes: u64,
    pub(crate) response: Response<Bytes>,
}

impl Recorded {
    /// Parses one response, and reads its request. The request comes from the file `request`, or else from the file
    /// next to the response. If neither file exists, the request is `GET /`.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be read, or is not an HTTP message.
    pub(crate) fn parse(path: &Path, text: &[u8], request: Option<&Path>) -> Result<Self, CommandError> {
        let neighbour = request_beside(path);
        let request = request.or(neighbour.as_deref()).map(read_request).transpose()?;
        let request = request.unwrap_or_else(|| Request::new(Bytes::new()));
        let response = parse_response(path, text, request.method())?;
        let declared = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let request_bytes = declared.unwrap_or(0).max(request.body().len() as u64);
        Ok(Self { place: path.display().to_string(), request, request_bytes, response })
    }
}

/// The phrase of a recorded status line, as an extension of the response. Rules compare it as the message (R3).
#[derive(Clone)]
pub(crate) struct RecordedPhrase(pub(crate) Box<str>);

fn request_beside(response: &Path) -> Option<PathBuf> {
    let stem = response.file_name()?.to_str()?.strip_suffix(".http")?;
    Some(response.with_file_name(format!("{stem}.request.http"))).filter(|request| request.exists())
}

/// Parses the response to a request with this method.
fn parse_response(path: &Path, text: &[u8], method: &Method) -> Result<Response<Bytes>, CommandError> {
    let (mut rest, mut line) = (text, 1);
    loop {
        let Head { first: (status, version, phrase, is_followed), mut headers, length, lines } =
            head_of(path, line, rest, status_line)?;
        rest = &rest[length..];
        if rest.starts_with(b"HTTP/") && is_followed {
            line += lines;
            continue;
        }
        let body = if *method == Method::HEAD { Bytes::new() } else { body_of(&mut headers, rest) };
        let mut response = Response::new(body);
        (*response.status_mut(), *response.version_mut(), *response.headers_mut()) = (status, version, headers);
        if let Some(phrase) = phrase {
            response.extensions_mut().insert(phrase);
        }
        return Ok(response);
    }
}

fn read_request(path: &Path) -> Result<Request<Bytes>, CommandError> {
    let text = read(path)?;
    let Head { first: (method, uri, version), mut headers, length, .. } = head_of(path, 1, &text, request_line)?;
    if let Some(host) = uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok()) {
        headers.entry(HOST).or_insert(host);
    }
    let declared = headers.get(CONTENT_LENGTH).cloned();
    let body = body_of(&mut headers, &text[length..]);
    // A recording of an upload seldom contains the upload's body. Its declared length is kept, so that the body limit
    // is still checked (G4).
    if let Some(declared) = declared.filter(|_| body.is_empty()) {
        headers.insert(CONTENT_LENGTH, declared);
    }
    let mut request = Request::new(body);
    (*request.method_mut(), *request.uri_mut()) = (method, uri);
    (*request.version_mut(), *request.headers_mut()) = (version, headers);
    Ok(request)
}

/// Returns the bytes of a recording, without a byte order mark.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    let mut text = stdin::read(path, MOST_MIB).map_err(|error| {
        CommandError::Io(format!("{}: cannot be read: {error}; name a readable file", path.display()))
    })?;
    if text.starts_with(b"\xef\xbb\xbf") {
        text.drain(..3);
    }
    Ok(text)
}

fn error(path: &Path, line: usize, wrong: &str) -> CommandError {
    CommandError::Io(format!("{}:{line}: {wrong}", path.display()))
}

/// The head of a message, and its length in bytes, including the empty line.
struct Head<T> {
    first: T,
    headers: HeaderMap,
    length: usize,
    lines: usize,
}

const NO_HEAD: &str = "not an HTTP message: a response begins with a status line such as `HTTP/1.1 404 Not Found`, which `curl -i` \
                       writes and `curl` alone leaves out; a request begins with a line such as `GET /orders HTTP/1.1`";

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
    // A file that was written by an editor has line feeds without carriage returns, and may end after the last header.
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
    let (name, value) = (HeaderName::from_bytes(header.name.as_bytes()), HeaderValue::from_bytes(header.value));
    let name = name.map_err(|_| format!("{:?} is not a valid header name", header.name))?;
    let value = value.map_err(|_| format!("the value of {name} is not a valid header value"))?;
    match headers.try_append(name, value) {
        Ok(_) if headers.len() <= MOST_HEADERS => Ok(()),
        _ => Err("too many headers".to_owned()),
    }
}

/// Returns the status, the version, the phrase, and true if curl may write another head after this one. curl does this
/// after an interim response, a redirection that it followed, or a proxy's response.
fn status_line(line: &str) -> Result<(StatusCode, Version, Option<RecordedPhrase>, bool), String> {
    let (version, rest) = line.split_once(' ').unwrap_or((line, ""));
    let version = version_of(version)?;
    let (status, phrase) = rest.split_once(' ').unwrap_or((rest, ""));
    let phrase = Some(phrase.trim()).filter(|phrase| !phrase.is_empty()).map(|phrase| RecordedPhrase(phrase.into()));
    let status: StatusCode =
        status.parse().map_err(|_| format!("{status:?} is not a valid status: write one such as 404"))?;
    let is_interim = status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS;
    let is_of_proxy = status == StatusCode::OK && line.to_ascii_lowercase().ends_with(" connection established");
    Ok((status, version, phrase, is_interim || status.is_redirection() || is_of_proxy))
}

fn request_line(line: &str) -> Result<(Method, Uri, Version), String> {
    let parts: Vec<&str> = line.split(' ').collect();
    let (method, target, version) = match parts[..] {
        [method, target, version] => (method, target, version_of(version)?),
        [method, target] => (method, target, Version::HTTP_11),
        _ => return Err(NO_HEAD.to_owned()),
    };
    let method = method.parse().map_err(|_| format!("{method:?} is not a valid method: write one such as GET"))?;
    // The query is not shown, because it may contain a key (L3).
    let shown = target.split('?').next().unwrap_or_default();
    let uri: Uri = target.parse().map_err(|error| format!("{shown:?} is not a valid request target: {error}"))?;
    match uri.path().starts_with('/') || uri.path() == "*" || method == Method::CONNECT {
        true => Ok((method, uri, version)),
        false => Err(format!("{shown:?} is not a valid request target: write a path such as /orders, or a URL")),
    }
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

/// Returns the body. Removes the chunk lines, if the body still has them. Also removes the headers for codings that are
/// already decoded.
fn body_of(headers: &mut HeaderMap, body: &[u8]) -> Bytes {
    let chunked = headers.remove(TRANSFER_ENCODING).is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"chunked"));
    let unchunked = if chunked { without_chunks(body) } else { None };
    let body = unchunked.map_or_else(|| Bytes::copy_from_slice(body), Bytes::from);
    // `curl --compressed` decodes a body, but writes the head as it was received. If the body is text, it is already
    // decoded.
    if headers.contains_key(CONTENT_ENCODING) && !body.is_empty() && str::from_utf8(&body).is_ok() {
        headers.remove(CONTENT_ENCODING);
        headers.remove(CONTENT_LENGTH);
    }
    let declared = headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse::<usize>().ok());
    match declared {
        // Editors add a newline at the end of a file. It is not part of the body.
        Some(length) if length < body.len() && body[length..].trim_ascii().is_empty() => body.slice(..length),
        Some(length) if length != body.len() => {
            headers.remove(CONTENT_LENGTH);
            body
        }
        _ => body,
    }
}

/// Returns the data of a chunked body, or `None` if the text is not a complete chunked body.
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

#[cfg(test)]
mod tests;
