//! Counts errors by their labels.

use std::cell::RefCell;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use http::StatusCode;
use metrics::{Counter, Key, Label, Level, Metadata, SharedString};

use error_envelope_core::code::ErrorCode;
use error_envelope_core::dialect::Shape;
use error_envelope_core::policy::Mode;
use error_envelope_core::session::{ClosedRecord, Origin, Outcome, SentStatus};

use super::installed;
use super::kept::{KEPT_FOR, now_if_kept};

/// The most combinations of labels whose counters a thread keeps.
const KNOWN: usize = 16;

thread_local! {
    /// The counters that this thread used last. They are kept because creating the key of a counter takes longer than
    /// the rest of counting an error, and errors often come in large numbers.
    static KINDS: RefCell<Vec<KnownKind>> = const { RefCell::new(Vec::new()) };
}

struct KnownKind {
    kind: Kind,
    key: Key,
    /// The counter, and the time until which it is kept.
    counter: Option<(Counter, Instant)>,
}

/// The values that determine the labels of an error.
struct Kind {
    sent: Option<SentStatus>,
    would_be: Option<SentStatus>,
    origin: Option<Origin>,
    route: Option<Arc<str>>,
    scope: Option<Box<str>>,
    mode: Mode,
    dialect: Option<Shape>,
}

pub(crate) fn record_error(record: &ClosedRecord) {
    if record.origin().is_none() {
        return;
    }
    let Some(recorder) = installed::find() else { return };
    if record.outcome() == Outcome::Broken && record.status().is_some() {
        count_at_place("error_envelope_broken_bodies_total", None, record);
    }
    if let Some(why) = record.unread() {
        count_at_place("error_envelope_unread_errors_total", Some(Label::new("reason", why.as_str())), record);
    }
    // Requests that a guard would have refused, but only observed (M1).
    for code in record.would_refuse() {
        let label = Label::new("code", label_of_code(Some(code)));
        count_at_place("error_envelope_would_refuse_total", Some(label), record);
    }
    record_at(record, now_if_kept(recorder));
}

pub(super) fn record_at(record: &ClosedRecord, now: Option<Instant>) {
    let counted = KINDS.try_with(|kinds| {
        // The list is already borrowed if the recorder itself sends a request through the layer.
        let Ok(mut kinds) = kinds.try_borrow_mut() else { return false };
        if let Some(known) = kinds.iter_mut().find(|known| known.kind.is_of(record)) {
            known.count(now);
            return true;
        }
        let mut known = KnownKind::new(record);
        known.count(now);
        if kinds.len() == KNOWN {
            kinds.remove(0);
        }
        kinds.push(known);
        true
    });
    // If the thread is ending or the list is borrowed, the counter is used without being kept.
    if !counted.unwrap_or(false) {
        KnownKind::new(record).count(None);
    }
}

/// Records how long the layer waited for the body of an inner error.
pub fn record_error_read(time: Duration) {
    metrics::histogram!("error_envelope_error_read_seconds").record(time);
}

/// Counts a record by its route, its scope and the counter's own label.
#[cold]
fn count_at_place(counter: &'static str, own: Option<Label>, record: &ClosedRecord) {
    let route = Label::new("route", text_of_route(record.shared_route()));
    let scope = Label::new("scope", text_of_scope(record.scope()));
    let labels: Vec<Label> = own.into_iter().chain([route, scope]).collect();
    register(&Key::from_parts(counter, labels)).increment(1);
}

fn register(key: &Key) -> Counter {
    static METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

    metrics::with_recorder(|recorder| recorder.register_counter(key, &METADATA))
}

impl KnownKind {
    fn new(record: &ClosedRecord) -> Self {
        let kind = Kind::new(record);
        Self { key: kind.key(), kind, counter: None }
    }

    fn count(&mut self, now: Option<Instant>) {
        match (&self.counter, now) {
            (_, None) => register(&self.key).increment(1),
            (Some((counter, until)), Some(now)) if now < *until => counter.increment(1),
            (_, Some(now)) => self.counter.insert((register(&self.key), now + KEPT_FOR)).0.increment(1),
        }
    }
}

