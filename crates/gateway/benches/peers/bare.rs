//! The lower limit for the cost: a proxy that only forwards, written with hyper and hyper-util like their examples.

use std::net::SocketAddr;
use std::sync::Arc;

use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::service::listen;

/// Serves until it is killed.
pub(crate) fn run(service: SocketAddr, pair: Option<(&str, &str)>) {
    // The runtime has tokio's defaults.
    tokio::runtime::Runtime::new().expect("a runtime").block_on(forward(service, pair.map(acceptor)));
}

async fn forward(service: SocketAddr, tls: Option<TlsAcceptor>) {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build::<_, Incoming>(connector);
    let authority: Authority = service.to_string().parse().expect("an authority");
    let listener = listen().await;
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let (client, authority, tls) = (client.clone(), authority.clone(), tls.clone());
        let service = service_fn(move |request| answer(client.clone(), authority.clone(), request));
        tokio::spawn(async move {
            let server = Builder::new(TokioExecutor::new());
            match tls {
                None => drop(server.serve_connection(TokioIo::new(stream), service).await),
                Some(tls) => {
                    let Ok(stream) = tls.accept(stream).await else { return };
                    drop(server.serve_connection(TokioIo::new(stream), service).await);
                }
            }
        });
    }
}

async fn answer(
    client: Client<HttpConnector, Incoming>,
    authority: Authority,
    mut request: Request<Incoming>,
) -> Result<Response<Incoming>, Error> {
    let mut uri = std::mem::take(request.uri_mut()).into_parts();
    (uri.scheme, uri.authority) = (Some(Scheme::HTTP), Some(authority));
    *request.uri_mut() = Uri::from_parts(uri).expect("a path");
    *request.version_mut() = http::Version::HTTP_11;
    client.request(request).await
}

fn acceptor((certificate, key): (&str, &str)) -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(certificate).expect("a file").map(|it| it.expect("a certificate"));
    let key = PrivateKeyDer::from_pem_file(key).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(tokio_rustls::rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions");
    let mut config = config.with_no_client_auth().with_single_cert(chain.collect(), key).expect("a pair");
    config.alpn_protocols = vec![b"h2".into(), b"http/1.1".into()];
    TlsAcceptor::from(Arc::new(config))
}
