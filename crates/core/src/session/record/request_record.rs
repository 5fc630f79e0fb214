//! The record of a request (L5, L1, I2, I3, F2), its observer, and the configuration of a session.
//!
//! These types are in one file because they refer to each other in a circle. A config contains an observer, an observer
//! receives records, and a record contains its config.

use std::error::Error;
use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

use http::{Extensions, StatusCode, Uri};

use super::body_capture::{BodyCapture, CapturedBody};
use super::delivery::{Delivery, SentStatus, ServiceAnswer, ServiceBody};
use super::notes::{KnownMethod, MapRuleId, Origin, RecordFields, UnreadReason, printable};
use super::proxy_error::ProxyErrorRecogniser;
use crate::classify::decide::DecidedBy;
use crate::classify::failure::Recogniser;
use crate::code::ErrorCode;
use crate::dialect::Shape;
use crate::fault::Fault;
use crate::guard::body_limit::BodyFlags;
use crate::policy::{LogLabel, MatchedReading, Mode, Policy, UpstreamUrl};
use crate::request_id::RequestId;

/// A boxed error, as tower uses it.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Classifies the errors of the service itself. The classifier is called before the contract's own list of errors
/// decides (F1).
pub type Classifier = dyn Fn(&(dyn Error + 'static)) -> Option<Fault> + Send + Sync;

/// Reads from the extensions of a request the pattern that the framework around the layer has found (L1). The pattern
/// must be one of a limited set, never a path, because the metrics use it as a label.
pub type FrameworkRoute = fn(&Extensions) -> Option<Arc<str>>;

/// Reads from the extensions the URI that a request had before the framework around the layer stripped a prefix of its
/// path (G0).
pub type OriginalUri = fn(&Extensions) -> Option<&Uri>;

/// Reads from the extensions the reason phrase of an HTTP/1 response, which the adapter's client stored there (R3).
pub type ReasonPhrase = for<'e> fn(&'e Extensions) -> Option<&'e [u8]>;

/// Returns the texts of an error and its causes, for [development](SessionConfig::development) (E11). The function
/// catches the panics of `Display`, which is the user's own code (F2).
pub type CauseTexts = fn(&(dyn Error + 'static)) -> Vec<String>;

/// The known facts of one request. A session fills the record, and its adapter closes it once (L5).
#[derive(Debug)]
#[must_use]
pub struct RequestRecord {
    pub(in crate::session) request_id: RequestId,
    pub(in crate::session) config: Arc<SessionConfig>,
    pub(in crate::session) label: RecordLabel,
    /// The origin of the error, or `None` if nothing failed.
    pub(in crate::session) origin: Option<Origin>,
    /// The status that was sent, or `None` if no head was made.
    pub(in crate::session) sent: Option<SentStatus>,
    /// The status that the client would have got in mode `enforce`, or without the route's `auth_observe`, if that
    /// status differs.
    pub(in crate::session) would_be: Option<SentStatus>,
    /// The mildest mode that would rewrite the service's error.
    pub(in crate::session) rewriting: Option<Mode>,
    pub(in crate::session) dialect: Option<Shape>,
    pub(in crate::session) by: Option<DecidedBy>,
    pub(in crate::session) rule: Option<MapRuleId>,
    pub(in crate::session) cause: Option<Cause>,
    pub(in crate::session) notes: Option<Box<RecordFields>>,
}

/// The record of a request whose response was delivered, or whose client has left. The log, the metrics and the traces
/// are made only from this record.
#[derive(Debug)]
pub struct ClosedRecord {
    pub(in crate::session) record: RequestRecord,
    pub(in crate::session) delivery: Delivery,
}

/// The facts about the request that every record contains.
#[derive(Clone, Debug)]
pub(in crate::session) struct RecordLabel {
    pub(in crate::session) settings: LogLabel,
    pub(in crate::session) method: KnownMethod,
    pub(in crate::session) framework_route: Option<Arc<str>>,
    pub(in crate::session) bits: u8,
    /// The response of the service.
    pub(in crate::session) service: Option<ServiceAnswer>,
    /// The facts about how the request's body ended.
    pub(in crate::session) flags: Option<BodyFlags>,
}

impl RecordLabel {
    /// Set if an outer layer of this process handles the request, too (E7).
    pub(in crate::session) const NESTED: u8 = 1;
    /// Set if the service was called.
    pub(in crate::session) const CALLED: u8 = 1 << 1;
    /// Set if another layer of this process writes the log and the metrics of this error.
    pub(in crate::session) const WRITTEN_ELSEWHERE: u8 = 1 << 3;
    /// Set if the other layer also informs an observer.
    pub(in crate::session) const OBSERVED_ELSEWHERE: u8 = 1 << 4;
    /// Set if the body broke off after the head was made.
    pub(in crate::session) const BROKEN: u8 = 1 << 5;
    /// Set if the response has no body for this request, even if its head declares one (RFC 9112 §6.3).
    pub(in crate::session) const BODILESS: u8 = 1 << 2;

    /// Returns the route that the framework found, or else the pattern of the route in the policy.
    pub(in crate::session) fn route<'a>(&'a self, config: &'a SessionConfig) -> Option<&'a Arc<str>> {
        let pattern = || config.policy.route_pattern(self.settings).map(|pattern| &pattern.written);
        self.framework_route.as_ref().or_else(pattern)
    }
}

/// Receives the record of each request when it is closed (L5). If the request succeeded, its [`RequestRecord::origin`]
/// is `None`.
///
/// The observer is called on the thread that handles the request, so return quickly, and do slow work on another
/// thread. If the observer panics, the panic is caught and logged, and the client gets its response (F2).
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use tower_error_envelope::ErrorEnvelopeLayer;
/// use tower_error_envelope::session::{ClosedRecord, Observer};
///
/// #[derive(Default)]
/// struct Nameless(AtomicU64);
///
/// impl Observer for Nameless {
///     fn on_record(&self, record: &ClosedRecord) {
///         if record.notes().unknown_code.as_deref().is_some() {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let layer = ErrorEnvelopeLayer::new().observer(Nameless::default());
/// # let _ = layer;
/// ```
pub trait Observer: Send + Sync + 'static {
    /// Receives the record of one request, when the record is closed.
    fn on_record(&self, record: &ClosedRecord);

    /// Receives the new policy at the first request after a reload (M3). Each adapter with this observer calls the
    /// method. By default the method does nothing.
    fn on_policy(&self, _policy: &Policy) {}
}

impl<T: Observer + ?Sized> Observer for Arc<T> {
    fn on_record(&self, record: &ClosedRecord) {
        (**self).on_record(record);
    }

    fn on_policy(&self, policy: &Policy) {
        (**self).on_policy(policy);
    }
}

/// The active policy, the classifier of the service's own errors, and the adapter's clock.
///
/// An adapter creates a config once, and again if the policy changes. Each request keeps the config that it began with
/// (M3).
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
    /// The policy.
    pub policy: Arc<Policy>,
    /// The classifier of the service's own errors. It is called before the contract's own list of errors decides (F1).
    pub classifier: Option<Arc<Classifier>>,
    /// Recognises errors whose types are from other crates (F1).
    pub recogniser: Option<Recogniser>,
    /// Recognises errors for `Proxy-Status` (L4).
    pub proxy_errors: Option<ProxyErrorRecogniser>,
    /// The observer of the errors.
    pub observer: Option<Arc<dyn Observer>>,
    /// Reads the route which the framework found for a request (L1). The function is not called for a request without
    /// extensions.
    pub framework_route: Option<FrameworkRoute>,
    /// Reads the URI that a request had before the framework stripped a prefix. The guards also check the path of that
    /// URI (G0).
    pub original_uri: Option<OriginalUri>,
    /// Reads the reason phrase of a response (R3).
    pub reason_phrase: Option<ReasonPhrase>,
    /// If set, bodies in the standard envelope show the cause of the error (E11). It is `None` in production.
    pub development: Option<CauseTexts>,
    /// If set, the session chooses the service of each request: the service of its scope, or else this one. Log events
    /// then contain the address of the service (L1). The service is behind a pointer, because most adapters have no
    /// such service.
    pub forwarding: Option<Arc<Option<UpstreamUrl>>>,
    /// Called for keys and tokens that expire (G2), for a dialect that writes the time (R2), and for RPC errors that
    /// state until when to wait (P1).
    pub clock: fn() -> SystemTime,
}

/// The cause of a failure.
#[derive(Debug)]
pub enum Cause {
    /// An error of the service, of a guard, or of the proxy.
    Error(BoxError),
    /// The fault that the service returned, which has a source.
    Fault(Fault),
}

impl Cause {
    /// Returns the cause of a fault, if it has a source. The source has the user's own type, whose `Display` may panic
    /// (F2), so only the adapter formats it.
    pub(in crate::session) fn of_fault(fault: &Fault) -> Option<Self> {
        fault.source().map(|_| Self::Fault(fault.clone()))
    }

    /// Returns the cause as an error.
    #[must_use]
    pub fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        match self {
            Self::Error(error) => &**error,
            Self::Fault(fault) => fault,
        }
    }
}

