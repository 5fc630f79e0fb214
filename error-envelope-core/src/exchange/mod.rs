//! One request, from its head to the last decision about its response, without I/O.
//!
//! An adapter asks and moves the bytes; an [`Exchange`] decides by the [`Terms`] of its layer, and answers with data:
//!
//! 1. [`Exchange::begin`] reads the request head: id (I1–I4), route (G0), guards (G1–G4). It says to forward the
//!    request, to answer it, to ask a verifier (G2), or to wait for its first body byte (G3).
//! 2. The [`Meter`] counts the request body on its way in.
//! 3. [`Exchange::response_head`] reads the inner head, and says to pass the body, to replace it, or to collect it first
//!    (R4). [`Exchange::response_body`] decides what was collected.
//! 4. A [`Watch`] sees the response of an RPC call, and ends one that fails.
//! 5. [`Exchange::failed`], [`Exchange::panicked`] and [`Exchange::abandoned`] end what has no response (F1–F3).
//! 6. Inside a proxy, [`Exchange::proxy_failed`] takes what that says by itself, and [`Exchange::unread`] is a request
//!    whose head it never showed (V2–V4). [`changes`] tells what became of a head that lies elsewhere.
//!
//! Each terminal call takes the exchange; each error yields one [`Event`] to log (L1).
//!
//! It knows no clock, no random source, no body type, no future and no log: an adapter brings those.

mod accept;
mod begin;
mod body;
mod calls;
mod changes;
mod door;
mod event;
mod explain;
mod failing;
mod fill;
mod head;
mod observe;
mod observer;
mod outcome;
mod proxy;
mod reads;
mod reply;
mod request;
mod responding;
mod rpc;
mod terms;
mod watching;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, response};

use self::door::Locks;
use self::head::X_REQUEST_ID;
use self::request::{Aside, Guarded, RequestFacts};
use crate::code::ErrorCode;
use crate::dialect::rpc::Rpc;
use crate::fault::Fault;
use crate::guard::body_limit::Flags;
use crate::policy::{Manner, Mode, Policy};
use crate::request_id::RequestId;

pub use self::changes::{Change, changes};
pub use self::event::{Event, Notes, Origin, Unread};
pub use self::explain::MapRuleId;
pub use self::observe::Observed;
pub use self::observer::{Exhibit, Observer, Shown};
pub use self::outcome::{
    Admission, Answered, BodyFacts, Collected, Failure, FirstByte, ResponsePlan, Rewritten, Tail, Written,
};
pub use self::reads::{is_read, is_removed};
pub use self::terms::Terms;
pub use self::watching::{Ended, Last, Watch};
pub use crate::classify::decided::DecidedBy;
pub use crate::classify::failure::{CauseKind, Recognised, Recogniser};
pub use crate::classify::heard::Heard;
pub use crate::dialect::Shape;
pub use crate::fields::is_same_to_cgi;
pub use crate::guard::body_limit::{Linger, Meter, Metered};

