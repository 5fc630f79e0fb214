//! Reports current activity as gauges of the crate `metrics`.
//!
//! | gauge | labels |
//! |---|---|
//! | `error_envelope_connections` | `protocol`: `http/1`, `http/2`, or `none` for a client that has sent no request yet |
//! | `error_envelope_streams` | `protocol`: `http/1` or `http/2`: requests whose responses have not ended |
//! | `error_envelope_upstream_connections` | `upstream`: connections to the service, including those that are being opened |
//! | `error_envelope_upstream_connections_limit` | `upstream`: the limit of connections |
//! | `error_envelope_upstream_requests` | `upstream`: requests that have a connection |
//! | `error_envelope_upstream_queued_requests` | `upstream`: requests that wait for one |
//!
//! The counter `error_envelope_upstream_requests_total` counts requests to services. Its label `connection` is `new` or
//! `reused`. The handles of all metrics are created once, not for each request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use http::Version;
use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

const CONNECTIONS: &str = "error_envelope_connections";
const STREAMS: &str = "error_envelope_streams";
const UPSTREAM_CONNECTIONS: &str = "error_envelope_upstream_connections";
const UPSTREAM_LIMIT: &str = "error_envelope_upstream_connections_limit";
const UPSTREAM_REQUESTS: &str = "error_envelope_upstream_requests";
const UPSTREAM_QUEUE: &str = "error_envelope_upstream_queued_requests";
const UPSTREAM_REQUESTS_TOTAL: &str = "error_envelope_upstream_requests_total";
const PROTOCOLS: [&str; 3] = ["none", "http/1", "http/2"];

/// Describes the metrics to the installed recorder.
pub(super) fn describe() {
    describe_gauge!(CONNECTIONS, "Connected clients, by the protocol of their last request.");
    describe_gauge!(STREAMS, "Requests whose response has not ended.");
    describe_gauge!(UPSTREAM_CONNECTIONS, "Connections to the service, including those that are being opened.");
    describe_gauge!(UPSTREAM_LIMIT, "Limit of the connections to the service.");
    describe_gauge!(UPSTREAM_REQUESTS, "Requests that have a connection to the service.");
    describe_gauge!(UPSTREAM_QUEUE, "Requests that wait for a connection to the service.");
    describe_counter!(
        UPSTREAM_REQUESTS_TOTAL,
        "Requests handed to a connection to the service, a new or a reused one."
    );
}

/// The gauges for connections and requests of clients.
pub(super) struct Clients {
    connections: [Gauge; 3],
    streams: [Gauge; 3],
}

impl Clients {
    pub(super) fn new() -> Arc<Self> {
        let connections = PROTOCOLS.map(|protocol| gauge!(CONNECTIONS, "protocol" => protocol));
        let streams = PROTOCOLS.map(|protocol| gauge!(STREAMS, "protocol" => protocol));
        Arc::new(Self { connections, streams })
    }
}

/// A client's connection, which is counted under the protocol of its last request.
pub(super) struct Connection {
    protocol: AtomicU8,
    clients: Arc<Clients>,
}

/// The protocol of a connection or request, as an index into [`PROTOCOLS`].
#[derive(Clone, Copy)]
pub(super) struct Protocol(u8);

impl Protocol {
    pub(super) fn is_http2(self) -> bool {
        self.0 == 2
    }
}

impl Connection {
    pub(super) fn new(clients: Arc<Clients>) -> Self {
        Self { protocol: AtomicU8::new(0), clients }
    }

    pub(super) fn opened(&self) {
        self.connections(0).increment(1);
    }

    pub(super) fn closed(&self) {
        self.connections(self.protocol.load(Ordering::Relaxed)).decrement(1);
    }

    /// Returns true if the last request came over HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        Protocol(self.protocol.load(Ordering::Relaxed)).is_http2()
    }

    /// Records that a request in this HTTP version has begun.
    pub(super) fn request_started(&self, version: Version) -> Protocol {
        let now = if version == Version::HTTP_2 { 2 } else { 1 };
        let before = self.protocol.swap(now, Ordering::Relaxed);
        if before != now {
            self.connections(before).decrement(1);
            self.connections(now).increment(1);
        }
        self.streams(Protocol(now)).increment(1);
        Protocol(now)
    }

    /// Records that the response to a request of this protocol has ended.
    pub(super) fn request_ended(&self, protocol: Protocol) {
        self.streams(protocol).decrement(1);
    }

    fn connections(&self, protocol: u8) -> &Gauge {
        &self.clients.connections[usize::from(protocol)]
    }

    fn streams(&self, Protocol(protocol): Protocol) -> &Gauge {
        &self.clients.streams[usize::from(protocol)]
    }
}

