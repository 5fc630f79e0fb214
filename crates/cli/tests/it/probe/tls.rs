//! Tests which certificates are trusted over https.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{probe, report};

/// A server for HTTP/1 over TLS, and the file with its certificate.
struct Secured {
    port: u16,
    ca: PathBuf,
}

impl Secured {
    fn start() -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key);
        let config = Arc::new(config.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let ca = std::env::temp_dir().join(format!("probe-ca-{}-{port}.pem", std::process::id()));
        fs::write(&ca, cert.pem()).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                std::thread::spawn(move || answer(StreamOwned::new(connection, stream)));
            }
        });
        Self { port, ca }
    }

    fn ca(&self) -> &str {
        self.ca.to_str().unwrap()
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.ca);
    }
}

fn answer(stream: StreamOwned<ServerConnection, TcpStream>) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        line.clear();
    }
    let stream = reader.get_mut();
    let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

#[test]
fn a_certificate_is_trusted_by_its_name_alone() {
    let server = Secured::start();
    let asked = probe(&format!("https://localhost:{}", server.port), &["--ca", server.ca(), "--format", "json"]);
    assert_eq!(asked.code, Some(1), "{}", asked.err);
    let told = report(&asked);
    assert_eq!(told["lines"][0]["got"], "404", "{told:#}");

    let other_name = probe(&format!("https://127.0.0.1:{}", server.port), &["--ca", server.ca()]);
    assert_eq!((other_name.code, other_name.out.as_str()), (Some(3), ""));
    assert!(other_name.err.contains(": TLS: ") && other_name.err.contains("not valid for name"), "{}", other_name.err);

    let other = Secured::start();
    let unknown = probe(&format!("https://localhost:{}", server.port), &["--ca", other.ca()]);
    assert_eq!((unknown.code, unknown.out.as_str()), (Some(3), ""));
    assert!(unknown.err.contains(": TLS: "), "{}", unknown.err);
}
