//! A way to the service that dies without a word: no close, no reset, and nothing that is sent arrives.

use std::future::{pending, ready};

use http::Response;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::gateway::Gateway;
use super::service::{Service, full};
use crate::wait::{until, when};

const GET: &str = "GET / HTTP/1.1\r\nhost: test.example\r\nconnection: close\r\n\r\n";

#[test]
fn an_http2_connection_that_died_in_silence_is_made_anew() {
    let service = Service::of(|_| ready(Response::new(full("done"))));
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
        // Nobody asks meanwhile: it is found while it is idle.
        until("the gateway gives it up", || {
            let open = gateway.descriptors();
            when(open <= unused, open)
        });
    }
}

/// What leads to `service`, and what silences each connection that is there by then.
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
