//! What clients and the service may take: each limit with its name, its default and the reason for it.

use std::fmt;
use std::time::Duration;

use clap::Args;
use error_envelope_core::policy::parse_size;
use humantime::Duration as Time;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// What a client may take.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "What a client may take")]
pub(crate) struct Limits {
    /// How many clients may be connected at once; further ones wait to be accepted
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..), default_value_t = 10_000)]
    pub(crate) max_connections: u32,
    /// How long a client may take to its TLS handshake
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10s")]
    pub(crate) tls_handshake_timeout: Time,
    /// How long a client may be quiet between requests, or take to a request head
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "30s")]
    pub(crate) idle_timeout: Time,
    /// How long a client may pause within a request body
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10s")]
    pub(crate) client_timeout: Time,
    /// How long a client may read nothing of what is there for it; then its connection is closed
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "30s")]
    pub(crate) write_timeout: Time,
    // Cookies and tokens together stay under half of it.
    /// How large a request head may be
    #[arg(long, value_name = "SIZE", value_parser = size(8 * KIB, 16 * MIB), default_value_t = Size(64 * KIB))]
    pub(crate) max_head: Size,
    // More than a browser asks for at once.
    /// How many requests may run at once on an HTTP/2 connection; further ones are refused, and clients that read the setting wait
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..), default_value_t = 200)]
    pub(crate) max_streams: u32,
    /// How much a body that nobody reads may hold: an answer, unsent, and over HTTP/2 a request
    #[arg(long, value_name = "SIZE", value_parser = size(KIB, 1024 * MIB), default_value_t = Size(128 * KIB))]
    pub(crate) stream_buffer: Size,
    // So many uploads may stand still before they hold up the others: sixteen.
    /// How much of all requests on an HTTP/2 connection may be on the way before it is read
    #[arg(long, value_name = "SIZE", value_parser = size(64 * KIB, 1024 * MIB), default_value_t = Size(2 * MIB))]
    pub(crate) connection_window: Size,
    /// How often an HTTP/2 client is asked whether it is there
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "30s")]
    pub(crate) ping_interval: Time,
    /// How long an HTTP/2 client may take to say that it is there
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "20s")]
    pub(crate) ping_timeout: Time,
    // A client that has read its answer closes long before.
    /// How long the rest of a body that nobody wants is read, so that the client gets to its answer
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "2s")]
    pub(crate) linger_timeout: Time,
    /// How much of the rest of such a body is read
    #[arg(long, value_name = "SIZE", value_parser = size(0, u64::MAX), default_value_t = Size(64 * MIB))]
    pub(crate) linger_bytes: Size,
    // Long enough for a descriptor to come free, short enough not to be noticed.
    /// How long to wait before accepting again where the system had no room for a connection
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "50ms")]
    pub(crate) accept_retry: Time,
    // None, since it costs each restart that much; where a load balancer sends clients, it is for its operator to say.
    /// How long clients are accepted after a stop signal, while /readyz says so to whoever sends them
    #[arg(long, value_name = "TIME", value_parser = delay, default_value = "0s")]
    pub(crate) drain_delay: Time,
    /// How long a stop waits for requests in flight
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10s")]
    pub(crate) stop_timeout: Time,
}

