//! Certificates for `localhost`, and clients that trust them.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, CertifiedKey, KeyPair, date_time_ymd, generate_simple_self_signed};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};

use crate::wait::TOO_LONG;

pub(super) struct Pair(CertifiedKey<KeyPair>);

impl Pair {
    pub(super) fn new() -> Self {
        Self(generate_simple_self_signed(["localhost".to_owned()]).unwrap())
    }

    /// Creates a pair whose certificate expired in 2001.
    pub(super) fn expired() -> Self {
        let mut parameters = CertificateParams::new(["localhost".to_owned()]).unwrap();
        (parameters.not_before, parameters.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1));
        let signing_key = KeyPair::generate().unwrap();
        let cert = parameters.self_signed(&signing_key).unwrap();
        Self(CertifiedKey { cert, signing_key })
    }

    pub(super) fn pem(&self) -> String {
        self.0.cert.pem()
    }

    pub(super) fn certificate(&self) -> Vec<u8> {
        self.0.cert.der().to_vec()
    }

    /// Writes the pair as `tls.crt` and `tls.key`.
    pub(super) fn write(&self, folder: &Path) {
        fs::write(folder.join("tls.crt"), self.pem()).unwrap();
        fs::write(folder.join("tls.key"), self.0.signing_key.serialize_pem()).unwrap();
    }

    /// Does the same, but replaces each file at once.
    pub(super) fn rename_to(&self, folder: &Path) {
        let replacement = folder.join("beside");
        fs::create_dir_all(&replacement).unwrap();
        self.write(&replacement);
        for name in ["tls.crt", "tls.key"] {
            fs::rename(replacement.join(name), folder.join(name)).unwrap();
        }
    }

    /// Starts a server that agrees on no protocol, and sends no responses.
    pub(super) fn serve_http1_alone(&self) -> SocketAddr {
        let key = PrivateKeyDer::try_from(self.0.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.0.cert.der().clone()], key);
        let config = Arc::new(config.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                while connection.complete_io(&mut stream).is_ok_and(|(read, _)| read > 0) {}
            }
        });
        address
    }
}

pub(super) type Secured = StreamOwned<ClientConnection, TcpStream>;

/// A client that trusts some certificates, and does not resume sessions.
pub(super) struct Trust(Arc<ClientConfig>);

impl Trust {
    pub(super) fn new<'a>(pairs: impl IntoIterator<Item = &'a Pair>) -> Self {
        let mut roots = RootCertStore::empty();
        for Pair(pair) in pairs {
            roots.add(pair.cert.der().clone()).unwrap();
        }
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        Self(Arc::new(config.with_no_client_auth()))
    }

    pub(super) fn connect(&self, address: SocketAddr) -> io::Result<Secured> {
        self.over(TcpStream::connect(address)?)
    }

    /// Connects over an existing connection.
    pub(super) fn over(&self, stream: TcpStream) -> io::Result<Secured> {
        stream.set_read_timeout(Some(TOO_LONG))?;
        let connection = ClientConnection::new(Arc::clone(&self.0), ServerName::try_from("localhost").unwrap());
        Ok(StreamOwned::new(connection.map_err(io::Error::other)?, stream))
    }
}
