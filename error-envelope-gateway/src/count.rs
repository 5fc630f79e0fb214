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
    describe_gauge!(CONNECTIONS, "Connected clients, by the protocol of their last request.");
    describe_gauge!(STREAMS, "Requests whose response has not ended.");
}

/// A connection of a client, counted until the last of these is dropped.
#[derive(Clone)]
pub(super) struct Connection(Arc<Counted>);

/// Its place in [`PROTOCOLS`].
struct Counted(AtomicU8);

impl Connection {
    pub(super) fn new() -> Self {
        connections(0).increment(1);
        Self(Arc::new(Counted(AtomicU8::new(0))))
    }

    /// A request came, in this version.
    pub(super) fn request_started(&self, version: Version) -> Stream {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use metrics_util::debugging::{DebugValue, DebuggingRecorder};

    use super::*;

    #[test]
    fn connections_and_requests_are_counted_by_protocol_while_they_last() {
        let recorder = DebuggingRecorder::new();
        let snapshots = recorder.snapshotter();
        let mut sums = BTreeMap::<String, f64>::new();
        let mut gauges = || {
            // A snapshot tells what has changed since the one before.
            for (key, _, _, change) in snapshots.snapshot().into_vec() {
                let DebugValue::Gauge(change) = change else { panic!("{key:?} is no gauge") };
                let (_, key) = key.into_parts();
                let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
                let name = format!("{}{labels:?}", key.name().trim_start_matches("error_envelope_"));
                *sums.entry(name).or_default() += change.into_inner();
            }
            let counted = sums.iter().filter(|(_, sum)| **sum != 0.0);
            counted.map(|(name, sum)| format!("{name} {sum}")).collect::<Vec<_>>()
        };
        metrics::with_local_recorder(&recorder, || {
            let quiet = Connection::new();
            assert_eq!(gauges(), [r#"connections["protocol=none"] 1"#]);
            let connection = Connection::new();
            let streams = [connection.request_started(Version::HTTP_2), connection.request_started(Version::HTTP_2)];
            let old = quiet.request_started(Version::HTTP_10);
            let all = [
                r#"connections["protocol=http/1"] 1"#,
                r#"connections["protocol=http/2"] 1"#,
                r#"streams["protocol=http/1"] 1"#,
                r#"streams["protocol=http/2"] 2"#,
            ];
            assert_eq!(gauges(), all);
            drop((old, quiet, streams));
            assert_eq!(gauges(), [r#"connections["protocol=http/2"] 1"#]);
            drop(connection);
            assert_eq!(gauges(), [] as [&str; 0]);
        });
    }
}
