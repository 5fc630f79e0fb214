//! A client that sends a case's exact bytes over HTTP/1, and observes the connection.

use std::io::{self, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::format::{Case, RequestFraming, Version};
use super::seen::{End, Exchanged, Response};
use super::wire::{Framing, Timed, Wire};
use crate::wait::TOO_LONG;

/// A time that exceeds each wait of the contract with its defaults, also on a busy machine.
const PATIENCE: Duration = TOO_LONG;

/// The patience for a body that never ends. It exceeds the time for which the contract would wait for the end.
pub(super) const SHORT_PATIENCE: Duration = Duration::from_secs(3);

/// Returns how long a client waits for the end of a response.
pub(super) fn patience(case: &Case) -> Duration {
    let passes = || case.alternatives.iter().any(|expect| expect.body.as_deref() == Some("inner"));
    let endless = case.inner.stalls && passes();
    let leaves = case.request.leaves_after_ms.map(Duration::from_millis);
    leaves.unwrap_or(if endless { SHORT_PATIENCE } else { PATIENCE })
}

pub(super) fn exchanges(address: SocketAddr, case: &Case) -> Vec<Exchanged> {
    if case.request.pipelined {
        return pipelined(address, case);
    }
    if case.request.fresh {
        return (0..case.request.times).map(|_| Connection::open(address, case).exchange(true)).collect();
    }
    let mut client = None;
    let mut exchanges = Vec::new();
    for left in (0..case.request.times).rev() {
        let mut connection = client.take().unwrap_or_else(|| Connection::open(address, case));
        let exchanged = connection.exchange(left == 0);
        // HTTP/1.0 closes the connection, and so does a broken body. An uninvited body leaves it in the middle of a
        // request.
        let whole = exchanged.response.as_ref().is_ok_and(|response| response.end == End::Whole);
        client = (whole && connection.reusable()).then_some(connection);
        exchanges.push(exchanged);
    }
    exchanges
}

fn pipelined(address: SocketAddr, case: &Case) -> Vec<Exchanged> {
    let mut connection = Connection::open(address, case);
    let (head, body) = bytes(case);
    let all = [head, body].concat().repeat(case.request.times);
    let start = Instant::now();
    let sent = connection.writing.write_all(&all);
    let broken = sent.is_err_and(|error| is_reset(&error));
    let mut answers = || connection.answer(start, None);
    (0..case.request.times)
        .map(|_| answers())
        .map(|(response, reset)| Exchanged { response, reset: reset || broken })
        .collect()
}

struct Connection<'a> {
    case: &'a Case,
    wire: Wire<Timed>,
    writing: TcpStream,
    body_unsent: bool,
}

impl<'a> Connection<'a> {
    fn open(address: SocketAddr, case: &'a Case) -> Self {
        let stream = TcpStream::connect(address).expect("the gateway listens");
        stream.set_nodelay(true).expect("a socket option");
        let writing = stream.try_clone().expect("a second handle");
        writing.set_write_timeout(Some(PATIENCE)).expect("a socket option");
        let wire = Wire::new(Timed { stream, deadline: Instant::now() + PATIENCE });
        Self { case, wire, writing, body_unsent: false }
    }

    fn reusable(&self) -> bool {
        self.case.request.version != Some(Version::Http10) && !self.body_unsent
    }

    /// Makes one request, and reads its response. Nothing may follow the last response of the connection.
    fn exchange(&mut self, is_last: bool) -> Exchanged {
        let (head, body) = bytes(self.case);
        let expects = self
            .case
            .request
            .headers
            .iter()
            .any(|(name, value)| name.eq_ignore_ascii_case("expect") && value.eq_ignore_ascii_case("100-continue"));
        let start = Instant::now();
        let (response, reset) = if self.case.request.reads_late {
            let sent = self.writing.write_all(&[head, body].concat());
            let broken = sent.is_err_and(|error| is_reset(&error));
            let (mut response, reset) = self.answer(start, None);
            let reset_after = self.nothing_after(&mut response, is_last);
            (response, reset || reset_after || broken)
        } else if expects && !body.is_empty() {
            let sent = self.writing.write_all(&head);
            let broken = sent.is_err_and(|error| is_reset(&error));
            let (mut response, reset) = self.answer(start, Some(body));
            let reset_after = self.nothing_after(&mut response, is_last);
            (response, reset || reset_after || broken)
        } else {
            self.eager(start, &[head, body].concat(), is_last)
        };
        Exchanged { response, reset }
    }

    /// Writes and reads at the same time. A failed write after the response has arrived is not a reset during the
    /// exchange.
    fn eager(&mut self, start: Instant, request: &[u8], is_last: bool) -> (Result<Response, String>, bool) {
        let mut writing = self.writing.try_clone().expect("a second handle");
        let answered = AtomicBool::new(false);
        let (mut response, reset) = std::thread::scope(|scope| {
            let answered = &answered;
            let writer = scope.spawn(move || match writing.write_all(request) {
                Err(error) => is_reset(&error) && !answered.load(Ordering::SeqCst),
                Ok(()) => false,
            });
            let (mut response, mut reset) = self.answer(start, None);
            answered.store(true, Ordering::SeqCst);
            if response.as_ref().map_or(true, closes) {
                reset |= self.nothing_after(&mut response, false);
                let _ = self.writing.shutdown(Shutdown::Both);
            }
            let broken = writer.join().expect("no panic while writing");
            (response, reset || broken)
        });
        let reset_after = response.as_ref().is_ok_and(|it| !closes(it)) && self.nothing_after(&mut response, is_last);
        (response, reset || reset_after)
    }

