//! The service. It responds as the kind of the request states, and records what it saw.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::plan::{Answer, AnswerEnd, Kind, Leaves, Upload};
use super::wire::{Head, Wire};

/// What the service saw of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Served {
    pub(crate) calls: u32,
    pub(crate) id: Option<String>,
    /// The number of received bytes of the request's body.
    pub(crate) received: u64,
}

#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    kinds: Arc<HashMap<&'static str, Kind>>,
    served: Arc<Mutex<HashMap<u64, Served>>>,
    /// How many clients of each kind may leave.
    leaving: Arc<HashMap<&'static str, Semaphore>>,
}

impl Service {
    pub(crate) async fn start(kinds: &[Kind]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let service = Self {
            address: listener.local_addr().expect("its address"),
            kinds: Arc::new(kinds.iter().map(|kind| (kind.name, kind.clone())).collect()),
            served: Arc::default(),
            leaving: Arc::new(kinds.iter().map(|kind| (kind.name, Semaphore::new(0))).collect()),
        };
        let serving = service.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = serving.clone();
                tokio::spawn(async move { service.serve(stream).await });
            }
        });
        service
    }

    /// Returns what it saw of the request with this number.
    pub(crate) fn served(&self, number: u64) -> Served {
        self.served.lock().unwrap_or_else(PoisonError::into_inner).get(&number).cloned().unwrap_or_default()
    }

    /// Returns true if the service was ever called.
    pub(crate) fn has_calls(&self) -> bool {
        !self.served.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Lets one client of this kind leave.
    pub(crate) fn let_leave(&self, kind: &str) {
        self.leaving[kind].add_permits(1);
    }

    fn note(&self, number: u64, what: impl FnOnce(&mut Served)) {
        what(self.served.lock().unwrap_or_else(PoisonError::into_inner).entry(number).or_default());
    }

    async fn serve(&self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let mut wire = Wire::new(stream);
        while let Ok(head) = wire.head().await {
            let Some((kind, number)) = self.asked(&head) else { return };
            self.note(number, |served| {
                served.calls += 1;
                served.id = head.get("x-request-id").map(str::to_owned);
            });
            if matches!(kind.upload, Upload::Unfinished(_)) {
                self.answer(&mut wire, kind, &head).await;
                return wire.closed().await;
            }
            let received = wire.body(&head, false, |bytes| {
                self.note(number, |served| served.received = bytes);
                true
            });
            if received.await.is_broken || !self.answer(&mut wire, kind, &head).await {
                return;
            }
        }
    }

    /// Returns the kind of a request, and its number.
    fn asked(&self, head: &Head) -> Option<(&Kind, u64)> {
        let (path, number) = head.first.split(' ').nth(1)?.split_once("?n=")?;
        Some((self.kinds.get(path.rsplit('/').next()?)?, number.parse().ok()?))
    }

    /// Responds, and returns true if the connection goes on.
    async fn answer(&self, wire: &mut Wire, kind: &Kind, head: &Head) -> bool {
        let Answer { status, headers, body, chunked, trailers, end } = &kind.answer;
        match end {
            AnswerEnd::Drops => return false,
            AnswerEnd::Silent => {
                wire.closed().await;
                return false;
            }
            AnswerEnd::Whole | AnswerEnd::Cut | AnswerEnd::Stalls => {}
        }
        let mut bytes = format!("HTTP/1.1 {status} Said\r\n");
        headers.iter().for_each(|(name, value)| bytes.push_str(&format!("{name}: {value}\r\n")));
        match (chunked, status) {
            (_, 204 | 304) => {}
            (true, _) => bytes.push_str("transfer-encoding: chunked\r\n"),
            (false, _) => bytes.push_str(&format!("content-length: {}\r\n", body.len())),
        }
        bytes.push_str("\r\n");
        let mut bytes = bytes.into_bytes();
        if head.first.starts_with("HEAD ") {
            return wire.send(&bytes).await.is_ok();
        }
        let part = if *end == AnswerEnd::Whole { body.len() } else { body.len().div_ceil(2) };
        if *chunked && part > 0 {
            bytes.extend([format!("{part:x}\r\n").as_bytes(), &body[..part], b"\r\n"].concat());
        } else {
            bytes.extend(&body[..part]);
        }
        if *chunked && *end == AnswerEnd::Whole {
            bytes.extend(b"0\r\n");
            trailers.iter().for_each(|(name, value)| bytes.extend(format!("{name}: {value}\r\n").as_bytes()));
            bytes.extend(b"\r\n");
        }
        let is_sent = wire.send(&bytes).await.is_ok();
        if *end == AnswerEnd::Stalls {
            wire.closed().await;
        }
        is_sent && *end == AnswerEnd::Whole
    }

    /// Waits until the request has progressed as far as its client needs before it leaves.
    pub(crate) async fn has_come(&self, number: u64, kind: &Kind) {
        if kind.leaves == Leaves::WhenLet {
            return self.leaving[kind.name].acquire().await.expect("it stays open").forget();
        }
        let enough = |served: Served| match kind.upload {
            Upload::Half(length) => served.received >= (length / 2) as u64,
            Upload::Contradicts(first, ..) => served.received >= first as u64,
            Upload::Length(_) | Upload::Unfinished(_) | Upload::Chunked(_) | Upload::Nothing | Upload::BadChunk => {
                served.calls > 0 && kind.leaves != Leaves::InBody
            }
        };
        while !enough(self.served(number)) {
            tokio::task::yield_now().await;
        }
    }
}
