//! One error shape for every client of an HTTP API.
//!
//! A Tower layer that gives every error of an HTTP API one shape, whatever made it: a handler, a framework, a panic, a proxy.
//! Clients match on one code, people read one message, and the id in the body finds the cause in your log.
//!
//! With the features `axum` and `derive`, a whole service:
//!
//! ```no_run
//! use axum::{Router, routing::post};
//! use serde::Deserialize;
//! use tower_error_envelope::{AsFault, ErrorEnvelopeLayer, extract::Json};
//!
//! #[derive(Debug, thiserror::Error, AsFault)]
//! enum OrderError {
//!     #[error("{wanted} wanted, {left} left")]
//!     #[fault(CONFLICT, message = "Only {left} left.", details(left))]
//!     SoldOut { wanted: u32, left: u32 },
//!     #[error("the stock list failed")]
//!     Stock(#[from] std::io::Error),
//! }
//!
//! #[derive(Deserialize)]
//! struct Order {
//!     sku: String,
//!     quantity: u32,
//! }
//!
//! async fn place(Json(order): Json<Order>) -> Result<String, OrderError> {
//!     let left = stock(&order.sku)?;
//!     if order.quantity > left {
//!         return Err(OrderError::SoldOut { wanted: order.quantity, left });
//!     }
//!     Ok(format!("ordered: {} of {}\n", order.quantity, order.sku))
//! }
//!
//! fn stock(sku: &str) -> std::io::Result<u32> {
//!     if sku == "lamp" { Ok(3) } else { Err(std::io::Error::other("db-1.internal: connection refused")) }
//! }
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     tracing_subscriber::fmt().init();
//!     let app = Router::new().route("/orders", post(place)).layer(ErrorEnvelopeLayer::new());
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     axum::serve(listener, app).await
//! }
//! ```
//!
//! An order of four lamps where three are left, sent by `curl` with `{"sku":"lamp","quantity":4}`, returns
//!
//! ```text
//! HTTP/1.1 409 Conflict
//! x-error-code: conflict
//!
//! {"error":{"code":"conflict","message":"Only 3 left.","details":{"left":3}},"request_id":"req_01M830K8KGFAKQ37M5SWHDVN87"}
//! ```
//!
//! and logs a line with that id and the text that the client does not get. Bad input, unknown paths, panics and time-outs have
//! the same shape; RPC clients get an error of their own protocol: gRPC, gRPC-Web, Connect.
//!
//! # Where things are
//!
//! 1. [`ErrorEnvelopeLayer`] wraps a service; its [`middleware`] moves bytes, waits, catches panics and logs.
//! 2. It reports each error as an event: [`exchange`] has the types of observers. The decisions themselves are in the crate
//!    `error-envelope-core`, without I/O, so that other adapters can use them.
//! 3. The [`Policy`] sets what applies on which route: limits, required headers, custom codes and rules.
//! 4. A failure is a [`Fault`]: an [`ErrorCode`], a message, details. A service maps its own errors to faults with
//!    [`AsFault`](trait@AsFault), and its handlers use `?`.
//!
//! axum's extractors may stay as they are. Those of this crate (feature `axum`) report more. For `{"sku":1}`, axum's
//! [`Json`](https://docs.rs/axum/0.8/axum/struct.Json.html) returns "invalid type: integer, expected a string", this crate's
//! "Expected a string, got a number."
//!
//! # Features and limits
//!
//! The default features recognise the errors of `hyper` and `tower`, and add the `pattern`s and `keys` of a policy and the
//! `protobuf` details of RPC errors. Without them (`default-features = false`) a build takes about 0.4 of the time. A guard
//! whose feature is off does not compile, so that no guard is lost.
//!
//! Request bodies are limited to 1 MiB unless the policy sets another limit, RPC streams message by message. `DefaultBodyLimit`
//! raises axum's own limit of 2 MiB. The numbers of
//! rules in these pages (E1, R3…) are those of the wire contract that the tests prove.

#![cfg_attr(docsrs, feature(doc_cfg))]

// None has the name of a crate: a glob import of this one must not hide that.
pub mod auth;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "derive")]
mod derive;
pub mod exchange;
#[cfg(feature = "axum")]
pub mod extract;
pub mod middleware;
#[cfg(feature = "utoipa")]
pub mod openapi;
pub mod policy;
#[cfg(feature = "testing")]
pub mod testing;

#[cfg(feature = "derive")]
#[doc(hidden)]
pub use derive::private as __private;
#[cfg(feature = "derive")]
pub use derive::{AsFault, Codes};
pub use error_envelope_core::policy::{Mode, Policy, PolicyError, Route};
#[cfg(not(feature = "derive"))]
pub use error_envelope_fault::AsFault;
#[cfg(feature = "tonic")]
#[cfg_attr(docsrs, doc(cfg(feature = "tonic")))]
pub use error_envelope_fault::grpc_status;
#[cfg(feature = "derive")]
#[doc(hidden)]
pub use error_envelope_fault::{__derived_response, __derived_status};
pub use error_envelope_fault::{BodyForm, ErrorCode, Fault, Issue, ParseRequestIdError, RequestId, Retry};
#[cfg(feature = "prometheus")]
#[cfg_attr(docsrs, doc(cfg(feature = "prometheus")))]
pub use error_envelope_runtime::{PrometheusHandle, install_metrics};
pub use middleware::layer::ErrorEnvelopeLayer;
pub use middleware::service::ErrorEnvelopeService;

#[cfg(all(doctest, feature = "axum", feature = "derive", feature = "policy-file"))]
#[doc = include_str!("../manual/library.md")]
struct LibraryManual;

#[cfg(all(doctest, feature = "axum", feature = "utoipa"))]
#[doc = include_str!("../manual/openapi.md")]
struct OpenApiManual;

#[cfg(all(doctest, feature = "axum"))]
#[doc = include_str!("../manual/verifiers.md")]
struct VerifiersManual;

#[cfg(doctest)]
#[doc = include_str!("../manual/event-streams.md")]
struct EventStreamsManual;

#[cfg(all(doctest, feature = "axum", feature = "derive", feature = "testing"))]
#[doc = include_str!("../manual/testing.md")]
struct TestingManual;

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