impl RequestRecord {
    /// Returns the request's id.
    #[must_use]
    pub fn request_id(&self) -> RequestId {
        self.request_id
    }

    /// Returns the readings of the request that matched other guards than the guards of its route, each as `METHOD PATH
    /// meets ROUTE` (G0). The text lists at most four readings, each with at most 128 printable characters of the path,
    /// without the query.
    #[must_use]
    pub fn readings(&self) -> Option<String> {
        /// The maximum number of readings that are listed. Further readings would not help an operator.
        const MOST: usize = 4;

        let readings = &self.notes.as_ref()?.readings;
        let line = |reading: &MatchedReading| {
            let route = self.config.policy.route_label(reading.settings.label()).unwrap_or("no route");
            format!("{} {} meets {route}", reading.method, printable(&reading.path))
        };
        (!readings.is_empty()).then(|| readings.iter().take(MOST).map(line).collect::<Vec<_>>().join(", "))
    }

    /// Notes that the service did not get the request after all.
    pub(in crate::session) fn note_not_called(&mut self) {
        self.label.bits &= !RecordLabel::CALLED;
    }

    /// Returns this record for an error that keeps its shape, with the status and the code that were sent.
    pub(in crate::session) fn preserved(self, status: StatusCode, code: ErrorCode) -> Self {
        let grpc = self.label.service.and_then(|service| service.grpc);
        Self { sent: Some(SentStatus { status, grpc, code: Some(code) }), ..self }
    }

