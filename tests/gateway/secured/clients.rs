//! Tests certificates of clients: which ones are accepted, and what happens to wrong ones.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use http::Response;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair, SanType, date_time_ymd,
};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::pair::Pair;
use crate::holds::gateway::{Folder, Gateway};
use crate::holds::service::{Service, full};
use crate::wait::{TOO_LONG, until, when};

const POLICY: &str = r#"
version = 1
[auth.mesh]
scheme = "certificate"
forward_id = "x-peer"
[[route]]
match = "/closed"
auth = ["mesh"]
"#;

/// An authority that signs clients.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

type Shown = (CertificateDer<'static>, PrivateKeyDer<'static>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self { pem: params.self_signed(&key).unwrap().pem(), issuer: Issuer::new(params, key) }
    }

    fn signs(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Shown {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(name).unwrap())];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.der().clone(), PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }
}

/// Returns a service that responds with the name of its caller.
fn service() -> Service {
    Service::new(|request| {
        let peer = request.headers().get("x-peer").map_or("nobody", |peer| peer.to_str().unwrap()).to_owned();
        std::future::ready(Response::new(full(peer)))
    })
}

fn started(service: &Service, place: &Path, pair: &Pair, authority: &Authority, more: &[&str]) -> Gateway {
    pair.write(place);
    fs::write(place.join("clients.pem"), &authority.pem).unwrap();
    fs::write(place.join("policy.toml"), POLICY).unwrap();
    let path = |name: &str| place.join(name).to_str().unwrap().to_owned();
    let (certificate, key, clients) = (path("tls.crt"), path("tls.key"), path("clients.pem"));
    let policy = path("policy.toml");
    let tls = ["--tls-cert", &certificate, "--tls-key", &key, "--tls-client-ca", &clients, "--policy", &policy];
    Gateway::start(service.address, &[&tls, more].concat())
}

/// Returns the status and the body, or the reason why there is none.
fn ask(gateway: &Gateway, pair: &Pair, path: &str, shown: Option<&Shown>) -> Result<(String, String), String> {
    let mut roots = RootCertStore::empty();
    roots.add(pair.certificate().into()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let config = match shown {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = default_provider().key_provider.load_private_key(key.clone_key()).unwrap();
            // It shows a certificate that no honest client would show.
            let shown = CertifiedKey::new(vec![certificate.clone()], key);
            config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(shown)))
        }
    };
    let stream = TcpStream::connect(gateway.address).unwrap();
    stream.set_read_timeout(Some(TOO_LONG)).unwrap();
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, stream);
    let text_of = |error: std::io::Error| error.to_string();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nx-peer: me\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(text_of)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(text_of)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no head")?;
    Ok((head[9..12].to_owned(), body.to_owned()))
}

