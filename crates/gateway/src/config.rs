//! The configuration of a gateway, with the limits on clients and services.

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

    /// Sets whether each request is logged when it ends, as an event with the target `access`. The default is off.
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

/// The most header lines of a response that hyper reads by default.
pub(crate) const HEADERS: u32 = 100;

/// The times from zero to a year. A year stands for "no limit". It is still short enough to be added to the current
/// time.
const ZERO_TO_A_YEAR: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(365 * 24 * 60 * 60);
/// The times up to a year, except zero. Nothing could be done within zero time.
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
        /// Sets the most clients that may be connected at once. Further clients wait to be accepted.
        max_connections: u32 = 10_000, 1..=u32::MAX;
        /// Sets the time limit for a client's TLS handshake.
        tls_handshake_timeout: Duration = 10 * SECOND, UP_TO_A_YEAR;
        /// Sets the time within which the next request head must arrive, from the end of a request or from the connect.
        /// After that the connection is closed.
        idle_timeout: Duration = 30 * SECOND, UP_TO_A_YEAR;
        /// Sets the longest pause of a client within a request body.
        body_timeout: Duration = 10 * SECOND, UP_TO_A_YEAR;
        /// Sets the time for which a client may read none of the data that waits for it. After that its connection is
        /// closed.
        write_timeout: Duration = 30 * SECOND, UP_TO_A_YEAR;
        // Cookies and tokens together stay under half of this limit.
        /// Sets the most bytes of a request head.
        max_head: u32 = 64 * KIB, 8 * KIB..=16 * MIB;
        // This is more than a browser sends at once.
        /// Sets the most requests that may run at once on an HTTP/2 connection. Further requests are refused.
        max_streams: u32 = 200, 1..=u32::MAX;
        /// Sets the most bytes of a body that may wait on the client's side. They wait unsent in its socket, in one
        /// read of a request, or in an HTTP/2 stream. Over HTTP/1 a fast body gets four times as much, as long as all
        /// fast bodies together take at most 64 MiB.
        stream_buffer: u32 = 128 * KIB, KIB..=1024 * MIB;
        // With this limit, sixteen uploads can stop before they hold up the others.
        /// Sets how many bytes a client may send on an HTTP/2 connection, over all requests, before the gateway has
        /// read them.
        connection_window: u32 = 2 * MIB, 64 * KIB..=1024 * MIB;
        /// Sets the interval of pings to an HTTP/2 client.
        ping_interval: Duration = 30 * SECOND, UP_TO_A_YEAR;
        /// Sets the time within which an HTTP/2 client must answer a ping.
        ping_timeout: Duration = 20 * SECOND, UP_TO_A_YEAR;
        // A client that has read its response closes its connection long before this limit.
        /// Sets the time for which the rest of an unneeded body is read, so that the client begins to read the
        /// response.
        linger_timeout: Duration = 2 * SECOND, UP_TO_A_YEAR;
        /// Sets the most bytes of such a rest that are read.
        linger_bytes: u64 = 64 << 20, 0..=u64::MAX;
        // This is long enough for a descriptor to become free, and too short to be noticed.
        /// Sets the wait before the next accept if the system could not open a connection.
        accept_retry: Duration = 50 * MILLISECOND, UP_TO_A_YEAR;
        // The default is zero, because this time delays each restart. Operators with a load balancer set it.
        /// Sets the time for which clients are still accepted after a stop, while the admin address's `/readyz` is 503.
        drain_delay: Duration = Duration::ZERO, ZERO_TO_A_YEAR;
        /// Sets the time for which a stop waits for requests in flight.
        stop_timeout: Duration = 10 * SECOND, UP_TO_A_YEAR;
    }
}

limits! {
    /// The limits on the way to the service. A value out of its range becomes the nearest value inside; `UP_TO_A_YEAR`
    /// is more than zero and at most 365 days.
    UpstreamLimits {
        // This allows one request for each client that may be connected, even if upgraded, so clients over HTTP/1.1
        // never reach the limit. It limits clients over HTTP/2, each of which sends many requests.
        /// Sets the most requests that the service may handle, or that may wait for a connection to it, including
        /// upgraded ones. Further requests get 503 `worker_at_capacity`.
        requests: u32 = 10_000, 1..=u32::MAX;
        // This is more than the workers of a service that needs one for each connection (Apache: 256), and fewer than
        // the descriptors that a system grants.
        /// Sets the most connections to the service, including upgraded ones.
        connections: u32 = 1024, 1..=u32::MAX;
        // A client hardly notices this wait. After a longer one an error helps it more.
        /// Sets the time for which a request waits for a connection while all are in use. It is a part of
        /// [`response_timeout`]. After that the request gets 503 `worker_at_capacity`.
        ///
        /// [`response_timeout`]: crate::Upstream::response_timeout
        queue_time: Duration = SECOND, UP_TO_A_YEAR;
        // This is shorter than the time after which services close (5 s in Node, 75 s in nginx), so that they seldom
        // close a connection while a request is sent.
        /// Sets the time for which a connection stays open without a request. Over HTTP/2 the newest connection stays
        /// open for ever.
        idle_timeout: Duration = 4 * SECOND, UP_TO_A_YEAR;
        // This is the same limit as in Envoy and HAProxy.
        /// Sets the most header lines of an HTTP/1.1 response. A response with more lines becomes 502.
        headers: u32 = HEADERS, 1..=100_000;
        /// Sets the number of bytes of an HTTP/1.1 response that are read at once. If the client does not read, two
        /// such pieces are held. A fast body gets four times as much, as long as all fast bodies together take at most
        /// 64 MiB. A response head must fit into one read.
        buffer: u32 = 128 * KIB, 8 * KIB..=1024 * MIB;
        /// Sets the most unread bytes of an HTTP/2 body that are held, in each direction.
        stream_window: u32 = 128 * KIB, KIB..=1024 * MIB;
        // All clients share the connection. With hyper's defaults of 5 MiB for it and 2 MiB for a stream, three clients
        // that do not read would stop the others.
        /// Sets how many bytes a service may send on an HTTP/2 connection, over all bodies, before the gateway has read
        /// them.
        connection_window: u32 = 32 * MIB, 64 * KIB..=1024 * MIB;
        // If the service died silently, or a firewall forgot the connection, every request fails until the next ping.
        /// Sets the interval of pings to the service over HTTP/2.
        ping_interval: Duration = 10 * SECOND, UP_TO_A_YEAR;
        /// Sets the time within which the service must answer a ping. After that the connection is replaced.
        ping_timeout: Duration = 10 * SECOND, UP_TO_A_YEAR;
    }
}
