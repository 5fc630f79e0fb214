//! What is served on the admin address.

mod deploy;
mod kit;
mod metrics;
mod observatory;
mod paths;
mod policy;
mod server;
mod strangers;
