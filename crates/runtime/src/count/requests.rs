//! Counts requests, their times and their sizes, by scope, route, method, status class, outcome and gRPC status (rule
//! L2).
//!
//! The handles of metrics are registered at the first request of each scope, route, method and status class. Later
//! requests find the handles by two texts and three indexes, and create no labels. The handles are registered again
//! every ten seconds. The reason is that an exporter with an idle time-out drops a metric, and later counts in the
//! metric's old handle are lost.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};
use std::{array, mem};

use error_envelope_core::session::{ClosedRecord, Delivery, KnownMethod, Outcome, SentStatus};
use http::StatusCode;
use metrics::{Counter, Histogram, Label, counter, histogram};
use rustc_hash::FxHashMap;

use super::errors::{text_of_grpc, text_of_route, text_of_scope};
use super::installed;
use super::kept::KEPT_FOR;

pub(super) const REQUESTS: &str = "error_envelope_requests_total";
pub(super) const HEAD: &str = "error_envelope_response_head_seconds";
pub(super) const DURATION: &str = "error_envelope_request_duration_seconds";
pub(super) const RECEIVED: &str = "error_envelope_request_body_bytes_total";
pub(super) const SENT: &str = "error_envelope_response_body_bytes_total";

/// The labels of the status classes. The last label, `none`, means that the client left before a response head was
/// sent.
const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none"];
const NO_HEAD: usize = CLASSES.len() - 1;

/// The number of labels for gRPC statuses: the 17 statuses of the protocol, `other` and `none`.
const GRPC: usize = 19;

/// The most routes of a scope that are counted separately. An application has far fewer routes. Further routes are
/// counted as `none`.
const MOST_ROUTES: usize = 16 * 1024;

/// The metrics of a layer's requests. Clones share the metrics.
#[derive(Clone, Default)]
pub struct RequestMetrics(Arc<RwLock<Table>>);

#[derive(Default)]
struct Table {
    /// The address of the recorder with which the handles are registered. If another recorder is installed later, the
    /// handles are registered again.
    recorder: usize,
    /// The time at which the handles are registered again. Comparing with this time is cheaper than computing the time
    /// since the last registration.
    until: Option<Instant>,
    /// The counters by scope. The map's hash function is fast, but does not protect against collisions. This is safe,
    /// because all keys come from the program and the policy, never from a client.
    scopes: FxHashMap<Box<str>, Routes>,
    no_scope: Routes,
}

/// The metrics of one scope, by route.
#[derive(Default)]
struct Routes {
    routes: FxHashMap<Arc<str>, Arc<Methods>>,
    no_route: Arc<Methods>,
}

/// A scope and a route, as labels.
type Place<'r> = (Option<&'r str>, Option<&'r Arc<str>>);

#[derive(Default)]
struct Methods([OnceLock<RouteMetrics>; KnownMethod::COUNT]);

/// The metrics of a route and a method. Clones share the metrics.
#[derive(Clone)]
struct RouteMetrics(Arc<Handles>);

/// The time at which a request began, and the address of the recorder that was installed at this time.
#[derive(Clone, Copy)]
pub struct Started {
    pub(super) recorder: usize,
    pub(super) at: Instant,
}

struct Handles {
    labels: [Label; 3],
    received: Counter,
    sent: Counter,
    classes: [OnceLock<ClassMetrics>; CLASSES.len()],
}

struct ClassMetrics {
    labels: [Label; 4],
    /// The counters by outcome and gRPC status.
    requests: [OnceLock<Counter>; Outcome::VALUES.len() * GRPC],
    head: Histogram,
    duration: Histogram,
}

impl RequestMetrics {
    /// Starts the timer of a request with this method, in the scope and on the route that `place` returns.
    #[must_use]
    pub fn begin<'r>(&self, started: Started, method: KnownMethod, place: impl FnOnce() -> Place<'r>) -> RequestTimer {
        RequestTimer { metrics: self.of_place(place(), method, started), started: started.at, head: None }
    }

    fn of_place(&self, place: Place<'_>, method: KnownMethod, started: Started) -> RouteMetrics {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if known.is_current(started)
            && let Some(methods) = known.find(place)
        {
            return methods.of_method(place, method);
        }
        drop(known);
        self.enter(started, place).of_method(place, method)
    }

    #[cold]
    fn enter(&self, started: Started, place: Place<'_>) -> Arc<Methods> {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let until = Some(started.at + KEPT_FOR);
        let renew = || Table { recorder: started.recorder, until, ..Table::default() };
        let old = (!known.is_current(started)).then(|| mem::replace(&mut *known, renew()));
        let methods = known.enter(place);
        drop(known);
        // The old table is dropped after the lock is released, so that no request waits while thousands of handles are
        // dropped.
        drop(old);
        methods
    }
}

impl Table {
    #[inline]
    fn is_current(&self, started: Started) -> bool {
        self.recorder == started.recorder && self.until.is_some_and(|until| started.at < until)
    }

    fn find(&self, (scope, route): Place<'_>) -> Option<&Arc<Methods>> {
        scope.map_or(Some(&self.no_scope), |scope| self.scopes.get(scope))?.find(route)
    }

