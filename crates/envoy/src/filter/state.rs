//! The state that a stream keeps between two hooks.

use std::cell::{Cell, RefCell};
use std::iter;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use error_envelope_core::request_id::RequestId;
use error_envelope_core::session::{BodyMeter, Delivery, End, Follow, Reading, RequestRecord, Session, SessionConfig};
use error_envelope_runtime as runtime;
use error_envelope_runtime::envoy::{self, EnvoyReply, RequestHead};
use http::{Response, Version, response};

use super::redirect;
use crate::abi::{Attribute, Head, HeaderList, Stream};
use crate::config::FilterModule;
use crate::timer::Timer;

/// The result of a hook for a head or for trailers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum HeadStatus {
    Continue = 0,
    Stop = 1,
}

/// The result of a hook for a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum BodyStatus {
    Continue = 0,
    /// The chunk stops here, and Envoy keeps none of its bytes.
    Stop = 3,
}

impl From<BodyStatus> for HeadStatus {
    fn from(body: BodyStatus) -> Self {
        match body {
            BodyStatus::Continue => Self::Continue,
            BodyStatus::Stop => Self::Stop,
        }
    }
}

/// What a timer waits for. The number is the id of the timer.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Wait {
    Peek = 1,
    Collect = 2,
    Linger = 3,
    Deadline = 4,
}

/// The filter of one stream, with the state that it keeps between hooks.
pub(crate) struct Filter {
    pub(crate) module: Arc<FilterModule>,
    pub(super) session: RefCell<Session>,
    pub(super) phase: RefCell<Phase>,
    /// The response and the record of the request, until the stream ends (L5).
    pub(super) follow: RefCell<Follow>,
    pub(super) meter: RefCell<Option<BodyMeter>>,
    /// The reply that Envoy has announced.
    pub(super) own: RefCell<Option<EnvoyReply>>,
    /// The timer of the current phase, if the phase waits.
    pub(super) timer: RefCell<Option<Timer>>,
    /// The timer of the whole call.
    pub(super) deadline: RefCell<Option<Timer>>,
    pub(super) config: RefCell<Option<Arc<SessionConfig>>>,
    pub(super) id: Cell<Option<RequestId>>,
    /// The request id of the previous stream, if Envoy may have opened this stream to follow its redirect.
    pub(super) followed: Cell<Option<RequestId>>,
    pub(super) version: Cell<Version>,
    pub(super) request_ended: Cell<bool>,
    /// True if a response's head has been sent, so that no other response can be sent.
    pub(super) is_head_sent: Cell<bool>,
    /// True if all of the response has passed, or has been sent.
    pub(super) response_ended: Cell<bool>,
    /// True if the response was cut off after its head.
    pub(super) broke_off: Cell<bool>,
    /// True if the request is a CONNECT. After the response's head, all further data of a CONNECT passes through a
    /// tunnel.
    pub(super) tunnels: Cell<bool>,
    /// The number of bytes of the request's body.
    pub(super) received: Cell<u64>,
    /// The number of bytes of the response's body, or `None` if Envoy itself writes it.
    pub(super) sent: Cell<Option<u64>>,
    /// True if the record was written for access logs and traces.
    is_noted: Cell<bool>,
}

/// The phase of a stream, which shows the hook that is due. The decisions are in the session.
#[derive(Default)]
pub(super) enum Phase {
    #[default]
    New,
    Peeking,
    Called,
    /// The second field is the number of bytes that may still be dropped.
    Draining(BodyMeter, u64),
    Collecting(Box<Collecting>),
    Replacing(Bytes),
    Dropping,
    Passing,
    Lingering(Box<Lingering>),
    Answered,
}

/// An inner error whose body is read.
pub(super) struct Collecting {
    pub(super) reading: Reading,
    pub(super) head: response::Parts,
}

/// A response that waits until the rest of the request is dropped. The head of the response has already been sent,
/// unless the response keeps its connection open.
pub(super) struct Lingering {
    pub(super) reply: Response<Bytes>,
    pub(super) left: u64,
}

impl Filter {
    pub(crate) fn new(module: Arc<FilterModule>) -> Self {
        Self {
            module,
            session: RefCell::default(),
            phase: RefCell::default(),
            follow: RefCell::default(),
            meter: RefCell::default(),
            own: RefCell::default(),
            timer: RefCell::default(),
            deadline: RefCell::default(),
            config: RefCell::default(),
            id: Cell::new(None),
            followed: Cell::new(redirect::followed()),
            version: Cell::new(Version::HTTP_11),
            request_ended: Cell::new(false),
            is_head_sent: Cell::new(false),
            response_ended: Cell::new(false),
            broke_off: Cell::new(false),
            tunnels: Cell::new(false),
            received: Cell::new(0),
            sent: Cell::new(Some(0)),
            is_noted: Cell::new(false),
        }
    }

