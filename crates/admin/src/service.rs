//! Handles requests to the admin address. It defines the table of paths, and serves them over HTTP/1.1.

use std::borrow::Borrow;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use error_envelope_runtime::SwitchNote;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tower_service::Service;

use crate::admin::Admin;
use crate::admin_request::{AdminRequest, Change, bearer};
use crate::answer::{self, Answer};
use crate::small_server::{Peer, SmallServer};
use crate::{errors, now, process, readiness};

/// The Tower service that [`Admin::service`] returns. It does not read request bodies.
#[derive(Clone, Debug)]
#[must_use]
pub struct AdminService(Admin);

/// The body of a response.
pub type AdminBody = Full<Bytes>;

impl Admin {
    /// Returns a service to mount in your own server. Mount it at the root of a host or an address, because its page
    /// requests absolute paths. Your server must limit the size of heads, waits and connections. The service needs a
    /// Tokio runtime. If a [token](Self::token_file) is set, requests must send it. Otherwise your server must restrict
    /// access.
    pub fn service(&self) -> AdminService {
        AdminService(self.clone())
    }

    async fn respond(&self, head: &Parts) -> Answer {
        if let Some(refusal) = self.hosts.refusal(head) {
            return refusal;
        }
        if head.method != Method::POST && !is_open(head.uri.path()) {
            let peer = head.extensions.get::<Peer>().map(|peer| peer.0);
            if let Err(refusal) = self.check_token(bearer(&head.headers), peer).await {
                return answer::refused(refusal);
            }
        }
        let change = if head.method == Method::POST { self.read_change(head).await } else { Ok(SwitchNote::new()) };
        answer(self, head, change)
    }
}

impl<B> Service<Request<B>> for AdminService {
    type Response = Response<AdminBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<AdminBody>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (admin, (head, _)) = (self.0.clone(), request.into_parts());
        Box::pin(async move { Ok(admin.respond(&head).await) })
    }
}

/// A path, a method and the handler for both. An endpoint for `GET` also serves `HEAD`, because the server then omits
/// the body.
struct Endpoint(&'static str, Method, fn(&AdminRequest<'_>) -> Answer);

static ROWS: [Endpoint; 14] = [
    Endpoint("/", Method::GET, |_| answer::page(include_str!("assets/page.html"))),
    Endpoint("/page.css", Method::GET, |_| asset("text/css; charset=utf-8", include_str!("assets/page.css"))),
    Endpoint("/page.js", Method::GET, |_| asset("text/javascript; charset=utf-8", include_str!("assets/page.js"))),
    Endpoint("/page.svg", Method::GET, |_| asset("image/svg+xml", include_str!("assets/page.svg"))),
    Endpoint("/now.json", Method::GET, now::show),
    Endpoint("/errors.json", Method::GET, errors::show),
    Endpoint("/readiness.json", Method::GET, readiness::show),
    Endpoint("/healthz", Method::GET, process::alive),
    Endpoint("/readyz", Method::GET, process::ready),
    Endpoint("/metrics", Method::GET, process::metrics),
    Endpoint("/policy", Method::GET, process::policy),
    Endpoint("/kill-switch", Method::GET, process::kill_switch),
    Endpoint("/kill-switch/on", Method::POST, |request| process::turn(request, true)),
    Endpoint("/kill-switch/off", Method::POST, |request| process::turn(request, false)),
];

/// Returns true if a path needs no token. The page itself needs none, because it contains no data. The paths that
/// orchestrators and scrapers request need none either.
pub(crate) fn is_open(path: &str) -> bool {
    matches!(path, "/" | "/page.css" | "/page.js" | "/page.svg" | "/healthz" | "/readyz" | "/metrics")
}

/// Returns the response to an accepted request.
pub(crate) fn answer(admin: &Admin, request: &Parts, change: Change) -> Answer {
    let here: Vec<_> = ROWS.iter().filter(|row| row.0 == request.uri.path()).collect();
    let wanted = if request.method == Method::HEAD { &Method::GET } else { &request.method };
    match here.iter().find(|row| row.1 == *wanted) {
        Some(row) => (row.2)(&AdminRequest { admin, query: request.uri.query(), change }),
        None if here.is_empty() => {
            let paths: Vec<_> = ROWS.iter().filter(|row| row.1 == Method::GET).map(|row| row.0).collect();
            let why = format!("this path does not exist; the paths are {}", paths.join(", "));
            answer::text(StatusCode::NOT_FOUND, why)
        }
        None => answer::method_not_allowed(if here[0].1 == Method::GET { "GET, HEAD" } else { here[0].1.as_str() }),
    }
}

fn asset(media_type: &'static str, text: &'static str) -> Answer {
    answer::whole(StatusCode::OK, media_type, text)
}

/// The server's limits. It accepts 64 connections, because the pages of a person, a scraper and the probes of an
/// orchestrator need only a few. A head may have 16 KiB, because it contains no cookies of other sites. A stop waits
/// for at most 1 s.
///
/// The server shares its process with the service's traffic, and must never harm it. So the size of heads, waits and
/// connections are limited.
const SERVER: SmallServer = SmallServer::new(64, 16 * 1024, Duration::from_secs(1));

impl Admin {
    /// Serves until `stop` is ready, which should be at the end of the process. Call [`drain`](Self::drain) before
    /// that.
    ///
    /// The server uses HTTP/1.1, with one response per connection and at most 64 connections. For a further connection,
    /// it closes the connection that has been silent longest. If the address is not loopback and no
    /// [token](Self::token_file) is set, the server logs a warning and accepts no changes. A borrowed listener can be
    /// served again later. Until then, its clients wait.
    pub async fn serve(&self, listener: impl Borrow<TcpListener>, stop: impl Future<Output = ()>) {
        let mut served = self.clone();
        if let Ok(address) = listener.borrow().local_addr() {
            served.is_exposed = !address.ip().is_loopback();
            served.announce(address);
        }
        SERVER.serve(listener, self.tls.clone(), move |request| served.service().call(request), stop).await;
    }

    /// Serves until `work` has ended, and returns the output of `work`. Call [`drain`](Self::drain) once `work` begins
    /// to stop.
    pub async fn serve_with<T>(&self, listener: &TcpListener, work: impl Future<Output = T>) -> T {
        let (ends, ended) = oneshot::channel::<()>();
        let work = async {
            let output = work.await;
            drop(ends);
            output
        };
        tokio::join!(self.serve(listener, async { drop(ended.await) }), work).1
    }

    fn announce(&self, address: SocketAddr) {
        tracing::info!(%address, "serving the admin address");
        if self.is_read_only() {
            tracing::warn!(
                %address,
                "the admin address is not loopback: anyone who can reach it can read errors; changes are refused, since no \
                 token file is set"
            );
        }
    }
}