    fn enter(&mut self, (scope, route): Place<'_>) -> Arc<Methods> {
        scope.map_or(&mut self.no_scope, |scope| self.scopes.entry(scope.into()).or_default()).enter(route)
    }
}

impl Routes {
    fn find(&self, route: Option<&Arc<str>>) -> Option<&Arc<Methods>> {
        route.map_or(Some(&self.no_route), |route| self.routes.get(route))
    }

    fn enter(&mut self, route: Option<&Arc<str>>) -> Arc<Methods> {
        match route {
            Some(route) if self.routes.len() < MOST_ROUTES || self.routes.contains_key(route) => {
                self.routes.entry(route.clone()).or_default().clone()
            }
            _ => self.no_route.clone(),
        }
    }
}

impl Methods {
    fn of_method(&self, place: Place<'_>, method: KnownMethod) -> RouteMetrics {
        self.0[method.index()].get_or_init(|| RouteMetrics::new(place, method)).clone()
    }
}

impl RouteMetrics {
    fn new((scope, route): Place<'_>, method: KnownMethod) -> Self {
        let labels = [
            Label::new("route", text_of_route(route.cloned())),
            Label::from_static_parts("method", method.as_str()),
            Label::new("scope", text_of_scope(scope)),
        ];
        let (received, sent) = (counter!(RECEIVED, labels.iter()), counter!(SENT, labels.iter()));
        Self(Arc::new(Handles { labels, received, sent, classes: array::from_fn(|_| OnceLock::new()) }))
    }

    fn of_class(&self, class: u8) -> &ClassMetrics {
        self.0.classes[usize::from(class)].get_or_init(|| ClassMetrics::new(&self.0.labels, class))
    }
}

impl ClassMetrics {
    fn new([route, method, scope]: &[Label; 3], class: u8) -> Self {
        let class = Label::from_static_parts("status_class", CLASSES[usize::from(class)]);
        let labels = [route.clone(), method.clone(), scope.clone(), class];
        Self {
            requests: array::from_fn(|_| OnceLock::new()),
            head: histogram!(HEAD, labels.iter()),
            duration: histogram!(DURATION, labels.iter()),
            labels,
        }
    }

    fn count(&self, outcome: Outcome, grpc: Option<u8>) {
        let index = outcome.index() * GRPC + grpc.map_or(GRPC - 1, |number| usize::from(number).min(GRPC - 2));
        let register = || {
            let more = [
                Label::from_static_parts("outcome", outcome.as_str()),
                Label::from_static_parts("grpc_status", text_of_grpc(grpc)),
            ];
            let labels: Vec<Label> = self.labels.iter().chain(&more).cloned().collect();
            counter!(REQUESTS, labels.iter())
        };
        self.requests[index].get_or_init(register).increment(1);
    }
}

/// Measures one request, and counts it when its record is closed.
pub struct RequestTimer {
    metrics: RouteMetrics,
    started: Instant,
    /// The time from the beginning of the request to the head of the response.
    head: Option<Duration>,
}

impl Started {
    /// Returns the current time and the installed recorder, or `None` if no recorder is installed.
    #[must_use]
    #[inline]
    #[allow(clippy::disallowed_methods, reason = "it measures real time")]
    pub fn now() -> Option<Self> {
        installed::find().map(|recorder| Self { recorder, at: Instant::now() })
    }
}

impl RequestTimer {
    /// Records that the response's head is sent.
    #[allow(clippy::disallowed_methods, reason = "it measures real time")]
    pub fn head(&mut self) {
        self.head = Some(self.started.elapsed());
    }

    /// Counts the request, whose record is `record`.
    pub fn close(self, record: &ClosedRecord) {
        self.count_as((record.status(), record.grpc_status(), record.outcome()), record.delivery());
    }

    /// Counts a request whose response was delivered completely, and which did not fail in any other way.
    pub(crate) fn count(self, sent: &SentStatus, delivery: &Delivery) {
        self.count_as((Some(sent.status), sent.grpc, sent.outcome()), delivery);
    }

    /// Counts the request with these labels. Handles that are older than [`KEPT_FOR`] are not used.
    #[allow(clippy::disallowed_methods, reason = "it measures real time")]
    fn count_as(self, (status, grpc, outcome): (Option<StatusCode>, Option<u8>, Outcome), delivery: &Delivery) {
        // A status above 599 is treated as a server error (RFC 9110 §15).
        let class = status.map_or(NO_HEAD, |status| usize::from(status.as_u16() / 100 - 1).min(NO_HEAD - 1)) as u8;
        let (time, handles) = (self.started.elapsed(), &self.metrics.0);
        let own;
        let numbers = if time < KEPT_FOR {
            self.metrics.of_class(class)
        } else {
            own = ClassMetrics::new(&handles.labels, class);
            &own
        };
        numbers.count(outcome, grpc);
        // A head that was made, but not sent, has no time.
        if let Some(head) = self.head.filter(|_| status.is_some()) {
            numbers.head.record(head);
        }
        numbers.duration.record(time);
        handles.received.increment(delivery.request_bytes.unwrap_or(0));
        handles.sent.increment(delivery.response_bytes.unwrap_or(0));
    }
}
