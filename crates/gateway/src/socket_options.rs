//! The options of a TCP connection, to a client or to the service.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// The time without data before the first probe: the same as before a ping over HTTP/2. Firewalls forget a silent
/// connection after minutes.
const QUIET: Duration = Duration::from_secs(30);
/// The time between two probes: longer than any round trip.
const AGAIN: Duration = Duration::from_secs(10);
/// The number of probes: one packet may get lost, but hardly three in a row.
const TIMES: u32 = 3;

/// Sends small writes at once, and enables the kernel's probes of the other side (RFC 9293 §3.8.4). They begin after
/// half a minute without data, and close a dead connection a minute after the last data.
///
/// If a machine loses its power, or a firewall drops a connection, nothing is sent to report it. If the other side may
/// be silent without a time limit (on an upgraded connection, within the service's response), only the probes detect
/// that.
pub(super) fn set_socket_options(stream: &TcpStream) -> io::Result<()> {
    // Without this option, the kernel holds back a small write until the last one is acknowledged.
    stream.set_nodelay(true)?;
    let often = TcpKeepalive::new().with_time(QUIET).with_interval(AGAIN).with_retries(TIMES);
    SockRef::from(stream).set_tcp_keepalive(&often)
}
