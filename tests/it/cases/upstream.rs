//! The service behind the gateway: a raw HTTP/1 server that does what `[case.inner]` of the current case states.
//!
//! The script is set before each request, so that the request itself has no part of the choice.

use std::io::{self, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::format::{Fails, Inner, InnerFraming};
use super::script::sent;
use super::seen::{Call, Sent};
use super::wire::{Framing, Head, Timed, Wire};

pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    stage: Arc<Stage>,
}

#[derive(Default)]
struct Stage {
    scene: Mutex<Arc<Inner>>,
    /// The number of the scene. A connection that stalls ends when its scene is over.
    number: AtomicUsize,
    calls: Mutex<Vec<Call>>,
}

impl Upstream {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let stage = Arc::new(Stage::default());
        let served = stage.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let stage = served.clone();
                std::thread::spawn(move || serve(stream, &stage));
            }
        });
        Self { address, stage }
    }

    pub(super) fn play(&self, inner: &Inner) {
        *lock(&self.stage.scene) = Arc::new(inner.clone());
        self.stage.number.fetch_add(1, Ordering::SeqCst);
        lock(&self.stage.calls).clear();
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        lock(&self.stage.calls).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves one connection. An error means that the peer has left.
fn serve(stream: TcpStream, stage: &Stage) {
    let _ = stream.set_nodelay(true);
    let Ok(reading) = stream.try_clone() else { return };
    let mut wire = Wire::new(Timed { stream: reading, deadline: far() });
    for count in 1.. {
        let Ok(head) = wire.head() else { break };
        let inner = lock(&stage.scene).clone();
        let number = stage.number.load(Ordering::SeqCst);
        let mut turn = Turn { stage, inner, number, stream: &stream, wire: &mut wire, count, index: 0 };
        if !matches!(turn.take(&head), Ok(true)) {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(120)
}

/// One request and its response.
struct Turn<'a> {
    stage: &'a Stage,
    inner: Arc<Inner>,
    number: usize,
    stream: &'a TcpStream,
    wire: &'a mut Wire<Timed>,
    /// The number of the request on its connection, from 1.
    count: usize,
    index: usize,
}

impl Turn<'_> {
    /// Answers the request, and returns true if the connection goes on.
    fn take(&mut self, head: &Head) -> io::Result<bool> {
        self.index = {
            let mut calls = lock(&self.stage.calls);
            calls.push(Call { headers: head.headers.clone(), ..Call::default() });
            calls.len() - 1
        };
        if self.inner.drops == Some(self.count) {
            return Ok(false);
        }
        let framing = head.framing(Framing::None)?;
        let mut status = self.inner.status();
        if self.inner.answers_first {
            return self.answer_first(head, framing);
        }
        if self.inner.reads_body
            && let Err(error) = self.read(head, framing)
        {
            status = self.inner.on_body_error.ok_or(error)?;
        }
        std::thread::sleep(Duration::from_millis(self.inner.delay_ms));
        let goes_on = self.answer(head, status)?;
        if goes_on && !self.inner.reads_body {
            self.wire.body(framing, |_| {})?;
        }
        Ok(goes_on)
    }

    fn answer_first(&mut self, head: &Head, framing: Framing) -> io::Result<bool> {
        let inner = self.inner.clone();
        let sent = sent(&inner, inner.status(), &head.headers);
        self.note(|call| call.sent = Some(sent.clone()));
        self.send(&head_bytes(&inner, &sent, false))?;
        self.send(&[format!("{:x}\r\n", sent.body.len()).as_bytes(), &sent.body, b"\r\n"].concat())?;
        let goes_on = self.read(head, framing).map(|()| true).or_else(|error| match inner.on_body_error {
            Some(_) => Ok(false),
            None => Err(error),
        })?;
        self.send(&last_chunk(&inner))?;
        Ok(goes_on)
    }

    fn note(&self, what: impl FnOnce(&mut Call)) {
        let mut calls = lock(&self.stage.calls);
        // A scene that is over records no calls.
        if self.stage.number.load(Ordering::SeqCst) == self.number
            && let Some(call) = calls.get_mut(self.index)
        {
            what(call);
        }
    }

    fn read(&mut self, head: &Head, framing: Framing) -> io::Result<()> {
        if head.text("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let mut body = Vec::new();
        let end = self.wire.body(framing, |piece| body.extend_from_slice(piece));
        self.note(|call| {
            call.body = Some(body);
            call.body_error = end.as_ref().err().map(ToString::to_string);
        });
        end.map(drop)
    }

    fn answer(&mut self, head: &Head, status: u16) -> io::Result<bool> {
        let sent = sent(&self.inner, status, &head.headers);
        let raw = self.inner.raw();
        if raw.as_deref().is_none_or(|raw| super::wire::response_in(raw).is_some()) {
            self.note(|call| call.sent = Some(sent.clone()));
        }
        if let Some(raw) = raw {
            self.send(&raw)?;
            if self.inner.holds {
                self.hold();
            }
            return Ok(super::wire::keeps_open(&raw));
        }
        let bodiless = head.first_line.starts_with("HEAD ") || matches!(sent.status, 100..200 | 204 | 304);
        self.send(&head_bytes(&self.inner, &sent, bodiless))?;
        if sent.status == 101 {
            return self.upgraded(&sent.body).map(|()| false);
        }
        let closes = self.inner.framed() == InnerFraming::Close;
        Ok(bodiless || self.body(&sent.body)? && !closes)
    }

    fn body(&mut self, body: &[u8]) -> io::Result<bool> {
        let inner = self.inner.clone();
        let chunked = inner.framed() == InnerFraming::Chunked;
        let cut = inner.cut_after.unwrap_or(body.len()).min(body.len());
        let (size, wait) = match inner.trickle {
            Some(trickle) => (trickle.bytes.max(1), Duration::from_millis(trickle.every_ms)),
            None => (64 * 1024, Duration::ZERO),
        };
        for (index, piece) in body[..cut].chunks(size).enumerate() {
            std::thread::sleep(if index > 0 { wait } else { Duration::ZERO });
            if chunked {
                self.send(&[format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat())?;
            } else {
                self.send(piece)?;
            }
        }
        if inner.cut_after.is_some() || inner.fails == Some(Fails::ErrorInBody) {
            return Ok(false);
        }
        if inner.stalls {
            self.hold();
            return Ok(false);
        }
        if chunked {
            self.send(&last_chunk(&inner))?;
        }
        Ok(true)
    }

    fn upgraded(&mut self, greeting: &[u8]) -> io::Result<()> {
        if self.inner.upgraded.is_none() {
            return Ok(());
        }
        self.send(greeting)?;
        loop {
            let piece = self.wire.take_buffered();
            self.send(&piece)?;
            if !self.wire.fill()? {
                return Ok(());
            }
        }
    }

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stream = self.stream;
        stream.write_all(bytes)
    }

    /// Sends nothing more until the peer leaves or the scene is over.
    fn hold(&mut self) {
        while self.stage.number.load(Ordering::SeqCst) == self.number {
            self.wire.source().deadline = Instant::now() + Duration::from_millis(50);
            match self.wire.fill() {
                Ok(true) => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
                Ok(false) | Err(_) => return,
            }
        }
    }
}

fn last_chunk(inner: &Inner) -> Vec<u8> {
    let trailers = inner.trailers().into_iter().map(|(name, value)| [name.as_bytes(), b": ", &value, b"\r\n"].concat());
    [b"0\r\n", &*trailers.collect::<Vec<_>>().concat(), b"\r\n"].concat()
}

fn head_bytes(inner: &Inner, sent: &Sent, bodiless: bool) -> Vec<u8> {
    let reason = http::StatusCode::from_u16(sent.status).ok().and_then(|status| status.canonical_reason());
    let mut bytes = format!("HTTP/1.1 {} {}\r\n", sent.status, reason.unwrap_or_default()).into_bytes();
    for (name, value) in &sent.headers {
        bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    let has_framing = sent.headers.iter().any(|(name, _)| name == "content-length" || name == "transfer-encoding");
    let framing = match inner.framed() {
        _ if has_framing || matches!(sent.status, 100..200 | 204 | 304) => "",
        InnerFraming::Chunked => "transfer-encoding: chunked\r\n",
        InnerFraming::Length if !bodiless => "content-length: 0\r\n",
        InnerFraming::Length | InnerFraming::Close => "",
    };
    bytes.extend(framing.as_bytes());
    bytes.extend(b"\r\n");
    bytes
}
