//! A small identity provider: keys, tokens, and a server of key sets on this runtime's clock.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{CertifiedKey, KeyPair, PKCS_ED25519, SigningKey as _, generate_simple_self_signed};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// A key that signs tokens.
pub(super) struct Signer {
    kid: String,
    pair: KeyPair,
}

impl Signer {
    pub(super) fn new(kid: impl Into<String>) -> Self {
        Self { kid: kid.into(), pair: KeyPair::generate_for(&PKCS_ED25519).unwrap() }
    }

    pub(super) fn token(&self, claims: &Value) -> String {
        let header = json!({ "alg": "EdDSA", "kid": self.kid }).to_string();
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = self.pair.sign(message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Returns a token that is valid for longer than any test.
    pub(super) fn good(&self) -> String {
        self.token(&json!({ "sub": "anna", "exp": 4_102_444_800_u64 }))
    }

    pub(super) fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key_raw());
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": x })
    }
}

pub(super) fn set<'a>(signers: impl IntoIterator<Item = &'a Signer>) -> Script {
    let keys: Vec<_> = signers.into_iter().map(Signer::jwk).collect();
    Script::Says(response(json!({ "keys": keys }).to_string().as_bytes(), "cache-control: max-age=600\r\n"))
}

pub(super) fn response(body: &[u8], headers: &str) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// What the server does with a connection.
#[derive(Clone)]
pub(super) enum Script {
    /// Closes the connection before the handshake.
    Down,
    Says(Vec<u8>),
    /// Sends these bytes, and then a space each second.
    Trickles(Vec<u8>),
    Silent,
}

#[derive(Clone)]
pub(super) struct Provider {
    pub(super) url: String,
    /// The certificate of the provider's own authority.
    pub(super) pem: String,
    state: Arc<Mutex<State>>,
}

struct State {
    script: Script,
    fetches: Vec<Instant>,
}

impl Provider {
    pub(super) async fn start(script: Script) -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = Arc::new(config.with_single_cert(vec![cert.der().clone()], key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/keys?tenant=1", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { script, fetches: Vec::new() }));
        let provider = Self { url, pem: cert.pem(), state };
        tokio::spawn(provider.clone().serve(listener, config.into()));
        provider
    }

    pub(super) fn does(&self, script: Script) {
        self.state.lock().unwrap().script = script;
    }

    /// Returns the times of its requests.
    pub(super) fn fetches(&self) -> Vec<Instant> {
        self.state.lock().unwrap().fetches.clone()
    }

    async fn serve(self, listener: TcpListener, tls: TlsAcceptor) {
        loop {
            let (stream, _): (_, SocketAddr) = listener.accept().await.unwrap();
            let script = {
                let mut state = self.state.lock().unwrap();
                state.fetches.push(Instant::now());
                state.script.clone()
            };
            let tls = tls.clone();
            tokio::spawn(async move {
                if matches!(script, Script::Down) {
                    return;
                }
                let mut stream = tls.accept(stream).await.unwrap();
                read_head(&mut stream).await;
                // A client may close the connection at any time.
                match script {
                    Script::Says(bytes) => drop((stream.write_all(&bytes).await, stream.shutdown().await)),
                    Script::Trickles(bytes) => {
                        let mut sent = stream.write_all(&bytes).await;
                        while sent.is_ok() {
                            tokio::time::sleep(Duration::from_secs(1)).await;
                            sent = stream.write_all(b" ").await;
                        }
                    }
                    Script::Silent => tokio::time::sleep(Duration::from_secs(3600)).await,
                    Script::Down => {}
                }
            });
        }
    }
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("GET /keys?tenant=1 HTTP/1.1\r\n") && !head.contains("uthorization"), "{head}");
}
