//! The one integration binary.
#![allow(clippy::disallowed_methods, reason = "tests measure real time and start their own tasks")]

mod axum_app;
mod axum_extract;
mod cases;
mod client;
mod command;
mod copies;
mod credentials;
mod decided;
mod details;
mod dialects;
mod examples;
mod failures;
mod floors;
mod framework_route;
mod hpack;
mod hyper_matrix;
mod injected;
mod kit;
mod manual;
mod manual_rpc;
mod modes;
mod observed;
mod observer;
mod own_codes;
mod page;
mod policy_file;
mod policy_manual;
mod readings;
mod readme;
mod recorded;
mod reload;
mod rewriting;
mod rolling_out;
mod routes;
#[path = "../rpc/app/mod.rs"]
mod rpc_app;
mod rpc_clients;
mod rpc_generated;
mod rpc_lengths;
mod rpc_transparent;
mod shapes;
mod statics;
mod transparent;
mod wait;
mod words;
