//! The admin address of a service behind `tower-error-envelope`, for its operators.
//!
//! | path | content |
//! |---|---|
//! | `GET /` | one page for operators, which reads the JSON below |
//! | `GET /now.json` | what is wrong now, and the counts of the last hour by outcome |
//! | `GET /errors.json` | the last errors; `?search=TEXT` finds them, and requests whose client left, by id, code, outcome, route, scope and service |
//! | `GET /readiness.json` | the counts of each route, and whether it is ready for its next mode |
//! | `GET /healthz` | `ok` while the process responds |
//! | `GET /readyz` | `ready`, or 503 while the process stops or waits for its first key sets |
//! | `GET /metrics` | the metrics, in Prometheus' format |
//! | `GET /policy` | the active policy: its age, files and routes, and the last rejection |
//! | `GET /kill-switch` | whether the kill switch is on, with the time, the operator and the reason |
//! | `POST /kill-switch/on`, `POST /kill-switch/off` | turns the kill switch on or off; `?by=NAME&reason=TEXT` is stored |
//!
//! ```no_run
//! # #[cfg(feature = "prometheus")]
//! # mod with_metrics {
//! use error_envelope_admin::Admin;
//! use tower_error_envelope::ErrorEnvelopeLayer;
//!
//! # async fn run(stop: impl Future<Output = ()>) -> Result<(), Box<dyn std::error::Error>> {
//! let admin = Admin::new().metrics(error_envelope_admin::install_metrics()?);
//! let layer = admin.attach(ErrorEnvelopeLayer::watch("policy.toml")?);
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:9901").await?;
//! tokio::join!(
//!     admin.serve(listener, stop),
//!     async { /* serve what `layer` is around */ drop(layer) }
//! );
//! # Ok(())
//! # }
//! # }
//! ```
//!
//! The admin address has no user accounts. With [`Admin::token_file`], requests must send the token in that file.
//! Without a token file, anyone who can reach the address can read everything, and [`Admin::serve`] accepts changes
//! only on loopback. So serve the admin address on loopback, or in a network that only operators use.
//!
//! Pages of other sites in an operator's browser have no access. A `Host` must be an IP address, `localhost` or an
//! [allowed](Admin::allow_host) name (against DNS rebinding). Changes from other sites are refused.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod admin;
mod admin_request;
mod answer;
mod error_store;
mod errors;
mod files;
mod guard;
mod now;
mod process;
mod readiness;
mod service;
mod small_server;

pub use admin::{Admin, CertificateStatus, Outage};
#[cfg(feature = "prometheus")]
pub use error_envelope_runtime::{PrometheusHandle, PrometheusRecorder, install_metrics, metrics_recorder};
pub use service::{AdminBody, AdminService};
pub use small_server::{Connection, Handshake, Shaken, SmallServer};
