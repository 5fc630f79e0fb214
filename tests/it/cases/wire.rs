//! Reads HTTP/1 by hand, because a library would repair what the cases test: heads, framings, and how a stream ends.

use std::io::{self, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Header lines in the order of the wire, with names in lower case and unchanged values.
pub(super) type Headers = Vec<(String, Vec<u8>)>;

#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) first_line: String,
    pub(super) headers: Headers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    None,
    Length(u64),
    Chunked,
    ToEnd,
}

pub(super) struct Wire<R> {
    source: R,
    buffer: Vec<u8>,
}

impl<R: Read> Wire<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, buffer: Vec::new() }
    }

    pub(super) fn source(&mut self) -> &mut R {
        &mut self.source
    }

    /// Reads the next head. The error is `UnexpectedEof` if the peer closed before or within it.
    pub(super) fn head(&mut self) -> io::Result<Head> {
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            match line.is_empty() {
                true if lines.is_empty() => {}
                true => return head_of(lines),
                false => lines.push(line),
            }
        }
    }

    /// Hands over each piece of the body when it arrives, and returns the trailers.
    pub(super) fn body(&mut self, framing: Framing, mut each: impl FnMut(&[u8])) -> io::Result<Headers> {
        match framing {
            Framing::None => Ok(Headers::new()),
            Framing::Length(length) => self.exactly(length, &mut each).map(|()| Headers::new()),
            Framing::Chunked => self.chunks(&mut each),
            Framing::ToEnd => self.until_closed(&mut each).map(|()| Headers::new()),
        }
    }

    /// Takes the bytes that have arrived, but belong to no message yet.
    pub(super) fn take_buffered(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    /// Reads once more, and returns true if there was anything.
    pub(super) fn fill(&mut self) -> io::Result<bool> {
        let mut piece = [0; 16 * 1024];
        let count = self.source.read(&mut piece)?;
        self.buffer.extend_from_slice(&piece[..count]);
        Ok(count > 0)
    }

    fn more(&mut self) -> io::Result<()> {
        if self.fill()? { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut seen = 0;
        loop {
            if let Some(at) = self.buffer[seen..].iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=seen + at).collect();
                line.pop();
                line.pop_if(|byte| *byte == b'\r');
                return Ok(line);
            }
            seen = self.buffer.len();
            self.more()?;
        }
    }

    fn exactly(&mut self, mut left: u64, each: &mut impl FnMut(&[u8])) -> io::Result<()> {
        while left > 0 {
            if self.buffer.is_empty() {
                self.more()?;
            }
            let count = self.buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            each(&self.buffer[..count]);
            self.buffer.drain(..count);
            left -= count as u64;
        }
        Ok(())
    }

    fn chunks(&mut self, each: &mut impl FnMut(&[u8])) -> io::Result<Headers> {
        loop {
            let line = self.line()?;
            let size = std::str::from_utf8(&line).unwrap_or("?").split(';').next().unwrap_or("").trim();
            let size = u64::from_str_radix(size, 16).map_err(|_| wrong(format!("chunk size {size:?}")))?;
            if size == 0 {
                return self.trailers();
            }
            self.exactly(size, each)?;
            if !self.line()?.is_empty() {
                return Err(wrong("a chunk longer than its size".into()));
            }
        }
    }

    fn trailers(&mut self) -> io::Result<Headers> {
        let mut trailers = Headers::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(trailers);
            }
            trailers.push(field(&line)?);
        }
    }

    fn until_closed(&mut self, each: &mut impl FnMut(&[u8])) -> io::Result<()> {
        loop {
            each(&self.buffer);
            self.buffer.clear();
            if !self.fill()? {
                return Ok(());
            }
        }
    }
}

/// A socket whose reads end at a deadline.
pub(super) struct Timed {
    pub(super) stream: TcpStream,
    pub(super) deadline: Instant,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        self.stream.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
            _ => error,
        })
    }
}

