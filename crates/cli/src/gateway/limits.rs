//! The flags that set limits for clients and for the service.

use std::time::Duration;

use clap::Args;
use error_envelope_core::loader::{format_size, parse_size};
use error_envelope_gateway::{ClientLimits, UpstreamLimits};
use humantime::Duration as Time;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Defines flags, with the name of the value, its parser and its default. Each flag sets the limit that is named after
/// `=>`.
macro_rules! limits {
    ($(#[$of:meta])* $name:ident sets $limits:ident {
        $($(#[$flag:meta])* $field:ident: $type:ty = $value:literal, $parser:expr, $default:literal => $limit:ident,)*
    }) => {
        #[derive(Clone, Copy, Debug, Args)]
        $(#[$of])*
        pub(crate) struct $name {
            $(
                $(#[$flag])*
                #[arg(long, value_name = $value, value_parser = $parser, default_value = $default)]
                pub(crate) $field: $type,
            )*
        }

        impl $name {
            pub(crate) fn limits(&self) -> $limits {
                $limits::default()$(.$limit(self.$field.into()))*
            }
        }
    };
}

limits! {
    /// The limits on clients.
    #[command(next_help_heading = "Limits for clients")]
    ClientFlags sets ClientLimits {
        /// Limit the number of connected clients; further clients wait to be accepted
        max_connections: u32 = "NUMBER", clap::value_parser!(u32).range(1..), "10000" => max_connections,
        /// Limit the time of a client's TLS handshake
        tls_handshake_timeout: Time = "TIME", time, "10s" => tls_handshake_timeout,
        /// Close a client's connection if no request head arrives within this time, counted from the connect or from
        /// the end of the last request
        idle_timeout: Time = "TIME", time, "30s" => idle_timeout,
        /// Limit a client's pause while it sends a request body
        body_timeout: Time = "TIME", time, "10s" => body_timeout,
        /// Close a client's connection if the client reads nothing of its response for this time
        write_timeout: Time = "TIME", time, "30s" => write_timeout,
        /// Limit the size of a request head; a larger one gets 431
        max_head: u32 = "SIZE", size::<u32>(8 * KIB, 16 * MIB), "64KiB" => max_head,
        /// Limit the concurrent requests on an HTTP/2 connection; clients that honour the setting wait, and further
        /// requests of other clients are refused
        max_streams: u32 = "NUMBER", clap::value_parser!(u32).range(1..), "200" => max_streams,
        /// Limit how many bytes of a body the gateway buffers for the connection to the client. The limit applies
        /// separately to the socket, to the current read and to the HTTP/2 stream. A fast body over HTTP/1.1 may use
        /// four times as much
        stream_buffer: u32 = "SIZE", size::<u32>(KIB, 1024 * MIB), "128KiB" => stream_buffer,
        /// Set the HTTP/2 connection window, which limits the unread bytes of all requests on a client's connection
        #[arg(hide = true)]
        connection_window: u32 = "SIZE", size::<u32>(64 * KIB, 1024 * MIB), "2MiB" => connection_window,
        /// Set the interval between HTTP/2 pings to a client; --ping-timeout limits the wait for a reply
        #[arg(hide = true)]
        ping_interval: Time = "TIME", time, "30s" => ping_interval,
        /// Limit the time that an HTTP/2 client may take to acknowledge a ping; then its connection is closed
        #[arg(hide = true)]
        ping_timeout: Time = "TIME", time, "20s" => ping_timeout,
        /// Limit the time to read the rest of a request body after an early response; a client that is still sending
        /// may otherwise not receive the response
        linger_timeout: Time = "TIME", time, "2s" => linger_timeout,
        /// Limit the bytes to read of the rest of a request body after an early response
        #[arg(hide = true)]
        linger_bytes: u64 = "SIZE", size::<u64>(0, u64::MAX), "64MiB" => linger_bytes,
        /// Set the pause before the gateway accepts again, after the system failed to accept a connection (for example,
        /// because no file descriptor was free)
        #[arg(hide = true)]
        accept_retry: Time = "TIME", time, "50ms" => accept_retry,
        /// Keep accepting clients for this time after a stop signal, while /readyz returns 503 for the load balancer
        drain_delay: Time = "TIME", delay, "0s" => drain_delay,
        /// Limit the time that a stop waits for requests in flight
        stop_timeout: Time = "TIME", time, "10s" => stop_timeout,
    }
}

limits! {
    /// The limits on connections and requests to the service.
    #[command(next_help_heading = "Limits for the service")]
    UpstreamFlags sets UpstreamLimits {
        /// Limit the requests that the service handles or that wait for a connection to it, including upgraded ones;
        /// further requests get 503 `worker_at_capacity`
        upstream_requests: u32 = "NUMBER", clap::value_parser!(u32).range(1..), "10000" => requests,
        /// Limit the connections to the service, including upgraded ones
        upstream_connections: u32 = "NUMBER", clap::value_parser!(u32).range(1..), "1024" => connections,
        /// Limit the time that a request waits while all connections are in use; then it gets 503 `worker_at_capacity`.
        /// This time also counts towards `--upstream-timeout`
        upstream_queue_time: Time = "TIME", time, "1s" => queue_time,
        /// Close a connection to the service after this time without a request; over HTTP/2 the newest connection stays
        /// open
        upstream_idle_timeout: Time = "TIME", time, "4s" => idle_timeout,
        /// Limit the header lines of an HTTP/1.1 response; a response with more becomes 502
        #[arg(hide = true)]
        upstream_headers: u32 = "NUMBER", clap::value_parser!(u32).range(1..=100_000), "100" => headers,
        /// Limit each read of an HTTP/1.1 response; if the client does not read, two reads are buffered. A fast body
        /// may use four times as much. A response head must fit into one read
        #[arg(hide = true)]
        upstream_buffer: u32 = "SIZE", size::<u32>(8 * KIB, 1024 * MIB), "128KiB" => buffer,
        /// Limit the buffered bytes of an HTTP/2 body that are not read yet, in each direction
        #[arg(hide = true)]
        upstream_stream_window: u32 = "SIZE", size::<u32>(KIB, 1024 * MIB), "128KiB" => stream_window,
        /// Set the HTTP/2 connection window, which limits the unread bytes of all response bodies on the connection to
        /// the service
        #[arg(hide = true)]
        upstream_connection_window: u32 = "SIZE", size::<u32>(64 * KIB, 1024 * MIB), "32MiB" => connection_window,
        /// Set the interval between HTTP/2 pings to the service; --upstream-ping-timeout limits the wait for a reply
        #[arg(hide = true)]
        upstream_ping_interval: Time = "TIME", time, "10s" => ping_interval,
        /// Limit the time that the service may take to acknowledge an HTTP/2 ping; then the connection is replaced
        #[arg(hide = true)]
        upstream_ping_timeout: Time = "TIME", time, "10s" => ping_timeout,
    }
}

impl UpstreamFlags {
    /// Returns the largest number of descriptors that connections to the services use.
    pub(crate) fn descriptors(&self) -> u32 {
        self.upstream_requests.min(self.upstream_connections)
    }
}

fn size<N: TryFrom<u64>>(least: u64, most: u64) -> impl Fn(&str) -> Result<N, String> + Clone + Send + Sync + 'static {
    move |text| {
        let bytes =
            parse_size(text).flatten().ok_or("write a number of bytes, or one with KiB, MiB or GiB, such as 64KiB")?;
        let fitting = N::try_from(bytes).ok().filter(|_| (least..=most).contains(&bytes));
        let range = [least, most].map(|bytes| format_size(bytes).replace(' ', ""));
        fitting.ok_or_else(|| format!("write a size from {} to {}", range[0], range[1]))
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
