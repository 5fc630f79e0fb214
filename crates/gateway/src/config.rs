//! The configuration of a gateway, including the limits for clients and services.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use error_envelope_admin::Admin;
use tokio::net::TcpListener;
use tower_error_envelope::ErrorEnvelopeLayer;

use super::access::{Recording, Tracer};
use super::forwarded::Forwarding;
use super::tls::ServerTls;

/// The configuration of a [`Gateway`](crate::Gateway): the layer, and how clients are served.
#[must_use]
pub struct GatewayConfig {
    pub(crate) layer: ErrorEnvelopeLayer,
    pub(crate) tls: Option<Arc<ServerTls>>,
    pub(crate) forwarding: Forwarding,
    pub(crate) limits: ClientLimits,
    pub(crate) admin: Option<(Admin, TcpListener)>,
    pub(crate) recording: Recording,
}

impl GatewayConfig {
    /// Creates a configuration with `layer` around the service. Use a clone of the layer to reload the policy while the
    /// gateway runs.
    pub fn new(layer: ErrorEnvelopeLayer) -> Self {
        let (forwarding, limits) = (Forwarding::default(), ClientLimits::default());
        Self { layer, tls: None, forwarding, limits, admin: None, recording: Recording::default() }
    }

    /// Serves clients over TLS, with HTTP/2 and HTTP/1.1. By default clients are served over plain TCP, with the same
    /// versions.
    pub fn tls(mut self, tls: Arc<ServerTls>) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Sets how to treat the client's own `forwarded` and `x-forwarded-*` headers.
    pub fn forwarding(mut self, forwarding: Forwarding) -> Self {
        self.forwarding = forwarding;
        self
    }

    /// Sets the limits on clients.
    pub fn limits(mut self, limits: ClientLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets whether each request is logged when it ends, as an event with the target `access`. By default, requests are
    /// not logged.
    pub fn access_log(mut self, is_on: bool) -> Self {
        self.recording.log = is_on;
        self
    }

    /// Makes `tracer` create a span for each request, and sends the span's `traceparent` to the services (I4).
    pub fn tracer(mut self, tracer: Arc<dyn Tracer>) -> Self {
        self.recording.tracer = Some(tracer);
        self
    }

    /// Serves `admin` on `listener` from the gateway's first request to its last. After the stop signal, `/readyz`
    /// returns 503. Attach the layer to this admin address first ([`Admin::attach`]).
    pub fn admin(mut self, admin: Admin, listener: TcpListener) -> Self {
        self.admin = Some((admin, listener));
        self
    }
}

const KIB: u32 = 1 << 10;
const MIB: u32 = 1 << 20;
const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// hyper's default limit for the header lines of a response.
pub(crate) const HEADERS: u32 = 100;

/// The range from zero to a year. A year means in practice "no limit", and can still be added to the current time
/// without an overflow.
const ZERO_TO_A_YEAR: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(365 * 24 * 60 * 60);
/// The range up to a year, without zero. A limit of zero would leave no time for any work.
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
    /// The limits for clients. A value outside its range is replaced by the nearest value in the range. The range
    /// `UP_TO_A_YEAR` is more than zero and at most 365 days.
    ClientLimits {
        /// Sets the most clients that may be connected at once. Further clients wait to be accepted.
        max_connections: u32 = 10_000, 1..=u32::MAX;
        /// Sets the time limit for a client's TLS handshake.
        tls_handshake_timeout: Duration = 10 * SECOND, UP_TO_A_YEAR;
        /// Sets the time within which the next request head must arrive. The time begins when the client connects, and
        /// again at the end of each request. After this time the connection is closed.
        idle_timeout: Duration = 30 * SECOND, UP_TO_A_YEAR;
        /// Sets the longest pause of a client within a request body.
        body_timeout: Duration = 10 * SECOND, UP_TO_A_YEAR;
        /// Sets the longest time for which a client may read nothing while data waits for it. After this time its
        /// connection is closed.
        write_timeout: Duration = 30 * SECOND, UP_TO_A_YEAR;
        // The cookies and tokens of a request usually need less than half of this limit.
        /// Sets the most bytes of a request head.
        max_head: u32 = 64 * KIB, 8 * KIB..=16 * MIB;
        // A browser sends fewer requests at once.
        /// Sets the most requests that may run at once on an HTTP/2 connection. Further requests are refused.
        max_streams: u32 = 200, 1..=u32::MAX;
        /// Sets how many bytes of a body the gateway buffers for the connection to a client. The limit applies
        /// separately to the unsent bytes in the socket, to one read of a request, and to an HTTP/2 stream. Over
        /// HTTP/1, a fast body may use four times as much, as long as all fast bodies together use at most 64 MiB.
        stream_buffer: u32 = 128 * KIB, KIB..=1024 * MIB;
        // With this limit, sixteen uploads that the service does not read can wait before they block other requests on
        // the connection.
        /// Sets how many unread bytes of all requests together may wait on a client's HTTP/2 connection.
        connection_window: u32 = 2 * MIB, 64 * KIB..=1024 * MIB;
        /// Sets the interval of pings to an HTTP/2 client.
        ping_interval: Duration = 30 * SECOND, UP_TO_A_YEAR;
        /// Sets the time within which an HTTP/2 client must acknowledge a ping. After this time its connection is
        /// closed.
        ping_timeout: Duration = 20 * SECOND, UP_TO_A_YEAR;
        // Clients that have read their response usually close the connection long before this limit.
        /// Sets the longest time for which the rest of a request body is read after an early response. A client that is
        /// still sending may otherwise not receive the response.
        linger_timeout: Duration = 2 * SECOND, UP_TO_A_YEAR;
        /// Sets the most bytes to read of the rest of a request body after an early response.
        linger_bytes: u64 = 64 << 20, 0..=u64::MAX;
        // The pause is long enough for a descriptor to become free, and too short for clients to notice.
        /// Sets the pause before the gateway accepts again, after the system failed to accept a connection, for example
        /// because no file descriptor was free.
        accept_retry: Duration = 50 * MILLISECOND, UP_TO_A_YEAR;
        // The default is zero, because this time delays each restart. Only operators with a load balancer need it.
        /// Sets the time for which clients are still accepted after a stop signal, while `/readyz` of the admin address
        /// returns 503.
        drain_delay: Duration = Duration::ZERO, ZERO_TO_A_YEAR;
        /// Sets the longest time for which a stop waits for requests in flight.
        stop_timeout: Duration = 10 * SECOND, UP_TO_A_YEAR;
    }
}