    /// Notes the parts of a foreign body that the client does not get: the names of fields (R14), and an unknown code.
    #[inline]
    pub(in crate::session) fn note_lost(&mut self, (names, code): (Option<Box<str>>, Option<Box<str>>)) {
        if names.is_some() || code.is_some() {
            let notes = self.notes.get_or_insert_default();
            (notes.dropped_fields, notes.unknown_code) = (names, code);
        }
    }

    /// Notes what decided the code of an inner error.
    #[inline]
    pub(in crate::session) fn note_decision(&mut self, by: Option<DecidedBy>, part: u32, rule: Option<usize>) {
        self.by = by;
        self.rule = rule.map(|index| MapRuleId::new(part, index));
    }

    /// Returns the status and the code that the client got, or `None` if no head was sent.
    #[must_use]
    pub fn sent(&self) -> Option<&SentStatus> {
        self.sent.as_ref()
    }

    /// Returns the status that the client would have got if the mode were `enforce`, or if the route enforced its
    /// credentials (M1). Returns `None` if the client got this status.
    #[must_use]
    pub fn would_be(&self) -> Option<&SentStatus> {
        self.would_be.as_ref()
    }

    /// Returns the response of the service, or `None` if the service sent no response.
    #[must_use]
    pub fn service(&self) -> Option<&ServiceAnswer> {
        self.label.service.as_ref()
    }

