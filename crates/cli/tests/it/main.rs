//! Tests the command as its users run it: its output word by word, and its exit codes.
#![allow(clippy::disallowed_methods, reason = "tests measure real time")]

mod check;
mod diff;
mod envoy;
mod error_backend;
mod exports;
mod files;
mod kit;
mod log_lines;
mod numbers;
mod on_call;
mod outputs;
mod owner;
mod pages;
mod policies;
mod policy_diff;
mod printable;
mod probe;
mod schema;
mod secrets;
mod service_manual;
mod services;
mod usage;
