//! Tests of the library: through its public interface, in process and over sockets.
#![allow(clippy::disallowed_methods, reason = "tests measure real time and start their own tasks")]

mod axum_app;
mod axum_extract;
mod cases;
mod client;
mod command;
mod credentials;
mod decided;
mod derived;
mod details;
mod dialects;
mod doors;
mod elsewhere;
mod examples;
mod failures;
mod foreign_texts;
mod framework_route;
mod hyper_matrix;
mod injected;
mod key_sets;
mod kit;
mod messaging;
mod modes;
mod nested;
mod observed;
mod observer;
mod openapi;
mod own_codes;
mod page;
mod policy_file;
mod preflights;
mod readings;
mod recorded;
mod reload;
mod rewriting;
mod routes;
#[path = "../rpc/app/mod.rs"]
mod rpc_app;
mod rpc_clients;
mod rpc_lengths;
mod rpc_transparent;
mod shapes;
mod statics;
mod transparent;
mod wait;
mod words;
