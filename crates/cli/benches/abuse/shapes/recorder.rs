//! A service that parses requests strictly by RFC 9112, and records what it read.

use std::io;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{HIDDEN, path};
use crate::service::Service;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine";
/// Fields that trailers must not contain (RFC 9110, section 6.5.1): fields for framing, routing and credentials,
/// including those that the policy names.
const NOT_IN_TRAILERS: [&str; 16] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-api-key",
    "x-request-id",
    "x-team-key",
];

#[derive(Default)]
pub(super) struct Recorder(Mutex<Vec<Seen>>);

#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    line: String,
    fields: Vec<(String, String)>,
    body: usize,
    trailers: Vec<(String, String)>,
    /// The reason why the request could not be parsed.
    broken: Option<String>,
}

impl Recorder {
    pub(super) fn start(self: &Arc<Self>) -> Service {
        let recorder = Arc::clone(self);
        Service::raw(move |stream| {
            let recorder = Arc::clone(&recorder);
            async move {
                let mut stream = BufReader::new(stream);
                loop {
                    let mut seen = Seen::default();
                    let read = seen.read(&mut stream).await;
                    if seen.line.is_empty() {
                        return;
                    }
                    seen.broken = read.as_ref().err().map(ToString::to_string);
                    recorder.0.lock().expect("no panic under the lock").push(seen);
                    if read.is_err() || stream.get_mut().write_all(ANSWER).await.is_err() {
                        return;
                    }
                }
            }
        })
    }

    /// Returns the requests of one shape.
    pub(super) fn of_shape(&self, number: usize) -> Vec<Seen> {
        let all = self.0.lock().expect("no panic under the lock");
        all.iter().filter(|seen| seen.line.contains(&path(number))).cloned().collect()
    }

    /// Returns the requests that belong to no shape. Such a request was hidden inside a shape, or was created from
    /// parts of a shape.
    pub(super) fn strays(&self) -> Vec<Seen> {
        let all = self.0.lock().expect("no panic under the lock");
        all.iter().filter(|seen| !seen.line.contains("/s-")).cloned().collect()
    }
}

impl Seen {
    async fn read(&mut self, stream: &mut BufReader<TcpStream>) -> io::Result<()> {
        self.line = line(stream).await?;
        self.fields = fields(stream).await?;
        if self.has("transfer-encoding", "chunked") {
            loop {
                let size = line(stream).await?;
                let size =
                    usize::from_str_radix(&size, 16).map_err(|_| io::Error::other(format!("a chunk of {size:?}")))?;
                if size == 0 {
                    self.trailers = fields(stream).await?;
                    return Ok(());
                }
                stream.read_exact(&mut vec![0; size]).await?;
                self.body += size;
                let end = line(stream).await?;
                if !end.is_empty() {
                    return Err(io::Error::other(format!("{end:?} behind a chunk")));
                }
            }
        }
        if let Some((_, length)) = self.fields.iter().find(|(name, _)| name == "content-length") {
            self.body = length.parse().map_err(|_| io::Error::other(format!("a length of {length:?}")))?;
            stream.read_exact(&mut vec![0; self.body]).await?;
        }
        Ok(())
    }

    fn has(&self, name: &str, value: &str) -> bool {
        self.fields.iter().any(|field| field.0 == name && field.1.eq_ignore_ascii_case(value))
    }

    pub(super) fn is_whole(&self) -> bool {
        self.broken.is_none()
    }

    pub(super) fn describe(&self) -> String {
        let mut told = String::new();
        if self.body > 0 {
            told += &format!(", {} bytes of body", self.body);
        }
        if self.broken.is_some() {
            told += ", broken off";
        }
        if !self.trailers.is_empty() {
            let names: Vec<_> = self.trailers.iter().map(|(name, _)| &**name).collect();
            told += &format!(", trailers {}", names.join(" "));
        }
        told
    }

    /// Returns the violations that a service must never receive.
    pub(super) fn wrongs(&self) -> Vec<String> {
        let mut wrongs = Vec::new();
        let count = |name: &str| self.fields.iter().filter(|field| field.0 == name).count();
        if self.line.contains(HIDDEN) {
            wrongs.push(format!("it saw what was hidden: {}", self.line));
        }
        let (lengths, codings, hosts) = (count("content-length"), count("transfer-encoding"), count("host"));
        if lengths + codings > 1 || hosts != 1 {
            wrongs.push(format!("{lengths} lengths, {codings} codings, {hosts} hosts: {:?}", self.fields));
        }
        if codings == 1 && !self.has("transfer-encoding", "chunked") {
            wrongs.push(format!("a coding that is not chunked: {:?}", self.fields));
        }
        for (name, value) in self.fields.iter().chain(&self.trailers) {
            if name == "x-injected" || value.contains(['\r', '\n', '\0']) {
                wrongs.push(format!("a field was smuggled in: {name}: {value:?}"));
            }
        }
        for (name, _) in &self.trailers {
            if NOT_IN_TRAILERS.contains(&&**name) {
                wrongs.push(format!("{name} came in trailers"));
            }
        }
        wrongs
    }
}

/// Reads a line that ends with CR LF. The line itself must contain neither CR nor LF.
async fn line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line).await?;
    let Some(line) = line.strip_suffix(b"\r\n") else {
        return Err(io::Error::other(format!("a line without its end: {:?}", String::from_utf8_lossy(&line))));
    };
    if line.contains(&b'\r') {
        return Err(io::Error::other("a CR within a line"));
    }
    Ok(String::from_utf8_lossy(line).into_owned())
}

async fn fields(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<(String, String)>> {
    let mut fields = Vec::new();
    loop {
        let line = line(stream).await?;
        if line.is_empty() {
            return Ok(fields);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| io::Error::other(format!("no field: {line:?}")))?;
        fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}
