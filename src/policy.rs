//! The parts of a [`Policy`](crate::Policy). A policy determines the settings for each request.
//!
//! Most programs need only [`Policy`](crate::Policy), [`RouteRule`](crate::RouteRule) and [`Mode`](crate::Mode), which
//! the root of the crate also exports.

pub use error_envelope_core::dialect::{CustomShape, Dialect, DialectName};
#[cfg(feature = "foreign")]
pub use error_envelope_core::dialect::{Expected, PathNotation};
pub use error_envelope_core::guard::header::RequiredHeader;
#[cfg(feature = "policy-file")]
pub use error_envelope_core::loader::{PolicyFile, PolicyLoader};
pub use error_envelope_core::outward::OutwardRule;
pub use error_envelope_core::policy::rule::MapRule;
pub use error_envelope_core::policy::{
    BodyLimitPer, ErrorPage, EventStreams, LetterCase, NoTransform, Paths, PolicyBuilder, PolicySummary, Preflight,
    Protocols, Scope, Trust, UnknownCodes,
};
#[cfg(feature = "foreign")]
pub use error_envelope_core::policy::{BodyShape, ShapeIssues};
