//! One stream: which hooks have come, and what was decided.
//!
//! | state | its answer |
//! |---|---|
//! | `New` | nothing has come; a head that comes of itself is Envoy's own (V2) |
//! | `Peeking` | the request's first body byte decides (G3) |
//! | `Called` | the request is on its way to the service |
//! | `Draining` | the request ran over its limit: what is left of it is dropped before its answer (G5) |
//! | `Collecting` | an error's body is read, within its budget (R4) |
//! | `Replacing`, `Dropping` | our body replaces Envoy's own; a body that no client may see is dropped (E5) |
//! | `Passing`, `Copying`, `Watching`, `Streaming` | the response's head has left, its body passes |
//! | `Lingering` | our answer is out or ready, what is left of the request is dropped (G5) |
//! | `LocalReply` | our reply, or one that another filter or Envoy ends |
//!
//! A hook takes the state and leaves another one, before it sends anything: a sent reply passes through the hooks again.

mod collecting;
mod failed;
mod redirect;
mod request;
mod response;
mod sending;

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use error_envelope_core::exchange::{
    BodyContext, BodyMeter, BoxError, Collected, Event, EventStream, Exchange, ExchangeConfig, ObservedError, Origin,
    PendingPeek, RpcResponse,
};
use error_envelope_core::request_id::RequestId;
use error_envelope_runtime as runtime;
use http::{Response, Version, response as http_response};

use crate::abi::{Attribute, Head, Stream};
use crate::config::FilterModule;
use crate::heads;
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
    /// Envoy keeps nothing of it.
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
enum Wait {
    Peek = 1,
    Collect = 2,
    Linger = 3,
    Deadline = 4,
}

/// One stream.
pub(crate) struct Filter {
    pub(crate) module: Arc<FilterModule>,
    state: RefCell<State>,
    meter: RefCell<Option<BodyMeter>>,
    local: RefCell<Option<EnvoyLocalReply>>,
    /// The timer of the waiting state.
    timer: RefCell<Option<Timer>>,
    /// The timer of the whole call.
    deadline: RefCell<Option<Timer>>,
    config: RefCell<Option<Arc<ExchangeConfig>>>,
    id: Cell<Option<RequestId>>,
    /// The id of the stream that Envoy may be beginning again.
    followed: Cell<Option<RequestId>>,
    version: Cell<Version>,
    request_ended: Cell<bool>,
    response_ended: Cell<bool>,
    /// A response's head has left: no other response can be sent.
    head_left: Cell<bool>,
}

#[derive(Default)]
enum State {
    #[default]
    New,
    Peeking(Box<PendingPeek>),
    Called(Box<Exchange>),
    Draining(Box<Draining>),
    Collecting(Box<Collecting>),
    Replacing(Bytes),
    Dropping,
    Passing(BodyContext),
    Copying(Box<TeeState>),
    Watching(Box<RpcResponse>),
    Streaming(Box<EventStream>),
    Lingering(Box<Lingering>),
    Answered,
}

/// A request over its limit, what is left of which is read and dropped before its answer.
struct Draining {
    exchange: Exchange,
    meter: BodyMeter,
    left: u64,
}

/// An inner error whose body is read.
struct Collecting {
    exchange: Exchange,
    head: http_response::Parts,
    read: Vec<u8>,
    max_bytes: u64,
}

/// An inner error that passes, and is copied (M1).
struct TeeState {
    tail: BodyContext,
    observed: Box<ObservedError>,
    copy: Vec<u8>,
    passed: u64,
    max_bytes: u64,
    until: Instant,
}

/// An answer for which the rest of the request is dropped first. Its head is out, unless it keeps its connection.
struct Lingering {
    reply: Response<Bytes>,
    left: u64,
}

/// Envoy's details of its own answer.
struct EnvoyLocalReply {
    status: u32,
    details: String,
}

impl Filter {
    pub(crate) fn new(module: Arc<FilterModule>) -> Self {
        Self {
            module,
            state: RefCell::default(),
            meter: RefCell::default(),
            local: RefCell::default(),
            timer: RefCell::default(),
            deadline: RefCell::default(),
            config: RefCell::default(),
            id: Cell::new(None),
            followed: Cell::new(redirect::followed()),
            version: Cell::new(Version::HTTP_11),
            request_ended: Cell::new(false),
            response_ended: Cell::new(false),
            head_left: Cell::new(false),
        }
    }

    /// Envoy answers by itself. Its head comes next, or where one is held back already, goes past the filters.
    pub(crate) fn local_reply(&self, stream: &Stream<'_>, status: u32, details: &[u8]) {
        let details = String::from_utf8_lossy(details).into_owned();
        match self.replace_state(State::Answered) {
            State::Collecting(collecting) => {
                self.failed_past(stream, collecting.exchange, EnvoyLocalReply { status, details })
            }
            State::Streaming(events) => self.broke_off(stream, *events, details.into()),
            state => {
                self.replace_state(state);
                *self.local.borrow_mut() = Some(EnvoyLocalReply { status, details });
            }
        }
    }

    pub(crate) fn scheduled(&self, stream: &Stream<'_>, event: u64) {
        match event {
            it if it == Wait::Peek as u64 => self.peeked_in_vain(stream),
            it if it == Wait::Collect as u64 => self.collected_too_late(stream),
            it if it == Wait::Linger as u64 => self.lingered_enough(stream),
            it if it == Wait::Deadline as u64 => self.end_at_call_deadline(stream),
            _ => {}
        }
    }

