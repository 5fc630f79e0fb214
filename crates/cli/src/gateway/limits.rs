//! The flags that set limits for clients and for the service.

use std::fmt;
use std::time::Duration;

use clap::Args;
use error_envelope_core::loader::{format_size, parse_size};
use error_envelope_gateway::{ClientLimits, UpstreamLimits};
use humantime::Duration as Time;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// The limits on clients.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Limits for clients")]
pub(crate) struct ClientFlags {
    /// Limit the number of connected clients; further clients wait to be accepted
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..), default_value_t = 10_000)]
    pub(crate) max_connections: u32,
    /// Limit the time of a client's TLS handshake
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10s")]
    tls_handshake_timeout: Time,
    /// Close a client's connection if no request head arrives within this time, counted from the connect or from the
    /// end of the last request
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "30s")]
    idle_timeout: Time,
    /// Limit a client's pause while it sends a request body
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10s")]
    body_timeout: Time,
    /// Close a client's connection if the client reads nothing of its response for this time
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "30s")]
    write_timeout: Time,
    /// Limit the size of a request head; a larger one gets 431
    #[arg(long, value_name = "SIZE", value_parser = size(8 * KIB, 16 * MIB), default_value_t = ByteSize(64 * KIB))]
    max_head: ByteSize,
    /// Limit the concurrent requests on an HTTP/2 connection; clients that honour the setting wait, and further
    /// requests of other clients are refused
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..), default_value_t = 200)]
    max_streams: u32,
    /// Limit how many bytes of a body the gateway buffers for the connection to the client. The limit applies
    /// separately to the socket, to the current read and to the HTTP/2 stream. A fast body over HTTP/1.1 may use four
    /// times as much
    #[arg(long, value_name = "SIZE", value_parser = size(KIB, 1024 * MIB), default_value_t = ByteSize(128 * KIB))]
    stream_buffer: ByteSize,
    /// Set the HTTP/2 connection window, which limits the unread bytes of all requests on a client's connection
    #[arg(long, hide = true, value_name = "SIZE", value_parser = size(64 * KIB, 1024 * MIB), default_value_t = ByteSize(2 * MIB))]
    connection_window: ByteSize,
    /// Set the interval between HTTP/2 pings to a client; --ping-timeout limits the wait for a reply
    #[arg(long, hide = true, value_name = "TIME", value_parser = time, default_value = "30s")]
    ping_interval: Time,
    /// Limit the time that an HTTP/2 client may take to acknowledge a ping; then its connection is closed
    #[arg(long, hide = true, value_name = "TIME", value_parser = time, default_value = "20s")]
    ping_timeout: Time,
    /// Limit the time to read the rest of a request body after an early response; a client that is still sending may
    /// otherwise not receive the response
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "2s")]
    linger_timeout: Time,
    /// Limit the bytes to read of the rest of a request body after an early response
    #[arg(long, hide = true, value_name = "SIZE", value_parser = size(0, u64::MAX), default_value_t = ByteSize(64 * MIB))]
    linger_bytes: ByteSize,
    /// Set the pause before the gateway accepts again, after the system failed to accept a connection (for example,
    /// because no file descriptor was free)
    #[arg(long, hide = true, value_name = "TIME", value_parser = time, default_value = "50ms")]
    accept_retry: Time,
    /// Keep accepting clients for this time after a stop signal, while /readyz returns 503 for the load balancer
    #[arg(long, value_name = "TIME", value_parser = delay, default_value = "0s")]
    drain_delay: Time,
    /// Limit the time that a stop waits for requests in flight
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10s")]
    stop_timeout: Time,
}