impl Kind {
    fn new(record: &ClosedRecord) -> Self {
        Self {
            sent: record.sent().cloned(),
            would_be: record.would_be().cloned(),
            origin: record.origin(),
            route: record.shared_route(),
            scope: record.scope().map(Into::into),
            mode: record.mode(),
            dialect: record.dialect(),
        }
    }

    /// Returns true if the record has these labels. The comparison does not clone the `Arc` of the route's pattern.
    fn is_of(&self, record: &ClosedRecord) -> bool {
        let Self { sent, would_be, origin, route, scope, mode, dialect } = self;
        (*origin, *mode, *dialect) == (record.origin(), record.mode(), record.dialect())
            && (route.as_deref(), scope.as_deref()) == (record.route(), record.scope())
            && is_same(sent.as_ref(), record.sent())
            && is_same(would_be.as_ref(), record.would_be())
    }

    fn key(&self) -> Key {
        let status = |sent: Option<&SentStatus>| SharedString::const_str(sent.map_or("none", |it| text_of(it.status)));
        let code = |sent: Option<&SentStatus>| label_of_code(sent.and_then(|sent| sent.code.as_ref()));
        let (sent, would_be) = (self.sent.as_ref(), self.would_be.as_ref());
        let labels = vec![
            Label::new("code", code(sent)),
            Label::new("status", status(sent)),
            Label::new("grpc_status", text_of_grpc(sent.and_then(|sent| sent.grpc))),
            Label::new("would_be_code", code(would_be)),
            Label::new("would_be_status", status(would_be)),
            Label::new("origin", self.origin.map_or("none", Origin::as_str)),
            Label::new("route", text_of_route(self.route.clone())),
            Label::new("scope", text_of_scope(self.scope.as_deref())),
            Label::new("mode", self.mode.as_str()),
            Label::new("dialect", self.dialect.map_or("none", Shape::as_str)),
        ];
        Key::from_parts("error_envelope_errors_total", labels)
    }
}

fn is_same(known: Option<&SentStatus>, new: Option<&SentStatus>) -> bool {
    let parts = |sent: &SentStatus| (sent.status, sent.grpc);
    known.map(parts) == new.map(parts)
        && text_of_code(known.and_then(|sent| sent.code.as_ref()))
            == text_of_code(new.and_then(|sent| sent.code.as_ref()))
}

/// Returns the label of a gRPC status.
pub(super) fn text_of_grpc(number: Option<u8>) -> &'static str {
    const TEXTS: [&str; 17] =
        ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"];

    number.map_or("none", |number| TEXTS.get(usize::from(number)).copied().unwrap_or("other"))
}

fn label_of_code(code: Option<&ErrorCode>) -> SharedString {
    // The name of a code from a policy's file belongs to the policy, so the name is copied.
    let custom = code.filter(|code| code.static_name().is_none() && !code.is_foreign());
    match (custom, code) {
        (Some(custom), _) => custom.as_str().to_owned().into(),
        (None, Some(code)) => SharedString::const_str(code.static_name().unwrap_or("foreign")),
        (None, None) => SharedString::const_str("none"),
    }
}

/// Returns the label of a code as a borrowed text.
fn text_of_code(code: Option<&ErrorCode>) -> &str {
    code.map_or("none", |code| if code.is_foreign() { "foreign" } else { code.as_str() })
}

pub(super) fn text_of_route(route: Option<Arc<str>>) -> SharedString {
    route.map_or(SharedString::const_str("none"), SharedString::from_shared)
}

pub(super) fn text_of_scope(scope: Option<&str>) -> SharedString {
    scope.map_or(SharedString::const_str("none"), |scope| SharedString::from(scope.to_owned()))
}

/// Returns the digits of a status as a static text.
fn text_of(status: StatusCode) -> &'static str {
    static TEXTS: LazyLock<Vec<String>> = LazyLock::new(|| (0..1000).map(|status| status.to_string()).collect());

    TEXTS.get(usize::from(status.as_u16())).map_or("none", String::as_str)
}
