//! Tests a layer around a service of hyper, with its log and its counters.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tower::BoxError;
use tower::{Layer as _, service_fn};
use tower_error_envelope::{ErrorEnvelopeLayer, Policy, install_metrics};
use tracing_subscriber::fmt::MakeWriter;

use super::plan::{Kind, MODES, Upload, kinds, policy};
use super::service::Service;
use super::views::{Views, lines, series};
use super::{compare, expect_none, rounds, runtime, send};
use crate::wait::{until, when};

/// The log of this process.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Forwards a request to the service over a new connection.
async fn forward<B>(service: SocketAddr, request: Request<B>) -> Result<Response<Incoming>, BoxError>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let stream = TcpStream::connect(service).await?;
    let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let (mut head, body) = request.into_parts();
    head.version = http::Version::HTTP_11;
    head.uri = head.uri.path_and_query().expect("a path").as_str().parse()?;
    Ok(client.send_request(Request::from_parts(head, Box::pin(body))).await?)
}

async fn start(service: SocketAddr, layer: ErrorEnvelopeLayer) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let layered = layer.layer(service_fn(move |request| forward(service, request)));
            tokio::spawn(async move {
                let builder = Builder::new(TokioExecutor::new());
                let _ = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(layered)).await;
            });
        }
    });
    address
}

#[test]
fn l5_every_statement_of_a_layer_is_what_clients_and_services_saw() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().json().with_writer(log.clone());
    subscriber.with_env_filter("tower_error_envelope=info").init();
    let metrics = install_metrics().expect("the only recorder");
    let runtime = runtime();
    // The server resets the stream of a malformed request, which for a layer looks like a client that left.
    let kinds: Vec<Kind> = kinds().into_iter().filter(|it| !matches!(it.upload, Upload::Contradicts(..))).collect();
    let service = runtime.block_on(Service::start(&kinds));
    let policy = Policy::from_toml("policy.toml", &policy()).expect("a policy");
    let front = runtime.block_on(start(service.address, ErrorEnvelopeLayer::new().policy(policy)));
    let ledger = runtime.block_on(send(front, &service, &kinds, &MODES, rounds(2), false));
    let views = || {
        let text = String::from_utf8_lossy(&log.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
        Views { lines: lines(&text, "tower_error_envelope"), metrics: series(&metrics.render()), ..Views::default() }
    };
    until("all requests are counted", || {
        let counted = views().sums("error_envelope_requests_total", &[]).values().sum::<i64>();
        when(counted >= ledger.len() as i64, counted)
    });
    expect_none(&compare::falsehoods(&ledger, &views()), ledger.len());
}