impl Head {
    /// Returns the reason phrase of a response's head, as hyper's client keeps it.
    pub(super) fn reason_phrase(&self) -> Option<hyper::ext::ReasonPhrase> {
        let phrase = self.first_line.splitn(3, ' ').nth(2)?;
        let status = http::StatusCode::from_u16(self.status().ok()?).ok()?;
        let is_kept = status.canonical_reason() != Some(phrase);
        is_kept.then(|| phrase.as_bytes().try_into().ok())?
    }

    pub(super) fn status(&self) -> io::Result<u16> {
        let mut parts = self.first_line.splitn(3, ' ');
        let version = parts.next().unwrap_or("");
        let status = parts.next().and_then(|status| status.parse().ok());
        match status {
            Some(status) if version.starts_with("HTTP/1.") => Ok(status),
            _ => Err(wrong(format!("status line {:?}", self.first_line))),
        }
    }

    pub(super) fn values<'a>(&'a self, name: &str) -> Vec<&'a [u8]> {
        values(&self.headers, name)
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.values(name).first().map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// Returns the framing of the body that follows, or `without` if no field states it.
    pub(super) fn framing(&self, without: Framing) -> io::Result<Framing> {
        let lengths = self.values("content-length");
        let chunked =
            self.text("transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().contains("chunked"));
        match lengths[..] {
            [] if chunked => Ok(Framing::Chunked),
            [] => Ok(without),
            [_] if chunked => Err(wrong("content-length beside transfer-encoding".into())),
            [length] => std::str::from_utf8(length)
                .ok()
                .and_then(|length| length.parse().ok())
                .map(Framing::Length)
                .ok_or_else(|| wrong(format!("content-length {:?}", String::from_utf8_lossy(length)))),
            _ => Err(wrong("more than one content-length".into())),
        }
    }
}

pub(super) fn values<'a>(headers: &'a Headers, name: &str) -> Vec<&'a [u8]> {
    headers.iter().filter(|(have, _)| have == name).map(|(_, value)| value.as_slice()).collect()
}

/// Reads a response from bytes: its head, the part of the body that is there, and true if that is all of it. Returns
/// `None` if it has no proper head, or is an interim response.
pub(super) fn response_in(raw: &[u8]) -> Option<(Head, Vec<u8>, bool)> {
    let (head, body, whole, _) = response_to_the_end(raw)?;
    Some((head, body, whole))
}

/// Returns true if a peer that reads this response may send its next request on the same connection. Closing the
/// connection would race with that request.
pub(super) fn keeps_open(raw: &[u8]) -> bool {
    response_to_the_end(raw).is_some_and(|(head, _, whole, ends)| {
        let closes = head.text("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let framed = !matches!(head.framing(Framing::ToEnd), Ok(Framing::ToEnd) | Err(_));
        whole && framed && ends && !closes && head.first_line.starts_with("HTTP/1.1")
    })
}

fn response_to_the_end(raw: &[u8]) -> Option<(Head, Vec<u8>, bool, bool)> {
    let mut wire = Wire::new(raw);
    let head = wire.head().ok()?;
    let status = head.status().ok()?;
    let framing = head.framing(Framing::ToEnd).ok()?;
    if (100..200).contains(&status) {
        return None;
    }
    let mut body = Vec::new();
    let whole = wire.body(framing, |piece| body.extend_from_slice(piece)).is_ok();
    let ends = wire.take_buffered().is_empty() && !wire.fill().ok()?;
    Some((head, body, whole, ends))
}

fn head_of(lines: Vec<Vec<u8>>) -> io::Result<Head> {
    let mut lines = lines.into_iter();
    let first = lines.next().unwrap_or_default();
    let headers = lines.map(|line| field(&line)).collect::<io::Result<Headers>>()?;
    Ok(Head { first_line: String::from_utf8_lossy(&first).into_owned(), headers })
}

fn field(line: &[u8]) -> io::Result<(String, Vec<u8>)> {
    let colon = line.iter().position(|byte| *byte == b':');
    let colon = colon.ok_or_else(|| wrong(format!("header line {:?}", String::from_utf8_lossy(line))))?;
    let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
    Ok((name, line[colon + 1..].trim_ascii().to_vec()))
}

fn wrong(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