/// Adds one to a gauge until this value is dropped.
pub(super) struct GaugeGuard(Gauge);

impl GaugeGuard {
    fn new(gauge: Gauge) -> Self {
        gauge.increment(1);
        Self(gauge)
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

/// The metrics of the connections to one service, and of the requests that use or await a connection.
pub(super) struct UpstreamMetrics {
    connections: Gauge,
    requests: Gauge,
    queue: Gauge,
    new: Counter,
    reused: Counter,
}

impl UpstreamMetrics {
    /// Creates the metrics of a service. `upstream` is the service's URL, and `limit` is the most connections to it.
    pub(super) fn new(upstream: String, limit: usize) -> Self {
        let upstream: Arc<str> = upstream.into();
        let gauge = |name: &'static str| gauge!(name, "upstream" => Arc::clone(&upstream));
        let sent = |connection: &'static str| counter!(UPSTREAM_REQUESTS_TOTAL, "upstream" => Arc::clone(&upstream), "connection" => connection);
        #[allow(clippy::cast_precision_loss, reason = "the number of sockets is far below 2^52")]
        gauge(UPSTREAM_LIMIT).set(limit as f64);
        let (connections, requests, queue) =
            (gauge(UPSTREAM_CONNECTIONS), gauge(UPSTREAM_REQUESTS), gauge(UPSTREAM_QUEUE));
        Self { connections, requests, queue, new: sent("new"), reused: sent("reused") }
    }

    /// Counts a connection until the returned guard is dropped, which happens when the connection's socket is closed.
    pub(super) fn connection(&self) -> GaugeGuard {
        GaugeGuard::new(self.connections.clone())
    }

    /// Counts a request that waits for a connection, until the returned guard is dropped.
    pub(super) fn queued(&self) -> GaugeGuard {
        GaugeGuard::new(self.queue.clone())
    }

    /// Counts a request that has a connection, until the returned guard is dropped. `reuses` is true if other requests
    /// used the connection before.
    pub(super) fn request(&self, reuses: bool) -> GaugeGuard {
        if reuses {
            self.reused.increment(1)
        } else {
            self.new.increment(1)
        }
        GaugeGuard::new(self.requests.clone())
    }
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
            // A snapshot contains only the changes since the previous snapshot.
            for (key, _, _, change) in snapshots.snapshot().into_vec() {
                let DebugValue::Gauge(change) = change else { panic!("{key:?} is not a gauge") };
                let (_, key) = key.into_parts();
                let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
                let name = format!("{}{labels:?}", key.name().trim_start_matches("error_envelope_"));
                *sums.entry(name).or_default() += change.into_inner();
            }
            let counted = sums.iter().filter(|(_, sum)| **sum != 0.0);
            counted.map(|(name, sum)| format!("{name} {sum}")).collect::<Vec<_>>()
        };
        metrics::with_local_recorder(&recorder, || {
            let clients = Clients::new();
            let (quiet, connection) = (Connection::new(Arc::clone(&clients)), Connection::new(clients));
            quiet.opened();
            assert_eq!(gauges(), [r#"connections["protocol=none"] 1"#]);
            connection.opened();
            let streams = [connection.request_started(Version::HTTP_2), connection.request_started(Version::HTTP_2)];
            let old = quiet.request_started(Version::HTTP_10);
            let all = [
                r#"connections["protocol=http/1"] 1"#,
                r#"connections["protocol=http/2"] 1"#,
                r#"streams["protocol=http/1"] 1"#,
                r#"streams["protocol=http/2"] 2"#,
            ];
            assert_eq!(gauges(), all);
            quiet.request_ended(old);
            quiet.closed();
            streams.into_iter().for_each(|stream| connection.request_ended(stream));
            assert_eq!(gauges(), [r#"connections["protocol=http/2"] 1"#]);
            connection.closed();
            assert_eq!(gauges(), [] as [&str; 0]);
        });
    }
}
