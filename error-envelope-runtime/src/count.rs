//! What is counted (rule L2), by the crate `metrics`: what it records into is the application's choice. The table is
//! [`describe_metrics`](crate::describe_metrics)'s; without the feature `metrics` nothing is counted.
//!
//! Labels are bounded: a route is its pattern, never a path; a code that is neither the catalogue's nor the policy's is
//! `foreign`.

#[cfg(feature = "metrics")]
pub use described::describe;
#[cfg(feature = "metrics")]
pub(crate) use keys::record_error;

#[cfg(feature = "metrics")]
mod described;
#[cfg_attr(not(feature = "metrics"), path = "count/no_requests.rs")]
mod requests;

pub use requests::{RequestMetrics, RequestTimer, RouteMetrics, Started};

/// A counter's key takes longer to make than all else that an error needs, and errors come in storms: each thread keeps
/// those that it made last.
#[cfg(feature = "metrics")]
mod keys {
    use std::cell::RefCell;
    use std::sync::{Arc, LazyLock};

    use http::StatusCode;
    use metrics::{Key, Label, Level, Metadata, SharedString};

    use error_envelope_core::dialect::Shape;
    use error_envelope_core::exchange::{Event, Origin, UnreadReason};
    use error_envelope_core::policy::Mode;

    /// So many kinds of errors at once are kept by a thread.
    const KEPT: usize = 16;

    /// What the labels are made of.
    struct Kind {
        code: Option<&'static str>,
        status: Option<StatusCode>,
        would_be: Option<StatusCode>,
        origin: Origin,
        route: Option<Arc<str>>,
        mode: Mode,
        dialect: Option<Shape>,
    }

    thread_local! {
        static KEYS: RefCell<Vec<(Kind, Key)>> = const { RefCell::new(Vec::new()) };
    }

    pub(crate) fn record_error(event: &Event) {
        if let Some(why) = event.unread() {
            unread(event, why);
        }
        let Some(code) = code_of(event) else { return count(&of_shared_code(event)) };
        let known = KEYS.try_with(|keys| {
            // Borrowed already where a recorder serves through the layer itself.
            let Ok(mut keys) = keys.try_borrow_mut() else { return false };
            if let Some((_, key)) = keys.iter().find(|(kind, _)| kind.is_of(event, code)) {
                count(key);
                return true;
            }
            let kind = Kind::new(event, code);
            let key = kind.key_of_code();
            count(&key);
            if keys.len() == KEPT {
                keys.remove(0);
            }
            keys.push((kind, key));
            true
        });
        // A thread that ends has no such keys any more.
        if !known.unwrap_or(false) {
            count(&Kind::new(event, code).key_of_code());
        }
    }

    /// The code as it is counted; `None` where it is a policy's own.
    fn code_of(event: &Event) -> Option<Option<&'static str>> {
        match event.code() {
            Some(code) if code.is_foreign() => Some(Some("foreign")),
            Some(code) => code.static_name().map(Some),
            None => Some(None),
        }
    }

    fn count(key: &Key) {
        static METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

        metrics::with_recorder(|recorder| recorder.register_counter(key, &METADATA)).increment(1);
    }

    #[cold]
    fn unread(event: &Event, why: UnreadReason) {
        let labels = vec![Label::new("reason", why.as_str()), Label::new("route", text_of_route(event.shared_route()))];
        count(&Key::from_parts("error_envelope_unread_errors_total", labels));
    }

    /// The name of a code of a policy's file is the policy's.
    fn of_shared_code(event: &Event) -> Key {
        let code = event.code().map_or_else(String::new, |code| code.as_str().to_owned());
        Kind { code: None, ..Kind::new(event, None) }.key(code.into())
    }

    impl Kind {
        /// Without taking a share of the route's name.
        fn is_of(&self, event: &Event, code: Option<&'static str>) -> bool {
            let Self { code: known, status, would_be, origin, route, mode, dialect } = self;
            (*status, *origin, *mode) == (event.status(), event.origin(), event.mode())
                && (*would_be, *dialect) == (event.would_be(), event.dialect())
                && route.as_deref() == event.route()
                && *known == code
        }

        fn new(event: &Event, code: Option<&'static str>) -> Self {
            Self {
                code,
                status: event.status(),
                would_be: event.would_be(),
                origin: event.origin(),
                route: event.shared_route(),
                mode: event.mode(),
                dialect: event.dialect(),
            }
        }

        fn key_of_code(&self) -> Key {
            self.key(self.code.map_or(SharedString::const_str("none"), SharedString::const_str))
        }

        fn key(&self, code: SharedString) -> Key {
            let text = |status: Option<StatusCode>| SharedString::const_str(status.map_or("none", text_of));
            let labels = vec![
                Label::new("code", code),
                Label::new("status", text(self.status)),
                Label::new("would_be_status", text(self.would_be)),
                Label::new("origin", self.origin.as_str()),
                Label::new("route", text_of_route(self.route.clone())),
                Label::new("mode", self.mode.as_str()),
                Label::new("dialect", self.dialect.map_or("none", Shape::as_str)),
            ];
            Key::from_parts("error_envelope_errors_total", labels)
        }
    }

    fn text_of_route(route: Option<Arc<str>>) -> SharedString {
        route.map_or(SharedString::const_str("none"), SharedString::from_shared)
    }

    /// The digits, which outlive the event.
    fn text_of(status: StatusCode) -> &'static str {
        static TEXTS: LazyLock<Vec<String>> = LazyLock::new(|| (0..1000).map(|status| status.to_string()).collect());

        TEXTS.get(usize::from(status.as_u16())).map_or("none", String::as_str)
    }
}

#[cfg(not(feature = "metrics"))]
pub(crate) fn record_error(_: &error_envelope_core::exchange::Event) {}

#[cfg(all(feature = "metrics", feature = "policy-file"))]
pub(crate) fn record_reload(outcome: &'static str) {
    metrics::counter!("error_envelope_policy_reloads_total", "outcome" => outcome).increment(1);
    metrics::gauge!("error_envelope_policy_refused").set(if outcome == "refused" { 1.0 } else { 0.0 });
}

#[cfg(all(not(feature = "metrics"), feature = "policy-file"))]
pub(crate) fn record_reload(_: &'static str) {}

#[cfg(all(feature = "metrics", feature = "jwks-url"))]
pub(crate) fn record_key_set_fetch(outcome: &'static str) {
    metrics::counter!("error_envelope_key_set_fetches_total", "outcome" => outcome).increment(1);
}

#[cfg(all(not(feature = "metrics"), feature = "jwks-url"))]
pub(crate) fn record_key_set_fetch(_: &'static str) {}

#[cfg(feature = "metrics")]
pub(crate) fn record_switch(to: &'static str) {
    metrics::counter!("error_envelope_kill_switch_total", "to" => to).increment(1);
    metrics::gauge!("error_envelope_kill_switch_thrown").set(if to == "off" { 1.0 } else { 0.0 });
}

#[cfg(not(feature = "metrics"))]
pub(crate) fn record_switch(_: &'static str) {}
