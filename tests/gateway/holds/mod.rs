//! The gateway holds: bodies of any size, slow and rude clients and services, and its own end.
//!
//! Each test starts the built command before a service of its own. `HOLDS_SECONDS=120` makes the mixed load as long as
//! that, and `HOLDS_MIB=1024` the large bodies as large; without them they are short enough for every run.

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