/// The limits on connections and requests to the service.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Limits for the service")]
pub(crate) struct UpstreamFlags {
    /// Limit the requests that the service handles or that wait for a connection to it, including upgraded ones;
    /// further requests get 503 `worker_at_capacity`
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..), default_value_t = 10_000)]
    upstream_requests: u32,
    /// Limit the connections to the service, including upgraded ones
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..), default_value_t = 1024)]
    upstream_connections: u32,
    /// Limit the time that a request waits while all connections are in use; then it gets 503 `worker_at_capacity`.
    /// This time also counts towards `--upstream-timeout`
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "1s")]
    upstream_queue_time: Time,
    /// Close a connection to the service after this time without a request; over HTTP/2 the newest connection stays
    /// open
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "4s")]
    upstream_idle_timeout: Time,
    /// Limit the header lines of an HTTP/1.1 response; a response with more becomes 502
    #[arg(long, hide = true, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=100_000), default_value_t = 100)]
    upstream_headers: u32,
    /// Limit each read of an HTTP/1.1 response; if the client does not read, two reads are buffered. A fast body may
    /// use four times as much. A response head must fit into one read
    #[arg(long, hide = true, value_name = "SIZE", value_parser = size(8 * KIB, 1024 * MIB), default_value_t = ByteSize(128 * KIB))]
    upstream_buffer: ByteSize,
    /// Limit the buffered bytes of an HTTP/2 body that are not read yet, in each direction
    #[arg(long, hide = true, value_name = "SIZE", value_parser = size(KIB, 1024 * MIB), default_value_t = ByteSize(128 * KIB))]
    upstream_stream_window: ByteSize,
    /// Set the HTTP/2 connection window, which limits the unread bytes of all response bodies on the connection to the
    /// service
    #[arg(long, hide = true, value_name = "SIZE", value_parser = size(64 * KIB, 1024 * MIB), default_value_t = ByteSize(32 * MIB))]
    upstream_connection_window: ByteSize,
    /// Set the interval between HTTP/2 pings to the service; --upstream-ping-timeout limits the wait for a reply
    #[arg(long, hide = true, value_name = "TIME", value_parser = time, default_value = "10s")]
    upstream_ping_interval: Time,
    /// Limit the time that the service may take to acknowledge an HTTP/2 ping; then the connection is replaced
    #[arg(long, hide = true, value_name = "TIME", value_parser = time, default_value = "10s")]
    upstream_ping_timeout: Time,
}

impl ClientFlags {
    pub(crate) fn limits(&self) -> ClientLimits {
        ClientLimits::default()
            .max_connections(self.max_connections)
            .tls_handshake_timeout(*self.tls_handshake_timeout)
            .idle_timeout(*self.idle_timeout)
            .body_timeout(*self.body_timeout)
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

    /// Returns the largest number of descriptors that connections to the service use.
    pub(crate) fn descriptors(&self) -> u32 {
        self.upstream_requests.min(self.upstream_connections)
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByteSize(pub(crate) u64);

impl ByteSize {
    /// Converts the number to a `u32`. The ranges of the flags ensure that it fits.
    fn in_u32(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_size(self.0).replace(' ', ""))
    }
}

pub(crate) fn size(least: u64, most: u64) -> impl Fn(&str) -> Result<ByteSize, String> + Clone + Send + Sync + 'static {
    move |text| {
        let bytes =
            parse_size(text).flatten().ok_or("write a number of bytes, or one with KiB, MiB or GiB, such as 64KiB")?;
        if (least..=most).contains(&bytes) {
            Ok(ByteSize(bytes))
        } else {
            Err(format!("write a size from {} to {}", ByteSize(least), ByteSize(most)))
        }
    }
}

/// The longest time that a flag accepts. A year means in practice "no limit", and can still be added to the current
/// time without an overflow.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Parses an address to listen on, or the address of a gateway. The form is HOST:PORT, or only a port, which means this
/// machine.
pub(crate) fn address(given: &str) -> Result<String, String> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (host, port) =
        if is_number(given) { ("127.0.0.1", given) } else { given.rsplit_once(':').unwrap_or((given, "")) };
    let wrong = match port.parse::<u16>() {
        _ if given.is_empty() => "the address is empty, perhaps because a variable is not set".to_owned(),
        _ if given.contains('$') => {
            format!("{given} contains a variable that was not replaced; set the variable, or write the address itself")
        }
        _ if host.is_empty() => "the host is missing".to_owned(),
        _ if host.contains(':') && !host.starts_with('[') => {
            "an IPv6 address needs brackets, as in [::1]:8080".to_owned()
        }
        Ok(port) => return Ok(format!("{host}:{port}")),
        Err(_) if is_number(port) => format!("the port {port} is more than 65535"),
        Err(_) => "the port is missing".to_owned(),
    };
    Err(format!("{wrong}; write HOST:PORT, such as 127.0.0.1:8080, or a port alone for this machine"))
}

/// Parses a time of more than 0. A limit of 0 would leave no time for any work.
pub(crate) fn time(text: &str) -> Result<Time, String> {
    let time = delay(text)?;
    if time.is_zero() { Err("write a time of more than 0s and at most 365days".to_owned()) } else { Ok(time) }
}

/// Parses a time that may be 0.
pub(crate) fn delay(text: &str) -> Result<Time, String> {
    let time: Duration =
        humantime::parse_duration(text).map_err(|error| format!("{error}; write a time such as 500ms or 2s"))?;
    if time > FOREVER { Err("write a time of at most 365days".to_owned()) } else { Ok(time.into()) }
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
