//! stub
#[cfg(feature = "axum")]
mod axum;
mod cause;
mod classify;
mod code;
mod dialect;
pub mod exchange;
mod fault;
mod guard;
mod message;
pub mod middleware;
mod policy;
mod request_id;

#[cfg(feature = "axum")]
pub use axum::MissingRequestId;
pub use classify::rule::MapRule;
pub use code::{ErrorCode, Retry};
pub use dialect::Dialect;
pub use fault::Fault;
pub use guard::header::RequiredHeader;
pub use middleware::{ErrorEnvelopeLayer, ErrorEnvelopeService};
pub use policy::{Mode, NoTransform, Policy, PolicyBuilder, PolicyError, Preflight, Protocols, Route, Trust, UnknownCodes};
pub use request_id::{ParseRequestIdError, RequestId};