limits! {
    /// The limits for connections and requests to the service. A value outside its range is replaced by the nearest
    /// value in the range. The range `UP_TO_A_YEAR` is more than zero and at most 365 days.
    UpstreamLimits {
        // By default, as many clients may be connected. A client over HTTP/1.1 has one request at a time, so such
        // clients never reach this limit. Clients over HTTP/2 can reach it, because they send many requests at once.
        /// Sets the most requests that the service handles, or that wait for a connection to it. Upgraded connections
        /// count as requests. Further requests get 503 `worker_at_capacity`.
        requests: u32 = 10_000, 1..=u32::MAX;
        // Services that need a worker for each connection have fewer workers (Apache: 256). Systems grant more
        // descriptors.
        /// Sets the most connections to the service, including upgraded connections.
        connections: u32 = 1024, 1..=u32::MAX;
        // A client hardly notices this wait. After a longer wait, an error is more useful to the client.
        /// Sets the time for which a request waits for a connection while all connections are in use. This time also
        /// counts towards [`response_timeout`]. After this time the request gets 503 `worker_at_capacity`.
        ///
        /// [`response_timeout`]: crate::Upstream::response_timeout
        queue_time: Duration = SECOND, UP_TO_A_YEAR;
        // Services close idle connections later (Node after 5 s, nginx after 75 s). So a service seldom closes a
        // connection while the gateway sends a request over it.
        /// Sets the time for which a connection to the service stays open without a request. Over HTTP/2, the newest
        /// connection is never closed for this reason.
        idle_timeout: Duration = 4 * SECOND, UP_TO_A_YEAR;
        // Envoy and HAProxy have the same limit.
        /// Sets the most header lines of an HTTP/1.1 response. A response with more lines becomes 502.
        headers: u32 = HEADERS, 1..=100_000;
        /// Sets the most bytes of an HTTP/1.1 response to read at once. If the client does not read, two such reads are
        /// buffered. A fast body may use four times as much, as long as all fast bodies together use at most 64 MiB. A
        /// response head must fit into one read.
        buffer: u32 = 128 * KIB, 8 * KIB..=1024 * MIB;
        /// Sets the most unread bytes of an HTTP/2 body to buffer, in each direction.
        stream_window: u32 = 128 * KIB, KIB..=1024 * MIB;
        // All clients share one connection to the service. hyper's defaults are 5 MiB for the connection and 2 MiB for
        // a stream. With them, three clients that do not read would block all other clients.
        /// Sets how many unread bytes of all response bodies together may wait on an HTTP/2 connection to the service.
        connection_window: u32 = 32 * MIB, 64 * KIB..=1024 * MIB;
        // If the service dies silently, or a firewall forgets the connection, every request fails until a ping detects
        // that.
        /// Sets the interval of pings to the service over HTTP/2.
        ping_interval: Duration = 10 * SECOND, UP_TO_A_YEAR;
        /// Sets the time within which the service must acknowledge a ping. After this time the connection is replaced.
        ping_timeout: Duration = 10 * SECOND, UP_TO_A_YEAR;
    }
}
