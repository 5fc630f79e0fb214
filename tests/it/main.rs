//! The one integration binary.
#![allow(clippy::disallowed_methods, reason = "tests measure real time and start their own tasks")]

mod axum_app;
mod axum_extract;
mod cases;
mod copies;
mod examples;
mod failures;
mod floors;
mod hyper_matrix;
mod injected;
mod kit;
mod policy_file;
mod rewriting;
mod routes;
mod statics;
mod transparent;