/// A boxed error, as tower has them.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// What a service's own errors are, asked before the contract's list (F1).
pub type Classifier = dyn Fn(&(dyn Error + 'static)) -> Option<Fault> + Send + Sync;

/// How long the first body byte is awaited where the content type is missing and the length unknown (G3).
const PEEK_TIMEOUT: Duration = Duration::from_secs(10);

/// One request.
///
/// Every future of the layer carries one: it is small, and what few requests have is out of the way.
#[derive(Debug)]
pub struct Exchange {
    terms: Arc<Terms>,
    /// Those of the path in its normal form.
    settings: Manner,
    id: RequestId,
    id_header: HeaderValue,
    request: RequestFacts,
    flags: Option<Flags>,
    aside: Option<Box<Aside>>,
}

/// A request whose first body byte decides.
#[derive(Debug)]
pub struct Pending {
    exchange: Exchange,
    refusal: Fault,
}

/// A request that depends on a verifier of the user's own (G2).
#[derive(Debug)]
pub struct Unverified {
    exchange: Exchange,
    locks: Box<Locks>,
    /// What the other guards say.
    guarded: Box<Guarded>,
}

impl Exchange {
    /// The request's id.
    #[must_use]
    #[inline]
    pub fn request_id(&self) -> RequestId {
        self.id
    }

    /// The request's id as `x-request-id` has it.
    #[must_use]
    #[inline]
    pub fn id_header(&self) -> &HeaderValue {
        &self.id_header
    }

    /// Lets HPACK put the response's `x-request-id` into its table. Over HTTP/2 it is marked as never indexed.
    pub fn index_id(&mut self) {
        self.id_header.set_sensitive(false);
    }

    /// How long the client of a call waits for all of it (`grpc-timeout`, `connect-timeout-ms`). Then an adapter tells
    /// [`Exchange::timed_out`], or [`Watch::timed_out`] behind the head.
    #[must_use]
    #[inline]
    pub fn deadline(&self) -> Option<Duration> {
        let guards = !matches!(self.settings.mode, Mode::Off | Mode::Observe);
        if guards { self.aside.as_ref()?.deadline } else { None }
    }

    #[inline]
    fn policy(&self) -> &Policy {
        self.terms.policy()
    }

    #[inline(always)]
    fn pass(self, headers: &mut HeaderMap) -> ResponsePlan {
        let (tail, notes) = self.tail(headers);
        ResponsePlan::Pass(tail, notes)
    }

    /// An error that keeps its shape is logged by its status (L1).
    fn keep(mut self, head: &mut response::Parts) -> (Tail, Box<Event>) {
        self.expose(&mut head.headers);
        self.identify_response(&mut head.headers);
        (self.tail_of(), Box::new(self.passed(head.status)))
    }

    fn passed(self, status: StatusCode) -> Event {
        let mut event = self.event(Origin::Inner, None);
        event.status = Some(status);
        event.code = Some(ErrorCode::of_status(status));
        event
    }

    fn tail_of(&self) -> Tail {
        Tail { terms: self.terms.clone(), id: self.id, label: self.settings.label() }
    }

    fn strip(self, headers: &mut HeaderMap) -> ResponsePlan {
        let (tail, notes) = self.tail(headers);
        ResponsePlan::Strip(tail, notes)
    }

    /// Whether a response of this status passes whatever its head and its body are, and gets [`Exchange::id_header`] as
    /// its `x-request-id` and nothing else: for an adapter whose heads lie elsewhere. One that has an `x-request-id` (I3) or
    /// an `access-control-allow-origin` (E4) is to be shown to [`Exchange::response_head`] all the same.
    #[must_use]
    pub fn passes_unread(&self, status: StatusCode) -> bool {
        let passes = match self.settings.mode {
            Mode::Off => true,
            Mode::Observe => false,
            Mode::Own | Mode::Fill | Mode::Enforce => {
                matches!(status.as_u16(), 101 | 200..=203 | 206..=303 | 305..=399)
            }
        };
        passes && self.request.rpc.is_none() && self.cut().is_none()
    }

    /// Ends with a response that [passes unread](Exchange::passes_unread): what to log of it, as of a
    /// [`ResponsePlan::Pass`].
    pub fn passed_unread(self) -> (Tail, Option<Box<Notes>>) {
        let Self { terms, settings, id, aside, .. } = self;
        (Tail { terms, id, label: settings.label() }, aside.and_then(|aside| aside.notes))
    }

    #[inline(always)]
    fn tail(self, headers: &mut HeaderMap) -> (Tail, Option<Box<Notes>>) {
        let Self { terms, settings, id, id_header, aside, .. } = self;
        expose(settings, headers);
        let mut notes = aside.and_then(|aside| aside.notes);
        if let Some(theirs) = identify(headers, id_header) {
            notes.get_or_insert_default().upstream_request_id = Some(theirs);
        }
        (Tail { terms, id, label: settings.label() }, notes)
    }

    fn expose(&self, headers: &mut HeaderMap) {
        expose(self.settings, headers);
    }

    /// The same for an error, which a gRPC-Web client knows by its head (P2).
    fn expose_error(&self, headers: &mut HeaderMap) {
        self.expose(headers);
        if self.settings.expose_headers && matches!(self.request.rpc, Some(Rpc::Web(_) | Rpc::WebText(_))) {
            head::expose_grpc(headers);
        }
    }

    fn identify_response(&mut self, headers: &mut HeaderMap) {
        if let Some(theirs) = identify(headers, self.id_header.clone()) {
            let notes = self.aside.get_or_insert_default().notes.get_or_insert_default();
            notes.upstream_request_id = Some(theirs);
        }
    }
}

/// E4, in every mode but `off` and `observe`.
#[inline(always)]
fn expose(settings: Manner, headers: &mut HeaderMap) {
    if settings.expose_headers && !matches!(settings.mode, Mode::Off | Mode::Observe) {
        head::expose(headers);
    }
}

/// I3: the inner service's own id gives way, and is noted where it differs.
#[inline(always)]
fn identify(headers: &mut HeaderMap, id: HeaderValue) -> Option<Box<str>> {
    let theirs = headers.insert(X_REQUEST_ID, id)?;
    let differs = headers.get(X_REQUEST_ID).is_some_and(|ours| *ours != theirs);
    differs.then(|| request::printable(theirs.as_bytes()))
}
