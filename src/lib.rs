//! One error shape for every client of an HTTP API.
//!
//! This Tower layer gives every error of an HTTP API the same shape, whether it comes from a handler, a framework, a
//! panic or a proxy. Clients match on one code, people read one message, and the id in the body finds the cause in your
//! log.
//!
//! A complete service, with the features `axum` and `derive`:
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
//! If a client orders four lamps (`{"sku":"lamp","quantity":4}`) and three are left, the client gets this response:
//!
//! ```text
//! HTTP/1.1 409 Conflict
//! x-error-code: conflict
//!
//! {"error":{"code":"conflict","message":"Only 3 left.","details":{"left":3}},"request_id":"req_01M830K8KGFAKQ37M5SWHDVN87"}
//! ```
//!
//! The log contains a line with that id and with the text that the client does not get. Errors about bad input, unknown
//! paths, panics and time-outs have the same shape. Clients of gRPC, gRPC-Web and Connect get errors of their protocol.
//!
//! # Where things are
//!
//! 1. [`ErrorEnvelopeLayer`] wraps a service. Its [`middleware`] forwards bodies, applies time limits, catches
//!    panics and logs.
//! 2. The layer reports each error as an event. [`session`] contains the types for observers. The crate
//!    `error-envelope-core` makes the decisions, without I/O, so that other adapters can use them.
//! 3. The [`Policy`] contains the settings of each route: limits, required headers, custom codes and rules.
//! 4. A failure is a [`Fault`]: an [`ErrorCode`], a message, details. A service maps its own errors to faults with
//!    [`AsFault`](trait@AsFault), and its handlers use `?`.
//!
//! You can keep axum's extractors. The extractors of this crate (feature `axum`) give clients more helpful messages.
//! For `{"sku":1}`, axum's [`Json`](https://docs.rs/axum/0.8/axum/struct.Json.html) returns "invalid type: integer,
//! expected a string". This crate's `Json` returns "Expected a string, got a number."
//!
//! # Where to add the layer
//!
//! Add the layer last, on the outermost router. `Router::layer` also covers 404 and 405; `route_layer` does not cover
//! the 404. A route or fallback that you add after `.layer` is outside the layer. A fault of such a route becomes a
//! status without a body, and is not logged.
//!
//! To cover routes that are added later, wrap the finished router with `tower_layer::Layer`. The log then does not name
//! the route.
//!
//! ```
//! # #[cfg(feature = "axum")] {
//! use axum::Router;
//! use tower_error_envelope::ErrorEnvelopeLayer;
//! use tower_layer::Layer;
//!
//! # let router = Router::<()>::new();
//! let app: Router = Router::new().fallback_service(ErrorEnvelopeLayer::new().layer(router));
//! # }
//! ```
//!
//! - CORS goes outside, because browsers let scripts read an error only if it has CORS headers. Expose the layer's
//!   headers with `CorsLayer::new().expose_headers(`[`exposed_headers`](middleware::exposed_headers)`())`.
//! - Compression goes outside. The layer reads a compressed error only with the feature `decompress`. Without this
//!   feature, only the status determines the code.
//! - Decompression of requests goes inside. Outside, a request with an unsupported encoding would get an empty 415
//!   without an envelope. Inside, the policy's body limit counts compressed bytes, and 10 KB can become 10 MB. So a
//!   second limit must count decompressed bytes. axum's `DefaultBodyLimit` does this for extractors.
//! - Time-outs, load shedding, concurrency and rate limits, and buffers go inside, so that their errors become
//!   `gateway_timeout`, `worker_at_capacity` or `service_unavailable`.
//! - Tracing goes inside if its log lines should contain the request id. These lines are then inside the span
//!   `envelope`.
//! - Remove other layers that set request ids, catch panics or limit bodies.
//!
//! # Limits and the log
//!
//! Request bodies are limited to 1 MiB unless the policy sets another limit; in RPC streams the limit applies to each
//! message. axum's own limit is 2 MiB. To accept larger bodies on a route, raise both limits. A 413 of axum has the
//! same code as a 413 of the layer, but no `limit_bytes`.
//!
//! ```
//! # #[cfg(feature = "axum")] {
//! use axum::extract::DefaultBodyLimit;
//! use axum::{Router, routing::post};
//! use tower_error_envelope::{ErrorEnvelopeLayer, Policy, RouteRule};
//!
//! # async fn upload() {}
//! let policy = Policy::builder().route(RouteRule::new("POST /upload").body_limit(50 << 20)).build()?;
//! let upload = post(upload).layer(DefaultBodyLimit::max(50 << 20));
//! let app: Router = Router::new().route("/upload", upload).layer(ErrorEnvelopeLayer::new().policy(policy));
//! # }
//! # Ok::<_, tower_error_envelope::PolicyError>(())
//! ```
//!
//! Install a tracing subscriber. Without a subscriber, the texts that clients do not get are lost. The log begins with
//! the line `error envelopes are active`, which has the policy's name. Bodies are not logged, because they may contain
//! secrets. So the text of a handler that returns `(StatusCode, String)` with a 5xx is lost. Return an error instead.
//!
//! The server's own responses never reach the layer. hyper sends 400 for a malformed head and 431 for a head that is
//! too large, and waits for a head that never ends. The gateway limits these heads.
//!
//! # Features
//!
//! The default features are `hyper` and `tower`, with which the layer recognises errors of these crates. If code uses a
//! guard whose feature is missing, the code does not compile, and the compiler's error names the feature.
//!
//! | feature | adds |
//! |---|---|
//! | `axum` | `Fault` as a response, extractors with field errors, `?` for axum's errors; `multipart` adds forms with files, `ws` errors of WebSockets |
//! | `foreign` | error bodies of other frameworks are read field by field, other dialects are written; part of `policy-file` |
//! | `auth` | API keys, stored as hashes |
//! | `protobuf` | details of `google.rpc` in gRPC's and Connect's errors |
//! | `charsets` | error bodies that are not UTF-8 |
//! | `derive` | `#[derive(AsFault)]` |
//! | `garde`, `validator`, `anyhow`, `diesel`, `reqwest`, `sqlx` | `?` for the errors of these crates |
//! | `aide`, `utoipa` | the errors of a derive and of the policy in an OpenAPI document |
//! | `tonic` | `Fault` as a `tonic::Status`, and back |
//! | `pattern` | regular expressions in a policy; part of `policy-file` |
//! | `policy-file` | policies as TOML files, reloaded on change |
//! | `redact` | `RouteRule::redact` replaces secrets in the texts of foreign errors; part of `policy-file` |
//! | `jwt`, `jwks-url` | session tokens (HS, RS, PS, ES, EdDSA); keys fetched from an identity provider |
//! | `client` | for callers: errors of any dialect, and retries for `tower::retry` |
//! | `decompress` | compressed error bodies are read: gzip, deflate, br, zstd |
//! | `metrics` | counters and times through the crate `metrics` |
//! | `prometheus` | `install_metrics` exports these metrics for Prometheus |
//! | `testing` | assertions on envelopes, for tests |
//! | `full` | all of these but `aide`, `anyhow`, `diesel`, `garde`, `prometheus`, `reqwest`, `sqlx`, `testing`, `utoipa` and `validator` |
//!
//! Numbers such as E1 or R3 on these pages refer to rules of the wire contract, which the tests check.

