//! Tests a connection to the service that dies silently: there is no close and no reset, and nothing that is sent
//! arrives.

use std::fs;
use std::future::{pending, ready};
use std::io::Write;

use http::Response;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::gateway::Gateway;
use super::service::{Service, full, head};
use crate::wait::{until, when};

const GET: &str = "GET / HTTP/1.1\r\nhost: test.example\r\nconnection: close\r\n\r\n";

#[test]
fn an_http2_connection_that_died_in_silence_is_made_anew() {
    let service = Service::new(|_| ready(Response::new(full("done"))));
    let (relay, silence) = relay(&service);
    let gateway = Gateway::start(
        relay.address,
        &["--upstream-h2", "--upstream-ping-interval", "100ms", "--upstream-ping-timeout", "2s"],
    );
    let unused = gateway.descriptors();
    for _ in 0..2 {
        let answer = gateway.ask(GET);
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        silence.send_replace(());
        // No requests are sent meanwhile, so the connection is found while it is idle.
        until("the gateway gives it up", || {
            let open = gateway.descriptors();
            when(open <= unused, open)
        });
    }
}

#[test]
fn the_kernel_asks_both_sides_of_a_quiet_connection_whether_they_are_there() {
    let service = Service::raw(|mut stream| async move {
        head(&mut stream).await;
        pending().await
    });
    let gateway = Gateway::start(service.address, &[]);
    let mut client = gateway.connect();
    client.write_all(GET.as_bytes()).unwrap();
    for (side, peer_port) in [(Side::Local, gateway.address.port()), (Side::Remote, service.address.port())] {
        until("the kernel's clock for it runs", || {
            let timers = timers(&side, peer_port);
            when(timers == [KEEP_ALIVE], timers)
        });
    }
}

/// The value for keep-alive in the column `tr` of `/proc/net/tcp` (`Documentation/networking/proc_net_tcp.rst` of
/// Linux).
const KEEP_ALIVE: u8 = 2;
const ESTABLISHED: &str = "01";

enum Side {
    Local,
    Remote,
}

/// Returns the timer of each open connection with this port.
fn timers(side: &Side, port: u16) -> Vec<u8> {
    let table = fs::read_to_string("/proc/net/tcp").expect("Linux's /proc");
    let end = format!(":{port:04X}");
    let timer = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (local, remote, state) = (fields[1], fields[2], fields[3]);
        let named = match side {
            Side::Local => local,
            Side::Remote => remote,
        };
        let timer = fields[5].split(':').next().expect("a timer");
        (named.ends_with(&end) && state == ESTABLISHED).then(|| timer.parse().expect("its number"))
    };
    table.lines().skip(1).filter_map(timer).collect()
}

/// Returns a relay to `service`, and a sender that silences each connection that exists by then.
fn relay(service: &Service) -> (Service, watch::Sender<()>) {
    let (silence, _) = watch::channel(());
    let (address, silences) = (service.address, silence.clone());
    let relay = Service::raw(move |mut client| {
        let mut silenced = silences.subscribe();
        async move {
            let mut service = TcpStream::connect(address).await.expect("the service accepts");
            tokio::select! {
                _ = copy_bidirectional(&mut client, &mut service) => {}
                _ = silenced.changed() => pending().await,
            }
        }
    });
    (relay, silence)
}