/// What the way to the service may take.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "What the way to the service may take")]
pub(crate) struct UpstreamLimits {
    // One for each client that may be connected, an upgraded one as well: over HTTP/1.1 nobody meets it. What it bounds is
    // clients over HTTP/2, each of which has many requests.
    /// Limit the requests that are with the service or wait for a connection to it, upgraded ones included; further ones get 503 `worker_at_capacity`
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..), default_value_t = Self::default().upstream_requests)]
    pub(crate) upstream_requests: u32,
    // More than services with a worker for each connection have (Apache: 256), and fewer than a system gives descriptors.
    /// Limit the connections to the service, upgraded ones included
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..), default_value_t = Self::default().upstream_connections)]
    pub(crate) upstream_connections: u32,
    // A client waits as long without a second thought; whoever waits longer would rather hear that the service is full.
    /// Limit how long a request waits for a connection while all are in use, as a part of `--upstream-timeout`; then it gets 503 `worker_at_capacity`
    #[arg(long, value_name = "TIME", value_parser = time, default_value_t = Self::default().upstream_queue_time)]
    pub(crate) upstream_queue_time: Time,
    // Shorter than what services usually wait (5 s in Node, 75 s in nginx): they seldom close under a request.
    /// Close a connection to the service after this time without a request; over HTTP/2 the newest one stays
    #[arg(long, value_name = "TIME", value_parser = time, default_value_t = Self::default().upstream_idle_timeout)]
    pub(crate) upstream_idle_timeout: Time,
    /// Does nothing: a connection is used again at once (deprecated)
    #[arg(long, value_name = "TIME", value_parser = delay, hide = true)]
    pub(crate) upstream_settle: Option<Time>,
    // hyper's 100 is fewer than a service with many cookies sends.
    /// How many header lines an HTTP/1.1 response may have
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=100_000), default_value_t = Self::default().upstream_headers)]
    pub(crate) upstream_headers: u32,
    /// How much of an HTTP/1.1 body that its reader does not take is held, each way; a response head has to fit as well
    #[arg(long, value_name = "SIZE", value_parser = size(8 * KIB, 1024 * MIB), default_value_t = Self::default().upstream_buffer)]
    pub(crate) upstream_buffer: Size,
    /// How much of an HTTP/2 body that its reader does not take is held, each way
    #[arg(long, value_name = "SIZE", value_parser = size(KIB, 1024 * MIB), default_value_t = Self::default().upstream_stream_window)]
    pub(crate) upstream_stream_window: Size,
    // All clients share the connection: with hyper's 5 MiB and 2 MiB a stream, three that do not read would stop the others.
    /// How much of all bodies on the HTTP/2 connection may be on the way before it is read
    #[arg(long, value_name = "SIZE", value_parser = size(64 * KIB, 1024 * MIB), default_value_t = Self::default().upstream_connection_window)]
    pub(crate) upstream_connection_window: Size,
    // A service that died without a word, or a firewall that forgot the connection, costs everybody's requests until then.
    /// How often the service is asked over HTTP/2 whether it is there
    #[arg(long, value_name = "TIME", value_parser = time, default_value_t = Self::default().upstream_ping_interval)]
    pub(crate) upstream_ping_interval: Time,
    /// How long the service may take over HTTP/2 to say that it is there; then the connection is made anew
    #[arg(long, value_name = "TIME", value_parser = time, default_value_t = Self::default().upstream_ping_timeout)]
    pub(crate) upstream_ping_timeout: Time,
}

impl Default for UpstreamLimits {
    fn default() -> Self {
        Self {
            upstream_requests: 10_000,
            upstream_connections: 1024,
            upstream_queue_time: Duration::from_secs(1).into(),
            upstream_idle_timeout: Duration::from_secs(4).into(),
            upstream_settle: None,
            upstream_headers: 512,
            upstream_buffer: Size(128 * KIB),
            upstream_stream_window: Size(128 * KIB),
            upstream_connection_window: Size(32 * MIB),
            upstream_ping_interval: Duration::from_secs(10).into(),
            upstream_ping_timeout: Duration::from_secs(10).into(),
        }
    }
}

impl UpstreamLimits {
    /// Logs a warning if a flag is set that has no effect.
    pub(crate) fn log_ignored(&self) {
        if self.upstream_settle.is_some() {
            tracing::warn!("--upstream-settle has no effect: a connection is used again at once; leave it out");
        }
    }

    /// How many descriptors the way to the service takes at most.
    pub(crate) fn descriptors(&self) -> u32 {
        self.upstream_requests.min(self.upstream_connections)
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(u64);

impl Size {
    /// Of memory; what is more than there can be is as much as there can be.
    pub(crate) fn in_memory(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// As HTTP/2 counts; the flags' ranges end before.
    pub(crate) fn window(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX >> 1)
    }

    pub(crate) fn bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
        match units.into_iter().find(|(_, bits)| self.0 != 0 && self.0.trailing_zeros() >= *bits) {
            Some((unit, bits)) => write!(f, "{}{unit}", self.0 >> bits),
            None => write!(f, "{}", self.0),
        }
    }
}

fn size(least: u64, most: u64) -> impl Fn(&str) -> Result<Size, String> + Clone + Send + Sync + 'static {
    move |text| {
        let bytes =
            parse_size(text).flatten().ok_or("say a number of bytes, or one with KiB, MiB or GiB, such as 64KiB")?;
        if (least..=most).contains(&bytes) {
            Ok(Size(bytes))
        } else {
            Err(format!("say from {} to {}", Size(least), Size(most)))
        }
    }
}

/// A year is for ever, and clocks can count it.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A time that passes: with none at all nothing could be done in it.
pub(crate) fn time(text: &str) -> Result<Time, String> {
    let time = delay(text)?;
    if time.is_zero() { Err("say more than 0s, and at most 365days".to_owned()) } else { Ok(time) }
}

/// A time that may be none.
fn delay(text: &str) -> Result<Time, String> {
    let time: Duration =
        humantime::parse_duration(text).map_err(|error| format!("{error}; say such as 500ms or 2s"))?;
    if time > FOREVER { Err("say at most 365days".to_owned()) } else { Ok(time.into()) }
}
