//! The events to log (rules L1, I2, I3, F2), their observer, and the configuration of a session.
//!
//! They are in one file because each needs the next one: a config has an observer, an observer receives events, and an
//! event has its config.

use std::error::Error;
use std::sync::Arc;
use std::time::SystemTime;

use http::{Extensions, StatusCode, Uri};

use super::proxy_error::ProxyErrorRecogniser;
use super::request::printable;
use super::{BodyCapture, CapturedBody, EventFields, KnownMethod, MapRuleId, Origin, UnreadReason};
use crate::classify::decide::DecidedBy;
use crate::classify::failure::Recogniser;
use crate::code::ErrorCode;
use crate::dialect::Shape;
use crate::dialect::status::Status;
use crate::fault::Fault;
use crate::policy::{LogLabel, MatchedReading, Policy, UpstreamUrl};
use crate::request_id::RequestId;

/// A boxed error, as tower uses it.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Classifies the errors of the service itself. It is called before the contract's own list decides (F1).
pub type Classifier = dyn Fn(&(dyn Error + 'static)) -> Option<Fault> + Send + Sync;

/// Reads from the extensions of a request the pattern that the framework around the layer has found (L1). It must be
/// one of a limited set of patterns, never a path, because it is used as a label.
pub type FrameworkRoute = fn(&Extensions) -> Option<Arc<str>>;

/// Reads from the extensions the URI of a request from before the framework around the layer stripped a prefix of its
/// path (G0).
pub type OriginalUri = fn(&Extensions) -> Option<&Uri>;

/// Reads from the extensions the reason phrase of an HTTP/1 response, which the adapter's client stored there (R3).
pub type ReasonPhrase = for<'e> fn(&'e Extensions) -> Option<&'e [u8]>;

/// Returns the texts of an error and its causes, for [development](SessionConfig::with_development) (E11). It catches the
/// panics of `Display`, which is the user's own code (F2).
pub type CauseTexts = fn(&(dyn Error + 'static)) -> Vec<String>;

/// One error, or one abandoned request. An adapter logs each event once.
#[derive(Debug)]
#[must_use]
pub struct Event {
    pub(super) request_id: RequestId,
    pub(super) code: Option<ErrorCode>,
    pub(super) status: Option<StatusCode>,
    pub(super) would_be: Option<StatusCode>,
    pub(super) would_fill: bool,
    pub(super) grpc: Option<Status>,
    pub(super) origin: Origin,
    pub(super) dialect: Option<Shape>,
    pub(super) unread: Option<UnreadReason>,
    pub(super) by: Option<DecidedBy>,
    pub(super) rule: Option<MapRuleId>,
    pub(super) cause: Option<Cause>,
    pub(super) notes: Option<Box<EventFields>>,
    pub(super) config: Arc<SessionConfig>,
    pub(super) label: EventLabel,
}

/// The facts about the request that every line of the log has.
#[derive(Clone, Debug)]
pub(super) struct EventLabel {
    pub(super) settings: LogLabel,
    /// `None` if the request is no longer available.
    pub(super) method: Option<KnownMethod>,
    pub(super) framework_route: Option<Arc<str>>,
    /// [`LATE`](Self::LATE) and [`NESTED`](Self::NESTED), in one byte because every response body has them.
    pub(super) bits: u8,
    /// The status in the head that the client has.
    pub(super) sent: Option<StatusCode>,
}

impl EventLabel {
    /// The request has its error event already (L1).
    pub(super) const LATE: u8 = 1;
    /// An outer layer of this process has the request, too (E7).
    pub(super) const NESTED: u8 = 1 << 1;

    pub(super) fn without_request(settings: LogLabel) -> Self {
        Self { settings, method: None, framework_route: None, bits: 0, sent: None }
    }

    /// The route that the framework found, else the pattern of the route in the policy.
    pub(super) fn route<'a>(&'a self, config: &'a SessionConfig) -> Option<&'a Arc<str>> {
        let pattern = || config.policy.route_pattern(self.settings).map(|pattern| pattern.shared());
        self.framework_route.as_ref().or_else(pattern)
    }
}

/// Receives each error once, when it is logged (L1).
///
/// It is called on the thread that handles the request: return quickly, and do slow work elsewhere. If it panics, the
/// panic is caught and logged, and the client gets its response (F2).
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use tower_error_envelope::ErrorEnvelopeLayer;
/// use tower_error_envelope::session::{Event, Observer};
///
/// #[derive(Default)]
/// struct Nameless(AtomicU64);
///
/// impl Observer for Nameless {
///     fn on_event(&self, event: &Event) {
///         if event.notes().unknown_code().is_some() {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let layer = ErrorEnvelopeLayer::new().observer(Nameless::default());
/// # let _ = layer;
/// ```
pub trait Observer: Send + Sync + 'static {
    /// Receives the event of one error, or of one abandoned request.
    fn on_event(&self, event: &Event);

    /// Receives a response that broke off after its request had an event: no second error (L1). Does nothing by default.
    fn on_late(&self, _event: &Event) {}

    /// Receives a policy that applies from now on, with the first request after a reload (M3). Each adapter with this
    /// observer calls it. Does nothing by default.
    fn on_policy(&self, _policy: &Policy) {}
}

impl<T: Observer + ?Sized> Observer for Arc<T> {
    fn on_event(&self, event: &Event) {
        (**self).on_event(event);
    }

    fn on_late(&self, event: &Event) {
        (**self).on_late(event);
    }

    fn on_policy(&self, policy: &Policy) {
        (**self).on_policy(policy);
    }
}

/// The active policy, the classifier of the service's own errors, and the adapter's clock.
///
/// An adapter creates it once, and again if the policy changes. Each request keeps the config that it began with (M3).
///
/// ```
/// use std::time::SystemTime;
/// use tower_error_envelope::Policy;
/// use error_envelope_core::session::SessionConfig;
///
/// let config = SessionConfig::new(Policy::default(), SystemTime::now);
/// # let _ = config;
/// ```
#[derive(Clone)]
pub struct SessionConfig {
    pub(super) policy: Arc<Policy>,
    pub(super) classifier: Option<Arc<Classifier>>,
    pub(super) recogniser: Option<Recogniser>,
    pub(super) proxy_errors: Option<ProxyErrorRecogniser>,
    pub(super) observer: Option<Arc<dyn Observer>>,
    pub(super) framework_route: Option<FrameworkRoute>,
    pub(super) original_uri: Option<OriginalUri>,
    pub(super) reason_phrase: Option<ReasonPhrase>,
    pub(super) development: Option<CauseTexts>,
    /// For a gateway: the service for requests whose scope names none. Shared, because most adapters have none.
    pub(super) forwarding: Option<Arc<Option<UpstreamUrl>>>,
    pub(super) clock: fn() -> SystemTime,
}

/// What failed.
#[derive(Debug)]
pub enum Cause {
    /// An error of the service, of a guard, or of the proxy.
    Error(BoxError),
    /// The fault that the service returned, which has a source.
    Fault(Fault),
}

impl Cause {
    /// The cause as an error.
    #[must_use]
    pub fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        match self {
            Self::Error(error) => &**error,
            Self::Fault(fault) => fault,
        }
    }
}

impl Event {
    /// The request's id.
    #[must_use]
    pub fn request_id(&self) -> RequestId {
        self.request_id
    }

    /// The readings of the request that matched other guards than those of its route, each as `METHOD PATH meets ROUTE`
    /// (G0). There are at most four, each with at most 128 printable characters of the path, without the query.
    #[must_use]
    pub fn readings(&self) -> Option<String> {
        /// More readings would add nothing to the first ones.
        const MOST: usize = 4;

        let readings = &self.notes.as_ref()?.readings;
        let line = |reading: &MatchedReading| {
            let route = self.config.policy.route_label(reading.settings.label()).unwrap_or("no route");
            format!("{} {} meets {route}", reading.method, printable(&reading.path))
        };
        (!readings.is_empty()).then(|| readings.iter().take(MOST).map(line).collect::<Vec<_>>().join(", "))
    }

    /// The event of an error that keeps its shape.
    pub(super) fn preserved(self, status: StatusCode, code: ErrorCode) -> Self {
        Self { status: Some(status), code: Some(code), ..self }
    }

    /// Notes which parts of a foreign body the client does not get: the names of fields (R14), and an unknown code.
    #[inline]
    pub(super) fn note_lost(&mut self, (names, code): (Option<Box<str>>, Option<Box<str>>)) {
        if names.is_some() || code.is_some() {
            let notes = self.notes.get_or_insert_default();
            (notes.dropped_fields, notes.unknown_code) = (names, code);
        }
    }

    /// Notes what decided the code of an inner error.
    #[inline]
    pub(super) fn note_decision(&mut self, by: Option<DecidedBy>, part: u32, rule: Option<usize>) {
        self.by = by;
        self.rule = rule.map(|index| MapRuleId::new(part, index));
    }

    /// The canonical code; `None` for an abandoned request.
    #[must_use]
    pub fn code(&self) -> Option<&ErrorCode> {
        self.code.as_ref()
    }

    /// The status that the client gets; `None` if no whole response was sent. A gRPC call always has the HTTP status 200:
    /// for it, this is the status that other clients would get.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// The status in the head that the client got, if the body broke off after it (F4).
    #[must_use]
    pub fn cut_off(&self) -> Option<StatusCode> {
        self.label.sent
    }

    /// The status that the client would get if the route's mode were `enforce`, or if its credentials were enforced
    /// (M1). `None` if the client gets that status anyway.
    #[must_use]
    pub fn would_be(&self) -> Option<StatusCode> {
        self.would_be
    }

    /// The codes with which guards that only observe would have refused the request (M1). The event is about the first
    /// one's refusal, or has them [besides](EventFields::also).
    pub fn would_refuse(&self) -> impl Iterator<Item = &ErrorCode> {
        let is_refusal = self.origin() == Origin::Guard && self.would_be.is_some();
        self.code().filter(|_| is_refusal).into_iter().chain(self.notes().also())
    }

    /// Whether mode `own` would refuse the request: a guard would have, and not only one whose route has `auth_observe`.
    #[must_use]
    pub fn own_would_refuse(&self) -> bool {
        self.would_refuse().count() > usize::from(self.notes().observes_credentials)
    }

    /// Whether mode `fill` would rewrite the inner error, which passed only because of mode `observe` (M1).
    #[must_use]
    pub fn fill_would_rewrite(&self) -> bool {
        self.would_fill && self.origin == Origin::Inner
    }

    /// Whether the request has an error event already: then its body broke off, which is a line and a count of its own,
    /// but no second error (L1).
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.label.bits & EventLabel::LATE != 0
    }

    /// Returns true if an outer layer of this process handles the request, too. It must not log the error again (L1).
    #[must_use]
    pub fn is_nested(&self) -> bool {
        self.label.bits & EventLabel::NESTED != 0
    }

    /// The status of an RPC error (0–16), as gRPC numbers them (section P).
    #[must_use]
    pub fn grpc_status(&self) -> Option<u8> {
        self.grpc.map(Status::number)
    }

    /// Where the error comes from.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The shape of an inner error; `None` if it is in no known shape.
    #[must_use]
    pub fn dialect(&self) -> Option<Shape> {
        self.dialect
    }

    /// Why the body of an inner error was not read to its end (R4). `None` if it was, or if that was not necessary. It
    /// may also be `None` with an adapter that reads bodies in its own way.
    #[must_use]
    pub fn unread(&self) -> Option<UnreadReason> {
        self.unread
    }

    /// Notes why the body was not read to its end.
    #[inline]
    pub(super) fn note_unread(&mut self, why: Option<UnreadReason>) {
        if why.is_some() {
            self.unread = why;
        }
    }

    /// The event of an error whose body broke off, for this reason.
    pub(super) fn broken_by(mut self, origin: Origin, cause: BoxError) -> Self {
        if origin == Origin::Panic {
            self.origin = origin;
        }
        self.cause.get_or_insert(Cause::Error(cause));
        self.label.sent = self.status;
        self
    }

    /// Notes the panic of an error's body, if there was one (F2).
    #[inline]
    pub fn note_panic(&mut self, panic: Option<Box<str>>) {
        if let Some(panic) = panic {
            self.origin = Origin::Panic;
            self.cause.get_or_insert_with(|| Cause::Error(String::from(panic).into()));
        }
    }

    /// What decided the code of an inner error (R1). `None` for all other errors, for errors that keep their shape in
    /// `observe` and `enforce` (R9, R10), and for the statuses of RPC protocols.
    #[must_use]
    pub fn decided_by(&self) -> Option<DecidedBy> {
        self.by
    }

    /// The rule that decided the code, if one did.
    #[must_use]
    pub fn map_rule(&self) -> Option<MapRuleId> {
        self.rule
    }

    /// The pattern that the framework found, else the most specific route of the policy (L1). It is never a path (L2).
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        self.route_ref().map(|route| &**route)
    }

    /// The same text, shared with the policy or the framework.
    pub fn shared_route(&self) -> Option<Arc<str>> {
        self.route_ref().cloned()
    }

    pub(super) fn route_ref(&self) -> Option<&Arc<str>> {
        self.label.route(&self.config)
    }

    /// Whether the route is from the framework. No rule of the policy can refer to such a route.
    #[must_use]
    pub fn is_framework_route(&self) -> bool {
        self.label.framework_route.is_some()
    }

    /// The name of the policy's scope for the request: its first host and its prefix. `None` if the request is in no
    /// scope.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.config.policy.scope_name(self.label.settings)
    }

    /// The service that a gateway chose for the request: the one of its scope, or the one for all other requests.
    /// `None` if requests are not forwarded.
    #[must_use]
    #[doc(hidden)]
    pub fn upstream(&self) -> Option<&UpstreamUrl> {
        let rest = self.config.forwarding.as_deref()?;
        self.config.policy.upstream_of(self.label.settings).or(rest.as_ref())
    }

    /// The request's method; `None` if the request is no longer available, as for a response that the client did not
    /// read.
    #[must_use]
    pub fn method(&self) -> Option<KnownMethod> {
        self.label.method
    }

    /// The route's mode.
    #[must_use]
    pub fn mode(&self) -> crate::policy::Mode {
        self.label.settings.mode
    }

    /// What caused the failure; only for the log. Its `Display` may be code of the user.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.cause.as_ref().map(Cause::error)
    }

    /// Takes the cause out of the event after it was logged, because dropping it may run code of the user.
    pub fn take_cause(&mut self) -> Option<Cause> {
        self.cause.take()
    }

    /// Further facts about the request.
    #[must_use]
    #[inline]
    pub fn notes(&self) -> &EventFields {
        static NONE: EventFields = EventFields::NONE;

        self.notes.as_deref().unwrap_or(&NONE)
    }

    /// The observer.
    #[inline]
    pub fn observer(&self) -> Option<&dyn Observer> {
        self.config.observer.as_deref()
    }

    /// The bodies that were captured; `None` unless the policy has `[observe] bodies = true`.
    #[must_use]
    pub fn captured(&self) -> Option<&BodyCapture> {
        self.notes.as_deref()?.captured.as_ref()
    }

    /// Whether an observer receives bodies: the policy has `[observe] bodies = true`.
    #[must_use]
    pub fn shows_bodies(&self) -> bool {
        self.config.policy.observes_bodies()
    }

    #[inline]
    pub(super) fn note_bodies(&mut self, before: Option<CapturedBody>, after: Option<CapturedBody>) {
        if after.is_some() {
            self.notes.get_or_insert_default().captured = Some(BodyCapture { before, after });
        }
    }
}
