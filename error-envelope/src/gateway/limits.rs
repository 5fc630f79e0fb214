//! The flags of the limits: what clients and the service may take.

use std::fmt;
use std::time::Duration;

use clap::Args;
use error_envelope_core::policy::parse_size;
use error_envelope_gateway::{ClientLimits, UpstreamLimits};
use humantime::Duration as Time;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// What a client may take.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "What a client may take")]
pub(crate) struct ClientFlags {
    /// How many clients may be connected at once; further ones wait to be accepted
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..), default_value_t = 10_000)]
    pub(crate) max_connections: u32,
    /// How long a client may take to its TLS handshake
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10s")]
    tls_handshake_timeout: Time,
    /// How long a client may be quiet between requests, or take to a request head
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "30s")]
    idle_timeout: Time,
    /// How long a client may pause within a request body
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10s")]
    client_timeout: Time,
    /// How long a client may read nothing of what is there for it; then its connection is closed
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "30s")]
    write_timeout: Time,
    /// How large a request head may be
    #[arg(long, value_name = "SIZE", value_parser = size(8 * KIB, 16 * MIB), default_value_t = ByteSize(64 * KIB))]
    max_head: ByteSize,
    /// How many requests may run at once on an HTTP/2 connection; further ones are refused, and clients that read the setting wait
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..), default_value_t = 200)]
    max_streams: u32,
    /// How much a body that nobody reads may hold: an answer, unsent, and over HTTP/2 a request
    #[arg(long, value_name = "SIZE", value_parser = size(KIB, 1024 * MIB), default_value_t = ByteSize(128 * KIB))]
    stream_buffer: ByteSize,
    /// How much of all requests on an HTTP/2 connection may be on the way before it is read
    #[arg(long, value_name = "SIZE", value_parser = size(64 * KIB, 1024 * MIB), default_value_t = ByteSize(2 * MIB))]
    connection_window: ByteSize,
    /// How often an HTTP/2 client is asked whether it is there
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "30s")]
    ping_interval: Time,
    /// How long an HTTP/2 client may take to say that it is there
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "20s")]
    ping_timeout: Time,
    /// How long the rest of a body that nobody wants is read, so that the client gets to its answer
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "2s")]
    linger_timeout: Time,
    /// How much of the rest of such a body is read
    #[arg(long, value_name = "SIZE", value_parser = size(0, u64::MAX), default_value_t = ByteSize(64 * MIB))]
    linger_bytes: ByteSize,
    /// How long to wait before accepting again where the system had no room for a connection
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "50ms")]
    accept_retry: Time,
    /// How long clients are accepted after a stop signal, while /readyz says so to whoever sends them
    #[arg(long, value_name = "TIME", value_parser = delay, default_value = "0s")]
    drain_delay: Time,
    /// How long a stop waits for requests in flight
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10s")]
    stop_timeout: Time,
}