    /// Reads one response. `invited` is the body that a 100 Continue requests.
    fn answer(&mut self, start: Instant, mut invited: Option<Vec<u8>>) -> (Result<Response, String>, bool) {
        self.wire.source().deadline = start + patience(self.case);
        let mut response = Response::default();
        let head = loop {
            let head = match self.wire.head().and_then(|head| Ok((head.status()?, head))) {
                Ok(head) => head,
                Err(error) => return (Err(format!("no head: {error} ({:?})", error.kind())), is_reset(&error)),
            };
            if head.0 >= 200 || head.0 == 101 {
                break head.1;
            }
            response.interim.push(head.0);
            if let Some(body) = invited.take() {
                let _ = self.writing.write_all(&body);
            }
        };
        self.body_unsent = invited.is_some();
        response.head_at = start.elapsed();
        response.status = head.status().unwrap_or_default();
        response.headers = head.headers.clone();
        let reset = match response.status {
            101 => self.upgraded(&mut response),
            _ => self.body(&head, &mut response, start),
        };
        response.whole_at = start.elapsed();
        (Ok(response), reset)
    }

    /// Reads the body, and returns true if the connection was reset meanwhile.
    fn body(&mut self, head: &super::wire::Head, response: &mut Response, start: Instant) -> bool {
        let bodiless = self.case.request.method() == "HEAD" || matches!(response.status, 204 | 304);
        let framing = if bodiless { Ok(Framing::None) } else { head.framing(Framing::ToEnd) };
        let Response { body, first_at, .. } = response;
        let each = |piece: &[u8]| {
            if !piece.is_empty() {
                first_at.get_or_insert_with(|| start.elapsed());
            }
            body.extend_from_slice(piece);
        };
        match framing.and_then(|framing| self.wire.body(framing, each)) {
            Ok(trailers) => response.trailers = trailers,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => response.end = End::Unfinished,
            Err(error) => {
                response.end = End::Aborted(error.to_string());
                return is_reset(&error);
            }
        }
        false
    }

    fn upgraded(&mut self, response: &mut Response) -> bool {
        let text = self.case.request.upgrade_send.clone().unwrap_or_default();
        let _ = self.writing.write_all(text.as_bytes());
        let wanted = self.case.expect.upgrade_recv.as_ref().map_or(0, String::len);
        loop {
            response.upgraded.extend(self.wire.take_buffered());
            if response.upgraded.len() >= wanted {
                return false;
            }
            match self.wire.fill() {
                Ok(true) => {}
                Ok(false) => return false,
                Err(error) => return is_reset(&error),
            }
        }
    }

    /// Returns true if the connection is reset after a response. Unrequested bytes would be the start of the next
    /// response, so another request shows them. After the last response, the end of the connection shows them. The end
    /// comes once the server learns that no request follows, or without that if the response announced it.
    fn nothing_after(&mut self, response: &mut Result<Response, String>, is_last: bool) -> bool {
        let Ok(response) = response else { return false };
        if response.status == 101 || response.end != End::Whole || !is_last && !closes(response) {
            return false;
        }
        if !closes(response) {
            let _ = self.writing.shutdown(Shutdown::Write);
        }
        self.wire.source().deadline = Instant::now() + PATIENCE;
        let ended = loop {
            match self.wire.fill() {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let more = self.wire.take_buffered();
        match ended {
            _ if !more.is_empty() => {
                response.end = End::Aborted(format!("after the response: {:?}", String::from_utf8_lossy(&more)));
            }
            Err(error) if !is_reset(&error) => response.end = End::Aborted(format!("not closed: {error}")),
            Err(_) => return true,
            Ok(()) => {}
        }
        false
    }
}

fn closes(response: &Response) -> bool {
    response.header("connection").as_deref() == Some("close")
}

fn is_reset(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted
    )
}

/// Returns the head and the framed body.
fn bytes(case: &Case) -> (Vec<u8>, Vec<u8>) {
    let request = &case.request;
    if let Some(raw) = request.raw() {
        return (raw, Vec::new());
    }
    let version = if request.version == Some(Version::Http10) { "1.0" } else { "1.1" };
    let mut head = format!("{} {} HTTP/{version}\r\n", request.method(), request.path());
    if !request.has_header("host") {
        head += &format!("host: {}\r\n", super::HOST);
    }
    request.headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    let body = request.body().unwrap_or_default();
    let has_framing = request.has_header("content-length") || request.has_header("transfer-encoding");
    match request.framed() {
        RequestFraming::Length if !has_framing => head += &format!("content-length: {}\r\n", body.len()),
        RequestFraming::Chunked if !has_framing => head += "transfer-encoding: chunked\r\n",
        _ => {}
    }
    head += "\r\n";
    let body = if request.framed() == RequestFraming::Chunked { chunked(&request.pieces(8192)) } else { body };
    (head.into_bytes(), body)
}

fn chunked(pieces: &[Vec<u8>]) -> Vec<u8> {
    let chunk = |piece: &Vec<u8>| [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
    let mut bytes: Vec<u8> = pieces.iter().filter(|piece| !piece.is_empty()).flat_map(chunk).collect();
    bytes.extend(b"0\r\n\r\n");
    bytes
}

#[cfg(test)]
mod tests;
