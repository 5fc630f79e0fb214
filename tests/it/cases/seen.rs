//! What a driver saw of one case: at the client, at the service, and in the log.

use std::time::Duration;

use super::wire::Headers;

/// One run of a case in one driver.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// One exchange for each request that was sent.
    pub(super) exchanges: Vec<Exchanged>,
    /// What the inner service was called with, and how it responded.
    pub(super) calls: Vec<Call>,
    pub(super) log: String,
    /// The text of the refusal, if the policy was refused.
    pub(super) refused: Option<String>,
    pub(super) facts: Facts,
}

/// What the checks must know about the driver that ran.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    /// True if the run used HTTP/2, which has no `connection` header and no chunks.
    pub(super) http2: bool,
    /// The number of processes in a row. With several, the inner service and the client see different ids (E3 is about
    /// one process).
    pub(super) processes: usize,
    /// True if a server wrote the response, so that `date` and hop-by-hop fields may be its own.
    pub(super) over_socket: bool,
}

/// The result of one request. The text states why there is no response.
#[derive(Debug)]
pub(super) struct Exchanged {
    pub(super) response: Result<Response, String>,
    /// True if the connection was reset while the client sent or read.
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
    /// The body broke off, with a description.
    Aborted(String),
    /// The client's patience ended before the body.
    Unfinished,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Call {
    pub(super) headers: Headers,
    /// The body of the request that the service read. `None` if it does not read the body, or has not reached its end.
    pub(super) body: Option<Vec<u8>>,
    /// What ended the reading before the end of the body.
    pub(super) body_error: Option<String>,
    /// The response of the service, or `None` if it failed before that.
    pub(super) sent: Option<Sent>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Sent {
    pub(super) status: u16,
    pub(super) headers: Headers,
    /// The whole body that it would send if nothing broke it off.
    pub(super) body: Vec<u8>,
}

impl Response {
    pub(super) fn lines(&self, name: &str) -> Vec<String> {
        lines(&self.headers, name)
    }

    /// Returns the value of a header that is there once.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let lines = self.lines(name);
        (lines.len() == 1).then(|| lines.concat())
    }
}

pub(super) fn lines(headers: &Headers, name: &str) -> Vec<String> {
    let text = |value: &Vec<u8>| String::from_utf8_lossy(value).into_owned();
    headers.iter().filter(|(have, _)| have == name).map(|(_, value)| text(value)).collect()
}
