//! The types with which a handler reports an error: [`ErrorCode`], [`Fault`], and [`AsFault`](trait@AsFault) for the
//! service's own errors. The Tower layer that sends these errors to clients is in
//! [`tower-error-envelope`](https://docs.rs/tower-error-envelope).
//!
//! A crate that only has handlers can depend on this crate instead of `tower-error-envelope`, which re-exports the same
//! types.
//!
//! ```
//! use error_envelope_fault::{ErrorCode, Fault};
//!
//! fn reserve(seat: u64) -> Result<(), Fault> {
//!     Err(Fault::new(ErrorCode::CONFLICT).with_details(serde_json::json!({ "seat": seat })))
//! }
//!
//! let fault = reserve(7).unwrap_err();
//! assert_eq!((fault.status().as_u16(), fault.details_json()), (409, Some(r#"{"seat":7}"#)));
//! ```
//!
//! Integrations with other crates are also here, because the orphan rule requires it. Each integration has a feature:
//! `axum` (a fault is a response, and axum's own errors become faults), `ws`, `tonic`, `aide`, `utoipa`, `garde`,
//! `validator`, `anyhow`, `diesel`, `reqwest` and `sqlx`.
//!
//! Hidden modules are only for the other crates of the workspace, and may change in any version.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![allow(rustdoc::private_intra_doc_links, reason = "contributors also follow the links of a room's page")]

#[cfg(feature = "anyhow")]
#[doc(hidden)]
pub mod anyhow;
#[doc(hidden)]
pub mod cause;
#[doc(hidden)]
pub mod code;
#[cfg(feature = "derive")]
mod derive;
#[doc(hidden)]
pub mod details;
#[cfg(feature = "diesel")]
mod diesel;
#[cfg(feature = "axum")]
pub mod extract;
#[doc(hidden)]
pub mod fault;
#[cfg(feature = "tonic")]
pub mod grpc_status;
#[doc(hidden)]
pub mod identity;
#[cfg(feature = "openapi")]
#[doc(hidden)]
pub mod openapi;
#[cfg(feature = "aide")]
pub mod operations;
#[doc(hidden)]
pub mod request_id;
#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(feature = "utoipa")]
pub mod responses;
#[doc(hidden)]
pub mod rpc;
#[cfg(feature = "sqlx")]
mod sqlx;
mod status_source;
mod validation;

#[cfg(all(feature = "derive", not(feature = "axum")))]
#[doc(hidden)]
pub use crate::__derived_nothing as __derived_response;
#[cfg(all(feature = "derive", not(feature = "tonic")))]
#[doc(hidden)]
pub use crate::__derived_nothing as __derived_status;
#[cfg(all(feature = "derive", not(feature = "utoipa")))]
#[doc(hidden)]
pub use crate::__derived_nothing as __derived_responses;
#[cfg(all(feature = "derive", not(feature = "aide")))]
#[doc(hidden)]
pub use crate::__derived_nothing as __derived_output;
#[cfg(feature = "derive")]
#[doc(hidden)]
pub use derive::private as __private;
#[cfg(feature = "derive")]
pub use derive::{AsFault, Codes};

pub use self::code::{ErrorCode, Retry, codes};
#[cfg(not(feature = "derive"))]
pub use self::fault::AsFault;
pub use self::fault::{BodyForm, Fault};
pub use self::identity::Identity;
pub use self::request_id::{ParseRequestIdError, RequestId};
pub use self::status_source::status_source;
pub use self::validation::Issue;
