//! The services for RPC clients of every language: tonic and axum serve `echo.proto`, with the layer around it.
//!
//! The `x-scenario` of a request names a failure. [`scenario`] fails around the services, and [`echo`] and [`connect`]
//! fail within them. `tests/rpc/scenarios.json` states what a client sees.

mod connect;
mod echo;
mod scenario;
mod serve;

#[allow(missing_docs, unreachable_pub, dead_code, clippy::all, reason = "generated from echo.proto")]
pub(crate) mod pb {
    include!("../echo.rs");

    /// The descriptors that reflection returns.
    pub(crate) const DESCRIPTORS: &[u8] = include_bytes!("../echo.bin");
}

pub(crate) use echo::Speaker;
pub(crate) use serve::{App, KEY, start};

/// A text in panics and causes, which no client may read.
pub(crate) const SECRET: &str = "s3cr3t";

/// The request header that names the scenario.
pub(crate) const SCENARIO: &str = "x-scenario";
