//! What a stream keeps between two hooks.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use error_envelope_core::request_id::RequestId;
use error_envelope_core::session::{BodyMeter, Event, Follow, Note, Reading, Session, SessionConfig};
use error_envelope_runtime as runtime;
use error_envelope_runtime::envoy::{self, EnvoyReply, RequestHead};
use http::{Response, Version, response};

use super::redirect;
use crate::abi::{Attribute, Head, HeaderList, Stream};
use crate::config::FilterModule;
use crate::timer::Timer;

/// What to do with a head, or with trailers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum HeadStatus {
    Continue = 0,
    Stop = 1,
}

/// What to do with a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum BodyStatus {
    Continue = 0,
    /// Envoy keeps none of its bytes.
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

/// The event of a timer.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Wait {
    Peek = 1,
    Collect = 2,
    Linger = 3,
    Deadline = 4,
}

/// One stream.
pub(crate) struct Filter {
    pub(crate) module: Arc<FilterModule>,
    pub(super) session: RefCell<Session>,
    pub(super) phase: RefCell<Phase>,
    pub(super) meter: RefCell<Option<BodyMeter>>,
    /// The reply that Envoy has announced.
    pub(super) own: RefCell<Option<EnvoyReply>>,
    /// The timer of the waiting phase.
    pub(super) timer: RefCell<Option<Timer>>,
    /// The timer of the whole call.
    pub(super) deadline: RefCell<Option<Timer>>,
    pub(super) config: RefCell<Option<Arc<SessionConfig>>>,
    pub(super) id: Cell<Option<RequestId>>,
    /// The id of the stream that Envoy may be beginning again.
    pub(super) followed: Cell<Option<RequestId>>,
    pub(super) version: Cell<Version>,
    pub(super) request_ended: Cell<bool>,
    pub(super) response_ended: Cell<bool>,
    /// A response's head has been sent, so no other response can be.
    pub(super) is_head_sent: Cell<bool>,
}

/// Which hook is due; what was decided is in the session.
#[derive(Default)]
pub(super) enum Phase {
    #[default]
    New,
    Peeking,
    Called,
    /// The bytes that may still be dropped are the second field.
    Draining(BodyMeter, u64),
    Collecting(Box<Collecting>),
    Replacing(Bytes),
    Dropping,
    Passing(Follow),
    Lingering(Box<Lingering>),
    Answered,
}

/// An inner error whose body is read.
pub(super) struct Collecting {
    pub(super) reading: Reading,
    pub(super) head: response::Parts,
}

/// An answer that waits until the rest of the request is dropped. Its head has been sent, unless its connection
/// stays open.
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
            meter: RefCell::default(),
            own: RefCell::default(),
            timer: RefCell::default(),
            deadline: RefCell::default(),
            config: RefCell::default(),
            id: Cell::new(None),
            followed: Cell::new(redirect::followed()),
            version: Cell::new(Version::HTTP_11),
            request_ended: Cell::new(false),
            response_ended: Cell::new(false),
            is_head_sent: Cell::new(false),
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

    /// The config that the request began with (M3).
    pub(super) fn config(&self) -> Arc<SessionConfig> {
        self.config.borrow_mut().get_or_insert_with(|| self.module.config()).clone()
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

    /// Logs what comes with a response that passes.
    pub(super) fn log_note(&self, stream: &Stream<'_>, note: Note) {
        match (note, self.id.get()) {
            (Note::Event(event), _) => self.log(stream, *event),
            (Note::Fields(fields), Some(id)) => runtime::log_notes(id, Some(fields)),
            (Note::Nothing | Note::Fields(_), _) => {}
        }
    }

    /// Logs and counts an event, and notes it for access logs and traces.
    pub(super) fn log(&self, stream: &Stream<'_>, event: Event) {
        self.note_event(stream, &event);
        runtime::log_event(event);
    }

    /// Notes an error for access logs and traces, unless the request has one already.
    fn note_event(&self, stream: &Stream<'_>, event: &Event) {
        let (noted, span) = (self.module.metadata, stream.span());
        if event.is_late() || !noted && span.is_none() {
            return;
        }
        let id = event.request_id().text();
        let (id, code) = (str::from_utf8(&id).unwrap_or_default(), code_of(event));
        if let Some(span) = span {
            span.tag("error_envelope.request_id", id);
            span.tag("error_envelope.code", code);
        }
        if noted {
            note(stream, event, id, code);
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
    #[inline]
    pub(super) fn inject(&self, _: &Stream<'_>, _: &str) {}
}

fn note(stream: &Stream<'_>, event: &Event, id: &str, code: &str) {
    let pairs = [
        ("request_id", id),
        ("code", code),
        ("origin", event.origin().as_str()),
        ("mode", event.mode().as_str()),
        ("route", event.route().unwrap_or_default()),
    ];
    // A request without a route has no value for it: then an access log writes a dash.
    let shown_pairs = if event.route().is_some() { &pairs[..] } else { &pairs[..4] };
    stream.note("error_envelope", shown_pairs);
}

pub(super) fn code_of(event: &Event) -> &str {
    event.code().map_or("none", |code| code.as_str())
}

#[allow(clippy::disallowed_methods, reason = "an adapter has a clock")]
pub(super) fn now() -> Instant {
    Instant::now()
}
