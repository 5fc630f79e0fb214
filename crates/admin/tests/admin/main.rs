//! What is served on the admin address.

#![allow(clippy::disallowed_methods, reason = "tests have a clock and an executor; the ban is for the library")]

mod charts;
mod deploy;
mod errors_page;
mod kit;
mod metrics;
mod now;
mod paths;
mod policy;
mod server;
mod strangers;
mod switch;
mod tables;