/// What the way to the service may take.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "What the way to the service may take")]
pub(crate) struct UpstreamFlags {
    /// Limit the requests that are with the service or wait for a connection to it, upgraded ones included; further ones get 503 `worker_at_capacity`
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..), default_value_t = 10_000)]
    upstream_requests: u32,
    /// Limit the connections to the service, upgraded ones included
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..), default_value_t = 1024)]
    upstream_connections: u32,
    /// Limit how long a request waits for a connection while all are in use, as a part of `--upstream-timeout`; then it gets 503 `worker_at_capacity`
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "1s")]
    upstream_queue_time: Time,
    /// Close a connection to the service after this time without a request; over HTTP/2 the newest one stays
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "4s")]
    upstream_idle_timeout: Time,
    /// Does nothing: a connection is used again at once (deprecated)
    #[arg(long, value_name = "TIME", value_parser = delay, hide = true)]
    upstream_settle: Option<Time>,
    /// How many header lines an HTTP/1.1 response may have
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=100_000), default_value_t = 512)]
    upstream_headers: u32,
    /// How much of an HTTP/1.1 body that its reader does not take is held, each way; a response head has to fit as well
    #[arg(long, value_name = "SIZE", value_parser = size(8 * KIB, 1024 * MIB), default_value_t = ByteSize(128 * KIB))]
    upstream_buffer: ByteSize,
    /// How much of an HTTP/2 body that its reader does not take is held, each way
    #[arg(long, value_name = "SIZE", value_parser = size(KIB, 1024 * MIB), default_value_t = ByteSize(128 * KIB))]
    upstream_stream_window: ByteSize,
    /// How much of all bodies on the HTTP/2 connection may be on the way before it is read
    #[arg(long, value_name = "SIZE", value_parser = size(64 * KIB, 1024 * MIB), default_value_t = ByteSize(32 * MIB))]
    upstream_connection_window: ByteSize,
    /// How often the service is asked over HTTP/2 whether it is there
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10s")]
    upstream_ping_interval: Time,
    /// How long the service may take over HTTP/2 to say that it is there; then the connection is made anew
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10s")]
    upstream_ping_timeout: Time,
}

impl ClientFlags {
    pub(crate) fn limits(&self) -> ClientLimits {
        ClientLimits::default()
            .max_connections(self.max_connections)
            .tls_handshake_timeout(*self.tls_handshake_timeout)
            .idle_timeout(*self.idle_timeout)
            .client_timeout(*self.client_timeout)
            .write_timeout(*self.write_timeout)
            .max_head(self.max_head.in_u32())
            .max_streams(self.max_streams)
            .stream_buffer(self.stream_buffer.in_u32())
            .connection_window(self.connection_window.in_u32())
            .ping_interval(*self.ping_interval)
            .ping_timeout(*self.ping_timeout)
            .linger_timeout(*self.linger_timeout)
            .linger_bytes(self.linger_bytes.0)
            .accept_retry(*self.accept_retry)
            .drain_delay(*self.drain_delay)
            .stop_timeout(*self.stop_timeout)
    }
}

impl UpstreamFlags {
    pub(crate) fn limits(&self) -> UpstreamLimits {
        UpstreamLimits::default()
            .requests(self.upstream_requests)
            .connections(self.upstream_connections)
            .queue_time(*self.upstream_queue_time)
            .idle_timeout(*self.upstream_idle_timeout)
            .headers(self.upstream_headers)
            .buffer(self.upstream_buffer.in_u32())
            .stream_window(self.upstream_stream_window.in_u32())
            .connection_window(self.upstream_connection_window.in_u32())
            .ping_interval(*self.upstream_ping_interval)
            .ping_timeout(*self.upstream_ping_timeout)
    }

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
struct ByteSize(u64);

impl ByteSize {
    /// The flags' ranges end before.
    fn in_u32(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
        match units.into_iter().find(|(_, bits)| self.0 != 0 && self.0.trailing_zeros() >= *bits) {
            Some((unit, bits)) => write!(f, "{}{unit}", self.0 >> bits),
            None => write!(f, "{}", self.0),
        }
    }
}

fn size(least: u64, most: u64) -> impl Fn(&str) -> Result<ByteSize, String> + Clone + Send + Sync + 'static {
    move |text| {
        let bytes =
            parse_size(text).flatten().ok_or("say a number of bytes, or one with KiB, MiB or GiB, such as 64KiB")?;
        if (least..=most).contains(&bytes) {
            Ok(ByteSize(bytes))
        } else {
            Err(format!("say from {} to {}", ByteSize(least), ByteSize(most)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Flags {
        #[command(flatten)]
        client: ClientFlags,
        #[command(flatten)]
        upstream: UpstreamFlags,
    }

    #[test]
    fn the_flags_have_the_defaults_of_the_library() {
        let Flags { client, upstream } = clap::Parser::parse_from(["gateway"]);
        assert_eq!((client.limits(), upstream.limits()), Default::default());
    }
}
