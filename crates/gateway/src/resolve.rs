//! Finds the addresses of a service, and connects to one of them.
//!
//! 1. A name is looked up for each new connection, so that its current addresses count. Only one lookup of a name runs
//!    at a time, and all waiting requests share it. A lookup occupies a thread while its resolver hangs, and other
//!    services' names need threads, too.
//! 2. The addresses are tried in order. The next one is tried if one refuses, or does not respond within its part of
//!    the time.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use error_envelope_core::session::{ProxyError, ProxyFailure};
use tokio::net::TcpStream;
use tokio::sync::watch::{self, Receiver};
use tokio::time::Instant;

/// Twice the time that a system waits before it repeats a connection attempt.
const PATIENCE: Duration = Duration::from_secs(2);

type Addresses = Arc<[SocketAddr]>;
type Outcome = Option<Result<Addresses, Arc<io::Error>>>;

/// Looks up the name of one service. Clones share the running lookup.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resolver(Arc<Mutex<Option<Receiver<Outcome>>>>);

impl Resolver {
    /// Opens a connection to a host; `within` is the time for all steps.
    pub(crate) async fn connect(&self, host: &str, port: u16, within: Duration) -> io::Result<TcpStream> {
        let deadline = Instant::now() + within;
        match host.parse::<IpAddr>() {
            Ok(address) => TcpStream::connect((address, port)).await,
            Err(_) => {
                let name = (host.to_owned(), port);
                let looked_up = async move { Ok(tokio::net::lookup_host(name).await?.collect()) };
                connect_any(&self.share(looked_up).await?, deadline).await
            }
        }
    }

    /// Waits for the lookup that runs, or for this one.
    async fn share(
        &self,
        lookup: impl Future<Output = io::Result<Addresses>> + Send + 'static,
    ) -> io::Result<Addresses> {
        let mut running = self.join_or_start(lookup);
        let found = running.wait_for(Option::is_some).await.ok().and_then(|found| found.clone());
        match found {
            Some(Ok(addresses)) => Ok(addresses),
            Some(Err(error)) => Err(unresolved(error.kind(), error.to_string())),
            None => Err(io::Error::other("the lookup of the service's host name was cancelled")),
        }
    }

    fn join_or_start(&self, lookup: impl Future<Output = io::Result<Addresses>> + Send + 'static) -> Receiver<Outcome> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_under_way = |running: &&Receiver<Outcome>| running.borrow().is_none() && running.has_changed().is_ok();
        if let Some(running) = running.as_ref().filter(is_under_way) {
            return running.clone();
        }
        let (found, waiting) = watch::channel(None);
        // The lookup runs on a separate task, so that it continues even if the request that started it is dropped.
        tokio::spawn(async move { found.send_replace(Some(lookup.await.map_err(Arc::new))) });
        *running = Some(waiting.clone());
        waiting
    }
}

/// Connects to the first address that accepts; if none does, returns the error of the last one.
async fn connect_any(addresses: &[SocketAddr], deadline: Instant) -> io::Result<TcpStream> {
    let Some((last, others)) = addresses.split_last() else {
        return Err(unresolved(io::ErrorKind::NotFound, "the service's host name has no address"));
    };
    for (at, address) in others.iter().enumerate() {
        let left = u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        let share = (deadline.saturating_duration_since(Instant::now()) / left).min(PATIENCE);
        match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => {
                tracing::debug!(target: "error_envelope::gateway::resolve", %address, %error, "trying the next address");
            }
            Err(_) => {
                tracing::debug!(target: "error_envelope::gateway::resolve", %address, "no answer; trying the next address");
            }
        }
    }
    TcpStream::connect(last).await
}

fn unresolved(kind: io::ErrorKind, text: impl Into<String>) -> io::Error {
    let error = if kind == io::ErrorKind::TimedOut { ProxyError::DnsTimeout } else { ProxyError::DnsError };
    io::Error::new(kind, ProxyFailure::new(error, text))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::net::TcpListener;
    use tokio::sync::Notify;

    use super::*;

    async fn refusing(address: &str) -> SocketAddr {
        TcpListener::bind(address).await.unwrap().local_addr().unwrap()
    }

    #[tokio::test]
    async fn f7_the_next_address_is_tried_where_one_refuses() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        let addresses = [refusing("127.0.0.1:0").await, refusing("127.0.0.1:0").await, address];
        assert_eq!(connect_any(&addresses, deadline).await.unwrap().peer_addr().unwrap(), address);
        let error = connect_any(&addresses[..2], deadline).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(connect_any(&[], deadline).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test(start_paused = true)]
    async fn f7_an_address_that_does_not_answer_leaves_time_for_the_next_one() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // RFC 5737: no host has this address. A machine without a route to it fails at once.
        let silent: SocketAddr = "192.0.2.1:9".parse().unwrap();
        let began = Instant::now();
        let connected = connect_any(&[silent, address], began + Duration::from_secs(1)).await.unwrap();
        assert_eq!(connected.peer_addr().unwrap(), address);
        assert!(began.elapsed() < Duration::from_secs(1));
    }

    #[tokio::test]
    async fn f7_those_who_wait_for_a_name_share_one_lookup() {
        let (lookups, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let resolver = Resolver::default();
        let find = |found: io::Result<Addresses>| {
            let (resolver, lookups, answer) = (resolver.clone(), Arc::clone(&lookups), Arc::clone(&answer));
            async move {
                let lookup = async move {
                    lookups.fetch_add(1, Ordering::Relaxed);
                    answer.notified().await;
                    found
                };
                resolver.share(lookup).await
            }
        };
        let here: Addresses = ["127.0.0.1:1".parse().unwrap()].into();
        let refused = || Err(io::Error::other("no such name"));
        // The first one leaves; its lookup goes on.
        let (left, first, second) = (tokio::spawn(find(refused())), find(Ok(here.clone())), find(Ok(here.clone())));
        while lookups.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        left.abort();
        answer.notify_one();
        let (first, second) = tokio::join!(first, second);
        assert_eq!([first, second].map(|it| it.unwrap_err().to_string()), ["no such name", "no such name"]);
        assert_eq!(lookups.load(Ordering::Relaxed), 1);
        answer.notify_one();
        assert_eq!(find(Ok(here.clone())).await.unwrap(), here);
        assert_eq!(lookups.load(Ordering::Relaxed), 2);
        // A name that is gone fails new connections: nothing is cached.
        answer.notify_one();
        assert_eq!(find(refused()).await.unwrap_err().to_string(), "no such name");
        assert_eq!(lookups.load(Ordering::Relaxed), 3);
    }
}
