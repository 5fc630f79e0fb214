//! Counts errors by OpenTelemetry's names.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Meter};
use tower_error_envelope::session::{ClosedRecord, Observer, Origin};

/// Counts each error by `error.type` (its code), `http.response.status_code` and `http.route`.
///
/// The number of values of each attribute is limited: the route is the policy's pattern, never a path.
pub(crate) struct Errors(Counter<u64>);

impl Errors {
    pub(crate) fn new(meter: &Meter) -> Self {
        let counter = meter.u64_counter("http.server.errors").with_unit("{error}");
        Self(counter.with_description("Errors that clients got.").build())
    }
}

impl Observer for Errors {
    fn on_record(&self, record: &ClosedRecord) {
        // An abandoned request is not an error of the service.
        let Some(code) = record.code().filter(|_| record.origin() != Some(Origin::Abandoned)) else { return };
        let name = if code.is_foreign() { "_OTHER" } else { code.as_str() };
        let mut attributes = vec![KeyValue::new("error.type", name.to_owned())];
        if let Some(status) = record.status() {
            attributes.push(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
        }
        if let Some(pattern) = record.route() {
            // A pattern may begin with methods: "GET|POST /seats/{id}".
            let route = pattern.rsplit_once(' ').map_or(pattern, |(_, path)| path);
            attributes.push(KeyValue::new("http.route", route.to_owned()));
        }
        self.0.add(1, &attributes);
    }
}
