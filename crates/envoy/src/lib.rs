//! Runs tower-error-envelope inside Envoy, as a dynamic module for the filter `envoy.filters.http.dynamic_modules`.
//!
//! One [`Session`](error_envelope_core::session::Session) decides the handling of one stream, as it does in the layer
//! (V1). This crate passes the input of Envoy's hooks to the session, and returns the session's output to Envoy:
//!
//! 1. `hooks` contains the functions that Envoy calls. Each function runs for the stream that is `current`, and catches
//!    panics (V4). `abi` contains Envoy's callbacks. Only `hooks`, `current` and `abi` contain `unsafe` code.
//! 2. `config` reads the filter's configuration: a policy, or the path of a policy file. Errors in a configuration are
//!    logged, and Envoy then refuses the configuration (M2, V4).
//! 3. `filter` handles one stream: the hooks that were called, and the decisions. Envoy may call the hooks in any
//!    order.
//! 4. `heads` changes Envoy's heads. `timer` runs the one thread that ends waits. `log`, `count` and `recorder` show
//!    the decisions to operators.
//! 5. `on_call` serves the admin address, if the configuration has one.
//!
//! This crate is tested with Envoy 1.40.0, whose ABI is `v0.2.0`.

mod abi;
pub mod buffer;
mod config;
mod count;
mod current;
mod filter;
mod heads;
mod hooks;
mod lock;
mod log;
mod on_call;
mod recorder;
mod timer;
