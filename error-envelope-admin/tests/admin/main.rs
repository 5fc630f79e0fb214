//! What is served on the admin address.

mod kit;
mod metrics;
mod paths;
mod policy;
mod server;
mod strangers;
