//! What RPC clients of every language call: `echo.proto` served by tonic and axum, with the layer around it.
//!
//! The `x-scenario` of a request states what goes wrong: [`scenario`] fails around the services, [`echo`] and [`connect`]
//! within them. `tests/rpc/scenarios.json` states what a client sees of it.

mod connect;
mod echo;
mod scenario;
mod serve;

#[allow(missing_docs, unreachable_pub, dead_code, clippy::all, reason = "generated from echo.proto")]
pub(crate) mod pb {
    include!("../echo.rs");

    /// What reflection returns.
    pub(crate) const DESCRIPTORS: &[u8] = include_bytes!("../echo.bin");
}

pub(crate) use echo::Speaker;
pub(crate) use serve::{App, KEY, start};

/// In panics and causes; no client may ever read it.
pub(crate) const SECRET: &str = "s3cr3t";

/// The request header that names the scenario.
pub(crate) const SCENARIO: &str = "x-scenario";
