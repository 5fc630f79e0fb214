//! Accepts connections until it is told to stop, and waits for what is in flight then.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use bytes::Bytes;
use http::Response;
use http_body::Body;
use humantime::Duration as Time;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::BoxError;
use tower::Service;
use tower_error_envelope::ErrorEnvelopeLayer;
use tracing::Instrument;

use super::client::{Asked, Client};
use super::connection::{Connection, Inbound, Shared};
use super::flight::Flight;
use super::forwarded::Forwarding;
use super::limits::Limits;
use super::linger::Place;
use super::tls::Tls;

/// Where clients come in.
pub(crate) struct Door {
    pub(crate) listener: TcpListener,
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) forwarding: Forwarding,
    pub(crate) layer: ErrorEnvelopeLayer,
}

/// Serves until `stop`, and on for the time to drain; then stops accepting, and lets what is in flight finish. `at_once` ends
/// it wherever it is, and is what it returns then.
pub(crate) async fn serve<S, B, T: fmt::Display>(
    door: Door,
    service: S,
    limits: Limits,
    stop: impl Future<Output = ()>,
    at_once: impl Future<Output = T>,
) -> Option<T>
where
    S: Service<Inbound, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError> + Send,
{
    let (stopping, stopped) = watch::channel(());
    let flight = Flight::of(door.layer.clone());
    let shared = Shared::new(limits, stopped);
    let entrance = Entrance { door, service, limits, shared, flight: Arc::clone(&flight) };
    let to_its_end = async {
        let closed = async {
            stop.await;
            flight.close();
            drain(limits.drain_delay).await;
        };
        entrance.let_in_until(closed).await;
        drop(entrance);
        tracing::info!("stopping: waiting for requests in flight");
        stopping.send_replace(());
        if tokio::time::timeout(*limits.stop_timeout, stopping.closed()).await.is_err() {
            let requests = flight.requests();
            tracing::warn!(requests, "stopped with requests in flight: they took longer than {}", limits.stop_timeout);
            flight.end("--stop-timeout ran out");
        }
    };
    tokio::select! {
        () = to_its_end => None,
        told = at_once => {
            let requests = flight.requests();
            tracing::warn!(requests, "stopped at once, since a second signal came: {told}");
            flight.end("a second signal came");
            Some(told)
        }
    }
}

/// Whoever sends clients here needs time to see that the gateway drains, and to send them elsewhere.
async fn drain(delay: Time) {
    if !delay.is_zero() {
        tracing::info!("draining: accepting for {delay} still");
        tokio::time::sleep(*delay).await;
    }
}

/// What each client gets.
struct Entrance<S> {
    door: Door,
    service: S,
    limits: Limits,
    shared: Shared,
    flight: Arc<Flight>,
}

impl<S, B> Entrance<S>
where
    S: Service<Inbound, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError> + Send,
{
    async fn let_in_until(&self, closed: impl Future<Output = ()>) {
        let room = Arc::new(Semaphore::new(self.limits.max_connections as usize));
        let mut closed = pin!(closed);
        loop {
            let (accepted, place) = tokio::select! {
                accepted = accept(&self.door.listener, &room) => accepted,
                () = &mut closed => return,
            };
            match accepted {
                Ok((stream, peer)) => self.let_in(stream, peer, place),
                Err(error) => accept_failed(&error, *self.limits.accept_retry).await,
            }
        }
    }

    /// Handshakes take their time on the task of their connection.
    fn let_in(&self, stream: TcpStream, peer: SocketAddr, place: Option<Place>) {
        let Door { tls, forwarding, .. } = &self.door;
        let client = Client::new(peer, *forwarding, tls.is_some(), Arc::clone(&self.flight));
        let span = client.span();
        let service = Asked::by(client, self.service.clone());
        let connection = Connection::new(self.shared.clone(), service, Arc::clone(&self.flight));
        tokio::spawn(connection.answer(stream, place, tls.clone()).instrument(span));
    }
}

type Accepted = (io::Result<(TcpStream, SocketAddr)>, Option<Place>);

/// A client that finds no room waits in the kernel's queue.
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> Accepted {
    let place = Arc::clone(room).acquire_owned().await.ok();
    (listener.accept().await, place)
}

/// A client that left before it was accepted is no failure; no free descriptor is one that passes.
async fn accept_failed(error: &io::Error, again_in: Duration) {
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        tracing::warn!(%error, "cannot accept a connection; trying again");
        tokio::time::sleep(again_in).await;
    }
}
