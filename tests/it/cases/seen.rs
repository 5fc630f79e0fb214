//! What a driver saw of one case: the client's side, the service's side, and the log.

use std::time::Duration;

use super::wire::Headers;

/// One run of a case in one driver.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// One for each time that the request was sent.
    pub(super) exchanges: Vec<Exchanged>,
    /// What the inner service was called with, and what it answered.
    pub(super) calls: Vec<Call>,
    pub(super) log: String,
    /// The text of the refusal, where the policy was refused.
    pub(super) refused: Option<String>,
    pub(super) facts: Facts,
}

/// What the checks must know of the driver that ran.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    /// HTTP/2 has no `connection` header and no chunks.
    pub(super) http2: bool,
    /// Several processes in a row: the inner service sees another id than the client (E3 is about one process).
    pub(super) processes: usize,
    /// A server wrote the response, so `date` and hop-by-hop fields may be its own.
    pub(super) over_socket: bool,
}

/// What came of one request; the text states why nothing did.
#[derive(Debug)]
pub(super) struct Exchanged {
    pub(super) response: Result<Response, String>,
    /// The connection was reset under the client, while it sent or while it read.
    pub(super) reset: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Response {
    pub(super) interim: Vec<u16>,
    pub(super) status: u16,
    pub(super) headers: Headers,
    pub(super) body: Vec<u8>,
    pub(super) trailers: Headers,
    pub(super) end: End,
    pub(super) head_at: Duration,
    pub(super) first_at: Option<Duration>,
    pub(super) whole_at: Duration,
    pub(super) upgraded: Vec<u8>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum End {
    #[default]
    Whole,
    /// Broken off, and how.
    Aborted(String),
    /// The client's patience ended first.
    Unfinished,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Call {
    pub(super) headers: Headers,
    /// What it read of the request's body; `None` where it does not read it, or has not come to its end.
    pub(super) body: Option<Vec<u8>>,
    /// What ended it before its end.
    pub(super) body_error: Option<String>,
    /// The head that it answered with; `None` where it failed before one.
    pub(super) sent: Option<Sent>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Sent {
    pub(super) status: u16,
    pub(super) headers: Headers,
    /// The whole body that it would send, whatever breaks it off.
    pub(super) body: Vec<u8>,
}

impl Response {
    pub(super) fn lines(&self, name: &str) -> Vec<String> {
        lines(&self.headers, name)
    }

    /// The value of a header that is there once.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let lines = self.lines(name);
        (lines.len() == 1).then(|| lines.concat())
    }
}

pub(super) fn lines(headers: &Headers, name: &str) -> Vec<String> {
    let text = |value: &Vec<u8>| String::from_utf8_lossy(value).into_owned();
    headers.iter().filter(|(have, _)| have == name).map(|(_, value)| text(value)).collect()
}
