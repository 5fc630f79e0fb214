//! One error shape for every client: a Tower layer that gives each request an id, answers errors and panics, guards
//! requests, and rewrites every 4xx and 5xx body into one envelope.
//!
//! The life of a request, top-down:
//!
//! 1. [`ErrorEnvelopeLayer`] wraps a service; its [`middleware`] moves bytes, waits, catches panics and logs.
//! 2. One [`exchange`] decides what becomes of one request. It knows no I/O, so that other adapters can drive it.
//! 3. The [`Policy`] says what holds on which route: limits, required headers, codes and rules of one's own.
//! 4. What went wrong is a [`Fault`]: an [`ErrorCode`], a message, details. It is written as the envelope:
//!
//! ```json
//! {"error":{"code":"not_found","message":"Not found."},"request_id":"req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D"}
//! ```
//!
//! RPC clients get it as an error of their own protocol: gRPC, gRPC-Web, Connect.
//!
//! A service says what its own errors are by [`AsFault`](trait@AsFault), and its handlers use `?`. axum's extractors may stay as they are;
//! those of this crate (feature `axum`) say more:
//!
//! ```
//! use axum::{Json, Router, routing::post};
//! use serde::Deserialize;
//! use tower_error_envelope::{AsFault, ErrorCode, ErrorEnvelopeLayer, Fault, axum as own};
//!
//! #[derive(Debug, thiserror::Error)]
//! enum OrderError {
//!     #[error("only {left} left")]
//!     SoldOut { left: u32 },
//!     #[error("the database failed")]
//!     Database(#[from] std::io::Error),
//! }
//!
//! impl AsFault for OrderError {
//!     fn code(&self) -> ErrorCode {
//!         match self {
//!             Self::SoldOut { .. } => ErrorCode::CONFLICT,
//!             Self::Database(_) => ErrorCode::INTERNAL_ERROR,
//!         }
//!     }
//! }
//!
//! #[derive(Deserialize)]
//! struct Order {
//!     sku: String,
//!     qty: u32,
//! }
//!
//! fn place(order: Order) -> Result<String, OrderError> {
//!     if order.qty > 3 { Err(OrderError::SoldOut { left: 3 }) } else { Ok(order.sku) }
//! }
//!
//! let app: Router = Router::new()
//!     .route("/orders", post(|Json(order): Json<Order>| async { Ok::<_, Fault>(place(order)?) }))
//!     .route("/own/orders", post(|own::Json(order): own::Json<Order>| async { Ok::<_, Fault>(place(order)?) }))
//!     .layer(ErrorEnvelopeLayer::new());
//! ```
//!
//! Either route answers four of a kind with 409 `conflict`, a database that fails with 500 `internal_error` (why is in
//! the log), and `{"sku":1}` with 422 `invalid_request` and the issue `{"path":["sku"],"message":…}`: "invalid type: integer,
//! expected a string" from axum's [`Json`](https://docs.rs/axum/0.8/axum/struct.Json.html), "Expected a string, got a
//! number." from this crate's.
//!
//! The default features know the errors of `hyper` and `tower`, the `pattern`s and `keys` of a policy, and the `protobuf`
//! details of RPC errors. Without them (`default-features = false`) a build takes about 0.4 of the time; what guards
//! does not compile where its feature is off, so that no guard is lost.
//!
//! Request bodies are limited to 1 MiB unless the policy says otherwise, RPC streams message by message; axum's own limit,
//! 2 MiB, is `DefaultBodyLimit`'s to raise. The numbers of
//! rules in these pages (E1, R3…) are those of the wire contract that the tests prove.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod auth;
#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub mod client;
#[cfg(feature = "derive")]
mod derive;
pub mod middleware;
pub mod policy;
#[cfg(feature = "testing")]
pub mod testing;

#[cfg(feature = "derive")]
#[doc(hidden)]
pub use derive::private as __private;
#[cfg(feature = "derive")]
pub use derive::{AsFault, Codes};
pub use error_envelope_core::code::{ErrorCode, Retry};
pub use error_envelope_core::exchange;
#[cfg(not(feature = "derive"))]
pub use error_envelope_core::fault::AsFault;
pub use error_envelope_core::fault::Fault;
pub use error_envelope_core::policy::{Mode, Policy, PolicyError, Route};
pub use error_envelope_core::request_id::{ParseRequestIdError, RequestId};
#[cfg(feature = "tonic")]
#[cfg_attr(docsrs, doc(cfg(feature = "tonic")))]
pub use error_envelope_core::tonic;
pub use middleware::{ErrorEnvelopeLayer, ErrorEnvelopeService};

#[cfg(all(doctest, feature = "axum", feature = "derive", feature = "policy-file"))]
#[doc = include_str!("../manual/library.md")]
struct LibraryManual;

#[cfg(doctest)]
#[doc = include_str!("../manual/rpc.md")]
struct RpcManual;

#[cfg(doctest)]
#[doc = include_str!("../manual/rpc-reference.md")]
struct RpcReferenceManual;

#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("../manual/clients.md")]
struct ClientsManual;

#[cfg(all(doctest, feature = "axum"))]
#[doc = include_str!("../manual/migration.md")]
struct MigrationManual;

#[cfg(all(doctest, feature = "client", feature = "garde", feature = "testing", feature = "validator"))]
#[doc = include_str!("../manual/recipes.md")]
struct RecipesManual;
