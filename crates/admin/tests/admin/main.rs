//! Tests the responses of the admin address.

#![allow(clippy::disallowed_methods, reason = "tests may read the clock and spawn tasks; the ban is for the library")]

mod deploy;
mod errors;
mod kit;
mod metrics;
mod now;
mod page;
mod paths;
mod policy;
mod schema;
mod server;
mod strangers;
mod switch;
mod truth;
mod views;
