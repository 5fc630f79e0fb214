//! Tests the gateway under load, in a separate binary: tests that use both cores must not run next to tests that read a
//! clock.
#![allow(clippy::disallowed_methods, reason = "tests measure real time and start their own tasks")]

mod activation;
mod clock;
#[path = "../it/command.rs"]
mod command;
mod flip;
mod holds;
mod load;
mod reloads;
mod reuse_port;
mod secured;
#[allow(dead_code, reason = "shared with the other integration binary, which asks for more")]
#[path = "../it/wait.rs"]
mod wait;
