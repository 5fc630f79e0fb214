//! A reverse proxy that returns every error as one JSON envelope. It runs the layer of [`tower_error_envelope`] in
//! front of services, over HTTP/1.1 and HTTP/2, with and without TLS. The command `error-envelope gateway` is this
//! library with a command line.
//!
//! ```no_run
//! use error_envelope_gateway::{Gateway, GatewayConfig, Upstream};
//! use tower_error_envelope::ErrorEnvelopeLayer;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let layer = ErrorEnvelopeLayer::watch("policy.toml")?;
//! let upstream: Upstream = "http://127.0.0.1:3000".parse()?;
//! let gateway = Gateway::bind("127.0.0.1:0", GatewayConfig::new(layer.clone())).await?;
//! println!("listening on http://{}", gateway.local_addr());
//! let stop = async { drop(tokio::signal::ctrl_c().await) };
//! gateway.serve(upstream.service()?, stop).await;
//! # Ok(())
//! # }
//! ```
//!
//! Keep clones of the layer and of the [`ServerTls`] to reload the policy and the certificate on demand. Policy and
//! certificate are also reloaded when their files change. Log events have the same targets as in the command
//! (`error_envelope::gateway::…`). Metrics use the crate `metrics`.
//!
//! These are the modules, in the order in which a request passes through them:
//!
//! 1. `serve` runs until the stop, and accepts clients on `listening_sockets`. `connection` serves one client, over
//!    `tls` or plain TCP.
//! 2. `served` runs hyper over a `client_stream`, which limits its reads to a `read_size`. `requests` passes the
//!    requests to the layer, and sends each response with a `response_body`. `client` describes the client in the log,
//!    and `forwarded` describes it to the service.
//! 3. `upstreams` chooses a service. `proxy` forwards the request to the `upstream` over `http1` or `http2`. `pace`
//!    limits the time for the response. A `pool` owns the connections to the service.
//! 4. `headers` replaces the headers of a single hop, and `upgrade` joins two connections.
//! 5. `connection_state` is the shared state of a client's connection, with its `last_body`. `idle` and `deadlines`
//!    decide when a connection ends.
//! 6. `connect` opens connections to services. `linger` and `reset` end connections of clients.
//! 7. `in_flight` counts the requests for which a stop waits.
//! 8. `admin` is the admin address, `access` logs each request, and `count` defines the metrics.

#![allow(clippy::disallowed_methods, reason = "a server may read the clock and spawn tasks; the ban is for the layer")]

mod access;
mod client;
mod client_stream;
mod config;
mod connect;
mod connection;
mod connection_state;
mod count;
mod deadlines;
mod error;
mod forwarded;
mod headers;
mod http1;
mod http2;
mod idle;
mod in_flight;
mod last_body;
mod linger;
mod listening_sockets;
mod pace;
mod pool;
mod proxy;
mod read_size;
mod requests;
mod reset;
mod response_body;
mod serve;
mod served;
mod tls;
mod unread_body;
mod upgrade;
mod upstream;
mod upstreams;

pub use tokio_rustls::rustls;

pub use self::access::{AccessEntry, RequestSpan, Tracer};
pub use self::config::GatewayConfig;
pub use self::error::Error;
pub use self::forwarded::Forwarding;
pub use self::listening_sockets::{ListeningSockets, SocketPurpose};
pub use self::pool::UpstreamBody;
pub use self::serve::Gateway;
pub use self::tls::ServerTls;
pub use self::upgrade::UpgradeProtocol;
pub use self::upstream::Upstream;
pub use self::upstreams::{Forward, Upstreams};
pub use crate::client::ClientBody;
pub use crate::config::{ClientLimits, UpstreamLimits};
pub use crate::tls::pair::ClientAuthorities;