/// Two of each kind come. Both are counted, one is logged, and clients between them are served.
#[test]
fn g2_a_clients_certificate_lets_in_and_a_wrong_one_ends_its_handshake() {
    let (service, folder) = (service(), Folder::new("clients"));
    let (pair, ours, theirs) = (Pair::new(), Authority::new(), Authority::new());
    let gateway = started(&service, &folder.path(""), &pair, &ours, &["--admin", "127.0.0.1:0"]);
    let good = ours.signs("spiffe://example.org/billing", |_| {});
    let served = |shown| ask(&gateway, &pair, "/closed", shown);
    let in_as = |name: &str| Ok(("200".to_owned(), name.to_owned()));
    assert_eq!(ask(&gateway, &pair, "/open", None), in_as("nobody"));
    assert_eq!(ask(&gateway, &pair, "/open", Some(&good)), in_as("nobody"));
    assert_eq!(served(Some(&good)), in_as("spiffe://example.org/billing"));
    let (status, body) = served(None).unwrap();
    assert!(status == "401" && body.contains("\"auth_missing\""), "{status} {body}");
    let expired = ours.signs("spiffe://example.org/old", |params| {
        (params.not_before, params.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
    });
    let early = ours.signs("spiffe://example.org/early", |params| params.not_before = date_time_ymd(2999, 1, 1));
    let foreign = theirs.signs("spiffe://example.org/billing", |_| {});
    let huge = ours.signs("spiffe://example.org/huge", |params| {
        params.custom_extensions =
            vec![CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999], vec![0; 1 << 20])];
    });
    for wrong in [&expired, &early, &foreign, &huge] {
        for _ in 0..2 {
            served(Some(wrong)).unwrap_err();
            assert_eq!(served(Some(&good)), in_as("spiffe://example.org/billing"));
        }
    }
    let metrics = until("the handshakes are counted", || {
        let metrics = gateway.ask_admin("GET", "/metrics");
        when(metrics.matches("error_envelope_tls_handshakes_failed_total{").count() >= 3, metrics)
    });
    for (reason, count) in [("certificate_expired", 4), ("certificate_unknown", 2), ("too_large", 2)] {
        let line = format!("error_envelope_tls_handshakes_failed_total{{reason=\"{reason}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
    let log = gateway.stopped();
    assert_eq!(log.matches("further refusals for this reason are only counted").count(), 3, "{log}");
}

#[test]
fn g2_a_certificate_can_be_required_of_every_client_and_its_authority_be_replaced() {
    let (service, folder) = (service(), Folder::new("clients-required"));
    let (pair, old, new) = (Pair::new(), Authority::new(), Authority::new());
    let place = folder.path("");
    let gateway = started(&service, &place, &pair, &old, &["--tls-client-auth", "required"]);
    let [of_old, of_new] = [&old, &new].map(|authority| authority.signs("spiffe://example.org/a", |_| {}));
    let open = |shown| ask(&gateway, &pair, "/open", shown);
    open(None).unwrap_err();
    open(Some(&of_new)).unwrap_err();
    assert!(open(Some(&of_old)).is_ok());
    fs::write(place.join("beside.pem"), "no PEM").unwrap();
    fs::rename(place.join("beside.pem"), place.join("clients.pem")).unwrap();
    until("the log tells it", || {
        let log = gateway.log_from(0);
        when(log.contains("clients.pem: no certificate can be read"), log)
    });
    assert!(open(Some(&of_old)).is_ok());
    fs::write(place.join("beside.pem"), &new.pem).unwrap();
    fs::rename(place.join("beside.pem"), place.join("clients.pem")).unwrap();
    until("the new authority counts", || open(Some(&of_new)));
    open(Some(&of_old)).unwrap_err();
    let log = gateway.stopped();
    assert!(log.contains("\"reason\":\"no_certificate\""), "{log}");
}

/// The gateway in front is a client of the gateway behind it.
#[test]
fn g2_a_service_is_shown_the_gateways_own_certificate() {
    let (service, folder) = (service(), Folder::new("clients-shown"));
    let (pair, authority) = (Pair::new(), Authority::new());
    let place = folder.path("");
    let inner = started(&service, &place, &pair, &authority, &[]);
    let (certificate, key) = authority.signs("spiffe://example.org/front", |_| {});
    let pem = |label: &str, der: &[u8]| {
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    };
    fs::write(place.join("front.crt"), pem("CERTIFICATE", &certificate)).unwrap();
    fs::write(place.join("front.key"), pem("PRIVATE KEY", key.secret_der())).unwrap();
    let path = |name: &str| place.join(name).to_str().unwrap().to_owned();
    let (ca, certificate, key) = (path("tls.crt"), path("front.crt"), path("front.key"));
    let url = format!("https://localhost:{}", inner.address.port());
    let request = "GET /closed HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    for version in [&[][..], &["--upstream-h2"]] {
        let shown = ["--upstream-ca", &ca, "--upstream-client-cert", &certificate, "--upstream-client-key", &key];
        let answer = Gateway::before(&url, &[&shown, version].concat()).ask(request);
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("spiffe://example.org/front"), "{answer}");
        let answer = Gateway::before(&url, &[&["--upstream-ca", &ca], version].concat()).ask(request);
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    }
}
