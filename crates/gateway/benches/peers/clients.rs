//! The clients, which are a number of connections. A connection sends its next request as soon as it has received the
//! response.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use crate::service::on_one_thread;

static UPLOAD: [u8; 1_000_000] = [b'x'; 1_000_000];

#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    /// The number of parallel requests on a connection. If it is more than one, the clients use HTTP/2.
    pub(crate) streams: usize,
    pub(crate) path: &'static str,
    pub(crate) status: u16,
    pub(crate) upload: usize,
}

impl Load {
    pub(crate) const fn get(path: &'static str, status: u16) -> Self {
        Self { connections: 1, streams: 1, path, status, upload: 0 }
    }

    /// Sends this total number of requests.
    pub(crate) fn run(self, proxy: SocketAddr, tls: bool, requests: usize) {
        let left = Arc::new(AtomicUsize::new(requests));
        on_one_thread(async {
            let mut clients: JoinSet<()> =
                (0..self.connections).map(|_| self.client(proxy, tls, Arc::clone(&left))).collect();
            while let Some(client) = clients.join_next().await {
                client.expect("each client is answered");
            }
        });
    }

    /// Sends one request on each connection, and then calls `look` while they wait for their next request.
    pub(crate) fn wait(self, proxy: SocketAddr, look: impl FnOnce()) {
        on_one_thread(async {
            let mut waiting = Vec::new();
            for _ in 0..self.connections {
                let stream = TcpStream::connect(proxy).await.expect("the proxy listens");
                let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await.expect("a connection");
                tokio::spawn(connection);
                self.read(client.send_request(self.request("/")).await.expect("a response")).await;
                waiting.push(client);
            }
            look();
        });
    }

    async fn client(self, proxy: SocketAddr, tls: bool, left: Arc<AtomicUsize>) {
        let stream = TcpStream::connect(proxy).await.expect("the proxy listens");
        stream.set_nodelay(true).expect("a socket");
        if !tls {
            return self.http1(stream, &left).await;
        }
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = connector(self.streams > 1).connect(name, stream).await.expect("a handshake");
        match self.streams {
            1 => self.http1(stream, &left).await,
            _ => self.http2(stream, &left).await,
        }
    }

    async fn http1(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, left: &AtomicUsize) {
        let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await.expect("a connection");
        tokio::spawn(connection);
        while takes_one(left) {
            client.ready().await.expect("the connection is kept");
            self.read(client.send_request(self.request("/")).await.expect("a response")).await;
        }
    }

    async fn http2(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, left: &Arc<AtomicUsize>) {
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (client, connection) = handshake.await.expect("a connection");
        tokio::spawn(connection);
        let stream = |_| {
            let (mut client, left) = (client.clone(), Arc::clone(left));
            async move {
                while takes_one(&left) {
                    client.ready().await.expect("the connection is kept");
                    let request = self.request("https://localhost/");
                    self.read(client.send_request(request).await.expect("a response")).await;
                }
            }
        };
        (0..self.streams).map(stream).collect::<JoinSet<()>>().join_all().await;
    }

    fn request(self, target: &str) -> Request<Full<Bytes>> {
        let method = if self.upload == 0 { Method::GET } else { Method::POST };
        let body = Full::new(Bytes::from_static(&UPLOAD[..self.upload]));
        let request = Request::builder().method(method).uri(format!("{}{}", target.trim_end_matches('/'), self.path));
        let request = match self.streams {
            1 => request.header("host", "localhost"),
            _ => request,
        };
        request.header("user-agent", "peers/1.0").header("accept", "*/*").body(body).expect("a request")
    }

    async fn read(self, response: Response<Incoming>) {
        assert_eq!(response.status(), self.status);
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            frame.expect("the response is whole");
        }
    }
}

fn takes_one(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

fn connector(http2: bool) -> TlsConnector {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate));
    let mut config = config.with_no_client_auth();
    config.alpn_protocols = vec![if http2 { b"h2".into() } else { b"http/1.1".into() }];
    TlsConnector::from(Arc::new(config))
}

/// Accepts any certificate, because the cost of a proxy's handshake does not depend on whether the client trusts it.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}