    /// The stream has ended, well or not: a request without an end in the log yet gets it (F2, F4).
    pub(crate) fn completed(&self, stream: &Stream<'_>) {
        self.stop_timers();
        let event = match self.replace_state(State::Answered) {
            State::Peeking(pending) => Some(pending.abandoned()),
            State::Called(_) | State::Passing(_) | State::Streaming(_)
                if !self.response_ended.get() && redirect::is_followed(stream, self.id.get()) =>
            {
                None
            }
            State::Called(exchange) => Some(exchange.abandoned()),
            State::Draining(draining) => Some(draining.exchange.abandoned()),
            State::Collecting(collecting) => Some(collecting.exchange.abandoned()),
            State::Copying(copying) => {
                let TeeState { observed, copy, .. } = *copying;
                Some(observed.finish(Collected::Unreadable(&copy)))
            }
            State::Passing(tail) if !self.response_ended.get() => broke_off(stream, tail),
            State::Watching(watch) if !self.response_ended.get() && !watch.has_ended() => {
                match upstream_broke(stream) {
                    Some(cause) => Some(watch.into_body_context().broke_off(Origin::Error, cause)),
                    None => Some(watch.abandoned()),
                }
            }
            State::Streaming(events) if !self.response_ended.get() => broke_off(stream, events.into_body_context()),
            State::New
            | State::Passing(_)
            | State::Streaming(_)
            | State::Watching(_)
            | State::Replacing(_)
            | State::Dropping
            | State::Lingering(_)
            | State::Answered => None,
        };
        if let Some(event) = event {
            self.log(stream, event);
        }
    }

    /// Envoy destroys the stream; it must not be called any more.
    pub(crate) fn destroyed(&self) {
        self.stop_timers();
    }

    /// A hook panicked: 500, or, if the head has left, the stream ends as an error (F2, F4, V4).
    pub(crate) fn panicked(&self, stream: &Stream<'_>, text: Box<str>) {
        let state = self.replace_state(State::Answered);
        if let State::Streaming(events) = state {
            return self.end_broken(stream, *events, text);
        }
        let _ = runtime::catch(|| drop(state));
        let exchange = self.unread(stream);
        if self.head_left.get() {
            self.log(stream, exchange.panicked(text).event);
            stream.reset("error_envelope_panicked");
        } else {
            self.answer(stream, exchange.unready_panicked(text));
        }
    }

    /// A request that must not be forwarded, as far as its head can be parsed now.
    fn unread(&self, stream: &Stream<'_>) -> Exchange {
        let mut head = self.read_request(stream);
        let followed = redirect::follow(self.followed.take(), &mut head.parts.headers);
        let facts = heads::request_facts(&head.parts, self.request_ended.get());
        let config = self.config();
        let exchange = Exchange::unread(config, &head.parts, facts, || {
            self.id.get().or(followed).unwrap_or_else(runtime::new_request_id)
        });
        self.id.set(Some(exchange.request_id()));
        exchange
    }

    /// The config that the request began with (M3).
    fn config(&self) -> Arc<ExchangeConfig> {
        self.config.borrow_mut().get_or_insert_with(|| self.module.config()).clone()
    }

    fn read_version(&self, stream: &Stream<'_>) -> Version {
        let version = stream.attribute(Attribute::Protocol, heads::version);
        self.version.set(version);
        version
    }

    fn read_request(&self, stream: &Stream<'_>) -> heads::RequestHead {
        let version = self.read_version(stream);
        stream.lines(Head::Request, |lines| heads::request(lines, version, true))
    }

    fn replace_state(&self, next: State) -> State {
        self.state.replace(next)
    }

    fn start_timer(&self, stream: &Stream<'_>, wait: Wait, time: Duration) {
        let timer = Timer::after(stream, wait as u64, time);
        let before = self.timer.replace(timer);
        drop(before);
    }

    fn stop_timers(&self) {
        self.stop_timer();
        drop(self.deadline.take());
    }

    fn stop_timer(&self) {
        drop(self.timer.take());
    }

    /// Logs and counts an event, and notes it for access logs and traces.
    fn log(&self, stream: &Stream<'_>, event: Event) {
        self.note_event(stream, &event);
        runtime::log_event(event);
    }

    /// Notes an error for access logs and traces.
    fn note_event(&self, stream: &Stream<'_>, event: &Event) {
        let (noted, span) = (self.module.metadata, stream.span());
        if !noted && span.is_none() {
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
}

fn note(stream: &Stream<'_>, event: &Event, id: &str, code: &str) {
    let pairs = [
        ("request_id", id),
        ("code", code),
        ("origin", event.origin().as_str()),
        ("mode", event.mode().as_str()),
        ("route", event.route().unwrap_or_default()),
    ];
    // A request without a route has no value: an access log writes a dash.
    let there = if event.route().is_some() { &pairs[..] } else { &pairs[..4] };
    stream.note("error_envelope", there);
}

fn code_of(event: &Event) -> &str {
    event.code().map_or("none", |code| code.as_str())
}

/// Why a response broke off after its head had left; `None` if its client went away.
fn upstream_broke(stream: &Stream<'_>) -> Option<BoxError> {
    stream.attribute(Attribute::CodeDetails, |details| {
        let details = String::from_utf8_lossy(details?).into_owned();
        (details.starts_with("upstream") || details.contains("timeout")).then(|| details.into())
    })
}

fn broke_off(stream: &Stream<'_>, tail: BodyContext) -> Option<Event> {
    upstream_broke(stream).map(|cause| tail.broke_off(Origin::Error, cause))
}