    /// Returns true if the service was called.
    #[must_use]
    pub fn is_called(&self) -> bool {
        self.label.bits & RecordLabel::CALLED != 0
    }

    /// Returns the canonical code that the client got, or `None` if it got none.
    #[must_use]
    pub fn code(&self) -> Option<&ErrorCode> {
        self.sent.as_ref()?.code.as_ref()
    }

    /// Returns the HTTP status that the client got, or `None` if no head was sent.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.sent.as_ref().map(|sent| sent.status)
    }

    /// Returns the gRPC status that the client got, even if the protocol does not define it. A number above 255 is
    /// returned as 255.
    #[must_use]
    pub fn grpc_status(&self) -> Option<u8> {
        self.sent.as_ref()?.grpc
    }

    /// Returns the codes with which guards that only observe would have refused the request (M1).
    pub fn would_refuse(&self) -> impl Iterator<Item = &ErrorCode> {
        let of_guard = self.would_be().filter(|_| self.origin == Some(Origin::Guard));
        of_guard.and_then(|sent| sent.code.as_ref()).into_iter().chain(&self.notes().also)
    }

    /// Returns true if mode `own` would refuse the request. A refusal that only `auth_observe` prevents is ignored.
    #[must_use]
    pub fn own_would_refuse(&self) -> bool {
        self.would_refuse().count() > usize::from(self.notes().observes_credentials)
    }

    /// Returns true if the inner error passed because of a milder mode, and `enforce` would only add the error's code
    /// to the head (R10).
    #[must_use]
    pub fn would_keep(&self) -> bool {
        self.would_be.is_some() && self.rewriting.is_none() && self.would_refuse().next().is_none()
    }

    /// Returns the mildest mode that would rewrite an inner error that passed: `fill` or `enforce` (M1). Returns `None`
    /// if a guard would refuse the request first.
    #[must_use]
    pub fn rewriting_mode(&self) -> Option<Mode> {
        self.rewriting.filter(|_| self.origin == Some(Origin::Inner) && !self.own_would_refuse())
    }

    /// Returns true if an outer layer of this process handles the request, too. The outer layer must not log the error
    /// again (L1).
    #[must_use]
    pub fn is_nested(&self) -> bool {
        self.label.bits & RecordLabel::NESTED != 0
    }

    /// Returns `Some` if another layer of this process writes the log and the metrics of this error. The value is true
    /// if that layer also informs an observer.
    #[must_use]
    pub fn written_elsewhere(&self) -> Option<bool> {
        let has = |bit| self.label.bits & bit != 0;
        has(RecordLabel::WRITTEN_ELSEWHERE).then(|| has(RecordLabel::OBSERVED_ELSEWHERE))
    }

    /// Notes that an inner layer writes the log and the metrics of this error.
    pub fn note_written_elsewhere(&mut self, is_observed: bool) {
        let observed = if is_observed { RecordLabel::OBSERVED_ELSEWHERE } else { 0 };
        self.label.bits |= RecordLabel::WRITTEN_ELSEWHERE | observed;
    }

    /// Returns the origin of the error, or `None` if nothing failed.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        self.origin
    }

    /// Returns the shape of an inner error, or `None` if it is in no known shape.
    #[must_use]
    pub fn dialect(&self) -> Option<Shape> {
        self.dialect
    }

    /// Returns why the body of an inner error was not read to its end (R4). Returns `None` if the body was read, or if
    /// it did not need to be read. With an adapter that reads bodies in its own way, the result may also be `None`.
    #[must_use]
    pub fn unread(&self) -> Option<UnreadReason> {
        match self.label.service?.body {
            ServiceBody::Unread(why) => Some(why),
            ServiceBody::Whole | ServiceBody::BrokeOff => None,
        }
    }

    /// Notes why the body was not read to its end.
    #[inline]
    pub(in crate::session) fn note_unread(&mut self, why: Option<UnreadReason>) {
        if let (Some(why), Some(service)) = (why, &mut self.label.service) {
            service.body = ServiceBody::Unread(why);
        }
    }

    /// Returns what decided the code of an inner error (R1). Returns `None` for all other errors, for errors that keep
    /// their shape in `observe` and `enforce` (R9, R10), and for the statuses of RPC protocols.
    #[must_use]
    pub fn decided_by(&self) -> Option<DecidedBy> {
        self.by
    }

    /// Returns the rule that decided the code, if one did.
    #[must_use]
    pub fn map_rule(&self) -> Option<MapRuleId> {
        self.rule
    }

    /// Returns the pattern that the framework found, or else the pattern of the policy's most specific route (L1). The
    /// result is never a path (L2).
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        self.route_ref().map(|route| &**route)
    }

    /// Returns the text of [`route`](Self::route), shared with the policy or the framework.
    pub fn shared_route(&self) -> Option<Arc<str>> {
        self.route_ref().cloned()
    }

    pub(in crate::session) fn route_ref(&self) -> Option<&Arc<str>> {
        self.label.route(&self.config)
    }

    /// Returns the name of the policy's scope for the request: its first host and its prefix. Returns `None` if the
    /// request is in no scope.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.config.policy.scope_name(self.label.settings)
    }

    /// Returns the service that a gateway called for the request: the service of its scope, or the gateway's service
    /// for all other requests. Returns `None` if the gateway called no service.
    #[must_use]
    #[doc(hidden)]
    pub fn upstream(&self) -> Option<&UpstreamUrl> {
        let rest = self.config.forwarding.as_deref().filter(|_| self.is_called())?;
        self.config.policy.upstream_of(self.label.settings).or(rest.as_ref())
    }

    /// Returns the request's method.
    #[must_use]
    pub fn method(&self) -> KnownMethod {
        self.label.method
    }

    /// Returns the mode that applied to the request: [`Mode::Off`] while a kill switch is on.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.label.settings.mode
    }

    /// Returns the mode of the request's route in the policy, even if a kill switch is on.
    #[must_use]
    pub fn own_mode(&self) -> Mode {
        self.label.settings.switched_from.unwrap_or(self.mode())
    }

    /// Returns true if a kill switch put the route in mode [`Mode::Off`].
    #[must_use]
    pub fn kill_switch(&self) -> bool {
        self.label.settings.switched_from.is_some()
    }

    /// Returns the cause of the failure, which is only for the log. The `Display` of the cause may be user code.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.cause.as_ref().map(Cause::error)
    }

    /// Returns the path of the request for the log, without its query. The path is set for RPCs, and for all requests
    /// if the policy has `[observe] path = true` (L3).
    #[must_use]
    pub fn shown_path(&self) -> Option<&str> {
        Some(self.notes().shown_path.as_ref()?.path())
    }

    /// Takes the cause out of the record, because dropping it may run user code.
    pub fn take_cause(&mut self) -> Option<Cause> {
        self.cause.take()
    }

    /// Returns further facts about the request.
    #[must_use]
    #[inline]
    pub fn notes(&self) -> &RecordFields {
        static NONE: LazyLock<RecordFields> = LazyLock::new(RecordFields::default);

        self.notes.as_deref().unwrap_or(&NONE)
    }

    /// Returns the observer.
    #[inline]
    pub fn observer(&self) -> Option<&dyn Observer> {
        self.config.observer.as_deref()
    }

    /// Returns the bodies that were captured, or `None` unless the policy has `[observe] bodies = true`.
    #[must_use]
    pub fn captured(&self) -> Option<&BodyCapture> {
        self.notes.as_deref()?.captured.as_ref()
    }

    /// Returns true if an observer receives bodies, which requires `[observe] bodies = true` in the policy.
    #[must_use]
    pub fn shows_bodies(&self) -> bool {
        self.config.policy.process.observes_bodies
    }

    #[inline]
    pub(in crate::session) fn note_bodies(&mut self, before: Option<CapturedBody>, after: Option<CapturedBody>) {
        if before.is_some() || after.is_some() {
            self.notes.get_or_insert_default().captured = Some(BodyCapture { before, after });
        }
    }
}
