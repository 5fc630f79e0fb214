//! The types of observers and verifiers: what an [`Event`] contains, and errors of any type.
//!
//! Authors of other adapters depend on the crate `error-envelope-core`: its module `session` has the steps of a request.
//!
//! ```
//! use tower_error_envelope::ErrorEnvelopeLayer;
//! use tower_error_envelope::session::{Event, Observer, Origin};
//!
//! struct Panics;
//!
//! impl Observer for Panics {
//!     fn on_event(&self, event: &Event) {
//!         if event.origin() == Origin::Panic {
//!             eprintln!("{} panicked: {:?}", event.request_id(), event.route());
//!         }
//!     }
//! }
//! # let _ = ErrorEnvelopeLayer::new().observer(Panics);
//! ```

// Errors: what a verifier returns, and what `middleware::recognise` makes of an error.
pub use error_envelope_core::session::{BoxError, CauseKind, Recognised};
// Events: what an observer gets, and the types of its parts.
pub use error_envelope_core::session::{
    BodyCapture, CapturedBody, Cause, DecidedBy, Event, EventFields, KnownMethod, MapRuleId, Observer, Origin, Shape,
    UnreadReason,
};