#![cfg_attr(docsrs, feature(doc_cfg))]

// No module has the name of a crate, because `use tower_error_envelope::*` would hide that crate.
pub mod auth;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "derive")]
mod derive;
#[cfg(feature = "axum")]
pub mod extract;
pub mod middleware;
#[cfg(any(feature = "aide", feature = "utoipa"))]
pub mod openapi;
pub mod policy;
pub mod session;
#[cfg(feature = "testing")]
pub mod testing;

#[cfg(feature = "derive")]
#[doc(hidden)]
pub use derive::private as __private;
#[cfg(feature = "derive")]
pub use derive::{AsFault, Codes};
pub use error_envelope_core::policy::{Mode, Policy, PolicyError, RouteRule};
#[cfg(not(feature = "derive"))]
pub use error_envelope_fault::AsFault;
#[cfg(feature = "tonic")]
pub use error_envelope_fault::grpc_status;
#[cfg(feature = "derive")]
#[doc(hidden)]
pub use error_envelope_fault::{__derived_output, __derived_response, __derived_responses, __derived_status};
pub use error_envelope_fault::{BodyForm, ErrorCode, Fault, Issue, ParseRequestIdError, RequestId, Retry, codes};
#[cfg(feature = "prometheus")]
pub use error_envelope_runtime::{PrometheusHandle, install_metrics};
pub use middleware::layer::ErrorEnvelopeLayer;
pub use middleware::service::ErrorEnvelopeService;

/// The examples of the manual, which are tested with the features that they need.
#[cfg(doctest)]
#[cfg_attr(
    all(feature = "axum", feature = "derive", feature = "testing", feature = "utoipa", feature = "ws"),
    doc = include_str!("../manual/library.md")
)]
#[cfg_attr(all(feature = "axum", feature = "jwt"), doc = include_str!("../manual/credentials.md"))]
#[doc = include_str!("../manual/rpc.md")]
#[cfg_attr(feature = "client", doc = include_str!("../manual/clients.md"))]
#[cfg_attr(all(feature = "axum", feature = "derive", feature = "garde"), doc = include_str!("../manual/recipes.md"))]
#[cfg_attr(all(feature = "axum", feature = "prometheus"), doc = include_str!("../manual/operate.md"))]
#[doc = include_str!("../manual/policy.md")]
struct Manual;
