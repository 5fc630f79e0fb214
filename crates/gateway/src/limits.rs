//! Limits on clients and the service: each with its default, the reason for it, and its range.

use std::ops::RangeInclusive;
use std::time::Duration;

const KIB: u32 = 1 << 10;
const MIB: u32 = 1 << 20;
const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// The header lines of a response that hyper reads by default.
pub(crate) const HEADERS: u32 = 100;

/// A year is for ever, and clocks can count it.
const ZERO_TO_A_YEAR: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(365 * 24 * 60 * 60);
/// Any time but zero, within which nothing could be done.
pub(crate) const UP_TO_A_YEAR: RangeInclusive<Duration> = Duration::from_nanos(1)..=*ZERO_TO_A_YEAR.end();

macro_rules! limits {
    ($(#[$of:meta])* $name:ident { $($(#[$doc:meta])* $limit:ident: $type:ty = $default:expr, $range:expr;)* }) => {
        $(#[$of])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[must_use]
        pub struct $name { $(pub(crate) $limit: $type,)* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($limit: $default,)* }
            }
        }

        impl $name {
            $(
                $(#[$doc])*
                #[doc = concat!("\n\nDefault: `", stringify!($default), "`. Range: `", stringify!($range), "`.")]
                pub fn $limit(mut self, $limit: $type) -> Self {
                    let range = $range;
                    self.$limit = $limit.clamp(*range.start(), *range.end());
                    self
                }
            )*
        }
    };
}

limits! {
    /// The limits on clients. A value out of its range becomes the nearest value inside; `UP_TO_A_YEAR` is more than
    /// zero and at most 365 days.
    ClientLimits {
        /// How many clients may be connected at once; further ones wait to be accepted.
        max_connections: u32 = 10_000, 1..=u32::MAX;
        /// Time limit for a client's TLS handshake.
        tls_handshake_timeout: Duration = 10 * SECOND, UP_TO_A_YEAR;
        /// How long the next request head may take to arrive, from the end of a request or from the connect; then the
        /// connection is closed.
        idle_timeout: Duration = 30 * SECOND, UP_TO_A_YEAR;
        /// How long a client may pause within a request body.
        body_timeout: Duration = 10 * SECOND, UP_TO_A_YEAR;
        /// How long a client may read none of the data that waits for it; then its connection is closed.
        write_timeout: Duration = 30 * SECOND, UP_TO_A_YEAR;
        // Cookies and tokens together stay under half of it.
        /// How many bytes a request head may have.
        max_head: u32 = 64 * KIB, 8 * KIB..=16 * MIB;
        // More than a browser sends at once.
        /// How many requests may run at once on an HTTP/2 connection; further ones are refused.
        max_streams: u32 = 200, 1..=u32::MAX;
        /// How many bytes of a body wait on the client's side: unsent in its socket, in a piece that is read of a
        /// request, or in an HTTP/2 stream. Over HTTP/1 a body that moves fast gets four times as much, while the
        /// process has 64 MiB for all.
        stream_buffer: u32 = 128 * KIB, KIB..=1024 * MIB;
        // This many uploads may stand still before they hold up the others: sixteen.
        /// How many bytes of all requests on an HTTP/2 connection may be on the way before they are read.
        connection_window: u32 = 2 * MIB, 64 * KIB..=1024 * MIB;
        /// How often an HTTP/2 client is pinged.
        ping_interval: Duration = 30 * SECOND, UP_TO_A_YEAR;
        /// How long an HTTP/2 client may take to answer a ping.
        ping_timeout: Duration = 20 * SECOND, UP_TO_A_YEAR;
        // A client that has read its answer closes long before.
        /// How long the rest of an unneeded body is read, so that the client gets to its answer.
        linger_timeout: Duration = 2 * SECOND, UP_TO_A_YEAR;
        /// How many bytes of the rest of such a body are read.
        linger_bytes: u64 = 64 << 20, 0..=u64::MAX;
        // Long enough for a descriptor to come free, short enough not to be noticed.
        /// How long to wait before accepting again where the system had no room for a connection.
        accept_retry: Duration = 50 * MILLISECOND, UP_TO_A_YEAR;
        // Zero, since it costs each restart that much; an operator whose load balancer sends the clients sets it.
        /// How long clients are accepted after a stop, while the admin address's `/readyz` is 503.
        drain_delay: Duration = Duration::ZERO, ZERO_TO_A_YEAR;
        /// How long a stop waits for requests in flight.
        stop_timeout: Duration = 10 * SECOND, UP_TO_A_YEAR;
    }
}

limits! {
    /// The limits on the way to the service. A value out of its range becomes the nearest value inside; `UP_TO_A_YEAR`
    /// is more than zero and at most 365 days.
    UpstreamLimits {
        // One for each client that may be connected, an upgraded one as well: clients over HTTP/1.1 never reach it. It bounds
        // clients over HTTP/2, each of which has many requests.
        /// How many requests are with the service or wait for a connection to it, upgraded ones included; further ones
        /// get 503 `worker_at_capacity`.
        requests: u32 = 10_000, 1..=u32::MAX;
        // More than services with a worker for each connection have (Apache: 256), and fewer than a system gives descriptors.
        /// How many connections to the service there are, upgraded ones included.
        connections: u32 = 1024, 1..=u32::MAX;
        // A client hardly notices this wait. After a longer one an error helps it more.
        /// How long a request waits for a connection while all are in use, as a part of [`response_timeout`]; then it
        /// gets 503 `worker_at_capacity`.
        ///
        /// [`response_timeout`]: crate::Upstream::response_timeout
        queue_time: Duration = SECOND, UP_TO_A_YEAR;
        // Shorter than what services usually wait (5 s in Node, 75 s in nginx): they seldom close under a request.
        /// How long a connection stays open without a request; over HTTP/2 the newest one stays for ever.
        idle_timeout: Duration = 4 * SECOND, UP_TO_A_YEAR;
        // Envoy's and HAProxy's limit as well. For any other number hyper fills two lists for each response: two allocations, and
        // at 512 some 1,200 instructions.
        /// How many header lines an HTTP/1.1 response may have; one with more gets 502.
        headers: u32 = HEADERS, 1..=100_000;
        /// How many bytes a piece of an HTTP/1.1 response has, two of which are held for a client that does not read;
        /// four times as many in one that moves fast, while the process has 64 MiB for all. A response head has to fit
        /// too.
        buffer: u32 = 128 * KIB, 8 * KIB..=1024 * MIB;
        /// How many bytes of an HTTP/2 body that its reader does not take are held, each way.
        stream_window: u32 = 128 * KIB, KIB..=1024 * MIB;
        // All clients share the connection: with hyper's 5 MiB and 2 MiB a stream, three that do not read would stop the others.
        /// How many bytes of all bodies on an HTTP/2 connection may be on the way before they are read.
        connection_window: u32 = 32 * MIB, 64 * KIB..=1024 * MIB;
        // A service that died silently, or a firewall that forgot the connection, fails every client's requests until then.
        /// How often the service is pinged over HTTP/2.
        ping_interval: Duration = 10 * SECOND, UP_TO_A_YEAR;
        /// How long the service may take to answer a ping; then the connection is made again.
        ping_timeout: Duration = 10 * SECOND, UP_TO_A_YEAR;
    }
}
