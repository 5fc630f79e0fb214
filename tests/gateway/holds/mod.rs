//! Tests that the gateway withstands bodies of any size, slow and rude clients and services, and its own stop.
//!
//! Each test starts the built command in front of its own service. `HOLDS_SECONDS=120` makes the mixed load take that
//! long, and `HOLDS_MIB=1024` makes the large bodies that large. Without these variables, both are short enough for
//! every run.

mod alone;
mod capacity;
mod clients;
mod frames;
#[allow(dead_code, reason = "shared with the command's benches, which ask for more")]
pub(crate) mod gateway;
mod limits;
mod log;
mod memory;
mod mixed;
mod once;
mod pool;
mod pressure;
mod refused;
pub(crate) mod service;
mod shapes;
mod silence;
mod stop;
mod streams;
mod unread;
