//! The state that a stream keeps between two messages.

use std::pin::Pin;
use std::sync::Arc;

use error_envelope_core::request_id::RequestId;
use error_envelope_core::session::{BodyMeter, Ending, Follow, LocalReply, Reading, Session, SessionConfig};
use error_envelope_runtime as runtime;
use error_envelope_runtime::envoy::{self, RequestHead};
use error_envelope_runtime::{PolicyHandle, RequestMetrics, RequestTimer, Started};
use http::response;
use tonic::Status;

use super::timers::Timers;
use crate::message;
use crate::mode::Mode;
use crate::proto::{HeaderMap as EnvoyHeaders, HttpHeaders, ProcessingResponse};

/// The result of a message: a message for Envoy, or `None` if nothing is sent until another input comes.
pub(super) type Reply = Result<Option<ProcessingResponse>, Status>;

/// The state of one stream, which handles one request.
pub(crate) struct ProcessingStream {
    pub(super) handle: PolicyHandle,
    pub(super) metrics: RequestMetrics,
    /// The config that the request began with (M3).
    pub(super) config: Option<Arc<SessionConfig>>,
    pub(super) session: Session,
    pub(super) phase: Phase,
    /// The response and the record of the request, until the stream ends (L5).
    pub(super) follow: Follow,
    pub(super) meter: Option<BodyMeter>,
    pub(super) timers: Timers,
    /// The part of the request's head that could be parsed. The form of a response depends on these parts of the head.
    pub(super) head: RequestHead,
    pub(super) id: Option<RequestId>,
    pub(super) mode: Mode,
    /// True if a response's head has been sent, so that no other response can be sent.
    pub(super) is_head_sent: bool,
    pub(super) timer: Option<RequestTimer>,
    pub(super) started: Option<Started>,
}

/// The phase of a stream. The decisions are in the session.
#[derive(Default)]
pub(super) enum Phase {
    #[default]
    New,
    Verifying(Box<KeyWait>),
    Peeking,
    Called,
    Collecting(Box<Collecting>),
    Passing,
    Done,
}

/// A request whose guards wait for keys.
pub(super) struct KeyWait {
    pub(super) lines: Option<EnvoyHeaders>,
    /// The future that is ready once the keys are fetched.
    pub(super) fetched: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// An error whose body Envoy buffers.
pub(super) struct Collecting {
    pub(super) reading: Reading,
    pub(super) head: response::Parts,
    /// The message with the head.
    pub(super) message: HttpHeaders,
}

impl ProcessingStream {
    pub(crate) fn new(handle: PolicyHandle, metrics: RequestMetrics) -> Self {
        Self {
            handle,
            metrics,
            config: None,
            session: Session::default(),
            phase: Phase::New,
            follow: Follow::default(),
            meter: None,
            timers: Timers::default(),
            head: RequestHead::default(),
            id: None,
            mode: Mode::default(),
            is_head_sent: false,
            timer: None,
            started: Started::now(),
        }
    }

    pub(super) fn config(&mut self) -> Arc<SessionConfig> {
        self.config.get_or_insert_with(|| self.handle.config()).clone()
    }

    /// Takes the phase. Unless a phase is put back, the stream is done.
    pub(super) fn take_phase(&mut self) -> Phase {
        std::mem::replace(&mut self.phase, Phase::Done)
    }

    /// Begins a request that was not admitted, from those parts of its head that could be parsed.
    pub(super) fn unread(&mut self) {
        let (config, id) = (self.config(), self.id);
        self.session = self.head.unread(config, || id.unwrap_or_else(runtime::new_request_id));
        self.id = self.session.id();
    }

    /// Ends the request without a response of the service. Returns `None` if the request has already ended.
    pub(super) fn end(&mut self, why: Ending) -> Option<Reply> {
        self.session.end(why).map(|reply| self.answer(reply))
    }

    /// Ends the stream with a reply instead of the service's response.
    pub(super) fn answer(&mut self, LocalReply { reply, record, .. }: LocalReply) -> Reply {
        self.phase = Phase::Done;
        self.timers.clear();
        let reply = message::immediate(reply, envoy::code_of(record.sent()), &self.head.parts);
        self.send(reply, Follow::decided(record))
    }

    /// Sends a message with a response's head, and keeps the record of the request until the stream ends.
    pub(super) fn send(&mut self, message: ProcessingResponse, follow: Follow) -> Reply {
        self.is_head_sent = true;
        if let Some(timer) = &mut self.timer {
            timer.head();
        }
        self.follow = follow;
        self.follow.forbid_last_frame();
        Ok(Some(match self.follow.record().filter(|record| record.origin().is_some()) {
            Some(record) => message::with_note(message, record.request_id(), Some(record)),
            None => message,
        }))
    }
}

pub(super) fn now() -> std::time::Instant {
    tokio::time::Instant::now().into_std()
}
