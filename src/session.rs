//! The types for observers and verifiers. They are the parts of a [`ClosedRecord`], and [`BoxError`], which is an error
//! of any type.
//!
//! Authors of other adapters depend on the crate `error-envelope-core`, whose module `session` defines the steps of a
//! request.
//!
//! ```
//! use tower_error_envelope::ErrorEnvelopeLayer;
//! use tower_error_envelope::session::{ClosedRecord, Observer, Origin};
//!
//! struct Panics;
//!
//! impl Observer for Panics {
//!     fn on_record(&self, record: &ClosedRecord) {
//!         if record.origin() == Some(Origin::Panic) {
//!             eprintln!("{} panicked: {:?}", record.request_id(), record.route());
//!         }
//!     }
//! }
//! # let _ = ErrorEnvelopeLayer::new().observer(Panics);
//! ```

// `BoxError` is the error of a verifier. `middleware::recognise` returns the other types.
pub use error_envelope_core::session::{BoxError, CauseKind, Recognised};
// The record that an observer gets, and the types of its parts.
pub use error_envelope_core::session::{
    BodyCapture, CapturedBody, Cause, ClosedRecord, DecidedBy, Delivery, End, KnownMethod, MapRuleId, Observer, Origin,
    Outcome, RecordFields, RequestRecord, SentStatus, ServiceAnswer, ServiceBody, Shape, UnreadReason,
};