    /// Begins a request that was not admitted and must not be forwarded, from those parts of its head that could be
    /// parsed.
    pub(super) fn unread(&self, stream: &Stream<'_>) {
        let version = self.read_version(stream);
        let parse = |lines: HeaderList<'_>| RequestHead::parse(lines, version, self.request_ended.get(), true);
        let mut head = stream.lines(Head::Request, parse);
        let followed = redirect::follow(self.followed.take(), &mut head.parts.headers);
        let id = || self.id.get().or(followed).unwrap_or_else(runtime::new_request_id);
        let session = head.unread(self.config(), id);
        self.id.set(session.id());
        *self.session.borrow_mut() = session;
    }

    /// Returns the config that the request began with (M3).
    pub(super) fn config(&self) -> Arc<SessionConfig> {
        self.config.borrow_mut().get_or_insert_with(|| self.module.in_force.config()).clone()
    }

    pub(super) fn read_version(&self, stream: &Stream<'_>) -> Version {
        let version = stream.attribute(Attribute::Protocol, envoy::version);
        self.version.set(version);
        version
    }

    pub(super) fn replace_phase(&self, next: Phase) -> Phase {
        self.phase.replace(next)
    }

    pub(super) fn start_timer(&self, stream: &Stream<'_>, wait: Wait, time: Duration) {
        let timer = Timer::after(stream, wait as u64, time);
        let previous = self.timer.replace(timer);
        drop(previous);
    }

    pub(crate) fn stop_timers(&self) {
        self.stop_timer();
        drop(self.deadline.take());
    }

    pub(super) fn stop_timer(&self) {
        drop(self.timer.take());
    }

    /// Keeps the record of the request until the stream ends, and reports the decision.
    pub(super) fn keep(&self, stream: &Stream<'_>, follow: Follow) {
        self.follow.replace(follow);
        self.note_decided(stream);
    }

    /// Reports a decided error to access logs and traces.
    pub(super) fn note_decided(&self, stream: &Stream<'_>) {
        if let Some(record) = self.follow.borrow().record() {
            self.note(stream, record);
        }
    }

    /// Reports an error to access logs and traces, once.
    fn note(&self, stream: &Stream<'_>, record: &RequestRecord) {
        if record.origin().is_none() || self.is_noted.replace(true) {
            return;
        }
        let (noted, span) = (self.module.metadata, stream.span());
        if !noted && span.is_none() {
            return;
        }
        let id = record.request_id().text();
        let id = str::from_utf8(&id).unwrap_or_default();
        if let Some(span) = span {
            span.tag("error_envelope.request_id", id);
            span.tag("error_envelope.code", envoy::code_of(record.sent()));
        }
        if noted {
            let pairs: Vec<_> = iter::once(("request_id", id)).chain(envoy::error_fields(record)).collect();
            stream.note("error_envelope", &pairs);
        }
    }

    /// Counts bytes of the response's body.
    pub(super) fn count_sent(&self, bytes: usize) {
        self.sent.set(self.sent.get().map(|sent| sent + bytes as u64));
    }

    /// Closes the record of the request, and writes the views that are made from it, such as the log line (L5).
    pub(super) fn close(&self, stream: &Stream<'_>, end: End) {
        let delivery = Delivery {
            head_sent: self.is_head_sent.get(),
            request_bytes: Some(self.received.get()),
            response_bytes: self.sent.get(),
            end,
        };
        let record = self.follow.take().close(delivery, now);
        if let Some(record) = record {
            self.note(stream, &record);
            runtime::write_record(record, |_| ());
        }
    }

    #[cfg(feature = "panics")]
    pub(super) fn inject(&self, stream: &Stream<'_>, hook: &str) {
        use error_envelope_runtime::envoy::HeaderLines as _;

        let state =
            |lines: HeaderList<'_>| lines.iter().any(|(name, value)| name == b"x-panic-in" && value == hook.as_bytes());
        assert!(!stream.lines(Head::Request, state), "the panic that the request names, in {hook}");
    }

    #[cfg(not(feature = "panics"))]
    pub(super) fn inject(&self, _: &Stream<'_>, _: &str) {}
}

#[allow(clippy::disallowed_methods, reason = "an adapter may read the clock")]
pub(super) fn now() -> Instant {
    Instant::now()
}
