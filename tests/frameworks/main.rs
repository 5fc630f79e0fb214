//! Tests the layer around each framework, over real sockets, with one table of checks that `tests/frameworks/checks.md`
//! shows. Also tests tower's and tower-http's layers inside and outside of it.
#![allow(clippy::disallowed_methods, reason = "tests start their own servers")]

mod apps;
#[allow(dead_code, reason = "shared with the other integration binary, which asks for more")]
#[path = "../it/cases"]
mod cases {
    pub(crate) mod logs;
}
mod checks;
mod client;
#[allow(dead_code, reason = "shared with the other integration binary, which asks for more")]
#[path = "../it/kit/mod.rs"]
mod kit;
mod layers;
mod manual;
mod matrix;
mod serve;
