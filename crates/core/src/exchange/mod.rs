//! Follows one request from its head to the last decision about its response, without I/O.
//!
//! An adapter moves the bytes. An [`Exchange`] decides with the help of an [`ExchangeConfig`], and returns its
//! decisions as data:
//!
//! 1. [`Exchange::begin`] reads the head of the request: its id (I1–I4), its route (G0) and its guards (G1–G4). It
//!    returns what to do: forward the request, answer it, call a verifier (G2), or wait for the first byte of its body
//!    (G3).
//! 2. The [`BodyMeter`] counts the bytes of the request's body as they arrive.
//! 3. [`Exchange::response_head`] reads the head of the inner response. It returns whether to pass the body, replace
//!    it, or collect it first (R4). [`Exchange::response_body`] decides about a body that was collected.
//! 4. An [`RpcResponse`] reads the response to an RPC call, and ends it if it fails. An [`EventStream`] does the same
//!    for event streams.
//! 5. [`Exchange::failed`], [`Exchange::panicked`] and [`Exchange::abandoned`] end a request without a response
//!    (F1–F3).
//! 6. Inside a proxy, [`Exchange::proxy_failed`] rewrites the responses of the proxy itself, and [`Exchange::unread`]
//!    is for requests whose head the proxy never passed on (V2–V4). [`changes`] lists the changes to a head that the
//!    proxy owns.
//!
//! Each call that ends the request consumes the exchange. Each error leads to one [`Event`], which is to be logged
//! (L1).
//!
//! An exchange has no clock, no random source, no body type, no future and no log: the adapter provides those.
//!
//! The steps of a request are in these files, each of which only calls later ones:
//!
//! 1. `entry` has the methods for adapters.
//! 2. `admission` admits a request, with `auth`, `request`, and `waiting` if it must wait. It creates the [`BodyMeter`].
//! 3. `responding` decides by the head of a response (with `calls` for RPC, and `passing` for responses that pass), and
//!    `collected` by its body. `RpcResponse`, `EventStream` and `ObservedError` are separate, because they follow a
//!    body.
//! 4. `inner_error` classifies inner errors, and `failing` errors without a response.
//! 5. `reply` ends the request with an error. `writer` writes that: its `head`, and its `body` (or `rpc`).
//! 6. `event` is the data for the log.
//!
//! The steps share the `RequestState` in `state`.

mod accept;
mod admission;
mod auth;
mod body;
mod body_capture;
mod calls;
mod changes;
mod collected;
mod config;
mod entry;
mod event;
mod event_stream;
mod failing;
mod fault_cause;
mod fill;
mod head;
mod header_use;
mod inner_error;
mod method;
mod notes;
mod observe;
mod observed_error;
mod outcome;
mod own_answer;
mod passing;
mod plan;
mod proxy_error;
mod reply;
mod request;
mod responding;
mod response_id;
mod rpc;
mod rpc_response;
mod state;
mod waiting;
mod writer;

pub use self::body_capture::{BodyCapture, CapturedBody};
pub use self::changes::{HeaderMutation, changes};
pub use self::event::{
    BoxError, Cause, Classifier, Event, ExchangeConfig, FrameworkRoute, Observer, OriginalUri, ReasonPhrase,
};
pub use self::event_stream::EventStream;
pub use self::fault_cause::fault_cause;
pub use self::header_use::{is_read, is_removed, keep_checksums};
pub use self::method::KnownMethod;
use self::notes::RequestFacts;
pub use self::notes::{EventFields, MapRuleId, Origin, UnreadReason};
pub use self::observed_error::ObservedError;
pub use self::outcome::{
    BodyContext, BodyFacts, BodyFailure, Collected, CollectedAction, Failure, FinalFrame, FirstByte, LocalReply,
    RewrittenBody,
};
pub use self::plan::{Admission, ResponsePlan};
pub use self::proxy_error::{ProxyError, ProxyErrorRecogniser, ProxyFailure};
pub use self::rpc_response::RpcResponse;
pub use self::state::{Exchange, PendingPeek, PendingVerification};
pub use crate::classify::Explanation;
pub use crate::classify::decided::DecidedBy;
pub use crate::classify::failure::{CauseKind, Recognised, Recogniser};
pub use crate::dialect::Shape;
pub use crate::fields::is_same_to_cgi;
#[doc(hidden)]
pub use crate::fields::lines;
pub use crate::guard::body_limit::{BodyMeter, DrainBudget, MeterAction, client_left};
pub use crate::policy::host::has_clear_host;
