//! What goes on, as numbers: gauges of the crate `metrics`.
//!
//! | gauge | labels |
//! |---|---|
//! | `error_envelope_connections` | `protocol`: `http/1`, `http/2`, or `none` of a client that has asked for nothing yet |
//! | `error_envelope_streams` | `protocol`: `http/1` or `http/2`: requests whose answers are not through |

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use http::Version;
use metrics::{Gauge, describe_gauge, gauge};

const CONNECTIONS: &str = "error_envelope_connections";
const STREAMS: &str = "error_envelope_streams";
const PROTOCOLS: [&str; 3] = ["none", "http/1", "http/2"];

/// Says to the recorder that is installed what they are.
pub(super) fn describe() {
    describe_gauge!(CONNECTIONS, "Clients that are connected, by what they asked for last.");
    describe_gauge!(STREAMS, "Requests whose answers are not through.");
}

/// A connection of a client, counted until the last of these is dropped.
#[derive(Clone)]
pub(super) struct Connection(Arc<Counted>);

/// Its place in [`PROTOCOLS`].
struct Counted(AtomicU8);

impl Connection {
    pub(super) fn begun() -> Self {
        connections(0).increment(1);
        Self(Arc::new(Counted(AtomicU8::new(0))))
    }

    /// A request came, in this version.
    pub(super) fn asked(&self, version: Version) -> Stream {
        let now = if version == Version::HTTP_2 { 2 } else { 1 };
        let before = self.0.0.swap(now, Ordering::Relaxed);
        if before != now {
            connections(before).decrement(1);
            connections(now).increment(1);
        }
        let streams = gauge!(STREAMS, "protocol" => PROTOCOLS[usize::from(now)]);
        streams.increment(1);
        Stream(streams)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        connections(*self.0.get_mut()).decrement(1);
    }
}

/// A request, counted until it is dropped.
pub(super) struct Stream(Gauge);

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

fn connections(protocol: u8) -> Gauge {
    gauge!(CONNECTIONS, "protocol" => PROTOCOLS[usize::from(protocol)])
}
