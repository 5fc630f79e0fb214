//! The state that a stream keeps between two messages.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use error_envelope_core::exchange::{
    BodyFacts, BodyMeter, Event, EventStream, Exchange, ExchangeConfig, LocalReply, ObservedError, PendingPeek,
    PendingVerification, RpcResponse,
};
use error_envelope_core::request_id::RequestId;
use error_envelope_runtime as runtime;
use error_envelope_runtime::{PolicyHandle, RequestMetrics, RequestTimer, Started};
use http::{Response, StatusCode, request, response};
use tonic::Status;

use super::timers::Timers;
use crate::message;
use crate::mode::Mode;
use crate::proto::HeaderMap as EnvoyHeaders;
use crate::proto::ProcessingResponse;

/// What a message leads to: a message for Envoy; `None` if nothing is sent until another input comes.
pub(super) type Reply = Result<Option<ProcessingResponse>, Status>;

/// One request.
pub(crate) struct ProcessingStream {
    pub(super) handle: PolicyHandle,
    pub(super) metrics: RequestMetrics,
    /// The config that the request began with (M3).
    pub(super) config: Option<Arc<ExchangeConfig>>,
    pub(super) state: State,
    pub(super) meter: Option<BodyMeter>,
    pub(super) timers: Timers,
    /// The request's head, as far as it could be parsed: the form of an answer depends on it.
    pub(super) head: request::Parts,
    pub(super) facts: BodyFacts,
    pub(super) id: Option<RequestId>,
    pub(super) mode: Mode,
    /// A response's head has been sent, so no other response can be.
    pub(super) is_head_sent: bool,
    pub(super) timer: Option<RequestTimer>,
    pub(super) started: Option<Started>,
}

#[derive(Default)]
pub(super) enum State {
    #[default]
    New,
    Verifying(Box<Verifying>),
    Peeking(Box<PendingPeek>),
    Called(Box<Exchange>),
    Collecting(Box<Collecting>),
    Copying(Box<Copying>),
    Watching(Box<RpcResponse>),
    Streaming(Box<EventStream>),
    Done,
}

/// A request whose guards wait for keys.
pub(super) struct Verifying {
    pub(super) pending: PendingVerification,
    pub(super) lines: Option<EnvoyHeaders>,
    /// Whether the head was parsed with all lines of the request.
    pub(super) all: bool,
    /// Is ready once the keys are fetched.
    pub(super) fetched: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// An error whose body Envoy buffers.
pub(super) struct Collecting {
    pub(super) exchange: Exchange,
    pub(super) head: response::Parts,
    pub(super) lines: EnvoyHeaders,
    pub(super) max_bytes: u64,
}

/// An error that passes, and is copied (M1).
pub(super) struct Copying {
    pub(super) observed: Box<ObservedError>,
    pub(super) copy: Vec<u8>,
    pub(super) passed: u64,
    pub(super) max_bytes: u64,
    pub(super) until: tokio::time::Instant,
}

impl ProcessingStream {
    pub(crate) fn new(handle: PolicyHandle, metrics: RequestMetrics) -> Self {
        Self {
            handle,
            metrics,
            config: None,
            state: State::New,
            meter: None,
            timers: Timers::default(),
            head: http::Request::new(()).into_parts().0,
            facts: BodyFacts::default(),
            id: None,
            mode: Mode::default(),
            is_head_sent: false,
            timer: None,
            started: Started::now(),
        }
    }

    pub(super) fn config(&mut self) -> Arc<ExchangeConfig> {
        self.config.get_or_insert_with(|| self.handle.config()).clone()
    }

    /// Takes the state. Unless a state is put back, the stream is done.
    pub(super) fn take_state(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Done)
    }

    /// The exchange of a request that was not admitted, made from those parts of its head that could be parsed.
    pub(super) fn unread(&mut self) -> Exchange {
        let (config, id) = (self.config(), self.id);
        let exchange = Exchange::unread(config, &self.head, self.facts, || id.unwrap_or_else(runtime::new_request_id));
        self.id = Some(exchange.request_id());
        exchange
    }

    /// Ends the stream with a reply instead of the service's.
    pub(super) fn answer(&mut self, mut answered: LocalReply) -> Reply {
        runtime::log_reply(&mut answered);
        self.send(answered.reply, &answered.event)
    }

    /// Sends a response instead of the service's; its event is logged already.
    pub(super) fn send(&mut self, reply: Response<Bytes>, event: &Event) -> Reply {
        self.state = State::Done;
        self.timers.clear();
        self.note_head_sent(reply.status());
        let code = event.code().map_or("none", |code| code.as_str());
        Ok(Some(message::with_note(message::immediate(reply, code, &self.head), event.request_id(), Some(event))))
    }

    /// Counts the request (L2): a head with this status goes to the client.
    pub(super) fn note_head_sent(&mut self, status: StatusCode) {
        self.is_head_sent = true;
        if let Some(mut timer) = self.timer.take() {
            timer.head(status);
        }
    }
}
